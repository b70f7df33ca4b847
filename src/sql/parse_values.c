/* SPDX-License-Identifier: PostgreSQL
 *
 * Constants in the tree, told by reference: which cut of the text or which
 * parameter, so that they hold for every text of the shape.  What does not
 * depend on literals or parameters alone is refused, but for expressions over
 * the time of day, which are told as such.
 */
#include "sql/parse_priv.h"
#include "sql/scan.h"

const char *
parse_string(const parse_node *n)
{
	return NODE_IS(n, STRING) ? n->string->sval : NULL;
}

const char *
parse_builtin_name(parse_node *const *names, size_t n)
{
	const char *schema;

	if (n == 2) {
		schema = parse_string(names[0]);
		if (schema == NULL || strcmp(schema, "pg_catalog") != 0)
			return NULL;
	} else if (n != 1) {
		return NULL;
	}
	return parse_string(names[n - 1]);
}

/* First cut that ends behind pos. */
static size_t
values_cut_from(const struct lexer *lx, size_t pos)
{
	return lex_pos_from(lx, (uint32_t)pos).cut;
}

/* Cut of the number whose folded minus signs begin at pos. */
static bool
values_negative_cut(const struct parse *p, size_t pos, uint32_t *cut,
    bool *negative)
{
	size_t i = values_cut_from(p->lx, pos);

	*negative = false;
	while (pos < p->sql.n) {
		const struct cut *c = i < p->lx->n_cuts ? &p->lx->cuts[i] :
		    NULL;

		if (c != NULL && c->pos == pos) {
			if (c->kind != CUT_COMMENT) {
				*cut = (uint32_t)i;
				return c->kind == CUT_INT ||
				    c->kind == CUT_NUM;
			}
			pos += c->len;
			i++;
		} else if (p->sql.p[pos] == '-') {
			*negative = !*negative;
			pos++;
		} else if (scan_class_of(p->sql.p[pos]) == SC_SPACE) {
			pos++;
		} else {
			break;
		}
	}
	return false;
}

bool
parse_literal_cut(const struct parse *p, const PgQuery__AConst *c,
    uint32_t *cut, bool *negative)
{
	size_t pos, i;
	bool string = c->val_case == PG_QUERY__A__CONST__VAL_SVAL;

	*negative = false;
	if (c->location < 0 || (size_t)c->location >= p->sql.n)
		return false;
	pos = (size_t)c->location;
	i = values_cut_from(p->lx, pos);
	if (i == p->lx->n_cuts || p->lx->cuts[i].pos > pos)
		return !string && values_negative_cut(p, pos, cut, negative);
	*cut = (uint32_t)i;
	switch (p->lx->cuts[i].kind) {
	case CUT_INT:
	case CUT_NUM:
		return !string;
	case CUT_STR:
	case CUT_STR_ESC:
		return string;
	case CUT_COMMENT:
		break;
	}
	return false;
}

static enum an_cast
values_type(const PgQuery__TypeName *t)
{
	static const struct {
		const char *name;
		enum an_cast cast;
	} types[] = {
		{ "int2", AN_CAST_INT2 }, { "int4", AN_CAST_INT4 },
		{ "int8", AN_CAST_INT8 }, { "text", AN_CAST_TEXT },
		{ "uuid", AN_CAST_UUID }, { "date", AN_CAST_DATE },
		{ "timestamp", AN_CAST_TIMESTAMP },
		{ "timestamptz", AN_CAST_TIMESTAMPTZ },
		{ "bool", AN_CAST_BOOL }, { "numeric", AN_CAST_NUMERIC },
		{ "varchar", AN_CAST_VARCHAR }, { "bpchar", AN_CAST_BPCHAR },
	};
	const char *name;
	size_t i;

	if (t->n_typmods > 0 || t->setof || t->pct_type)
		return AN_CAST_OTHER;
	name = parse_builtin_name(t->names, t->n_names);
	for (i = 0; name != NULL && i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].cast;
	return AN_CAST_OTHER;
}

