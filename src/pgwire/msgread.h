/* SPDX-License-Identifier: PostgreSQL
 *
 * Sticky-error reader over the body of one message.
 *
 * A read past the end sets the error, returns zero or an empty slice, and all
 * later reads do the same: callers check once, at the end.  Availability is
 * computed as size minus position, never position plus length.  Slices point
 * into the body.
 */
#ifndef PGSLUICE_PGWIRE_MSGREAD_H
#define PGSLUICE_PGWIRE_MSGREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct msgread {
	const char *p;
	size_t n, pos;
	bool error;
};

void msgread_init(struct msgread *r, const void *p, size_t n);
uint8_t msgread_u8(struct msgread *r);
uint16_t msgread_u16(struct msgread *r);
uint32_t msgread_u32(struct msgread *r);
int32_t msgread_i32(struct msgread *r);
/* Terminated string; the slice excludes the NUL. Missing NUL is an error. */
struct slice msgread_str(struct msgread *r);
struct slice msgread_bytes(struct msgread *r, size_t n);
/* Length-prefixed value as in Bind and DataRow: -1 is NULL (*null true);
 * other negative lengths are an error. */
struct slice msgread_value(struct msgread *r, bool *null);
/* Bytes not yet read; 0 after an error, so that loops over it end. */
size_t msgread_left(const struct msgread *r);
/* No error so far and everything was read. */
bool msgread_done(const struct msgread *r);

/* Fields of an ErrorResponse or NoticeResponse body; every one may be missing
 * (p == NULL). A SQLSTATE that is missing or not of five bytes is given as
 * "XX000".  Of a repeated field the last counts, as in libpq. */
struct wire_error {
	struct slice severity; /* V if present, else S */
	struct slice sqlstate;
	struct slice message;
	struct slice position;
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
