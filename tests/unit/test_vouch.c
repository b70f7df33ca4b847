/* SPDX-License-Identifier: PostgreSQL
 *
 * When what is known of catalogs may be relied on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/vouch.h"

static unsigned doubted;

static void
on_doubt(void)
{
	doubted++;
}

static void
test_vouch(void **state PG_UNUSED)
{
	struct vouch *v = vouch_get("b", "host=h");
	uint64_t one = vouch_version(), two = vouch_version(), doubts;

	assert_ptr_equal(v, vouch_get("b", "host=h"));
	assert_ptr_not_equal(v, vouch_get("b", "host=i"));
	assert_false(vouch_holds(v, 0, 0));
	vouch_give(v, one, 0, 100);
	assert_true(vouch_holds(v, one, 99));
	assert_false(vouch_holds(v, one, 100));
	assert_false(vouch_holds(v, two, 99));
	vouch_on_doubt(on_doubt);
	doubts = vouch_doubts.count;
	vouch_doubt();
	assert_int_equal(doubted, 1);
	assert_false(vouch_holds(v, one, 99));
	/* It was asked before the doubt came. */
	vouch_give(v, one, doubts, 200);
	assert_false(vouch_holds(v, one, 99));
	vouch_give(v, two, doubts + 1, 200);
	assert_true(vouch_holds(v, two, 99));
	vouch_end(v);
	assert_false(vouch_holds(v, two, 99));
	vouch_on_doubt(NULL);
	vouch_fini();
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vouch) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
