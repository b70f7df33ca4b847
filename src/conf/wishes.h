/* SPDX-License-Identifier: PostgreSQL
 *
 * What a session wants of the cache, by the settings in tbl/cache_wishes.h.
 *
 * They can only make less use of it: whatever is not understood keeps the
 * session away from the cache.  Pure.
 */
#ifndef PGSLUICE_CONF_WISHES_H
#define PGSLUICE_CONF_WISHES_H

#include <stdbool.h>

#include "base/clock.h"

enum wish {
#define CACHE_WISH(sym, setting, doc) WISH_##sym,
#include "tbl/cache_wishes.h"
	WISH_COUNT
};

struct wishes {
	bool off[WISH_COUNT]; /* that setting keeps it away from the cache */
	nsec_t max_staleness; /* older objects are not for it; UINT64_MAX: any */
};
#define WISHES_NONE ((struct wishes){ .max_staleness = UINT64_MAX })

/* The setting of this name, whatever its case; WISH_COUNT: none. */
enum wish wish_find(const char *name);
/* It has this value; NULL: an unknown one. */
void wishes_set(struct wishes *w, enum wish of, const char *value);
static inline bool
wishes_off(const struct wishes *w)
{
	return w->off[WISH_CACHE] || w->off[WISH_MAX_STALENESS];
}

#endif
