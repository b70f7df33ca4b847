/* SPDX-License-Identifier: PostgreSQL
 * Units to arms, and what is concluded from them: known values, and many
 * experiments whose truth is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "experiment/groups.h"
#include "experiment/ratio.h"
#include "experiment_util.h"


/* ---- assignment ------------------------------------------------------------------ */

static void
shares(const struct arms *a, uint64_t n[ARMS_MAX])
{
	uint64_t salt = assign_salt(SLICE_LIT("an experiment"));
	char name[32];
	unsigned i;

	memset(n, 0, ARMS_MAX * sizeof(*n));
	for (i = 0; i < UNITS; i++)
		n[assign_arm(a, salt, unit_name(name, i))]++;
}

static void
test_shares_are_the_weights(void **arg)
{
	const struct arms a = { 4, { 50, 25, 0, 25 } };
	uint64_t n[ARMS_MAX];

	(void)arg;
	shares(&a, n);
	assert_int_equal(n[2], 0);
	/* Within four standard deviations. */
	assert_in_range(n[0], UNITS / 2 - 283, UNITS / 2 + 283);
	assert_in_range(n[1], UNITS / 4 - 245, UNITS / 4 + 245);
	assert_true(ratio_evidence(&a, n) < log(20));
}

/* Of other processes and versions, too. */
static void
test_assignments_are_for_ever(void **arg)
{
	static const unsigned expected[] = { 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1,
	    1, 1, 0, 0, 1 };
	const struct arms a = { 2, { 1, 1 } };
	uint64_t salt = assign_salt(SLICE_LIT("events layout"));
	char name[32];
	unsigned i;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(assign_arm(&a, salt, unit_name(name, i)),
		    expected[i]);
}

/* From 50:50 to 75:25 only units of the second move, and half of them. */
static void
test_few_units_move(void **arg)
{
	const struct arms before = { 2, { 50, 50 } }, after = { 2, { 75, 25 } };
	uint64_t salt = assign_salt(SLICE_LIT("x"));
	unsigned i, was, is, moved = 0;
	char name[32];

	(void)arg;
	for (i = 0; i < UNITS; i++) {
		was = assign_arm(&before, salt, unit_name(name, i));
		is = assign_arm(&after, salt, unit_name(name, i));
		assert_false(was == 0 && is == 1);
		moved += was != is;
	}
	assert_in_range(moved, UNITS / 4 - 245, UNITS / 4 + 245);
}

/* Arms of one experiment, and groups, are alike in the arms of another. */
static void
test_experiments_are_independent(void **arg)
{
	const struct arms a = { 2, { 1, 1 } };
	uint64_t one = assign_salt(SLICE_LIT("one"));
	uint64_t two = assign_salt(SLICE_LIT("two"));
	unsigned i, same = 0, low = 0;
	char name[32];

	(void)arg;
	for (i = 0; i < UNITS; i++) {
		struct slice u = unit_name(name, i);

		same += assign_arm(&a, one, u) == assign_arm(&a, two, u);
		low += (assign_group(one, u, GROUPS) < GROUPS / 2) ==
		    (assign_arm(&a, one, u) == 0);
	}
	assert_in_range(same, UNITS / 2 - 283, UNITS / 2 + 283);
	assert_in_range(low, UNITS / 2 - 283, UNITS / 2 + 283);
}

/* ---- known values ------------------------------------------------------------------ */

