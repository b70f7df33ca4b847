/* SPDX-License-Identifier: PostgreSQL
 *
 * A cached result: immutable after publication, reference counted (atomic),
 * one allocation.  Holds its own copy of the key and the server's frames:
 * a description part (ParameterDescription/RowDescription as the key's form
 * says) and a data part (DataRows and CommandComplete).
 */
#ifndef PGSLUICE_CACHE_OBJECT_H
#define PGSLUICE_CACHE_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/slice.h"
#include "cache/key.h"
#include "cache/live.h"
#include "cache/tags.h"
#include "cache/track.h"

struct object {
	uint32_t magic;
#define OBJECT_MAGIC 0x0b1ec7a1u
	atomic_uint refs;
	size_t size;          /* of the allocation */
	struct cache_key key; /* slices point into this allocation */
	struct slice frames;  /* description, then data */
	size_t desc_len;      /* first part of frames */
	struct tagset tags;   /* as they were before the query was sent */
	struct track_mark mark; /* of its entry in Redis, taken then, too */
	const struct live_set *live; /* who must vouch for it; NULL: nobody */
	nsec_t fetched_mono;  /* before the query was sent */
	nsec_t fetched_wall;
	nsec_t ttl;           /* L2 life */
	nsec_t l1_until;      /* mono: fresh until then */
	nsec_t grace_until;   /* mono: >= l1_until */
	nsec_t stale_until;   /* mono: for when no server can be had */
	nsec_t renew_from;    /* mono: fetched anew if hot; 0: not */
	unsigned rule;        /* conf_rule.id, for statistics */
	uint32_t tenant;      /* whose account it is on, see l1_set_tenant_share() */
	uint64_t shape;       /* its statement's, see worth.h; 0: none */
	unsigned series;      /* for the layer above: metrics cell of hits */
	uint64_t fingerprint; /* likewise: of its statement, see shape_text.h */
	bool from_l2;
	uint32_t trial;       /* for the layer above: what hits are measured as */
	uint32_t verify;      /* for the layer above: so many of a million hits */
};

/* Copies everything. NULL: out of memory (size comes from peers). */
struct object *object_new(const struct cache_key *k, struct slice desc,
    struct slice data, const struct tagset *tags) PG_MUST_CHECK;
struct object *object_ref(struct object *o);
void object_unref(struct object **o);
/* Of no use any more, even if true to its tags. */
static inline bool
object_is_over(const struct object *o, nsec_t now)
{
	return now >= o->grace_until && now >= o->stale_until;
}
/* Still true to its tags, and not changed in Redis. */
static inline bool
object_current(const struct object *o)
{
	return tagset_current(&o->tags) && track_current(&o->mark);
}

#endif
