/* SPDX-License-Identifier: PostgreSQL
 *
 * What a CHECK constraint says of a column of times and a UUIDv7.
 *
 * Reads the tree that libpg_query makes of the constraint, node by node: what has
 * another form than the one expected ends the look at its comparison.  The text is
 * what the server prints, in which builtin functions alone stand without a
 * schema.  Pure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/agree.h"
#include "sql/parse_priv.h"

#define AGREE_MS INT64_C(1000)
#define AGREE_SECOND INT64_C(1000000)
/* to_timestamp() takes a double, which is so exact as far as 48 bits reach. */
#define AGREE_ROUNDING AGREE_MS
#define AGREE_HOURS_MAX 100000
#define AGREE_DEPTH 16

struct agree_look {
	const char *id, *column;
	struct agree *out;
};

void
agree_init(struct agree *a)
{
	*a = (struct agree){ INT64_MIN, INT64_MAX };
}

/* ---- nodes ----------------------------------------------------------------- */

static bool
agree_is_column(const parse_node *n, const char *name)
{
	const char *is;

	if (!NODE_IS(n, COLUMN_REF) || n->column_ref->n_fields != 1)
		return false;
	is = parse_string(n->column_ref->fields[0]);
	return is != NULL && strcmp(is, name) == 0;
}

/* n::type; what is cast, or NULL. */
static const parse_node *
agree_cast(const parse_node *n, const char *type)
{
	const PgQuery__TypeName *t;
	const char *name;

	if (!NODE_IS(n, TYPE_CAST))
		return NULL;
	t = n->type_cast->type_name;
	if (t == NULL || t->n_array_bounds > 0 || t->setof)
		return NULL;
	name = parse_builtin_name(t->names, t->n_names);
	return name != NULL && strcmp(name, type) == 0 ? n->type_cast->arg :
	    NULL;
}

static bool
agree_is_integer(const parse_node *n, int value)
{
	/* 0 has no field of its own. */
	return NODE_IS(n, A_CONST) && !n->a_const->isnull &&
	    n->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL &&
	    n->a_const->ival->ival == value;
}

static const char *
agree_string(const parse_node *n)
{
	const parse_node *arg = agree_cast(n, "text");

	if (arg != NULL)
		n = arg;
	return NODE_IS(n, A_CONST) && !n->a_const->isnull &&
	    n->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL ?
	    n->a_const->sval->sval : NULL;
}

static bool
agree_is_string(const parse_node *n, const char *value)
{
	const char *is = agree_string(n);

	return is != NULL && strcmp(is, value) == 0;
}

/* A call of this builtin with n arguments and nothing else; NULL: none. */
static parse_node *const *
agree_call(const parse_node *node, const char *name, size_t n)
{
	const PgQuery__FuncCall *f;
	const char *is;

	if (!NODE_IS(node, FUNC_CALL))
		return NULL;
	f = node->func_call;
	is = parse_builtin_name(f->funcname, f->n_funcname);
	if (is == NULL || strcmp(is, name) != 0 || f->n_args != n ||
	    f->n_agg_order > 0 || f->agg_filter != NULL || f->over != NULL ||
	    f->agg_star || f->agg_distinct || f->func_variadic)
		return NULL;
	return f->args;
}

static const PgQuery__AExpr *
agree_operator(const parse_node *n, const char **op)
{
	const PgQuery__AExpr *e;

	if (!NODE_IS(n, A_EXPR))
		return NULL;
	e = n->a_expr;
	if (e->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP || e->n_name != 1 ||
	    e->lexpr == NULL || e->rexpr == NULL)
		return NULL;
	*op = parse_string(e->name[0]);
	return *op != NULL ? e : NULL;
}

/* ---- the time of the id ------------------------------------------------------- */

/* 'x' || translate(left(id::text, 13), '-', '') */
static bool
agree_is_digits(const struct agree_look *l, const parse_node *n)
{
	parse_node *const *args, *const *inner;
	const PgQuery__AExpr *e;
	const parse_node *id;
	const char *op;

	e = agree_operator(n, &op);
	if (e == NULL || strcmp(op, "||") != 0 ||
	    !agree_is_string(e->lexpr, "x"))
		return false;
	args = agree_call(e->rexpr, "translate", 3);
	if (args == NULL || !agree_is_string(args[1], "-") ||
	    !agree_is_string(args[2], ""))
		return false;
	inner = agree_call(args[0], "left", 2);
	if (inner == NULL || !agree_is_integer(inner[1], 13))
		return false;
	id = agree_cast(inner[0], "text");
	return id != NULL && agree_is_column(id, l->id);
}

