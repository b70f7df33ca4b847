/* SPDX-License-Identifier: PostgreSQL
 *
 * Keys and objects for the tests of src/cache.
 */
#ifndef PGSLUICE_TESTS_CACHE_UTIL_H
#define PGSLUICE_TESTS_CACHE_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/check.h"
#include "cache/object.h"

/* sql must outlive the key. */
static inline PG_UNUSED struct cache_key
util_key(const char *sql)
{
	struct cache_key k = { .scope = 7, .form = KEY_EXT_PORTAL,
		.sql = slice_str(sql), .types = SLICE_LIT("\0\0\0\x17"),
		.bind = SLICE_LIT("bound values") };

	cache_key_hash(&k, NULL);
	return k;
}

/* A RowDescription without columns. */
#define UTIL_DESC SLICE_LIT("T\0\0\0\x06\0\0")
/* One DataRow without columns and a CommandComplete. */
#define UTIL_DATA SLICE_LIT("D\0\0\0\x06\0\0" "C\0\0\0\x0dSELECT 1\0")

/* Fresh until l1_until, tagged with TAG_ALL and tag (0: only TAG_ALL). */
static inline PG_UNUSED struct object *
util_object(const struct cache_key *k, struct slice data, tag_t tag,
    nsec_t l1_until)
{
	struct tagset tags;
	struct object *o;

	tagset_init(&tags);
	if (tag != 0)
		tagset_add(&tags, tag);
	tagset_record(&tags);
	o = object_new(k, UTIL_DESC, data, &tags);
	assert_non_null(o);
	o->fetched_wall = clock_wall();
	o->fetched_mono = clock_mono();
	o->ttl = 60 * NSEC_PER_SEC;
	o->l1_until = l1_until;
	o->grace_until = l1_until;
	return o;
}

#endif
