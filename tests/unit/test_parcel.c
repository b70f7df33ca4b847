/* SPDX-License-Identifier: PostgreSQL
 *
 * Sessions as bytes: all of it comes back; what is cut off or changed is
 * refused or is another whole parcel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/parcel.h"

#define TEXT(s) slice_make(s, sizeof(s) - 1)

static struct buf vars, statements, bytes;

static struct parcel
sample(void)
{
	struct parcel p = { .born = 0x0102030405060708u, .queries = 9,
		.cancel_pid = 77, .renamed = true, .own = true,
		.backslashes = true };
	struct parcel_statement s = { .name = TEXT("a"),
		.sql = TEXT("select $1"), .types = TEXT("\0\0\0\027"),
		.named = true, .told = true };

	buf_init(&vars, 4096);
	buf_init(&statements, 4096);
	buf_init(&bytes, 65536);
	assert_true(parcel_add_var(&vars, "timezone", "UTC"));
	assert_true(parcel_add_var(&vars, "search_path", ""));
	assert_true(parcel_add_statement(&statements, &s));
	s = (struct parcel_statement){ .name = TEXT(""), .sql = TEXT("x"),
		.types = TEXT("") };
	assert_true(parcel_add_statement(&statements, &s));
	s = (struct parcel_statement){ .name = TEXT("d"), .sql = TEXT("y"),
		.types = TEXT("(int)"), .declared = true };
	assert_true(parcel_add_statement(&statements, &s));
	p.n_vars = 2;
	p.vars = slice_make(buf_head(&vars), buf_len(&vars));
	p.n_statements = 3;
	p.statements = slice_make(buf_head(&statements),
	    buf_len(&statements));
	p.text[PARCEL_USER] = TEXT("alice");
	p.text[PARCEL_DATABASE] = TEXT("app");
	p.text[PARCEL_PEER] = TEXT("127.0.0.1:9");
	p.text[PARCEL_APP_BORN] = TEXT("psql");
	p.text[PARCEL_STARTUP] = TEXT("work_mem\0001MB\0");
	p.text[PARCEL_PASSWORD] = TEXT("secret");
	p.text[PARCEL_SECRET] = TEXT("1\0003\377");
	p.text[PARCEL_INPUT] = TEXT("Q\0\0\0\177sel");
	return p;
}

static void
sample_end(void)
{
	buf_reset(&vars);
	buf_reset(&statements);
	buf_reset(&bytes);
}

static void
is(struct slice s, const char *want, size_t n)
{
	assert_int_equal(s.n, n);
	assert_memory_equal(s.p, want, n);
}
#define IS(s, want) is(s, want, sizeof(want) - 1)

static bool
reads(const struct parcel *p)
{
	struct parcel out;
	bool ok;

	buf_reset(&bytes);
	assert_true(parcel_write(&bytes, p));
	ok = parcel_read(buf_head(&bytes), buf_len(&bytes), &out);
	return ok;
}

static void
test_there_and_back(void **state PG_UNUSED)
{
	struct parcel in = sample(), p;
	struct parcel_statement s;
	struct slice name, value;
	struct msgread r;

	assert_true(parcel_write(&bytes, &in));
	assert_true(parcel_read(buf_head(&bytes), buf_len(&bytes), &p));
	assert_true(p.born == in.born);
	assert_int_equal(p.queries, 9);
	assert_int_equal(p.cancel_pid, 77);
	assert_true(p.renamed && p.own && p.backslashes);
	assert_false(p.app_news || p.other_encoding);
	IS(p.text[PARCEL_USER], "alice");
	IS(p.text[PARCEL_PEER], "127.0.0.1:9");
	IS(p.text[PARCEL_APP_NAME], "");
	IS(p.text[PARCEL_APP_BORN], "psql");
	IS(p.text[PARCEL_STARTUP], "work_mem\0001MB\0");
	IS(p.text[PARCEL_SECRET], "1\0003\377");
	IS(p.text[PARCEL_INPUT], "Q\0\0\0\177sel");
	msgread_init(&r, p.vars.p, p.vars.n);
	assert_true(parcel_next_var(&r, &name, &value));
	IS(name, "timezone");
	IS(value, "UTC");
	assert_true(parcel_next_var(&r, &name, &value));
	IS(value, "");
	assert_false(parcel_next_var(&r, &name, &value));
	msgread_init(&r, p.statements.p, p.statements.n);
	assert_true(parcel_next_statement(&r, &s));
	assert_true(s.named && s.told && !s.declared);
	IS(s.types, "\0\0\0\027");
	assert_true(parcel_next_statement(&r, &s));
	assert_int_equal(s.name.n, 0);
	assert_true(parcel_next_statement(&r, &s));
	assert_true(s.declared);
	IS(s.types, "(int)");
	assert_false(parcel_next_statement(&r, &s));
	sample_end();
}

static void
test_cut_off(void **state PG_UNUSED)
{
	struct parcel in = sample(), p;
	size_t n, all;
	char *exact;

	assert_true(parcel_write(&bytes, &in));
	all = buf_len(&bytes);
	for (n = 0; n < all; n++) {
		/* Of its own size, so that a read behind it is seen. */
		exact = malloc(n + 1);
		assert_non_null(exact);
		memcpy(exact, buf_head(&bytes), n);
		assert_false(parcel_read(exact, n, &p));
		free(exact);
	}
	assert_true(buf_append(&bytes, "", 1));
	assert_false(parcel_read(buf_head(&bytes), all + 1, &p));
	sample_end();
}

static void
test_refused(void **state PG_UNUSED)
{
	struct parcel p = sample();
	struct parcel bad;

	assert_true(reads(&p));
	bad = p;
	bad.cancel_pid = 0;
	assert_false(reads(&bad));
	bad.cancel_pid = 0x80000000u;
	assert_false(reads(&bad));
	bad = p;
	bad.n_vars = 3;
	assert_false(reads(&bad));
	bad = p;
	bad.n_statements = 2;
	assert_false(reads(&bad));
	bad = p;
	bad.text[PARCEL_USER] = TEXT("");
	assert_false(reads(&bad));
	bad.text[PARCEL_USER] = TEXT("a\0b");
	assert_false(reads(&bad));
	bad = p;
	bad.text[PARCEL_SECRET] = TEXT("12345");
	assert_false(reads(&bad));
	bad = p;
	bad.text[PARCEL_STARTUP] = TEXT("work_mem\0001MB");
	assert_false(reads(&bad));
	bad.text[PARCEL_STARTUP] = TEXT("work_mem\000");
	assert_false(reads(&bad));
	sample_end();
}

static void
test_bad_statements(void **state PG_UNUSED)
{
	static const struct parcel_statement bad[] = {
		{ .name = { "", 0 }, .sql = { "x", 1 }, .named = true },
		{ .name = { "a", 1 }, .sql = { "x\0y", 3 } },
		{ .name = { "a", 1 }, .sql = { "x", 1 }, .types = { "abc", 3 } },
	};
	struct parcel p = sample();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		buf_reset(&statements);
		assert_true(parcel_add_statement(&statements, &bad[i]));
		p.n_statements = 1;
		p.statements = slice_make(buf_head(&statements),
		    buf_len(&statements));
		assert_false(reads(&p));
	}
	sample_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bad_statements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
