/* SPDX-License-Identifier: PostgreSQL
 *
 * Quotas: places by kind and name, taken and given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "session/quota.h"

static void
test_a_limit_holds(void **state PG_UNUSED)
{
	struct quota *a, *b, *c;

	a = quota_take(QUOTA_USER, "ann", 2);
	b = quota_take(QUOTA_USER, "ann", 2);
	assert_non_null(a);
	assert_ptr_equal(a, b);
	assert_int_equal(quota_count(a), 2);
	assert_null(quota_take(QUOTA_USER, "ann", 2));
	assert_int_equal(quota_count(a), 2);
	quota_give(&a);
	assert_null(a);
	c = quota_take(QUOTA_USER, "ann", 2);
	assert_non_null(c);
	quota_give(&b);
	quota_give(&c);
}

static void
test_none_is_no_limit(void **state PG_UNUSED)
{
	struct quota *q[100];
	int i;

	for (i = 0; i < 100; i++)
		assert_non_null(q[i] = quota_take(QUOTA_ADDRESS, "::1", 0));
	assert_int_equal(quota_count(q[0]), 100);
	assert_null(quota_take(QUOTA_ADDRESS, "::1", 100));
	for (i = 0; i < 100; i++)
		quota_give(&q[i]);
}

static void
test_names_and_kinds_are_apart(void **state PG_UNUSED)
{
	struct quota *user = quota_take(QUOTA_USER, "app", 1);
	struct quota *database = quota_take(QUOTA_DATABASE, "app", 1);
	struct quota *other = quota_take(QUOTA_USER, "ap", 1);
	struct quota *empty = quota_take(QUOTA_USER, "", 1);

	assert_non_null(user);
	assert_non_null(database);
	assert_non_null(other);
	assert_non_null(empty);
	assert_null(quota_take(QUOTA_DATABASE, "app", 1));
	quota_give(&user);
	assert_int_equal(quota_count(database), 1);
	quota_give(&database);
	quota_give(&other);
	quota_give(&empty);
}

static void
test_giving_nothing_is_nothing(void **state PG_UNUSED)
{
	struct quota *q = NULL;

	quota_give(&q);
	assert_null(q);
}

/* quota_fini() checks that all is given back. */
static int
setup(void **state PG_UNUSED)
{
	hash_init();
	quota_init();
	return 0;
}

static int
teardown(void **state PG_UNUSED)
{
	quota_fini();
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_limit_holds),
		cmocka_unit_test(test_none_is_no_limit),
		cmocka_unit_test(test_names_and_kinds_are_apart),
		cmocka_unit_test(test_giving_nothing_is_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
