/* SPDX-License-Identifier: PostgreSQL
 *
 * Startup packets: boundaries, versions, requests, the parameter list and the
 * options text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgwire/frame.h"

#define SSL 80877103u
#define GSS 80877104u
#define CANCEL 80877102u
#define V3 (3u << 16)

/* A packet of exactly len bytes, filled with fill after the version; the
 * caller frees it. */
static char *
packet(uint32_t len, uint32_t version, char fill)
{
	char *p = malloc(len > 8 ? len : 8);

	assert_non_null(p);
	memset(p, fill, len > 8 ? len : 8);
	wire_put_u32(p, len);
	wire_put_u32(p + 4, version);
	return p;
}

static enum startup_kind
kind_of(uint32_t len, uint32_t version, struct startup_packet *s)
{
	char *p = packet(len, version, 0);
	enum startup_kind k = startup_next(p, len > 8 ? len : 8, s);

	free(p);
	return k;
}

static void
test_lengths(void **state PG_UNUSED)
{
	static const uint32_t bad[] = { 0, 3, 4, 7, 10001, 0x7fffffff,
		0x80000000, 0xffffffff };
	struct startup_packet s;
	char p[8];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		wire_put_u32(p, bad[i]);
		wire_put_u32(p + 4, V3);
		assert_int_equal(startup_next(p, 4, &s), STARTUP_BAD);
		assert_int_equal(startup_next(p, 8, &s), STARTUP_BAD);
	}
	assert_int_equal(kind_of(8, V3, &s), STARTUP_V3);
	assert_int_equal(s.size, 8);
	assert_int_equal(s.params_len, 0);
	assert_int_equal(kind_of(10000, V3, &s), STARTUP_V3);
	assert_int_equal(s.size, 10000);
	assert_int_equal(s.params_len, 9992);
}

static void
test_partial(void **state PG_UNUSED)
{
	char *p = packet(100, V3, 'x');
	struct startup_packet s;

	for (size_t n = 0; n < 100; n++) {
		char *copy = malloc(n > 0 ? n : 1);

		assert_non_null(copy);
		memcpy(copy, p, n);
		assert_int_equal(startup_next(copy, n, &s),
		    STARTUP_NEED_MORE);
		free(copy);
	}
	assert_int_equal(startup_next(p, 100, &s), STARTUP_V3);
	free(p);
}

/* What follows the packet is not part of it. */
static void
test_more_behind(void **state PG_UNUSED)
{
	char *p = packet(20, SSL, 0);
	struct startup_packet s;

	wire_put_u32(p, 8);
	assert_int_equal(startup_next(p, 20, &s), STARTUP_SSL);
	assert_int_equal(s.size, 8);
	free(p);
}

static void
test_versions(void **state PG_UNUSED)
{
	static const struct {
		uint32_t version;
		enum startup_kind kind;
	} rows[] = {
		{ 0, STARTUP_UNSUPPORTED },
		{ 1u << 16, STARTUP_UNSUPPORTED },
		{ 2u << 16, STARTUP_UNSUPPORTED },
		{ 3u << 16, STARTUP_V3 },
		{ 3u << 16 | 1, STARTUP_V3 },
		{ 3u << 16 | 2, STARTUP_V3 },
		{ 3u << 16 | 9999, STARTUP_V3 },
		{ 4u << 16, STARTUP_UNSUPPORTED },
		{ 1234u << 16 | 5677, STARTUP_UNSUPPORTED },
		{ 1234u << 16 | 5681, STARTUP_UNSUPPORTED },
		{ UINT32_MAX, STARTUP_UNSUPPORTED },
	};
	struct startup_packet s;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(kind_of(9, rows[i].version, &s),
		    rows[i].kind);
		assert_int_equal(s.version, rows[i].version);
		assert_int_equal(s.size, 9);
	}
}

