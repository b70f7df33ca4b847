/* SPDX-License-Identifier: PostgreSQL
 *
 * Bounds of partitions as PostgreSQL prints them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "layout/bound.h"

static void
test_hash(void **state PG_UNUSED)
{
	static const char *const bad[] = { "", "DEFAULT",
		"FOR VALUES WITH (modulus 2, remainder 2)",
		"FOR VALUES WITH (modulus 0, remainder 0)",
		"FOR VALUES WITH (modulus 2, remainder 1) ",
		"FOR VALUES WITH (modulus , remainder 1)",
		"FOR VALUES WITH (modulus 12345678901, remainder 1)",
		"FOR VALUES FROM (1) TO (2)" };
	unsigned m, r;

	assert_true(bound_hash("FOR VALUES WITH (modulus 12, remainder 7)",
	    &m, &r));
	assert_int_equal(m, 12);
	assert_int_equal(r, 7);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(bound_hash(bad[i], &m, &r));
}

#define DAY INT64_C(86400000000)

static void
test_range(void **state PG_UNUSED)
{
	static const struct {
		const char *text;
		int64_t lo, hi;
	} good[] = {
		{ "FOR VALUES FROM ('1970-01-02') TO ('1970-02-01')", DAY,
			31 * DAY },
		{ "FOR VALUES FROM ('2026-01-01 00:00:00+00') TO "
			"('2026-02-01 00:00:00+00')", 20454 * DAY,
			20485 * DAY },
		{ "FOR VALUES FROM ('1969-12-31 23:59:59.5') TO (MAXVALUE)",
			-500000, INT64_MAX },
		{ "FOR VALUES FROM (MINVALUE) TO ('2000-03-01 10:00:00+00')",
			INT64_MIN, 11017 * DAY + 10 * DAY / 24 },
	};
	static const char *const bad[] = { "", "FOR VALUES IN ('a')",
		"FOR VALUES FROM (1) TO (2)",
		"FOR VALUES FROM ('2026-01-01', 1) TO ('2026-02-01', 1)",
		"FOR VALUES FROM ('2026-13-01') TO ('2026-02-01')",
		"FOR VALUES FROM ('2026-01-01 00:00:00+02') TO (MAXVALUE)",
		"FOR VALUES FROM ('2026-01-01 BC') TO (MAXVALUE)",
		"FOR VALUES FROM ('20260-01-01') TO (MAXVALUE)" };
	struct bound_range r;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(bound_range(good[i].text, &r));
		assert_false(r.is_default);
		assert_true(r.lo == good[i].lo);
		assert_true(r.hi == good[i].hi);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(bound_range(bad[i], &r));
	assert_true(bound_range("DEFAULT", &r));
	assert_true(r.is_default);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
