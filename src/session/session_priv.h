/* SPDX-License-Identifier: PostgreSQL
 *
 * The session object and its worker's shared state: for src/session only.
 *
 * States and the messages each takes stand in tbl/session_states.h; the one
 * setter is session_enter().  What cannot be a state is a field with a meaning
 * of its own: transaction status, pin reasons, held BEGIN, fill.
 */
#ifndef PGSLUICE_SESSION_SESSION_PRIV_H
#define PGSLUICE_SESSION_SESSION_PRIV_H

#include "backend/hub.h"
#include "backend/pool.h"
#include "backend/server.h"
#include "cache/ghost.h"
#include "layout/lag.h"
#include "net/stream.h"
#include "pgwire/frame.h"
#include "pgwire/msgread.h"
#include "route/route.h"
#include "session/aside.h"
#include "session/dbstate.h"
#include "session/layer.h"
#include "session/quota.h"
#include "session/settings.h"
#include "session/statement.h"
#include "session/trail.h"
#include "stats/census.h"

enum session_state {
#define SESSION_STATE(sym, name, messages, server, doc) SESSION_##sym,
#include "tbl/session_states.h"
	SESSION_STATE_COUNT
};

enum close_reason {
#define CLOSE_REASON(sym, counter, sqlstate, text) CLOSE_##sym,
#include "tbl/close_reasons.h"
	CLOSE_REASON_COUNT
};

/* How a statement was answered: the "outcome" label. */
enum outcome { OUT_BYPASS, OUT_MISS, OUT_L1, OUT_L2, OUT_LOCAL, OUT_COUNT };

/* What a statement is measured as; at 0: as nothing. */
struct trial_mark {
	uint8_t at;    /* place of its experiment in db->experiments, from 1 */
	uint8_t arm, shape, group;
};
_Static_assert(sizeof(struct trial_mark) == sizeof(uint32_t),
    "objects keep it as a number");

/* Of an experiment of the session's database, see trial.c. */
struct session_trial {
	uint64_t unit; /* its number */
	bool known;    /* the unit, and what it leads to */
	uint8_t arm, group;
	uint8_t met;   /* the arm that what is under way has met */
	uint64_t wrote; /* number of its last mirrored transaction, 0: none, */
	const struct mirror *wrote_in; /* there; only compared */
#define TRIAL_NONE UINT8_MAX
};

#define WRITES_MAX 24
#define CANCEL_SECRET_MAX 32 /* bytes, from protocol 3.2 on; 4 before */

struct login; /* login.h */
struct console; /* console.h */
struct fill;  /* fill.h */
struct repeat; /* repeat.c */
struct reading; /* reading.c */
struct gathering; /* gather_priv.h */
struct spread; /* spread_priv.h */
struct shadow; /* shadow.c */
struct mirroring; /* mirroring.c */
struct explaining; /* explain.c */
struct listening; /* listen.c */
struct msgwrite; /* pgwire/msgwrite.h */

/* Tables written since the last transaction end, to be bumped. */
struct write_set {
	bool any, all;
	bool ddl; /* prepared statements may mean something else */
	bool doubt; /* what catalogs say may be something else */
	uint8_t n;
	tag_t tag[WRITES_MAX];
};

/* A message that changes what a name means, that a server has not answered yet, and
 * that may come to nothing: a Parse, or a Close or Query that an error may skip. Names
 * take effect when it is sent, and are again what they were if it does. Entered
 * with LEDGER_NAME, in the same order. */
struct parsing {
	TAILQ_ENTRY(parsing) link;
	unsigned group;       /* server.group it was sent in */
	bool undone;          /* an error in front of it has been accounted for */
	struct statement *before; /* what the name meant, or NULL; a reference */
	char name[];          /* the client's; empty: the unnamed statement */
};

/* Bits of session.over besides pin reasons. */
#define OVER_ASKED (1u << 31) /* a DISCARD ALL or RESET was sent that may not be
                                 answered */
#define OVER_ALONE (1u << 30) /* ... with nothing else in its unit */
#define OVER_ALL (1u << 29)   /* ... and has completed: no pin is left */

struct session {
	uint32_t magic;
#define SESSION_MAGIC 0x5e5510e5u
	enum session_state state;
	uint64_t id;
	struct session_worker *sw;
	TAILQ_ENTRY(session) link;
	struct htab_node by_id;
	struct deferred reclaim;

	/* wire */
	struct stream st;
	uint64_t sent;      /* bytes, to the client */
	struct buf in;      /* what has come and cannot be acted on yet */
	size_t need;        /* bytes wanted before another look makes sense */
	size_t scanned;     /* of the unit at the head of in: already looked at */
	size_t body_left;   /* of a CopyData or a long message being streamed */
	bool body_drop;     /* ... to nowhere */
	bool pumping;       /* session_pump() is on the stack */
	bool leaving;       /* Terminate has come; what was sent before it is done
	                       first, unless its answer can no longer be sent */
	bool closing_fatal; /* the server's FATAL was forwarded */

