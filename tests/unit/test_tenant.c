/* SPDX-License-Identifier: PostgreSQL
 *
 * Partitions of keys: known answers of a real server, and what converts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "route/tenant.h"

static const struct {
	enum conf_key_type type;
	const char *value;
	unsigned mod2, mod7;
} known[] = {
#define KNOWN(type, value, mod2, mod7) { KEY_TYPE_##type, value, mod2, mod7 },
#include "tenant_known.h"
};

static bool
hash_text(enum conf_key_type type, const char *s, uint32_t oid, uint64_t *h)
{
	return tenant_hash_value(type, slice_str(s), false, oid, h);
}

/* Of a row whose only key column this is. */
static unsigned
remainder_of(uint64_t h, unsigned modulus)
{
	return tenant_remainder(tenant_combine(0, h), modulus);
}

static bool
hash_binary(enum conf_key_type type, const char *p, size_t n, uint32_t oid,
    uint64_t *h)
{
	return tenant_hash_value(type, slice_make(p, n), true, oid, h);
}

static void
partitions_are_the_servers(void **state)
{
	unsigned n[KEY_TYPE_COUNT] = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		uint64_t h;

		assert_true(hash_text(known[i].type, known[i].value, 0, &h));
		if (remainder_of(h, 2) != known[i].mod2 ||
		    remainder_of(h, 7) != known[i].mod7)
			fail_msg("row %zu: %s", i, known[i].value);
		n[known[i].type]++;
	}
	for (int t = KEY_TYPE_UUID; t <= KEY_TYPE_TEXT; t++)
		assert_true(n[t] >= 50);
}

static void
binary_and_text_agree(void **state)
{
	uint64_t a, b;
	static const char uuid[] = "\x55\x22\x20\x14\x7e\xd0\xee\x56\xb3\x48"
				   "\xb6\x39\x9c\x5c\x9c\x3d";

	(void)state;
	assert_true(hash_text(KEY_TYPE_UUID,
	    "55222014-7ed0-ee56-b348-b6399c5c9c3d", 2950, &a));
	assert_true(hash_binary(KEY_TYPE_UUID, uuid, 16, 2950, &b));
	assert_true(a == b);
	assert_true(a == tenant_hash_uuid((const uint8_t *)uuid));
	assert_true(hash_text(KEY_TYPE_INT8, "-2", 20, &a));
	assert_true(hash_binary(KEY_TYPE_INT8,
	    "\xff\xff\xff\xff\xff\xff\xff\xfe", 8, 20, &b));
	assert_true(a == b && a == tenant_hash_int8(-2));
	assert_true(hash_text(KEY_TYPE_TEXT, "acme", 25, &a));
	assert_true(hash_binary(KEY_TYPE_TEXT, "acme", 4, 1043, &b));
	assert_true(a == b && a == tenant_hash_text(SLICE_LIT("acme")));
}

static void
uuid_forms_of_the_server_are_read(void **state)
{
	static const char *const same[] = {
		"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
		"{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
		"a0eebc999c0b4ef8bb6d6bb9bd380a11",
		"a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
		"{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
	};
	static const char *const wrong[] = { "", "{}", "{", "a0eebc99",
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a112",
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
		"-a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
		"a0-eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
		"a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11",
		"{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
		" a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
		"g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11" };
	uint64_t first, h;

	(void)state;
	assert_true(hash_text(KEY_TYPE_UUID, same[0], 0, &first));
	for (size_t i = 1; i < ARRAY_SIZE(same); i++) {
		assert_true(hash_text(KEY_TYPE_UUID, same[i], 0, &h));
		assert_true(h == first);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_false(hash_text(KEY_TYPE_UUID, wrong[i], 0, &h));
}

static void
integers_keep_to_their_type(void **state)
{
	static const char *const wrong[] = { "", "-", "+", "--1", " 1", "1 ",
		"1.0", "1e3", "0x10", "1_000", "9223372036854775808",
		"-9223372036854775809", "99999999999999999999" };
	uint64_t a, b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_false(hash_text(KEY_TYPE_INT8, wrong[i], 0, &a));
		assert_false(hash_text(KEY_TYPE_INT4, wrong[i], 0, &a));
	}
	assert_true(hash_text(KEY_TYPE_INT8, "9223372036854775807", 0, &a));
	assert_true(a == tenant_hash_int8(INT64_MAX));
	assert_true(hash_text(KEY_TYPE_INT8, "-9223372036854775808", 0, &a));
	assert_true(a == tenant_hash_int8(INT64_MIN));
	assert_true(hash_text(KEY_TYPE_INT8, "+0007", 0, &a));
	assert_true(a == tenant_hash_int8(7));
	assert_false(hash_text(KEY_TYPE_INT4, "2147483648", 0, &a));
	assert_false(hash_text(KEY_TYPE_INT4, "2147483648", 20, &a));
	assert_false(hash_text(KEY_TYPE_INT8, "2147483648", 23, &a));
	assert_false(hash_text(KEY_TYPE_INT8, "32768", 21, &a));
	/* All widths hash alike. */
	assert_true(hash_binary(KEY_TYPE_INT8, "\xff\xfe", 2, 21, &a));
	assert_true(hash_binary(KEY_TYPE_INT4,
	    "\xff\xff\xff\xff\xff\xff\xff\xfe", 8, 20, &b));
	assert_true(a == b && a == tenant_hash_int4(-2));
}