/* digits::bit(48)::bigint */
static bool
agree_is_ms(const struct agree_look *l, const parse_node *n)
{
	const PgQuery__TypeName *t;

	n = agree_cast(n, "int8");
	if (n == NULL || agree_cast(n, "bit") == NULL)
		return false;
	t = n->type_cast->type_name;
	return t->n_typmods == 1 && agree_is_integer(t->typmods[0], 48) &&
	    agree_is_digits(l, agree_cast(n, "bit"));
}

/* 1000.0, 1000::numeric, 1000::double precision. */
static bool
agree_is_thousand(const parse_node *n)
{
	const parse_node *arg = agree_cast(n, "numeric");

	if (arg == NULL)
		arg = agree_cast(n, "float8");
	if (arg != NULL)
		return agree_is_integer(arg, 1000) || agree_is_thousand(arg);
	return NODE_IS(n, A_CONST) && !n->a_const->isnull &&
	    n->a_const->val_case == PG_QUERY__A__CONST__VAL_FVAL &&
	    strcmp(n->a_const->fval->fval, "1000.0") == 0;
}

/* to_timestamp(ms / 1000), with the casts that the server prints. */
static bool
agree_is_computed(const struct agree_look *l, const parse_node *n)
{
	parse_node *const *args = agree_call(n, "to_timestamp", 1);
	const parse_node *arg, *ms;
	const PgQuery__AExpr *e;
	const char *op;

	if (args == NULL)
		return false;
	arg = agree_cast(args[0], "float8");
	e = agree_operator(arg != NULL ? arg : args[0], &op);
	if (e == NULL || strcmp(op, "/") != 0 || !agree_is_thousand(e->rexpr))
		return false;
	ms = agree_cast(e->lexpr, "numeric");
	if (ms == NULL)
		ms = agree_cast(e->lexpr, "float8");
	return agree_is_ms(l, ms != NULL ? ms : e->lexpr);
}

static bool
agree_is_time(const struct agree_look *l, const parse_node *n)
{
	parse_node *const *args = agree_call(n, "uuid_extract_timestamp", 1);

	return args != NULL ? agree_is_column(args[0], l->id) :
	    agree_is_computed(l, n);
}

/* 'hours:minutes:seconds'::interval, which is as long on every day. */
static bool
agree_interval(const parse_node *n, int64_t *us)
{
	const parse_node *arg = agree_cast(n, "interval");
	const char *text = arg != NULL ? agree_string(arg) : NULL;
	unsigned h, m, s;
	int end = 0;

	if (text == NULL || n->type_cast->type_name->n_typmods > 0 ||
	    strspn(text, "0123456789:") != strlen(text) ||
	    sscanf(text, "%6u:%2u:%2u%n", &h, &m, &s, &end) != 3 ||
	    text[end] != '\0' || h > AGREE_HOURS_MAX || m > 59 || s > 59)
		return false;
	*us = ((int64_t)h * 3600 + m * 60 + s) * AGREE_SECOND;
	return true;
}

/* time, time + interval, time - interval. */
static bool
agree_moved_time(const struct agree_look *l, const parse_node *n,
    int64_t *us)
{
	const PgQuery__AExpr *e;
	const char *op;

	*us = 0;
	if (agree_is_time(l, n))
		return true;
	e = agree_operator(n, &op);
	if (e == NULL || (strcmp(op, "+") != 0 && strcmp(op, "-") != 0) ||
	    !agree_is_time(l, e->lexpr) || !agree_interval(e->rexpr, us))
		return false;
	if (*op == '-')
		*us = -*us;
	return true;
}

/* ---- comparisons ---------------------------------------------------------------- */

