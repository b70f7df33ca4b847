/* SPDX-License-Identifier: PostgreSQL
 *
 * One connection to a backend, after libpq has logged in.
 *
 *   connector --> IDLE <--> LEASED --> RESETTING --> IDLE
 *                             |  \--> COOLING (a cancel is under way) --> IDLE
 *                             \-----> DRAINING (client gone) --> closed
 *
 * server_take_over() and server_close() hold all that is known about using
 * libpq's socket and TLS handle behind its back: the PGconn outlives every use
 * of them, and no PQ function that does I/O is called in between.
 *
 * A server belongs to one worker at a time and is touched by that worker only.
 */
#ifndef PGSLUICE_BACKEND_SERVER_H
#define PGSLUICE_BACKEND_SERVER_H

#include <libpq-fe.h>

#include "backend/ledger.h"
#include "backend/prepared.h"
#include "backend/scope.h"
#include "backend/vars.h"
#include "net/stream.h"

struct pool;
struct server;

enum server_state {
#define SERVER_STATE(sym, name) SERVER_##sym,
#include "tbl/server_states.h"
	SERVER_STATE_COUNT
};
const char *server_state_name(enum server_state st);

/* What became of a message that gives or takes a name, see LEDGER_NAME. */
enum named { NAMED_DONE, NAMED_REFUSED, NAMED_SKIPPED };

/* What the lessee is told. Callbacks may release, abandon or discard the
 * server; its memory stays until the end of the turn. */
struct server_ops {
	/* Bytes for the client, in order, whole or parts of messages. */
	void (*forward)(void *lessee, const char *p, size_t n);
	/* CommandComplete with this tag was seen (before it is forwarded);
	 * hidden: the client did not ask. */
	void (*completed)(void *lessee, const char *tag, bool hidden);
	/* ErrorResponse. true: the lessee has sent another one instead. */
	bool (*failed)(void *lessee, const char *body, size_t n, bool own);
	/* The same, asked before anything else: true: nothing of this or of
	 * the ReadyForQuery behind it is for the client, since the lessee
	 * will send the unit again then. */
	bool (*mend)(void *lessee, const char *body, size_t n);
	/* The oldest of what was entered with LEDGER_NAME was answered, or never
	 * will be. */
	void (*named)(void *lessee, enum named how);
	/* DataRow of a query that the client did not send. */
	void (*row)(void *lessee, const char *body, size_t n);
	/* CopyInResponse was seen. */
	void (*copy_in)(void *lessee);
	/* NotificationResponse. false: not for the client. */
	bool (*notification)(void *lessee, const char *body, size_t n);
	/* ParameterStatus. false: not for the client. */
	bool (*parameter)(void *lessee, const char *name, const char *value);
	/* What came before one that was not has been handed on: the lessee may
	 * say something in its place. */
	void (*parameter_own)(void *lessee);
	/* ReadyForQuery, before it is forwarded. */
	void (*synced)(void *lessee, char status);
	/* ReadyForQuery was forwarded and nothing more is owed. */
	void (*ready)(void *lessee, char status);
	/* Nothing more is owed, though no Sync was sent. */
	void (*quiet)(void *lessee);
	/* A cancel request is through. */
	void (*cancelled)(void *lessee);
	/* The connection is gone; the server is no longer the lessee's. */
	void (*lost)(void *lessee, const char *why);
	/* What was kept for sending has left. */
	void (*drained)(void *lessee);
};

/* On its way to a session that waits: it carries its own message, since this
 * happens to every statement of a busy pool. */
struct server_grant {
	struct message m;     /* to another worker, or */
	struct deferred here; /* on the same one: at the end of this turn */
	uint64_t session;
};

/* Something to settle when an abandoned server's fate is known. */
struct server_orphan {
	void (*settled)(struct server_orphan *o, struct worker *w);
};

