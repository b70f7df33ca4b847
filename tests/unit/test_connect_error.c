/* SPDX-License-Identifier: PostgreSQL
 *
 * What libpq says when connecting failed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/connect_error.h"

static void
test_the_servers_words(void **state PG_UNUSED)
{
	struct slice words;
	char code[6];

	assert_true(connect_error_read("connection to server at \"h\", port "
	    "5432 failed: FATAL:  42704: unrecognized configuration "
	    "parameter \"x\"\nLOCATION:  f, guc.c:1\n", code, &words));
	assert_string_equal(code, "42704");
	assert_true(slice_eq_str(words,
	    "unrecognized configuration parameter \"x\""));
	/* Of several hosts the last counts, in any language. */
	assert_true(connect_error_read("... failed: FATAL:  28P01: no\n"
	    "... failed: SCHWERWIEGEND:  22023: nein: 22\n", code, &words));
	assert_string_equal(code, "22023");
	assert_true(slice_eq_str(words, "nein: 22"));
	/* What the words hold is no code. */
	assert_true(connect_error_read("failed: FATAL:  22023: bad:  x: y",
	    code, &words));
	assert_string_equal(code, "22023");
}

static void
test_no_server_spoke(void **state PG_UNUSED)
{
	static const char *const texts[] = { "",
		"port 1 failed: Connection refused\n\tIs it running?\n",
		"timeout (server_connect_timeout)", ":  ", "x:  1234",
		"x:  123456: long", "x:  1234a: small", "x:  12345:tight" };
	struct slice words;
	char code[6];
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(connect_error_read(texts[i], code, &words));
}

static void
test_what_refuses(void **state PG_UNUSED)
{
	static const char *const yes[] = { "22023", "22P02", "42704", "42501",
		"0A000", "55P02" };
	static const char *const no[] = { "28P01", "28000", "3D000", "53300",
		"55000", "57P03", "57P01", "08006", "XX000", "" };
	size_t i;

	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(connect_error_refuses(yes[i]));
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(connect_error_refuses(no[i]));
}

static void
test_places_are_cut(void **state PG_UNUSED)
{
	char a[] = "FATAL:  22023: no\nHINT:  ask\nLOCATION:  f, g.c:1\n";
	char b[] = "LOCATION:  f\nx\nLOCATION:  g";
	char c[] = "one\ntwo";
	char d[] = "";

	connect_error_trim(a);
	assert_string_equal(a, "FATAL:  22023: no\nHINT:  ask\n");
	connect_error_trim(b);
	assert_string_equal(b, "x\n");
	connect_error_trim(c);
	assert_string_equal(c, "one\ntwo");
	connect_error_trim(d);
	assert_string_equal(d, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_servers_words),
		cmocka_unit_test(test_no_server_spoke),
		cmocka_unit_test(test_what_refuses),
		cmocka_unit_test(test_places_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