static void
test_means(void **arg)
{
	struct groups g = { .n = { 0 } }, other = g;
	struct estimate e;
	unsigned i;

	(void)arg;
	for (i = 0; i < GROUPS_LEAST; i++) {
		assert_false(groups_mean(&g, &e));
		/* Group i has mean i, and i + 1 values. */
		g.n[i * 2] = i + 1;
		g.sum[i * 2] = (double)i * (i + 1);
	}
	assert_true(groups_mean(&g, &e));
	assert_true(fabs(e.value - 7.5) < 1e-12);
	/* Of 0 to 15: 68 / 3, of which a sixteenth. */
	assert_true(fabs(e.variance - 68.0 / 3 / 16) < 1e-12);
	assert_true(e.freedom == 15);
	assert_false(groups_difference(&g, &other, &e));
	groups_merge(&other, &g);
	assert_int_equal(groups_count(&other), groups_count(&g));
	for (i = 0; i < GROUPS; i++)
		other.sum[i] += (double)other.n[i] * 2;
	assert_true(groups_difference(&other, &g, &e));
	assert_true(fabs(e.value - 2) < 1e-12);
	assert_true(fabs(e.variance - 2 * 68.0 / 3 / 16) < 1e-12);
	assert_true(fabs(e.freedom - 30) < 1e-9);
	/* Of pairs, all of which differ by 2, the spread says nothing; by more
	 * in some groups, it is of these differences alone. */
	assert_false(groups_paired(&other, &g, &e));
	other.sum[0] += 16;
	assert_true(groups_paired(&other, &g, &e));
	assert_true(fabs(e.value - 3) < 1e-12);
	assert_true(fabs(e.variance - 1) < 1e-12);
	/* Sixteen groups of 1, 2, ... 16 values. */
	assert_true(fabs(groups_thinness(&g) - 3.380728993228993 / 256) <
	    1e-12);
	assert_int_equal(groups_more(1000, 3, 2), 500);
	assert_int_equal(groups_more(1000, 2, 3), 0);
}

/* One value in each group: no spread is not certainty. */
static void
test_no_spread(void **arg)
{
	struct groups g = { .n = { 0 } };
	struct estimate e;
	unsigned i;

	(void)arg;
	for (i = 0; i < GROUPS; i++)
		groups_add(&g, i, 1);
	assert_false(groups_mean(&g, &e));
}

/* Wider than an interval for one look, and never narrower with less known. */
static void
test_widths(void **arg)
{
	double v, z, last = 0;

	(void)arg;
	for (v = 1e-6; v < 1; v *= 2) {
		const struct estimate e = { 0, v, INFINITY }, t = { 0, v, 20 };

		z = sequence_interval(&e, 0.1, 0.05).high;
		assert_true(z > 1.96 * sqrt(v));
		assert_true(z > last);
		assert_true(sequence_interval(&t, 0.1, 0.05).high > z);
		assert_true(sequence_interval(&e, 0.1, 0.01).high > z);
		last = z;
	}
}

static void
test_variance_needed(void **arg)
{
	double v = sequence_variance_needed(0.1, 0.05, 0.5);
	const struct estimate e = { 0.1, v, INFINITY };

	(void)arg;
	assert_true(fabs(sequence_interval(&e, 0.1, 0.05).low) < 1e-6);
	assert_true(sequence_variance_needed(0.1, 0.05, 0.8) < v);
	v = sequence_variance_at(0.03, 0.1, 0.05);
	assert_true(fabs(sequence_interval(&(struct estimate){ 0, v,
	    INFINITY }, 0.1, 0.05).high - 0.03) < 1e-9);
	v = sequence_variance_needed(0.1, 0.05, 0.5);
	/* Four times the effect: a sixteenth of the data. */
	assert_true(fabs(sequence_variance_needed(0.4, 0.05, 0.5) /
	    v - 16) < 1e-6);
}

static void
test_share_that_is_not_kept(void **arg)
{
	const struct arms a = { 2, { 50, 50 } }, none = { 2, { 1, 0 } };
	const uint64_t good[] = { 10050, 9950 }, bad[] = { 10400, 9600 };
	const uint64_t leak[] = { 100, 1 };

	(void)arg;
	assert_true(ratio_evidence(&a, good) < 0);
	assert_true(ratio_evidence(&a, bad) > log(1000));
	assert_true(isinf(ratio_evidence(&none, leak)));
}

/* ---- experiments whose truth is known -------------------------------------------- */

