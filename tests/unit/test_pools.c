/* SPDX-License-Identifier: PostgreSQL
 *
 * Pools as people see them: sorted, one row a (backend, user).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/pools.c"

static const struct pool_info *fake;
static size_t n_fake;

/* In the place of the real one. */
void
pool_each(void (*fn)(const struct pool_info *i, void *arg), void *arg)
{
	size_t i;

	for (i = 0; i < n_fake; i++)
		fn(&fake[i], arg);
}

static void
test_none(void **state PG_UNUSED)
{
	struct pools p;

	n_fake = 0;
	pools_gather(&p);
	assert_int_equal(p.n, 0);
	pools_free(&p);
}

static void
test_merge(void **state PG_UNUSED)
{
	static const struct pool_info infos[] = {
		{ "b", "z", 5, 3, 1, 1, 0, 0, false, "", 0, 0, 0, 2 },
		{ "a", "y", 5, 4, 1, 0, 7, 100, false, "", 0, 0, 0, 2 },
		{ "b", "x", 5, 0, 0, 0, 0, 0, false, "boom", 0, 0, 0, 2 },
		{ "a", "y", 5, 5, 2, 1, 1, 900, false, "late", 0, 0, 0, 2 },
	};
	struct pools p;

	fake = infos;
	n_fake = ARRAY_SIZE(infos);
	pools_gather(&p);
	assert_int_equal(p.n, 3);
	assert_string_equal(p.v[0].backend, "a");
	assert_string_equal(p.v[0].user, "y");
	assert_int_equal(p.v[0].idle, 3);
	assert_int_equal(p.v[0].active, 3 + 2);
	assert_int_equal(p.v[0].connecting, 1);
	assert_int_equal(p.v[0].waiting, 8);
	assert_int_equal(p.v[0].clients, 4);
	assert_int_equal(p.v[0].longest_wait, 900);
	assert_string_equal(p.v[0].last_error, "late");
	assert_string_equal(p.v[1].user, "x");
	assert_string_equal(p.v[1].last_error, "boom");
	assert_string_equal(p.v[2].user, "z");
	assert_int_equal(p.v[2].active, 1);
	pools_free(&p);
	assert_int_equal(p.n, 0);
}

static void
test_many(void **state PG_UNUSED)
{
	struct pool_info infos[100];
	struct pools p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(infos); i++)
		infos[i] = (struct pool_info){ .backend = "b",
			.user = i % 2 == 0 ? "even" : "odd", .total = 1,
			.idle = 1, .last_error = "" };
	fake = infos;
	n_fake = ARRAY_SIZE(infos);
	pools_gather(&p);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.v[0].idle, 50);
	assert_int_equal(p.v[1].idle, 50);
	pools_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
