/* SPDX-License-Identifier: PostgreSQL
 *
 * Limits over many pools: servers of one backend, servers logged in as one
 * user.
 *
 * Each pool is under one limit of each kind.  A limit with no maximum only
 * counts.  Whoever finds no room says since when its first waiter has waited;
 * while that stands, the limit is short, and idle servers of others are to go.
 * Looking up and forgetting happens under the lock of the table of pools; all
 * else is atomic, from any thread.
 */
#ifndef PGSLUICE_BACKEND_LIMIT_H
#define PGSLUICE_BACKEND_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/check.h"
#include "base/clock.h"

enum limit_kind {
	LIMIT_BACKEND, /* max_db_connections */
	LIMIT_USER,    /* max_user_connections */
	LIMIT_KINDS
};

struct limit {
	TAILQ_ENTRY(limit) link;
	enum limit_kind kind;
	unsigned refs;
	_Atomic int64_t max;   /* servers; 0: no maximum */
	atomic_int used;       /* servers, connecting ones included */
	atomic_int leaving;    /* of these: about to be closed */
	_Atomic nsec_t short_since; /* see limits_short_since() */
	char name[];
};

/* The limits that a pool is under, one of each kind. */
struct limits {
	struct limit *of[LIMIT_KINDS];
};

/* Under the table's lock: find or make; each needs a limit_put(). */
struct limit *limit_get(enum limit_kind kind, const char *name);
void limit_put(struct limit **l);

/* Count one more server. false: there is no room under one of them, which is
 * noted to be short for a waiter of since. */
bool limits_take(const struct limits *l, nsec_t since) PG_MUST_CHECK;
/* One server less. true: one of the limits is short; see pool_room_post(). */
bool limits_give(const struct limits *l) PG_MUST_CHECK;
/* A server will be given soon, or has been: by is 1 or -1. */
void limits_leave(const struct limits *l, int by);
/* More servers than there may be, those about to leave aside. */
bool limits_over(const struct limits *l);
/* Since when the first waiter that found no room has waited; 0: nobody did, as
 * far as is known: who has left since may still be counted. */
nsec_t limits_short_since(const struct limits *l);
void limits_clear_short(const struct limits *l);
/* There is no room for another server now. */
bool limits_full(const struct limits *l);
/* A limit without room that both are under. */
bool limits_share_full(const struct limits *a, const struct limits *b);

#endif
