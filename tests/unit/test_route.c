/* SPDX-License-Identifier: PostgreSQL
 *
 * src/route as a whole, on SQL that libpg_query has parsed: where a statement
 * runs and what its physical text is.
 */
#include "route_util.h"

#define K0 "'55222014-7ed0-ee56-b348-b6399c5c9c3d'"
#define K0B "'95299503-fcc9-0770-0c61-e6beef1ba471'"
#define K1 "'00000000-0000-0000-0000-000000000000'"

static struct util_conf conf;
static struct shape_table shapes;
static struct lexer lx;

struct row {
	enum util_variant use;
	const char *sql;
	enum util_backend backend;
	const char *physical; /* NULL: an error */
};

static const struct row rows[] = {
	/* plain */
	{ V_PLAIN, "select * from app.events", B_PLAIN,
	    "select * from app.events_plain AS events" },
	{ V_PLAIN, "SELECT e.* FROM Events AS e", B_PLAIN,
	    "SELECT e.* FROM app.events_plain AS e" },
	{ V_PLAIN, "SELECT * FROM \"app\" . \"events\" WHERE id = 'x'",
	    B_PLAIN,
	    "SELECT * FROM app.events_plain AS events WHERE id = 'x'" },
	{ V_PLAIN, "SELECT app.events.id FROM app.events, app.users u "
		   "WHERE u.id = app.events.user_id",
	    B_PLAIN, "SELECT events.id FROM app.events_plain AS events, "
		     "app.users_v1 u WHERE u.id = events.user_id" },
	{ V_PLAIN, "INSERT INTO app.events (id) VALUES ('x') ON CONFLICT (id) "
		   "DO UPDATE SET n = events.n + 1 RETURNING events.id",
	    B_PLAIN,
	    "INSERT INTO app.events_plain AS events (id) VALUES ('x') ON "
	    "CONFLICT (id) DO UPDATE SET n = events.n + 1 RETURNING "
	    "events.id" },
	{ V_PLAIN, "DELETE FROM ONLY (app.events) e WHERE e.id = 'x'",
	    B_PLAIN, "DELETE FROM ONLY (app.events_plain) e WHERE e.id = "
		     "'x'" },
	{ V_PLAIN, "SELECT id FROM app.events * WHERE events.id = 'x'",
	    B_PLAIN, "SELECT id FROM app.events_plain AS events WHERE "
		     "events.id = 'x'" },
	{ V_PLAIN, "WITH events AS (SELECT 1) SELECT * FROM events", B_PLAIN,
	    "WITH events AS (SELECT 1) SELECT * FROM events" },
	{ V_PLAIN, "COPY app.events (id, x) TO STDOUT", B_PLAIN,
	    "COPY app.events_plain (id, x) TO STDOUT" },
	{ V_PLAIN, "SELECT 'app.events' /* app.events */ FROM -- app.events\n"
		   "app.events TABLESAMPLE system(1)",
	    B_PLAIN, "SELECT 'app.events' /* app.events */ FROM -- "
		     "app.events\napp.events_plain AS events TABLESAMPLE "
		     "system(1)" },
	/* sharded */
	{ V_SHARDED, "SELECT count(*) FROM app.events", B_COORDINATOR,
	    "SELECT count(*) FROM app.events_sharded AS events" },
	{ V_SHARDED, "SELECT id FROM app.events WHERE tenant_id = " K0,
	    B_SHARD0, "SELECT id FROM app.events_shard AS events WHERE "
		      "tenant_id = " K0 },
	{ V_SHARDED, "SELECT id FROM app.events e WHERE e.tenant_id = " K1
		     "::uuid AND n > 5 ORDER BY id LIMIT 3",
	    B_SHARD1, "SELECT id FROM app.events_shard e WHERE e.tenant_id "
		      "= " K1 "::uuid AND n > 5 ORDER BY id LIMIT 3" },
	{ V_SHARDED, "SELECT id FROM app.events WHERE tenant_id IN (" K0
		     ", " K0B ")",
	    B_SHARD0, "SELECT id FROM app.events_shard AS events WHERE "
		      "tenant_id IN (" K0 ", " K0B ")" },
	{ V_SHARDED, "SELECT id FROM app.events WHERE tenant_id IN (" K0
		     ", " K1 ")",
	    B_COORDINATOR, "SELECT id FROM app.events_sharded AS events "
			   "WHERE tenant_id IN (" K0 ", " K1 ")" },
	{ V_SHARDED, "SELECT id FROM app.events WHERE tenant_id = " K0
		     " OR n = 1",
	    B_COORDINATOR, "SELECT id FROM app.events_sharded AS events "
			   "WHERE tenant_id = " K0 " OR n = 1" },
	{ V_SHARDED, "SELECT id FROM app.events WHERE NOT tenant_id = " K0,
	    B_COORDINATOR, "SELECT id FROM app.events_sharded AS events "
			   "WHERE NOT tenant_id = " K0 },
	{ V_SHARDED, "SELECT id FROM app.events WHERE tenant_id <> " K0,
	    B_COORDINATOR, "SELECT id FROM app.events_sharded AS events "
			   "WHERE tenant_id <> " K0 },
	{ V_SHARDED, "SELECT a.id FROM app.events a JOIN app.events b USING "
		     "(id) WHERE a.tenant_id = " K0,
	    B_COORDINATOR, "SELECT a.id FROM app.events_sharded a JOIN "
			   "app.events_sharded b USING (id) WHERE "
			   "a.tenant_id = " K0 },
	{ V_SHARDED, "INSERT INTO app.events (id, tenant_id) VALUES (1, " K1
		     ")",
	    B_SHARD1, "INSERT INTO app.events_shard AS events (id, "
		      "tenant_id) VALUES (1, " K1 ")" },
	{ V_SHARDED, "INSERT INTO app.events (id, tenant_id) VALUES (1, " K1
		     "), (2, " K0 ")",
	    B_COORDINATOR, "INSERT INTO app.events_sharded AS events (id, "
			   "tenant_id) VALUES (1, " K1 "), (2, " K0 ")" },
	{ V_SHARDED, "INSERT INTO app.events (id) VALUES (1)", B_COORDINATOR,
	    "INSERT INTO app.events_sharded AS events (id) VALUES (1)" },
	{ V_SHARDED, "INSERT INTO app.events VALUES (" K0 ")", B_COORDINATOR,
	    "INSERT INTO app.events_sharded AS events VALUES (" K0 ")" },
	{ V_SHARDED, "UPDATE app.events SET n = 1 WHERE tenant_id = " K0,
	    B_SHARD0, "UPDATE app.events_shard AS events SET n = 1 WHERE "
		      "tenant_id = " K0 },
	{ V_SHARDED, "UPDATE app.events SET tenant_id = " K0
		     " WHERE tenant_id = " K0,
	    B_PLAIN, NULL },
	{ V_SHARDED, "INSERT INTO app.events (id, tenant_id) VALUES (1, " K1
		     ") ON CONFLICT (id) DO UPDATE SET tenant_id = " K0,
	    B_PLAIN, NULL },
	{ V_SHARDED, "DELETE FROM app.events WHERE events.tenant_id = " K1,
	    B_SHARD1, "DELETE FROM app.events_shard AS events WHERE "
		      "events.tenant_id = " K1 },
	{ V_SHARDED, "SELECT id FROM ONLY app.events WHERE tenant_id = " K1,
	    B_COORDINATOR, "SELECT id FROM ONLY app.events_sharded AS "
			   "events WHERE tenant_id = " K1 },
	{ V_SHARDED, "TRUNCATE app.events", B_COORDINATOR,
	    "TRUNCATE app.events_sharded" },
	{ V_SHARDED, "LOCK TABLE app.events", B_COORDINATOR,
	    "LOCK TABLE app.events_sharded" },
	{ V_SHARDED, "COPY app.events FROM STDIN", B_COORDINATOR,
	    "COPY app.events_sharded FROM STDIN" },
	{ V_SHARDED, "EXPLAIN SELECT 1 FROM app.events WHERE tenant_id = " K1,
	    B_SHARD1, "EXPLAIN SELECT 1 FROM app.events_shard AS events "
		      "WHERE tenant_id = " K1 },
	{ V_SHARDED, "SELECT my_own(id) FROM app.events WHERE tenant_id = "
	    K1, B_COORDINATOR, "SELECT my_own(id) FROM app.events_sharded "
			       "AS events WHERE tenant_id = " K1 },
	{ V_SHARDED, "SELECT id FROM app.events WHERE tenant_id = " K1
		     "; SELECT 1",
	    B_COORDINATOR, "SELECT id FROM app.events_sharded AS events "
			   "WHERE tenant_id = " K1 "; SELECT 1" },
	/* monthly: spans from 2026-01 on "monthly", before on "archive" */
	{ V_MONTHLY, "SELECT 1 FROM app.events WHERE occurred_at >= "
		     "'2025-01-01' AND occurred_at < '2025-03-01'",
	    B_ARCHIVE, "SELECT 1 FROM app.events WHERE occurred_at >= "
		       "'2025-01-01' AND occurred_at < '2025-03-01'" },
	{ V_MONTHLY, "SELECT 1 FROM events WHERE occurred_at BETWEEN "
		     "'2025-01-01' AND '2025-03-01'",
	    B_ARCHIVE, "SELECT 1 FROM app.events WHERE occurred_at BETWEEN "
		       "'2025-01-01' AND '2025-03-01'" },
	{ V_MONTHLY, "SELECT 1 FROM app.events WHERE date_trunc('month', "
		     "occurred_at) = '2025-05-01'",
	    B_ARCHIVE, "SELECT 1 FROM app.events WHERE date_trunc('month', "
		       "occurred_at) = '2025-05-01'" },
	{ V_MONTHLY, "SELECT 1 FROM app.events WHERE date_trunc('year', "
		     "occurred_at) = '2025-05-01'",
	    B_MONTHLY, "SELECT 1 FROM app.events WHERE date_trunc('year', "
		       "occurred_at) = '2025-05-01'" },
	{ V_MONTHLY, "SELECT 1 FROM app.events WHERE occurred_at > now()",
	    B_MONTHLY, "SELECT 1 FROM app.events WHERE occurred_at > now()" },
	/* together */
	{ V_SHARDED, "SELECT 1 FROM app.events, app.users", B_PLAIN, NULL },
	{ V_SHARDED, "SELECT 1 FROM app.events WHERE id IN (SELECT id FROM "
		     "notes)",
	    B_PLAIN, NULL },
	{ V_SHARDED, "ALTER TABLE app.events ADD COLUMN x int", B_PLAIN,
	    NULL },
	{ V_SHARDED, "DROP TABLE app.events", B_PLAIN, NULL },
	{ V_SHARDED, "SELECT 1 FROM notes", B_PLAIN, "SELECT 1 FROM notes" },
	{ V_SHARDED, "not even SQL", B_PLAIN, "not even SQL" },
};

