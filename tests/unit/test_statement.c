/* SPDX-License-Identifier: PostgreSQL
 *
 * Statements of clients: one copy of equal contents, references, names of
 * sessions, and the bytes that count against a session.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/statement.h"

static const struct slice no_types;
static const char int4_type[] = "\0\0\0\x17";

static struct slice
types4(void)
{
	return slice_make(int4_type, 4);
}

static int
setup(void **state PG_UNUSED)
{
	hash_init();
	return 0;
}

static struct statement *
get(struct statement_table *t, const char *sql)
{
	struct statement *st = statement_get(t, slice_str(sql), NULL,
	    no_types, false, 0);

	assert_non_null(st);
	return st;
}

static void
test_equal_contents_are_one(void **state PG_UNUSED)
{
	struct statement_table t;
	struct statement *a, *b, *c, *d;
	char text[] = "select $1";
	struct hash128 h;

	statement_table_init(&t);
	a = get(&t, text);
	/* The text is copied. */
	text[0] = 'X';
	b = get(&t, "select $1");
	assert_ptr_equal(a, b);
	assert_int_equal(a->refs, 2);
	assert_true(slice_eq_str(a->sql, "select $1"));
	/* Types are part of the content, but not of the text. */
	c = statement_get(&t, slice_str("select $1"), NULL, types4(), false, 0);
	assert_ptr_not_equal(a, c);
	assert_false(hash_eq(a->hash, c->hash));
	assert_true(hash_eq(a->sql_hash, c->sql_hash));
	assert_true(slice_eq(c->types, types4()));
	/* With the hash known beforehand. */
	h = hash_bytes("select $1", 9);
	d = statement_get(&t, slice_str("select $1"), &h, types4(), false, 0);
	assert_ptr_equal(c, d);
	assert_int_equal(t.tab.count, 2);
	statement_unref(&t, &a);
	assert_null(a);
	assert_int_equal(t.tab.count, 2);
	statement_unref(&t, &b);
	assert_int_equal(t.tab.count, 1);
	statement_unref(&t, &c);
	statement_unref(&t, &d);
	assert_int_equal(t.tab.count, 0);
	statement_unref(&t, &d);
	statement_table_fini(&t);
}

static void
test_empty_and_binary_texts(void **state PG_UNUSED)
{
	struct statement_table t;
	struct statement *a, *b, *c;

	statement_table_init(&t);
	a = statement_get(&t, slice_make(NULL, 0), NULL, no_types, false, 0);
	b = get(&t, "");
	assert_ptr_equal(a, b);
	assert_int_equal(a->sql.n, 0);
	/* The same bytes, divided otherwise between text and types. */
	c = statement_get(&t, no_types, NULL, slice_make("ab", 2), false, 0);
	assert_ptr_not_equal(a, c);
	statement_unref(&t, &a);
	a = statement_get(&t, slice_make("ab", 2), NULL, no_types, false, 0);
	assert_ptr_not_equal(a, c);
	statement_unref(&t, &a);
	statement_unref(&t, &b);
	statement_unref(&t, &c);
	statement_table_fini(&t);
}

static void
test_physical_texts_go_with_it(void **state PG_UNUSED)
{
	struct statement_table t;
	struct statement *a;

	statement_table_init(&t);
	a = get(&t, "select 1");
	/* A statement of more forms than are kept makes the oldest again. */
	for (unsigned form = 1; form <= STATEMENT_TEXTS + 1; form++) {
		struct statement_phys *p = statement_phys(a, NULL, form);

		assert_null(p->sql);
		p->form = form;
		p->sql = x_strdup("select 1 from somewhere");
		assert_ptr_equal(statement_phys(a, NULL, form), p);
	}
	assert_non_null(statement_phys(a, NULL, 2)->sql);
	assert_null(statement_phys(a, NULL, 1)->sql);
	assert_null(statement_phys(a, NULL, 2)->sql);
	statement_unref(&t, &a);
	statement_table_fini(&t);
}

