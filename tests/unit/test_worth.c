/* SPDX-License-Identifier: PostgreSQL
 *
 * The break-even governor: when a shape stops being stored, what is still
 * tried, and when it comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cache/worth.h"

#define ORIGIN 200000 /* ns */
#define ADDED 10000
#define HIT 5000
/* break even at 10 / (200 + 10 - 5) = 4.88 % */

static struct worth_shape found;

static void
note(const struct worth_shape *s, void *arg)
{
	if (s->id == *(const uint64_t *)arg)
		found = *s;
}

static const struct worth_shape *
shape(struct worth *w, uint64_t id)
{
	found.id = 0;
	worth_each(w, note, &id);
	return found.id != 0 ? &found : NULL;
}

static struct hash128
key(uint64_t n)
{
	return (struct hash128){ .lo = n, .hi = n * 0x9e3779b97f4a7c15u >> 20 };
}

static bool
ask(struct worth *w, uint64_t id, uint64_t n)
{
	struct hash128 k = key(n);

	return worth_ask(w, id, &k, SLICE_LIT("select \1"), "rule");
}

/* n lookups of keys that nobody asks for again. Returns how many were
 * refused. */
static unsigned
misses(struct worth *w, uint64_t id, unsigned n)
{
	static uint64_t next = 1000000;
	unsigned refused = 0;

	while (n-- > 0) {
		if (ask(w, id, next++))
			worth_stored(w, id, ORIGIN, ADDED);
		else
			refused++;
	}
	return refused;
}

static void
hits(struct worth *w, uint64_t id, unsigned n)
{
	struct hash128 k;
	unsigned i;

	for (i = 0; i < n; i++) {
		k = key(i);
		worth_hit(w, id, &k, HIT);
	}
}

static void
test_stops_when_it_does_not_pay(void **state PG_UNUSED)
{
	struct worth *w = worth_new();

	assert_int_equal(misses(w, 7, WORTH_BAD * WORTH_WINDOW), 0);
	assert_true(shape(w, 7)->passed);
	assert_int_equal(worth_passed(w), 1);
	assert_in_range(shape(w, 7)->need, 470, 480); /* H is 0 yet */
	assert_int_equal(shape(w, 7)->ratio, 0);
	assert_string_equal(shape(w, 7)->rule, "rule");
	assert_string_equal(shape(w, 7)->text, "select ?");
	/* Only the sample is stored. */
	assert_in_range(misses(w, 7, 1600), 1400, 1599);
	/* Others are none of its business. */
	assert_int_equal(misses(w, 8, WORTH_WINDOW), 0);
	worth_free(&w);
}

static void
test_goes_on_while_it_pays(void **state PG_UNUSED)
{
	struct worth *w = worth_new();
	unsigned i;

	/* 6 % of hits, a little over what it takes. */
	for (i = 0; i < 20 * WORTH_WINDOW / 100; i++) {
		assert_int_equal(misses(w, 7, 94), 0);
		hits(w, 7, 6);
	}
	assert_false(shape(w, 7)->passed);
	assert_in_range(shape(w, 7)->ratio, 560, 640);
	worth_free(&w);
}

static void
test_one_good_window_starts_anew(void **state PG_UNUSED)
{
	struct worth *w = worth_new();

	assert_int_equal(misses(w, 7, (WORTH_BAD - 1) * WORTH_WINDOW), 0);
	hits(w, 7, WORTH_WINDOW);
	assert_int_equal(misses(w, 7, (WORTH_BAD - 1) * WORTH_WINDOW), 0);
	assert_false(shape(w, 7)->passed);
	worth_free(&w);
}

static void
test_what_came_to_nothing_does_not_count(void **state PG_UNUSED)
{
	struct worth *w = worth_new();
	unsigned i;

	hits(w, 7, 10);
	assert_null(shape(w, 7)); /* nobody asked yet */
	for (i = 0; i < 2 * WORTH_BAD * WORTH_WINDOW; i++) {
		assert_true(ask(w, 7, i));
		worth_undo(w, 7);
	}
	worth_undo(w, 7);
	assert_false(shape(w, 7)->passed);
	assert_int_equal(shape(w, 7)->lookups, 0);
	assert_int_equal(shape(w, 7)->all_lookups, 0);
	worth_free(&w);
}

