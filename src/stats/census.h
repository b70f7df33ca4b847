/* SPDX-License-Identifier: PostgreSQL
 *
 * What statements cost, shape by shape: calls, errors, rows, bytes, outcomes of
 * the cache, times.
 *
 * A bounded table.  Of more shapes than it may hold, one that was met long ago
 * and seldom is forgotten with all it was counted.  One worker's; pure.
 */
#ifndef PGSLUICE_STATS_CENSUS_H
#define PGSLUICE_STATS_CENSUS_H

#include <sys/queue.h>

#include "base/htab.h"
#include "base/slice.h"
#include "stats/hist.h"

#define CENSUS_TEXT 512

enum census_outcome { CENSUS_HIT, CENSUS_MISS, CENSUS_BYPASS, CENSUS_OTHER,
	CENSUS_OUTCOMES };

struct census_shape {
	struct htab_node node;     /* its hash is the id */
	TAILQ_ENTRY(census_shape) link;
	uint64_t fingerprint;      /* see shape_text.h */
	const char *database, *route; /* last; names that live as long as the
	                              process */
	uint64_t calls, errors, rows, bytes;
	uint64_t outcomes[CENSUS_OUTCOMES];
	nsec_t longest;
	struct hist time;
	char text[CENSUS_TEXT];
};

/* One unit of statements of a shape. */
struct census_call {
	unsigned statements;
	bool failed;
	enum census_outcome outcome;
	const char *route;
	uint64_t rows, bytes;
	nsec_t took;
};

struct census;

struct census *census_new(void);
void census_free(struct census **c);
/* Hold at most that many; 0: forget all. */
void census_limit(struct census *c, size_t limit);
void census_clear(struct census *c);

/* id: a keyed hash of database and shape. Borrowed: valid until the next call
 * that adds, limits or clears. NULL: not met yet. */
struct census_shape *census_find(struct census *c, uint64_t id);
/* ... now it is; id must be new, and the limit not 0. text is cut. */
struct census_shape *census_add(struct census *c, uint64_t id,
    uint64_t fingerprint, const char *database, struct slice text);
void census_count(struct census *c, struct census_shape *s,
    const struct census_call *call);

void census_each(const struct census *c,
    void (*fn)(const struct census_shape *s, void *arg), void *arg);

#endif
