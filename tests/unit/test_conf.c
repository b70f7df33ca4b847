/* SPDX-License-Identifier: PostgreSQL
 *
 * The configuration: defaults, names resolved, every kind of diagnostic with
 * its exact line, what a reload changes, and that passwords are never shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf_priv.h"
#include "conf/digest.h"

/* Two lines that make any text complete. */
#define REST "backend \"a\" { conninfo = \"host=h\" }\n" \
	"database \"d\" { backend = \"a\" }\n"

static char shown[65536]; /* what callbacks were handed */

static struct conf *
load(const char *text)
{
	struct conf_diag d;
	struct conf *c = conf_load_buffer("f", text, strlen(text), &d);
	int i;

	for (i = 0; i < d.n; i++)
		print_message("%s\n", d.msg[i]);
	assert_int_equal(d.n, 0);
	assert_non_null(c);
	return c;
}

/* The text must give exactly these lines, each ended by \n, as diagnostics. */
static void
refuse_bytes(const char *text, size_t len, const char *want)
{
	char got[CONF_DIAG_MAX * 600] = "";
	struct conf_diag d;
	size_t at = 0;
	int i;

	assert_null(conf_load_buffer("f", text, len, &d));
	for (i = 0; i < d.n; i++)
		at += (size_t)snprintf(got + at, sizeof(got) - at, "%s\n",
		    d.msg[i]);
	conf_diag_fini(&d);
	assert_int_equal(d.n, 0);
	assert_string_equal(got, want);
}

static void
refuse(const char *text, const char *want)
{
	refuse_bytes(text, strlen(text), want);
}

/* ---- what is taken ---- */

static void
test_defaults(void **state)
{
	struct conf *c = load(REST);

	(void)state;
	assert_int_equal(c->magic, CONF_MAGIC);
	assert_string_equal(c->path, "f");
	assert_int_equal(c->listen.n, 1);
	assert_string_equal(c->listen.v[0], "127.0.0.1:6432");
	assert_string_equal(c->unix_socket_dir, "");
	assert_int_equal(c->unix_socket_mode, 0777);
	assert_int_equal(c->log_level, 2);
	assert_int_equal(c->auth, CONF_AUTH_SCRAM);
	assert_int_equal(c->tls_mode, TLS_MODE_DISABLE);
	assert_int_equal(c->admin_users.n, 0);
	assert_int_equal(c->max_client_conn, 1000);
	assert_int_equal(c->max_message_size, 1024 * 1024 * 1024);
	assert_true(c->query_wait_timeout == 120 * NSEC_PER_SEC);
	assert_true(c->redis_timeout == 5 * NSEC_PER_MSEC);
	assert_int_equal(c->pool_mode, POOL_MODE_TRANSACTION);
	assert_int_equal(c->pool_size, 20);
	assert_string_equal(c->redis_prefix, "pgsluice");
	assert_int_equal(c->backends[0].pool_size, 0);
	assert_null(c->backends[0].user);
	assert_int_equal(c->databases[0].pool_mode, POOL_MODE_TRANSACTION);
	assert_true(c->databases[0].cache);
	assert_int_equal(c->n_tables, 0);
	assert_int_equal(c->n_rules, 0);
	conf_unref(&c);
	assert_null(c);
}

static void
test_forms_of_values(void **state)
{
	struct conf *c = load("# comment\r\n"
	    "#\n//\n/**/ /* two\nlines */ pool_size /**/ = 7 // why\n"
	    "listen = {\"127.0.0.1:6432\", # one\n"
	    "  '[::1]:6432' /* two */,\n localhost:0}\n"
	    "admin_users = root\n"
	    "stats_users = {}\n"
	    "log_level = DEBUG\n"
	    "unix_socket_mode = 770\n"
	    "client_idle_timeout = '7d'\n"
	    "cache_memory = \"1\\x47B\"\n"
	    "redis_prefix = \"a\\\"b#c//d/*e*/{}\"\n"
	    "pool_mode = session\n"
	    "readonly_functions = {\"f\"} readonly_functions += {\"g\"}\n" REST);

	(void)state;
	assert_int_equal(c->pool_size, 7);
	assert_int_equal(c->listen.n, 3);
	assert_string_equal(c->listen.v[1], "[::1]:6432");
	assert_string_equal(c->listen.v[2], "localhost:0");
	assert_int_equal(c->admin_users.n, 1);
	assert_string_equal(c->admin_users.v[0], "root");
	assert_int_equal(c->stats_users.n, 0);
	assert_int_equal(c->log_level, 3);
	assert_int_equal(c->unix_socket_mode, 0770);
	assert_true(c->client_idle_timeout == 7 * 86400 * NSEC_PER_SEC);
	assert_int_equal(c->cache_memory, 1024 * 1024 * 1024);
	assert_string_equal(c->redis_prefix, "a\"b#c//d/*e*/{}");
	assert_int_equal(c->databases[0].pool_mode, POOL_MODE_SESSION);
	assert_int_equal(c->readonly_functions.n, 2);
	assert_string_equal(c->readonly_functions.v[1], "g");
	conf_unref(&c);
}

static void
test_environment(void **state)
{
	struct conf *c;

	(void)state;
	assert_int_equal(setenv("TEST_CONF_PREFIX", "from env", 1), 0);
	c = load("redis_prefix = \"${TEST_CONF_PREFIX}\" redis_user = "
	    "'${TEST_CONF_PREFIX}' redis_host = \"\\${x\"\n" REST);
	assert_string_equal(c->redis_prefix, "from env");
	assert_string_equal(c->redis_user, "${TEST_CONF_PREFIX}");
	assert_string_equal(c->redis_host, "${x");
	conf_unref(&c);
}

static const char full[] =
    "backend \"plain\" { conninfo = \"host=h user=app password=app\" "
    "pool_size = 10 }\n"
    "backend \"monthly\" { conninfo = \"host=h2\" }\n"
    "backend \"archive\" { conninfo = \"postgresql://bob:pw@h3/app\" }\n"
    "backend \"coord\" { conninfo = \"host=h4\" }\n"
    "backend \"s0\" { conninfo = \"host=h5\" }\n"
    "backend \"s1\" { conninfo = \"host=h6\" }\n"
    "table \"app.events\" {\n"
    "	databases = {\"app\"}\n"
    "	key_column = \"tenant_id\" key_type = \"uuid\"\n"
    "	time_column = \"occurred_at\" use = \"sharded\"\n"
    "	variant \"plain\" { kind = plain backend = plain relation = e }\n"
    "	variant \"monthly\" { kind = monthly backend = monthly\n"
    "		relation = app.events\n"
    "		span \"hot\" { backend = monthly from = \"2026-01\" }\n"
    "		span \"old\" { backend = archive until = \"2026-01\" } }\n"
    "	variant \"sharded\" { kind = sharded backend = coord\n"
    "		relation = app.events_sharded\n"
    "		shard_relation = app.events_shard\n"
    "		shards = {\"s1\", \"s0\"} }\n"
    "}\n"
    "table \"app.events\" { databases = \"other\"\n"
    "	variant \"x\" { kind = plain backend = coord relation = e } }\n"
    "table \"users\" {\n"
    "	variant \"y\" { kind = plain backend = plain relation = u } }\n"
    "cache \"recent\" { databases = {\"app\"} tables = {\"app.events\"}\n"
    "	ttl = 60s l1_ttl = 0 grace = 1s ttl_closed_month = 1h\n"
    "	allow_stable = true l2 = off }\n"
    "cache \"all\" { tables = \"users\" ttl = 1ms }\n"
    "database \"app\" { backend = plain pool_mode = session cache = no }\n"
    "database \"other\" { backend = monthly }\n"
    "user_map \"webapp\" { to = \"app\" }\n";