	/* who */
	char *user, *dbname, *peer, *app_name;
	bool app_news;      /* app_name has not been told yet */
	char *app_born;     /* application_name at login; NULL: as now */
	char *startup;      /* settings of the startup packet, see pool_get() */
	size_t startup_len;
	struct login *login;     /* until logged in */
	struct credentials *own; /* what the login left for backends, or NULL */
	int32_t cancel_pid;
	uint8_t cancel_secret[CANCEL_SECRET_MAX];
	uint8_t cancel_len;
	struct console *console; /* NULL: another database */
	bool tls;
	bool cancelled;          /* the console command at hand */
	enum console_role role;  /* of a console session */

	/* where */
	struct conf *conf;               /* referenced */
	const struct conf_database *db;  /* inside conf; NULL: console */
	const struct conf_user *limits;  /* inside conf */
	struct quota *places[QUOTA_KINDS]; /* taken; or NULL */
	struct dbstate *dbstate;         /* of db; the console's before login */
	struct dbstats *stats;           /* of it, on this worker */
	struct pool **pools;             /* by backend id, made at first use */
	size_t n_pools;
	struct pool *home;               /* pools[db->backend->id], borrowed */

	/* server */
	struct server *server;
	const struct conf_backend *backend; /* of server */
	struct pool *waiting;            /* SERVER_WAIT, WELCOME */
	struct pool_waiter waiter;
	bool granted;       /* the server was leased for the unit at hand */
	bool untouched;     /* it was leased at login, nothing ran on it yet */
	const struct server *sequences_on; /* the one it had last; only compared */

	/* transaction */
	char tx;            /* status byte the client was last told */
	bool tx_dirty;      /* no cache until its end */
	bool open_unit;     /* messages were sent without a Sync */
	bool flushed;       /* ... and a Flush behind them, by us */
	bool long_bind;     /* ... and a Bind among them is a long message */
	bool skip_to_sync;  /* we answered an error of our own */
	bool refused;       /* ... to the unit at hand */
	char *held_begin;   /* BEGIN not yet sent to any server */
	bool held_extended; /* ... which came in extended messages */
	unsigned completed; /* commands completed since the last ReadyForQuery */
	unsigned noted;     /* ... and statements sent */
	nsec_t tx_began;    /* while tx is not I: arrival of its first statement */
	bool rolled_back;   /* the last of them was ROLLBACK */
	uint32_t over;      /* pin reasons that a DISCARD ended which completed
	                       since the last ReadyForQuery, or that a statement
	                       would have brought which the server cannot read;
	                       and OVER_ bits */
	bool unread;        /* PIN_UNPARSED has come since then */
	struct write_set writes;
	TAILQ_HEAD(, parsing) parsing; /* names whose fate is open, in order */
	bool savepoints;    /* ... since the transaction began */
	struct listening *listening; /* subscriptions; NULL: never had any */
	bool backslashes;   /* standard_conforming_strings was switched off */
	bool other_encoding; /* client_encoding was switched from UTF8 */
	uint32_t pins;      /* set of enum pin_reason: why it keeps its server */
	uint32_t pins_new;  /* of these: noted since a transaction was over last */
	uint32_t pins_doubt; /* may be over, see pins.c */
	uint32_t pins_asked; /* the server is being asked whether these are */
	uint64_t hidden;    /* routed tables that temporary ones hide, see
	                       route_plan_hidden(); not 0: pinned, PIN_TEMP */
	struct settings set;
	bool native;        /* its server has its statements under their own names:
	                       prepared tells what they may mean, the server which
	                       there are */
	bool renamed;       /* ... and SQL has taken away we know not which */

	/* statements */
	struct statements prepared;

	/* the statement at hand */
	struct fill *fill;  /* leading or waiting */
	bool no_cache;      /* this unit goes past the cache */
	struct gathering *gathering; /* in state GATHER, or NULL */
	struct spread *spread; /* in states SPREAD_WAIT and SPREAD_COPY, or NULL */
	bool no_gather;     /* this unit goes to one server */
	struct explaining *explaining; /* the unit is run by EXPLAIN (ROUTE,
	                       ANALYZE), or the one before was; or NULL */
	struct repeat *repeat; /* the unit that was sent last, or NULL */
	struct reading *reading; /* the server is one of a replica, or NULL */
	bool no_replica;    /* this unit goes to the primary */
	struct lag_reader reader; /* what it has seen, for replicas */
	const struct conf_backend *sampled; /* the primary of reader.own, inside
	                       conf; or NULL */
	nsec_t sampling;    /* it is being asked for one, since then; 0: not */
	unsigned floored;   /* reads that no replica was far enough for */
	unsigned patience;  /* ... and so many are let pass */
	bool wants_sample;  /* behind the statement under way */
	bool again;         /* it is sent again when its server is ready */
	bool repeating;     /* ... which is happening now */
	struct statement *timed; /* unnamed one that runs, referenced, or NULL */
	bool timed_named;   /* ... under a name */
	struct shape *kept; /* of the unit while it waits for a server, or NULL */
	struct ghost_run candidate; /* it could be cached, by no rule */
	uint8_t fill_tries; /* fills of others that came to nothing for it */
	size_t unit_len;    /* while waiting: its length at the head of in */
	char unit_last;     /* type of its last message */
	char *rewritten;    /* client's text of the statement last sent in another
	                       form, for positions in errors; or NULL */
	unsigned form;      /* that form */
	nsec_t started;     /* when it arrived */
	unsigned series;    /* metrics cell to time it under */
	struct trail trail; /* ... and what else is noted of it */
	struct trial_mark mark; /* what it is measured as besides */
	struct shadow *shadow;  /* arms will be asked it, too; or NULL */
	struct mirroring *mirroring; /* of the transaction, see mirroring.h; or NULL */
	bool wraps;         /* ... which is ours */
	bool erred;         /* it has met an error */
	uint32_t slot;      /* by what its cached answers are told apart: the
	                       database, and arms that are known without it */
	uint64_t trial_generation; /* of the configuration; 0: nothing in trial */
	struct session_trial *trial; /* [CONF_EXPERIMENTS_MAX]; NULL: never had
	                       any */
	uint64_t queries;
	nsec_t born, since; /* connected; state entered */
	nsec_t partial_since; /* a message is half here since; 0: not */
};

