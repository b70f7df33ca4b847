/* SPDX-License-Identifier: PostgreSQL
 *
 * Statements over several relations and levels: can all shards together answer
 * them?
 */
#include "route_util.h"

#include "route/gather.h"
#include "sql/split.h"

static struct util_conf u;

#define E "app.events"
#define O "app.orders"

/* ROWS, SORT, GROUP; 0: no. */
static const struct {
	enum gather_mode mode;
	const char *sql;
} rows[] = {
	/* joins */
	{ GATHER_ROWS, "SELECT 1 FROM " E " e JOIN " O " o ON o.tenant = "
		"e.tenant_id AND o.x > e.x" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " e LEFT JOIN " O " o ON o.tenant = "
		"e.tenant_id" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " e RIGHT JOIN " O " o ON o.tenant = "
		"e.tenant_id WHERE o.x = 1" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " a JOIN " E " b USING (tenant_id)" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " a JOIN " E " b USING (tenant_id) "
		"LEFT JOIN " O " o ON o.tenant = b.tenant_id" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " a, " E " b, " O " o WHERE "
		"a.tenant_id = b.tenant_id AND o.tenant = b.tenant_id" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " a CROSS JOIN generate_series(1, 2)"
		" g" },
	{ 0, "SELECT 1 FROM " E " e LEFT JOIN " O " o ON o.tenant = "
		"e.tenant_id OR o.x = e.x" },
	{ 0, "SELECT 1 FROM " E " e JOIN " O " o ON o.id = e.tenant_id" },
	{ 0, "SELECT 1 FROM " E " a, " E " b" },
	{ 0, "SELECT 1 FROM " E " a, " E " b, " O " o WHERE "
		"a.tenant_id = b.tenant_id AND o.tenant = b.x" },
	{ 0, "SELECT 1 FROM " E " e JOIN " O " o ON o.tenant > e.tenant_id" },
	{ 0, "SELECT 1 FROM " E " a NATURAL JOIN " E " b" },
	{ 0, "SELECT 1 FROM generate_series(1, 2) g LEFT JOIN " E
		" e ON e.x = g" },
	{ 0, "SELECT 1 FROM (VALUES (1)) v (x) LEFT JOIN " E " e ON true" },
	{ 0, "SELECT 1 FROM " E " e, notes WHERE e.x = notes.x" },
	/* the side that is filled up with NULL is no side to divide */
	{ 0, "SELECT 1 FROM " E " e LEFT JOIN " O " o ON o.tenant = "
		"e.tenant_id RIGHT JOIN " E " f ON f.id = e.id" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " a FULL JOIN " E
		" b USING (tenant_id)" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " e FULL JOIN " O " o ON e.id = "
		"o.id AND o.tenant = e.tenant_id" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " a FULL JOIN " E " b ON "
		"a.tenant_id = b.tenant_id FULL JOIN " O " o ON o.tenant = "
		"b.tenant_id" },
	{ 0, "SELECT 1 FROM " E " a FULL JOIN " E " b ON a.id = b.id" },
	{ 0, "SELECT 1 FROM " E " a FULL JOIN " E " b ON a.tenant_id = "
		"b.tenant_id OR a.id = b.id" },
	{ 0, "SELECT 1 FROM " E " a FULL JOIN " E " b ON a.tenant_id = "
		"b.tenant_id FULL JOIN " O " o ON o.id = b.id" },
	{ 0, "SELECT 1 FROM (" E " a JOIN " E " c ON a.id = c.id) FULL JOIN "
		E " b ON a.tenant_id = c.tenant_id AND a.id = b.id" },
	/* groups */
	{ GATHER_ROWS, "SELECT array_agg(o.x) FROM " E " e LEFT JOIN " O
		" o ON o.tenant = e.tenant_id GROUP BY e.tenant_id" },
	{ 0, "SELECT array_agg(e.x) FROM " E " e LEFT JOIN " O
		" o ON o.tenant = e.tenant_id GROUP BY o.tenant" },
	{ GATHER_GROUP, "SELECT count(e.x) FROM " E " e LEFT JOIN " O
		" o ON o.tenant = e.tenant_id GROUP BY o.tenant" },
	{ GATHER_ROWS, "SELECT array_agg(e.x) FROM " E " e JOIN " O
		" o ON o.tenant = e.tenant_id GROUP BY o.tenant" },
	{ GATHER_ROWS, "SELECT array_agg(e.x) FROM " E " e FULL JOIN " O
		" o ON o.tenant = e.tenant_id GROUP BY o.tenant, e.tenant_id" },
	{ 0, "SELECT array_agg(e.x) FROM " E " e FULL JOIN " O
		" o ON o.tenant = e.tenant_id GROUP BY o.tenant" },
	{ 0, "SELECT array_agg(e.x) FROM " E " e FULL JOIN " O
		" o ON o.tenant = e.tenant_id GROUP BY o.x, e.tenant_id" },
	{ GATHER_ROWS, "SELECT DISTINCT e.* FROM " E " e JOIN " O
		" o ON o.tenant = e.tenant_id" },
	{ GATHER_SORT, "SELECT DISTINCT o.x FROM " E " e JOIN " O
		" o ON o.tenant = e.tenant_id" },
	{ GATHER_GROUP, "SELECT sum((SELECT 1 FROM " O " o WHERE o.tenant = "
		"e.tenant_id)) FROM " E " e" },
	{ GATHER_ROWS, "SELECT DISTINCT ON (tenant_id) x FROM " E },
	{ GATHER_SORT, "SELECT DISTINCT ON (tenant_id) x FROM " E
		" ORDER BY tenant_id, y" },
	{ GATHER_SORT, "SELECT DISTINCT ON (x) y FROM " E },
	{ GATHER_ROWS, "SELECT 1 FROM (SELECT DISTINCT ON (tenant_id, x) y "
		"FROM " E " ORDER BY tenant_id, x, y) s" },
	{ 0, "SELECT 1 FROM (SELECT DISTINCT ON (x) tenant_id FROM " E ") s" },
	{ 0, "SELECT DISTINCT ON (x) count(*) FROM " E " GROUP BY x" },
	/* windows */
	{ GATHER_ROWS, "SELECT rank() OVER (PARTITION BY x, tenant_id) FROM "
		E },
	{ GATHER_SORT, "SELECT x FROM " E " ORDER BY rank() OVER (PARTITION "
		"BY tenant_id)" },
	{ GATHER_ROWS, "SELECT rank() OVER (PARTITION BY tenant_id ORDER BY "
		"count(*)) FROM " E " GROUP BY tenant_id, x" },
	{ 0, "SELECT rank() OVER (PARTITION BY x) FROM " E },
	{ 0, "SELECT rank() OVER (ORDER BY tenant_id) FROM " E },
	{ 0, "SELECT rank() OVER (PARTITION BY tenant_id), sum(x) OVER () "
		"FROM " E },
	{ 0, "SELECT rank() OVER w FROM " E " WINDOW w AS (PARTITION BY x)" },
	{ 0, "SELECT rank() OVER (w ORDER BY y) FROM " E
		" WINDOW w AS (PARTITION BY x)" },
	{ 0, "SELECT rank() OVER (PARTITION BY tenant_id) FROM " E
		" GROUP BY x" },
	{ 0, "SELECT rank() OVER (PARTITION BY o.tenant) FROM " E
		" e LEFT JOIN " O " o ON o.tenant = e.tenant_id" },
	{ 0, "SELECT x FROM (SELECT x, sum(y) OVER (PARTITION BY x) FROM " E
		") s" },
	{ GATHER_ROWS, "SELECT x FROM (SELECT x, row_number() OVER (PARTITION "
		"BY tenant_id ORDER BY y) n FROM " E ") s WHERE n = 1" },
	/* subqueries about the same key */
	{ GATHER_ROWS, "SELECT 1 FROM " E " e WHERE EXISTS (SELECT 1 FROM " O
		" o WHERE o.tenant = e.tenant_id LIMIT 1)" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " e WHERE NOT EXISTS (SELECT 1 FROM "
		O " o WHERE o.tenant = e.tenant_id AND o.x = e.x)" },
	{ GATHER_ROWS, "SELECT (SELECT max(o.x) FROM " O " o WHERE o.tenant = "
		"e.tenant_id) FROM " E " e" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " WHERE tenant_id IN (SELECT tenant "
		"FROM " O " WHERE x = 1)" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " WHERE tenant_id IN (SELECT tenant "
		"FROM " O " GROUP BY tenant HAVING count(*) > 3)" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " WHERE tenant_id IN (SELECT o.tenant "
		"FROM " O " o JOIN " E " x ON x.tenant_id = o.tenant)" },
	{ 0, "SELECT 1 FROM " E " WHERE tenant_id IN (SELECT tenant FROM " O
		" GROUP BY tenant, x ORDER BY x LIMIT 3)" },
	{ 0, "SELECT 1 FROM " E " WHERE tenant_id NOT IN (SELECT tenant FROM "
		O ")" },
	{ 0, "SELECT 1 FROM " E " WHERE x = 1 OR tenant_id IN (SELECT tenant "
		"FROM " O ")" },
	{ 0, "SELECT 1 FROM " E " WHERE x IN (SELECT tenant FROM " O ")" },
	{ 0, "SELECT 1 FROM " E " e WHERE EXISTS (SELECT 1 FROM " O
		" o WHERE o.x = e.x)" },
	{ 0, "SELECT 1 FROM " E " WHERE x > (SELECT max(x) FROM " O ")" },
	/* whose aggregate is it? */
	{ 0, "SELECT (SELECT max(e.x)) FROM " E " e" },
	{ 0, "SELECT (SELECT max(x) FROM " O " o WHERE o.tenant = "
		"e.tenant_id) FROM " E " e" },
	{ 0, "SELECT (SELECT 1 FROM " O " o WHERE o.tenant = "
		"e.tenant_id AND o.x = max(e.x)) FROM " E " e" },
	{ 0, "SELECT (SELECT m FROM (SELECT max(e.x) AS m) q) FROM " E " e" },
	{ GATHER_ROWS, "SELECT (SELECT count(*) FROM " O " o WHERE o.tenant = "
		"e.tenant_id) FROM " E " e" },
	/* queries in FROM, and WITH */
	{ GATHER_GROUP, "SELECT count(*) FROM (SELECT x FROM " E
		" WHERE y = 1 ORDER BY x) s" },
	{ GATHER_ROWS, "SELECT s.n FROM (SELECT tenant_id, array_agg(x) n FROM "
		E " GROUP BY tenant_id) s WHERE s.n IS NOT NULL" },
	{ GATHER_GROUP, "SELECT avg(n) FROM (SELECT tenant_id, count(*) n FROM "
		E " GROUP BY tenant_id) s" },
	{ GATHER_ROWS, "SELECT 1 FROM (SELECT DISTINCT tenant_id, x FROM " E
		") s" },
	{ GATHER_ROWS, "SELECT 1 FROM (SELECT DISTINCT * FROM " E ") s" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " e JOIN (SELECT tenant t, count(*) "
		"n FROM " O " GROUP BY tenant) s ON s.t = e.tenant_id" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " e LEFT JOIN (SELECT tenant t, "
		"count(*) n FROM " O " GROUP BY tenant) s ON s.t = "
		"e.tenant_id" },
	{ GATHER_ROWS, "SELECT array_agg(x) FROM (SELECT tenant_id AS t, x "
		"FROM " E ") s GROUP BY s.t" },
	{ GATHER_ROWS, "WITH s AS (SELECT tenant t FROM " O ") SELECT 1 FROM "
		E " e JOIN s ON s.t = e.tenant_id" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " e CROSS JOIN LATERAL (SELECT o.x "
		"FROM " O " o WHERE o.tenant = e.tenant_id ORDER BY o.y LIMIT "
		"2) s" },
	{ GATHER_ROWS, "SELECT 1 FROM " E " e LEFT JOIN LATERAL (SELECT "
		"max(o.x) FROM " O " o WHERE o.tenant = e.tenant_id) s ON "
		"true" },
	{ 0, "SELECT 1 FROM " E " e CROSS JOIN LATERAL (SELECT o.x FROM " O
		" o WHERE o.x = e.x LIMIT 2) s" },
	{ 0, "SELECT 1 FROM " E " e CROSS JOIN (SELECT o.x FROM " O
		" o, " E " e WHERE o.tenant = e.tenant_id LIMIT 2) s" },
	{ 0, "SELECT count(*) FROM (SELECT x FROM " E " LIMIT 5) s" },
	{ 0, "SELECT count(*) FROM (SELECT max(x) FROM " E ") s" },
	{ 0, "SELECT 1 FROM (SELECT x, count(*) FROM " E " GROUP BY x) s" },
	{ 0, "SELECT 1 FROM (SELECT DISTINCT x FROM " E ") s" },
	{ 0, "SELECT 1 FROM (SELECT 1 FROM " E " HAVING true) s" },
	{ 0, "SELECT 1 FROM (SELECT tenant_id, count(*) FROM " E " GROUP BY "
		"ROLLUP (tenant_id)) s" },
	{ 0, "SELECT 1 FROM (SELECT tenant_id FROM " E " GROUP BY 1) s" },
	{ 0, "SELECT 1 FROM (SELECT DISTINCT x FROM (SELECT tenant_id, x FROM "
		E " GROUP BY tenant_id, x) s) t" },
	{ 0, "WITH s AS (SELECT * FROM " E ") SELECT 1 FROM s a, s b" },
	{ 0, "WITH s AS (SELECT * FROM " E ") SELECT 1 FROM s WHERE x = "
		"(SELECT max(s.x) FROM s)" },
	{ 0, "WITH s AS (SELECT * FROM " E ") SELECT 1 FROM " O },
	{ 0, "WITH RECURSIVE s AS (SELECT x FROM " E " UNION ALL SELECT x + 1 "
		"FROM s WHERE x < 9) SELECT 1 FROM s" },
	{ 0, "SELECT 1 FROM " E " e LEFT JOIN (SELECT tenant t, rank() OVER "
		"(PARTITION BY x) n FROM " O ") s ON s.t = e.tenant_id" },
	{ 0, "SELECT 1 FROM (SELECT * FROM " E " FOR UPDATE) s" },
	/* UNION */
	{ GATHER_ROWS, "SELECT x FROM " E " UNION ALL SELECT x FROM " O },
	{ GATHER_SORT, "SELECT x FROM " E " UNION SELECT x FROM " O
		" UNION ALL SELECT y FROM " E " UNION SELECT y FROM " O },
	{ GATHER_SORT, "SELECT x FROM " E " UNION ALL SELECT x FROM " O
		" ORDER BY x LIMIT 2" },
	{ GATHER_ROWS, "SELECT tenant_id, count(*) FROM " E " GROUP BY "
		"tenant_id UNION ALL SELECT e.tenant_id, 0 FROM " E " e JOIN "
		O " o ON o.tenant = e.tenant_id" },
	{ GATHER_GROUP, "SELECT count(*) FROM (SELECT x FROM " E
		" UNION ALL SELECT x FROM " O ") s" },
	{ 0, "SELECT x FROM " E " UNION SELECT x FROM " O " UNION ALL SELECT "
		"y FROM " E },
	{ 0, "SELECT x FROM " E " UNION ALL SELECT 1" },
	{ 0, "SELECT x FROM " E " UNION ALL (SELECT x FROM " O " LIMIT 1)" },
	{ 0, "(SELECT x FROM " E " UNION ALL SELECT x FROM " O " LIMIT 1 "
		"OFFSET 1)" },
	{ 0, "SELECT count(*) FROM " E " UNION ALL SELECT 1 FROM " O },
	{ 0, "SELECT x FROM " E " INTERSECT SELECT x FROM " O },
	{ 0, "SELECT 1 FROM (SELECT x FROM " E " UNION SELECT x FROM " O
		") s" },
	{ 0, "SELECT x FROM " E " e UNION ALL SELECT o.x FROM " O " o, " E
		" e" },
};

