/* SPDX-License-Identifier: PostgreSQL
 *
 * INSERTs of many rows: what is said with rows left out is what the whole text
 * says, whatever stands before, in and behind the rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sql/parse_priv.h"
#include "sql_same.h"
#include "sql_util.h"

static struct lexer lx;
static struct buf text;
static uint64_t dice;

static unsigned
draw(unsigned n)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((dice >> 33) % n);
}

static void
put(const char *s)
{
	assert_true(buf_append(&text, s, strlen(s)));
}

static struct slice
lexed(void)
{
	struct slice sql = slice_make(buf_head(&text), buf_len(&text));

	assert_int_equal(lex_statement(&lx, sql, true, 10u << 20), LEX_OK);
	return sql;
}

/* How many rows are kept, and by the text alone; 0: all are read. */
static size_t
kept(void)
{
	struct parse_rows *rows = parse_rows_new(lexed(), &lx);
	size_t n = rows != NULL ? rows->n_kept : 0;

	parse_rows_free(&rows);
	return n;
}

/* The text says the same either way. */
static void
same(void)
{
	struct slice sql = lexed();
	struct analysis *thin = parse_analysis(sql, &lx, NULL, false);
	struct analysis *whole = parse_analysis(sql, &lx, NULL, true);
	char *a = sql_describe(sql, &lx, thin);
	char *b = sql_describe(sql, &lx, whole);

	if (strcmp(a, b) != 0)
		print_message("%.*s\n", (int)(sql.n < 3000 ? sql.n : 3000),
		    sql.p);
	assert_string_equal(a, b);
	sql_same(thin, whole);
	free(a);
	free(b);
	analysis_free(&thin);
	analysis_free(&whole);
}

static void
rows(unsigned n, const char *head, const char *row, const char *tail)
{
	unsigned i;

	buf_consume(&text, buf_len(&text));
	put(head);
	for (i = 0; i < n; i++) {
		put(i > 0 ? ", " : "");
		put(row);
	}
	put(tail);
}

/* ------------------------------------------------------------ what is left out */

static void
test_rows_that_are_alike(void **state PG_UNUSED)
{
	unsigned i;
	char row[64];

	rows(9000, "INSERT INTO t (a, b, c) VALUES ",
	    "(1, -2.5, 'x'::text)", " RETURNING a");
	assert_int_equal(kept(), 1);
	same();
	/* An integer that is too large for one is another token. */
	rows(50, "INSERT INTO t (a, b) VALUES ", "(1, -2), (99999999999, "
	    "-99999999999)", "");
	assert_int_equal(kept(), 1);
	same();
	buf_consume(&text, buf_len(&text));
	put("INSERT INTO s.t (a, b, c) VALUES ");
	for (i = 0; i < 3000; i++) {
		snprintf(row, sizeof(row), "%s(%u, %s, %s)",
		    i > 0 ? "\n ,/* c */ " : "", i, i % 3 ? "NULL" : "1.5",
		    i % 7 ? "'it'" : "'it''s'");
		put(row);
	}
	put("\n");
	assert_int_equal(kept(), 4);
	same();
	rows(100, "INSERT INTO s.values (a) VALUES ", "(1)", "");
	assert_int_equal(kept(), 1);
	same();
}

static void
test_what_is_read_whole(void **state PG_UNUSED)
{
	static const char *const row[] = {
		"(B'1')", "(U&'\\0041')", "(1.5.5)", "('a'x)",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		rows(100, "INSERT INTO t (a) VALUES ", row[i], "");
		assert_int_equal(kept(), 0);
		same();
	}
	rows(16, "INSERT INTO t (a) VALUES ", "(1)", "");
	assert_int_equal(kept(), 0);
	rows(100, "INSERT INTO t (a) VALUES ", "(1)", "; SELECT 1");
	assert_int_equal(kept(), 0);
	rows(100, "SELECT * FROM t WHERE (a) IN (VALUES ", "(1)", ")");
	assert_int_equal(kept(), 0);
}

