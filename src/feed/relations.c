/* SPDX-License-Identifier: PostgreSQL
 *
 * Tables by their oid, with the tags that stand for them.
 *
 * Knows what catalogs and the stream say, asks nobody.  Invariant: a relation
 * whose kin is not known has everything as its tag; one that has not been
 * described knows no columns.
 */
#include "feed/relations.h"

#include <stdlib.h>
#include <string.h>

#include "conf/ident.h"
#include "feed/change.h"

const char relations_query[] =
    "WITH RECURSIVE up (rel, kin) AS ("
    "SELECT c.oid, c.oid FROM pg_class c "
    "JOIN pg_namespace s ON s.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' "
    "AND s.nspname !~ '^pg_' AND s.nspname <> 'information_schema' "
    "UNION SELECT u.rel, i.inhparent FROM up u "
    "JOIN pg_inherits i ON i.inhrelid = u.kin) "
    "SELECT u.rel, c.relname FROM up u JOIN pg_class c ON c.oid = u.kin "
    "LIMIT 200001";

#define RELATION_TAGS 8
/* Longer descriptions than PostgreSQL has are not kept. */
#define RELATION_COLUMNS_MAX (256 * 1024)

struct relation {
	struct htab_node node;
	uint32_t oid;
	bool all;       /* its kin is not known, or there is too much of it */
	bool old;       /* of the reading before */
	unsigned n, n_before;
	tag_t tags[RELATION_TAGS];
	tag_t before[RELATION_TAGS]; /* what it meant then; only if not all */
	/* As last described, which happens once on a connection; columns NULL:
	 * not yet. */
	char *columns;
	size_t columns_len;
	uint16_t n_columns;
	char identity;
	struct change_key *keys; /* one for each of the configuration's */
};

void
relations_init(struct relations *r)
{
	*r = (struct relations){ .n_aliases = 0 };
	htab_init(&r->by_oid);
}

static void
relation_free(struct htab_node *n, void *arg)
{
	struct relation *rel = htab_entry(n, struct relation, node);
	struct htab *t = arg;

	htab_remove(t, n);
	free(rel->columns);
	free(rel->keys);
	free(rel);
}

void
relations_fini(struct relations *r)
{
	htab_each(&r->by_oid, relation_free, &r->by_oid);
	htab_fini(&r->by_oid);
	free(r->aliases);
	relations_init(r);
}

/* ------------------------------------------------------------ names */

static void
relations_alias(struct relations *r, const char *relation, tag_t to)
{
	char *schema, *bare;
	tag_t from;

	ident_parts(relation, &schema, &bare);
	from = tag_of_table(bare);
	free(schema);
	free(bare);
	if (from == to)
		return;
	r->aliases = realloc(r->aliases,
	    (r->n_aliases + 1) * sizeof(*r->aliases));
	CHECK(r->aliases != NULL);
	r->aliases[r->n_aliases++] = (struct relations_alias){ from, to };
}

/* Where it has the columns of the configuration. */
static void
relation_find_keys(struct htab_node *n, void *arg)
{
	struct relation *rel = htab_entry(n, struct relation, node);
	const struct conf *c = ((const struct relations *)arg)->conf;
	const struct pgo_message m = { .identity = rel->identity, .columns = {
		rel->n_columns, { rel->columns, rel->columns_len } } };
	size_t i;

	free(rel->keys);
	rel->keys = NULL;
	if (rel->columns == NULL || c == NULL || c->n_tag_keys == 0)
		return;
	rel->keys = x_calloc(c->n_tag_keys, sizeof(*rel->keys));
	for (i = 0; i < c->n_tag_keys; i++) {
		rel->keys[i].key = &c->tag_keys[i];
		rel->keys[i].any = tag_of_column(c->tag_keys[i].rel,
		    c->tag_keys[i].column);
		change_key_find(&rel->keys[i], &m);
	}
}

void
relations_use(struct relations *r, const struct conf *c)
{
	const struct conf_variant *v;
	const struct conf_table *t;
	size_t i, k;

	r->conf = c;
	htab_each(&r->by_oid, relation_find_keys, r);
	free(r->aliases);
	r->aliases = NULL;
	r->n_aliases = 0;
	for (t = c->tables; t < c->tables + c->n_tables; t++)
		for (i = 0; i < t->n_variants; i++) {
			v = &t->variants[i];
			for (k = 0; k < v->n_relations; k++)
				relations_alias(r, v->relations[k].name,
				    tag_of_table(t->rel));
		}
}

/* ------------------------------------------------------------ catalogs */

static struct relation *
relations_find(const struct relations *r, uint32_t oid)
{
	struct htab_node *n;
	struct relation *rel;

	for (n = htab_find(&r->by_oid, oid); n != NULL; n = htab_next(n)) {
		rel = htab_entry(n, struct relation, node);
		if (rel->oid == oid)
			return rel;
	}
	return NULL;
}

static struct relation *
relations_get(struct relations *r, uint32_t oid)
{
	struct relation *rel = relations_find(r, oid);

	if (rel != NULL)
		return rel;
	rel = x_calloc(1, sizeof(*rel));
	rel->oid = oid;
	htab_insert(&r->by_oid, &rel->node, oid);
	return rel;
}

static void
relation_add(struct relation *rel, tag_t tag)
{
	unsigned i;

	for (i = 0; i < rel->n; i++)
		if (rel->tags[i] == tag)
			return;
	if (rel->n == RELATION_TAGS)
		rel->all = true;
	else
		rel->tags[rel->n++] = tag;
}