struct session_worker {
	struct worker *w;
	struct session_setup setup;
	struct lexer lx;
	struct shape_table shapes;
	struct statement_table statements;
	struct buf compose;     /* messages being built for a server or client */
	struct buf text;        /* physical SQL */
	struct slice instead;   /* of the unnamed statement's text, while a unit
	                           is composed; or empty */
	bool promoted;          /* ... and runs its unnamed statement under a
	                           name */
	uint32_t unit_pins, unit_flags; /* of all statements of the extended unit
	                           at hand */
	bool unit_sets;         /* while its backend is chosen: what was looked at
	                           may change settings */
	bool refuses;           /* ... and has a Parse of a name that is taken,
	                           which means NULL */
	bool tells;             /* what is composed tells the client the types
	                           of the statement's result anew */
	bool fixed;             /* something did not, and must find the types
	                           that were told before */
	bool unit_native;       /* ... and binds what the server must know the
	                           client's names for */
	bool unit_mirrors;      /* ... and what arms are to get, too */
	bool relied;            /* the unit being composed uses a statement that
	                           its server was given under a name */
	SLIST_HEAD(, repeat) repeats; /* spare ones */
	unsigned n_repeats;
	struct statement **meant; /* by message of the extended unit at hand:
	                             the statement it means, or NULL */
	size_t n_meant, meant_size;
	struct name_change {
		struct slice name;    /* in the unit's bytes */
		struct statement *st; /* NULL: the name goes */
	} *changes; /* of names by the extended unit at hand, in order */
	size_t n_changes, changes_size;
	struct htab by_id;
	struct htab parts;      /* of gathered statements, by id */
	struct htab asides;     /* that wait for a server, by id */
	TAILQ_HEAD(session_list, session) sessions;
	TAILQ_HEAD(, farewell) farewells; /* oldest first, see farewell.h */
	struct l2 *l2;          /* NULL: off */
	struct worth *worth;    /* which shapes are worth caching */
	struct hot *hot;        /* which results are hit most */
	struct census *census;  /* what shapes cost, see trail.c */
	struct ghost *ghost;    /* NULL: not needed yet */
	struct {                /* of verify.c */
		struct aside_queue asked;
		TAILQ_HEAD(, verify_job) open; /* different, to be decided */
		unsigned n;       /* all of them */
	} verify;
	TAILQ_HEAD(, peer_call) peer_calls; /* oldest first, see peers.h */
	struct aside_queue *shadows; /* of shadow.c */
	TAILQ_HEAD(, lane) lanes;    /* of mirror_lane.c */
	uint64_t dice;          /* of session_draws() */
	struct dbstate *self;   /* of the console */
	struct listen_worker *listen;
	uint64_t next_id, next_ticket;
	unsigned n_sessions;
	nsec_t last_second;
	bool draining;
	bool yields;            /* another process takes over, see
	                           session_yield() */
	bool moving;            /* sessions leave for another process */
};

/* ---- session.c -------------------------------------------------------- */
/* Of a connection that is ours from now on, which is not read from yet. */
struct session *session_new(struct worker *w, int fd, const char *peer);
struct session *session_find(struct session_worker *sw, uint64_t id);
void session_enter(struct session *s, enum session_state st);
const char *session_state_name(const struct session *s);
/* Messages are acted on as they come; in other states they wait. */
bool session_takes_messages(const struct session *s);
/* The single exit. detail: more about it, for the log and (if the reason has
 * a SQLSTATE) the client; or NULL. */
void session_close(struct session *s, enum close_reason why,
    const char *detail);
/* The same with another SQLSTATE than the reason's, of which the client is told
 * the detail alone. */
void session_close_as(struct session *s, enum close_reason why,
    const char *sqlstate, const char *detail);
/* Bytes for the client, unless EXPLAIN (ROUTE, ANALYZE) keeps them; on failure the
 * session closes. */
void session_send(struct session *s, const void *p, size_t n);
void session_sendv(struct session *s, const struct iovec *iov, int n);
/* ... whatever is under way. */
void session_pass(struct session *s, const void *p, size_t n);
/* application_name as told to the client last. As PostgreSQL keeps it: at most 63 bytes, anything but printable ASCII is
 * replaced. (It is sent to servers in statements of our own.) */
