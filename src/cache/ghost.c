/* SPDX-License-Identifier: PostgreSQL
 *
 * The ghost cache: a small table of shapes and a larger one of keys, in sets
 * of two.  Pure.
 */
#include "cache/ghost.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define GHOST_WAYS 2

struct ghost_key {
	uint64_t key;        /* 0: free */
	uint64_t generation;
	nsec_t fetched;
};

struct ghost {
	uint64_t serial;
	struct ghost_shape shapes[GHOST_SHAPES];
	struct ghost_key keys[GHOST_KEYS];
};

struct ghost *
ghost_new(void)
{
	return x_calloc(1, sizeof(struct ghost));
}

void
ghost_free(struct ghost **g)
{
	free(*g);
	*g = NULL;
}

void
ghost_clear(struct ghost *g)
{
	uint64_t serial = g->serial + 1;

	memset(g, 0, sizeof(*g));
	g->serial = serial;
}

/* ---- shapes ------------------------------------------------------------- */

struct ghost_shape *
ghost_find(struct ghost *g, uint64_t id)
{
	struct ghost_shape *s = &g->shapes[id % GHOST_SHAPES];
	size_t i;

	/* Where it is unless that place was taken. */
	if (s->id == id)
		return s;
	for (i = 0; i < GHOST_SHAPES; i++)
		if (g->shapes[i].id == id)
			return &g->shapes[i];
	return NULL;
}

struct ghost_shape *
ghost_add(struct ghost *g, uint64_t id)
{
	struct ghost_shape *s = &g->shapes[id % GHOST_SHAPES];
	size_t i;

	for (i = 0; i < GHOST_SHAPES && s->id != 0; i++)
		if (g->shapes[i].id == 0 || g->shapes[i].took < s->took)
			s = &g->shapes[i];
	memset(s, 0, sizeof(*s));
	s->id = id;
	s->serial = ++g->serial;
	return s;
}

/* ---- executions ------------------------------------------------------------ */

void
ghost_begin(struct ghost_shape *s, uint64_t key, uint64_t generation,
    nsec_t now, struct ghost_run *run)
{
	*run = (struct ghost_run){ .shape = s, .serial = s->serial,
		.key = key != 0 ? key : 1, .generation = generation,
		.started = now };
	if (s->first == 0) {
		s->first = now;
		s->generation = generation;
	}
	/* Another worker may have read the generation before. */
	if (generation > s->generation) {
		s->writes += generation - s->generation;
		s->generation = generation;
	}
}

/* The place of a key: its own, or the one of its set that is older. */
static struct ghost_key *
ghost_key(struct ghost *g, uint64_t key)
{
	struct ghost_key *set = &g->keys[key % (GHOST_KEYS / GHOST_WAYS) *
	    GHOST_WAYS];
	unsigned i;

	for (i = 0; i < GHOST_WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return &set[set[0].fetched <= set[1].fetched ? 0 : 1];
}

void
ghost_end(struct ghost *g, struct ghost_run *run, nsec_t took)
{
	struct ghost_shape *s = run->shape;
	struct ghost_key *k;
	bool fresh, current;

	run->shape = NULL;
	if (s == NULL || s->serial != run->serial)
		return;
	s->last = run->started;
	s->count++;
	s->took += took;
	s->bytes += run->bytes;
	k = ghost_key(g, run->key);
	fresh = k->key == run->key && run->started >= k->fetched &&
	    run->started - k->fetched < GHOST_TTL;
	current = k->generation == run->generation;
	if (fresh && current) {
		s->hits++;
		s->saved += took;
		return;
	}
	s->written += fresh;
	*k = (struct ghost_key){ run->key, run->generation, run->started };
}

/* ---- looking ----------------------------------------------------------------- */

void
ghost_each(const struct ghost *g,
    void (*fn)(const struct ghost_shape *s, void *arg), void *arg)
{
	size_t i;

	for (i = 0; i < GHOST_SHAPES; i++)
		if (g->shapes[i].count > 0)
			fn(&g->shapes[i], arg);
}

void
ghost_merge(struct ghost_shape *into, const struct ghost_shape *s)
{
	into->count += s->count;
	into->hits += s->hits;
	into->written += s->written;
	into->took += s->took;
	into->saved += s->saved;
	into->bytes += s->bytes;
	/* All saw the same ones, some for longer. */
	if (s->writes > into->writes)
		into->writes = s->writes;
	if (s->first < into->first)
		into->first = s->first;
	if (s->last > into->last)
		into->last = s->last;
}
