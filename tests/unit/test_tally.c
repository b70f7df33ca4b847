/* SPDX-License-Identifier: PostgreSQL
 * Tallies, sets of units, and boards of them. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "experiment/board.h"

static void
test_buckets(void **arg)
{
	unsigned b, last = 0;
	nsec_t v;

	(void)arg;
	assert_int_equal(tally_bucket_of(0), 0);
	assert_int_equal(tally_bucket_of(1023), 0);
	assert_int_equal(tally_bucket_of(1024), 1);
	assert_int_equal(tally_bucket_of(UINT64_MAX), TALLY_BUCKETS - 1);
	for (v = 1024; v < UINT64_C(40000000000); v += v / 100) {
		b = tally_bucket_of(v);
		assert_in_range(b, last, last + 1);
		last = b;
		if (b == TALLY_BUCKETS - 1)
			continue;
		assert_true(v <= tally_bucket_upper(b));
		assert_true(v > tally_bucket_upper(b - 1));
		assert_true((double)(tally_bucket_upper(b) -
		    tally_bucket_upper(b - 1)) <= (double)v / 31);
	}
}

static void
test_tally(void **arg)
{
	struct tally_view *v = calloc(1, sizeof(*v));
	struct tally *t = tally_new();

	(void)arg;
	assert_non_null(v);
	tally_add(t, 3, 1000000, false);
	tally_add(t, 3, 4000000, false);
	tally_add(t, 3, 5, true);
	tally_add(t, 63, 2000000, false);
	tally_merge(v, t);
	tally_merge(v, t);
	assert_int_equal(tally_count(v), 6);
	assert_int_equal(tally_failures(v), 2);
	assert_int_equal(v->n[3], 4);
	assert_int_equal(v->failed[3], 2);
	assert_int_equal(v->sum, 14000000);
	assert_true(fabs(v->log_sum[3] - 2 * log(4e12)) < 1e-9);
	assert_int_equal(v->bucket[63][tally_bucket_of(2000000)], 2);
	tally_free(&t);
	free(v);
}

#define ADDED 300000

static void *
adds(void *arg)
{
	unsigned i;

	for (i = 0; i < ADDED; i++)
		tally_add(arg, i % 2, 1000000, false);
	return NULL;
}

/* A group is read as it was at some moment. */
static void
test_readers(void **arg)
{
	struct tally_view *v = calloc(1, sizeof(*v));
	struct tally *t = tally_new();
	unsigned b = tally_bucket_of(1000000);
	double each = log(1000000);
	pthread_t writer;

	(void)arg;
	assert_non_null(v);
	assert_int_equal(pthread_create(&writer, NULL, adds, t), 0);
	do {
		memset(v, 0, sizeof(*v));
		tally_merge(v, t);
		assert_int_equal(v->n[0], v->bucket[0][b]);
		assert_int_equal(v->n[1], v->bucket[1][b]);
		assert_true(fabs(v->log_sum[0] - each * (double)v->n[0]) < 1);
	} while (tally_count(v) < ADDED);
	assert_int_equal(pthread_join(writer, NULL), 0);
	tally_free(&t);
	free(v);
}

static void
test_full_buckets(void **arg)
{
	struct tally_view *v = calloc(1, sizeof(*v));
	struct tally *t = tally_new();

	(void)arg;
	assert_non_null(v);
	v->n[1] = v->bucket[1][5] = UINT32_MAX - 1;
	tally_put(t, v);
	tally_put(t, v);
	memset(v, 0, sizeof(*v));
	tally_merge(v, t);
	tally_merge(v, t);
	assert_int_equal(v->bucket[1][5], UINT32_MAX);
	assert_true(v->n[1] > UINT32_MAX);
	tally_free(&t);
	free(v);
}

/* Every bucket there is comes through, alone and with its neighbours. */
static void
test_every_bucket(void **arg)
{
	struct tally_view *v = calloc(1, sizeof(*v));
	struct tally *all = tally_new(), *one;
	unsigned b, k;

	(void)arg;
	assert_non_null(v);
	for (b = 0; b < TALLY_BUCKETS; b++) {
		one = tally_new();
		tally_add(one, 9, tally_bucket_upper(b), false);
		tally_add(all, 9, tally_bucket_upper(b), false);
		memset(v, 0, sizeof(*v));
		tally_merge(v, one);
		for (k = 0; k < TALLY_BUCKETS; k++)
			assert_int_equal(v->bucket[9][k], k == b);
		tally_free(&one);
	}
	memset(v, 0, sizeof(*v));
	tally_merge(v, all);
	for (k = 0; k < TALLY_BUCKETS; k++)
		assert_int_equal(v->bucket[9][k], 1);
	tally_free(&all);
	free(v);
}

