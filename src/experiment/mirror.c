/* SPDX-License-Identifier: PostgreSQL
 *
 * Transactions in a ring by number; an arm is a place in it.
 *
 * A place is free when every arm has passed it.  Each arm's place is at the first
 * one that it has not got and that is not known to be nothing for it.
 */
#include "experiment/mirror.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MIRROR_MAGIC 0x3141170bu
#define RING_LEAST 64

struct mirror_entry {
	bool open;
	size_t bytes;
	unsigned left;          /* arms that have not got it */
	void *what[ARMS_MAX];
};

struct mirror_arm {
	_Atomic uint64_t applied;
	uint64_t waiting;
	bool awake;             /* its owner will ask */
	bool busy;              /* ... and has taken one */
};

struct mirror {
	uint32_t magic;
	atomic_uint refs;
	pthread_mutex_t lock;
	unsigned n_arms;
	size_t max_waiting, max_bytes;
	mirror_free_cb *free_what;
	atomic_bool broken;
	uint64_t last;          /* number taken last */
	uint64_t first;         /* oldest number in the ring */
	size_t n_open, n_waiting, bytes; /* waiting: for some arm */
	struct mirror_entry *ring;
	size_t size;            /* a power of two */
	struct mirror_arm arm[ARMS_MAX];
};

struct mirror *
mirror_new(unsigned n_arms, size_t max_waiting, size_t max_bytes,
    mirror_free_cb *free_what)
{
	struct mirror *m = x_calloc(1, sizeof(*m));

	CHECK(n_arms > 1 && n_arms <= ARMS_MAX);
	m->magic = MIRROR_MAGIC;
	atomic_init(&m->refs, 1);
	CHECK(pthread_mutex_init(&m->lock, NULL) == 0);
	m->n_arms = n_arms;
	m->max_waiting = max_waiting;
	m->max_bytes = max_bytes;
	m->free_what = free_what;
	m->first = 1;
	m->size = RING_LEAST;
	m->ring = x_calloc(m->size, sizeof(m->ring[0]));
	return m;
}

struct mirror *
mirror_ref(struct mirror *m)
{
	CHECK_MAGIC(m, MIRROR_MAGIC);
	CHECK(atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed) >
	    0);
	return m;
}

static struct mirror_entry *
mirror_at(const struct mirror *m, uint64_t number)
{
	return &m->ring[number & (m->size - 1)];
}

/* Of a ring that is nobody's any more, without the lock: to free may take
 * others. */
static void
mirror_free_ring(const struct mirror *m, struct mirror_entry *ring,
    size_t size)
{
	size_t i;
	unsigned arm;

	for (i = 0; i < size; i++)
		for (arm = 0; arm < m->n_arms; arm++)
			if (ring[i].what[arm] != NULL)
				m->free_what(ring[i].what[arm]);
	free(ring);
}

void
mirror_unref(struct mirror **mp)
{
	struct mirror *m = *mp;

	*mp = NULL;
	if (m == NULL || atomic_fetch_sub_explicit(&m->refs, 1,
	    memory_order_acq_rel) != 1)
		return;
	CHECK_MAGIC(m, MIRROR_MAGIC);
	mirror_free_ring(m, m->ring, m->size);
	CHECK(pthread_mutex_destroy(&m->lock) == 0);
	m->magic = 0;
	free(m);
}

/* Nothing is given to anybody any more. Returns what there was, to be freed
 * without the lock; of *size entries. */
static struct mirror_entry *
mirror_give_up(struct mirror *m, size_t *size)
{
	struct mirror_entry *old = m->ring;
	uint64_t n;
	unsigned i;

	m->ring = x_calloc(m->size, sizeof(m->ring[0]));
	for (n = m->first; n <= m->last; n++)
		mirror_at(m, n)->open = old[n & (m->size - 1)].open;
	for (i = 0; i < m->n_arms; i++)
		m->arm[i].waiting = 0;
	m->n_waiting = m->bytes = 0;
	atomic_store_explicit(&m->broken, true, memory_order_relaxed);
	*size = m->size;
	return old;
}

void
mirror_break(struct mirror *m)
{
	struct mirror_entry *old;
	size_t size;

	pthread_mutex_lock(&m->lock);
	old = mirror_give_up(m, &size);
	pthread_mutex_unlock(&m->lock);
	mirror_free_ring(m, old, size);
}

static void
mirror_grow(struct mirror *m)
{
	struct mirror_entry *old = m->ring;
	size_t size = m->size;
	uint64_t n;

	m->size *= 2;
	m->ring = x_calloc(m->size, sizeof(m->ring[0]));
	for (n = m->first; n <= m->last; n++)
		*mirror_at(m, n) = old[n & (size - 1)];
	free(old);
}

uint64_t
mirror_take(struct mirror *m, bool *crowded)
{
	uint64_t number;

	CHECK_MAGIC(m, MIRROR_MAGIC);
	pthread_mutex_lock(&m->lock);
	if (m->last + 1 - m->first == m->size)
		mirror_grow(m);
	number = ++m->last;
	*mirror_at(m, number) = (struct mirror_entry){ .open = true };
	*crowded = m->n_open > 0;
	m->n_open++;
	pthread_mutex_unlock(&m->lock);
	return number;
}

bool
mirror_is_alone(struct mirror *m, uint64_t number)
{
	bool alone;

	pthread_mutex_lock(&m->lock);
	alone = m->last == number && m->n_open == 1;
	pthread_mutex_unlock(&m->lock);
	return alone;
}

/* ---- places ---- */

