/* SPDX-License-Identifier: PostgreSQL
 *
 * Shared by the parse*.c files only: one analysis in the making.
 */
#ifndef PGSLUICE_SQL_PARSE_PRIV_H
#define PGSLUICE_SQL_PARSE_PRIV_H

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include "sql/analysis.h"

typedef PgQuery__Node parse_node;
#define NODE_IS(n, SYM) \
	((n) != NULL && (n)->node_case == PG_QUERY__NODE__NODE_##SYM)

/* More of these in one statement: not analysed. */
#define PARSE_MAX_TABLES 4096
#define PARSE_MAX_CTES 1024
#define PARSE_MAX_PREDS 4096
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

struct parse {
	struct slice sql;
	const struct lexer *lx;
	const struct an_functions *fns;
	struct analysis *an;
	size_t tables_size, preds_size, assigned_size, channels_size;
	size_t settings_size;
	struct parse_ref *refs;
	size_t n_refs, refs_size;
	const char **ctes; /* names in scope, borrowed from the tree */
	size_t n_ctes, ctes_size;
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

/* parse_split.c. s: the whole text's statement, over one relation. */
void parse_split(struct parse *p, const PgQuery__SelectStmt *s);

/* parse_preds.c */
void parse_where(struct parse *p, unsigned table,
    const PgQuery__RangeVar *rv, const parse_node *where);
void parse_insert_rows(struct parse *p, unsigned table,
    const PgQuery__InsertStmt *s);

#endif
