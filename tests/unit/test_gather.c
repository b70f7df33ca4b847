/* SPDX-License-Identifier: PostgreSQL
 *
 * SELECTs taken apart for many shards: what each is asked, and what puts the
 * parts together.
 */
#include "route_util.h"

#include "route/gather.h"
#include "sql/split.h"

struct taken {
	struct lexer lx;
	struct shape s;
	struct route_plan *p;
	struct route_values v;
	struct gather *g;
	struct buf b;
};

static struct util_conf u;

static void
take(struct taken *t, const char *sql)
{
	memset(t, 0, sizeof(*t));
	lexer_init(&t->lx);
	buf_init(&t->b, 65536);
	t->v.sql = slice_str(sql);
	assert_int_equal(lex_statement(&t->lx, t->v.sql, true, 65536), LEX_OK);
	t->s.text = t->lx.shape;
	t->s.len = t->lx.shape_len;
	t->s.an = analysis_new(t->v.sql, &t->lx, NULL);
	t->p = route_plan_new(&u.c, &u.db, &t->s);
	t->v.lx = &t->lx;
	t->g = gather_new(t->p, &t->s, &t->v);
}

static void
put_back(struct taken *t)
{
	gather_free(&t->g);
	route_plan_free(&t->p);
	analysis_free(&t->s.an);
	lexer_fini(&t->lx);
	buf_reset(&t->b);
}

static void
same_text(const struct buf *b, const char *expect)
{
	char *text = x_strndup(buf_len(b) > 0 ? buf_head(b) : "", buf_len(b));

	assert_string_equal(text, expect);
	free(text);
}

/* oids: of what a shard returns, with the names a, b, c, ...; final: NULL: refused,
 * "+": added up. */
