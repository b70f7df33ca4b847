/* SPDX-License-Identifier: PostgreSQL
 *
 * Can a statement be taken apart by shards?
 *
 * The analysis knows by the rows of which relations it can be divided
 * (an_split.drivers).  Here the rows are divided by the key: where a driver's
 * rows are those of one shard, what else do they meet?  A relation whose key is
 * equal to that of one that is divided already has no other rows that matter
 * than those of the same shard.  If that holds for all relations, each shard's
 * answer is its part of the whole.  Pure; runs once a shape.
 */
#include "route/route_priv.h"

static bool
apart_allows(const struct an_within *w, const char *column)
{
	if (!w->some)
		return true;
	for (size_t i = 0; i < w->n; i++) {
		if (strcmp(w->columns[i], column) == 0)
			return true;
	}
	return false;
}

/* The rows of relation i may be divided by their key. */
static bool
apart_is_within(const struct route_plan *p, const struct analysis *a,
    unsigned i)
{
	const struct conf_table *t = p->tables[i];

	for (size_t k = 0; k < t->n_keys; k++) {
		if (!apart_allows(&a->split->within[i], t->keys[k].column))
			return false;
	}
	return t->n_keys > 0;
}

/* ------------------------------------------------------------------- joins */

static bool
apart_equates(const struct an_pred *d, unsigned table, const char *column,
    unsigned other, const char *other_column)
{
	return (d->op == AN_EQ_COLUMN || d->op == AN_EQ_INNER) &&
	    d->table == table && d->other == other &&
	    strcmp(d->column, column) == 0 &&
	    strcmp(d->other_column, other_column) == 0;
}

/* Rows of relation i matter only with rows of relation k that have their key. */
static bool
apart_follows(const struct route_plan *p, const struct analysis *a,
    unsigned i, unsigned k)
{
	const struct conf_table *x = p->tables[i], *y = p->tables[k];
	size_t c, m;

	if (x->n_keys != y->n_keys)
		return false;
	for (c = 0; c < x->n_keys; c++) {
		for (m = 0; m < a->n_preds; m = an_pred_next(a->preds, m)) {
			const struct an_pred *d = &a->preds[m];

			if (!an_pred_is_group(d) && apart_equates(d, i,
			    x->keys[c].column, k, y->keys[c].column) &&
			    (d->op == AN_EQ_COLUMN || apart_is_within(p, a, i)))
				break;
		}
		if (m >= a->n_preds || !route_keys_agree(x->keys[c].type,
		    y->keys[c].type, false))
			return false;
	}
	return x->n_keys > 0;
}

/* The relations that are divided when those of a set are. */
static uint32_t
apart_closure(const struct route_plan *p, const struct analysis *a,
    uint32_t set)
{
	uint32_t before;

	do {
		before = set;
		for (unsigned i = 0; i < a->n_tables; i++) {
			for (unsigned k = 0; k < a->n_tables &&
			     (set & 1u << i) == 0; k++) {
				if ((before & 1u << k) != 0 &&
				    apart_follows(p, a, i, k))
					set |= 1u << i;
			}
		}
	} while (set != before);
	return set;
}

/* --------------------------------------------------------------- FULL JOIN */

/* The pair of columns stands in the ON, in either order. */
static bool
apart_full_has(const struct an_split *s, unsigned full, unsigned i,
    const char *column, unsigned k, const char *other)
{
	for (size_t m = 0; m < s->n_fulls; m++) {
		const struct an_full *f = &s->fulls[m];

		if (f->full != full)
			continue;
		if ((f->a == i && f->b == k && strcmp(f->a_column, column) == 0 &&
			strcmp(f->b_column, other) == 0) ||
		    (f->b == i && f->a == k && strcmp(f->b_column, column) == 0 &&
			strcmp(f->a_column, other) == 0))
			return true;
	}
	return false;
}

static bool
apart_full_joins(const struct route_plan *p, const struct an_split *s,
    unsigned full, unsigned i, unsigned k)
{
	const struct conf_table *x = p->tables[i], *y = p->tables[k];

	if (x->n_keys != y->n_keys)
		return false;
	for (size_t c = 0; c < x->n_keys; c++) {
		if (!apart_full_has(s, full, i, x->keys[c].column, k,
			y->keys[c].column) ||
		    !route_keys_agree(x->keys[c].type, y->keys[c].type, false))
			return false;
	}
	return x->n_keys > 0;
}

/* Two of the driver's relations are joined by their keys. */
static bool
apart_full(const struct route_plan *p, const struct analysis *a,
    const struct an_driver *d, unsigned full)
{
	for (unsigned i = 0; i < a->n_tables; i++) {
		for (unsigned k = i + 1; k < a->n_tables; k++) {
			if ((d->tables & 1u << i) != 0 &&
			    (d->tables & 1u << k) != 0 &&
			    apart_full_joins(p, a->split, full, i, k))
				return true;
		}
	}
	return false;
}

/* ------------------------------------------------------------------ public */

bool
route_apart(const struct route_plan *p, const struct analysis *a,
    const struct an_driver *d)
{
	uint32_t all = (1u << a->n_tables) - 1;

	for (unsigned i = 0; i < a->n_tables; i++) {
		if (p->tables[i] == NULL || ((d->tables & 1u << i) != 0 &&
			!apart_is_within(p, a, i)))
			return false;
	}
	for (unsigned i = 0; i < 32; i++) {
		if ((d->fulls & 1u << i) != 0 && !apart_full(p, a, d, i))
			return false;
	}
	return apart_closure(p, a, d->tables) == all;
}

static bool
apart_items_have(const struct an_item *items, size_t n, unsigned table,
    const char *column)
{
	for (size_t i = 0; i < n; i++) {
		if (items[i].of_table && items[i].table == table &&
		    (items[i].star || (items[i].of_column != NULL &&
			strcmp(items[i].of_column, column) == 0)))
			return true;
	}
	return false;
}

bool
route_apart_keys(const struct route_plan *p, const struct an_driver *d,
    const struct an_item *items, size_t n)
{
	for (unsigned i = 0; i < 32; i++) {
		if ((d->tables & 1u << i) == 0)
			continue;
		for (size_t k = 0; k < p->tables[i]->n_keys; k++) {
			if (!apart_items_have(items, n, i,
				p->tables[i]->keys[k].column))
				return false;
		}
	}
	return true;
}
