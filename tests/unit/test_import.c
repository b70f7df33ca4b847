/* SPDX-License-Identifier: PostgreSQL
 *
 * Configurations made of PgBouncer's: what each setting becomes, what is said
 * about the rest and where, and that every one that is mapped is taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "import/import_priv.h"
#include "import/ini.h"
#include "import/pairs.h"

static const char *main_text, *included_text;
static struct buf out;
static char *said;

static bool
read_text(void *arg PG_UNUSED, const char *path, struct buf *b, char *why,
    size_t why_size)
{
	const char *text = strcmp(path, "p.ini") == 0 ? main_text :
	    strcmp(path, "more.ini") == 0 ? included_text : NULL;

	if (text == NULL) {
		(void)snprintf(why, why_size, "no such file");
		return false;
	}
	return buf_append(b, text, strlen(text));
}

static bool
render_with(const char *text, const struct import_users *users)
{
	struct import *im;
	bool ok;

	main_text = text;
	buf_reset(&out);
	im = import_new("p.ini", read_text, NULL);
	ok = import_render(im, users, &out);
	assert_true(buf_append(&out, "", 1));
	free(said);
	said = x_strndup(import_said(im).p != NULL ? import_said(im).p : "",
	    import_said(im).n);
	import_free(&im);
	return ok;
}

static bool
render(const char *text)
{
	const struct import_users users = { .path = "users.txt", .why = "" };

	return render_with(text, &users);
}

static void
has(const char *line)
{
	if (strstr(buf_head(&out), line) == NULL)
		fail_msg("no \"%s\" in:\n%s", line, buf_head(&out));
}

static void
lacks(const char *line)
{
	if (strstr(buf_head(&out), line) != NULL)
		fail_msg("\"%s\" in:\n%s", line, buf_head(&out));
}

static void
says(const char *text)
{
	if (strstr(said, text) == NULL)
		fail_msg("\"%s\" was not said, but:\n%s", text, said);
}

/* The configuration is taken, but for files that are not there. */
static void
loads(void)
{
	struct conf_diag d;
	struct conf *c = conf_load_buffer("out", buf_head(&out),
	    strlen(buf_head(&out)), &d);
	int i;

	for (i = 0; i < d.n; i++)
		if (strstr(d.msg[i], "cannot open") == NULL &&
		    strstr(d.msg[i], "cannot look") == NULL)
			fail_msg("%s in:\n%s", d.msg[i], buf_head(&out));
	conf_diag_fini(&d);
	conf_unref(&c);
}

/* ---- pieces ---- */

static void
test_pairs(void **state PG_UNUSED)
{
	struct pairs p;

	pairs_init(&p, SLICE_LIT(" host=a  password = 'it''s = x' q='' e= "));
	assert_int_equal(pairs_next(&p), 1);
	assert_string_equal(p.key, "host");
	assert_string_equal(p.value, "a");
	assert_int_equal(pairs_next(&p), 1);
	assert_string_equal(p.key, "password");
	assert_string_equal(p.value, "it's = x");
	assert_int_equal(pairs_next(&p), 1);
	assert_string_equal(p.value, "");
	assert_int_equal(pairs_next(&p), 1);
	assert_string_equal(p.key, "e");
	assert_string_equal(p.value, "");
	assert_int_equal(pairs_next(&p), 0);
	pairs_init(&p, SLICE_LIT("a 'b"));
	assert_int_equal(pairs_next(&p), -1);
	pairs_init(&p, SLICE_LIT("a='b"));
	assert_int_equal(pairs_next(&p), -1);
	assert_non_null(strstr(p.wrong, "not closed"));
}

static void
test_quoting(void **state PG_UNUSED)
{
	struct buf b;

	buf_init(&b, 1000);
	import_conninfo(&b, "password", "a'b\\c");
	import_put(&b, " ");
	import_quote(&b, "x\"$\\");
	assert_true(buf_append(&b, "", 1));
	assert_string_equal(buf_head(&b), "password='a\\'b\\\\c' "
	    "\"x\\\"\\$\\\\\"");
	buf_reset(&b);
}

