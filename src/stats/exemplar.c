/* SPDX-License-Identifier: PostgreSQL
 *
 * Exemplars of latency series.
 *
 * Slots are by power of two, so that a reader who asks by bounds of his own
 * finds one for most of them.
 */
#include "stats/exemplar.h"

#include <string.h>

#define SLOTS (HIST_POWERS + 1)

struct exemplar_slot {
	_Atomic uint32_t turn; /* odd: being written; 0: empty */
	_Atomic uint64_t trace[2], span, value, wall;
};

struct exemplars {
	struct exemplar_slot slot[SLOTS];
};

/* Who sees the new value sees the odd turn before it, too. */
static void
slot_set(_Atomic uint64_t *to, uint64_t v)
{
	atomic_store_explicit(to, v, memory_order_release);
}

/* The turn is looked at again after it. */
static uint64_t
slot_get(const _Atomic uint64_t *from)
{
	return atomic_load_explicit(from, memory_order_acquire);
}

void
exemplar_note(struct metrics *m, unsigned series, nsec_t elapsed,
    const struct exemplar *e)
{
	struct exemplars *all;
	struct exemplar_slot *s;
	uint32_t turn;

	CHECK(series < SERIES_MAX);
	all = atomic_load_explicit(&m->exemplars[series],
	    memory_order_relaxed);
	if (all == NULL) {
		all = x_calloc(1, sizeof(*all));
		atomic_store_explicit(&m->exemplars[series], all,
		    memory_order_release);
	}
	s = &all->slot[hist_bucket_of(elapsed) / HIST_SUB];
	turn = atomic_load_explicit(&s->turn, memory_order_relaxed);
	atomic_store_explicit(&s->turn, turn + 1, memory_order_relaxed);
	slot_set(&s->trace[0], e->trace[0]);
	slot_set(&s->trace[1], e->trace[1]);
	slot_set(&s->span, e->span);
	slot_set(&s->value, elapsed);
	slot_set(&s->wall, e->wall);
	atomic_store_explicit(&s->turn, turn + 2, memory_order_release);
}

/* false: empty, or it is being written. */
static bool
slot_read(const struct exemplar_slot *s, struct exemplar *out)
{
	uint32_t turn = atomic_load_explicit(&s->turn, memory_order_acquire);

	if (turn == 0 || turn % 2 == 1)
		return false;
	out->trace[0] = slot_get(&s->trace[0]);
	out->trace[1] = slot_get(&s->trace[1]);
	out->span = slot_get(&s->span);
	out->value = slot_get(&s->value);
	out->wall = slot_get(&s->wall);
	return atomic_load_explicit(&s->turn, memory_order_relaxed) == turn;
}

bool
exemplar_find(struct metrics *const *all, unsigned n, unsigned series,
    nsec_t low, nsec_t high, struct exemplar *out)
{
	const struct exemplars *of;
	struct exemplar e;
	bool found = false;
	unsigned i, k;

	CHECK(series < SERIES_MAX);
	for (i = 0; i < n; i++) {
		of = atomic_load_explicit(&all[i]->exemplars[series],
		    memory_order_acquire);
		for (k = 0; of != NULL && k < SLOTS; k++) {
			if (!slot_read(&of->slot[k], &e) || e.value <= low ||
			    e.value > high || (found && e.wall <= out->wall))
				continue;
			*out = e;
			found = true;
		}
	}
	return found;
}
