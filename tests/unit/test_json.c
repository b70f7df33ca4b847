/* SPDX-License-Identifier: PostgreSQL
 *
 * The JSON writer: structure, text of any bytes, numbers, failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

#define CAP (64 * 1024)

static struct buf b;
static struct json j;

static void
begin(void)
{
	buf_reset(&b);
	buf_init(&b, CAP);
	json_init(&j, &b);
}

static void
is(const char *text)
{
	assert_false(j.failed);
	assert_int_equal(buf_len(&b), strlen(text));
	assert_memory_equal(buf_head(&b), text, strlen(text));
	begin();
}

static void
test_structure(void **state PG_UNUSED)
{
	begin();
	json_open(&j, '{');
	json_key(&j, "a");
	json_open(&j, '[');
	json_u64(&j, UINT64_MAX);
	json_null(&j);
	json_bool(&j, true);
	json_open(&j, '{');
	json_close(&j, '}');
	json_bool(&j, false);
	json_close(&j, ']');
	json_key(&j, "b");
	json_str(&j, NULL);
	json_close(&j, '}');
	is("{\"a\":[18446744073709551615,null,true,{},false],\"b\":null}");
}

static void
test_text(void **state PG_UNUSED)
{
	static const struct {
		struct slice in;
		const char *out;
	} all[] = {
		{ SLICE_LIT(""), "\"\"" },
		{ SLICE_LIT("a\"b\\c"), "\"a\\\"b\\\\c\"" },
		{ SLICE_LIT("\n\t\0\x7f"), "\"\\u000a\\u0009\\u0000\\u007f\"" },
		{ SLICE_LIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
			"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		/* not UTF-8: alone, overlong, a surrogate, too large, cut off */
		{ SLICE_LIT("\xff" "a"), "\"\xef\xbf\xbd" "a\"" },
		{ SLICE_LIT("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ SLICE_LIT("\xed\xa0\x80"),
			"\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ SLICE_LIT("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd"
			"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ SLICE_LIT("x\xe2\x82"), "\"x\xef\xbf\xbd\xef\xbf\xbd\"" },
	};
	size_t i;

	begin();
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		json_slice(&j, all[i].in);
		is(all[i].out);
	}
}

static void
test_numbers(void **state PG_UNUSED)
{
	static const struct {
		const char *in, *out;
	} all[] = {
		{ "0", "0" }, { "-12", "-12" }, { "1.250", "1.250" },
		{ "007", "\"007\"" }, { "1.", "\"1.\"" }, { ".5", "\".5\"" },
		{ "-", "\"-\"" }, { "", "\"\"" }, { "1e5", "\"1e5\"" },
		{ "NaN", "\"NaN\"" }, { "0x10", "\"0x10\"" },
		{ "1 ", "\"1 \"" },
	};
	size_t i;

	begin();
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		json_number(&j, slice_str(all[i].in));
		is(all[i].out);
	}
	json_real(&j, 0.125);
	is("0.125");
	json_real(&j, 1.0 / 0.0);
	is("null");
	json_seconds(&j, 1500 * NSEC_PER_USEC);
	is("0.0015");
}

static void
test_failure_sticks_and_is_taken_back(void **state PG_UNUSED)
{
	char big[CAP];
	struct json_mark mark;

	memset(big, 'x', sizeof(big));
	begin();
	json_open(&j, '[');
	json_u64(&j, 1);
	mark = json_mark(&j);
	json_slice(&j, slice_make(big, sizeof(big)));
	assert_true(j.failed);
	json_u64(&j, 2);
	assert_true(j.failed);
	json_rewind(&j, mark);
	json_close(&j, ']');
	is("[1]");
	buf_reset(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_failure_sticks_and_is_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
