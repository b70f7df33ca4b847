/* SPDX-License-Identifier: PostgreSQL
 *
 * Conditions of a WHERE or ON, as far as they are of a form known to be sound:
 * column OP constant, column = column, joined by AND and OR.  What is not is
 * left out, which never makes the rest wrong: a term of AND says nothing then,
 * and neither does an OR one of whose branches says nothing.
 */
#include "sql/parse_priv.h"

static struct parse_column
where_column(const struct parse_where *w, const parse_node *n)
{
	return parse_scope_find(w->p, w->sc, w->see_lo, w->see_hi, n);
}

/* It came through a subquery here that can be taken apart by its relation: a row
 * that is not wanted of the one is not of the other. *grouped: if its rows are
 * not divided otherwise than in groups. */
static bool
where_passes(const struct parse_where *w, const struct parse_column *c,
    bool *grouped)
{
	const struct parse *p = w->p;

	if (c->name == NULL || c->item != SIZE_MAX || c->via == SIZE_MAX ||
	    c->via < w->lo || c->via >= w->hi || p->vague_aggregate ||
	    c->table >= PARSE_MAX_CONFINED ||
	    !parse_apart_has(&p->items[c->via].apart, c->table))
		return false;
	*grouped = p->within[c->table].some;
	return true;
}

/* It is one of a relation whose conditions are wanted. */
static bool
where_is_wanted(const struct parse_where *w, const struct parse_column *c)
{
	bool grouped;

	return c->name != NULL && ((c->item >= w->lo && c->item < w->hi) ||
	    (where_passes(w, c, &grouped) && !grouped));
}

/* c = other, seen from c. */
static void
where_equal_one(struct parse_where *w, const struct parse_column *c,
    const struct parse_column *other)
{
	const struct parse_out *out = other->made;
	struct an_value v;
	bool grouped;

	if (where_passes(w, c, &grouped) && grouped && other->name != NULL)
		parse_pred_column(w->p, c->table, c->name, AN_EQ_INNER, other);
	if (!where_is_wanted(w, c))
		return;
	if (other->name != NULL)
		parse_pred_column(w->p, c->table, c->name, AN_EQ_COLUMN, other);
	else if (out != NULL && out->rows != NULL)
		parse_pred_members(w->p, c->table, c->name, out);
	else if (out != NULL && parse_value(w->p, out->value, &v))
		(void)parse_pred_value(w->p, c->table, c->name, AN_EQ, &v);
}

void
parse_where_equal(struct parse_where *w, const struct parse_column *a,
    const struct parse_column *b)
{
	if (a->item == b->item && a->item != SIZE_MAX)
		return;
	where_equal_one(w, a, b);
	where_equal_one(w, b, a);
}

/* The column of date_trunc('...', column), and the cut of its first word. */
static struct parse_column
where_month(const struct parse_where *w, const parse_node *n, uint32_t *cut)
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
	return where_column(w, f->args[1]);
}

/* date_trunc('month', column) = value. */
static void
where_month_equal(struct parse_where *w, const parse_node *left,
    const parse_node *right)
{
	struct parse_column c;
	struct an_pred *pred;
	struct an_value v;
	uint32_t cut;

	c = where_month(w, left, &cut);
	if (c.name == NULL) {
		c = where_month(w, right, &cut);
		right = left;
	}
	if (!where_is_wanted(w, &c) || !parse_value(w->p, right, &v))
		return;
	pred = parse_pred_value(w->p, c.table, c.name, AN_MONTH_EQ, &v);
	if (pred != NULL)
		pred->unit_cut = cut;
}

