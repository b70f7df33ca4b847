/* SPDX-License-Identifier: PostgreSQL
 *
 * Conditions of a WHERE or ON, as far as they are of a form known to be sound:
 * column OP constant, column = column, joined by AND and OR.  What is not is
 * left out, which never makes the rest wrong: a term of AND says nothing then,
 * and neither does an OR one of whose branches says nothing.
 */
#include <stdlib.h>

#include "sql/parse_priv.h"

/* --------------------------------------------------------------- the list */

/* One more, or NULL. */
static struct an_pred *
preds_add(struct parse *p, unsigned table, const char *column, enum an_op op)
{
	struct analysis *an = p->an;
	struct an_pred *pred;
	char *name = NULL;

	if (an->n_preds == PARSE_MAX_PREDS)
		p->unproven = true;
	if (p->unproven || !parse_reserve(p, &an->preds, an->n_preds,
	    &p->preds_size, sizeof(*pred), PARSE_MAX_PREDS) ||
	    (column != NULL && (name = parse_strdup(p, column)) == NULL))
		return NULL;
	pred = &an->preds[an->n_preds++];
	*pred = (struct an_pred){ .table = table, .column = name, .op = op };
	return pred;
}

/* With room for n values. */
static struct an_pred *
preds_add_values(struct parse *p, unsigned table, const char *column,
    enum an_op op, size_t n)
{
	struct an_value *values = calloc(n, sizeof(*values));
	struct an_pred *pred;

	if (values == NULL)
		p->failed = true;
	pred = values != NULL ? preds_add(p, table, column, op) : NULL;
	if (pred == NULL) {
		free(values);
		return NULL;
	}
	pred->values = values;
	pred->n_values = n;
	return pred;
}

static struct an_pred *
preds_add_one(struct parse *p, unsigned table, const char *column,
    enum an_op op, const struct an_value *v)
{
	struct an_pred *pred = preds_add_values(p, table, column, op, 1);

	if (pred != NULL)
		pred->values[0] = *v;
	return pred;
}

static void
preds_add_column(struct parse *p, unsigned table, const char *column,
    enum an_op op, const struct parse_column *other)
{
	struct an_pred *pred = preds_add(p, table, column, op);

	if (pred == NULL)
		return;
	pred->other = other->table;
	pred->other_column = parse_strdup(p, other->name);
}

/* What stands for a column in a row of VALUES. */
static const parse_node *
preds_member(const struct parse_out *out, size_t row)
{
	return out->rows->values_lists[row]->list->items[out->number];
}

/* One of the values that a column of VALUES has. */
static void
preds_add_members(struct parse *p, unsigned table, const char *column,
    const struct parse_out *out)
{
	size_t n = out->rows->n_values_lists, i, first = p->an->n_preds;
	struct an_pred *pred = preds_add_values(p, table, column, AN_IN, n);

	for (i = 0; pred != NULL && i < n; i++)
		if (!parse_value(p, preds_member(out, i), &pred->values[i])) {
			analysis_drop_preds(p->an, first);
			return;
		}
}

size_t
parse_group_begin(struct parse *p, enum an_op op)
{
	size_t group = p->an->n_preds;

	(void)preds_add(p, 0, NULL, op);
	return group;
}

void
parse_group_end(struct parse *p, size_t group)
{
	if (group < p->an->n_preds)
		p->an->preds[group].span =
		    (unsigned)(p->an->n_preds - group - 1);
}

/* --------------------------------------------------------------- one term */

static struct parse_column
preds_column(const struct parse_where *w, const parse_node *n)
{
	return parse_scope_find(w->p, w->sc, w->see_lo, w->see_hi, n);
}

/* It is one of a relation whose conditions are wanted. */
static bool
preds_is_wanted(const struct parse_where *w, const struct parse_column *c)
{
	return c->name != NULL && c->item >= w->lo && c->item < w->hi;
}

