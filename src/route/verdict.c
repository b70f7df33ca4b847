/* SPDX-License-Identifier: PostgreSQL
 *
 * May a shape's results be cached, by which rule, and what do they depend on?
 *
 * The static part only: session state, transactions and values are looked at
 * by the layer above and by route_decide().  A name that does not fit the
 * fixed arrays makes the answer more careful, never less.  Pure.
 */
#include <stdlib.h>

#include "conf/deps.h"
#include "route/route_priv.h"

/* false: no room. Names are few; duplicates are dropped by comparing. */
static bool
verdict_add(const char **names, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	if (*n == ROUTE_MAX_DEPS)
		return false;
	names[(*n)++] = name;
	return true;
}

static const char *
verdict_bare(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL ? dot + 1 : name;
}

static bool
verdict_rule_names(const struct conf_rule *r, const struct route_plan *p,
    const struct an_table *t)
{
	const struct conf_table *second;
	const struct conf_table *c = route_table_find(p->db, t, &second);

	for (size_t i = 0; i < r->tables.n; i++) {
		const char *name = r->tables.v[i];

		/* A routed table is meant by its logical name, however the
		 * statement qualified it. */
		if (c != NULL && ident_is_table(name, c->schema, c->rel))
			return true;
		if (c == NULL && ident_is_table(name, t->schema, t->name))
			return true;
	}
	return false;
}

static const struct conf_rule *
verdict_rule(const struct route_plan *p, const struct analysis *a)
{
	for (size_t i = 0; i < p->db->n_rules; i++) {
		const struct conf_rule *r = p->db->rules[i];
		bool all = !r->all && (r->query.text == NULL ||
		    (a->has_print && hash_eq(a->print, r->query.print)));

		for (size_t k = 0; k < a->n_tables && all; k++) {
			if (a->tables[k].read)
				all = verdict_rule_names(r, p, &a->tables[k]);
		}
		if (all)
			return r;
	}
	/* Those that name their tables come first. */
	for (size_t i = 0; i < p->db->n_rules; i++) {
		if (p->db->rules[i]->all)
			return p->db->rules[i];
	}
	return NULL;
}

/* In the order of tbl/bypass_reasons.h as far as a statement may have
 * several. */
enum bypass_reason
route_never_cached(const struct analysis *a)
{
	bool read = false;

	for (size_t i = 0; i < a->n_tables; i++)
		read |= a->tables[i].read;
	if (a->kind == STMT_UNPARSED)
		return BYPASS_UNPARSED;
	if (a->kind != STMT_SELECT || (a->flags & (AN_MULTI | AN_WRITES)))
		return BYPASS_NOT_SELECT;
	if (!read)
		return BYPASS_NO_TABLE;
	if (a->flags & AN_LOCKING)
		return BYPASS_LOCKING;
	if (a->flags & AN_CATALOG)
		return BYPASS_CATALOG;
	if (a->flags & AN_UNKNOWN_FN)
		return BYPASS_UNKNOWN_FN;
	if ((a->flags & (AN_VOLATILE | AN_READONLY_FN | AN_TABLESAMPLE)) ||
	    a->pins != 0)
		return BYPASS_VOLATILE;
	if (a->flags & AN_WRITES_ALL)
		return BYPASS_NOT_SELECT;
	return BYPASS_NONE;
}

/* The routed table that has this physical name, or NULL. */
static const char *
verdict_logical(const struct conf_database *db, const char *name)
{
	const struct conf_table *t;
	const struct conf_variant *v;

	for (size_t i = 0; i < db->n_tables; i++) {
		t = db->tables[i];
		for (v = t->variants; v < t->variants + t->n_variants; v++)
			for (size_t k = 0; k < v->n_relations; k++)
				if (ident_bare_is(v->relations[k].name, name))
					return t->rel;
	}
	return NULL;
}

/* Names that catalogs say of own, a table of the statement: the others are
 * marked, for all their rows count. whole may be NULL. */
static bool
verdict_add_names(const struct conf_database *db, const char **names,
    size_t *n, const struct deps_names *from, const char *own,
    uint32_t *whole)
{
	const char *name;

	for (size_t i = 0; i < from->n; i++) {
		name = verdict_logical(db, from->v[i]);
		if (name == NULL)
			name = from->v[i];
		if (!verdict_add(names, n, name))
			return false;
		for (size_t k = 0; k < *n && whole != NULL; k++)
			if (strcmp(names[k], name) == 0 &&
			    strcmp(name, own) != 0)
				*whole |= 1u << k;
	}
	return true;
}

/* ------------------------------------------------------------ relations */

/* Walks over what the catalogs of all backends know by the name of a table in
 * a statement or in a rule: a routed one by its relations there. */
