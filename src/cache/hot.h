/* SPDX-License-Identifier: PostgreSQL
 *
 * Which cached results are hit most, lately.
 *
 * A sample of hits is counted by key: all while there are few, one in so many
 * when there are more, each for as many as it stands for.  What lies back
 * counts less, half after HOT_HALF.  Of more keys than are kept the one with the
 * least goes, and the new one begins with what that had, of which it is known
 * that it was lent (Space-Saving): whatever has more than one in HOT_KEYS of all
 * hits is kept, and nothing is told that was not counted of the key itself.
 *
 * One worker's; pure: times are given.  A hit that is not in the sample costs
 * counting down; one that is a look at all keys, hot_pace() sees to how often
 * that is.
 */
#ifndef PGSLUICE_CACHE_HOT_H
#define PGSLUICE_CACHE_HOT_H

#include <stdbool.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"

#define HOT_KEYS 256
#define HOT_HALF (30 * NSEC_PER_SEC)
#define HOT_SAMPLES 1280 /* a second, about; fewer hits are all counted */
#define HOT_TEXT 512
#define HOT_NAME 384

struct hot_key {
	struct hash128 hash;
	double weight; /* of its hits, and what was lent; see hot_each() */
	double lent;
	unsigned met;  /* samples; 0: free */
	/* What the caller knows of it. */
	const char *database; /* lives as long as the process */
	uint64_t shape;       /* see shape_text.h */
	size_t bytes;
	bool l2;              /* found there last */
	char name[HOT_NAME];  /* or "" */
	char text[HOT_TEXT];  /* "": not told yet */
};

struct hot {
	unsigned gap;    /* hits up to the next one of the sample */
	unsigned every;  /* what the gap was drawn by: one in so many */
	nsec_t began;
	nsec_t base;     /* when a hit weighs 1 */
	double all;      /* weight of all hits */
	nsec_t period;   /* since then ... */
	unsigned samples; /* ... so many */
	uint64_t dice;
	uint64_t ids[HOT_KEYS];   /* of keys, close together: hash.lo */
	double weights[HOT_KEYS]; /* likewise */
	struct hot_key keys[HOT_KEYS];
};

struct hot *hot_new(uint64_t seed, nsec_t now) PG_MUST_CHECK;
void hot_free(struct hot **h);

/* A hit. true: it is of the sample: hot_meet(). */
static inline bool
hot_hit(struct hot *h)
{
	return unlikely(--h->gap == 0);
}
/* Borrowed, until the next call. A new key has met 1 and nothing of what the caller
 * knows. */
struct hot_key *hot_meet(struct hot *h, const struct hash128 *hash,
    nsec_t now);

/* Hits a second, of late. */
double hot_rate(const struct hot *h, nsec_t now);
/* Keys that were met more than once, with theirs. */
void hot_each(const struct hot *h, nsec_t now,
    void (*fn)(const struct hot_key *k, double rate, void *arg), void *arg);

#endif
