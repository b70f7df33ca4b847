/* SPDX-License-Identifier: PostgreSQL
 *
 * No text within the lexer's caps makes libpg_query or the analysis outgrow
 * half of SQL_STACK_MIN: every way to nest that the grammar has, at the cap,
 * alone and mixed, on a thread with that little stack.  Too much kills the
 * test program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "sql/analysis.h"

/* TSan keeps 785 KB for each thread, and takes them from its stack. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define STACK_OF_TSAN (1u << 20)
#endif
#elif defined(__SANITIZE_THREAD__)
#define STACK_OF_TSAN (1u << 20)
#endif
#ifndef STACK_OF_TSAN
#define STACK_OF_TSAN 0
#endif

static const struct nest {
	const char *open, *close;
} nests[] = {
	{ "1+", "" }, { "NOT ", "" }, { "- ", "" }, { "@ ", "" },
	{ "(1+", ")" }, { "f(", ")" }, { "f(a => ", ")" }, { "ARRAY[", "]" },
	{ "a[", "]" }, { "ROW(", ")" }, { "COALESCE(", ")" },
	{ "CASE WHEN a THEN b ELSE ", " END" },
	{ "CASE WHEN ", " THEN 1 END" }, { "CASE ", " WHEN 1 THEN 2 END" },
	{ "CASE WHEN a.end THEN 1 WHEN b.when THEN ", " END" },
	{ "(SELECT ", ")" }, { "EXISTS (SELECT 1 WHERE ", ")" },
	{ "a IN (SELECT ", ")" }, { "a = ANY(SELECT ", ")" },
	{ "a IN (1, ", ")" }, { "(SELECT 1 FROM (SELECT ", ") AS x)" },
	{ "(WITH x AS (SELECT ", ") SELECT 2)" },
	{ "(SELECT 1 FROM (a JOIN (SELECT ", ") b ON true))" },
	{ "(SELECT 1 FROM a JOIN b ON ", ")" },
	{ "(SELECT 1 UNION SELECT ", ")" }, { "(VALUES (", "))" },
	{ "(SELECT 1 FROM (VALUES (", ")) x)" },
	{ "(SELECT 1 ORDER BY ", ")" }, { "(SELECT 1 LIMIT ", ")" },
	{ "(SELECT DISTINCT ON (", ") 1)" },
	{ "(SELECT 1 GROUP BY ROLLUP(", "))" },
	{ "(SELECT 1 FROM ROWS FROM(f(", ")) x)" },
	{ "(SELECT 1 FROM a TABLESAMPLE f(", "))" },
	{ "(SELECT 1 FROM xmltable('a' PASSING ", " COLUMNS x int))" },
	{ "sum(a) OVER (PARTITION BY ", ")" },
	{ "sum(a) OVER (ORDER BY ", ")" },
	{ "sum(a) FILTER (WHERE ", ")" },
	{ "percentile_cont(1) WITHIN GROUP (ORDER BY ", ")" },
	{ "(SELECT 1 WINDOW w AS (PARTITION BY ", "))" },
	{ "xmlelement(name a, ", ")" }, { "CAST(", " AS int)" },
	{ "NOT a BETWEEN 1 AND ", "" }, { "a AND ", "" }, { "a OR ", "" },
	{ "", "::int" }, { "", " COLLATE \"C\"" },
	{ "", " AT TIME ZONE 'x'" }, { "", "[1]" }, { "a IS DISTINCT FROM ",
	    "" }, { "(", " IS NULL)" }, { "(", ").a" }, { "GREATEST(1, ", ")" },
	{ "(a, ", ") = b" }, { "extract(year FROM ", ")" },
};

static const struct nest statements[] = {
	{ "SELECT ", "" }, { "INSERT INTO t VALUES (", ")" },
	{ "UPDATE t SET a = ", "" }, { "DELETE FROM t WHERE ", "" },
	{ "WITH w AS (INSERT INTO t (a) SELECT 1 ON CONFLICT (b) DO UPDATE"
	    " SET c = ", ") SELECT 1" },
	{ "MERGE INTO t USING s ON ", " WHEN MATCHED THEN DELETE" },
	{ "CREATE TABLE x (a int DEFAULT (", "))" },
	{ "CREATE RULE r AS ON SELECT TO t WHERE ", " DO NOTHING" },
	{ "EXPLAIN ANALYZE SELECT ", "" }, { "EXPLAIN (ROUTE) SELECT ", "" },
	{ "DECLARE c CURSOR FOR SELECT ", "" },
};

struct job {
	char *text;
	struct lexer *lx;
	bool parsed;
};

static void *
job_run(void *arg)
{
	struct job *j = arg;
	struct analysis *a = analysis_new(slice_str(j->text), j->lx, NULL);

	j->parsed = a->kind != STMT_UNPARSED;
	analysis_free(&a);
	return NULL;
}

/* Analyse on a thread with half the stack promised. */
static bool
run_small(struct lexer *lx, char *text)
{
	struct job j = { .text = text, .lx = lx };
	pthread_attr_t attr;
	pthread_t t;

	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, SQL_STACK_MIN / 2 +
	    STACK_OF_TSAN), 0);
	assert_int_equal(pthread_create(&t, &attr, job_run, &j), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	pthread_attr_destroy(&attr);
	return j.parsed;
}

