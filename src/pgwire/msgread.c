/* SPDX-License-Identifier: PostgreSQL
 *
 * Reading the body of one message: numbers, strings, counted values, and the
 * messages we take apart whole (ErrorResponse, Bind, Parse).
 *
 * Bodies come from clients, servers and the cache, and none is trusted.  Knows
 * nothing of framing or of what a message makes a session do.  Pure; any
 * thread.  Invariant: pos <= n; after an error neither moves any more.
 */
#include <string.h>

#include "base/check.h"
#include "pgwire/frame.h"
#include "pgwire/msgread.h"

struct slice
msgread_str(struct msgread *r)
{
	const char *p = r->p + r->pos, *end;
	size_t left = msgread_left(r);

	/* Most names are empty. */
	if (left > 0 && *p == '\0') {
		r->pos++;
		return slice_make(p, 0);
	}
	end = left > 0 ? memchr(p, '\0', left) : NULL;
	if (end == NULL) {
		r->error = true;
		return msgread_none;
	}
	(void)msgread_take(r, (size_t)(end - p) + 1);
	return slice_make(p, (size_t)(end - p));
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
		else if (code == 'W' || code == 'q')
			e->inner = true;
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

bool
msgread_bind_head(const void *body, size_t n, struct wire_bind *b)
{
	unsigned promised;
	struct msgread r;
	size_t at;
	bool null;

	*b = (struct wire_bind){ 0 };
	msgread_init(&r, body, n);
	b->portal = msgread_str(&r);
	b->statement = msgread_str(&r);
	if (r.error)
		return false;
	b->rest = slice_make(r.p + r.pos, r.n - r.pos);
	b->n_param_formats = msgread_u16(&r);
	b->param_formats =
	    msgread_bytes(&r, (size_t)b->n_param_formats * 2).p;
	promised = msgread_u16(&r);
	if (r.error) {
		b->n_param_formats = 0;
		return true;
	}
	b->params = r.p + r.pos;
	while (b->n_params < promised) {
		at = r.pos;
		(void)msgread_value(&r, &null);
		if (r.error)
			break;
		b->n_params++;
		b->params_len += r.pos - at;
	}
	return true;
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