static void
route_row(const struct row *r)
{
	struct route_values v = { .sql = slice_str(r->sql), .lx = &lx,
		.now_wall = 1784116800 * NSEC_PER_SEC };
	struct shape *s;
	struct route_plan *p;
	struct route_decision d;
	struct buf out;

	util_conf_init(&conf, r->use);
	s = shape_get(&shapes, &lx, v.sql, true, 100000);
	p = route_plan_new(&conf.c, &conf.db, s);
	route_decide(p, s, &v, &d);
	if (d.backend != &conf.b[r->backend])
		fail_msg("%s: on %s: %s", r->sql, d.backend->name, d.why);
	if ((p->err_sqlstate == NULL) != (r->physical != NULL))
		fail_msg("%s: %s", r->sql,
		    p->err_message != NULL ? p->err_message : "no error");
	buf_init(&out, 100000);
	assert_true(route_rewrite(p, s, &v, d.form, &out));
	if (r->physical != NULL &&
	    !slice_eq_str(slice_make(buf_head(&out), buf_len(&out)),
		r->physical))
		fail_msg("%s: %.*s", r->sql, (int)buf_len(&out),
		    buf_head(&out));
	/* Every character that was only moved maps back to itself. */
	assert_int_equal(route_unmap_position(p, s, &v, d.form, 1), 1);
	buf_reset(&out);
	route_plan_free(&p);
}

