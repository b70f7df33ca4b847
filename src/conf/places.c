/* SPDX-License-Identifier: PostgreSQL
 *
 * Where rows of a rule's tables may be: the backends that can change what a
 * result depends on.
 *
 * A name that may mean more than one table stands for all of them.  Pure.
 */
#include <string.h>

#include "conf/conf.h"
#include "conf/ident.h"

struct places {
	const struct conf_rule *rule;
	void (*fn)(void *arg, const struct conf_place *p);
	void *arg;
};

static void
places_give(const struct places *x, const struct conf_place *like,
    const struct conf_backend *b, const char *relation)
{
	struct conf_place p = *like;

	p.backend = b;
	p.relation = relation;
	x->fn(x->arg, &p);
}

/* Every backend and relation of the variant in use. */
static void
places_routed(const struct places *x, const struct conf_place *like)
{
	const struct conf_variant *v = like->table->use;
	const struct conf_shard *s;
	size_t i;

	places_give(x, like, v->backend, v->relations[0].name);
	for (i = 0; i < v->n_spans; i++)
		places_give(x, like, v->spans[i].backend,
		    v->relations[0].name);
	for (s = v->shards; s < v->shards + v->n_shards; s++)
		places_give(x, like, s->backend,
		    v->relations[s->relation].name);
}

/* A statement runs where its routed tables are, and finds there whatever has
 * the name of one that is not routed. */
static void
places_anywhere(const struct places *x, const struct conf_database *d,
    const struct conf_rule *r, const struct conf_place *like)
{
	struct conf_place maybe = *like;
	const struct conf_variant *v;
	size_t i, k, m;

	maybe.maybe = true;
	for (i = 0; i < d->n_tables; i++) {
		v = d->tables[i]->use;
		if (v->n_rewrites > 0)
			places_give(x, &maybe, v->backend, like->named);
		for (m = 0; m < r->tables.n && !ident_is_table(r->tables.v[m],
		    d->tables[i]->schema, d->tables[i]->rel); m++)
			;
		if (m == r->tables.n)
			continue;
		places_give(x, &maybe, v->backend, like->named);
		for (k = 0; k < v->n_spans; k++)
			places_give(x, &maybe, v->spans[k].backend,
			    like->named);
		for (k = 0; k < v->n_shards; k++)
			places_give(x, &maybe, v->shards[k].backend,
			    like->named);
	}
}

static void
places_all(void *arg, const struct conf_database *d)
{
	const struct places *x = arg;
	const struct conf_rule *r = x->rule;
	struct conf_place p;
	size_t i, k;
	bool routed;

	for (i = 0; i < r->tables.n && !r->all; i++) {
		p = (struct conf_place){ .named = r->tables.v[i] };
		routed = false;
		for (k = 0; k < d->n_tables; k++) {
			if (!ident_is_table(p.named, d->tables[k]->schema,
			    d->tables[k]->rel))
				continue;
			p.table = d->tables[k];
			places_routed(x, &p);
			routed = true;
		}
		/* With its schema it can mean no other. */
		if (routed && ident_has_schema(p.named))
			continue;
		p.table = NULL;
		p.maybe = routed;
		places_give(x, &p, d->backend, p.named);
		places_anywhere(x, d, r, &p);
	}
}

void
conf_rule_places(const struct conf_database *d, const struct conf_rule *r,
    void (*fn)(void *arg, const struct conf_place *p), void *arg)
{
	struct places x = { r, fn, arg };

	places_all(&x, d);
	conf_each_view(d, places_all, &x);
}
