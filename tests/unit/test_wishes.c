/* SPDX-License-Identifier: PostgreSQL
 *
 * Settings by which a session says what it wants of the cache.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conf/wishes.h"

static bool
is_off(enum wish of, const char *value)
{
	struct wishes w = WISHES_NONE;

	wishes_set(&w, of, value);
	return wishes_off(&w);
}

static void
test_names(void **state)
{
	(void)state;
	assert_true(wish_find("pgsluice.cache") == WISH_CACHE);
	assert_true(wish_find("PgSluice.MAX_staleness") == WISH_MAX_STALENESS);
	assert_true(wish_find("pgsluice.tenant") == WISH_COUNT);
	assert_true(wish_find("") == WISH_COUNT);
}

static void
test_values(void **state)
{
	struct wishes w = WISHES_NONE;

	(void)state;
	assert_false(wishes_off(&w));
	assert_false(is_off(WISH_CACHE, "on"));
	assert_false(is_off(WISH_CACHE, "yes"));
	assert_false(is_off(WISH_CACHE, ""));
	assert_true(is_off(WISH_CACHE, "off"));
	assert_true(is_off(WISH_CACHE, "perhaps"));
	assert_true(is_off(WISH_CACHE, NULL));
	assert_false(is_off(WISH_MAX_STALENESS, "2s"));
	assert_false(is_off(WISH_MAX_STALENESS, ""));
	assert_true(is_off(WISH_MAX_STALENESS, "0"));
	assert_true(is_off(WISH_MAX_STALENESS, "2000"));
	assert_true(is_off(WISH_MAX_STALENESS, NULL));
}

/* Each counts by itself. */
static void
test_together(void **state)
{
	struct wishes w = WISHES_NONE;

	(void)state;
	wishes_set(&w, WISH_CACHE, "off");
	wishes_set(&w, WISH_MAX_STALENESS, "2s");
	assert_true(wishes_off(&w));
	wishes_set(&w, WISH_CACHE, "on");
	assert_false(wishes_off(&w));
	assert_true(w.max_staleness == 2 * NSEC_PER_SEC);
	wishes_set(&w, WISH_MAX_STALENESS, "soon");
	assert_true(wishes_off(&w));
	wishes_set(&w, WISH_MAX_STALENESS, "");
	assert_false(wishes_off(&w));
	assert_true(w.max_staleness == UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
