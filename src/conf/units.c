/* SPDX-License-Identifier: PostgreSQL
 *
 * Durations, sizes, months and the like, to and from text.
 *
 * Pure: no I/O, no globals, any thread.  It does not know which option a
 * value belongs to nor its bounds.  Printing picks the largest unit that
 * divides the value, so nothing is ever rounded.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf/units.h"

struct units_unit {
	const char *name;
	uint64_t factor;
};

/* Ascending; the printers walk them from the end. */
static const struct units_unit units_time[] = {
	{ "ns", 1 },
	{ "us", NSEC_PER_USEC },
	{ "ms", NSEC_PER_MSEC },
	{ "s", NSEC_PER_SEC },
	{ "min", 60 * NSEC_PER_SEC },
	{ "h", 3600 * NSEC_PER_SEC },
	{ "d", 86400 * NSEC_PER_SEC },
};
static const struct units_unit units_size[] = {
	{ "B", 1 },
	{ "kB", 1024ull },
	{ "MB", 1024ull * 1024 },
	{ "GB", 1024ull * 1024 * 1024 },
	{ "TB", 1024ull * 1024 * 1024 * 1024 },
};

/* Digits at *s in the given base; moves *s past them. */
static bool
units_digits(const char **s, unsigned base, uint64_t *out)
{
	const char *p = *s;
	uint64_t v = 0;
	unsigned digit;

	for (; *p >= '0' && *p <= '9'; p++) {
		digit = (unsigned)(*p - '0');
		if (digit >= base || v > (UINT64_MAX - digit) / base)
			return false;
		v = v * base + digit;
	}
	if (p == *s)
		return false;
	*s = p;
	*out = v;
	return true;
}

static bool
units_scaled(const char *s, const struct units_unit *units, size_t n,
    uint64_t *out)
{
	uint64_t v;
	size_t i;

	if (!units_digits(&s, 10, &v))
		return false;
	for (i = 0; i < n; i++) {
		if (strcmp(s, units[i].name) != 0)
			continue;
		if (v > (uint64_t)INT64_MAX / units[i].factor)
			return false;
		*out = v * units[i].factor;
		return true;
	}
	if (*s != '\0' || v > (uint64_t)INT64_MAX)
		return false;
	*out = v;
	return true;
}

bool
units_parse_time(const char *s, nsec_t *out)
{
	uint64_t v;

	if (!units_scaled(s, units_time, ARRAY_SIZE(units_time), &v))
		return false;
	/* A bare number has no obvious unit; only zero needs none. */
	if (v != 0 && s[strspn(s, "0123456789")] == '\0')
		return false;
	*out = v;
	return true;
}

bool
units_parse_share(const char *s, uint32_t *out)
{
	uint64_t whole, part = 0;
	const char *p;
	int digits = 0;

	if (strcmp(s, "0") == 0) {
		*out = 0;
		return true;
	}
	if (!units_digits(&s, 10, &whole) || whole > 100)
		return false;
	if (*s == '.') {
		p = ++s;
		if (!units_digits(&s, 10, &part) || s - p > 4)
			return false;
		digits = (int)(s - p);
	}
	for (; digits < 4; digits++)
		part *= 10;
	if (strcmp(s, "%") != 0 || whole * 10000 + part > 1000000)
		return false;
	*out = (uint32_t)(whole * 10000 + part);
	return true;
}

bool
units_parse_size(const char *s, int64_t *out)
{
	uint64_t v;

	if (!units_scaled(s, units_size, ARRAY_SIZE(units_size), &v))
		return false;
	*out = (int64_t)v;
	return true;
}

bool
units_parse_int(const char *s, int64_t *out)
{
	bool negative = *s == '-';
	uint64_t v;

	if (*s == '-' || *s == '+')
		s++;
	if (!units_digits(&s, 10, &v) || *s != '\0' || v > INT64_MAX)
		return false;
	*out = negative ? -(int64_t)v : (int64_t)v;
	return true;
}

bool
units_parse_mode(const char *s, int64_t *out)
{
	uint64_t v;

	if (!units_digits(&s, 8, &v) || *s != '\0' || v > 07777)
		return false;
	*out = (int64_t)v;
	return true;
}

bool
units_parse_bool(const char *s, bool *out)
{
	static const char words[] = "false|true|off|on|no|yes";
	int place;

	if (!units_parse_word(s, words, &place))
		return false;
	*out = place % 2 == 1;
	return true;
}

bool
units_parse_month(const char *s, int64_t *out)
{
	uint64_t year, month;
	const char *p = s;

	if (strlen(s) != 7 || s[4] != '-' || !units_digits(&p, 10, &year) ||
	    p != s + 4)
		return false;
	p++;
	if (!units_digits(&p, 10, &month) || *p != '\0')
		return false;
	if (year < 1 || month < 1 || month > 12)
		return false;
	*out = ((int64_t)year - 1970) * 12 + (int64_t)month - 1;
	return true;
}

bool
units_parse_word(const char *s, const char *words, int *out)
{
	size_t len = strlen(s), n;
	int place = 0;

	for (;;) {
		n = strcspn(words, "|");
		if (n == len && n > 0 && strncasecmp(s, words, n) == 0) {
			*out = place;
			return true;
		}
		if (words[n] == '\0')
			return false;
		words += n + 1;
		place++;
	}
}

static char *
units_print_scaled(char *out, uint64_t v, const struct units_unit *units,
    size_t n)
{
	size_t i = n;

	if (v == 0) {
		(void)snprintf(out, UNITS_TEXT, "0");
		return out;
	}
	while (--i > 0 && v % units[i].factor != 0)
		;
	(void)snprintf(out, UNITS_TEXT, "%" PRIu64 "%s", v / units[i].factor,
	    units[i].name);
	return out;
}

char *
units_print_time(char *out, nsec_t v)
{
	return units_print_scaled(out, v, units_time, ARRAY_SIZE(units_time));
}

char *
units_print_size(char *out, int64_t v)
{
	CHECK(v >= 0);
	return units_print_scaled(out, (uint64_t)v, units_size,
	    ARRAY_SIZE(units_size));
}

char *
units_print_int(char *out, int64_t v)
{
	(void)snprintf(out, UNITS_TEXT, "%" PRId64, v);
	return out;
}

char *
units_print_mode(char *out, int64_t v)
{
	(void)snprintf(out, UNITS_TEXT, "0%03" PRIo64, v);
	return out;
}

char *
units_print_month(char *out, int64_t v)
{
	int64_t months = v + 1970 * 12;

	(void)snprintf(out, UNITS_TEXT, "%04" PRId64 "-%02" PRId64,
	    months / 12, months % 12 + 1);
	return out;
}

char *
units_print_word(char *out, size_t size, const char *words, int place)
{
	size_t n;

	CHECK(size > 0);
	out[0] = '\0';
	for (; place >= 0; place--) {
		n = strcspn(words, "|");
		if (place == 0)
			(void)snprintf(out, size, "%.*s", (int)n, words);
		if (words[n] == '\0')
			break;
		words += n + 1;
	}
	return out;
}
