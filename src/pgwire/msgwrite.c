/* SPDX-License-Identifier: PostgreSQL
 *
 * Writing messages into a buffer: begin, put, end, and the messages that we
 * make ourselves as a whole.
 *
 * Puts between begin and end append; end fills the length in.  One check, at
 * the head of every put, keeps a message below its limit before the buffer
 * grows.  Knows nothing of who reads the messages.  Any thread, the buffer's.
 * Invariant: nothing between begin and end takes bytes out of the buffer, so
 * mark stays true while growth moves the bytes.
 */
#include <string.h>

#include "pgwire/frame.h"
#include "pgwire/msgwrite.h"

#define MSGWRITE_OID_TEXT 25
#define MSGWRITE_COLUMNS_MAX 1600 /* PostgreSQL's limit for a table */

void
msgwrite_init(struct msgwrite *w, struct buf *b)
{
	*w = (struct msgwrite){ .b = b };
}

static void
msgwrite_fail(struct msgwrite *w)
{
	w->failed = true;
	w->b->end = w->b->start + w->mark;
}

void
msgwrite_begin(struct msgwrite *w, char type)
{
	static const char zero[4];

	CHECK(!w->open);
	w->open = true;
	w->typed = type != 0;
	w->mark = buf_len(w->b);
	if (w->typed)
		msgwrite_bytes(w, &type, 1);
	msgwrite_bytes(w, zero, sizeof(zero));
}

void
msgwrite_end(struct msgwrite *w)
{
	size_t at;

	CHECK(w->open);
	w->open = false;
	if (w->failed)
		return;
	at = w->mark + (w->typed ? 1 : 0);
	/* msgwrite_bytes() has held the message below the limit. */
	wire_put_u32(buf_head(w->b) + at, (uint32_t)(buf_len(w->b) - at));
}

void
msgwrite_raw(struct msgwrite *w, const void *p, size_t n)
{
	CHECK(!w->open);
	if (!w->failed && !buf_append(w->b, p, n))
		w->failed = true;
}

void
msgwrite_bytes(struct msgwrite *w, const void *p, size_t n)
{
	size_t used;

	CHECK(w->open);
	if (w->failed)
		return;
	used = buf_len(w->b) - w->mark;
	if (n > MSGWRITE_MAX - used || !buf_append(w->b, p, n))
		msgwrite_fail(w);
}

void
msgwrite_u8(struct msgwrite *w, uint8_t v)
{
	msgwrite_bytes(w, &v, 1);
}

void
msgwrite_u16(struct msgwrite *w, uint16_t v)
{
	const char p[2] = { (char)(v >> 8), (char)(v & 0xff) };

	msgwrite_bytes(w, p, sizeof(p));
}

void
msgwrite_u32(struct msgwrite *w, uint32_t v)
{
	char p[4];

	wire_put_u32(p, v);
	msgwrite_bytes(w, p, sizeof(p));
}

void
msgwrite_str(struct msgwrite *w, const char *s)
{
	msgwrite_bytes(w, s, strlen(s) + 1);
}

/* A NUL inside would end the string early and make the reader take the rest
 * for the next fields. */
void
msgwrite_slice(struct msgwrite *w, struct slice s)
{
	CHECK(w->open);
	if (w->failed)
		return;
	if (s.n > MSGWRITE_MAX ||
	    (s.n > 0 && memchr(s.p, '\0', s.n) != NULL)) {
		msgwrite_fail(w);
		return;
	}
	msgwrite_bytes(w, s.p, s.n);
	msgwrite_u8(w, 0);
}

/* ------------------------------------------------------- whole messages */

void
msgwrite_query(struct msgwrite *w, struct slice sql)
{
	msgwrite_begin(w, 'Q');
	msgwrite_slice(w, sql);
	msgwrite_end(w);
}

void
msgwrite_ready(struct msgwrite *w, char status)
{
	msgwrite_begin(w, 'Z');
	msgwrite_bytes(w, &status, 1);
	msgwrite_end(w);
}

void
msgwrite_complete(struct msgwrite *w, const char *tag)
{
	msgwrite_begin(w, 'C');
	msgwrite_str(w, tag);
	msgwrite_end(w);
}

void
msgwrite_param_status(struct msgwrite *w, const char *name, const char *value)
{
	msgwrite_begin(w, 'S');
	msgwrite_str(w, name);
	msgwrite_str(w, value);
	msgwrite_end(w);
}

static void
msgwrite_field(struct msgwrite *w, uint8_t code, const char *text)
{
	if (text == NULL)
		return;
	msgwrite_u8(w, code);
	msgwrite_str(w, text);
}

static void
msgwrite_report(struct msgwrite *w, char type, const char *severity,
    const char *sqlstate, const char *message, const char *detail,
    const char *hint)
{
	msgwrite_begin(w, type);
	msgwrite_field(w, 'S', severity);
	msgwrite_field(w, 'V', severity);
	msgwrite_field(w, 'C', sqlstate);
	msgwrite_field(w, 'M', message);
	msgwrite_field(w, 'D', detail);
	msgwrite_field(w, 'H', hint);
	msgwrite_u8(w, 0);
	msgwrite_end(w);
}

void
msgwrite_error(struct msgwrite *w, const char *severity, const char *sqlstate,
    const char *message, const char *detail, const char *hint)
{
	msgwrite_report(w, 'E', severity, sqlstate, message, detail, hint);
}

void
msgwrite_notice(struct msgwrite *w, const char *severity,
    const char *sqlstate, const char *message)
{
	msgwrite_report(w, 'N', severity, sqlstate, message, NULL, NULL);
}

void
msgwrite_text_desc(struct msgwrite *w, const char *const *names, unsigned n)
{
	CHECK(n <= MSGWRITE_COLUMNS_MAX);
	msgwrite_begin(w, 'T');
	msgwrite_u16(w, (uint16_t)n);
	for (unsigned i = 0; i < n; i++) {
		msgwrite_str(w, names[i]);
		msgwrite_u32(w, 0); /* of no table, */
		msgwrite_u16(w, 0); /* no column of one */
		msgwrite_u32(w, MSGWRITE_OID_TEXT);
		msgwrite_u16(w, UINT16_MAX); /* variable size */
		msgwrite_u32(w, UINT32_MAX); /* no type modifier */
		msgwrite_u16(w, 0); /* text format */
	}
	msgwrite_end(w);
}

void
msgwrite_text_row(struct msgwrite *w, const char *const *values, unsigned n)
{
	CHECK(n <= MSGWRITE_COLUMNS_MAX);
	msgwrite_begin(w, 'D');
	msgwrite_u16(w, (uint16_t)n);
	for (unsigned i = 0; i < n; i++) {
		size_t len;

		if (values[i] == NULL) {
			msgwrite_u32(w, UINT32_MAX); /* -1: NULL */
			continue;
		}
		/* A length that does not fit 32 bits fails in the next put. */
		len = strlen(values[i]);
		msgwrite_u32(w, (uint32_t)len);
		msgwrite_bytes(w, values[i], len);
	}
	msgwrite_end(w);
}