static void
where_compare(struct parse_where *w, const char *op, const parse_node *left,
    const parse_node *right)
{
	static const struct {
		const char *name;
		enum an_op op, flipped;
	} ops[] = { { "=", AN_EQ, AN_EQ }, { "<", AN_LT, AN_GT },
	    { "<=", AN_LE, AN_GE }, { ">", AN_GT, AN_LT },
	    { ">=", AN_GE, AN_LE } };
	struct parse_column a = where_column(w, left);
	struct parse_column b = where_column(w, right);
	struct an_value v;
	size_t i;

	for (i = 0; strcmp(ops[i].name, op) != 0;)
		if (++i == ARRAY_SIZE(ops))
			return;
	if (where_is_wanted(w, &a) && parse_value(w->p, right, &v))
		(void)parse_pred_value(w->p, a.table, a.name, ops[i].op, &v);
	else if (where_is_wanted(w, &b) && parse_value(w->p, left, &v))
		(void)parse_pred_value(w->p, b.table, b.name, ops[i].flipped, &v);
	else if (ops[i].op == AN_EQ && (a.name != NULL || b.name != NULL))
		parse_where_equal(w, &a, &b);
	else if (ops[i].op == AN_EQ)
		where_month_equal(w, left, right);
}

/* column IN (list): nothing if any member is no constant. */
static void
where_list(struct parse_where *w, const parse_node *left,
    parse_node *const *nodes, size_t n, enum an_cast cast)
{
	struct parse_column c = where_column(w, left);
	size_t first = w->p->an->n_preds, i;
	struct an_pred *pred;
	bool ok = true;

	if (!where_is_wanted(w, &c) || n == 0)
		return;
	pred = parse_pred_values(w->p, c.table, c.name, AN_IN, n);
	for (i = 0; pred != NULL && ok && i < n; i++)
		ok = cast == AN_CAST_NONE ?
		    parse_value(w->p, nodes[i], &pred->values[i]) :
		    parse_value_as(w->p, nodes[i], cast, &pred->values[i]);
	if (!ok)
		analysis_drop_preds(w->p->an, first);
}

/* column = ANY (array). */
static void
where_any(struct parse_where *w, const parse_node *left, const parse_node *n)
{
	struct parse_column c = where_column(w, left);
	enum an_cast cast = AN_CAST_NONE;
	struct an_value v;

	if (NODE_IS(n, TYPE_CAST)) {
		cast = parse_array_cast(n->type_cast->type_name);
		n = n->type_cast->arg;
		if (cast == AN_CAST_OTHER)
			return;
	}
	if (NODE_IS(n, A_ARRAY_EXPR)) {
		where_list(w, left, n->a_array_expr->elements,
		    n->a_array_expr->n_elements, cast);
		return;
	}
	if (!where_is_wanted(w, &c) ||
	    (!NODE_IS(n, A_CONST) && !NODE_IS(n, PARAM_REF)) ||
	    !parse_value(w->p, n, &v))
		return;
	v.cast = cast;
	(void)parse_pred_value(w->p, c.table, c.name, AN_IN_ARRAY, &v);
}

static void
where_between(struct parse_where *w, const PgQuery__AExpr *e)
{
	struct parse_column c = where_column(w, e->lexpr);
	const PgQuery__List *l;
	struct an_value v;

	if (!where_is_wanted(w, &c) || !NODE_IS(e->rexpr, LIST))
		return;
	l = e->rexpr->list;
	if (l->n_items != 2)
		return;
	if (parse_value(w->p, l->items[0], &v))
		(void)parse_pred_value(w->p, c.table, c.name, AN_GE, &v);
	if (parse_value(w->p, l->items[1], &v))
		(void)parse_pred_value(w->p, c.table, c.name, AN_LE, &v);
}

/* (a, b) = (1, 2). */
static void
where_row(struct parse_where *w, const PgQuery__RowExpr *a,
    const PgQuery__RowExpr *b)
{
	size_t i;

	for (i = 0; a->n_args == b->n_args && i < a->n_args; i++)
		where_compare(w, "=", a->args[i], b->args[i]);
}

/* (a, b) IN ((1, 2), (3, 4)): one of the rows. */
static void
where_row_list(struct parse_where *w, const PgQuery__RowExpr *row,
    const PgQuery__List *l)
{
	size_t group = parse_group_begin(w->p, AN_ANY_OF), one, i;
	bool ok = l->n_items > 0;

	for (i = 0; ok && i < l->n_items; i++) {
		one = parse_group_begin(w->p, AN_ALL_OF);
		if (NODE_IS(l->items[i], ROW_EXPR))
			where_row(w, row, l->items[i]->row_expr);
		ok = w->p->an->n_preds > one + 1;
		parse_group_end(w->p, one);
	}
	parse_group_end(w->p, group);
	if (!ok && group < w->p->an->n_preds)
		analysis_drop_preds(w->p->an, group);
}