static const struct {
	const char *sql;
	enum gather_mode mode;
	const char *partial;
	uint32_t oids[6];
	const char *final;
} rows[] = {
	{ "SELECT id, x FROM app.events WHERE y = 1", GATHER_ROWS,
	    "SELECT id, x FROM app.events_shard AS events WHERE y = 1",
	    { 20, 25 }, "SELECT p.c1, p.c2 FROM (VALUES ($1, $2), ($3, $4)) "
	    "AS p(c1, c2)" },
	{ "/* a */ SELECT app.events.id -- b\n FROM app.events ORDER BY "
	    "app.events.at DESC NULLS LAST /* c */, 1 LIMIT 5 OFFSET 2; ",
	    GATHER_SORT, "SELECT events.id, events.at -- b\n FROM "
	    "app.events_shard AS events ORDER BY events.at DESC NULLS LAST "
	    "/* c */, 1 LIMIT 7", { 2950, 1184 },
	    "SELECT p.c1 FROM (VALUES ($1, $2), ($3, $4)) AS p(c1, c2) ORDER "
	    "BY p.c2 DESC NULLS LAST, 1  LIMIT 5 OFFSET 2" },
	{ "SELECT t AS x, id FROM app.events ORDER BY x, id", GATHER_SORT,
	    "SELECT t AS x, id FROM app.events_shard AS events ORDER BY x, id",
	    { 25, 20 }, NULL },
	{ "SELECT DISTINCT a, b FROM app.events ORDER BY b", GATHER_SORT,
	    "SELECT DISTINCT a, b FROM app.events_shard AS events ORDER BY b",
	    { 25, 20 }, "SELECT DISTINCT p.c1, p.c2 FROM (VALUES ($1, $2), "
	    "($3, $4)) AS p(c1, c2) ORDER BY 2 " },
	{ "SELECT count(*) FROM app.events", GATHER_GROUP,
	    "SELECT count(*) FROM app.events_shard AS events", { 20 }, "+" },
	{ "SELECT count(*), sum(n) FROM app.events", GATHER_GROUP,
	    "SELECT count(*), sum(n) FROM app.events_shard AS events",
	    { 20, 1700 }, "SELECT sum(p.c1)::int8, sum(p.c2) FROM (VALUES "
	    "($1, $2), ($3, $4)) AS p(c1, c2)" },
	{ "SELECT sum(f) FROM app.events", GATHER_GROUP,
	    "SELECT sum(f) FROM app.events_shard AS events", { 701 }, NULL },
	{ "SELECT max(s) FROM app.events", GATHER_GROUP,
	    "SELECT max(s) FROM app.events_shard AS events", { 25 }, NULL },
	{ "SELECT m, round(avg(n) FILTER (WHERE (n) > ')'), 2) AS r FROM "
	    "app.events GROUP BY m HAVING count(*) > 1 ORDER BY r, "
	    "count(*)", GATHER_GROUP,
	    "SELECT m, round(avg(n) FILTER (WHERE (n) > ')'), 2) AS r, sum(n) "
	    "FILTER (WHERE (n) > ')'), count(n) FILTER (WHERE (n) > ')'), "
	    "count(*), count(*) FROM app.events_shard AS events GROUP BY m",
	    { 25, 1700, 20, 20, 20, 20 }, NULL },
	{ "SELECT date_trunc('month', at) AS m, avg(n) FROM app.events GROUP "
	    "BY 1 HAVING count(*) > 1 ORDER BY 1 DESC LIMIT 3", GATHER_GROUP,
	    "SELECT date_trunc('month', at) AS m, avg(n), sum(n) , count(n) , "
	    "count(*) FROM app.events_shard AS events GROUP BY 1",
	    { 1184, 1700, 20, 20, 20 }, "SELECT p.c1, (sum(p.c3) / "
	    "nullif(sum(p.c4), 0)) FROM (VALUES ($1, $2, $3, $4, $5), ($6, "
	    "$7, $8, $9, $10)) AS p(c1, c2, c3, c4, c5) GROUP BY p.c1 HAVING "
	    "sum(p.c5)::int8 > 1 ORDER BY 1 DESC LIMIT 3" },
	{ "SELECT count(*) FROM app.events GROUP BY k + 1", GATHER_GROUP,
	    "SELECT count(*), k + 1 FROM app.events_shard AS events GROUP BY "
	    "k + 1", { 20, 23 }, "SELECT sum(p.c1)::int8 FROM (VALUES ($1, "
	    "$2), ($3, $4)) AS p(c1, c2) GROUP BY p.c2" },
	{ "SELECT tenant_id, array_agg(x) FROM app.events GROUP BY tenant_id",
	    GATHER_ROWS, "SELECT tenant_id, array_agg(x) FROM "
	    "app.events_shard AS events GROUP BY tenant_id", { 2950, 1007 },
	    "SELECT p.c1, p.c2 FROM (VALUES ($1, $2), ($3, $4)) AS p(c1, "
	    "c2)" },
	{ "SELECT a IS DISTINCT FROM b, x.from FROM app.events AS x WHERE a "
	    "IS NOT DISTINCT FROM b ORDER BY x.order", GATHER_SORT,
	    "SELECT a IS DISTINCT FROM b, x.from, x.order FROM "
	    "app.events_shard AS x WHERE a IS NOT DISTINCT FROM b ORDER BY "
	    "x.order", { 16, 25, 20 }, "SELECT p.c1, p.c2 FROM (VALUES ($1, "
	    "$2, $3), ($4, $5, $6)) AS p(c1, c2, c3) ORDER BY p.c3 " },
	{ "SELECT x FROM app.events ORDER BY 70000", GATHER_SORT, NULL,
	    { 0 }, NULL },
	{ "SELECT x FROM app.events LIMIT 99999999999999999999", GATHER_SORT,
	    NULL, { 0 }, NULL },
	{ "SELECT DISTINCT a FROM app.events ORDER BY a + 1", GATHER_SORT,
	    NULL, { 0 }, NULL },
	/* The name may be the table's column. */
	{ "SELECT upper(m) AS m, count(*) FROM app.events GROUP BY m",
	    GATHER_GROUP, NULL, { 0 }, NULL },
	{ "SELECT n + count(*) FROM app.events GROUP BY n", GATHER_GROUP,
	    NULL, { 0 }, NULL },
	{ "SELECT generate_series(1, 2), count(*) FROM app.events",
	    GATHER_GROUP, NULL, { 0 }, NULL },
	{ "SELECT *, count(*) FROM app.events", GATHER_GROUP, NULL, { 0 },
	    NULL },
	/* Each value once: the shards make groups of the values. */
	{ "SELECT k, count(DISTINCT lower(s)) AS b, sum(y) FROM app.events "
	    "GROUP BY k ORDER BY b", GATHER_GROUP, "SELECT k, count(DISTINCT "
	    "lower(s)) AS b, sum(y), lower(s) FROM app.events_shard AS events "
	    "GROUP BY k, lower(s)", { 20, 20, 20, 23 },
	    "SELECT p.c1, count(DISTINCT p.c4), sum(p.c3)::int8 FROM (VALUES "
	    "($1, $2, $3, $4), ($5, $6, $7, $8)) AS p(c1, c2, c3, c4) GROUP BY "
	    "p.c1 ORDER BY 2 " },
	{ "SELECT sum(DISTINCT y) FILTER (WHERE z > 1), avg(DISTINCT y) FROM "
	    "app.events WHERE q", GATHER_GROUP, "SELECT sum(DISTINCT y) FILTER "
	    "(WHERE z > 1), avg(DISTINCT y), y, z > 1, y FROM "
	    "app.events_shard AS events WHERE q GROUP BY y, z > 1, y",
	    { 20, 1700, 23, 16, 23 }, "SELECT sum(DISTINCT p.c3) FILTER (WHERE "
	    "p.c4), avg(DISTINCT p.c5) FROM (VALUES ($1, $2, $3, $4, $5), ($6, "
	    "$7, $8, $9, $10)) AS p(c1, c2, c3, c4, c5)" },
	{ "SELECT sum(DISTINCT y) FROM app.events", GATHER_GROUP,
	    "SELECT sum(DISTINCT y), y FROM app.events_shard AS events GROUP "
	    "BY y", { 701, 701 }, NULL },
	/* That z hangs on k no shard would check. */
	{ "SELECT z, count(DISTINCT z) FROM app.events GROUP BY k",
	    GATHER_GROUP, NULL, { 0 }, NULL },
	{ "SELECT 'a', k, count(DISTINCT z) FROM app.events GROUP BY k",
	    GATHER_GROUP, "SELECT 'a', k, count(DISTINCT z), z FROM "
	    "app.events_shard AS events GROUP BY k, z", { 25, 20, 20, 20 },
	    "SELECT (array_agg(p.c1))[1], p.c2, count(DISTINCT p.c4) FROM "
	    "(VALUES ($1, $2, $3, $4), ($5, $6, $7, $8)) AS p(c1, c2, c3, c4) "
	    "GROUP BY p.c2" },
	/* The whole key by its position. */
	{ "SELECT tenant_id, array_agg(x) FROM app.events GROUP BY 1",
	    GATHER_ROWS, "SELECT tenant_id, array_agg(x) FROM "
	    "app.events_shard AS events GROUP BY 1", { 2950, 1007 },
	    "SELECT p.c1, p.c2 FROM (VALUES ($1, $2), ($3, $4)) AS p(c1, "
	    "c2)" },
	{ "SELECT x, array_agg(tenant_id) FROM app.events GROUP BY 1",
	    GATHER_ROWS, NULL, { 0 }, NULL },
	/* The first row of each group is that of the shards' first ones. */
	{ "SELECT DISTINCT ON (x, lower(s)) id FROM app.events ORDER BY x, "
	    "lower(s) DESC, y LIMIT 4 OFFSET 1", GATHER_SORT, "SELECT DISTINCT "
	    "ON (x, lower(s)) id, x, lower(s), y FROM app.events_shard AS "
	    "events ORDER BY x, lower(s) DESC, y LIMIT 5", { 20, 20, 20, 20 },
	    "SELECT DISTINCT ON (p.c2, p.c3) p.c1 FROM (VALUES ($1, $2, $3, "
	    "$4), ($5, $6, $7, $8)) AS p(c1, c2, c3, c4) ORDER BY p.c2 , p.c3 "
	    "DESC, p.c4  LIMIT 4 OFFSET 1" },
	{ "SELECT DISTINCT ON (1) x FROM app.events", GATHER_SORT, "SELECT "
	    "DISTINCT ON (1) x FROM app.events_shard AS events ", { 25 }, NULL },
	{ "SELECT DISTINCT ON (2) x FROM app.events", GATHER_SORT, "SELECT "
	    "DISTINCT ON (2) x FROM app.events_shard AS events ", { 20 }, NULL },
	/* Several relations, and queries. */
	{ "WITH c AS (SELECT tenant FROM app.orders) SELECT e.x, c.tenant FROM "
	    "app.events e JOIN c ON c.tenant = e.tenant_id ORDER BY e.y + 1 "
	    "LIMIT 2", GATHER_SORT, "WITH c AS (SELECT tenant FROM "
	    "app.orders_shard AS orders) SELECT e.x, c.tenant, e.y + 1 FROM "
	    "app.events_shard e JOIN c ON c.tenant = e.tenant_id ORDER BY e.y "
	    "+ 1 LIMIT 2", { 20, 2950, 20 }, "SELECT p.c1, p.c2 FROM (VALUES "
	    "($1, $2, $3), ($4, $5, $6)) AS p(c1, c2, c3) ORDER BY p.c3  "
	    "LIMIT 2" },
	{ "SELECT count(*) FROM app.events e, app.orders o WHERE e.tenant_id = "
	    "o.tenant", GATHER_GROUP, "SELECT count(*) FROM app.events_shard e,"
	    " app.orders_shard o WHERE e.tenant_id = o.tenant", { 20 }, "+" },
	{ "SELECT rank() OVER w, x FROM app.events WHERE y WINDOW w AS "
	    "(PARTITION BY tenant_id ORDER BY x) ORDER BY z", GATHER_SORT,
	    "SELECT rank() OVER w, x, z FROM app.events_shard AS events WHERE "
	    "y WINDOW w AS (PARTITION BY tenant_id ORDER BY x) ORDER BY z",
	    { 20, 20, 20 }, "SELECT p.c1, p.c2 FROM (VALUES ($1, $2, $3), ($4, "
	    "$5, $6)) AS p(c1, c2, c3) ORDER BY p.c3 " },
	{ "SELECT x, y FROM app.events WHERE x > 1 UNION SELECT o.a, 1 FROM "
	    "app.orders o ORDER BY b, 1 LIMIT 3 OFFSET 1", GATHER_SORT,
	    "SELECT x, y FROM app.events_shard AS events WHERE x > 1 UNION "
	    "SELECT o.a, 1 FROM app.orders_shard o ORDER BY b, 1 LIMIT 4",
	    { 20, 20 }, "SELECT DISTINCT p.c1, p.c2 FROM (VALUES ($1, $2), "
	    "($3, $4)) AS p(c1, c2) ORDER BY 2 , 1  LIMIT 3 OFFSET 1" },
	{ "SELECT x FROM app.events UNION ALL (SELECT y FROM app.orders)",
	    GATHER_ROWS, "SELECT x FROM app.events_shard AS events UNION ALL "
	    "(SELECT y FROM app.orders_shard AS orders)", { 20 },
	    "SELECT p.c1 FROM (VALUES ($1), ($2)) AS p(c1)" },
	{ "SELECT x FROM ONLY app.events", GATHER_ROWS,
	    "SELECT x FROM ONLY app.events_shard AS events", { 20 },
	    "SELECT p.c1 FROM (VALUES ($1), ($2)) AS p(c1)" },
};

