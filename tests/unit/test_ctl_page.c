/* SPDX-License-Identifier: PostgreSQL
 *
 * What pgsluicectl top makes of two looks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/page.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

static struct look_series before[3], after[4];
static struct look_pool pools[1];
static struct look_backend backends[1];
static struct look_shape shapes_before[2], shapes_after[3];
static struct look old, now;
static struct page page;
static char *text;

static void
record(struct look_series *s, nsec_t took, uint64_t n)
{
	s->time.bucket[hist_bucket_of(took)] += n;
	s->time.count += n;
}

static struct look_series
series(const char *route, const char *variant, const char *outcome)
{
	return (struct look_series){ .route = TEXT(route),
		.variant = TEXT(variant), .outcome = TEXT(outcome) };
}

/* Two seconds: 100 hits of 1 ms before, 40 more of 2 ms, 10 misses of 8 ms; 200
 * bypasses of 100 us on another route, 50 of them before. */
static int
setup(void **state PG_UNUSED)
{
	page = (struct page){ .sort = PAGE_BY_TIME };
	before[0] = series("t", "plain", "l1");
	record(&before[0], NSEC_PER_MSEC, 100);
	before[1] = series("default", "", "bypass");
	record(&before[1], 100 * NSEC_PER_USEC, 50);
	before[2] = series("idle", "", "miss");
	record(&before[2], NSEC_PER_MSEC, 7);
	after[0] = before[1];
	record(&after[0], 100 * NSEC_PER_USEC, 150);
	after[1] = before[0];
	record(&after[1], 2 * NSEC_PER_MSEC, 40);
	after[2] = series("t", "plain", "miss");
	record(&after[2], 8 * NSEC_PER_MSEC, 10);
	after[3] = before[2];
	pools[0] = (struct look_pool){ TEXT("main"), TEXT("alice"), TEXT(""),
		3, 4, 0, 5, 20 };
	backends[0] = (struct look_backend){ TEXT("main"), TEXT("ok"),
		TEXT("went \033[2Jaway"), 3, 4, 0, 5 };
	shapes_before[0] = (struct look_shape){ TEXT("1"), TEXT("app"),
		TEXT("SELECT a"), 10, 100 };
	shapes_before[1] = (struct look_shape){ TEXT("2"), TEXT("app"),
		TEXT("SELECT b"), 10, 100 };
	shapes_after[0] = shapes_before[1];
	shapes_after[1] = (struct look_shape){ TEXT("1"), TEXT("app"),
		TEXT("SELECT a"), 30, 140 };
	shapes_after[2] = (struct look_shape){ TEXT("1"), TEXT("other"),
		TEXT("SELECT a"), 2, 90 };
	old = (struct look){ .at = NSEC_PER_SEC, .statements = 1000,
		.transactions = 100, .received = 0, .sent = 4096,
		.series = before, .n_series = 3, .pools = pools,
		.n_pools = 1, .backends = backends, .n_backends = 1,
		.shapes = shapes_before, .n_shapes = 2 };
	now = old;
	now.at = 3 * NSEC_PER_SEC;
	now.statements = 1200;
	now.transactions = 150;
	now.received = 2048;
	now.series = after;
	now.n_series = 4;
	now.shapes = shapes_after;
	now.n_shapes = 3;
	return 0;
}

static void
write_page(void)
{
	struct buf b;

	free(text);
	buf_init(&b, PAGE_MAX);
	page_write(&page, &old, &now, &b);
	text = x_strndup(buf_head(&b), buf_len(&b));
	buf_reset(&b);
}

static int
teardown(void **state PG_UNUSED)
{
	free(text);
	text = NULL;
	return 0;
}

/* The line that begins so, up to its end. */
static const char *
line(const char *begin)
{
	static char found[300];
	const char *p;

	for (p = text; p != NULL && *p != '\0'; p = strchr(p, '\n') + 1)
		if (strncmp(p, begin, strlen(begin)) == 0) {
			assert_true(strcspn(p, "\n") < sizeof(found));
			memcpy(found, p, strcspn(p, "\n"));
			found[strcspn(p, "\n")] = '\0';
			return found;
		}
	fail_msg("no line %s in:\n%s", begin, text);
	return NULL;
}

