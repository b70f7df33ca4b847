/* SPDX-License-Identifier: PostgreSQL
 *
 * Experiments as a page to attach to a decision: what was compared, what may be
 * said, every number with its interval, what speaks against believing it, how
 * it was computed.
 *
 * As HTML it is one file that needs no other, with drawings; light or dark as the
 * reader prefers.  As Markdown it is the same without drawings.  Whatever comes
 * from a configuration or from clients is escaped.  Pure but for memory.
 */
#ifndef PGSLUICE_EXPERIMENT_REPORT_H
#define PGSLUICE_EXPERIMENT_REPORT_H

#include "base/buf.h"
#include "experiment/board.h"
#include "experiment/verdict.h"

#define REPORT_MAX ((size_t)64 << 20) /* a cap for its buffer */

enum report_format { REPORT_HTML, REPORT_MARKDOWN };

struct report_arm {
	const char *name, *form; /* form: "monthly on backend b" */
	uint32_t weight;
};

struct report_item { /* an experiment */
	const char *name, *table;
	const char *unit, *mode, *state, *reason; /* words */
	uint64_t since; /* it is in that state: seconds since 1970 */
	unsigned n_arms; /* the first is the control */
	struct report_arm arms[ARMS_MAX];
	double error_ratio, p95_ratio; /* guards; 0: none */
	/* NULL: nothing was measured, and the rest does not count. */
	const struct board *board;
	const struct verdict *verdict; /* of all statements */
	const struct verdict *shapes;  /* of each shape of the board */
	size_t n_shapes;
	uint64_t moved; /* units met on several arms */
	bool units_full;
};

/* now: seconds since 1970; version: of the program. false: out of memory or over
 * the buffer's cap. */
bool report_write(enum report_format format, const struct report_item v[],
    size_t n, uint64_t now, const char *version, struct buf *out)
    PG_MUST_CHECK;

#endif
