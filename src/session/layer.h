/* SPDX-License-Identifier: PostgreSQL
 *
 * The session layer's public face: what main and admin call.
 *
 * One struct session_worker per worker holds all that its sessions share:
 * configuration, users, TLS context, lexer, shapes, statements, L2.  It is
 * touched by that worker's thread only; new configurations arrive by mailbox.
 */
#ifndef PGSLUICE_SESSION_LAYER_H
#define PGSLUICE_SESSION_LAYER_H

#include <openssl/ssl.h>

#include "auth/hba.h"
#include "auth/userdb.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/htab.h"
#include "cache/hot.h"
#include "cache/l1.h"
#include "cache/l2.h"
#include "cache/worth.h"
#include "conf/conf.h"
#include "run/worker.h"
#include "sql/shape.h"

struct server;
struct session;
struct session_worker;

/* Everything a reload replaces, as one thing. */
struct session_setup {
	struct conf *conf;
	struct hba *hba;
	struct userdb *users;
	SSL_CTX *tls;        /* NULL: no TLS */
	char *redis_password; /* or NULL */
	SSL_CTX *redis_tls;   /* NULL: no TLS to Redis */
	struct l2_keys *redis_keys; /* NULL: entries are not sealed */
	char *http_token;     /* or NULL; not for workers */
};

/* What a user may do on the console; later ones may what earlier ones may. */
enum console_role {
	CONSOLE_ROLE_NONE,
#define CONSOLE_ROLE(sym, name, setting, doc) CONSOLE_ROLE_##sym,
#include "tbl/console_roles.h"
};

/* What the console is asked, on the session's worker. */
struct session_console_ops {
	/* A command arrived on a session of database "pgsluice". The callee
	 * must answer exactly once, now or later, with session_console_reply()
	 * on that worker. */
	void (*run)(struct worker *w, uint64_t session, const char *sql,
	    enum console_role role);
	/* RowDescription of a command's answer, all columns as text; nothing
	 * if it has no rows. false: there is no such command, and out is the
	 * ErrorResponse. */
	bool (*describe)(const char *sql, struct buf *out);
};

/* Once, before workers start. The setup's references are taken over. */
void session_layer_init(struct worker *const *workers, unsigned n,
    const struct session_setup *setup, struct l1 *l1,
    const struct session_console_ops *console);
void session_layer_fini(void); /* after workers have ended */
/* Control thread: hand a new setup to every worker (copies references). */
void session_layer_reload(const struct session_setup *setup);
void session_layer_tick(struct worker *w, nsec_t now);
struct l1 *session_layer_l1(void);
/* The i-th, counted around. Any thread. */
struct worker *session_layer_worker(unsigned i);

/* l1_wake_cb, to be given to l1_new() with the array of workers as its arg. */
void session_cache_wake(void *arg, struct l1_waiter w, struct object *obj);

/* ---- takeover: sessions that leave for another process, or come from one ---- */

enum stay_reason {
#define STAY_REASON(sym, name, doc) STAY_##sym,
#include "tbl/stay_reasons.h"
	STAY_REASON_COUNT
};
const char *session_stay_name(enum stay_reason why);

/* What the layer above does for it. */
struct session_abroad {
	/* Any thread: send a session on its way. Both are taken over. false:
	 * they went nowhere, and are closed and wiped. */
	bool (*move)(struct buf *bytes, int fd);
	/* Any thread: the cancel request that the other process asked for with
	 * this number is through. */
	void (*cancelled)(uint64_t request);
	/* A worker: ask the other process for a cancel. false: there is none. */
	bool (*cancel)(uint64_t request, uint32_t pid, const char *key,
	    size_t n);
};
/* Once, before workers start. */
void session_abroad_init(const struct session_abroad *a);

struct session_moves {
	uint64_t left, came, refused;
	uint64_t closed[STAY_REASON_COUNT]; /* as they could not leave */
};
struct session_moves session_moves(void); /* any thread */

/* On the worker's thread: another process, by another configuration or of another
 * program, is about to serve, or will not. Two such processes may tell results
 * apart by different columns, so that what a write ends for one is not all that
 * it ends for the other.  From now on nothing is answered from the cache here,
 * and writes end all results. */
void session_yield(struct worker *w, bool on);
/* Any thread: copies of results in memory that were hit go to send() for the
 * process that takes over, as cache/warm.h says, up to so many bytes, within a
 * second. c: what is in force, with references. false of send(): no more.
 * Returns how many. */
size_t session_leave_results(struct conf *c, size_t limit,
    bool (*send)(void *arg, const struct buf *b), void *arg);
