/* SPDX-License-Identifier: PostgreSQL
 *
 * Keyed hashes and random bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/hash.h"

static int
draw_secret(void **state PG_UNUSED)
{
	hash_init();
	return 0;
}

static void
test_same_bytes_same_hash(void **state PG_UNUSED)
{
	char a[300], b[300];
	size_t n;

	memset(a, 'q', sizeof(a));
	memset(b, 'q', sizeof(b));
	for (n = 0; n <= sizeof(a); n++)
		assert_true(hash_eq(hash_bytes(a, n), hash_bytes(b, n)));
}

static void
test_one_bit_matters(void **state PG_UNUSED)
{
	unsigned char text[300] = { 0 };
	struct hash128 was;
	size_t bit;

	was = hash_bytes(text, sizeof(text));
	for (bit = 0; bit < 8 * sizeof(text); bit++) {
		text[bit / 8] ^= (unsigned char)(1u << (bit % 8));
		assert_false(hash_eq(was, hash_bytes(text, sizeof(text))));
		text[bit / 8] ^= (unsigned char)(1u << (bit % 8));
	}
}

static void
test_length_matters(void **state PG_UNUSED)
{
	static const char zeros[64];
	size_t n;

	for (n = 0; n + 1 < sizeof(zeros); n++)
		assert_false(hash_eq(hash_bytes(zeros, n),
		    hash_bytes(zeros, n + 1)));
}

static void
test_mix_keeps_order(void **state PG_UNUSED)
{
	struct hash128 a = hash_bytes("a", 1), b = hash_bytes("b", 1);

	assert_true(hash_eq(hash_mix(a, b), hash_mix(a, b)));
	assert_false(hash_eq(hash_mix(a, b), hash_mix(b, a)));
	assert_false(hash_eq(hash_mix(a, b), a));
	assert_false(hash_eq(hash_mix(a, a), hash_mix(b, b)));
}

static void
test_secret_is_used(void **state PG_UNUSED)
{
	struct hash128 before[3], after;
	static const size_t lens[] = { 0, 16, 1000 };
	static const char text[1000] = "select 1";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lens); i++)
		before[i] = hash_bytes(text, lens[i]);
	hash_init();
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		after = hash_bytes(text, lens[i]);
		assert_false(hash_eq(before[i], after));
	}
}

static void
test_random(void **state PG_UNUSED)
{
	unsigned char a[32] = { 0 }, b[32] = { 0 };

	hash_random(a, sizeof(a));
	hash_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	hash_random(a, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_bytes_same_hash),
		cmocka_unit_test(test_one_bit_matters),
		cmocka_unit_test(test_length_matters),
		cmocka_unit_test(test_mix_keeps_order),
		cmocka_unit_test(test_secret_is_used),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, draw_secret, NULL);
}
