/* SPDX-License-Identifier: PostgreSQL
 *
 * Which relations a query can be taken apart by: whose rows may be divided, so
 * that the query's answers for each part are together its answer for all.
 *
 * Told bottom-up, level by level, in alternatives: of an inner join either
 * side, of an outer one the side that is kept, of UNION ALL and FULL JOIN both
 * together.  A level that makes groups (GROUP BY, DISTINCT, the partitions of
 * windows) stays so only if the parts are divided by columns that it groups by;
 * which those may be is noted for each relation, see struct an_within.  What is
 * not known to be so has no alternatives, which is never wrong.  That the other
 * relations' rows matter for one part only is no matter of this file.
 */
#include <stdlib.h>

#include "sql/functions.h"
#include "sql/parse_priv.h"

#define APART_MAX_COLUMNS 64

/* ------------------------------------------------------------ alternatives */

static void
apart_add(struct parse_apart *a, struct an_driver d)
{
	/* One less is no harm. */
	if (a->n < PARSE_MAX_DRIVERS)
		a->v[a->n++] = d;
}

bool
parse_apart_has(const struct parse_apart *a, unsigned table)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (a->v[i].tables == 1u << table && a->v[i].fulls == 0)
			return true;
	return false;
}

void
parse_apart_table(struct parse_apart *a, unsigned table)
{
	if (table < PARSE_MAX_CONFINED)
		apart_add(a, (struct an_driver){ .tables = 1u << table });
}

void
parse_apart_any(struct parse_apart *a, const struct parse_apart *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		apart_add(a, b->v[i]);
}

void
parse_apart_both(struct parse_apart *a, const struct parse_apart *b,
    uint32_t full)
{
	struct parse_apart out = { .n = 0 };
	size_t i, k;

	for (i = 0; i < a->n; i++)
		for (k = 0; k < b->n; k++)
			apart_add(&out, (struct an_driver){
			    .tables = a->v[i].tables | b->v[k].tables,
			    .fulls = a->v[i].fulls | b->v[k].fulls | full });
	*a = out;
}

/* --------------------------------------------------------------- FULL JOIN */

/* The ON of one; columns of its two sides. */
struct apart_on {
	const struct parse_where *w;
	unsigned full;
	uint32_t left, right; /* drivers */
};

static bool
apart_is_of(const struct parse_column *c, uint32_t tables)
{
	return c->name != NULL && c->table < PARSE_MAX_CONFINED &&
	    (tables & 1u << c->table) != 0;
}

static void
apart_pair(struct parse *p, const struct apart_on *on,
    const struct parse_column *a, const struct parse_column *b)
{
	struct an_full *f;

	if (!(apart_is_of(a, on->left) && apart_is_of(b, on->right)) &&
	    !(apart_is_of(b, on->left) && apart_is_of(a, on->right)))
		return;
	if (p->n_fulls == PARSE_MAX_FULLS || !parse_reserve(p, &p->fulls, p->n_fulls,
	    &p->fulls_size, sizeof(*f), PARSE_MAX_FULLS))
		return;
	f = &p->fulls[p->n_fulls++];
	*f = (struct an_full){ .full = on->full, .a = a->table, .b = b->table };
	f->a_column = parse_strdup(p, a->name);
	f->b_column = parse_strdup(p, b->name);
}

static void
apart_pairs(struct parse *p, const struct apart_on *on, const parse_node *n)
{
	const struct parse_where *w = on->w;
	struct parse_column a, b;
	const char *op;
	size_t i;

	if (NODE_IS(n, BOOL_EXPR) && n->bool_expr->boolop ==
	    PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR)
		for (i = 0; i < n->bool_expr->n_args; i++)
			apart_pairs(p, on, n->bool_expr->args[i]);
	if (!NODE_IS(n, A_EXPR) || n->a_expr->kind !=
	    PG_QUERY__A__EXPR__KIND__AEXPR_OP)
		return;
	op = parse_builtin_name(n->a_expr->name, n->a_expr->n_name);
	if (op == NULL || strcmp(op, "=") != 0)
		return;
	a = parse_scope_find(p, w->sc, w->see_lo, w->see_hi, n->a_expr->lexpr);
	b = parse_scope_find(p, w->sc, w->see_lo, w->see_hi, n->a_expr->rexpr);
	apart_pair(p, on, &a, &b);
}

static uint32_t
apart_tables(const struct parse_apart *a)
{
	uint32_t tables = 0;
	size_t i;

	for (i = 0; i < a->n; i++)
		tables |= a->v[i].tables;
	return tables;
}