static void
test_resolution(void **state)
{
	struct conf *c = load(full);
	struct conf_database *app = conf_find_database(c, "app");
	struct conf_database *other = conf_find_database(c, "other");
	struct conf_table *t = &c->tables[0];
	struct conf_variant *v;

	(void)state;
	assert_int_equal(c->n_backends, 6);
	assert_int_equal(c->backends[3].id, 3);
	assert_ptr_equal(conf_find_backend(c, "coord"), &c->backends[3]);
	assert_null(conf_find_backend(c, "nope"));
	assert_null(conf_find_database(c, "nope"));
	assert_int_equal(c->backends[0].pool_size, 10);
	assert_ptr_equal(app->backend, &c->backends[0]);
	assert_int_equal(app->pool_mode, POOL_MODE_SESSION);
	assert_false(app->cache);
	assert_int_equal(app->n_tables, 2);
	assert_ptr_equal(app->tables[0], &c->tables[0]);
	assert_ptr_equal(app->tables[1], &c->tables[2]);
	assert_int_equal(other->n_tables, 2);
	assert_ptr_equal(other->tables[0], &c->tables[1]);
	assert_int_equal(app->n_rules, 2);
	assert_int_equal(other->n_rules, 1);
	assert_ptr_equal(other->rules[0], &c->rules[1]);
	assert_string_equal(t->schema, "app");
	assert_string_equal(t->rel, "events");
	assert_null(c->tables[2].schema);
	assert_string_equal(c->tables[2].rel, "users");
	assert_int_equal(c->tables[2].n_databases, 2);
	assert_int_equal(t->n_keys, 1);
	assert_int_equal(t->keys[0].type, KEY_TYPE_UUID);
	assert_int_equal(c->tables[1].n_keys, 0);
	assert_ptr_equal(t->use, &t->variants[2]);
	assert_ptr_equal(c->tables[1].use, &c->tables[1].variants[0]);
	v = &t->variants[1];
	assert_int_equal(v->kind, VARIANT_MONTHLY);
	assert_int_equal(v->n_spans, 2);
	assert_ptr_equal(v->spans[0].backend, conf_find_backend(c, "archive"));
	assert_true(v->spans[0].from == INT64_MIN);
	assert_int_equal(v->spans[0].until, 672);
	assert_int_equal(v->spans[1].from, 672);
	assert_true(v->spans[1].until == INT64_MAX);
	v = &t->variants[2];
	assert_int_equal(v->n_shards, 2);
	assert_ptr_equal(v->shards[0].backend, conf_find_backend(c, "s1"));
	assert_ptr_equal(v->shards[1].backend, conf_find_backend(c, "s0"));
	assert_string_equal(v->shard_relation, "app.events_shard");
	conf_unref(&c);
}

/* What is logged of statements: off, everywhere, or for some. */
static void
test_statement_log(void **state PG_UNUSED)
{
	static const char rest[] = "backend \"b\" { conninfo = \"host=h\" }\n";
	static const char plain[] = "database \"d\" { backend = \"b\" }\n";
	char text[600];
	struct conf *c;

	snprintf(text, sizeof(text), "%s%s", rest, plain);
	c = load(text);
	assert_false(c->follows);
	assert_true(c->databases[0].log_after == LOG_NEVER);
	assert_true(c->everyone.log_after == LOG_INHERIT);
	conf_unref(&c);
	snprintf(text, sizeof(text), "log_min_duration_statement = 250ms\n"
	    "%sdatabase \"d\" { backend = \"b\" }\n"
	    "database \"e\" { backend = \"b\" "
	    "log_min_duration_statement = -1 }\n"
	    "user \"u\" { log_min_duration_statement = 0 }\n"
	    "user \"v\" { query_timeout = 1s }\n", rest);
	c = load(text);
	assert_true(c->follows);
	assert_true(c->databases[0].log_after == 250 * NSEC_PER_MSEC);
	assert_true(c->databases[1].log_after == LOG_NEVER);
	assert_true(conf_find_user(c, "u")->log_after == 0);
	assert_true(conf_find_user(c, "v")->log_after == LOG_INHERIT);
	conf_unref(&c);
	snprintf(text, sizeof(text), "log_statement_sample_rate = 2.5%%\n"
	    "%s%s", rest, plain);
	c = load(text);
	assert_true(c->follows);
	assert_int_equal(c->log_sample, 25000);
	conf_unref(&c);
	snprintf(text, sizeof(text), "trace_exemplars = true\n%s%s", rest,
	    plain);
	c = load(text);
	assert_true(c->follows);
	conf_unref(&c);
	snprintf(text, sizeof(text), "%s%suser \"u\" { "
	    "log_min_duration_statement = -1 }\n", rest, plain);
	c = load(text);
	assert_false(c->follows);
	conf_unref(&c);
}

static void
test_statement_log_refused(void **state PG_UNUSED)
{
	refuse("log_min_duration_statement = fast\n"
	    "log_statement_sample_rate = 2\n"
	    "log_statement_text = all\n"
	    "backend \"b\" { conninfo = \"host=h\" }\n"
	    "database \"d\" { backend = \"b\"\n"
	    "log_min_duration_statement = -2 }\n",
	    "f:1: log_min_duration_statement: 'fast' is not a duration, "
	    "expected one like 250ms or 30s, 0 for all statements or -1 for "
	    "none\n"
	    "f:2: log_statement_sample_rate: '2' is no share, expected 0 or "
	    "one like 0.1%\n"
	    "f:3: log_statement_text: 'all' is not known, expected one of "
	    "shape, full\n"
	    "f:6: log_min_duration_statement: '-2' is not a duration, "
	    "expected one like 250ms or 30s, 0 for all statements or -1 for "
	    "none\n");
}

/* Options of a user and of a database go before the settings of their names. */
static void
test_limits(void **state PG_UNUSED)
{
	struct conf *c = load("max_db_client_connections = 7\n"
	    "max_user_client_connections = 8\nquery_timeout = 2s\n"
	    "backend \"b\" { conninfo = \"host=h\" }\n"
	    "database \"d\" { backend = \"b\" }\n"
	    "database \"e\" { backend = \"b\" "
	    "max_db_client_connections = 0 }\n"
	    "user \"u\" { max_user_client_connections = 0 "
	    "transaction_timeout = 3s }\n");
	const struct conf_user *u = conf_find_user(c, "u");

	assert_int_equal(c->databases[0].max_db_client_connections, 7);
	assert_int_equal(c->databases[1].max_db_client_connections, 0);
	assert_string_equal(u->name, "u");
	assert_int_equal(u->max_user_client_connections, 0);
	assert_true(u->transaction_timeout == 3 * NSEC_PER_SEC);
	assert_true(u->query_timeout == 2 * NSEC_PER_SEC);
	u = conf_find_user(c, "v");
	assert_ptr_equal(u, &c->everyone);
	assert_int_equal(u->max_user_client_connections, 8);
	assert_true(u->transaction_timeout == 0);
	assert_true(u->query_timeout == 2 * NSEC_PER_SEC);
	conf_unref(&c);
	refuse("backend \"b\" { conninfo = \"host=h\" }\n"
	    "database \"d\" { backend = \"b\" }\n"
	    "user \"u\" { }\nuser \"u\" { }\n", "f:4: user \"u\" is defined "
	    "twice, expected once (first on line 3)\n");
}

static void
test_rules_and_users(void **state)
{
	struct conf *c = load(full);
	const struct conf_rule *r = &c->rules[0];

	(void)state;
	assert_true(r->ttl == 60 * NSEC_PER_SEC && r->l1_ttl == 0);
	assert_true(r->grace == NSEC_PER_SEC);
	assert_true(r->ttl_closed_month == 3600 * NSEC_PER_SEC);
	assert_true(r->allow_stable);
	assert_false(r->l2);
	assert_int_equal(r->tables.n, 1);
	r = &c->rules[1];
	assert_true(r->ttl == NSEC_PER_MSEC && r->l1_ttl == NSEC_PER_MSEC);
	assert_true(r->grace == 0 && r->ttl_closed_month == 0);
	assert_false(r->allow_stable);
	assert_true(r->l2);
	assert_string_equal(c->backends[0].user, "app");
	assert_string_equal(c->backends[2].user, "bob");
	assert_string_equal("app",
	    conf_backend_user(c, &c->backends[0], "webapp"));
	assert_string_equal("bob",
	    conf_backend_user(c, &c->backends[2], "webapp"));
	assert_string_equal("app",
	    conf_backend_user(c, &c->backends[1], "webapp"));
	assert_string_equal("joe",
	    conf_backend_user(c, &c->backends[1], "joe"));
	conf_unref(&c);
}

static void
test_generation_and_refs(void **state)
{
	struct conf_diag d;
	struct conf *a = load(REST), *b, *second;

	(void)state;
	assert_null(conf_load_buffer("f", "x", 1, &d));
	conf_diag_fini(&d);
	b = load(REST);
	assert_true(b->generation == a->generation + 1);
	second = a;
	conf_ref(a);
	conf_unref(&a);
	assert_null(a);
	assert_int_equal(second->magic, CONF_MAGIC);
	conf_unref(&second);
	conf_unref(&b);
	conf_unref(&b);
}