/* On the worker's thread: from now on sessions leave as soon as they can. */
void session_move_all(struct worker *w);
/* Any thread: a session that has come is w's. Both are taken over. false: it is
 * not understood. */
bool session_adopt(struct worker *w, int fd, struct buf *bytes)
    PG_MUST_CHECK;
/* Any thread: the other process wants this key's statement cancelled;
 * abroad.cancelled() tells when that is through, perhaps at once. */
void session_cancel_for(uint64_t request, uint32_t pid, const char *key,
    size_t n);
/* Any thread: a request of ours is through. */
void session_cancel_through(uint64_t request);
/* Any thread: no answer to those still open will come. */
void session_cancels_lost(void);

/* ---- clients ----------------------------------------------------------------- */

/* listener_accept_cb */
void session_accept(struct worker *w, int fd, const char *peer);

/* Is this statement still waited for? */
enum console_wait {
	CONSOLE_WAIT_OVER,      /* the session is gone */
	CONSOLE_WAIT_ON,
	CONSOLE_WAIT_CANCELLED, /* the client asked for its end: answer 57014 */
};
enum console_wait session_console_wait(struct worker *w, uint64_t session);
/* Complete reply to a console statement: messages without ReadyForQuery, which
 * is added. Ignored if the session is gone. */
void session_console_reply(struct worker *w, uint64_t session,
    const struct buf *messages);

enum session_drain {
	DRAIN_CONSOLE, /* close the console's sessions; clients stay */
	DRAIN_IDLE,    /* close idle sessions (57P01), busy ones when their
	                  transaction ends; take no new ones */
	DRAIN_NOW      /* close all at once */
};
/* On the worker's thread. */
void session_drain(struct worker *w, enum session_drain how);
/* Symbol of a close reason, in which order metrics.closes counts them; NULL:
 * there is none of that number. */
const char *session_close_reason(unsigned reason);
/* Clients connected, all workers. */
unsigned session_count(void);

struct session_info {
	uint64_t id;
	const char *user, *database, *peer, *app_name, *state;
	const char *backend; /* of the server held, or "" */
	int server_pid;      /* or 0 */
	const char *pin;     /* reason, or "" */
	char tx;
	bool console;
	bool login;          /* not yet logged in */
	bool active;         /* not waiting for its client */
	int fd;
	const SSL *tls;      /* or NULL */
	nsec_t connected_for, in_state_for;
	nsec_t asked_for;    /* since its last statement came */
	nsec_t waited_for;   /* for a server; 0: it does not wait */
	size_t kept;         /* bytes of it that wait to be acted on */
	size_t unsent;       /* bytes that it has not taken */
	uint64_t queries;
	size_t prepared, prepared_bytes;
};
/* All sessions of w, on its thread. */
void session_each(struct worker *w,
    void (*fn)(const struct session_info *i, void *arg), void *arg);
/* KILL: false if there is none of that id. On the worker's thread. */
bool session_kill(struct worker *w, uint64_t id);
/* The same for all of a database; NULL: of all, the console's excepted. */
void session_kill_database(struct worker *w, const char *database);
/* This worker's L2 (NULL: off), shapes; on its thread. l2_stats() may be read from any. */
struct l2 *session_l2(struct worker *w);
const struct shape_table *session_shapes(struct worker *w);
const struct worth *session_worth(struct worker *w);
const struct hot *session_hot(struct worker *w);
struct census *session_census(struct worker *w);
const struct conf *session_conf(struct worker *w);
const struct userdb *session_users(struct worker *w);
/* Id of the session that has leased the server, on its worker; or 0. */
uint64_t session_of_server(const struct server *s);
/* Texts that clients of w have prepared, each once, on w's thread. refs: names
 * that mean it. */
struct statement_info {
	struct hash128 hash;
	struct slice sql;
	unsigned refs;
	size_t bytes;
};
void session_each_statement(struct worker *w,
    void (*fn)(const struct statement_info *i, void *arg), void *arg);
/* Statements that a rule of their own would have cached, as this worker has
 * seen them. On w's thread. */
struct ghost_shape;
void session_each_candidate(struct worker *w,
    void (*fn)(const struct ghost_shape *s, void *arg), void *arg);
/* End what depends on these tags, in L1 and L2, as a write does. On a worker's
 * thread. */
void session_invalidate(struct worker *w, const tag_t *tags, unsigned n);
/* FLUSH CACHE: L1 is emptied and L2 invalidated. On a worker's thread. */
void session_flush_cache(struct worker *w);

#endif
