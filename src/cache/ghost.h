/* SPDX-License-Identifier: PostgreSQL
 *
 * A cache of nothing: what caching statements would save that no rule names.
 *
 * Keeps keys (their hashes) and numbers only, no rows, and is lossy: a key may
 * push another one out, a shape the one that took least time.  So hits are
 * told too low rather than too high.  One worker's; memory is fixed, nothing
 * is allocated but at birth.  Pure: time is an argument.
 */
#ifndef PGSLUICE_CACHE_GHOST_H
#define PGSLUICE_CACHE_GHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/hash.h"

#define GHOST_SHAPES 128
#define GHOST_KEYS 8192             /* 24 bytes each */
#define GHOST_TTL (60 * NSEC_PER_SEC) /* of the results that are not kept */

struct ghost_shape {
	uint64_t id;          /* of database and shape; 0: free */
	uint64_t serial;      /* of its use for this shape */
	char database[64];
	char tables[256];     /* as a rule names them: "a", "s.b" */
	char query[256];
	uint64_t count;       /* executions */
	uint64_t hits;        /* ... that would have been hits */
	uint64_t written;     /* ... that would have been but for a write */
	nsec_t took, saved;   /* of all, and of the hits */
	uint64_t bytes;       /* of all results */
	uint64_t writes;      /* of its tables, seen between executions */
	uint64_t generation;  /* of its tables at the last one */
	nsec_t first, last;   /* executions */
};

/* An execution under way. */
struct ghost_run {
	struct ghost_shape *shape; /* NULL: none */
	uint64_t serial, key, generation;
	nsec_t started;
	uint64_t bytes;
};

struct ghost;

struct ghost *ghost_new(void);
void ghost_free(struct ghost **g);
/* Everything begins anew. */
void ghost_clear(struct ghost *g);

/* NULL: it is not known. id is not 0. */
struct ghost_shape *ghost_find(struct ghost *g, uint64_t id);
/* One that is not: its texts are empty, to be filled in. */
struct ghost_shape *ghost_add(struct ghost *g, uint64_t id);
/* generation: a number that rises with every write to its tables. */
void ghost_begin(struct ghost_shape *s, uint64_t key, uint64_t generation,
    nsec_t now, struct ghost_run *run);
/* It was answered; run is none then. */
void ghost_end(struct ghost *g, struct ghost_run *run, nsec_t took);

/* All that have been run. */
void ghost_each(const struct ghost *g,
    void (*fn)(const struct ghost_shape *s, void *arg), void *arg);
/* Add what another worker's knows of the same shape. */
void ghost_merge(struct ghost_shape *into, const struct ghost_shape *s);

#endif