static void
test_file(void **state)
{
	char path[] = "/tmp/test_conf.XXXXXX", want[128];
	int fd = mkstemp(path);
	struct conf_diag d;
	struct conf *c;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, REST, sizeof(REST) - 1), sizeof(REST) - 1);
	c = conf_load(path, &d);
	assert_non_null(c);
	assert_string_equal(c->path, path);
	conf_unref(&c);
	assert_int_equal(write(fd, "x = 1\n", 6), 6);
	assert_null(conf_load(path, &d));
	(void)snprintf(want, sizeof(want), "%s:3: unknown option 'x', expected "
	    "a setting or a block", path);
	assert_int_equal(d.n, 1);
	assert_string_equal(d.msg[0], want);
	conf_diag_fini(&d);
	(void)close(fd);
	assert_int_equal(unlink(path), 0);
	assert_null(conf_load(path, &d));
	(void)snprintf(want, sizeof(want), "%s:1: cannot read it: No such file "
	    "or directory, expected a configuration file", path);
	assert_string_equal(d.msg[0], want);
	conf_diag_fini(&d);
	assert_null(conf_load("/", &d));
	assert_string_equal(d.msg[0], "/:1: cannot read it: Is a directory, "
	    "expected a configuration file");
	conf_diag_fini(&d);
}

/* ---- what is refused ---- */

static void
test_text(void **state)
{
	char *big = calloc(1, CONF_TEXT_MAX + 1);

	(void)state;
	refuse("\n\n/* a\nb\n", "f:3: comment is never closed, expected */\n");
	refuse("\nredis_host = \"a\nb\n",
	    "f:2: string is never closed, expected \"\n");
	refuse("\nredis_host = 'a\\'\n",
	    "f:2: string is never closed, expected '\n");
	refuse("\nbackend \"a\" {\nconninfo = \"host=a\"\n",
	    "f:2: { is never closed, expected }\n");
	refuse("pool_size = 1\n}\n", "f:2: } closes nothing\n");
	refuse("\nlisten = *:6432\n", "f:2: unexpected character '*', "
	    "expected it inside quotes\n");
	refuse("redis_host = ${HOME}", "f:1: unexpected character '$', "
	    "expected it inside quotes\n");
	refuse("unix_socket_dir = /tmp/\n", "f:1: unexpected character '/', "
	    "expected it inside quotes\n");
	refuse("\nredis_host = \"${HOME\"\n}", "f:2: ${ without }, expected "
	    "${VARIABLE}, or \\$ for a plain $\n");
	refuse("a {{{{{{{{{{{{{{{{{", "f:1: blocks nested too deep, "
	    "expected at most 16\n");
	refuse_bytes("\n\na\0b", 5,
	    "f:3: zero byte in the file, expected text\n");
	assert_non_null(big);
	memset(big, ' ', CONF_TEXT_MAX + 1);
	refuse_bytes(big, CONF_TEXT_MAX + 1, "f:1: file too large, expected "
	    "at most 4194304 bytes\n");
	free(big);
}

#define OR_BLOCK ", expected name = value or a block name \"title\" { ... }\n"

static void
test_syntax(void **state)
{
	(void)state;
	refuse("\npool_size 3\n",
	    "f:2: missing equal sign after option 'pool_size'" OR_BLOCK);
	refuse("\n\npool_size = {3}\n",
	    "f:3: unexpected token '{'" OR_BLOCK);
	refuse("pool_size += 3\n", "f:1: attempt to append to non-list option "
	    "'pool_size'" OR_BLOCK);
	refuse("\nbackend { }\n",
	    "f:2: missing title for section 'backend'" OR_BLOCK);
	refuse("backend \"a\"\n= 3",
	    "f:2: missing opening brace for section 'backend'" OR_BLOCK);
	refuse("listen = {\"a:1\" \"b:2\"}",
	    "f:1: unexpected token 'b:2'" OR_BLOCK);
	refuse("redis_host = \"a\\999\"\n",
	    "f:1: bad escape sequence" OR_BLOCK);
	refuse("pool_size =\n", "f:2: premature end of file" OR_BLOCK);
}

static void
test_unknown(void **state)
{
	(void)state;
	/* All of them are found, blocks too, and real values checked. */
	refuse("listenn = \"x\"\n"
	    "pool_size = 0\n"
	    "\n"
	    "backend \"a\" {\n"
	    "	conninfo = \"host=h\"\n"
	    "	colour = {1, 2}\n"
	    "}\n"
	    "database \"d\" { backend = a backend2 = b }\n"
	    "zzz = 3\n",
	    "f:1: unknown option 'listenn', expected 'listen' perhaps\n"
	    "f:2: pool_size: '0' is out of range, expected 1 to 10000\n"
	    "f:6: unknown option 'colour' in block backend, expected "
	    "conninfo, pool_size, reserve_pool_size, max_db_connections, "
	    "feed or replicas\n"
	    "f:8: unknown option 'backend2' in block database, expected "
	    "'backend' perhaps\n"
	    "f:9: unknown option 'zzz', expected a setting or a block\n");
	/* A block cannot be skipped: reading ends there. */
	refuse("a = 1\nbakend \"x\" {\n}\nb = 1\n",
	    "f:1: unknown option 'a', expected a setting or a block\n"
	    "f:2: unknown option 'bakend', expected 'backend' perhaps\n");
	refuse("include(\"/etc/passwd\")\n", "f:1: unknown option 'include', "
	    "expected a setting or a block\n");
	refuse("\n\"*\" = 1\n", "f:2: unknown option '*', expected a setting "
	    "or a block\n");
	refuse("table \"t\" { month_of = \"uuidv7()\" variant \"v\" {\n"
	    "kind = plain backend = a relation = t } }\n" REST,
	    "f:1: month_of: \"uuidv7()\", expected uuidv7(column)\n");
	refuse("table \"t\" { variant \"v\" {\nspan \"s\" {\nfro = 1 } } }\n"
	    REST,
	    "f:1: variant \"v\" has no kind, expected one\n"
	    "f:1: variant \"v\" has no backend, expected one\n"
	    "f:1: variant \"v\" has no relation, expected one\n"
	    "f:1: variant \"v\" has spans: table has no time_column, "
	    "expected one\n"
	    "f:2: span \"s\" has no backend, expected one\n"
	    "f:3: unknown option 'fro' in block span, expected 'from' "
	    "perhaps\n");
}

static void
test_values(void **state)
{
	(void)state;
	refuse("workers = abc\n"
	    "redis_port = 65536\n"
	    "query_timeout = \"5 minutes\"\n"
	    "client_login_timeout = 0\n"
	    "cache_memory = 64KB\n"
	    "max_message_size = 1kB\n"
	    "auth = ldap\n"
	    "unix_socket_mode = 0999\n"
	    "unix_socket_mode = 01000\n"
	    "listen = {\"127.0.0.1\", \"a:b\", \"::1:6432\", \"h:65536\"}\n"
	    "http_listen = \"[]:80\"\n"
	    "admin_users = {\"\"}\n" REST,
	    "f:1: workers: 'abc' is not a whole number, expected 0 to 256\n"
	    "f:2: redis_port: '65536' is out of range, expected 1 to 65535\n"
	    "f:3: query_timeout: '5 minutes' is not a duration, expected one "
	    "like 250ms, 30s, 5min, 1h, 7d or 0\n"
	    "f:4: client_login_timeout: '0' is out of range, expected 1s to "
	    "1h\n"
	    "f:5: cache_memory: '64KB' is not a size, expected one like 64kB, "
	    "64MB or 1GB\n"
	    "f:6: max_message_size: '1kB' is out of range, expected 64kB to "
	    "1GB\n"
	    "f:7: auth: 'ldap' is not known, expected one of scram-sha-256, "
	    "trust, md5, password, cert, peer, hba\n"
	    "f:8: unix_socket_mode: '0999' is not an octal number, expected "
	    "0000 to 0777\n"
	    "f:9: unix_socket_mode: given twice, expected once (first on "
	    "line 8)\n"
	    "f:10: listen: '127.0.0.1' is not an address, expected host:port "
	    "or [v6]:port\n"
	    "f:10: listen: 'a:b' is not an address, expected host:port or "
	    "[v6]:port\n"
	    "f:10: listen: '::1:6432' is not an address, expected host:port "
	    "or [v6]:port\n"
	    "f:10: listen: 'h:65536' is not an address, expected host:port or "
	    "[v6]:port\n"
	    "f:11: http_listen: '[]:80' is not an address, expected host:port "
	    "or [v6]:port\n"
	    "f:12: admin_users: holds an empty text, expected none of that\n");
	refuse("pool_size = 3\nmin_pool_size = 4\n"
	    "redis_host = a\nredis_unix_socket = b\n" REST,
	    "f:2: min_pool_size: 4 is more than pool_size, expected at most "
	    "3\n"
	    "f:4: redis_unix_socket: redis_host is given, too, expected one "
	    "of them\n");
}

