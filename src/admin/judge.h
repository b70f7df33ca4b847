/* SPDX-License-Identifier: PostgreSQL
 *
 * What may be concluded of an experiment at this moment.
 *
 * Board and verdict put together for all who show or act on them.  Any thread
 * that holds the configuration; takes a millisecond and a megabyte.
 */
#ifndef PGSLUICE_ADMIN_JUDGE_H
#define PGSLUICE_ADMIN_JUDGE_H

#include "conf/trial.h"
#include "experiment/board.h"
#include "experiment/verdict.h"
#include "stats/hist.h"

/* The run that is going on, or the last one; NULL: there was none. */
struct board *judge_board(const struct conf *c,
    const struct conf_experiment *e);
/* Its mirrored writes; NULL: it has none. */
struct mirror *judge_mirror(const struct conf *c,
    const struct conf_experiment *e);
/* What is known of a run's units besides. */
struct judge_units {
	uint64_t moved; /* that were met on several arms */
	bool full;      /* some worker has stopped counting them */
};
/* shape: of the board, or BOARD_ALL. units may be NULL. */
void judge(const struct conf_experiment *e, const struct board *b,
    unsigned shape, struct verdict *out, struct judge_units *units);
/* Latencies of an arm, in the buckets of other histograms. */
void judge_histogram(const struct board *b, unsigned arm, unsigned shape,
    struct hist_view *out);

#endif
