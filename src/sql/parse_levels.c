/* SPDX-License-Identifier: PostgreSQL
 *
 * The query levels of a statement: which conditions hold for which relation.
 *
 * A second walk, behind parse_walk.c's.  A level's WHERE confines the
 * relations of its FROM on whichever side of a join they stand, because a row
 * without them does not satisfy it; ON confines both sides of an inner join
 * and the nullable side of an outer one; a subquery's relations are confined
 * by its own level, where names of the levels around it may be compared with.
 * Whatever is not walked leaves its relations without conditions, which is
 * never wrong.
 */
#include "sql/parse_priv.h"

static void levels_query(struct parse *p, const parse_node *n,
    const struct parse_scope *up, struct parse_outs *outs);

/* -------------------------------------------------- subqueries, anywhere */

static void levels_fields(struct parse *p, const ProtobufCMessage *m,
    const struct parse_scope *sc);

static void
levels_message(struct parse *p, const ProtobufCMessage *m,
    const struct parse_scope *sc)
{
	const parse_node *n;

	if (m == NULL || p->failed)
		return;
	if (m->descriptor == &pg_query__node__descriptor) {
		n = (const parse_node *)(const void *)m;
		if (NODE_IS(n, SELECT_STMT))
			levels_query(p, n, sc, NULL);
		else if (n->node_case != PG_QUERY__NODE__NODE__NOT_SET)
			levels_fields(p, &n->select_stmt->base, sc);
		return;
	}
	levels_fields(p, m, sc);
}

static void
levels_fields(struct parse *p, const ProtobufCMessage *m,
    const struct parse_scope *sc)
{
	const char *base = (const char *)(const void *)m;
	unsigned i;
	size_t k;

	for (i = 0; i < m->descriptor->n_fields && !p->failed; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const void *at = base + f->offset;
		const void *q = base + f->quantifier_offset;

		if (f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			ProtobufCMessage *const *list =
			    *(ProtobufCMessage *const *const *)at;

			for (k = 0; k < *(const size_t *)q; k++)
				levels_message(p, list[k], sc);
		} else if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
		    *(const uint32_t *)q == f->id) {
			levels_message(p, *(ProtobufCMessage *const *)at, sc);
		}
	}
}

static void
levels_node(struct parse *p, const parse_node *n, const struct parse_scope *sc)
{
	if (n != NULL)
		levels_message(p, &n->base, sc);
}

static void
levels_nodes(struct parse *p, parse_node *const *nodes, size_t n,
    const struct parse_scope *sc)
{
	size_t i;

	for (i = 0; i < n; i++)
		levels_node(p, nodes[i], sc);
}

/* ------------------------------------------------------------------- FROM */

/* The number of the table that stands there; n_tables: it is none. */
static unsigned
levels_table(const struct parse *p, const PgQuery__RangeVar *rv)
{
	unsigned i;

	for (i = 0; i < p->an->n_tables; i++)
		if (p->table_rvs[i] == rv)
			break;
	return i;
}

/* The query of WITH of this name, if the statement has one WITH of it only. */
static const struct parse_cte *
levels_cte(const struct parse *p, const char *name)
{
	const struct parse_cte *found = NULL;
	size_t i, n = 0;

	for (i = 0; i < p->n_seen_ctes; i++)
		n += strcmp(p->seen_ctes[i], name) == 0;
	for (i = 0; n == 1 && i < p->n_cte_queries; i++)
		if (strcmp(p->cte_queries[i].name, name) == 0)
			found = &p->cte_queries[i];
	return found;
}

static void
levels_add_range(struct parse *p, const PgQuery__RangeVar *rv)
{
	struct parse_item item = { .name = rv->relname,
	    .schema = rv->schemaname, .node = rv, .kind = ITEM_OPAQUE };
	const struct parse_cte *cte;

	item.table = levels_table(p, rv);
	if (rv->alias != NULL) {
		item.name = rv->alias->aliasname;
		item.schema = "";
	}
	if (item.table < p->an->n_tables) {
		/* "t AS a (x, y)" gives the columns other names. */
		if (rv->alias == NULL || rv->alias->n_colnames == 0)
			item.kind = ITEM_TABLE;
	} else {
		cte = levels_cte(p, rv->relname);
		if (cte != NULL) {
			item.kind = ITEM_QUERY;
			item.outs = cte->outs;
			if (rv->alias != NULL && rv->alias->n_colnames > 0)
				item.kind = ITEM_OPAQUE;
		}
	}
	parse_scope_add(p, &item);
}

