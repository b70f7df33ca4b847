/* SPDX-License-Identifier: PostgreSQL
 *
 * Statements that read and write rows: SELECT, INSERT, UPDATE, DELETE, MERGE;
 * and the dispatcher for all.  A statement inside of another (a CTE, the query
 * of COPY) adds its effects but no kind.  Conditions are parse_levels.c's.
 */
#include "sql/parse_priv.h"

static void
stmt_select(struct parse *p, const PgQuery__SelectStmt *s, bool whole)
{
	struct analysis *an = p->an;
	size_t mark = parse_ctes_push(p, s->with_clause);
	enum parse_use use = p->use;

	p->use = USE_READ;
	/* "TABLE t" is SELECT * with places left out. */
	if (s->n_target_list == 1 && NODE_IS(s->target_list[0], RES_TARGET) &&
	    s->target_list[0]->res_target->location < 0)
		p->use = USE_READ_BARE;
	if (s->op > PG_QUERY__SET_OPERATION__SETOP_NONE ||
	    s->n_from_clause > 1)
		an->flags |= AN_SUBLINK;
	if (s->n_distinct_clause > 0 || s->n_group_clause > 0 ||
	    s->having_clause != NULL || s->n_window_clause > 0 ||
	    s->n_sort_clause > 0 || s->limit_count != NULL ||
	    s->limit_offset != NULL)
		an->group_or_agg = true;
	parse_walk_fields(p, &s->base);
	if (whole && s->into_clause != NULL)
		an->kind = STMT_DDL;
	parse_ctes_pop(p, mark);
	p->use = use;
}

/* Columns of SET. */
static void
stmt_assigned(struct parse *p, parse_node *const *targets, size_t n)
{
	struct analysis *an = p->an;
	char *name;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!NODE_IS(targets[i], RES_TARGET) ||
		    !parse_reserve(p, &an->assigned, an->n_assigned,
		    &p->assigned_size, sizeof(*an->assigned), LEX_MAX_CUTS))
			continue;
		name = parse_strdup(p, targets[i]->res_target->name);
		if (name != NULL)
			an->assigned[an->n_assigned++] = name;
	}
}

/* Columns of an arbiter; an expression, or one with an operator class or
 * collation of its own, tells nothing of them. */
static void
stmt_arbiters(struct parse *p, const PgQuery__InferClause *infer)
{
	struct analysis *an = p->an;
	const PgQuery__IndexElem *e;
	char *name;
	size_t i;

	for (i = 0; infer != NULL && i < infer->n_index_elems; i++) {
		if (!NODE_IS(infer->index_elems[i], INDEX_ELEM))
			continue;
		e = infer->index_elems[i]->index_elem;
		if (e->name == NULL || e->name[0] == '\0' ||
		    e->n_collation > 0 || e->n_opclass > 0 ||
		    !parse_reserve(p, &an->arbiters, an->n_arbiters,
		    &p->arbiters_size, sizeof(*an->arbiters), LEX_MAX_CUTS))
			continue;
		name = parse_strdup(p, e->name);
		if (name != NULL)
			an->arbiters[an->n_arbiters++] = name;
	}
}

static void
stmt_insert(struct parse *p, const PgQuery__InsertStmt *s)
{
	const PgQuery__OnConflictClause *c = s->on_conflict_clause;
	size_t mark = parse_ctes_push(p, s->with_clause);

	(void)parse_table(p, s->relation, USE_TARGET);
	parse_walk_nodes(p, s->cols, s->n_cols);
	parse_walk_node(p, s->select_stmt);
	if (NODE_IS(s->select_stmt, SELECT_STMT) &&
	    s->select_stmt->select_stmt->n_values_lists == 0)
		p->an->flags |= AN_SUBLINK;
	if (c != NULL) {
		parse_walk_fields(p, &c->base);
		stmt_assigned(p, c->target_list, c->n_target_list);
		stmt_arbiters(p, c->infer);
	}
	parse_walk_nodes(p, s->returning_list, s->n_returning_list);
	parse_ctes_pop(p, mark);
}

static void
stmt_update(struct parse *p, const PgQuery__UpdateStmt *s)
{
	size_t mark = parse_ctes_push(p, s->with_clause);

	(void)parse_table(p, s->relation, USE_TARGET);
	if (s->n_from_clause > 0)
		p->an->flags |= AN_SUBLINK;
	parse_walk_nodes(p, s->from_clause, s->n_from_clause);
	parse_walk_nodes(p, s->target_list, s->n_target_list);
	parse_walk_node(p, s->where_clause);
	parse_walk_nodes(p, s->returning_list, s->n_returning_list);
	parse_ctes_pop(p, mark);
	stmt_assigned(p, s->target_list, s->n_target_list);
}

static void
stmt_delete(struct parse *p, const PgQuery__DeleteStmt *s)
{
	size_t mark = parse_ctes_push(p, s->with_clause);

	(void)parse_table(p, s->relation, USE_TARGET);
	if (s->n_using_clause > 0)
		p->an->flags |= AN_SUBLINK;
	parse_walk_nodes(p, s->using_clause, s->n_using_clause);
	parse_walk_node(p, s->where_clause);
	parse_walk_nodes(p, s->returning_list, s->n_returning_list);
	parse_ctes_pop(p, mark);
}

static void
stmt_merge(struct parse *p, const PgQuery__MergeStmt *s)
{
	size_t mark = parse_ctes_push(p, s->with_clause), i;

	(void)parse_table(p, s->relation, USE_TARGET);
	parse_walk_node(p, s->source_relation);
	parse_walk_node(p, s->join_condition);
	parse_walk_nodes(p, s->merge_when_clauses, s->n_merge_when_clauses);
	for (i = 0; i < s->n_merge_when_clauses; i++) {
		const parse_node *n = s->merge_when_clauses[i];

		if (NODE_IS(n, MERGE_WHEN_CLAUSE) &&
		    n->merge_when_clause->command_type ==
		    PG_QUERY__CMD_TYPE__CMD_UPDATE)
			stmt_assigned(p, n->merge_when_clause->target_list,
			    n->merge_when_clause->n_target_list);
	}
	parse_ctes_pop(p, mark);
}

void
parse_statement(struct parse *p, const parse_node *n, bool whole)
{
	const struct parse_row *row;
	enum parse_use use = p->use;

	if (n == NULL || p->failed)
		return;
	row = parse_node_row(n->node_case);
	if (row->verdict != PV_STMT) {
		parse_unknown(p);
		if (whole)
			p->an->kind = STMT_OTHER;
		return;
	}
	if (whole)
		p->an->kind = row->kind;
	p->an->flags |= row->flags;
	if (row->pin != PIN_NONE)
		parse_pin(p, row->pin);
	p->use = USE_READ;
	switch ((int)n->node_case) {
	case PG_QUERY__NODE__NODE_SELECT_STMT:
		stmt_select(p, n->select_stmt, whole);
		break;
	case PG_QUERY__NODE__NODE_INSERT_STMT:
		stmt_insert(p, n->insert_stmt);
		break;
	case PG_QUERY__NODE__NODE_UPDATE_STMT:
		stmt_update(p, n->update_stmt);
		break;
	case PG_QUERY__NODE__NODE_DELETE_STMT:
		stmt_delete(p, n->delete_stmt);
		break;
	case PG_QUERY__NODE__NODE_MERGE_STMT:
		stmt_merge(p, n->merge_stmt);
		break;
	default:
		parse_utility(p, n, whole);
	}
	p->use = use;
}