struct server {
	uint32_t magic;
#define SERVER_MAGIC 0x5e24e201u
	enum server_state state;
	struct pool *pool;
	struct worker *w;
	TAILQ_ENTRY(server) idle_link; /* in the pool's idle list of w */
	TAILQ_ENTRY(server) all_link;  /* in the list of w */
	PGconn *conn;
	PGcancel *cancel;
	struct stream st;
	struct buf in;       /* partial message */
	size_t need;         /* bytes the partial message has in all */
	size_t body_left;    /* of a bulk message being streamed */
	bool body_pass;
	bool ready;          /* nothing owed, ReadyForQuery seen in this read */
	bool leaving;        /* pool.leaving counts it; under the pool's lock */
	bool tentative;      /* what has been handed on of the unit under way can
	                        be taken back, see server_ops.mend */
	bool doomed;         /* close instead of going back to the pool */
	bool goodbye;        /* it has told its lessee that it ends */
	bool settings_changed; /* ParameterStatus while nobody had set anything */
	char tx;             /* I, T or E as last told */
	unsigned cancels;    /* cancel requests under way */
	bool cancel_later;   /* one is to be sent, see server_cancel() */
	int pid;
	uint64_t epoch;      /* of the pool's conninfo */
	uint64_t instance;   /* when its postmaster started; 0: not known */
	nsec_t born, used;   /* connected; last returned */
	uint64_t leases;
	const struct scope *scope; /* may be NULL: never cache */
	struct ledger owed;
	struct prepared prepared;
	unsigned group;      /* Syncs entered: see prepared_state() */
	bool parse_safe;     /* what is sent now can be neither skipped nor, if
	                        it is good, refused */
	struct hash128 unnamed; /* content of the unnamed statement */
	bool has_unnamed;
	bool replaying;         /* the query that sets vars has not been answered */
	uint64_t sequences_of;  /* whose values of sequences it
	                           remembers, see sequence.c; 0: nobody's */
	struct vars *vars;      /* what sessions have set since it was born */
	char *app_name;         /* application_name now, or NULL: not known */
	char *app_born;         /* ... and where RESET leads */
	const struct server_ops *ops;
	void *lessee;
	struct server_orphan *orphan;
	nsec_t deadline;     /* DRAINING, RESETTING: give up then */
	struct server_grant grant; /* while IDLE and in no list of idle ones */
	struct deferred reclaim;
};

/* Make a server of a logged-in connection; attached to w, reading. */
struct server *server_take_over(struct pool *pool, struct worker *w,
    PGconn *conn, const struct scope *scope) PG_MUST_CHECK;

/* Move between workers; only while IDLE and silent. */
void server_detach(struct server *s);
void server_attach(struct server *s, struct worker *w);

void server_lease(struct server *s, const struct server_ops *ops,
    void *lessee);
/* Enter a reply in the ledger. false: the ledger is full; close. */
bool server_owe(struct server *s, enum owed kind, unsigned flags,
    struct hash128 hash) PG_MUST_CHECK;
/* For a message that names a statement: under the client's name for it. */
bool server_owe_named(struct server *s, enum owed kind, struct slice name)
    PG_MUST_CHECK;
/* For a message made to fail: failed() will find error, a whole ErrorResponse, in
 * owed.failed_text. */
bool server_owe_failure(struct server *s, enum owed kind, struct slice error)
    PG_MUST_CHECK;
/* A reply of our own, in its place among those owed: it leaves with the next
 * message of the server. */
bool server_owe_synth(struct server *s, const void *p, size_t n)
    PG_MUST_CHECK;
/* Replies of our own that nothing is owed before leave now: no message of the
 * server may follow soon. */
void server_tell(struct server *s);
/* Send bytes whose replies have been entered. false: the server is lost (the
 * caller will still be told through ops->lost at the end of the turn). */
bool server_send(struct server *s, const struct iovec *iov, int n)
    PG_MUST_CHECK;
/* The lessee is done: back to the pool if the server is clean, else closed.
 * reset: run DISCARD ALL first. */
void server_give_back(struct server *s, bool reset);
/* The lessee is gone while replies are owed or a transaction is open: the
 * running query is cancelled, its replies are swallowed, and the server
 * closed; orphan (may be NULL) is settled when the outcome is decided. midway: it
 * has got part of a message, and is closed at once. */
void server_abandon(struct server *s, struct server_orphan *orphan,
    bool midway);
/* Ask PostgreSQL to cancel what runs. The server is not reused before the
 * request is through. While a BEGIN is owed that was sent ahead of a statement
 * this waits: without it the statement would run, and stay. */
void server_cancel(struct server *s);
/* Close now. why: for the log at level info; NULL: quietly. Not told to the lessee. */
void server_close(struct server *s, const char *why);
/* About every second, on the owning worker: deadlines of drains and resets. */
void server_tick(struct worker *w, nsec_t now);
/* All servers of a worker, on its thread. */
void server_each(struct worker *w, void (*fn)(struct server *s, void *arg),
    void *arg);
/* Once, before workers start. */
void server_init(unsigned n_workers);
void server_fini(void);

#endif
