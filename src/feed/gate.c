/* SPDX-License-Identifier: PostgreSQL
 *
 * Gates and sets of them, each once.
 *
 * Invariant: gates.all and gates.sets grow only.  Control thread, but for
 * gates_unable(), and sets, which any thread may make, one at a time.
 */
#include "feed/gate.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "conf/ident.h"

struct gate_set {
	STAILQ_ENTRY(gate_set) next;
	struct live_set *live;
};

static struct {
	STAILQ_HEAD(, gate) all;
	STAILQ_HEAD(, gate_set) sets;
	unsigned n, n_sets;
	pthread_mutex_t lock; /* of sets */
} gates = { .all = STAILQ_HEAD_INITIALIZER(gates.all),
	.sets = STAILQ_HEAD_INITIALIZER(gates.sets),
	.lock = PTHREAD_MUTEX_INITIALIZER };

/* ------------------------------------------------------------ making */

/* A gate as it is put together, with room for all that may come. */
struct draft {
	const struct conf_backend *backend;
	struct watch *v;
	size_t n;
};

struct drafts {
	struct draft *v; /* as many as there are backends */
	size_t n, n_backends;
};

static void
watch_fini(struct watch *w)
{
	free(w->named);
	free(w->schema);
	free(w->rel);
}

static struct draft *
draft_of(struct drafts *all, const struct conf_backend *b)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		if (all->v[i].backend == b)
			return &all->v[i];
	CHECK(all->n < all->n_backends);
	all->v[all->n].backend = b;
	return &all->v[all->n++];
}

static bool
watch_is(const struct watch *a, const struct watch *b)
{
	return strcmp(a->named, b->named) == 0 &&
	    strcmp(a->schema, b->schema) == 0 && strcmp(a->rel, b->rel) == 0 &&
	    a->foreign == b->foreign;
}

static void
draft_place(void *arg, const struct conf_place *p)
{
	struct drafts *all = arg;
	struct draft *d = draft_of(all, p->backend);
	struct watch w = { .named = x_strdup(p->named), .maybe = p->maybe };
	size_t i;

	ident_parts(p->relation, &w.schema, &w.rel);
	if (w.schema == NULL)
		w.schema = x_strdup("");

	if (p->table != NULL)
		w.foreign = p->table->use->n_shards > 0 ||
		    p->table->use->n_spans > 0;
	for (i = 0; i < d->n; i++)
		if (watch_is(&d->v[i], &w)) {
			d->v[i].maybe &= w.maybe;
			watch_fini(&w);
			return;
		}
	d->v = realloc(d->v, (d->n + 1) * sizeof(*d->v));
	CHECK(d->v != NULL);
	d->v[d->n++] = w;
}

/* What would have a feed bump other tags is part of it: such a gate opens when
 * the feed knows. */
static bool
key_add_columns(struct buf *b, const struct conf *c)
{
	const struct conf_tag_key *k;
	bool ok = true;

	for (k = c->tag_keys; ok && k < c->tag_keys + c->n_tag_keys; k++)
		ok = buf_append(b, k->rel, strlen(k->rel) + 1) &&
		    buf_append(b, k->column, strlen(k->column) + 1) &&
		    buf_append(b, k->month ? "m" : "-", 1) &&
		    buf_append(b, k->known ? "k" : "-", 1) &&
		    buf_append(b, &k->type, sizeof(k->type));
	return ok;
}

static struct hash128
draft_key(const struct draft *d, const struct conf *c)
{
	struct hash128 key;
	struct buf b;
	bool ok;
	size_t i;

	buf_init(&b, 64 * 1024 * 1024);
	ok = buf_append(&b, d->backend->name, strlen(d->backend->name) + 1) &&
	    buf_append(&b, d->backend->conninfo,
	    strlen(d->backend->conninfo) + 1);
	for (i = 0; ok && i < d->n; i++)
		ok = buf_append(&b, d->v[i].named,
		    strlen(d->v[i].named) + 1) &&
		    buf_append(&b, d->v[i].schema,
		    strlen(d->v[i].schema) + 1) &&
		    buf_append(&b, d->v[i].rel, strlen(d->v[i].rel) + 1) &&
		    buf_append(&b, d->v[i].maybe ? "m" : "-", 1) &&
		    buf_append(&b, d->v[i].foreign ? "f" : "-", 1);
	CHECK(ok && key_add_columns(&b, c));
	key = hash_bytes(buf_head(&b), buf_len(&b));
	buf_wipe(&b); /* there may be a password in it */
	return key;
}

/* All that a result may depend on by this name: the table, and columns by whose
 * values results are told apart. */
static void
gate_add_tags(struct gate *g, const struct conf *c, const struct watch *w)
{
	char *schema, *bare;
	tag_t table;
	size_t i;

	ident_parts(w->named, &schema, &bare);
	table = tag_of_table(bare);
	g->tags = realloc(g->tags,
	    (g->n_tags + 1 + c->n_tag_keys) * sizeof(*g->tags));
	CHECK(g->tags != NULL);
	g->tags[g->n_tags++] = table;
	for (i = 0; i < c->n_tag_keys; i++)
		if (tag_of_table(c->tag_keys[i].rel) == table)
			g->tags[g->n_tags++] = tag_of_column(
			    c->tag_keys[i].rel, c->tag_keys[i].column);
	free(schema);
	free(bare);
}

