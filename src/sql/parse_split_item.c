/* SPDX-License-Identifier: PostgreSQL
 *
 * One expression of a SELECT that is taken apart: its place, the aggregates in
 * it, and what they may be put together with.
 */
#include "sql/functions.h"
#include "sql/parse_split_priv.h"

static bool
split_agg_kind(const char *name, enum an_agg_kind *kind)
{
	static const struct {
		const char *name;
		enum an_agg_kind kind;
	} aggs[] = { { "count", AN_AGG_COUNT }, { "sum", AN_AGG_SUM },
	    { "min", AN_AGG_MIN }, { "max", AN_AGG_MAX },
	    { "avg", AN_AGG_AVG }, { "bool_and", AN_AGG_BOOL_AND },
	    { "every", AN_AGG_BOOL_AND }, { "bool_or", AN_AGG_BOOL_OR },
	    { "bit_and", AN_AGG_BIT_AND }, { "bit_or", AN_AGG_BIT_OR } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(aggs); i++)
		if (strcmp(aggs[i].name, name) == 0) {
			*kind = aggs[i].kind;
			return true;
		}
	return false;
}

/* Functions that may stand around aggregates: one value for one value, the
 * same on every server. */
static bool
split_is_scalar(const char *name)
{
	static const char *const names[] = { "abs", "ceil", "ceiling",
	    "concat", "exp", "floor", "length", "ln", "log", "lower", "mod",
	    "power", "round", "sign", "sqrt", "to_char", "trunc", "upper" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* If DISTINCT, then of an expression that a group can be made of. */
static bool
split_is_distinct_of(const PgQuery__FuncCall *f)
{
	const parse_node *n = f->n_args == 1 ? f->args[0] : NULL;

	while (NODE_IS(n, TYPE_CAST))
		n = n->type_cast->arg;
	return !f->agg_distinct || (n != NULL && !NODE_IS(n, A_CONST) &&
	    !NODE_IS(n, PARAM_REF));
}

static void split_walk(void *arg, const ProtobufCMessage *m);

static void
split_aggregate(struct splitter *x, const PgQuery__FuncCall *f,
    enum an_agg_kind kind)
{
	size_t name, open, close, behind;
	struct an_agg *a;

	name = f->location < 0 ? x->t.n :
	    tokens_at(&x->t, (uint32_t)f->location);
	for (open = name; open < x->t.n &&
	    x->t.v[open].kind != TOKEN_OPEN; open++)
		;
	close = open < x->t.n ? tokens_close(&x->t, open) : x->t.n;
	if (close == x->t.n || close == open + 1 ||
	    !parse_reserve(x->p, &x->s->aggs, x->s->n_aggs, &x->aggs_size,
	    sizeof(*a), SPLIT_MAX_ITEMS)) {
		x->refused = true;
		return;
	}
	open += f->agg_distinct; /* the word behind the bracket */
	a = &x->s->aggs[x->s->n_aggs++];
	*a = (struct an_agg){ .kind = kind, .distinct = f->agg_distinct };
	a->args = split_range(x, open + 1, close);
	behind = close + 1;
	a->filter = (struct an_range){ a->args.until, a->args.until };
	a->condition = a->filter;
	if (f->agg_filter != NULL) {
		behind = split_is(x, close + 1, "filter") && close + 2 <
		    x->t.n ? tokens_close(&x->t, close + 2) + 1 : x->t.n + 1;
		if (behind > x->t.n) {
			x->refused = true;
			return;
		}
		a->filter = split_range(x, close + 1, behind);
		/* FILTER (WHERE condition) */
		if (behind - close < 6) {
			x->refused = true;
			return;
		}
		a->condition = split_range(x, close + 4, behind - 1);
	}
	a->call = split_range(x, name, behind);
	x->item->n_aggs++;
	x->in_aggregate++;
	parse_each_message(&f->base, split_walk, x);
	x->in_aggregate--;
	a->recollated = x->item->recollated;
}

static void
split_function(struct splitter *x, const PgQuery__FuncCall *f)
{
	const char *name = parse_builtin_name(f->funcname, f->n_funcname);
	struct function_info info;
	enum an_agg_kind kind;

	if (name == NULL || !function_lookup(name, &info)) {
		x->refused = true;
		return;
	}
	if (f->over != NULL) {
		x->s->windows = true;
		x->item->mergeable = false;
	} else if (info.aggregate) {
		x->s->aggregated = true;
		if (split_agg_kind(name, &kind) && split_is_distinct_of(f) &&
		    f->n_agg_order == 0 && !f->agg_within_group &&
		    !f->func_variadic)
			split_aggregate(x, f, kind);
		else
			x->s->other_aggs = true;
		return;
	}
	if (!split_is_scalar(name))
		x->item->mergeable = false;
	parse_each_message(&f->base, split_walk, x);
}

static void
split_walk_node(struct splitter *x, const parse_node *n)
{
	switch ((int)n->node_case) {
	case PG_QUERY__NODE__NODE__NOT_SET:
		return;
	case PG_QUERY__NODE__NODE_SUB_LINK:
		x->item->recollated = true;
		x->item->mergeable &= x->in_aggregate > 0;
		if (n->sub_link->testexpr != NULL)
			split_walk(x, &n->sub_link->testexpr->base);
		return;
	case PG_QUERY__NODE__NODE_TYPE_CAST:
		x->item->recollated |= parse_cast_recollates(n->type_cast);
		parse_each_message(&n->select_stmt->base, split_walk, x);
		return;
	case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
		x->item->recollated = true;
		parse_each_message(&n->select_stmt->base, split_walk, x);
		return;
	case PG_QUERY__NODE__NODE_FUNC_CALL:
		if (x->in_aggregate > 0)
			parse_each_message(&n->select_stmt->base, split_walk,
			    x);
		else
			split_function(x, n->func_call);
		return;
	case PG_QUERY__NODE__NODE_COLUMN_REF:
	case PG_QUERY__NODE__NODE_PARAM_REF:
	case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
		x->item->mergeable &= x->in_aggregate > 0;
		return;
	case PG_QUERY__NODE__NODE_GROUPING_FUNC:
	case PG_QUERY__NODE__NODE_GROUPING_SET:
		x->refused = true;
		return;
	default:
		/* The union's members are pointers to messages, all of them. */
		parse_each_message(&n->select_stmt->base, split_walk, x);
	}
}

static void
split_walk(void *arg, const ProtobufCMessage *m)
{
	if (m->descriptor == &pg_query__node__descriptor)
		split_walk_node(arg, (const parse_node *)(const void *)m);
	else
		parse_each_message(m, split_walk, arg);
}

static bool
split_is_simple(const parse_node *n)
{
	while (NODE_IS(n, TYPE_CAST))
		n = n->type_cast->arg;
	return NODE_IS(n, COLUMN_REF) || NODE_IS(n, A_CONST);
}

static void
split_column(struct splitter *x, struct an_item *item, const parse_node *n)
{
	const PgQuery__ColumnRef *ref = n->column_ref;
	const parse_node *last = ref->fields[ref->n_fields - 1];
	const char *name = parse_string(last);
	struct parse_column found;

	item->star = NODE_IS(last, A_STAR);
	item->qualified = ref->n_fields > 1;
	item->of_table = parse_scope_star(x->p, x->sc, n, &item->table);
	if (name == NULL)
		return;
	item->column = parse_strdup(x->p, name);
	found = parse_scope_find(x->p, x->sc, x->sc->start, x->sc->end, n);
	if (found.name == NULL)
		return;
	item->of_table = true;
	item->table = found.table;
	item->of_column = parse_strdup(x->p, found.name);
}

void
split_item(struct splitter *x, struct an_item *item, const parse_node *n,
    size_t from, size_t until)
{
	bool negative;

	*item = (struct an_item){ .first_agg = x->s->n_aggs,
	    .mergeable = true };
	if (n == NULL || until <= from) {
		x->refused = true;
		return;
	}
	item->expr = item->tail = split_range(x, from, until);
	item->tail.from = item->expr.until;
	item->simple = split_is_simple(n);
	x->item = item;
	split_walk_node(x, n);
	if (NODE_IS(n, A_CONST) && n->a_const->val_case ==
	    PG_QUERY__A__CONST__VAL_IVAL && !n->a_const->isnull)
		item->ordinal = parse_literal_cut(x->p, n->a_const,
		    &item->cut, &negative) && !negative;
	if (NODE_IS(n, COLUMN_REF) && n->column_ref->n_fields > 0)
		split_column(x, item, n);
}
