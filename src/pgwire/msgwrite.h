/* SPDX-License-Identifier: PostgreSQL
 *
 * Message writer into a struct buf, with a sticky failure: once the buffer
 * could not grow all later puts are no-ops, and the caller looks once.
 * Lengths are computed in 64 bits; a message over 1 GiB is a failure, and so
 * is a string with a NUL inside.  On failure the open message is taken out of
 * the buffer again: it never holds part of one once msgwrite_end() was called.
 */
#ifndef PGSLUICE_PGWIRE_MSGWRITE_H
#define PGSLUICE_PGWIRE_MSGWRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define MSGWRITE_MAX (1u << 30)

struct msgwrite {
	struct buf *b;
	size_t mark;  /* offset from b->start of the open message */
	bool typed;   /* it has a type byte */
	bool open;
	bool failed;
};

void msgwrite_init(struct msgwrite *w, struct buf *b);
void msgwrite_begin(struct msgwrite *w, char type); /* type 0: untyped packet */
void msgwrite_end(struct msgwrite *w);              /* fills the length in */
void msgwrite_u8(struct msgwrite *w, uint8_t v);
void msgwrite_u16(struct msgwrite *w, uint16_t v);
void msgwrite_u32(struct msgwrite *w, uint32_t v);
void msgwrite_bytes(struct msgwrite *w, const void *p, size_t n);
void msgwrite_str(struct msgwrite *w, const char *s);       /* with NUL */
void msgwrite_slice(struct msgwrite *w, struct slice s);    /* with NUL */

/* Whole messages that are in wire form already; none may be open. */
void msgwrite_raw(struct msgwrite *w, const void *p, size_t n);

/* Whole messages. */
void msgwrite_query(struct msgwrite *w, struct slice sql);          /* Q */
void msgwrite_ready(struct msgwrite *w, char status);               /* Z */
void msgwrite_complete(struct msgwrite *w, const char *tag);        /* C */
void msgwrite_param_status(struct msgwrite *w, const char *name,
    const char *value);                                             /* S */
/* ErrorResponse ('E') or NoticeResponse ('N') with S, V, C, M and, when not
 * NULL, D and H. severity: "ERROR", "FATAL", "WARNING"... */
void msgwrite_error(struct msgwrite *w, const char *severity,
    const char *sqlstate, const char *message, const char *detail,
    const char *hint);
void msgwrite_notice(struct msgwrite *w, const char *severity,
    const char *sqlstate, const char *message);
/* RowDescription of n text columns, and a row of n text values (NULL
 * allowed): for the console and EXPLAIN (ROUTE). */
void msgwrite_text_desc(struct msgwrite *w, const char *const *names, unsigned n);
void msgwrite_text_row(struct msgwrite *w, const char *const *values, unsigned n);

#endif
