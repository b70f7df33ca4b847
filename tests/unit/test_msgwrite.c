/* SPDX-License-Identifier: PostgreSQL
 *
 * The writer: what it writes is what framing and the reader see; a failure
 * sticks and leaves no part of a message behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgwire/frame.h"
#include "pgwire/msgread.h"
#include "pgwire/msgwrite.h"

#define CAP 65536

/* The buffer holds exactly one message of this type; give its body. */
static struct slice
one(const struct buf *b, char type)
{
	struct frame f = { 0 };

	assert_int_equal(frame_next(buf_head(b), buf_len(b), CAP, &f),
	    FRAME_WHOLE);
	assert_int_equal(f.type, type);
	assert_int_equal(f.size, buf_len(b));
	return slice_make(f.p, f.body);
}

static void
test_round_trip(void **state PG_UNUSED)
{
	struct msgwrite w;
	struct msgread r;
	struct slice s;
	struct buf b;

	buf_init(&b, CAP);
	msgwrite_init(&w, &b);
	msgwrite_begin(&w, 'x');
	msgwrite_u8(&w, 0xfe);
	msgwrite_u16(&w, 0xfedc);
	msgwrite_u32(&w, 0xfedcba98);
	msgwrite_str(&w, "text");
	msgwrite_str(&w, "");
	msgwrite_slice(&w, SLICE_LIT("slice"));
	msgwrite_slice(&w, slice_make(NULL, 0));
	msgwrite_bytes(&w, "r\0w", 3);
	msgwrite_bytes(&w, NULL, 0);
	msgwrite_end(&w);
	assert_false(w.failed);
	s = one(&b, 'x');
	msgread_init(&r, s.p, s.n);
	assert_int_equal(msgread_u8(&r), 0xfe);
	assert_int_equal(msgread_u16(&r), 0xfedc);
	assert_int_equal(msgread_u32(&r), 0xfedcba98);
	assert_true(slice_eq_str(msgread_str(&r), "text"));
	assert_true(slice_eq_str(msgread_str(&r), ""));
	assert_true(slice_eq_str(msgread_str(&r), "slice"));
	assert_true(slice_eq_str(msgread_str(&r), ""));
	assert_memory_equal(msgread_bytes(&r, 3).p, "r\0w", 3);
	assert_true(msgread_done(&r));
	buf_reset(&b);
}

static void
test_untyped(void **state PG_UNUSED)
{
	struct startup_packet s;
	struct msgwrite w;
	struct buf b;

	buf_init(&b, CAP);
	msgwrite_init(&w, &b);
	msgwrite_begin(&w, 0);
	msgwrite_u32(&w, 80877102);
	msgwrite_u32(&w, 4711);
	msgwrite_bytes(&w, "key!", 4);
	msgwrite_end(&w);
	assert_int_equal(buf_len(&b), 16);
	assert_int_equal(startup_next(buf_head(&b), 16, &s), STARTUP_CANCEL);
	assert_int_equal(s.cancel_pid, 4711);
	assert_memory_equal(s.cancel_key, "key!", 4);
	buf_reset(&b);
}

/* Several messages, behind bytes that are already partly read, while growth
 * moves everything. */
static void
test_many(void **state PG_UNUSED)
{
	struct msgwrite w;
	struct frame f = { 0 };
	struct buf b;
	char text[300];

	buf_init(&b, CAP);
	assert_true(buf_append(&b, "0123456789", 10));
	buf_consume(&b, 9);
	msgwrite_init(&w, &b);
	memset(text, 't', sizeof(text));
	for (unsigned i = 0; i < 100; i++)
		msgwrite_query(&w, slice_make(text, 3 * i));
	assert_false(w.failed);
	assert_int_equal(*buf_head(&b), '9');
	buf_consume(&b, 1);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(
		    frame_next(buf_head(&b), buf_len(&b), CAP, &f),
		    FRAME_WHOLE);
		assert_int_equal(f.body, 3 * i + 1);
		assert_memory_equal(f.p, text, 3 * i);
		assert_int_equal(f.p[3 * i], 0);
		buf_consume(&b, f.size);
	}
	assert_int_equal(buf_len(&b), 0);
	buf_reset(&b);
}

