/* SPDX-License-Identifier: PostgreSQL
 * Verdicts: of many experiments whose truth is known, measured on boards and
 * looked at while they run, as in the daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "experiment/board.h"
#include "experiment/verdict.h"
#include "experiment_util.h"

#define WORKERS 2
#define ALPHA 0.05
#define EFFECT 0.1
#define MS 1e6

/* One thread: where threads are looked at, fewer will do. */
#ifdef __SANITIZE_THREAD__
#define RUNS(n) ((n) / 10)
#else
#define RUNS(n) (n)
#endif

/* What is true of the arm, and of all. */
struct truth {
	double factor;       /* of all times of the arm */
	double failing[2];   /* share of statements, by arm */
	double cached;       /* share of statements: answered in a tenth */
	double share_biased; /* of units of the arm, this is lost */
	unsigned busy;       /* percent of statements that are one tenant's */
};
static const struct truth nothing = { 1, { 0.01, 0.01 }, 0.2, 0, 0 };

struct trial {
	const struct truth *truth;
	struct board *board;
	struct tally_view served[2], cached[2];
	struct verdict verdict;
	double error_ratio, p95_ratio;
	bool count_units;
	uint64_t n;
	uint8_t arm_of[UNITS], group_of[UNITS];
	uint64_t unit_of[UNITS];
};
static struct trial trial;

static void
trial_begin(unsigned number, const struct truth *truth)
{
	const struct arms a = { 2, { 1, 1 } };
	struct trial *t = &trial;
	char name[32];
	uint64_t salt = assign_salt(unit_name(name, number));
	unsigned i;

	board_free(&t->board);
	memset(t, 0, sizeof(*t));
	t->board = board_new(WORKERS, 2);
	t->truth = truth;
	seed = number;
	for (i = 0; i < UNITS; i++) {
		struct slice u = unit_name(name, i);

		t->arm_of[i] = (uint8_t)assign_arm(&a, salt, u);
		t->group_of[i] = (uint8_t)assign_group(salt, u, GROUPS);
		t->unit_of[i] = assign_unit(salt, u);
	}
}

static void
trial_statement(struct trial *t, unsigned worker)
{
	const struct truth *is = t->truth;
	struct board_measure m = { .shape = BOARD_ALL };
	unsigned u = uniform() * 100 < is->busy ? 77 : tenant_next();
	double took;

	m.arm = t->arm_of[u];
	m.group = t->group_of[u];
	took = 0.5 * MS * exp(tenant_time(u)) * (u == 77 && is->busy ? 5 : 1);
	if (m.arm == 1)
		took *= is->factor;
	m.cached = uniform() < is->cached;
	m.failed = uniform() < is->failing[m.arm];
	if (m.cached)
		took /= 10;
	/* Lost units are the same ones all the time. */
	if (m.arm == 1 && (double)(t->unit_of[u] >> 32) / 4294967296.0 <
	    is->share_biased)
		return;
	board_add(t->board, worker, &m, (nsec_t)took);
	if (t->count_units)
		board_unit(t->board, worker, t->unit_of[u], m.arm);
}

static const struct verdict_arm *
trial_look(struct trial *t)
{
	struct verdict_in in = { .arms = { 2, { 1, 1 } },
		.alpha = ALPHA, .effect = EFFECT,
		.error_ratio = t->error_ratio, .p95_ratio = t->p95_ratio };
	uint64_t units[2], moved;
	unsigned i;
	bool full;

	for (i = 0; i < 2; i++) {
		board_view(t->board, i, BOARD_ALL, false, &t->served[i]);
		board_view(t->board, i, BOARD_ALL, true, &t->cached[i]);
		in.served[i] = &t->served[i];
		in.cached[i] = &t->cached[i];
	}
	if (t->count_units) {
		board_units(t->board, units, &moved, &full);
		assert_true(moved == 0 && !full);
		in.units = units;
	}
	verdict_make(&in, &t->verdict);
	return &t->verdict.arms[1];
}

/* n statements more, then a look. */
static const struct verdict_arm *
trial_go_on(struct trial *t, unsigned n)
{
	t->n += n;
	for (; n > 0; n--)
		trial_statement(t, n % WORKERS);
	return trial_look(t);
}

/* ---- what is true ---- */

