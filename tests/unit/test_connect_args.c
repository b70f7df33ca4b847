/* SPDX-License-Identifier: PostgreSQL
 *
 * Arguments for libpq: what stands where, and startup settings that come out
 * of PostgreSQL's option syntax as they went in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libpq-fe.h>

#include "backend/connect_args.h"
#include "base/check.h"
#include "pgwire/frame.h"

#define STARTUP(s) (s), sizeof(s) - 1

struct arguments {
	char **keywords, **values;
};

static bool keys_work;

/* In the place of what asks libpq for its version. */
bool
credentials_keys_work(void)
{
	return keys_work;
}

static struct arguments
make_with(const char *conninfo, const struct credentials *with,
    const char *startup, size_t n)
{
	struct arguments a;

	connect_args(conninfo, "joe", with, startup, n, &a.keywords,
	    &a.values);
	return a;
}

static struct arguments
make(const char *conninfo, const char *password, const char *startup, size_t n)
{
	struct credentials with = { .password = (char *)(uintptr_t)password };

	return make_with(conninfo, &with, startup, n);
}

static void
drop(struct arguments *a)
{
	for (size_t i = 0; a->keywords[i] != NULL; i++) {
		free(a->keywords[i]);
		free(a->values[i]);
	}
	free(a->keywords);
	free(a->values);
}

/* The one value of a keyword, or NULL. */
static const char *
value(const struct arguments *a, const char *keyword)
{
	const char *found = NULL;

	for (size_t i = 0; a->keywords[i] != NULL; i++)
		if (strcmp(a->keywords[i], keyword) == 0) {
			assert_null(found);
			found = a->values[i];
		}
	return found;
}

static void
test_plain(void **state PG_UNUSED)
{
	struct arguments a = make("host=h port=5433 dbname='my db'", NULL, "",
	    0);

	assert_string_equal(value(&a, "host"), "h");
	assert_string_equal(value(&a, "port"), "5433");
	assert_string_equal(value(&a, "dbname"), "my db");
	assert_string_equal(value(&a, "user"), "joe");
	assert_string_equal(value(&a, "fallback_application_name"),
	    "pgsluice");
	assert_string_equal(value(&a, "tcp_user_timeout"), "10000");
	assert_null(value(&a, "password"));
	assert_null(value(&a, "options"));
	drop(&a);
}

static void
test_who_wins(void **state PG_UNUSED)
{
	struct arguments a = make("host=h user=other password=file "
	    "tcp_user_timeout=7 sslmode=verify-full", "given", "", 0);

	/* The pool's user and password, for the rest the file. */
	assert_string_equal(value(&a, "user"), "joe");
	assert_string_equal(value(&a, "password"), "given");
	assert_string_equal(value(&a, "tcp_user_timeout"), "7");
	assert_string_equal(value(&a, "sslmode"), "verify-full");
	drop(&a);
	a = make("host=h password=file", NULL, "", 0);
	assert_string_equal(value(&a, "password"), "file");
	drop(&a);
}

/* A client's own password yields to one that the file has. */
static void
test_own_credentials(void **state PG_UNUSED)
{
	struct credentials own = { .password = (char *)"own",
		.clients_own = true };
	struct credentials keys = { .client_key = (char *)"ck",
		.server_key = (char *)"sk", .clients_own = true };
	struct arguments a = make_with("host=h", &own, "", 0);

	assert_string_equal(value(&a, "password"), "own");
	drop(&a);
	a = make_with("host=h password=file", &own, "", 0);
	assert_string_equal(value(&a, "password"), "file");
	drop(&a);
	a = make_with("host=h passfile=/p", &own, "", 0);
	assert_null(value(&a, "password"));
	drop(&a);
	/* A libpq that does not know the keys would refuse to connect. */
	a = make_with("host=h", &keys, "", 0);
	assert_null(value(&a, "scram_client_key"));
	drop(&a);
	keys_work = true;
	a = make_with("host=h", &keys, "", 0);
	assert_string_equal(value(&a, "scram_client_key"), "ck");
	assert_string_equal(value(&a, "scram_server_key"), "sk");
	drop(&a);
	a = make_with("host=h password=file", &keys, "", 0);
	assert_null(value(&a, "scram_client_key"));
	drop(&a);
	keys_work = false;
}

static void
test_settings_with_keywords_of_their_own(void **state PG_UNUSED)
{
	struct arguments a = make("host=h client_encoding=LATIN1", NULL,
	    STARTUP("application_name\0my app\0client_encoding\0UTF8\0"));

	assert_string_equal(value(&a, "client_encoding"), "UTF8");
	assert_string_equal(value(&a, "application_name"), "my app");
	assert_null(value(&a, "options"));
	drop(&a);
}