static void
statements_go_where_they_belong(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		route_row(&rows[i]);
}

/* What is sent must still be SQL, of the same kind. */
static void
physical_texts_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct shape *s;
		enum stmt_kind kind;

		if (rows[i].physical == NULL)
			continue;
		s = shape_get(&shapes, &lx, slice_str(rows[i].sql), true,
		    100000);
		kind = s->an->kind;
		s = shape_get(&shapes, &lx, slice_str(rows[i].physical),
		    true, 100000);
		if (s->an->kind != kind)
			fail_msg("%s", rows[i].physical);
	}
}

static void
plans_serve_every_text_of_a_shape(void **state)
{
	static const struct row same[] = {
		{ V_SHARDED, "SELECT id FROM app.events WHERE tenant_id = " K0
			     " AND x = 'é'",
		    B_SHARD0, "SELECT id FROM app.events_shard AS events "
			      "WHERE tenant_id = " K0 " AND x = 'é'" },
		{ V_SHARDED, "SELECT id FROM app.events WHERE tenant_id = " K1
			     " AND x = ''",
		    B_SHARD1, "SELECT id FROM app.events_shard AS events "
			      "WHERE tenant_id = " K1 " AND x = ''" },
	};
	uint64_t parses = shapes.parses;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		route_row(&same[i]);
	assert_int_equal(shapes.parses, parses + 1);
}