static void
test_scalars(void **state PG_UNUSED)
{
	static const struct {
		enum import_how how;
		const char *to, *value, *text;
		bool cut;
	} rows[] = {
		{ IMPORT_SECONDS, "query_timeout", "1.5", "1500ms", false },
		{ IMPORT_SECONDS, "query_timeout", "0", "0", false },
		{ IMPORT_SECONDS, "user.query_timeout", "60", "1min", false },
		{ IMPORT_SECONDS, "client_login_timeout", "0", "1h", true },
		{ IMPORT_SECONDS, "client_login_timeout", "0.5", "1s", true },
		{ IMPORT_SECONDS, "server_idle_timeout", "1e6", "1d", true },
		{ IMPORT_LIFETIME, "server_lifetime", "0", "1ms", false },
		{ IMPORT_RETRY, "server_login_retry", "15", "1s", false },
		{ IMPORT_RETRY, "server_login_retry", "0.001", "1ms", false },
		{ IMPORT_MILLISECONDS, "tcp_user_timeout", "1500", "1500ms",
		    false },
		{ IMPORT_BYTES, "max_message_size", "2147483647", "1GB", true },
		{ IMPORT_BYTES, "max_message_size", "1048576", "1MB", false },
		{ IMPORT_NUMBER, "pool_size", "0x10", "16", false },
		{ IMPORT_NUMBER, "pool_size", "0", "10000", true },
		{ IMPORT_NUMBER, "backend.pool_size", "5", "5", false },
		{ IMPORT_PREPARED, "max_server_prepared", "5", "10", true },
		{ IMPORT_OCTAL, "unix_socket_mode", "0770", "0770", false },
		{ IMPORT_SWITCH, "tcp_keepalive", "0", "false", false },
	};
	static const char *const bad[] = { "", "x", "-1", "1 2", "nan", "1s" };
	char text[64];
	bool cut;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(import_scalar(rows[i].how, rows[i].to,
		    rows[i].value, text, sizeof(text), &cut));
		assert_string_equal(text, rows[i].text);
		assert_int_equal(cut, rows[i].cut);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(import_scalar(IMPORT_SECONDS, "query_timeout",
		    bad[i], text, sizeof(text), &cut));
		assert_false(import_scalar(IMPORT_NUMBER, "pool_size", bad[i],
		    text, sizeof(text), &cut));
	}
}

/* ---- the whole ---- */

static void
test_empty(void **state PG_UNUSED)
{
	assert_true(render(""));
	has("listen = {\"127.0.0.1:6432\"}\n");
	has("unix_socket_dir = \"/tmp\"\n");
	has("pool_mode = \"session\"\n");
	has("auth = \"md5\"\n");
	has("max_client_conn = 100\n");
	has("database \"postgres\" {\n");
	assert_string_equal(said, "");
	loads();
}

static void
test_order_and_places(void **state PG_UNUSED)
{
	included_text = "query_timeout = 2\n";
	assert_true(render("[pgbouncer]\n"
	    "query_timeout = 1\n"
	    "server_fast_close = 1\n"
	    "%include more.ini\n"
	    "logfile = /x\n"));
	has("# p.ini:2: query_timeout: set again in line 1\n"
	    "# p.ini:3: server_fast_close = 1: ");
	has("\nquery_timeout = 2s\n# p.ini:5: logfile = /x: ");
	says("p.ini:3: server_fast_close = 1: With session pooling");
	loads();
}

