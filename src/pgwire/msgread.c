/* SPDX-License-Identifier: PostgreSQL
 *
 * Reading the body of one message: numbers, strings, counted values, and the
 * messages we take apart whole (ErrorResponse, Bind, Parse).
 *
 * Bodies come from clients, servers and the cache, and none is trusted.  One
 * function moves the position, and it compares with what is left.  Knows
 * nothing of framing or of what a message makes a session do.  Pure; any
 * thread.  Invariant: pos <= n; after an error neither moves any more.
 */
#include <string.h>

#include "base/check.h"
#include "pgwire/frame.h"
#include "pgwire/msgread.h"

static const struct slice msgread_none = { "", 0 };

void
msgread_init(struct msgread *r, const void *p, size_t n)
{
	*r = (struct msgread){ .p = n > 0 ? p : "", .n = n };
}

/* The only place where the position moves. NULL: not so much left. */
static const char *
msgread_take(struct msgread *r, size_t n)
{
	const char *p;

	if (unlikely(r->error || n > r->n - r->pos)) {
		r->error = true;
		return NULL;
	}
	p = r->p + r->pos;
	r->pos += n;
	return p;
}

uint8_t
msgread_u8(struct msgread *r)
{
	const char *p = msgread_take(r, 1);

	return p != NULL ? (uint8_t)*p : 0;
}

uint16_t
msgread_u16(struct msgread *r)
{
	const char *p = msgread_take(r, 2);

	return p != NULL ? (uint16_t)wire_u16(p) : 0;
}

uint32_t
msgread_u32(struct msgread *r)
{
	const char *p = msgread_take(r, 4);

	return p != NULL ? wire_u32(p) : 0;
}

int32_t
msgread_i32(struct msgread *r)
{
	return (int32_t)msgread_u32(r);
}

struct slice
msgread_str(struct msgread *r)
{
	const char *p, *end;
	size_t left = msgread_left(r);

	end = left > 0 ? memchr(r->p + r->pos, '\0', left) : NULL;
	if (end == NULL) {
		r->error = true;
		return msgread_none;
	}
	p = r->p + r->pos;
	(void)msgread_take(r, (size_t)(end - p) + 1);
	return slice_make(p, (size_t)(end - p));
}

struct slice
msgread_bytes(struct msgread *r, size_t n)
{
	const char *p = msgread_take(r, n);

	return p != NULL ? slice_make(p, n) : msgread_none;
}

struct slice
msgread_value(struct msgread *r, bool *null)
{
	int32_t n = msgread_i32(r);

	*null = n == -1;
	if (*null)
		return slice_make(NULL, 0);
	if (n < 0) {
		r->error = true;
		return msgread_none;
	}
	return msgread_bytes(r, (size_t)n);
}

size_t
msgread_left(const struct msgread *r)
{
	return r->error ? 0 : r->n - r->pos;
}

bool
msgread_done(const struct msgread *r)
{
	return !r->error && r->pos == r->n;
}

/* --------------------------------------------------------------- errors */

bool
msgread_error(const void *body, size_t n, struct wire_error *e)
{
	struct msgread r;
	struct slice plain = { NULL, 0 };
	uint8_t code;

	*e = (struct wire_error){ .sqlstate = SLICE_LIT("XX000") };
	msgread_init(&r, body, n);
	while ((code = msgread_u8(&r)) != 0) {
		struct slice s = msgread_str(&r);

		if (r.error)
			break;
		if (code == 'S')
			plain = s;
		else if (code == 'V')
			e->severity = s;
		else if (code == 'C' && s.n == 5)
			e->sqlstate = s;
		else if (code == 'M')
			e->message = s;
		else if (code == 'P')
			e->position = s;
	}
	if (e->severity.p == NULL)
		e->severity = plain;
	return msgread_done(&r);
}

/* ----------------------------------------------------------------- Bind */

bool
msgread_bind(const void *body, size_t n, struct wire_bind *b)
{
	struct msgread r;
	size_t start;

	*b = (struct wire_bind){ 0 };
	msgread_init(&r, body, n);
	b->portal = msgread_str(&r);
	b->statement = msgread_str(&r);
	b->rest = slice_make(r.p + r.pos, r.n - r.pos);
	b->n_param_formats = msgread_u16(&r);
	b->param_formats =
	    msgread_bytes(&r, (size_t)b->n_param_formats * 2).p;
	b->n_params = msgread_u16(&r);
	start = r.pos;
	b->params = r.p + start;
	for (unsigned i = 0; i < b->n_params && !r.error; i++) {
		bool null;

		(void)msgread_value(&r, &null);
	}
	b->params_len = r.pos - start;
	b->n_result_formats = msgread_u16(&r);
	b->result_formats =
	    msgread_bytes(&r, (size_t)b->n_result_formats * 2).p;
	if (msgread_done(&r))
		return true;
	*b = (struct wire_bind){ 0 };
	return false;
}

uint16_t
wire_bind_format(const struct wire_bind *b, unsigned i)
{
	if (b->n_param_formats == 1)
		i = 0;
	if (i >= b->n_param_formats)
		return 0;
	return (uint16_t)wire_u16(b->param_formats + 2 * (size_t)i);
}

struct slice
wire_bind_param(const struct wire_bind *b, unsigned i, bool *null)
{
	struct msgread r;

	*null = true;
	if (i >= b->n_params)
		return slice_make(NULL, 0);
	msgread_init(&r, b->params, b->params_len);
	for (unsigned k = 0; k < i; k++)
		(void)msgread_value(&r, null);
	return msgread_value(&r, null);
}

/* ---------------------------------------------------------------- Parse */

bool
msgread_parse(const void *body, size_t n, struct wire_parse *p)
{
	struct msgread r;

	*p = (struct wire_parse){ 0 };
	msgread_init(&r, body, n);
	p->name = msgread_str(&r);
	p->sql = msgread_str(&r);
	p->n_oids = msgread_u16(&r);
	p->oids = msgread_bytes(&r, (size_t)p->n_oids * 4).p;
	if (msgread_done(&r))
		return true;
	*p = (struct wire_parse){ 0 };
	return false;
}