static void
takes_apart(void **state PG_UNUSED)
{
	struct gather_column c[6];
	struct taken t;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = 0, visible;
		enum gather_end how;

		take(&t, rows[i].sql);
		print_message("%s\n", rows[i].sql);
		assert_int_equal(t.g != NULL ? gather_mode(t.g) : t.p->gather,
		    rows[i].mode);
		assert_int_equal(t.g != NULL, rows[i].partial != NULL);
		if (t.g == NULL) {
			put_back(&t);
			continue;
		}
		assert_true(gather_partial(t.g, FORM_PART, &t.b));
		same_text(&t.b, rows[i].partial);
		buf_reset(&t.b);
		for (; n < 6 && rows[i].oids[n] != 0; n++)
			c[n] = (struct gather_column){
				slice_make(&"abcdef"[n], 1),
				rows[i].oids[n] };
		how = gather_final(t.g, c, n, 2, &visible, &t.b);
		if (rows[i].final == NULL)
			assert_int_equal(how, GATHER_REFUSED);
		else if (strcmp(rows[i].final, "+") == 0)
			assert_int_equal(how, GATHER_ADD);
		else
			same_text(&t.b, rows[i].final);
		put_back(&t);
	}
}

static const char *const never[] = {
	"SELECT count(DISTINCT 1) FROM app.events",
	"SELECT stddev(x) FROM app.events",
	"SELECT x FROM app.events FOR UPDATE",
	"SELECT random() FROM app.events",
	"SELECT mine(x) FROM app.events",
	"SELECT sum(x) OVER () FROM app.events",
	"SELECT x FROM app.events HAVING true",
	"SELECT 1 FROM app.events HAVING false",
	"SELECT x FROM app.events UNION SELECT 1",
	"SELECT x FROM app.events EXCEPT SELECT x FROM app.events",
	"SELECT x FROM app.events, app.events AS e",
	"SELECT x FROM app.events TABLESAMPLE SYSTEM (1)",
	"SELECT DISTINCT ON (count(*)) y FROM app.events GROUP BY y",
	"SELECT x, count(*) FROM app.events GROUP BY ROLLUP (x)",
	"SELECT x FROM app.events ORDER BY x USING <",
	"SELECT x FROM app.events ORDER BY x FETCH FIRST 2 ROWS WITH TIES",
	"SELECT x INTO y FROM app.events",
	"TABLE app.events",
	("SELECT upper(tenant_id) AS tenant_id, array_agg(x) FROM app.events "
	"GROUP BY tenant_id"),
	"SELECT 1; SELECT x FROM app.events",
	"UPDATE app.events SET x = 1",
};