static void
lengths_and_types_that_do_not_fit_prove_nothing(void **state)
{
	static const char zero[24];
	uint64_t h;

	(void)state;
	assert_false(hash_binary(KEY_TYPE_UUID, zero, 15, 0, &h));
	assert_false(hash_binary(KEY_TYPE_UUID, zero, 17, 0, &h));
	assert_false(hash_binary(KEY_TYPE_UUID, zero, 16, 25, &h));
	assert_false(hash_binary(KEY_TYPE_INT4, zero, 8, 0, &h));
	assert_false(hash_binary(KEY_TYPE_INT8, zero, 4, 0, &h));
	assert_false(hash_binary(KEY_TYPE_INT8, zero, 0, 0, &h));
	assert_false(hash_binary(KEY_TYPE_INT8, zero, 4, 20, &h));
	/* float8, numeric, text and date for an integer */
	assert_false(hash_binary(KEY_TYPE_INT8, zero, 8, 701, &h));
	assert_false(hash_text(KEY_TYPE_INT8, "1", 1700, &h));
	assert_false(hash_text(KEY_TYPE_INT8, "1", 25, &h));
	assert_false(hash_binary(KEY_TYPE_INT4, zero, 4, 1082, &h));
	/* char(n) compares without trailing blanks */
	assert_false(hash_text(KEY_TYPE_TEXT, "a ", 1042, &h));
	assert_false(hash_text(KEY_TYPE_TEXT, "1", 23, &h));
	/* "unknown" is no type */
	assert_true(hash_text(KEY_TYPE_INT8, "1", 705, &h));
	assert_true(hash_text(KEY_TYPE_UUID,
	    "00000000-0000-0000-0000-000000000000", 705, &h));
	assert_true(tenant_hash_value(KEY_TYPE_TEXT, slice_make(NULL, 0),
	    true, 0, &h));
	assert_true(h == tenant_hash_text(SLICE_LIT("")));
}

static void
types_are_converted_to_the_columns(void **state)
{
	static const struct {
		enum conf_key_type type;
		const char *a, *b;
		uint32_t oid; /* of b */
		bool stored;  /* a stays as it is in any column of the type */
	} same[] = {
		{ KEY_TYPE_BPCHAR, "abc", "abc  ", 25, true },
		{ KEY_TYPE_BPCHAR, "", "  ", 1042, true },
		{ KEY_TYPE_VARCHAR, "abc ", "abc ", 25, false },
		{ KEY_TYPE_VARCHAR, "abc", "abc", 1043, true },
		{ KEY_TYPE_BOOL, "yes", "t", 16, true },
		{ KEY_TYPE_NUMERIC, "-0012.500", "12.5", 1700, false },
		{ KEY_TYPE_NUMERIC, "70000", "70000", 23, false },
		{ KEY_TYPE_NUMERIC, "0.00", "-0", 0, false },
		{ KEY_TYPE_NUMERIC, ".0001", "0.00010", 0, false },
		{ KEY_TYPE_TIMESTAMPTZ, "2026-01-01 01:00+01",
		    "2026-01-01T00:00:00Z", 1184, true },
		{ KEY_TYPE_TIMESTAMPTZ, "2026-01-01 01:00:00.5+01",
		    "2026-01-01T00:00:00.500Z", 0, false },
	};
	static const struct {
		enum conf_key_type type;
		const char *s;
		uint32_t oid;
	} wrong[] = {
		{ KEY_TYPE_BOOL, "TRUE ", 0 }, { KEY_TYPE_BOOL, "1", 23 },
		{ KEY_TYPE_DATE, "2026-01-01 00:00", 0 },
		{ KEY_TYPE_DATE, "01/02/2026", 0 },
		{ KEY_TYPE_DATE, "2026-01-01", 1114 },
		{ KEY_TYPE_TIMESTAMPTZ, "2026-01-01 00:00", 0 },
		{ KEY_TYPE_TIMESTAMPTZ, "2026-01-01", 0 },
		{ KEY_TYPE_TIMESTAMPTZ, "2026-01-01 00:00Z", 1114 },
		{ KEY_TYPE_NUMERIC, "1e3", 0 }, { KEY_TYPE_NUMERIC, "NaN", 0 },
		{ KEY_TYPE_NUMERIC, " 1", 0 }, { KEY_TYPE_NUMERIC, "1", 701 },
		{ KEY_TYPE_INT2, "40000", 0 }, { KEY_TYPE_INT2, "40000", 23 },
	};
	char digits[600];
	uint64_t a, b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		assert_true(hash_text(same[i].type, same[i].a, 0, &a));
		assert_true(hash_text(same[i].type, same[i].b, same[i].oid,
		    &b));
		if (a != b || tenant_stores_value(same[i].type,
		    slice_str(same[i].a), false) != same[i].stored)
			fail_msg("row %zu", i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (hash_text(wrong[i].type, wrong[i].s, wrong[i].oid, &a))
			fail_msg("wrong row %zu", i);
	/* Longer ones are not read. */
	memset(digits, '7', sizeof(digits) - 1);
	digits[sizeof(digits) - 1] = '\0';
	assert_false(hash_text(KEY_TYPE_NUMERIC, digits, 0, &a));
	digits[500] = '\0';
	assert_true(hash_text(KEY_TYPE_NUMERIC, digits, 0, &a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(partitions_are_the_servers),
		cmocka_unit_test(binary_and_text_agree),
		cmocka_unit_test(uuid_forms_of_the_server_are_read),
		cmocka_unit_test(integers_keep_to_their_type),
		cmocka_unit_test(types_are_converted_to_the_columns),
		cmocka_unit_test(
		    lengths_and_types_that_do_not_fit_prove_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
