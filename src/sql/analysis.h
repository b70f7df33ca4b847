/* SPDX-License-Identifier: PostgreSQL
 *
 * What the parse tree of a shape says, in neutral terms.
 *
 * Made by analysis_new() (sql/parse*.c, the only files that include
 * libpg_query), immutable afterwards.  Everything that depends on literal
 * values is expressed by reference: cut number or parameter number.  What is
 * not understood is said to be so: an unknown node means "not cacheable,
 * writes everything", and an unproven predicate is left out.
 */
#ifndef PGSLUICE_SQL_ANALYSIS_H
#define PGSLUICE_SQL_ANALYSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"
#include "conf/wishes.h"
#include "sql/lex.h"

enum stmt_kind {
#define STMT_KIND(sym, name) STMT_##sym,
#include "tbl/stmt_kinds.h"
	STMT_KIND_COUNT
};
const char *stmt_kind_name(enum stmt_kind k);

/* Effects. */
enum {
	AN_LOCKING = 1u << 0,      /* FOR UPDATE/SHARE, LOCK, advisory locks */
	AN_WRITES = 1u << 1,       /* writes some table */
	AN_WRITES_ALL = 1u << 2,   /* may write anything (DO, CALL, unknown function, unparsed, DDL) */
	AN_STABLE = 1u << 3,       /* calls a stable builtin or SQL value function (now()) */
	AN_VOLATILE = 1u << 4,     /* calls a volatile function (random(), nextval()) */
	AN_UNKNOWN_FN = 1u << 5,   /* calls a function not in the table of names */
	AN_CATALOG = 1u << 6,      /* reads pg_catalog or information_schema */
	AN_TX_BEGIN = 1u << 7,     /* BEGIN or START TRANSACTION */
	AN_TX_END = 1u << 8,       /* COMMIT, ROLLBACK, PREPARE TRANSACTION (not ROLLBACK TO) */
	AN_TX_PLAIN = 1u << 9,     /* BEGIN: no options, or isolation READ COMMITTED only;
	                              COMMIT/ROLLBACK: no AND CHAIN */
	AN_MULTI = 1u << 10,       /* more than one statement */
	AN_PARAMS = 1u << 11,      /* has $n */
	AN_EXPLAIN_ROUTE = 1u << 12, /* EXPLAIN (ROUTE) ...; kind and all else describe the inner statement */
	AN_DISCARD_ALL = 1u << 13,
	AN_SUBLINK = 1u << 14,     /* subqueries, CTEs, set operations, or joins */
	AN_SET_ISOLATION = 1u << 15, /* changes an isolation level or read-only mode */
	AN_SET_LOCAL = 1u << 16,   /* SET LOCAL */
	AN_TABLESAMPLE = 1u << 17,
	AN_DATETIME_LITERAL = 1u << 18, /* casts a literal or parameter to a date/time type: 'now'
	                              and the like make the result depend on the clock */
	AN_RESET_ALL = 1u << 21,   /* RESET ALL */
	AN_EXPLAIN_UNSUPPORTED = 1u << 19, /* with AN_EXPLAIN_ROUTE: other options, or several
	                              statements; refuse it */
	AN_SAVEPOINT = 1u << 20,   /* SAVEPOINT, RELEASE, ROLLBACK TO */
	AN_RENAMES = 1u << 22,     /* gives a relation another name */
	AN_TX_CHAIN = 1u << 23,    /* COMMIT or ROLLBACK AND CHAIN */
	AN_DDL = 1u << 24,         /* several statements, one of them STMT_DDL, whatever kind
	                              says */
	AN_EXPLAIN_ANALYZE = 1u << 25, /* with AN_EXPLAIN_ROUTE: and ANALYZE */
	AN_READONLY_FN = 1u << 26  /* calls a function that is declared to read
	                              only: volatile, for all else we know */
};

/* Why a statement ties its session to the server it ran on. */
enum pin_reason {
	PIN_NONE,
#define PIN_REASON(sym, name, doc, question) PIN_##sym,
#include "tbl/pin_reasons.h"
	PIN_REASON_COUNT
};
const char *pin_reason_name(enum pin_reason r);

/* Sets of reasons. */
#define PIN_BIT(r) (1u << (r))
#define PIN_TEXT_MAX 200
/* The names in a set, separated by commas; "" if it is empty. Returns out. */
const char *pin_reasons_text(uint32_t pins, char out[PIN_TEXT_MAX]);

