/* SPDX-License-Identifier: PostgreSQL
 *
 * The command line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/options.h"
#include "base/check.h"

#define PARSE(o, ...) \
	do { \
		char *argv_[] = { (char *)(uintptr_t)"pgsluice", __VA_ARGS__ }; \
		options_parse(o, (int)ARRAY_SIZE(argv_), argv_); \
	} while (0)
#define ARG(s) ((char *)(uintptr_t)(s))

static void
test_modes(void **state PG_UNUSED)
{
	struct options o;

	PARSE(&o, ARG("a.conf"));
	assert_int_equal(o.mode, OPTIONS_RUN);
	assert_string_equal(o.path, "a.conf");
	PARSE(&o, ARG("--check"), ARG("b.conf"));
	assert_int_equal(o.mode, OPTIONS_CHECK);
	assert_string_equal(o.path, "b.conf");
	PARSE(&o, ARG("b.conf"), ARG("--check"));
	assert_int_equal(o.mode, OPTIONS_CHECK);
	PARSE(&o, ARG("--report"), ARG("b.conf"));
	assert_int_equal(o.mode, OPTIONS_REPORT);
	PARSE(&o, ARG("--report-markdown"));
	assert_int_equal(o.mode, OPTIONS_REPORT_MARKDOWN);
	PARSE(&o, ARG("--version"));
	assert_int_equal(o.mode, OPTIONS_VERSION);
	PARSE(&o, ARG("-h"));
	assert_int_equal(o.mode, OPTIONS_HELP);
}

static void
test_successor(void **state PG_UNUSED)
{
	struct options o;

	PARSE(&o, ARG("--successor"), ARG("3"), ARG("--"), ARG("a.conf"));
	assert_int_equal(o.mode, OPTIONS_RUN);
	assert_int_equal(o.successor, 3);
	assert_string_equal(o.path, "a.conf");
	PARSE(&o, ARG("a.conf"));
	assert_int_equal(o.successor, -1);
	PARSE(&o, ARG("--successor"), ARG("0"));
	assert_int_equal(o.mode, OPTIONS_WRONG);
	PARSE(&o, ARG("--successor"), ARG("a.conf"));
	assert_int_equal(o.mode, OPTIONS_WRONG);
	PARSE(&o, ARG("--successor"));
	assert_int_equal(o.mode, OPTIONS_WRONG);
}

static void
test_default_file(void **state PG_UNUSED)
{
	char *argv[] = { ARG("pgsluice") };
	struct options o;

	options_parse(&o, 1, argv);
	assert_int_equal(o.mode, OPTIONS_RUN);
	assert_non_null(strstr(o.path, "pgsluice.conf"));
	assert_non_null(strstr(options_help, o.path));
}

static void
test_dashes(void **state PG_UNUSED)
{
	struct options o;

	PARSE(&o, ARG("--"), ARG("--check"));
	assert_int_equal(o.mode, OPTIONS_RUN);
	assert_string_equal(o.path, "--check");
}

static void
test_import(void **state PG_UNUSED)
{
	struct options o;

	PARSE(&o, ARG("--import-pgbouncer"), ARG("p.ini"), ARG("--users"),
	    ARG("u.txt"));
	assert_int_equal(o.mode, OPTIONS_IMPORT_PGBOUNCER);
	assert_string_equal(o.path, "p.ini");
	assert_string_equal(o.users, "u.txt");
	PARSE(&o, ARG("--import-pgbouncer"), ARG("p.ini"));
	assert_int_equal(o.mode, OPTIONS_IMPORT_PGBOUNCER);
	assert_null(o.users);
	PARSE(&o, ARG("--import-pgbouncer"));
	assert_int_equal(o.mode, OPTIONS_WRONG);
	PARSE(&o, ARG("--import-pgbouncer"), ARG("p.ini"), ARG("--users"));
	assert_int_equal(o.mode, OPTIONS_WRONG);
	PARSE(&o, ARG("--check"), ARG("--users"), ARG("u.txt"));
	assert_int_equal(o.mode, OPTIONS_WRONG);
}

static void
test_wrong(void **state PG_UNUSED)
{
	char longer[500];
	struct options o;

	PARSE(&o, ARG("--frob"));
	assert_int_equal(o.mode, OPTIONS_WRONG);
	assert_string_equal(o.wrong, "unknown option: --frob");
	PARSE(&o, ARG("a"), ARG("b"));
	assert_int_equal(o.mode, OPTIONS_WRONG);
	assert_string_equal(o.wrong, "more than one file: b");
	/* What was wrong first is what is said. */
	PARSE(&o, ARG("-x"), ARG("--version"));
	assert_string_equal(o.wrong, "unknown option: -x");
	memset(longer, 'y', sizeof(longer) - 1);
	longer[0] = '-';
	longer[sizeof(longer) - 1] = '\0';
	PARSE(&o, longer);
	assert_int_equal(o.mode, OPTIONS_WRONG);
	assert_true(strlen(o.wrong) < sizeof(o.wrong));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_successor),
		cmocka_unit_test(test_default_file),
		cmocka_unit_test(test_dashes),
		cmocka_unit_test(test_import),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
