/* SPDX-License-Identifier: PostgreSQL
 *
 * What a statement says to the cache in the comment it begins with:
 *
 *     (comment) pgsluice: ttl=60s nocache (end)
 *
 * Words are separated by blanks.  Pure.  What is not understood is told and
 * counts for nothing.
 */
#ifndef PGSLUICE_ROUTE_HINT_H
#define PGSLUICE_ROUTE_HINT_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/slice.h"

struct hint {
	bool there;
	bool nocache;     /* past the cache */
	nsec_t ttl;       /* UINT64_MAX: not said */
	struct slice bad; /* the first word that is not understood; or empty */
};

/* Other comments and blanks may stand before it. */
void hint_read(struct slice sql, struct hint *out);

#endif