/* The text alone does not tell that these are not to be left out. */
static void
test_what_the_tree_forbids(void **state PG_UNUSED)
{
	static const struct {
		const char *head, *row, *tail;
	} all[] = {
		{ "INSERT INTO t (a) VALUES ", "((SELECT 1 FROM u))", "" },
		{ "INSERT INTO t (a) VALUES ", "(s.t.a, 1)", "" },
		{ "INSERT INTO t (a) VALUES ", "(1::f((SELECT 1 FROM u)))",
		    "" },
		{ "INSERT INTO t (a) VALUES ", "(f(s.t.a) '1')", "" },
		{ "INSERT INTO t (a) VALUES ",
		    "(NULL::f(set_config('x', 'y', false)))", "" },
		{ "INSERT INTO t (a) VALUES ", "(set_config('x', 'y', false))",
		    "" },
		{ "INSERT INTO t (a) VALUES ",
		    "(max(1 ORDER BY (SELECT 1 FROM u)))", "" },
		{ "INSERT INTO t (a) VALUES ",
		    "(count(*) FILTER (WHERE s.t.a = 1))", "" },
		{ "INSERT INTO t (a) VALUES ",
		    "(rank() OVER (ORDER BY s.t.a, 1))", "" },
		{ "INSERT INTO t (a) SELECT 1 UNION VALUES ", "(1)", "" },
		{ "INSERT INTO t (a) VALUES ", "(1)", " UNION SELECT b FROM u" },
		/* A table of that name, and what is no statement at all. */
		{ "INSERT INTO values ", "(a /**/)", " VALUES (1)" },
		{ "INSERT INTO t AS values ", "(a /**/)", " VALUES (1)" },
		{ "INSERT INTO t (a) VALUES ", "(1 +)", "" },
		{ "INSERT INTO t (a) VALUES ", "(1)", " RETURNING" },
		/* Few values: all have a place. */
		{ "INSERT INTO t (a) VALUES ", "(1)", "" },
		{ "INSERT INTO t (a) VALUES ", "($1 /**/)", "" },
		{ "INSERT INTO t (a) VALUES ", "(NULL /**/)", "" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		rows(i + 3 >= ARRAY_SIZE(all) ? 40 : 80, all[i].head,
		    all[i].row, all[i].tail);
		assert_int_equal(kept(), 1);
		same();
	}
}

/* An INSERT inside is not the one whose rows were left out. */
static void
test_another_insert_inside(void **state PG_UNUSED)
{
	rows(80, "INSERT INTO t (a) WITH x AS (INSERT INTO u (b) VALUES (1), "
	    "(2) RETURNING b) VALUES ", "(3)", "");
	assert_int_equal(kept(), 1);
	same();
}

/* ------------------------------------------------------------ random texts */

static const char *
any(const char *const *list)
{
	unsigned n = 0;

	while (list[n] != NULL)
		n++;
	return list[draw(n)];
}

static void
put_item(unsigned kind)
{
	static const char *const literals[] = { "0", "17", "2147483648",
	    "99999999999999999999", NULL };
	static const char *const strings[] = { "'a'", "''", "'pg_temp'",
	    "'2026-01-01'", "'now'", NULL };
	static const char *const escaped[] = { "'it''s'", "E'\\n'", "$$d$$",
	    "$x$'$x$", "'a'\n'b'", NULL };
	static const char *const rare[] = { "(SELECT 1 FROM u WHERE b = 5)",
	    "a", "s.t.a", "B'101'", "X'1F'", "N'n'", "U&'\\0061'",
	    "set_config('a', 'b', false)", "nextval('q')", "1::int4[]",
	    "ROW(1, 2)", "CASE WHEN 1 = 1 THEN 2 END", "1 IN (1, 2)",
	    "x'1'::bit(4)", "1e", "1x", "count(*)", "my.func(1)", "$1", "$2",
	    "1 BETWEEN 0 AND 2", "'a' COLLATE \"C\"", "(1)", "NULL::int",
	    "pg_temp.f(1)", "5 #> 3", "array_agg(1 ORDER BY 2)",
	    "1::numeric(10, 2)", "'p'::geometry(Point, 4326)",
	    "1::f((SELECT 1 FROM u))", "f(s.t.a) '1'", "$q$), ($q$", "')'",
	    "\"a\"\"(\"", "1 -- )\n", "ARRAY[(1)]", "1 OPERATOR(s.+) 2",
	    "interval '1' day to second(3)", "timestamp(3) '2026-01-01'",
	    "a.b", "*", "f(x => 1)", "NOT true", "1 IS NULL",
	    "pg_advisory_unlock(3)", "random()", NULL };

	switch (kind) {
	case 0:
		put(any(literals));
		break;
	case 1:
		put(any(strings));
		break;
	case 2:
		put(any(escaped));
		break;
	case 3:
		put("-");
		put(any(literals));
		break;
	case 4:
		put(draw(2) ? "1.5" : ".5e3");
		break;
	case 5:
		put("NULL");
		break;
	case 6:
		put(draw(2) ? "true" : "DEFAULT");
		break;
	case 7:
		put("'2026-01-01'::timestamptz");
		break;
	case 8:
		put(draw(2) ? "now()" : "now() - interval '1 day'");
		break;
	case 9:
		put("ARRAY[");
		put(any(literals));
		put(", 2]");
		break;
	case 10:
		put("date '2026-02-01'");
		break;
	case 11:
		put("lower(");
		put(any(strings));
		put(")");
		break;
	case 12:
		put("CURRENT_TIMESTAMP");
		break;
	case 13:
		put("5::int8");
		break;
	case 14:
		put("'12.5'::numeric(10, 2)");
		break;
	case 15:
		put("1 /* one */");
		break;
	default:
		put(any(rare));
	}
}

#define COLUMNS_MAX 5
#define KINDS 17

/* Rows of a few kinds: each column has some of its own. */
static void
put_rows(unsigned n, unsigned columns)
{
	unsigned kinds[COLUMNS_MAX][2], i, k;
	bool rare = draw(4) == 0;

	for (i = 0; i < COLUMNS_MAX; i++) {
		kinds[i][0] = draw(rare ? KINDS : KINDS - 1);
		kinds[i][1] = draw(3) ? kinds[i][0] :
		    draw(rare ? KINDS : KINDS - 1);
	}
	for (i = 0; i < n; i++) {
		put(i == 0 ? "" : draw(20) ? ", " : draw(2) ? "\n,\t" :
		    " -- c\n,/* d */");
		put(draw(30) ? "(" : "( ");
		for (k = 0; k < columns; k++) {
			put(k == 0 ? "" : ", ");
			put_item(kinds[k][draw(4) == 0]);
		}
		/* Once in a while a row of another length, or broken. */
		put(draw(2000) ? "" : draw(2) ? ", 1" : ",");
		put(")");
	}
}

static void
put_random(void)
{
	static const char *const targets[] = { "t", "s.t", "t AS x", "values",
	    "\"values\"", "\"T \"\"x\"", "s.values", "t AS values", NULL };
	static const char *const before[] = { "", "", "", "OVERRIDING USER VALUE ",
	    "WITH w AS (SELECT 1 FROM u) ",
	    "WITH w AS (INSERT INTO u (b) VALUES (1), (2) RETURNING b) ",
	    "SELECT 1 UNION ", NULL };
	static const char *const tails[] = { "", "", "", ";", " RETURNING a",
	    " ON CONFLICT (a) DO UPDATE SET b = excluded.b",
	    " ON CONFLICT (a) DO UPDATE SET b = (SELECT c FROM s.u WHERE u.d = "
	    "7 AND s.u.e = 8) RETURNING s.t.a, 9",
	    " ON CONFLICT DO NOTHING -- end", " LIMIT 3", " ORDER BY 1",
	    " UNION SELECT 1", "; SELECT 2", " WHERE", NULL };
	static const char *const columns[] = { " (", " (a", " (a, b",
	    " (a, b, c", " (a, b, c, d", " (a, b.x, c, d[1], e" };
	unsigned n = 1 + draw(COLUMNS_MAX);

	buf_consume(&text, buf_len(&text));
	put(draw(20) ? "INSERT INTO " : "/* h */ insert\ninto ");
	put(any(targets));
	if (draw(8)) {
		put(columns[draw(10) ? n : 1 + draw(5)]);
		put(") ");
	} else {
		put(" ");
	}
	put(any(before));
	put(draw(10) ? "VALUES " : "values/* c */");
	put_rows(draw(3) ? 20 + draw(150) : 1 + draw(20), n);
	put(any(tails));
}

static void
test_random_texts(void **state PG_UNUSED)
{
	unsigned i, thin = 0, small = 0;
	struct slice sql;
	struct parse_rows *r;

	for (i = 0; i < 1500; i++) {
		dice = i;
		(void)draw(1);
		put_random();
		sql = slice_make(buf_head(&text), buf_len(&text));
		if (lex_statement(&lx, sql, true, 1u << 20) != LEX_OK)
			continue;
		r = parse_rows_new(sql, &lx);
		thin += r != NULL;
		small += r != NULL && r->n > 4 * r->n_kept;
		parse_rows_free(&r);
		same();
	}
	assert_true(thin > 500);
	assert_true(small > 250);
}

/* What is blanked leaves the rows that are kept, in their places. */
static void
test_blanks(void **state PG_UNUSED)
{
	static const char head[] = "INSERT INTO t VALUES (1)",
	    tail[] = " , (NULL)RETURNING a";
	const size_t n_head = sizeof(head) - 1, n_left = 19 * strlen(", (2)");
	struct parse_rows *r;
	char *copy;
	size_t i;

	rows(20, "INSERT INTO t VALUES ", "(1)", tail);
	r = parse_rows_new(lexed(), &lx);
	assert_non_null(r);
	assert_int_equal(r->n, 21);
	assert_int_equal(r->n_kept, 2);
	copy = strndup(buf_head(&text), buf_len(&text));
	parse_rows_blank(r, copy);
	assert_memory_equal(copy, head, n_head);
	for (i = n_head; i < n_head + n_left; i++)
		assert_int_equal(copy[i], ' ');
	assert_string_equal(copy + n_head + n_left, tail);
	free(copy);
	parse_rows_free(&r);
}

static int
setup(void **state PG_UNUSED)
{
	hash_init();
	lexer_init(&lx);
	buf_init(&text, 4u << 20);
	return 0;
}

static int
teardown(void **state PG_UNUSED)
{
	lexer_fini(&lx);
	buf_reset(&text);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_that_are_alike),
		cmocka_unit_test(test_what_is_read_whole),
		cmocka_unit_test(test_what_the_tree_forbids),
		cmocka_unit_test(test_another_insert_inside),
		cmocka_unit_test(test_blanks),
		cmocka_unit_test(test_random_texts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