static void
test_names(void **state PG_UNUSED)
{
	struct slice odd = slice_make("s\0x", 3);
	struct statement_table t;
	struct statements s;
	struct statement *a;

	statement_table_init(&t);
	statements_init(&s);
	assert_int_equal(statements_count(&s), 0);
	assert_null(statements_find(&s, slice_str("")));
	assert_null(statements_find(&s, slice_str("s")));
	a = get(&t, "select 1");
	statements_set(&s, &t, slice_str("s"), a);
	statements_set(&s, &t, odd, get(&t, "select 2"));
	statements_set(&s, &t, slice_str("S"), get(&t, "select 1"));
	assert_int_equal(statements_count(&s), 3);
	assert_int_equal(t.tab.count, 2);
	assert_ptr_equal(statements_find(&s, slice_str("s")), a);
	assert_ptr_equal(statements_find(&s, slice_str("S")), a);
	assert_true(slice_eq_str(statements_find(&s, odd)->sql, "select 2"));
	assert_null(statements_find(&s, slice_str("x")));
	statements_remove(&s, &t, slice_str("s"));
	statements_remove(&s, &t, slice_str("s"));
	statements_remove(&s, &t, slice_str("never was"));
	assert_null(statements_find(&s, slice_str("s")));
	assert_ptr_equal(statements_find(&s, slice_str("S")), a);
	assert_int_equal(statements_count(&s), 2);
	statements_clear(&s, &t);
	assert_int_equal(statements_count(&s), 0);
	assert_null(statements_find(&s, slice_str("S")));
	statement_table_fini(&t);
}

static void
test_the_unnamed_one(void **state PG_UNUSED)
{
	struct statement_table t;
	struct statements s;

	statement_table_init(&t);
	statements_init(&s);
	statements_drop_unnamed(&s, &t);
	statements_set(&s, &t, slice_str(""), get(&t, "select 1"));
	assert_int_equal(statements_count(&s), 1);
	/* A new one takes its place, even one of equal content. */
	statements_set(&s, &t, slice_str(""), get(&t, "select 2"));
	assert_true(slice_eq_str(statements_find(&s, slice_str(""))->sql,
	    "select 2"));
	statements_set(&s, &t, slice_str(""), get(&t, "select 2"));
	assert_int_equal(statements_count(&s), 1);
	assert_int_equal(t.tab.count, 1);
	statements_remove(&s, &t, slice_str(""));
	assert_null(statements_find(&s, slice_str("")));
	assert_int_equal(s.bytes, 0);
	assert_int_equal(t.tab.count, 0);
	statement_table_fini(&t);
}

/* Every way in has its way out: the sum comes back to nothing, and a long
 * text counts in full although it is shared. */
static void
test_bytes(void **state PG_UNUSED)
{
	static char longer[100001];
	struct statement_table t;
	struct statements s, other;
	size_t one;
	char name[16];

	memset(longer, 'x', sizeof(longer) - 1);
	statement_table_init(&t);
	statements_init(&s);
	statements_init(&other);
	statements_set(&s, &t, slice_str("a"), get(&t, longer));
	one = s.bytes;
	assert_true(one >= 100001);
	statements_set(&other, &t, slice_str("a"), get(&t, longer));
	assert_int_equal(other.bytes, one);
	statements_set(&s, &t, slice_str(""), get(&t, longer));
	assert_true(s.bytes >= 2 * one - 1);
	statements_set(&s, &t, slice_str(""), get(&t, "select 1"));
	assert_true(s.bytes < one + 1000 && s.bytes > one);
	statements_drop_unnamed(&s, &t);
	assert_int_equal(s.bytes, one);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		statements_set(&s, &t, slice_str(name), get(&t, ""));
	}
	/* Even an empty one is not free. */
	assert_true(s.bytes >= one + 1000 * sizeof(struct statement) / 2);
	for (int i = 999; i >= 0; i--) {
		snprintf(name, sizeof(name), "n%d", i);
		statements_remove(&s, &t, slice_str(name));
	}
	assert_int_equal(s.bytes, one);
	statements_remove(&s, &t, slice_str("a"));
	assert_int_equal(s.bytes, 0);
	statements_clear(&s, &t);
	statements_clear(&other, &t);
	assert_int_equal(other.bytes, 0);
	statement_table_fini(&t);
}

