/* SPDX-License-Identifier: PostgreSQL
 *
 * A statement that is asked on the side of its session, which waits for nothing.
 *
 *   queued --> asked --> answered: the reply as it comes, then how long it took
 *       \         \----> lost, or late
 *        \-----> dropped: too many wait, or there is no server soon
 *
 * A server is used that rests in the session's pool, or is connected for it where
 * there is room; a waiting session goes first, unless the queue waits as they do.
 * Several can be asked as one transaction.  A queue has room for so many, of which
 * so many are asked at once; one that spares leaves part of the pool to clients.
 * Runs on the session's worker; outlives the session.
 */
#ifndef PGSLUICE_SESSION_ASIDE_H
#define PGSLUICE_SESSION_ASIDE_H

#include <sys/queue.h>

#include "base/check.h"
#include "base/clock.h"
#include "cache/key.h"

struct pool;
struct server;
struct session;
struct worker;
struct session_worker;

#define ASIDE_TEXT_MAX (64 * 1024) /* statement and values */

enum aside_end {
	ASIDE_ANSWERED, /* to ReadyForQuery, maybe with an error */
	ASIDE_LOST,     /* server lost, late, or its settings have changed */
	ASIDE_DROPPED,
	ASIDE_STOPPED   /* the worker ends */
};

struct aside;

struct aside_ops {
	/* Its turn: is it still wanted? NULL: always. */
	bool (*wanted)(void *owner);
	/* Messages of the answer, cut anywhere between and inside rows. */
	void (*answer)(void *owner, const char *p, size_t n);
	/* An ErrorResponse. */
	void (*error)(void *owner, const char *body, size_t n);
	/* The last that is heard of it. took: since it was sent; 0: it was not. */
	void (*end)(void *owner, enum aside_end how, nsec_t took);
};

struct aside_queue {
	struct session_worker *sw;
	TAILQ_HEAD(asides, aside) waiting, asked;
	unsigned n, n_asked;        /* all of them; those that are asked */
	unsigned max, max_asked;
	bool spares;                /* see pool_try() */
	bool waits;                 /* for servers as sessions do, in the same
	                               queues; for as long as it takes */
	struct aside *leasing;      /* it waits for a pool; or NULL */
};

void aside_queue_init(struct aside_queue *q, struct session_worker *sw,
    unsigned max, unsigned max_asked);

/* What to ask: sql is the physical text for the pool's backend; types and bind as
 * in a cache key of that form.  All is copied.  NULL: longer than max bytes, or
 * what the session's servers are set to is not known. */
struct aside *aside_new(struct session *s, struct pool *pool,
    enum key_form form, struct slice sql, struct slice types,
    struct slice bind, size_t max) PG_MUST_CHECK;
/* Ask it behind a, of the same pool, all in one transaction of the server: the answer
 * is all their answers, then that to COMMIT. Takes next over. */
void aside_chain(struct aside *a, struct aside *next);
struct pool *aside_pool(const struct aside *a);
size_t aside_size(const struct aside *a); /* bytes of statement and values */
/* The same again, of one that was not submitted. */
struct aside *aside_dup(const struct aside *a) PG_MUST_CHECK;
void aside_free(struct aside **a); /* one that was not submitted */
/* Takes it over. end() may be called before this returns. */
void aside_submit(struct aside_queue *q, struct aside *a,
    const struct aside_ops *ops, void *owner);
/* Often: time limits, those that wait. */
void aside_tick(struct aside_queue *q, nsec_t now);
/* End all. */
void aside_stop(struct aside_queue *q);

/* What pools tell those that wait: false, if this is none of ours. */
bool aside_granted(struct worker *w, uint64_t id, struct server *srv);
bool aside_lease_failed(struct worker *w, uint64_t id);

#endif
