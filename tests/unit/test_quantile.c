/* SPDX-License-Identifier: PostgreSQL
 * Quantiles and shares of failures: known values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "experiment/failures.h"
#include "experiment/quantile.h"
#include "experiment_util.h"

static struct tally_view view, other;
static struct curve curve, more;

static void
near(double value, double expected, double part)
{
	assert_true(fabs(value - expected) <= fabs(expected) * part);
}

/* n times spread evenly from..to, in ns, to all groups in turn. */
static void
even(struct tally_view *v, unsigned n, double from, double to)
{
	unsigned i, g;
	double t;

	memset(v, 0, sizeof(*v));
	for (i = 0; i < n; i++) {
		t = from + (to - from) * (i + 0.5) / n;
		g = i % GROUPS;
		v->n[g]++;
		v->log_sum[g] += log(t);
		v->sum += (nsec_t)t;
		v->bucket[g][tally_bucket_of((nsec_t)t)]++;
	}
}

/* Interpolation is exact to less than a bucket. */
static void
test_values(void **arg)
{
	struct figure f;

	(void)arg;
	even(&view, 64000, 1e6, 2e6);
	curve_make(&curve, &view);
	assert_int_equal(curve.n, 64000);
	assert_int_equal(curve.groups, GROUPS);
	curve_quantile(&curve, 0.5, 0.1, 0.05, &f);
	assert_true(f.known && f.bounded);
	near(f.value, 1.5e6, 0.001);
	assert_true(f.low < f.value && f.value < f.high);
	near(f.low, 1.5e6, 0.02);
	near(f.high, 1.5e6, 0.02);
	curve_quantile(&curve, 0.95, 0.1, 0.05, &f);
	near(f.value, 1.95e6, 0.001);
	curve_quantile(&curve, 0.99, 0.1, 0.05, &f);
	near(f.value, 1.99e6, 0.001);
	assert_true(f.bounded && f.low < f.value && f.value < f.high);
}

static void
test_too_few(void **arg)
{
	struct figure f;
	unsigned g;

	(void)arg;
	memset(&view, 0, sizeof(view));
	curve_make(&curve, &view);
	curve_quantile(&curve, 0.5, 0.1, 0.05, &f);
	assert_false(f.known || f.bounded);
	/* Enough for the median, not for more. */
	even(&view, 1280, 1e6, 2e6);
	curve_make(&curve, &view);
	curve_quantile(&curve, 0.5, 0.1, 0.05, &f);
	assert_true(f.known && f.bounded);
	curve_quantile(&curve, 0.99, 0.1, 0.05, &f);
	assert_true(f.known);
	assert_false(f.bounded);
	/* Many values of few groups. */
	for (g = GROUPS_LEAST - 1; g < GROUPS; g++) {
		view.n[g] = 0;
		memset(view.bucket[g], 0, sizeof(view.bucket[g]));
	}
	curve_make(&curve, &view);
	curve_quantile(&curve, 0.5, 0.1, 0.05, &f);
	assert_true(f.known);
	assert_false(f.bounded);
}

/* Values that all are in one bucket, the first and the last. */
static void
test_ends(void **arg)
{
	struct figure f;

	(void)arg;
	even(&view, 64000, 10, 900);
	curve_make(&curve, &view);
	curve_quantile(&curve, 0.5, 0.1, 0.05, &f);
	assert_true(f.bounded && f.low > 0 && f.high < 1024);
	near(f.value, 512, 0.01);
	even(&view, 64000, 2e10, 4e10);
	curve_make(&curve, &view);
	curve_quantile(&curve, 0.5, 0.1, 0.05, &f);
	/* What is beyond its lower end is not known. */
	assert_true(f.known && !f.bounded);
}

