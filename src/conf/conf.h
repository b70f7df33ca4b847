/* SPDX-License-Identifier: PostgreSQL
 *
 * The configuration: one immutable, reference-counted struct per generation.
 *
 * conf_load() reads a file (libconfuse syntax) and either returns a complete,
 * validated configuration or a list of diagnostics "file:line: what, expected
 * what".  Settings stand in tbl/settings.h; nothing here is listed twice.
 * Names are resolved to pointers inside the struct; arrays are in file order.
 * All durations are in nanoseconds, all sizes in bytes.
 */
#ifndef PGSLUICE_CONF_CONF_H
#define PGSLUICE_CONF_CONF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/slice.h"

enum conf_pool_mode { POOL_MODE_TRANSACTION, POOL_MODE_SESSION };
enum conf_auth {
	CONF_AUTH_SCRAM, CONF_AUTH_TRUST, CONF_AUTH_MD5, CONF_AUTH_PASSWORD,
	CONF_AUTH_CERT, CONF_AUTH_PEER, CONF_AUTH_HBA
};
enum conf_tls_mode {
	TLS_MODE_DISABLE, TLS_MODE_ALLOW, TLS_MODE_PREFER, TLS_MODE_REQUIRE,
	TLS_MODE_VERIFY_CA, TLS_MODE_VERIFY_FULL
};
enum conf_log_text { LOG_TEXT_SHAPE, LOG_TEXT_FULL };

enum conf_http_dashboard {
	HTTP_DASHBOARD_LOOPBACK, HTTP_DASHBOARD_EVERYBODY, HTTP_DASHBOARD_TOKEN,
	HTTP_DASHBOARD_OFF
};
enum conf_redis_tls {
	REDIS_TLS_DISABLE, REDIS_TLS_REQUIRE, REDIS_TLS_VERIFY_CA,
	REDIS_TLS_VERIFY_FULL
};
enum conf_server_tls {
	SERVER_TLS_DISABLE, SERVER_TLS_ALLOW, SERVER_TLS_PREFER,
	SERVER_TLS_REQUIRE, SERVER_TLS_VERIFY_CA, SERVER_TLS_VERIFY_FULL
};
enum conf_tls_version { CONF_TLS_1_2, CONF_TLS_1_3 };
enum conf_variant_kind { VARIANT_PLAIN, VARIANT_MONTHLY, VARIANT_SHARDED };
enum conf_key_type {
#define KEY_TYPE(sym, name, oid) KEY_TYPE_##sym,
#include "tbl/key_types.h"
	KEY_TYPE_COUNT
};
const char *conf_key_type_name(enum conf_key_type t);
/* The builtin type. */
uint32_t conf_key_type_oid(enum conf_key_type t);
/* false: it is none of these. */
bool conf_key_type_of(uint32_t oid, enum conf_key_type *t) PG_MUST_CHECK;
static inline bool
conf_key_type_is_text(enum conf_key_type t)
{
	return t == KEY_TYPE_TEXT || t == KEY_TYPE_VARCHAR ||
	    t == KEY_TYPE_BPCHAR;
}

/* More shards in one variant are refused. */
#define CONF_MAX_SHARDS 256

struct conf_strings {
	char **v;
	size_t n;
};
/* Appends a copy. */
void conf_strings_add(struct conf_strings *l, const char *s);
void conf_strings_fini(struct conf_strings *l);

/* More replicas of one backend are refused. */
#define CONF_MAX_REPLICAS 16

/* Which reads may go to replicas, and how far behind these may be. */
enum conf_replica_reads { REPLICA_READS_OFF, REPLICA_READS_PROCESS,
	REPLICA_READS_SESSION, REPLICA_READS_INHERIT };
#define REPLICA_AGE_INHERIT UINT64_MAX
#define REPLICA_LAG_INHERIT INT64_MAX
struct conf_replica_rule {
	enum conf_replica_reads reads;
	nsec_t max_age;  /* 0: any */
	int64_t max_lag; /* bytes; 0: any */
};