struct trial {
	struct groups arm[2];
	uint8_t arm_of[UNITS], group_of[UNITS];
	uint64_t n;
};

static void
trial_init(struct trial *t, unsigned number)
{
	const struct arms a = { 2, { 1, 1 } };
	char name[32];
	uint64_t salt = assign_salt(unit_name(name, number));
	unsigned i;

	memset(t, 0, sizeof(*t));
	seed = number;
	for (i = 0; i < UNITS; i++) {
		struct slice u = unit_name(name, i);

		t->arm_of[i] = (uint8_t)assign_arm(&a, salt, u);
		t->group_of[i] = (uint8_t)assign_group(salt, u, GROUPS);
	}
}

/* Logarithms of times. */
static void
trial_go_on(struct trial *t, unsigned n, double effect)
{
	unsigned u;

	for (t->n += n; n > 0; n--) {
		u = tenant_next();
		groups_add(&t->arm[t->arm_of[u]], t->group_of[u],
		    tenant_time(u) + (t->arm_of[u] ? effect : 0));
	}
}

#define PEEK 250
#define ALPHA 0.05

/* Does an interval leave the truth out, ever? Looks after every 250. */
static bool
trial_leaves(struct trial *t, uint64_t until, double effect, double value)
{
	struct estimate e;

	while (t->n < until) {
		trial_go_on(t, PEEK, effect);
		if (groups_difference(&t->arm[1], &t->arm[0], &e) &&
		    !interval_holds(sequence_interval(&e, 0.1, ALPHA), value))
			return true;
	}
	return false;
}

static void
test_nothing_is_found_where_nothing_is(void **arg)
{
	static struct trial t;
	unsigned i, found = 0, runs = 1000;

	(void)arg;
	for (i = 0; i < runs; i++) {
		trial_init(&t, i);
		found += trial_leaves(&t, 15000, 0, 0);
	}
	print_message("%u of %u found what is not there, bound %u\n", found,
	    runs, binomial_bound(runs, ALPHA));
	assert_true(found <= binomial_bound(runs, ALPHA));
	/* And it can be wrong: intervals are not wider than they must be. */
	assert_true(found > 0);
}

static void
test_an_effect_is_found_when_foretold(void **arg)
{
	static struct trial t, u;
	double effect = log(1.1);
	unsigned i, found = 0, left = 0, runs = 200;
	uint64_t more, foretold = 0;
	struct estimate e;

	(void)arg;
	for (i = 0; i < runs; i++) {
		trial_init(&t, 100000 + i);
		trial_go_on(&t, 2000, effect);
		assert_true(groups_difference(&t.arm[1], &t.arm[0], &e));
		more = groups_missing(&e, t.n, effect, ALPHA);
		assert_in_range(more, 1000, 100000);
		u = t;
		foretold += t.n + more;
		found += trial_leaves(&t, t.n + more, effect, 0);
		left += trial_leaves(&u, 10000, effect, effect);
	}
	print_message("%u of %u effects of 10 %% found within the size foretold, "
	    "%llu on average; %u intervals left the truth, bound %u\n", found,
	    runs, (unsigned long long)(foretold / runs), left,
	    binomial_bound(runs, ALPHA));
	assert_true(found >= runs * 8 / 10);
	assert_true(left <= binomial_bound(runs, ALPHA));
}

static int
setup(void **arg)
{
	(void)arg;
	tenants_make();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_are_the_weights),
		cmocka_unit_test(test_assignments_are_for_ever),
		cmocka_unit_test(test_few_units_move),
		cmocka_unit_test(test_experiments_are_independent),
		cmocka_unit_test(test_means),
		cmocka_unit_test(test_no_spread),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_variance_needed),
		cmocka_unit_test(test_share_that_is_not_kept),
		cmocka_unit_test(test_nothing_is_found_where_nothing_is),
		cmocka_unit_test(test_an_effect_is_found_when_foretold),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
