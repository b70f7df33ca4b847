/* SPDX-License-Identifier: PostgreSQL
 *
 * Utility statements: transactions, settings, cursors, COPY, EXPLAIN, DDL.
 * What tbl/sql_nodes.h says of a statement has been noted already; here comes
 * what depends on its clauses.
 */
#include <stdlib.h>
#include <strings.h>

#include "sql/parse_priv.h"

/* CURSOR_OPT_HOLD of PostgreSQL 14 and later. */
#define UTIL_CURSOR_HOLD 0x0020

static void
util_tables(struct parse *p, parse_node *const *relations, size_t n,
    enum parse_use use)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (NODE_IS(relations[i], RANGE_VAR))
			(void)parse_table(p, relations[i]->range_var, use);
}

static void
util_copy(struct parse *p, const PgQuery__CopyStmt *s, bool whole)
{
	bool outside = s->is_program || s->filename[0] != '\0';

	if (s->is_from) {
		if (whole)
			p->an->kind = STMT_COPY_IN;
		p->an->flags |= AN_WRITES;
	}
	if (outside)
		p->an->flags |= AN_WRITES_ALL;
	if (s->relation != NULL)
		(void)parse_table(p, s->relation, s->is_from ?
		    USE_TARGET_BARE : USE_READ_BARE);
	if (s->relation != NULL && !s->is_from && p->an->n_tables > 0)
		p->an->tables[p->an->n_tables - 1].is_target = true;
	parse_walk_node(p, s->query);
	parse_walk_nodes(p, s->attlist, s->n_attlist);
	parse_walk_nodes(p, s->options, s->n_options);
	parse_walk_node(p, s->where_clause);
}

/* --------------------------------------------------- transactions and SET */

/* No options, or only ISOLATION LEVEL READ COMMITTED. */
static bool
util_plain_begin(const PgQuery__TransactionStmt *s)
{
	size_t i;

	for (i = 0; i < s->n_options; i++) {
		const PgQuery__DefElem *d;
		const parse_node *a;

		if (!NODE_IS(s->options[i], DEF_ELEM))
			return false;
		d = s->options[i]->def_elem;
		a = d->arg;
		if (strcmp(d->defname, "transaction_isolation") != 0 ||
		    !NODE_IS(a, A_CONST) ||
		    a->a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL ||
		    strcmp(a->a_const->sval->sval, "read committed") != 0)
			return false;
	}
	return true;
}

static void
util_transaction(struct parse *p, const PgQuery__TransactionStmt *s)
{
	uint32_t *flags = &p->an->flags;

	switch ((int)s->kind) {
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN:
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START:
		*flags |= AN_TX_BEGIN | (util_plain_begin(s) ? AN_TX_PLAIN :
		    AN_SET_ISOLATION);
		break;
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT:
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK:
		*flags |= AN_TX_END | (s->chain ? AN_TX_CHAIN :
		    AN_TX_PLAIN);
		break;
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_PREPARE:
		*flags |= AN_TX_END;
		break;
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_SAVEPOINT:
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_RELEASE:
	case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_TO:
		*flags |= AN_SAVEPOINT;
		break;
	default: /* COMMIT PREPARED and whatever comes later */
		*flags |= AN_WRITES_ALL;
	}
}

/* One of the settings that are ours to heed. */
static void
util_wish(struct parse *p, enum wish of, const PgQuery__VariableSetStmt *s)
{
	const parse_node *n = s->n_args == 1 ? s->args[0] : NULL;
	struct an_wish *w;

	if (!parse_reserve(p, &p->an->wishes, p->an->n_wishes,
	    &p->wishes_size, sizeof(*w), PARSE_MAX_SETTINGS))
		return;
	w = &p->an->wishes[p->an->n_wishes++];
	*w = (struct an_wish){ .of = of };
	if (n == NULL || !NODE_IS(n, A_CONST) || !parse_value(p, n, &w->value))
		w->value.kind = AN_VAL_OTHER;
	if (n != NULL && NODE_IS(n, A_CONST) && n->a_const->val_case ==
	    PG_QUERY__A__CONST__VAL_SVAL && w->value.kind == AN_VAL_OTHER)
		w->word = parse_strdup(p, n->a_const->sval->sval);
}

