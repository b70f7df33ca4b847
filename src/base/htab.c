/* SPDX-License-Identifier: PostgreSQL
 *
 * Intrusive chained hash table.
 *
 * Owns its slots, never the nodes.  The low bits of the hash choose the slot,
 * so the hash must be well mixed and, where peers choose keys, keyed.  Load
 * stays at or under one node a slot, unless memory is short.  Runs on the
 * thread that owns the table.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/htab.h"

#define HTAB_FIRST 16 /* a power of two */

void
htab_init(struct htab *t)
{
	*t = (struct htab){ .slots = NULL };
}

void
htab_fini(struct htab *t)
{
	free(t->slots);
	htab_init(t);
}

static void
htab_resize(struct htab *t, size_t size)
{
	struct htab_node **slots = calloc(size, sizeof(*slots));
	struct htab_node *n, *next;
	size_t i;

	/* Without memory to grow it works on, with longer chains. */
	if (slots == NULL) {
		CHECK(t->slots != NULL);
		return;
	}
	for (i = 0; t->slots != NULL && i <= t->mask; i++) {
		for (n = t->slots[i]; n != NULL; n = next) {
			next = n->next;
			n->next = slots[n->hash & (size - 1)];
			slots[n->hash & (size - 1)] = n;
		}
	}
	free(t->slots);
	t->slots = slots;
	t->mask = size - 1;
}

void
htab_insert(struct htab *t, struct htab_node *n, uint64_t hash)
{
	struct htab_node **slot;

	if (t->slots == NULL)
		htab_resize(t, HTAB_FIRST);
	else if (t->count > t->mask)
		htab_resize(t, (t->mask + 1) * 2);
	slot = &t->slots[hash & t->mask];
	n->hash = hash;
	n->next = *slot;
	*slot = n;
	t->count++;
}

void
htab_remove(struct htab *t, struct htab_node *n)
{
	struct htab_node **at;

	CHECK(t->slots != NULL);
	for (at = &t->slots[n->hash & t->mask]; *at != n; at = &(*at)->next)
		CHECK(*at != NULL);
	*at = n->next;
	n->next = NULL;
	t->count--;
}

static struct htab_node *
htab_match(struct htab_node *n, uint64_t hash)
{
	while (n != NULL && n->hash != hash)
		n = n->next;
	return n;
}

struct htab_node *
htab_find(const struct htab *t, uint64_t hash)
{
	if (t->slots == NULL)
		return NULL;
	return htab_match(t->slots[hash & t->mask], hash);
}

struct htab_node *
htab_next(const struct htab_node *n)
{
	return htab_match(n->next, n->hash);
}

size_t
htab_some(struct htab *t, size_t slot, size_t n,
    void (*fn)(struct htab_node *, void *), void *arg)
{
	struct htab_node *at, *next;

	if (t->slots == NULL)
		return 0;
	for (; slot <= t->mask && n > 0; slot++, n--) {
		for (at = t->slots[slot]; at != NULL; at = next) {
			next = at->next;
			fn(at, arg);
		}
	}
	return slot <= t->mask ? slot : 0;
}

void
htab_each(struct htab *t, void (*fn)(struct htab_node *, void *), void *arg)
{
	(void)htab_some(t, 0, SIZE_MAX, fn, arg);
}