/* c = other, seen from c. */
static void
preds_equal_one(struct parse_where *w, const struct parse_column *c,
    const struct parse_column *other)
{
	const struct parse_out *out = other->made;
	struct an_value v;

	if (!preds_is_wanted(w, c))
		return;
	if (other->name != NULL)
		preds_add_column(w->p, c->table, c->name, AN_EQ_COLUMN, other);
	else if (out != NULL && out->rows != NULL)
		preds_add_members(w->p, c->table, c->name, out);
	else if (out != NULL && parse_value(w->p, out->value, &v))
		(void)preds_add_one(w->p, c->table, c->name, AN_EQ, &v);
}

void
parse_where_equal(struct parse_where *w, const struct parse_column *a,
    const struct parse_column *b)
{
	if (a->item == b->item && a->item != SIZE_MAX)
		return;
	preds_equal_one(w, a, b);
	preds_equal_one(w, b, a);
}

/* The column of date_trunc('...', column), and the cut of its first word. */
static struct parse_column
preds_month(const struct parse_where *w, const parse_node *n, uint32_t *cut)
{
	struct parse_column none = { .name = NULL };
	const PgQuery__FuncCall *f;
	const char *name;
	bool negative;

	if (!NODE_IS(n, FUNC_CALL))
		return none;
	f = n->func_call;
	name = parse_builtin_name(f->funcname, f->n_funcname);
	if (name == NULL || strcmp(name, "date_trunc") != 0 ||
	    f->n_args != 2 || f->over != NULL || f->agg_distinct ||
	    f->func_variadic || !NODE_IS(f->args[0], A_CONST) ||
	    f->args[0]->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL ||
	    !parse_literal_cut(w->p, f->args[0]->a_const, cut, &negative))
		return none;
	return preds_column(w, f->args[1]);
}

/* date_trunc('month', column) = value. */
static void
preds_month_equal(struct parse_where *w, const parse_node *left,
    const parse_node *right)
{
	struct parse_column c;
	struct an_pred *pred;
	struct an_value v;
	uint32_t cut;

	c = preds_month(w, left, &cut);
	if (c.name == NULL) {
		c = preds_month(w, right, &cut);
		right = left;
	}
	if (!preds_is_wanted(w, &c) || !parse_value(w->p, right, &v))
		return;
	pred = preds_add_one(w->p, c.table, c.name, AN_MONTH_EQ, &v);
	if (pred != NULL)
		pred->unit_cut = cut;
}

static void
preds_compare(struct parse_where *w, const char *op, const parse_node *left,
    const parse_node *right)
{
	static const struct {
		const char *name;
		enum an_op op, flipped;
	} ops[] = { { "=", AN_EQ, AN_EQ }, { "<", AN_LT, AN_GT },
	    { "<=", AN_LE, AN_GE }, { ">", AN_GT, AN_LT },
	    { ">=", AN_GE, AN_LE } };
	struct parse_column a = preds_column(w, left);
	struct parse_column b = preds_column(w, right);
	struct an_value v;
	size_t i;

	for (i = 0; strcmp(ops[i].name, op) != 0;)
		if (++i == ARRAY_SIZE(ops))
			return;
	if (preds_is_wanted(w, &a) && parse_value(w->p, right, &v))
		(void)preds_add_one(w->p, a.table, a.name, ops[i].op, &v);
	else if (preds_is_wanted(w, &b) && parse_value(w->p, left, &v))
		(void)preds_add_one(w->p, b.table, b.name, ops[i].flipped, &v);
	else if (ops[i].op == AN_EQ && (a.name != NULL || b.name != NULL))
		parse_where_equal(w, &a, &b);
	else if (ops[i].op == AN_EQ)
		preds_month_equal(w, left, right);
}

/* column IN (list): nothing if any member is no constant. */
static void
preds_list(struct parse_where *w, const parse_node *left,
    parse_node *const *nodes, size_t n, enum an_cast cast)
{
	struct parse_column c = preds_column(w, left);
	size_t first = w->p->an->n_preds, i;
	struct an_pred *pred;
	bool ok = true;

	if (!preds_is_wanted(w, &c) || n == 0)
		return;
	pred = preds_add_values(w->p, c.table, c.name, AN_IN, n);
	for (i = 0; pred != NULL && ok && i < n; i++)
		ok = cast == AN_CAST_NONE ?
		    parse_value(w->p, nodes[i], &pred->values[i]) :
		    parse_value_as(w->p, nodes[i], cast, &pred->values[i]);
	if (!ok)
		analysis_drop_preds(w->p->an, first);
}

