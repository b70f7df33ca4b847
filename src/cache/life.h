/* SPDX-License-Identifier: PostgreSQL
 *
 * How long a result lives: from what its rule says and when it was fetched to
 * the moments at which something changes.
 *
 *   fetched ---- renew ---- l1_until ---- grace_until ---- stale_until
 *           hits       hits,         hits while it   hits where no server
 *                      one renews    is fetched      can be had
 *
 * Jitter only ever shortens a life, so that results that were fetched at the
 * same time do not end at the same time.  Pure.
 */
#ifndef PGSLUICE_CACHE_LIFE_H
#define PGSLUICE_CACHE_LIFE_H

#include <stdint.h>

#include "base/clock.h"

struct life_rule {
	nsec_t ttl, l1_ttl, grace, stale;
	unsigned jitter; /* percent of a life that may be cut off */
	unsigned ahead;  /* percent of a life in which it is renewed; 0: not */
};

struct life {
	nsec_t ttl;         /* of the result, wherever it is kept */
	nsec_t l1_until;    /* mono, as those that follow */
	nsec_t grace_until, stale_until;
	nsec_t renew_from;  /* 0: never */
};

/* dice: of 2^32, evenly. */
struct life life_reckon(const struct life_rule *r, nsec_t fetched,
    uint32_t dice);
/* The same rule for a result without rows. */
struct life_rule life_of_nothing(const struct life_rule *r,
    nsec_t ttl_empty);

/* It is over when this is left of it, at the latest; grace and all. */
void life_end(struct life *l, nsec_t fetched, nsec_t left);

#endif
