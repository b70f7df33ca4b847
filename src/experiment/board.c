/* SPDX-License-Identifier: PostgreSQL
 *
 * Boards: tallies by worker, arm and shape.
 *
 * A tally that is not there yet is made by its writer, and published by one
 * store; readers take what they see.  The list of shapes only grows, under a
 * lock that readers of numbers below n_shapes do not need.
 */
#include "experiment/board.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct board_sheet { /* of one worker */
	/* [arm][shape or BOARD_ALL][cached] */
	_Atomic(struct tally *) tally[ARMS_MAX][BOARD_SHAPES + 1][2];
	struct unitset *units;
	_Atomic uint64_t counts[ARMS_MAX][BOARD_COUNTS];
};

struct board_shape {
	uint64_t hash;
	char *text;
};

struct board {
	unsigned n_workers, n_arms;
	pthread_mutex_t lock; /* of shapes and samples */
	struct board_sample samples[BOARD_SAMPLES];
	uint64_t n_samples; /* that there were */
	nsec_t told[ARMS_MAX][BOARD_SHAPES + 1]; /* the last time; 0: never */
	struct board_shape shapes[BOARD_SHAPES];
	_Atomic unsigned n_shapes;
	struct board_sheet sheets[];
};

/* ---- words ---- */

static const struct {
	const char *name, *doc;
} board_counts[BOARD_COUNTS] = {
#define BOARD_COUNT(sym, name, doc) [BOARD_##sym] = { #name, doc },
#include "tbl/board_counts.h"
};

const char *
board_count_name(enum board_count c)
{
	return board_counts[c].name;
}

const char *
board_count_doc(enum board_count c)
{
	return board_counts[c].doc;
}

/* ---- life ---- */

struct board *
board_new(unsigned n_workers, unsigned n_arms)
{
	struct board *b = x_calloc(1, sizeof(*b) +
	    n_workers * sizeof(b->sheets[0]));
	unsigned i;

	CHECK(n_workers > 0 && n_arms >= 2 && n_arms <= ARMS_MAX);
	b->n_workers = n_workers;
	b->n_arms = n_arms;
	CHECK(pthread_mutex_init(&b->lock, NULL) == 0);
	for (i = 0; i < n_workers; i++)
		b->sheets[i].units = unitset_new();
	return b;
}

static void
sheet_fini(struct board_sheet *s)
{
	_Atomic(struct tally *) *t = &s->tally[0][0][0];
	struct tally *mine;
	size_t i;

	for (i = 0; i < sizeof(s->tally) / sizeof(*t); i++) {
		mine = atomic_load_explicit(&t[i], memory_order_relaxed);
		if (mine != NULL)
			tally_free(&mine);
	}
	unitset_free(&s->units);
}

