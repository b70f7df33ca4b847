/* SPDX-License-Identifier: PostgreSQL
 *
 * Counting by shape: sums, and who is forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "stats/census.h"

static struct census *census;

static struct census_shape *
meet(uint64_t id, unsigned times)
{
	const struct census_call call = { .statements = 1, .route = "r",
		.took = id };
	struct census_shape *s = census_find(census, id);

	if (s == NULL)
		s = census_add(census, id, id, "d", SLICE_LIT("SELECT ?"));
	while (times-- > 0)
		census_count(census, s, &call);
	return s;
}

static void
count_one(const struct census_shape *s PG_UNUSED, void *arg)
{
	++*(size_t *)arg;
}

static size_t
count(void)
{
	size_t n = 0;

	census_each(census, count_one, &n);
	return n;
}

static void
test_sums(void **state PG_UNUSED)
{
	struct census_call call = { .statements = 2, .rows = 3, .bytes = 100,
		.outcome = CENSUS_HIT, .route = "one", .took = 5 };
	struct hist_view v = { .count = 0 };
	struct census_shape *s;

	assert_null(census_find(census, 7));
	s = census_add(census, 7, 70, "d", SLICE_LIT("SELECT ?"));
	assert_ptr_equal(census_find(census, 7), s);
	census_count(census, s, &call);
	call = (struct census_call){ .statements = 1, .failed = true,
		.outcome = CENSUS_BYPASS, .route = "two", .bytes = 1,
		.took = 2 };
	census_count(census, s, &call);
	assert_int_equal(s->calls, 3);
	assert_int_equal(s->errors, 1);
	assert_int_equal(s->rows, 3);
	assert_int_equal(s->bytes, 101);
	assert_int_equal(s->outcomes[CENSUS_HIT], 2);
	assert_int_equal(s->outcomes[CENSUS_BYPASS], 1);
	assert_int_equal(s->longest, 5);
	assert_string_equal(s->route, "two");
	assert_string_equal(s->text, "SELECT ?");
	hist_merge(&v, &s->time);
	assert_int_equal(v.count, 2);
	assert_int_equal(v.sum, 7);
}

static void
test_text_is_cut(void **state PG_UNUSED)
{
	char text[2 * CENSUS_TEXT];
	struct census_shape *s;

	memset(text, 'x', sizeof(text));
	s = census_add(census, 1, 1, "d", slice_make(text, sizeof(text)));
	assert_int_equal(strlen(s->text), CENSUS_TEXT - 1);
}

/* A flood of shapes that come once leaves those that come again. */
static void
test_flood(void **state PG_UNUSED)
{
	uint64_t id;

	for (id = 1; id <= 20; id++)
		meet(id, 10);
	for (id = 1000; id < 3000; id++) {
		meet(id, 1);
		assert_true(count() <= 64);
	}
	assert_int_equal(count(), 64);
	/* They are at the end of the list, with others behind. */
	for (id = 10; id <= 20; id++)
		assert_non_null(census_find(census, id));
	assert_null(census_find(census, 1000));
	assert_non_null(census_find(census, 2999));
}

static void
test_limit(void **state PG_UNUSED)
{
	uint64_t id;

	for (id = 1; id <= 64; id++)
		meet(id, 1);
	census_limit(census, 10);
	assert_int_equal(count(), 10);
	assert_non_null(census_find(census, 64));
	census_limit(census, 0);
	assert_int_equal(count(), 0);
	census_limit(census, 5);
	meet(1, 1);
	census_clear(census);
	assert_int_equal(count(), 0);
	assert_null(census_find(census, 1));
}

static int
setup(void **state PG_UNUSED)
{
	census = census_new();
	census_limit(census, 64);
	return 0;
}

static int
teardown(void **state PG_UNUSED)
{
	census_free(&census);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sums),
		TEST(test_text_is_cut),
		TEST(test_flood),
		TEST(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
