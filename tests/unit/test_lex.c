/* SPDX-License-Identifier: PostgreSQL
 *
 * Where the lexer cuts, what it refuses, and that positions carry over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "sql/lex.h"

#define MAX_LEN (1u << 20)

static struct lexer lx;

static enum lex_result
lex(const char *s)
{
	return lex_statement(&lx, slice_str(s), true, MAX_LEN);
}

/* The shape with I N S E C for markers. */
static const char *
shape_of(const char *s)
{
	static char out[1024];
	size_t i;

	assert_int_equal(lex(s), LEX_OK);
	assert_true(lx.shape_len < sizeof(out));
	for (i = 0; i < lx.shape_len; i++)
		out[i] = lx.shape[i] >= 1 && lx.shape[i] <= 5 ?
		    "INSEC"[lx.shape[i] - 1] : lx.shape[i];
	out[i] = '\0';
	return out;
}

static void
test_cuts(void **state)
{
	static const struct {
		const char *sql, *shape;
	} rows[] = {
		{ "", "" },
		{ "select 1", "select I" },
		{ "select -1, +2", "select -I, +I" },
		{ "1.5 .5 1. 1e10 1E+3 1.5e-3", "N N N N N N" },
		{ "1..2 a[1:2]", "I..I a[I:I]" },
		{ "1e 1e+ 0x1F 1_000", "Ie Ie+ Ix1F I_000" },
		{ "abc123 _1 a$1 \xc3\xa9" "9", "abc123 _1 a$1 \xc3\xa9" "9" },
		{ "a.b.1 t.5", "a.bN tN" },
		{ "$1 + $23", "$1 + $23" },
		{ "'a' 'b'", "S S" },
		{ "'a''b'", "E" },
		{ "''", "S" },
		{ "''''", "E" },
		{ "'a'\n'b'", "E" },
		{ "'a' -- c\n  'b' x", "E x" },
		{ "'a' -- c", "S C" },
		{ "'a' /* \n */ 'b'", "S C S" },
		{ "E'a\\'b' e'\\\\' x", "E E x" },
		{ "E'a'\n'\\'b'", "E" },
		{ "U&'d\\0061' u&'x'", "E E" },
		{ "B'01' x'FF' N'n' n 'n'", "E E E n S" },
		{ "fe'x'", "feS" },
		{ "u & 'x'", "u & S" },
		{ "'back\\slash'", "S" },
		{ "$$a'b$$ $t$ $$ $x$ $t$ $t1$ $t1$", "E E E" },
		{ "$a$ $b$a$", "E" },
		{ "a$$b$$", "a$$b$$" },
		{ "\"a'b\" \"x\"\"y\" \"--\"", "\"a'b\" \"x\"\"y\" \"--\"" },
		{ "1 -- 'x'\n2", "I C\nI" },
		{ "1 -- x\r2", "I C\rI" },
		{ "/* a /* b */ 'c */ 1", "C I" },
		{ "/**/1/***/", "CIC" },
		{ "1+--x\n2", "I+C\nI" },
		{ "1*/*x*/2", "I*CI" },
		{ "a->'b'->>2", "a->S->>I" },
		{ "a::int", "a::int" },
		{ "1and 2", "Iand I" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(shape_of(rows[i].sql), rows[i].shape);
}

static void
test_refused(void **state)
{
	static const char *const broken[] = { "'a", "'a''", "E'a\\'", "\"a",
	    "/* /* */", "$$a", "$t$ $$", "B'1", "a \x01 b", "\"a\x02\"",
	    "U&\"d!0061\" uescape '!'", "'a'\n'b" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(broken); i++)
		assert_int_equal(lex(broken[i]), LEX_BROKEN);
	assert_int_equal(lex_statement(&lx, SLICE_LIT("a\0b"), true, 100),
	    LEX_BROKEN);
	assert_int_equal(lex_statement(&lx, SLICE_LIT("'\0'"), true, 100),
	    LEX_BROKEN);
	/* Marker bytes inside of literals and comments are cut out. */
	assert_string_equal(shape_of("'\x01' /*\x02*/"), "S C");
	assert_int_equal(lex_statement(&lx, SLICE_LIT("abcd"), true, 3),
	    LEX_TOO_LONG);
	assert_int_equal(lex_statement(&lx, SLICE_LIT("abc"), true, 3), LEX_OK);
}

static void
test_nonconforming(void **state)
{
	(void)state;
	assert_int_equal(lex_statement(&lx, SLICE_LIT("'a\\'b'"), false, 99),
	    LEX_BROKEN);
	assert_int_equal(lex_statement(&lx, SLICE_LIT("'a'\n'\\'"), false, 99),
	    LEX_BROKEN);
	assert_int_equal(lex_statement(&lx, SLICE_LIT("'a' E'\\''"), false, 99),
	    LEX_OK);
	assert_int_equal(lx.n_cuts, 2);
	assert_int_equal(lex_statement(&lx, SLICE_LIT("$$\\$$"), false, 99),
	    LEX_OK);
}

static void
test_statements(void **state)
{
	static const struct {
		const char *sql;
		size_t n;
	} rows[] = { { "", 0 }, { " ; ;; -- x", 0 }, { "a", 1 }, { "a;", 1 },
	    { "a; b", 2 }, { "a;;b;/* */", 2 }, { "';'", 1 },
	    { "(a; b)", 1 }, { "1;2;3", 3 } };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(lex(rows[i].sql), LEX_OK);
		assert_int_equal(lx.n_statements, rows[i].n);
	}
}

/* prefix, then unit n times, then suffix n times. */
static enum lex_result
lex_repeat(const char *prefix, const char *unit, size_t n, const char *suffix)
{
	size_t size = strlen(prefix) + n * (strlen(unit) + strlen(suffix)) + 1;
	char *s = malloc(size), *p = stpcpy(s, prefix);
	enum lex_result r;
	size_t i;

	for (i = 0; i < n; i++)
		p = stpcpy(p, unit);
	for (i = 0; i < n; i++)
		p = stpcpy(p, suffix);
	r = lex_statement(&lx, slice_str(s), true, SIZE_MAX);
	free(s);
	return r;
}

static void
test_caps(void **state)
{
	static const struct {
		const char *unit, *suffix;
		size_t cap;
	} rows[] = {
		{ "(", ")", 150 }, { "[", "]", 150 }, { "(", "", 150 },
		{ "1+", "", 500 }, { "- ", "", 500 }, { "NOT ", "", 500 },
		{ "a::int", "", 500 }, { "x COLLATE y ", "", 500 },
		{ "x AT TIME ZONE y ", "", 500 }, { "s UNION ", "", 500 },
		{ "a JOIN b ", "", 500 }, { "+-", "", 250 },
		{ "CASE WHEN a THEN ", " END", 150 },
		{ "CASE WHEN a.end THEN ", " END", 150 },
		{ "CASE WHEN a . /**/ end THEN ", " END", 150 },
		{ "a.and+", "", 500 }, { "a.or+", "", 500 },
		{ "CASE WHEN a.when+", "", 150 },
		{ "NOT x BETWEEN 1 AND ", "", 166 },
		{ "(1+", ")", 125 }, { "(x, ", ")", 150 },
	};
	static const char *const free_of_cap[] = { "1,", "a AND ", "a=1 AND ",
	    "a = 1 OR ", "($1::int, -2),", "f(1 + 1),", "a.b.c.d,", "x;",
	    "(a = 1 AND b = 2) OR ", "case when a=1 then 2 end, ",
	    "a between 1 and 2 and ", "[1]", "-1;", ".a" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(lex_repeat("", rows[i].unit, rows[i].cap,
		    rows[i].suffix), LEX_OK);
		assert_int_equal(lex_repeat("", rows[i].unit, rows[i].cap + 1,
		    rows[i].suffix), LEX_TOO_DEEP);
	}
	for (i = 0; i < ARRAY_SIZE(free_of_cap); i++)
		assert_int_equal(lex_repeat("", free_of_cap[i], 5000, ""),
		    LEX_OK);
	assert_int_equal(lex_repeat("case ", "when a=1 then 2 ", 5000, ""),
	    LEX_OK);
	assert_int_equal(lex_repeat("", "1,", LEX_MAX_CUTS, ""), LEX_OK);
	assert_int_equal(lex_repeat("", "1,", LEX_MAX_CUTS + 1, ""),
	    LEX_TOO_LONG);
}

/* Unbalanced input neither counts below zero nor past the end. */
static void
test_unbalanced(void **state)
{
	(void)state;
	assert_int_equal(lex_repeat("", ") ] end ", 3000, ""), LEX_OK);
	assert_int_equal(lex_repeat("", "(case ) ", 3000, ""), LEX_OK);
	assert_int_equal(lex_repeat("", "( end ) case end ", 3000, ""),
	    LEX_OK);
	assert_int_equal(lex_repeat("", "between and between ", 125, ""),
	    LEX_OK);
}

/* ------------------------------------------------------------- properties */

static unsigned
rnd(unsigned n)
{
	static uint64_t seed = 0x9e3779b97f4a7c15ull;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

static const char *const literal_sets[][3] = {
	{ "1", "22", "98765432109" }, { "1.5", "0.25e7", ".5" },
	{ "'a'", "''", "'longer text'" },
	{ "'a''b'", "E'x\\'y'", "$t$ it's $t$" },
	{ "/* c */", "/**/", "/* /* */ */" },
};
static const char *const words[] = { "select", "x", "\"q\"", "(", ")", ",",
    "+", "$1", "a.b", "=", " ", "::", "from" };

/* Two texts that differ in literals only. */
static void
random_pair(char *a, char *b)
{
	unsigned n = 1 + rnd(20), i;

	*a = *b = '\0';
	for (i = 0; i < n; i++) {
		if (rnd(2)) {
			const char *const *set = literal_sets[rnd(5)];

			a = stpcpy(a, set[rnd(3)]);
			b = stpcpy(b, set[rnd(3)]);
		} else {
			const char *w = words[rnd(ARRAY_SIZE(words))];

			a = stpcpy(a, w);
			b = stpcpy(b, w);
		}
		/* A space keeps words apart. */
		a = stpcpy(a, " ");
		b = stpcpy(b, " ");
	}
}

/* The shape with the cuts put back is the text. */
static void
check_inverse(const char *text)
{
	char out[2048];
	size_t i, n = 0, cut = 0;

	for (i = 0; i < lx.shape_len; i++) {
		unsigned char c = (unsigned char)lx.shape[i];

		if (c >= 1 && c <= 5) {
			assert_int_equal(c, lx.cuts[cut].kind);
			assert_int_equal(lx.cuts[cut].pos, n);
			memcpy(out + n, text + lx.cuts[cut].pos,
			    lx.cuts[cut].len);
			n += lx.cuts[cut++].len;
		} else {
			out[n++] = (char)c;
		}
	}
	assert_int_equal(cut, lx.n_cuts);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(out, text, n);
}

static void
test_random(void **state)
{
	char a[2048], b[2048];
	struct lexer ly;
	uint32_t pos, back;
	unsigned i, same = 0;

	(void)state;
	lexer_init(&ly);
	for (i = 0; i < 20000; i++) {
		random_pair(a, b);
		if (lex(a) != LEX_OK)
			continue;
		check_inverse(a);
		assert_int_equal(lex_statement(&ly, slice_str(b), true, 9999),
		    LEX_OK);
		assert_true(hash_eq(lx.hash, ly.hash));
		assert_int_equal(lx.n_cuts, ly.n_cuts);
		same++;
		for (pos = 0; pos <= strlen(a); pos++) {
			struct textpos t = lex_pos_from(&lx, pos);

			back = lex_pos(&lx, t);
			assert_int_equal(back, pos);
			/* Behind a cut the same bytes follow in both. */
			if (t.cut == lx.n_cuts)
				assert_string_equal(a + pos,
				    b + lex_pos(&ly, t));
		}
	}
	assert_true(same > 19000);
	lexer_fini(&ly);
}

/* Texts of other shapes have other hashes. */
static void
test_shapes_differ(void **state)
{
	static const char *const texts[] = { "select 1", "select 1.0",
	    "select 'a'", "select 'a''b'", "select a", "select  1",
	    "SELECT 1", "select 1 ", "select /**/", "select \"1\"" };
	struct hash128 h[ARRAY_SIZE(texts)];
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(lex(texts[i]), LEX_OK);
		h[i] = lx.hash;
		for (k = 0; k < i; k++)
			assert_false(hash_eq(h[i], h[k]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nonconforming),
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_unbalanced),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_shapes_differ),
	};
	int failed;

	hash_init();
	lexer_init(&lx);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	lexer_fini(&lx);
	return failed;
}
