/* SPDX-License-Identifier: PostgreSQL
 *
 * How the answers of several shards to a SELECT become one, if they can.
 *
 * By the shape, but for positions in GROUP BY, which are literals.  Pure.
 */
#include <stdlib.h>

#include "route/gather_priv.h"

static const char *const mode_docs[] = {
#define GATHER_MODE(sym, name, doc) [GATHER_##sym] = doc,
#include "tbl/gather_modes.h"
};

const char *
gather_mode_doc(enum gather_mode m)
{
	return m == GATHER_NONE ? "" : mode_docs[m];
}

bool
gather_is_other(const struct an_item *target, const char *name)
{
	return target->name != NULL && strcmp(target->name, name) == 0 &&
	    (target->column == NULL || strcmp(target->column, name) != 0);
}

bool
gather_parse_count(struct slice s, int64_t *out)
{
	int64_t n = 0;

	if (s.n == 0 || s.n > 18)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (s.p[i] - '0');
	}
	*out = n;
	return true;
}

size_t
gather_counted(const struct an_split *s)
{
	size_t i;

	for (i = 0; i < s->n_targets && !s->targets[i].star; i++)
		;
	return i;
}

size_t
gather_position(const struct an_item *item, const struct route_values *v)
{
	const struct cut *c = &v->lx->cuts[item->cut];
	int64_t n;

	if (!gather_parse_count(slice_make(v->sql.p + c->pos, c->len), &n) ||
	    n < 1 || n > 1600)
		return SIZE_MAX;
	return (size_t)n - 1;
}

/* What a group is made by: a position stands for a column of the result, where
 * it is known which. The other names of the result are no columns. */
static const struct an_item *
gather_grouped(const struct an_split *s, const struct an_item *g,
    const struct route_values *v)
{
	size_t at;

	if (g->ordinal) {
		at = gather_position(g, v);
		return at < gather_counted(s) ? &s->targets[at] : NULL;
	}
	for (size_t i = 0; g->column != NULL && !g->qualified &&
	     i < s->n_targets; i++) {
		if (gather_is_other(&s->targets[i], g->column))
			return NULL;
	}
	return g;
}

/* No two shards can have rows of one group. v NULL: positions may be the
 * key's. */
static bool
gather_groups_by_key(const struct route_plan *p, const struct an_split *s,
    const struct an_driver *d, const struct route_values *v)
{
	struct an_item *items = calloc(s->n_groups + 1, sizeof(*items));
	const struct an_item *item;
	size_t n = 0;
	bool ok, open = false;

	for (size_t i = 0; items != NULL && i < s->n_groups; i++) {
		if (v == NULL && s->groups[i].ordinal)
			open = true;
		else if ((item = gather_grouped(s, &s->groups[i], v)) != NULL)
			items[n++] = *item;
	}
	ok = items != NULL && (open || route_apart_keys(p, d, items, n));
	free(items);
	return ok;
}

/* For one way to take it apart. */
static enum gather_mode
gather_mode_by(const struct route_plan *p, const struct an_split *s,
    const struct an_driver *d, const struct route_values *v)
{
	bool again = s->n_orders > 0 || s->has_limit || s->has_offset ||
	    (s->n_ons > 0 && !route_apart_keys(p, d, s->ons, s->n_ons));

	/* HAVING alone makes one group of all rows, which no shard would see. */
	if (s->has_having && s->n_groups == 0 && s->n_aggs == 0)
		return GATHER_NONE;
	if (s->aggregated) {
		if (gather_groups_by_key(p, s, d, v))
			return again || s->distinct ? GATHER_SORT :
			    GATHER_ROWS;
		return s->other_aggs || s->distinct || s->windows ||
		    s->n_ons > 0 ? GATHER_NONE : GATHER_GROUP;
	}
	/* Rows of two shards are never alike if they show the key. */
	if (s->distinct && (s->united || !route_apart_keys(p, d, s->targets,
	    s->n_targets)))
		return GATHER_SORT;
	return again ? GATHER_SORT : GATHER_ROWS;
}

/* The best of all ways: where no group has parts on several shards, there is
 * nothing to be added up. */
enum gather_mode
gather_mode_for(const struct route_plan *p, const struct analysis *a,
    const struct route_values *v, uint32_t *drivers)
{
	const struct an_split *s = a->split;
	enum gather_mode best = GATHER_NONE, m;

	for (size_t i = 0; i < s->n_drivers; i++) {
		if (!route_apart(p, a, &s->drivers[i]))
			continue;
		m = gather_mode_by(p, s, &s->drivers[i], v);
		if (m == GATHER_NONE || (best != GATHER_NONE &&
		    best != GATHER_GROUP))
			continue;
		best = m;
		*drivers = s->drivers[i].tables;
	}
	return best;
}

enum gather_mode
gather_mode_of(struct route_plan *p, const struct analysis *a)
{
	const uint32_t never = AN_MULTI | AN_UNKNOWN_FN | AN_WRITES |
	    AN_WRITES_ALL | AN_CATALOG | AN_VOLATILE | AN_READONLY_FN |
	    AN_LOCKING | AN_TABLESAMPLE;

	if (p->variant->kind != VARIANT_SHARDED || p->variant->n_shards < 2 ||
	    a->kind != STMT_SELECT || a->split == NULL || a->pins != 0 ||
	    (a->flags & never) != 0)
		return GATHER_NONE;
	return gather_mode_for(p, a, NULL, &p->drivers);
}