static void
test_options_are_appended(void **state PG_UNUSED)
{
	struct arguments a = make("host=h options='-c work_mem=1MB'", NULL,
	    STARTUP("DateStyle\0ISO, DMY\0TimeZone\0UTC\0"));

	assert_string_equal(value(&a, "options"),
	    "-c work_mem=1MB -c DateStyle=ISO,\\ DMY -c TimeZone=UTC");
	drop(&a);
	a = make("host=h options='-c work_mem=1MB'", NULL, "", 0);
	assert_string_equal(value(&a, "options"), "-c work_mem=1MB");
	drop(&a);
	a = make("host=h", NULL, STARTUP("TimeZone\0UTC\0"));
	assert_string_equal(value(&a, "options"), "-c TimeZone=UTC");
	drop(&a);
}

/* ---- there and back ------------------------------------------------------- */

struct expectation {
	const char *const *values;
	size_t n, seen;
};

static bool
compare(void *arg, const char *name, const char *text)
{
	struct expectation *e = arg;
	char expected[32];

	snprintf(expected, sizeof(expected), "my.setting%zu", e->seen);
	assert_string_equal(name, expected);
	assert_true(e->seen < e->n);
	assert_string_equal(text, e->values[e->seen++]);
	return true;
}

/* startup_options() reads options as PostgreSQL does. */
static void
round_trip(const char *const *values, size_t n)
{
	struct expectation e = { values, n, 0 };
	char startup[4096], *p = startup;
	struct arguments a;

	for (size_t i = 0; i < n; i++) {
		p += sprintf(p, "my.setting%zu", i) + 1;
		p = stpcpy(p, values[i]) + 1;
	}
	a = make("host=h", NULL, startup, (size_t)(p - startup));
	assert_true(startup_options(value(&a, "options"), compare, &e));
	assert_int_equal(e.seen, n);
	drop(&a);
}

static void
test_escaping_round_trip(void **state PG_UNUSED)
{
	static const char *const odd[] = { "plain", "", "two words",
		" leading and trailing ", "back\\slash", "\\", "\\\\ \\",
		"tab\there", "line\nfeed\r\f\v", "'quotes\" and '' more",
		"-c other=1", "--other=1", "a=b=c", "$user, \"Public\"",
		"\xc3\xa4\xc3\xb6", "100%", "# ; , |" };
	char all[256][2];
	const char *one;

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		round_trip(&odd[i], 1);
	round_trip(odd, ARRAY_SIZE(odd));
	for (int c = 1; c < 256; c++) {
		all[c][0] = (char)c;
		all[c][1] = '\0';
		one = all[c];
		round_trip(&one, 1);
	}
}

/* ---- identity --------------------------------------------------------------- */

static void
test_identity(void **state PG_UNUSED)
{
	char *s = connect_identity("main", "host=h hostaddr=127.0.0.1 "
	    "port=5433 dbname=d options='-c a=1' sslmode=require "
	    "sslkey=/key sslpassword=S3CRET password=S3CRET "
	    "passfile=/S3CRET", "joe", STARTUP("TimeZone\0UTC\0"));

	assert_non_null(strstr(s, "backend=main"));
	assert_non_null(strstr(s, "user=joe"));
	assert_non_null(strstr(s, "host=h"));
	assert_non_null(strstr(s, "hostaddr=127.0.0.1"));
	assert_non_null(strstr(s, "port=5433"));
	assert_non_null(strstr(s, "dbname=d"));
	assert_non_null(strstr(s, "options=-c a=1"));
	assert_non_null(strstr(s, "startup:TimeZone=UTC"));
	assert_null(strstr(s, "S3CRET"));
	assert_null(strstr(s, "password"));
	free(s);
}

static void
test_identities_differ(void **state PG_UNUSED)
{
	char *v[] = {
		connect_identity("a", "host=h", "joe", "", 0),
		connect_identity("b", "host=h", "joe", "", 0),
		connect_identity("a", "host=i", "joe", "", 0),
		connect_identity("a", "host=h", "ann", "", 0),
		connect_identity("a", "host=h dbname=x", "joe", "", 0),
		connect_identity("a", "host=h port=1", "joe", "", 0),
		connect_identity("a", "host=h", "joe",
		    STARTUP("TimeZone\0UTC\0")),
		connect_identity("a", "host=h", "joe",
		    STARTUP("TimeZone\0CET\0")),
		connect_identity("a", "host=h options='-c TimeZone=UTC'",
		    "joe", "", 0),
	};
	char *again = connect_identity("a", "host=h", "joe", "", 0);

	assert_string_equal(v[0], again);
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(v[i], v[k]);
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		free(v[i]);
	free(again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_who_wins),
		cmocka_unit_test(test_own_credentials),
		cmocka_unit_test(test_settings_with_keywords_of_their_own),
		cmocka_unit_test(test_options_are_appended),
		cmocka_unit_test(test_escaping_round_trip),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_identities_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