#define MANY 10000

/* Ten thousand ids in a list, literals and parameters, take time in proportion
 * only: a test that takes minutes otherwise. */
static void
long_lists_are_cheap(void **state)
{
	struct buf sql, body;
	char tmp[16];
	unsigned i, bound;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	conf.key.type = KEY_TYPE_INT8;
	for (bound = 0; bound < 2; bound++) {
		struct route_values v = { .lx = &lx };
		struct wire_bind bind;
		struct shape *s;
		struct route_plan *p;
		struct route_decision d = { .shard = NULL };

		buf_init(&sql, 1 << 20);
		buf_init(&body, 1 << 20);
		assert_true(buf_append(&sql, "SELECT 1 FROM app.events WHERE "
		    "tenant_id IN (", 45));
		assert_true(buf_append(&body, "\0\0\0\0\x27\x10", 6));
		for (i = 1; i <= MANY; i++) {
			int n = snprintf(tmp, sizeof(tmp), "%s$%u",
			    i > 1 ? "," : "", i);

			if (bound)
				assert_true(buf_append(&sql, tmp, (size_t)n));
			else
				assert_true(buf_append(&sql, i > 1 ? ",7" :
				    "7", i > 1 ? 2 : 1));
			assert_true(buf_append(&body, "\0\0\0\1" "7", 5));
		}
		assert_true(buf_append(&sql, ")", 1));
		assert_true(buf_append(&body, "\0\0", 2));
		v.sql = slice_make(buf_head(&sql), buf_len(&sql));
		s = shape_get(&shapes, &lx, v.sql, true, 1 << 20);
		assert_int_equal(s->an->kind, STMT_SELECT);
		if (bound) {
			assert_true(msgread_bind(buf_head(&body),
			    buf_len(&body), &bind));
			v.bind = &bind;
		}
		p = route_plan_new(&conf.c, &conf.db, s);
		for (i = 0; i < 100; i++)
			route_decide(p, s, &v, &d);
		assert_non_null(d.shard);
		route_plan_free(&p);
		buf_reset(&sql);
		buf_reset(&body);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_go_where_they_belong),
		cmocka_unit_test(physical_texts_parse),
		cmocka_unit_test(plans_serve_every_text_of_a_shape),
		cmocka_unit_test(long_lists_are_cheap),
	};
	int failed;

	hash_init();
	shape_table_init(&shapes, 200, NULL);
	lexer_init(&lx);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	lexer_fini(&lx);
	shape_table_fini(&shapes);
	return failed;
}