void session_set_app_name(struct session *s, const char *value);
static inline bool
session_is_pinned(const struct session *s)
{
	return s->pins != 0;
}
static inline struct metrics *
session_metrics(const struct session *s)
{
	return s->sw->w->metrics;
}
/* Chance: true for so many of a million. */
static inline bool
session_draws(struct session_worker *sw, uint32_t share)
{
	/* Knuth's; the high bits are the good ones. */
	sw->dice = sw->dice * 6364136223846793005u + 1442695040888963407u;
	return (sw->dice >> 32) * 1000000 >> 32 < share;
}
/* n statements go past the cache. */
static inline void
session_bypass(struct session *s, enum bypass_reason why, uint64_t n)
{
	stat_add(&session_metrics(s)->bypass[why], n);
	s->trail.bypass = (unsigned char)why;
}
/* The configuration moved on: find our database in the new one. false: gone,
 * and the session has been closed. */
bool session_refresh_conf(struct session *s) PG_MUST_CHECK;
/* Home is that pool (NULL: none any more), which counts its clients. */
void session_set_home(struct session *s, struct pool *p);
/* Count for this database from now on. */
void session_set_dbstate(struct session *s, struct dbstate *d);
/* The session's pool on a backend; NULL: too many pools. Borrowed. */
struct pool *session_pool(struct session *s, const struct conf_backend *b);

/* ---- layer.c ---------------------------------------------------------- */
/* Neither in a transaction nor at work: it may be closed. */
bool session_may_drain(const struct session *s);

/* ---- move.c ----------------------------------------------------------- */
/* Leave for another process: STAY_REASON_COUNT, and it has closed, or why not. */
enum stay_reason session_move(struct session *s);
/* A transaction of an idle session is over: it leaves or closes if it has to.
 * true: it has. */
bool session_boundary(struct session *s) PG_MUST_CHECK;
/* Often, while sessions leave. */
void session_move_tick(struct session_worker *sw, nsec_t now);
const struct session_abroad *session_abroad_ops(void);

/* ---- read.c ----------------------------------------------------------- */
extern const struct stream_ops session_stream_ops;
/* Act on what waits in s->in. */
void session_pump(struct session *s);

/* ---- startup.c -------------------------------------------------------- */
/* Act on bytes before login; returns how many were used. */
size_t session_startup_input(struct session *s, const char *p, size_t n);
/* Before the first byte is read: if it begins a TLS handshake, go to TLS. */
void session_direct_tls(struct session *s);
void session_tls_step(struct session *s);
/* A first server of the home pool is there, ours until this: by session pooling
 * the session keeps it, else the pool has it back. */
void session_welcome(struct session *s, struct server *srv);
/* ... or there will be none. */
void session_unwelcome(struct session *s, const struct pool_error *why);

/* ---- login.c ---------------------------------------------------------- */
void session_login_free(struct session *s);

/* ---- identity.c -------------------------------------------------------- */
/* What to log in to b with as user; borrowed from the session or its setup. */
void session_identity(const struct session *s, const struct conf_backend *b,
    const char *user, struct credentials *with);
void session_forget_identity(struct session *s); /* wipes */

/* ---- secret.c --------------------------------------------------------- */
void session_secret_init(void); /* once */

/* ---- input.c ------------------------------------------------------------ */
/* Act on n bytes of messages; returns how many were used. */
size_t session_input(struct session *s, const char *p, size_t n);
struct unit;
/* What follows of a unit's long message goes to the server, or nowhere. */
void session_stream(struct session *s, const struct unit *u, bool drop);

/* ---- unit.c --------------------------------------------------------------- */
/* One executable unit: a Query, a FunctionCall, or extended messages up to
 * and including Sync or Flush; or the part of them that ends with the head of a
 * long message. */
struct unit {
	const char *p;
	size_t n;
	size_t rest;        /* of a long last message: what is not in n */
	char first, last;   /* types of first and last message */
	unsigned executes;
	/* The shape [Parse] Bind [Describe portal] Execute Sync, unnamed
	 * portal, no row limit: the only one that is cached. */
	bool canonical;
	bool has_parse, has_bind;
	struct wire_parse parse;
	struct wire_bind bind;
	bool described;
};
/* Take apart. false: a message is malformed. */
bool unit_read(struct unit *u, const char *p, size_t n) PG_MUST_CHECK;
#define UNIT_BIND_HEAD 'b' /* type of a Bind that is long, see below */
/* The message at pos. Of a long one what is here of it, for size and body. */
static inline void
unit_message(const struct unit *u, size_t pos, struct frame *f)
{
	enum frame_verdict v = frame_next(u->p + pos, u->n - pos, UINT32_MAX,
	    f);

	if (likely(v == FRAME_WHOLE))
		return;
	CHECK(v == FRAME_PARTIAL && f->size == u->n - pos + u->rest);
	f->size -= u->rest;
	f->body -= (uint32_t)u->rest;
	if (f->type == 'B')
		f->type = UNIT_BIND_HEAD;
}

