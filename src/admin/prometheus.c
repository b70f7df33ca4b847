/* SPDX-License-Identifier: PostgreSQL
 *
 * Writer of Prometheus' text format and of OpenMetrics.
 *
 * Knows the format, not what is measured.  Whatever a label's value holds, a
 * sample is one line: backslash, quote and newline are escaped as the format
 * says, bytes that are not UTF-8 become '?', because one of them would make
 * the reader refuse the whole page.  Any thread, the buffer's.
 * Sources: Prometheus documentation, "Exposition formats"; OpenMetrics 1.0.0.
 */
#include "admin/prometheus.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/slice.h"

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

/* ---- which format ------------------------------------------------------------- */

/* The range at p, up to its comma: is it of this type, and how much is it
 * wanted, 0 to 1? */
static bool
prom_range(const char *p, size_t n, const char *type, double *q)
{
	size_t len = strlen(type), i;

	while (n > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		n--;
	}
	if (n < len || strncasecmp(p, type, len) != 0 ||
	    (n > len && strchr("; \t", p[len]) == NULL))
		return false;
	*q = 1;
	for (i = len; i + 2 < n; i++)
		if ((p[i] == ';' || p[i] == ' ') && (p[i + 1] | 32) == 'q' &&
		    p[i + 2] == '=')
			*q = strtod(p + i + 3, NULL);
	return true;
}

/* The most that any range of the type says. */
static double
prom_wanted(const char *accept, const char *type)
{
	double most = 0, q;
	size_t n;

	for (; *accept != '\0'; accept += n + (accept[n] == ',')) {
		n = strcspn(accept, ",");
		if (prom_range(accept, n, type, &q) && q > most)
			most = q;
	}
	return most;
}

bool
prom_asks_open(const char *accept)
{
	double open;

	if (accept == NULL)
		return false;
	open = prom_wanted(accept, "application/openmetrics-text");
	return open > 0 && open >= prom_wanted(accept, "text/plain");
}

/* ---- text --------------------------------------------------------------------- */

void
prom_init(struct prom *p, struct buf *b, bool open)
{
	*p = (struct prom){ .b = b, .open = open };
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

static bool
prom_ends(struct slice name, const char *with)
{
	size_t n = strlen(with);

	return name.n > n && memcmp(name.p + name.n - n, with, n) == 0;
}

static void
prom_head(struct prom *p, const char *what, struct slice name)
{
	prom_text(p, what);
	prom_bytes(p, name.p, name.n);
	prom_text(p, " ");
}

void
prom_family(struct prom *p, const char *name, const char *type,
    const char *help)
{
	static const char *const units[] = { "seconds", "bytes" };
	struct slice family = slice_str(name);
	size_t i;

	/* There the samples of a counter are called otherwise than it. */
	if (p->open && prom_ends(family, "_total"))
		family.n -= strlen("_total");
	prom_head(p, "# HELP ", family);
	prom_escaped(p, help, false);
	prom_head(p, "\n# TYPE ", family);
	prom_text(p, type);
	for (i = 0; p->open && i < ARRAY_SIZE(units); i++)
		if (prom_ends(family, units[i])) {
			prom_head(p, "\n# UNIT ", family);
			prom_text(p, units[i]);
		}
	prom_text(p, "\n");
}

void
prom_end(struct prom *p)
{
	if (p->open)
		prom_text(p, "# EOF\n");
}

/* All of a line but its end. */
static void
prom_line(struct prom *p, const char *name, const char *suffix,
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
}

static void
prom_sample(struct prom *p, const char *name, const char *suffix,
    const struct prom_label *labels, unsigned n, const char *value)
{
	prom_line(p, name, suffix, labels, n, value);
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
prom_real(struct prom *p, const char *name, const struct prom_label *labels,
    unsigned n, double v)
{
	char text[32];

	snprintf(text, sizeof(text), "%.9g", v);
	prom_sample(p, name, "", labels, n, text);
}

static void
prom_exemplar(struct prom *p, const struct exemplar *e)
{
	char text[160];

	snprintf(text, sizeof(text), " # {trace_id=\"%016llx%016llx\","
	    "span_id=\"%016llx\"} %llu.%09llu %llu.%03llu",
	    (unsigned long long)e->trace[0], (unsigned long long)e->trace[1],
	    (unsigned long long)e->span,
	    (unsigned long long)(e->value / NSEC_PER_SEC),
	    (unsigned long long)(e->value % NSEC_PER_SEC),
	    (unsigned long long)(e->wall / NSEC_PER_SEC),
	    (unsigned long long)(e->wall % NSEC_PER_SEC / NSEC_PER_MSEC));
	prom_text(p, text);
}

/* with_le: room for one label more, at n. */
static void
prom_bucket(struct prom *p, const char *name, struct prom_label *with_le,
    unsigned n, nsec_t low, nsec_t high, uint64_t count,
    const struct prom_exemplars *with)
{
	struct exemplar e;
	char text[32];

	prom_line(p, name, "_bucket", with_le, n + 1,
	    prom_print(text, sizeof(text), count));
	if (p->open && with != NULL && with->find(with->arg, low, high, &e))
		prom_exemplar(p, &e);
	prom_text(p, "\n");
}

void
prom_histogram_with(struct prom *p, const char *name,
    const struct prom_label *labels, unsigned n, const struct hist_view *v,
    const struct prom_exemplars *with)
{
	struct prom_label with_le[LABELS_MAX + 1];
	char text[32], le[16];
	nsec_t low = 0, high;
	size_t i;

	CHECK(n <= LABELS_MAX);
	if (n > 0)
		memcpy(with_le, labels, n * sizeof(*labels));
	with_le[n] = (struct prom_label){ "le", le };
	for (i = 0; i < ARRAY_SIZE(prom_buckets); i++, low = high) {
		/* OpenMetrics wants numbers to look like floats. */
		snprintf(le, sizeof(le), "%s%s", prom_buckets[i].le, p->open &&
		    strchr(prom_buckets[i].le, '.') == NULL ? ".0" : "");
		high = prom_buckets[i].bound;
		prom_bucket(p, name, with_le, n, low, high,
		    hist_count_le(v, high), with);
	}
	snprintf(le, sizeof(le), "+Inf");
	prom_bucket(p, name, with_le, n, low, UINT64_MAX, v->count, with);
	prom_sample(p, name, "_sum", labels, n,
	    prom_print_seconds(text, sizeof(text), v->sum));
	prom_sample(p, name, "_count", labels, n,
	    prom_print(text, sizeof(text), v->count));
}

void
prom_histogram(struct prom *p, const char *name,
    const struct prom_label *labels, unsigned n, const struct hist_view *v)
{
	prom_histogram_with(p, name, labels, n, v, NULL);
}