static void
test_requests(void **state PG_UNUSED)
{
	static const struct {
		uint32_t len, code;
		enum startup_kind kind;
	} rows[] = {
		{ 8, SSL, STARTUP_SSL },
		{ 9, SSL, STARTUP_BAD },
		{ 10000, SSL, STARTUP_BAD },
		{ 8, GSS, STARTUP_GSS },
		{ 9, GSS, STARTUP_BAD },
		{ 8, CANCEL, STARTUP_BAD },
		{ 12, CANCEL, STARTUP_BAD },
		{ 15, CANCEL, STARTUP_BAD },
		{ 16, CANCEL, STARTUP_CANCEL },
		{ 17, CANCEL, STARTUP_CANCEL },
		{ 44, CANCEL, STARTUP_CANCEL },
		{ 268, CANCEL, STARTUP_CANCEL },
		{ 269, CANCEL, STARTUP_BAD },
		{ 10000, CANCEL, STARTUP_BAD },
	};
	struct startup_packet s;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(kind_of(rows[i].len, rows[i].code, &s),
		    rows[i].kind);
	assert_int_equal(kind_of(268, CANCEL, &s), STARTUP_CANCEL);
	assert_int_equal(s.cancel_key_len, 256);
}

static void
test_cancel_fields(void **state PG_UNUSED)
{
	const char p[] = "\0\0\0\x10\x04\xd2\x16\x2e\0\1\2\3abcd";
	struct startup_packet s;

	assert_int_equal(startup_next(p, 16, &s), STARTUP_CANCEL);
	assert_int_equal(s.size, 16);
	assert_int_equal(s.cancel_pid, 0x00010203);
	assert_int_equal(s.cancel_key_len, 4);
	assert_memory_equal(s.cancel_key, "abcd", 4);
}

static void
test_tls_hello(void **state PG_UNUSED)
{
	struct startup_packet s;

	assert_int_equal(startup_next("\x16", 1, &s), STARTUP_TLS_HELLO);
	assert_int_equal(startup_next("\x16\3\1\2\0\1", 6, &s),
	    STARTUP_TLS_HELLO);
	assert_int_equal(startup_next("", 0, &s), STARTUP_NEED_MORE);
}

/* ----------------------------------------------------------- parameters */

/* Walk a list and write it as "name=value;..." followed by the last result;
 * the list is copied to its exact size. */
static const char *
walk(const char *list, size_t n)
{
	static char text[256];
	char *p = packet((uint32_t)(8 + n), V3, 0);
	struct startup_packet s;
	const char *name, *value;
	size_t pos = 0, used = 0, steps = 0;
	int got;

	memcpy(p + 8, list, n);
	assert_int_equal(startup_next(p, 8 + n, &s), STARTUP_V3);
	while ((got = startup_param(&s, &pos, &name, &value)) == 1) {
		assert_true(++steps <= n);
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "%s=%s;", name, value);
		assert_true(used < sizeof(text));
	}
	snprintf(text + used, sizeof(text) - used, "%d", got);
	assert_int_equal(startup_param(&s, &pos, &name, &value), got);
	free(p);
	return text;
}

#define WALK(list, expect) \
	assert_string_equal(walk(list, sizeof(list) - 1), expect)

static void
test_params(void **state PG_UNUSED)
{
	WALK("user\0bob\0database\0app\0\0", "user=bob;database=app;0");
	WALK("\0", "0");
	WALK("options\0\0user\0x\0\0", "options=;user=x;0");
	/* no terminator */
	WALK("", "-1");
	WALK("user\0bob\0", "user=bob;-1");
	WALK("user\0bo", "-1");
	WALK("user", "-1");
	/* an odd list: the terminator is taken for a value */
	WALK("user\0bob\0database\0\0", "user=bob;database=;-1");
	WALK("user\0", "-1");
	/* something behind the end */
	WALK("user\0bob\0\0x", "user=bob;-1");
	WALK("\0\0", "-1");
	WALK("\0user\0bob\0\0", "-1");
}

/* -------------------------------------------------------------- options */

struct seen {
	char text[512];
	unsigned count, stop_at;
};

static bool
see(void *arg, const char *name, const char *value)
{
	struct seen *seen = arg;
	size_t used = strlen(seen->text);

	snprintf(seen->text + used, sizeof(seen->text) - used, "[%s]=[%s]",
	    name, value);
	return ++seen->count != seen->stop_at;
}

