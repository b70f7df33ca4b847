/* SPDX-License-Identifier: PostgreSQL
 *
 * Limits over many pools: counting, being short, being shared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/limit.h"

static struct limits
under(const char *backend, int64_t servers, const char *user, int64_t logins)
{
	struct limits l = { { limit_get(LIMIT_BACKEND, backend),
		limit_get(LIMIT_USER, user) } };

	atomic_store(&l.of[LIMIT_BACKEND]->max, servers);
	atomic_store(&l.of[LIMIT_USER]->max, logins);
	return l;
}

static void
put(struct limits *l)
{
	limit_put(&l->of[LIMIT_BACKEND]);
	limit_put(&l->of[LIMIT_USER]);
}

static void
test_same_name_is_one_limit(void **state PG_UNUSED)
{
	struct limits a = under("main", 0, "ann", 0);
	struct limits b = under("main", 0, "main", 0);

	assert_ptr_equal(a.of[LIMIT_BACKEND], b.of[LIMIT_BACKEND]);
	assert_ptr_not_equal(b.of[LIMIT_BACKEND], b.of[LIMIT_USER]);
	put(&a);
	assert_null(a.of[LIMIT_USER]);
	put(&b);
	a = under("main", 0, "ann", 0);
	assert_int_equal(atomic_load(&a.of[LIMIT_BACKEND]->used), 0);
	put(&a);
}

static void
test_a_maximum_holds_over_pools(void **state PG_UNUSED)
{
	struct limits a = under("main", 2, "ann", 0);
	struct limits b = under("main", 2, "bob", 0);

	assert_true(limits_take(&a, 5));
	assert_true(limits_take(&b, 6));
	assert_true(limits_full(&a));
	assert_int_equal(limits_short_since(&a), 0);
	assert_false(limits_take(&b, 8));
	assert_false(limits_take(&a, 7));
	/* The longest wait counts, and both pools see it. */
	assert_int_equal(limits_short_since(&a), 7);
	assert_int_equal(limits_short_since(&b), 7);
	/* Nothing stays counted of what was refused. */
	assert_int_equal(atomic_load(&b.of[LIMIT_USER]->used), 1);
	assert_true(limits_give(&a));
	assert_true(limits_take(&b, 8));
	limits_clear_short(&a);
	assert_false(limits_give(&b));
	assert_false(limits_give(&b));
	put(&a);
	put(&b);
}

static void
test_the_second_limit_refuses_too(void **state PG_UNUSED)
{
	struct limits a = under("main", 5, "ann", 1);
	struct limits b = under("other", 5, "ann", 1);

	assert_true(limits_take(&a, 1));
	assert_false(limits_take(&b, 2));
	assert_int_equal(atomic_load(&b.of[LIMIT_BACKEND]->used), 0);
	assert_true(limits_share_full(&a, &b));
	assert_true(limits_full(&b));
	assert_true(limits_give(&a));
	assert_false(limits_share_full(&a, &b));
	put(&a);
	put(&b);
}

static void
test_what_leaves_is_not_over(void **state PG_UNUSED)
{
	struct limits a = under("main", 2, "ann", 0);

	assert_true(limits_take(&a, 1));
	assert_true(limits_take(&a, 1));
	assert_false(limits_over(&a));
	atomic_store(&a.of[LIMIT_BACKEND]->max, 1);
	assert_true(limits_over(&a));
	limits_leave(&a, 1);
	assert_false(limits_over(&a));
	limits_leave(&a, -1);
	assert_false(limits_give(&a));
	assert_false(limits_over(&a));
	assert_false(limits_give(&a));
	put(&a);
}

static void
test_no_maximum_only_counts(void **state PG_UNUSED)
{
	struct limits a = under("main", 0, "ann", 0);
	int i;

	for (i = 0; i < 1000; i++)
		assert_true(limits_take(&a, 1));
	assert_false(limits_full(&a));
	assert_false(limits_over(&a));
	assert_int_equal(atomic_load(&a.of[LIMIT_USER]->used), 1000);
	for (i = 0; i < 1000; i++)
		assert_false(limits_give(&a));
	put(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_name_is_one_limit),
		cmocka_unit_test(test_a_maximum_holds_over_pools),
		cmocka_unit_test(test_the_second_limit_refuses_too),
		cmocka_unit_test(test_what_leaves_is_not_over),
		cmocka_unit_test(test_no_maximum_only_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
