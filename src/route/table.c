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

/* Of the tables of a set, those of this bare name. */
static uint64_t
route_table_bits(const struct conf_database *db, const char *name,
    uint64_t set)
{
	uint64_t found = 0, bit;

	for (size_t i = 0; i < db->n_tables; i++) {
		bit = (uint64_t)1 << (i < 63 ? i : 63);
		if ((set & bit) != 0 && strcmp(db->tables[i]->rel, name) == 0)
			found |= bit;
	}
	return found;
}

uint64_t
route_temp_names(const struct conf_database *db, const struct analysis *a)
{
	uint64_t found = 0;

	for (size_t i = 0; i < a->n_tables; i++) {
		if (a->tables[i].temp)
			found |= route_table_bits(db, a->tables[i].name,
			    UINT64_MAX);
	}
	return found;
}

uint64_t
route_hidden_names(const struct conf_database *db, const struct analysis *a,
    uint64_t hidden)
{
	uint64_t found = 0;

	for (size_t i = 0; i < a->n_tables; i++) {
		if (a->tables[i].schema == NULL)
			found |= route_table_bits(db, a->tables[i].name,
			    hidden);
	}
	return found;
}

static bool
route_table_has_physical(const struct conf_table *c, const struct an_table *t)
{
	for (size_t i = 0; i < c->n_variants; i++) {
		const struct conf_variant *v = &c->variants[i];

		for (size_t k = 0; k < v->n_relations; k++) {
			if (ident_is_table(v->relations[k].name, t->schema,
				t->name))
				return true;
		}
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
