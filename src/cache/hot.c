/* SPDX-License-Identifier: PostgreSQL
 *
 * Counting hits by key: a sample, with weights that grow with time, which is
 * the same as counts that shrink, but touches one of them.
 *
 * Pure.  Invariants: ids[i] and weights[i] are of keys[i], for which a look at
 * all of them touches few lines of memory; a free key weighs 0, so that it is among
 * the first to be taken.
 */
#include "cache/hot.h"

#include <math.h>
#include <stdlib.h>

#define HALF_SECONDS ((double)HOT_HALF / NSEC_PER_SEC)
#define PERIOD (NSEC_PER_SEC / 10)
#define PERIOD_SAMPLES (HOT_SAMPLES / 10)
#define EVERY_MAX 1000
#define HALVES_MAX 64 /* of these weights begin anew at 1 */

struct hot *
hot_new(uint64_t seed, nsec_t now)
{
	struct hot *h = x_calloc(1, sizeof(*h));

	h->gap = h->every = 1;
	h->began = h->base = h->period = now;
	h->dice = seed;
	return h;
}

void
hot_free(struct hot **h)
{
	free(*h);
	*h = NULL;
}

/* ---- the sample -------------------------------------------------------------- */

/* Gaps of one length would meet some keys of a loop always and others never. */
static unsigned
hot_draw(struct hot *h)
{
	/* Knuth's; the high bits are the good ones. */
	h->dice = h->dice * 6364136223846793005u + 1442695040888963407u;
	return 1 + (unsigned)((h->dice >> 33) % (2 * h->every - 1));
}

/* One more sample: how many are there to be from now on? */
static void
hot_pace(struct hot *h, nsec_t now)
{
	nsec_t passed = now > h->period ? now - h->period : 1;
	double hits;

	if (++h->samples < PERIOD_SAMPLES && passed < PERIOD)
		return;
	hits = (double)h->samples * h->every * PERIOD / (double)passed;
	h->every = hits > (double)EVERY_MAX * PERIOD_SAMPLES ? EVERY_MAX :
	    1 + (unsigned)(hits / PERIOD_SAMPLES);
	h->period = now;
	h->samples = 0;
}

/* ---- weights ----------------------------------------------------------------- */

static double
hot_halves(nsec_t since, nsec_t now)
{
	return now > since ? (double)(now - since) / HOT_HALF : 0;
}

static void
hot_rebase(struct hot *h, nsec_t now)
{
	double by = exp2(-hot_halves(h->base, now));
	unsigned i;

	for (i = 0; i < HOT_KEYS; i++) {
		h->weights[i] *= by;
		h->keys[i].weight *= by;
		h->keys[i].lent *= by;
	}
	h->all *= by;
	h->base = now;
}

/* HOT_KEYS: none. */
static unsigned
hot_find(const struct hot *h, const struct hash128 *hash)
{
	unsigned i;

	for (i = 0; i < HOT_KEYS; i++)
		if (h->ids[i] == hash->lo && h->keys[i].met > 0 &&
		    h->keys[i].hash.hi == hash->hi)
			break;
	return i;
}

/* Whoever has least goes. */
static unsigned
hot_place(struct hot *h, const struct hash128 *hash)
{
	unsigned i, least = 0;

	for (i = 1; i < HOT_KEYS; i++)
		if (h->weights[i] < h->weights[least])
			least = i;
	h->ids[least] = hash->lo;
	h->keys[least] = (struct hot_key){ .hash = *hash,
		.weight = h->weights[least], .lent = h->weights[least] };
	return least;
}

struct hot_key *
hot_meet(struct hot *h, const struct hash128 *hash, nsec_t now)
{
	struct hot_key *k;
	double weight;
	unsigned i;

	if (hot_halves(h->base, now) > HALVES_MAX)
		hot_rebase(h, now);
	weight = h->every * exp2(hot_halves(h->base, now));
	h->all += weight;
	hot_pace(h, now);
	h->gap = hot_draw(h);
	i = hot_find(h, hash);
	if (i == HOT_KEYS)
		i = hot_place(h, hash);
	k = &h->keys[i];
	k->met++;
	h->weights[i] = k->weight += weight;
	return k;
}

/* ---- what is told ------------------------------------------------------------- */

/* An average over all time, in which what lies back weighs less; there is not
 * much time yet at first. */
static double
hot_per_second(const struct hot *h, double weight, nsec_t now)
{
	nsec_t second = h->began + NSEC_PER_SEC;
	double seconds = HALF_SECONDS / log(2) *
	    (1 - exp2(-hot_halves(h->began, now > second ? now : second)));

	return weight * exp2(-hot_halves(h->base, now)) / seconds;
}

double
hot_rate(const struct hot *h, nsec_t now)
{
	return hot_per_second(h, h->all, now);
}

void
hot_each(const struct hot *h, nsec_t now,
    void (*fn)(const struct hot_key *k, double rate, void *arg), void *arg)
{
	const struct hot_key *k;

	for (k = h->keys; k < h->keys + HOT_KEYS; k++)
		if (k->met > 1)
			fn(k, hot_per_second(h, k->weight - k->lent, now),
			    arg);
}
