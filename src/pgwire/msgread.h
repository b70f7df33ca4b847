/* SPDX-License-Identifier: PostgreSQL
 *
 * Sticky-error reader over the body of one message.
 *
 * A read past the end sets the error, returns zero or an empty slice, and all
 * later reads do the same: callers check once, at the end.  Availability is
 * computed as size minus position, never position plus length.  Slices point
 * into the body.  Inline: most messages are a name or two and a few numbers,
 * and every one of them is read.
 */
#ifndef PGSLUICE_PGWIRE_MSGREAD_H
#define PGSLUICE_PGWIRE_MSGREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"
#include "pgwire/frame.h"

struct msgread {
	const char *p;
	size_t n, pos;
	bool error;
};

static const struct slice msgread_none = { "", 0 };

static inline void
msgread_init(struct msgread *r, const void *p, size_t n)
{
	*r = (struct msgread){ .p = n > 0 ? p : "", .n = n };
}

/* Bytes not yet read; 0 after an error, so that loops over it end. */
static inline size_t
msgread_left(const struct msgread *r)
{
	return r->error ? 0 : r->n - r->pos;
}

/* No error so far and everything was read. */
static inline bool
msgread_done(const struct msgread *r)
{
	return !r->error && r->pos == r->n;
}

/* The position moves here and past an empty string only. NULL: not so much
 * left. */
static inline const char *
msgread_take(struct msgread *r, size_t n)
{
	const char *p;

	if (unlikely(n > msgread_left(r))) {
		r->error = true;
		return NULL;
	}
	p = r->p + r->pos;
	r->pos += n;
	return p;
}

static inline uint8_t
msgread_u8(struct msgread *r)
{
	const char *p = msgread_take(r, 1);

	return p != NULL ? (uint8_t)*p : 0;
}

static inline uint16_t
msgread_u16(struct msgread *r)
{
	const char *p = msgread_take(r, 2);

	return p != NULL ? (uint16_t)wire_u16(p) : 0;
}

static inline uint32_t
msgread_u32(struct msgread *r)
{
	const char *p = msgread_take(r, 4);

	return p != NULL ? wire_u32(p) : 0;
}

static inline int32_t
msgread_i32(struct msgread *r)
{
	return (int32_t)msgread_u32(r);
}

/* Terminated string; the slice excludes the NUL. Missing NUL is an error. */
struct slice msgread_str(struct msgread *r);

static inline struct slice
msgread_bytes(struct msgread *r, size_t n)
{
	const char *p = msgread_take(r, n);

	return p != NULL ? slice_make(p, n) : msgread_none;
}

/* Length-prefixed value as in Bind and DataRow: -1 is NULL (*null true);
 * other negative lengths are an error. */
struct slice msgread_value(struct msgread *r, bool *null);
/* Fields of an ErrorResponse or NoticeResponse body; every one may be missing
 * (p == NULL). A SQLSTATE that is missing or not of five bytes is given as
 * "XX000".  Of a repeated field the last counts, as in libpq. */
struct wire_error {
	struct slice severity; /* V if present, else S */
	struct slice sqlstate;
	struct slice message;
	struct slice position;
	bool inner; /* it is about something that the statement ran: a function's
	               text, a row's trigger */
};
/* false: malformed (fields read so far are set). */
bool msgread_error(const void *body, size_t n, struct wire_error *e);

/* A Bind message taken apart; slices point into the body. */
struct wire_bind {
	struct slice portal, statement;
	struct slice rest;       /* everything after the two names */
	uint16_t n_param_formats;
	const char *param_formats; /* n x 2 bytes */
	uint16_t n_params;
	const char *params;      /* n length-prefixed values */
	size_t params_len;
	uint16_t n_result_formats;
	const char *result_formats;
};
/* true: every count and length fits the body exactly; false: *b is all zero. A
 * number of formats that does not go with the number of values is left for the
 * server to refuse. */
bool msgread_bind(const void *body, size_t n, struct wire_bind *b);
/* The first n bytes of the body of a longer one: b is told of the values that
 * are there whole, and of no result formats. false: the names are not there. */
bool msgread_bind_head(const void *body, size_t n, struct wire_bind *b);
/* The i-th parameter's format code (0 text, 1 binary); 0 past the last. */
uint16_t wire_bind_format(const struct wire_bind *b, unsigned i);
/* The i-th parameter's value, walking from the first; null as above, and for
 * an i past the last. */
struct slice wire_bind_param(const struct wire_bind *b, unsigned i, bool *null);

/* A Parse message taken apart. */
struct wire_parse {
	struct slice name, sql;
	uint16_t n_oids;
	const char *oids; /* n x 4 bytes */
};
/* As msgread_bind(). */
bool msgread_parse(const void *body, size_t n, struct wire_parse *p);

#endif