/* One configured PostgreSQL endpoint. */
struct conf_backend {
	char *name;
	char *conninfo;    /* libpq; may hold user, password, passfile, TLS:
	                      what is written and what server_tls_ settings add */
	char *written;     /* as the file has it */
	char *user;        /* user of conninfo, forced for every client; or NULL */
	unsigned id;       /* index in conf.backends */
	int64_t pool_size; /* servers per (backend, user); 0: conf.pool_size */
	int64_t reserve_pool_size; /* more of them, if waits are long */
	int64_t max_db_connections; /* servers of all users; 0: no maximum */
	bool feed;         /* follow what is written there */
	struct conf_backend **replicas; /* standbys of it */
	size_t n_replicas;
	const struct conf_backend *primary; /* it is one of this one's; or NULL */
};

struct conf_month_span { /* part of a monthly variant over several backends */
	struct conf_backend *backend;
	int64_t from;  /* months since 1970-01; inclusive; INT64_MIN: open */
	int64_t until; /* exclusive; INT64_MAX: open */
};

/* A physical name, maybe qualified. */
struct conf_relation {
	char *name; /* as configured: app.Events */
	char *sql;  /* as SQL spells it: app."Events" */
};

/* What a table is divided by first, if it is divided by time: instants from lo
 * up to but without hi, in microseconds since 1970 UTC; INT64_MIN and
 * INT64_MAX: open. */
struct conf_period {
	int64_t lo, hi;
	bool is_default; /* whatever is in no other, NULL too */
};

/* One part of a table: the rows of its period whose key has this remainder. */
struct conf_shard {
	struct conf_backend *backend;
	unsigned relation; /* there: index in the variant's relations */
	unsigned modulus, remainder;
	unsigned period;   /* index in the variant's periods */
	/* Why statements must not be sent there directly, because parent and
	 * part differ in effect: any, or those that write; NULL: they may. */
	const char *no_read, *no_write;
};

struct conf_rewrite;

struct conf_variant {
	char *name;
	enum conf_variant_kind kind;
	struct conf_backend *backend; /* plain: it; monthly: the one that sees
	                                 all months; sharded: coordinator */
	/* Names of the table on its backends, each once: the first is the one
	 * on backend, the others are those of parts. */
	struct conf_relation *relations;
	size_t n_relations;
	char *shard_relation;         /* sharded: name on every shard */
	/* Ascending by period, remainder and modulus: in a period every hash
	 * belongs to exactly one of them. Those of a monthly variant have the
	 * modulus 1. None: they are not known (yet). */
	struct conf_shard *shards;
	size_t n_shards;
	unsigned modulus;   /* all others divide it */
	unsigned *by_remainder; /* [period * modulus + hash % modulus]: index in
	                           shards */
	/* Ascending by lo, without overlap, the default one last. None: it is not
	 * divided by time. */
	struct conf_period *periods;
	size_t n_periods;
	bool target_leaf;   /* monthly: statements may name one partition */
	const char *columns; /* of the table, those of the system too, one a
	                        line; NULL: not known */
	bool sorts_text;    /* all parts and backend are known to have it in the
	                       same order, that of their databases */
	/* The catalogs prove of each row with a UUIDv7 in the table's month_id that
	 * its time is in [T + id_lo, T + id_hi], in microseconds, T being the
	 * UUID's. */
	bool id_timed;
	int64_t id_lo, id_hi;
	bool refuted;       /* shards were configured that the catalogs contradict */
	/* Of where its parts are, the same in every process that has them
	 * there; "" if it has none. */
	char digest[33];
	struct conf_month_span *spans; /* monthly: optional */
	size_t n_spans;
	struct conf_rewrite *rewrites; /* plain: optional */
	size_t n_rewrites;
	bool only_rewrites;
};

/* A column of the key by whose hash rows are spread. */
struct conf_key {
	char *column;
	enum conf_key_type type;
};
#define CONF_MAX_KEYS 8

/* A logical table. */
struct conf_table {
	char *name;   /* as configured, "app.events" */
	char *schema; /* "app", or NULL when the name has no dot */
	char *rel;    /* "events" */
	struct conf_database **databases;
	size_t n_databases;
	struct conf_key *keys; /* the tenant's columns, in the order of the
	                          partition key */
	size_t n_keys;
	char *time_column; /* or NULL */
	char *month_of;    /* "uuidv7(id)", or NULL */
	char *month_id;    /* the column in it */
	bool stays;        /* transactions run on the coordinator */
	bool approximate_floats;
	bool split_inserts;
	bool two_phase_commit; /* of writes over several shards */
	struct conf_replica_rule replicas; /* what it does not have from the
	                                      database */
	struct conf_variant *variants;
	size_t n_variants;
	struct conf_variant *use; /* the variant that serves it */
	unsigned id;
};

