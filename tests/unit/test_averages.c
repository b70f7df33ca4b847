/* SPDX-License-Identifier: PostgreSQL
 *
 * Averages: what one whole period brought, and nothing of another one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "admin/averages.h"
#include "stats/metrics.h"

#define SECOND NSEC_PER_SEC

static void
test_periods(void **state PG_UNUSED)
{
	struct dbtotals t;
	struct dbstate *d;

	dbstate_init(1);
	averages_init(100 * SECOND);
	d = dbstate_get("a");
	stat_add(&d->stats[0].queries, 5);
	averages_tick(105 * SECOND, 10 * SECOND);
	assert_int_equal(averages_get(d, &t), 0);
	assert_int_equal(t.queries, 0);
	averages_tick(110 * SECOND, 10 * SECOND);
	assert_int_equal(averages_get(d, &t), 10 * SECOND);
	assert_int_equal(t.queries, 5);
	/* The next period does not show before it is over. */
	stat_add(&d->stats[0].queries, 7);
	stat_add(&d->stats[0].sent, 70);
	averages_tick(119 * SECOND, 10 * SECOND);
	averages_get(d, &t);
	assert_int_equal(t.queries, 5);
	averages_tick(122 * SECOND, 10 * SECOND);
	assert_int_equal(averages_get(d, &t), 12 * SECOND);
	assert_int_equal(t.queries, 7);
	assert_int_equal(t.sent, 70);
	averages_tick(132 * SECOND, 10 * SECOND);
	averages_get(d, &t);
	assert_int_equal(t.queries, 0);
	/* One that no period has begun with. */
	averages_get(dbstate_get("b"), &t);
	assert_int_equal(t.queries, 0);
	averages_fini();
	dbstate_fini();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_periods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
