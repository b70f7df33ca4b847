/* SPDX-License-Identifier: PostgreSQL
 *
 * Posted bumps: pending from then on, each tag once, and bounded.
 */
#include "cache_util.h"

#include "../../src/cache/l2_pending.c"
#include "../../src/cache/l2_post.c"

static unsigned woken;

static void
wake(void *arg)
{
	assert_ptr_equal(arg, &woken);
	woken++;
}

static unsigned
total(void)
{
	unsigned i, n = 0;

	for (i = 0; i < TAG_SLOTS; i++)
		n += atomic_load(&l2_pending[i]);
	return n;
}

/* As l2_take_posts() and the acknowledgements that follow. */
static unsigned
take(tag_t *tags)
{
	unsigned i, n = posts_take(tags);

	for (i = 0; i < n; i++)
		l2_pending_remove(tags[i]);
	return n;
}

static int
begin(void **state)
{
	(void)state;
	woken = 0;
	l2_post_to(wake, &woken);
	return 0;
}

static void
what_is_posted_is_pending(void **state)
{
	const tag_t first[] = { 5, 6, 5 }, second[] = { 6, 7 };
	tag_t tags[POSTS_MAX];
	struct tagset s;

	(void)state;
	tagset_init(&s);
	tagset_add(&s, 7);
	l2_post(first, 3);
	assert_false(l2_pending_any(&s));
	l2_post(second, 2);
	assert_true(l2_pending_any(&s));
	l2_post(NULL, 0);
	assert_int_equal(woken, 1);
	assert_int_equal(total(), 3);
	assert_int_equal(take(tags), 3);
	assert_true(tags[0] == 5 && tags[1] == 6 && tags[2] == 7);
	assert_int_equal(total(), 0);
	assert_int_equal(take(tags), 0);
	l2_post(second, 1);
	assert_int_equal(woken, 2);
	assert_int_equal(take(tags), 1);
}

static void
too_many_are_everything(void **state)
{
	tag_t t, tags[POSTS_MAX];

	(void)state;
	for (t = 1; t <= POSTS_MAX; t++)
		l2_post(&t, 1);
	assert_int_equal(total(), POSTS_MAX);
	l2_post(&t, 1);
	assert_int_equal(total(), 1);
	assert_int_equal(atomic_load(&l2_pending[TAG_ALL]), 1);
	l2_post(&t, 1); /* in everything already */
	assert_int_equal(total(), 1);
	assert_int_equal(take(tags), 1);
	assert_int_equal(tags[0], TAG_ALL);
	assert_int_equal(total(), 0);
	for (t = 1; t <= POSTS_MAX; t++) {
		l2_post(&t, 1);
		assert_int_equal(take(tags), 1);
	}
	assert_int_equal(woken, 1 + POSTS_MAX);
}

static void
everything_is_posted(void **state)
{
	const tag_t some[] = { 5, TAG_ALL, 6 };
	tag_t tags[POSTS_MAX];

	(void)state;
	l2_post(some, 3);
	assert_int_equal(total(), 1);
	assert_int_equal(take(tags), 1);
	assert_int_equal(tags[0], TAG_ALL);
	assert_int_equal(total(), 0);
}

static void
without_redis_nothing_is(void **state)
{
	const tag_t t = 5;

	(void)state;
	l2_post_to(NULL, NULL);
	l2_post(&t, 1);
	assert_int_equal(total() + woken + posts.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_posted_is_pending, begin),
		cmocka_unit_test_setup(too_many_are_everything, begin),
		cmocka_unit_test_setup(everything_is_posted, begin),
		cmocka_unit_test_setup(without_redis_nothing_is, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
