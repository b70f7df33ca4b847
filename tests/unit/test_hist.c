/* SPDX-License-Identifier: PostgreSQL
 *
 * The latency histogram: bucket bounds, error, quantiles, merging.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "stats/hist.h"

static void
test_buckets_tile(void **state PG_UNUSED)
{
	nsec_t from = 0, to;
	unsigned b;

	for (b = 0; b < HIST_BUCKETS; b++) {
		to = hist_bucket_upper(b);
		assert_true(to > from || b == 0);
		assert_int_equal(hist_bucket_of(from), b);
		assert_int_equal(hist_bucket_of(to), b);
		/* Width against the lower bound: the relative error. */
		if (b >= HIST_SUB)
			assert_true((to + 1 - from) * 8 <= from);
		from = to + 1;
	}
	assert_true(from > 4ull * 3600 * NSEC_PER_SEC);
	assert_int_equal(hist_bucket_of(from), HIST_BUCKETS - 1);
	assert_int_equal(hist_bucket_of(UINT64_MAX), HIST_BUCKETS - 1);
}

static void
test_empty(void **state PG_UNUSED)
{
	static struct hist_view v;

	assert_int_equal(hist_quantile(&v, 0.5), 0);
	assert_int_equal(hist_count_le(&v, UINT64_MAX), 0);
}

static void
assert_near(nsec_t got, nsec_t want)
{
	assert_true(got >= want - want / 8 && got <= want + want / 8);
}

static void
test_quantiles(void **state PG_UNUSED)
{
	static struct hist h;
	static struct hist_view v;
	nsec_t i, last = 0, q;
	int p;

	for (i = 1; i <= 10000; i++)
		hist_record(&h, i * NSEC_PER_USEC);
	hist_merge(&v, &h);
	assert_int_equal(v.count, 10000);
	assert_int_equal(v.sum, 10000ull * 10001 / 2 * NSEC_PER_USEC);
	assert_near(hist_quantile(&v, 0.5), 5000 * NSEC_PER_USEC);
	assert_near(hist_quantile(&v, 0.99), 9900 * NSEC_PER_USEC);
	assert_near(hist_quantile(&v, 1.0), 10000 * NSEC_PER_USEC);
	assert_near(hist_quantile(&v, 7.0), 10000 * NSEC_PER_USEC);
	assert_true(hist_quantile(&v, -1.0) <= 2 * NSEC_PER_USEC);
	for (p = 0; p <= 1000; p++) {
		q = hist_quantile(&v, p / 1000.0);
		assert_true(q >= last);
		last = q;
	}
}

static void
test_count_le(void **state PG_UNUSED)
{
	static struct hist h;
	static struct hist_view v;
	uint64_t last = 0, n;
	unsigned b;

	hist_record(&h, 100);
	hist_record(&h, NSEC_PER_MSEC);
	hist_record(&h, NSEC_PER_SEC);
	hist_merge(&v, &h);
	assert_int_equal(hist_count_le(&v, 0), 0);
	assert_int_equal(hist_count_le(&v, NSEC_PER_USEC), 1);
	assert_int_equal(hist_count_le(&v, 100 * NSEC_PER_MSEC), 2);
	assert_int_equal(hist_count_le(&v, 2 * NSEC_PER_SEC), 3);
	for (b = 0; b < HIST_BUCKETS; b++) {
		n = hist_count_le(&v, hist_bucket_upper(b));
		assert_true(n >= last);
		last = n;
	}
	assert_int_equal(last, v.count);
}

static void
test_merge_adds(void **state PG_UNUSED)
{
	static struct hist a, b;
	static struct hist_view v;

	hist_record(&a, 5 * NSEC_PER_USEC);
	hist_record(&b, 5 * NSEC_PER_USEC);
	hist_record(&b, NSEC_PER_SEC);
	hist_merge(&v, &a);
	hist_merge(&v, &b);
	assert_int_equal(v.count, 3);
	assert_int_equal(v.sum, NSEC_PER_SEC + 10 * NSEC_PER_USEC);
	assert_int_equal(v.bucket[hist_bucket_of(5 * NSEC_PER_USEC)], 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets_tile),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_count_le),
		cmocka_unit_test(test_merge_adds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
