/* SPDX-License-Identifier: PostgreSQL
 *
 * Numbers for people.  Pure.
 */
#include "experiment/report_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"

struct report_text
text_count(uint64_t n)
{
	struct report_text t;
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), i;
	size_t at = 0;

	for (i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			t.s[at++] = ',';
		t.s[at++] = digits[i];
	}
	t.s[at] = '\0';
	return t;
}

/* Three digits, whatever the size. */
static void
text_digits(char *out, size_t size, double v, const char *unit)
{
	double a = fabs(v);
	int places = a >= 99.95 ? 0 : a >= 9.995 ? 1 : 2;

	(void)snprintf(out, size, "%.*f%s%s", places, v, *unit ? " " : "",
	    unit);
}

struct report_text
text_time(double ns)
{
	struct report_text t;

	if (ns < 999.5e3)
		text_digits(t.s, sizeof(t.s), ns / 1e3, "µs");
	else if (ns < 999.5e6)
		text_digits(t.s, sizeof(t.s), ns / 1e6, "ms");
	else
		text_digits(t.s, sizeof(t.s), ns / 1e9, "s");
	return t;
}

struct report_text
text_share(double share)
{
	struct report_text t;

	text_digits(t.s, sizeof(t.s), share * 100, "%");
	return t;
}

struct report_text
text_when(uint64_t t)
{
	struct report_text out = { "" };
	time_t seconds = (time_t)t;
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(out.s, sizeof(out.s), "%Y-%m-%d %H:%M UTC", &tm) == 0)
		out.s[0] = '\0';
	return out;
}

static struct report_text
text_figure(const struct figure *f, struct report_text (*one)(double))
{
	struct report_text t = { "–" }, value, low, high;

	if (!f->known)
		return t;
	value = one(f->value);
	if (!f->bounded)
		return value;
	low = one(f->low);
	high = one(f->high);
	(void)snprintf(t.s, sizeof(t.s), "%.24s (%.24s to %.24s)", value.s,
	    low.s, high.s);
	return t;
}

static struct report_text
text_ratio(double ratio)
{
	struct report_text t;

	if (ratio < 10)
		(void)snprintf(t.s, sizeof(t.s), "%.3f", ratio);
	else
		text_digits(t.s, sizeof(t.s), ratio, "");
	return t;
}

struct report_text
text_time_figure(const struct figure *f)
{
	return text_figure(f, text_time);
}

struct report_text
text_ratio_figure(const struct figure *f)
{
	return text_figure(f, text_ratio);
}

struct report_text
text_share_figure(const struct figure *f)
{
	return text_figure(f, text_share);
}