/* column = ANY (array). */
static void
preds_any(struct parse_where *w, const parse_node *left, const parse_node *n)
{
	struct parse_column c = preds_column(w, left);
	enum an_cast cast = AN_CAST_NONE;
	struct an_value v;

	if (NODE_IS(n, TYPE_CAST)) {
		cast = parse_array_cast(n->type_cast->type_name);
		n = n->type_cast->arg;
		if (cast == AN_CAST_OTHER)
			return;
	}
	if (NODE_IS(n, A_ARRAY_EXPR)) {
		preds_list(w, left, n->a_array_expr->elements,
		    n->a_array_expr->n_elements, cast);
		return;
	}
	if (!preds_is_wanted(w, &c) ||
	    (!NODE_IS(n, A_CONST) && !NODE_IS(n, PARAM_REF)) ||
	    !parse_value(w->p, n, &v))
		return;
	v.cast = cast;
	(void)preds_add_one(w->p, c.table, c.name, AN_IN_ARRAY, &v);
}

static void
preds_between(struct parse_where *w, const PgQuery__AExpr *e)
{
	struct parse_column c = preds_column(w, e->lexpr);
	const PgQuery__List *l;
	struct an_value v;

	if (!preds_is_wanted(w, &c) || !NODE_IS(e->rexpr, LIST))
		return;
	l = e->rexpr->list;
	if (l->n_items != 2)
		return;
	if (parse_value(w->p, l->items[0], &v))
		(void)preds_add_one(w->p, c.table, c.name, AN_GE, &v);
	if (parse_value(w->p, l->items[1], &v))
		(void)preds_add_one(w->p, c.table, c.name, AN_LE, &v);
}

/* (a, b) = (1, 2). */
static void
preds_row(struct parse_where *w, const PgQuery__RowExpr *a,
    const PgQuery__RowExpr *b)
{
	size_t i;

	for (i = 0; a->n_args == b->n_args && i < a->n_args; i++)
		preds_compare(w, "=", a->args[i], b->args[i]);
}

/* (a, b) IN ((1, 2), (3, 4)): one of the rows. */
static void
preds_row_list(struct parse_where *w, const PgQuery__RowExpr *row,
    const PgQuery__List *l)
{
	size_t group = parse_group_begin(w->p, AN_ANY_OF), one, i;
	bool ok = l->n_items > 0;

	for (i = 0; ok && i < l->n_items; i++) {
		one = parse_group_begin(w->p, AN_ALL_OF);
		if (NODE_IS(l->items[i], ROW_EXPR))
			preds_row(w, row, l->items[i]->row_expr);
		ok = w->p->an->n_preds > one + 1;
		parse_group_end(w->p, one);
	}
	parse_group_end(w->p, group);
	if (!ok && group < w->p->an->n_preds)
		analysis_drop_preds(w->p->an, group);
}

static void
preds_expr(struct parse_where *w, const PgQuery__AExpr *e)
{
	const char *op;

	if (e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN) {
		preds_between(w, e);
		return;
	}
	op = parse_builtin_name(e->name, e->n_name);
	if (op == NULL)
		return;
	switch ((int)e->kind) {
	case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
		if (strcmp(op, "=") == 0 && NODE_IS(e->lexpr, ROW_EXPR) &&
		    NODE_IS(e->rexpr, ROW_EXPR))
			preds_row(w, e->lexpr->row_expr, e->rexpr->row_expr);
		else
			preds_compare(w, op, e->lexpr, e->rexpr);
		break;
	case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
		if (strcmp(op, "=") != 0 || !NODE_IS(e->rexpr, LIST))
			break;
		if (NODE_IS(e->lexpr, ROW_EXPR))
			preds_row_list(w, e->lexpr->row_expr, e->rexpr->list);
		else
			preds_list(w, e->lexpr, e->rexpr->list->items,
			    e->rexpr->list->n_items, AN_CAST_NONE);
		break;
	case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
		if (strcmp(op, "=") == 0)
			preds_any(w, e->lexpr, e->rexpr);
		break;
	default:
		break;
	}
}

