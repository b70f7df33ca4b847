/* SPDX-License-Identifier: PostgreSQL
 *
 * Partitions: is each remainder there once, and is each where it was said to
 * be?  Pure.
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

/* The first remainder of a period that no partition has, of the greatest
 * modulus there; false: none lacks, or there is no hash. */
static bool
survey_find_missing(struct survey *s, size_t period, unsigned *modulus,
    unsigned *first)
{
	const struct survey_place *p, *end = s->places + s->n_places;
	unsigned i;

	*modulus = 0;
	for (p = s->places; p < end; p++)
		if (p->period == period && p->modulus > *modulus)
			*modulus = p->modulus;
	for (i = 0; i < *modulus && i < CONF_MODULUS_MAX; i++) {
		for (p = s->places; p < end; p++)
			if (p->period == period && p->modulus > 0 &&
			    i % p->modulus == p->remainder)
				break;
		if (p == end) {
			*first = i;
			return true;
		}
	}
	return false;
}

/* PostgreSQL lets no two partitions share a remainder, but some may lack. */
void
survey_check_remainders(struct survey *s)
{
	size_t periods = s->n_periods > 0 ? s->n_periods : 1, i;
	unsigned modulus, first;

	if (s->n_places == 0 && s->variant->kind == VARIANT_SHARDED)
		survey_error(s, "expected partitions, found none");
	for (i = 0; i < periods && s->n_places > 0; i++)
		if (survey_find_missing(s, i, &modulus, &first))
			survey_error(s, "expected a partition for every "
			    "remainder of modulus %u, found none for "
			    "remainder %u", modulus, first);
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

	if (x->period != y->period)
		return x->period < y->period ? -1 : 1;
	if (x->remainder != y->remainder)
		return x->remainder < y->remainder ? -1 : 1;
	return x->modulus < y->modulus ? -1 : x->modulus > y->modulus;
}

static bool
survey_is_earlier(const struct conf_period *a, const struct conf_period *b)
{
	return a->is_default != b->is_default ? b->is_default :
	    a->lo < b->lo;
}

/* Place of a period in the order of time. */
static unsigned
survey_rank(const struct survey *s, size_t period)
{
	unsigned rank = 0;
	size_t i;

	for (i = 0; i < s->n_periods; i++)
		rank += survey_is_earlier(&s->periods[i], &s->periods[period]);
	return rank;
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

/* Some place would be asked directly. */
static bool
survey_wants_parts(const struct survey *s)
{
	size_t i;

	if (s->variant->kind == VARIANT_SHARDED || s->variant->target_leaf)
		return true;
	for (i = 0; i < s->n_places; i++)
		if (!s->places[i].local)
			return true;
	return false;
}

/* Parts can be told from each other. */
static bool
survey_has_parts(const struct survey *s)
{
	if (!survey_wants_parts(s))
		return false;
	if (s->variant->n_shards > 0) /* by hand: they stay as they are */
		return false;
	if (*s->facts.v[0].strategy == 'r' && !s->timed)
		return false;
	return (s->hashed == NULL || s->layout.n_keys > 0) &&
	    s->n_places > 0 && s->n_places <= CONF_MAX_SHARDS;
}

/* They fit together as routing wants them. */
static bool
survey_fits(const struct layout *l)
{
	struct conf_variant v = { .n_shards = l->n_shards,
		.n_periods = l->n_periods };
	bool fits;
	size_t i;

	v.shards = x_calloc(l->n_shards, sizeof(*v.shards));
	for (i = 0; i < l->n_shards; i++) {
		v.shards[i].modulus = l->shards[i].modulus;
		v.shards[i].remainder = l->shards[i].remainder;
		v.shards[i].period = l->shards[i].period;
	}
	fits = conf_variant_place(&v);
	conf_variant_fini(&v);
	return fits;
}

void
survey_shards(struct survey *s)
{
	struct layout *l = &s->layout;
	const struct survey_place *p;
	size_t i;

	if (!survey_has_parts(s))
		return;
	l->periods = x_calloc(s->n_periods, sizeof(*l->periods));
	l->n_periods = s->n_periods;
	for (i = 0; i < s->n_periods; i++)
		l->periods[survey_rank(s, i)] = s->periods[i];
	l->shards = x_calloc(s->n_places, sizeof(*l->shards));
	l->backends = x_calloc(s->n_places, sizeof(*l->backends));
	for (i = 0; i < s->n_places; i++) {
		p = &s->places[i];
		l->shards[l->n_shards++] = (struct layout_shard){
			x_strdup(p->backend), x_strdup(p->relation),
			p->modulus > 0 ? p->modulus : 1, p->remainder,
			s->n_periods > 0 ? survey_rank(s, p->period) : 0,
			survey_strdup(p->no_read), survey_strdup(p->no_write) };
		survey_add_backend(l, p);
	}
	qsort(l->shards, l->n_shards, sizeof(*l->shards), survey_order);
	if (!survey_fits(l))
		survey_error(s, "expected moduli with a common multiple of at "
		    "most %zu, found others", CONF_MODULUS_MAX /
		    (l->n_periods > 0 ? l->n_periods : 1));
}
