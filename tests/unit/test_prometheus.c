/* SPDX-License-Identifier: PostgreSQL
 *
 * Prometheus text: lines, escaping, cumulative buckets, a full buffer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admin/prometheus.h"
#include "base/check.h"

struct page {
	struct buf b;
	struct prom p;
};

static void
page_init(struct page *g, size_t cap)
{
	buf_init(&g->b, cap);
	prom_init(&g->p, &g->b, false);
}

static void
page_is(struct page *g, const char *expected)
{
	assert_false(g->p.failed);
	assert_int_equal(buf_len(&g->b), strlen(expected));
	assert_memory_equal(buf_head(&g->b), expected, strlen(expected));
	buf_reset(&g->b);
}

static void
test_family(void **state PG_UNUSED)
{
	struct page g;

	page_init(&g, 4096);
	prom_family(&g.p, "a_total", "counter", "one \"two\"\nthree \\ four");
	prom_number(&g.p, "a_total", NULL, 0, UINT64_MAX);
	page_is(&g, "# HELP a_total one \"two\"\\nthree \\\\ four\n"
	    "# TYPE a_total counter\n"
	    "a_total 18446744073709551615\n");
}

/* OpenMetrics: other heads, exemplars, an end. */
static void
test_open(void **state PG_UNUSED)
{
	struct page g;

	page_init(&g, 4096);
	g.p.open = true;
	prom_family(&g.p, "a_seconds_total", "counter", "A");
	prom_seconds(&g.p, "a_seconds_total", NULL, 0, NSEC_PER_SEC);
	prom_family(&g.p, "b_bytes", "gauge", "B");
	prom_family(&g.p, "c", "gauge", "C");
	prom_end(&g.p);
	page_is(&g, "# HELP a_seconds A\n# TYPE a_seconds counter\n"
	    "# UNIT a_seconds seconds\na_seconds_total 1.000000000\n"
	    "# HELP b_bytes B\n# TYPE b_bytes gauge\n# UNIT b_bytes bytes\n"
	    "# HELP c C\n# TYPE c gauge\n# EOF\n");
	page_init(&g, 4096);
	prom_end(&g.p);
	page_is(&g, "");
}

/* One of 2 ms. */
static bool
find_exemplar(const void *arg, nsec_t low, nsec_t high, struct exemplar *out)
{
	*out = *(const struct exemplar *)arg;
	return low < out->value && out->value <= high;
}

static void
test_exemplar(void **state PG_UNUSED)
{
	const struct exemplar e = { .trace = { 1, 2 }, .span = 3,
		.value = 2 * NSEC_PER_MSEC, .wall = 1500 * NSEC_PER_MSEC };
	const struct prom_exemplars with = { find_exemplar, &e };
	struct hist_view v = { .count = 0 };
	struct page g;
	char *text;

	page_init(&g, 16384);
	g.p.open = true;
	prom_histogram_with(&g.p, "h", NULL, 0, &v, &with);
	assert_true(buf_append(&g.b, "", 1));
	text = buf_head(&g.b);
	assert_non_null(strstr(text, "h_bucket{le=\"0.0025\"} 0 # {trace_id="
	    "\"00000000000000010000000000000002\",span_id="
	    "\"0000000000000003\"} 0.002000000 1.500\n"));
	assert_non_null(strstr(text, "h_bucket{le=\"0.001\"} 0\n"));
	assert_non_null(strstr(text, "h_bucket{le=\"1.0\"} 0\n"));
	assert_non_null(strstr(text, "h_bucket{le=\"+Inf\"} 0\n"));
	buf_reset(&g.b);
	/* Text has none. */
	page_init(&g, 16384);
	prom_histogram_with(&g.p, "h", NULL, 0, &v, &with);
	assert_true(buf_append(&g.b, "", 1));
	assert_null(strchr(buf_head(&g.b), '#'));
	assert_non_null(strstr(buf_head(&g.b), "le=\"1\""));
	buf_reset(&g.b);
}

