/* SPDX-License-Identifier: PostgreSQL
 *
 * Conditions that every row a statement touches must satisfy.  Only top-level
 * AND terms of the form column OP constant count; a term that is not of a
 * form known to be sound is left out, which never makes the rest wrong.
 */
#include <stdlib.h>

#include "sql/parse_priv.h"

struct preds_scope {
	struct parse *p;
	unsigned table;
	const PgQuery__RangeVar *rv;
};

/* The column's name if n is a plain column of the one relation. */
static const char *
preds_column(const struct preds_scope *s, const parse_node *n)
{
	const PgQuery__RangeVar *rv = s->rv;
	const PgQuery__ColumnRef *ref;
	const char *name, *rel, *schema;

	if (!NODE_IS(n, COLUMN_REF))
		return NULL;
	ref = n->column_ref;
	if (ref->n_fields == 0 || ref->n_fields > 3)
		return NULL;
	name = parse_string(ref->fields[ref->n_fields - 1]);
	if (name == NULL || ref->n_fields == 1)
		return name;
	rel = parse_string(ref->fields[ref->n_fields - 2]);
	if (rel == NULL || strcmp(rel, rv->alias != NULL ?
	    rv->alias->aliasname : rv->relname) != 0)
		return NULL;
	if (ref->n_fields == 2)
		return name;
	schema = parse_string(ref->fields[0]);
	if (schema == NULL || rv->alias != NULL ||
	    strcmp(schema, rv->schemaname) != 0)
		return NULL;
	return name;
}

/* Takes values over, also when it fails. */
static struct an_pred *
preds_add(struct parse *p, unsigned table, const char *column, enum an_op op,
    struct an_value *values, size_t n)
{
	struct analysis *an = p->an;
	struct an_pred *pred;
	char *name;

	if (values == NULL || !parse_reserve(p, &an->preds, an->n_preds,
	    &p->preds_size, sizeof(*pred), PARSE_MAX_PREDS) ||
	    (name = parse_strdup(p, column)) == NULL) {
		p->failed = true;
		free(values);
		return NULL;
	}
	pred = &an->preds[an->n_preds++];
	*pred = (struct an_pred){ .table = table, .column = name, .op = op,
	    .values = values, .n_values = n };
	return pred;
}

static struct an_pred *
preds_add_one(const struct preds_scope *s, const char *column, enum an_op op,
    const struct an_value *v)
{
	struct an_value *copy = malloc(sizeof(*copy));

	if (copy != NULL)
		*copy = *v;
	return preds_add(s->p, s->table, column, op, copy, 1);
}

/* column IN (list): nothing if any member is no constant. */
static void
preds_list(const struct preds_scope *s, const char *column,
    parse_node *const *nodes, size_t n)
{
	struct an_value *values;
	size_t i;

	if (column == NULL || n == 0)
		return;
	values = malloc(n * sizeof(*values));
	if (values == NULL) {
		s->p->failed = true;
		return;
	}
	for (i = 0; i < n; i++)
		if (!parse_value(s->p, nodes[i], &values[i])) {
			free(values);
			return;
		}
	(void)preds_add(s->p, s->table, column, AN_IN, values, n);
}

/* The column of date_trunc('...', column), and the cut of its first word. */
static const char *
preds_month(const struct preds_scope *s, const parse_node *n, uint32_t *cut)
{
	const PgQuery__FuncCall *f;
	const char *name;
	bool negative;

	if (!NODE_IS(n, FUNC_CALL))
		return NULL;
	f = n->func_call;
	name = parse_builtin_name(f->funcname, f->n_funcname);
	if (name == NULL || strcmp(name, "date_trunc") != 0 ||
	    f->n_args != 2 || f->over != NULL || f->agg_distinct ||
	    f->func_variadic || !NODE_IS(f->args[0], A_CONST) ||
	    f->args[0]->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL ||
	    !parse_literal_cut(s->p, f->args[0]->a_const, cut, &negative))
		return NULL;
	return preds_column(s, f->args[1]);
}

static void
preds_compare(const struct preds_scope *s, const char *op,
    const parse_node *left, const parse_node *right)
{
	static const struct {
		const char *name;
		enum an_op op, flipped;
	} ops[] = { { "=", AN_EQ, AN_EQ }, { "<", AN_LT, AN_GT },
	    { "<=", AN_LE, AN_GE }, { ">", AN_GT, AN_LT },
	    { ">=", AN_GE, AN_LE } };
	const char *column = preds_column(s, left);
	struct an_value v;
	struct an_pred *pred;
	uint32_t cut;
	size_t i;

	for (i = 0; strcmp(ops[i].name, op) != 0;)
		if (++i == ARRAY_SIZE(ops))
			return;
	if (column != NULL) {
		if (parse_value(s->p, right, &v))
			(void)preds_add_one(s, column, ops[i].op, &v);
		return;
	}
	column = preds_column(s, right);
	if (column != NULL) {
		if (parse_value(s->p, left, &v))
			(void)preds_add_one(s, column, ops[i].flipped, &v);
		return;
	}
	if (ops[i].op != AN_EQ)
		return;
	column = preds_month(s, left, &cut);
	if (column == NULL) {
		column = preds_month(s, right, &cut);
		right = left;
	}
	if (column == NULL || !parse_value(s->p, right, &v))
		return;
	pred = preds_add_one(s, column, AN_MONTH_EQ, &v);
	if (pred != NULL)
		pred->unit_cut = cut;
}