struct verdict_walk {
	const struct conf_database *db;
	const struct conf_table *routed; /* or NULL */
	const char *schema, *name;
	char *own_schema, *own_name;     /* of a relation of the routed one */
	size_t watch, relation, place;
};

static void
verdict_walk_name(struct verdict_walk *w)
{
	if (w->routed == NULL)
		return;
	free(w->own_schema);
	free(w->own_name);
	ident_parts(w->routed->use->relations[w->relation].name,
	    &w->own_schema, &w->own_name);
	w->schema = w->own_schema;
	w->name = w->own_name;
}

static struct verdict_walk
verdict_walk(const struct conf_database *db, const struct an_table *t)
{
	const struct conf_table *second;
	struct verdict_walk w = { .db = db,
		.routed = route_table_find(db, t, &second),
		.schema = t->schema, .name = t->name };

	verdict_walk_name(&w);
	return w;
}

/* The next one; NULL: that was all, and nothing is left to free. */
static const struct deps_relation *
verdict_walk_next(struct verdict_walk *w)
{
	const struct deps_relation *r;
	const struct deps *d;

	for (; w->watch < w->db->n_watches; w->watch++, w->relation = 0,
	    verdict_walk_name(w)) {
		d = w->db->watches[w->watch]->deps;
		do {
			r = d != NULL ? deps_find(d, w->schema, w->name,
			    &w->place) : NULL;
			if (r != NULL)
				return r;
			w->place = 0;
			if (w->routed == NULL || ++w->relation >=
			    w->routed->use->n_relations)
				break;
			verdict_walk_name(w);
		} while (true);
	}
	free(w->own_schema);
	free(w->own_name);
	w->own_schema = w->own_name = NULL;
	return NULL;
}

/* ------------------------------------------------------------ reads */

static bool
verdict_allows(const struct conf_rule *r, unsigned trait, bool routed)
{
	switch (trait) {
	case TRAIT_NO_STABLE:
		return r->allow_stable;
	case TRAIT_NO_RLS:
		return r->allow_rls;
	case TRAIT_NO_UNLOGGED:
		return r->allow_unlogged;
	case TRAIT_NO_FOREIGN: /* where its parts are is configured */
		return r->allow_foreign || routed;
	default:
		return false;
	}
}

static enum bypass_reason
verdict_traits(const struct conf_rule *rule, uint32_t traits, bool routed)
{
	static const enum bypass_reason reasons[] = {
#define TABLE_TRAIT(sym, name, bypass) BYPASS_##bypass,
#include "tbl/table_traits.h"
	};

	for (unsigned i = 0; i < TRAIT_COUNT; i++)
		if ((traits & (1u << i)) != 0 &&
		    !verdict_allows(rule, i, routed))
			return reasons[i];
	return BYPASS_NONE;
}

/* A table that the statement reads: what it depends on, and whether it may be
 * cached. What is not known yet is no matter of the plan. */
static enum bypass_reason
verdict_table(struct route_plan *p, const struct an_table *t)
{
	struct verdict_walk w = verdict_walk(p->db, t);
	const struct deps_relation *r;
	uint32_t traits = 0;
	bool found = false, room = true, known = p->db->n_watches > 0;

	while ((r = verdict_walk_next(&w)) != NULL) {
		found = true;
		traits |= r->traits;
		room = room && r->asked && !r->reads.any &&
		    verdict_add_names(p->db, p->reads, &p->n_reads, &r->reads,
			route_table_dep(p->db, t), &p->reads_whole);
	}
	for (size_t i = 0; i < p->db->n_watches; i++)
		known = known && p->db->watches[i]->deps != NULL;
	if (known && !found)
		return BYPASS_UNKNOWN_TABLE;
	if (!room)
		return BYPASS_TOO_LARGE;
	return verdict_traits(p->rule, traits, w.routed != NULL);
}

/* What a name of the rule is in the terms of a statement. */
static bool
verdict_rule_table(struct route_plan *p, const char *text)
{
	struct an_table t = { .read = true };
	const struct deps_relation *r;
	const char *dep = verdict_bare(text);
	struct verdict_walk w;
	bool room;

	for (size_t k = 0; k < p->db->n_tables; k++) {
		const struct conf_table *c = p->db->tables[k];

		if (ident_is_table(text, c->schema, c->rel))
			dep = c->rel;
	}
	room = verdict_add(p->reads, &p->n_reads, dep);
	ident_parts(text, &t.schema, &t.name);
	w = verdict_walk(p->db, &t);
	while ((r = verdict_walk_next(&w)) != NULL)
		room = room && !r->reads.any &&
		    verdict_add_names(p->db, p->reads, &p->n_reads, &r->reads,
			dep, NULL);
	free(t.schema);
	free(t.name);
	return room;
}

