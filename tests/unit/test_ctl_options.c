/* SPDX-License-Identifier: PostgreSQL
 *
 * The command line of pgsluicectl.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "ctl/help.h"
#include "ctl/options.h"

#define PARSE(o, why, ...) \
	ctl_options_parse(o, (int)ARRAY_SIZE(((const char *[]){ "ctl", \
	    __VA_ARGS__ })), (char *const *)(uintptr_t)(const char *[]){ \
	    "ctl", __VA_ARGS__ }, why, sizeof(why))

static struct ctl_options o;
static char why[200];

static void
test_words_and_options_in_any_order(void **state PG_UNUSED)
{
	assert_true(PARSE(&o, why, "check", "a.conf"));
	assert_int_equal(o.command, CTL_CHECK);
	assert_string_equal(o.words[0], "a.conf");
	assert_true(PARSE(&o, why, "--markdown", "report", "a.conf"));
	assert_int_equal(o.command, CTL_REPORT);
	assert_true(o.markdown);
	assert_true(PARSE(&o, why, "report", "a.conf"));
	assert_false(o.markdown);
	assert_true(PARSE(&o, why, "-h", "::1", "-p6432", "explain", "--live",
	    "-U", "me", "--dbname=app", "SELECT 1"));
	assert_int_equal(o.command, CTL_EXPLAIN);
	assert_true(o.live);
	assert_string_equal(o.host, "::1");
	assert_string_equal(o.port, "6432");
	assert_string_equal(o.login, "me");
	assert_string_equal(o.conninfo, "app");
	assert_string_equal(o.words[0], "SELECT 1");
	assert_int_equal(o.n_words, 1);
	assert_true(PARSE(&o, why, "explain", "--conf", "a.conf",
	    "--database=app", "--user", "bob", "--", "--x"));
	assert_string_equal(o.conf, "a.conf");
	assert_string_equal(o.database, "app");
	assert_string_equal(o.user, "bob");
	assert_string_equal(o.words[0], "--x");
}

static void
test_help_comes_first(void **state PG_UNUSED)
{
	size_t i;

	assert_true(PARSE(&o, why, "--help"));
	assert_true(o.help);
	assert_int_equal(o.command, CTL_NONE);
	assert_true(PARSE(&o, why, "check", "--help"));
	assert_true(o.help);
	assert_int_equal(o.command, CTL_CHECK);
	assert_true(PARSE(&o, why, "-V"));
	assert_true(o.version);
	for (i = 0; i < CTL_COMMANDS; i++) {
		assert_non_null(ctl_options_help((enum ctl_command)i));
		assert_non_null(strstr(ctl_help[i], "usage: pgsluicectl"));
	}
}

static void
refused(const char *text)
{
	assert_string_equal(why, text);
}

static void
test_wrong(void **state PG_UNUSED)
{
	assert_false(PARSE(&o, why, "frob"));
	refused("unknown command: frob");
	assert_false(PARSE(&o, why, "check", "--frob"));
	refused("unknown option: --frob");
	assert_false(PARSE(&o, why, "-x"));
	refused("unknown option: -x");
	assert_false(PARSE(&o, why, "explain", "-f", "x", "-- SELECT 1"));
	refused("unknown option: -- SELECT 1 (what is no option, but begins "
	    "with -, goes behind --)");
	assert_false(PARSE(&o, why, "explain", "-f", "x", "-1 SELECT"));
	refused("unknown option: -1 SELECT (what is no option, but begins "
	    "with -, goes behind --)");
	assert_false(PARSE(&o, why, "--user", "bob"));
	refused("a command is missing");
	assert_false(PARSE(&o, why, "check", "a", "--markdown"));
	refused("--markdown is no option of this command");
	assert_false(PARSE(&o, why, "report", "--markdown=yes", "a"));
	refused("--markdown takes no value");
	assert_false(PARSE(&o, why, "explain", "--conf"));
	refused("--conf needs a value");
	assert_false(PARSE(&o, why, "check"));
	refused("expected: check FILE");
	assert_false(PARSE(&o, why, "check", "a", "b", "c"));
	refused("too many words: c");
}

static void
test_numbers(void **state PG_UNUSED)
{
	assert_true(PARSE(&o, why, "top"));
	assert_true(o.interval == NSEC_PER_SEC && o.count == UINT64_MAX);
	assert_string_equal(o.sort, "time");
	assert_true(PARSE(&o, why, "top", "-i", "0.25", "--count=7", "--sort",
	    "p99"));
	assert_true(o.interval == 250 * NSEC_PER_MSEC && o.count == 7);
	assert_string_equal(o.sort, "p99");
	assert_false(PARSE(&o, why, "top", "-i", "0.01"));
	refused("--interval: 0.01, expected seconds from 0.1 to 86400");
	assert_false(PARSE(&o, why, "top", "-i", "-1"));
	assert_false(PARSE(&o, why, "top", "-i", "1s"));
	assert_false(PARSE(&o, why, "top", "-i", "0x1"));
	assert_false(PARSE(&o, why, "top", "-i", "1e1"));
	assert_false(PARSE(&o, why, "top", "-i", "1.1.1"));
	assert_false(PARSE(&o, why, "top", "-i", "."));
	assert_false(PARSE(&o, why, "top", "-i", ""));
	assert_false(PARSE(&o, why, "top", "-n", "0"));
	refused("--count: 0, expected a number from 1 on");
	assert_false(PARSE(&o, why, "top", "-n", "1.5"));
	assert_false(PARSE(&o, why, "top", "x"));
	assert_false(PARSE(&o, why, "diff", "a", "b"));
	refused("diff needs --shapes FILE");
}

static void
test_explain_asks_one_of_two(void **state PG_UNUSED)
{
	assert_false(PARSE(&o, why, "explain", "SELECT 1"));
	refused("explain needs either --conf FILE or --live");
	assert_false(PARSE(&o, why, "explain", "--live", "-f", "x",
	    "SELECT 1"));
	refused("explain needs either --conf FILE or --live");
	assert_false(PARSE(&o, why, "explain", "--live", "--user", "x",
	    "SELECT 1"));
	assert_non_null(strstr(why, "--user go with --conf"));
	assert_false(PARSE(&o, why, "explain", "-f", "x", "-U", "x",
	    "SELECT 1"));
	assert_non_null(strstr(why, "go with --live"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_and_options_in_any_order),
		cmocka_unit_test(test_help_comes_first),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_explain_asks_one_of_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