static void
test_backends(void **state)
{
	(void)state;
	refuse("",
	    "f:1: there is no backend, expected a block backend \"name\" "
	    "{ conninfo = ... }\n"
	    "f:1: there is no database, expected a block database \"name\" "
	    "{ backend = ... }\n");
	refuse("backend \"a\" { }\n"
	    "backend \"a\" { conninfo = \"host=h\" pool_size = -1 }\n"
	    "backend \"b\" { conninfo = \"\" }\n"
	    "backend \"\" { conninfo = \"hots=h\" }\n"
	    "database \"pgsluice\" { backend = \"a\" }\n"
	    "database \"d\" {\n backend = \"zz\"\n cache = maybe\n"
	    " pool_mode = statement }\n"
	    "database \"d\" { }\n"
	    "user_map \"u\" { to = \"\" }\n"
	    "user_map \"u\" { }\n",
	    "f:1: backend \"a\" has no conninfo, expected one\n"
	    "f:2: backend \"a\" is defined twice, expected once (first on "
	    "line 1)\n"
	    "f:2: pool_size: '-1' is out of range, expected 0 to 10000\n"
	    "f:3: conninfo: is empty, expected text\n"
	    "f:4: backend: title has 0 bytes, expected 1 to 127\n"
	    "f:4: conninfo: libpq knows no option 'hots', expected its "
	    "keywords\n"
	    "f:5: database \"pgsluice\" is the console's name, expected "
	    "another\n"
	    "f:7: backend: unknown backend 'zz', expected one of a, a, b, \n"
	    "f:8: cache: 'maybe' is not a truth value, expected true or "
	    "false\n"
	    "f:9: pool_mode: 'statement' is not known, expected one of "
	    "transaction, session\n"
	    "f:10: database \"d\" is defined twice, expected once (first on "
	    "line 6)\n"
	    "f:10: database \"d\" has no backend, expected one\n"
	    "f:11: to: is empty, expected text\n"
	    "f:12: user_map \"u\" is defined twice, expected once (first on "
	    "line 11)\n"
	    "f:12: user_map \"u\" has no to, expected one\n");
	refuse("backend \"a\nb\" { conninfo = x }\n"
	    "database \"d\" { backend = plian }\n"
	    "backend \"plain\" { conninfo = \"host=h\" }\n",
	    "f:2: backend: title holds a control character, expected text\n"
	    "f:2: conninfo: holds a word without =, expected libpq's "
	    "keyword=value pairs or a URI\n"
	    "f:3: backend: unknown backend 'plian', expected 'plain' "
	    "perhaps\n");
}

static void
test_tables(void **state)
{
	(void)state;
	refuse(REST
	    "table \"a.b.c\" { }\n"
	    "table \"t\" {\n"
	    "	databases = {\"d\", \"nope\", \"d\"}\n"
	    "	key_column = k\n"
	    "	use = w\n"
	    "	variant \"v\" { kind = round backend = b relation = r }\n"
	    "	variant \"v\" { kind = plain backend = a relation = r\n"
	    "		shards = {\"a\"}\n"
	    "		span \"s\" { backend = a } }\n"
	    "}\n"
	    "table \"t\" { variant \"v\" { kind = plain backend = a "
	    "relation = r } }\n"
	    "table \"u\" { key_type = {\"int4\", \"int\"}\n"
	    "	variant \"v\" { kind = sharded backend = a relation = r }\n"
	    "	variant \"w\" { kind = sharded backend = a relation = r\n"
	    "		shard_relation = x\n"
	    "		shards = {\"a\", \"a\", \"b\"} } }\n"
	    "table \"x\" { key_column = k\n"
	    "	variant \"v\" { kind = sharded backend = a relation = r }\n"
	    "	variant \"w\" { kind = sharded backend = a relation = r\n"
	    "		shards = {\"a\"} }\n"
	    "	variant \"y\" { kind = sharded backend = a relation = r\n"
	    "		shard_relation = x }\n"
	    "	variant \"z\" { kind = sharded backend = a relation = r\n"
	    "		shard_relation = x shards = {\"a\"} } }\n",
	    "f:3: table \"a.b.c\": not a table's name, expected schema.table "
	    "or table\n"
	    "f:3: table \"a.b.c\" has no variant, expected at least one\n"
	    "f:5: databases: unknown database 'nope', expected one of d\n"
	    "f:5: databases: 'd' is named twice, expected once\n"
	    "f:6: key_column: without key_type, expected the type of each "
	    "column\n"
	    "f:7: use: unknown variant 'w', expected the title of a variant "
	    "of this table\n"
	    "f:8: kind: 'round' is not known, expected one of plain, monthly, "
	    "sharded\n"
	    "f:8: backend: unknown backend 'b', expected one of a\n"
	    "f:9: variant \"v\" is defined twice, expected once (first on "
	    "line 8)\n"
	    "f:9: variant \"v\" has spans: table has no time_column, expected "
	    "one\n"
	    "f:10: shards: variant \"v\" is not sharded, expected "
	    "kind = \"sharded\"\n"
	    "f:11: span \"s\": variant \"v\" is not monthly, expected "
	    "kind = \"monthly\"\n"
	    "f:13: table \"t\" is defined twice for database \"d\", expected "
	    "once\n"
	    "f:14: key_type: without key_column, expected its name\n"
	    "f:16: sharded variant \"w\": table has no key_column, expected "
	    "one\n"
	    "f:18: shards: backend 'a' is named twice, expected once\n"
	    "f:18: shards: unknown backend 'b', expected one of a\n"
	    "f:19: key_column: without key_type, expected the type of each "
	    "column\n"
	    "f:21: sharded variant \"w\" has no shard_relation, expected both "
	    "shard_relation and shards, or neither and the catalogs are "
	    "asked\n"
	    "f:23: sharded variant \"y\" has no shards, expected both "
	    "shard_relation and shards, or neither and the catalogs are "
	    "asked\n");
}

static void
test_keys(void **state)
{
	static const char table[] = REST "table \"t\" {\n"
	    "key_column = {\"a\", \"b\"} key_type = {%s}\n"
	    "variant \"v\" { kind = plain backend = a relation = r } }\n";
	struct conf_diag d;
	struct conf *c;
	char text[2048];

	(void)state;
	(void)snprintf(text, sizeof(text), table, "\"bpchar\"");
	refuse(text, "f:4: key_type: 1 types for 2 columns, expected one for "
	    "each\n");
	(void)snprintf(text, sizeof(text), table, "\"int4\", \"money\"");
	refuse(text, "f:4: key_type: 'money' is not known, expected one of "
	    "uuid, int4, int8, text, int2, varchar, bpchar, bool, date, "
	    "timestamptz, numeric\n");
	(void)snprintf(text, sizeof(text), table, "\"int2\", \"numeric\"");
	c = conf_load_buffer("f", text, strlen(text), &d);
	assert_non_null(c);
	assert_int_equal(c->tables[0].n_keys, 2);
	assert_string_equal(c->tables[0].keys[0].column, "a");
	assert_int_equal(c->tables[0].keys[0].type, KEY_TYPE_INT2);
	assert_string_equal(c->tables[0].keys[1].column, "b");
	assert_int_equal(conf_key_type_oid(c->tables[0].keys[1].type), 1700);
	conf_unref(&c);
	conf_diag_fini(&d);
}

