/* SPDX-License-Identifier: PostgreSQL
 *
 * The shape table: found by shape, evicted by age, alive while referenced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "sql/shape.h"

static struct lexer lx;
static struct shape_table t;
static int freed;

static void
count_free(void *p)
{
	freed++;
	free(p);
}

static struct shape *
get(const char *sql)
{
	return shape_get(&t, &lx, slice_str(sql), true, 1000);
}

static int
setup(void **state)
{
	(void)state;
	freed = 0;
	lexer_init(&lx);
	shape_table_init(&t, 3, count_free);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	shape_table_fini(&t);
	lexer_fini(&lx);
	return 0;
}

static void
test_same_shape(void **state)
{
	struct shape *a = get("select * from t where x = 1"), *b;

	(void)state;
	assert_int_equal(a->an->kind, STMT_SELECT);
	assert_int_equal(lx.n_cuts, 1);
	b = get("select * from t where x = 22");
	assert_ptr_equal(a, b);
	assert_int_equal(lx.cuts[0].len, 2);
	b = get("select * from t where x = 2.2");
	assert_ptr_not_equal(a, b);
	assert_int_equal(t.parses, 2);
	assert_int_equal(t.hits, 1);
}

static void
test_lru(void **state)
{
	struct shape *a = get("select a");

	(void)state;
	a->derived = malloc(1);
	(void)get("select b");
	(void)get("select c");
	assert_ptr_equal(get("select a"), a); /* b is the oldest now */
	(void)get("select d");
	assert_int_equal(t.evictions, 1);
	assert_int_equal(t.tab.count, 3);
	assert_ptr_equal(get("select a"), a);
	assert_int_equal(freed, 0);
	(void)get("select e");
	(void)get("select f");
	(void)get("select g");
	assert_int_equal(freed, 1);
	assert_int_equal(t.tab.count, 3);
}

/* Whether the lexer had to look at it. */
static bool
is_lexed(const char *sql)
{
	lx.shape_len = 0;
	(void)get(sql);
	return lx.shape_len > 0;
}

static void
test_recent(void **state)
{
	struct shape *a = get("select a from t where x = 1");

	(void)state;
	assert_ptr_equal(get("select a from t where x = 23"), a);
	assert_false(is_lexed("select a from t where x = 4"));
	assert_int_equal(lx.n_cuts, 1);
	assert_int_equal(lx.cuts[0].pos, 26);
	assert_true(is_lexed("select a from t where y = 1"));
	assert_false(is_lexed("select a from t where x = 5"));
	assert_true(is_lexed("select 1"));
	assert_true(is_lexed("select 1"));
	/* Three shapes fit: the oldest goes, and is not recalled. */
	(void)get("select a from t where z = 1");
	assert_true(is_lexed("select a from t where y = 1"));
	assert_int_equal(t.tab.count, 3);
	/* Longer than the caller allows, known or not. */
	assert_ptr_equal(shape_get(&t, &lx,
	    SLICE_LIT("select a from t where x = 1"), true, 20), t.unparsed);
}

/* More shapes that begin alike than a set has ways. */
static void
test_recent_crowded(void **state)
{
	char sql[64];
	unsigned i, n = SHAPE_RECENT_WAYS + 2;

	(void)state;
	t.limit = 100;
	for (i = 0; i < 10 * n; i++) {
		snprintf(sql, sizeof(sql), "select a from t where x%u = %u",
		    i % n, i);
		assert_int_equal(get(sql)->an->kind, STMT_SELECT);
		assert_int_equal(lx.n_cuts, 1);
	}
	assert_int_equal(t.parses, n);
	assert_int_equal(t.hits, 9 * n);
}

static void
test_refs(void **state)
{
	struct shape *a = shape_ref(get("select a")), *b;
	char sql[32];
	int i;

	(void)state;
	a->derived = malloc(1);
	for (i = 0; i < 10; i++) {
		snprintf(sql, sizeof(sql), "select x%d", i);
		(void)get(sql);
	}
	assert_int_equal(freed, 0);
	assert_int_equal(a->an->kind, STMT_SELECT);
	b = get("select a"); /* made anew; the old one is not found again */
	assert_ptr_not_equal(a, b);
	shape_unref(&t, &a);
	assert_null(a);
	assert_int_equal(freed, 1);
}

static void
test_refused(void **state)
{
	static const char *const texts[] = { "select 'a", "select 1 frm x 2",
	    "select e'\\u0000'", "((((" };
	struct shape *s;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		s = get(texts[i]);
		assert_ptr_equal(s, t.unparsed);
		assert_int_equal(s->an->kind, STMT_UNPARSED);
		assert_int_equal(lx.n_cuts, 0);
	}
	assert_int_equal(t.tab.count, 0);
	/* A literal that cannot be parsed does not spoil its shape. */
	s = get("select e'\\u0041'");
	assert_int_equal(s->an->kind, STMT_SELECT);
	assert_ptr_equal(shape_get(&t, &lx, SLICE_LIT("select 1"), true, 5),
	    t.unparsed);
}

static void
test_clear(void **state)
{
	static const char *const ro[] = { "f" };
	struct an_functions fns = { .readonly = ro, .n_readonly = 1 };
	struct shape *s = shape_ref(get("select f()"));

	(void)state;
	assert_int_equal(s->an->pins, PIN_BIT(PIN_FUNCTION));
	t.unparsed->derived = malloc(1);
	shape_table_clear(&t, &fns);
	assert_int_equal(freed, 1);
	assert_int_equal(t.tab.count, 0);
	assert_int_equal(get("select f()")->an->pins, 0);
	assert_int_equal(s->an->pins, PIN_BIT(PIN_FUNCTION));
	shape_unref(&t, &s);
}

/* Text that looks like another's shape is refused by the lexer. */
static void
test_marker_bytes(void **state)
{
	(void)state;
	(void)get("select 1");
	assert_ptr_equal(get("select \x01"), t.unparsed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_shape, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_lru, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recent_crowded, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_refs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clear, setup, teardown),
		cmocka_unit_test_setup_teardown(test_marker_bytes, setup,
		    teardown),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
