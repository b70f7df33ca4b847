/* SPDX-License-Identifier: PostgreSQL
 *
 * S3-FIFO eviction of one stripe: a small queue for what is new, a main queue
 * for what was used again, a ghost table of what was evicted from the small
 * one.  A scan passes through the small queue and leaves the main one alone.
 *
 * Knows sizes, ages and hits; neither table nor locks.  Runs under the
 * stripe's lock.  Invariants: bytes[] and objects[] are exactly the sums over
 * the queues; an entry is in a queue if and only if it has an object.
 *
 * The ghost is a table of fingerprints, each with the count of evictions at
 * its time; an entry that is older than as many evictions as the main queue
 * has objects is forgotten without being touched.  Its memory is fixed, under
 * 0.3 % of the budget, and not counted in it.
 */
#include <stdlib.h>

#include "base/check.h"
#include "cache/l1_priv.h"

#define GHOST_MIN 64
#define GHOST_MAX 16384
#define GHOST_OBJECT 4096 /* one slot for so many bytes of the share */

static void
l1_ghost_resize(struct l1_fifo *f)
{
	size_t n = GHOST_MIN;

	while (n < GHOST_MAX && n < f->share / GHOST_OBJECT)
		n *= 2;
	if (f->ghost != NULL && n == f->ghost_mask + 1)
		return;
	free(f->ghost);
	f->ghost = x_calloc(n, sizeof(*f->ghost));
	f->ghost_mask = n - 1;
}

void
l1_fifo_init(struct l1_fifo *f, size_t share)
{
	*f = (struct l1_fifo){ .share = share };
	TAILQ_INIT(&f->queue[L1_SMALL]);
	TAILQ_INIT(&f->queue[L1_MAIN]);
	l1_ghost_resize(f);
}

void
l1_fifo_fini(struct l1_fifo *f)
{
	CHECK(l1_fifo_bytes(f) == 0);
	free(f->ghost);
	f->ghost = NULL;
}

void
l1_fifo_set_share(struct l1_fifo *f, size_t share)
{
	f->share = share;
	l1_ghost_resize(f);
}

static bool
l1_ghost_has(const struct l1_fifo *f, const struct hash128 *h)
{
	const struct l1_ghost *g = &f->ghost[h->lo & f->ghost_mask];

	return g->seq != 0 && g->print == (uint32_t)h->hi &&
	    f->ghost_seq - g->seq <= f->objects[L1_MAIN];
}

void
l1_fifo_remember(struct l1_fifo *f, const struct hash128 *h)
{
	f->ghost_seq++;
	f->ghost[h->lo & f->ghost_mask] = (struct l1_ghost){
		.print = (uint32_t)h->hi,
		.seq = f->ghost_seq,
	};
}

static void
l1_fifo_push(struct l1_fifo *f, struct l1_entry *e, enum l1_queue q)
{
	e->queue = (uint8_t)q;
	TAILQ_INSERT_HEAD(&f->queue[q], e, link);
	f->bytes[q] += l1_cost(e->obj);
	f->objects[q]++;
}

void
l1_fifo_add(struct l1_fifo *f, struct l1_entry *e, bool into_main)
{
	into_main = into_main || l1_ghost_has(f, &e->obj->key.hash);
	l1_fifo_push(f, e, into_main ? L1_MAIN : L1_SMALL);
}

void
l1_fifo_remove(struct l1_fifo *f, struct l1_entry *e)
{
	size_t cost = l1_cost(e->obj);

	CHECK(f->objects[e->queue] > 0 && f->bytes[e->queue] >= cost);
	TAILQ_REMOVE(&f->queue[e->queue], e, link);
	f->bytes[e->queue] -= cost;
	f->objects[e->queue]--;
}

struct l1_entry *
l1_fifo_victim(struct l1_fifo *f, nsec_t now)
{
	/* Ends: every turn moves an entry from small to main for good or takes
	 * a hit off an entry of main. */
	for (;;) {
		bool from_small = !TAILQ_EMPTY(&f->queue[L1_SMALL]) &&
		    (f->bytes[L1_SMALL] >= f->share / 10 ||
		    TAILQ_EMPTY(&f->queue[L1_MAIN]));
		enum l1_queue q = from_small ? L1_SMALL : L1_MAIN;
		struct l1_entry *e = TAILQ_LAST(&f->queue[q], l1_entries);
		bool dead;

		if (e == NULL)
			return NULL;
		dead = object_is_over(e->obj, now) || !object_current(e->obj);
		l1_fifo_remove(f, e);
		if (dead)
			return e;
		if (e->freq == 0) {
			if (from_small)
				l1_fifo_remember(f, &e->obj->key.hash);
			return e;
		}
		/* The insertion was the first use, so one hit is a second. */
		e->freq = from_small ? 0 : (uint8_t)(e->freq - 1);
		l1_fifo_push(f, e, L1_MAIN);
	}
}
