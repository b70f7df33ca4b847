/* SPDX-License-Identifier: PostgreSQL
 *
 * Hash and equality of cache keys.
 *
 * Pure; any thread.  The hash is keyed per process (base/hash.h): it finds,
 * equality decides.
 */
#include "cache/key.h"

void
cache_key_hash(struct cache_key *k, const struct hash128 *sql_hash)
{
	/* Lengths go in, so that bytes cannot move from one field into the
	 * next without another hash. */
	const uint64_t fixed[4] = { k->scope, (uint64_t)k->form, k->types.n,
	    k->bind.n };
	struct hash128 h = sql_hash != NULL ? *sql_hash :
	    hash_bytes(k->sql.p, k->sql.n);

	h = hash_mix(h, hash_bytes(fixed, sizeof(fixed)));
	if (k->types.n > 0)
		h = hash_mix(h, hash_bytes(k->types.p, k->types.n));
	if (k->bind.n > 0)
		h = hash_mix(h, hash_bytes(k->bind.p, k->bind.n));
	k->hash = h;
}

bool
cache_key_eq(const struct cache_key *a, const struct cache_key *b)
{
	return hash_eq(a->hash, b->hash) && a->scope == b->scope &&
	    a->form == b->form && slice_eq(a->sql, b->sql) &&
	    slice_eq(a->bind, b->bind) && slice_eq(a->types, b->types);
}
