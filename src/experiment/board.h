/* SPDX-License-Identifier: PostgreSQL
 *
 * All that is measured in one run of an experiment.
 *
 * A board has a sheet for each worker, which that worker alone writes and
 * anybody reads: tallies of each arm, of all its statements and of each
 * statement shape, of answers from the cache and of others; the units it has
 * met; counts.  Tallies are made at first use.  Shapes have small numbers in
 * all sheets, up to BOARD_SHAPES; what comes later counts for the arms only.
 */
#ifndef PGSLUICE_EXPERIMENT_BOARD_H
#define PGSLUICE_EXPERIMENT_BOARD_H

#include "base/check.h"
#include "base/clock.h"
#include "base/slice.h"
#include "experiment/assign.h"
#include "experiment/tally.h"
#include "experiment/unitset.h"

#define BOARD_SHAPES 24
#define BOARD_SHAPE_TEXT 400 /* bytes of a shape's text that are kept */
#define BOARD_ALL BOARD_SHAPES /* in place of a shape's number: all statements */

enum board_count {
#define BOARD_COUNT(sym, name, doc) BOARD_##sym,
#include "tbl/board_counts.h"
	BOARD_COUNTS
};
const char *board_count_name(enum board_count c);
const char *board_count_doc(enum board_count c);

/* A mismatch. Of values only a digest. */
#define BOARD_SAMPLES 32 /* the last ones are kept */
#define BOARD_QUIET (60 * NSEC_PER_SEC) /* of a shape, once it was told of */
struct board_sample {
	nsec_t at;        /* by the wall's clock */
	unsigned arm, shape;
	const char *what; /* static text: what differs */
	uint64_t digest;  /* of statement and values, keyed per process */
	uint64_t rows[2]; /* of the control, of the arm */
};

struct board;

struct board *board_new(unsigned n_workers, unsigned n_arms) PG_MUST_CHECK;
void board_free(struct board **b);

/* Any thread; takes a lock, so not for each statement. The shape's number;
 * BOARD_ALL: there are too many. text: without literals. */
unsigned board_shape(struct board *b, uint64_t hash, struct slice text);

/* Of a worker, on its thread. */
struct board_measure {
	unsigned arm, shape, group;
	bool cached, failed;
};
void board_add(struct board *b, unsigned worker,
    const struct board_measure *m, nsec_t took);
void board_unit(struct board *b, unsigned worker, uint64_t unit,
    unsigned arm);
void board_count(struct board *b, unsigned worker, unsigned arm,
    enum board_count what);

/* What was kept of an earlier board, into one that nobody else knows yet. */
void board_put(struct board *b, unsigned arm, unsigned shape, bool cached,
    const struct tally_view *v);
void board_put_unit(struct board *b, uint64_t unit); /* of a list */
void board_put_count(struct board *b, unsigned arm, enum board_count what,
    uint64_t n);

/* Any thread; takes a lock. true: of its shape and arm, nothing has been told for
 * a while. */
bool board_keep_sample(struct board *b, const struct board_sample *s)
    PG_MUST_CHECK;
/* The last ones, the newest first; returns how many. */
unsigned board_samples(struct board *b,
    struct board_sample out[BOARD_SAMPLES]);

/* Readers: sums over workers. */
void board_view(const struct board *b, unsigned arm, unsigned shape,
    bool cached, struct tally_view *out);
uint64_t board_counted(const struct board *b, unsigned arm,
    enum board_count what);
/* Distinct units by arm into n[n_arms]; those met on several arms. full: some
 * worker has stopped counting. */
void board_units(const struct board *b, uint64_t n[], uint64_t *moved,
    bool *full);
/* As of unitset_list(). */
size_t board_unit_list(const struct board *b, uint64_t **out);
unsigned board_n_arms(const struct board *b);
unsigned board_n_shapes(const struct board *b);
/* Of a shape below board_n_shapes(); lives as long as the board. */
const char *board_shape_text(const struct board *b, unsigned shape,
    uint64_t *hash);

#endif
