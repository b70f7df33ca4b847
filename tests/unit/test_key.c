/* SPDX-License-Identifier: PostgreSQL
 *
 * Cache keys: every field tells keys apart, in hash and in equality.
 */
#include "cache_util.h"

static void
assert_differ(struct cache_key a, struct cache_key b)
{
	assert_false(cache_key_eq(&a, &b)); /* by hash, before it is set */
	cache_key_hash(&b, NULL);
	assert_false(hash_eq(a.hash, b.hash));
	assert_false(cache_key_eq(&a, &b));
	b.hash = a.hash; /* a collision must not make them equal */
	assert_false(cache_key_eq(&a, &b));
}

static void
equal_bytes_are_equal(void **state)
{
	char other[] = "select 1";
	struct cache_key a = util_key("select 1"), b = util_key(other);

	(void)state;
	assert_true(a.sql.p != b.sql.p);
	assert_true(hash_eq(a.hash, b.hash));
	assert_true(cache_key_eq(&a, &b));
}

static void
known_sql_hash_is_the_same(void **state)
{
	struct cache_key a = util_key("select 1"), b = a;
	struct hash128 h = hash_bytes("select 1", 8);

	(void)state;
	cache_key_hash(&b, &h);
	assert_true(hash_eq(a.hash, b.hash));
}

static void
every_field_counts(void **state)
{
	struct cache_key a = util_key("select 1"), b;

	(void)state;
#define DIFFER(change) \
	b = a; \
	b.change; \
	b.hash.lo++; \
	assert_differ(a, b)
	DIFFER(scope++);
	DIFFER(form = KEY_SIMPLE);
	DIFFER(form = KEY_EXT_NODESC);
	DIFFER(form = KEY_EXT_STATEMENT);
	DIFFER(sql = SLICE_LIT("select 2"));
	DIFFER(sql = SLICE_LIT("select 1 "));
	DIFFER(types = SLICE_LIT("\0\0\0\x14"));
	DIFFER(types.n = 0);
	DIFFER(bind = SLICE_LIT("bound value5"));
	DIFFER(bind.n--);
	DIFFER(bind.n = 0);
#undef DIFFER
}

static void
fields_do_not_run_into_each_other(void **state)
{
	struct cache_key a = util_key("select 1"), b = a;

	(void)state;
	a.types = SLICE_LIT("abcd");
	a.bind = SLICE_LIT("ef");
	b.types = SLICE_LIT("abc");
	b.bind = SLICE_LIT("def");
	cache_key_hash(&a, NULL);
	b.hash.lo = ~a.hash.lo;
	assert_differ(a, b);
	/* types without bind is not bind without types */
	a.bind.n = 0;
	b.bind = a.types;
	b.types.n = 0;
	cache_key_hash(&a, NULL);
	b.hash.lo = ~a.hash.lo;
	assert_differ(a, b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_bytes_are_equal),
		cmocka_unit_test(known_sql_hash_is_the_same),
		cmocka_unit_test(every_field_counts),
		cmocka_unit_test(fields_do_not_run_into_each_other),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