/* A column by whose values results and writes are told apart: what keys of
 * cache rules say, each once. */
struct conf_tag_key {
	char *rel;    /* bare name of its table, of ASCII */
	char *column;
	bool month;   /* by the calendar month (UTC) of a timestamptz */
	bool known;   /* the catalogs vouch for it; else nothing is told apart */
	enum conf_key_type type; /* if known, and not a month */
};

/* A name that the query of a rule has for one of its values. */
struct conf_named {
	char *name;
	size_t place;  /* of the value, see analysis.places */
	uint32_t oid;  /* type it is cast to in the query; 0: none */
};

/* The query of a cache rule, and how its results are called; or that of a
 * rewrite. */
#define CONF_NAMES_MAX 32 /* of one query */
#define CONF_NAMED_MAX 4  /* of one key */
struct conf_query {
	char *text;           /* as written; NULL: the rule has none */
	struct hash128 print; /* of the statements it stands for */
	struct conf_named named[CONF_NAMES_MAX];
	size_t n_named;
	struct conf_strings tables; /* that it reads */
	bool stable;          /* it calls a stable function */
};

/* A piece of a text: bytes, and the value behind them. */
struct conf_piece {
	struct slice text;
	int named; /* index in conf_query.named; -1: the last piece */
};

/* A statement that a variant is asked in other words. */
struct conf_rewrite {
	char *name;
	struct conf_query query;
	struct conf_strings texts;  /* as written */
	/* One statement of them all, with $1 and so on for the query's names. */
	char *text;
	struct conf_piece *pieces;  /* of text, the same but for these */
	size_t n_pieces;
};

/* One part of a rule's key: text, and the value behind it. */
#define CONF_KEY_MAX 96 /* bytes as written */
struct conf_key_part {
	struct slice text; /* of conf_rule.key */
	int named;         /* index in conf_query.named; -1: the last part */
};

/* A cache rule. */
struct conf_rule {
	char *name;
	struct conf_database **databases; /* rule applies to these */
	size_t n_databases;
	struct conf_strings tables; /* a statement may read only these */
	bool all;          /* ... but for "*": any */
	struct conf_strings keys;   /* as written, see conf_tag_key */
	struct conf_query query;    /* what a statement must be, but for values */
	char *key;                  /* of its results, as written; or NULL */
	struct conf_key_part parts[CONF_NAMED_MAX + 1];
	size_t n_parts;
	nsec_t ttl;        /* L2, and L1 unless l1_ttl is given */
	nsec_t l1_ttl;     /* 0: not kept in L1 */
	nsec_t grace;
	nsec_t ttl_closed_month; /* 0: not special */
	nsec_t stale_if_error;
	nsec_t ttl_empty;  /* if it is special */
	bool empty_differs;
	int64_t ttl_jitter, refresh_ahead; /* percent */
	char *ttl_column;  /* of results: their end; or NULL */
	bool allow_stable; /* now() and the like may be cached */
	bool allow_rls, allow_unlogged, allow_foreign;
	bool l2;           /* may go to Redis */
	nsec_t l2_lease;   /* 0: each process fills for itself */
	bool strong;       /* only while feeds vouch for it */
	char *verify;      /* of its hits, as written; NULL: as the setting */
	uint32_t verify_share; /* of a million */
	unsigned id;
};

/* What a write to a table changes besides. */
struct conf_writes {
	char *name;
	struct conf_database **databases;
	size_t n_databases;
	struct conf_strings also;
	unsigned id;
};

/* A comparison of variants of one table. */
#define CONF_ARMS_MAX 8
#define CONF_EXPERIMENTS_MAX 16
enum conf_unit { CONF_UNIT_SESSION, CONF_UNIT_USER, CONF_UNIT_TENANT,
	CONF_UNIT_STATEMENT };
