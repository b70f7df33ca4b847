/* SPDX-License-Identifier: PostgreSQL
 *
 * PostgreSQL v3 message framing: where does the next message end?
 *
 * Pure: bytes in, verdict out.  Knows message types and length limits, nothing
 * of sessions.  Source: PostgreSQL documentation, chapter "Frontend/Backend
 * Protocol", section "Message Formats".
 */
#ifndef PGSLUICE_PGWIRE_FRAME_H
#define PGSLUICE_PGWIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

enum frame_verdict {
	FRAME_NEED_MORE, /* header incomplete (fewer than 5 bytes) */
	FRAME_PARTIAL,   /* header read, body not all here */
	FRAME_WHOLE,     /* the complete message is here */
	FRAME_BAD        /* length below 4 or above the limit */
};

struct frame {
	unsigned char type;
	uint32_t body;      /* bytes after the length word */
	const char *p;      /* first body byte */
	size_t size;        /* whole message, 1 + 4 + body */
};

static inline uint32_t
wire_u32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 |
	    (uint32_t)u[2] << 8 | u[3];
}

static inline unsigned
wire_u16(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (unsigned)u[0] << 8 | u[1];
}

static inline void
wire_put_u32(char *p, uint32_t v)
{
	p[0] = (char)(v >> 24);
	p[1] = (char)(v >> 16);
	p[2] = (char)(v >> 8);
	p[3] = (char)v;
}

/* What ReadyForQuery may tell: idle, in a transaction, in a failed one. */
static inline bool
wire_is_status(char c)
{
	return c == 'I' || c == 'T' || c == 'E';
}

#define FRAME_HEADER 5
/* The length word is signed on PostgreSQL's side; it counts itself. */
#define FRAME_LENGTH_MAX 0x7fffffffu

/* Look at n bytes at p. max_body caps the declared body length (bytes). On
 * PARTIAL and WHOLE *f is filled; f->p points into the input.  Inline: the
 * relay calls it for every message in both directions. */
static inline PG_MUST_CHECK enum frame_verdict
frame_next(const char *p, size_t n, uint32_t max_body, struct frame *f)
{
	uint32_t len;

	if (n < FRAME_HEADER)
		return FRAME_NEED_MORE;
	len = wire_u32(p + 1);
	f->type = (unsigned char)p[0];
	f->body = len - 4;
	f->p = p + FRAME_HEADER;
	f->size = (size_t)len + 1;
	if (unlikely(len < 4 || len > FRAME_LENGTH_MAX || len - 4 > max_body))
		return FRAME_BAD; /* *f says what was declared */
	return f->body > n - FRAME_HEADER ? FRAME_PARTIAL : FRAME_WHOLE;
}

#define STARTUP_LENGTH_MIN 8
#define STARTUP_LENGTH_MAX 10000
#define STARTUP_CANCEL_KEY_MIN 4
#define STARTUP_CANCEL_KEY_MAX 256

/* The untyped first packet. Lengths 8..10000 are legal; SSL and GSS requests
 * have no body, a cancel request has a key of 4..256 bytes.  Anything else is
 * STARTUP_BAD.  *s is filled for the kinds after STARTUP_TLS_HELLO and points
 * into the input.  Any minor version of major 3 is STARTUP_V3. */
#define STARTUP_TLS_HELLO_BYTE 0x16 /* a TLS handshake record starts so */

enum startup_kind {
	STARTUP_NEED_MORE, STARTUP_BAD, STARTUP_TLS_HELLO /* first byte 0x16 */,
	STARTUP_SSL, STARTUP_GSS, STARTUP_CANCEL, STARTUP_V3,
	STARTUP_UNSUPPORTED /* other major version */
};

struct startup_packet {
	size_t size;          /* bytes used */
	uint32_t version;     /* protocol word */
	const char *params;   /* V3: name\0value\0...\0 */
	size_t params_len;
	uint32_t cancel_pid;  /* CANCEL */
	const char *cancel_key;
	size_t cancel_key_len; /* 4 in protocol 3.0 */
};

enum startup_kind startup_next(const char *p, size_t n,
    struct startup_packet *s) PG_MUST_CHECK;

/* Walk the parameters of a V3 packet. *pos starts at 0. Returns 1 with name
 * and value (terminated strings inside the packet), 0 at the proper end, -1
 * when the list is malformed. */
int startup_param(const struct startup_packet *s, size_t *pos,
    const char **name, const char **value) PG_MUST_CHECK;

/* Split PostgreSQL's startup "options" ("-c a=b --c=d", backslash escapes)
 * into name=value pairs; "-" in names becomes "_". fn returns false to stop.
 * Returns false if fn stopped, or if the text is longer than a startup packet
 * or has anything else than -c/-- settings with a name and a "=" (pairs before
 * the fault have been handed out by then); a last "--" is nothing.  name and
 * value are terminated and valid during the call only. */
bool startup_options(const char *text,
    bool (*fn)(void *arg, const char *name, const char *value), void *arg)
    PG_MUST_CHECK;

#endif
