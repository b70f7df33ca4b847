/* SPDX-License-Identifier: PostgreSQL
 *
 * Binary values: bytes as PostgreSQL 15 sends them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgwire/binary.h"

static struct buf b;
static struct msgwrite w;

/* The bytes of a value, its length first, in hex; or NULL. */
static const char *
hex(uint32_t oid, const char *text)
{
	static char out[400];
	const char *p;
	bool ok;
	size_t i;

	buf_init(&b, 4096);
	msgwrite_init(&w, &b);
	msgwrite_begin(&w, 'D');
	ok = msgwrite_binary(&w, oid, slice_str(text));
	msgwrite_end(&w);
	assert_false(w.failed);
	p = buf_head(&b);
	out[0] = '\0';
	for (i = 5; i < buf_len(&b); i++)
		sprintf(out + 2 * (i - 5), "%02x", (unsigned char)p[i]);
	assert_int_equal(ok, buf_len(&b) > 5);
	buf_reset(&b);
	return ok ? out : NULL;
}

static void
test_ints(void **state PG_UNUSED)
{
	assert_string_equal(hex(OID_INT4, "0"), "0000000400000000");
	assert_string_equal(hex(OID_INT4, "-1"), "00000004ffffffff");
	assert_string_equal(hex(OID_INT4, "2147483647"), "000000047fffffff");
	assert_null(hex(OID_INT4, "2147483648"));
	assert_string_equal(hex(OID_INT8, "4294967298"),
	    "000000080000000100000002");
	assert_string_equal(hex(OID_INT8, "-9223372036854775808"),
	    "000000088000000000000000");
	assert_null(hex(OID_INT8, "9223372036854775808"));
	assert_null(hex(OID_INT8, ""));
	assert_null(hex(OID_INT8, " 1"));
	assert_null(hex(OID_INT8, "1x"));
}

/* encode(numeric_send(x), 'hex') */
static void
test_numeric(void **state PG_UNUSED)
{
	assert_string_equal(hex(OID_NUMERIC, "0"),
	    "00000008" "0000000000000000");
	assert_string_equal(hex(OID_NUMERIC, "1"),
	    "0000000a" "00010000000000000001");
	assert_string_equal(hex(OID_NUMERIC, "12345"),
	    "0000000c" "000200010000000000010929");
	assert_string_equal(hex(OID_NUMERIC, "10000"),
	    "0000000a" "00010001000000000001");
	assert_string_equal(hex(OID_NUMERIC, "0.050"),
	    "0000000a" "0001ffff0000000301f4");
	assert_string_equal(hex(OID_NUMERIC, "-1234.5"),
	    "0000000c" "000200004000000104d21388");
	assert_string_equal(hex(OID_NUMERIC, "0.000"),
	    "00000008" "0000000000000003");
	assert_string_equal(hex(OID_NUMERIC, "18446744073709551615"),
	    "00000012" "000500040000000007341a5802e103bb064f");
	assert_null(hex(OID_NUMERIC, ""));
	assert_null(hex(OID_NUMERIC, "."));
	assert_null(hex(OID_NUMERIC, "1."));
	assert_null(hex(OID_NUMERIC, "-"));
	assert_null(hex(OID_NUMERIC, "NaN"));
	assert_null(hex(OID_NUMERIC, "1e5"));
	assert_null(hex(OID_NUMERIC, "0000000000000000000000000000000000000"
	    "000000000000000000000000000"));
}

static void
test_text(void **state PG_UNUSED)
{
	assert_string_equal(hex(OID_TEXT, "ab"), "000000026162");
	assert_string_equal(hex(OID_TEXT, ""), "00000000");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ints),
		cmocka_unit_test(test_numeric),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