static void
holds(const char *begin, const char *what)
{
	const char *l = line(begin);

	if (strstr(l, what) == NULL)
		fail_msg("no %s in %s", what, l);
}

static void
test_differences(void **state PG_UNUSED)
{
	double rate, p50, p99, hits;

	write_page();
	assert_string_equal(line("statements/s"), "statements/s 100.0  "
	    "transactions/s 25.0  received 1.0 kB/s  sent 0.0 kB/s");
	assert_string_equal(line("cache:"), "cache: L1 20.0 %  L2 0.0 %  "
	    "miss 5.0 %  bypass 75.0 %");
	assert_int_equal(sscanf(line("t plain"), "t plain %lf %lf %lf %lf",
	    &rate, &p50, &p99, &hits), 4);
	assert_true(rate > 24.99 && rate < 25.01);
	/* Not those of 1 ms, which were before. */
	assert_true(p50 > 1.7 && p50 < 2.3);
	assert_true(p99 > 7 && p99 < 9);
	assert_true(hits > 79.9 && hits < 80.1);
	assert_null(strstr(text, "\nidle "));
	holds("default", " 75.0 ");
	holds("default", " 0.0 %");
	holds("main alice", "3      4      0        5     20");
	holds("main                                  3", "ok  went .[2Jaway");
}

static void
test_shapes(void **state PG_UNUSED)
{
	const char *first, *second;

	write_page();
	first = strstr(text, "other: SELECT a");
	second = strstr(text, "app: SELECT a");
	assert_non_null(first);
	assert_true(second > first); /* 90 ms against 40 */
	assert_null(strstr(text, "SELECT b"));
	assert_non_null(strstr(text, "      20.0         10.0      2.000 app: "
	    "SELECT a\n"));
	page.sort = PAGE_BY_CALLS;
	write_page();
	assert_true(strstr(text, "app: SELECT a") < strstr(text, "other: "));
	now.shapes_off = true;
	write_page();
	assert_string_equal(line("shapes"), "shapes are not counted: the "
	    "setting track_shapes switches it on");
}

static void
test_order_of_routes(void **state PG_UNUSED)
{
	write_page();
	assert_true(strstr(text, "\nt plain") < strstr(text, "\ndefault"));
	page.sort = PAGE_BY_CALLS;
	write_page();
	assert_true(strstr(text, "\nt plain") > strstr(text, "\ndefault"));
	page.sort = PAGE_BY_P99;
	write_page();
	assert_true(strstr(text, "\nt plain") < strstr(text, "\ndefault"));
	assert_true(page_sort_of("p99", &page.sort));
	assert_int_equal(page.sort, PAGE_BY_P99);
	assert_false(page_sort_of("size", &page.sort));
}

/* The daemon has been restarted in between. */
static void
test_counters_that_begin_anew(void **state PG_UNUSED)
{
	old.statements = 5000;
	record(&before[1], NSEC_PER_MSEC, 5000);
	shapes_before[0].calls = 40;
	shapes_before[0].total_ms = 1000;
	write_page();
	assert_string_equal(line("statements/s"), "statements/s 600.0  "
	    "transactions/s 25.0  received 1.0 kB/s  sent 0.0 kB/s");
	holds("default", " 100.0 ");
	assert_non_null(strstr(text, "      70.0         15.0      4.667 app: "
	    "SELECT a\n"));
}

static void
test_nothing_happened(void **state PG_UNUSED)
{
	now = old;
	now.at++;
	now.n_pools = 0;
	write_page();
	assert_string_equal(line("cache:"), "cache: L1 0.0 %  L2 0.0 %  "
	    "miss 0.0 %  bypass 0.0 %");
	(void)line("no statements");
	(void)line("no pools");
	(void)line("no shapes");
}

/* The time taken is less than before although there are no fewer calls. */
static void
test_shape_that_began_anew_and_went_on(void **state PG_UNUSED)
{
	shapes_before[0].total_ms = 1000;
	write_page();
	assert_non_null(strstr(text, "      70.0         15.0      4.667 app: "
	    "SELECT a\n"));
}