void
parse_apart_full(struct parse *p, const struct parse_where *w,
    const PgQuery__JoinExpr *j, struct parse_apart *a,
    const struct parse_apart *b)
{
	struct apart_on on = { .w = w, .full = p->n_full_joins++,
	    .left = apart_tables(a), .right = apart_tables(b) };
	struct parse_column x, y;
	const char *name;
	size_t i;

	if (on.full >= PARSE_MAX_CONFINED) {
		a->n = 0;
		return;
	}
	apart_pairs(p, &on, j->quals);
	for (i = 0; i < j->n_using_clause; i++) {
		name = parse_string(j->using_clause[i]);
		if (name == NULL)
			continue;
		x = parse_scope_merged(p, w->sc, j->larg, name);
		y = parse_scope_merged(p, w->sc, j->rarg, name);
		apart_pair(p, &on, &x, &y);
	}
	parse_apart_both(a, b, 1u << on.full);
}

/* ------------------------------------------------------------------ groups */

/* Columns that a level groups by. */
struct apart_columns {
	uint32_t whole; /* all columns of these relations */
	size_t n;
	struct parse_column v[APART_MAX_COLUMNS];
};

static void
apart_column(const struct parse *p, const struct parse_scope *sc,
    const parse_node *n, struct apart_columns *c)
{
	struct parse_column found;
	unsigned table;

	if (parse_scope_star(p, sc, n, &table)) {
		c->whole |= table < PARSE_MAX_CONFINED ? 1u << table : 0;
		return;
	}
	found = parse_scope_find(p, sc, sc->start, sc->end, n);
	if (found.name != NULL && c->n < APART_MAX_COLUMNS)
		c->v[c->n++] = found;
}

static bool
apart_has(const struct apart_columns *c, unsigned table, const char *name)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->v[i].table == table && strcmp(c->v[i].name, name) == 0)
			return true;
	return false;
}

/* Rows of this relation may be divided by these columns only. */
static void
apart_cut(struct parse *p, unsigned table, const struct apart_columns *c)
{
	struct an_within *w = &p->within[table];
	size_t size = w->n, i, kept = 0;
	char *name;

	if ((c->whole & 1u << table) != 0)
		return;
	for (i = 0; w->some && i < w->n; i++) {
		if (apart_has(c, table, w->columns[i]))
			w->columns[kept++] = w->columns[i];
		else
			free(w->columns[i]);
	}
	if (w->some) {
		w->n = kept;
		return;
	}
	w->some = true;
	for (i = 0; i < c->n; i++) {
		if (c->v[i].table != table ||
		    !parse_reserve(p, &w->columns, w->n, &size,
		    sizeof(*w->columns), APART_MAX_COLUMNS + 1))
			continue;
		name = parse_strdup(p, c->v[i].name);
		if (name != NULL)
			w->columns[w->n++] = name;
	}
}

static void
apart_group(struct parse *p, const struct parse_scope *sc,
    parse_node *const *nodes, size_t n, const struct parse_apart *a)
{
	struct apart_columns c = { .n = 0 };
	uint32_t tables = apart_tables(a);
	unsigned t;
	size_t i;

	for (i = 0; i < n; i++)
		apart_column(p, sc, NODE_IS(nodes[i], RES_TARGET) ?
		    nodes[i]->res_target->val : nodes[i], &c);
	for (t = 0; t < PARSE_MAX_CONFINED; t++)
		if ((tables & 1u << t) != 0)
			apart_cut(p, t, &c);
}

/* ------------------------------------------------------------- expressions */

/* What stands in a level's expressions, queries in them left out. */
struct apart_scan {
	struct parse *p;
	const struct parse_scope *sc;
	const struct parse_apart *a;
	bool aggregates, recollates;
	bool foreign;  /* any of them may be another level's */
	bool own;      /* a column of this level, with its relation's name */
};

static void apart_scan(void *arg, const ProtobufCMessage *m);

/* A window that is not made of a named one. */
static void
apart_window(struct apart_scan *x, const PgQuery__WindowDef *w)
{
	if (w->name[0] == '\0' && w->refname[0] == '\0')
		apart_group(x->p, x->sc, w->partition_clause,
		    w->n_partition_clause, x->a);
}

/* An aggregate is of the innermost level that its arguments have columns of. */
static void
apart_aggregate(struct apart_scan *x, const PgQuery__FuncCall *f)
{
	bool own = x->own;

	x->aggregates = true;
	x->own = f->agg_star && f->agg_filter == NULL && f->n_agg_order == 0;
	parse_each_message(&f->base, apart_scan, x);
	if (x->p->in_link > 0 && (x->foreign || !x->own))
		x->p->vague_aggregate = true;
	x->own = own;
}

static void
apart_function(struct apart_scan *x, const PgQuery__FuncCall *f)
{
	const char *name = parse_builtin_name(f->funcname, f->n_funcname);
	struct function_info info;

	if (f->over != NULL && x->a != NULL)
		apart_window(x, f->over);
	else if (f->over == NULL && name != NULL &&
	    function_lookup(name, &info) && info.aggregate) {
		apart_aggregate(x, f);
		return;
	}
	parse_each_message(&f->base, apart_scan, x);
}