/* Statement s around the first n of picks, innermost last. */
static char *
build(const struct nest *s, const unsigned char *picks, size_t n)
{
	char *text = malloc(256 + n * 128), *p;
	size_t i;

	assert_non_null(text);
	p = stpcpy(text, s->open);
	for (i = 0; i < n; i++)
		p = stpcpy(p, nests[picks[i]].open);
	p = stpcpy(p, "1");
	for (i = n; i-- > 0;)
		p = stpcpy(p, nests[picks[i]].close);
	stpcpy(p, s->close);
	return text;
}

/* The deepest that the lexer lets through, run. */
static bool
run_deepest(const struct nest *s, const unsigned char *picks, size_t max)
{
	struct lexer lx;
	size_t lo = 0, hi = max, mid;
	char *text;
	bool parsed;

	lexer_init(&lx);
	while (lo < hi) {
		mid = (lo + hi + 1) / 2;
		text = build(s, picks, mid);
		if (lex_statement(&lx, slice_str(text), true, 1u << 20) ==
		    LEX_OK)
			lo = mid;
		else
			hi = mid - 1;
		free(text);
	}
	text = build(s, picks, lo);
	assert_int_equal(lex_statement(&lx, slice_str(text), true, 1u << 20),
	    LEX_OK);
	parsed = run_small(&lx, text);
	free(text);
	lexer_fini(&lx);
	return parsed;
}

enum { MAX_NEST = 3000 };

static void
test_alone(void **state)
{
	unsigned char picks[MAX_NEST];
	size_t i, k, parsed = 0;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(nests); i++) {
		memset(picks, (int)i, sizeof(picks));
		for (k = 0; k < ARRAY_SIZE(statements); k++)
			parsed += run_deepest(&statements[k], picks, MAX_NEST);
	}
	/* Nearly all of it is grammatical, or the test tests nothing. */
	assert_true(parsed > ARRAY_SIZE(nests) * ARRAY_SIZE(statements) *
	    9 / 10);
}

static void
test_mixed(void **state)
{
	unsigned char picks[MAX_NEST];
	unsigned seed = 12345, set[4];
	size_t i, k, parsed = 0;

	(void)state;
	for (i = 0; i < 400; i++) {
		for (k = 0; k < 4; k++) {
			seed = seed * 1103515245u + 12345u;
			set[k] = (seed >> 16) % ARRAY_SIZE(nests);
		}
		for (k = 0; k < MAX_NEST; k++) {
			seed = seed * 1103515245u + 12345u;
			picks[k] = (unsigned char)set[(seed >> 16) % 4];
		}
		parsed += run_deepest(&statements[i % ARRAY_SIZE(statements)],
		    picks, MAX_NEST);
	}
	assert_true(parsed > 50);
}

/* Left-deep chains that no bracket opens. */
static void
test_chains(void **state)
{
	static const char *const units[] = { " UNION ALL SELECT 1",
	    " UNION SELECT 1 + 1 + 1", " EXCEPT SELECT 1", " JOIN b ON true",
	    " NATURAL JOIN b", ", a", " UNION SELECT 1 FROM a JOIN b ON x" };
	struct lexer lx;
	char *text, *p;
	size_t i, n;

	(void)state;
	lexer_init(&lx);
	for (i = 0; i < ARRAY_SIZE(units); i++) {
		text = malloc(64 + 600 * 64);
		p = stpcpy(text, "SELECT 1 FROM a");
		for (n = 0; n < 600; n++) {
			p = stpcpy(p, units[i]);
			if (lex_statement(&lx, slice_str(text), true,
			    1u << 20) != LEX_OK) {
				p[-(ptrdiff_t)strlen(units[i])] = '\0';
				break;
			}
		}
		assert_int_equal(lex_statement(&lx, slice_str(text), true,
		    1u << 20), LEX_OK);
		assert_true(run_small(&lx, text));
		free(text);
	}
	lexer_fini(&lx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_chains),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
