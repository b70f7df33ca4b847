/* SPDX-License-Identifier: PostgreSQL
 *
 * Which routed table does a name in a statement mean?
 *
 * Knows no search_path: see route_plan_new() for what an unqualified name
 * means.  Pure.
 */
#include "route/route_priv.h"

static bool
route_table_is(const struct conf_table *c, const struct an_table *t)
{
	if (strcmp(c->rel, t->name) != 0)
		return false;
	if (t->schema == NULL)
		return true;
	return strcmp(c->schema != NULL ? c->schema : "public", t->schema) ==
	    0;
}

const struct conf_table *
route_table_find(const struct conf_database *db, const struct an_table *t,
    const struct conf_table **second)
{
	const struct conf_table *found = NULL;

	*second = NULL;
	if (t->name == NULL)
		return NULL;
	for (size_t i = 0; i < db->n_tables; i++) {
		if (!route_table_is(db->tables[i], t))
			continue;
		if (found != NULL) {
			*second = db->tables[i];
			return found;
		}
		found = db->tables[i];
	}
	return found;
}

static bool
route_table_has_physical(const struct conf_table *c, const struct an_table *t)
{
	for (size_t i = 0; i < c->n_variants; i++) {
		const struct conf_variant *v = &c->variants[i];

		if (ident_is_table(v->relation, t->schema, t->name))
			return true;
		if (v->shard_relation != NULL &&
		    ident_is_table(v->shard_relation, t->schema, t->name))
			return true;
	}
	return false;
}

const char *
route_table_dep(const struct conf_database *db, const struct an_table *t)
{
	const struct conf_table *second;
	const struct conf_table *c = route_table_find(db, t, &second);

	if (c != NULL)
		return c->rel;
	for (size_t i = 0; i < db->n_tables; i++) {
		if (route_table_has_physical(db->tables[i], t))
			return db->tables[i]->rel;
	}
	return t->name;
}
