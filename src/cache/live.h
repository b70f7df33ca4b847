/* SPDX-License-Identifier: PostgreSQL
 *
 * Until when those who watch servers vouch for what was read from them.
 *
 * A result may depend on several watchers; it may be served while all of them
 * vouch.  The layer above makes both structs and keeps them for as long as
 * there are objects.  Any thread reads, the watcher writes.
 */
#ifndef PGSLUICE_CACHE_LIVE_H
#define PGSLUICE_CACHE_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/planted.h"

struct live {
	_Atomic nsec_t until; /* mono; 0: not now */
};

struct live_set {
	unsigned n;
	const struct live *v[];
};

/* NULL: nobody has to vouch. */
static inline bool
live_now(const struct live_set *s, nsec_t now)
{
	unsigned i;

	if (PLANTED(STALE_FEED_SERVED))
		return true;
	for (i = 0; s != NULL && i < s->n; i++)
		if (now >= atomic_load_explicit(&s->v[i]->until,
		    memory_order_acquire))
			return false;
	return true;
}

#endif