static void
test_checks(void **state PG_UNUSED)
{
	struct conf *c = load(REST
	    "check \"old\" { backend = \"a\" query = \"SELECT 1\" }\n"
	    "check \"new\" { backend = \"a\" query = \"SELECT 2\" "
	    "interval = \"250ms\" timeout = \"1s\" }\n");

	assert_int_equal(c->n_checks, 2);
	assert_string_equal(c->checks[0].name, "old");
	assert_string_equal(c->checks[0].query, "SELECT 1");
	assert_string_equal(c->checks[0].backend->name, "a");
	assert_int_equal(c->checks[0].interval, 10 * NSEC_PER_SEC);
	assert_int_equal(c->checks[0].timeout, 5 * NSEC_PER_SEC);
	assert_int_equal(c->checks[1].interval, 250 * NSEC_PER_MSEC);
	assert_int_equal(c->checks[1].timeout, NSEC_PER_SEC);
	conf_unref(&c);
}

static void
test_checks_refused(void **state PG_UNUSED)
{
	refuse(REST "check \"k\" {\nbackend = \"b\"\nquery = \"\"\n"
	    "interval = \"1ms\"\n}\n",
	    "f:4: backend: unknown backend 'b', expected one of a\n"
	    "f:5: query: is empty, expected text\n"
	    "f:6: interval: '1ms' is out of range, expected 100ms to 1d\n");
}

static void
test_peers(void **state PG_UNUSED)
{
	struct conf *c = load(REST "node = 2\n"
	    "peer \"1\" { host = \"10.0.0.1\" }\n"
	    "peer \"2\" { host = \"10.0.0.2\" }\n"
	    "peer \"3\" { host = \"::1\" port = 7 }\n"
	    "peer \"255\" { host = \"/run/other\" }\n");
	const struct conf_peer *k;

	assert_int_equal(c->n_peers, 4);
	k = conf_find_peer(c, 1);
	assert_string_equal(k->host, "10.0.0.1");
	assert_int_equal(k->port, 6432);
	assert_int_equal(k->addr.ss_family, AF_INET);
	assert_int_equal(conf_find_peer(c, 3)->addr.ss_family, AF_INET6);
	assert_int_equal(conf_find_peer(c, 3)->port, 7);
	k = conf_find_peer(c, 255);
	assert_int_equal(k->addr.ss_family, AF_UNIX);
	assert_string_equal(((const struct sockaddr_un *)(const void *)
	    &k->addr)->sun_path, "/run/other/.s.PGSQL.6432");
	/* Oneself is none, nor who is not there, nor who has no number. */
	assert_null(conf_find_peer(c, 2));
	assert_null(conf_find_peer(c, 4));
	assert_null(conf_find_peer(c, 0));
	conf_unref(&c);
}

static void
test_peers_refused(void **state PG_UNUSED)
{
	char text[400];

	refuse(REST "peer \"1\" { host = \"::1\" }\n",
	    "f:3: peer: this process has no number that its peers could know "
	    "it by, expected node = 1 to 255\n");
	refuse(REST "node = 1\npeer \"256\" { host = \"::1\" }\n"
	    "peer \"0\" { host = \"::1\" }\n"
	    "peer \"02\" { host = \"::1\" }\n"
	    "peer \"-1\" { host = \"::1\" }\n"
	    "peer \"two\" { host = \"::1\" }\n",
	    "f:4: peer \"256\": is titled with the number of its node, "
	    "expected 1 to 255\n"
	    "f:5: peer \"0\": is titled with the number of its node, "
	    "expected 1 to 255\n"
	    "f:6: peer \"02\": is titled with the number of its node, "
	    "expected 1 to 255\n"
	    "f:7: peer \"-1\": is titled with the number of its node, "
	    "expected 1 to 255\n"
	    "f:8: peer \"two\": is titled with the number of its node, "
	    "expected 1 to 255\n");
	refuse(REST "node = 1\npeer \"2\" {\nhost = \"localhost\"\n}\n"
	    "peer \"2\" {\nhost = \"10.0.0.300\"\nport = 0\n}\n"
	    "peer \"3\" { }\n",
	    "f:5: host: 'localhost' is no address, expected an IP address, or "
	    "a folder of which the name of a unix socket can be made\n"
	    "f:7: peer \"2\" is defined twice, expected once (first on line "
	    "4)\n"
	    "f:8: host: '10.0.0.300' is no address, expected an IP address, "
	    "or a folder of which the name of a unix socket can be made\n"
	    "f:9: port: '0' is out of range, expected 1 to 65535\n"
	    "f:11: peer \"3\" has no host, expected one\n");
	(void)snprintf(text, sizeof(text), REST "node = 1\npeer \"2\" { host "
	    "= \"/%0100d\" }\n", 0);
	refuse(text, "f:4: host: '/"
	    "000000000000000000000000000000000000000000000000000000000000000"
	    "' is no address, expected an IP address, or a folder of which "
	    "the name of a unix socket can be made\n");
}

/* As many as a set of shards has room for. */
static void
test_replicas(void **state PG_UNUSED)
{
	struct conf *c = load(
	    "backend \"m\" { conninfo = \"host=h dbname=d user=u\" "
	    "replicas = {\"r\", \"s\"} }\n"
	    "backend \"r\" { conninfo = \"host=i dbname=d user=u\" }\n"
	    "backend \"s\" { conninfo = \"host=j dbname=d user=u\" }\n"
	    "database \"d\" { backend = \"m\" replica_reads = \"session\" "
	    "replica_max_age = 0 }\n"
	    "database \"e\" { backend = \"m\" }\n"
	    "table \"t\" { replica_max_lag = \"2MB\" variant \"v\" { "
	    "kind = \"plain\" backend = \"m\" relation = \"t\" } }\n");
	const struct conf_backend *m = &c->backends[0];

	assert_int_equal(m->n_replicas, 2);
	assert_ptr_equal(m->replicas[1], &c->backends[2]);
	assert_null(m->primary);
	assert_ptr_equal(c->backends[1].primary, m);
	assert_int_equal(c->databases[0].replicas.reads,
	    REPLICA_READS_SESSION);
	assert_int_equal(c->databases[0].replicas.max_age, 0);
	assert_int_equal(c->databases[0].replicas.max_lag, 1 << 20);
	assert_int_equal(c->databases[1].replicas.reads, REPLICA_READS_OFF);
	assert_int_equal(c->databases[1].replicas.max_age, NSEC_PER_SEC);
	assert_int_equal(c->tables[0].replicas.reads, REPLICA_READS_INHERIT);
	assert_true(c->tables[0].replicas.max_age == REPLICA_AGE_INHERIT);
	assert_int_equal(c->tables[0].replicas.max_lag, 2 << 20);
	/* RECONNECT of the database, and the like. */
	assert_true(conf_database_reaches(&c->databases[1], "s"));
	conf_unref(&c);
}

static void
test_replicas_refused(void **state PG_UNUSED)
{
#define M(more) "backend \"m\" { conninfo = \"host=h dbname=d\" " more "}\n" \
	"database \"d\" { backend = \"m\" }\n"
#define R(name, conninfo) "backend \"" name "\" { conninfo = \"" conninfo \
	"\" }\n"
	refuse(M("replicas = {\"x\"}"), "f:1: replicas: unknown backend 'x', "
	    "expected one of m\n");
	refuse(M("replicas = {\"m\"}"), "f:1: replicas: backend \"m\" is its "
	    "own replica, expected another one\n");
	refuse(M("replicas = {\"r\", \"r\"}") R("r", "host=i dbname=d"),
	    "f:1: replicas: backend 'r' is named twice, expected once\n");
	refuse(M("replicas = {\"r\"}") R("r", "host=i dbname=e"),
	    "f:1: replicas: backend \"r\" has another dbname in its conninfo "
	    "than \"m\", expected the same in both or neither\n");
	refuse(M("replicas = {\"r\"}") R("r", "host=i dbname=d user=u"),
	    "f:1: replicas: backend \"r\" has another user in its conninfo "
	    "than \"m\", expected the same in both or neither\n");
	refuse(M("replicas = {\"r\"}") R("r", "host=i,j dbname=d"),
	    "f:1: replicas: conninfo of backend \"r\" has several hosts, "
	    "expected one\n");
	refuse(M("replicas = {\"r\"}") R("r", "host=i dbname=d")
	    "database \"e\" { backend = \"r\" }\n", "f:1: replicas: backend "
	    "\"r\" is named by a database or a variant, expected a backend "
	    "that nothing else names\n");
	refuse(M("replicas = {\"r\"}") "backend \"r\" { conninfo = "
	    "\"host=i dbname=d\" replicas = {\"s\"} }\n"
	    R("s", "host=j dbname=d"), "f:1: replicas: backend \"r\" has "
	    "replicas itself, expected all of them at \"m\"\n");
	refuse(M("replicas = {\"r\"}") "backend \"n\" { conninfo = "
	    "\"host=k dbname=d\" replicas = {\"r\"} }\n"
	    R("r", "host=i dbname=d"), "f:3: replicas: backend \"r\" is a "
	    "replica of \"m\" as well, expected one primary\n");
	refuse(M("") "table \"t\" { replica_max_lag = \"x\" variant \"v\" { "
	    "kind = \"plain\" backend = \"m\" relation = \"t\" } }\n",
	    "f:3: replica_max_lag: 'x' is not a size, expected one like 64kB, "
	    "64MB or 1GB\n");
#undef M
#undef R
}