enum an_cast
parse_cast(const PgQuery__TypeName *t)
{
	return t == NULL || t->n_array_bounds > 0 ? AN_CAST_OTHER :
	    values_type(t);
}

enum an_cast
parse_array_cast(const PgQuery__TypeName *t)
{
	return t == NULL || t->n_array_bounds != 1 ? AN_CAST_OTHER :
	    values_type(t);
}

/* ------------------------------------------------------------ time of day */

static bool values_is_timely(const struct parse *p, const parse_node *n,
    bool *now);

static bool
values_timely_call(const struct parse *p, const PgQuery__FuncCall *f, bool *now)
{
	static const char *const clocks[] = { "now", "transaction_timestamp",
	    "statement_timestamp" };
	static const char *const pure[] = { "date_trunc", "timezone",
	    "make_interval", "date", "timestamp", "timestamptz" };
	const char *name = parse_builtin_name(f->funcname, f->n_funcname);
	size_t i;

	if (name == NULL || f->over != NULL || f->agg_star)
		return false;
	for (i = 0; i < ARRAY_SIZE(clocks); i++)
		if (strcmp(name, clocks[i]) == 0 && f->n_args == 0)
			return *now = true;
	for (i = 0; i < ARRAY_SIZE(pure); i++)
		if (strcmp(name, pure[i]) == 0)
			break;
	if (i == ARRAY_SIZE(pure))
		return false;
	for (i = 0; i < f->n_args; i++)
		if (!values_is_timely(p, f->args[i], now))
			return false;
	return true;
}

static bool
values_timely_expr(const struct parse *p, const PgQuery__AExpr *e, bool *now)
{
	const char *op = parse_builtin_name(e->name, e->n_name);

	if (e->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP || op == NULL ||
	    op[0] == '\0' || op[1] != '\0' || strchr("+-*/", op[0]) == NULL)
		return false;
	return (e->lexpr == NULL || values_is_timely(p, e->lexpr, now)) &&
	    values_is_timely(p, e->rexpr, now);
}

/* An expression of literals, parameters and the clock only; *now: the clock
 * is in it. */
static bool
values_is_timely(const struct parse *p, const parse_node *n, bool *now)
{
	if (n == NULL)
		return false;
	switch ((int)n->node_case) {
	case PG_QUERY__NODE__NODE_A_CONST:
	case PG_QUERY__NODE__NODE_PARAM_REF:
		return true;
	case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
		switch ((int)n->sqlvalue_function->op) {
		case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE:
		case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
		case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP_N:
		case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
		case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP_N:
			return *now = true;
		default:
			return false;
		}
	case PG_QUERY__NODE__NODE_TYPE_CAST:
		return values_is_timely(p, n->type_cast->arg, now);
	case PG_QUERY__NODE__NODE_NAMED_ARG_EXPR:
		return values_is_timely(p, n->named_arg_expr->arg, now);
	case PG_QUERY__NODE__NODE_FUNC_CALL:
		return values_timely_call(p, n->func_call, now);
	case PG_QUERY__NODE__NODE_A_EXPR:
		return values_timely_expr(p, n->a_expr, now);
	default:
		return false;
	}
}

/* ----------------------------------------------------------------- values */

/* A literal, NULL or parameter itself. */
static bool
values_plain(const struct parse *p, const parse_node *n, struct an_value *v)
{
	if (NODE_IS(n, PARAM_REF) && n->param_ref->number > 0) {
		v->kind = AN_VAL_PARAM;
		v->index = (uint32_t)n->param_ref->number - 1;
		return true;
	}
	if (!NODE_IS(n, A_CONST))
		return false;
	if (n->a_const->isnull) {
		v->kind = AN_VAL_NULL;
		return true;
	}
	switch ((int)n->a_const->val_case) {
	case PG_QUERY__A__CONST__VAL_BOOLVAL:
		v->kind = n->a_const->boolval->boolval ? AN_VAL_TRUE :
		    AN_VAL_FALSE;
		return true;
	case PG_QUERY__A__CONST__VAL_IVAL:
	case PG_QUERY__A__CONST__VAL_FVAL:
	case PG_QUERY__A__CONST__VAL_SVAL:
		v->kind = AN_VAL_CUT;
		return parse_literal_cut(p, n->a_const, &v->index,
		    &v->negative);
	default:
		return false;
	}
}

