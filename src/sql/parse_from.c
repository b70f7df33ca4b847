/* SPDX-License-Identifier: PostgreSQL
 *
 * FROM: what it brings into scope, and what ON and USING confine.
 *
 * Both sides of an inner join, and the nullable side of an outer one, because
 * a row of it that does not satisfy ON is joined with nothing; never the side
 * that is kept.  A subquery is a level of its own, to which the names beside it
 * are not known.
 */
#include "sql/parse_priv.h"

/* The number of the table that stands there; n_tables: it is none. */
unsigned
parse_from_table(const struct parse *p, const PgQuery__RangeVar *rv)
{
	unsigned i;

	for (i = 0; i < p->an->n_tables; i++)
		if (p->table_rvs[i] == rv)
			break;
	return i;
}

/* The query of WITH of this name, if the statement has one WITH of it only. */
static struct parse_cte *
from_cte(const struct parse *p, const char *name)
{
	struct parse_cte *found = NULL;
	size_t i, n = 0;

	for (i = 0; i < p->n_seen_ctes; i++)
		n += strcmp(p->seen_ctes[i], name) == 0;
	for (i = 0; n == 1 && i < p->n_cte_queries; i++)
		if (strcmp(p->cte_queries[i].name, name) == 0)
			found = &p->cte_queries[i];
	return found;
}

static void
from_add_range(struct parse *p, const PgQuery__RangeVar *rv,
    struct parse_apart *apart)
{
	struct parse_item item = { .name = rv->relname,
	    .schema = rv->schemaname, .node = rv, .kind = ITEM_OPAQUE };
	struct parse_cte *cte;

	item.table = parse_from_table(p, rv);
	if (rv->alias != NULL) {
		item.name = rv->alias->aliasname;
		item.schema = "";
	}
	if (item.table < p->an->n_tables) {
		/* "t AS a (x, y)" gives the columns other names. */
		if (rv->alias == NULL || rv->alias->n_colnames == 0)
			item.kind = ITEM_TABLE;
		parse_apart_table(apart, item.table);
	} else {
		cte = from_cte(p, rv->relname);
		if (cte != NULL) {
			item.kind = ITEM_QUERY;
			item.outs = cte->outs;
			parse_apart_any(apart, &cte->apart);
			p->shared_cte |= cte->used;
			cte->used = true;
			if (rv->alias != NULL && rv->alias->n_colnames > 0)
				item.kind = ITEM_OPAQUE;
		}
	}
	parse_scope_add(p, &item);
}

void
parse_from_range(struct parse *p, const PgQuery__RangeVar *rv)
{
	struct parse_apart none = { .n = 0 };

	from_add_range(p, rv, &none);
}

/* LATERAL sees what stands in front of it. */
static void
from_add_query(struct parse *p, struct parse_scope *sc,
    const PgQuery__RangeSubselect *s, struct parse_apart *apart)
{
	struct parse_scope seen = *sc;
	struct parse_item item = { .schema = "", .node = s,
	    .kind = ITEM_QUERY };

	item.outs.vague = item.outs.gaps = true;
	seen.end = p->n_items;
	seen.only = NULL;
	parse_level(p, s->subquery, s->lateral ? &seen : NULL, &item.outs,
	    &item.apart);
	parse_apart_any(apart, &item.apart);
	if (s->alias != NULL) {
		item.name = s->alias->aliasname;
		parse_outs_rename(p, &item.outs, s->alias->colnames,
		    s->alias->n_colnames);
	} else {
		sc->unsure = true;
	}
	parse_scope_add(p, &item);
}

static void
from_add_function(struct parse *p, struct parse_scope *sc,
    const PgQuery__RangeFunction *f)
{
	struct parse_item item = { .schema = "", .node = f,
	    .kind = ITEM_OPAQUE };

	parse_subqueries(p, f->functions, f->n_functions, NULL);
	if (f->alias != NULL)
		item.name = f->alias->aliasname;
	else
		sc->unsure = true;
	parse_scope_add(p, &item);
}

static void from_add(struct parse *p, struct parse_scope *sc,
    const parse_node *n, struct parse_apart *apart);

static void
from_using(struct parse_where *w, const PgQuery__JoinExpr *j)
{
	struct parse_column a, b;
	const char *name;
	size_t i;

	for (i = 0; i < j->n_using_clause; i++) {
		name = parse_string(j->using_clause[i]);
		if (name == NULL)
			continue;
		a = parse_scope_merged(w->p, w->sc, j->larg, name);
		b = parse_scope_merged(w->p, w->sc, j->rarg, name);
		parse_where_equal(w, &a, &b);
	}
}

static void
from_add_join(struct parse *p, struct parse_scope *sc,
    const PgQuery__JoinExpr *j, struct parse_apart *apart)
{
	struct parse_where w = { .p = p, .sc = sc };
	struct parse_apart left = { .n = 0 }, right = { .n = 0 };
	size_t lo = p->n_items, mid, i;

	from_add(p, sc, j->larg, &left);
	mid = p->n_items;
	from_add(p, sc, j->rarg, &right);
	sc->end = w.see_hi = w.hi = p->n_items;
	w.see_lo = w.lo = lo;
	switch ((int)j->jointype) {
	case PG_QUERY__JOIN_TYPE__JOIN_INNER:
		parse_apart_any(&left, &right);
		break;
	case PG_QUERY__JOIN_TYPE__JOIN_LEFT:
		w.lo = mid;
		break;
	case PG_QUERY__JOIN_TYPE__JOIN_RIGHT:
		w.hi = mid;
		left = right;
		break;
	default:
		w.hi = w.lo;
		parse_apart_full(p, &w, j, &left, &right);
	}
	parse_apart_any(apart, &left);
	if (!p->failed) {
		(void)parse_where(&w, j->quals);
		from_using(&w, j);
	}
	parse_subquery(p, j->quals, NULL);
	if (j->alias != NULL || j->join_using_alias != NULL)
		sc->unsure = true;
	for (i = lo; j->alias != NULL && i < p->n_items; i++)
		p->items[i].name = NULL;
}

static void
from_add(struct parse *p, struct parse_scope *sc, const parse_node *n,
    struct parse_apart *apart)
{
	if (n == NULL || p->failed)
		return;
	switch ((int)n->node_case) {
	case PG_QUERY__NODE__NODE_RANGE_VAR:
		from_add_range(p, n->range_var, apart);
		break;
	case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
		from_add_query(p, sc, n->range_subselect, apart);
		break;
	case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
		from_add_function(p, sc, n->range_function);
		break;
	case PG_QUERY__NODE__NODE_JOIN_EXPR:
		from_add_join(p, sc, n->join_expr, apart);
		break;
	default: /* also TABLESAMPLE, which is random anyway */
		sc->unsure = true;
		parse_subquery(p, n, NULL);
	}
	sc->end = p->n_items;
}

void
parse_from(struct parse *p, struct parse_scope *sc,
    parse_node *const *from, size_t n, struct parse_apart *apart)
{
	size_t i;

	sc->only = n == 1 && sc->end == sc->start ? from[0] : NULL;
	for (i = 0; i < n; i++)
		from_add(p, sc, from[i], apart);
}