static double true_q[VERDICT_QUANTILES];

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of the times of all tenants, as often as they come. */
static void
find_truth(void)
{
	static const double q[] = { 0.5, 0.95, 0.99 };
	size_t n = 1000000, i;
	double *v = malloc(n * sizeof(*v));

	assert_non_null(v);
	seed = 4711;
	for (i = 0; i < n; i++)
		v[i] = 0.5 * MS * exp(tenant_time(tenant_next())) /
		    (uniform() < nothing.cached ? 10 : 1);
	qsort(v, n, sizeof(*v), by_size);
	for (i = 0; i < VERDICT_QUANTILES; i++)
		true_q[i] = v[(size_t)(q[i] * (double)n)];
	free(v);
}

/* ---- many runs ---- */

/* Intervals that have ever left the truth out, over runs. */
struct left {
	unsigned mean, served, failures, q[VERDICT_QUANTILES],
	    ratio[VERDICT_QUANTILES];
	unsigned bounded[VERDICT_QUANTILES]; /* runs with ratios at all */
};

static bool
leaves(const struct figure *f, double value)
{
	return f->bounded && (value < f->low || value > f->high);
}

/* now: of this run, at this look or one before it. */
static void
left_look(struct left *now, const struct verdict *v, double factor)
{
	const struct verdict_arm *a = &v->arms[1], *c = &v->arms[0];
	unsigned i;

	now->mean |= leaves(&a->all.mean_ratio, factor);
	now->served |= leaves(&a->served.mean_ratio, factor);
	now->failures |= leaves(&a->failures, 0.01);
	for (i = 0; i < VERDICT_QUANTILES; i++) {
		now->q[i] |= leaves(&c->all.q[i], true_q[i]);
		now->ratio[i] |= leaves(&a->all.q_ratio[i], factor);
		now->bounded[i] |= a->all.q_ratio[i].bounded;
	}
}

static void
left_add(struct left *all, const struct left *run)
{
	unsigned i;

	all->mean += run->mean;
	all->served += run->served;
	all->failures += run->failures;
	for (i = 0; i < VERDICT_QUANTILES; i++) {
		all->q[i] += run->q[i];
		all->ratio[i] += run->ratio[i];
		all->bounded[i] += run->bounded[i];
	}
}

static void
left_judge(const struct left *l, unsigned runs)
{
	unsigned bound = binomial_bound(runs, ALPHA), i;

	print_message("  intervals that ever left the truth, of %u (bound %u): "
	    "mean ratio %u, without cache %u, failures %u, p50 p95 p99 "
	    "%u %u %u, their ratios %u %u %u\n", runs, bound, l->mean,
	    l->served, l->failures, l->q[0], l->q[1], l->q[2], l->ratio[0],
	    l->ratio[1], l->ratio[2]);
	assert_true(l->mean <= bound && l->served <= bound &&
	    l->failures <= bound);
	for (i = 0; i < VERDICT_QUANTILES; i++) {
		assert_true(l->q[i] <= bound && l->ratio[i] <= bound);
		assert_true(l->bounded[i] >= runs * 9 / 10);
	}
}

static void
test_nothing_is_found_where_nothing_is(void **arg)
{
	unsigned i, k, runs = RUNS(1000), found = 0, stopped = 0, same = 0;
	struct left all = { 0 }, run;
	const struct verdict_arm *a;
	bool finds, stops;

	(void)arg;
	for (i = 0; i < runs; i++) {
		trial_begin(i, &nothing);
		trial.error_ratio = 1.5;
		trial.p95_ratio = 1.5;
		memset(&run, 0, sizeof(run));
		finds = stops = false;
		for (k = 0; k < 6; k++) {
			a = trial_go_on(&trial, 1000);
			finds |= a->ruling == RULING_FASTER ||
			    a->ruling == RULING_SLOWER;
			stops |= a->guard != GUARD_NONE;
			left_look(&run, &trial.verdict, 1);
		}
		found += finds;
		stopped += stops;
		same += a->ruling == RULING_SAME;
		left_add(&all, &run);
	}
	print_message("%u of %u runs without an effect found one (bound %u), "
	    "%u were stopped by a guard, %u say so after %llu statements\n",
	    found, runs, binomial_bound(runs, ALPHA), stopped, same,
	    (unsigned long long)trial.n);
	assert_true(found <= binomial_bound(runs, ALPHA));
	assert_true(stopped <= binomial_bound(runs, 2 * VERDICT_GUARD_ALPHA));
	left_judge(&all, runs);
}

