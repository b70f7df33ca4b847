/* SPDX-License-Identifier: PostgreSQL
 *
 * Durations, sizes, months, words: what is taken, what is refused, and that
 * what is printed reads back as the same value.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conf/units.h"

static void
test_time(void **state)
{
	static const struct {
		const char *text;
		nsec_t value;
	} good[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "1ns", 1 },
		{ "7us", 7 * NSEC_PER_USEC },
		{ "250ms", 250 * NSEC_PER_MSEC },
		{ "30s", 30 * NSEC_PER_SEC },
		{ "5min", 300 * NSEC_PER_SEC },
		{ "1h", 3600 * NSEC_PER_SEC },
		{ "7d", 7 * 86400 * NSEC_PER_SEC },
		{ "106751d", 106751ull * 86400 * NSEC_PER_SEC },
	};
	static const char *const bad[] = { "", "5", "s", "-1s", "+1s", " 1s",
		"1s ", "1 s", "1.5s", "1m", "1S", "1sec", "0x1s",
		"106752d", "18446744073709551616ns", "9999999999999999999999d" };
	nsec_t v;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(units_parse_time(good[i].text, &v));
		assert_true(v == good[i].value);
	}
	v = 77;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(units_parse_time(bad[i], &v));
	assert_true(v == 77);
}

static void
test_share(void **state)
{
	static const struct {
		const char *text;
		uint32_t share;
	} good[] = { { "0", 0 }, { "0%", 0 }, { "0.1%", 1000 },
		{ "0.0001%", 1 }, { "1%", 10000 }, { "12.5%", 125000 },
		{ "100%", 1000000 } };
	static const char *const bad[] = { "", "%", "1", "0.1", "-1%", "101%",
		"100.1%", "1.00001%", ".5%", "1.%", "1 %", "1%%" };
	uint32_t out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(units_parse_share(good[i].text, &out));
		assert_int_equal(out, good[i].share);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(units_parse_share(bad[i], &out));
}

static void
test_size(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} good[] = {
		{ "0", 0 },
		{ "1000", 1000 },
		{ "12B", 12 },
		{ "64kB", 65536 },
		{ "64MB", 67108864 },
		{ "1GB", 1073741824 },
		{ "2TB", 2199023255552 },
		{ "9223372036854775807", INT64_MAX },
	};
	static const char *const bad[] = { "", "kB", "-1", "1KB", "1kb", "1K",
		"1 kB", "1.5MB", "9223372036854775808", "8388608TB",
		"99999999999999999999" };
	int64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(units_parse_size(good[i].text, &v));
		assert_int_equal(v, good[i].value);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(units_parse_size(bad[i], &v));
}

static void
test_int_and_mode(void **state)
{
	int64_t v;

	(void)state;
	assert_true(units_parse_int("-12", &v));
	assert_int_equal(v, -12);
	assert_true(units_parse_int("+010", &v));
	assert_int_equal(v, 10);
	assert_true(units_parse_int("9223372036854775807", &v));
	assert_int_equal(v, INT64_MAX);
	assert_false(units_parse_int("9223372036854775808", &v));
	assert_false(units_parse_int("", &v));
	assert_false(units_parse_int("-", &v));
	assert_false(units_parse_int("1x", &v));
	assert_false(units_parse_int("0x1", &v));

	assert_true(units_parse_mode("0770", &v));
	assert_int_equal(v, 0770);
	assert_true(units_parse_mode("770", &v));
	assert_int_equal(v, 0770);
	assert_false(units_parse_mode("0780", &v));
	assert_false(units_parse_mode("10000", &v));
	assert_false(units_parse_mode("", &v));
}

static void
test_bool_and_word(void **state)
{
	char text[16];
	bool b;
	int place = 5;

	(void)state;
	assert_true(units_parse_bool("true", &b) && b);
	assert_true(units_parse_bool("ON", &b) && b);
	assert_true(units_parse_bool("yes", &b) && b);
	assert_true(units_parse_bool("false", &b) && !b);
	assert_true(units_parse_bool("off", &b) && !b);
	assert_true(units_parse_bool("No", &b) && !b);
	assert_false(units_parse_bool("1", &b));
	assert_false(units_parse_bool("", &b));
	assert_false(units_parse_bool("true|off", &b));

	assert_false(units_parse_word("tru", "true|false", &place));
	assert_false(units_parse_word("", "a||b", &place));
	assert_int_equal(place, 5);
	assert_true(units_parse_word("c", "a|b|c", &place));
	assert_int_equal(place, 2);
	assert_string_equal("b", units_print_word(text, sizeof(text),
	    "a|b|c", 1));
	assert_string_equal("c", units_print_word(text, sizeof(text),
	    "a|b|c", 2));
	assert_string_equal("", units_print_word(text, sizeof(text),
	    "a|b|c", 3));
	assert_string_equal("", units_print_word(text, sizeof(text),
	    "a|b|c", -1));
	assert_string_equal("longw", units_print_word(text, 6,
	    "longword|b", 0));
}

static void
test_month(void **state)
{
	static const char *const bad[] = { "", "2026", "2026-1", "2026-00",
		"2026-13", "0000-01", "2026/01", "2026-01-01", "26-01",
		"-026-01", "2026-+1", "202a-01" };
	char text[UNITS_TEXT];
	int64_t v;
	size_t i;

	(void)state;
	assert_true(units_parse_month("1970-01", &v));
	assert_int_equal(v, 0);
	assert_true(units_parse_month("2026-01", &v));
	assert_int_equal(v, 672);
	assert_true(units_parse_month("1969-12", &v));
	assert_int_equal(v, -1);
	assert_string_equal("1969-12", units_print_month(text, -1));
	assert_string_equal("0001-01", units_print_month(text,
	    -1969 * 12));
	assert_string_equal("2026-12", units_print_month(text, 683));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(units_parse_month(bad[i], &v));
}

static void
test_print(void **state)
{
	char text[UNITS_TEXT];

	(void)state;
	assert_string_equal("0", units_print_time(text, 0));
	assert_string_equal("90s", units_print_time(text, 90 * NSEC_PER_SEC));
	assert_string_equal("2min",
	    units_print_time(text, 120 * NSEC_PER_SEC));
	assert_string_equal("1500ms",
	    units_print_time(text, 1500 * NSEC_PER_MSEC));
	assert_string_equal("1ns", units_print_time(text, 1));
	assert_string_equal("0", units_print_size(text, 0));
	assert_string_equal("1000B", units_print_size(text, 1000));
	assert_string_equal("64MB", units_print_size(text, 67108864));
	assert_string_equal("-5", units_print_int(text, -5));
	assert_string_equal("0777", units_print_mode(text, 0777));
	assert_string_equal("0007", units_print_mode(text, 7));
}

/* Printing then reading gives the value back, over the whole range. */
static void
test_round_trip(void **state)
{
	char text[UNITS_TEXT];
	uint64_t v, seed = 1;
	nsec_t t;
	int64_t n, m;
	int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		v = (seed >> 1) >> (i % 63);
		assert_true(units_parse_time(units_print_time(text, v), &t));
		assert_true(t == v);
		assert_true(units_parse_size(units_print_size(text,
		    (int64_t)v), &n));
		assert_true(n == (int64_t)v);
		n = (int64_t)(v % 119000) - 23000;
		assert_true(units_parse_month(units_print_month(text, n), &m));
		assert_true(m == n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_int_and_mode),
		cmocka_unit_test(test_bool_and_word),
		cmocka_unit_test(test_month),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