/* Combinations of database and arms by which cached answers are told apart. */
#define CONF_SLOTS_MAX 4096
enum conf_experiment_state {
	EXPERIMENT_STOPPED, /* the variant in use serves everybody */
	EXPERIMENT_RUNNING,
	EXPERIMENT_PROMOTED /* one arm does */
};
struct conf_arm {
	struct conf_variant *variant;
	uint32_t weight;  /* as it stands in the file */
};
struct conf_run;
/* Who has an experiment's writes. */
enum conf_arm_writes {
	CONF_WRITES_CONTROL,
	CONF_WRITES_ARM, /* that of the unit */
	CONF_WRITES_ALL  /* the control, and behind its commits the others */
};

struct conf_experiment {
	char *name;
	const struct conf_table *table;
	struct conf_database **databases;
	size_t n_databases;
	struct conf_arm arms[CONF_ARMS_MAX]; /* the first is the control */
	unsigned n_arms;
	enum conf_unit unit;
	bool shadow;
	enum conf_arm_writes writes;
	bool cache, start;
	int64_t alpha, effect; /* percent */
	double error_ratio, p95_ratio; /* 0: no such guard */
	int64_t shadow_share, shadow_queue, shadow_running;
	int64_t mirror_queue; /* transactions */
	unsigned id;     /* index in conf.experiments */
	/* What became of it, see conf/trial.h. */
	enum conf_experiment_state state;
	unsigned promoted;            /* the arm, then */
	uint32_t weights[CONF_ARMS_MAX]; /* in force */
	struct conf_run *run;         /* while it is running; borrowed */
};

/* A question that a backend answers with one number. */
#define CONF_CHECKS_MAX 32
struct conf_check {
	char *name;
	const struct conf_backend *backend;
	char *query;
	nsec_t interval, timeout;
};

/* Another process that serves the same clients. */
#define CONF_NODE_MAX 255
struct conf_peer {
	char *title;   /* its number, as written */
	unsigned node; /* ... 1..CONF_NODE_MAX */
	char *host;
	int64_t port;
	struct sockaddr_storage addr;
	socklen_t addr_len;
};

struct deps;
struct vouch;

/* A backend whose catalogs cached results depend on, see conf/deps.h. */
struct conf_watch {
	const struct conf_backend *backend;
	struct vouch *vouch; /* lives as long as the process */
	const struct deps *deps; /* what they say; NULL: not known yet */
};

/* How long statements may take that are not logged. */
#define LOG_NEVER UINT64_MAX
#define LOG_INHERIT (UINT64_MAX - 1)

/* A database that clients can connect to. */
struct conf_database {
	char *name;
	struct conf_backend *backend; /* where unrouted statements go */
	enum conf_pool_mode pool_mode;
	bool cache;                   /* false: never any cache */
	int64_t max_db_client_connections;
	nsec_t log_after;             /* or LOG_NEVER */
	struct conf_replica_rule replicas;
	struct conf_table **tables;   /* routed tables of this database */
	size_t n_tables;
	struct conf_rule **rules;
	size_t n_rules;
	const struct conf_writes **writes;
	size_t n_writes;
	/* With cache rules: its backends. Without: all that are watched, which
	 * its writes may concern. */
	const struct conf_watch **watches;
	size_t n_watches;
	unsigned id; /* unique, also among views */
	/* Experiments that may concern its statements; NULL: none is running
	 * or promoted. */
	const struct conf_experiment *const *experiments;
	size_t n_experiments;
	/* It as arms see it: where the experiment's table uses the arm's
	 * variant. [experiment * CONF_ARMS_MAX + arm], with the experiment's
	 * place in experiments; the control's are NULL. */
	const struct conf_database **views;
	const struct conf_database *base; /* of a view: the database; or NULL */
};

/* Each view of a database. */
void conf_each_view(const struct conf_database *d,
    void (*fn)(void *arg, const struct conf_database *view), void *arg);

/* Limits of one user; 0: none. */
struct conf_user {
	char *name;
	int64_t max_user_client_connections;
	int64_t max_user_connections; /* servers logged in as this user */
	nsec_t client_idle_timeout, idle_transaction_timeout;
	nsec_t transaction_timeout, query_timeout;
	nsec_t log_after; /* or LOG_NEVER, or LOG_INHERIT: the database's */
};

struct conf_user_map { /* client user -> backend user */
	char *from, *to;
};

struct conf_layouts;
struct conf_trials;

