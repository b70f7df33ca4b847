/* SPDX-License-Identifier: PostgreSQL
 *
 * Identity of a cached result.  A key is borrowed slices plus their hash, so a
 * lookup copies nothing; what is stored is compared byte for byte on every hit.
 */
#ifndef PGSLUICE_CACHE_KEY_H
#define PGSLUICE_CACHE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/slice.h"

enum key_form { /* which replies the object holds */
	KEY_SIMPLE,        /* Query: RowDescription always */
	KEY_EXT_NODESC,    /* Execute without Describe */
	KEY_EXT_PORTAL,    /* Describe portal */
	KEY_EXT_STATEMENT  /* Describe statement (and no portal) */
};

struct cache_key {
	struct hash128 hash;
	uint64_t scope;      /* fingerprint id of pool and settings, conf generation mixed in */
	enum key_form form;
	struct slice sql;    /* client's statement text, see trailer.h */
	struct slice types;  /* parameter type OIDs, as in Parse */
	struct slice bind;   /* formats, values, result formats, as in Bind */
	struct slice name;   /* readable part of what Redis calls it, safe there;
	                        no part of the identity */
};

/* Fill hash from the fields; sql_hash is hash_bytes(sql) if already known,
 * else NULL. */
void cache_key_hash(struct cache_key *k, const struct hash128 *sql_hash);
bool cache_key_eq(const struct cache_key *a, const struct cache_key *b);

#endif
