/* SPDX-License-Identifier: PostgreSQL
 *
 * Writer of Prometheus' text format.
 *
 * Knows the format, not what is measured.  Whatever a label's value holds, a
 * sample is one line: backslash, quote and newline are escaped as the format
 * says, bytes that are not UTF-8 become '?', because one of them would make
 * the reader refuse the whole page.  Any thread, the buffer's.
 * Source: Prometheus documentation, "Exposition formats".
 */
#include "admin/prometheus.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define LABELS_MAX 8

static const struct {
	const char *le;
	nsec_t bound;
} prom_buckets[] = {
	{ "0.0001", 100 * NSEC_PER_USEC },
	{ "0.00025", 250 * NSEC_PER_USEC },
	{ "0.0005", 500 * NSEC_PER_USEC },
	{ "0.001", 1 * NSEC_PER_MSEC },
	{ "0.0025", 2500 * NSEC_PER_USEC },
	{ "0.005", 5 * NSEC_PER_MSEC },
	{ "0.01", 10 * NSEC_PER_MSEC },
	{ "0.025", 25 * NSEC_PER_MSEC },
	{ "0.05", 50 * NSEC_PER_MSEC },
	{ "0.1", 100 * NSEC_PER_MSEC },
	{ "0.25", 250 * NSEC_PER_MSEC },
	{ "0.5", 500 * NSEC_PER_MSEC },
	{ "1", 1 * NSEC_PER_SEC },
	{ "2.5", 2500 * NSEC_PER_MSEC },
	{ "5", 5 * NSEC_PER_SEC },
	{ "10", 10 * NSEC_PER_SEC },
	{ "30", 30 * NSEC_PER_SEC },
	{ "60", 60 * NSEC_PER_SEC },
};

void
prom_init(struct prom *p, struct buf *b)
{
	*p = (struct prom){ .b = b };
}

static void
prom_bytes(struct prom *p, const char *s, size_t n)
{
	if (!p->failed && !buf_append(p->b, s, n))
		p->failed = true;
}

static void
prom_text(struct prom *p, const char *s)
{
	prom_bytes(p, s, strlen(s));
}

/* Bytes of the UTF-8 character at s, 0: none. Overlong forms and surrogates
 * are not UTF-8. */
static size_t
prom_utf8(const unsigned char *s)
{
	size_t n, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	/* The terminating NUL is no continuation byte. */
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* quote: in a label's value; without: in a help text. */
static void
prom_escaped(struct prom *p, const char *s, bool quote)
{
	size_t n;

	while (*s != '\0') {
		n = prom_utf8((const unsigned char *)s);
		if (n == 0)
			prom_text(p, "?");
		else if (*s == '\\')
			prom_text(p, "\\\\");
		else if (*s == '\n')
			prom_text(p, "\\n");
		else if (*s == '"' && quote)
			prom_text(p, "\\\"");
		else
			prom_bytes(p, s, n);
		s += n > 0 ? n : 1;
	}
}

void
prom_family(struct prom *p, const char *name, const char *type,
    const char *help)
{
	prom_text(p, "# HELP ");
	prom_text(p, name);
	prom_text(p, " ");
	prom_escaped(p, help, false);
	prom_text(p, "\n# TYPE ");
	prom_text(p, name);
	prom_text(p, " ");
	prom_text(p, type);
	prom_text(p, "\n");
}

static void
prom_sample(struct prom *p, const char *name, const char *suffix,
    const struct prom_label *labels, unsigned n, const char *value)
{
	unsigned i;

	prom_text(p, name);
	prom_text(p, suffix);
	for (i = 0; i < n; i++) {
		prom_text(p, i == 0 ? "{" : ",");
		prom_text(p, labels[i].name);
		prom_text(p, "=\"");
		prom_escaped(p, labels[i].value, true);
		prom_text(p, "\"");
	}
	prom_text(p, n > 0 ? "} " : " ");
	prom_text(p, value);
	prom_text(p, "\n");
}

static const char *
prom_print(char *out, size_t size, uint64_t v)
{
	snprintf(out, size, "%llu", (unsigned long long)v);
	return out;
}

static const char *
prom_print_seconds(char *out, size_t size, nsec_t v)
{
	snprintf(out, size, "%llu.%09llu",
	    (unsigned long long)(v / NSEC_PER_SEC),
	    (unsigned long long)(v % NSEC_PER_SEC));
	return out;
}

void
prom_number(struct prom *p, const char *name, const struct prom_label *labels,
    unsigned n, uint64_t v)
{
	char text[32];

	prom_sample(p, name, "", labels, n, prom_print(text, sizeof(text), v));
}

void
prom_seconds(struct prom *p, const char *name, const struct prom_label *labels,
    unsigned n, nsec_t v)
{
	char text[32];

	prom_sample(p, name, "", labels, n,
	    prom_print_seconds(text, sizeof(text), v));
}

void
prom_histogram(struct prom *p, const char *name,
    const struct prom_label *labels, unsigned n, const struct hist_view *v)
{
	struct prom_label with_le[LABELS_MAX + 1];
	char text[32];
	size_t i;

	CHECK(n <= LABELS_MAX);
	if (n > 0)
		memcpy(with_le, labels, n * sizeof(*labels));
	with_le[n].name = "le";
	for (i = 0; i < ARRAY_SIZE(prom_buckets); i++) {
		with_le[n].value = prom_buckets[i].le;
		prom_sample(p, name, "_bucket", with_le, n + 1,
		    prom_print(text, sizeof(text),
		    hist_count_le(v, prom_buckets[i].bound)));
	}
	with_le[n].value = "+Inf";
	prom_sample(p, name, "_bucket", with_le, n + 1,
	    prom_print(text, sizeof(text), v->count));
	prom_sample(p, name, "_sum", labels, n,
	    prom_print_seconds(text, sizeof(text), v->sum));
	prom_sample(p, name, "_count", labels, n,
	    prom_print(text, sizeof(text), v->count));
}