static void
test_an_effect_is_found_when_foretold(void **arg)
{
	const struct truth slower = { 1.1, { 0.01, 0.01 }, 0.2, 0, 0 };
	unsigned i, runs = RUNS(200), found = 0, wrong = 0;
	struct left all = { 0 }, run;
	uint64_t until, foretold = 0;
	const struct verdict_arm *a;

	(void)arg;
	for (i = 0; i < runs; i++) {
		trial_begin(100000 + i, &slower);
		memset(&run, 0, sizeof(run));
		a = trial_go_on(&trial, 2000);
		assert_true(a->missing_known || a->ruling != RULING_UNDECIDED);
		/* Failures are not in the number. */
		until = trial.n + a->missing * 100 / 99;
		foretold += until;
		while (trial.n < until && a->ruling == RULING_UNDECIDED) {
			a = trial_go_on(&trial, until - trial.n < 1000 ?
			    (unsigned)(until - trial.n) : 1000);
			left_look(&run, &trial.verdict, slower.factor);
		}
		found += a->ruling == RULING_SLOWER;
		wrong += a->ruling == RULING_FASTER;
		all.mean += run.mean;
	}
	print_message("%u of %u effects of 10 %% found within the size foretold "
	    "after 2,000, %llu on average; %u intervals left the truth\n",
	    found, runs, (unsigned long long)(foretold / runs), all.mean);
	assert_true(found >= runs * 8 / 10);
	assert_true(wrong <= 1);
	assert_true(all.mean <= binomial_bound(runs, ALPHA));
}

/* ---- guards ---- */

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Statements until the guard fires; the median of 40 runs. */
static uint64_t
until_guard(const struct truth *truth, enum guard expected, uint64_t most)
{
	const struct verdict_arm *a;
	uint64_t after[RUNS(40)];
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(after); i++) {
		trial_begin(200000 + i, truth);
		trial.error_ratio = 1.5;
		trial.p95_ratio = 1.5;
		do
			a = trial_go_on(&trial, 500);
		while (a->guard == GUARD_NONE && trial.n < most);
		assert_int_equal(a->guard, expected);
		after[i] = trial.n;
	}
	qsort(after, ARRAY_SIZE(after), sizeof(after[0]), by_number);
	return after[ARRAY_SIZE(after) / 2];
}

static void
test_guards(void **arg)
{
	const struct truth slow = { 2, { 0.01, 0.01 }, 0.2, 0, 0 };
	const struct truth failing = { 1, { 0.01, 0.03 }, 0.2, 0, 0 };
	const struct truth broken = { 1, { 0, 1 }, 0.2, 0, 0 };
	uint64_t p95 = until_guard(&slow, GUARD_P95, 40000);
	uint64_t errors = until_guard(&failing, GUARD_ERRORS, 40000);
	uint64_t all = until_guard(&broken, GUARD_ERRORS, 1000);

	(void)arg;
	print_message("guards at a ratio of 1.5 fire after (median): twice "
	    "the p95 %llu statements, three times 1 %% of failures %llu, "
	    "nothing but failures %llu\n", (unsigned long long)p95,
	    (unsigned long long)errors, (unsigned long long)all);
}

/* ---- shares of units ---- */

