/* SPDX-License-Identifier: PostgreSQL
 *
 * Sets of settings and their values: what a session has set, what a server
 * stands at, what a client was told.
 *
 * Interned: equal sets are one object, so that a session and a server are
 * compared by one look at two pointers.  Immutable, counted, sorted by name.
 * The empty set is NULL.  Any thread; the lock is taken when a set is made or
 * dies, never on the path of a statement that sets nothing.
 */
#ifndef PGSLUICE_BACKEND_VARS_H
#define PGSLUICE_BACKEND_VARS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/htab.h"

#define VARS_MAX 64           /* in one set */
#define VARS_BYTES (16 * 1024) /* names and values of one set */

struct var {
	const char *name;  /* in lower case, unless it is a server's report */
	const char *value; /* NULL in a change: the name goes */
};

struct vars {
	atomic_uint refs;
	struct htab_node node;
	struct hash128 hash;
	/* Of those that are not harmless; {0, 0}: none. */
	struct hash128 shaping;
	size_t n;
	struct var var[]; /* their text stands behind */
};

/* v may be NULL, which is returned. */
struct vars *vars_ref(struct vars *v);
void vars_unref(struct vars **v);
/* Replace *v by the set with n changes made in order; the reference to the old one goes.
 * false: the new one would be too large, and *v stays. */
bool vars_change(struct vars **v, const struct var *changes, size_t n)
    PG_MUST_CHECK;
/* The value of a name; NULL: it is not in the set. */
const char *vars_get(const struct vars *v, const char *name);
/* Every name of b is in a. */
bool vars_covers(const struct vars *a, const struct vars *b);
/* In tbl/harmless_settings.h or tbl/cache_wishes.h. */
bool vars_is_harmless(const char *name);

#endif
