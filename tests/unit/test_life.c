/* SPDX-License-Identifier: PostgreSQL
 *
 * Lives of results: jitter only shortens, and moments come in their order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/check.h"
#include "cache/life.h"

#define S NSEC_PER_SEC
#define AT (1000 * S)

static const struct life_rule plain = { .ttl = 60 * S, .l1_ttl = 60 * S };

static void
test_plain(void **state PG_UNUSED)
{
	struct life l = life_reckon(&plain, AT, 12345);

	assert_int_equal(l.ttl, 60 * S);
	assert_int_equal(l.l1_until, AT + 60 * S);
	assert_int_equal(l.grace_until, l.l1_until);
	assert_int_equal(l.stale_until, l.l1_until);
	assert_int_equal(l.renew_from, 0);
}

static void
test_jitter_only_shortens(void **state PG_UNUSED)
{
	struct life_rule r = plain;
	struct life l;
	nsec_t least = UINT64_MAX, most = 0;
	uint64_t dice;

	r.jitter = 20;
	r.l1_ttl = 30 * S;
	for (dice = 0; dice <= UINT32_MAX; dice += UINT32_MAX / 1000) {
		l = life_reckon(&r, AT, (uint32_t)dice);
		assert_in_range(l.ttl, 48 * S, 60 * S);
		assert_in_range(l.l1_until, AT + 24 * S, AT + 30 * S);
		/* Both by the same part. */
		assert_in_range(l.ttl / 2, l.l1_until - AT - 1,
		    l.l1_until - AT + 1);
		least = l.ttl < least ? l.ttl : least;
		most = l.ttl > most ? l.ttl : most;
	}
	assert_int_equal(most, 60 * S);
	assert_in_range(least, 48 * S, 48 * S + S / 10);
}

static void
test_l1_is_never_older_than_all(void **state PG_UNUSED)
{
	struct life_rule r = plain;

	r.l1_ttl = 90 * S;
	assert_int_equal(life_reckon(&r, AT, 7).l1_until, AT + 60 * S);
	/* 0: not there at all. */
	r.l1_ttl = 0;
	r.grace = r.stale = 10 * S;
	assert_int_equal(life_reckon(&r, AT, 7).l1_until, AT);
	assert_int_equal(life_reckon(&r, AT, 7).grace_until, AT);
	assert_int_equal(life_reckon(&r, AT, 7).stale_until, AT);
}

static void
test_moments_come_in_order(void **state PG_UNUSED)
{
	struct life_rule r = plain;
	struct life l;

	r.grace = 5 * S;
	r.stale = 100 * S;
	r.ahead = 10;
	l = life_reckon(&r, AT, 7);
	assert_int_equal(l.renew_from, AT + 54 * S);
	assert_int_equal(l.grace_until, AT + 65 * S);
	assert_int_equal(l.stale_until, AT + 160 * S);
	/* Grace is one reason more, not less, to be there. */
	r.stale = S;
	assert_int_equal(life_reckon(&r, AT, 7).stale_until, AT + 65 * S);
}

/* Elsewhere there is what L1 drops early. */
static void
test_not_renewed_where_l1_ends_early(void **state PG_UNUSED)
{
	struct life_rule r = plain;

	r.ahead = 10;
	r.l1_ttl = 30 * S;
	assert_int_equal(life_reckon(&r, AT, 7).renew_from, 0);
	r.l1_ttl = r.ttl;
	r.jitter = 50;
	assert_in_range(life_reckon(&r, AT, 1u << 31).renew_from, AT + 40 * S,
	    AT + 41 * S);
}

static void
test_nothing(void **state PG_UNUSED)
{
	struct life_rule r = plain;

	assert_int_equal(life_of_nothing(&r, 5 * S).ttl, 5 * S);
	assert_int_equal(life_of_nothing(&r, 5 * S).l1_ttl, 5 * S);
	assert_int_equal(life_of_nothing(&r, 90 * S).l1_ttl, 90 * S);
	r.l1_ttl = 10 * S;
	assert_int_equal(life_of_nothing(&r, 90 * S).l1_ttl, 10 * S);
	assert_int_equal(life_of_nothing(&r, 5 * S).l1_ttl, 5 * S);
	r.l1_ttl = 0;
	assert_int_equal(life_of_nothing(&r, 5 * S).l1_ttl, 0);
}

static void
test_an_end_is_the_end(void **state PG_UNUSED)
{
	struct life_rule r = plain;
	struct life l;

	r.l1_ttl = 20 * S;
	r.grace = 100 * S;
	r.stale = 200 * S;
	l = life_reckon(&r, AT, 0);
	life_end(&l, AT, 30 * S);
	assert_int_equal(l.ttl, 30 * S);
	assert_int_equal(l.l1_until, AT + 20 * S);
	assert_int_equal(l.grace_until, AT + 30 * S);
	assert_int_equal(l.stale_until, AT + 30 * S);
	life_end(&l, AT, 10 * S);
	assert_int_equal(l.l1_until, AT + 10 * S);
	l = life_reckon(&r, AT, 0);
	life_end(&l, AT, UINT64_MAX);
	assert_int_equal(l.ttl, 60 * S);
	assert_int_equal(l.stale_until, AT + 220 * S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_jitter_only_shortens),
		cmocka_unit_test(test_l1_is_never_older_than_all),
		cmocka_unit_test(test_moments_come_in_order),
		cmocka_unit_test(test_not_renewed_where_l1_ends_early),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_an_end_is_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