static void
test_shares(void **arg)
{
	const struct truth biased = { 1, { 0, 0 }, 0, 0.2, 0 };
	uint64_t units[2], needed[RUNS(40)];
	struct verdict_in in = { .arms = { 2, { 1, 1 } }, .alpha = ALPHA, .effect = EFFECT };
	struct verdict v;
	unsigned i, k, alarms = 0, false_alarms = 0;
	bool alarm;

	(void)arg;
	for (i = 0; i < 2; i++)
		in.served[i] = in.cached[i] = &trial.served[0];
	memset(&trial.served[0], 0, sizeof(trial.served[0]));
	in.units = units;
	/* 51 : 49 where it should be even: looks after every 2,000 units. */
	for (i = 0; i < ARRAY_SIZE(needed); i++) {
		seed = 300000 + i;
		alarm = false;
		units[0] = units[1] = needed[i] = 0;
		while (!alarm && needed[i] < 200000) {
			for (k = 0; k < 2000; k++)
				units[uniform() < 0.51]++;
			needed[i] += 2000;
			verdict_make(&in, &v);
			alarm = v.share_alarm;
		}
		alarms += alarm;
		units[0] = units[1] = 0;
		alarm = false;
		for (k = 0; k < 100000; k++) {
			units[uniform() < 0.5]++;
			if (k % 10000 == 9999) {
				verdict_make(&in, &v);
				alarm |= v.share_alarm;
			}
		}
		false_alarms += alarm;
	}
	qsort(needed, ARRAY_SIZE(needed), sizeof(needed[0]), by_number);
	print_message("shares of 51:49 are noticed in %u of %zu runs, after %llu "
	    "units (median); even ones in %u\n", alarms, ARRAY_SIZE(needed),
	    (unsigned long long)needed[ARRAY_SIZE(needed) / 2], false_alarms);
	assert_int_equal(alarms, ARRAY_SIZE(needed));
	assert_true(false_alarms <= 1);
	/* On a board, and it is what is said. */
	trial_begin(1, &biased);
	trial.count_units = true;
	trial_go_on(&trial, 40000);
	assert_true(trial.verdict.share_alarm);
	trial_begin(1, &nothing);
	trial.count_units = true;
	trial_go_on(&trial, 40000);
	assert_false(trial.verdict.share_alarm);
	assert_true(trial.verdict.arms[1].units > 5000);
}

/* ---- a busy tenant ---- */

static void
test_a_busy_tenant(void **arg)
{
	const struct truth busy = { 1, { 0.01, 0.01 }, 0.2, 0, 50 };
	const struct truth both = { 1.25, { 0.01, 0.01 }, 0.2, 0, 50 };
	unsigned i, k, runs = RUNS(60), decides = 0, hides = 0;
	const struct verdict_arm *a;
	bool finds;

	(void)arg;
	for (i = 0; i < runs; i++) {
		trial_begin(400000 + i, &busy);
		finds = false;
		for (k = 0; k < 8; k++) {
			a = trial_go_on(&trial, 2000);
			finds |= a->ruling == RULING_FASTER ||
			    a->ruling == RULING_SLOWER;
		}
		decides += finds;
		trial_begin(400000 + i, &both);
		a = trial_go_on(&trial, 12000);
		hides += a->ruling != RULING_SLOWER;
	}
	print_message("a tenant with half of all statements, five times as slow, "
	    "decides in %u of %u runs, and hides an effect of 25 %% in %u\n",
	    decides, runs, hides);
	assert_true(decides <= binomial_bound(runs, ALPHA));
	assert_true(hides <= runs / 10);
}

/* ---- known values ---- */

static void
test_shadow_pairs(void **arg)
{
	struct verdict_in in = { .arms = { 2, { 1, 1 } }, .alpha = ALPHA,
		.effect = EFFECT };
	struct verdict alone, paired;
	unsigned i, u;

	(void)arg;
	memset(trial.served, 0, sizeof(trial.served));
	memset(trial.cached, 0, sizeof(trial.cached));
	seed = 9;
	/* Groups differ by far more than arms do. */
	for (i = 0; i < 6400; i++) {
		for (u = 0; u < 2; u++) {
			double t = MS * exp(i % GROUPS / 20.0 +
			    0.3 * normal()) * (u ? 1.1 : 1);
			struct tally_view *v = &trial.served[u];

			v->n[i % GROUPS]++;
			v->log_sum[i % GROUPS] += log(t);
			v->bucket[i % GROUPS][tally_bucket_of((nsec_t)t)]++;
		}
	}
	for (i = 0; i < 2; i++) {
		in.served[i] = &trial.served[i];
		in.cached[i] = &trial.cached[i];
	}
	verdict_make(&in, &alone);
	in.paired = true;
	verdict_make(&in, &paired);
	assert_int_equal(alone.arms[1].ruling, RULING_UNDECIDED);
	assert_int_equal(paired.arms[1].ruling, RULING_SLOWER);
	assert_true(fabs(paired.arms[1].all.mean_ratio.value - 1.1) < 0.02);
}

