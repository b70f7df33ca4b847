/* SPDX-License-Identifier: PostgreSQL
 *
 * One pool and the table of them: for the pool_*.c files only.
 */
#ifndef PGSLUICE_BACKEND_POOL_PRIV_H
#define PGSLUICE_BACKEND_POOL_PRIV_H

#include "backend/limit.h"
#include "backend/pool.h"

TAILQ_HEAD(idle_list, server);

struct pool {
	uint32_t magic;
#define POOL_MAGIC 0x9001a3c5u
	atomic_uint refs;
	TAILQ_ENTRY(pool) link; /* in the table */
	char *backend, *user, *startup;
	struct credentials with;
	size_t startup_len;
	char *identity;         /* for scopes */
	struct limits limits;   /* those of other pools too */
	_Atomic(const struct scope *) scope;
	atomic_int states[SERVER_STATE_COUNT]; /* servers by state, those between
	                                          use and rest only */
	atomic_int clients;
	atomic_bool sequences;  /* something has asked for values of sequences */

	pthread_mutex_t lock;   /* guards all below */
	char *conninfo;
	uint64_t epoch;
	int64_t limit, reserve; /* servers; more if waits are long */
	unsigned total, connecting, idle_count;
	unsigned leaving;       /* of total: a worker is about to close them */
	struct idle_list *idle; /* per worker */
	TAILQ_HEAD(waiter_list, pool_waiter) waiters;
	struct waiter_list held; /* whose database is held */
	unsigned waiting, held_count;
	unsigned outdated;      /* servers of earlier epochs, connecting ones
	                           included */
	struct welcome *welcome;
	unsigned failures;
	nsec_t retry_at;
	char error[160];        /* of the last attempt; "": it went well */
	struct pool_error told; /* ... as waiters were told */
	nsec_t last_used;       /* a session asked for a server */
	nsec_t served;          /* ... and got one; 0: not since the last epoch
	                           began */
	struct prepared known;  /* contents that were parsed without error */
};

struct pool_table {
	pthread_mutex_t lock;
	TAILQ_HEAD(, pool) pools;
	unsigned count;
	struct worker *const *workers;
	unsigned n_workers;
	struct pool_callbacks cb;
	struct conf *conf;      /* limits of new pools; under the lock */
	atomic_bool room_posted; /* see pool_room_post() */
	atomic_bool paused;
	/* times of the current configuration */
	_Atomic int64_t pool_size, min_size;
	_Atomic nsec_t reserve_timeout;
	_Atomic nsec_t idle_timeout, lifetime, connect_timeout, login_retry;
};

extern struct pool_table pool_table;

/* ---- pool.c ---- */
/* Take the first waiter out; under the lock. NULL: nobody waits. */
struct pool_waiter *pool_pop_waiter(struct pool *p);
/* Tell a waiting session that there will be no server. Any thread. */
void pool_fail(struct worker *w, uint64_t session,
    const struct pool_error *why);
/* Close the idle servers of w that have outstayed. On w's thread. */
void pool_close_outstayed(struct pool *p, struct worker *w, nsec_t now);
/* Ask a worker to hand one of its idle servers to the first waiter. */
void pool_steal(struct pool *p, unsigned from);

/* Under the lock: a server is to be closed by its worker. */
void pool_part(struct pool *p, struct server *s);

/* ---- pool_room.c ---- */
/* Under the lock: count one more server for whoever has waited since then.
 * false: there is no room. in_turn: those who waited longer have been asked. */
bool pool_take_room(struct pool *p, nsec_t since, bool in_turn) PG_MUST_CHECK;
/* Under the lock: one server less. */
void pool_give_room(struct pool *p);
/* Under the lock: a server that comes to rest has to make room for others. */
bool pool_must_yield(const struct pool *p, nsec_t now);
/* Upkeep, on one worker: look again while somebody finds no room. */
void pool_room_tick(struct pool *const *pools, unsigned n);

/* ---- pool_all.c ---- */
/* Under the lock: what is connected so far is to be replaced. */
void pool_outdate(struct pool *p);
/* Under the lock: account for the end of a server of this epoch. */
void pool_ended(struct pool *p, uint64_t epoch);
/* Its database is not held. */
bool pool_serves(const struct pool_waiter *wt);

/* ---- pool_connect.c ---- */
/* Under the lock: start as many connections as waiters call for. in_turn: see
 * pool_take_room(). */
void pool_grow(struct pool *p, nsec_t now, bool in_turn);
/* Under the lock, which has counted the server already: start one. */
void pool_connect(struct pool *p, struct worker *w);

/* ---- pool_table.c ---- */
/* References to all pools, to be walked without the table's lock; free the
 * array after the last unref. */
struct pool **pool_snapshot(unsigned *n) PG_MUST_CHECK;
/* Forget pools that nobody has used for FORGET_AFTER. */
void pool_forget_unused(nsec_t now);

/* Pools remember what clients are told, and how often connecting failed. */
#define FORGET_AFTER (60 * NSEC_PER_SEC)

#endif
