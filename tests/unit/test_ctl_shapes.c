/* SPDX-License-Identifier: PostgreSQL
 *
 * Files of captured shapes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/shapes.h"

static struct captures all;

static const struct captured *
line(const char *text)
{
	const char *what;

	if (!captures_add_line(&all, text, &what))
		fail_msg("%s: %s", text, what);
	return &all.v[all.n - 1];
}

static void
is(const struct captured *c, const char *database, uint64_t calls,
    double mean, const char *text, bool cut)
{
	assert_string_equal(c->database, database);
	assert_int_equal(c->calls, calls);
	assert_true(c->mean_ms > mean - 1e-9 && c->mean_ms < mean + 1e-9);
	assert_string_equal(c->text, text);
	assert_int_equal(c->cut, cut);
}

static void
test_lines(void **state PG_UNUSED)
{
	is(line("app 1200 0.412 SELECT v FROM t WHERE id = ?"), "app", 1200,
	    0.412, "SELECT v FROM t WHERE id = ?", false);
	is(line("  app\t3\t-\tSELECT 1 \r"), "app", 3, -1, "SELECT 1", false);
	is(line("\"my \"\"db\" 0 7 SELECT ? ..."), "my \"db", 0, 7,
	    "SELECT ?", true);
	is(line("a.b_c-d 1 1 x..."), "a.b_c-d", 1, 1, "x...", false);
	captures_fini(&all);
}

static void
refused(const char *text, const char *word)
{
	const char *what;

	assert_false(captures_add_line(&all, text, &what));
	assert_non_null(strstr(what, word));
	assert_int_equal(all.n, 0);
}

static void
test_wrong_lines(void **state PG_UNUSED)
{
	refused("", "database first");
	refused("\"app 1 1 SELECT 1", "database first");
	refused("\"\" 1 1 SELECT 1", "database first");
	refused("app", "database first");
	refused("app x 1 SELECT 1", "number of calls");
	refused("app -1 1 SELECT 1", "number of calls");
	refused("app 99999999999999999999 1 SELECT 1", "number of calls");
	refused("app 1 x SELECT 1", "milliseconds");
	refused("app 1 1e999 SELECT 1", "milliseconds");
	refused("app 1 nan SELECT 1", "milliseconds");
	refused("app 1 1", "milliseconds");
	refused("app 1 1  ", "a statement");
	captures_fini(&all);
}

static void
test_what_is_written_is_read(void **state PG_UNUSED)
{
	const struct captured some[] = {
		{ (char *)(uintptr_t)"app", 5, 1.5,
		    (char *)(uintptr_t)"SELECT ?", false },
		{ (char *)(uintptr_t)"my \"db\"", 9, -1,
		    (char *)(uintptr_t)"SELECT a", true },
	};
	char path[] = "/tmp/test_ctl_shapes.XXXXXX", why[200];
	FILE *f = fdopen(mkstemp(path), "w");

	assert_non_null(f);
	fputs("# a comment\n\n", f);
	captured_write(f, &some[0]);
	captured_write(f, &some[1]);
	assert_int_equal(fclose(f), 0);
	assert_true(captures_read(&all, path, why, sizeof(why)));
	assert_int_equal(all.n, 2);
	captures_sort(&all);
	is(&all.v[0], "my \"db\"", 9, -1, "SELECT a", true);
	is(&all.v[1], "app", 5, 1.5, "SELECT ?", false);
	captures_fini(&all);

	f = fopen(path, "a");
	assert_non_null(f);
	fputs("app 1 1 SELECT 1\nbad\n", f);
	assert_int_equal(fclose(f), 0);
	assert_false(captures_read(&all, path, why, sizeof(why)));
	assert_non_null(strstr(why, ":6: expected the name of a database"));
	assert_null(all.v);
	remove(path);
	assert_false(captures_read(&all, path, why, sizeof(why)));
	assert_non_null(strstr(why, "cannot be read: No such file"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_wrong_lines),
		cmocka_unit_test(test_what_is_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
