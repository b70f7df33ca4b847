/* SPDX-License-Identifier: PostgreSQL
 *
 * Units of client messages.  As in the session, only whole messages are read:
 * what is behind the last of them is cut off.  What is found must lie inside
 * the unit, and a unit that is called canonical must be, byte for byte, the
 * one that its parts describe.
 */
#include <stdlib.h>
#include <string.h>

#include "pgwire/msgwrite.h"
#include "session/session_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_inside(const struct unit *u, struct slice s)
{
	if (s.n == 0)
		return;
	CHECK(s.p >= u->p && s.n <= u->n);
	CHECK((size_t)(s.p - u->p) <= u->n - s.n);
}

static void
fuzz_canonical(const struct unit *u)
{
	struct msgwrite w;
	struct buf b;

	CHECK(u->has_bind && u->executes == 1 && u->last == 'S');
	CHECK(u->first == (u->has_parse ? 'P' : 'B'));
	buf_init(&b, u->n + 64);
	msgwrite_init(&w, &b);
	if (u->has_parse) {
		msgwrite_begin(&w, 'P');
		msgwrite_slice(&w, u->parse.name);
		msgwrite_slice(&w, u->parse.sql);
		msgwrite_u16(&w, u->parse.n_oids);
		msgwrite_bytes(&w, u->parse.oids,
		    (size_t)u->parse.n_oids * 4);
		msgwrite_end(&w);
		CHECK(slice_eq(u->parse.name, u->bind.statement));
	}
	msgwrite_begin(&w, 'B');
	msgwrite_str(&w, "");
	msgwrite_slice(&w, u->bind.statement);
	msgwrite_bytes(&w, u->bind.rest.p, u->bind.rest.n);
	msgwrite_end(&w);
	if (u->described)
		msgwrite_raw(&w, "D\0\0\0\6P\0", 7);
	msgwrite_raw(&w, "E\0\0\0\x9\0\0\0\0\0S\0\0\0\4", 15);
	CHECK(!w.failed);
	CHECK(slice_eq(slice_make(u->p, u->n), slice_make(buf_head(&b),
	    buf_len(&b))));
	buf_reset(&b);
}

static void
fuzz_read(const char *p, size_t n)
{
	struct unit u;

	if (!unit_read(&u, p, n))
		return;
	CHECK(u.p == p && u.n == n && u.first == p[0]);
	fuzz_inside(&u, u.parse.name);
	fuzz_inside(&u, u.parse.sql);
	fuzz_inside(&u, u.bind.portal);
	fuzz_inside(&u, u.bind.statement);
	fuzz_inside(&u, u.bind.rest);
	if (u.canonical)
		fuzz_canonical(&u);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	size_t n = 0, messages = 0;
	struct frame f;
	char *copy;

	while (frame_next(p + n, size - n, UINT32_MAX, &f) == FRAME_WHOLE &&
	    messages++ < 64) {
		n += f.size;
		/* Exactly so long, for the sanitizer to see. */
		copy = malloc(n);
		if (copy == NULL)
			return 0;
		memcpy(copy, p, n);
		fuzz_read(copy, n);
		free(copy);
	}
	return 0;
}