static void
test_options(void **state PG_UNUSED)
{
	static const struct {
		const char *text;
		bool ok;
		const char *seen;
	} rows[] = {
		{ "", true, "" },
		{ " \t\n\v\f\r ", true, "" },
		{ "-c a=b", true, "[a]=[b]" },
		{ "-ca=b", true, "[a]=[b]" },
		{ "--a=b", true, "[a]=[b]" },
		{ "  -c   a=b   --c=d ", true, "[a]=[b][c]=[d]" },
		{ "-c a=b -cc=d --e-f=g-h", true, "[a]=[b][c]=[d][e_f]=[g-h]" },
		{ "-c a-b=c-d", true, "[a_b]=[c-d]" },
		{ "--search_path=a,b", true, "[search_path]=[a,b]" },
		{ "-c a=", true, "[a]=[]" },
		{ "-c a==b=c", true, "[a]=[=b=c]" },
		{ "-c\ta=b\n--c=d", true, "[a]=[b][c]=[d]" },
		/* the word after -c is taken whatever it looks like */
		{ "-c --a=b", true, "[__a]=[b]" },
		{ "-c -c=b", true, "[_c]=[b]" },
		/* escapes */
		{ "-c a=b\\ c", true, "[a]=[b c]" },
		{ "-c a=b\\\\c", true, "[a]=[b\\c]" },
		{ "-c a=\\b", true, "[a]=[b]" },
		{ "-c a=b\\", true, "[a]=[b]" },
		{ "-c a=b\\\\", true, "[a]=[b\\]" },
		{ "\\-c a=b", true, "[a]=[b]" },
		{ "-c\\ a=b", true, "[ a]=[b]" },
		{ "-c a\\=b", true, "[a]=[b]" },
		{ "-c datestyle=iso,\\ dmy --x=y", true,
		    "[datestyle]=[iso, dmy][x]=[y]" },
		{ "--", true, "" },
		{ "-c a=b -- ", true, "[a]=[b]" },
		/* refused */
		{ "-c", false, "" },
		{ "-c ", false, "" },
		{ "-c=", false, "" },
		{ "-c =", false, "" },
		{ "-c=b", false, "" },
		{ "-c =b", false, "" },
		{ "--=", false, "" },
		{ "--=b", false, "" },
		{ "-- a=b", false, "" },
		{ "-- --", false, "" },
		{ "-- -c", false, "" },
		{ "--a", false, "" },
		{ "-c a", false, "" },
		{ "-c \\", false, "" },
		{ "\\", false, "" },
		{ "-", false, "" },
		{ "a=b", false, "" },
		{ "-e", false, "" },
		{ "-S 64", false, "" },
		{ "-c a=b x", false, "[a]=[b]" },
		{ "-c a=b -", false, "[a]=[b]" },
		{ "-c a=b \\", false, "[a]=[b]" },
		{ "-c a=b -c", false, "[a]=[b]" },
		{ "-c a=b -d3", false, "[a]=[b]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct seen seen = { .stop_at = 0 };
		bool ok = startup_options(rows[i].text, see, &seen);

		if (ok != rows[i].ok ||
		    strcmp(seen.text, rows[i].seen) != 0)
			fail_msg("options \"%s\": %d %s", rows[i].text, ok,
			    seen.text);
	}
}

static void
test_options_stop(void **state PG_UNUSED)
{
	struct seen seen = { .stop_at = 2 };

	assert_false(startup_options("-ca=1 -cb=2 -cc=3", see, &seen));
	assert_string_equal(seen.text, "[a]=[1][b]=[2]");
}

static bool
long_value(void *arg, const char *name, const char *value)
{
	assert_string_equal(name, "a");
	*(size_t *)arg = strlen(value);
	return true;
}

static void
test_options_long(void **state PG_UNUSED)
{
	char *text = malloc(10002);
	size_t len = 0;

	assert_non_null(text);
	memset(text, 'x', 10001);
	memcpy(text, "--a=", 4);
	text[10000] = '\0';
	assert_true(startup_options(text, long_value, &len));
	assert_int_equal(len, 9996);
	text[10000] = 'x';
	text[10001] = '\0';
	assert_false(startup_options(text, long_value, &len));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_more_behind),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_cancel_fields),
		cmocka_unit_test(test_tls_hello),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_options_stop),
		cmocka_unit_test(test_options_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