static void
leaves_alone(void **state PG_UNUSED)
{
	struct taken t;

	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		take(&t, never[i]);
		print_message("%s\n", never[i]);
		assert_int_equal(t.p->gather, GATHER_NONE);
		assert_null(t.g);
		put_back(&t);
	}
}

/* Where no shard has a row there is nothing to be asked. */
static void
knows_columns_of_no_rows(void **state PG_UNUSED)
{
	const struct gather_column c[] = { { SLICE_LIT("a"), 20 },
		{ SLICE_LIT("b"), 20 } };
	struct taken t;
	size_t visible = 9;

	take(&t, "SELECT count(*) FROM app.events GROUP BY k");
	assert_int_equal(gather_final(t.g, c, 2, 0, &visible, &t.b),
	    GATHER_EMPTY);
	assert_int_equal(visible, 1);
	assert_int_equal(gather_final(t.g, c, 2, 40000, &visible, &t.b),
	    GATHER_REFUSED);
	put_back(&t);
}

/* What the catalogs say of the table: its columns, and that text is sorted alike
 * everywhere. */
static void
relies_on_the_layout(void **state PG_UNUSED)
{
	static const struct {
		const char *sql, *final; /* NULL: refused */
	} known[] = {
		{ "SELECT s FROM app.events ORDER BY s",
		    "SELECT p.c1 FROM (VALUES ($1)) AS p(c1) ORDER BY 1 " },
		{ "SELECT s FROM app.events ORDER BY s COLLATE \"C\"", NULL },
		{ "SELECT s COLLATE \"C\" FROM app.events ORDER BY 1", NULL },
		{ "SELECT max(s) FROM app.events",
		    "SELECT max(p.c1) FROM (VALUES ($1)) AS p(c1)" },
		{ "SELECT max(lower(s::citext)) FROM app.events", NULL },
		{ "SELECT upper(s) AS m FROM app.events GROUP BY m",
		    "SELECT p.c1 FROM (VALUES ($1)) AS p(c1) GROUP BY p.c1" },
		/* a column of this name is there */
		{ "SELECT upper(s) AS at FROM app.events GROUP BY at", NULL },
	};
	const struct gather_column c[] = { { SLICE_LIT("a"), 25 },
		{ SLICE_LIT("b"), 25 } };
	struct taken t;
	size_t visible, n;

	u.ev[V_SHARDED].columns = "ctid\ntenant_id\nat\ns";
	u.ev[V_SHARDED].sorts_text = true;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		take(&t, known[i].sql);
		print_message("%s\n", known[i].sql);
		n = known[i].final != NULL ? 1 : 2;
		if (t.g == NULL || gather_final(t.g, c, n, 1, &visible,
			&t.b) != GATHER_QUERY)
			assert_null(known[i].final);
		else
			same_text(&t.b, known[i].final != NULL ?
			    known[i].final : "");
		put_back(&t);
	}
	/* A query has a column of this name, though the table has none. */
	take(&t, "WITH q AS (SELECT s AS m FROM app.events) SELECT upper(m) AS "
	    "m FROM q GROUP BY m");
	assert_null(t.g);
	put_back(&t);
	u.ev[V_SHARDED].columns = NULL;
	u.ev[V_SHARDED].sorts_text = false;
}