static void
test_mistakes(void **state PG_UNUSED)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "[pgbouncer]\n\nfrob = 1\n", "p.ini:3: frob: " },
		{ "[frob]\na = 1\n", "p.ini:2: [frob] is not known" },
		{ "a = 1\n", "p.ini:1: [] is not known" },
		{ "[databases]\na = frob=1\n", "p.ini:2: frob: " },
		{ "[databases]\na = host\n", "p.ini:2: a: word without =" },
		{ "[databases]\npgsluice = host=x\n", "cannot be a name" },
		{ "[users]\na = port=1\n", "p.ini:2: port: " },
		{ "[pgbouncer]\npool_mode = x\n", "p.ini:2: pool_mode: 'x'" },
		{ "[pgbouncer]\npool_mode = \n", "p.ini:2: pool_mode: ''" },
		{ "[pgbouncer]\nauth_type = x\n", "p.ini:2: auth_type: 'x'" },
		{ "[pgbouncer]\nlisten_port = x\n", "p.ini:2: listen_port: " },
		{ "[pgbouncer]\nquery_timeout = x\n", "is no number" },
		{ "[databases]\na = pool_size=x\n", "is no number" },
		{ "[databases]\na = pool_mode=x\n", "p.ini:2: pool_mode: 'x'" },
		{ "%include none.ini\n", "p.ini:1: none.ini: no such file" },
		{ "%include p.ini\n", "over 10 deep" },
		{ "[pgbouncer\n", "p.ini:1: section is not closed" },
		{ "\"a = 1\n", "p.ini:1: name is not closed" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (render(rows[i].text))
			fail_msg("taken: %s", rows[i].text);
		says(rows[i].expected);
	}
}

static void
test_addresses(void **state PG_UNUSED)
{
	assert_true(render("[pgbouncer]\nlisten_addr = a, ::1,*\n"
	    "listen_port = 7\nunix_socket_dir = @x\n"));
	has("listen = {\"a:7\", \"[::1]:7\", \"0.0.0.0:7\", \"[::]:7\"}\n");
	lacks("unix_socket_dir =\"");
	says("p.ini:4: unix_socket_dir = @x: there are no abstract");
	loads();
}

static void
test_databases(void **state PG_UNUSED)
{
	assert_true(render("[databases]\n"
	    "alias = host=h port=1 dbname=real user=u pool_size=3 "
	    "reserve_pool=1 reserve_pool_size=2 pool_mode=statement\n"
	    "local = datestyle='ISO, DMY' timezone=UTC connect_query='x y'\n"
	    "\"o\"\"dd\" = host=h host=i\n"
	    "* = host=fallback\n"
	    "[pgbouncer]\nunix_socket_dir = /sock\n"));
	has("\tconninfo = \"host='h' port='1' dbname='real' user='u'\"\n"
	    "\tpool_size = 3\n\treserve_pool_size = 2\n}\n"
	    "database \"alias\" {\n\tbackend = \"alias\"\n"
	    "\tpool_mode = \"transaction\"\n}\n");
	has("host='/sock' dbname='local' options='-c datestyle=ISO,\\\\\\\\ "
	    "DMY -c timezone=UTC'");
	has("backend \"o\\\"dd\" {\n\tconninfo = \"host='i'");
	has("database \"postgres\" {\n");
	has("conninfo = \"host='fallback' dbname='postgres'\"\n");
	says("p.ini:3: connect_query = x y: ");
	says("p.ini:5: * = ...: names that are not listed");
	loads();
	/* A database of that name is not written twice. */
	assert_true(render("[databases]\n* = host=f\npostgres = host=g\n"));
	lacks("host='f'");
	loads();
}

static void
test_users(void **state PG_UNUSED)
{
	assert_true(render("[users]\na = pool_mode=session "
	    "max_user_connections=3 query_timeout=2\nb = pool_size=3\n"));
	has("user \"a\" {\n\tmax_user_connections = 3\n"
	    "\tquery_timeout = 2s\n}\n");
	lacks("user \"b\"");
	says("p.ini:2: pool_mode = session: ");
	loads();
}

static void
test_tls(void **state PG_UNUSED)
{
	assert_true(render("[pgbouncer]\nclient_tls_sslmode = allow\n"
	    "client_tls_ca_file = /ca\nclient_tls_cert_file = /c\n"
	    "client_tls_key_file = /k\nclient_tls_protocols = all\n"
	    "client_tls_ciphers = fast\nserver_tls_protocols = tlsv1.3\n"
	    "server_tls_sslmode = verify-full\n"));
	lacks("\ntls_ca_file");
	has("tls_min_version = \"TLSv1.2\"\n");
	has("server_tls_min_version = \"TLSv1.3\"\n");
	has("server_tls_ca_file = \"/etc/ssl/certs/");
	says("p.ini:6: client_tls_protocols = all: TLS older than 1.2");
	loads();
	assert_true(render("[pgbouncer]\nclient_tls_sslmode = verify-ca\n"
	    "client_tls_ca_file = /ca\nclient_tls_cert_file = /c\n"
	    "client_tls_key_file = /k\n"));
	has("\ntls_ca_file = \"/ca\"\n");
	loads();
}

