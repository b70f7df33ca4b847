/* SPDX-License-Identifier: PostgreSQL
 *
 * Where the parts of a SELECT over one relation stand, for those who take it
 * apart (sql/split.h).  The tree says what they are; their ends are read from
 * the tokens.  Both must agree on the number of items and where those of the
 * select list begin, or the statement is not split.
 */
#include <stdlib.h>

#include "sql/functions.h"
#include "sql/parse_priv.h"
#include "sql/split.h"
#include "sql/tokens.h"

#define SPLIT_MAX_ITEMS 1600 /* columns of a PostgreSQL result */

enum clause {
	CLAUSE_SELECT, CLAUSE_FROM, CLAUSE_WHERE, CLAUSE_GROUP, CLAUSE_HAVING,
	CLAUSE_ORDER, CLAUSE_LIMIT, CLAUSE_OFFSET, CLAUSE_FETCH, CLAUSE_COUNT
};

struct splitter {
	struct parse *p;
	struct tokens t;
	struct an_split *s;
	size_t aggs_size;
	size_t clause[CLAUSE_COUNT]; /* token of its keyword; t.n: none */
	size_t end;                  /* one past the statement's last token */
	struct an_item *item;        /* being walked */
	unsigned in_aggregate;       /* ... inside of the arguments of one */
	bool refused;
};

void
split_free(struct an_split **sp)
{
	struct an_split *s = *sp;
	size_t i;

	*sp = NULL;
	if (s == NULL)
		return;
	for (i = 0; i < s->n_targets; i++) {
		free(s->targets[i].column);
		free(s->targets[i].name);
	}
	for (i = 0; i < s->n_groups; i++)
		free(s->groups[i].column);
	for (i = 0; i < s->n_orders; i++)
		free(s->orders[i].column);
	free(s->having.column);
	free(s->targets);
	free(s->groups);
	free(s->orders);
	free(s->aggs);
	free(s);
}

/* ------------------------------------------------------------------ places */

static struct textpos
split_pos(const struct splitter *x, uint32_t byte)
{
	return lex_pos_from(x->p->lx, byte);
}

/* Behind the token in front of this one. */
static struct textpos
split_behind(const struct splitter *x, size_t token)
{
	const struct token *t = &x->t.v[token - 1];

	return split_pos(x, t->pos + t->len);
}

/* Tokens [from, until). */
static struct an_range
split_range(const struct splitter *x, size_t from, size_t until)
{
	struct an_range r;

	r.from = split_pos(x, x->t.v[from].pos);
	r.until = until > from ? split_behind(x, until) : r.from;
	return r;
}

static bool
split_is(const struct splitter *x, size_t token, const char *word)
{
	return token < x->end && token_is(&x->t.v[token], x->p->sql, word);
}

/* ----------------------------------------------------------------- clauses */

/* Keywords of clauses that stand outside of brackets, and are not names
 * ("x.from", "AS from") or parts of something else. */
static bool
split_is_keyword(const struct splitter *x, size_t i)
{
	if (i == 0)
		return true;
	return x->t.v[i - 1].kind != TOKEN_DOT && !split_is(x, i - 1, "as");
}

static void
split_clauses(struct splitter *x)
{
	static const char *const words[CLAUSE_COUNT] = { "select", "from",
	    "where", "group", "having", "order", "limit", "offset", "fetch" };
	size_t i, c;

	for (c = 0; c < CLAUSE_COUNT; c++)
		x->clause[c] = x->t.n;
	for (i = 0; i < x->end; i++) {
		if (x->t.v[i].depth > 0 || x->t.v[i].kind != TOKEN_WORD ||
		    !split_is_keyword(x, i))
			continue;
		for (c = 0; c < CLAUSE_COUNT; c++) {
			if (x->clause[c] != x->t.n || !split_is(x, i, words[c]))
				continue;
			/* IS [NOT] DISTINCT FROM; WITHIN GROUP */
			if ((c == CLAUSE_FROM && i > 1 &&
			    split_is(x, i - 1, "distinct") &&
			    (split_is(x, i - 2, "is") ||
			    split_is(x, i - 2, "not"))) ||
			    (c == CLAUSE_GROUP && i > 0 &&
			    split_is(x, i - 1, "within")))
				continue;
			x->clause[c] = i;
		}
	}
}