/* The column, or the beginning of what it is in: then it may be this much later. */
static bool
agree_moment(const struct agree_look *l, const parse_node *n, int64_t *later)
{
	parse_node *const *args;

	*later = 0;
	if (agree_is_column(n, l->column))
		return true;
	args = agree_call(n, "date_trunc", 2);
	if (args == NULL || !agree_is_column(args[1], l->column))
		return false;
	if (agree_is_string(args[0], "milliseconds"))
		*later = AGREE_MS;
	else if (agree_is_string(args[0], "second"))
		*later = AGREE_SECOND;
	return *later > 0;
}

static void
agree_take(const struct agree_look *l, const char *op, bool turned,
    int64_t us, int64_t later)
{
	bool equal = strcmp(op, "=") == 0;
	bool less = strcmp(op, "<") == 0 || strcmp(op, "<=") == 0;
	bool more = strcmp(op, ">") == 0 || strcmp(op, ">=") == 0;
	int64_t lo = us - AGREE_ROUNDING, hi = us + later + AGREE_ROUNDING;

	if ((equal || (turned ? less : more)) && lo > l->out->lo)
		l->out->lo = lo;
	if ((equal || (turned ? more : less)) && hi < l->out->hi)
		l->out->hi = hi;
}

static void
agree_compare(const struct agree_look *l, const parse_node *n)
{
	const PgQuery__AExpr *e;
	int64_t us, later;
	const char *op;

	e = agree_operator(n, &op);
	if (e == NULL)
		return;
	if (agree_moment(l, e->lexpr, &later) &&
	    agree_moved_time(l, e->rexpr, &us))
		agree_take(l, op, false, us, later);
	else if (agree_moment(l, e->rexpr, &later) &&
	    agree_moved_time(l, e->lexpr, &us))
		agree_take(l, op, true, us, later);
}

static void
agree_all(const struct agree_look *l, const parse_node *n, unsigned depth)
{
	const PgQuery__BoolExpr *b;
	size_t i;

	if (depth > AGREE_DEPTH)
		return;
	if (!NODE_IS(n, BOOL_EXPR)) {
		agree_compare(l, n);
		return;
	}
	b = n->bool_expr;
	if (b->boolop != PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR)
		return;
	for (i = 0; i < b->n_args; i++)
		agree_all(l, b->args[i], depth + 1);
}

/* ---- texts --------------------------------------------------------------------------- */

/* The only expression of a SELECT that has nothing else. */
static const parse_node *
agree_only(const PgQuery__ParseResult *tree)
{
	const PgQuery__SelectStmt *s;
	const parse_node *n;

	if (tree->n_stmts != 1 || !NODE_IS(tree->stmts[0]->stmt, SELECT_STMT))
		return NULL;
	s = tree->stmts[0]->stmt->select_stmt;
	if (s->n_target_list != 1 || s->n_from_clause > 0 ||
	    s->where_clause != NULL || s->op != PG_QUERY__SET_OPERATION__SETOP_NONE)
		return NULL;
	n = s->target_list[0];
	if (!NODE_IS(n, RES_TARGET) || (n->res_target->name != NULL &&
	    *n->res_target->name != '\0'))
		return NULL;
	return n->res_target->val;
}

void
agree_check(struct agree *a, const char *constraint, const char *id,
    const char *column)
{
	const struct agree_look l = { id, column, a };
	size_t n = strlen(constraint), skip = strlen("CHECK ");
	PgQueryProtobufParseResult r;
	PgQuery__ParseResult *tree = NULL;
	const parse_node *expr;
	char *sql;

	/* NOT VALID, NO INHERIT and NOT ENFORCED would stand behind it. */
	if (strncmp(constraint, "CHECK (", 7) != 0 ||
	    constraint[n - 1] != ')')
		return;
	sql = x_malloc(n + 8);
	snprintf(sql, n + 8, "SELECT %s", constraint + skip);
	r = pg_query_parse_protobuf(sql);
	if (r.error == NULL)
		tree = pg_query__parse_result__unpack(NULL, r.parse_tree.len,
		    (const uint8_t *)r.parse_tree.data);
	if (tree != NULL) {
		expr = agree_only(tree);
		if (expr != NULL)
			agree_all(&l, expr, 0);
		pg_query__parse_result__free_unpacked(tree, NULL);
	}
	pg_query_free_protobuf_parse_result(r);
	free(sql);
}
