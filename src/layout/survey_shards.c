/* SPDX-License-Identifier: PostgreSQL
 *
 * Hash partitions: is each remainder there once, and is each partition where
 * it was said to be?  Pure.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/ident.h"
#include "layout/survey.h"

void
survey_check_doubles(struct survey *s)
{
	const struct survey_place *a, *b, *end = s->places + s->n_places;

	for (a = s->places; a < end; a++)
		for (b = s->places; b < a; b++)
			if (strcmp(a->backend, b->backend) == 0 &&
			    strcmp(a->relation, b->relation) == 0)
				survey_error(s, "expected a table of its own "
				    "for each partition, found %s on backend "
				    "\"%s\" for %s and for %s", a->relation,
				    a->backend, b->fact->rel_name,
				    a->fact->rel_name);
}

/* PostgreSQL lets no two partitions share a remainder, but some may lack. */
void
survey_check_remainders(struct survey *s)
{
	const struct survey_place *p, *end = s->places + s->n_places;
	unsigned modulus = 0, i, missing = 0, first = 0;

	for (p = s->places; p < end; p++)
		if (p->modulus > modulus)
			modulus = p->modulus;
	if (modulus > CONF_MODULUS_MAX) {
		survey_error(s, "expected a modulus of at most %u, found %u",
		    CONF_MODULUS_MAX, modulus);
		return;
	}
	for (i = 0; i < modulus; i++) {
		for (p = s->places; p < end; p++)
			if (i % p->modulus == p->remainder)
				break;
		if (p == end && missing++ == 0)
			first = i;
	}
	if (modulus == 0)
		survey_error(s, "expected partitions, found none");
	if (missing > 0)
		survey_error(s, "expected a partition for every remainder of "
		    "modulus %u, found none for remainder %u%s", modulus,
		    first, missing > 1 ? " and others" : "");
}

/* A hash partition against the shard that was written down for it. */
static void
survey_check_shard(struct survey *s, const struct survey_place *p)
{
	const struct conf_variant *v = s->variant;
	const struct conf_shard *shard = &v->shards[p->remainder];
	const char *relation = v->relations[shard->relation].sql;
	char *address;
	bool elsewhere;

	if (!p->local && survey_is_backend(s, p->fact, shard->backend)) {
		if (strcmp(relation, p->relation) == 0 ||
		    !ident_has_schema(v->relations[shard->relation].name))
			return;
		survey_error(s, "shard_relation: expected %s for remainder "
		    "%u, found %s", relation, p->remainder, p->relation);
		survey_contradict(s);
		return;
	}
	/* It may be known to the coordinator by another address. */
	elsewhere = p->local || p->conninfo == NULL;
	address = p->local ? x_strdup(p->relation) :
	    survey_address_text(p->fact);
	(elsewhere ? survey_error : survey_note)(s, "shards: expected backend "
	    "\"%s\" for remainder %u, found %s \"%s\" (%s)",
	    shard->backend->name, p->remainder, p->local ?
	    "a local partition on" : p->conninfo == NULL ? "backend" :
	    "foreign server", p->conninfo == NULL ? p->backend :
	    p->fact->server, address);
	free(address);
	if (elsewhere)
		survey_contradict(s);
}

void
survey_check_shards(struct survey *s)
{
	const struct conf_variant *v = s->variant;
	size_t i;

	if (v->n_shards == 0)
		return;
	for (i = 0; i < s->n_places; i++)
		if (s->places[i].modulus != v->n_shards) {
			survey_error(s, "shards: expected modulus %zu, found "
			    "%u (%s)", v->n_shards, s->places[i].modulus,
			    s->places[i].fact->rel_name);
			survey_contradict(s);
			return;
		}
	for (i = 0; i < s->n_places; i++)
		survey_check_shard(s, &s->places[i]);
}

static int
survey_order(const void *a, const void *b)
{
	const struct layout_shard *x = a, *y = b;

	if (x->remainder != y->remainder)
		return x->remainder < y->remainder ? -1 : 1;
	return x->modulus < y->modulus ? -1 : x->modulus > y->modulus;
}

static char *
survey_strdup(const char *s)
{
	return s != NULL ? x_strdup(s) : NULL;
}

static void
survey_add_backend(struct layout *l, const struct survey_place *p)
{
	size_t i;

	if (p->conninfo == NULL)
		return;
	for (i = 0; i < l->n_backends; i++)
		if (strcmp(l->backends[i].name, p->backend) == 0)
			return;
	l->backends[l->n_backends++] = (struct layout_backend){
		x_strdup(p->backend), x_strdup(p->conninfo) };
}

void
survey_shards(struct survey *s)
{
	struct layout *l = &s->layout;
	const struct survey_place *p;
	size_t i;

	/* By hand: checked, and left as it is. */
	if (s->variant->n_shards > 0 || l->n_keys == 0)
		return;
	l->shards = x_calloc(s->n_places, sizeof(*l->shards));
	l->backends = x_calloc(s->n_places, sizeof(*l->backends));
	for (i = 0; i < s->n_places; i++) {
		p = &s->places[i];
		l->shards[l->n_shards++] = (struct layout_shard){
			x_strdup(p->backend), x_strdup(p->relation),
			p->modulus, p->remainder, survey_strdup(p->no_read),
			survey_strdup(p->no_write) };
		survey_add_backend(l, p);
	}
	qsort(l->shards, l->n_shards, sizeof(*l->shards), survey_order);
}
