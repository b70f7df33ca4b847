/* SPDX-License-Identifier: PostgreSQL
 *
 * traceparent in the comments of a statement.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/trace.h"

#define ID "5bd66ef5095369c7b0d1f8f4bd33716a"
#define SPAN "c532cb4098ac3dd2"
#define PARENT "traceparent='00-" ID "-" SPAN "-01'"

static struct trace
read_trace(const char *sql)
{
	/* Exactly as long as it is, for the sanitizers. */
	size_t n = strlen(sql);
	char *text = malloc(n > 0 ? n : 1);
	struct trace t;

	assert_non_null(text);
	memcpy(text, sql, n);
	trace_read(slice_make(text, n), &t);
	free(text);
	return t;
}

static void
assert_trace(const char *sql)
{
	struct trace t = read_trace(sql);
	char id[TRACE_ID_TEXT], span[TRACE_SPAN_TEXT];

	assert_true(trace_is_there(&t));
	assert_string_equal(trace_print_id(id, &t), ID);
	assert_string_equal(trace_print_span(span, &t), SPAN);
}

static void
assert_none(const char *sql)
{
	struct trace t = read_trace(sql);

	assert_false(trace_is_there(&t));
	assert_false(t.sampled);
	assert_int_equal(t.span, 0);
}

static void
test_places(void **state)
{
	(void)state;
	assert_trace("SELECT 1 /*" PARENT "*/");
	assert_trace("SELECT 1 /*" PARENT "*/;\n");
	assert_trace("/*" PARENT "*/ SELECT 1");
	assert_trace("  \n/* " PARENT " */ SELECT 1");
	assert_trace("SELECT 1 /*action='%2Fx',db_driver='a'," PARENT
	    ",tracestate='congo%3Dt61rcWkgMzE'*/");
	assert_trace("SELECT 1 /* one */ + 2 /*" PARENT "*/");
	/* Both ends: the last counts, the first if it says nothing. */
	assert_trace("/*" PARENT "*/ SELECT 1 /*app='x'*/");
	assert_trace("/*traceparent='00-" ID "-1111111111111111-01'*/ SELECT 1"
	    " /*" PARENT "*/");
	/* One that is none, and then one. */
	assert_trace("SELECT 1 /*xtraceparent='a'," PARENT "*/");
	assert_trace("SELECT 1 /*traceparent=''," PARENT "*/");
}

static void
test_flags(void **state)
{
	(void)state;
	assert_true(read_trace("S /*" PARENT "*/").sampled);
	assert_false(read_trace("S /*traceparent='00-" ID "-" SPAN "-00'*/")
	    .sampled);
	assert_true(read_trace("S /*traceparent='00-" ID "-" SPAN "-03'*/")
	    .sampled);
}

static void
test_versions(void **state)
{
	(void)state;
	assert_trace("S /*traceparent='01-" ID "-" SPAN "-01'*/");
	assert_trace("S /*traceparent='cc-" ID "-" SPAN "-01-what'*/");
	assert_none("S /*traceparent='cc-" ID "-" SPAN "-01what'*/");
	assert_none("S /*traceparent='00-" ID "-" SPAN "-01-what'*/");
	assert_none("S /*traceparent='ff-" ID "-" SPAN "-01'*/");
}

static void
test_none(void **state)
{
	static const char *const none[] = { "", "/", "*/", "/**/", "/*/",
		"SELECT 1", "SELECT 1 /* */", "SELECT 1 /*traceparent*/",
		"SELECT 1 /*traceparent=*/", "SELECT 1 /*traceparent='*/",
		"SELECT 1 /*" PARENT, PARENT " */", "SELECT '" PARENT "'",
		/* in the middle */
		"SELECT 1 /*" PARENT "*/ + 2",
		/* another word */
		"SELECT 1 /*x" PARENT "*/",
		"SELECT 1 /*traceparent =\"00-" ID "-" SPAN "-01\"*/",
		"SELECT 1 /*traceparent='00-" ID "-" SPAN "-1'*/",
		"SELECT 1 /*traceparent='00-" ID "_" SPAN "-01'*/",
		"SELECT 1 /*traceparent='00-5BD66EF5095369C7B0D1F8F4BD33716A-"
		SPAN "-01'*/",
		"SELECT 1 /*traceparent='00-00000000000000000000000000000000-"
		SPAN "-01'*/",
		"SELECT 1 /*traceparent='00-" ID "-0000000000000000-01'*/",
		"SELECT 1 -- " PARENT };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(none); i++)
		assert_none(none[i]);
}

/* What is far from the ends is not looked at. */
static void
test_bounds(void **state)
{
	char sql[3 * TRACE_BYTES];
	struct trace t;

	(void)state;
	memset(sql, 'x', sizeof(sql));
	memcpy(sql, "/*" PARENT, sizeof("/*" PARENT) - 1);
	memcpy(sql + sizeof(sql) - 2, "*/", 2);
	trace_read(slice_make(sql, sizeof(sql)), &t);
	assert_false(trace_is_there(&t));
	memcpy(sql + TRACE_BYTES - 2, "*/", 2);
	trace_read(slice_make(sql, sizeof(sql)), &t);
	assert_true(trace_is_there(&t));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