/* ---- query.c ---------------------------------------------------------------- */
enum unit_result {
	UNIT_DONE,   /* consumed */
	UNIT_WAIT,   /* stays at the head of the input; state says for what */
	UNIT_CLOSED  /* the session closed */
};
enum unit_result session_unit(struct session *s, struct unit *u)
    PG_MUST_CHECK;
/* One statement of a unit with all that is known of it. */
struct query {
	struct slice sql;
	struct statement *stmt;      /* extended protocol, else NULL */
	const struct wire_bind *bind; /* or NULL */
	struct shape *shape;
	struct route_plan *plan;
	struct route_values values;
	struct route_decision where;
	struct trial_mark mark;
	struct trial_mark shadow; /* as what arms are asked it on the side */
	const struct conf_experiment *experiment; /* it takes part in; or NULL */
	const char *trial_why; /* why it is not measured; or NULL */
	struct trial_pass {    /* the same, to be counted */
		bool is;
		uint8_t arm, what; /* enum board_count */
	} trial_pass;
	bool arm_open;      /* values that are not there yet tell its arm */
	bool trial_bypass;  /* its experiment keeps it from the cache */
	bool mirrors;       /* other arms get it, too, see mirroring.h */
	bool unmirrored;    /* ... or should, and cannot */
};
/* A unit of one statement (st: of extended messages) has its answer, not by one
 * server of the session's: names and numbers as if by one. */
void session_unit_done(struct session *s, const struct unit *u,
    struct statement *st);
/* Drop what was kept of a statement that waited for a server. */
void query_forget(struct session *s);
/* Inside a transaction (or pinned) the statement should run where the server
 * is, if that can be right. */
void query_adapt(struct session *s, struct query *q);
/* A unit of sql_prepared.c again. false: it is none any more. */
bool session_sql_again(struct session *s, struct unit *u) PG_MUST_CHECK;
/* Remember the text of a statement about to be sent in another form.
 * false: no memory. */
bool query_remember(struct session *s, struct slice sql, unsigned form)
    PG_MUST_CHECK;

/* ---- plans.c ----------------------------------------------------------------------------- */
/* Fill q for a text (stmt NULL) or a prepared statement. */
void query_prepare(struct session *s, struct query *q, struct slice sql,
    struct statement *stmt, const struct wire_bind *bind);
/* The plan of a shape in the session's database, no temporary table hiding
 * anything; the shape owns it. */
struct route_plan *query_plan(struct session *s, struct shape *sh);
/* The same in a view of it. */
struct route_plan *query_plan_of(struct session *s, struct shape *sh,
    const struct conf_database *db);
/* q is about to be answered by b: what its time counts for. */
void query_account(struct session *s, const struct query *q,
    const struct conf_backend *b, enum outcome o);
/* Interned once per plan, backend and outcome: where metrics count it. */
unsigned query_series(struct session *s, const struct query *q,
    const struct conf_backend *b, enum outcome o);
/* shape_table's free_derived. */
void query_plans_free(void *p);

/* ---- effects.c --------------------------------------------------------------------------- */
/* Note at sending time what a statement does to session and tables. */
void query_note(struct session *s, const struct query *q);
/* The same for settings, once what was prepared for it has been written. */
void query_note_settings(struct session *s, const struct query *q);

/* ---- pins.c ------------------------------------------------------------------------------- */
/* The session keeps its server, for these reasons too; or not any longer. */
void session_pin(struct session *s, uint32_t pins);
void session_unpin(struct session *s, uint32_t pins);
/* A statement is sent: what it leaves on the server, or may take away. */
void session_note_pins(struct session *s, const struct analysis *an);
/* A relation may have got another name. */
void session_note_rename(struct session *s);
/* Something since the last transaction was over has failed or was undone. */
static inline void
session_doubt_pins(struct session *s)
{
	s->pins_doubt |= s->pins_new;
}
/* Nothing is owed and no transaction is open. true: the server is being asked;
 * it stays with the session until it has answered. */
bool session_ask_pins(struct session *s);
/* The row it answered with. */
void session_pins_answer(struct session *s, const char *row, size_t n);

/* ---- acquire.c ---------------------------------------------------------------------------- */
/* The server is the session's from now on. */
void session_leased(struct session *s, struct server *srv,
    const struct conf_backend *b);
/* Get the server for the unit at hand. DONE: s->server is leased and on the
 * right backend. */
enum unit_result session_acquire(struct session *s, const struct unit *u,
    const struct conf_backend *b) PG_MUST_CHECK;
/* Answer the unit at hand with an error of our own and go on behind it. */
void session_unit_error(struct session *s, const struct unit *u,
    const char *sqlstate, const char *message, const char *detail,
    const char *hint);
/* The same for a unit that waits at the head of in. */
void session_waiting_error(struct session *s, const char *sqlstate,
    const char *message);
/* It waited for a server, and there is none: that error, unless the cache can help. */
void session_no_server(struct session *s, const struct pool_error *why);
/* The server has met an error and ignores everything up to Sync: so do we, and
 * nothing is changed that would have to be undone. */
void session_skip_unit(struct session *s, const struct unit *u);

/* pool_callbacks. */
void session_granted(struct worker *w, uint64_t id, struct server *srv);
void session_lease_failed(struct worker *w, uint64_t id,
    const struct pool_error *why);