static void
test_many_shards(void **state)
{
	char *text = NULL;
	size_t n;

	(void)state;
	for (int more = 0; more < 2; more++) {
		FILE *f = open_memstream(&text, &n);
		struct conf_diag d;
		struct conf *c;

		fprintf(f, "database \"d\" { backend = \"b0\" }\n");
		for (int i = 0; i < CONF_MAX_SHARDS + more; i++)
			fprintf(f, "backend \"b%d\" { conninfo = "
			    "\"host=h%d\" }\n", i, i);
		fprintf(f, "table \"t\" { key_column = k key_type = int8\n"
		    "variant \"v\" { kind = sharded backend = b0 relation = r"
		    " shard_relation = s shards = {");
		for (int i = 0; i < CONF_MAX_SHARDS + more; i++)
			fprintf(f, "%s\"b%d\"", i > 0 ? ", " : "", i);
		fprintf(f, "} } }\n");
		fclose(f);
		c = conf_load_buffer("f", text, n, &d);
		assert_int_equal(c == NULL, more);
		assert_int_equal(d.n, more);
		if (more)
			assert_non_null(strstr(d.msg[0], "variant \"v\" has 257 "
			    "shards, expected at most 256"));
		conf_unref(&c);
		conf_diag_fini(&d);
		free(text);
	}
}

/* One monthly variant on line 4 with these spans. */
static void
refuse_spans(const char *spans, const char *want)
{
	char text[2048], lines[1024];

	(void)snprintf(text, sizeof(text), REST "table \"t\" { time_column = c"
	    "\nvariant \"m\" { kind = monthly backend = a relation = r %s } }",
	    spans);
	(void)snprintf(lines, sizeof(lines), "f:4: %s\n", want);
	refuse(text, lines);
}

static void
test_spans(void **state)
{
	(void)state;
	refuse_spans("span \"1\" { backend = a from = \"2026-13\" }",
	    "from: '2026-13' is not a month, expected one like 2026-01");
	refuse_spans("span \"1\" { backend = a from = \"2026-02\" "
	    "until = \"2026-02\" }",
	    "span \"1\" holds no month, expected from before until");
	refuse_spans("span \"b\" { backend = a from = \"2026-03\" } "
	    "span \"a\" { backend = a until = \"2026-02\" }",
	    "spans of variant \"m\" leave a gap: one ends 2026-02, the next "
	    "starts 2026-03, expected the same month");
	refuse_spans("span \"a\" { backend = a until = \"2026-03\" } "
	    "span \"b\" { backend = a from = \"2026-02\" }",
	    "spans of variant \"m\" overlap: one ends 2026-03, the next "
	    "starts 2026-02, expected the same month");
	refuse_spans("span \"a\" { backend = a until = \"2026-03\" } "
	    "span \"b\" { backend = a until = \"2026-04\" }",
	    "spans of variant \"m\" overlap: two have no from, expected each "
	    "month once");
	refuse_spans("span \"a\" { backend = a from = \"2026-03\" } "
	    "span \"b\" { backend = a from = \"2026-04\" }",
	    "spans of variant \"m\" overlap: two have no upper end before the "
	    "next from, expected each month once");
	refuse_spans("span \"a\" { backend = a until = \"2026-03\" } "
	    "span \"a\" { backend = a from = \"2026-03\" }",
	    "span \"a\" is defined twice, expected once (first on line 4)");
}

static void
test_rules_refused(void **state)
{
	(void)state;
	refuse(REST
	    "cache \"c\" { }\n"
	    "cache \"c\" {\n"
	    "	tables = {\"t\", \"t\", \"\"}\n"
	    "	ttl = 0\n"
	    "	l1_ttl = 31d\n"
	    "	grace = soon\n"
	    "	databases = nope\n"
	    "}\n"
	    "cache \"c\" { tables = t ttl = 1s }\n",
	    "f:3: cache \"c\" has no ttl, expected one\n"
	    "f:3: cache \"c\" has neither tables nor a query, expected one "
	    "of them\n"
	    "f:5: tables: 't' is named twice, expected once\n"
	    "f:5: tables: holds an empty text, expected names of tables\n"
	    "f:6: ttl: '0' is out of range, expected 1ms to 30d\n"
	    "f:7: l1_ttl: '31d' is out of range, expected 0 to 30d\n"
	    "f:8: grace: 'soon' is not a duration, expected one like 250ms, "
	    "30s, 5min, 1h, 7d or 0\n"
	    "f:9: databases: unknown database 'nope', expected one of d\n"
	    "f:11: cache \"c\" is defined twice for database \"d\", expected "
	    "once\n");
}

static void
test_strong_rules(void **state)
{
	struct conf *c;

	(void)state;
	refuse("auth = trust\n"
	    "backend \"b\" { conninfo = \"host=h\" }\n"
	    "backend \"s\" { conninfo = \"host=h\" feed = true }\n"
	    "database \"d\" { backend = \"b\" }\n"
	    "table \"app.e\" { variant \"v\" { kind = \"plain\"\n"
	    "	backend = \"s\" relation = \"e1\" } }\n"
	    "cache \"routed\" { tables = {\"app.e\"} ttl = 1s\n"
	    "	consistency = \"strong\" }\n"
	    "cache \"c\" { tables = {\"t\", \"u\"} ttl = 1s\n"
	    "	consistency = \"strong\"\n"
	    "	grace = 1s stale_if_error = 1s\n"
	    "	allow_rls = true }\n"
	    "cache \"w\" { tables = \"t\" ttl = 1s consistency = \"weak\" }\n",
	    "f:10: consistency: 't' of database \"d\" may be on backend "
	    "\"b\", which nobody follows, expected feed = true there\n"
	    "f:11: grace: a strong rule serves nothing whose time is over, "
	    "expected no grace\n"
	    "f:11: stale_if_error: a strong rule serves nothing whose time is "
	    "over, expected no stale_if_error\n"
	    "f:12: allow_rls: tables that policies read are not followed, "
	    "expected a rule that is not strong\n"
	    "f:13: consistency: 'weak' is not known, expected one of "
	    "eventual, strong\n");
	refuse("backend \"b\" { conninfo = \"host=h,i\"\n feed = true }\n"
	    "backend \"c\" { conninfo = \"host=h,i "
	    "target_session_attrs=primary\" feed = true }\n"
	    "database \"d\" { backend = \"b\" }\nauth = trust\n",
	    "f:2: feed: the conninfo names several hosts, expected "
	    "target_session_attrs=primary or read-write in it, so that pools "
	    "and feed are on the same\n");
	c = load("auth = trust\n"
	    "backend \"b\" { conninfo = \"host=h\" feed = true }\n"
	    "database \"d\" { backend = \"b\" }\n"
	    "cache \"c\" { tables = t ttl = 1h consistency = strong }\n"
	    "cache \"e\" { tables = t ttl = 1h }\n");
	assert_true(c->backends[0].feed);
	assert_true(c->rules[0].strong && c->rules[0].l2);
	assert_true(!c->rules[1].strong && c->rules[1].l2);
	assert_false(c->rules[1].empty_differs);
	conf_unref(&c);
	/* Where nothing is cached, nobody needs to follow. */
	c = load("auth = trust\n"
	    "backend \"b\" { conninfo = \"host=h\" feed = true }\n"
	    "backend \"s\" { conninfo = \"host=i\" }\n"
	    "database \"d\" { backend = \"b\" }\n"
	    "database \"e\" { backend = \"s\" cache = false }\n"
	    "cache \"c\" { tables = t ttl = 1h consistency = strong }\n");
	assert_true(c->rules[0].strong);
	conf_unref(&c);
	c = load("auth = trust\n"
	    "backend \"b\" { conninfo = \"host=h\" }\n"
	    "database \"d\" { backend = \"b\" }\n"
	    "cache \"c\" { tables = t ttl = 1h stale_if_error = 2h\n"
	    "	ttl_empty = 0 ttl_jitter = 5 refresh_ahead = 10 }\n");
	assert_int_equal(c->rules[0].stale_if_error, 7200 * NSEC_PER_SEC);
	assert_true(c->rules[0].empty_differs);
	assert_int_equal(c->rules[0].ttl_empty, 0);
	assert_int_equal(c->rules[0].ttl_jitter, 5);
	assert_int_equal(c->rules[0].refresh_ahead, 10);
	conf_unref(&c);
}