static void
preds_between(const struct preds_scope *s, const PgQuery__AExpr *e)
{
	const char *column = preds_column(s, e->lexpr);
	const PgQuery__List *l;
	struct an_value v;

	if (column == NULL || !NODE_IS(e->rexpr, LIST))
		return;
	l = e->rexpr->list;
	if (l->n_items != 2)
		return;
	if (parse_value(s->p, l->items[0], &v))
		(void)preds_add_one(s, column, AN_GE, &v);
	if (parse_value(s->p, l->items[1], &v))
		(void)preds_add_one(s, column, AN_LE, &v);
}

static void
preds_expr(const struct preds_scope *s, const PgQuery__AExpr *e)
{
	const char *op;

	if (e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN) {
		preds_between(s, e);
		return;
	}
	op = parse_builtin_name(e->name, e->n_name);
	if (op == NULL)
		return;
	switch ((int)e->kind) {
	case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
		preds_compare(s, op, e->lexpr, e->rexpr);
		break;
	case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
		if (strcmp(op, "=") == 0 && NODE_IS(e->rexpr, LIST))
			preds_list(s, preds_column(s, e->lexpr),
			    e->rexpr->list->items, e->rexpr->list->n_items);
		break;
	case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
		if (strcmp(op, "=") == 0 && NODE_IS(e->rexpr, A_ARRAY_EXPR))
			preds_list(s, preds_column(s, e->lexpr),
			    e->rexpr->a_array_expr->elements,
			    e->rexpr->a_array_expr->n_elements);
		break;
	default:
		break;
	}
}

static void
preds_term(const struct preds_scope *s, const parse_node *n)
{
	size_t i;

	if (NODE_IS(n, A_EXPR)) {
		preds_expr(s, n->a_expr);
	} else if (NODE_IS(n, BOOL_EXPR) &&
	    n->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
		for (i = 0; i < n->bool_expr->n_args; i++)
			preds_term(s, n->bool_expr->args[i]);
	}
}

/* The statement is over rv alone. */
void
parse_where(struct parse *p, unsigned table, const PgQuery__RangeVar *rv,
    const parse_node *where)
{
	struct preds_scope s = { p, table, rv };

	/* "t AS a (x, y)" gives the columns other names. */
	if (rv->alias != NULL && rv->alias->n_colnames > 0)
		return;
	preds_term(&s, where);
}

/* --------------------------------------------------------- rows of INSERT */

static bool
preds_rows_known(const PgQuery__InsertStmt *s)
{
	const PgQuery__SelectStmt *v;
	size_t i;

	if (!NODE_IS(s->select_stmt, SELECT_STMT) || s->n_cols == 0 ||
	    s->with_clause != NULL)
		return false;
	v = s->select_stmt->select_stmt;
	if (v->n_values_lists == 0 || v->with_clause != NULL ||
	    v->limit_count != NULL || v->limit_offset != NULL)
		return false;
	for (i = 0; i < v->n_values_lists; i++)
		if (!NODE_IS(v->values_lists[i], LIST) ||
		    v->values_lists[i]->list->n_items != s->n_cols)
			return false;
	for (i = 0; i < s->n_cols; i++)
		if (!NODE_IS(s->cols[i], RES_TARGET) ||
		    s->cols[i]->res_target->n_indirection > 0)
			return false;
	return true;
}

void
parse_insert_rows(struct parse *p, unsigned table,
    const PgQuery__InsertStmt *s)
{
	const PgQuery__SelectStmt *v;
	struct an_value *values;
	size_t i, row;

	if (!preds_rows_known(s))
		return;
	v = s->select_stmt->select_stmt;
	for (i = 0; i < s->n_cols && !p->failed; i++) {
		values = malloc(v->n_values_lists * sizeof(*values));
		for (row = 0; values != NULL && row < v->n_values_lists; row++)
			if (!parse_value(p, v->values_lists[row]->list->items[i],
			    &values[row]))
				values[row].kind = AN_VAL_OTHER;
		(void)preds_add(p, table, s->cols[i]->res_target->name,
		    AN_ROWS, values, v->n_values_lists);
	}
	p->an->insert_known = !p->failed;
}