/* Narrower with more, and wider for a smaller alpha. */
static void
test_widths(void **arg)
{
	double last = 1e9, q[] = { 0.5, 0.95, 0.99 };
	struct figure f, strict;
	unsigned n, i;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(q); i++, last = 1e9)
		for (n = 6400; n < 200000; n *= 2) {
			even(&view, n, 1e6, 3e6);
			curve_make(&curve, &view);
			curve_quantile(&curve, q[i], 0.1, 0.05, &f);
			curve_quantile(&curve, q[i], 0.1, 0.01, &strict);
			assert_true(f.bounded && strict.bounded);
			assert_true(strict.low < f.low);
			assert_true(strict.high > f.high);
			assert_true(f.high - f.low < last);
			last = f.high - f.low;
		}
}

static void
test_ratio(void **arg)
{
	struct figure f;

	(void)arg;
	even(&view, 64000, 1e6, 2e6);
	even(&other, 64000, 3e6, 6e6);
	curve_make(&curve, &view);
	curve_make(&more, &other);
	curve_ratio(&more, &curve, 0.95, 0.1, 0.05, &f);
	assert_true(f.known && f.bounded);
	near(f.value, 3, 0.001);
	assert_true(f.low > 2.9 && f.low < 3 && f.high > 3 && f.high < 3.1);
	memset(&view, 0, sizeof(view));
	curve_make(&curve, &view);
	curve_ratio(&more, &curve, 0.95, 0.1, 0.05, &f);
	assert_false(f.known || f.bounded);
}

/* A group with a hundred times the statements counts as any other. */
static void
test_a_busy_group(void **arg)
{
	struct figure before, after;
	unsigned b;

	(void)arg;
	even(&view, 64000, 1e6, 2e6);
	curve_make(&curve, &view);
	curve_quantile(&curve, 0.5, 0.1, 0.05, &before);
	view.n[5] *= 100;
	for (b = 0; b < TALLY_BUCKETS; b++)
		view.bucket[5][b] *= 100;
	curve_make(&curve, &view);
	curve_quantile(&curve, 0.5, 0.1, 0.05, &after);
	near(after.value, before.value, 1e-9);
	near(after.high, before.high, 1e-3);
}

/* ---- failures ---- */

static void
failing(struct tally_view *v, uint64_t n, uint64_t failed)
{
	unsigned g;

	memset(v, 0, sizeof(*v));
	for (g = 0; g < GROUPS; g++) {
		v->n[g] = n;
		v->failed[g] = failed;
	}
}

static void
test_failures(void **arg)
{
	struct figure f;
	unsigned g;

	(void)arg;
	failing(&view, 0, 0);
	failures_share(&view, 0.05, &f);
	assert_false(f.known || f.bounded);
	/* None of many is not certainty that there is none. */
	failing(&view, 100, 0);
	failures_share(&view, 0.05, &f);
	assert_true(f.bounded && f.value == 0 && f.low == 0);
	assert_true(f.high > 3.0 / 6400 && f.high < 0.01);
	failing(&other, 95, 5);
	failures_share(&other, 0.05, &f);
	assert_true(f.bounded && f.low > 0.035 && f.high < 0.065);
	near(f.value, 0.05, 1e-9);
	failures_over(&other, &view, 1.5, 0.01, &f);
	assert_true(f.bounded && f.low > 0);
	failures_over(&view, &other, 1.5, 0.01, &f);
	assert_false(f.bounded);
	failures_over(&other, &other, 1.5, 0.01, &f);
	assert_true(f.bounded && f.high < 0);
	/* All of one unit's fail, and they are most of all. */
	failing(&other, 100, 0);
	other.n[7] = 0;
	other.failed[7] = 100000;
	failures_over(&other, &view, 1.5, 0.01, &f);
	assert_true(f.bounded && f.low < 0);
	/* Everything fails, at once. */
	failing(&other, 0, 1);
	failing(&view, 1, 0);
	failures_over(&other, &view, 1.5, 0.01, &f);
	assert_true(f.bounded && f.low > 0);
	/* Of few units nothing is said. */
	for (g = GROUPS_LEAST - 1; g < GROUPS; g++)
		other.failed[g] = 0;
	failures_over(&other, &view, 1.5, 0.01, &f);
	assert_false(f.bounded);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_too_few),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_ratio),
		cmocka_unit_test(test_a_busy_group),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
