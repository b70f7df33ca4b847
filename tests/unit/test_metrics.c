/* SPDX-License-Identifier: PostgreSQL
 *
 * Counters and series: sums over writers, interning, the overflow series.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "stats/metrics.h"

struct sums {
	unsigned calls;
	uint64_t queries, pins, others;
};

static void
sum_counter(void *arg, const char *name, const char *help, uint64_t v)
{
	struct sums *s = arg;

	s->calls++;
	assert_true(strlen(help) > 0);
	if (strcmp(name, "queries") == 0)
		s->queries = v;
	else if (strcmp(name, "pins") == 0)
		s->pins = v;
	else
		s->others += v;
}

static void
test_counters(void **state PG_UNUSED)
{
	struct metrics *all[2] = { metrics_new(), metrics_new() };
	struct sums s = { 0 };

	stat_add(&all[0]->c.queries, 3);
	stat_add(&all[1]->c.queries, 4);
	stat_add(&all[1]->c.pins, 1);
	metrics_sum_counters(all, 2, sum_counter, &s);
	assert_int_equal(s.calls, sizeof(struct counters) / sizeof(uint64_t));
	assert_int_equal(s.queries, 7);
	assert_int_equal(s.pins, 1);
	assert_int_equal(s.others, 0);
	metrics_free(&all[0]);
	metrics_free(&all[1]);
	assert_null(all[0]);
	metrics_free(&all[0]);
}

static void
test_intern(void **state PG_UNUSED)
{
	unsigned before = series_count(), a, b;

	a = series_intern("events", "plain", "main", "miss");
	b = series_intern("events", "plain", "main", "hit");
	assert_int_not_equal(a, b);
	assert_int_equal(series_count(), before + 2);
	assert_int_equal(series_intern("events", "plain", "main", "miss"), a);
	assert_int_equal(series_count(), before + 2);
	assert_string_equal(series_get(b)->route, "events");
	assert_string_equal(series_get(b)->outcome, "hit");
	/* Which label holds a name matters. */
	assert_int_not_equal(series_intern("plain", "events", "main", "miss"),
	    a);
	a = series_intern("events", NULL, NULL, NULL);
	assert_string_equal(series_get(a)->variant, "");
}

static void
test_times(void **state PG_UNUSED)
{
	struct metrics *all[2] = { metrics_new(), metrics_new() };
	unsigned id = series_intern("times", "", "", "");
	struct hist_view v;

	metrics_time(all[0], id, NSEC_PER_MSEC);
	metrics_time(all[1], id, NSEC_PER_MSEC);
	metrics_time(all[1], id, NSEC_PER_SEC);
	metrics_sum_series(all, 2, id, &v);
	assert_int_equal(v.count, 3);
	assert_int_equal(v.sum, NSEC_PER_SEC + 2 * NSEC_PER_MSEC);
	metrics_sum_series(all, 2, id + 1, &v);
	assert_int_equal(v.count, 0);
	metrics_free(&all[0]);
	metrics_free(&all[1]);
}

static void *
write_times(void *arg)
{
	struct metrics *m = arg;
	unsigned i, id;

	for (i = 0; i < 20000; i++) {
		id = series_intern("race", "", i % 2 ? "a" : "b", "");
		metrics_time(m, id, i * NSEC_PER_USEC);
		stat_add(&m->c.queries, 1);
	}
	return NULL;
}

/* Readers beside writers: what is read never goes back, and nothing is lost
 * in the end. */
static void
test_readers_beside_writers(void **state PG_UNUSED)
{
	struct metrics *all[2] = { metrics_new(), metrics_new() };
	unsigned id = series_intern("race", "", "a", "");
	struct hist_view v;
	struct sums s = { 0 };
	pthread_t t[2];
	uint64_t last = 0;
	int i;

	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, write_times,
		    all[i]), 0);
	for (i = 0; i < 200; i++) {
		metrics_sum_series(all, 2, id, &v);
		assert_true(v.count >= last);
		last = v.count;
	}
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	metrics_sum_series(all, 2, id, &v);
	assert_int_equal(v.count, 20000);
	metrics_sum_counters(all, 2, sum_counter, &s);
	assert_int_equal(s.queries, 40000);
	metrics_free(&all[0]);
	metrics_free(&all[1]);
}

/* Last: it fills the process-wide table. */
static void
test_overflow(void **state PG_UNUSED)
{
	char name[32];
	unsigned i, id = 0, first, over;

	first = series_intern("events", "plain", "main", "miss");
	for (i = 0; i < SERIES_MAX + 10; i++) {
		snprintf(name, sizeof(name), "route%u", i);
		id = series_intern(name, "v", "b", "o");
		assert_true(id < SERIES_MAX);
	}
	over = id;
	assert_int_equal(series_count(), SERIES_MAX);
	assert_string_equal(series_get(over)->route, "other");
	assert_int_equal(series_intern("yet more", "", "", ""), over);
	assert_int_equal(series_intern("events", "plain", "main", "miss"),
	    first);
	assert_int_not_equal(series_intern("route0", "v", "b", "o"), over);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_intern),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_readers_beside_writers),
		cmocka_unit_test(test_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
