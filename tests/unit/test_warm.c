/* SPDX-License-Identifier: PostgreSQL
 *
 * Results of the process before: what is taken is what was put, once, and only
 * while no tag has moved and its scope was asked for in time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache/warm.h"

#define NOW (100 * NSEC_PER_SEC)
#define LIMIT 100000

static struct buf bytes;
static struct cache_key key;
static struct tagset tags;
static const struct slice where = SLICE_LIT("who and where");

/* A scope and a result of it, in bytes. */
static int
setup(void **state PG_UNUSED)
{
	struct object *o;

	hash_init();
	key = (struct cache_key){ .scope = 77, .form = KEY_EXT_PORTAL,
		.sql = SLICE_LIT("select $1"), .types = SLICE_LIT("\0\0\0\027"),
		.bind = SLICE_LIT("\0\0\0\1") };
	cache_key_hash(&key, NULL);
	tagset_init(&tags);
	tagset_add(&tags, tag_of_table("t"));
	tagset_add(&tags, tag_of_table("u"));
	tagset_record(&tags);
	o = object_new(&key, slice_str("desc"), slice_str("rows"), &tags);
	o->fetched_mono = NOW - 5;
	o->fetched_wall = 7;
	buf_init(&bytes, LIMIT);
	assert_true(warm_put_scope(&bytes, NOW + 10, where));
	assert_true(warm_put_result(&bytes, 0, o));
	object_unref(&o);
	return 0;
}

static int
teardown(void **state PG_UNUSED)
{
	buf_reset(&bytes);
	warm_drop();
	return 0;
}

static void
come(void)
{
	warm_begin(LIMIT, NOW);
	assert_true(warm_add(buf_head(&bytes), buf_len(&bytes)));
	assert_int_equal(warm_count(), 1);
}

static bool
take(struct slice text, nsec_t since, nsec_t now)
{
	struct warm_found f;

	tagset_record(&tags);
	if (!warm_take(text, &key, &tags, since, now, &f))
		return false;
	assert_memory_equal(f.desc.p, "desc", f.desc.n);
	assert_int_equal(f.desc.n, 4);
	assert_memory_equal(f.data.p, "rows", f.data.n);
	assert_int_equal(f.data.n, 4);
	assert_true(f.fetched_mono == NOW - 5 && f.fetched_wall == 7);
	warm_found_fini(&f);
	return true;
}

static void
test_once(void **state PG_UNUSED)
{
	come();
	assert_true(warm_is_there());
	/* Our own numbers of scopes do not matter. */
	key.scope = 5;
	cache_key_hash(&key, NULL);
	assert_true(take(where, 0, NOW));
	assert_false(take(where, 0, NOW));
}

static void
test_another_question(void **state PG_UNUSED)
{
	come();
	assert_false(take(slice_str("elsewhere"), 0, NOW));
	key.bind = slice_make("\0\0\0\2", 4);
	assert_false(take(where, 0, NOW));
	key.bind = slice_make("\0\0\0\1", 4);
	key.form = KEY_EXT_NODESC;
	assert_false(take(where, 0, NOW));
	key.form = KEY_EXT_PORTAL;
	/* Too old for one, not for the next. */
	assert_false(take(where, NOW, NOW));
	assert_true(take(where, 0, NOW));
}

static void
test_written(void **state PG_UNUSED)
{
	come();
	tag_bump(tag_of_table("u"));
	assert_false(take(where, 0, NOW));
	buf_reset(&bytes);
	setup(NULL);
	come();
	tag_bump(TAG_ALL);
	assert_false(take(where, 0, NOW));
}

static void
test_other_tags(void **state PG_UNUSED)
{
	come();
	tagset_add(&tags, tag_of_table("v"));
	assert_false(take(where, 0, NOW));
	come();
	tagset_init(&tags);
	tagset_add(&tags, tag_of_table("t"));
	assert_false(take(where, 0, NOW));
	come();
	tagset_init(&tags);
	tagset_add(&tags, tag_of_table("u"));
	tagset_add(&tags, tag_of_table("t"));
	assert_true(take(where, 0, NOW));
}

static void
test_voucher(void **state PG_UNUSED)
{
	come();
	/* Nobody has asked in time. */
	assert_false(take(where, 0, NOW + 11));
	come();
	/* Somebody has, for something else. */
	assert_false(take(where, NOW, NOW + 10));
	assert_true(take(where, 0, NOW + 11));
}

static void
test_time(void **state PG_UNUSED)
{
	come();
	warm_tick(NOW + WARM_TIME);
	assert_true(warm_is_there());
	warm_tick(NOW + WARM_TIME + 1);
	assert_false(warm_is_there());
	assert_false(take(where, 0, NOW));
}

static void
test_limit(void **state PG_UNUSED)
{
	warm_begin(where.n + 10, NOW);
	assert_false(warm_add(buf_head(&bytes), buf_len(&bytes)));
	assert_false(warm_is_there());
}

static void
test_nonsense(void **state PG_UNUSED)
{
	const size_t n = buf_len(&bytes), scope = 1 + 8 + 4 + where.n;
	char *copy = x_malloc(n + 1);
	size_t i;

	for (i = 1; i < n; i++) {
		memcpy(copy, buf_head(&bytes), i);
		warm_begin(LIMIT, NOW);
		assert_true(warm_add(copy, i) == (i == scope));
	}
	memcpy(copy, buf_head(&bytes), n);
	copy[n] = 'X';
	warm_begin(LIMIT, NOW);
	assert_false(warm_add(copy, n + 1));
	/* A scope that has not come, a form and a number of tags that are none. */
	copy[scope + 4] = 1;
	warm_begin(LIMIT, NOW);
	assert_false(warm_add(copy, n));
	copy[scope + 4] = 0;
	copy[scope + 5] = KEY_EXT_STATEMENT + 1;
	warm_begin(LIMIT, NOW);
	assert_false(warm_add(copy, n));
	copy[scope + 5] = KEY_EXT_PORTAL;
	copy[scope + 22] = TAGSET_MAX + 1;
	warm_begin(LIMIT, NOW);
	assert_false(warm_add(copy, n));
	free(copy);
}

int
main(void)
{
#define WARM_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		WARM_TEST(test_once),
		WARM_TEST(test_another_question),
		WARM_TEST(test_written),
		WARM_TEST(test_other_tags),
		WARM_TEST(test_voucher),
		WARM_TEST(test_time),
		WARM_TEST(test_limit),
		WARM_TEST(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