/* Found by waiting or in L2 is found. */
static void
test_waiting_counts_as_hit(void **state PG_UNUSED)
{
	struct worth *w = worth_new();
	unsigned i;

	for (i = 0; i < 8 * WORTH_WINDOW; i++) {
		assert_true(ask(w, 7, 1));
		if (i % 2 == 0)
			worth_found(w, 7);
	}
	assert_int_equal(shape(w, 7)->ratio, 5000);
	assert_false(shape(w, 7)->passed);
	worth_free(&w);
}

static void
test_comes_back(void **state PG_UNUSED)
{
	struct worth *w = worth_new();
	bool stored[64] = { false };
	struct hash128 k;
	unsigned i;

	misses(w, 7, WORTH_BAD * WORTH_WINDOW);
	/* The same 64 keys again and again: those of the sample are found. */
	for (i = 0; i < 64 * WORTH_PROBES && shape(w, 7)->passed; i++) {
		k = key(i % 64);
		if (stored[i % 64])
			worth_hit(w, 7, &k, HIT);
		else
			stored[i % 64] = ask(w, 7, i % 64);
	}
	assert_false(shape(w, 7)->passed);
	assert_int_equal(worth_passed(w), 0);
	worth_free(&w);
}

/* A sample that none of the busy keys belongs to is not for ever. */
static void
test_the_sample_changes(void **state PG_UNUSED)
{
	struct worth *w = worth_new();
	unsigned i, turn;

	misses(w, 7, WORTH_BAD * WORTH_WINDOW);
	turn = shape(w, 7)->turns;
	for (i = 0; i < 100 && shape(w, 7)->turns == turn; i++)
		misses(w, 7, WORTH_PROBES * WORTH_SAMPLE);
	assert_int_not_equal(shape(w, 7)->turns, turn);
	worth_free(&w);
}

static void
test_results_that_are_never_stored(void **state PG_UNUSED)
{
	struct worth *w = worth_new();
	unsigned i;

	for (i = 0; i < WORTH_BAD * WORTH_WINDOW; i++)
		assert_true(ask(w, 7, i));
	assert_true(shape(w, 7)->passed);
	worth_free(&w);
}

static void
test_a_late_turn_does_not_count(void **state PG_UNUSED)
{
	struct worth *w = worth_new();

	misses(w, 7, 100);
	worth_stored(w, 7, 1000 * NSEC_PER_MSEC, 1000 * NSEC_PER_MSEC);
	assert_in_range(shape(w, 7)->added, ADDED, 2 * ADDED);
	assert_in_range(shape(w, 7)->origin, ORIGIN, 2 * ORIGIN);
	worth_free(&w);
}

static void
test_forgets_the_idle(void **state PG_UNUSED)
{
	struct worth *w = worth_new();
	uint64_t id;

	misses(w, 1, WORTH_BAD * WORTH_WINDOW);
	assert_int_equal(worth_passed(w), 1);
	for (id = 2; id < 100000; id++)
		assert_true(ask(w, id, id));
	assert_null(shape(w, 1));
	assert_int_equal(worth_passed(w), 0);
	worth_hit(w, 1, &(struct hash128){ .lo = 1 }, HIT);
	worth_stored(w, 1, ORIGIN, ADDED);
	assert_null(shape(w, 1));
	worth_free(&w);
}

static void
test_none_is_not_counted(void **state PG_UNUSED)
{
	struct worth *w = worth_new();

	assert_int_equal(misses(w, 0, 2 * WORTH_BAD * WORTH_WINDOW), 0);
	assert_int_equal(worth_passed(w), 0);
	worth_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stops_when_it_does_not_pay),
		cmocka_unit_test(test_goes_on_while_it_pays),
		cmocka_unit_test(test_one_good_window_starts_anew),
		cmocka_unit_test(test_what_came_to_nothing_does_not_count),
		cmocka_unit_test(test_waiting_counts_as_hit),
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_the_sample_changes),
		cmocka_unit_test(test_results_that_are_never_stored),
		cmocka_unit_test(test_a_late_turn_does_not_count),
		cmocka_unit_test(test_forgets_the_idle),
		cmocka_unit_test(test_none_is_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