static void
levels_add_query(struct parse *p, struct parse_scope *sc,
    const PgQuery__RangeSubselect *s)
{
	struct parse_item item = { .schema = "", .node = s,
	    .kind = ITEM_QUERY };

	item.outs.vague = item.outs.gaps = true;
	levels_query(p, s->subquery, NULL, &item.outs);
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
levels_add_function(struct parse *p, struct parse_scope *sc,
    const PgQuery__RangeFunction *f)
{
	struct parse_item item = { .schema = "", .node = f,
	    .kind = ITEM_OPAQUE };

	levels_nodes(p, f->functions, f->n_functions, NULL);
	if (f->alias != NULL)
		item.name = f->alias->aliasname;
	else
		sc->unsure = true;
	parse_scope_add(p, &item);
}

static void levels_add_from(struct parse *p, struct parse_scope *sc,
    const parse_node *n);

static void
levels_using(struct parse_where *w, const PgQuery__JoinExpr *j)
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
levels_add_join(struct parse *p, struct parse_scope *sc,
    const PgQuery__JoinExpr *j)
{
	struct parse_where w = { .p = p, .sc = sc };
	size_t lo = p->n_items, mid, i;

	levels_add_from(p, sc, j->larg);
	mid = p->n_items;
	levels_add_from(p, sc, j->rarg);
	sc->end = w.see_hi = w.hi = p->n_items;
	w.see_lo = w.lo = lo;
	switch ((int)j->jointype) {
	case PG_QUERY__JOIN_TYPE__JOIN_INNER:
		break;
	case PG_QUERY__JOIN_TYPE__JOIN_LEFT:
		w.lo = mid;
		break;
	case PG_QUERY__JOIN_TYPE__JOIN_RIGHT:
		w.hi = mid;
		break;
	default:
		w.hi = w.lo;
	}
	if (!p->failed) {
		(void)parse_where(&w, j->quals);
		levels_using(&w, j);
	}
	levels_node(p, j->quals, NULL);
	if (j->alias != NULL || j->join_using_alias != NULL)
		sc->unsure = true;
	for (i = lo; j->alias != NULL && i < p->n_items; i++)
		p->items[i].name = NULL;
}

static void
levels_add_from(struct parse *p, struct parse_scope *sc, const parse_node *n)
{
	if (n == NULL || p->failed)
		return;
	switch ((int)n->node_case) {
	case PG_QUERY__NODE__NODE_RANGE_VAR:
		levels_add_range(p, n->range_var);
		break;
	case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
		levels_add_query(p, sc, n->range_subselect);
		break;
	case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
		levels_add_function(p, sc, n->range_function);
		break;
	case PG_QUERY__NODE__NODE_JOIN_EXPR:
		levels_add_join(p, sc, n->join_expr);
		break;
	default: /* also TABLESAMPLE, which is random anyway */
		sc->unsure = true;
		levels_node(p, n, NULL);
	}
	sc->end = p->n_items;
}

static void
levels_scope_from(struct parse *p, struct parse_scope *sc,
    parse_node *const *from, size_t n)
{
	size_t i;

	sc->only = n == 1 && sc->end == sc->start ? from[0] : NULL;
	for (i = 0; i < n; i++)
		levels_add_from(p, sc, from[i]);
}

static void
levels_where(struct parse *p, const struct parse_scope *sc,
    const parse_node *where)
{
	struct parse_where w = { .p = p, .sc = sc, .lo = sc->start,
	    .hi = sc->end, .see_lo = sc->start, .see_hi = sc->end };

	if (!p->failed)
		(void)parse_where(&w, where);
	levels_node(p, where, sc);
}

/* ------------------------------------------------------------- statements */

static void
levels_with(struct parse *p, const PgQuery__WithClause *with)
{
	size_t i;

	for (i = 0; with != NULL && i < with->n_ctes && !p->failed; i++) {
		const PgQuery__CommonTableExpr *c;
		struct parse_cte cte;

		if (!NODE_IS(with->ctes[i], COMMON_TABLE_EXPR))
			continue;
		c = with->ctes[i]->common_table_expr;
		cte = (struct parse_cte){ .name = c->ctename };
		cte.outs.vague = cte.outs.gaps = true;
		levels_query(p, c->ctequery, NULL, &cte.outs);
		parse_outs_rename(p, &cte.outs, c->aliascolnames,
		    c->n_aliascolnames);
		if (parse_reserve(p, &p->cte_queries, p->n_cte_queries,
		    &p->cte_queries_size, sizeof(cte), PARSE_MAX_CTES))
			p->cte_queries[p->n_cte_queries++] = cte;
	}
}

static void
levels_select(struct parse *p, const PgQuery__SelectStmt *s,
    const struct parse_scope *up, struct parse_outs *outs)
{
	struct parse_scope sc = { .up = up, .start = p->n_items,
	    .end = p->n_items };

	levels_with(p, s->with_clause);
	if (s->larg != NULL) {
		levels_select(p, s->larg, up, NULL);
		levels_select(p, s->rarg, up, NULL);
	}
	levels_scope_from(p, &sc, s->from_clause, s->n_from_clause);
	levels_where(p, &sc, s->where_clause);
	levels_nodes(p, s->target_list, s->n_target_list, &sc);
	levels_nodes(p, s->distinct_clause, s->n_distinct_clause, &sc);
	levels_nodes(p, s->group_clause, s->n_group_clause, &sc);
	levels_node(p, s->having_clause, &sc);
	levels_nodes(p, s->window_clause, s->n_window_clause, &sc);
	levels_nodes(p, s->values_lists, s->n_values_lists, &sc);
	levels_nodes(p, s->sort_clause, s->n_sort_clause, &sc);
	levels_node(p, s->limit_offset, &sc);
	levels_node(p, s->limit_count, &sc);
	if (outs != NULL && s->n_values_lists > 0 && !p->failed)
		*outs = parse_outs_of_values(p, s);
	else if (outs != NULL && s->larg == NULL && !p->failed)
		*outs = parse_outs_of_list(p, &sc, s->target_list,
		    s->n_target_list);
	p->n_items = sc.start;
}

/* Every row gets these columns from the query. */
static void
levels_insert_query(struct parse *p, const PgQuery__InsertStmt *s,
    unsigned table)
{
	struct parse_outs outs = { .vague = true, .gaps = true };
	size_t i;

	levels_query(p, s->select_stmt, NULL, &outs);
	if (outs.star || outs.gaps || outs.n != s->n_cols)
		return;
	for (i = 0; i < outs.n && !p->failed; i++) {
		const struct parse_out *out = &p->outs[outs.start + i];
		struct parse_column c = { .name = out->column,
		    .table = out->table, .made = out };

		if (NODE_IS(s->cols[i], RES_TARGET) &&
		    s->cols[i]->res_target->n_indirection == 0 &&
		    (out->column != NULL || out->value != NULL ||
		    out->rows != NULL))
			parse_row_from(p, table, s->cols[i]->res_target->name,
			    &c);
	}
}

static void
levels_insert(struct parse *p, const PgQuery__InsertStmt *s,
    struct parse_outs *outs)
{
	struct parse_scope sc = { .start = p->n_items };
	unsigned table = levels_table(p, s->relation);

	levels_with(p, s->with_clause);
	levels_add_range(p, s->relation);
	sc.end = p->n_items;
	if (NODE_IS(s->select_stmt, SELECT_STMT) && !p->failed) {
		if (s->select_stmt->select_stmt->n_values_lists > 0) {
			parse_insert_rows(p, table, s);
			levels_query(p, s->select_stmt, NULL, NULL);
		} else {
			levels_insert_query(p, s, table);
		}
	}
	if (s->on_conflict_clause != NULL)
		levels_fields(p, &s->on_conflict_clause->base, NULL);
	levels_nodes(p, s->returning_list, s->n_returning_list, NULL);
	if (outs != NULL && !p->failed)
		*outs = parse_outs_of_list(p, &sc, s->returning_list,
		    s->n_returning_list);
	p->n_items = sc.start;
}

/* UPDATE and DELETE: one more relation in scope than FROM or USING say. */
static void
levels_change(struct parse *p, const PgQuery__RangeVar *target,
    parse_node *const *from, size_t n_from, const parse_node *where,
    parse_node *const *set, size_t n_set, parse_node *const *returning,
    size_t n_returning, struct parse_outs *outs)
{
	struct parse_scope sc = { .start = p->n_items };

	levels_add_range(p, target);
	sc.end = p->n_items;
	levels_scope_from(p, &sc, from, n_from);
	levels_where(p, &sc, where);
	levels_nodes(p, set, n_set, &sc);
	levels_nodes(p, returning, n_returning, &sc);
	if (outs != NULL && !p->failed)
		*outs = parse_outs_of_list(p, &sc, returning, n_returning);
	p->n_items = sc.start;
}

/* The rows that an INSERT of MERGE makes. */
static void
levels_merge_insert(struct parse *p, const PgQuery__MergeWhenClause *c,
    const struct parse_scope *sc, unsigned table)
{
	struct parse_column from;
	size_t i;

	for (i = 0; c->n_target_list == c->n_values && i < c->n_values &&
	     !p->failed; i++) {
		const char *name;

		if (!NODE_IS(c->target_list[i], RES_TARGET) ||
		    c->target_list[i]->res_target->n_indirection > 0)
			continue;
		name = c->target_list[i]->res_target->name;
		/* The target is not in scope here. */
		from = parse_scope_find(p, sc, sc->start + 1, sc->end,
		    c->values[i]);
		if (from.name != NULL || from.made != NULL)
			parse_row_from(p, table, name, &from);
		else
			parse_row_value(p, table, name, c->values[i]);
	}
}

/* Rows of the target that matter: those that ON joins, and those made. */
static void
levels_merge(struct parse *p, const PgQuery__MergeStmt *s)
{
	struct parse_scope sc = { .start = p->n_items };
	unsigned table = levels_table(p, s->relation);
	struct parse_where w = { .p = p, .sc = &sc };
	size_t group, one, i;

	levels_with(p, s->with_clause);
	levels_add_range(p, s->relation);
	sc.end = p->n_items;
	levels_add_from(p, &sc, s->source_relation);
	w.see_lo = w.lo = sc.start;
	w.hi = sc.start + 1;
	w.see_hi = sc.end;
	if (p->failed)
		return;
	group = parse_group_begin(p, AN_ANY_OF);
	one = parse_group_begin(p, AN_ALL_OF);
	(void)parse_where(&w, s->join_condition);
	parse_group_end(p, one);
	for (i = 0; i < s->n_merge_when_clauses && !p->failed; i++) {
		const PgQuery__MergeWhenClause *c;

		if (!NODE_IS(s->merge_when_clauses[i], MERGE_WHEN_CLAUSE))
			continue;
		c = s->merge_when_clauses[i]->merge_when_clause;
		if (c->command_type != PG_QUERY__CMD_TYPE__CMD_INSERT)
			continue;
		one = parse_group_begin(p, AN_ALL_OF);
		levels_merge_insert(p, c, &sc, table);
		parse_group_end(p, one);
	}
	parse_group_end(p, group);
	levels_node(p, s->join_condition, NULL);
	levels_nodes(p, s->merge_when_clauses, s->n_merge_when_clauses, NULL);
	p->n_items = sc.start;
}

/* up: names of the levels around it; NULL: they are not known. outs: its
 * columns, left alone where they are not known. */
static void
levels_query(struct parse *p, const parse_node *n,
    const struct parse_scope *up, struct parse_outs *outs)
{
	if (n == NULL || p->failed)
		return;
	switch ((int)n->node_case) {
	case PG_QUERY__NODE__NODE_SELECT_STMT:
		levels_select(p, n->select_stmt, up, outs);
		break;
	case PG_QUERY__NODE__NODE_INSERT_STMT:
		levels_insert(p, n->insert_stmt, outs);
		break;
	case PG_QUERY__NODE__NODE_UPDATE_STMT: {
		const PgQuery__UpdateStmt *s = n->update_stmt;

		levels_with(p, s->with_clause);
		levels_change(p, s->relation, s->from_clause,
		    s->n_from_clause, s->where_clause, s->target_list,
		    s->n_target_list, s->returning_list, s->n_returning_list,
		    outs);
		break;
	}
	case PG_QUERY__NODE__NODE_DELETE_STMT: {
		const PgQuery__DeleteStmt *s = n->delete_stmt;

		levels_with(p, s->with_clause);
		levels_change(p, s->relation, s->using_clause,
		    s->n_using_clause, s->where_clause, NULL, 0,
		    s->returning_list, s->n_returning_list, outs);
		break;
	}
	case PG_QUERY__NODE__NODE_MERGE_STMT:
		levels_merge(p, n->merge_stmt);
		break;
	default:
		break;
	}
}

void
parse_conditions(struct parse *p, const parse_node *stmt)
{
	while (NODE_IS(stmt, EXPLAIN_STMT) || NODE_IS(stmt, DECLARE_CURSOR_STMT))
		stmt = NODE_IS(stmt, EXPLAIN_STMT) ?
		    stmt->explain_stmt->query :
		    stmt->declare_cursor_stmt->query;
	if (p->an->n_tables > 0 && p->an->n_tables <= PARSE_MAX_CONFINED)
		levels_query(p, stmt, NULL, NULL);
	if (p->unproven) {
		analysis_drop_preds(p->an, 0);
		p->an->insert_known = false;
	}
}
