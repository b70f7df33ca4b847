/* SPDX-License-Identifier: PostgreSQL
 *
 * The trace that a statement says it belongs to, in a comment as sqlcommenter
 * writes it:
 *
 *     SELECT 1 (comment) key='...',traceparent='00-<32>-<16>-<2>' (end)
 *
 * traceparent is that of W3C Trace Context; its digits are lower case.  Looked
 * at are the comment that a statement begins with and the one that it ends
 * with, TRACE_BYTES of each at most.  Pure; no lexer is asked, so what looks
 * like a comment counts as one.
 */
#ifndef PGSLUICE_SQL_TRACE_H
#define PGSLUICE_SQL_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"

#define TRACE_BYTES 2048

#define TRACE_ID_TEXT 33   /* digits and the end */
#define TRACE_SPAN_TEXT 17

struct trace {
	uint64_t id[2]; /* both 0: there is none */
	uint64_t span;
	bool sampled;   /* whoever began it keeps it */
};

static inline bool
trace_is_there(const struct trace *t)
{
	return (t->id[0] | t->id[1]) != 0;
}

void trace_read(struct slice sql, struct trace *out);
/* As text, into TRACE_ID_TEXT or TRACE_SPAN_TEXT bytes; returned. */
char *trace_print_id(char *out, const struct trace *t);
char *trace_print_span(char *out, const struct trace *t);

#endif