struct an_table {
	char *schema;        /* lower-cased as PostgreSQL folds it; NULL: none */
	char *name;
	bool read, written;
	bool takes_alias;    /* an "AS name" may be inserted behind it */
	bool has_alias;
	bool temp;           /* a temporary one that the statement may make */
	bool is_target;      /* the relation of INSERT/UPDATE/DELETE/COPY/TRUNCATE */
	bool placed;         /* false: place unknown (objects of DROP) */
	struct textpos pos;  /* of the (qualified) relation token */
	struct textpos end;  /* behind it; comments in it differ in length from
	                        text to text */
};

/* "schema.rel" inside a three-part column reference, to be cut down to "rel". */
struct an_qualref {
	unsigned table; /* index in tables */
	struct textpos pos, end;
};

enum an_value_kind {
	AN_VAL_CUT,    /* literal: cut number in index */
	AN_VAL_PARAM,  /* $n: index is n - 1 */
	AN_VAL_NULL,
	AN_VAL_TRUE, AN_VAL_FALSE,
	AN_VAL_NOW,    /* an expression over now()/current_date that only the server may evaluate */
	AN_VAL_OTHER
};
enum an_cast { /* type the value was explicitly cast to */
	AN_CAST_NONE, AN_CAST_INT2, AN_CAST_INT4, AN_CAST_INT8, AN_CAST_TEXT,
	AN_CAST_UUID, AN_CAST_DATE, AN_CAST_TIMESTAMP, AN_CAST_TIMESTAMPTZ,
	AN_CAST_BOOL, AN_CAST_NUMERIC, AN_CAST_VARCHAR, AN_CAST_BPCHAR,
	AN_CAST_OTHER
};
struct an_value {
	uint32_t index;
	enum an_value_kind kind : 8;
	enum an_cast cast : 8;
	bool negative;  /* a unary minus stands before the literal */
	bool repeated;  /* a parameter that stands in several places */
};

enum an_op { /* column OP value(s); the column is on the left */
	AN_EQ, AN_IN /* any of the values */, AN_LT, AN_LE, AN_GT, AN_GE,
	AN_MONTH_EQ, /* date_trunc('month', column) = value, if analysis_pred_applies() */
	AN_ROWS,     /* INSERT: the values given for this column, one a row */
	AN_IN_ARRAY, /* any member of an array: the one value, whose cast is that
	                of its members */
	AN_EQ_COLUMN, /* = another column, see an_pred.other */
	AN_EQ_INNER,  /* the same, if the rows are divided by columns of an_within
	                 (sql/split.h) */
	AN_ROWS_FROM, /* INSERT: the rows get it from another column */
	/* What follows, an_pred.span conditions, belongs to this one; there is
	 * no column and no table: */
	AN_ANY_OF,   /* one of them holds */
	AN_ALL_OF    /* all of them hold; none: nothing is known */
};
/* A condition on a relation, each time it stands in the statement: rows of it
 * that do not satisfy all its conditions change nothing about what the
 * statement does, as long as those of the relations that an_pred.other names
 * are left out in the same way.  In prefix form: the members of a group
 * stand behind it. */
struct an_pred {
	unsigned table;
	char *column;
	enum an_op op;
	struct an_value *values;
	size_t n_values;
	uint32_t unit_cut; /* AN_MONTH_EQ: the cut that must read 'month' */
	unsigned span;     /* AN_ANY_OF, AN_ALL_OF */
	unsigned other;    /* AN_EQ_COLUMN, AN_ROWS_FROM: the other table */
	char *other_column;
};
static inline bool
an_pred_is_group(const struct an_pred *p)
{
	return p->op == AN_ANY_OF || p->op == AN_ALL_OF;
}
/* The next one that is not part of p. */
static inline size_t
an_pred_next(const struct an_pred *preds, size_t i)
{
	return i + 1 + preds[i].span;
}

/* One LISTEN or UNLISTEN. */
struct an_channel {
	bool listen;
	char *name; /* folded and cut short as PostgreSQL does; NULL: UNLISTEN * */
};

/* A setting that SET, RESET or set_config() may change. */
struct an_setting {
	char *name;            /* in lower case; NULL: value holds it */
	struct an_value value; /* argument of set_config() */
	bool reset;            /* perhaps to its default */
};

/* What the session wants of the cache, see conf/wishes.h: also of SET LOCAL.
 * Several statements: the last one's value, or one that is unknown. */
struct an_wish {
	enum wish of;
	char *word;            /* the value if it is a bare word, else NULL */
	struct an_value value; /* ... if it is a literal; AN_VAL_OTHER: unknown */
};

/* Values of a statement that are told apart by their place; more are not. */
#define AN_PLACES_MAX 64

struct an_split;

