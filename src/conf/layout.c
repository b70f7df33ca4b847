/* SPDX-License-Identifier: PostgreSQL
 *
 * Sets of layouts: life, comparison, and their way into a configuration.
 *
 * A layout that does not fit the configuration (a backend that is gone) is
 * left out as a whole: the variant is then served by its coordinator, which
 * is always right.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"
#include "conf/layout.h"

/* ------------------------------------------------------------ life */

void
layout_fini(struct layout *l)
{
	size_t i;

	for (i = 0; i < l->n_shards; i++) {
		free(l->shards[i].backend);
		free(l->shards[i].relation);
		free(l->shards[i].no_read);
		free(l->shards[i].no_write);
	}
	for (i = 0; i < l->n_backends; i++) {
		free(l->backends[i].name);
		free(l->backends[i].conninfo);
	}
	free(l->shards);
	free(l->periods);
	free(l->backends);
	for (i = 0; i < l->n_keys; i++)
		free(l->keys[i].column);
	free(l->keys);
	free(l->time_column);
	free(l->columns);
	memset(l, 0, sizeof(*l));
}

static char *
layout_strdup(const char *s)
{
	return s != NULL ? x_strdup(s) : NULL;
}

static struct conf_key *
layout_copy_keys(const struct conf_key *from, size_t n)
{
	struct conf_key *to = x_calloc(n, sizeof(*to));
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = (struct conf_key){ x_strdup(from[i].column),
			from[i].type };
	return to;
}

static struct conf_period *
layout_copy_periods(const struct conf_period *from, size_t n)
{
	struct conf_period *to = x_calloc(n, sizeof(*to));

	if (n > 0)
		memcpy(to, from, n * sizeof(*to));
	return to;
}

void
layout_copy(struct layout *to, const struct layout *from)
{
	const struct layout_shard *s;
	size_t i;

	*to = *from;
	to->keys = layout_copy_keys(from->keys, from->n_keys);
	to->time_column = layout_strdup(from->time_column);
	to->columns = layout_strdup(from->columns);
	to->shards = x_calloc(from->n_shards, sizeof(*to->shards));
	for (i = 0; i < from->n_shards; i++) {
		s = &from->shards[i];
		to->shards[i] = (struct layout_shard){ x_strdup(s->backend),
			x_strdup(s->relation), s->modulus, s->remainder,
			s->period,
			layout_strdup(s->no_read), layout_strdup(s->no_write) };
	}
	to->periods = layout_copy_periods(from->periods, from->n_periods);
	to->backends = x_calloc(from->n_backends, sizeof(*to->backends));
	for (i = 0; i < from->n_backends; i++)
		to->backends[i] = (struct layout_backend){
			x_strdup(from->backends[i].name),
			x_strdup(from->backends[i].conninfo) };
}

struct conf_layouts *
conf_layouts_new(size_t n, size_t n_tag_keys)
{
	struct conf_layouts *l = x_calloc(1, sizeof(*l) + n * sizeof(l->v[0]));

	atomic_init(&l->refs, 1);
	l->n = n;
	l->tag_keys = x_calloc(n_tag_keys, sizeof(*l->tag_keys));
	return l;
}

void
conf_layouts_ref(struct conf_layouts *l)
{
	CHECK(atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed) >
	    0);
}

void
conf_layouts_unref(struct conf_layouts **lp)
{
	struct conf_layouts *l = *lp;
	size_t i;

	*lp = NULL;
	if (l == NULL || atomic_fetch_sub_explicit(&l->refs, 1,
	    memory_order_acq_rel) > 1)
		return;
	for (i = 0; i < l->n; i++)
		layout_fini(&l->v[i]);
	free(l->tag_keys);
	free(l);
}

/* ------------------------------------------------------------ comparing */

