/* SPDX-License-Identifier: PostgreSQL
 *
 * Framing: the boundaries of the length word, and a script of messages cut at
 * every byte.
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

#define LIMIT 1000u

static const struct {
	uint32_t len;
	enum frame_verdict verdict;
} lengths[] = {
	{ 0, FRAME_BAD },
	{ 1, FRAME_BAD },
	{ 3, FRAME_BAD },
	{ 4, FRAME_WHOLE },
	{ 5, FRAME_PARTIAL },
	{ LIMIT + 3, FRAME_PARTIAL },
	{ LIMIT + 4, FRAME_PARTIAL },
	{ LIMIT + 5, FRAME_BAD },
	{ 0x7fffffff, FRAME_BAD },
	{ 0x80000000, FRAME_BAD },
	{ 0xffffffff, FRAME_BAD },
};

static void
test_lengths(void **state PG_UNUSED)
{
	char p[FRAME_HEADER] = "Q";
	struct frame f;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		wire_put_u32(p + 1, lengths[i].len);
		for (size_t n = 0; n < sizeof(p); n++)
			assert_int_equal(frame_next(p, n, LIMIT, &f),
			    FRAME_NEED_MORE);
		assert_int_equal(frame_next(p, sizeof(p), LIMIT, &f),
		    lengths[i].verdict);
		if (lengths[i].verdict == FRAME_BAD)
			continue;
		assert_int_equal(f.type, 'Q');
		assert_int_equal(f.body, lengths[i].len - 4);
		assert_int_equal(f.size, (size_t)lengths[i].len + 1);
		assert_ptr_equal(f.p, p + FRAME_HEADER);
	}
}

/* The word is signed for PostgreSQL, whatever the caller allows. */
static void
test_lengths_without_limit(void **state PG_UNUSED)
{
	char p[FRAME_HEADER] = "d";
	struct frame f;

	wire_put_u32(p + 1, 0x7fffffff);
	assert_int_equal(frame_next(p, sizeof(p), UINT32_MAX, &f),
	    FRAME_PARTIAL);
	assert_int_equal(f.body, 0x7ffffffb);
	assert_int_equal(f.size, 0x80000000u);
	wire_put_u32(p + 1, 0x80000000);
	assert_int_equal(frame_next(p, sizeof(p), UINT32_MAX, &f), FRAME_BAD);
	wire_put_u32(p + 1, 0xffffffff);
	assert_int_equal(frame_next(p, sizeof(p), UINT32_MAX, &f), FRAME_BAD);
}

static void
test_limit_zero(void **state PG_UNUSED)
{
	char p[8] = "S\0\0\0\4";
	struct frame f;

	assert_int_equal(frame_next(p, 5, 0, &f), FRAME_WHOLE);
	assert_int_equal(f.body, 0);
	assert_int_equal(f.size, 5);
	p[4] = 5;
	assert_int_equal(frame_next(p, 6, 0, &f), FRAME_BAD);
}

/* Types are not framing's business: every byte passes. */
static void
test_types(void **state PG_UNUSED)
{
	char p[5] = { 0, 0, 0, 0, 4 };
	struct frame f;

	for (int t = 0; t < 256; t++) {
		p[0] = (char)t;
		assert_int_equal(frame_next(p, 5, LIMIT, &f), FRAME_WHOLE);
		assert_int_equal(f.type, t);
	}
}

#define MSG(t, len, body) t "\0\0\0" len body
static const char script[] = MSG("P", "\x15", "\0select $1\0\0\1\0\0\0\x17")
    MSG("B", "\x13", "\0\0\0\0\0\1\0\0\0\1" "7\0\1\0\1") MSG("S", "\4", "")
    MSG("Q", "\x0d", "select 1\0") MSG("d", "\6", "\xff\xff")
    MSG("X", "\4", "");
static const char script_types[] = "PBSQdX";
static const uint32_t script_bodies[] = { 17, 15, 0, 9, 2, 0 };

/* Every input is a copy of its exact size, so that a sanitizer sees a read
 * past what has arrived. */
static enum frame_verdict
next_of_copy(const char *p, size_t n, struct frame *f)
{
	char *copy = malloc(n > 0 ? n : 1);
	enum frame_verdict v;

	assert_non_null(copy);
	memcpy(copy, p, n);
	v = frame_next(copy, n, LIMIT, f);
	free(copy);
	return v;
}

static void
test_every_split(void **state PG_UNUSED)
{
	const size_t total = sizeof(script) - 1;

	for (size_t have = 0; have <= total; have++) {
		size_t pos = 0, count = 0;
		enum frame_verdict v;
		struct frame f;

		while ((v = next_of_copy(script + pos, have - pos, &f)) ==
		    FRAME_WHOLE) {
			assert_int_equal(f.type, script_types[count]);
			assert_int_equal(f.body, script_bodies[count]);
			assert_int_equal(f.size, 5 + f.body);
			pos += f.size;
			count++;
		}
		if (v == FRAME_PARTIAL) {
			assert_int_equal(f.type, script_types[count]);
			assert_int_equal(f.body, script_bodies[count]);
			assert_true(f.size > have - pos);
		} else {
			assert_int_equal(v, FRAME_NEED_MORE);
			assert_true(have - pos < 5);
		}
		if (have == total) {
			assert_int_equal(pos, total);
			assert_int_equal(count, sizeof(script_types) - 1);
		}
	}
}

static void
test_numbers(void **state PG_UNUSED)
{
	static const uint32_t values[] = { 0, 1, 0x7f, 0x80, 0xff, 0x100,
		0x01020304, 0x7fffffff, 0x80000000, 0xfffefdfc, UINT32_MAX };
	char p[4];

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		wire_put_u32(p, values[i]);
		assert_int_equal(wire_u32(p), values[i]);
		assert_int_equal(wire_u16(p), values[i] >> 16);
		assert_int_equal(wire_u16(p + 2), values[i] & 0xffff);
	}
	wire_put_u32(p, 0x01020304);
	assert_memory_equal(p, "\1\2\3\4", 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_lengths_without_limit),
		cmocka_unit_test(test_limit_zero),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_every_split),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