/* After a unit that left nothing owed: a server in no transaction goes home. */
void session_settle(struct session *s);

/* ---- extended.c ------------------------------------------------------------- */
/* Route and forward a unit of extended messages. q: of the canonical
 * statement, or NULL. */
enum unit_result session_extended(struct session *s, struct unit *u,
    struct query *q) PG_MUST_CHECK;
/* Send a unit again to the server that refused it. */
void session_extended_again(struct session *s, struct unit *u);
/* Has the name been defined or closed by messages that an error in front of them
 * may still skip, without taking those along that are sent now? */
bool session_name_is_open(const struct session *s, struct slice name);
/* The unit at hand closes statements: sent again, it would not find them. */
bool session_drops_names(const struct session *s);
/* ---- physical.c ------------------------------------------------------------------------- */
/* The text a server is given for st in this form, as db (the session's, or a
 * view of it) routes it, and the hash that names it on servers; both belong to
 * st. */
bool statement_physical(struct session *s, struct statement *st,
    const struct conf_database *db, unsigned form, struct slice *sql, struct hash128 *hash)
    PG_MUST_CHECK;
/* Which form a statement takes on backend b; false: it cannot run there. */
bool statement_form(const struct query *q, const struct conf_backend *b,
    unsigned *form);

/* ---- compose.c --------------------------------------------------------------------------- */
/* Send a unit of extended messages to the leased server. q: of the one
 * statement that all its messages mean; NULL: see session_worker.meant. */
enum unit_result session_compose(struct session *s, const struct unit *u,
    struct query *q) PG_MUST_CHECK;
/* Prefix what must be sent before anything else on a server just leased
 * (held BEGIN, application_name), and before statements of these pins and
 * flags, to the compose buffer. */
bool session_preamble(struct session *s, struct buf *b, uint32_t pins,
    uint32_t flags) PG_MUST_CHECK;
/* There is nothing in a failed transaction but its end, which may as well be
 * that of another one: the server is let out of the first, takes what the
 * client does not see, and is put into another. */
bool session_write_rollback(struct session *s, struct msgwrite *w)
    PG_MUST_CHECK;
bool session_write_failed(struct session *s, struct msgwrite *w)
    PG_MUST_CHECK;
/* The transaction has failed, and all that the unit's statements can do to it
 * is to end it. */
bool session_group_ends_failed(const struct session *s);
/* Parse, entered in the ledger; Close of a name, and of all that the server
 * holds too many. */
bool session_write_parse(struct session *s, struct msgwrite *w,
    struct slice name, struct slice sql, struct slice types,
    struct hash128 hash, unsigned flags) PG_MUST_CHECK;
/* Note that the message to be entered next, with LEDGER_NAME, changes what the
 * name means. */
void session_naming(struct session *s, struct slice name);
bool session_write_close(struct session *s, struct msgwrite *w,
    const char *name) PG_MUST_CHECK;
bool session_write_evictions(struct session *s, struct msgwrite *w)
    PG_MUST_CHECK;
/* The statement of a Parse message, with a reference; it has no name yet. NULL:
 * memory limit, and the session has been closed. */
struct statement *session_statement(struct session *s,
    const struct wire_parse *p) PG_MUST_CHECK;

/* ---- app_name.c --------------------------------------------------------------------------- */
/* Tell the leased server the session's application_name, where a statement may
 * be sent and it stands at another. fresh: nothing is under way on it, nor a
 * transaction open. */
bool session_app_name_tell(struct session *s, struct msgwrite *w, bool fresh)
    PG_MUST_CHECK;
/* A portal is bound to q: does it reset the name? */
void session_app_name_bound(struct session *s, const struct query *q,
    struct slice portal);
/* A portal is executed, and there is more behind it in its group: give it what
 * RESET leads to. */
bool session_app_name_executed(struct session *s, struct msgwrite *w,
    struct slice portal) PG_MUST_CHECK;

/* ---- sequence.c -------------------------------------------------------------------------- */
/* The session got its server. */
void session_sequences_leased(struct session *s);
/* A statement of these pins asks for values of sequences, and the server may
 * remember others' as well. */
bool session_asks_others(const struct session *s, uint32_t pins);
/* ... and perhaps behind the end of the failed transaction that it is in: that
 * can be had only if all of the transaction ends first. */
bool session_asks_past_failure(const struct session *s, uint32_t pins,
    uint32_t flags);
void session_sequences_refuse(struct session *s, const struct unit *u);
/* Let the server forget these, where statements of these pins and flags need
 * it. fresh: nothing of the session's is under way on it, nor a transaction
 * open. */
bool session_sequences(struct session *s, struct msgwrite *w, uint32_t pins,
    uint32_t flags, bool fresh) PG_MUST_CHECK;

/* ---- repeat.c ----------------------------------------------------------------------------- */
/* Keep a unit that is sent to a server which owes nothing and is in no
 * transaction block. Not kept: what is too long. */
void session_keep_unit(struct session *s, const struct unit *u);
void session_forget_unit(struct session *s);
/* What errors about a statement of sql_prepared.c are to be told in. */
struct unit_terms {
	char name[64]; /* the client's name of the statement */
	unsigned at;   /* positions behind this one ... */
	int by;        /* ... are this much larger than in the client's text */
};
/* Keep such a unit, whatever its size. false: out of memory. */
bool session_keep_sql(struct session *s, const struct unit *u,
    const struct unit_terms *t) PG_MUST_CHECK;