static void
test_auth(void **state PG_UNUSED)
{
	const struct import_users none = { .why = "mode is 0644" };

	assert_true(render("[pgbouncer]\nauth_type = pam\n"
	    "auth_hba_file = /h\nauth_file = /f\n"
	    "auth_ldap_options = ldapbindpasswd=canary\n"
	    "auth_dbname = x\nauth_query = SELECT \"a\"\n"));
	/* What cannot be taken over lets nobody in. */
	has("auth = \"scram-sha-256\"\n");
	lacks("auth_hba_file = \"");
	lacks("auth_dbname = \"");
	lacks("canary");
	has("users_file = \"users.txt\"\n");
	has("auth_query = \"SELECT \\\"a\\\"\"\n");
	assert_null(strstr(said, "canary"));
	loads();
	assert_true(render_with("[pgbouncer]\nauth_file = /f\n", &none));
	lacks("users_file");
	says("p.ini:2: auth_file = /f: is not taken as it is (mode is 0644)");
	loads();
}

/* PgBouncer takes the password of a forced user from auth_file. */
static void
test_forced_user(void **state PG_UNUSED)
{
	char path[] = "/tmp/pgsluice-import.XXXXXX", err[256];
	struct import_users users = { .path = path, .why = "" };
	struct userdb *db;
	int fd = mkstemp(path);
	static const char lines[] = "\"owner\" \"it's\"\n\"h\" "
	    "\"md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n";

	assert_true(fd >= 0);
	assert_int_equal(write(fd, lines, sizeof(lines) - 1),
	    sizeof(lines) - 1);
	close(fd);
	db = userdb_load(path, NULL, err, sizeof(err));
	assert_non_null(db);
	users.db = db;
	assert_true(render_with("[databases]\na = user=owner\n"
	    "b = user=owner password=own\nc = user=h\n"
	    "[pgbouncer]\nauth_file = x\n", &users));
	has("dbname='a' password='it\\\\'s'\"");
	has("password='own'");
	has("conninfo = \"user='h' host='/tmp' dbname='c'\"\n");
	says("p.ini:6: auth_file = x: 1 of 2 users have a verifier");
	assert_null(strstr(said, "it's"));
	loads();
	userdb_unref(&db);
	unlink(path);
}

static void
test_peers(void **state PG_UNUSED)
{
	assert_true(render("[pgbouncer]\npeer_id = 2\n"
	    "unix_socket_dir = /tmp/b\n[peers]\n"
	    "1 = host=10.0.0.1 port=6433 pool_size=5\n"
	    "2 = host=/tmp/a\n3 = port=7\n"
	    "4 = host=localhost\n300 = host=10.0.0.1\n"));
	has("node = 2\n");
	has("peer \"1\" {\n\thost = \"10.0.0.1\"\n\tport = 6433\n}\n");
	has("peer \"2\" {\n\thost = \"/tmp/a\"\n}\n");
	has("peer \"3\" {\n\thost = \"/tmp/b\"\n\tport = 7\n}\n");
	lacks("peer \"4\"");
	lacks("peer \"300\"");
	says("p.ini:5: pool_size = 5: ");
	says("p.ini:8: 4 = localhost: is at no address that is taken");
	says("p.ini:9: 300 = 10.0.0.1: is no number that a node can have");
	loads();
	assert_true(render("[pgbouncer]\npeer_id = 16383\n[peers]\n"
	    "1 = host=10.0.0.1\n"));
	lacks("node =");
	lacks("peer \"1\"");
	says("p.ini:2: peer_id = 16383: is no number that a node can have");
	says("p.ini:4: 1 = 10.0.0.1: is of no use without peer_id");
	loads();
	assert_true(render("[pgbouncer]\npeer_id = 0\n"));
	lacks("node =");
	says("p.ini:2: peer_id = 0: is no peer");
	loads();
}