static void
test_units(void **arg)
{
	struct unitset *sets[2] = { unitset_new(), unitset_new() };
	uint64_t n[ARMS_MAX], moved, i;

	(void)arg;
	for (i = 1; i <= 1000; i++) {
		/* Met by both workers, and twice. */
		unitset_add(sets[0], i << 40, i % 2);
		unitset_add(sets[1], i << 40, i % 2);
		unitset_add(sets[1], i << 40, i % 2);
	}
	unitset_add(sets[0], UINT64_C(1001) << 40, 0);
	unitset_add(sets[1], UINT64_C(1001) << 40, 1);
	assert_true(unitset_count(sets, 2, n, &moved));
	assert_int_equal(n[0], 500);
	assert_int_equal(n[1], 500);
	assert_int_equal(moved, 1);
	for (i = 0; i < UNITSET_MAX + 10; i++)
		unitset_add(sets[0], (i + 1) * UINT64_C(0x9e3779b97f4a7c15),
		    2);
	assert_false(unitset_count(sets, 1, n, &moved));
	assert_int_equal(n[2], UNITSET_MAX - 1001);
	unitset_free(&sets[0]);
	unitset_free(&sets[1]);
}

static void
test_board(void **arg)
{
	struct board *b = board_new(2, 2);
	struct tally_view *v = calloc(1, sizeof(*v));
	struct board_measure m = { .arm = 1, .group = 7 };
	uint64_t n[2], moved, hash;
	unsigned i;
	bool full;

	(void)arg;
	assert_non_null(v);
	for (i = 0; i < BOARD_SHAPES; i++)
		assert_int_equal(board_shape(b, i + 1, SLICE_LIT("select")),
		    i);
	assert_int_equal(board_shape(b, 1, SLICE_LIT("select")), 0);
	assert_int_equal(board_shape(b, 99, SLICE_LIT("more")), BOARD_ALL);
	assert_int_equal(board_n_shapes(b), BOARD_SHAPES);
	assert_string_equal(board_shape_text(b, 2, &hash), "select");
	assert_int_equal(hash, 3);
	m.shape = 4;
	board_add(b, 0, &m, 1000);
	board_add(b, 1, &m, 1000);
	m.shape = BOARD_ALL;
	board_add(b, 1, &m, 1000);
	m.cached = true;
	board_add(b, 1, &m, 1000);
	board_view(b, 1, BOARD_ALL, false, v);
	assert_int_equal(tally_count(v), 3);
	board_view(b, 1, BOARD_ALL, true, v);
	assert_int_equal(tally_count(v), 1);
	board_view(b, 1, 4, false, v);
	assert_int_equal(tally_count(v), 2);
	board_view(b, 0, 4, false, v);
	assert_int_equal(tally_count(v), 0);
	board_unit(b, 0, UINT64_C(1) << 50, 0);
	board_unit(b, 1, UINT64_C(1) << 50, 0);
	board_units(b, n, &moved, &full);
	assert_int_equal(n[0], 1);
	assert_int_equal(n[1], 0);
	assert_false(full);
	board_count(b, 0, 1, BOARD_ASTRAY);
	board_count(b, 1, 1, BOARD_ASTRAY);
	assert_int_equal(board_counted(b, 1, BOARD_ASTRAY), 2);
	assert_int_equal(board_counted(b, 0, BOARD_ASTRAY), 0);
	assert_string_equal(board_count_name(BOARD_ASTRAY), "astray");
	board_free(&b);
	free(v);
}

/* All are kept up to a number; one of a shape and arm is told of in a minute. */
static void
test_samples(void **state)
{
	struct board_sample s = { .at = 1000 * NSEC_PER_SEC, .arm = 1,
		.what = "rows" }, out[BOARD_SAMPLES];
	struct board *b = board_new(1, 3);
	unsigned i;

	(void)state;
	assert_int_equal(board_samples(b, out), 0);
	assert_true(board_keep_sample(b, &s));
	for (i = 0; i < 2 * BOARD_SAMPLES; i++) {
		s.digest = i;
		assert_false(board_keep_sample(b, &s));
	}
	s.shape = BOARD_ALL;
	assert_true(board_keep_sample(b, &s));
	s.arm = 2;
	assert_true(board_keep_sample(b, &s));
	s.at += BOARD_QUIET - 1;
	assert_false(board_keep_sample(b, &s));
	s.at += 1;
	assert_true(board_keep_sample(b, &s));
	s.at -= 1; /* set back */
	assert_true(board_keep_sample(b, &s));
	assert_int_equal(board_samples(b, out), BOARD_SAMPLES);
	assert_int_equal(out[0].at, s.at);
	assert_int_equal(out[5].digest, 2 * BOARD_SAMPLES - 1);
	board_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_tally),
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_full_buckets),
		cmocka_unit_test(test_every_bucket),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_board),
		cmocka_unit_test(test_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