/* Each has its own part of alpha. */
static void
test_several_arms(void **arg)
{
	static const double factor[] = { 1, 0.7, 1.4, 1, 1.05 };
	static struct tally_view views[ARRAY_SIZE(factor)], none;
	static const enum ruling expected[] = { RULING_CONTROL, RULING_FASTER,
		RULING_SLOWER, RULING_SAME, RULING_SLOWER };
	struct verdict_in in = { .arms = { ARRAY_SIZE(factor),
		{ 1, 1, 1, 1, 1 } }, .alpha = ALPHA, .effect = EFFECT,
		.p95_ratio = 1.2 };
	struct verdict v;
	unsigned i, k, g;

	(void)arg;
	seed = 11;
	memset(views, 0, sizeof(views));
	for (i = 0; i < ARRAY_SIZE(factor); i++) {
		for (k = 0; k < 64000; k++) {
			double t = MS * exp(0.5 * normal()) * factor[i];

			g = k % GROUPS;
			views[i].n[g]++;
			views[i].log_sum[g] += log(t);
			views[i].bucket[g][tally_bucket_of((nsec_t)t)]++;
		}
		in.served[i] = &views[i];
		in.cached[i] = &none;
	}
	verdict_make(&in, &v);
	assert_true(fabs(v.alpha - ALPHA / 4) < 1e-12);
	for (i = 0; i < ARRAY_SIZE(factor); i++) {
		assert_int_equal(v.arms[i].ruling, expected[i]);
		assert_int_equal(v.arms[i].guard, factor[i] > 1.3 ?
		    GUARD_P95 : GUARD_NONE);
		assert_true(i == 0 || interval_holds((struct interval){
		    v.arms[i].all.mean_ratio.low,
		    v.arms[i].all.mean_ratio.high }, factor[i]));
	}
	assert_true(v.arms[4].small && !v.arms[1].small);
}

static void
test_words(void **arg)
{
	struct verdict v;
	char s[200];

	(void)arg;
	trial_begin(5, &nothing);
	trial_look(&trial);
	v = trial.verdict;
	assert_int_equal(v.arms[0].ruling, RULING_CONTROL);
	assert_int_equal(v.arms[1].ruling, RULING_UNDECIDED);
	assert_false(v.arms[1].missing_known);
	verdict_say(&v, 0, s, sizeof(s));
	assert_string_equal(s, "the control");
	verdict_say(&v, 1, s, sizeof(s));
	assert_string_equal(s, "not decided: too few units yet");
	trial_go_on(&trial, 3000);
	v = trial.verdict;
	verdict_say(&v, 1, s, sizeof(s));
	assert_memory_equal(s, "not decided: about ", 19);
	assert_true(fabs(v.arms[1].cached_share - 0.2) < 0.05);
	assert_true(v.arms[1].cached_time < 0.1);
	assert_true(v.arms[1].served.mean.value > v.arms[1].all.mean.value);
	v.arms[1].ruling = RULING_FASTER;
	v.arms[1].all.mean_ratio = (struct figure){ 0.8, 0.75, 0.85, true,
		true };
	verdict_say(&v, 1, s, sizeof(s));
	assert_string_equal(s, "faster: 0.800 (0.750 to 0.850) of the control's "
	    "time");
	v.arms[1].ruling = RULING_SAME;
	verdict_say(&v, 1, s, sizeof(s));
	assert_string_equal(s, "no difference larger than 10 %: 0.800 (0.750 to "
	    "0.850) of the control's time");
	v.share_alarm = true;
	verdict_say(&v, 1, s, sizeof(s));
	assert_memory_equal(s, "nothing can be said", 19);
	assert_string_equal(ruling_name(RULING_SAME), "same");
	assert_string_equal(guard_name(GUARD_P95), "p95");
}

static int
setup(void **arg)
{
	(void)arg;
	tenants_make();
	find_truth();
	return 0;
}

static int
teardown(void **arg)
{
	(void)arg;
	board_free(&trial.board);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_shadow_pairs),
		cmocka_unit_test(test_several_arms),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_a_busy_tenant),
		cmocka_unit_test(test_an_effect_is_found_when_foretold),
		cmocka_unit_test(test_nothing_is_found_where_nothing_is),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
