/* SPDX-License-Identifier: PostgreSQL
 *
 * A set of a variant's shards: indexes in conf_variant.shards.
 *
 * A value of fixed size without a life of its own: made, passed and compared
 * without memory.  Knows nothing of tables.  Pure, any thread.
 */
#ifndef PGSLUICE_ROUTE_SHARDS_H
#define PGSLUICE_ROUTE_SHARDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "conf/conf.h"

#define ROUTE_SHARD_WORDS (CONF_MAX_SHARDS / 64)

struct route_shards {
	uint64_t bits[ROUTE_SHARD_WORDS];
};

static inline void
route_shards_add(struct route_shards *s, unsigned shard)
{
	CHECK(shard < CONF_MAX_SHARDS);
	s->bits[shard / 64] |= UINT64_C(1) << (shard % 64);
}

static inline bool
route_shards_has(const struct route_shards *s, unsigned shard)
{
	return shard < CONF_MAX_SHARDS &&
	    (s->bits[shard / 64] >> (shard % 64) & 1) != 0;
}

/* The first n. */
static inline struct route_shards
route_shards_all(size_t n)
{
	struct route_shards s = { { 0 } };

	for (unsigned i = 0; i < n; i++)
		route_shards_add(&s, i);
	return s;
}

static inline unsigned
route_shards_count(const struct route_shards *s)
{
	unsigned n = 0;

	for (int i = 0; i < ROUTE_SHARD_WORDS; i++)
		n += (unsigned)__builtin_popcountll(s->bits[i]);
	return n;
}

/* The lowest member that is not below from; -1: none. */
static inline int
route_shards_next(const struct route_shards *s, unsigned from)
{
	for (unsigned i = from; i < CONF_MAX_SHARDS; i++) {
		if (s->bits[i / 64] >> (i % 64) == 0)
			i |= 63;
		else if (route_shards_has(s, i))
			return (int)i;
	}
	return -1;
}

static inline int
route_shards_first(const struct route_shards *s)
{
	return route_shards_next(s, 0);
}

static inline bool
route_shards_equal(const struct route_shards *a, const struct route_shards *b)
{
	for (int i = 0; i < ROUTE_SHARD_WORDS; i++) {
		if (a->bits[i] != b->bits[i])
			return false;
	}
	return true;
}

/* Leave those that are in both. */
static inline void
route_shards_cut(struct route_shards *s, const struct route_shards *other)
{
	for (int i = 0; i < ROUTE_SHARD_WORDS; i++)
		s->bits[i] &= other->bits[i];
}

static inline void
route_shards_join(struct route_shards *s, const struct route_shards *other)
{
	for (int i = 0; i < ROUTE_SHARD_WORDS; i++)
		s->bits[i] |= other->bits[i];
}

#endif