/* Takes the draft's watches over or frees them. */
static struct gate *
gate_of(struct draft *d, const struct conf *c)
{
	struct hash128 key = draft_key(d, c);
	struct gate *g;
	size_t i;

	STAILQ_FOREACH(g, &gates.all, next)
		if (hash_eq(g->key, key))
			break;
	if (g != NULL) {
		for (i = 0; i < d->n; i++)
			watch_fini(&d->v[i]);
		free(d->v);
		return g;
	}
	g = x_calloc(1, sizeof(*g));
	g->key = key;
	g->id = gates.n++;
	g->backend = x_strdup(d->backend->name);
	g->v = d->v;
	g->n = d->n;
	for (i = 0; i < g->n; i++)
		gate_add_tags(g, c, &g->v[i]);
	STAILQ_INSERT_TAIL(&gates.all, g, next);
	return g;
}

/* Under the lock; NULL: there is none yet, and there are more than max. */
static const struct live_set *
set_of(struct gate *const *v, size_t n, unsigned max)
{
	struct gate_set *s;
	size_t i;

	STAILQ_FOREACH(s, &gates.sets, next) {
		for (i = 0; s->live->n == n && i < n &&
		    s->live->v[i] == &v[i]->live; i++)
			;
		if (s->live->n == n && i == n)
			return s->live;
	}
	if (gates.n_sets >= max)
		return NULL;
	gates.n_sets++;
	s = x_calloc(1, sizeof(*s));
	s->live = x_calloc(1, sizeof(*s->live) + n * sizeof(s->live->v[0]));
	s->live->n = (unsigned)n;
	for (i = 0; i < n; i++)
		s->live->v[i] = &v[i]->live;
	STAILQ_INSERT_TAIL(&gates.sets, s, next);
	return s->live;
}

const struct live_set *
gates_set(struct gate *const *v, size_t n)
{
	const struct live_set *set;

	pthread_mutex_lock(&gates.lock);
	set = set_of(v, n, GATE_SETS_MAX);
	pthread_mutex_unlock(&gates.lock);
	return set;
}

/* ------------------------------------------------------------ plans */

static void
plan_add(struct gate_plan *p, struct gate *g)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->gates[i] == g)
			return;
	p->gates = realloc(p->gates, (p->n + 1) * sizeof(*p->gates));
	CHECK(p->gates != NULL);
	p->gates[p->n++] = g;
}

static void
plan_rule(struct gate_plan *p, const struct conf *c,
    const struct conf_database *d, const struct conf_rule *r)
{
	struct drafts all = { .n_backends = c->n_backends };
	struct gate **own = x_calloc(c->n_backends, sizeof(struct gate *));
	size_t i, n = 0;

	all.v = x_calloc(c->n_backends, sizeof(*all.v));
	conf_rule_places(d, r, draft_place, &all);
	for (i = 0; i < all.n; i++) {
		own[n++] = gate_of(&all.v[i], c);
		/* A backend that catalogs named and that nobody follows keeps
		 * its gate shut. */
		if (all.v[i].backend->feed)
			plan_add(p, own[n - 1]);
		else
			atomic_store(&own[n - 1]->unable, true);
	}
	if (r->strong && !r->all) {
		pthread_mutex_lock(&gates.lock);
		p->sets[d->id * p->n_rules + r->id] = set_of(own, n, UINT_MAX);
		pthread_mutex_unlock(&gates.lock);
	}
	free(all.v);
	free(own);
}

struct gate *
gate_of_name(const struct conf_backend *b, const char *name,
    const struct conf *c, struct gate_plan *p)
{
	struct draft d = { .backend = b };
	struct gate *g;
	struct buf q;

	if (gates.n >= GATES_MAX)
		return NULL;
	buf_init(&q, 4096);
	CHECK(ident_append_name(&q, slice_str(name)) && buf_append(&q, "", 1));
	d.v = x_calloc(1, sizeof(*d.v));
	d.n = 1;
	d.v[0] = (struct watch){ .named = x_strdup(buf_head(&q)),
		.schema = x_strdup(""), .rel = x_strdup(name) };
	buf_reset(&q);
	g = gate_of(&d, c);
	plan_add(p, g);
	return g;
}

struct gate_plan *
gate_plan_new(const struct conf *c)
{
	struct gate_plan *p = x_calloc(1, sizeof(*p));
	const struct conf_database *d;
	size_t i;

	p->n_rules = c->n_rules;
	p->n_sets = c->n_databases * c->n_rules;
	p->sets = x_calloc(p->n_sets > 0 ? p->n_sets : 1, sizeof(*p->sets));
	p->n_names = c->n_databases;
	p->names = x_calloc(p->n_names > 0 ? p->n_names : 1,
	    sizeof(p->names[0]));
	for (d = c->databases; d < c->databases + c->n_databases; d++)
		for (i = 0; i < d->n_rules; i++) {
			plan_rule(p, c, d, d->rules[i]);
			if (d->rules[i]->all && d->rules[i]->strong &&
			    p->names[d->id].v == NULL)
				gate_names_make(&p->names[d->id], c, d, p);
		}
	return p;
}

void
gate_plan_free(struct gate_plan **pp)
{
	struct gate_plan *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n_names; i++)
		gate_names_free(&p->names[i]);
	free(p->names);
	free(p->gates);
	free(p->sets);
	free(p);
}

bool
gates_unable(const struct live_set *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (atomic_load(&((const struct gate *)(const void *)
		    s->v[i])->unable))
			return true;
	return false;
}

void
gates_fini(void)
{
	struct gate_set *s;
	struct gate *g;
	size_t i;

	while ((s = STAILQ_FIRST(&gates.sets)) != NULL) {
		STAILQ_REMOVE_HEAD(&gates.sets, next);
		free(s->live);
		free(s);
	}
	while ((g = STAILQ_FIRST(&gates.all)) != NULL) {
		STAILQ_REMOVE_HEAD(&gates.all, next);
		for (i = 0; i < g->n; i++)
			watch_fini(&g->v[i]);
		free(g->v);
		free(g->tags);
		free(g->backend);
		free(g);
	}
}
