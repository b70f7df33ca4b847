/* SPDX-License-Identifier: PostgreSQL
 *
 * Console answers as JSON, whole and cut off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/rows.h"
#include "admin/rows_json.h"

#define LARGE (1024 * 1024)

static struct rows answer;
static char sqlstate[6];

static void
begin(const char *columns)
{
	rows_fini(&answer);
	rows_init(&answer);
	rows_columns(&answer, columns);
}

static void
add(const char *a, const char *v)
{
	struct row row = { .n = 0 };

	row_str(&row, a);
	row_str(&row, v);
	rows_add(&answer, &row);
}

/* The first `len` bytes of the answer. */
static void
is_cut(enum rows_form form, size_t max, size_t len, const char *text)
{
	struct json j;
	struct buf b;

	buf_init(&b, LARGE);
	json_init(&j, &b);
	json_open(&j, '{');
	rows_json(&j, slice_make(buf_head(&answer.b), len), form, max,
	    sqlstate);
	json_close(&j, '}');
	assert_false(j.failed);
	assert_true(buf_append(&b, "", 1));
	assert_string_equal(buf_head(&b), text);
	buf_reset(&b);
}

static void
is(enum rows_form form, const char *text)
{
	is_cut(form, LARGE, buf_len(&answer.b), text);
}

static void
test_forms(void **state PG_UNUSED)
{
	begin("name wait_ms:n");
	add("a", "1500.000");
	add(NULL, NULL);
	msgwrite_notice(&answer.w, "NOTICE", "00000", "by the way");
	msgwrite_complete(&answer.w, "SHOW");
	is(ROWS_TABLE, "{\"notices\":[\"by the way\"],\"columns\":["
	    "{\"name\":\"name\",\"type\":\"text\"},"
	    "{\"name\":\"wait_ms\",\"type\":\"number\"}],"
	    "\"rows\":[[\"a\",1500.000],[null,null]],\"truncated\":false}");
	is(ROWS_OBJECTS, "{\"notices\":[\"by the way\"],\"rows\":["
	    "{\"name\":\"a\",\"wait_seconds\":1.5},"
	    "{\"name\":null,\"wait_seconds\":null}],\"truncated\":false}");
	assert_string_equal(sqlstate, "");
}

static void
test_only_numbers_have_units(void **state PG_UNUSED)
{
	begin("text_ms origin_us:n");
	add("7", "250");
	msgwrite_complete(&answer.w, "SHOW");
	is(ROWS_OBJECTS, "{\"rows\":[{\"text_ms\":\"7\","
	    "\"origin_seconds\":0.00025}],\"truncated\":false}");
}

static void
test_too_long(void **state PG_UNUSED)
{
	size_t whole, first;

	begin("a b");
	first = buf_len(&answer.b);
	add("1", "one");
	whole = buf_len(&answer.b);
	add("2", "two");
	msgwrite_complete(&answer.w, "SHOW");
	is_cut(ROWS_OBJECTS, 40, buf_len(&answer.b),
	    "{\"rows\":[{\"a\":\"1\",\"b\":\"one\"}],\"truncated\":true}");
	/* An answer that is cut off, in a row, between rows, before any. */
	is_cut(ROWS_OBJECTS, LARGE, whole + 3,
	    "{\"rows\":[{\"a\":\"1\",\"b\":\"one\"}],\"truncated\":true}");
	is_cut(ROWS_OBJECTS, LARGE, whole,
	    "{\"rows\":[{\"a\":\"1\",\"b\":\"one\"}],\"truncated\":true}");
	is_cut(ROWS_OBJECTS, LARGE, first, "{\"rows\":[],\"truncated\":true}");
	is_cut(ROWS_OBJECTS, LARGE, 0, "{\"truncated\":true}");
}

static void
test_error(void **state PG_UNUSED)
{
	rows_fini(&answer);
	rows_init(&answer);
	msgwrite_error(&answer.w, "ERROR", "42704", "no \"such\" thing", NULL,
	    "look");
	is(ROWS_TABLE, "{\"error\":{\"sqlstate\":\"42704\",\"message\":"
	    "\"no \\\"such\\\" thing\",\"hint\":\"look\"}}");
	assert_string_equal(sqlstate, "42704");
	rows_fini(&answer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_only_numbers_have_units),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_error),
	};

	rows_init(&answer);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
