/* SPDX-License-Identifier: PostgreSQL
 *
 * Experiments and what was measured of them, as text that survives a restart.
 *
 *   pgsluice-experiments 1
 *   experiment NAME
 *   about WHAT                  what it is about; of another it is not kept
 *   state WORD
 *   promoted ARM
 *   weights N N ...
 *   since NS                    by the wall's clock
 *   reason TEXT
 *   board                       and what is on it, if there is one:
 *   shape HASH TEXT                 numbered from 0
 *   count ARM NAME N
 *   tally ARM SHAPE|all served|cached NS
 *   group G N FAILED LOGS BUCKET:N ...
 *   units HASH HASH ...             with their arms in the low bits
 *   end                         of the experiment
 *   sum CHECKSUM                XXH3 of all lines before
 *
 * Texts go to the end of their line, with \\, \n and \r escaped.  Units are kept
 * one by one, for a unit that comes again after a restart must not count again:
 * the test of shares (ratio.h) would take the same units for ever more of them.
 * What is not exactly of this form is refused as a whole.  Pure but for memory.
 */
#ifndef PGSLUICE_EXPERIMENT_KEEP_H
#define PGSLUICE_EXPERIMENT_KEEP_H

#include "base/buf.h"
#include "experiment/board.h"

#define KEEP_MAX ((size_t)256 << 20) /* of the text; a cap for its buffer */
#define KEEP_TRIALS 64
#define KEEP_TEXT 65536 /* a name, reason, what it is about */
#define KEEP_WORD 16

struct keep_trial {
	char *name, *about, *reason;
	char state[KEEP_WORD]; /* of letters a to z */
	unsigned n_arms, promoted;
	uint32_t weights[ARMS_MAX];
	uint64_t since;
	struct board *board; /* or NULL */
};

struct keep {
	size_t n;
	struct keep_trial v[KEEP_TRIALS];
};

/* false: out of memory or over the buffer's cap. Borrows all. */
bool keep_write(const struct keep_trial v[], size_t n, struct buf *out)
    PG_MUST_CHECK;
/* Boards are for so many workers. false: nothing is in *out, and why says the
 * line and what is wrong with it. */
bool keep_read(struct slice text, unsigned n_workers, struct keep *out,
    char *why, size_t size) PG_MUST_CHECK;
/* Boards that were taken (set to NULL) stay. */
void keep_fini(struct keep *k);

#endif
