/* SPDX-License-Identifier: PostgreSQL
 * Reports: what they say, that nothing gets out of its text, and that HTML is
 * well formed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "experiment/report.h"
#include "experiment/report_text.h"
#include "experiment_util.h"

#define NASTY "<b>&\"'|x\\`*\n\xff\xc3-é"

static struct report_item item;
static struct verdict verdict, shapes[2];

static void
look(struct board *b, unsigned shape, struct verdict *out)
{
	struct tally_view *v = calloc(4, sizeof(*v));
	struct verdict_in in = { .arms = { 2, { 1, 1 } }, .alpha = 0.05,
		.effect = 0.1 };
	uint64_t units[ARMS_MAX], moved;
	unsigned i;
	bool full;

	assert_non_null(v);
	for (i = 0; i < 2; i++) {
		board_view(b, i, shape, false, &v[i]);
		board_view(b, i, shape, true, &v[2 + i]);
		in.served[i] = &v[i];
		in.cached[i] = &v[2 + i];
	}
	board_units(b, units, &moved, &full);
	if (shape == BOARD_ALL)
		in.units = units;
	verdict_make(&in, out);
	free(v);
}

static int
setup(void **arg)
{
	struct board *b = board_new(1, 2);
	struct board_measure m = { .arm = 0 };
	unsigned i;

	(void)arg;
	seed = 3;
	(void)!board_shape(b, 1, SLICE_LIT("select * from t where x = $1"));
	(void)!board_shape(b, 2, SLICE_LIT("insert " NASTY));
	for (i = 0; i < 40000; i++) {
		m.arm = i % 2;
		m.group = (unsigned)(uniform() * GROUPS);
		m.shape = uniform() < 0.9 ? 0 : 1;
		m.cached = uniform() < 0.3;
		m.failed = uniform() < 0.01;
		board_add(b, 0, &m, (nsec_t)(1e6 * exp(0.6 * normal()) *
		    (m.arm ? 0.7 : 1) / (m.cached ? 10 : 1)));
		board_unit(b, 0, (uint64_t)(uniform() * 1e18), m.arm);
	}
	for (i = 0; i < 1234; i++)
		board_count(b, 0, 1, BOARD_COMPARED);
	board_count(b, 0, 1, BOARD_MISMATCHES);
	board_count(b, 0, 1, BOARD_INCONCLUSIVE);
	board_count(b, 0, 0, BOARD_UNSERVED);
	look(b, BOARD_ALL, &verdict);
	look(b, 0, &shapes[0]);
	look(b, 1, &shapes[1]);
	item = (struct report_item){ .name = "layout", .table = "app.events",
		.unit = "user", .mode = "split", .state = "running",
		.reason = "START EXPERIMENT on the console",
		.since = 1764553920, .n_arms = 2, .arms = {
			{ "plain", "plain on backend a", 50 },
			{ "monthly", "monthly on backend b", 50 } },
		.error_ratio = 1.5, .p95_ratio = 2, .board = b,
		.verdict = &verdict, .shapes = shapes, .n_shapes = 2 };
	return 0;
}

static int
teardown(void **arg)
{
	struct board *b = (struct board *)(uintptr_t)item.board;

	(void)arg;
	board_free(&b);
	return 0;
}

/* NUL-terminated, to be freed. */
static char *
written(enum report_format format, const struct report_item v[], size_t n)
{
	struct buf b;
	char *out;

	buf_init(&b, REPORT_MAX);
	assert_true(report_write(format, v, n, 1764640320, "0.1.0", &b));
	out = malloc(buf_len(&b) + 1);
	assert_non_null(out);
	memcpy(out, buf_head(&b), buf_len(&b));
	out[buf_len(&b)] = '\0';
	buf_reset(&b);
	return out;
}

static unsigned
times(const char *s, const char *what)
{
	unsigned n = 0;

	for (; (s = strstr(s, what)) != NULL; s++)
		n++;
	return n;
}

static void
has(const char *s, const char *what)
{
	if (strstr(s, what) == NULL) {
		print_error("%s\nhas no \"%s\"\n", s, what);
		fail();
	}
}

/* ---- HTML that is well formed ---- */

/* Every tag is closed in its order, but for those that have no content. */
static void
well_formed(const char *s)
{
	char open[32][16];
	unsigned depth = 0;
	size_t n;

	for (; *s != '\0'; s++) {
		if (*s == '&')
			assert_true(strncmp(s, "&amp;", 5) == 0 ||
			    strncmp(s, "&lt;", 4) == 0 ||
			    strncmp(s, "&gt;", 4) == 0 ||
			    strncmp(s, "&quot;", 6) == 0 ||
			    strncmp(s, "&#39;", 5) == 0);
		if (*s != '<' || s[1] == '!')
			continue;
		n = strcspn(s + 1 + (s[1] == '/'), " >/");
		assert_in_range(n, 1, 15);
		if (s[1] == '/') {
			assert_true(depth > 0);
			assert_int_equal(strlen(open[--depth]), n);
			assert_memory_equal(open[depth], s + 2, n);
			continue;
		}
		/* Values of attributes have no angle brackets in them. */
		if (s[strcspn(s, ">") - 1] == '/' ||
		    strncmp(s, "<meta ", 6) == 0)
			continue;
		assert_true(depth < 32);
		memcpy(open[depth], s + 1, n);
		open[depth++][n] = '\0';
	}
	assert_int_equal(depth, 0);
}