static void
util_set(struct parse *p, const PgQuery__VariableSetStmt *s)
{
	const char *name = s->name;
	bool reset = s->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_DEFAULT ||
	    s->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET;
	enum wish of;

	parse_walk_nodes(p, s->args, s->n_args);
	if (s->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL) {
		p->an->flags |= AN_RESET_ALL;
		return;
	}
	if (s->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_MULTI) {
		p->an->flags |= AN_SET_ISOLATION;
		if (strcmp(name, "SESSION CHARACTERISTICS") != 0)
			return;
		parse_setting(p, "default_transaction_isolation", NULL, false);
		parse_setting(p, "default_transaction_read_only", NULL, false);
		parse_setting(p, "default_transaction_deferrable", NULL,
		    false);
		return;
	}
	if (strncasecmp(name, "transaction_", 12) == 0 ||
	    strncasecmp(name, "default_transaction_", 20) == 0)
		p->an->flags |= AN_SET_ISOLATION;
	of = wish_find(name);
	if (of < WISH_COUNT)
		util_wish(p, of, s);
	if (s->is_local) {
		/* Nothing else depends on them. */
		if (of == WISH_COUNT)
			p->an->flags |= AN_SET_LOCAL;
		return;
	}
	if (strncasecmp(name, "transaction_", 12) == 0)
		return; /* those of this transaction */
	parse_setting(p, name, NULL, reset);
	/* It takes the role away, too. */
	if (strcasecmp(name, "session_authorization") == 0)
		parse_setting(p, "role", NULL, reset);
}

/* ---------------------------------------------------------------- EXPLAIN */

static bool
util_has_option(parse_node *const *options, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (NODE_IS(options[i], DEF_ELEM) &&
		    strcmp(options[i]->def_elem->defname, name) == 0)
			return true;
	return false;
}

/* With ANALYZE the statement runs.  Whatever value ANALYZE has: the value may
 * be a literal, which the shape does not hold. */
static void
util_explain(struct parse *p, const PgQuery__ExplainStmt *s, bool whole)
{
	struct analysis *an = p->an;
	uint32_t before = an->flags;
	uint32_t pins = an->pins;
	size_t first = an->n_tables, i;

	parse_statement(p, s->query, whole);
	if (whole)
		an->kind = STMT_EXPLAIN;
	if (util_has_option(s->options, s->n_options, "analyze") ||
	    NODE_IS(s->query, EXECUTE_STMT))
		return;
	an->flags = before | (an->flags & (AN_PARAMS | AN_SUBLINK |
	    AN_CATALOG | AN_STABLE | AN_VOLATILE | AN_READONLY_FN |
	    AN_UNKNOWN_FN | AN_TABLESAMPLE | AN_DATETIME_LITERAL));
	/* Even of CREATE TABLE ... AS EXECUTE, the statement is looked up. */
	an->pins = pins | (an->pins & (PIN_BIT(PIN_TEMP) |
	    PIN_BIT(PIN_PREPARE)));
	for (i = first; i < an->n_tables; i++) {
		an->tables[i].read = true;
		an->tables[i].written = false;
	}
}

/* -------------------------------------------------------------------- DDL */

/* Name of a DROP: the last one or two of a list of strings. */
static void
util_drop_one(struct parse *p, const PgQuery__List *l)
{
	PgQuery__RangeVar rv = PG_QUERY__RANGE_VAR__INIT;
	const char *name, *schema = NULL;

	if (l->n_items == 0 ||
	    (name = parse_string(l->items[l->n_items - 1])) == NULL)
		return;
	if (l->n_items > 1)
		schema = parse_string(l->items[l->n_items - 2]);
	rv.relname = (char *)(uintptr_t)name;
	if (schema != NULL)
		rv.schemaname = (char *)(uintptr_t)schema;
	rv.location = -1;
	(void)parse_table(p, &rv, USE_DDL);
}

static void
util_drop(struct parse *p, const PgQuery__DropStmt *s)
{
	size_t i;

	parse_walk_nodes(p, s->objects, s->n_objects);
	switch ((int)s->remove_type) {
	case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
	case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
	case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
	case PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE:
		for (i = 0; i < s->n_objects; i++)
			if (NODE_IS(s->objects[i], LIST))
				util_drop_one(p, s->objects[i]->list);
		break;
	default:
		break;
	}
}