void
board_free(struct board **bp)
{
	struct board *b = *bp;
	unsigned i;

	*bp = NULL;
	if (b == NULL)
		return;
	for (i = 0; i < b->n_workers; i++)
		sheet_fini(&b->sheets[i]);
	for (i = 0; i < b->n_shapes; i++)
		free(b->shapes[i].text);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

/* ---- shapes ---- */

unsigned
board_shape(struct board *b, uint64_t hash, struct slice text)
{
	unsigned i, n;

	pthread_mutex_lock(&b->lock);
	n = atomic_load_explicit(&b->n_shapes, memory_order_relaxed);
	for (i = 0; i < n && b->shapes[i].hash != hash; i++)
		continue;
	if (i == n && n < BOARD_SHAPES) {
		b->shapes[n].hash = hash;
		b->shapes[n].text = x_strndup(text.p, text.n <
		    BOARD_SHAPE_TEXT ? text.n : BOARD_SHAPE_TEXT);
		atomic_store_explicit(&b->n_shapes, n + 1,
		    memory_order_release);
	}
	pthread_mutex_unlock(&b->lock);
	return i;
}

unsigned
board_n_shapes(const struct board *b)
{
	return atomic_load_explicit(&b->n_shapes, memory_order_acquire);
}

const char *
board_shape_text(const struct board *b, unsigned shape, uint64_t *hash)
{
	CHECK(shape < board_n_shapes(b));
	*hash = b->shapes[shape].hash;
	return b->shapes[shape].text;
}

/* ---- samples ---- */

bool
board_keep_sample(struct board *b, const struct board_sample *s)
{
	nsec_t *told = &b->told[s->arm][s->shape];
	bool tell;

	CHECK(s->arm < b->n_arms && s->shape <= BOARD_ALL);
	pthread_mutex_lock(&b->lock);
	b->samples[b->n_samples++ % BOARD_SAMPLES] = *s;
	/* The wall's clock may have been set back. */
	tell = *told == 0 || s->at < *told || s->at - *told >= BOARD_QUIET;
	if (tell)
		*told = s->at;
	pthread_mutex_unlock(&b->lock);
	return tell;
}

unsigned
board_samples(struct board *b, struct board_sample out[BOARD_SAMPLES])
{
	unsigned i, n;

	pthread_mutex_lock(&b->lock);
	n = b->n_samples < BOARD_SAMPLES ? (unsigned)b->n_samples :
	    BOARD_SAMPLES;
	for (i = 0; i < n; i++)
		out[i] = b->samples[(b->n_samples - 1 - i) % BOARD_SAMPLES];
	pthread_mutex_unlock(&b->lock);
	return n;
}

/* ---- writing ---- */

static struct tally *
sheet_tally(struct board_sheet *s, unsigned arm, unsigned shape, bool cached)
{
	_Atomic(struct tally *) *at = &s->tally[arm][shape][cached];
	struct tally *t = atomic_load_explicit(at, memory_order_relaxed);

	if (t == NULL) {
		t = tally_new();
		atomic_store_explicit(at, t, memory_order_release);
	}
	return t;
}

void
board_add(struct board *b, unsigned worker, const struct board_measure *m,
    nsec_t took)
{
	struct board_sheet *s = &b->sheets[worker];

	CHECK(worker < b->n_workers && m->arm < b->n_arms &&
	    m->shape <= BOARD_ALL);
	tally_add(sheet_tally(s, m->arm, BOARD_ALL, m->cached), m->group,
	    took, m->failed);
	if (m->shape < BOARD_ALL)
		tally_add(sheet_tally(s, m->arm, m->shape, m->cached),
		    m->group, took, m->failed);
}

void
board_unit(struct board *b, unsigned worker, uint64_t unit, unsigned arm)
{
	CHECK(worker < b->n_workers && arm < b->n_arms);
	unitset_add(b->sheets[worker].units, unit, arm);
}

void
board_count(struct board *b, unsigned worker, unsigned arm,
    enum board_count what)
{
	_Atomic uint64_t *c = &b->sheets[worker].counts[arm][what];

	CHECK(worker < b->n_workers && arm < b->n_arms &&
	    what < BOARD_COUNTS);
	atomic_store_explicit(c, atomic_load_explicit(c,
	    memory_order_relaxed) + 1, memory_order_relaxed);
}

void
board_put(struct board *b, unsigned arm, unsigned shape, bool cached,
    const struct tally_view *v)
{
	CHECK(arm < b->n_arms && shape <= BOARD_ALL);
	tally_put(sheet_tally(&b->sheets[0], arm, shape, cached), v);
}

void
board_put_unit(struct board *b, uint64_t unit)
{
	/* Spread, so that all sheets have as much room left. */
	unitset_add(b->sheets[(unit >> 20) % b->n_workers].units, unit,
	    unit & UNITSET_ARM);
}

void
board_put_count(struct board *b, unsigned arm, enum board_count what,
    uint64_t n)
{
	CHECK(arm < b->n_arms && what < BOARD_COUNTS);
	atomic_store_explicit(&b->sheets[0].counts[arm][what], n,
	    memory_order_relaxed);
}

/* ---- reading ---- */

unsigned
board_n_arms(const struct board *b)
{
	return b->n_arms;
}

void
board_view(const struct board *b, unsigned arm, unsigned shape, bool cached,
    struct tally_view *out)
{
	const struct tally *t;
	unsigned i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < b->n_workers; i++) {
		t = atomic_load_explicit(&b->sheets[i].tally[arm][shape][cached],
		    memory_order_acquire);
		if (t != NULL)
			tally_merge(out, t);
	}
}

uint64_t
board_counted(const struct board *b, unsigned arm, enum board_count what)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < b->n_workers; i++)
		n += atomic_load_explicit(&b->sheets[i].counts[arm][what],
		    memory_order_relaxed);
	return n;
}

static struct unitset **
board_sets(const struct board *b)
{
	struct unitset **sets = x_calloc(b->n_workers, sizeof(*sets));
	unsigned i;

	for (i = 0; i < b->n_workers; i++)
		sets[i] = b->sheets[i].units;
	return sets;
}

size_t
board_unit_list(const struct board *b, uint64_t **out)
{
	struct unitset **sets = board_sets(b);
	size_t n = unitset_list(sets, b->n_workers, out);

	free(sets);
	return n;
}

void
board_units(const struct board *b, uint64_t n[], uint64_t *moved, bool *full)
{
	struct unitset **sets = board_sets(b);
	uint64_t all[ARMS_MAX];

	*full = !unitset_count(sets, b->n_workers, all, moved);
	memcpy(n, all, b->n_arms * sizeof(n[0]));
	free(sets);
}
