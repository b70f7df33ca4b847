/* SPDX-License-Identifier: PostgreSQL
 *
 * Files of keys: what is a key and what is not, and what is told of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/slice.h"
#include "cache/l2_keys.h"

#define A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define B "FFeeDDccBBaa9988776655443322110000112233445566778899AAbbCCddEEff"

static char why[256];

static struct l2_keys *
parse(struct slice text)
{
	/* An allocation of exactly n bytes, for the sanitizers. */
	char *copy = calloc(1, text.n > 0 ? text.n : 1);
	struct l2_keys *k;

	memcpy(copy, text.p, text.n);
	why[0] = '\0';
	k = l2_keys_parse(copy, text.n, "keys", why, sizeof(why));
	free(copy);
	return k;
}

static void
refused(struct slice text, const char *expected)
{
	assert_null(parse(text));
	assert_string_equal(why, expected);
}

static void
keys_are_derived(void **state)
{
	/* HKDF-SHA256, no salt, by another implementation. */
	static const unsigned char key[L2_KEY_LEN] = {
		0x41, 0x63, 0xf2, 0x52, 0xcc, 0x98, 0x19, 0x5c,
		0x50, 0xdb, 0x20, 0x2a, 0x84, 0x1e, 0x00, 0x5f,
		0x92, 0x6c, 0xfb, 0x78, 0xa0, 0x00, 0xc6, 0x40,
		0xf6, 0xf0, 0x5b, 0x7c, 0xfd, 0xf9, 0x44, 0x80,
	};
	static const unsigned char id[L2_KEY_ID_LEN] = {
		0x90, 0x7e, 0x20, 0xf4, 0xea, 0xd7, 0xc9, 0x41,
	};
	struct l2_keys *k = parse(SLICE_LIT(A));

	(void)state;
	assert_non_null(k);
	assert_memory_equal(l2_keys_first(k)->key, key, sizeof(key));
	assert_memory_equal(l2_keys_first(k)->id, id, sizeof(id));
	l2_keys_unref(&k);
	assert_null(k);
}

static void
the_first_one_seals_and_all_are_found(void **state)
{
	struct l2_keys *k = parse(SLICE_LIT("# new\n" A "\n\n# old\r\n" B
	    " \t\r\n"));
	struct l2_keys *a = parse(SLICE_LIT(A "\n")), *b = parse(SLICE_LIT(B));

	(void)state;
	assert_non_null(k);
	assert_non_null(a);
	assert_non_null(b);
	assert_memory_equal(l2_keys_first(k), l2_keys_first(a),
	    sizeof(struct l2_key));
	assert_non_null(l2_keys_find(k, l2_keys_first(a)->id));
	assert_memory_equal(l2_keys_find(k, l2_keys_first(b)->id),
	    l2_keys_first(b), sizeof(struct l2_key));
	assert_null(l2_keys_find(a, l2_keys_first(b)->id));
	l2_keys_unref(&a);
	a = l2_keys_ref(k);
	l2_keys_unref(&k);
	assert_non_null(l2_keys_find(a, l2_keys_first(b)->id));
	l2_keys_unref(&a);
	l2_keys_unref(&b);
	assert_null(l2_keys_ref(NULL));
}

static void
what_is_no_key_is_refused(void **state)
{
	char many[17 * 65];
	unsigned i;

	(void)state;
#define NONE "keys: there is no key, expected lines of 64 hexadecimal " \
	"digits (openssl rand -hex 32)"
#define LENGTH "expected 64 hexadecimal digits (openssl rand -hex 32)"
	refused(SLICE_LIT(""), NONE);
	refused(SLICE_LIT("\n# " A "\n"), NONE);
	refused(SLICE_LIT("# a\n" A "0\n"), "keys:2: " LENGTH);
	refused(SLICE_LIT("secret"), "keys:1: " LENGTH);
	refused(SLICE_LIT(" " A), "keys:1: " LENGTH);
	refused(SLICE_LIT("g0010203040506070809"
	    "0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"),
	    "keys:1: expected hexadecimal digits only");
	refused(SLICE_LIT(A "\n" "00010203040506070809"
	    "0a0b0c0d0e0f10111213141516\0" "18191a1b1c1d1e1f0"),
	    "keys:2: expected hexadecimal digits only");
	refused(SLICE_LIT(A "\n" B "\n" A "\n"),
	    "keys:3: this key is there twice");
	for (i = 0; i < 17; i++) {
		memcpy(many + i * 65, A "\n", 65);
		many[i * 65] = i < 10 ? (char)('0' + i) : (char)('a' + i - 10);
		many[i * 65 + 1] = i < 16 ? '0' : '1';
	}
	many[16 * 65] = 'a';
	refused(slice_make(many, sizeof(many)),
	    "keys:17: expected at most 16 keys");
}

static void
files_are_read_whole(void **state)
{
	char name[] = "/tmp/pgsluice-keys-XXXXXX", expected[128];
	int fd = mkstemp(name), i;
	struct l2_keys *k;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, A "\n" B, 129), 129);
	k = l2_keys_load(name, why, sizeof(why));
	assert_non_null(k);
	l2_keys_unref(&k);
	for (i = 0; i < 300; i++)
		assert_int_equal(write(fd, "\n# 567890123456789012345678901"
		    "23456789012345678901234567890\n", 61), 61);
	assert_null(l2_keys_load(name, why, sizeof(why)));
	snprintf(expected, sizeof(expected),
	    "%s: expected less than 16384 bytes", name);
	assert_string_equal(why, expected);
	close(fd);
	unlink(name);
	assert_null(l2_keys_load(name, why, sizeof(why)));
	snprintf(expected, sizeof(expected),
	    "cannot read %s: No such file or directory", name);
	assert_string_equal(why, expected);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_derived),
		cmocka_unit_test(the_first_one_seals_and_all_are_found),
		cmocka_unit_test(what_is_no_key_is_refused),
		cmocka_unit_test(files_are_read_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