static unsigned
count(const char *begin)
{
	unsigned n = 0;
	const char *p;

	for (p = text; p != NULL && *p != '\0'; p = strchr(p, '\n') + 1)
		n += strncmp(p, begin, strlen(begin)) == 0;
	return n;
}

/* 15 pools, but one backend: what the others need not is theirs. */
static void
test_who_needs_more_gets_more(void **state PG_UNUSED)
{
	static struct look_pool many[15];
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct look_pool){ TEXT("many"), TEXT("alice"),
			TEXT(""), 1, 0, 0, 0, 20 };
	now.pools = many;
	now.n_pools = ARRAY_SIZE(many);
	write_page();
	assert_int_equal(count("many alice"), 10);
	(void)line("and 5 more");
	page.lines = 24;
	write_page();
	/* Two lines on top, three blanks and heads besides its own; 2 routes,
	 * 1 backend, 2 shapes. */
	assert_int_equal(count("many alice"), 24 - 2 - 8 - 5 - 1);
	(void)line("and 7 more");
	(void)line("default");
	(void)line("t plain");
	holds("main  ", "ok");
	assert_non_null(strstr(text, "app: SELECT a"));
	page.lines = 31;
	write_page();
	assert_int_equal(count("many alice"), 15);
	assert_int_equal(count("and "), 0);
	page.lines = 14;
	write_page();
	assert_int_equal(count("many alice"), 1);
	assert_non_null(strstr(text, "other: SELECT a"));
}

static void
test_names_in_a_narrow_window(void **state PG_UNUSED)
{
	pools[0].backend = TEXT("m\xc3\xa4\xc3\xa4 in\033");
	write_page();
	(void)line("m\xc3\xa4\xc3\xa4 in. alice                         3 ");
	page.width = 51;
	write_page();
	(void)line("m\xc3\xa4\xc3\xa4 in.       3      4      0        5     20");
	holds("t plain ", " 80.0 %");
	holds("pool     ", " waiting   size");
	(void)line("statements/s 100.0  transactions/s 25.0");
	(void)line("received 1.0 kB/s  sent 0.0 kB/s");
	page.width = 20;
	write_page();
	(void)line("transactions/s 25.0");
	(void)line("cache: L1 20.0 %");
	(void)line("L2 0.0 %  miss 5.0 %");
	holds("m\xc3\xa4\xc3\xa4 in. ", "    3");
}

static void
test_fits_the_window(void **state PG_UNUSED)
{
	unsigned width, lines, n;
	char *p, *eol;

	for (width = 1; width < 120; width += 7)
		for (lines = 1; lines < 40; lines++) {
			page.width = width;
			page.lines = lines;
			write_page();
			for (n = 0, p = text; *p != '\0'; p = eol + 1, n++) {
				eol = strchr(p, '\n');
				assert_non_null(eol);
				assert_true((unsigned)(eol - p) <= width);
			}
			assert_true(n > 0 && n <= lines);
		}
}

static void
shown(const char *s, unsigned width, const char *expected)
{
	struct buf b;

	page.width = width;
	buf_init(&b, PAGE_MAX);
	page_line(&page, s, &b);
	assert_true(buf_append(&b, "", 1));
	assert_string_equal(buf_head(&b), expected);
	buf_reset(&b);
}

static void
test_no_byte_commands_a_terminal(void **state PG_UNUSED)
{
	shown("a\033[31mb\177\r\n\tc", 0, "a.[31mb....c\n");
	shown("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98!", 0,
	    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98!\n");
	shown("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98!", 2,
	    "\xc3\xa4\xe2\x82\xac\n");
	shown("\xc2\x9b" "2J \x9b\xff\xc3", 0, "..2J ...\n");
	shown("\xe2\x82", 0, "..\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define PAGE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		PAGE_TEST(test_differences),
		PAGE_TEST(test_shapes),
		PAGE_TEST(test_order_of_routes),
		PAGE_TEST(test_counters_that_begin_anew),
		PAGE_TEST(test_nothing_happened),
		PAGE_TEST(test_shape_that_began_anew_and_went_on),
		PAGE_TEST(test_who_needs_more_gets_more),
		PAGE_TEST(test_names_in_a_narrow_window),
		PAGE_TEST(test_fits_the_window),
		PAGE_TEST(test_no_byte_commands_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
