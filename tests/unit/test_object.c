/* SPDX-License-Identifier: PostgreSQL
 *
 * Objects: copies of everything, references, currency.
 */
#include <pthread.h>

#include "cache_util.h"

static void
everything_is_copied(void **state)
{
	char sql[] = "select 1", desc[] = "desc", data[] = "data";
	struct cache_key k = util_key(sql), want = util_key("select 1");
	struct tagset tags;
	struct object *o;

	(void)state;
	tagset_init(&tags);
	tagset_add(&tags, 9);
	o = object_new(&k, slice_make(desc, 4), slice_make(data, 4), &tags);
	assert_non_null(o);
	memset(sql, 'x', sizeof(sql));
	memset(desc, 'x', sizeof(desc));
	memset(data, 'x', sizeof(data));
	memset(&tags, 0, sizeof(tags));
	assert_true(cache_key_eq(&o->key, &want));
	assert_true(slice_eq_str(o->frames, "descdata"));
	assert_int_equal(o->desc_len, 4);
	assert_int_equal(o->tags.n, 2);
	assert_int_equal(o->tags.tag[1], 9);
	assert_int_equal(o->size, sizeof(*o) + 8 + 4 + 12 + 8);
	object_unref(&o);
	assert_null(o);
}

static void
empty_parts_are_fine(void **state)
{
	struct cache_key k = { .sql = { NULL, 0 } };
	struct tagset tags;
	struct object *o;

	(void)state;
	tagset_init(&tags);
	o = object_new(&k, slice_make(NULL, 0), slice_make(NULL, 0), &tags);
	assert_non_null(o);
	assert_int_equal(o->frames.n, 0);
	assert_int_equal(o->size, sizeof(*o));
	object_unref(&o);
	object_unref(&o); /* NULL is nothing */
}

static void
absurd_sizes_are_refused(void **state)
{
	struct cache_key k = util_key("select 1");
	struct tagset tags;

	(void)state;
	tagset_init(&tags);
	assert_null(object_new(&k, slice_make("", SIZE_MAX),
	    slice_make("", 1), &tags));
	assert_null(object_new(&k, slice_make("", SIZE_MAX / 2),
	    slice_make("", SIZE_MAX / 2), &tags));
}

static void
currency_follows_tags(void **state)
{
	struct cache_key k = util_key("select 1");
	struct object *o = util_object(&k, UTIL_DATA, 77, 1);

	(void)state;
	assert_true(object_current(o));
	tag_bump(77);
	assert_false(object_current(o));
	object_unref(&o);
}

static void *
ref_and_unref(void *arg)
{
	struct object *o = arg, *mine;
	unsigned i;

	for (i = 0; i < 100000; i++) {
		mine = object_ref(o);
		object_unref(&mine);
	}
	object_unref(&o);
	return NULL;
}

static void
threads_share_references(void **state)
{
	struct cache_key k = util_key("select 1");
	struct object *o = util_object(&k, UTIL_DATA, 0, 1);
	pthread_t t[2];
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, ref_and_unref,
		    object_ref(o)), 0);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(atomic_load(&o->refs), 1);
	object_unref(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_copied),
		cmocka_unit_test(empty_parts_are_fine),
		cmocka_unit_test(absurd_sizes_are_refused),
		cmocka_unit_test(currency_follows_tags),
		cmocka_unit_test(threads_share_references),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