static bool
layout_str_eq(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
layout_shard_eq(const struct layout_shard *a, const struct layout_shard *b)
{
	return a->modulus == b->modulus && a->remainder == b->remainder &&
	    a->period == b->period &&
	    strcmp(a->backend, b->backend) == 0 &&
	    strcmp(a->relation, b->relation) == 0 &&
	    layout_str_eq(a->no_read, b->no_read) &&
	    layout_str_eq(a->no_write, b->no_write);
}

static bool
layout_keys_eq(const struct conf_key *a, size_t na, const struct conf_key *b,
    size_t nb)
{
	size_t i;

	if (na != nb)
		return false;
	for (i = 0; i < na; i++)
		if (a[i].type != b[i].type ||
		    strcmp(a[i].column, b[i].column) != 0)
			return false;
	return true;
}

static bool
layout_periods_eq(const struct layout *a, const struct layout *b)
{
	size_t i;

	if (a->n_periods != b->n_periods)
		return false;
	for (i = 0; i < a->n_periods; i++)
		if (a->periods[i].lo != b->periods[i].lo ||
		    a->periods[i].hi != b->periods[i].hi ||
		    a->periods[i].is_default != b->periods[i].is_default)
			return false;
	return true;
}

bool
layout_eq(const struct layout *a, const struct layout *b)
{
	size_t i;

	if (!hash_eq(a->origin, b->origin) ||
	    !layout_keys_eq(a->keys, a->n_keys, b->keys, b->n_keys) ||
	    !layout_str_eq(a->time_column, b->time_column) ||
	    !layout_str_eq(a->columns, b->columns) ||
	    a->id_timed != b->id_timed || a->id_lo != b->id_lo ||
	    a->id_hi != b->id_hi ||
	    a->sorts_text != b->sorts_text ||
	    a->refuted != b->refuted || a->n_shards != b->n_shards ||
	    !layout_periods_eq(a, b) ||
	    a->n_backends != b->n_backends)
		return false;
	for (i = 0; i < a->n_shards; i++)
		if (!layout_shard_eq(&a->shards[i], &b->shards[i]))
			return false;
	for (i = 0; i < a->n_backends; i++)
		if (strcmp(a->backends[i].name, b->backends[i].name) != 0 ||
		    strcmp(a->backends[i].conninfo,
		    b->backends[i].conninfo) != 0)
			return false;
	return true;
}

static bool
layout_tag_keys_eq(const struct conf_layouts *a, const struct conf_layouts *b)
{
	size_t i, n = a != NULL ? a->n_tag_keys : 0;

	if (n != (b != NULL ? b->n_tag_keys : 0))
		return false;
	for (i = 0; i < n; i++)
		if (!hash_eq(a->tag_keys[i].origin, b->tag_keys[i].origin) ||
		    a->tag_keys[i].type != b->tag_keys[i].type)
			return false;
	return true;
}

bool
conf_layouts_eq(const struct conf_layouts *a, const struct conf_layouts *b)
{
	size_t i, n = a != NULL ? a->n : 0;

	if (n != (b != NULL ? b->n : 0) || !layout_tag_keys_eq(a, b))
		return false;
	for (i = 0; i < n; i++)
		if (!layout_eq(&a->v[i], &b->v[i]))
			return false;
	return true;
}

/* ------------------------------------------------------------ origin */

struct hash128
conf_layout_origin(const struct conf_table *t, const struct conf_variant *v)
{
	struct hash128 h = { (uint64_t)v->kind, t->n_databases };
	size_t i;

	h = hash_mix_text(h, t->name);
	for (i = 0; i < t->n_databases; i++)
		h = hash_mix_text(h, t->databases[i]->name);
	h = hash_mix_text(h, v->name);
	h = hash_mix_text(h, v->backend->name);
	h = hash_mix_text(h, v->backend->conninfo);
	return hash_mix_text(h, v->relations[0].sql);
}

const struct layout *
conf_layout_find(const struct conf_layouts *l, struct hash128 origin)
{
	size_t i;

	for (i = 0; l != NULL && i < l->n; i++)
		if (hash_eq(l->v[i].origin, origin))
			return &l->v[i];
	return NULL;
}

struct conf_layouts *
conf_layouts_of(const struct conf *c)
{
	return c->layouts;
}

/* ------------------------------------------------------------ use */

static bool
layout_fits(const struct conf *c, const struct layout *l)
{
	size_t i;

	if (l->n_shards > CONF_MAX_SHARDS)
		return false;
	for (i = 0; i < l->n_shards; i++)
		if (conf_find_backend(c, l->shards[i].backend) == NULL)
			return false;
	/* The name may be another one's by now. */
	for (i = 0; i < l->n_backends; i++)
		if (strcmp(conf_find_backend(c, l->backends[i].name)->written,
		    l->backends[i].conninfo) != 0)
			return false;
	return true;
}

static void
layout_forget_shards(struct conf_variant *v)
{
	free(v->shards);
	v->shards = NULL;
	free(v->periods);
	v->periods = NULL;
	v->n_shards = v->n_periods = 0;
	v->modulus = 0;
}

/* Backends of layouts stand behind the configured ones. */
static bool
layout_by_hand(const struct conf *c, const struct conf_backend *b)
{
	size_t i, k;

	for (i = 0; i < c->layouts->n; i++)
		for (k = 0; k < c->layouts->v[i].n_backends; k++)
			if (strcmp(c->layouts->v[i].backends[k].name,
			    b->name) == 0)
				return false;
	return true;
}

static void
layout_use_shards(const struct conf *c, struct conf_variant *v,
    const struct layout *l)
{
	const struct layout_shard *s;
	size_t i;

	v->shards = x_calloc(l->n_shards, sizeof(*v->shards));
	v->n_shards = l->n_shards;
	for (i = 0; i < l->n_shards; i++) {
		s = &l->shards[i];
		v->shards[i] = (struct conf_shard){
			conf_find_backend(c, s->backend),
			conf_variant_relation(v, s->relation), s->modulus,
			s->remainder, s->period, s->no_read, s->no_write };
	}
	/* Backends that the catalogs named are like the one that named them. */
	for (i = 0; i < v->n_shards; i++)
		v->shards[i].backend->feed |= v->backend->feed &&
		    !layout_by_hand(c, v->shards[i].backend);
	v->periods = layout_copy_periods(l->periods, l->n_periods);
	v->n_periods = l->n_periods;
	if (!conf_variant_place(v))
		layout_forget_shards(v);
}

static void
layout_use(const struct conf *c, struct conf_table *t, struct conf_variant *v,
    const struct layout *l)
{
	if (l->refuted) {
		layout_forget_shards(v);
		v->refuted = true;
		return;
	}
	v->columns = l->columns;
	v->sorts_text = l->sorts_text;
	if (t->time_column == NULL && l->time_column != NULL)
		t->time_column = x_strdup(l->time_column);
	v->id_timed = l->id_timed && t->time_column != NULL &&
	    (l->time_column == NULL ||
	    strcmp(t->time_column, l->time_column) == 0);
	v->id_lo = l->id_lo;
	v->id_hi = l->id_hi;
	if (t->n_keys == 0 && l->n_keys > 0) {
		t->keys = layout_copy_keys(l->keys, l->n_keys);
		t->n_keys = l->n_keys;
	}
	if (v->n_shards == 0 && l->n_shards > 0 && layout_fits(c, l) &&
	    (l->n_keys == 0 || layout_keys_eq(t->keys, t->n_keys, l->keys,
	    l->n_keys)) && (l->n_periods == 0 ||
	    layout_str_eq(t->time_column, l->time_column)))
		layout_use_shards(c, v, l);
}

size_t
conf_layout_backends(const struct conf *c)
{
	size_t n = 0, i;

	for (i = 0; c->layouts != NULL && i < c->layouts->n; i++)
		n += c->layouts->v[i].n_backends;
	return n;
}

static void
layout_take_backends(struct conf *c)
{
	const struct layout *l;
	const struct layout_backend *from;
	struct conf_backend *b;
	size_t i, k;

	for (i = 0; c->layouts != NULL && i < c->layouts->n; i++) {
		l = &c->layouts->v[i];
		for (k = 0; k < l->n_backends; k++) {
			from = &l->backends[k];
			if (conf_find_backend(c, from->name) != NULL)
				continue;
			b = &c->backends[c->n_backends];
			b->id = (unsigned)c->n_backends++;
			b->name = x_strdup(from->name);
			b->written = x_strdup(from->conninfo);
			b->conninfo = conf_whole_conninfo(c, from->conninfo);
			b->reserve_pool_size = c->reserve_pool_size;
			b->max_db_connections = c->max_db_connections;
		}
	}
}

static void
layout_use_tag_keys(struct conf *c)
{
	const struct layout_tag_key *found;
	struct conf_tag_key *k;

	for (k = c->tag_keys; k < c->tag_keys + c->n_tag_keys; k++) {
		found = conf_tag_key_vouched(c->layouts,
		    conf_tag_key_origin(c, k));
		k->known = found != NULL;
		if (found != NULL)
			k->type = found->type;
	}
}

void
conf_use_layouts(struct conf *c)
{
	const struct layout *l;
	struct conf_variant *v;
	struct conf_table *t;
	size_t i, k;

	if (c->layouts == NULL)
		return;
	layout_take_backends(c);
	layout_use_tag_keys(c);
	for (i = 0; i < c->n_tables; i++) {
		t = &c->tables[i];
		/* The one in use first: its key and time column count. */
		for (k = 0; k <= t->n_variants; k++) {
			v = k == 0 ? t->use : &t->variants[k - 1];
			if (k > 0 && v == t->use)
				continue;
			l = conf_layout_find(c->layouts,
			    conf_layout_origin(t, v));
			if (l != NULL)
				layout_use(c, t, v, l);
		}
	}
}