struct conf {
	uint32_t magic;
#define CONF_MAGIC 0x0c0f19a7u
	atomic_uint refs;
	uint64_t generation; /* 1, 2, ... one per successful load */
	uint64_t lineage;    /* the same where only deps differ: everything else
	                        is equal and in the same places */
	char *path;
	char *text;          /* of the file, to be read again with changes */
	size_t text_len;
	struct conf_strings changes; /* by conf_change(): name, value, ... */
	struct conf_layouts *layouts; /* of catalogs, see conf/layout.h; or NULL */
	struct deps **deps;           /* of catalogs, see conf/deps.h */
	size_t n_deps;
	struct conf_trials *trials;   /* see conf/trial.h; or NULL */

	/* settings: one field a row of tbl/settings.h */
#define SETTING_BOOL(name, def, reload, doc) bool name;
#define SETTING_INT(name, def, lo, hi, reload, doc) int64_t name;
#define SETTING_SIZE(name, def, lo, hi, reload, doc) int64_t name;
#define SETTING_TIME(name, def, lo, hi, reload, doc) nsec_t name;
#define SETTING_STR(name, def, reload, doc) char *name;
#define SETTING_ENUM(name, type, def, words, reload, doc) type name;
#define SETTING_LIST(name, def, reload, doc) struct conf_strings name;
#include "tbl/settings.h"

	nsec_t log_after;    /* log_min_duration_statement, or LOG_NEVER */
	uint32_t log_sample; /* log_statement_sample_rate, in a million */
	bool follows;        /* something is told of single statements */

	struct conf_backend *backends;
	size_t n_backends;
	struct conf_database *databases;
	size_t n_databases;
	struct conf_table *tables;
	size_t n_tables;
	struct conf_rule *rules;
	size_t n_rules;
	struct conf_tag_key *tag_keys;
	size_t n_tag_keys;
	struct conf_writes *writes;
	size_t n_writes;
	struct conf_experiment *experiments;
	size_t n_experiments;
	struct conf_check *checks;
	size_t n_checks;
	struct conf_peer *peers;
	size_t n_peers;
	struct conf_database *views; /* of databases, as arms see them */
	size_t n_views;
	struct conf_table *arm_tables; /* theirs: copies that own nothing */
	struct conf_watch *watches;
	size_t n_watches;
	struct conf_user *users;
	size_t n_users;
	struct conf_user everyone; /* who has no block of their own */
	struct conf_user_map *user_map;
	size_t n_user_map;
};

/* What one of a rule's keys says. */
struct conf_tag_place {
	struct slice table; /* as the rule names it, */
	struct slice rel;   /* without its schema */
	struct slice column;
	bool month;
};
/* Borrows from text. false: it is not of that form. */
bool conf_tag_key_read(const char *text, struct conf_tag_place *out)
    PG_MUST_CHECK;
/* Writes end the same results under both, whatever catalogs vouch for. */
bool conf_tag_keys_eq(const struct conf *a, const struct conf *b);
/* NULL: none. */
struct conf_tag_key *conf_tag_key_find(const struct conf *c,
    const struct conf_tag_place *at);

/* Read the query of a rule: text is set, the rest is to be. false: why says
 * what is wrong and what is expected. c: settings are known. */
typedef bool conf_query_cb(const struct conf *c, struct conf_query *q,
    char *why, size_t size);
/* Who reads them, once before the first configuration is loaded: they are of
 * a language that this layer does not know. */
void conf_read_queries_with(conf_query_cb *fn);

/* The same for a rewrite: query.text and texts are set, the rest is to be. */
typedef bool conf_rewrite_cb(const struct conf *c, struct conf_rewrite *r,
    char *why, size_t size);
void conf_read_rewrites_with(conf_rewrite_cb *fn);

#define CONF_DIAG_MAX 32
struct conf_diag {
	int n; /* messages kept, at most CONF_DIAG_MAX */
	char *msg[CONF_DIAG_MAX]; /* "path:line: text" */
};
void conf_diag_fini(struct conf_diag *d);

/* Read and validate. Returns a configuration with one reference, or NULL with
 * at least one message in *d. Opens the file and, for checks, the users and
 * TLS files it names. */
struct conf *conf_load(const char *path, struct conf_diag *d) PG_MUST_CHECK;
/* The same in place of old, whose layouts stay in force as far as they fit;
 * NULL: none. */
struct conf *conf_reload(const char *path, const struct conf *old,
    struct conf_diag *d) PG_MUST_CHECK;