static void
test_html(void **arg)
{
	char *s = written(REPORT_HTML, &item, 1);

	(void)arg;
	well_formed(s);
	has(s, "<title>Experiment layout</title>");
	has(s, "2025-12-01 01:52 UTC");
	has(s, "prefers-color-scheme:dark");
	/* Two drawings, each with a line for an arm. */
	assert_int_equal(times(s, "<svg "), 2);
	assert_int_equal(times(s, "<path "), 2);
	assert_int_equal(times(s, "<circle "), 4);
	/* Needs nothing from elsewhere. */
	assert_int_equal(times(s, "http"), 0);
	assert_int_equal(times(s, "src="), 0);
	assert_int_equal(times(s, "nan"), 0);
	assert_int_equal(times(s, "inf"), 0);
	has(s, "faster: 0.");
	has(s, " ms (");
	has(s, "30.");
	has(s, "control&#39;s: 1 of 1,234 that were compared");
	has(s, "changed meanwhile: 1.");
	has(s, "answered from the cache");
	has(s, "and that count for none: 1.");
	has(s, "by p95, over 2 times.");
	has(s, "insert &lt;b&gt;&amp;&quot;&#39;|x\\`* ?" "?-é");
	free(s);
}

static void
test_markdown(void **arg)
{
	char *s = written(REPORT_MARKDOWN, &item, 1), *line, *next;
	unsigned bars = 0, last = 0, rows = 0, i;

	(void)arg;
	assert_memory_equal(s, "# Experiment layout\n", 20);
	has(s, "\n## Method\n");
	has(s, "| monthly | ");
	has(s, "insert \\<b\\>\\&\"'\\|x\\\\\\`\\* ?" "?-é");
	assert_int_equal(times(s, "<"), times(s, "\\<"));
	/* Rows of a table have as many cells as the one before. */
	for (line = s; line != NULL && *line != '\0'; line = next) {
		next = strchr(line, '\n');
		next = next != NULL ? next + 1 : NULL;
		bars = 0;
		for (i = 0; line[i] != '\n' && *line == '|'; i++)
			bars += line[i] == '|' && (i == 0 ||
			    line[i - 1] != '\\');
		if (bars > 0 && last > 0) {
			assert_int_equal(bars, last);
			rows++;
		}
		last = bars;
	}
	assert_true(rows > 20);
	free(s);
}

/* Whatever names hold. */
static void
test_escapes(void **arg)
{
	struct report_item e = item;
	char *s;

	(void)arg;
	e.name = e.table = e.unit = e.state = e.reason = NASTY;
	e.arms[0].name = e.arms[0].form = e.arms[1].name = NASTY "</svg>";
	s = written(REPORT_HTML, &e, 1);
	well_formed(s);
	assert_int_equal(times(s, "<b>"), 0);
	assert_int_equal(times(s, "\xff"), 0);
	free(s);
	s = written(REPORT_MARKDOWN, &e, 1);
	assert_int_equal(times(s, "<"), times(s, "\\<"));
	free(s);
}

static void
test_warns(void **arg)
{
	struct report_item v[2] = { item, item };
	struct verdict is = verdict;
	char *s;

	(void)arg;
	is.share_alarm = true;
	is.arms[1].guard = GUARD_P95;
	v[0].verdict = &is;
	v[0].moved = 12345;
	v[0].units_full = true;
	v[1].board = NULL;
	s = written(REPORT_HTML, v, 2);
	well_formed(s);
	has(s, "<title>Experiments</title>");
	has(s, "nothing can be said");
	has(s, "weights were changed: 12,345.");
	has(s, "the guard of p95 has fired");
	has(s, "Nothing has been measured.");
	free(s);
	s = written(REPORT_MARKDOWN, v, 0);
	has(s, "There is no experiment.");
	free(s);
}

/* An experiment that has just begun. */
static void
test_empty(void **arg)
{
	struct report_item e = item;
	struct board *b = board_new(1, 2);
	struct verdict v;
	char *s;

	(void)arg;
	look(b, BOARD_ALL, &v);
	e.board = b;
	e.verdict = &v;
	e.n_shapes = 0;
	s = written(REPORT_HTML, &e, 1);
	well_formed(s);
	has(s, "not decided: too few units yet");
	assert_int_equal(times(s, "nan"), 0);
	assert_int_equal(times(s, "inf"), 0);
	free(s);
	board_free(&b);
}

static void
test_no_room(void **arg)
{
	struct buf b;

	(void)arg;
	buf_init(&b, 5000);
	assert_false(report_write(REPORT_HTML, &item, 1, 0, "", &b));
	buf_reset(&b);
}

static void
test_numbers(void **arg)
{
	const struct figure all = { 0.5, 0.25, 12.5, true, true };
	const struct figure value = { 1.5e6, 0, 0, true, false };
	const struct figure none = { 0, 0, 0, false, false };

	(void)arg;
	assert_string_equal(text_count(0).s, "0");
	assert_string_equal(text_count(999).s, "999");
	assert_string_equal(text_count(1000).s, "1,000");
	assert_string_equal(text_count(UINT64_MAX).s,
	    "18,446,744,073,709,551,615");
	assert_string_equal(text_time(500).s, "0.50 µs");
	assert_string_equal(text_time(9999).s, "10.0 µs");
	assert_string_equal(text_time(999600).s, "1.00 ms");
	assert_string_equal(text_time(123456789).s, "123 ms");
	assert_string_equal(text_time(2.5e9).s, "2.50 s");
	assert_string_equal(text_share(0.0123).s, "1.23 %");
	assert_string_equal(text_share(1).s, "100 %");
	assert_string_equal(text_ratio_figure(&all).s,
	    "0.500 (0.250 to 12.5)");
	assert_string_equal(text_time_figure(&value).s, "1.50 ms");
	assert_string_equal(text_share_figure(&none).s, "–");
	assert_string_equal(text_when(0).s, "1970-01-01 00:00 UTC");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_markdown),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_warns),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
