/* SPDX-License-Identifier: PostgreSQL
 *
 * Which column does a name mean?
 *
 * Columns of tables are not known, only their names in the statement; so what
 * is found is "a column of this name of that table, if the table has one".
 * That is enough for a key or time column, which its table is known to have.
 * An unqualified name is told only where one relation can have it.  What is
 * not certain is not found.
 */
#include <stdlib.h>

#include "sql/parse_priv.h"

static const struct parse_column scope_none = { .name = NULL };

void
parse_scope_add(struct parse *p, const struct parse_item *item)
{
	if (p->n_items == PARSE_MAX_TABLES)
		p->unproven = true;
	else if (parse_reserve(p, &p->items, p->n_items, &p->items_size,
	    sizeof(*item), PARSE_MAX_TABLES))
		p->items[p->n_items++] = *item;
}

/* ------------------------------------------------------- columns of a query */

static void
outs_add(struct parse *p, struct parse_outs *outs, const struct parse_out *out)
{
	if (p->n_outs == PARSE_MAX_OUTS)
		p->unproven = true;
	else if (parse_reserve(p, &p->outs, p->n_outs, &p->outs_size,
	    sizeof(*out), PARSE_MAX_OUTS)) {
		p->outs[p->n_outs++] = *out;
		outs->n++;
	}
}

/* All columns of an item, behind those there are already. */
static void
outs_add_star(struct parse *p, struct parse_outs *outs,
    const struct parse_item *item)
{
	struct parse_out copy;
	size_t i;

	if (item == NULL || item->kind == ITEM_OPAQUE || outs->star) {
		outs->vague = outs->gaps = true;
	} else if (item->kind == ITEM_TABLE) {
		outs->star = true;
		outs->table = item->table;
	} else {
		outs->vague |= item->outs.vague;
		outs->gaps |= item->outs.gaps;
		outs->star = item->outs.star;
		outs->table = item->outs.table;
		for (i = 0; i < item->outs.n && !p->failed; i++) {
			copy = p->outs[item->outs.start + i];
			outs_add(p, outs, &copy);
		}
	}
}

/* The item that "*" or "a.*" means; NULL: several, or not known. */
static const struct parse_item *
outs_star_item(const struct parse *p, const struct parse_scope *sc,
    const PgQuery__ColumnRef *ref)
{
	const char *name;
	size_t i;

	if (ref->n_fields == 1)
		return sc->end - sc->start == 1 && !sc->unsure ?
		    &p->items[sc->start] : NULL;
	name = ref->n_fields == 2 ? parse_string(ref->fields[0]) : NULL;
	for (i = sc->start; name != NULL && i < sc->end; i++)
		if (p->items[i].name != NULL &&
		    strcmp(p->items[i].name, name) == 0)
			return &p->items[i];
	return NULL;
}

bool
parse_scope_star(const struct parse *p, const struct parse_scope *sc,
    const parse_node *n, unsigned *table)
{
	const struct parse_item *item;
	const PgQuery__ColumnRef *ref;

	if (!NODE_IS(n, COLUMN_REF) || n->column_ref->n_fields == 0)
		return false;
	ref = n->column_ref;
	if (!NODE_IS(ref->fields[ref->n_fields - 1], A_STAR))
		return false;
	item = outs_star_item(p, sc, ref);
	if (item == NULL || item->kind != ITEM_TABLE)
		return false;
	*table = item->table;
	return true;
}

static void
outs_target(struct parse *p, const struct parse_scope *sc,
    const PgQuery__ResTarget *t, struct parse_outs *outs)
{
	struct parse_out out = { .name = t->name };
	const PgQuery__ColumnRef *ref;
	struct parse_column c;
	struct an_value v;

	if (NODE_IS(t->val, COLUMN_REF)) {
		ref = t->val->column_ref;
		if (ref->n_fields > 0 &&
		    NODE_IS(ref->fields[ref->n_fields - 1], A_STAR)) {
			outs_add_star(p, outs, outs_star_item(p, sc, ref));
			return;
		}
		c = parse_scope_find(p, sc, sc->start, sc->end, t->val);
		if (c.made != NULL)
			out = *c.made;
		out.table = c.table;
		out.column = c.name;
		out.name = t->name[0] != '\0' || ref->n_fields == 0 ? t->name :
		    parse_string(ref->fields[ref->n_fields - 1]);
	} else if (parse_value(p, t->val, &v)) {
		out.value = t->val;
	}
	if (out.name == NULL || out.name[0] == '\0') {
		out.name = "";
		outs->vague = true;
	}
	outs_add(p, outs, &out);
}

struct parse_outs
parse_outs_of_list(struct parse *p, const struct parse_scope *sc,
    parse_node *const *targets, size_t n)
{
	struct parse_outs outs = { .start = p->n_outs };
	size_t i;

	for (i = 0; i < n && !p->failed; i++)
		if (NODE_IS(targets[i], RES_TARGET))
			outs_target(p, sc, targets[i]->res_target, &outs);
		else
			outs.vague = outs.gaps = true;
	return outs;
}

struct parse_outs
parse_outs_of_values(struct parse *p, const PgQuery__SelectStmt *s)
{
	struct parse_outs outs = { .start = p->n_outs };
	struct parse_out out = { .name = "", .rows = s };
	size_t i, n = 0;

	for (i = 0; i < s->n_values_lists; i++) {
		if (!NODE_IS(s->values_lists[i], LIST))
			break;
		if (i == 0)
			n = s->values_lists[i]->list->n_items;
		if (s->values_lists[i]->list->n_items != n)
			break;
	}
	outs.vague = true;
	outs.gaps = i < s->n_values_lists;
	if (outs.gaps)
		return outs;
	for (i = 0; i < n && !p->failed; i++) {
		out.number = i;
		outs_add(p, &outs, &out);
	}
	return outs;
}

