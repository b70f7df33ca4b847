/* SPDX-License-Identifier: PostgreSQL
 *
 * The lines of EXPLAIN (ROUTE).
 */
#include "route_util.h"

#define DOTS "........................................" /* 40 */
#define UUID_1 "00000000-0000-0000-0000-000000000000"

static struct util_conf conf;
static struct util_stmt st;
static char lines[64 * 1024];

static void
collect(void *arg, const char *line)
{
	size_t n = strlen(arg);

	snprintf((char *)arg + n, sizeof(lines) - n, "%s\n", line);
}

static void
expect(const char *text)
{
	struct route_plan *p = route_plan_new(&conf.c, &conf.db, &st.shape);
	struct route_decision d;

	route_decide(p, &st.shape, &st.v, &d);
	lines[0] = '\0';
	route_explain(p, &st.shape, &st.v, &d, collect, lines);
	assert_string_equal(lines, text);
	route_plan_free(&p);
	util_stmt_fini(&st);
}

static void
one_shard(void **state)
{
	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_SELECT, "SELECT count(*) FROM app.events "
	    "WHERE tenant_id = '" UUID_1 "' AND occurred_at < '2026-03-10'");
	util_table(&st, "app.events");
	util_value(util_pred(&st, "tenant_id", AN_EQ),
	    util_cut(&st, "'" UUID_1 "'"));
	util_value(util_pred(&st, "occurred_at", AN_LT),
	    util_cut(&st, "'2026-03-10'"));
	expect("statement: select\n"
	       "tables: app.events (read; routed table app.events)\n"
	       "variant: sharded (sharded) of table app.events\n"
	       "key: tenant_id = '" UUID_1 "'\n"
	       "shard: 1 of 2\n"
	       "months: the beginning to 2026-03 (closed)\n"
	       "backend: shard1\n"
	       "relation: the shard's relation\n"
	       "sql: SELECT count(*) FROM app.events_shard AS events "
	       "WHERE tenant_id = '" UUID_1 "' AND occurred_at < "
	       "'2026-03-10'\n"
	       "writes: nothing\n"
	       "cache: cacheable by rule recent, ttl 3600s, l1_ttl 3600s, "
	       "grace 5s\n"
	       "depends on: events, notes\n"
	       "why: one shard: every row has this key's hash\n");
}

static void
no_shard(void **state)
{
	struct slice value = SLICE_LIT("\x01\x02");
	int format = 1;
	struct an_pred *d;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_INSERT,
	    "INSERT INTO app.events VALUES ($1), (NULL), (now()), (lower('x'))");
	util_table(&st, "app.events");
	d = util_pred(&st, "tenant_id", AN_ROWS);
	util_value(d, util_param(1));
	util_value(d, (struct an_value){ .kind = AN_VAL_NULL });
	util_value(d, (struct an_value){ .kind = AN_VAL_NOW });
	util_value(d, util_param(2));
	util_bind(&st, 1, &value, &format, NULL);
	st.an.flags = AN_WRITES;
	expect("statement: insert\n"
	       "tables: app.events (written; routed table app.events)\n"
	       "variant: sharded (sharded) of table app.events\n"
	       "key: tenant_id rows \\x0102, NULL, an expression, $2\n"
	       "shard: not proven\n"
	       "months: not confined\n"
	       "backend: coordinator\n"
	       "relation: the variant's relation\n"
	       "sql: INSERT INTO app.events_sharded AS events VALUES ($1), "
	       "(NULL), (now()), (lower('x'))\n"
	       "writes: events\n"
	       "cache: bypass: not_select - not a single plain SELECT\n"
	       "why: the coordinator: no single shard is proven\n");
}

static void
unrouted(void **state)
{
	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_SET, "SET a = 'b'");
	st.an.pins = PIN_BIT(PIN_SETTING);
	expect("statement: set\n"
	       "tables: none\n"
	       "variant: none\n"
	       "backend: plain\n"
	       "relation: as written\n"
	       "sql: SET a = 'b'\n"
	       "pin: setting\n"
	       "writes: nothing\n"
	       "cache: bypass: not_select - not a single plain SELECT\n"
	       "why: the default backend: no routed table is named\n");
	util_stmt_init(&st, STMT_CALL, "CALL f()");
	st.an.flags = AN_WRITES_ALL;
	conf.db.cache = false;
	expect("statement: call\n"
	       "tables: none\n"
	       "variant: none\n"
	       "backend: plain\n"
	       "relation: as written\n"
	       "sql: CALL f()\n"
	       "writes: everything\n"
	       "cache: bypass: disabled - the cache is off for this "
	       "database\n"
	       "why: the default backend: no routed table is named\n");
}

static void
what_cannot_run(void **state)
{
	(void)state;
	util_conf_init(&conf, V_MONTHLY);
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events, my.notes");
	util_table(&st, "app.events");
	util_table(&st, "my.notes");
	expect("statement: select\n"
	       "tables: app.events (read; routed table app.events), my.notes "
	       "(read)\n"
	       "error: 0A000\n"
	       "message: no single backend serves all tables of the "
	       "statement: app.events (backend monthly), my.notes (backend "
	       "plain)\n"
	       "hint: Split the statement, or let the tables use variants on "
	       "one backend.\n");
}

static void
client_bytes_do_not_end_a_line(void **state)
{
	static char key[400];
	struct slice value = slice_make(key, 200);

	(void)state;
	memset(key, '\n', sizeof(key));
	util_conf_init(&conf, V_PLAIN);
	util_stmt_init(&st, STMT_SELECT,
	    "SELECT 1 FROM app.events WHERE tenant_id = $1");
	util_table(&st, "app.events");
	util_value(util_pred(&st, "tenant_id", AN_EQ), util_param(1));
	util_bind(&st, 1, &value, NULL, NULL);
	expect("statement: select\n"
	       "tables: app.events (read; routed table app.events)\n"
	       "variant: plain (plain) of table app.events\n"
	       "key: tenant_id = '" DOTS DOTS "'...\n"
	       "months: not confined\n"
	       "backend: plain\n"
	       "relation: the variant's relation\n"
	       "sql: SELECT 1 FROM app.events_plain AS events WHERE tenant_id "
	       "= $1\n"
	       "writes: nothing\n"
	       "cache: cacheable by rule recent, ttl 60s, l1_ttl 10s, grace "
	       "5s\n"
	       "depends on: events, notes\n"
	       "why: the plain table\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_shard),
		cmocka_unit_test(no_shard),
		cmocka_unit_test(unrouted),
		cmocka_unit_test(what_cannot_run),
		cmocka_unit_test(client_bytes_do_not_end_a_line),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
