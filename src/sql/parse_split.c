/* SPDX-License-Identifier: PostgreSQL
 *
 * Where the parts of a SELECT stand, for those who take it apart (sql/split.h).
 * The tree says what they are; their ends are read from the tokens.  Both must
 * agree on the number of items and where those of the select list begin, or the
 * statement is not split.
 */
#include <stdlib.h>

#include "sql/parse_split_priv.h"

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
	    "where", "group", "having", "window", "order", "limit", "offset",
	    "fetch" };
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

static bool
split_has_ons(const PgQuery__SelectStmt *s)
{
	return s->n_distinct_clause > 0 && s->distinct_clause[0]->node_case !=
	    PG_QUERY__NODE__NODE__NOT_SET;
}

/* DISTINCT ON (...): the token behind its bracket, which opens at token open. */
static size_t
split_ons(struct splitter *x, const PgQuery__SelectStmt *s, size_t open)
{
	size_t close = open < x->end ? tokens_close(&x->t, open) : x->t.n;
	size_t from = open + 1, until, i;

	if (close >= x->end) {
		x->refused = true;
		return x->end;
	}
	x->s->ons = split_items(x, s->n_distinct_clause);
	for (i = 0; i < s->n_distinct_clause && !x->refused; i++) {
		for (until = from; until < close && (x->t.v[until].kind !=
		    TOKEN_COMMA || x->t.v[until].depth > x->t.v[open].depth +
		    1); until++)
			;
		split_item(x, &x->s->ons[i], s->distinct_clause[i], from,
		    until);
		x->s->n_ons++;
		from = until + 1;
	}
	x->refused |= from != close + 1;
	return close + 1;
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
	if (split_has_ons(s))
		from = split_ons(x, s, from + 1);
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
	out->distinct = s->n_distinct_clause > 0 && !split_has_ons(s);
	split_targets(x, s);
	split_groups(x, s);
	split_having(x, s);
	split_orders(x, s);
	if (x->refused)
		return;
	body = split_clause_end(x, split_has(x, CLAUSE_GROUP) ? CLAUSE_GROUP :
	    split_has(x, CLAUSE_WHERE) ? CLAUSE_WHERE : CLAUSE_FROM);
	out->body_end = split_behind(x, body);
	out->having_end = out->body_end;
	if (split_has(x, CLAUSE_WINDOW))
		out->having_end = split_behind(x, split_clause_end(x,
		    CLAUSE_WINDOW));
	else if (out->has_having)
		out->having_end = split_behind(x, split_clause_end(x,
		    CLAUSE_HAVING));
}

/* Only what stands behind the last of its arms is looked at. */
static void
split_union(struct splitter *x, const PgQuery__SelectStmt *s)
{
	struct an_split *out = x->s;
	size_t body = x->end;
	enum clause c;

	for (c = CLAUSE_ORDER; c < CLAUSE_COUNT; c++)
		if (x->clause[c] < body)
			body = x->clause[c];
	/* Within brackets they would be those of the parts. */
	x->refused |= (s->limit_count != NULL) != (split_has(x, CLAUSE_LIMIT) ||
	    split_has(x, CLAUSE_FETCH)) ||
	    (s->limit_offset != NULL) != split_has(x, CLAUSE_OFFSET);
	out->united = true;
	out->distinct = !s->all;
	out->targets = split_items(x, 0);
	out->groups = split_items(x, 0);
	split_orders(x, s);
	out->targets_end = out->body_end = out->having_end =
	    split_behind(x, body);
}

static void
split_counts(struct splitter *x, const PgQuery__SelectStmt *s)
{
	x->refused |= !split_count(x, s->limit_count, &x->s->has_limit,
	    &x->s->limit) || !split_count(x, s->limit_offset,
	    &x->s->has_offset, &x->s->offset);
}

static bool
split_is_understood(const PgQuery__SelectStmt *s)
{
	return s->into_clause == NULL && s->n_locking_clause == 0 &&
	    s->n_values_lists == 0 &&
	    s->limit_option != PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES &&
	    (s->larg != NULL || s->n_target_list > 0);
}

/* "t AS a (x, y)" gives the columns other names, and so does a query of WITH. */
static bool
split_is_plain(const struct parse *p, const PgQuery__SelectStmt *s)
{
	const PgQuery__RangeVar *rv;

	if (p->an->n_tables != 1 || s->n_from_clause != 1 ||
	    !NODE_IS(s->from_clause[0], RANGE_VAR))
		return false;
	rv = s->from_clause[0]->range_var;
	return parse_from_table(p, rv) == 0 && (rv->alias == NULL ||
	    rv->alias->n_colnames == 0);
}

static void
split_take_apart(struct splitter *x, const struct parse_apart *a)
{
	struct an_split *s = x->s;
	struct parse *p = x->p;
	size_t n = p->an->n_tables;

	s->drivers = calloc(a->n, sizeof(*s->drivers));
	s->within = calloc(n, sizeof(*s->within));
	if (s->drivers == NULL || s->within == NULL || n >
	    PARSE_MAX_CONFINED) {
		p->failed = true;
		return;
	}
	memcpy(s->drivers, a->v, a->n * sizeof(*a->v));
	s->n_drivers = a->n;
	memcpy(s->within, p->within, n * sizeof(*s->within));
	s->n_within = n;
	memset(p->within, 0, sizeof(p->within));
	s->fulls = p->fulls;
	s->n_fulls = p->n_fulls;
	p->fulls = NULL;
	p->n_fulls = 0;
}

void
parse_split(struct parse *p, const PgQuery__SelectStmt *s,
    const struct parse_scope *sc, const struct parse_apart *a)
{
	struct splitter x = { .p = p, .sc = sc };
	struct slice inner;
	size_t first = 0;

	if (p->lx->n_statements != 1 || a->n == 0 || p->vague_aggregate ||
	    p->shared_cte || !split_is_understood(s))
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
	inner = analysis_explain_inner(p->sql);
	if (inner.p != NULL)
		first = tokens_at(&x.t, (uint32_t)(inner.p - p->sql.p));
	x.s->plain = split_is_plain(p, s);
	x.s->recollated = p->recollated;
	x.s->start = split_pos(&x, x.t.v[first].pos);
	x.s->end = split_behind(&x, x.end);
	split_clauses(&x);
	if (s->larg != NULL)
		split_union(&x, s);
	else
		split_statement(&x, s);
	split_counts(&x, s);
	split_take_apart(&x, a);
	tokens_free(&x.t);
	if (x.refused || p->failed)
		split_free(&x.s);
	p->an->split = x.s;
}
