/* SPDX-License-Identifier: PostgreSQL
 *
 * Wishes of sessions: names and values.  Pure.
 */
#include "conf/wishes.h"

#include <strings.h>

#include "conf/units.h"

static const char *const wish_settings[WISH_COUNT] = {
#define CACHE_WISH(sym, setting, doc) setting,
#include "tbl/cache_wishes.h"
};

enum wish
wish_find(const char *name)
{
	enum wish i = 0;

	while (i < WISH_COUNT && strcasecmp(name, wish_settings[i]) != 0)
		i++;
	return i;
}

void
wishes_set(struct wishes *w, enum wish of, const char *value)
{
	/* What RESET leaves of a setting that nobody has declared. */
	bool empty = value != NULL && *value == '\0', on = false;

	if (of == WISH_CACHE) {
		w->off[of] = !empty && (value == NULL ||
		    !units_parse_bool(value, &on) || !on);
		return;
	}
	w->max_staleness = UINT64_MAX;
	w->off[of] = !empty && (value == NULL ||
	    !units_parse_time(value, &w->max_staleness) ||
	    w->max_staleness == 0);
}
