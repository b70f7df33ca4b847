/* SPDX-License-Identifier: PostgreSQL
 *
 * Where does a statement run, with which SQL text, cached how, and why.
 *
 * Two steps.  A *plan* is what the shape alone says for one database of one
 * configuration generation: computed once, kept with the shape.  A *decision*
 * adds the literal or parameter values: shard, months, cache life.  EXPLAIN
 * (ROUTE) prints a decision made by the very same code.
 *
 * Pure: no I/O, no clock (time is an argument), no globals.  What is not
 * proven goes to the variant's backend (the coordinator, the plain server).
 */
#ifndef PGSLUICE_ROUTE_ROUTE_H
#define PGSLUICE_ROUTE_ROUTE_H

#include "base/buf.h"
#include "conf/conf.h"
#include "pgwire/msgread.h"
#include "route/hint.h"
#include "route/shards.h"
#include "sql/shape.h"

enum bypass_reason {
	BYPASS_NONE,
#define BYPASS_REASON(sym, name, doc) BYPASS_##sym,
#include "tbl/bypass_reasons.h"
	BYPASS_REASON_COUNT
};
const char *bypass_reason_name(enum bypass_reason r);
const char *bypass_reason_doc(enum bypass_reason r);

/* Which physical text, a number: as the client wrote it, or with one of the
 * variant's relations, its own first. Parts with equal names share a form. */
enum { FORM_ASIS, FORM_RELATION, FORM_PART };
#define FORM_OF(relation) (FORM_RELATION + (relation))

/* How the answers of several shards become one, see gather.h. */
enum gather_mode {
	GATHER_NONE,
#define GATHER_MODE(sym, name, doc) GATHER_##sym,
#include "tbl/gather_modes.h"
};

/* Why a statement goes to no replica. */
enum replica_reason {
	REPLICA_REASON_NONE,
#define REPLICA_REASON(sym, name, doc) REPLICA_REASON_##sym,
#include "tbl/replica_reasons.h"
	REPLICA_REASON_COUNT
};
const char *replica_reason_name(enum replica_reason r);
const char *replica_reason_doc(enum replica_reason r);

struct live_set; /* cache/live.h */

#define ROUTE_MAX_DEPS 16
#define ROUTE_MAX_EDITS 1000
#define ROUTE_MAX_CONFINED 16 /* relations of one statement on a shard */

/* One place of the client's text that names a routed table: its relation
 * token, or the "schema.rel" of a column reference. */
struct route_edit {
	struct textpos pos, end;
	unsigned an_table;  /* index in analysis.tables */
	const struct conf_table *table;
	char *name;         /* SQL, the plan's: what columns are qualified with */
	bool column;        /* such a reference; it becomes name alone */
	bool takes_alias;   /* name is added where the physical one differs */
};

struct route_plan {
	uint64_t generation;              /* of the configuration */
	const struct conf_database *db;
	uint64_t hidden;                  /* see route_plan_hidden() */
	const struct conf_backend *home;  /* where tables are that are not routed */
	const struct conf_table *table;   /* the routed table; NULL: none */
	const struct conf_variant *variant;
	const struct conf_backend *backend; /* unless values prove a better one */
	unsigned an_table;                /* its index in the analysis */
	const struct conf_table **tables; /* all of the analysis, NULL for one
	                                     that is not routed; NULL: none is */
	struct route_edit *edits;         /* ascending by position; cover every
	                                     routed table of the statement */
	size_t n_edits;
	bool may_shard, may_span, may_leaf; /* values may prove a better place */
	bool alike;                       /* all tables are sharded as table is: a
	                                     form of its parts is one of all */
	enum gather_mode gather;          /* how several shards may answer it */
	uint32_t drivers;                 /* then they are the shards of these
	                                     relations of the analysis, a set */
	bool may_split;                   /* an INSERT, see portion.h */
	unsigned gather_pause; /* so often it goes to the coordinator instead */
	int key_pred;                     /* the first over the key: index in
	                                     analysis.preds, or -1 */
	const struct conf_rule *rule;     /* NULL: bypass says why */
	enum bypass_reason bypass;        /* static part of the verdict */
	/* Names of the tables a cached result depends on (rule.tables and
	 * those read), and of those written: bare relation names, borrowed
	 * from configuration or analysis. Physical names of routed tables are
	 * given as the logical table's. */
	const char *reads[ROUTE_MAX_DEPS];
	size_t n_reads;
	const char *writes[ROUTE_MAX_DEPS];
	size_t n_writes;
	bool writes_all;
	const struct conf_tag_key *tag_keys; /* of the configuration */
	size_t n_tag_keys;
	uint32_t reads_whole; /* set of reads: all of its rows count, whatever
	                         the statement says of those it names */
	bool writes_again; /* rows may change that it does not name */
	const char *writes_why; /* ... because of that, of the configuration; or
	                           NULL */
	enum replica_reason replica; /* NONE: it may go to one that replica_rule
	                                allows, unless its values speak against it */
	struct conf_replica_rule replica_rule; /* the strictest of its tables */
	const struct conf_experiment *experiment; /* of the database, not of a view:
	                                     the one it takes part in; or NULL */
	unsigned experiment_at;           /* its place in db->experiments */
	bool relaxed;   /* touches no routed table: inside a transaction it may run
	                   on whatever backend the transaction is on */
	/* Set when the statement cannot run: several routed tables without a
	 * common backend and the like. SQLSTATE and text, plan-owned. */
	const char *err_sqlstate;
	char *err_message, *err_hint;
	const char *why; /* static text: why this variant and backend */
	/* A view's variant is asked it in other words: what depends on the tables
	 * of these, and the one form is this text. */
	const struct conf_rewrite *rewrite;
	struct shape *inner; /* their analysis, the plan's */
	/* A view's variant cannot run it, and another may. */
	bool unserved;
	/* For the layer above, of one with an experiment: is it a measure of the
	 * arms, and its number on the experiment's board. */
	enum { COMPARES_UNKNOWN, COMPARES, COMPARES_NOT } compares;
	unsigned board_shape;
	/* For the layer above; zeroed at birth, freed with free(). */
	void *derived;
	/* The same, not freed: who vouches for what a strong rule for all tables
	 * stores; NULL: not known yet. */
	const struct live_set *live;
};

