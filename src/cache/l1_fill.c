/* SPDX-License-Identifier: PostgreSQL
 *
 * A running fill: its key and the sessions that wait for its result.
 *
 * Knows neither the store nor what a session is.  Runs under the stripe's
 * lock until it is out of the table; l1_fill_finish() is then the only user.
 * Invariants: a waiter leaves exactly once, by l1_fill_forget() or by being
 * woken; the number of waiters is bounded, since peers decide it.
 *
 * Waiters are kept in order of arrival.  Timeouts come in that order too, so
 * forgetting finds its waiter at the front in the case that matters; others
 * leave a gap that is closed when room is needed.
 */
#include <stdlib.h>

#include "cache/l1_priv.h"

#define L1_WAITERS_FIRST 4

struct l1_fill *
l1_fill_new(const struct cache_key *k)
{
	struct l1_fill *f;
	size_t n = k->sql.n;
	char *at;

	if (k->types.n > SIZE_MAX / 4 || k->bind.n > SIZE_MAX / 4 ||
	    n > SIZE_MAX / 4)
		return NULL;
	n += k->types.n + k->bind.n + k->name.n;
	f = malloc(sizeof(*f) + n);
	if (f == NULL)
		return NULL;
	*f = (struct l1_fill){ .key = *k };
	at = (char *)(f + 1);
	f->key.sql.p = at;
	f->key.types.p = at + k->sql.n;
	f->key.bind.p = at + k->sql.n + k->types.n;
	f->key.name.p = f->key.bind.p + k->bind.n;
	if (k->sql.n > 0)
		memcpy(at, k->sql.p, k->sql.n);
	if (k->types.n > 0)
		memcpy(at + k->sql.n, k->types.p, k->types.n);
	if (k->bind.n > 0)
		memcpy(at + k->sql.n + k->types.n, k->bind.p, k->bind.n);
	if (k->name.n > 0)
		memcpy(at + n - k->name.n, k->name.p, k->name.n);
	return f;
}

/* Close the gaps. */
static void
l1_fill_compact(struct l1_fill *f)
{
	size_t i, to = 0;

	for (i = f->first; i < f->end; i++)
		if (!f->slot[i].gone)
			f->slot[to++] = f->slot[i];
	f->first = 0;
	f->end = to;
	f->gone = 0;
}

static bool
l1_fill_reserve(struct l1_fill *f)
{
	size_t size = f->size > 0 ? f->size * 2 : L1_WAITERS_FIRST;
	struct l1_slot *slot;

	if (f->end < f->size)
		return true;
	/* Compacting only when it frees half keeps it cheap per waiter. */
	if (f->first + f->gone > f->size / 2 ||
	    (f->size == L1_WAITERS_MAX && f->first + f->gone > 0))
		l1_fill_compact(f);
	if (f->end < f->size)
		return true;
	if (size > L1_WAITERS_MAX)
		size = L1_WAITERS_MAX;
	if (size == f->size)
		return false;
	slot = realloc(f->slot, size * sizeof(*slot));
	if (slot == NULL)
		return false;
	f->slot = slot;
	f->size = size;
	return true;
}

bool
l1_fill_wait(struct l1_fill *f, struct l1_waiter w)
{
	if (!l1_fill_reserve(f))
		return false;
	f->slot[f->end++] = (struct l1_slot){ .waiter = w,
		.epoch = f->epoch };
	return true;
}

bool
l1_fill_forget(struct l1_fill *f, struct l1_waiter w)
{
	size_t i;

	for (i = f->first; i < f->end; i++) {
		struct l1_slot *s = &f->slot[i];

		if (s->gone || s->waiter.session != w.session ||
		    s->waiter.ticket != w.ticket ||
		    s->waiter.worker != w.worker)
			continue;
		s->gone = true;
		f->gone++;
		while (f->first < f->end && f->slot[f->first].gone) {
			f->first++;
			f->gone--;
		}
		return true;
	}
	return false;
}

unsigned
l1_fill_finish(struct l1_fill *f, struct object *o, l1_wake_cb wake,
    void *arg)
{
	unsigned given = 0;
	size_t i;

	for (i = f->first; wake != NULL && i < f->end; i++) {
		const struct l1_slot *s = &f->slot[i];
		bool gets = o != NULL && s->epoch == 0;

		if (s->gone)
			continue;
		given += gets;
		wake(arg, s->waiter, gets ? object_ref(o) : NULL);
	}
	free(f->slot);
	free(f);
	return given;
}
