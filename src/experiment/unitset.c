/* SPDX-License-Identifier: PostgreSQL
 *
 * Sets of units.  An entry is a unit's high bits, a bit that is always set, and
 * the arm; a unit on two arms has two entries.
 */
#include "experiment/unitset.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SLOTS 65536u
#define TAKEN UINT64_C(8)
#define UNIT_BITS (~(UNITSET_ARM | TAKEN))

struct unitset {
	_Atomic unsigned n;
	_Atomic uint64_t slot[SLOTS];
};

struct unitset *
unitset_new(void)
{
	return x_calloc(1, sizeof(struct unitset));
}

void
unitset_free(struct unitset **s)
{
	free(*s);
	*s = NULL;
}

void
unitset_add(struct unitset *s, uint64_t unit, unsigned arm)
{
	uint64_t entry = (unit & UNIT_BITS) | TAKEN | arm, there;
	unsigned i = (unsigned)(unit >> 48);
	unsigned n;

	CHECK(arm < ARMS_MAX);
	for (;; i = (i + 1) % SLOTS) {
		there = atomic_load_explicit(&s->slot[i],
		    memory_order_relaxed);
		if (there == entry)
			return;
		if (there == 0)
			break;
	}
	n = atomic_load_explicit(&s->n, memory_order_relaxed);
	if (n >= UNITSET_MAX)
		return;
	atomic_store_explicit(&s->slot[i], entry, memory_order_relaxed);
	atomic_store_explicit(&s->n, n + 1, memory_order_relaxed);
}

static int
unitset_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static size_t
unitset_collect(const struct unitset *s, uint64_t *out, size_t room)
{
	size_t n = 0;
	unsigned i;

	for (i = 0; i < SLOTS && n < room; i++) {
		out[n] = atomic_load_explicit(&s->slot[i],
		    memory_order_relaxed);
		n += out[n] != 0;
	}
	return n;
}

size_t
unitset_list(struct unitset *const *sets, unsigned n_sets, uint64_t **out)
{
	uint64_t *all = x_calloc((size_t)n_sets * UNITSET_MAX + 1,
	    sizeof(*all));
	size_t total = 0, n = 0, i;
	unsigned k;

	for (k = 0; k < n_sets; k++)
		total += unitset_collect(sets[k], all + total, UNITSET_MAX);
	qsort(all, total, sizeof(*all), unitset_order);
	for (i = 0; i < total; i++)
		if (n == 0 || all[i] != all[n - 1])
			all[n++] = all[i];
	*out = all;
	return n;
}

bool
unitset_count(struct unitset *const *sets, unsigned n_sets,
    uint64_t n[ARMS_MAX], uint64_t *moved)
{
	size_t total, i, end;
	bool room = true;
	uint64_t *all;
	unsigned k;

	*moved = 0;
	for (k = 0; k < ARMS_MAX; k++)
		n[k] = 0;
	for (k = 0; k < n_sets; k++)
		room = room && atomic_load_explicit(&sets[k]->n,
		    memory_order_relaxed) < UNITSET_MAX;
	total = unitset_list(sets, n_sets, &all);
	for (i = 0; i < total; i = end) {
		end = i + 1;
		while (end < total && (all[end] & UNIT_BITS) ==
		    (all[i] & UNIT_BITS))
			end++;
		if (end == i + 1)
			n[all[i] & UNITSET_ARM]++;
		else
			++*moved;
	}
	free(all);
	return room;
}