static enum gather_mode
mode_of(const char *sql)
{
	struct route_values v = { .sql = slice_str(sql) };
	struct route_plan *p;
	enum gather_mode mode = GATHER_NONE;
	struct gather *g;
	struct shape s;
	struct lexer lx;

	memset(&s, 0, sizeof(s));
	lexer_init(&lx);
	assert_int_equal(lex_statement(&lx, v.sql, true, 65536), LEX_OK);
	s.text = lx.shape;
	s.len = lx.shape_len;
	s.an = analysis_new(v.sql, &lx, NULL);
	v.lx = &lx;
	assert_int_not_equal(s.an->kind, STMT_UNPARSED);
	p = route_plan_new(&u.c, &u.db, &s);
	g = gather_new(p, &s, &v);
	if (g != NULL)
		mode = gather_mode(g);
	gather_free(&g);
	route_plan_free(&p);
	analysis_free(&s.an);
	lexer_fini(&lx);
	return mode;
}

static void
statements_are_taken_apart(void **state PG_UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum gather_mode got = mode_of(rows[i].sql);

		if (got != rows[i].mode)
			print_error("%s: %d, expected %d\n", rows[i].sql, got,
			    rows[i].mode);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(mode_of(rows[i].sql), rows[i].mode);
}

/* Rows with equal keys are on one shard only if their types hash alike. */
static void
keys_have_to_agree(void **state PG_UNUSED)
{
	static const char join[] = "SELECT 1 FROM " E " e JOIN " O
	    " o ON o.tenant = e.tenant_id";
	static const char full[] = "SELECT 1 FROM " E " e FULL JOIN " O
	    " o ON o.tenant = e.tenant_id";

	u.orders_key.type = KEY_TYPE_TEXT;
	assert_int_equal(mode_of(join), GATHER_NONE);
	assert_int_equal(mode_of(full), GATHER_NONE);
	u.orders_key.type = KEY_TYPE_UUID;
	assert_int_equal(mode_of(join), GATHER_ROWS);
	assert_int_equal(mode_of(full), GATHER_ROWS);
}