/* A number cast to an integer type must be one (5.7::int is 6), and what text
 * a number becomes is not its literal's (007::text is 7). */
static enum an_cast
values_cast_of(const struct parse *p, enum an_cast cast,
    const struct an_value *v)
{
	enum cut_kind kind;

	if (v->kind != AN_VAL_CUT)
		return cast;
	kind = p->lx->cuts[v->index].kind;
	if (kind != CUT_INT && kind != CUT_NUM)
		return cast;
	if (kind == CUT_NUM || (cast != AN_CAST_INT2 &&
	    cast != AN_CAST_INT4 && cast != AN_CAST_INT8))
		return AN_CAST_OTHER;
	return cast;
}

static bool
values_cast(const struct parse *p, const PgQuery__TypeCast *c,
    struct an_value *v)
{
	if (values_plain(p, c->arg, v)) {
		v->cast = values_cast_of(p, parse_cast(c->type_name), v);
		return true;
	}
	if (!NODE_IS(c->arg, TYPE_CAST) ||
	    !values_cast(p, c->arg->type_cast, v))
		return false;
	v->cast = AN_CAST_OTHER;
	return true;
}

/* "-5::int4" is -(5::int4). */
static bool
values_minus(const struct parse *p, const PgQuery__AExpr *e, struct an_value *v)
{
	const char *op = parse_builtin_name(e->name, e->n_name);

	if (e->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP || e->lexpr != NULL ||
	    op == NULL || strcmp(op, "-") != 0 ||
	    !NODE_IS(e->rexpr, TYPE_CAST) ||
	    !values_cast(p, e->rexpr->type_cast, v) || v->kind != AN_VAL_CUT ||
	    p->lx->cuts[v->index].kind != CUT_INT || v->cast == AN_CAST_OTHER)
		return false;
	v->negative = !v->negative;
	return true;
}

bool
parse_value(const struct parse *p, const parse_node *n, struct an_value *v)
{
	bool now = false;

	*v = (struct an_value){ .kind = AN_VAL_OTHER };
	if (values_plain(p, n, v) ||
	    (NODE_IS(n, TYPE_CAST) && values_cast(p, n->type_cast, v)) ||
	    (NODE_IS(n, A_EXPR) && values_minus(p, n->a_expr, v)))
		return true;
	*v = (struct an_value){ .kind = AN_VAL_OTHER };
	if (values_is_timely(p, n, &now) && now) {
		v->kind = AN_VAL_NOW;
		return true;
	}
	return false;
}

bool
parse_value_as(const struct parse *p, const parse_node *n, enum an_cast cast,
    struct an_value *v)
{
	if (!parse_value(p, n, v))
		return false;
	v->cast = v->cast == AN_CAST_NONE && v->kind != AN_VAL_NOW ?
	    values_cast_of(p, cast, v) : AN_CAST_OTHER;
	return true;
}

bool
parse_cast_recollates(const PgQuery__TypeCast *c)
{
	switch (parse_cast(c->type_name)) {
	case AN_CAST_OTHER:
		return true;
	case AN_CAST_TEXT:
	case AN_CAST_VARCHAR:
	case AN_CAST_BPCHAR:
		/* What functions give may be of type name. */
		return !NODE_IS(c->arg, COLUMN_REF) &&
		    !NODE_IS(c->arg, A_CONST) && !NODE_IS(c->arg, PARAM_REF) &&
		    !NODE_IS(c->arg, A_EXPR) && !NODE_IS(c->arg, TYPE_CAST);
	default:
		return false;
	}
}
