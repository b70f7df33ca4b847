/* SPDX-License-Identifier: PostgreSQL
 *
 * Database states: one for each name, for life; sums over the workers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/dbstate.h"
#include "stats/metrics.h"

static void
test_one_for_each_name(void **state PG_UNUSED)
{
	struct dbstate *a, *b;
	char name[16];
	int i;

	dbstate_init(3);
	a = dbstate_get("a");
	b = dbstate_get("b");
	assert_ptr_not_equal(a, b);
	assert_string_equal(a->name, "a");
	assert_false(atomic_load(&a->paused) || atomic_load(&a->disabled));
	atomic_store(&a->paused, true);
	/* The table grows; nobody moves. */
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_string_equal(dbstate_get(name)->name, name);
	}
	assert_ptr_equal(dbstate_get("a"), a);
	assert_ptr_equal(dbstate_get("b"), b);
	assert_true(atomic_load(&dbstate_get("a")->paused));
	assert_false(atomic_load(&b->paused));
	dbstate_fini();
}

static void
test_totals(void **state PG_UNUSED)
{
	struct dbtotals t;
	struct dbstate *d;
	unsigned i;

	dbstate_init(3);
	d = dbstate_get("a");
	for (i = 0; i < 3; i++) {
		assert_int_equal((uintptr_t)&d->stats[i] % 64, 0);
		stat_add(&d->stats[i].transactions, 1 + i);
		stat_add(&d->stats[i].queries, 10 + i);
		stat_add(&d->stats[i].received, 100);
		stat_add(&d->stats[i].sent, 1000);
		stat_add(&d->stats[i].transaction_time, UINT32_MAX);
		stat_add(&d->stats[i].query_time, 7);
		stat_add(&d->stats[i].wait_time, 9);
	}
	dbstate_totals(d, &t);
	assert_int_equal(t.transactions, 6);
	assert_int_equal(t.queries, 33);
	assert_int_equal(t.received, 300);
	assert_int_equal(t.sent, 3000);
	assert_true(t.transaction_time == 3 * (uint64_t)UINT32_MAX);
	assert_int_equal(t.query_time, 21);
	assert_int_equal(t.wait_time, 27);
	dbstate_totals(dbstate_get("other"), &t);
	assert_int_equal(t.queries, 0);
	dbstate_fini();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_for_each_name),
		cmocka_unit_test(test_totals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