/* Values of one execution. */
struct route_values {
	struct slice sql;
	const struct lexer *lx;        /* its cuts; literals */
	const struct wire_bind *bind;  /* NULL: simple protocol */
	const char *oids;              /* parameter types of Parse, n_oids x 4 bytes */
	unsigned n_oids;
	nsec_t now_wall;               /* for closed months */
	bool utc;                      /* a time without a zone is one in UTC, on
	                                  whatever backend */
	bool other_encoding;           /* client_encoding is not the server's: text
	                                  beyond ASCII proves no shard */
};

struct route_decision {
	const struct conf_backend *backend;
	const struct conf_variant *variant;  /* NULL: not a routed table */
	const struct conf_shard *shard; /* NULL: not on one */
	/* The shards that can hold rows of the statement, if it is over one
	 * sharded table that stands in it once and it could run on them one by
	 * one; shard is the only member. Empty: not such a statement, or no
	 * row can match. */
	struct route_shards shards;
	unsigned form;
	bool gathers;           /* its shards may be asked at once */
	bool splits;            /* ... or each given its rows, see portion.h */
	/* Months the statement is confined to, [from, until) in months since
	 * 1970-01, widened by the uncertainty of time zones; both INT64_MIN: not confined. */
	int64_t month_from, month_until;
	bool closed;             /* all of them lie wholly in the past */
	nsec_t ttl, l1_ttl, grace, stale; /* valid if the plan has a rule */
	nsec_t ttl_empty;        /* ... of an answer without rows */
	struct hint hint;          /* of a SELECT; borrows from the text */
	enum bypass_reason bypass; /* what only values tell: STABLE for 'now' and
	                              the like; BYPASS_NONE: see the plan */
	const char *why;         /* static text */
	const char *refused;     /* why a shard that could hold rows is not asked
	                            directly, of the configuration; or NULL */
};

/* What a configuration tells analyses about functions; borrows from it. */
struct an_functions route_functions(const struct conf *c);

/* Make the plan of a shape for db. Never NULL.
 *
 * search_path is not known here: a name without schema in the statement means
 * the routed table whose relation has that name (an error if there are two),
 * and a table configured without schema is also meant by "public.name". */
struct route_plan *route_plan_new(const struct conf *c,
    const struct conf_database *db, const struct shape *s) PG_MUST_CHECK;
/* The same, but these of the routed tables are meant by names with a schema
 * only: temporary tables of the session, which is on backend home, have theirs.
 * A set of their numbers in db, where the last bit stands for all from 63 on. */
struct route_plan *route_plan_hidden(const struct conf *c,
    const struct conf_database *db, const struct shape *s, uint64_t hidden,
    const struct conf_backend *home) PG_MUST_CHECK;
/* The set of routed tables whose names are those of temporary ones that the
 * statement may make. */
uint64_t route_temp_names(const struct conf_database *db,
    const struct analysis *a);
/* Those of a set that the statement means. */
uint64_t route_hidden_names(const struct conf_database *db,
    const struct analysis *a, uint64_t hidden);
void route_plan_free(struct route_plan **p);
void route_decide(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, struct route_decision *d);

/* Write the physical text of form into out (appended, no NUL). false: out is
 * over its cap. With FORM_ASIS the text is copied. */
bool route_rewrite(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, unsigned form, struct buf *out)
    PG_MUST_CHECK;
/* The same for the bytes [from, until) of the client's text, which begin and end with
 * whole tokens; not FORM_ASIS. */
bool route_rewrite_range(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, unsigned form, uint32_t from, uint32_t until,
    struct buf *out) PG_MUST_CHECK;
/* Map a 1-based character position in the physical text (UTF-8 counted by characters) back to the client's text. */
unsigned route_unmap_position(const struct route_plan *p,
    const struct shape *s, const struct route_values *v, unsigned form,
    unsigned pos);

/* ... or with these values, which may mean the time at which it runs. */
enum replica_reason route_replica_reason(const struct route_plan *p,
    const struct shape *s, const struct route_values *v);

/* The lines of EXPLAIN (ROUTE), handed to fn one by one. */
void route_explain(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, const struct route_decision *d,
    void (*fn)(void *arg, const char *line), void *arg);

#endif
