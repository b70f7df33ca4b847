/* SPDX-License-Identifier: PostgreSQL
 *
 * Texts of partition bounds taken apart.
 *
 * Only what is read completely counts; anything else is "not known".  Pure,
 * any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "layout/bound.h"

#define BOUND_DAY_US INT64_C(86400000000)

/* Move *p behind word; false: it does not stand there. */
static bool
bound_skip(const char **p, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*p, word, n) != 0)
		return false;
	*p += n;
	return true;
}

/* Exactly so many digits. */
static bool
bound_digits(const char **p, unsigned n, int64_t *out)
{
	int64_t v = 0;

	for (; n > 0; n--, ++*p) {
		if (**p < '0' || **p > '9')
			return false;
		v = v * 10 + (**p - '0');
	}
	*out = v;
	return true;
}

static bool
bound_unsigned(const char **p, unsigned *out)
{
	unsigned v = 0, n = 0;

	for (; **p >= '0' && **p <= '9'; ++*p, n++) {
		if (n == 9)
			return false;
		v = v * 10 + (unsigned)(**p - '0');
	}
	*out = v;
	return n > 0;
}

bool
bound_hash(const char *text, unsigned *modulus, unsigned *remainder)
{
	return bound_skip(&text, "FOR VALUES WITH (modulus ") &&
	    bound_unsigned(&text, modulus) &&
	    bound_skip(&text, ", remainder ") &&
	    bound_unsigned(&text, remainder) && strcmp(text, ")") == 0 &&
	    *remainder < *modulus;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar. */
static int64_t
bound_day(int64_t y, int64_t m, int64_t d)
{
	int64_t era;

	y -= m <= 2;
	era = y / 400;
	y -= era * 400;
	return era * 146097 + y * 365 + y / 4 - y / 100 +
	    (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1 - 719468;
}

/* [ HH:MM:SS[.f][+00]] behind a date. */
static bool
bound_time(const char **p, int64_t *us)
{
	int64_t h, m, s, unit = 100000;

	*us = 0;
	if (!bound_skip(p, " "))
		return true;
	if (!bound_digits(p, 2, &h) || !bound_skip(p, ":") ||
	    !bound_digits(p, 2, &m) || !bound_skip(p, ":") ||
	    !bound_digits(p, 2, &s))
		return false;
	*us = ((h * 60 + m) * 60 + s) * 1000000;
	if (bound_skip(p, "."))
		for (; **p >= '0' && **p <= '9'; ++*p, unit /= 10)
			*us += unit * (**p - '0');
	(void)bound_skip(p, "+00");
	return true;
}

static bool
bound_value(const char **p, int64_t *out)
{
	int64_t y, m, d, us;

	if (bound_skip(p, "MINVALUE")) {
		*out = INT64_MIN;
		return true;
	}
	if (bound_skip(p, "MAXVALUE")) {
		*out = INT64_MAX;
		return true;
	}
	if (!bound_skip(p, "'") || !bound_digits(p, 4, &y) ||
	    !bound_skip(p, "-") || !bound_digits(p, 2, &m) ||
	    !bound_skip(p, "-") || !bound_digits(p, 2, &d) || m < 1 ||
	    m > 12 || !bound_time(p, &us) || !bound_skip(p, "'"))
		return false;
	*out = bound_day(y, m, d) * BOUND_DAY_US + us;
	return true;
}

bool
bound_range(const char *text, struct bound_range *r)
{
	*r = (struct bound_range){ false, INT64_MIN, INT64_MAX };
	if (strcmp(text, "DEFAULT") == 0) {
		r->is_default = true;
		return true;
	}
	return bound_skip(&text, "FOR VALUES FROM (") &&
	    bound_value(&text, &r->lo) && bound_skip(&text, ") TO (") &&
	    bound_value(&text, &r->hi) && strcmp(text, ")") == 0;
}