static void
test_files(void **state)
{
	char key[] = "/tmp/test_conf_key.XXXXXX", text[512], want[1024];
	int fd = mkstemp(key);
	struct conf *c;

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	refuse("\ntls_mode = require\nusers_file = \"/nonexistent/u\"\n"
	    "unix_socket_dir = \"/nonexistent\"\n"
	    "redis_password_file = \"/dev/null\"\n"
	    "tls_ca_file = \"/\"\n" REST,
	    "f:2: tls_mode: needs a certificate, expected tls_cert_file\n"
	    "f:2: tls_mode: needs a private key, expected tls_key_file\n"
	    "f:3: users_file: cannot open '/nonexistent/u': No such file or "
	    "directory, expected a readable file\n"
	    "f:4: unix_socket_dir: cannot look at '/nonexistent': No such "
	    "file or directory, expected a directory\n"
	    "f:5: redis_password_file: '/dev/null' is not a file, expected "
	    "one\n"
	    "f:6: tls_ca_file: '/' is not a file, expected one\n");
	(void)snprintf(text, sizeof(text), "tls_mode = allow\n"
	    "tls_cert_file = \"%s\"\ntls_key_file = \"%s\"\n" REST, key, key);
	assert_int_equal(chmod(key, 0600), 0);
	c = load(text);
	assert_int_equal(c->tls_mode, TLS_MODE_ALLOW);
	conf_unref(&c);
	assert_int_equal(chmod(key, 0644), 0);
	(void)snprintf(want, sizeof(want), "f:3: tls_key_file: '%s' has mode "
	    "0644, expected 0600, or 0640 if root owns it\n", key);
	refuse(text, want);
	assert_int_equal(unlink(key), 0);
	(void)snprintf(text, sizeof(text), "unix_socket_dir = \"/dev/null\"\n"
	    REST);
	refuse(text, "f:1: unix_socket_dir: '/dev/null' is not a directory, "
	    "expected one\n");
}

static void
test_many(void **state)
{
	char text[8192] = REST;
	struct conf_diag d;
	size_t at = strlen(text);
	char last[64];
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		at += (size_t)sprintf(text + at, "cache \"%d\" { ttl = x }\n",
		    i);
	assert_null(conf_load_buffer("f", text, at, &d));
	assert_int_equal(d.n, CONF_DIAG_MAX);
	(void)snprintf(last, sizeof(last), "f:%d: ", 2 + CONF_DIAG_MAX / 2);
	assert_memory_equal(d.msg[CONF_DIAG_MAX - 1], last, strlen(last));
	conf_diag_fini(&d);
	at = 0;
	for (i = 0; i < 100; i++)
		at += (size_t)sprintf(text + at, "q%d = 1\n", i);
	assert_null(conf_load_buffer("f", text, at, &d));
	assert_int_equal(d.n, CONF_DIAG_MAX);
	conf_diag_fini(&d);
}

/* ---- secrets ---- */

static void
show_line(void *arg, const char *line)
{
	(void)arg;
	strncat(shown, line, sizeof(shown) - strlen(shown) - 2);
	strcat(shown, "\n");
}

static void
show_row(void *arg, const char *name, const char *value, const char *def,
    bool reloadable, const char *doc)
{
	char line[4096];

	(void)arg;
	(void)doc;
	(void)snprintf(line, sizeof(line), "%s=[%s][%s]%d", name, value, def,
	    reloadable);
	show_line(NULL, line);
}

/* Conninfos that are wrong in many ways, hunter2 always the password. */
static void
test_secrets_in_diagnostics(void **state)
{
	static const char *const bad[] = {
		"password=hunter1 hunter2",
		"password=a hunter2=b",
		"user=u password='hunter2",
		"password = hun ter2 hunter2",
		"postgresql://u:hunter2@[::1/d",
		"postgresql://u:hunter2@h/d?hunter2=1",
		"password=hunter2 x",
		"sslpassword=hunter2 = =",
		"host=a \"hunter2\" b",
		"password=\"hunter2\"",
		"password=\"hunter2 = \"",
		"password=\"a hunter2",
		"password=\"{hunter2}\"",
		"password=\"\\\\999hunter2\"",
		"pasword=hunter2",
	};
	char text[512];
	struct conf_diag d;
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		(void)snprintf(text, sizeof(text), "backend \"a\" { "
		    "conninfo = \"%s\" }\ndatabase \"d\" { backend = a }\n",
		    bad[i]);
		assert_null(conf_load_buffer("f", text, strlen(text), &d));
		assert_true(d.n > 0);
		for (k = 0; k < d.n; k++) {
			assert_null(strstr(d.msg[k], "hunter"));
			assert_null(strstr(d.msg[k], "ter2"));
			assert_memory_equal(d.msg[k], "f:", 2);
		}
		conf_diag_fini(&d);
	}
}

static void
test_secrets_in_rows(void **state)
{
	struct conf *c = load(
	    "backend \"a\" { conninfo = \"host=h password='hun ter2' "
	    "sslpassword=hunter2 application_name='x y'\" }\n"
	    "backend \"b\" { conninfo = \"postgresql://u:hunter2@h/d\" }\n"
	    "database \"d\" { backend = a }\n");

	(void)state;
	shown[0] = '\0';
	conf_each_setting(c, show_row, NULL);
	assert_null(strstr(shown, "hunter2"));
	assert_null(strstr(shown, "ter2"));
	assert_non_null(strstr(shown, "\nbackend \"a\" conninfo=["));
	assert_non_null(strstr(shown, "password=***"));
	assert_non_null(strstr(shown, "sslpassword=***"));
	assert_non_null(strstr(shown, "application_name='x y'"));
	assert_non_null(strstr(shown, "\nbackend \"b\" conninfo=[user=u "
	    "password=*** dbname=d host=h]"));
	conf_unref(&c);
}

/* ---- rows and differences ---- */

static void
test_each_setting(void **state)
{
	struct conf *c = load(full);

	(void)state;
	shown[0] = '\0';
	conf_each_setting(c, show_row, NULL);
	assert_memory_equal(shown, "listen=[127.0.0.1:6432][127.0.0.1:6432]0\n",
	    41);
	assert_non_null(strstr(shown, "\nunix_socket_mode=[0777][0777]0\n"));
	assert_non_null(strstr(shown, "\nlog_level=[info][info]1\n"));
	assert_non_null(strstr(shown, "\nauth=[scram-sha-256]"));
	assert_non_null(strstr(shown, "\nmax_message_size=[1GB][1GB]1\n"));
	assert_non_null(strstr(shown, "\nquery_timeout=[0][0]1\n"));
	assert_non_null(strstr(shown, "\nserver_lifetime=[1h][1h]1\n"));
	assert_non_null(strstr(shown, "\ndatabase \"app\" cache=[false]"
	    "[true]1\n"));
	assert_non_null(strstr(shown, "\ntable \"app.events\" "
	    "variant \"sharded\" shards=[s1, s0][]1\n"));
	assert_non_null(strstr(shown, "\ntable \"app.events\" "
	    "variant \"monthly\" span \"1\" until=[2026-01][]1\n"));
	assert_non_null(strstr(shown, "\ntable \"app.events\" #2 use=[x]"));
	assert_non_null(strstr(shown, "\ncache \"recent\" ttl=[1min][]1\n"));
	assert_non_null(strstr(shown, "\nuser_map \"webapp\" to=[app]"));
	conf_unref(&c);
}

