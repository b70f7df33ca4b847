/* SPDX-License-Identifier: PostgreSQL
 *
 * A yes of shape_match() is the lexer's yes, on pairs of texts made to differ
 * where it is hardest to tell; and common statements get a yes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sql/shape_match.h"

#define MAX_LEN 1000

static struct lexer known, fast, slow;

static int
setup(void **state)
{
	(void)state;
	lexer_init(&known);
	lexer_init(&fast);
	lexer_init(&slow);
	/* Room for cuts, as a lexer has that has met literals before. */
	return lex_statement(&fast, SLICE_LIT("select 1"), true, MAX_LEN) ==
	    LEX_OK ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	lexer_fini(&known);
	lexer_fini(&fast);
	lexer_fini(&slow);
	return 0;
}

/* Whether b is known for a text of a's shape; if so the lexer has to agree. */
static bool
is_known(struct slice a, struct slice b, bool scs)
{
	struct shape_marks m;
	struct slice shape;
	bool yes;
	size_t i;

	if (lex_statement(&known, a, scs, MAX_LEN) != LEX_OK)
		return false;
	shape = slice_make(known.shape, known.shape_len);
	shape_marks_init(&m, shape);
	fast.n_cuts = 999;
	yes = shape_match(&m, shape, b, scs, &fast);
	if (yes) {
		assert_int_equal(lex_statement(&slow, b, scs, MAX_LEN),
		    LEX_OK);
		assert_true(slice_eq(shape, slice_make(slow.shape,
		    slow.shape_len)));
		assert_int_equal(fast.n_cuts, slow.n_cuts);
		for (i = 0; i < slow.n_cuts; i++) {
			assert_int_equal(fast.cuts[i].pos, slow.cuts[i].pos);
			assert_int_equal(fast.cuts[i].len, slow.cuts[i].len);
			assert_int_equal(fast.cuts[i].kind,
			    slow.cuts[i].kind);
		}
	}
	shape_marks_fini(&m);
	return yes;
}

static void
test_common(void **state)
{
	static const char *const pairs[][2] = {
		{ "SELECT a FROM t WHERE id = 1",
		    "SELECT a FROM t WHERE id = 998877" },
		{ "SELECT a FROM t WHERE id=1;", "SELECT a FROM t WHERE id=20;" },
		{ "INSERT INTO t VALUES (1, 'x', 'y')",
		    "INSERT INTO t VALUES (22, '', 'longer than that')" },
		{ "UPDATE t SET b = b + -5 WHERE a IN (1,2,3)",
		    "UPDATE t SET b = b + -77 WHERE a IN (4,55,666)" },
		{ "select \"q 1\" from t1 where x = 'a\\b'",
		    "select \"q 1\" from t1 where x = '\\'" },
		{ "select $1 from t", "select $1 from t" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		assert_true(is_known(slice_str(pairs[i][0]),
		    slice_str(pairs[i][1]), true));
}

static void
test_other(void **state)
{
	static const char *const pairs[][2] = {
		{ "select 1", "select 1.5" },
		{ "select 1", "select 1e5" },
		{ "select 1", "select 'a'" },
		{ "select 1", "select" },
		{ "select 1", "select 1 " },
		{ "select 1 ", "select 1" },
		{ "select a", "select b" },
		{ "select 'a'", "select 'a''b'" },
		{ "select 'a'", "select 'a" },
		{ "select 'a'", "select e'a'" },
		{ "select 'a' b", "select 'a' 'b'" },
		{ "select 'a'", "select 'a'\n'b'" },
		{ "select x.y", "select x.1" },
		{ "select $1", "select $2" },
		{ "select 1 -- a", "select 1 -- b" },
		{ "select 1.5", "select 2.5" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		assert_false(is_known(slice_str(pairs[i][0]),
		    slice_str(pairs[i][1]), true));
}

static void
test_strings(void **state)
{
	static const char nul[] = "select 'a\0b'";

	(void)state;
	assert_false(is_known(SLICE_LIT("select 'ab'"),
	    slice_make(nul, sizeof(nul) - 1), true));
	/* Without standard_conforming_strings it may hide the end. */
	assert_false(is_known(SLICE_LIT("select 'ab'"),
	    SLICE_LIT("select 'a\\b'"), false));
	assert_true(is_known(SLICE_LIT("select 'ab'"),
	    SLICE_LIT("select 'cd'"), false));
}

static void
test_many_literals(void **state)
{
	char text[MAX_LEN] = "select 1";
	struct shape_marks m;
	unsigned n;

	(void)state;
	for (n = 1; n <= SHAPE_MARKS_MAX + 1; n++) {
		assert_int_equal(lex_statement(&known, slice_str(text), true,
		    MAX_LEN), LEX_OK);
		shape_marks_init(&m, slice_make(known.shape,
		    known.shape_len));
		assert_int_equal(m.usable, n <= SHAPE_MARKS_MAX);
		shape_marks_fini(&m);
		strcat(text, ",1");
	}
	/* A lexer without room for the cuts has not met that many. */
	assert_false(is_known(SLICE_LIT("values (1,1,1,1,1,1,1,1,1,1,1,1,1,"
	    "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"),
	    SLICE_LIT("values (1,1,1,1,1,1,1,1,1,1,1,1,1,"
	    "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"), true));
}

/* Texts put together from pieces that touch one another in every way. */
static void
test_agrees_with_lexer(void **state)
{
	static const char *const pieces[] = {
		"1", "23", "'a'", "''", "'b\\'", "1.5", "1e5", ".", "..", "e",
		"E'x'", "n", "N'x'", "u&", "$", "$1", "$$x$$", "a", "\"q\"",
		"-", "--", "\n", " ", "/*c*/", "/", "*", "(", ")", ",", ";",
		"+5", "::", "x_1", "\1", "\3",
	};
	const unsigned n = sizeof(pieces) / sizeof(*pieces), literals = 5;
	char a[256], b[256];
	unsigned seed = 7, i, k, len, pick, known_texts = 0;

	(void)state;
	for (i = 0; i < 400000; i++) {
		a[0] = b[0] = '\0';
		len = 1 + (unsigned)rand_r(&seed) % 7;
		for (k = 0; k < len; k++) {
			pick = (unsigned)rand_r(&seed) % n;
			strcat(a, pieces[pick]);
			if (pick < literals)
				pick = (unsigned)rand_r(&seed) % literals;
			else if (rand_r(&seed) % 16 == 0)
				pick = (unsigned)rand_r(&seed) % n;
			strcat(b, pieces[pick]);
		}
		known_texts += is_known(slice_str(a), slice_str(b),
		    rand_r(&seed) % 8 != 0) && strcmp(a, b) != 0;
	}
	assert_true(known_texts > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_common),
		cmocka_unit_test(test_other),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_many_literals),
		cmocka_unit_test(test_agrees_with_lexer),
	};

	hash_init();
	return cmocka_run_group_tests(tests, setup, teardown);
}
