/* SPDX-License-Identifier: PostgreSQL
 *
 * The set of statements a server holds: names, order of use, eviction.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/prepared.h"

static struct hash128
h(uint64_t n)
{
	/* Equal low halves, so that the table has chains to walk. */
	return (struct hash128){ n % 4, n };
}

static void
test_names(void **state PG_UNUSED)
{
	static const struct {
		struct hash128 hash;
		const char *name;
	} known[] = {
		{ { 0, 0 }, "pgsluice_00000000000000000000000000000000" },
		{ { 1, 0 }, "pgsluice_00000000000000000000000000000001" },
		{ { 0, 1 }, "pgsluice_00000000000000010000000000000000" },
		{ { 0xfedcba9876543210, 0x0123456789abcdef },
		    "pgsluice_0123456789abcdeffedcba9876543210" },
		{ { UINT64_MAX, UINT64_MAX },
		    "pgsluice_ffffffffffffffffffffffffffffffff" },
	};
	char out[PREPARED_NAME_LEN + 2];

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		memset(out, '#', sizeof(out));
		prepared_name(known[i].hash, out);
		assert_string_equal(out, known[i].name);
		assert_int_equal(strlen(out), PREPARED_NAME_LEN);
		assert_int_equal(out[PREPARED_NAME_LEN + 1], '#');
	}
}

static void
test_add_has_remove(void **state PG_UNUSED)
{
	struct prepared p;

	prepared_init(&p);
	assert_false(prepared_has(&p, h(1)));
	prepared_remove(&p, h(1));
	prepared_add(&p, h(1));
	prepared_add(&p, h(5));
	prepared_add(&p, h(1));
	assert_int_equal(p.tab.count, 2);
	assert_true(prepared_has(&p, h(1)));
	assert_true(prepared_has(&p, h(5)));
	assert_false(prepared_has(&p, h(9)));
	prepared_remove(&p, h(1));
	assert_false(prepared_has(&p, h(1)));
	assert_true(prepared_has(&p, h(5)));
	prepared_clear(&p);
	assert_false(prepared_has(&p, h(5)));
	/* Usable again. */
	prepared_add(&p, h(2));
	assert_true(prepared_has(&p, h(2)));
	prepared_clear(&p);
}

/* What is known of a Parse that was sent, by what was heard of it and from
 * where it is asked. */
static void
test_states(void **state PG_UNUSED)
{
	struct prepared p;

	prepared_init(&p);
	assert_int_equal(prepared_state(&p, h(1), 1), PREPARED_ABSENT);
	prepared_sent(&p, h(1), 1);
	assert_int_equal(prepared_state(&p, h(1), 1), PREPARED_HELD);
	assert_int_equal(prepared_state(&p, h(1), 2), PREPARED_UNSURE);
	prepared_answered(&p, h(1), true);
	assert_int_equal(prepared_state(&p, h(1), 2), PREPARED_HELD);
	/* Sent again: what was known counts no more. */
	prepared_sent(&p, h(1), 2);
	assert_int_equal(prepared_state(&p, h(1), 3), PREPARED_UNSURE);
	prepared_answered(&p, h(1), false);
	assert_int_equal(prepared_state(&p, h(1), 2), PREPARED_UNSURE);
	/* Evicted meanwhile: it stays out. */
	prepared_answered(&p, h(5), true);
	assert_int_equal(prepared_state(&p, h(5), 3), PREPARED_ABSENT);
	prepared_clear(&p);
}

/* All may be gone, or there: until the next answer. */
static void
test_doubt(void **state PG_UNUSED)
{
	struct prepared p;

	prepared_init(&p);
	prepared_doubt(&p);
	prepared_add(&p, h(1));
	prepared_add(&p, h(2));
	prepared_doubt(&p);
	assert_int_equal(prepared_state(&p, h(1), 1), PREPARED_UNSURE);
	assert_int_equal(prepared_state(&p, h(2), 1), PREPARED_UNSURE);
	prepared_sent(&p, h(1), 1);
	prepared_answered(&p, h(1), true);
	assert_int_equal(prepared_state(&p, h(1), 2), PREPARED_HELD);
	assert_int_equal(prepared_state(&p, h(2), 2), PREPARED_UNSURE);
	prepared_clear(&p);
}

/* Oldest use goes first; asking and adding again are uses. */
static void
test_eviction_order(void **state PG_UNUSED)
{
	static const uint64_t order[] = { 2, 4, 5, 1, 3 };
	struct hash128 out;
	struct prepared p;

	prepared_init(&p);
	for (uint64_t i = 1; i <= 5; i++)
		prepared_add(&p, h(i));
	assert_true(prepared_has(&p, h(1)));
	prepared_add(&p, h(3));
	assert_false(prepared_has(&p, h(77)));
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		assert_false(prepared_evict(&p, 5 - i, &out));
		assert_true(prepared_evict(&p, 4 - i, &out));
		assert_true(hash_eq(out, h(order[i])));
		assert_false(prepared_has(&p, h(order[i])));
	}
	assert_false(prepared_evict(&p, 0, &out));
	prepared_clear(&p);
}

/* The limit shrank: all that is too many goes, one at a time. */
static void
test_evicts_down_to_the_limit(void **state PG_UNUSED)
{
	struct hash128 out;
	struct prepared p;
	unsigned n = 0;

	prepared_init(&p);
	for (uint64_t i = 0; i < 1000; i++)
		prepared_add(&p, h(i));
	while (prepared_evict(&p, 10, &out)) {
		assert_true(hash_eq(out, h(n)));
		n++;
	}
	assert_int_equal(n, 990);
	assert_int_equal(p.tab.count, 10);
	for (uint64_t i = 990; i < 1000; i++)
		assert_true(prepared_has(&p, h(i)));
	prepared_clear(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_add_has_remove),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_eviction_order),
		cmocka_unit_test(test_evicts_down_to_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
