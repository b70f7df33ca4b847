/* SPDX-License-Identifier: PostgreSQL
 *
 * Questions to servers and their answers, as EXPLAIN (ROUTE, ANALYZE) tells them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/measure.h"
#include "wire_util.h"

#define MS NSEC_PER_MSEC

static char lines[8192];
static int here, there; /* two servers */

static void
collect(void *arg, const char *line)
{
	size_t n = strlen(arg);

	snprintf((char *)arg + n, sizeof(lines) - n, "%.100s\n", line);
}

static void
expect(const struct measure *m, const char *text)
{
	lines[0] = '\0';
	measure_lines(m, collect, lines);
	assert_string_equal(lines, text);
}

/* A message with a body of n bytes, or that text. */
static void
answer(struct measure *m, const void *server, char type, const char *text,
    size_t n, nsec_t now)
{
	static const char zeros[5000];
	struct wire w;

	wire_start(&w);
	wire_raw(&w, type, text != NULL ? text : zeros, text != NULL ?
	    strlen(text) + 1 : n);
	measure_answer(m, server, buf_head(&w.b), buf_len(&w.b), now);
	buf_reset(&w.b);
}

static void
test_two_servers(void **state PG_UNUSED)
{
	struct measure m;

	measure_init(&m, 100 * MS);
	measure_ask(&m, &here, "backend a", SLICE_LIT(" \n\tSELECT 1"),
	    101 * MS);
	measure_ask(&m, &there, "backend b, shard 1 of 2",
	    SLICE_LIT("SELECT 2"), 102 * MS);
	measure_ask(&m, &here, "backend a", SLICE_LIT("SELECT 3"), 101 * MS);
	answer(&m, &here, 'T', NULL, 30, 103 * MS);
	answer(&m, &here, 'D', NULL, 5, 104 * MS);
	answer(&m, &there, 'D', NULL, 10, 104 * MS);
	answer(&m, &here, 'D', NULL, 5, 105 * MS);
	answer(&m, &here, 'C', "SELECT 2", 0, 106 * MS);
	answer(&m, &here, 'Z', "I", 0, 106 * MS);
	answer(&m, &here, 'C', "SELECT 0", 0, 107 * MS);
	answer(&m, &lines, 'D', NULL, 5, 107 * MS); /* nobody's */
	expect(&m, "asked: backend a\n"
	    "asked sql: SELECT 1\n"
	    "asked times: at 1.000 ms, first row after 3.000 ms, all after "
	    "5.000 ms\n"
	    "asked answer: SELECT 2, 2 rows, 20 bytes\n"
	    "asked: backend b, shard 1 of 2\n"
	    "asked sql: SELECT 2\n"
	    "asked times: at 2.000 ms, first row after 2.000 ms\n"
	    "asked answer: not to its end, 1 rows, 15 bytes\n"
	    "asked: backend a\n"
	    "asked sql: SELECT 3\n"
	    "asked times: at 1.000 ms, all after 6.000 ms\n"
	    "asked answer: SELECT 0, 0 rows, 0 bytes\n");
	measure_fini(&m);
}

/* What stands around a shard's portion is no answer to it. */
static void
test_in_a_transaction(void **state PG_UNUSED)
{
	struct measure m;

	measure_init(&m, 0);
	measure_ask(&m, &here, "x", SLICE_LIT("INSERT"), 1 * MS);
	answer(&m, &here, 'C', "BEGIN", 0, 2 * MS);
	answer(&m, &here, 'C', "INSERT 0 5", 0, 3 * MS);
	answer(&m, &here, 'C', "SET CONSTRAINTS", 0, 4 * MS);
	answer(&m, &here, 'D', NULL, 9, 4 * MS);
	answer(&m, &here, 'C', "SELECT 1", 0, 4 * MS);
	answer(&m, &here, 'C', "COMMIT", 0, 6 * MS);
	m.note = "so it is";
	expect(&m, "asked: x\nasked sql: INSERT\n"
	    "asked times: at 1.000 ms, all after 2.000 ms, committed after "
	    "5.000 ms\n"
	    "asked answer: INSERT 0 5, 0 rows, 0 bytes\nnote: so it is\n");
	measure_fini(&m);
}

/* Rows come in pieces of any size. */
static void
test_pieces(void **state PG_UNUSED)
{
	struct measure m;
	struct wire w;
	size_t step, pos, n;

	for (step = 5; step < 60; step++) {
		measure_init(&m, 0);
		measure_ask(&m, &here, "x", SLICE_LIT("S"), 0);
		wire_start(&w);
		wire_raw(&w, 'D', lines, 200);
		wire_raw(&w, 'D', lines, 100);
		n = buf_len(&w.b);
		/* Headers come whole. */
		measure_answer(&m, &here, buf_head(&w.b), step, 1 * MS);
		for (pos = step; pos < 205; pos += step)
			measure_answer(&m, &here, buf_head(&w.b) + pos,
			    pos + step < 205 ? step : 205 - pos, 2 * MS);
		measure_answer(&m, &here, buf_head(&w.b) + 205, n - 205,
		    3 * MS);
		answer(&m, &here, 'C', "SELECT 2", 0, 4 * MS);
		assert_int_equal(m.asked[0].rows, 2);
		assert_int_equal(m.asked[0].bytes, 310);
		assert_int_equal(m.asked[0].first, 1 * MS);
		assert_int_equal(m.asked[0].answered, 4 * MS);
		measure_fini(&m);
		buf_reset(&w.b);
	}
}

/* Texts are kept up to a cap; the rest is told all the same. */
static void
test_texts(void **state PG_UNUSED)
{
	size_t n = MEASURE_TEXT_MAX / 2 + 1, i;
	char *sql = x_malloc(n);
	struct measure m;

	memset(sql, 'x', n);
	measure_init(&m, 0);
	measure_ask(&m, &here, "a", slice_make(sql, n), 0);
	measure_ask(&m, &here, "b", slice_make(sql, n), 0);
	for (i = 0; i < 600; i++)
		measure_ask(&m, &there, "c", SLICE_LIT("SELECT"), 0);
	assert_int_equal(m.n, 602);
	assert_non_null(m.asked[0].sql);
	assert_null(m.asked[1].sql);
	assert_string_equal(m.asked[601].sql, "SELECT");
	lines[0] = '\0';
	measure_lines(&m, collect, lines);
	assert_non_null(strstr(lines, "asked: b\nasked sql: (too long)\n"));
	measure_fini(&m);
	free(sql);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_servers),
		cmocka_unit_test(test_in_a_transaction),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
