/* SPDX-License-Identifier: PostgreSQL
 *
 * Generations of names in Redis, and whose changes are under way.
 *
 * Knows neither Redis nor results.  Invariants: generations and epochs only
 * grow; of what Redis tells of a name, each word raises its generation or
 * comes while the name is somebody's own, and who ends that sees by the count
 * of words that there was one.  The order of the two sides, each a write
 * before a read, is what that rests on: all of these are sequentially
 * consistent.
 */
#include <stdatomic.h>

#include "base/hash.h"
#include "cache/track.h"

struct track_slot {
	_Atomic uint64_t gen;
	_Atomic uint64_t own;  /* key of the name that is, 0: none */
	_Atomic uint32_t told; /* words about names of the slot */
};

static struct track_slot track_slots[TRACK_SLOTS];
static _Atomic uint64_t track_epoch;
static atomic_bool track_on, track_wanted;
static _Atomic uint64_t track_n_told, track_n_dropped;

/* Clients choose parts of names, so that it is keyed. */
static uint64_t
track_key(struct slice name)
{
	return hash_bytes(name.p, name.n).lo | 1;
}

static uint32_t
track_slot_of(uint64_t key)
{
	return (uint32_t)(key >> 32) % TRACK_SLOTS;
}

void
track_record(struct track_mark *m, struct slice name)
{
	m->used = true;
	m->slot = track_slot_of(track_key(name));
	m->gen = atomic_load_explicit(&track_slots[m->slot].gen,
	    memory_order_acquire);
	m->epoch = atomic_load_explicit(&track_epoch, memory_order_acquire);
}

bool
track_current(const struct track_mark *m)
{
	return !m->used ||
	    (atomic_load_explicit(&track_slots[m->slot].gen,
	    memory_order_acquire) == m->gen &&
	    atomic_load_explicit(&track_epoch, memory_order_acquire) ==
	    m->epoch);
}

void
track_all(void)
{
	atomic_fetch_add(&track_epoch, 1);
}

void
track_begin(void)
{
	track_all();
	atomic_store(&track_on, true);
}

void
track_end(void)
{
	if (atomic_exchange(&track_on, false))
		track_all();
}

bool
track_is_on(void)
{
	return atomic_load_explicit(&track_on, memory_order_relaxed);
}

void
track_want(void)
{
	atomic_store(&track_wanted, true);
}

bool
track_is_wanted(void)
{
	return atomic_load_explicit(&track_wanted, memory_order_relaxed);
}

static void
track_drop(struct track_slot *s)
{
	atomic_fetch_add(&s->gen, 1);
	atomic_fetch_add_explicit(&track_n_dropped, 1, memory_order_relaxed);
}

bool
track_told(struct slice name)
{
	uint64_t key = track_key(name);
	struct track_slot *s = &track_slots[track_slot_of(key)];

	atomic_fetch_add_explicit(&track_n_told, 1, memory_order_relaxed);
	atomic_fetch_add(&s->told, 1);
	if (atomic_load(&s->own) == key)
		return false;
	track_drop(s);
	return true;
}

bool
track_own_begin(struct track_own *o, struct slice name)
{
	uint64_t none = 0;

	if (!track_is_on())
		return false;
	o->key = track_key(name);
	o->slot = track_slot_of(o->key);
	o->told = atomic_load(&track_slots[o->slot].told);
	return atomic_compare_exchange_strong(&track_slots[o->slot].own,
	    &none, o->key);
}

void
track_own_read(struct track_own *o)
{
	o->told = atomic_load(&track_slots[o->slot].told);
}

bool
track_own_told(const struct track_own *o)
{
	return atomic_load(&track_slots[o->slot].told) != o->told;
}

bool
track_own_end(struct track_own *o)
{
	struct track_slot *s = &track_slots[o->slot];

	atomic_store(&s->own, 0);
	if (atomic_load(&s->told) == o->told)
		return true;
	track_drop(s);
	return false;
}

void
track_own_lost(struct track_own *o)
{
	struct track_slot *s = &track_slots[o->slot];

	atomic_store(&s->own, 0);
	track_drop(s);
}

void
track_stats(struct track_stats *st)
{
	*st = (struct track_stats){
		.told = atomic_load_explicit(&track_n_told,
		    memory_order_relaxed),
		.dropped = atomic_load_explicit(&track_n_dropped,
		    memory_order_relaxed),
		.epochs = atomic_load_explicit(&track_epoch,
		    memory_order_relaxed),
	};
}