static void
relation_name(const struct relations *r, struct relation *rel,
    const char *name)
{
	tag_t tag = tag_of_table(name);
	size_t i;

	relation_add(rel, tag);
	for (i = 0; i < r->n_aliases; i++)
		if (r->aliases[i].from == tag)
			relation_add(rel, r->aliases[i].to);
}

static void
relation_is_old(struct htab_node *n, void *arg PG_UNUSED)
{
	htab_entry(n, struct relation, node)->old = true;
}

void
relations_load(struct relations *r)
{
	r->all = false;
	htab_each(&r->by_oid, relation_is_old, NULL);
}

void
relations_row(struct relations *r, uint32_t oid, const char *name)
{
	struct relation *rel = relations_get(r, oid);

	if (rel->old) {
		rel->n_before = rel->all ? 0 : rel->n;
		memcpy(rel->before, rel->tags, sizeof(rel->before));
		rel->old = rel->all = false;
		rel->n = 0;
	}
	relation_name(r, rel, name);
}

struct relations_end {
	struct relations *r;
	void (*changed)(void *arg, tag_t tag);
	void *arg;
};

/* The table, and its columns. */
static void
relation_tell(const struct relations_end *e, tag_t tag)
{
	const struct conf *c = e->r->conf;
	size_t i;

	e->changed(e->arg, tag);
	for (i = 0; c != NULL && i < c->n_tag_keys; i++)
		if (tag_of_table(c->tag_keys[i].rel) == tag)
			e->changed(e->arg, tag_of_column(c->tag_keys[i].rel,
			    c->tag_keys[i].column));
}

/* Those of v that are not in but. */
static void
relation_tell_but(const struct relations_end *e, const tag_t *v, unsigned n,
    const tag_t *but, unsigned n_but)
{
	unsigned i, k;

	for (i = 0; e->r->loaded && i < n; i++) {
		for (k = 0; k < n_but && but[k] != v[i]; k++)
			;
		if (k == n_but)
			relation_tell(e, v[i]);
	}
}

static void
relation_loaded(struct htab_node *n, void *arg)
{
	struct relation *rel = htab_entry(n, struct relation, node);
	const struct relations_end *e = arg;

	if (rel->old) {
		relation_tell_but(e, rel->tags, rel->n, NULL, 0);
		relation_free(n, &e->r->by_oid);
		return;
	}
	/* One that is new and no part of others has nobody's rows yet. */
	if (rel->n_before > 0 || rel->n > 1)
		relation_tell_but(e, rel->tags, rel->n, rel->before,
		    rel->n_before);
	relation_tell_but(e, rel->before, rel->n_before, rel->tags, rel->n);
	rel->n_before = 0;
}

void
relations_loaded(struct relations *r, void (*changed)(void *arg, tag_t tag),
    void *arg)
{
	struct relations_end e = { r, changed, arg };

	r->all = r->by_oid.count > RELATIONS_MAX;
	htab_each(&r->by_oid, relation_loaded, &e);
	r->loaded = true;
}

void
relations_described(struct relations *r, const struct pgo_message *m)
{
	struct relation *rel = relations_find(r, m->relation);
	char *name;

	if (rel == NULL) {
		rel = relations_get(r, m->relation);
		rel->all = true;
	}
	name = x_strndup(m->name.p, m->name.n);
	relation_name(r, rel, name);
	free(name);
	free(rel->columns);
	rel->columns = NULL;
	rel->columns_len = m->columns.rest.n;
	rel->n_columns = m->columns.n;
	rel->identity = m->identity;
	if (rel->columns_len <= RELATION_COLUMNS_MAX) {
		rel->columns = x_malloc(rel->columns_len + 1);
		if (rel->columns_len > 0)
			memcpy(rel->columns, m->columns.rest.p,
			    rel->columns_len);
	}
	relation_find_keys(&rel->node, r);
}

/* ------------------------------------------------------------ changes */

/* By the columns of one of its names. */
static void
relation_values(const struct relations *r, const struct relation *rel,
    tag_t table, const struct pgo_message *m, struct feed_tags *t)
{
	const struct conf *c = r->conf;
	size_t i;

	for (i = 0; c != NULL && i < c->n_tag_keys; i++) {
		if (tag_of_table(c->tag_keys[i].rel) != table)
			continue;
		if (rel->keys != NULL)
			change_values(&rel->keys[i], m, t);
		else
			feed_tags_add(t, tag_of_column(c->tag_keys[i].rel,
			    c->tag_keys[i].column));
	}
}

static void
relations_add(const struct relations *r, uint32_t oid,
    const struct pgo_message *m, struct feed_tags *t)
{
	const struct relation *rel = relations_find(r, oid);
	unsigned i;

	if (r->all || rel == NULL || rel->all) {
		t->all = true;
		return;
	}
	for (i = 0; i < rel->n; i++) {
		feed_tags_add(t, rel->tags[i]);
		relation_values(r, rel, rel->tags[i], m, t);
	}
}

/* The one place where a change becomes tags: those of the tables it is of, and
 * by each column that tells results apart those of the values, or of the
 * column. */
void
relations_change(const struct relations *r, const struct pgo_message *m,
    struct feed_tags *t)
{
	uint32_t i;

	if (t->all)
		return;
	if (m->kind != PGO_TRUNCATE) {
		relations_add(r, m->relation, m, t);
		return;
	}
	for (i = 0; i < m->n_relations; i++)
		relations_add(r, pgo_truncated(m, i), m, t);
}