/* ------------------------------------------------------------ AND and OR */

static void
preds_or(struct parse_where *w, const PgQuery__BoolExpr *b)
{
	size_t group, one, i;
	bool ok = true;

	if (w->depth == PARSE_MAX_PRED_DEPTH)
		return;
	w->depth++;
	group = parse_group_begin(w->p, AN_ANY_OF);
	for (i = 0; ok && i < b->n_args; i++) {
		one = parse_group_begin(w->p, AN_ALL_OF);
		ok = parse_where(w, b->args[i]);
		parse_group_end(w->p, one);
	}
	parse_group_end(w->p, group);
	if (!ok && group < w->p->an->n_preds)
		analysis_drop_preds(w->p->an, group);
	w->depth--;
}

bool
parse_where(struct parse_where *w, const parse_node *n)
{
	size_t before = w->p->an->n_preds, i;

	if (NODE_IS(n, A_EXPR)) {
		preds_expr(w, n->a_expr);
	} else if (NODE_IS(n, BOOL_EXPR)) {
		switch ((int)n->bool_expr->boolop) {
		case PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR:
			for (i = 0; i < n->bool_expr->n_args; i++)
				(void)parse_where(w, n->bool_expr->args[i]);
			break;
		case PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR:
			preds_or(w, n->bool_expr);
			break;
		default:
			break;
		}
	}
	return w->p->an->n_preds > before;
}

/* ---------------------------------------------------------- rows of INSERT */

void
parse_row_value(struct parse *p, unsigned table, const char *column,
    const parse_node *n)
{
	struct an_value v;

	if (parse_value(p, n, &v))
		(void)preds_add_one(p, table, column, AN_ROWS, &v);
}

/* Any of those in VALUES, whichever another column of the row has. */
static void
preds_row_members(struct parse *p, unsigned table, const char *column,
    const struct parse_out *out)
{
	size_t group = parse_group_begin(p, AN_ANY_OF), one, i;
	bool ok = true;

	for (i = 0; ok && i < out->rows->n_values_lists; i++) {
		one = parse_group_begin(p, AN_ALL_OF);
		parse_row_value(p, table, column, preds_member(out, i));
		ok = p->an->n_preds > one + 1;
		parse_group_end(p, one);
	}
	parse_group_end(p, group);
	if (!ok && group < p->an->n_preds)
		analysis_drop_preds(p->an, group);
}

void
parse_row_from(struct parse *p, unsigned table, const char *column,
    const struct parse_column *c)
{
	if (c->name != NULL)
		preds_add_column(p, table, column, AN_ROWS_FROM, c);
	else if (c->made != NULL && c->made->rows == NULL)
		parse_row_value(p, table, column, c->made->value);
	else if (c->made != NULL && c->made->rows->n_values_lists == 1)
		parse_row_value(p, table, column, preds_member(c->made, 0));
	else if (c->made != NULL)
		preds_row_members(p, table, column, c->made);
}

static bool
preds_rows_known(const PgQuery__InsertStmt *s)
{
	const PgQuery__SelectStmt *v = s->select_stmt->select_stmt;
	size_t i;

	if (s->n_cols == 0 || v->limit_count != NULL ||
	    v->limit_offset != NULL)
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

/* INSERT ... VALUES: one predicate a column, whatever its values. */
void
parse_insert_rows(struct parse *p, unsigned table,
    const PgQuery__InsertStmt *s)
{
	const PgQuery__SelectStmt *v = s->select_stmt->select_stmt;
	struct an_pred *pred;
	size_t i, row;

	if (!preds_rows_known(s))
		return;
	for (i = 0; i < s->n_cols && !p->failed; i++) {
		pred = preds_add_values(p, table, s->cols[i]->res_target->name,
		    AN_ROWS, v->n_values_lists);
		for (row = 0; pred != NULL && row < v->n_values_lists; row++)
			if (!parse_value(p, v->values_lists[row]->list->
			    items[i], &pred->values[row]))
				pred->values[row].kind = AN_VAL_OTHER;
	}
	p->an->insert_known = !p->failed && !p->unproven;
}