static void
where_expr(struct parse_where *w, const PgQuery__AExpr *e)
{
	const char *op;

	if (e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN) {
		where_between(w, e);
		return;
	}
	op = parse_builtin_name(e->name, e->n_name);
	if (op == NULL)
		return;
	switch ((int)e->kind) {
	case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
		if (strcmp(op, "=") == 0 && NODE_IS(e->lexpr, ROW_EXPR) &&
		    NODE_IS(e->rexpr, ROW_EXPR))
			where_row(w, e->lexpr->row_expr, e->rexpr->row_expr);
		else
			where_compare(w, op, e->lexpr, e->rexpr);
		break;
	case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
		if (strcmp(op, "=") != 0 || !NODE_IS(e->rexpr, LIST))
			break;
		if (NODE_IS(e->lexpr, ROW_EXPR))
			where_row_list(w, e->lexpr->row_expr, e->rexpr->list);
		else
			where_list(w, e->lexpr, e->rexpr->list->items,
			    e->rexpr->list->n_items, AN_CAST_NONE);
		break;
	case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
		if (strcmp(op, "=") == 0)
			where_any(w, e->lexpr, e->rexpr);
		break;
	default:
		break;
	}
}

/* column IN (SELECT ...), or of several columns: the query's columns tell where
 * theirs are. */
static void
where_in_query(struct parse_where *w, const PgQuery__SubLink *s)
{
	struct parse_outs outs = { .vague = true, .gaps = true };
	struct parse_apart apart = { .n = 0 };
	parse_node *const *tests = (parse_node *const *)&s->testexpr;
	struct parse_column c, other;
	size_t n = 1, i;

	if (s->sub_link_type != PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK ||
	    w->depth > 0 || w->p->n_links == PARSE_MAX_LINKS)
		return;
	if (s->n_oper_name > 0) {
		const char *op = parse_builtin_name(s->oper_name,
		    s->n_oper_name);

		if (op == NULL || strcmp(op, "=") != 0)
			return;
	}
	if (NODE_IS(s->testexpr, ROW_EXPR)) {
		tests = s->testexpr->row_expr->args;
		n = s->testexpr->row_expr->n_args;
	}
	w->p->links[w->p->n_links++] = s;
	w->p->in_link++;
	parse_level(w->p, s->subselect, w->up, &outs, &apart);
	w->p->in_link--;
	if (outs.star || outs.gaps || outs.n != n)
		return;
	for (i = 0; i < n && !w->p->failed; i++) {
		const struct parse_out *out = &w->p->outs[outs.start + i];

		c = where_column(w, tests[i]);
		other = (struct parse_column){ .name = out->column,
		    .table = out->table, .item = SIZE_MAX, .via = SIZE_MAX,
		    .made = out };
		where_equal_one(w, &c, &other);
		/* What is not equal is not in it: if its rows go, nothing but
		 * they is missing in the query's. */
		if (c.name != NULL && other.name != NULL &&
		    parse_apart_has(&apart, other.table))
			parse_pred_column(w->p, other.table, other.name,
			    AN_EQ_INNER, &c);
	}
}

/* ------------------------------------------------------------ AND and OR */

static void
where_or(struct parse_where *w, const PgQuery__BoolExpr *b)
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
		where_expr(w, n->a_expr);
	} else if (NODE_IS(n, BOOL_EXPR)) {
		switch ((int)n->bool_expr->boolop) {
		case PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR:
			for (i = 0; i < n->bool_expr->n_args; i++)
				(void)parse_where(w, n->bool_expr->args[i]);
			break;
		case PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR:
			where_or(w, n->bool_expr);
			break;
		default:
			break;
		}
	} else if (NODE_IS(n, SUB_LINK)) {
		where_in_query(w, n->sub_link);
	}
	return w->p->an->n_preds > before;
}