static bool
apart_is_own(const struct apart_scan *x, const PgQuery__ColumnRef *ref)
{
	const char *rel = ref->n_fields == 2 ? parse_string(ref->fields[0]) :
	    NULL;
	size_t i;

	for (i = x->sc->start; rel != NULL && i < x->sc->end; i++)
		if (x->p->items[i].name != NULL &&
		    strcmp(x->p->items[i].name, rel) == 0)
			return true;
	return false;
}

static void
apart_scan_node(struct apart_scan *x, const parse_node *n)
{
	switch ((int)n->node_case) {
	case PG_QUERY__NODE__NODE__NOT_SET:
	case PG_QUERY__NODE__NODE_SELECT_STMT:
		return;
	case PG_QUERY__NODE__NODE_SUB_LINK:
		if (n->sub_link->testexpr != NULL)
			apart_scan(x, &n->sub_link->testexpr->base);
		return;
	case PG_QUERY__NODE__NODE_FUNC_CALL:
		apart_function(x, n->func_call);
		return;
	case PG_QUERY__NODE__NODE_GROUPING_FUNC:
		x->p->vague_aggregate |= x->p->in_link > 0;
		return;
	case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
		x->recollates = true;
		apart_scan(x, &n->collate_clause->arg->base);
		return;
	case PG_QUERY__NODE__NODE_TYPE_CAST:
		x->recollates |= parse_cast_recollates(n->type_cast);
		apart_scan(x, &n->type_cast->arg->base);
		return;
	case PG_QUERY__NODE__NODE_COLUMN_REF:
		x->own |= apart_is_own(x, n->column_ref);
		return;
	default:
		/* The union's members are pointers to messages, all of them. */
		parse_each_message(&n->select_stmt->base, apart_scan, x);
	}
}

static void
apart_scan(void *arg, const ProtobufCMessage *m)
{
	if (m->descriptor == &pg_query__node__descriptor)
		apart_scan_node(arg, (const parse_node *)(const void *)m);
	else
		parse_each_message(m, apart_scan, arg);
}

static void
apart_scan_nodes(struct apart_scan *x, parse_node *const *nodes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		apart_scan(x, &nodes[i]->base);
}

/* Aggregates here can only be those of a level around this one. */
static void
apart_scan_foreign(struct apart_scan *x, const PgQuery__SelectStmt *s)
{
	x->foreign = true;
	apart_scan_nodes(x, s->from_clause, s->n_from_clause);
	apart_scan_nodes(x, s->group_clause, s->n_group_clause);
	if (s->where_clause != NULL)
		apart_scan(x, &s->where_clause->base);
	x->foreign = false;
	x->aggregates = false;
}

/* ------------------------------------------------------------------ levels */

static void
apart_clauses(struct parse *p, const struct parse_scope *sc,
    const PgQuery__SelectStmt *s, bool aggregates, struct parse_apart *a)
{
	bool on;

	if (s->limit_count != NULL || s->limit_offset != NULL ||
	    s->n_locking_clause > 0 || (s->n_group_clause == 0 &&
	    (aggregates || s->having_clause != NULL)))
		a->n = 0;
	if (s->n_group_clause > 0)
		apart_group(p, sc, s->group_clause, s->n_group_clause, a);
	if (s->n_distinct_clause == 0)
		return;
	on = s->distinct_clause[0]->node_case != PG_QUERY__NODE__NODE__NOT_SET;
	if (on)
		apart_group(p, sc, s->distinct_clause, s->n_distinct_clause, a);
	else
		apart_group(p, sc, s->target_list, s->n_target_list, a);
}

void
parse_apart_level(struct parse *p, const struct parse_scope *sc,
    const PgQuery__SelectStmt *s, struct parse_apart *a)
{
	struct apart_scan x = { .p = p, .sc = sc };
	size_t i;

	if (p->failed)
		return;
	apart_scan_foreign(&x, s);
	x.a = a;
	for (i = 0; i < s->n_window_clause; i++)
		if (NODE_IS(s->window_clause[i], WINDOW_DEF) && s->
		    window_clause[i]->window_def->refname[0] == '\0')
			apart_group(p, sc, s->window_clause[i]->window_def->
			    partition_clause, s->window_clause[i]->
			    window_def->n_partition_clause, a);
	apart_scan_nodes(&x, s->window_clause, s->n_window_clause);
	apart_scan_nodes(&x, s->target_list, s->n_target_list);
	apart_scan_nodes(&x, s->sort_clause, s->n_sort_clause);
	apart_scan_nodes(&x, s->distinct_clause, s->n_distinct_clause);
	if (s->having_clause != NULL)
		apart_scan(&x, &s->having_clause->base);
	/* Those of the whole statement are done again over all parts. */
	p->recollated |= s != p->top && x.recollates;
	if (s != p->top && !p->failed)
		apart_clauses(p, sc, s, x.aggregates, a);
}
