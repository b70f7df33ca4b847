/* SPDX-License-Identifier: PostgreSQL
 *
 * Which month does a literal or parameter lie in?
 *
 * Parses the one textual form of date and time that every DateStyle reads
 * alike, and the binary forms of the wire.  Knows neither the column's type
 * nor the session's zone, so it answers with a range that is certain to hold
 * the instant.  Pure, any thread; proleptic Gregorian calendar as
 * PostgreSQL's.
 */
#include "route/month.h"

#include <stdio.h>

#define MONTH_PG_EPOCH_DAYS 10957 /* 1970-01-01 to 2000-01-01 */

/* Days from 1970-01-01 to a civil date. Years are counted from March, so
 * that the leap day comes last, in eras of 400 years. */
static int64_t
month_days(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

static int64_t
month_floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t
month_of(int64_t us)
{
	int64_t z = month_floor_div(us, MONTH_DAY_US) + 719468;
	int64_t era = month_floor_div(z, 146097);
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153; /* 0: March */
	int64_t year = yoe + era * 400 + (mp >= 10);

	return (year - 1970) * 12 + (mp < 10 ? mp + 2 : mp - 10);
}

int64_t
month_start(int64_t month)
{
	int64_t year = 1970 + month_floor_div(month, 12);
	int m = (int)(month - month_floor_div(month, 12) * 12) + 1;

	return month_days(year, m, 1) * MONTH_DAY_US;
}

void
month_print(int64_t month, char *out, size_t size)
{
	int64_t year = 1970 + month_floor_div(month, 12);
	int m = (int)(month - month_floor_div(month, 12) * 12) + 1;

	snprintf(out, size, "%04lld-%02d", (long long)year, m);
}

/* -------------------------------------------------------------------- text */

struct month_scan {
	const char *p;
	size_t n;
};

static bool
month_char(struct month_scan *s, char c)
{
	if (s->n == 0 || *s->p != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

/* Exactly width digits, at most max. */
static bool
month_digits(struct month_scan *s, size_t width, int max, int *value)
{
	int v = 0;

	if (s->n < width)
		return false;
	for (size_t i = 0; i < width; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (s->p[i] - '0');
	}
	s->p += width;
	s->n -= width;
	*value = v;
	return v <= max;
}

static bool
month_date(struct month_scan *s, int64_t *days)
{
	static const int len[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	int y, m, d;
	bool leap;

	if (!month_digits(s, 4, 9999, &y) || !month_char(s, '-') ||
	    !month_digits(s, 2, 12, &m) || !month_char(s, '-') ||
	    !month_digits(s, 2, 31, &d))
		return false;
	if (y < 1 || m < 1 || d < 1)
		return false;
	leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
	if (d > len[m - 1] + (m == 2 && leap))
		return false;
	*days = month_days(y, m, d);
	return true;
}

/* HH:MM[:SS[.f]]. More than six digits of a fraction would be rounded by the
 * server, 24:00 and second 60 carried over: not for us. */
static bool
month_time(struct month_scan *s, int64_t *us)
{
	int h, m, sec = 0;
	int64_t frac = 0;

	if (!month_digits(s, 2, 23, &h) || !month_char(s, ':') ||
	    !month_digits(s, 2, 59, &m))
		return false;
	if (month_char(s, ':')) {
		int64_t unit = 100000;
		int digit;

		if (!month_digits(s, 2, 59, &sec))
			return false;
		if (month_char(s, '.')) {
			while (unit > 0 && month_digits(s, 1, 9, &digit)) {
				frac += digit * unit;
				unit /= 10;
			}
			if (unit == 100000)
				return false;
		}
	}
	*us = ((int64_t)h * 3600 + m * 60 + sec) * MONTH_SECOND_US + frac;
	return true;
}

/* The rest: nothing or a zone. */
static bool
month_zone(struct month_scan *s, bool *zoned, int64_t *offset)
{
	int h, m = 0, sec = 0, sign;

	*zoned = s->n > 0;
	*offset = 0;
	if (s->n == 0)
		return true;
	if ((s->n == 1 && (*s->p == 'Z' || *s->p == 'z')) ||
	    (s->n == 4 && memcmp(s->p, " UTC", 4) == 0)) {
		s->n = 0;
		return true;
	}
	if (month_char(s, '+'))
		sign = 1;
	else if (month_char(s, '-'))
		sign = -1;
	else
		return false;
	if (!month_digits(s, 2, 14, &h))
		return false;
	if (s->n > 0) {
		(void)month_char(s, ':');
		if (!month_digits(s, 2, 59, &m))
			return false;
	}
	if (s->n > 0 && (!month_char(s, ':') || !month_digits(s, 2, 59, &sec)))
		return false;
	*offset = sign * ((int64_t)h * 3600 + m * 60 + sec) * MONTH_SECOND_US;
	return s->n == 0;
}

bool
month_parse_date(struct slice s, int64_t *days)
{
	struct month_scan sc = { s.p, s.n };

	return month_date(&sc, days) && sc.n == 0;
}

bool
month_parse_text(struct slice s, enum month_type type, int64_t zone_us,
    struct month_range *r)
{
	struct month_scan sc = { s.p, s.n };
	int64_t days, time = 0, offset = 0, local, utc;
	bool zoned = false;

	if (!month_date(&sc, &days))
		return false;
	if (month_char(&sc, ' ') || month_char(&sc, 'T')) {
		if (!month_time(&sc, &time) ||
		    !month_zone(&sc, &zoned, &offset))
			return false;
	}
	if (sc.n > 0)
		return false;
	local = days * MONTH_DAY_US + (type == MONTH_DATE ? 0 : time);
	utc = local - offset;
	if (!zoned || type == MONTH_DATE || type == MONTH_TIMESTAMP) {
		/* A zone in a value without one is ignored by the server. */
		r->lo = local - zone_us;
		r->hi = local + zone_us;
	} else if (type == MONTH_TIMESTAMPTZ) {
		r->lo = r->hi = utc;
	} else { /* the column decides whether the zone counts */
		r->lo = utc < local ? utc : local;
		r->hi = utc < local ? local : utc;
	}
	return true;
}

/* ------------------------------------------------------------------ binary */

bool
month_parse_binary(struct slice s, enum month_type type, int64_t zone_us,
    struct month_range *r)
{
	const unsigned char *p = (const unsigned char *)s.p;
	bool is_date = s.n == 4;
	uint64_t v = 0;
	int64_t us;

	if (s.n != 4 && s.n != 8)
		return false;
	if (type != MONTH_ANY && (type == MONTH_DATE) != is_date)
		return false;
	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | p[i];
	if (is_date) {
		int32_t d = (int32_t)(uint32_t)v;

		if (d == INT32_MAX || d == INT32_MIN)
			return false;
		us = ((int64_t)d + MONTH_PG_EPOCH_DAYS) * MONTH_DAY_US;
	} else {
		us = (int64_t)v;
		/* Infinity, and all that the sum below or widening by a zone
		 * could push over. */
		if (us > INT64_MAX / 2 || us < INT64_MIN / 2)
			return false;
		us += MONTH_PG_EPOCH_DAYS * MONTH_DAY_US;
	}
	r->lo = r->hi = us;
	if (is_date || type == MONTH_TIMESTAMP) {
		r->lo -= zone_us;
		r->hi += zone_us;
	}
	return true;
}
