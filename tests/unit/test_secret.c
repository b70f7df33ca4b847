/* SPDX-License-Identifier: PostgreSQL
 *
 * Secrets: their forms, and which answers fit them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/secret.h"
#include "base/hash.h"

/* MD5 of "pencilbob", and of that in hex with the salt 1 2 3 4 behind it. */
#define MD5_STORED "e4f70fb0b8f2745aa7a69557c80cbd0c"
#define MD5_ANSWER "735bfd3e1298fa49b4b28c02c7f176e1"
#define PENCIL "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==" \
	"$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" \
	":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static struct secret
taken(const char *text)
{
	struct secret s;

	assert_null(secret_parse(text, &s));
	if (s.kind == SECRET_PLAIN)
		secret_derive(&s);
	return s;
}

static void
test_forms(void **state PG_UNUSED)
{
	struct secret s = taken("pencil");

	assert_int_equal(s.kind, SECRET_PLAIN);
	assert_string_equal(s.password, "pencil");
	assert_int_equal(s.verifier.iterations, SCRAM_ITER_DEFAULT);
	secret_fini(&s);
	s = taken(PENCIL);
	assert_int_equal(s.kind, SECRET_SCRAM);
	assert_null(s.password);
	secret_fini(&s);
	s = taken("md5000102030405060708090a0b0c0d0e0f");
	assert_int_equal(s.kind, SECRET_MD5);
	assert_string_equal(s.md5, "000102030405060708090a0b0c0d0e0f");
	secret_fini(&s);
	/* Almost an md5 hash is a password, as for PostgreSQL. */
	s = taken("md5000102030405060708090A0B0C0D0E0F");
	assert_int_equal(s.kind, SECRET_PLAIN);
	secret_fini(&s);
	assert_non_null(strstr(secret_parse("", &s), "empty secret"));
	assert_non_null(strstr(secret_parse("SCRAM-SHA-256$x", &s),
	    "malformed verifier"));
}

static void
fits(const char *text, const char *user, const char *password, bool expected)
{
	struct secret s = taken(text);

	assert_int_equal(secret_check_password(&s, user, password), expected);
	s.mock = true;
	assert_false(secret_check_password(&s, user, password));
	secret_fini(&s);
}

static void
test_password(void **state PG_UNUSED)
{
	fits(PENCIL, "bob", "pencil", true);
	fits(PENCIL, "alice", "pencil", true); /* the name has no part in it */
	fits(PENCIL, "bob", "pencil ", false);
	fits(PENCIL, "bob", "", false);
	fits("pencil", "bob", "pencil", true);
	fits("pencil", "bob", "penci", false);
	fits("pencil", "bob", "", false);
	fits("md5" MD5_STORED, "bob", "pencil", true);
	fits("md5" MD5_STORED, "bob", "pencils", false);
}

static void
test_md5(void **state PG_UNUSED)
{
	static const uint8_t salt[4] = { 1, 2, 3, 4 };
	struct secret plain = taken("pencil"), hash, mock;
	const char *right = "md5" MD5_ANSWER;

	hash = taken("md5" MD5_STORED);
	assert_true(secret_has_md5(&plain) && secret_has_md5(&hash));
	assert_true(secret_check_md5(&plain, "bob", salt, slice_str(right)));
	assert_true(secret_check_md5(&hash, "bob", salt, slice_str(right)));
	/* A plain one is salted with the name, a stored one already is. */
	assert_false(secret_check_md5(&plain, "eve", salt, slice_str(right)));
	assert_false(secret_check_md5(&hash, "bob", salt,
	    slice_str("md5" MD5_STORED)));
	assert_false(secret_check_md5(&hash, "bob", salt, slice_str("")));
	assert_false(secret_check_md5(&hash, "bob", salt,
	    slice_make(right, strlen(right) - 1)));
	assert_true(secret_check_password(&hash, "bob", "pencil"));
	assert_false(secret_check_password(&hash, "eve", "pencil"));
	assert_false(secret_check_password(&hash, "bob", "pen"));
	secret_mock(&mock, "nobody", SECRET_MD5, (const uint8_t *)
	    "0123456789abcdef0123456789abcdef");
	assert_true(secret_has_md5(&mock));
	assert_false(secret_check_md5(&mock, "nobody", salt, slice_str(right)));
	secret_fini(&plain);
	secret_fini(&hash);
	secret_fini(&mock);
}

/* A mock is the same every time, and says nothing of its kind in salts. */
static void
test_mock(void **state PG_UNUSED)
{
	static const uint8_t key[32] = { 7 };
	struct secret a, b, c;

	secret_mock(&a, "nobody", SECRET_SCRAM, key);
	secret_mock(&b, "nobody", SECRET_SCRAM, key);
	secret_mock(&c, "no-one", SECRET_SCRAM, key);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_memory_not_equal(a.verifier.salt, c.verifier.salt, 16);
	assert_false(secret_check_password(&a, "nobody", ""));
	secret_fini(&a);
	secret_fini(&b);
	secret_fini(&c);
}

static void
test_copy(void **state PG_UNUSED)
{
	struct secret a = taken("pencil"), b;

	secret_copy(&b, &a);
	assert_ptr_not_equal(a.password, b.password);
	secret_fini(&a);
	assert_null(a.password);
	assert_true(secret_check_password(&b, "bob", "pencil"));
	secret_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_password),
		cmocka_unit_test(test_md5),
		cmocka_unit_test(test_mock),
		cmocka_unit_test(test_copy),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
