/* SPDX-License-Identifier: PostgreSQL
 *
 * Shared by the parse*.c files only: one analysis in the making.
 */
#ifndef PGSLUICE_SQL_PARSE_PRIV_H
#define PGSLUICE_SQL_PARSE_PRIV_H

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include "sql/split.h"

typedef PgQuery__Node parse_node;
#define NODE_IS(n, SYM) \
	((n) != NULL && (n)->node_case == PG_QUERY__NODE__NODE_##SYM)

/* More of these in one statement: not analysed. */
#define PARSE_MAX_TABLES 4096
#define PARSE_MAX_CTES 1024
/* More of these, and nothing is said of conditions. */
#define PARSE_MAX_PREDS 4096
#define PARSE_MAX_PRED_DEPTH 16
#define PARSE_MAX_CONFINED 16 /* relations in the statement */
#define PARSE_MAX_OUTS 4096
#define PARSE_MAX_DRIVERS 16
#define PARSE_MAX_FULLS 64 /* columns that FULL JOINs compare */
#define PARSE_MAX_LINKS 16 /* "column IN (SELECT ...)"; others say nothing */
#define PARSE_MAX_CHANNELS 4096
#define PARSE_MAX_SETTINGS 64

enum parse_verdict { PV_WALK, PV_LEAF, PV_HAND, PV_NEVER, PV_STMT };
struct parse_row {
	enum parse_verdict verdict;
	enum stmt_kind kind;  /* of PV_STMT, as the rest */
	uint32_t flags;
	enum pin_reason pin;
};

/* What a relation named somewhere is to its statement. */
enum parse_use {
	USE_READ,      /* FROM, USING, JOIN */
	USE_READ_BARE, /* takes no alias: TABLE t, COPY t TO */
	USE_TARGET,    /* INSERT, UPDATE, DELETE, MERGE */
	USE_TARGET_BARE, /* COPY t FROM, TRUNCATE */
	USE_LOCK,
	USE_DDL
};

/* "s.r.column", seen before the tables are known. Borrows from the tree. */
struct parse_ref {
	const char *schema, *name;
	uint32_t location;
	unsigned parts;
};

/* What a query's column is made of. */
struct parse_out {
	const char *name;        /* "": not known */
	unsigned table;          /* of column, if that is not NULL */
	const char *column;
	const parse_node *value; /* else this, if not NULL */
	const PgQuery__SelectStmt *rows; /* else column number of VALUES */
	size_t number;
};

/* The columns of a query in FROM. */
struct parse_outs {
	size_t start, n;   /* in parse.outs, in the order of the columns */
	bool vague;        /* names of some are not known */
	bool gaps;         /* there are others between them: so is their place */
	bool star;         /* and all those of the table, by their names */
	unsigned table;
};

/* Alternatives by which a query can be taken apart; none: it cannot, or has no
 * relations. */
struct parse_apart {
	struct an_driver v[PARSE_MAX_DRIVERS];
	size_t n;
};

/* What FROM, or a statement's target, brings into scope. */
struct parse_item {
	const char *name;   /* columns are qualified with; NULL: none can be */
	const char *schema; /* and with this before it, or "" */
	const void *node;   /* of the tree */
	enum { ITEM_TABLE, ITEM_QUERY, ITEM_OPAQUE } kind;
	unsigned table;
	struct parse_outs outs;
	struct parse_apart apart; /* of a subquery that is read here only */
};

/* The names of one query level: items [start, end). */
struct parse_scope {
	const struct parse_scope *up; /* NULL: what is not found is not known */
	size_t start, end;
	bool unsure;                  /* there may be names besides */
	const parse_node *only;       /* all of FROM; NULL: several */
};

/* A column by its name. */
struct parse_column {
	const char *name;  /* NULL: not known what it is */
	unsigned table;
	size_t item;       /* SIZE_MAX: it came through a query, */
	size_t via;        /* ... which is this item, or SIZE_MAX */
	const struct parse_out *made; /* no column: what it is made of */
};

/* A query of WITH. */
struct parse_cte {
	const char *name;
	struct parse_outs outs;
	struct parse_apart apart;
	bool used;
};

/* Rows of INSERT ... VALUES of which some are left out of the tree. */
struct parse_row_text {
	uint32_t from, to;  /* bytes of it and of the comma before it */
	uint32_t cut;       /* its first */
	uint32_t like;      /* the row that is kept for it; itself: it is kept */
	uint32_t place;     /* of one that is kept: in the tree */
	uint32_t n_places;  /* likewise: see parse_identity.c */
};
struct parse_rows {
	size_t n, n_kept;
	struct parse_row_text *v;
	const PgQuery__InsertStmt *of;
};

struct parse {
	struct slice sql;
	const struct lexer *lx;
	const struct an_functions *fns;
	struct analysis *an;
	size_t tables_size, preds_size, assigned_size, arbiters_size, channels_size;
	size_t settings_size, wishes_size;
	struct parse_ref *refs;
	size_t n_refs, refs_size;
	const char **ctes; /* names in scope, borrowed from the tree */
	size_t n_ctes, ctes_size;
	const char **seen_ctes; /* ... of the whole statement */
	size_t n_seen_ctes, seen_size;
	const PgQuery__RangeVar **table_rvs; /* what each table came from */
	size_t rvs_size;
	/* parse_levels.c */
	struct parse_item *items;
	size_t n_items, items_size;
	struct parse_out *outs;
	size_t n_outs, outs_size;
	struct parse_cte *cte_queries;
	size_t n_cte_queries, cte_queries_size;
	const PgQuery__SubLink *links[PARSE_MAX_LINKS]; /* looked at already */
	size_t n_links;
	/* parse_apart.c */
	const PgQuery__SelectStmt *top; /* the whole statement; NULL: no SELECT */
	struct an_within within[PARSE_MAX_CONFINED];
	struct an_full *fulls;
	size_t n_fulls, fulls_size;
	unsigned n_full_joins;
	unsigned in_link;     /* queries inside of expressions, around here */
	bool vague_aggregate; /* of one in them: it may be of a level around */
	bool loose;           /* arms of a UNION whose rows become one in the end */
	bool recollated;      /* a query in the statement may give text in another
	                         order than its columns' */
	bool shared_cte;      /* a query of WITH is read twice, or by itself */
	bool unproven;      /* over a cap: no conditions */
	const struct parse_rows *rows; /* NULL: all are in the tree */
	enum parse_use use; /* of relations that the walk meets */
	bool failed;        /* out of memory or over a cap */
};

/* Array growth with a sticky failure: false sets p->failed. */
bool parse_reserve(struct parse *p, void *array, size_t n, size_t *size,
    size_t elem, size_t max) PG_MUST_CHECK;
char *parse_strdup(struct parse *p, const char *s) PG_MUST_CHECK;
void parse_pin(struct parse *p, enum pin_reason r);
/* Behind the statement this may be over. */
void parse_end(struct parse *p, enum pin_reason r);
/* A setting may be changed: of this name, or (name NULL) of the one that an
 * argument of set_config() holds. */
void parse_setting(struct parse *p, const char *name,
    const struct an_value *value, bool reset);

/* parse_rows.c. NULL: no rows may be left out, or it is not worth it. */
struct parse_rows *parse_rows_new(struct slice sql, const struct lexer *lx)
    PG_MUST_CHECK;
void parse_rows_free(struct parse_rows **rows);
void parse_rows_blank(const struct parse_rows *rows, char *text);
/* The tree of the blanked text says the same as the whole one would; else it
 * is of no use. */
bool parse_rows_fit(struct parse_rows *rows, const PgQuery__ParseResult *tree)
    PG_MUST_CHECK;

/* parse.c: analysis_new(); whole: leave out no rows. */
struct analysis *parse_analysis(struct slice sql, const struct lexer *lx,
    const struct an_functions *fns, bool whole) PG_MUST_CHECK;

/* parse_walk.c */
const struct parse_row *parse_node_row(PgQuery__Node__NodeCase c);
void parse_walk_node(struct parse *p, const parse_node *n);
void parse_walk_nodes(struct parse *p, parse_node *const *nodes, size_t n);
/* Every message inside of m. */
void parse_walk_fields(struct parse *p, const ProtobufCMessage *m);
/* Call fn for each of them. */
void parse_each_message(const ProtobufCMessage *m,
    void (*fn)(void *arg, const ProtobufCMessage *m), void *arg);
void parse_unknown(struct parse *p);
bool parse_is_temp_schema(const char *schema);

/* parse_stmt.c. whole: the predicates hold for the whole text's statement. */
void parse_statement(struct parse *p, const parse_node *n, bool whole);

/* parse_identity.c: print and places of a text's only statement. */
void parse_identity(struct parse *p, const parse_node *stmt);

/* parse_util.c: every other statement. */
void parse_utility(struct parse *p, const parse_node *n, bool whole);

/* parse_tables.c */
unsigned parse_table(struct parse *p, const PgQuery__RangeVar *rv,
    enum parse_use use);
void parse_column_ref(struct parse *p, const PgQuery__ColumnRef *ref);
void parse_resolve_refs(struct parse *p);
size_t parse_ctes_push(struct parse *p, const PgQuery__WithClause *with);
void parse_ctes_pop(struct parse *p, size_t mark);

/* parse_values.c */
bool parse_value(const struct parse *p, const parse_node *n,
    struct an_value *v) PG_MUST_CHECK;
bool parse_literal_cut(const struct parse *p, const PgQuery__AConst *c,
    uint32_t *cut, bool *negative) PG_MUST_CHECK;
enum an_cast parse_cast(const PgQuery__TypeName *t);
const char *parse_string(const parse_node *n);
/* The only or pg_catalog-qualified name of a list; NULL: another schema. */
const char *parse_builtin_name(parse_node *const *names, size_t n);

/* The same of "type[]": of its members. */
enum an_cast parse_array_cast(const PgQuery__TypeName *t);
/* parse_value() of "n::t". */
bool parse_value_as(const struct parse *p, const parse_node *n,
    enum an_cast cast, struct an_value *v) PG_MUST_CHECK;

/* Text may be in another order behind this cast than the columns of tables. */
bool parse_cast_recollates(const PgQuery__TypeCast *c);

/* parse_split.c. s: the whole text's statement, whose names are in scope.
 * Takes p->within and p->fulls. */
void parse_split(struct parse *p, const PgQuery__SelectStmt *s,
    const struct parse_scope *sc, const struct parse_apart *a);

/* parse_scope.c: names in scope.  Once they are over their cap, or no memory
 * is left, they are not known. */
void parse_scope_add(struct parse *p, const struct parse_item *item);
/* The column that n names, seen from where only items [lo, hi) of the
 * innermost level are visible. */
struct parse_column parse_scope_find(const struct parse *p,
    const struct parse_scope *sc, size_t lo, size_t hi, const parse_node *n);
/* The column that a join merges under this name: its value is this one's. */
struct parse_column parse_scope_merged(const struct parse *p,
    const struct parse_scope *sc, const parse_node *from, const char *name);
/* n is "*" or "t.*" and means all columns of one table. */
bool parse_scope_star(const struct parse *p, const struct parse_scope *sc,
    const parse_node *n, unsigned *table);
struct parse_outs parse_outs_of_list(struct parse *p,
    const struct parse_scope *sc, parse_node *const *targets, size_t n);
struct parse_outs parse_outs_of_values(struct parse *p,
    const PgQuery__SelectStmt *s);
/* Give them other names. */
void parse_outs_rename(struct parse *p, struct parse_outs *outs,
    parse_node *const *names, size_t n);

/* parse_preds.c: the list of conditions.  NULL: it is over its cap, or no
 * memory is left. */
/* With room for n values. */
struct an_pred *parse_pred_values(struct parse *p, unsigned table,
    const char *column, enum an_op op, size_t n);
struct an_pred *parse_pred_value(struct parse *p, unsigned table,
    const char *column, enum an_op op, const struct an_value *v);
void parse_pred_column(struct parse *p, unsigned table, const char *column,
    enum an_op op, const struct parse_column *other);
/* One of the values that a column of VALUES has. */
void parse_pred_members(struct parse *p, unsigned table, const char *column,
    const struct parse_out *out);
/* OVERRIDING USER VALUE: an identity column does not get what is given. */
static inline bool
parse_insert_ignores(const PgQuery__InsertStmt *s)
{
	return s->override ==
	    PG_QUERY__OVERRIDING_KIND__OVERRIDING_USER_VALUE;
}
/* A group begins; all that is noted until its end belongs to it. */
size_t parse_group_begin(struct parse *p, enum an_op op);
void parse_group_end(struct parse *p, size_t group);
void parse_insert_rows(struct parse *p, unsigned table,
    const PgQuery__InsertStmt *s);
/* Rows that are made get this column from c. */
void parse_row_from(struct parse *p, unsigned table, const char *column,
    const struct parse_column *c);
/* ... or are given it as n. */
void parse_row_value(struct parse *p, unsigned table, const char *column,
    const parse_node *n);

/* parse_where.c: conditions.  Those of items [lo, hi) are noted, [see_lo,
 * see_hi) are visible. */
struct parse_where {
	struct parse *p;
	const struct parse_scope *sc;
	const struct parse_scope *up; /* of subqueries in it */
	size_t lo, hi, see_lo, see_hi;
	unsigned depth;
};
/* Returns whether any was. */
bool parse_where(struct parse_where *w, const parse_node *n);
/* a = b. */
void parse_where_equal(struct parse_where *w, const struct parse_column *a,
    const struct parse_column *b);

/* parse_from.c */
/* The number of the table that stands there; n_tables: it is none. */
unsigned parse_from_table(const struct parse *p, const PgQuery__RangeVar *rv);
void parse_from_range(struct parse *p, const PgQuery__RangeVar *rv);
/* Bring all of FROM into the scope, behind what is in it. apart: added to. */
void parse_from(struct parse *p, struct parse_scope *sc,
    parse_node *const *from, size_t n, struct parse_apart *apart);

/* parse_apart.c */
/* This relation alone is one of them. */
bool parse_apart_has(const struct parse_apart *a, unsigned table);
void parse_apart_table(struct parse_apart *a, unsigned table);
/* Alternatives of b are ones of a, too. */
void parse_apart_any(struct parse_apart *a, const struct parse_apart *b);
/* Each of a with each of b. full: of a FULL JOIN, or 0. */
void parse_apart_both(struct parse_apart *a, const struct parse_apart *b,
    uint32_t full);
void parse_apart_full(struct parse *p, const struct parse_where *w,
    const PgQuery__JoinExpr *j, struct parse_apart *a,
    const struct parse_apart *b);
/* a: of the level's FROM; what its other clauses leave of it. */
void parse_apart_level(struct parse *p, const struct parse_scope *sc,
    const PgQuery__SelectStmt *s, struct parse_apart *a);

/* parse_levels.c: the conditions of a text's only statement. */
void parse_conditions(struct parse *p, const parse_node *stmt);
/* A query. up: names of the levels around it; NULL: they are not known. outs:
 * its columns, left alone where they are not known. apart: how it can be taken
 * apart. Both may be NULL. */
void parse_level(struct parse *p, const parse_node *n,
    const struct parse_scope *up, struct parse_outs *outs,
    struct parse_apart *apart);
/* Those inside of expressions. */
void parse_subquery(struct parse *p, const parse_node *n,
    const struct parse_scope *sc);
void parse_subqueries(struct parse *p, parse_node *const *nodes, size_t n,
    const struct parse_scope *sc);

#endif
