/* SPDX-License-Identifier: PostgreSQL
 *
 * The parts of PREPARE, EXECUTE and DEALLOCATE.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sql/prepared.h"

static void
is(struct slice got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
}

static void
test_read(void **state PG_UNUSED)
{
	static const struct {
		const char *sql;
		enum sql_prepared_kind kind;
		const char *name, *before, *after, *head, *body;
	} good[] = {
		{ "PREPARE foo AS SELECT 1", SQL_PREPARE, "foo", "PREPARE ",
		    " AS SELECT 1", " AS", " SELECT 1" },
		{ "; prepare\tFoo_1$ (int, numeric(10,2), \"odd)\" ) As select $1 ; ;",
		    SQL_PREPARE, "foo_1$", "; prepare\t",
		    " (int, numeric(10,2), \"odd)\" ) As select $1 ; ;",
		    " (int, numeric(10,2), \"odd)\" ) As", " select $1" },
		{ "/* a /* b */ ) */ PREPARE -- c\n\"As\"\"x\"(/* ) */int)AS(SELECT 1)",
		    SQL_PREPARE, "As\"x", "/* a /* b */ ) */ PREPARE -- c\n",
		    "(/* ) */int)AS(SELECT 1)", "(/* ) */int)AS",
		    "(SELECT 1)" },
		{ "execute foo", SQL_EXECUTE, "foo", "execute ", "", NULL,
		    NULL },
		{ "EXECUTE \"Foo\"('a;b', 2);", SQL_EXECUTE, "Foo", "EXECUTE ",
		    "('a;b', 2);", NULL, NULL },
		{ "DEALLOCATE prepare Foo;", SQL_DEALLOCATE, "foo",
		    "DEALLOCATE prepare ", ";", NULL, NULL },
		{ "deallocate PREPARE", SQL_DEALLOCATE, "prepare",
		    "deallocate ", "", NULL, NULL },
		{ "deallocate prepare;", SQL_DEALLOCATE, "prepare",
		    "deallocate ", ";", NULL, NULL },
		{ "DEALLOCATE \"all\"", SQL_DEALLOCATE, "all", "DEALLOCATE ",
		    "", NULL, NULL },
	};
	struct sql_prepared p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(sql_prepared_read(slice_str(good[i].sql), &p));
		assert_int_equal(p.kind, good[i].kind);
		assert_string_equal(p.name, good[i].name);
		is(p.before, good[i].before);
		is(p.after, good[i].after);
		if (good[i].head == NULL)
			continue;
		is(p.head, good[i].head);
		is(p.body, good[i].body);
	}
	assert_true(sql_prepared_read(SLICE_LIT("DEALLOCATE ALL"), &p));
	assert_int_equal(p.kind, SQL_DEALLOCATE_ALL);
	assert_true(sql_prepared_read(SLICE_LIT("deallocate Prepare all;"),
	    &p));
	assert_int_equal(p.kind, SQL_DEALLOCATE_ALL);
}

static void
test_refused(void **state PG_UNUSED)
{
	static const char *const bad[] = {
		"", "SELECT 1", "PREPARE", "PREPARE foo", "PREPARE foo (int",
		"PREPARE foo (int) SELECT 1", "PREPARE foo AS", "PREPARE \"\" AS x",
		"PREPARE \"foo", "EXECUTE U&\"foo\"", "EXECUTE f\xc3\xb6o",
		"EXECUTE 1", "PREPARE foo (\"int) AS x", "EXECUTE /* foo",
		"EXECUTE n123456789012345678901234567890123456789012345678901234"
		    "567890123",
		"EXECUTE \"n12345678901234567890123456789012345678901234567890123"
		    "4567890123\"",
	};
	struct sql_prepared p;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(sql_prepared_read(slice_str(bad[i]), &p));
	/* Cut anywhere, it reads no further. */
	for (n = 0; n < 28; n++)
		(void)!sql_prepared_read(slice_make(
		    "PREPARE \"f\"\"\" (int) AS SELECT", n), &p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
