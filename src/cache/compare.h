/* SPDX-License-Identifier: PostgreSQL
 *
 * Is what a server says now what an object holds?  Pure.
 */
#ifndef PGSLUICE_CACHE_COMPARE_H
#define PGSLUICE_CACHE_COMPARE_H

#include "cache/object.h"

enum compare {
	COMPARE_SAME,      /* byte for byte */
	COMPARE_REORDERED, /* the same rows in another order */
	COMPARE_DIFFERENT,
	COMPARE_UNUSABLE   /* not one complete good result */
};

/* reply: to the same statement, from its first message to ReadyForQuery. */
enum compare compare_reply(const struct object *o, const char *reply,
    size_t n) PG_MUST_CHECK;

#endif
