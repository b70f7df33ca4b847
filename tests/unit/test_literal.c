/* SPDX-License-Identifier: PostgreSQL
 *
 * Literals decoded, and the words that mean the time of day.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sql/analysis.h"

static struct lexer lx;

static void
test_decode(void **state)
{
	static const struct {
		const char *sql, *plain; /* NULL: refused */
	} rows[] = {
		{ "12", "12" }, { "1.5e3", "1.5e3" }, { "'abc'", "abc" },
		{ "''", "" }, { "'a''b'''", "a'b'" }, { "''''", "'" },
		{ "$$it's$$", "it's" }, { "$x$$$$x$", "$$" }, { "$$$$", "" },
		{ "E'a'", "a" }, { "e'a''b'", "a'b" }, { "E'a\\n'", NULL },
		{ "U&'a'", NULL }, { "B'1'", NULL }, { "N'x'", NULL },
		{ "'a'\n'b'", NULL }, { "/* x */", NULL },
		{ "'1234567''9'", NULL /* over the scratch */ },
	};
	char scratch[8];
	struct slice out;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice sql = slice_str(rows[i].sql);

		assert_int_equal(lex_statement(&lx, sql, true, 100), LEX_OK);
		assert_int_equal(lx.n_cuts, 1);
		if (rows[i].plain == NULL) {
			assert_false(analysis_literal(sql, &lx.cuts[0],
			    scratch, sizeof(scratch), &out));
			continue;
		}
		assert_true(analysis_literal(sql, &lx.cuts[0], scratch,
		    sizeof(scratch), &out));
		assert_true(slice_eq_str(out, rows[i].plain));
	}
}

static void
test_special(void **state)
{
	static const char *const yes[] = { "now", "NOW", " Today ",
	    "tomorrow allballs", "{yesterday}", "10:00today", "[now,tomorrow)",
	    "{\"now\"}" };
	static const char *const no[] = { "", "known", "nowhere", "no", "snow",
	    "epoch", "infinity", "allballs", "2024-01-01", "todays" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(analysis_literal_is_special(slice_str(yes[i])));
	for (i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(analysis_literal_is_special(slice_str(no[i])));
}

static bool
has_special(const char *s, enum stmt_kind kind)
{
	struct analysis a = { .kind = kind };

	assert_int_equal(lex_statement(&lx, slice_str(s), true, 999), LEX_OK);
	return analysis_has_special_literals(&a, slice_str(s), &lx);
}

static void
test_special_literals(void **state)
{
	static const char *const yes[] = { "select 'now'", "select 1, 'TODAY'",
	    "select 'it''s now'", "select E'\\156ow'", "select U&'\\006eow'",
	    "select 'no'\n'w'", "select $$now$$", "select E'now'" };
	static const char *const no[] = { "select now()", "select 'known'",
	    "select /* now */ 1", "select 'it''s'", "select E'it''s'",
	    "select $$a$$", "select 1" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(has_special(yes[i], STMT_SELECT));
	for (i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(has_special(no[i], STMT_SELECT));
	assert_false(has_special("insert 'now'", STMT_INSERT));
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(stmt_kind_name(STMT_EMPTY), "empty");
	assert_string_equal(stmt_kind_name(STMT_OTHER), "other");
	assert_string_equal(pin_reason_name(PIN_NONE), "none");
	assert_string_equal(pin_reason_name(PIN_UNPARSED), "unparsed");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_special),
		cmocka_unit_test(test_special_literals),
		cmocka_unit_test(test_names),
	};
	int failed;

	hash_init();
	lexer_init(&lx);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	lexer_fini(&lx);
	return failed;
}
