/* SPDX-License-Identifier: PostgreSQL
 *
 * Unacknowledged bumps: every one is counted once until it is settled.
 */
#include "cache_util.h"

#include "../../src/cache/l2_pending.c"

static unsigned
total(void)
{
	unsigned i, n = 0;

	for (i = 0; i < TAG_SLOTS; i++)
		n += atomic_load(&l2_pending[i]);
	return n;
}

static void
bump_lost(struct l2_replay *r, tag_t t)
{
	l2_pending_add(t);
	l2_replay_add(r, t);
}

static void
pending_tags_close_their_sets(void **state)
{
	struct tagset a, b;

	(void)state;
	tagset_init(&a);
	tagset_add(&a, 5);
	tagset_init(&b);
	tagset_add(&b, 6);
	assert_false(l2_pending_any(&a));
	assert_true(l2_is_settled());
	l2_pending_add(5);
	l2_pending_add(5);
	assert_true(l2_pending_any(&a));
	assert_false(l2_pending_any(&b));
	l2_pending_remove(5);
	assert_true(l2_pending_any(&a));
	assert_false(l2_is_settled());
	l2_pending_remove(5);
	assert_false(l2_pending_any(&a));
	assert_true(l2_is_settled());
	l2_pending_add(TAG_ALL);
	assert_true(l2_pending_any(&a) && l2_pending_any(&b));
	l2_pending_remove(TAG_ALL);
	assert_int_equal(total(), 0);
}

static void
overfull_sets_are_never_usable(void **state)
{
	struct tagset s;
	tag_t t;

	(void)state;
	tagset_init(&s);
	for (t = 1; t <= TAGSET_MAX; t++)
		tagset_add(&s, t);
	assert_true(l2_pending_any(&s));
}

static void
a_replay_set_has_no_duplicates(void **state)
{
	struct l2_replay r = { .n = 0 };

	(void)state;
	bump_lost(&r, 5);
	bump_lost(&r, 5);
	bump_lost(&r, 6);
	assert_int_equal(r.n, 2);
	assert_int_equal(total(), 2);
	bump_lost(&r, TAG_ALL);
	bump_lost(&r, 7); /* in "everything" already */
	assert_int_equal(r.n, 3);
	assert_int_equal(total(), 3);
	while (r.n > 0)
		l2_pending_remove(r.tag[--r.n]);
	assert_int_equal(total(), 0);
}

static void
a_full_set_becomes_everything(void **state)
{
	struct l2_replay r = { .n = 0 };
	struct tagset s;
	tag_t t;

	(void)state;
	for (t = 1; t <= L2_REPLAY_MAX; t++)
		bump_lost(&r, t);
	assert_int_equal(r.n, L2_REPLAY_MAX);
	bump_lost(&r, 1000);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.tag[0], TAG_ALL);
	assert_int_equal(total(), 1);
	tagset_init(&s);
	tagset_add(&s, 77);
	assert_true(l2_pending_any(&s));
	l2_pending_remove(TAG_ALL);
}

static void
abandoned_sets_are_inherited(void **state)
{
	struct l2_replay a = { .n = 0 }, b = { .n = 0 }, c = { .n = 0 };

	(void)state;
	l2_replay_abandon(&a); /* empty: nothing */
	assert_int_equal(total(), 0);
	bump_lost(&a, 5);
	bump_lost(&b, 6);
	l2_replay_abandon(&a);
	l2_replay_abandon(&b);
	assert_int_equal(total(), 1);
	assert_int_equal(atomic_load(&l2_pending[TAG_ALL]), 1);
	l2_replay_adopt(&c);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.tag[0], TAG_ALL);
	assert_int_equal(total(), 1);
	l2_replay_adopt(&a); /* only one inherits */
	assert_int_equal(a.n, 0);
	l2_pending_remove(TAG_ALL);
	assert_int_equal(total(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pending_tags_close_their_sets),
		cmocka_unit_test(overfull_sets_are_never_usable),
		cmocka_unit_test(a_replay_set_has_no_duplicates),
		cmocka_unit_test(a_full_set_becomes_everything),
		cmocka_unit_test(abandoned_sets_are_inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
