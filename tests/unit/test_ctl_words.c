/* SPDX-License-Identifier: PostgreSQL
 *
 * From words of a shape to a statement again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "ctl/words.h"
#include "sql/analysis.h"
#include "sql/shape_text.h"

static void
reads(const char *words, const char *expected)
{
	bool planned;
	char *text = words_reading(words, 0, &planned);

	assert_string_equal(text, expected);
	assert_true(planned);
	free(text);
}

static void
test_literals_become_parameters(void **state PG_UNUSED)
{
	reads("SELECT 1", "SELECT 1");
	reads("SELECT v FROM t WHERE a = ? AND b IN (?, ?)",
	    "SELECT v FROM t WHERE a = $1 AND b IN ($2, $3)");
	reads("SELECT v FROM t WHERE a = $2 AND b = ?",
	    "SELECT v FROM t WHERE a = $2 AND b = $3");
	reads("SELECT \"what?\" FROM t LIMIT ? OFFSET ?",
	    "SELECT \"what?\" FROM t LIMIT $1 OFFSET $2");
	reads("SELECT ?::text, -?, a[?]", "SELECT $1::text, -$2, a[$3]");
}

static void
test_where_the_grammar_takes_none(void **state PG_UNUSED)
{
	reads("SELECT date ?, interval ?", "SELECT date '?', interval '?'");
	reads("SELECT a::varchar(?), b::numeric(?, ?)",
	    "SELECT a::varchar(1), b::numeric(1, $1)");
	reads("SELECT extract(? FROM a) FROM t ORDER BY ?",
	    "SELECT extract('?' FROM a) FROM t ORDER BY 1");
}

static void
test_operators_of_jsonb(void **state PG_UNUSED)
{
	reads("SELECT data ? ? FROM t", "SELECT data ? $1 FROM t");
	reads("SELECT (a) ?| ? AND \"b\" ?& $1 AND c @? ?",
	    "SELECT (a) ?| $2 AND \"b\" ?& $1 AND c @? $3");
	reads("SELECT a || ? || ?|| b", "SELECT a || $1 || $2|| b");
}

/* A reading that libpg_query takes; malloc'ed. */
static char *
parsed(const char *words, unsigned *n, bool *planned)
{
	struct lexer lx;
	bool ok = false;
	char *text;

	lexer_init(&lx);
	for (*n = 0; !ok && (text = words_reading(words, *n, planned)) !=
	    NULL; (*n)++) {
		const struct an_functions fns = { 0 };
		struct analysis *a;

		assert_int_equal(lex_statement(&lx, slice_str(text), true,
		    100000), LEX_OK);
		a = analysis_new(slice_str(text), &lx, &fns);
		ok = a->kind != STMT_UNPARSED;
		analysis_free(&a);
		if (!ok)
			free(text);
	}
	lexer_fini(&lx);
	return ok ? text : NULL;
}

static void
finds(const char *words, const char *expected, bool routed)
{
	bool planned;
	unsigned n;
	char *text = parsed(words, &n, &planned);

	assert_non_null(text);
	assert_string_equal(text, expected);
	assert_true(planned == routed);
	free(text);
}

static void
test_other_readings(void **state PG_UNUSED)
{
	unsigned n;
	bool planned;

	finds("COPY t FROM ?", "COPY t FROM '?'", false);
	finds("FETCH FORWARD ? FROM c", "FETCH FORWARD 1 FROM c", false);
	finds("SELECT a FROM t WHERE data ? lower(?) AND b = ?",
	    "SELECT a FROM t WHERE data ? lower($1) AND b = $2", true);
	assert_null(parsed("SELECT FROM FROM ? ?", &n, &planned));
	/* There is an end however many there are. */
	assert_null(parsed("SELEKT (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
	    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", &n, &planned));
	assert_in_range(n, 10, 30);
	assert_null(parsed("(several shapes)", &n, &planned));
	assert_null(parsed("(unparsed)", &n, &planned));
}

/* What the daemon makes of a statement has the shape of its reading again. */
static void
test_round_trip(void **state PG_UNUSED)
{
	static const char *const statements[] = {
		"SELECT a, 'x' FROM t WHERE b = 7 AND c > date '2026-01-01'",
		"INSERT INTO t VALUES (1, 'b', E'c'), (2, $$d$$, NULL)",
		"UPDATE t SET a = a + 1.5 WHERE b BETWEEN 1 AND 2 RETURNING a",
		"DELETE FROM t USING u WHERE t.a = u.a AND u.b LIKE 'x%'",
		"SELECT CASE WHEN a = 1 THEN 'b' ELSE 'c' END FROM t LIMIT 3",
		"WITH x AS (SELECT 1 AS a) SELECT * FROM x ORDER BY 1",
		"SELECT a FROM t WHERE j @> '{}' AND j ? 'k' AND j ?| '{a}'",
		"SELECT ts AT TIME ZONE 'UTC' FROM t FETCH FIRST 5 ROWS ONLY",
	};
	char words[500];
	struct lexer lx;
	unsigned n;
	bool planned;
	size_t i;

	lexer_init(&lx);
	for (i = 0; i < ARRAY_SIZE(statements); i++) {
		char *text;

		assert_int_equal(lex_statement(&lx, slice_str(statements[i]),
		    true, 100000), LEX_OK);
		(void)shape_text(slice_make(lx.shape, lx.shape_len), words,
		    sizeof(words));
		text = parsed(words, &n, &planned);
		if (text == NULL)
			fail_msg("no reading of %s", words);
		assert_true(planned);
		free(text);
	}
	lexer_fini(&lx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals_become_parameters),
		cmocka_unit_test(test_where_the_grammar_takes_none),
		cmocka_unit_test(test_operators_of_jsonb),
		cmocka_unit_test(test_other_readings),
		cmocka_unit_test(test_round_trip),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