static enum bypass_reason
verdict_reads(struct route_plan *p, const struct analysis *a)
{
	const struct conf_rule *r = p->rule;
	enum bypass_reason why = BYPASS_NONE;

	for (size_t i = 0; r != NULL && !r->all && i < r->tables.n; i++)
		if (!verdict_rule_table(p, r->tables.v[i]))
			return BYPASS_TOO_LARGE;
	for (size_t i = 0; i < a->n_tables && why == BYPASS_NONE; i++) {
		if (!a->tables[i].read)
			continue;
		if (!verdict_add(p->reads, &p->n_reads,
			route_table_dep(p->db, &a->tables[i])))
			why = BYPASS_TOO_LARGE;
		else if (r != NULL)
			why = verdict_table(p, &a->tables[i]);
	}
	return why;
}

/* ------------------------------------------------------------ writes */

/* Declarations, and those of the tables they name. */
static bool
verdict_declared(struct route_plan *p, const struct an_table *t)
{
	const struct conf_writes *w;
	size_t from = p->n_writes;
	struct an_table also;
	bool room = true;

	for (size_t i = 0; i < p->db->n_writes; i++) {
		w = p->db->writes[i];
		if (!ident_is_table(w->name, t->schema, t->name))
			continue;
		p->writes_again |= w->also.n > 0;
		for (size_t k = 0; k < w->also.n && room; k++)
			room = verdict_add(p->writes, &p->n_writes,
			    verdict_bare(w->also.v[k]));
	}
	for (; from < p->n_writes && room; from++) {
		also = (struct an_table){ .name =
			(char *)(uintptr_t)p->writes[from] };
		room = verdict_declared(p, &also);
	}
	return room;
}

/* What a statement does to the only table it writes. */
static const struct deps_names *
verdict_changes(const struct deps_relation *r, const struct analysis *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_tables; i++)
		n += a->tables[i].written;
	if (n != 1 || (a->flags & AN_MULTI))
		return &r->changes;
	if ((a->kind == STMT_INSERT && a->n_assigned == 0) ||
	    a->kind == STMT_COPY_IN)
		return r->inserts.any ? &r->changes : &r->inserts;
	if (a->kind == STMT_UPDATE || a->kind == STMT_INSERT)
		return r->updates.any ? &r->changes : &r->updates;
	return &r->changes;
}

/* false: anything. */
static bool
verdict_write(struct route_plan *p, const struct analysis *a,
    const struct an_table *t)
{
	struct verdict_walk w = verdict_walk(p->db, t);
	const struct deps_relation *r;
	const struct deps_names *changes;
	bool room = verdict_add(p->writes, &p->n_writes,
	    route_table_dep(p->db, t));

	while ((r = verdict_walk_next(&w)) != NULL) {
		changes = verdict_changes(r, a);
		if (changes->any && p->writes_why == NULL)
			p->writes_why = r->why != NULL ? r->why :
			    "foreign keys to too many tables";
		p->writes_again |= changes->again;
		room = room && !changes->any && verdict_add_names(p->db,
		    p->writes, &p->n_writes, changes, "", NULL);
	}
	return room && verdict_declared(p, t);
}

static void
verdict_writes(struct route_plan *p, const struct analysis *a)
{
	p->writes_all = a->kind == STMT_UNPARSED || analysis_is_ddl(a) ||
	    (a->flags & AN_WRITES_ALL) != 0;
	for (size_t i = 0; i < a->n_tables && !p->writes_all; i++)
		if (a->tables[i].written &&
		    !verdict_write(p, a, &a->tables[i]))
			p->writes_all = true;
	if ((a->flags & AN_WRITES) && p->n_writes == 0)
		p->writes_all = true;
}

void
route_plan_verdict(struct route_plan *p, const struct shape *s)
{
	const struct analysis *a = s->an;
	enum bypass_reason why;

	verdict_writes(p, a);
	p->bypass = p->db->cache ? route_never_cached(a) : BYPASS_DISABLED;
	if (p->bypass == BYPASS_NONE) {
		p->rule = verdict_rule(p, a);
		if (p->rule == NULL)
			p->bypass = BYPASS_NO_RULE;
		else if ((a->flags & AN_STABLE) && !p->rule->allow_stable)
			p->bypass = BYPASS_STABLE;
		else if (p->rule->all)
			p->bypass = route_everything(p->db, s);
	}
	why = verdict_reads(p, a);
	if (p->bypass == BYPASS_NONE)
		p->bypass = why;
	if (p->bypass != BYPASS_NONE)
		p->rule = NULL;
}