static void
all_columns_of_the_key_count(void **state PG_UNUSED)
{
	struct conf_key two[] = { { (char *)"tenant_id", KEY_TYPE_UUID },
		{ (char *)"region", KEY_TYPE_TEXT } };

	u.events.keys = two;
	u.events.n_keys = 2;
	assert_int_equal(mode_of("SELECT 1 FROM " E " a JOIN " E " b USING "
	    "(tenant_id)"), GATHER_NONE);
	assert_int_equal(mode_of("SELECT 1 FROM " E " a JOIN " E " b USING "
	    "(tenant_id, region)"), GATHER_ROWS);
	assert_int_equal(mode_of("SELECT 1 FROM " E " a FULL JOIN " E " b USING "
	    "(tenant_id)"), GATHER_NONE);
	assert_int_equal(mode_of("SELECT 1 FROM " E " a FULL JOIN " E " b USING "
	    "(region, tenant_id)"), GATHER_ROWS);
	assert_int_equal(mode_of("SELECT array_agg(x) FROM " E " GROUP BY "
	    "tenant_id"), GATHER_NONE);
	assert_int_equal(mode_of("SELECT array_agg(x) FROM " E " GROUP BY "
	    "region, tenant_id"), GATHER_ROWS);
	assert_int_equal(mode_of("SELECT rank() OVER (PARTITION BY region) "
	    "FROM " E), GATHER_NONE);
	u.events.keys = &u.key;
	u.events.n_keys = 1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_are_taken_apart),
		cmocka_unit_test(keys_have_to_agree),
		cmocka_unit_test(all_columns_of_the_key_count),
	};

	hash_init();
	util_conf_init(&u, V_SHARDED);
	u.db.backend = &u.b[B_COORDINATOR];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