/* For every cap: either the whole message is there, or nothing of it and
 * nothing of what follows. */
static void
test_sticky_at_every_cap(void **state PG_UNUSED)
{
	for (size_t cap = 0; cap < 80; cap++) {
		struct msgwrite w;
		struct buf b;

		buf_init(&b, cap);
		msgwrite_init(&w, &b);
		msgwrite_ready(&w, 'I'); /* 6 bytes */
		assert_int_equal(w.failed, cap < 6);
		assert_int_equal(buf_len(&b), cap < 6 ? 0 : 6);
		msgwrite_begin(&w, 'x'); /* 5 + 1 + 2 + 4 + 5 + 3 + 10 = 30 */
		msgwrite_u8(&w, 1);
		msgwrite_u16(&w, 2);
		msgwrite_u32(&w, 3);
		msgwrite_str(&w, "four");
		msgwrite_slice(&w, SLICE_LIT("55"));
		msgwrite_bytes(&w, "0123456789", 10);
		msgwrite_end(&w);
		assert_int_equal(w.failed, cap < 36);
		msgwrite_ready(&w, 'T');
		assert_int_equal(w.failed, cap < 42);
		assert_int_equal(buf_len(&b),
		    cap < 6 ? 0 : cap < 36 ? 6 : cap < 42 ? 36 : 42);
		buf_reset(&b);
	}
}

/* Sizes of which the low 32 bits look harmless. No byte is touched: there is
 * one. */
static void
test_length_in_64_bits(void **state PG_UNUSED)
{
	static const size_t sizes[] = { MSGWRITE_MAX, MSGWRITE_MAX + 1ul,
		INT32_MAX - 1ul, INT32_MAX, INT32_MAX + 1ul, UINT32_MAX,
		UINT32_MAX + 1ul, UINT32_MAX + 5ul, SIZE_MAX - 4, SIZE_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct msgwrite w;
		struct buf b;

		buf_init(&b, SIZE_MAX);
		msgwrite_init(&w, &b);
		msgwrite_begin(&w, 'd');
		msgwrite_bytes(&w, "x", sizes[i]);
		assert_true(w.failed);
		msgwrite_end(&w);
		assert_int_equal(buf_len(&b), 0);
		assert_true(b.size < 4096);
		if (sizes[i] > MSGWRITE_MAX) {
			msgwrite_init(&w, &b);
			msgwrite_query(&w, slice_make("x", sizes[i]));
			assert_true(w.failed);
			assert_int_equal(buf_len(&b), 0);
		}
		buf_reset(&b);
	}
}

/* The limit, to the byte, header included.  The bytes of the message are
 * skipped, not written: the memory stays untouched but for its ends. */
static void
test_limit_exact(void **state PG_UNUSED)
{
	struct msgwrite w;
	struct buf b;

	buf_init(&b, MSGWRITE_MAX + 64ul);
	assert_true(buf_reserve(&b, MSGWRITE_MAX + 64ul));
	for (unsigned over = 0; over <= 1; over++) {
		msgwrite_init(&w, &b);
		msgwrite_begin(&w, 'd');
		buf_grow(&b, MSGWRITE_MAX - 10);
		msgwrite_bytes(&w, "123456", 5 + over);
		msgwrite_end(&w);
		assert_int_equal(w.failed, over);
		assert_int_equal(buf_len(&b), over ? 0 : MSGWRITE_MAX);
		if (!over)
			assert_int_equal(wire_u32(buf_head(&b) + 1),
			    MSGWRITE_MAX - 1);
		b.end = b.start;
	}
	buf_reset(&b);
}

static void
test_nul_inside(void **state PG_UNUSED)
{
	struct msgwrite w;
	struct buf b;

	buf_init(&b, CAP);
	msgwrite_init(&w, &b);
	msgwrite_ready(&w, 'I');
	msgwrite_query(&w, slice_make("select 1\0x", 10));
	assert_true(w.failed);
	assert_int_equal(buf_len(&b), 6);
	buf_reset(&b);
}

