/* SPDX-License-Identifier: PostgreSQL
 *
 * The words of shapes, and their numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sql/lex.h"
#include "sql/shape_text.h"

static struct lexer lx;

static struct slice
shape_of(const char *sql)
{
	assert_int_equal(lex_statement(&lx, slice_str(sql), true, 1 << 20),
	    LEX_OK);
	return slice_make(lx.shape, lx.shape_len);
}

static void
assert_text(const char *sql, const char *text)
{
	char out[200];

	assert_int_equal(shape_text(shape_of(sql), out, sizeof(out)),
	    strlen(text));
	assert_string_equal(out, text);
}

static void
test_words(void **state)
{
	(void)state;
	assert_text("SELECT 1", "SELECT ?");
	assert_text("SELECT 1.5, 'a', E'b\\n', $$c$$, B'1', 1e3, $1",
	    "SELECT ?, ?, ?, ?, ?, ?, $1");
	assert_text("  SELECT\n\t a  FROM t -- why\n WHERE b = 'x' /* y */",
	    "SELECT a FROM t WHERE b = ?");
	assert_text("/* x */", "");
	assert_text("SELECT a/**/FROM t", "SELECT a FROM t");
	assert_text("SELECT \"a b\" FROM \"T\"", "SELECT \"a b\" FROM \"T\"");
}

static void
test_cut(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(shape_text(shape_of("SELECT abc"), out, sizeof(out)),
	    7);
	assert_string_equal(out, "SELECT ");
	assert_int_equal(shape_text(shape_of("SELECT abc"), out, 1), 0);
	assert_string_equal(out, "");
}

static uint64_t
number_of(const char *sql)
{
	return shape_fingerprint(shape_of(sql));
}

static void
test_fingerprint(void **state)
{
	(void)state;
	/* As others who reckon FNV-1a over the words have it. */
	assert_true(number_of("SELECT 1") == 0x199e7dca63ea8858u);
	assert_true(number_of("SELECT  'x' /* y */") == number_of("SELECT 1"));
	assert_true(number_of("SELECT 1, 2") != number_of("SELECT 1"));
	assert_true(number_of("") != 0);
}

static int
setup(void **state)
{
	(void)state;
	hash_init();
	lexer_init(&lx);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	lexer_fini(&lx);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_fingerprint),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
