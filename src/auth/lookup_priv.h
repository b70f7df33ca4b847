/* SPDX-License-Identifier: PostgreSQL
 *
 * Between the lookup*.c files: queue and threads, memory, connections.
 */
#ifndef PGSLUICE_AUTH_LOOKUP_PRIV_H
#define PGSLUICE_AUTH_LOOKUP_PRIV_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "auth/lookup.h"

#define LOOKUP_CONNS 4 /* connections a thread keeps */

/* One connection of one thread. */
struct lookup_conn {
	struct hash128 where; /* lookup.where */
	PGconn *conn;       /* NULL: none, or the last attempt failed */
	nsec_t used;
	nsec_t retry_at;    /* after a failure; error says which */
	char error[256];
};

struct lookup_conns {
	struct lookup_conn v[LOOKUP_CONNS];
	const atomic_bool *stopping;
};

/* ---- lookup_conn.c: on a lookup thread ---- */
/* Put the question; sets result, secret and error. */
void lookup_ask(struct lookup_conns *c, struct lookup *l);
/* Close those that rested since before. Returns how many are left. */
unsigned lookup_conns_close(struct lookup_conns *c, nsec_t before);

/* ---- lookup_cache.c: any thread ---- */
void lookup_remember(const struct lookup *l, nsec_t now);

#endif
