/* SPDX-License-Identifier: PostgreSQL
 *
 * Ends of results, taken from rows in text and binary.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "pgwire/frame.h"
#include "route/expiry.h"
#include "wire_util.h"

#define JANUARY INT64_C(1767225600000000) /* 2026-01-01 00:00Z */

struct column {
	const char *name;
	uint32_t oid;
	uint16_t format;
};

static void
describe(struct wire *m, const struct column *c, uint16_t n)
{
	msgwrite_begin(&m->w, 'T');
	msgwrite_u16(&m->w, n);
	for (; n > 0; n--, c++) {
		msgwrite_str(&m->w, c->name);
		msgwrite_u32(&m->w, 0);
		msgwrite_u16(&m->w, 0);
		msgwrite_u32(&m->w, c->oid);
		msgwrite_u16(&m->w, 8);
		msgwrite_u32(&m->w, UINT32_MAX);
		msgwrite_u16(&m->w, c->format);
	}
	msgwrite_end(&m->w);
}

/* A column before it, which is NULL. v.p NULL: so is it. */
static void
row(struct wire *m, struct slice v)
{
	msgwrite_begin(&m->w, 'D');
	msgwrite_u16(&m->w, 2);
	msgwrite_u32(&m->w, UINT32_MAX);
	msgwrite_u32(&m->w, v.p != NULL ? (uint32_t)v.n : UINT32_MAX);
	msgwrite_bytes(&m->w, v.p, v.n);
	msgwrite_end(&m->w);
}

static struct slice
bytes(const struct wire *m)
{
	return slice_make(buf_head(&m->b), buf_len(&m->b));
}

/* -1: not known. */
static int64_t
expire(const struct column *c, const struct slice *values, size_t n)
{
	struct wire desc, data;
	int64_t us;
	bool ok;

	wire_start(&desc);
	wire_start(&data);
	wire_raw(&desc, 't', "\0\0", 2);
	describe(&desc, (struct column[]){ { "id", 23, 0 }, *c }, 2);
	for (size_t i = 0; i < n; i++)
		row(&data, values[i]);
	wire_raw(&data, 'C', "SELECT 1", 9);
	ok = route_rows_expire(bytes(&desc), bytes(&data), "expires_at", &us);
	buf_reset(&desc.b);
	buf_reset(&data.b);
	return ok ? us : -1;
}

static const struct {
	uint32_t oid;
	uint16_t format;
	struct slice value;
	int64_t us;
} rows[] = {
	{ 1184, 0, SLICE_LIT("2026-01-01 00:00:00+00"), JANUARY },
	{ 1184, 0, SLICE_LIT("2026-01-01 02:30:00.25+02:30"),
	  JANUARY + 250000 },
	{ 1184, 0, SLICE_LIT("infinity"), INT64_MAX },
	{ 1184, 0, SLICE_LIT("-infinity"), 0 },
	{ 1184, 0, SLICE_LIT("1969-12-31 23:00:00+00"), 0 },
	{ 1184, 0, { NULL, 0 }, -1 },
	{ 1184, 0, SLICE_LIT("2026-01-01 00:00:00"), -1 },
	{ 1184, 0, SLICE_LIT("01/01/2026 00:00:00 UTC"), -1 },
	{ 1184, 0, SLICE_LIT("0044-03-15 00:00:00+00 BC"), -1 },
	{ 1184, 0, SLICE_LIT(""), -1 },
	{ 1184, 1, SLICE_LIT("\0\2\xea\x62\x1b\x42\xe0\0"),
	  946684800000000 + 0x2ea621b42e000 },
	{ 1184, 1, SLICE_LIT("\x7f\xff\xff\xff\xff\xff\xff\xff"), INT64_MAX },
	{ 1184, 1, SLICE_LIT("\x80\0\0\0\0\0\0\0"), 0 },
	{ 1184, 1, SLICE_LIT("\0\0\0\0"), -1 },
	{ 1184, 1, SLICE_LIT("2026-01-01 00:00:00+00"), -1 },
	{ 1184, 2, SLICE_LIT("2026-01-01 00:00:00+00"), -1 },
	{ 1114, 0, SLICE_LIT("2026-01-01 00:00:00+00"), -1 },
	{ 25, 0, SLICE_LIT("2026-01-01 00:00:00+00"), -1 },
};

static void
values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct column c = { "expires_at", rows[i].oid,
			rows[i].format };
		int64_t us = expire(&c, &rows[i].value, 1);

		if (us != rows[i].us)
			fail_msg("%zu: %lld, expected %lld", i, (long long)us,
			    (long long)rows[i].us);
	}
}

static void
the_smallest_counts(void **state)
{
	const struct column c = { "expires_at", 1184, 0 },
	    other = { "Expires_at", 1184, 0 };
	const struct slice v[] = { SLICE_LIT("infinity"),
		SLICE_LIT("2026-01-01 00:00:01+00"),
		SLICE_LIT("2026-01-01 00:00:00+00"),
		SLICE_LIT("2026-01-01 00:00:02+00"), { NULL, 0 } };

	(void)state;
	assert_true(expire(&c, v, 4) == JANUARY);
	assert_true(expire(&c, v, 2) == JANUARY + 1000000);
	assert_true(expire(&c, v, 0) == INT64_MAX);
	assert_true(expire(&c, v, 5) == -1);
	assert_true(expire(&other, v, 1) == -1);
}

/* Whatever is cut off, nothing is read past it or taken for a value. */
static void
cut_messages_are_not_known(void **state)
{
	const struct column c[] = { { "id", 23, 0 },
		{ "expires_at", 1184, 0 } };
	struct wire desc, data;
	int64_t us;

	(void)state;
	wire_start(&desc);
	wire_start(&data);
	describe(&desc, c, 2);
	row(&data, SLICE_LIT("2026-01-01 00:00:00+00"));
	assert_true(route_rows_expire(bytes(&desc), bytes(&data),
	    "expires_at", &us));
	for (size_t n = 0; n < buf_len(&desc.b); n++)
		assert_false(route_rows_expire(slice_make(buf_head(&desc.b),
		    n), bytes(&data), "expires_at", &us));
	for (size_t n = 1; n < buf_len(&data.b); n++)
		assert_false(route_rows_expire(bytes(&desc),
		    slice_make(buf_head(&data.b), n), "expires_at", &us));
	/* The message is whole, its fields are not. */
	for (uint32_t n = 4; n < buf_len(&data.b) - 1; n++) {
		wire_put_u32(buf_head(&data.b) + 1, n);
		assert_false(route_rows_expire(bytes(&desc),
		    slice_make(buf_head(&data.b), n + 1), "expires_at", &us));
	}
	buf_reset(&desc.b);
	buf_reset(&data.b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(the_smallest_counts),
		cmocka_unit_test(cut_messages_are_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