static void
test_small_messages(void **state PG_UNUSED)
{
	struct msgwrite w;
	struct slice s;
	struct buf b;

	buf_init(&b, CAP);
	msgwrite_init(&w, &b);
	msgwrite_ready(&w, 'E');
	s = one(&b, 'Z');
	assert_true(slice_eq_str(s, "E"));
	buf_consume(&b, buf_len(&b));
	msgwrite_complete(&w, "SELECT 1");
	s = one(&b, 'C');
	assert_int_equal(s.n, 9);
	assert_string_equal(s.p, "SELECT 1");
	buf_consume(&b, buf_len(&b));
	msgwrite_param_status(&w, "TimeZone", "UTC");
	s = one(&b, 'S');
	assert_int_equal(s.n, 13);
	assert_memory_equal(s.p, "TimeZone\0UTC", 13);
	assert_false(w.failed);
	buf_reset(&b);
}

static void
test_errors(void **state PG_UNUSED)
{
	struct wire_error e;
	struct msgwrite w;
	struct slice s;
	struct buf b;

	buf_init(&b, CAP);
	msgwrite_init(&w, &b);
	msgwrite_error(&w, "FATAL", "53300", "no server", "waited", "retry");
	s = one(&b, 'E');
	assert_memory_equal(s.p, "SFATAL\0VFATAL\0C53300\0Mno server\0"
	    "Dwaited\0Hretry\0", s.n);
	assert_true(msgread_error(s.p, s.n, &e));
	assert_true(slice_eq_str(e.severity, "FATAL"));
	assert_true(slice_eq_str(e.sqlstate, "53300"));
	assert_true(slice_eq_str(e.message, "no server"));
	buf_consume(&b, buf_len(&b));
	msgwrite_error(&w, "ERROR", "42601", "bad", NULL, NULL);
	s = one(&b, 'E');
	assert_memory_equal(s.p, "SERROR\0VERROR\0C42601\0Mbad\0", s.n);
	buf_consume(&b, buf_len(&b));
	msgwrite_notice(&w, "WARNING", "01000", "careful");
	s = one(&b, 'N');
	assert_true(msgread_error(s.p, s.n, &e));
	assert_true(slice_eq_str(e.severity, "WARNING"));
	assert_true(slice_eq_str(e.message, "careful"));
	buf_reset(&b);
}

static void
test_text_table(void **state PG_UNUSED)
{
	static const char *const names[] = { "name", "" };
	static const char *const values[] = { "value", NULL, "" };
	struct msgwrite w;
	struct slice s;
	struct buf b;

	buf_init(&b, CAP);
	msgwrite_init(&w, &b);
	msgwrite_text_desc(&w, names, 2);
	s = one(&b, 'T');
	assert_int_equal(s.n, 2 + (5 + 18) + (1 + 18));
	assert_memory_equal(s.p, "\0\2name\0\0\0\0\0\0\0\0\0\0\x19\xff\xff"
	    "\xff\xff\xff\xff\0\0" "\0\0\0\0\0\0\0\0\0\0\x19\xff\xff"
	    "\xff\xff\xff\xff\0\0", s.n);
	buf_consume(&b, buf_len(&b));
	msgwrite_text_row(&w, values, 3);
	s = one(&b, 'D');
	assert_int_equal(s.n, 2 + 4 + 5 + 4 + 4);
	assert_memory_equal(s.p, "\0\3\0\0\0\5value\xff\xff\xff\xff\0\0\0\0",
	    s.n);
	buf_consume(&b, buf_len(&b));
	msgwrite_text_row(&w, NULL, 0);
	s = one(&b, 'D');
	assert_memory_equal(s.p, "\0\0", 2);
	assert_false(w.failed);
	buf_reset(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_untyped),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_sticky_at_every_cap),
		cmocka_unit_test(test_length_in_64_bits),
		cmocka_unit_test(test_limit_exact),
		cmocka_unit_test(test_nul_inside),
		cmocka_unit_test(test_small_messages),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_text_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