/* Of the unit at hand; NULL: another one. */
const struct unit_terms *session_terms(const struct session *s);
/* The unit that is kept. false: none is. */
bool session_kept(const struct session *s, struct unit *u) PG_MUST_CHECK;
/* The unnamed statement under way has ended, or will not be timed. */
void session_timed(struct session *s, nsec_t took);
/* The client gets the first of the kept unit's answer. */
void session_said(struct session *s);
/* server_ops.mend: the kept unit will be sent again, see session.again. */
bool session_mend(void *lessee, const char *body, size_t n);
/* The error goes to the client: see that the next use fares better. */
void session_fault(struct session *s, const char *body, size_t n);
/* The server is ready for the unit that is to be sent again. */
void session_repeat(struct session *s);
void session_repeats_free(struct session_worker *sw);

/* ---- terms.c ----------------------------------------------------------------------------- */
/* Does an error's message name a statement as servers know it? */
bool session_names_ours(const char *message);
/* Send the ErrorResponse with this body, in the client's terms; position: of its
 * fields, maybe empty. */
void session_own_terms(struct session *s, const char *body, size_t n,
    struct slice position);

/* ---- reading.c ---------------------------------------------------------------------------- */
/* The statement's backend lists replicas. true: it may be answered by one, and
 * s->server is one of its servers, leased for this unit. */
bool session_reading_begin(struct session *s, const struct unit *u,
    const struct query *q) PG_MUST_CHECK;
/* Up to session_reading_tick(): while s->reading is not NULL. */
/* Bytes for the client: true: they are kept back, and perhaps dropped. */
bool session_reading_holds(struct session *s, const char *p, size_t n)
    PG_MUST_CHECK;
/* What was kept back goes out, and so does all that comes. */
void session_reading_release(struct session *s);
/* The replica's configuration has changed, or it is none any more: its answer
 * may look otherwise than the primary's, of whose settings the client knows. */
void session_reading_spoil(struct session *s);
/* ReadyForQuery came. false: of an answer that is not for the client. */
bool session_reading_synced(struct session *s, nsec_t now) PG_MUST_CHECK;
/* An error came: true: the client gets nothing of it, since the primary will be
 * asked when the server is ready. */
bool session_reading_mends(struct session *s, const char *body, size_t n)
    PG_MUST_CHECK;
bool session_reading_has_failed(const struct session *s);
/* The client has got nothing of the answer. */
bool session_reading_untold(const struct session *s);
/* So it is: give the server up, if there is one, and send the unit to the
 * primary. */
void session_reading_again(struct session *s);
/* A few times a second. */
void session_reading_tick(struct session *s);
/* Write what the replica has to prove first, if it has to. */
bool session_reading_check(struct session *s, struct msgwrite *w)
    PG_MUST_CHECK;
/* The row of a hidden query, of whatever server. */
void session_reading_row(struct session *s, const char *row, size_t n);
/* Nothing is owed and no transaction is open on the primary. true: it is being
 * asked how far it has come; the server stays until it has answered. */
bool session_reading_asks(struct session *s) PG_MUST_CHECK;
void session_reading_free(struct session *s); /* NULL is fine */
/* The line of EXPLAIN (ROUTE) about it. */
void session_reading_explain(struct session *s, const struct unit *u,
    const struct query *q, char *line, size_t size);

/* ---- sql_prepared.c ----------------------------------------------------------------------- */
/* A unit that is SQL's PREPARE, EXECUTE or DEALLOCATE. false: not one, or it
 * must go to the server as it is; else *r says what became of it. */
bool session_sql_prepared(struct session *s, const struct unit *u,
    struct query *q, enum unit_result *r) PG_MUST_CHECK;
/* A step towards the kept unit failed, and the error is about to go to the client. */
void session_step_failed(struct session *s);
/* The server will get such statements as they are: write to b what gives it
 * those of the session, under their own names. Nothing that an error might skip
 * may be under way. over: the transaction has failed, and a Query comes that
 * ends it. */
bool session_go_native(struct session *s, struct buf *b, bool over)
    PG_MUST_CHECK;
/* A DEALLOCATE goes to the server as it is: ALL takes effect when it completes,
 * others now, since a PREPARE of the name may follow. */
void session_renamed(struct session *s, const struct query *q);
/* A Query of these pins and flags can be answered only by a server that has the
 * session's statements under their own names. */
bool session_needs_native(const struct session *s, const struct analysis *an);
/* Run a text amid extended messages, unseen. flags: more than LEDGER_HIDE; hash:
 * of what it prepares. */
bool session_write_unseen(struct session *s, struct msgwrite *w,
    struct slice sql, unsigned flags, struct hash128 hash) PG_MUST_CHECK;
/* Make a statement of SQL's PREPARE amid extended messages. */
bool session_write_declared(struct session *s, struct msgwrite *w,
    const struct statement *st, const char *name, struct hash128 hash)
    PG_MUST_CHECK;

