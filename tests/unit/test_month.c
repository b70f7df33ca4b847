/* SPDX-License-Identifier: PostgreSQL
 *
 * Months: the calendar, literals and wire values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "route/month.h"

#define HOUR (3600 * MONTH_SECOND_US)

static int64_t
months(int year, int month)
{
	return (int64_t)(year - 1970) * 12 + month - 1;
}

static bool
text(const char *s, enum month_type type, struct month_range *r)
{
	return month_parse_text(slice_str(s), type, MONTH_ZONE_US, r);
}

static bool
parse_binary(struct slice s, enum month_type type, struct month_range *r)
{
	return month_parse_binary(s, type, MONTH_ZONE_US, r);
}

static void
the_calendar_is_the_libraries(void **state)
{
	(void)state;
	/* Every day from 1600 to 2400 against timegm(). */
	for (int64_t day = -135140; day < 157054; day++) {
		time_t t = (time_t)day * 86400;
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		assert_int_equal(month_of(day * MONTH_DAY_US),
		    months(tm.tm_year + 1900, tm.tm_mon + 1));
		if (tm.tm_mday == 1) {
			int64_t m = months(tm.tm_year + 1900, tm.tm_mon + 1);

			assert_int_equal(month_start(m), day * MONTH_DAY_US);
			assert_int_equal(month_of(month_start(m) - 1), m - 1);
		}
	}
}

static void
month_numbers_have_names(void **state)
{
	char name[32];

	(void)state;
	month_print(0, name, sizeof(name));
	assert_string_equal(name, "1970-01");
	month_print(months(2026, 12), name, sizeof(name));
	assert_string_equal(name, "2026-12");
	month_print(-1, name, sizeof(name));
	assert_string_equal(name, "1969-12");
}

static void
a_zone_makes_an_instant(void **state)
{
	static const struct {
		const char *text;
		int64_t offset; /* from 2026-05-01 00:00 UTC */
	} same[] = {
		{ "2026-05-01 00:00:00+00", 0 },
		{ "2026-05-01T00:00Z", 0 },
		{ "2026-05-01 00:00:00z", 0 },
		{ "2026-05-01 00:00:00.0 UTC", 0 },
		{ "2026-05-01 00:00:00-00:00", 0 },
		{ "2026-05-01 00:00:00+02", -2 * HOUR },
		{ "2026-05-01 00:00:00-0330", 3 * HOUR + HOUR / 2 },
		{ "2026-05-01 00:00:00+05:45", -5 * HOUR - HOUR * 3 / 4 },
		{ "2026-05-01 12:30:15.250001+00",
		    12 * HOUR + HOUR / 2 + 15 * MONTH_SECOND_US + 250001 },
	};
	int64_t may = month_start(months(2026, 5));
	struct month_range r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		assert_true(text(same[i].text, MONTH_TIMESTAMPTZ, &r));
		assert_int_equal(r.lo, may + same[i].offset);
		assert_int_equal(r.hi, r.lo);
	}
}

static void
without_a_zone_the_range_is_wide(void **state)
{
	static const char *const local[] = { "2026-05-01", "2026-05-01 00:00",
		"2026-05-01T00:00:00.000000" };
	int64_t may = month_start(months(2026, 5));
	struct month_range r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(local); i++) {
		for (int t = MONTH_ANY; t <= MONTH_DATE; t++) {
			assert_true(text(local[i], (enum month_type)t, &r));
			assert_int_equal(r.lo, may - 15 * HOUR);
			assert_int_equal(r.hi, may + 15 * HOUR);
		}
	}
	/* A type without zone ignores one; a date ignores the time as well. */
	assert_true(text("2026-05-01 00:00:00+09", MONTH_TIMESTAMP, &r));
	assert_int_equal(r.lo, may - 15 * HOUR);
	assert_true(text("2026-05-01 23:00:00+09", MONTH_DATE, &r));
	assert_int_equal(r.hi, may + 15 * HOUR);
	/* An untyped literal: the column decides. */
	assert_true(text("2026-05-01 00:00:00+09", MONTH_ANY, &r));
	assert_int_equal(r.lo, may - 9 * HOUR);
	assert_int_equal(r.hi, may);
	assert_true(text("2026-05-01 00:00:00Z", MONTH_ANY, &r));
	assert_int_equal(r.lo, may);
	assert_int_equal(r.hi, may);
}