static const struct {
	const char *name, *value;
} samples[] = {
	{ "listen_addr", "127.0.0.1" }, { "pool_mode", "statement" },
	{ "auth_type", "any" }, { "auth_query", "SELECT 1" },
	{ "auth_user", "a" }, { "admin_users", "a, b" },
	{ "stats_users", "c" }, { "unix_socket_dir", "/tmp" },
	{ "client_tls_protocols", "secure" },
	{ "server_tls_protocols", "tlsv1.2,tlsv1.3" },
	{ "client_tls_sslmode", "disable" },
	{ "server_tls_sslmode", "require" },
	{ "client_tls_ciphers", "HIGH" },
	{ "target_session_attrs", "any" }, { "client_encoding", "UTF8" },
	{ "host", "h" }, { "user", "u" }, { "password", "p" },
	{ "dbname", "d" }, { "datestyle", "ISO" }, { "timezone", "UTC" },
};

/* Every row: an example of its value gives a configuration that is taken, and
 * what is not mapped is said with its place. */
static void
test_every_setting(void **state PG_UNUSED)
{
	static const struct import_row rows[] = {
#define IMPORT(place, name, fate, how, to, doc) \
	{ IMPORT_##place, name, IMPORT_##fate, IMPORT_##how, to, doc },
#include "tbl/import_pgbouncer.h"
	};
	static const char *const heads[] = { "[pgbouncer]\n",
		"[databases]\nx = ", "[users]\nx = ", "[peers]\n1 = " };
	char text[512], place[64];
	const char *value;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(import_row_find(rows[i].place,
		    rows[i].name)->doc, rows[i].doc);
		value = "30";
		for (k = 0; k < ARRAY_SIZE(samples); k++)
			if (strcmp(samples[k].name, rows[i].name) == 0)
				value = samples[k].value;
		(void)snprintf(text, sizeof(text),
		    rows[i].place == IMPORT_GLOBAL ? "%s%s=%s\n" :
		    "%s%s='%s'\n", heads[rows[i].place], rows[i].name, value);
		if (!render(text))
			fail_msg("%s gives %s", text, said);
		if (rows[i].fate != IMPORT_MAPPED) {
			(void)snprintf(place, sizeof(place), "# p.ini:2: %s = ",
			    rows[i].name);
			has(place);
			assert_true(said[0] != '\0');
		}
		if (strstr(rows[i].name, "_tls_cert_file") == NULL &&
		    strstr(rows[i].name, "_tls_key_file") == NULL)
			loads();
	}
}

static void
test_users_file(void **state PG_UNUSED)
{
	static const char text[] = "; comment\n"
	    "\"b\" \"two\" \"ignored\"\n"
	    "\"a\"\"x\" \"q\"\"q\"\n"
	    "\"b\" \"three\"\n"
	    "\"c\" \"\"\n"
	    "\"d\" \"SCRAM-SHA-256$1\"\n"
	    "e f\n"
	    "\"g\" \"open\n";
	struct buf users, told;

	buf_init(&users, 10000);
	buf_init(&told, 10000);
	assert_false(import_users_text("u", SLICE_LIT(text), &users, &told));
	assert_true(buf_append(&users, "", 1) && buf_append(&told, "", 1));
	assert_string_equal(buf_head(&users),
	    "\"a\"\"x\" \"q\"\"q\"\n\"b\" \"three\"\n");
	assert_non_null(strstr(buf_head(&told), "u:5: empty secret"));
	assert_non_null(strstr(buf_head(&told), "u:6: malformed verifier"));
	assert_non_null(strstr(buf_head(&told), "u:7: no \"user\""));
	assert_non_null(strstr(buf_head(&told), "u:8: a quote is never"));
	buf_reset(&users);
	buf_reset(&told);
}

static int
teardown(void **state PG_UNUSED)
{
	buf_reset(&out);
	free(said);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_order_and_places),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_databases),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_forced_user),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_every_setting),
		cmocka_unit_test(test_users_file),
	};

	buf_init(&out, 16 * 1024 * 1024);
	return cmocka_run_group_tests(tests, NULL, teardown);
}
