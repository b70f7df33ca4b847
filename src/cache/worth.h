/* SPDX-License-Identifier: PostgreSQL
 *
 * Does caching pay, shape by shape: what answers cost with and without the
 * cache, and whether results of a shape are still stored.
 *
 * A statement that is answered from the cache costs H; one that is not costs
 * O at the server and A for looking, recording and storing on top.  Caching pays
 * while the ratio of hits r is over A / (O + A - H).  That is looked at once a window of
 * lookups; after several bad windows in a row the shape is passed by, but for the
 * keys of a sample, whose ratio of hits tells when it pays again.  The sample is
 * one of keys, not of statements, since a key that is not always stored is not
 * found; it is changed ever more slowly, so that slow keys get their chance.
 *
 * A fixed table, lossy: of more shapes than it holds those met least of late
 * are forgotten.  One worker's; pure: times are given.
 */
#ifndef PGSLUICE_CACHE_WORTH_H
#define PGSLUICE_CACHE_WORTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/slice.h"

#define WORTH_WINDOW 1024  /* lookups of a shape that is stored */
#define WORTH_BAD 4        /* windows in a row until it is passed by */
#define WORTH_PROBES 128   /* lookups of the sample */
#define WORTH_SAMPLE 16    /* one key in so many */
#define WORTH_TEXT 160

struct worth_shape {
	uint64_t id;           /* 0: free */
	uint64_t used;         /* when it was asked about last, in asks */
	uint32_t lookups, hits; /* of the window */
	nsec_t origin, hit, added; /* O, H, A: running means */
	uint16_t ratio, need;  /* r and what it had to be over at the last window's
	                          end, in 1/10000 */
	uint8_t bad;           /* windows in a row */
	bool judged;           /* ... of which there was one */
	bool passed;           /* not stored, but for the sample */
	uint8_t turns;         /* samples that did not pay */
	uint32_t windows;      /* of this sample */
	uint64_t all_lookups, all_hits, all_passed;
	char text[WORTH_TEXT]; /* the beginning of the shape's, and of its rule */
	char rule[64];
};

struct worth;

struct worth *worth_new(void);
void worth_free(struct worth **w);

/* Ids are hashes; 0 stands for none, which is always worth it and not counted. */

/* A lookup that found nothing in L1. false: do not store it, and do not wait for
 * others that do. */
bool worth_ask(struct worth *w, uint64_t id, const struct hash128 *key,
    struct slice text, const char *rule) PG_MUST_CHECK;
/* What was asked about came to nothing, for no fault of the cache: as if it had not
 * been. */
void worth_undo(struct worth *w, uint64_t id);
/* What was asked about has been found after all: in L2, or by waiting. */
void worth_found(struct worth *w, uint64_t id);
/* Found at once. Forgotten shapes are not counted. */
void worth_hit(struct worth *w, uint64_t id, const struct hash128 *key,
    nsec_t took);
/* It was asked of a server and stored. */
void worth_stored(struct worth *w, uint64_t id, nsec_t origin, nsec_t added);
/* Shapes that are passed by. */
unsigned worth_passed(const struct worth *w);

void worth_each(const struct worth *w,
    void (*fn)(const struct worth_shape *s, void *arg), void *arg);

#endif