struct analysis {
	enum stmt_kind kind;    /* MULTI: of the first statement that is not SELECT;
	                           no predicates then */
	uint32_t flags;
	uint32_t pins;          /* set of enum pin_reason */
	uint32_t ends;          /* the same: what may be over behind it, or not
	                           have come to be */
	unsigned n_params;      /* highest $n */
	struct an_table *tables;
	size_t n_tables;
	struct an_qualref *qualrefs;
	size_t n_qualrefs;
	struct an_pred *preds;
	size_t n_preds;
	char **assigned;        /* UPDATE (and ON CONFLICT DO UPDATE): columns set */
	size_t n_assigned;
	char **arbiters;        /* ON CONFLICT (a, b): columns that rows which are
	                           updated have in common with new ones */
	size_t n_arbiters;
	struct an_channel *channels; /* of all statements, in order */
	size_t n_channels;
	bool only_channels;     /* nothing but LISTEN and UNLISTEN */
	struct an_setting *settings; /* that may be changed beyond the
	                           transaction; not those of a SET LOCAL */
	size_t n_settings;
	struct an_wish *wishes; /* in order */
	size_t n_wishes;
	bool insert_known;      /* INSERT .. VALUES with a column list */
	struct an_split *split; /* see sql/split.h; or NULL */
	bool has_print;         /* a single SELECT; or INSERT, UPDATE or DELETE,
	                           with at most AN_PLACES_MAX values */
	struct hash128 print;   /* equal for those that differ in values only */
	struct an_value *places; /* ... and these are the values, in an order
	                           that is the same for all of them */
	size_t n_places;
	bool group_or_agg;      /* aggregates, GROUP BY, DISTINCT, window, LIMIT or ORDER BY present */
};

/* Names the configuration declares, for functions the table does not know.
 * "f" stands for f of any schema, "s.f" for a call written s.f() only. */
struct an_functions {
	const char *const *readonly;
	size_t n_readonly;
	const char *const *stateless;
	size_t n_stateless;
};

/* Parse and analyse one text whose lexer result is lx. Always returns an
 * analysis: kind STMT_UNPARSED, flags AN_WRITES_ALL and reason PIN_UNPARSED when
 * libpg_query cannot parse it (the server will report the error; a syntax
 * error leaves no state, but our grammar may be older than the server's). */
struct analysis *analysis_new(struct slice sql, const struct lexer *lx,
    const struct an_functions *fns) PG_MUST_CHECK;
/* For text the lexer refused (too long, too deep, broken). */
struct analysis *analysis_unparsed(void) PG_MUST_CHECK;
static inline bool
analysis_is_ddl(const struct analysis *a)
{
	return a->kind == STMT_DDL || (a->flags & AN_DDL);
}
/* One that is planned: its values are its own, it takes nothing from the client
 * while it runs, and what it does is over with its answer. */
static inline bool
analysis_is_planned(const struct analysis *a)
{
	return a->kind == STMT_SELECT || a->kind == STMT_INSERT ||
	    a->kind == STMT_UPDATE || a->kind == STMT_DELETE ||
	    a->kind == STMT_MERGE;
}
void analysis_free(struct analysis **a);
/* Leave the first n predicates. */
void analysis_drop_preds(struct analysis *a, size_t n);
/* Set an_value.repeated in all predicates; shape: the text without literals.
 * analysis_new() has done it. */
void analysis_mark_repeated(struct analysis *a, struct slice shape);

/* Text of the inner statement of EXPLAIN (ROUTE) stmt; p == NULL when it is
 * no such statement. */
struct slice analysis_explain_inner(struct slice sql);
struct explain_options {
	bool analyze;     /* and not ANALYZE false */
	bool unsupported; /* there are others, or values that are not theirs */
};
/* The same, and what stands beside ROUTE. */
struct slice analysis_explain_options(struct slice sql,
    struct explain_options *o);

/* Decode a literal cut into plain text (quotes removed, doubled quotes
 * undone). false for kinds whose value needs escape processing. out is
 * malloc-free: it points into sql when nothing had to be undone. */
bool analysis_literal(struct slice sql, const struct cut *c, char *scratch,
    size_t scratch_size, struct slice *out) PG_MUST_CHECK;

/* The predicate's condition on the literals of this very text holds: true for
 * all but AN_MONTH_EQ, whose unit is a literal that the shape does not hold. */
bool analysis_pred_applies(const struct an_pred *p, struct slice sql,
    const struct lexer *lx);

/* Text holds now, today, tomorrow or yesterday as a word: as a date or time
 * it would mean another value tomorrow. For bound parameters too. */
bool analysis_literal_is_special(struct slice text);
/* For a SELECT: any string literal of the text is special, or cannot be told
 * cheaply (escapes). Its result must not be cached. */
bool analysis_has_special_literals(const struct analysis *a, struct slice sql,
    const struct lexer *lx);

#endif
