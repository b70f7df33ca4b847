/* SPDX-License-Identifier: PostgreSQL
 *
 * Comments at the end of statements: which are cut, and that no text means
 * something else without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/lex.h"
#include "sql/shape_text.h"
#include "sql/trailer.h"

static struct lexer lx;

static void
assert_cut(const char *sql, const char *rest)
{
	/* Exactly as long as it is, for the sanitizers. */
	size_t n = strlen(sql);
	char *text = malloc(n > 0 ? n : 1);
	struct slice cut;

	assert_non_null(text);
	memcpy(text, sql, n);
	cut = trailer_cut(slice_make(text, n));
	assert_int_equal(cut.n, strlen(rest));
	assert_memory_equal(cut.p, rest, cut.n);
	free(text);
}

static void
assert_left(const char *sql)
{
	assert_cut(sql, sql);
}

static void
test_cut(void **state)
{
	(void)state;
	assert_cut("SELECT 1 /*a='b'*/", "SELECT 1");
	assert_cut("SELECT 1/**/", "SELECT 1");
	assert_cut("SELECT 1 /* app:web */ ;\n", "SELECT 1");
	assert_cut("SELECT 1; /*a='b'*/", "SELECT 1;");
	assert_cut("SELECT 1 /*action='%2Fx',traceparent='00-5bd66ef5095369c7"
	    "b0d1f8f4bd33716a-c532cb4098ac3dd2-01'*/", "SELECT 1");
	/* The last alone. */
	assert_cut("SELECT 1 /*x*/ /*y*/", "SELECT 1 /*x*/");
	assert_cut("SELECT 1 /*x*/ + 2 /*y*/", "SELECT 1 /*x*/ + 2");
	/* Operators end where a comment begins. */
	assert_cut("SELECT 2 //*x*/", "SELECT 2 /");
}

static void
test_left(void **state)
{
	static const char *const left[] = { "", "/", "*/", "/*/", "SELECT 1",
		"SELECT 1 -- x", "SELECT 1 /*x*/ + 1", "SELECT 1 */",
		/* there is nothing before it */
		"/**/", "/*x*/",
		/* what could end what it stands in */
		"SELECT 1 /*it's*/", "SELECT 1 /*\"*/", "SELECT 1 /*$$*/",
		"SELECT 1 /*\\*/", "SELECT 1 /*a='--b'*/", "SELECT 1 /*--*/",
		"SELECT 1 /*x\ny*/", "SELECT 1 /*\xc3\xa4*/",
		"SELECT 1 /* /* x */ */", "SELECT 1 /* * */",
		"SELECT 1 /*x/*/", "SELECT 1 /*/x*/",
		/* what could end what begins before it */
		"SELECT 2 */*x*/", "SELECT 1 /**/*x*/",
		/* a hint */
		"SELECT 1 /*+ SeqScan(t) */" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(left); i++)
		assert_left(left[i]);
}

static void
test_bounds(void **state)
{
	char sql[2 * TRAILER_BYTES];

	(void)state;
	memset(sql, 'x', sizeof(sql));
	memcpy(sql, "SELECT 1 /*", 11);
	memcpy(sql + sizeof(sql) - 2, "*/", 2);
	assert_int_equal(trailer_cut(slice_make(sql, sizeof(sql))).n,
	    sizeof(sql));
	memcpy(sql + TRAILER_BYTES, "*/", 2);
	assert_int_equal(trailer_cut(slice_make(sql, TRAILER_BYTES + 2)).n, 8);
}

/* The number of what the lexer sees; 0: it refuses. */
static uint64_t
meaning(struct slice sql)
{
	if (lex_statement(&lx, sql, true, 1 << 20) != LEX_OK)
		return 0;
	return shape_fingerprint(slice_make(lx.shape, lx.shape_len));
}

/* Whatever a text is made of: with a comment that is cut it is an error, or
 * what it is without. */
static void
test_meaning(void **state)
{
	static const char *const parts[] = { "SELECT ", "'", "''", "\"", "$$",
		"$a$", "E'", "--", "\n", "/*", "*/", "/", "*", "-", "\\", "1",
		"a", "e", ";", " ", "U&'", "b'" };
	static const char *const comments[] = { "/**/", "/*a='b'*/",
		"/*''*/", "/*a='b',c='d'*/", "/*E'x'e'y'*/", "/*-*/",
		"/*a=''''*/", "/*/*/" };
	uint64_t seed = 1, whole, rest;
	size_t k, n, cut = 0;
	struct slice sql, bare;
	char text[200];
	int i;

	(void)state;
	for (i = 0; i < 1000000; i++) {
		n = 0;
		for (k = (seed >> 50) % 8; k > 0; k--) {
			seed = seed * 6364136223846793005u +
			    1442695040888963407u;
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s",
			    parts[(seed >> 33) % ARRAY_SIZE(parts)]);
		}
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s",
		    comments[(seed >> 33) % ARRAY_SIZE(comments)]);
		sql = slice_make(text, n);
		bare = trailer_cut(sql);
		if (bare.n == sql.n)
			continue;
		cut++;
		whole = meaning(sql);
		rest = meaning(bare);
		if (whole != rest)
			fail_msg("%.*s", (int)n, text);
	}
	assert_true(cut > 100000);
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
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_meaning),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