struct seen {
	unsigned n, declared;
};

static void
see(void *arg, struct slice name, struct statement *st)
{
	struct seen *seen = arg;

	assert_true(name.n > 0);
	seen->n++;
	seen->declared += st->declared;
}

/* SQL's PREPARE: never one with a Parse of the same bytes. Names go without the
 * unnamed one. */
static void
test_declared(void **state PG_UNUSED)
{
	struct seen seen = { 0, 0 };
	struct statement_table t;
	struct statement *a, *b, *c;
	struct statements s;

	statement_table_init(&t);
	statements_init(&s);
	a = statement_get(&t, SLICE_LIT("select $1"), NULL, types4(), true, 0);
	b = statement_get(&t, SLICE_LIT("select $1"), NULL, types4(), false, 0);
	c = statement_get(&t, SLICE_LIT("select $1"), NULL, types4(), true, 0);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(a, c);
	assert_false(hash_eq(a->hash, b->hash));
	statements_set(&s, &t, SLICE_LIT("a"), a);
	statements_set(&s, &t, SLICE_LIT("b"), b);
	statements_set(&s, &t, SLICE_LIT("c"), c);
	statements_each(&s, see, &seen);
	assert_int_equal(seen.n, 3);
	assert_int_equal(seen.declared, 2);
	statements_set(&s, &t, SLICE_LIT(""), statement_ref(b));
	statements_clear_named(&s, &t);
	assert_int_equal(statements_count(&s), 1);
	assert_ptr_equal(statements_find(&s, SLICE_LIT("")), b);
	assert_null(statements_find(&s, SLICE_LIT("a")));
	assert_null(statements_find(&s, SLICE_LIT("b")));
	statements_drop_unnamed(&s, &t);
	assert_int_equal(s.bytes, 0);
	statements_clear(&s, &t);
	statement_table_fini(&t);
}

/* As many as a set has room for, and one more: the one longest unused goes. */
static void
test_kept_by_the_last_use(void **arg)
{
	struct statement_table t;
	struct statement *st[STATEMENT_WAYS + 1];
	char sql[32];
	unsigned i, n = 0;
	size_t len;

	(void)arg;
	statement_table_init(&t);
	for (i = 0; n < STATEMENT_WAYS + 1; i++) {
		len = (size_t)snprintf(sql, sizeof(sql), "SELECT %u", i);
		st[n] = statement_get(&t, slice_make(sql, len), NULL,
		    SLICE_LIT(""), false, 0);
		if (st[n]->hash.lo % STATEMENT_SETS == 7)
			n++;
		else
			statement_unref(&t, &st[n]);
	}
	for (i = 0; i < STATEMENT_WAYS; i++)
		statement_keep(&t, st[i]);
	statement_keep(&t, st[0]);
	statement_keep(&t, st[STATEMENT_WAYS]);
	assert_ptr_equal(t.kept[7][0], st[STATEMENT_WAYS]);
	assert_ptr_equal(t.kept[7][1], st[0]);
	for (i = 0; i < STATEMENT_WAYS + 1; i++)
		assert_int_equal(st[i]->refs, i == 1 ? 1 : 2);
	for (i = 0; i < STATEMENT_WAYS + 1; i++)
		statement_unref(&t, &st[i]);
	assert_int_equal(t.tab.count, STATEMENT_WAYS);
	statement_table_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_declared),
		cmocka_unit_test(test_equal_contents_are_one),
		cmocka_unit_test(test_empty_and_binary_texts),
		cmocka_unit_test(test_physical_texts_go_with_it),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_the_unnamed_one),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_kept_by_the_last_use),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