/* The same for text in memory; name stands for the file in diagnostics. *d is
 * set up by both. libconfuse keeps its lexer in globals: control thread only. */
struct conf *conf_load_buffer(const char *name, const char *text, size_t len,
    struct conf_diag *d) PG_MUST_CHECK;
/* The same text again, with this setting changed on top of those that were
 * changed before, and checked as a whole; diagnostics about the change begin
 * with "SET:". A list is given as "a, b". NULL with messages in *d. */
struct conf *conf_change(const struct conf *from, const char *name,
    const char *value, struct conf_diag *d) PG_MUST_CHECK;
/* Name of a setting as the table spells it, found without regard to case;
 * NULL: there is none. reloadable: it can be changed without a restart. */
const char *conf_setting_name(const char *name, bool *reloadable);
void conf_ref(struct conf *c);
void conf_unref(struct conf **c); /* nulls the caller's pointer */

/* Compare: one line a difference, "name: old -> new", handed to fn. Returns
 * the number of settings that changed but only take effect after a restart
 * (these lines say so). */
int conf_diff(const struct conf *from, const struct conf *to,
    void (*fn)(void *arg, const char *line), void *arg);

struct conf_database *conf_find_database(const struct conf *c, const char *name);
/* NULL: there is none of that number, or it is this process. */
const struct conf_peer *conf_find_peer(const struct conf *c, unsigned node);
/* Is this the title of a peer? the host of one, which is an IP address or a
 * folder? */
bool conf_is_node(const char *title);
bool conf_is_peer_host(const char *host);
struct conf_backend *conf_find_backend(const struct conf *c, const char *name);
/* The limits that hold for a client user. */
const struct conf_user *conf_find_user(const struct conf *c, const char *name);
/* While a configuration is built: the place of a name in the variant's
 * relations, added where it is not there yet. */
unsigned conf_variant_relation(struct conf_variant *v, const char *name);
/* ... and once periods and shards are complete: modulus and by_remainder.
 * false: there are no shards or over CONF_MAX_SHARDS, in some period a remainder
 * has no shard or several, or the moduli have no common multiple that is, times
 * the periods, at most CONF_MODULUS_MAX. */
#define CONF_MODULUS_MAX 8192u
bool conf_variant_place(struct conf_variant *v) PG_MUST_CHECK;
/* ... and when all is complete: digest. */
void conf_variant_digest(struct conf_variant *v);
void conf_variant_fini(struct conf_variant *v);

/* The shard that holds the rows of this hash; period 0 if there are none. */
static inline const struct conf_shard *
conf_shard_of(const struct conf_variant *v, size_t period, uint64_t hash)
{
	return &v->shards[v->by_remainder[period * v->modulus +
	    hash % v->modulus]];
}
/* May statements of this database run on this backend? */
bool conf_database_reaches(const struct conf_database *d, const char *backend);
/* A place where rows of a rule's table may be. */
struct conf_place {
	const struct conf_backend *backend;
	const char *relation;           /* there, as configured */
	const char *named;              /* in the rule */
	const struct conf_table *table; /* the routed table it is; or NULL */
	bool maybe;                     /* there need not be any of that name */
};
/* All of them, as far as the configuration knows; the same may come again. */
void conf_rule_places(const struct conf_database *d,
    const struct conf_rule *r,
    void (*fn)(void *arg, const struct conf_place *p), void *arg);
/* The backend user for a client user: the backend's forced user, else the
 * mapped name, else the client's own. */
const char *conf_backend_user(const struct conf *c,
    const struct conf_backend *b, const char *client_user);

/* A connection string and, where it is silent, what the settings server_tls_
 * say, as keywords and values; malloc'ed. It must be one that libpq takes. */
char *conf_whole_conninfo(const struct conf *c, const char *written)
    PG_MUST_CHECK;
/* A keyword of the backend's conninfo, malloc'ed; NULL when it is not given
 * or is a password. */
char *conf_backend_option(const struct conf_backend *b, const char *keyword)
    PG_MUST_CHECK;

/* Rows for SHOW CONFIG and for the documentation: every setting as text;
 * secrets (conninfo passwords, redis_password) are shown as "***". */
void conf_each_setting(const struct conf *c,
    void (*fn)(void *arg, const char *name, const char *value,
	const char *def, bool reloadable, const char *doc),
    void *arg);

#endif