static void
check_diff(const char *from, const char *to, int restart, const char *want)
{
	struct conf *a = load(from), *b = load(to);

	shown[0] = '\0';
	assert_int_equal(conf_diff(a, b, show_line, NULL), restart);
	assert_string_equal(shown, want);
	conf_unref(&a);
	conf_unref(&b);
}

static void
test_diff(void **state)
{
	(void)state;
	check_diff(full, full, 0, "");
	check_diff(REST "workers = 2 pool_size = 7\n",
	    "# moved\n\n" REST "workers = 4 query_timeout = 90s\n"
	    "admin_users = {\"a\", \"b\"}\n", 1,
	    "workers: 2 -> 4 (takes effect after a restart)\n"
	    "admin_users: none -> a, b\n"
	    "query_timeout: 0 -> 90s\n"
	    "pool_size: 7 -> 20\n");
	check_diff(
	    "backend \"a\" { conninfo = \"host=h password=hunter1\" }\n"
	    "backend \"b\" { conninfo = \"host=h\" }\n"
	    "database \"d\" { backend = a }\n"
	    "table \"t\" {\n"
	    "	variant \"v\" { kind = plain backend = a relation = r }\n"
	    "	variant \"w\" { kind = plain backend = a relation = r } }\n"
	    "cache \"c\" { tables = t ttl = 1s }\n"
	    "user_map \"u\" { to = x }\n",
	    "backend \"a\" { conninfo = \"host=h password=hunter2\" }\n"
	    "backend \"e\" { conninfo = \"host=h\" }\n"
	    "database \"d\" { backend = e }\n"
	    "table \"t\" { use = x\n"
	    "	variant \"v\" { kind = plain backend = a relation = s }\n"
	    "	variant \"x\" { kind = plain backend = a relation = r } }\n"
	    "cache \"c\" { tables = t ttl = 2s }\n"
	    "table \"new\" {\n"
	    "	variant \"v\" { kind = plain backend = a relation = r } }\n",
	    0,
	    "backend \"a\" conninfo: password=*** host=h -> password=*** "
	    "host=h (a hidden part differs)\n"
	    "backend \"e\": added\n"
	    "database \"d\" backend: a -> e\n"
	    "table \"t\" use: v -> x\n"
	    "table \"t\" variant \"v\" relation: r -> s\n"
	    "table \"t\" variant \"x\": added\n"
	    "table \"new\": added\n"
	    "cache \"c\" ttl: 1s -> 2s\n"
	    "cache \"c\" l1_ttl: 1s -> 2s\n"
	    "backend \"b\": removed\n"
	    "table \"t\" variant \"w\": removed\n"
	    "user_map \"u\": removed\n");
}

/* The tables are sound: defaults of blocks lie within their bounds. */
static void
test_schema(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < conf_n_rows; i++) {
		for (k = 0; k < i; k++)
			assert_false(conf_rows[i].block == conf_rows[k].block &&
			    strcmp(conf_rows[i].name, conf_rows[k].name) == 0);
		assert_true(strlen(conf_rows[i].doc) > 4);
		assert_false(conf_rows[i].must && conf_rows[i].def[0] != '\0');
	}
	assert_string_equal(conf_schema_nearest(BLOCK_ROOT, "lisen"), "listen");
	assert_string_equal(conf_schema_nearest(BLOCK_ROOT, "tabel"), "table");
	assert_null(conf_schema_nearest(BLOCK_ROOT, "x"));
	assert_null(conf_schema_nearest(BLOCK_CACHE, "conninfo"));
}

/* ---- SET ---- */

static const char changing[] =
    "pool_size = 30\nmin_pool_size = 5\nadmin_users = {\"a\"}\n"
    "backend \"b\" { conninfo = \"host=h password=secret\" }\n"
    "database \"d\" { backend = \"b\" }\n";

static void
test_change(void **state PG_UNUSED)
{
	struct conf_diag d;
	struct conf *c = conf_load_buffer("f", changing, strlen(changing), &d);
	struct conf *two, *three;

	assert_non_null(c);
	two = conf_change(c, "query_timeout", "3s", &d);
	assert_non_null(two);
	assert_int_equal(two->query_timeout, 3 * NSEC_PER_SEC);
	assert_int_equal(two->pool_size, 30);
	assert_int_equal(c->query_timeout, 0);
	assert_true(two->generation > c->generation);
	/* On top of what was changed before; the last one counts. */
	three = conf_change(two, "admin_users", " x,y z , ", &d);
	assert_non_null(three);
	assert_int_equal(three->query_timeout, 3 * NSEC_PER_SEC);
	assert_int_equal(three->admin_users.n, 2);
	assert_string_equal(three->admin_users.v[0], "x");
	assert_string_equal(three->admin_users.v[1], "y z");
	conf_unref(&two);
	two = conf_change(three, "query_timeout", "0", &d);
	assert_non_null(two);
	assert_int_equal(two->query_timeout, 0);
	assert_int_equal(two->changes.n, 4);
	conf_unref(&three);
	three = conf_change(two, "admin_users", "", &d);
	assert_non_null(three);
	assert_int_equal(three->admin_users.n, 0);
	conf_unref(&two);
	conf_unref(&three);
	conf_unref(&c);
}

static void
change_refused(const struct conf *c, const char *name, const char *value,
    const char *why)
{
	struct conf_diag d;

	assert_null(conf_change(c, name, value, &d));
	assert_int_equal(d.n, 1);
	assert_string_equal(d.msg[0], why);
	conf_diag_fini(&d);
}

static void
test_change_refused(void **state PG_UNUSED)
{
	struct conf_diag d;
	struct conf *c = conf_load_buffer("f", changing, strlen(changing), &d);

	assert_non_null(c);
	change_refused(c, "query_timeout", "x", "SET: query_timeout: 'x' is "
	    "not a duration, expected one like 250ms, 30s, 5min, 1h, 7d or 0");
	change_refused(c, "pool_size", "0", "SET: pool_size: '0' is out of "
	    "range, expected 1 to 10000");
	change_refused(c, "min_pool_size", "31", "SET: min_pool_size: 31 is "
	    "more than pool_size, expected at most 30");
	/* What stands in the file does not go with it. */
	change_refused(c, "pool_size", "4", "f:2: min_pool_size: 5 is more "
	    "than pool_size, expected at most 4");
	change_refused(c, "pool_mode", "x", "SET: pool_mode: 'x' is not "
	    "known, expected one of transaction, session");
	conf_unref(&c);
}

static bool
digest_eq(const char *a, const char *b)
{
	struct conf *from = load(a), *to = load(b);
	bool eq = hash_eq(conf_digest(from), conf_digest(to));

	conf_unref(&from);
	conf_unref(&to);
	return eq;
}

static void
test_digest(void **state PG_UNUSED)
{
	assert_true(digest_eq(full, full));
	assert_true(digest_eq(REST "workers = 2\n",
	    "# moved\n\n" REST "workers = 2\n"));
	assert_false(digest_eq(REST "workers = 2\n", REST "workers = 3\n"));
	assert_false(digest_eq(REST "admin_users = {\"a\"}\n",
	    REST "admin_users = {\"a\", \"b\"}\n"));
	/* A hidden part. */
	assert_false(digest_eq(REST "backend \"b\" { conninfo = "
	    "\"host=h password=a\" }\n", REST "backend \"b\" { conninfo = "
	    "\"host=h password=b\" }\n"));
}

static void
test_setting_names(void **state PG_UNUSED)
{
	bool reloadable = false;

	assert_string_equal(conf_setting_name("Query_TIMEOUT", &reloadable),
	    "query_timeout");
	assert_true(reloadable);
	assert_string_equal(conf_setting_name("workers", &reloadable),
	    "workers");
	assert_false(reloadable);
	assert_null(conf_setting_name("nothing", &reloadable));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_forms_of_values),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_resolution),
		cmocka_unit_test(test_statement_log),
		cmocka_unit_test(test_statement_log_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_rules_and_users),
		cmocka_unit_test(test_generation_and_refs),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_backends),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_checks_refused),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_peers_refused),
		cmocka_unit_test(test_replicas),
		cmocka_unit_test(test_replicas_refused),
		cmocka_unit_test(test_many_shards),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_rules_refused),
		cmocka_unit_test(test_strong_rules),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_secrets_in_diagnostics),
		cmocka_unit_test(test_secrets_in_rows),
		cmocka_unit_test(test_each_setting),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_change_refused),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_setting_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