void
parse_outs_rename(struct parse *p, struct parse_outs *outs,
    parse_node *const *names, size_t n)
{
	size_t i;

	if (n == 0)
		return;
	if (outs->star || outs->gaps || n > outs->n) {
		*outs = (struct parse_outs){ .vague = true, .gaps = true };
		return;
	}
	for (i = 0; i < n; i++) {
		const char *name = parse_string(names[i]);

		p->outs[outs->start + i].name = name != NULL ? name : "";
	}
	if (n == outs->n)
		outs->vague = false;
}

/* ------------------------------------------------------------------- names */

/* The column of this name of an item. */
static struct parse_column
scope_column(const struct parse *p, size_t i, const char *name)
{
	const struct parse_item *item = &p->items[i];
	const struct parse_outs *outs = &item->outs;
	struct parse_column c = { .name = name, .table = item->table,
	    .item = i, .via = SIZE_MAX };
	const struct parse_out *found = NULL;
	size_t k;

	if (item->kind == ITEM_TABLE)
		return c;
	if (item->kind == ITEM_OPAQUE)
		return scope_none;
	for (k = 0; k < outs->n; k++) {
		const struct parse_out *out = &p->outs[outs->start + k];

		if (strcmp(out->name, name) != 0)
			continue;
		if (found != NULL)
			return scope_none;
		found = out;
	}
	c.item = SIZE_MAX;
	c.via = i;
	if (found == NULL) {
		c.table = outs->table;
		return outs->star && !outs->vague ? c : scope_none;
	}
	c.name = found->column;
	c.table = found->table;
	if (found->column == NULL &&
	    (found->value != NULL || found->rows != NULL))
		c.made = found;
	return c;
}

static bool
scope_is(const struct parse_item *item, const char *schema, const char *name)
{
	return item->name != NULL && strcmp(item->name, name) == 0 &&
	    (schema == NULL || strcmp(item->schema, schema) == 0);
}

static struct parse_column
scope_qualified(const struct parse *p, const struct parse_scope *sc, size_t lo,
    size_t hi, const char *schema, const char *rel, const char *name)
{
	size_t i, found = SIZE_MAX;

	for (;;) {
		for (i = lo; i < hi; i++) {
			if (!scope_is(&p->items[i], schema, rel))
				continue;
			if (found != SIZE_MAX)
				return scope_none;
			found = i;
		}
		if (found != SIZE_MAX)
			return scope_column(p, found, name);
		if (schema != NULL || sc->unsure || sc->up == NULL)
			return scope_none;
		sc = sc->up;
		lo = sc->start;
		hi = sc->end;
	}
}

struct parse_column
parse_scope_find(const struct parse *p, const struct parse_scope *sc,
    size_t lo, size_t hi, const parse_node *n)
{
	const PgQuery__ColumnRef *ref;
	const char *name, *rel, *schema = NULL;

	if (!NODE_IS(n, COLUMN_REF))
		return scope_none;
	ref = n->column_ref;
	if (ref->n_fields == 0 || ref->n_fields > 3)
		return scope_none;
	name = parse_string(ref->fields[ref->n_fields - 1]);
	if (name == NULL)
		return scope_none;
	if (ref->n_fields == 1) {
		if (sc->unsure || lo != sc->start || hi != sc->end)
			return scope_none;
		return sc->end - sc->start == 1 ?
		    scope_column(p, sc->start, name) :
		    parse_scope_merged(p, sc, sc->only, name);
	}
	rel = parse_string(ref->fields[ref->n_fields - 2]);
	if (ref->n_fields == 3)
		schema = parse_string(ref->fields[0]);
	if (rel == NULL || (ref->n_fields == 3 && schema == NULL))
		return scope_none;
	return scope_qualified(p, sc, lo, hi, schema, rel, name);
}

static bool
scope_joins_by(const PgQuery__JoinExpr *j, const char *name)
{
	size_t i;

	for (i = 0; i < j->n_using_clause; i++) {
		const char *s = parse_string(j->using_clause[i]);

		if (s != NULL && strcmp(s, name) == 0)
			return true;
	}
	return false;
}

struct parse_column
parse_scope_merged(const struct parse *p, const struct parse_scope *sc,
    const parse_node *from, const char *name)
{
	const PgQuery__JoinExpr *j;
	const void *node;
	size_t i;

	while (NODE_IS(from, JOIN_EXPR)) {
		j = from->join_expr;
		if (j->alias != NULL || !scope_joins_by(j, name))
			return scope_none;
		switch ((int)j->jointype) {
		case PG_QUERY__JOIN_TYPE__JOIN_INNER:
		case PG_QUERY__JOIN_TYPE__JOIN_LEFT:
			from = j->larg;
			break;
		case PG_QUERY__JOIN_TYPE__JOIN_RIGHT:
			from = j->rarg;
			break;
		default:
			return scope_none;
		}
	}
	if (from == NULL)
		return scope_none;
	node = from->range_var; /* or whatever the union holds */
	for (i = sc->start; i < sc->end; i++)
		if (p->items[i].node == node)
			return scope_column(p, i, name);
	return scope_none;
}
