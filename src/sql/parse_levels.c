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

/* -------------------------------------------------- subqueries, anywhere */

static void levels_fields(struct parse *p, const ProtobufCMessage *m,
    const struct parse_scope *sc);

static bool
levels_is_done(const struct parse *p, const PgQuery__SubLink *s)
{
	size_t i;

	for (i = 0; i < p->n_links; i++)
		if (p->links[i] == s)
			return true;
	return false;
}

static void
levels_message(struct parse *p, const ProtobufCMessage *m,
    const struct parse_scope *sc)
{
	const parse_node *n;

	if (m == NULL || p->failed)
		return;
	if (m->descriptor == &pg_query__node__descriptor) {
		n = (const parse_node *)(const void *)m;
		if (NODE_IS(n, SELECT_STMT)) {
			p->in_link++;
			parse_level(p, n, sc, NULL, NULL);
			p->in_link--;
		} else if (NODE_IS(n, SUB_LINK) &&
		    levels_is_done(p, n->sub_link))
			parse_subquery(p, n->sub_link->testexpr, sc);
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

void
parse_subquery(struct parse *p, const parse_node *n, const struct parse_scope *sc)
{
	if (n != NULL)
		levels_message(p, &n->base, sc);
}

void
parse_subqueries(struct parse *p, parse_node *const *nodes, size_t n,
    const struct parse_scope *sc)
{
	size_t i;

	for (i = 0; i < n; i++)
		parse_subquery(p, nodes[i], sc);
}

static void
levels_where(struct parse *p, const struct parse_scope *sc,
    const parse_node *where)
{
	struct parse_where w = { .p = p, .sc = sc, .up = sc, .lo = sc->start,
	    .hi = sc->end, .see_lo = sc->start, .see_hi = sc->end };

	if (!p->failed)
		(void)parse_where(&w, where);
	parse_subquery(p, where, sc);
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
		p->shared_cte |= with->recursive;
		parse_level(p, c->ctequery, NULL, &cte.outs, &cte.apart);
		parse_outs_rename(p, &cte.outs, c->aliascolnames,
		    c->n_aliascolnames);
		if (parse_reserve(p, &p->cte_queries, p->n_cte_queries,
		    &p->cte_queries_size, sizeof(cte), PARSE_MAX_CTES))
			p->cte_queries[p->n_cte_queries++] = cte;
	}
}

static void levels_select(struct parse *p, const PgQuery__SelectStmt *s,
    const struct parse_scope *up, struct parse_outs *outs,
    struct parse_apart *apart);

/* Rows that are alike become one in the end only, if at all. */
static bool
levels_adds_up(const struct parse *p, const PgQuery__SelectStmt *s)
{
	return s->op == PG_QUERY__SET_OPERATION__SETOP_UNION && (s->all ||
	    s == p->top || p->loose);
}

static void
levels_arms(struct parse *p, const PgQuery__SelectStmt *s,
    const struct parse_scope *up, struct parse_apart *apart)
{
	struct parse_apart left = { .n = 0 }, right = { .n = 0 };

	p->loose |= s == p->top && !s->all;
	levels_select(p, s->larg, up, NULL, &left);
	levels_select(p, s->rarg, up, NULL, &right);
	if (!levels_adds_up(p, s))
		return;
	parse_apart_both(&left, &right, 0);
	*apart = left;
}

static void
levels_select(struct parse *p, const PgQuery__SelectStmt *s,
    const struct parse_scope *up, struct parse_outs *outs,
    struct parse_apart *apart)
{
	struct parse_scope sc = { .up = up, .start = p->n_items,
	    .end = p->n_items };
	struct parse_apart own = { .n = 0 };

	bool loose = p->loose;

	p->loose &= s->larg != NULL;
	levels_with(p, s->with_clause);
	if (s->larg != NULL)
		levels_arms(p, s, up, &own);
	parse_from(p, &sc, s->from_clause, s->n_from_clause, &own);
	parse_apart_level(p, &sc, s, &own);
	levels_where(p, &sc, s->where_clause);
	parse_subqueries(p, s->target_list, s->n_target_list, &sc);
	parse_subqueries(p, s->distinct_clause, s->n_distinct_clause, &sc);
	parse_subqueries(p, s->group_clause, s->n_group_clause, &sc);
	parse_subquery(p, s->having_clause, &sc);
	parse_subqueries(p, s->window_clause, s->n_window_clause, &sc);
	parse_subqueries(p, s->values_lists, s->n_values_lists, &sc);
	parse_subqueries(p, s->sort_clause, s->n_sort_clause, &sc);
	parse_subquery(p, s->limit_offset, &sc);
	parse_subquery(p, s->limit_count, &sc);
	if (outs != NULL && s->n_values_lists > 0 && !p->failed)
		*outs = parse_outs_of_values(p, s);
	else if (outs != NULL && s->larg == NULL && !p->failed)
		*outs = parse_outs_of_list(p, &sc, s->target_list,
		    s->n_target_list);
	if (s == p->top && !p->failed)
		parse_split(p, s, &sc, &own);
	if (apart != NULL)
		parse_apart_any(apart, &own);
	p->loose = loose;
	p->n_items = sc.start;
}

/* Every row gets these columns from the query. */
static void
levels_insert_query(struct parse *p, const PgQuery__InsertStmt *s,
    unsigned table)
{
	struct parse_outs outs = { .vague = true, .gaps = true };
	size_t i;

	parse_level(p, s->select_stmt, NULL, &outs, NULL);
	if (outs.star || outs.gaps || outs.n != s->n_cols ||
	    parse_insert_ignores(s))
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
	unsigned table = parse_from_table(p, s->relation);

	levels_with(p, s->with_clause);
	parse_from_range(p, s->relation);
	sc.end = p->n_items;
	if (NODE_IS(s->select_stmt, SELECT_STMT) && !p->failed) {
		if (s->select_stmt->select_stmt->n_values_lists > 0) {
			parse_insert_rows(p, table, s);
			parse_level(p, s->select_stmt, NULL, NULL, NULL);
		} else {
			levels_insert_query(p, s, table);
		}
	}
	if (s->on_conflict_clause != NULL)
		levels_fields(p, &s->on_conflict_clause->base, NULL);
	parse_subqueries(p, s->returning_list, s->n_returning_list, NULL);
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
	struct parse_apart none = { .n = 0 };

	parse_from_range(p, target);
	sc.end = p->n_items;
	parse_from(p, &sc, from, n_from, &none);
	levels_where(p, &sc, where);
	parse_subqueries(p, set, n_set, &sc);
	parse_subqueries(p, returning, n_returning, &sc);
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
	unsigned table = parse_from_table(p, s->relation);
	struct parse_where w = { .p = p, .sc = &sc };
	struct parse_apart none = { .n = 0 };
	size_t group, one, i;

	levels_with(p, s->with_clause);
	parse_from_range(p, s->relation);
	sc.end = p->n_items;
	parse_from(p, &sc, &s->source_relation, 1, &none);
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
	parse_subquery(p, s->join_condition, NULL);
	parse_subqueries(p, s->merge_when_clauses, s->n_merge_when_clauses, NULL);
	p->n_items = sc.start;
}

void
parse_level(struct parse *p, const parse_node *n,
    const struct parse_scope *up, struct parse_outs *outs,
    struct parse_apart *apart)
{
	if (n == NULL || p->failed)
		return;
	switch ((int)n->node_case) {
	case PG_QUERY__NODE__NODE_SELECT_STMT:
		levels_select(p, n->select_stmt, up, outs, apart);
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
	if (NODE_IS(stmt, SELECT_STMT))
		p->top = stmt->select_stmt;
	for (;;) {
		if (NODE_IS(stmt, EXPLAIN_STMT))
			stmt = stmt->explain_stmt->query;
		else if (NODE_IS(stmt, DECLARE_CURSOR_STMT))
			stmt = stmt->declare_cursor_stmt->query;
		else if (NODE_IS(stmt, COPY_STMT))
			stmt = stmt->copy_stmt->query;
		else
			break;
	}
	if (p->an->n_tables > 0 && p->an->n_tables <= PARSE_MAX_CONFINED)
		parse_level(p, stmt, NULL, NULL, NULL);
	if (p->unproven) {
		analysis_drop_preds(p->an, 0);
		p->an->insert_known = false;
	}
}