/* name: "" or NULL for UNLISTEN *. */
static void
util_channel(struct parse *p, bool listen, const char *name)
{
	struct analysis *an = p->an;
	struct an_channel c = { listen, NULL };

	if (!parse_reserve(p, &an->channels, an->n_channels,
	    &p->channels_size, sizeof(c), PARSE_MAX_CHANNELS))
		return;
	if (name != NULL && *name != '\0' &&
	    (c.name = parse_strdup(p, name)) == NULL)
		return;
	an->channels[an->n_channels++] = c;
}

static void
util_discard(struct parse *p, const PgQuery__DiscardStmt *s)
{
	switch ((int)s->target) {
	case PG_QUERY__DISCARD_MODE__DISCARD_ALL:
		p->an->flags |= AN_DISCARD_ALL;
		parse_end(p, PIN_LISTEN);
		parse_end(p, PIN_CURSOR);
		parse_end(p, PIN_ADVISORY);
		parse_end(p, PIN_TEMP);
		break;
	case PG_QUERY__DISCARD_MODE__DISCARD_TEMP:
		parse_end(p, PIN_TEMP);
		break;
	default:
		break;
	}
}

/* What the statement may take away from the session. */
static void
util_ends(struct parse *p, const parse_node *n)
{
	switch ((int)n->node_case) {
	case PG_QUERY__NODE__NODE_CREATE_STMT:
		if (n->create_stmt->oncommit ==
		    PG_QUERY__ON_COMMIT_ACTION__ONCOMMIT_DROP)
			parse_end(p, PIN_TEMP);
		break;
	case PG_QUERY__NODE__NODE_DROP_STMT:
	case PG_QUERY__NODE__NODE_DROP_OWNED_STMT:
		parse_end(p, PIN_TEMP);
		break;
	case PG_QUERY__NODE__NODE_CLOSE_PORTAL_STMT:
		parse_end(p, PIN_CURSOR);
		break;
	case PG_QUERY__NODE__NODE_UNLISTEN_STMT:
		parse_end(p, PIN_LISTEN);
		break;
	default:
		break;
	}
}

void
parse_utility(struct parse *p, const parse_node *n, bool whole)
{
	util_ends(p, n);
	if (NODE_IS(n, RENAME_STMT))
		p->an->flags |= AN_RENAMES;
	switch ((int)n->node_case) {
	case PG_QUERY__NODE__NODE_COPY_STMT:
		util_copy(p, n->copy_stmt, whole);
		return;
	case PG_QUERY__NODE__NODE_TRUNCATE_STMT:
		util_tables(p, n->truncate_stmt->relations,
		    n->truncate_stmt->n_relations, USE_TARGET_BARE);
		if (n->truncate_stmt->behavior ==
		    PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE)
			p->an->flags |= AN_WRITES_ALL;
		return;
	case PG_QUERY__NODE__NODE_LOCK_STMT:
		util_tables(p, n->lock_stmt->relations,
		    n->lock_stmt->n_relations, USE_LOCK);
		return;
	case PG_QUERY__NODE__NODE_TRANSACTION_STMT:
		util_transaction(p, n->transaction_stmt);
		return;
	case PG_QUERY__NODE__NODE_LISTEN_STMT:
		util_channel(p, true, n->listen_stmt->conditionname);
		return;
	case PG_QUERY__NODE__NODE_UNLISTEN_STMT:
		util_channel(p, false, n->unlisten_stmt->conditionname);
		return;
	case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT:
		/* Inside of ALTER ROLE .. SET or CREATE FUNCTION it is a note. */
		if (whole)
			util_set(p, n->variable_set_stmt);
		return;
	case PG_QUERY__NODE__NODE_EXPLAIN_STMT:
		util_explain(p, n->explain_stmt, whole);
		return;
	case PG_QUERY__NODE__NODE_DISCARD_STMT:
		util_discard(p, n->discard_stmt);
		return;
	case PG_QUERY__NODE__NODE_DECLARE_CURSOR_STMT:
		if (n->declare_cursor_stmt->options & UTIL_CURSOR_HOLD)
			parse_pin(p, PIN_CURSOR);
		parse_walk_node(p, n->declare_cursor_stmt->query);
		return;
	case PG_QUERY__NODE__NODE_DROP_STMT:
		util_drop(p, n->drop_stmt);
		return;
	default:
		/* Relations of the statement itself; a query in it reads. */
		p->use = USE_DDL;
		parse_walk_fields(p, &n->select_stmt->base);
	}
}
