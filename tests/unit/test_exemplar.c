/* SPDX-License-Identifier: PostgreSQL
 *
 * Exemplars of series: the newest within bounds, of all workers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/exemplar.h"

#define MS NSEC_PER_MSEC

static struct metrics *all[2];

static void
note(unsigned worker, unsigned series, nsec_t elapsed, uint64_t span,
    nsec_t wall)
{
	exemplar_note(all[worker], series, elapsed, &(struct exemplar){
	    .trace = { 7, 8 }, .span = span, .wall = wall });
}

static uint64_t
span_in(unsigned series, nsec_t low, nsec_t high)
{
	struct exemplar e;

	if (!exemplar_find(all, 2, series, low, high, &e))
		return 0;
	assert_true(e.value > low && e.value <= high);
	assert_int_equal(e.trace[0], 7);
	assert_int_equal(e.trace[1], 8);
	return e.span;
}

static void
test_find(void **state PG_UNUSED)
{
	assert_int_equal(span_in(3, 0, UINT64_MAX), 0);
	note(0, 3, 2 * MS, 1, 100);
	note(1, 3, 20 * MS, 2, 50);
	assert_int_equal(span_in(3, 0, UINT64_MAX), 1); /* the newer */
	assert_int_equal(span_in(3, 10 * MS, UINT64_MAX), 2);
	assert_int_equal(span_in(3, 0, 2 * MS), 1);
	assert_int_equal(span_in(3, 2 * MS, 10 * MS), 0); /* low is out */
	assert_int_equal(span_in(4, 0, UINT64_MAX), 0);
}

static void
test_replaced(void **state PG_UNUSED)
{
	unsigned i;

	for (i = 1; i <= 100; i++)
		note(0, 5, MS, i, i);
	assert_int_equal(span_in(5, 0, UINT64_MAX), 100);
	note(1, 5, MS, 200, 99); /* older, of another worker */
	assert_int_equal(span_in(5, 0, UINT64_MAX), 100);
	/* The longest that can be told apart, and longer. */
	note(0, 5, UINT64_MAX / 2, 300, 300);
	assert_int_equal(span_in(5, MS, UINT64_MAX), 300);
}

static int
setup(void **state PG_UNUSED)
{
	all[0] = metrics_new();
	all[1] = metrics_new();
	return 0;
}

static int
teardown(void **state PG_UNUSED)
{
	metrics_free(&all[0]);
	metrics_free(&all[1]);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_replaced),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
