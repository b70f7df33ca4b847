/* SPDX-License-Identifier: PostgreSQL
 *
 * The connection by which Redis tells this process of changed names: one for
 * the process, on one worker's loop.
 */
#ifndef PGSLUICE_CACHE_L2_TRACK_H
#define PGSLUICE_CACHE_L2_TRACK_H

#include "cache/l2.h"

struct l2_track;

/* As l2_new(). */
struct l2_track *l2_track_new(struct event_base *base,
    const struct l2_options *o) PG_MUST_CHECK;
/* As l2_set_tls(). */
void l2_track_set_tls(struct l2_track *t, SSL_CTX *tls);
void l2_track_free(struct l2_track **t);

struct l2_track_stats {
	bool wanted;     /* there is such a connection, or is to be */
	bool on;
	bool refused;    /* by Redis: too old, or not permitted */
	char why[128];   /* ... in its words */
	uint64_t told, dropped, epochs;
};
/* Any thread. */
void l2_track_stats(struct l2_track_stats *st);

#endif