/* The arm has all up to here, and what is nothing for it. */
static void
mirror_advance(struct mirror *m, unsigned arm)
{
	struct mirror_arm *a = &m->arm[arm];
	uint64_t n = atomic_load_explicit(&a->applied, memory_order_relaxed);
	const struct mirror_entry *e;

	while (n < m->last) {
		e = mirror_at(m, n + 1);
		if (e->open || e->what[arm] != NULL || a->busy)
			break;
		n++;
	}
	atomic_store_explicit(&a->applied, n, memory_order_release);
}

static void
mirror_forget(struct mirror *m)
{
	uint64_t all = m->last, n;
	unsigned i;

	for (i = 0; i < m->n_arms; i++) {
		n = atomic_load_explicit(&m->arm[i].applied,
		    memory_order_relaxed);
		all = n < all ? n : all;
	}
	m->first = all + 1;
}

static void
mirror_advance_all(struct mirror *m)
{
	unsigned i;

	for (i = 0; i < m->n_arms; i++)
		mirror_advance(m, i);
	mirror_forget(m);
}

/* Of those that sleep: who has something to do? */
static unsigned
mirror_wakes(struct mirror *m)
{
	const struct mirror_entry *e;
	unsigned i, wakes = 0;
	uint64_t next;

	for (i = 0; i < m->n_arms; i++) {
		next = atomic_load_explicit(&m->arm[i].applied,
		    memory_order_relaxed) + 1;
		if (m->arm[i].awake || next > m->last)
			continue;
		e = mirror_at(m, next);
		if (e->open || e->what[i] == NULL)
			continue;
		m->arm[i].awake = true;
		wakes |= 1u << i;
	}
	return wakes;
}

/* Who gets what. */
static void
mirror_fill(struct mirror *m, struct mirror_entry *e,
    void *const what[ARMS_MAX], size_t bytes)
{
	unsigned i;

	for (i = 0; i < m->n_arms; i++) {
		if (what[i] == NULL)
			continue;
		e->what[i] = what[i];
		e->left++;
		m->arm[i].waiting++;
	}
	if (e->left == 0)
		return;
	e->bytes = bytes;
	m->bytes += bytes;
	m->n_waiting++;
}

unsigned
mirror_settle(struct mirror *m, uint64_t number,
    void *const what[ARMS_MAX], size_t bytes)
{
	struct mirror_entry *e, *old = NULL;
	unsigned i, wakes;
	size_t size = 0;
	bool broken;

	CHECK_MAGIC(m, MIRROR_MAGIC);
	pthread_mutex_lock(&m->lock);
	e = mirror_at(m, number);
	CHECK(number >= m->first && number <= m->last && e->open);
	e->open = false;
	m->n_open--;
	broken = mirror_is_broken(m);
	if (what != NULL && !broken)
		mirror_fill(m, e, what, bytes);
	if (m->n_waiting > m->max_waiting || m->bytes > m->max_bytes)
		old = mirror_give_up(m, &size);
	mirror_advance_all(m);
	wakes = mirror_wakes(m);
	pthread_mutex_unlock(&m->lock);
	for (i = 0; what != NULL && broken && i < m->n_arms; i++)
		if (what[i] != NULL)
			m->free_what(what[i]);
	mirror_free_ring(m, old, size);
	return wakes;
}

void *
mirror_next(struct mirror *m, unsigned arm)
{
	struct mirror_arm *a = &m->arm[arm];
	struct mirror_entry *e;
	void *what = NULL;
	uint64_t next;

	CHECK_MAGIC(m, MIRROR_MAGIC);
	CHECK(arm < m->n_arms);
	pthread_mutex_lock(&m->lock);
	CHECK(!a->busy);
	next = atomic_load_explicit(&a->applied, memory_order_relaxed) + 1;
	if (next <= m->last) {
		e = mirror_at(m, next);
		if (!e->open) {
			what = e->what[arm];
			e->what[arm] = NULL;
		}
	}
	a->busy = a->awake = what != NULL;
	pthread_mutex_unlock(&m->lock);
	return what;
}

void
mirror_done(struct mirror *m, unsigned arm)
{
	struct mirror_arm *a = &m->arm[arm];
	struct mirror_entry *e;
	uint64_t number;

	CHECK_MAGIC(m, MIRROR_MAGIC);
	pthread_mutex_lock(&m->lock);
	CHECK(a->busy);
	a->busy = false;
	number = atomic_load_explicit(&a->applied, memory_order_relaxed) + 1;
	e = mirror_at(m, number);
	/* Unless it was cleared meanwhile. */
	if (e->left > 0) {
		a->waiting--;
		if (--e->left == 0) {
			m->n_waiting--;
			m->bytes -= e->bytes;
		}
	}
	mirror_advance_all(m);
	pthread_mutex_unlock(&m->lock);
}

/* ---- readers ---- */

uint64_t
mirror_applied(const struct mirror *m, unsigned arm)
{
	return atomic_load_explicit(&m->arm[arm].applied,
	    memory_order_acquire);
}

uint64_t
mirror_waiting(struct mirror *m, unsigned arm)
{
	uint64_t n;

	pthread_mutex_lock(&m->lock);
	n = m->arm[arm].waiting;
	if (n == 0 && m->arm[arm].busy)
		n = 1; /* that was given up meanwhile */
	pthread_mutex_unlock(&m->lock);
	return n;
}

bool
mirror_is_broken(const struct mirror *m)
{
	return atomic_load_explicit(&m->broken, memory_order_relaxed);
}