/* ---- candidate.c -------------------------------------------------------------- */
/* q goes to a server because no rule names all its tables. */
void session_candidate(struct session *s, const struct unit *u,
    const struct query *q);
/* The statement that was one last has been answered. */
void session_candidate_done(struct session *s, nsec_t now);

/* ---- wish.c ------------------------------------------------------------------- */
/* What counts now. */
const struct wishes *session_wishes(const struct session *s);
/* A statement that sets some is sent. */
void session_wish_note(struct session *s, const struct query *q);
/* They may be others until the transaction is over. */
void session_wish_doubt(struct session *s);
/* They are those of s->set.vars and of its servers. */
void session_wish_settle(struct session *s);

/* ---- local.c ------------------------------------------------------------------ */
/* Statements answered without a server: BEGIN, COMMIT and ROLLBACK around no
 * server, EXPLAIN (ROUTE), statements in a transaction that failed here. false: not such a
 * one. */
bool session_local(struct session *s, struct unit *u, struct query *q);
/* A transaction that has failed is ended by the first of several statements. */
bool session_ends_failed(const struct session *s, const struct query *q);
/* The same for a command: CommandComplete, with NoData before it where the client
 * asked. */
void session_complete(struct session *s, const struct unit *u,
    const char *tag, char status);
/* ReadyForQuery alone. */
void session_ready(struct session *s);
/* A complete reply for unit u around the middle part. */
void session_reply(struct session *s, const struct unit *u,
    struct slice middle, char status);

/* ---- listen.c ----------------------------------------------------------------- */
/* LISTEN and UNLISTEN done by a hub. false: it is the server's to do. */
bool session_listen(struct session *s, const struct unit *u,
    const struct query *q, enum unit_result *r);
/* The end of a transaction with LISTEN in it: what was sent before is let pass
 * by first. true: wait. */
bool session_listen_commit(struct session *s, const struct query *q,
    enum unit_result *r);
/* A statement with LISTEN or UNLISTEN among others goes to the server. */
void session_listen_note(struct session *s, const struct analysis *an);
/* A command of this tag completed; an error came; ReadyForQuery came. */
void session_listen_completed(struct session *s, const char *tag);
void session_listen_failed(struct session *s);
void session_listen_synced(struct session *s, char status);
/* A transaction that no server has seen has ended. */
void session_listen_local_end(struct session *s, bool committed);
/* A notification came from the session's own server. false: the hub
 * brings it too. */
bool session_listen_own(const struct session *s, const char *body, size_t n);
/* The session may take notifications now: see to it by the end of the turn. */
void session_listen_later(struct session *s);
/* The statement that waits for the hub will not be done. */
void session_listen_drop(struct session *s);
void session_listen_end(struct session *s);
size_t session_listen_count(const struct session *s);
void listen_worker_init(struct session_worker *sw);
void listen_worker_fini(struct session_worker *sw);
/* A new configuration: sessions whose database lies elsewhere now. */
void listen_worker_reload(struct session_worker *sw);
/* hub_cb */
void session_listen_records(struct worker *w, struct hub *l,
    const char *p, size_t n);

/* ---- relay.c ------------------------------------------------------------------- */
extern const struct server_ops session_server_ops;
void session_write_bump(struct session *s, bool clear);
/* Messages about names that are not answered have not been sent, in effect. */
void session_names_skipped(struct session *s);
/* The writes of the session, to be bumped when it is decided what became of them; NULL:
 * there are none. */
struct server_orphan *session_orphan(const struct session *s);
/* Send a query of our own to the server, which owes nothing: the client sees
 * nothing of it, its row comes to those who ask, and if it fails none does. */
void session_ask(struct session *s, struct slice sql);
/* Statements prepared on servers so far may have another result type now: from
 * here on they are prepared anew, under other names. Any thread. */
void session_statements_outdated(void);
/* Part of the names of statements on servers; moves with the above. */
uint64_t session_statement_epoch(void);
/* Give the server up when the session ends. */
void session_release_at_end(struct session *s);

/* ---- console.c ------------------------------------------------------------------ */
/* A unit on a session of the console database. */
enum unit_result session_console_unit(struct session *s, struct unit *u)
    PG_MUST_CHECK;
void session_console_init(const struct session_console_ops *ops);
struct console *session_console_new(void);
void session_console_free(struct console **c);
/* What the user may do there by the lists of the configuration. */
enum console_role session_console_role(const struct session *s);

/* ---- cancel.c -------------------------------------------------------------------- */
/* Draw the key; wide: of CANCEL_SECRET_MAX bytes. */
void cancel_register(struct session *s, bool wide);
/* The client is to be told this server's pid, unless another client has it. */
void cancel_adopt(struct session *s, int pid);
void cancel_forget(struct session *s);
/* The key that it had in another process. false: its number is taken. */
bool cancel_restore(struct session *s, uint32_t pid, struct slice secret)
    PG_MUST_CHECK;
/* s is a CancelRequest: pass it to the session it names, if any, and close s
 * when that one knows. */
void cancel_request(struct session *s, uint32_t pid, const char *key,
    size_t key_len);
void session_cancel(struct session *s);
void cancel_init(struct worker *const *workers, unsigned n);

#endif
