/* SPDX-License-Identifier: PostgreSQL
 *
 * Message bodies: the first byte says as what the rest is read (Bind, Parse,
 * error fields, or reader calls picked by the bytes themselves).  What was
 * taken apart must lie inside the body and give the same body when written.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "pgwire/frame.h"
#include "pgwire/msgread.h"
#include "pgwire/msgwrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_inside(struct slice body, struct slice s)
{
	if (s.p == NULL || s.n == 0)
		return;
	CHECK(s.p >= body.p && s.n <= body.n);
	CHECK((size_t)(s.p - body.p) <= body.n - s.n);
}

static void
fuzz_same(const struct msgwrite *w, struct slice body)
{
	struct slice again = slice_make(buf_head(w->b) + FRAME_HEADER,
	    buf_len(w->b) - FRAME_HEADER);

	CHECK(!w->failed && slice_eq(again, body));
	buf_reset(w->b);
}

static void
fuzz_bind_params(struct msgwrite *w, const struct wire_bind *b,
    struct slice body)
{
	msgwrite_u16(w, b->n_params);
	for (unsigned i = 0; i < b->n_params; i++) {
		bool null;
		struct slice s;

		/* Walking from the first each time: keep it cheap. */
		if (i >= 64) {
			struct msgread r;

			msgread_init(&r, b->params, b->params_len);
			for (unsigned k = 0; k < i; k++)
				(void)msgread_value(&r, &null);
			msgwrite_bytes(w, b->params + r.pos,
			    b->params_len - r.pos);
			return;
		}
		s = wire_bind_param(b, i, &null);
		fuzz_inside(body, s);
		(void)wire_bind_format(b, i);
		CHECK(null == (s.p == NULL));
		msgwrite_u32(w, null ? UINT32_MAX : (uint32_t)s.n);
		msgwrite_bytes(w, s.p, s.n);
	}
}

static void
fuzz_bind(struct slice body)
{
	struct wire_bind b;
	struct msgwrite w;
	struct buf out;

	if (!msgread_bind(body.p, body.n, &b)) {
		CHECK(b.n_params == 0 && b.n_param_formats == 0);
		return;
	}
	buf_init(&out, 1 << 24);
	msgwrite_init(&w, &out);
	msgwrite_begin(&w, 'B');
	msgwrite_slice(&w, b.portal);
	msgwrite_slice(&w, b.statement);
	fuzz_inside(body, b.rest);
	msgwrite_u16(&w, b.n_param_formats);
	msgwrite_bytes(&w, b.param_formats, (size_t)b.n_param_formats * 2);
	fuzz_bind_params(&w, &b, body);
	msgwrite_u16(&w, b.n_result_formats);
	msgwrite_bytes(&w, b.result_formats, (size_t)b.n_result_formats * 2);
	msgwrite_end(&w);
	fuzz_same(&w, body);
}

static void
fuzz_parse(struct slice body)
{
	struct wire_parse p;
	struct msgwrite w;
	struct buf out;

	if (!msgread_parse(body.p, body.n, &p)) {
		CHECK(p.n_oids == 0 && p.sql.p == NULL);
		return;
	}
	buf_init(&out, 1 << 24);
	msgwrite_init(&w, &out);
	msgwrite_begin(&w, 'P');
	msgwrite_slice(&w, p.name);
	msgwrite_slice(&w, p.sql);
	msgwrite_u16(&w, p.n_oids);
	msgwrite_bytes(&w, p.oids, (size_t)p.n_oids * 4);
	msgwrite_end(&w);
	fuzz_same(&w, body);
}

static void
fuzz_error(struct slice body)
{
	struct wire_error e;

	(void)msgread_error(body.p, body.n, &e);
	CHECK(e.sqlstate.n == 5 && e.sqlstate.p != NULL);
	fuzz_inside(body, e.severity);
	fuzz_inside(body, e.message);
	fuzz_inside(body, e.position);
}

static void
fuzz_reads(struct slice body)
{
	struct msgread r;
	size_t before;
	bool null;

	msgread_init(&r, body.p, body.n);
	while ((before = msgread_left(&r)) > 0) {
		switch (msgread_u8(&r) % 7) {
		case 0:
			(void)msgread_u16(&r);
			break;
		case 1:
			(void)msgread_u32(&r);
			break;
		case 2:
			(void)msgread_i32(&r);
			break;
		case 3:
			fuzz_inside(body, msgread_str(&r));
			break;
		case 4:
			fuzz_inside(body, msgread_value(&r, &null));
			break;
		case 5:
			fuzz_inside(body, msgread_bytes(&r, msgread_u8(&r)));
			break;
		default:
			fuzz_inside(body, msgread_bytes(&r, msgread_u32(&r)));
			break;
		}
		CHECK(r.pos <= r.n && msgread_left(&r) < before);
	}
	CHECK(msgread_done(&r) == !r.error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(struct slice) = { fuzz_bind,
		fuzz_parse, fuzz_error, fuzz_reads };

	if (size > 0)
		readers[data[0] % ARRAY_SIZE(readers)](
		    slice_make((const char *)data + 1, size - 1));
	return 0;
}
