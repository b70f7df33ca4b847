/* SPDX-License-Identifier: PostgreSQL
 *
 * Pools: the servers of one (backend, user, startup class), process-wide.
 *
 * The limit counts servers of all workers, connecting ones included.  An idle
 * server stays on the worker that used it last; when a session of another
 * worker has waited longest, the server is handed over through the mailbox.
 * Waiters are one FIFO per pool.  One short lock per pool, never held over I/O
 * or a callback; the table of pools has a lock of its own, taken first.
 */
#ifndef PGSLUICE_BACKEND_POOL_H
#define PGSLUICE_BACKEND_POOL_H

#include <sys/queue.h>

#include "backend/credentials.h"
#include "backend/scope.h"
#include "backend/server.h"
#include "conf/conf.h"

/* What a client needs to be told at login; immutable, counted. */
struct welcome {
	atomic_uint refs;
	const struct scope *scope; /* of the server it was read from */
	size_t n;                  /* bytes of ParameterStatus messages */
	char messages[];
};
void welcome_unref(struct welcome **w);

/* Who is waiting; embedded in the session. */
struct pool_waiter {
	TAILQ_ENTRY(pool_waiter) link;
	struct worker *w;
	uint64_t session;
	nsec_t since;
	/* While true, no server for it; may be NULL. See pool_rehold(). */
	const atomic_bool *hold;
	/* under the pool's lock */
	bool queued;
	bool held; /* ... among those that are held */
};

/* Why there is no server, for the client. */
struct pool_error {
	char sqlstate[6];
	bool refused; /* the server's own words: it does not want this session */
	char text[200];
};

/* Called on the waiter's worker. granted: the server is IDLE and belongs to
 * that worker; the callee leases it or puts it back with pool_put(). failed:
 * no server can be had. */
struct pool_callbacks {
	void (*granted)(struct worker *w, uint64_t session, struct server *s);
	void (*failed)(struct worker *w, uint64_t session,
	    const struct pool_error *why);
};

/* Once, before workers start. workers: all of them. */
void pool_init(struct worker *const *workers, unsigned n,
    const struct pool_callbacks *cb);
void pool_fini(void); /* after the workers have ended */
/* A configuration took effect: new limits and times; servers of changed
 * backends are replaced as they become idle. */
void pool_configure(struct conf *c);

/* startup: "name\0value\0..." of settings to give at connect, sorted by name,
 * startup_len bytes. with may be empty (conninfo or passfile has the password, or
 * none is needed). Returns a reference, or NULL if there are too many pools. */
struct pool *pool_get(const struct conf_backend *b, const char *user,
    const struct credentials *with, const char *startup, size_t startup_len)
    PG_MUST_CHECK;
struct pool *pool_ref(struct pool *p);
void pool_unref(struct pool **p);

enum lease_result { LEASE_GOT, LEASE_WAIT, LEASE_FAILED };
/* Get a server for the session named in wt (w, session set by the caller).
 * GOT: *out is IDLE, ours. WAIT: queued; a callback will come. FAILED: *why
 * is set. */
enum lease_result pool_lease(struct pool *p, struct pool_waiter *wt,
    nsec_t now, struct server **out, struct pool_error *why)
    PG_MUST_CHECK;
/* The same without waiting: an IDLE server, ours, or NULL, and then one is
 * fetched from another worker or connected for the next try, where there may be
 * one more. spare: only if a quarter of the pool, and at least one server, is
 * left to others; of a pool of one there is never any. */
struct server *pool_try(struct pool *p, const struct pool_waiter *wt,
    bool spare, nsec_t now) PG_MUST_CHECK;
/* Leave the queue. false: already granted or failed; the callback is on its
 * way and must find that the session no longer waits. */
bool pool_leave(struct pool *p, struct pool_waiter *wt);

/* Give an IDLE server back (to the first waiter, or to rest). */
void pool_put(struct pool *p, struct server *s);
/* From server_close() only: account for its end. */
void pool_remove(struct pool *p, struct server *s);

/* false: the pool has moved on (new conninfo, RECONNECT) since s connected. */
bool pool_fits(struct pool *p, const struct server *s);

/* Statement contents that some server of the pool has parsed without error:
 * a Parse of one can be answered without a server. Bounded, least
 * recently asked for first out. */
void pool_know(struct pool *p, struct hash128 content);
bool pool_knows(struct pool *p, struct hash128 content);

/* Something asks for values of sequences that were made before it; has anything
 * in this pool? */
void pool_note_sequences(struct pool *p);
bool pool_asks_sequences(const struct pool *p);

/* From server.c only: a server enters or leaves a state that is shown. */
void pool_count(struct pool *p, enum server_state st, int by);
/* A client has made the pool its home, or gives it up. */
void pool_settle(struct pool *p, int by);
/* The servers of earlier epochs are to be replaced. */
bool pool_is_outdated(struct pool *p, const struct server *s);

const char *pool_backend_name(const struct pool *p);
const char *pool_user(const struct pool *p);
/* The scope of the pool's newest server (NULL: none has connected yet, or no
 * scope), and what to tell clients (with a reference; NULL: not yet known). */
const struct scope *pool_scope(struct pool *p);
struct welcome *pool_welcome(struct pool *p) PG_MUST_CHECK;

/* ---- pool_all.c: what concerns many pools; any thread ---- */
/* No server is granted any more, or again. false: that was so already. */
bool pool_pause_all(bool paused);
bool pool_paused(void);
/* Some waiter's hold has changed: look at all of them. Those that were held
 * come before those that came later. */
void pool_rehold(void);
/* Is a grant to this waiter still right? On the waiter's worker. */
bool pool_may_serve(const struct pool_waiter *wt);
/* Every server of pools whose backend fits is closed as soon as it is idle;
 * fits NULL: of all pools. */
typedef bool pool_fits_cb(const char *backend, void *arg);
void pool_reconnect(pool_fits_cb *fits, void *arg);
/* Close those idle ones of w that are to be closed, now. On w's thread. */
void pool_close_outdated(struct worker *w);

/* About once a second on each worker: idle and lifetime limits, minimum size,
 * retries after back-off. */
void pool_tick(struct worker *w, nsec_t now);

struct pool_info {
	const char *backend, *user;
	int64_t limit;
	unsigned total, idle, connecting, waiting;
	nsec_t longest_wait;
	bool paused;
	const char *last_error; /* "" when the last attempt went well */
	unsigned outdated; /* of total: to be replaced */
	unsigned cleaning; /* of total: between two clients */
	unsigned draining; /* of total: whose client has gone */
	unsigned clients;  /* at home here */
};
/* Any thread. */
void pool_each(void (*fn)(const struct pool_info *i, void *arg), void *arg);
/* Whether any pool of this backend has a live server or has not failed lately. */
bool pool_backend_ok(const char *backend);

#endif
