/* SPDX-License-Identifier: PostgreSQL
 *
 * Cached results: birth, references, death.
 *
 * Knows neither stores nor the wire protocol.  Any thread may hold and drop
 * references; whoever makes an object fills in its times before others can
 * see it, after that nothing but the count changes.
 */
#include <stdlib.h>

#include "cache/object.h"

/* Append s to the bytes at *at and return where it now lives. */
static struct slice
object_copy(char **at, struct slice s)
{
	struct slice copy = slice_make(*at, s.n);

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return copy;
}

struct object *
object_new(const struct cache_key *k, struct slice desc, struct slice data,
    const struct tagset *tags)
{
	const size_t parts[] = { k->sql.n, k->types.n, k->bind.n, k->name.n,
	    desc.n, data.n };
	size_t size = sizeof(struct object), i;
	struct object *o;
	char *at;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i] > SIZE_MAX - size)
			return NULL;
		size += parts[i];
	}
	o = malloc(size);
	if (o == NULL)
		return NULL;
	*o = (struct object){ .magic = OBJECT_MAGIC, .size = size };
	atomic_init(&o->refs, 1);
	at = (char *)(o + 1);
	o->key = *k;
	o->key.sql = object_copy(&at, k->sql);
	o->key.types = object_copy(&at, k->types);
	o->key.bind = object_copy(&at, k->bind);
	o->key.name = object_copy(&at, k->name);
	o->frames = slice_make(at, desc.n + data.n);
	o->desc_len = desc.n;
	object_copy(&at, desc);
	object_copy(&at, data);
	o->tags = *tags;
	return o;
}

struct object *
object_ref(struct object *o)
{
	CHECK_MAGIC(o, OBJECT_MAGIC);
	atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

void
object_unref(struct object **o)
{
	struct object *old = *o;

	if (old == NULL)
		return;
	CHECK_MAGIC(old, OBJECT_MAGIC);
	*o = NULL;
	/* Release what was read through this reference; the last one acquires
	 * that of all others before it frees. */
	if (atomic_fetch_sub_explicit(&old->refs, 1, memory_order_acq_rel) > 1)
		return;
	old->magic = 0;
	free(old);
}
