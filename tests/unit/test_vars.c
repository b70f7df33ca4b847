/* SPDX-License-Identifier: PostgreSQL
 *
 * Sets of settings: equal sets are one, changes, limits, what shapes a result,
 * many threads; and the scopes they make.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "backend/scope.h"
#include "backend/vars.c"

static int
setup(void **state PG_UNUSED)
{
	hash_init();
	return 0;
}

static void
change(struct vars **v, const char *name, const char *value)
{
	struct var c = { name, value };

	assert_true(vars_change(v, &c, 1));
}

static void
test_equal_sets_are_one(void **state PG_UNUSED)
{
	struct vars *a = NULL, *b = NULL;

	change(&a, "timezone", "UTC");
	change(&a, "datestyle", "ISO");
	change(&b, "datestyle", "SQL");
	assert_ptr_not_equal(a, b);
	change(&b, "timezone", "UTC");
	change(&b, "datestyle", "ISO");
	assert_ptr_equal(a, b);
	assert_int_equal(atomic_load(&a->refs), 2);
	assert_string_equal(a->var[0].name, "datestyle");
	assert_string_equal(vars_get(a, "timezone"), "UTC");
	assert_null(vars_get(a, "time"));
	assert_null(vars_get(NULL, "timezone"));
	change(&a, "nothing", NULL);
	assert_ptr_equal(a, b);
	change(&a, "timezone", NULL);
	change(&a, "datestyle", NULL);
	assert_null(a);
	vars_unref(&b);
	assert_int_equal(vars_tab.count, 0);
}

static void
test_covers(void **state PG_UNUSED)
{
	struct vars *a = NULL, *b = NULL;

	assert_true(vars_covers(NULL, NULL));
	change(&a, "x", "1");
	assert_true(vars_covers(a, NULL));
	assert_false(vars_covers(NULL, a));
	change(&b, "x", "2");
	change(&b, "y", "2");
	assert_true(vars_covers(b, a));
	assert_false(vars_covers(a, b));
	vars_unref(&a);
	vars_unref(&b);
}

static void
test_limits(void **state PG_UNUSED)
{
	struct vars *v = NULL, *was;
	struct var c;
	char name[16], *long_text;
	int i;

	for (i = 0; i < VARS_MAX; i++) {
		snprintf(name, sizeof(name), "v%d", i);
		change(&v, name, "1");
	}
	was = v;
	c = (struct var){ "one.more", "1" };
	assert_false(vars_change(&v, &c, 1));
	assert_ptr_equal(v, was);
	long_text = x_malloc(VARS_BYTES + 1);
	memset(long_text, 'x', VARS_BYTES);
	long_text[VARS_BYTES] = '\0';
	c = (struct var){ "v1", long_text };
	assert_false(vars_change(&v, &c, 1));
	assert_string_equal(vars_get(v, "v1"), "1");
	free(long_text);
	vars_unref(&v);
}

static void
test_what_shapes_a_result(void **state PG_UNUSED)
{
	const struct hash128 none = { 0, 0 };
	struct vars *a = NULL, *b = NULL;
	size_t i;

	for (i = 1; i < ARRAY_SIZE(vars_harmless); i++)
		assert_true(strcmp(vars_harmless[i - 1],
		    vars_harmless[i]) < 0);
	change(&a, "work_mem", "8MB");
	assert_true(hash_eq(a->shaping, none));
	change(&b, "timezone", "UTC");
	assert_false(hash_eq(b->shaping, none));
	change(&a, "timezone", "UTC");
	assert_true(hash_eq(a->shaping, b->shaping));
	assert_false(hash_eq(a->hash, b->hash));
	vars_unref(&a);
	vars_unref(&b);
}

static void
test_scopes(void **state PG_UNUSED)
{
	const struct scope *base = scope_intern("backend=b user=u",
	    "TimeZone=UTC\ncurrent_user=u\nsession_user=u\n"
	    "standard_conforming_strings=on\n"), *sc;
	struct vars *v = NULL;

	assert_true(scope_has(base, "session_user", "u"));
	assert_false(scope_has(base, "session_user", ""));
	assert_false(scope_has(base, "ser", "u"));
	assert_true(scope_keeps_user(base));
	assert_ptr_equal(scope_with(base, NULL), base);
	change(&v, "work_mem", "8MB");
	assert_ptr_equal(scope_with(base, v), base);
	change(&v, "timezone", "UTC");
	assert_ptr_equal(scope_with(base, v), base);
	change(&v, "timezone", "Asia/Tokyo");
	change(&v, "app.u", "1");
	change(&v, "standard_conforming_strings", "off");
	sc = scope_with(base, v);
	assert_string_equal(sc->text, "backend=b user=u\n"
	    "TimeZone=Asia/Tokyo\ncurrent_user=u\nsession_user=u\n"
	    "standard_conforming_strings=off\napp.u=1\n");
	assert_true(base->conforming);
	assert_false(sc->conforming);
	assert_ptr_equal(scope_with(base, v), sc);
	vars_unref(&v);
}

#define THREADS 8

static void *
churn(void *arg)
{
	struct vars *v = NULL;
	char value[8];
	int i;

	for (i = 0; i < 20000; i++) {
		snprintf(value, sizeof(value), "%d", i % 3);
		change(&v, "a", value);
		if (strcmp(vars_get(v, "a"), value) != 0)
			return arg;
		if (i % 5 == 0)
			vars_unref(&v);
	}
	vars_unref(&v);
	return NULL;
}

static void
test_many_threads(void **state PG_UNUSED)
{
	pthread_t t[THREADS];
	void *bad;
	int i;

	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, churn, t), 0);
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(t[i], &bad), 0);
		assert_null(bad);
	}
	assert_int_equal(vars_tab.count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_sets_are_one),
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_what_shapes_a_result),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_many_threads),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