/* Where the table says that its sums may differ in their last digits. */
static void
adds_floats(void **state PG_UNUSED)
{
	const struct gather_column c[] = { { SLICE_LIT("a"), 701 },
		{ SLICE_LIT("b"), 701 }, { SLICE_LIT("c"), 700 },
		{ SLICE_LIT("d"), 20 } };
	struct taken t;
	size_t visible;

	take(&t, "SELECT sum(x), avg(y) FROM app.events");
	assert_int_equal(gather_final(t.g, c, 4, 2, &visible, &t.b),
	    GATHER_REFUSED);
	buf_reset(&t.b);
	u.events.approximate_floats = true;
	assert_int_equal(gather_final(t.g, c, 4, 1, &visible, &t.b),
	    GATHER_QUERY);
	same_text(&t.b, "SELECT sum(p.c1), (sum(p.c3) / nullif(sum(p.c4), "
	    "0)::float8) FROM (VALUES ($1, $2, $3, $4)) AS p(c1, c2, c3, "
	    "c4)");
	u.events.approximate_floats = false;
	put_back(&t);
}

/* A name of the result that only the server knew. */
static void
hears_of_names_too_late(void **state PG_UNUSED)
{
	struct gather_column c[] = { { SLICE_LIT("case"), 20 },
		{ SLICE_LIT("case"), 20 } };
	struct taken t;
	size_t visible;

	take(&t, "SELECT CASE WHEN a THEN 1 END FROM app.events "
	    "ORDER BY \"case\"");
	assert_non_null(t.g);
	assert_int_equal(gather_final(t.g, c, 2, 2, &visible, &t.b),
	    GATHER_REFUSED);
	c[0].name = SLICE_LIT("other");
	assert_int_equal(gather_final(t.g, c, 2, 2, &visible, &t.b),
	    GATHER_QUERY);
	put_back(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_apart),
		cmocka_unit_test(leaves_alone),
		cmocka_unit_test(knows_columns_of_no_rows),
		cmocka_unit_test(adds_floats),
		cmocka_unit_test(relies_on_the_layout),
		cmocka_unit_test(hears_of_names_too_late),
	};

	hash_init();
	util_conf_init(&u, V_SHARDED);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
