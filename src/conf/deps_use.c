/* SPDX-License-Identifier: PostgreSQL
 *
 * Which backends a configuration wants watched, for which databases, what is
 * asked of them, and which of the answers at hand are answers to that.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"
#include "conf/deps.h"

/* ------------------------------------------------------------ who is watched */

static bool
deps_is_cached(const struct conf_database *db)
{
	return db->cache && db->n_rules > 0;
}

/* Statements of this database, or of this view, may run there, as tables are
 * used now. */
static bool
deps_sees(const struct conf_database *db, const struct conf_backend *b)
{
	const struct conf_variant *v;
	size_t i, k;

	if (db->backend == b)
		return true;
	for (i = 0; i < db->n_tables; i++) {
		v = db->tables[i]->use;
		if (v->backend == b)
			return true;
		for (k = 0; k < v->n_shards; k++)
			if (v->shards[k].backend == b)
				return true;
		for (k = 0; k < v->n_spans; k++)
			if (v->spans[k].backend == b)
				return true;
	}
	return false;
}

struct deps_reach {
	const struct conf_backend *b;
	bool any;
};

static void
deps_reach_view(void *arg, const struct conf_database *view)
{
	struct deps_reach *r = arg;

	r->any = r->any || deps_sees(view, r->b);
}

static bool
deps_reaches(const struct conf_database *db, const struct conf_backend *b)
{
	struct deps_reach r = { b, deps_sees(db, b) };

	conf_each_view(db, deps_reach_view, &r);
	return r.any;
}

static bool
deps_is_watched(const struct conf *c, const struct conf_backend *b)
{
	size_t i;

	for (i = 0; i < c->n_databases && c->revocation_bound > 0; i++)
		if (deps_is_cached(&c->databases[i]) &&
		    deps_reaches(&c->databases[i], b))
			return true;
	return false;
}

/* ------------------------------------------------------------ what is asked */

void
conf_deps_names_add(struct conf_strings *names, const char *name)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		if (strcmp(names->v[i], name) == 0)
			return;
	conf_strings_add(names, name);
}

bool
conf_deps_names_all(const struct conf_strings *names)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		if (strcmp(names->v[i], "*") == 0)
			return true;
	return false;
}

void
conf_deps_names_free(struct conf_strings *names)
{
	conf_strings_fini(names);
}

static void
deps_add_bare(struct conf_strings *out, const char *text)
{
	char *schema, *name;

	ident_parts(text, &schema, &name);
	conf_deps_names_add(out, name);
	free(schema);
	free(name);
}

struct deps_name {
	struct conf_strings *out;
	const char *text;
};

static void
deps_add_routed(void *arg, const struct conf_database *db)
{
	const struct deps_name *n = arg;
	const struct conf_table *t;
	size_t i, k;

	for (i = 0; i < db->n_tables; i++) {
		t = db->tables[i];
		if (!ident_is_table(n->text, t->schema, t->rel))
			continue;
		for (k = 0; k < t->use->n_relations; k++)
			deps_add_bare(n->out, t->use->relations[k].name);
	}
}

/* A name that may be a routed table's means what it is on backends, too. */
static void
deps_add(struct conf_strings *out, const struct conf_database *db,
    const char *text)
{
	struct deps_name n = { out, text };

	deps_add_bare(out, text);
	deps_add_routed(&n, db);
	conf_each_view(db, deps_add_routed, &n);
}

void
conf_deps_names(const struct conf *c, const struct conf_backend *b,
    struct conf_strings *out)
{
	const struct conf_database *db;
	size_t i, k, m;

	for (i = 0; i < c->n_databases; i++) {
		db = &c->databases[i];
		if (!deps_is_cached(db) || !deps_reaches(db, b))
			continue;
		for (k = 0; k < db->n_rules; k++)
			for (m = 0; m < db->rules[k]->tables.n; m++)
				deps_add(out, db, db->rules[k]->tables.v[m]);
		for (k = 0; k < db->n_writes; k++)
			for (m = 0; m < db->writes[k]->also.n; m++)
				deps_add(out, db, db->writes[k]->also.v[m]);
	}
}

static struct hash128
deps_mix_list(struct hash128 h, const struct conf_strings *l)
{
	size_t i;

	h = hash_mix(h, (struct hash128){ l->n, 1 });
	for (i = 0; i < l->n; i++)
		h = hash_mix_text(h, l->v[i]);
	return h;
}

struct hash128
conf_deps_question(const struct conf *c, const struct conf_backend *b)
{
	struct hash128 h = hash_mix_text((struct hash128){ 0, 0 }, b->name);
	struct conf_strings names = { .n = 0 };
	size_t i;

	h = hash_mix_text(h, b->conninfo);
	conf_deps_names(c, b, &names);
	h = deps_mix_list(h, &names);
	conf_strings_fini(&names);
	h = deps_mix_list(h, &c->readonly_functions);
	for (i = 0; i < c->n_writes; i++) {
		h = hash_mix_text(h, c->writes[i].name);
		h = deps_mix_list(h, &c->writes[i].also);
	}
	return h;
}

/* ------------------------------------------------------------ use */

static const struct deps *
deps_answer(const struct conf *c, const struct conf_backend *b)
{
	size_t i;

	for (i = 0; i < c->n_deps; i++)
		if (strcmp(c->deps[i]->backend, b->name) == 0 &&
		    hash_eq(c->deps[i]->question, conf_deps_question(c, b)))
			return c->deps[i];
	return NULL;
}

const struct conf_watch *
conf_find_watch(const struct conf *c, const char *backend)
{
	size_t i;

	for (i = 0; i < c->n_watches; i++)
		if (strcmp(c->watches[i].backend->name, backend) == 0)
			return &c->watches[i];
	return NULL;
}

static void
deps_give(const struct conf *c, struct conf_database *db)
{
	size_t i;

	db->watches = x_calloc(c->n_watches, sizeof(db->watches[0]));
	for (i = 0; i < c->n_watches; i++)
		if (!deps_is_cached(db) ||
		    deps_reaches(db, c->watches[i].backend))
			db->watches[db->n_watches++] = &c->watches[i];
}

void
conf_use_deps(struct conf *c)
{
	const struct conf_backend *b;
	size_t i;

	c->watches = x_calloc(c->n_backends, sizeof(c->watches[0]));
	for (i = 0; i < c->n_backends; i++) {
		b = &c->backends[i];
		if (deps_is_watched(c, b))
			c->watches[c->n_watches++] = (struct conf_watch){ b,
				vouch_get(b->name, b->conninfo),
				deps_answer(c, b) };
	}
	for (i = 0; i < c->n_databases; i++)
		deps_give(c, &c->databases[i]);
	for (i = 0; i < c->n_views; i++) {
		c->views[i].watches = c->views[i].base->watches;
		c->views[i].n_watches = c->views[i].base->n_watches;
	}
}