static void
test_asks_open(void **state PG_UNUSED)
{
	assert_false(prom_asks_open(NULL));
	assert_false(prom_asks_open(""));
	assert_false(prom_asks_open("*/*"));
	assert_false(prom_asks_open("text/plain"));
	assert_false(prom_asks_open("application/openmetrics-textual"));
	assert_true(prom_asks_open("application/openmetrics-text"));
	assert_true(prom_asks_open("Application/OpenMetrics-Text; "
	    "version=1.0.0"));
	assert_true(prom_asks_open("application/openmetrics-text;version="
	    "1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;"
	    "version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,"
	    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"));
	assert_false(prom_asks_open("application/openmetrics-text;q=0"));
	assert_false(prom_asks_open("text/plain, "
	    "application/openmetrics-text; q=0.5"));
}

static void
test_labels(void **state PG_UNUSED)
{
	const struct prom_label l[2] = { { "user", "a\"b\\c\nd" },
		{ "state", "" } };
	struct page g;

	page_init(&g, 4096);
	prom_number(&g.p, "x", l, 2, 7);
	page_is(&g, "x{user=\"a\\\"b\\\\c\\nd\",state=\"\"} 7\n");
}

static void
test_utf8(void **state PG_UNUSED)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xf0\x9f\x90\x98", "\xf0\x9f\x90\x98" },
		{ "\xff", "?" },               /* never in UTF-8 */
		{ "a\xc3", "a?" },             /* cut short */
		{ "\xe2\x82", "??" },
		{ "\xc0\x80", "??" },          /* overlong NUL */
		{ "\xe0\x80\xaf", "???" },     /* overlong slash */
		{ "\xed\xa0\x80", "???" },     /* surrogate */
		{ "\xf4\x90\x80\x80", "????" } /* beyond Unicode */
	};
	char expected[64];
	struct page g;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct prom_label l = { "v", cases[i].in };

		page_init(&g, 4096);
		prom_number(&g.p, "x", &l, 1, 1);
		snprintf(expected, sizeof(expected), "x{v=\"%s\"} 1\n",
		    cases[i].out);
		page_is(&g, expected);
	}
}

static void
test_seconds(void **state PG_UNUSED)
{
	struct page g;

	page_init(&g, 4096);
	prom_seconds(&g.p, "s", NULL, 0, 0);
	prom_seconds(&g.p, "s", NULL, 0, 1);
	prom_seconds(&g.p, "s", NULL, 0, 61 * NSEC_PER_SEC + 5);
	page_is(&g, "s 0.000000000\ns 0.000000001\ns 61.000000005\n");
}

/* Buckets rise, end with +Inf, and +Inf equals the count. */
static void
test_histogram(void **state PG_UNUSED)
{
	static const char last[] = "h_bucket{q=\"z\",le=\"+Inf\"} 4\n"
	    "h_sum{q=\"z\"} 100.012050000\nh_count{q=\"z\"} 4\n";
	const struct prom_label l = { "q", "z" };
	unsigned long long n, before = 0;
	unsigned buckets = 0;
	struct hist_view v;
	const char *line, *text;
	struct hist h;
	struct page g;

	memset(&h, 0, sizeof(h));
	memset(&v, 0, sizeof(v));
	hist_record(&h, 50 * NSEC_PER_USEC);
	hist_record(&h, 2 * NSEC_PER_MSEC);
	hist_record(&h, 10 * NSEC_PER_MSEC);
	hist_record(&h, 100 * NSEC_PER_SEC);
	hist_merge(&v, &h);
	page_init(&g, 64 * 1024);
	prom_histogram(&g.p, "h", &l, 1, &v);
	assert_false(g.p.failed);
	assert_true(buf_append(&g.b, "", 1));
	text = buf_head(&g.b);
	for (line = text; strncmp(line, "h_bucket", 8) == 0;
	    line = strchr(line, '\n') + 1) {
		assert_int_equal(sscanf(strchr(line, '}'), "} %llu", &n), 1);
		assert_true(n >= before);
		before = n;
		buckets++;
	}
	assert_int_equal(buckets, 19);
	assert_non_null(strstr(text, "h_bucket{q=\"z\",le=\"0.0001\"} 1\n"));
	assert_non_null(strstr(text, "h_bucket{q=\"z\",le=\"0.0025\"} 2\n"));
	assert_non_null(strstr(text, "h_bucket{q=\"z\",le=\"60\"} 3\n"));
	assert_string_equal(text + strlen(text) - strlen(last), last);
	buf_reset(&g.b);
}

static void
test_full(void **state PG_UNUSED)
{
	struct page g;
	unsigned i;

	page_init(&g, 256);
	for (i = 0; i < 100; i++)
		prom_number(&g.p, "a_rather_long_name", NULL, 0, i);
	assert_true(g.p.failed);
	assert_true(buf_len(&g.b) <= 256);
	buf_reset(&g.b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_exemplar),
		cmocka_unit_test(test_asks_open),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