static void
what_may_mean_something_else_is_not_read(void **state)
{
	static const char *const bad[] = { "", "now", "today", "epoch",
		"infinity", "-infinity", "01/05/2026", "2026-5-1",
		"2026-13-01", "2026-00-01", "2026-02-29", "2026-04-31",
		"1900-02-29", "0000-01-01", "20260501", "2026-05-01 ",
		" 2026-05-01", "2026-05-01 24:00", "2026-05-01 23:60",
		"2026-05-01 23:59:60", "2026-05-01 1:00", "2026-05-01 01",
		"2026-05-01 00:00:00.", "2026-05-01 00:00:00.1234567",
		"2026-05-01 00:00:00 BC", "2026-05-01 00:00:00 CET",
		"2026-05-01 00:00:00+15", "2026-05-01 00:00:00+1",
		"2026-05-01 00:00:00+01:", "2026-05-01 00:00:00+01:60",
		"2026-05-01 00:00:00+010", "2026-05-01 00:00:00+01:00x",
		"2026-05-01 00:00 PM", "2026-05-01+02", "12026-05-01",
		"2026-05-01 00:00:00Z+01" };
	struct month_range r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (text(bad[i], MONTH_ANY, &r))
			fail_msg("read: %s", bad[i]);
	}
	assert_true(text("2000-02-29", MONTH_ANY, &r));
	assert_true(text("2024-02-29", MONTH_ANY, &r));
	assert_true(text("9999-12-31 23:59:59.999999", MONTH_ANY, &r));
	assert_true(text("0001-01-01", MONTH_ANY, &r));
}

static void
wire_values_are_read(void **state)
{
	struct month_range r;
	int64_t y2k = month_start(months(2000, 1));

	(void)state;
	assert_true(parse_binary(SLICE_LIT("\0\0\0\0\0\0\0\0"),
	    MONTH_TIMESTAMPTZ, &r));
	assert_int_equal(r.lo, y2k);
	assert_int_equal(r.hi, y2k);
	assert_true(parse_binary(
	    SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff"), MONTH_ANY, &r));
	assert_int_equal(r.hi, y2k - 1);
	assert_true(parse_binary(SLICE_LIT("\0\0\0\0\0\0\0\0"),
	    MONTH_TIMESTAMP, &r));
	assert_int_equal(r.lo, y2k - 15 * HOUR);
	assert_true(parse_binary(SLICE_LIT("\0\0\0\x1f"), MONTH_DATE,
	    &r));
	assert_int_equal(r.lo, y2k + 31 * MONTH_DAY_US - 15 * HOUR);
	assert_int_equal(r.hi, y2k + 31 * MONTH_DAY_US + 15 * HOUR);
	assert_true(parse_binary(SLICE_LIT("\xff\xff\xff\xff"),
	    MONTH_ANY, &r));
	assert_int_equal(month_of(r.lo), months(1999, 12));
}

static void
wire_values_of_another_kind_are_not(void **state)
{
	static const char infinity[] = "\x7f\xff\xff\xff\xff\xff\xff\xff";
	static const char minus[] = "\x80\0\0\0\0\0\0\0";
	struct month_range r;

	(void)state;
	assert_false(parse_binary(slice_make(infinity, 8),
	    MONTH_TIMESTAMPTZ, &r));
	assert_false(parse_binary(slice_make(minus, 8), MONTH_ANY, &r));
	assert_false(parse_binary(slice_make(infinity, 4), MONTH_DATE,
	    &r));
	assert_false(parse_binary(slice_make(minus, 4), MONTH_DATE, &r));
	assert_false(parse_binary(slice_make(minus, 0), MONTH_ANY, &r));
	assert_false(parse_binary(SLICE_LIT("\0\0\0"), MONTH_ANY, &r));
	assert_false(parse_binary(SLICE_LIT("\0\0\0\0"),
	    MONTH_TIMESTAMPTZ, &r));
	assert_false(parse_binary(SLICE_LIT("\0\0\0\0\0\0\0\0"),
	    MONTH_DATE, &r));
}

static void
a_known_zone_leaves_no_doubt(void **state)
{
	struct month_range r;

	(void)state;
	assert_true(month_parse_text(SLICE_LIT("2026-02-01"), MONTH_ANY, 0,
	    &r));
	assert_int_equal(r.lo, month_start(months(2026, 2)));
	assert_int_equal(r.hi, r.lo);
	assert_true(month_parse_binary(SLICE_LIT("\0\0\0\x1f"), MONTH_DATE, 0,
	    &r));
	assert_int_equal(r.lo, month_start(months(2000, 2)));
	assert_int_equal(r.hi, r.lo);
	/* Of a column without zones it may still be another time. */
	assert_true(month_parse_text(SLICE_LIT("2026-02-01 00:00+02"),
	    MONTH_ANY, 0, &r));
	assert_int_equal(r.hi - r.lo, 2 * HOUR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_zone_leaves_no_doubt),
		cmocka_unit_test(the_calendar_is_the_libraries),
		cmocka_unit_test(month_numbers_have_names),
		cmocka_unit_test(a_zone_makes_an_instant),
		cmocka_unit_test(without_a_zone_the_range_is_wide),
		cmocka_unit_test(what_may_mean_something_else_is_not_read),
		cmocka_unit_test(wire_values_are_read),
		cmocka_unit_test(wire_values_of_another_kind_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
