/* SPDX-License-Identifier: PostgreSQL
 *
 * Base64: the RFC's vectors, every length both ways, and what a strict decoder
 * refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/base64.h"

/* RFC 4648, section 10 */
static const char *const vectors[][2] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/" },
};

static void
test_vectors(void **state PG_UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const char *plain = vectors[i][0], *coded = vectors[i][1];
		char text[16];
		uint8_t raw[16];
		size_t len;

		base64_encode((const uint8_t *)plain, strlen(plain), text);
		assert_string_equal(text, coded);
		assert_true(base64_decode(slice_str(coded), raw, sizeof(raw),
		    &len));
		assert_int_equal(len, strlen(plain));
		assert_memory_equal(raw, plain, len);
	}
}

static void
test_every_length(void **state PG_UNUSED)
{
	uint8_t in[200], out[200];
	char text[BASE64_LEN(sizeof(in)) + 1];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 37 + 11);
	for (size_t n = 0; n <= sizeof(in); n++) {
		size_t len;

		base64_encode(in, n, text);
		assert_int_equal(strlen(text), BASE64_LEN(n));
		assert_true(base64_decode(slice_str(text), out, n, &len));
		assert_int_equal(len, n);
		assert_memory_equal(in, out, n);
		if (n > 0)
			assert_false(base64_decode(slice_str(text), out,
			    n - 1, &len));
	}
}

static void
test_refused(void **state PG_UNUSED)
{
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zm9v=", "====",
		"===", "=", "Z===", "=Zg=", "Zg==Zg==", "Zm 9", "Zm9v\n",
		"Zm9\n", "Zm9-", "Zm9_", "Zm9.", "Zm\x80v", "Zh==", "Zm9=",
		"Zg=v", "Zm9vZg==Zm9v" };
	uint8_t out[16];
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (base64_decode(slice_str(bad[i]), out, sizeof(out), &len))
			fail_msg("taken: %s", bad[i]);
	}
	assert_false(base64_decode(slice_make("Zm\0v", 4), out, sizeof(out),
	    &len));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