/* One past the last token of a clause: the keyword of the next one. */
static size_t
split_clause_end(const struct splitter *x, enum clause c)
{
	size_t end = x->end, i;

	for (i = 0; i < CLAUSE_COUNT; i++)
		if (x->clause[i] > x->clause[c] && x->clause[i] < end)
			end = x->clause[i];
	return end;
}

static bool
split_has(const struct splitter *x, enum clause c)
{
	return x->clause[c] < x->end;
}

/* The end of the item that begins at token i, within a list that ends at end. */
static size_t
split_item_end(const struct splitter *x, size_t i, size_t end)
{
	while (i < end && (x->t.v[i].kind != TOKEN_COMMA ||
	    x->t.v[i].depth > 0))
		i++;
	return i;
}

/* ------------------------------------------------------------- expressions */

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
	a = &x->s->aggs[x->s->n_aggs++];
	a->kind = kind;
	a->args = split_range(x, open + 1, close);
	behind = close + 1;
	a->filter = (struct an_range){ a->args.until, a->args.until };
	if (f->agg_filter != NULL) {
		behind = split_is(x, close + 1, "filter") && close + 2 <
		    x->t.n ? tokens_close(&x->t, close + 2) + 1 : x->t.n + 1;
		if (behind > x->t.n) {
			x->refused = true;
			return;
		}
		a->filter = split_range(x, close + 1, behind);
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

	if (f->over != NULL || name == NULL || !function_lookup(name, &info)) {
		x->refused = true;
		return;
	}
	if (info.aggregate) {
		x->s->aggregated = true;
		if (split_agg_kind(name, &kind) && !f->agg_distinct &&
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
	case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
	case PG_QUERY__NODE__NODE_TYPE_CAST:
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
	case PG_QUERY__NODE__NODE_SUB_LINK:
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

/* What is known of an item's expression n, at tokens [from, until). */
static void
split_item(struct splitter *x, struct an_item *item, const parse_node *n,
    size_t from, size_t until)
{
	const PgQuery__ColumnRef *ref;
	const parse_node *last;
	const char *name;
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
	if (!NODE_IS(n, COLUMN_REF) || n->column_ref->n_fields == 0)
		return;
	ref = n->column_ref;
	last = ref->fields[ref->n_fields - 1];
	item->star = NODE_IS(last, A_STAR);
	item->qualified = ref->n_fields > 1;
	name = parse_string(last);
	if (name != NULL)
		item->column = parse_strdup(x->p, name);
}

/* ------------------------------------------------------------------- lists */

static struct an_item *
split_items(struct splitter *x, size_t n)
{
	struct an_item *items = n <= SPLIT_MAX_ITEMS ?
	    calloc(n + 1, sizeof(*items)) : NULL;

	x->refused |= items == NULL;
	return items;
}

static const char *
split_name(const PgQuery__ResTarget *r)
{
	const PgQuery__ColumnRef *c;
	const PgQuery__FuncCall *f;

	if (r->name[0] != '\0')
		return r->name;
	if (NODE_IS(r->val, COLUMN_REF) && r->val->column_ref->n_fields > 0) {
		c = r->val->column_ref;
		return parse_string(c->fields[c->n_fields - 1]);
	}
	if (NODE_IS(r->val, FUNC_CALL) && r->val->func_call->n_funcname > 0) {
		f = r->val->func_call;
		return parse_string(f->funcname[f->n_funcname - 1]);
	}
	return NULL;
}

static void
split_targets(struct splitter *x, const PgQuery__SelectStmt *s)
{
	size_t i, from = x->clause[CLAUSE_SELECT] + 1, until, end;
	size_t last = split_clause_end(x, CLAUSE_SELECT);
	const PgQuery__ResTarget *r;
	const char *name;

	if (split_is(x, from, "distinct") || split_is(x, from, "all"))
		from++;
	x->s->targets = split_items(x, s->n_target_list);
	for (i = 0; i < s->n_target_list && !x->refused; i++) {
		r = NODE_IS(s->target_list[i], RES_TARGET) ?
		    s->target_list[i]->res_target : NULL;
		if (r == NULL || from >= last ||
		    (int64_t)x->t.v[from].pos != r->location) {
			x->refused = true;
			return;
		}
		until = end = split_item_end(x, from, last);
		if (r->name[0] != '\0')
			end -= split_is(x, until - 2, "as") ? 2 : 1;
		split_item(x, &x->s->targets[i], r->val, from, end);
		x->s->n_targets++;
		name = split_name(r);
		if (name != NULL)
			x->s->targets[i].name = parse_strdup(x->p, name);
		from = until + 1;
	}
	x->refused |= from != last + 1;
	if (!x->refused)
		x->s->targets_end = split_behind(x, last);
}

static void
split_groups(struct splitter *x, const PgQuery__SelectStmt *s)
{
	size_t i, from = x->clause[CLAUSE_GROUP] + 2, until;
	size_t last;

	if (s->n_group_clause == 0)
		return;
	if (!split_has(x, CLAUSE_GROUP) || s->group_distinct ||
	    split_is(x, from, "all")) {
		x->refused = true;
		return;
	}
	last = split_clause_end(x, CLAUSE_GROUP);
	x->s->aggregated = true;
	x->s->groups = split_items(x, s->n_group_clause);
	for (i = 0; i < s->n_group_clause && !x->refused; i++) {
		until = split_item_end(x, from, last);
		split_item(x, &x->s->groups[i], s->group_clause[i], from,
		    until);
		x->s->n_groups++;
		from = until + 1;
	}
	x->refused |= from != last + 1;
}

/* Tokens of "ASC NULLS FIRST" and the like. */
static size_t
split_tail(const PgQuery__SortBy *b)
{
	size_t n = 0;

	if (b->sortby_nulls ==
	    PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST ||
	    b->sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_LAST)
		n += 2;
	if (b->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_ASC ||
	    b->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC)
		n++;
	return n;
}

static void
split_orders(struct splitter *x, const PgQuery__SelectStmt *s)
{
	size_t i, from = x->clause[CLAUSE_ORDER] + 2, until, tail, last;
	const PgQuery__SortBy *b;

	if (s->n_sort_clause == 0)
		return;
	if (!split_has(x, CLAUSE_ORDER)) {
		x->refused = true;
		return;
	}
	last = split_clause_end(x, CLAUSE_ORDER);
	x->s->order = split_range(x, x->clause[CLAUSE_ORDER], last);
	x->s->orders = split_items(x, s->n_sort_clause);
	for (i = 0; i < s->n_sort_clause && !x->refused; i++) {
		b = NODE_IS(s->sort_clause[i], SORT_BY) ?
		    s->sort_clause[i]->sort_by : NULL;
		if (b == NULL || b->sortby_dir ==
		    PG_QUERY__SORT_BY_DIR__SORTBY_USING) {
			x->refused = true;
			return;
		}
		until = split_item_end(x, from, last);
		tail = split_tail(b);
		if (until < from + tail + 1) {
			x->refused = true;
			return;
		}
		split_item(x, &x->s->orders[i], b->node, from, until - tail);
		x->s->n_orders++;
		if (tail > 0)
			x->s->orders[i].tail = split_range(x, until - tail,
			    until);
		from = until + 1;
	}
	x->refused |= from != last + 1;
}

/* ------------------------------------------------------------ the statement */

/* A number that is known when the statement runs. */
static bool
split_count(const struct splitter *x, const parse_node *n, bool *has,
    struct an_value *v)
{
	*has = n != NULL;
	if (n == NULL)
		return true;
	return parse_value(x->p, n, v) && (v->kind == AN_VAL_CUT ||
	    v->kind == AN_VAL_PARAM || v->kind == AN_VAL_NULL) &&
	    (v->cast == AN_CAST_NONE || v->cast == AN_CAST_INT8 ||
	    v->cast == AN_CAST_INT4);
}

static void
split_having(struct splitter *x, const PgQuery__SelectStmt *s)
{
	if (s->having_clause == NULL)
		return;
	x->s->aggregated = x->s->has_having = true;
	if (!split_has(x, CLAUSE_HAVING)) {
		x->refused = true;
		return;
	}
	split_item(x, &x->s->having, s->having_clause,
	    x->clause[CLAUSE_HAVING] + 1, split_clause_end(x, CLAUSE_HAVING));
}

static void
split_statement(struct splitter *x, const PgQuery__SelectStmt *s)
{
	struct an_split *out = x->s;
	size_t body;

	if (!split_has(x, CLAUSE_SELECT) || !split_has(x, CLAUSE_FROM)) {
		x->refused = true;
		return;
	}
	out->distinct = s->n_distinct_clause > 0;
	split_targets(x, s);
	split_groups(x, s);
	split_having(x, s);
	split_orders(x, s);
	x->refused |= !split_count(x, s->limit_count, &out->has_limit,
	    &out->limit) || !split_count(x, s->limit_offset,
	    &out->has_offset, &out->offset);
	if (x->refused)
		return;
	body = split_clause_end(x, split_has(x, CLAUSE_GROUP) ? CLAUSE_GROUP :
	    split_has(x, CLAUSE_WHERE) ? CLAUSE_WHERE : CLAUSE_FROM);
	out->start = split_pos(x, x->t.v[x->clause[CLAUSE_SELECT]].pos);
	out->body_end = split_behind(x, body);
	out->having_end = !out->has_having ? out->body_end :
	    split_behind(x, split_clause_end(x, CLAUSE_HAVING));
	out->end = split_behind(x, x->end);
}

static bool
split_is_plain(const PgQuery__SelectStmt *s)
{
	return s->op <= PG_QUERY__SET_OPERATION__SETOP_NONE &&
	    s->with_clause == NULL && s->into_clause == NULL &&
	    s->n_window_clause == 0 && s->n_locking_clause == 0 &&
	    s->n_values_lists == 0 && s->n_target_list > 0 &&
	    s->limit_option != PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES &&
	    (s->n_distinct_clause == 0 || (s->n_distinct_clause == 1 &&
	    s->distinct_clause[0]->node_case ==
	    PG_QUERY__NODE__NODE__NOT_SET));
}

void
parse_split(struct parse *p, const PgQuery__SelectStmt *s)
{
	const PgQuery__RangeVar *rv = s->from_clause[0]->range_var;
	struct splitter x = { .p = p };

	/* "t AS a (x, y)" gives the columns other names. */
	if (p->failed || p->lx->n_statements != 1 || !split_is_plain(s) ||
	    (rv->alias != NULL && rv->alias->n_colnames > 0))
		return;
	x.s = calloc(1, sizeof(*x.s));
	if (x.s == NULL || !tokens_read(&x.t, p->sql, p->lx)) {
		free(x.s);
		p->failed = true;
		return;
	}
	for (x.end = x.t.n; x.end > 0 &&
	    x.t.v[x.end - 1].kind == TOKEN_SEMI; x.end--)
		;
	split_clauses(&x);
	split_statement(&x, s);
	tokens_free(&x.t);
	if (x.refused || p->failed)
		split_free(&x.s);
	p->an->split = x.s;
}
