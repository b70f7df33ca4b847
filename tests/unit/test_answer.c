/* SPDX-License-Identifier: PostgreSQL
 * Checksums of answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "experiment/answer.h"

static char bytes[1 << 20];
static size_t n_bytes;

static void
put(char type, const void *body, size_t n)
{
	uint32_t length = (uint32_t)n + 4;

	bytes[n_bytes++] = type;
	bytes[n_bytes++] = (char)(length >> 24);
	bytes[n_bytes++] = (char)(length >> 16);
	bytes[n_bytes++] = (char)(length >> 8);
	bytes[n_bytes++] = (char)length;
	memcpy(bytes + n_bytes, body, n);
	n_bytes += n;
}

static void
describe(const char *name, uint32_t oid)
{
	char body[128] = { 0, 1 };
	size_t n = 2 + strlen(name) + 1;

	strcpy(body + 2, name);
	body[n + 6] = (char)(oid >> 24);
	body[n + 7] = (char)(oid >> 16);
	body[n + 8] = (char)(oid >> 8);
	body[n + 9] = (char)oid;
	put('T', body, n + 18);
}

static struct answer answers[2];

/* Those rows in that order, fed in pieces of that size. */
static struct answer *
answer(unsigned which, const char *const rows[], size_t n, size_t piece,
    const char *tag)
{
	struct answer *a = &answers[which];
	size_t i, take;

	n_bytes = 0;
	describe("name", 25);
	for (i = 0; i < n; i++)
		put('D', rows[i], strlen(rows[i]) + 1);
	put('C', tag, strlen(tag) + 1);
	answer_init(a);
	for (i = 0; i < n_bytes; i += take) {
		take = n_bytes - i < piece ? n_bytes - i : piece;
		answer_feed(a, bytes + i, take);
	}
	assert_false(a->sum.broken);
	return a;
}

static void
test_rows(void **arg)
{
	static const char *const one[] = { "a", "b", "c", "b" };
	static const char *const mixed[] = { "b", "c", "b", "a" };
	static const char *const other[] = { "a", "b", "c", "c" };
	static const char *const fewer[] = { "a", "b", "c" };
	size_t piece;

	(void)arg;
	for (piece = 1; piece < 40; piece++) {
		const struct answer *a = answer(0, one, 4, 1000, "SELECT 4");

		assert_int_equal(answer_compare(&a->sum, &answer(1, mixed, 4, piece,
		    "SELECT 4")->sum), ANSWER_SAME);
		assert_int_equal(answer_compare(&a->sum, &answer(1, other, 4, piece,
		    "SELECT 4")->sum), ANSWER_ROWS);
		assert_int_equal(answer_compare(&a->sum, &answer(1, fewer, 3, piece,
		    "SELECT 3")->sum), ANSWER_COUNT);
		assert_int_equal(answer_compare(&a->sum, &answer(1, mixed, 4, piece,
		    "SELECT 5")->sum), ANSWER_TAG_DIFFERS);
	}
}

/* Of any size: the same wherever it is cut. */
static void
test_long_rows(void **arg)
{
	char *row = malloc(3 * ANSWER_HELD), *other;
	const char *rows[1];
	size_t n;

	(void)arg;
	assert_non_null(row);
	for (n = ANSWER_HELD - 3; n <= ANSWER_HELD + 3; n++) {
		memset(row, 'x', n);
		row[n] = '\0';
		rows[0] = row;
		(void)answer(0, rows, 1, SIZE_MAX, "SELECT 1");
		(void)answer(1, rows, 1, 1021, "SELECT 1");
		assert_int_equal(answer_compare(&answers[0].sum,
		    &answers[1].sum),
		    ANSWER_SAME);
		other = strdup(row);
		assert_non_null(other);
		other[n - 1] = 'y';
		rows[0] = other;
		(void)answer(1, rows, 1, 977, "SELECT 1");
		assert_int_equal(answer_compare(&answers[0].sum,
		    &answers[1].sum),
		    ANSWER_ROWS);
		free(other);
	}
	free(row);
}

static void
feed_all(struct answer *a)
{
	answer_init(a);
	answer_feed(a, bytes, n_bytes);
}

static void
test_columns_and_errors(void **arg)
{
	static const char error[] = "SERROR\0C22012\0Mdivision\0";
	static const char other[] = "SERROR\0C42703\0Mcolumn\0";
	struct answer *a = &answers[0], *b = &answers[1];

	(void)arg;
	n_bytes = 0;
	describe("x", 23);
	feed_all(a);
	n_bytes = 0;
	describe("y", 23);
	feed_all(b);
	assert_int_equal(answer_compare(&a->sum, &b->sum), ANSWER_COLUMNS);
	n_bytes = 0;
	describe("x", 20);
	feed_all(b);
	assert_int_equal(answer_compare(&a->sum, &b->sum), ANSWER_COLUMNS);
	/* Types of users have other numbers elsewhere. */
	n_bytes = 0;
	describe("x", 20000);
	feed_all(a);
	n_bytes = 0;
	describe("x", 30000);
	feed_all(b);
	assert_int_equal(answer_compare(&a->sum, &b->sum), ANSWER_SAME);
	/* Who was not told is not asked. */
	n_bytes = 0;
	feed_all(b);
	assert_int_equal(answer_compare(&a->sum, &b->sum), ANSWER_SAME);
	n_bytes = 0;
	put('E', error, sizeof(error));
	feed_all(a);
	feed_all(b);
	assert_int_equal(answer_compare(&a->sum, &b->sum), ANSWER_SAME);
	assert_string_equal(a->sum.tag, "22012");
	n_bytes = 0;
	put('E', other, sizeof(other));
	feed_all(b);
	assert_int_equal(answer_compare(&a->sum, &b->sum), ANSWER_ERROR);
}

static void
test_broken(void **arg)
{
	static const char short_length[] = "D\0\0\0\3";
	static const char no_columns[] = "T\0\0\0\7\0\1x";
	struct answer *a = &answers[0];

	(void)arg;
	answer_init(a);
	answer_feed(a, short_length, sizeof(short_length) - 1);
	assert_true(a->sum.broken);
	assert_int_equal(answer_compare(&a->sum, &a->sum), ANSWER_BROKEN);
	answer_init(a);
	answer_feed(a, no_columns, sizeof(no_columns) - 1);
	assert_true(a->sum.broken);
	n_bytes = 0;
	put('G', "\0\0\0", 3);
	feed_all(a);
	assert_true(a->sum.broken);
}

static int
setup(void **state)
{
	(void)state;
	hash_init();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_long_rows),
		cmocka_unit_test(test_columns_and_errors),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
