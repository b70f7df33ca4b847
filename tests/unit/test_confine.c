/* SPDX-License-Identifier: PostgreSQL
 *
 * Which shards hold the rows of a statement, on SQL that libpg_query has
 * parsed: statements over one and several relations, arrays, and conditions
 * made at random against an oracle that tries every row.
 */
#include "route_util.h"

#include "route/tenant.h"

/* A and A2 are on shard 0, B is on shard 1. */
#define A "'55222014-7ed0-ee56-b348-b6399c5c9c3d'"
#define A2 "'95299503-fcc9-0770-0c61-e6beef1ba471'"
#define B "'00000000-0000-0000-0000-000000000000'"

static struct util_conf conf;
static struct shape_table shapes;
static struct lexer lx;

static struct route_decision
decide(const char *sql, const struct wire_bind *bind)
{
	struct route_values v = { .sql = slice_str(sql), .lx = &lx,
		.bind = bind, .now_wall = 1784116800 * NSEC_PER_SEC };
	struct shape *s = shape_get(&shapes, &lx, v.sql, true, 1 << 20);
	struct route_plan *p = route_plan_new(&conf.c, &conf.db, s);
	struct route_decision d;

	if (p->err_sqlstate != NULL) /* the key of a row does not change */
		assert_string_equal(p->err_sqlstate, "0A000");
	route_decide(p, s, &v, &d);
	route_plan_free(&p);
	return d;
}

/* -------------------------------------------------------------- statements */

static const struct {
	int shard; /* -1: the coordinator */
	const char *sql;
} rows[] = {
	/* conditions */
	{ 0, "SELECT 1 FROM app.events WHERE tenant_id = " A " OR tenant_id = "
	     A2 },
	{ -1, "SELECT 1 FROM app.events WHERE tenant_id = " A " OR tenant_id = "
	      B },
	{ -1, "SELECT 1 FROM app.events WHERE tenant_id = " A " OR x = 1" },
	{ 0, "SELECT 1 FROM app.events WHERE (tenant_id = " A " OR tenant_id = "
	     B ") AND tenant_id = " A },
	{ 0, "SELECT 1 FROM app.events WHERE (tenant_id, x) = (" A ", 1)" },
	{ 0, "SELECT 1 FROM app.events WHERE (tenant_id, x) IN ((" A ", 1), ("
	     A2 ", 2))" },
	{ -1, "SELECT 1 FROM app.events WHERE (tenant_id, x) IN ((" A ", 1), ("
	      B ", 2))" },
	{ 0, "SELECT 1 FROM app.events WHERE tenant_id = ANY('{"
	     "55222014-7ed0-ee56-b348-b6399c5c9c3d,"
	     "\"95299503-fcc9-0770-0c61-e6beef1ba471\", NULL}')" },
	{ 0, "SELECT 1 FROM app.events WHERE tenant_id = ANY("
	     "'{55222014-7ed0-ee56-b348-b6399c5c9c3d}'::uuid[])" },
	{ -1, "SELECT 1 FROM app.events WHERE tenant_id = ANY("
	      "'{55222014-7ed0-ee56-b348-b6399c5c9c3d}'::text[])" },
	{ 0, "SELECT 1 FROM app.events WHERE tenant_id = ANY(ARRAY[" A ", NULL"
	     "]::uuid[])" },
	{ -1, "SELECT 1 FROM app.events WHERE tenant_id <> ALL(ARRAY[" A "])" },
	{ -1, "SELECT 1 FROM app.events WHERE tenant_id = NULL" },
	{ -1, "SELECT 1 FROM app.events WHERE NOT (tenant_id <> " A ")" },
	/* joins */
	{ 0, "SELECT 1 FROM app.events a JOIN app.events b ON a.tenant_id = "
	     "b.tenant_id WHERE a.tenant_id = " A },
	{ 0, "SELECT 1 FROM app.events e JOIN app.orders o ON o.tenant = "
	     "e.tenant_id WHERE o.tenant = " A },
	{ 0, "SELECT 1 FROM app.events, app.orders WHERE tenant = " A " AND "
	     "events.tenant_id = orders.tenant AND orders.tenant = " A },
	{ 0, "SELECT 1 FROM app.events e, app.orders o WHERE e.tenant_id = " A
	     " AND o.tenant = " A2 },
	{ -1, "SELECT 1 FROM app.events e, app.orders o WHERE e.tenant_id = " A
	      " AND o.tenant = " B },
	{ -1, "SELECT 1 FROM app.events e, app.orders o WHERE e.tenant_id = "
	      A },
	{ -1, "SELECT 1 FROM app.events e JOIN app.orders o ON e.id = o.id "
	      "WHERE e.tenant_id = " A },
	{ -1, "SELECT 1 FROM app.events e JOIN app.orders o ON e.tenant_id = "
	      "o.other WHERE e.tenant_id = " A },
	{ -1, "SELECT 1 FROM app.events e JOIN app.orders o ON e.tenant_id = "
	      "o.tenant" },
	{ 0, "SELECT 1 FROM app.events a LEFT JOIN app.events b ON "
	     "a.tenant_id = b.tenant_id WHERE a.tenant_id = " A },
	/* The rows of a that have none in b are everywhere. */
	{ -1, "SELECT 1 FROM app.events a LEFT JOIN app.events b ON "
	      "a.tenant_id = b.tenant_id AND b.tenant_id = " A },
	{ -1, "SELECT 1 FROM app.events a LEFT JOIN app.events b ON "
	      "a.tenant_id = b.tenant_id AND a.tenant_id = " A },
	{ -1, "SELECT 1 FROM app.events a RIGHT JOIN app.events b ON "
	      "a.tenant_id = b.tenant_id WHERE a.tenant_id = " A },
	{ 0, "SELECT 1 FROM app.events a RIGHT JOIN app.events b ON "
	     "a.tenant_id = b.tenant_id WHERE b.tenant_id = " A },
	{ -1, "SELECT 1 FROM app.events a FULL JOIN app.events b ON "
	      "a.tenant_id = b.tenant_id WHERE a.tenant_id = " A },
	{ 0, "SELECT 1 FROM app.events a FULL JOIN app.events b ON "
	     "a.tenant_id = b.tenant_id WHERE a.tenant_id = " A " AND "
	     "b.tenant_id = " A },
	{ 0, "SELECT 1 FROM app.events a JOIN app.events b USING (tenant_id) "
	     "JOIN app.events c USING (tenant_id) WHERE tenant_id = " A },
	{ -1, "SELECT 1 FROM app.events a JOIN app.events b USING (id) WHERE "
	      "tenant_id = " A },
	{ -1, "SELECT 1 FROM app.events a NATURAL JOIN app.events b WHERE "
	      "a.tenant_id = " A },
	{ -1, "SELECT 1 FROM app.events a JOIN ONLY app.events b USING "
	      "(tenant_id) WHERE a.tenant_id = " A },
	/* subqueries */
	{ 0, "SELECT 1 FROM app.events e WHERE tenant_id = " A " AND EXISTS "
	     "(SELECT 1 FROM app.orders o WHERE o.tenant = e.tenant_id)" },
	{ 0, "SELECT 1 FROM app.events e WHERE tenant_id = " A " AND NOT "
	     "EXISTS (SELECT 1 FROM app.orders WHERE tenant = e.tenant_id)" },
	{ -1, "SELECT 1 FROM app.events e WHERE tenant_id = " A " AND EXISTS "
	      "(SELECT 1 FROM app.orders o WHERE o.id = e.id)" },
	{ -1, "SELECT 1 FROM app.events e WHERE EXISTS (SELECT 1 FROM "
	      "app.orders o WHERE o.tenant = e.tenant_id AND o.tenant = " A
	      ")" },
	{ 0, "SELECT (SELECT count(*) FROM app.orders o WHERE o.tenant = "
	     "e.tenant_id) FROM app.events e WHERE e.tenant_id = " A },
	{ 0, "SELECT 1 FROM app.events e JOIN (SELECT tenant, count(*) n FROM "
	     "app.orders WHERE tenant = " A " GROUP BY tenant) o ON "
	     "e.tenant_id = o.tenant" },
	{ 0, "SELECT 1 FROM app.events e JOIN (SELECT tenant, count(*) n "
	     "FROM app.orders GROUP BY tenant) o ON e.tenant_id = o.tenant "
	     "WHERE e.tenant_id = " A },
	{ -1, "SELECT 1 FROM app.events e JOIN (SELECT tenant, count(*) OVER "
	      "() n FROM app.orders) o ON e.tenant_id = o.tenant WHERE "
	      "e.tenant_id = " A },
	{ 0, "SELECT 1 FROM app.events e LEFT JOIN (SELECT tenant FROM "
	     "app.orders) o ON e.tenant_id = o.tenant WHERE e.tenant_id = " A },
	{ -1, "UPDATE app.events e SET x = 1 FROM (SELECT max(tenant) t FROM "
	      "app.orders) o WHERE e.tenant_id = o.t AND e.tenant_id = " A },
	{ 0, "WITH o AS (SELECT * FROM app.orders WHERE tenant = " A ") SELECT "
	     "1 FROM app.events e JOIN o ON o.tenant = e.tenant_id" },
	{ -1, "WITH o AS (SELECT * FROM app.orders) SELECT 1 FROM app.events e"
	      " JOIN o ON o.tenant = e.tenant_id WHERE e.tenant_id = " A },
	{ 0, "SELECT 1 FROM app.events WHERE tenant_id = " A " UNION ALL "
	     "SELECT 2 FROM app.orders WHERE tenant = " A2 },
	{ -1, "SELECT 1 FROM app.events WHERE tenant_id = " A " UNION ALL "
	      "SELECT 2 FROM app.orders" },
	{ 0, "SELECT 1 FROM (SELECT * FROM app.events) s WHERE s.tenant_id = "
	     A },
	{ -1, "SELECT 1 FROM (SELECT * FROM app.events LIMIT 3) s WHERE "
	      "s.tenant_id = " A },
	{ -1, "SELECT 1 FROM (SELECT *, rank() OVER () FROM app.events) s "
	      "WHERE s.tenant_id = " A },
	{ -1, "SELECT 1 FROM app.events e LEFT JOIN (SELECT * FROM app.orders) "
	      "s ON s.tenant = " A },
	{ 0, "SELECT 1 FROM (SELECT * FROM app.events WHERE tenant_id = " A
	     " LIMIT 3) s" },
	{ 0, "SELECT 1 FROM app.events WHERE tenant_id IN (SELECT tenant FROM "
	     "app.orders WHERE tenant = " A ")" },
	{ 0, "SELECT 1 FROM app.events WHERE tenant_id IN (SELECT tenant FROM "
	     "app.orders) AND tenant_id = " A },
	{ -1, "SELECT 1 FROM app.events WHERE tenant_id IN (SELECT tenant FROM "
	      "app.orders LIMIT 5) AND tenant_id = " A },
	{ -1, "UPDATE app.events SET x = 1 WHERE tenant_id IN (SELECT tenant "
	      "FROM app.orders) AND tenant_id = " A },
	{ -1, "SELECT 1 FROM app.events WHERE tenant_id NOT IN (SELECT tenant "
	      "FROM app.orders WHERE tenant = " A ")" },
	{ -1, "SELECT 1 FROM app.events WHERE id IN (SELECT tenant FROM "
	      "app.orders WHERE tenant = " A ")" },
	{ 0, "COPY (SELECT id FROM app.events WHERE tenant_id = " A
	     ") TO STDOUT" },
	{ -1, "COPY (SELECT id FROM app.events WHERE tenant_id = " A
	      ") TO PROGRAM 'cat'" },
	{ -1, "COPY app.events TO STDOUT" },
	/* statements that write */
	{ 0, "UPDATE app.events e SET x = o.x FROM app.orders o WHERE "
	     "e.tenant_id = o.tenant AND o.tenant = " A },
	{ -1, "UPDATE app.events e SET x = o.x FROM app.orders o WHERE "
	      "e.tenant_id = o.tenant" },
	{ -1, "UPDATE app.events e SET tenant_id = " A " WHERE tenant_id = "
	      A },
	{ 0, "DELETE FROM app.events e USING app.orders o WHERE e.tenant_id = "
	     "o.tenant AND e.tenant_id = " A " RETURNING e.id" },
	{ 0, "INSERT INTO app.events (id, tenant_id) SELECT id, tenant FROM "
	     "app.orders WHERE tenant = " A },
	{ -1, "INSERT INTO app.events (id, tenant_id) SELECT tenant, id FROM "
	      "app.orders WHERE tenant = " A },
	{ -1, "INSERT INTO app.events (id, tenant_id) SELECT id, tenant FROM "
	      "app.orders" },
	{ 0, "INSERT INTO app.events (id, tenant_id) SELECT id, " A " FROM "
	     "app.orders WHERE tenant = " A },
	{ 0, "INSERT INTO app.events (id, tenant_id) SELECT 1, " A },
	{ -1, "INSERT INTO app.events (id, tenant_id) SELECT id, " B " FROM "
	      "app.orders WHERE tenant = " A },
	{ 0, "INSERT INTO app.events (id, tenant_id) VALUES (1, " A "), (2, "
	     A2 ") ON CONFLICT (id) DO UPDATE SET x = 1 RETURNING id" },
	{ -1, "INSERT INTO app.events (id, tenant_id) VALUES (1, " A ") ON "
	      "CONFLICT (id) DO UPDATE SET tenant_id = " A },
	{ 0, "WITH d AS (DELETE FROM app.events WHERE tenant_id = " A
	     " RETURNING id, tenant_id) INSERT INTO app.orders (id, tenant) "
	     "SELECT id, tenant_id FROM d" },
	{ 0, "MERGE INTO app.events e USING (VALUES (1, " A "::uuid)) v (id, "
	     "t) ON e.tenant_id = v.t AND e.id = v.id WHEN MATCHED THEN "
	     "UPDATE SET x = 1 WHEN NOT MATCHED THEN INSERT (id, tenant_id) "
	     "VALUES (v.id, v.t)" },
	{ -1, "MERGE INTO app.events e USING (VALUES (1, " A "::uuid)) v (id, "
	      "t) ON e.tenant_id = v.t WHEN NOT MATCHED THEN INSERT (id, "
	      "tenant_id) VALUES (v.id, " B ")" },
	{ -1, "MERGE INTO app.events e USING (VALUES (1, " A "::uuid)) v (id, "
	      "t) ON e.id = v.id WHEN NOT MATCHED THEN INSERT (id, "
	      "tenant_id) VALUES (v.id, v.t)" },
	{ -1, "MERGE INTO app.events e USING (VALUES (1, " A "::uuid)) v (id, "
	      "t) ON e.tenant_id = v.t WHEN MATCHED THEN UPDATE SET "
	      "tenant_id = " A },
	{ 0, "MERGE INTO app.events e USING (SELECT * FROM app.orders WHERE "
	     "tenant = " A ") o ON e.tenant_id = o.tenant WHEN MATCHED THEN "
	     "DELETE" },
	{ -1, "MERGE INTO app.events e USING app.orders o ON e.tenant_id = "
	      "o.tenant AND o.tenant = " A " WHEN MATCHED THEN DELETE" },
};

static void
statements_are_confined(void **state)
{
	(void)state;
	util_conf_init(&conf, V_SHARDED);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct route_decision d = decide(rows[i].sql, NULL);
		int got = d.shard != NULL ? (int)(d.shard - conf.shards) : -1;

		if (got != rows[i].shard)
			fail_msg("%s: shard %d, expected %d: %s", rows[i].sql,
			    got, rows[i].shard, d.why);
	}
}

/* Another place of a shard, or another key, and rows are no more together. */
static void
tables_must_be_sharded_alike(void **state)
{
	static const char sql[] = "SELECT 1 FROM app.events e JOIN app.orders "
	    "o ON e.tenant_id = o.tenant WHERE e.tenant_id = " A;
	struct conf_shard moved[2];

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	assert_non_null(decide(sql, NULL).shard);
	memcpy(moved, conf.shards, sizeof(moved));
	moved[0].backend = &conf.b[B_ARCHIVE];
	conf.ov.shards = moved;
	assert_null(decide(sql, NULL).shard);
	conf.ov.shards = conf.shards;
	conf.orders_key.type = KEY_TYPE_TEXT;
	assert_null(decide(sql, NULL).shard);
}

/* ------------------------------------------------------------------ arrays */

static struct wire_bind
bind_one(char *body, struct slice value, char format)
{
	struct wire_bind b;
	char *p = body;

	memcpy(p, "\0\0\0\1\0", 5);
	p[5] = format;
	memcpy(p + 6, "\0\1\0\0\0", 5);
	p[11] = (char)value.n;
	memcpy(p + 12, value.p, value.n);
	memcpy(p + 12 + value.n, "\0\0", 2);
	assert_true(value.n < 128);
	assert_true(msgread_bind(body, 14 + value.n, &b));
	return b;
}

static void
arrays_are_read(void **state)
{
	static const char sql[] =
	    "SELECT 1 FROM app.events WHERE tenant_id = ANY($1)";
	static const struct {
		enum conf_key_type type;
		const char *text;
		const char *members; /* each ended by '|'; NULL: not proven */
	} texts[] = {
		{ KEY_TYPE_INT8, "{1,2}", "1|2|" },
		{ KEY_TYPE_INT8, " { 1 , NULL,\"2\"} ", "1|2|" },
		{ KEY_TYPE_INT8, "{}", "" },
		{ KEY_TYPE_INT8, "{ }", "" },
		{ KEY_TYPE_INT8, "{1,}", NULL },
		{ KEY_TYPE_INT8, "{,1}", NULL },
		{ KEY_TYPE_INT8, "{1 2}", NULL },
		{ KEY_TYPE_INT8, "{1", NULL },
		{ KEY_TYPE_INT8, "{1}x", NULL },
		{ KEY_TYPE_INT8, "{{1}}", NULL },
		{ KEY_TYPE_INT8, "[1:1]={1}", NULL },
		{ KEY_TYPE_INT8, "{\"1\"2}", NULL },
		{ KEY_TYPE_INT8, "", NULL },
		{ KEY_TYPE_TEXT, "{a b , \" c\",\"d\\\"\\\\\"}",
		    "a b| c|d\"\\|" },
		{ KEY_TYPE_TEXT, "{\"\"}", "|" },
		{ KEY_TYPE_TEXT, "{null,\"NULL\"}", "null|NULL|" },
		{ KEY_TYPE_TEXT, "{a\\b}", NULL },
		{ KEY_TYPE_TEXT, "{\"a\\\"}", NULL },
	};
	struct conf_shard many[64];
	unsigned by[64];
	char body[256];

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	for (unsigned i = 0; i < 64; i++) {
		by[i] = i;
		many[i] = (struct conf_shard){ &conf.b[B_SHARD0], 1, 64, i,
			0, NULL, NULL };
	}
	conf.ev[V_SHARDED].shards = many;
	conf.ev[V_SHARDED].n_shards = conf.ev[V_SHARDED].modulus = 64;
	conf.ev[V_SHARDED].by_remainder = by;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct wire_bind b = bind_one(body, slice_str(texts[i].text),
		    0);
		struct route_shards want = route_shards_all(64);
		const char *p = texts[i].members, *end;
		struct route_decision d;

		conf.key.type = texts[i].type;
		d = decide(sql, &b);
		if (p != NULL)
			want = route_shards_all(0);
		for (; p != NULL && *p != '\0'; p = end + 1) {
			uint64_t h;

			end = strchr(p, '|');
			assert_true(tenant_hash_value(texts[i].type,
			    slice_make(p, (size_t)(end - p)), false, 0, &h));
			route_shards_add(&want, tenant_remainder(
			    tenant_combine(0, h), 64));
		}
		if (!route_shards_equal(&d.shards, &want))
			fail_msg("%s: %u shards", texts[i].text,
			    route_shards_count(&d.shards));
	}
}

static void
binary_arrays_are_read(void **state)
{
	static const char sql[] =
	    "SELECT 1 FROM app.events WHERE tenant_id = ANY($1)";
#define HEAD "\0\0\0\1\0\0\0\1\0\0\0\x14"
#define ONE "\0\0\0\x08\0\0\0\0\0\0\0\1"
#define NONE "\xff\xff\xff\xff"
	static const struct {
		struct slice s;
		int shard; /* -1: none, -2: not proven */
	} arrays[] = {
		{ SLICE_LIT(HEAD "\0\0\0\1\0\0\0\1" ONE), 0 },
		{ SLICE_LIT(HEAD "\0\0\0\3\0\0\0\1" ONE NONE ONE), 0 },
		{ SLICE_LIT(HEAD "\0\0\0\1\0\0\0\1" NONE), -1 },
		{ SLICE_LIT("\0\0\0\0\0\0\0\0\0\0\0\x14"), -1 },
		{ SLICE_LIT(HEAD "\0\0\0\2\0\0\0\1" ONE), -2 },
		{ SLICE_LIT(HEAD "\0\0\0\1\0\0\0\1" ONE ONE), -2 },
		{ SLICE_LIT(HEAD "\0\0\0\1\0\0\0\1\0\0\0\x09\0\0\0\0\0\0\0\1"),
		    -2 },
		{ SLICE_LIT("\0\0\0\2\0\0\0\0\0\0\0\x14\0\0\0\1\0\0\0\1"
			    "\0\0\0\1\0\0\0\1" ONE), -2 },
		/* float8 */
		{ SLICE_LIT("\0\0\0\1\0\0\0\0\0\0\x02\xbd\0\0\0\1\0\0\0\1"
			    ONE), -2 },
		{ SLICE_LIT("\0\0\0\1"), -2 },
	};
	char body[256];

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	conf.key.type = KEY_TYPE_INT8;
	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++) {
		struct wire_bind b = bind_one(body, arrays[i].s, 1);
		struct route_decision d = decide(sql, &b);
		int n = (int)route_shards_count(&d.shards);

		if (arrays[i].shard >= 0)
			assert_ptr_equal(d.shard,
			    &conf.shards[arrays[i].shard]);
		else if (n != (arrays[i].shard == -1 ? 0 : 2))
			fail_msg("array %zu: %d shards", i, n);
	}
}

/* ------------------------------------------------------------------ oracle */

#define KEYS 24 /* 0 to KEYS - 1, and NULL */
#define NODES 64
#define DECISIONS 20000

enum { T_FALSE, T_TRUE, T_NULL };
static uint64_t seed = 88172645463325252u;

static unsigned
pick(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % n;
}

/* A condition in prefix form, as text, and as truth for each row. */
struct cond {
	char sql[8192];
	size_t len;
	unsigned char truth[KEYS + 1][2]; /* by key and x */
};

static void put(struct cond *c, const char *fmt, ...) PG_PRINTF(2, 3);

static void
put(struct cond *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	c->len += (size_t)vsnprintf(c->sql + c->len, sizeof(c->sql) - c->len,
	    fmt, ap);
	va_end(ap);
	assert_true(c->len < sizeof(c->sql));
}

static void
leaf(struct cond *c)
{
	unsigned kind = pick(9), n = 1 + pick(3), members[3];
	bool in[KEYS] = { false }, null = false, negate = false;
	static const char *const open[] = { "k = ", "k IN (",
		"k = ANY(ARRAY[", "k = ANY('{", "", "k <> ", "k NOT IN (",
		"(k, 0) IN (", "x = " };
	static const char *const close[] = { "", ")", "])", "}')", " = k", "",
		")", ")", "" };

	if (kind == 0 || kind == 4 || kind == 5 || kind == 8)
		n = 1;
	put(c, "%s", open[kind]);
	for (unsigned i = 0; i < n; i++) {
		members[i] = pick(kind == 8 ? 2 : KEYS);
		if (i > 0)
			put(c, ", ");
		if ((kind == 1 || kind == 2 || kind == 3) && pick(6) == 0) {
			put(c, "NULL");
			null = true;
			continue;
		}
		in[members[i]] = true;
		put(c, kind == 7 ? "(%u, 0)" : pick(4) == 0 && kind != 3 ?
		    "'%u'" : "%u", members[i]);
	}
	put(c, "%s", close[kind]);
	negate = kind == 5 || kind == 6;
	for (unsigned k = 0; k <= KEYS; k++)
		for (unsigned x = 0; x < 2; x++) {
			unsigned t = k == KEYS ? T_NULL : in[k] ? T_TRUE :
			    null ? T_NULL : T_FALSE;

			if (kind == 8)
				t = x == members[0];
			if (negate && t != T_NULL)
				t = !t;
			c->truth[k][x] = (unsigned char)t;
		}
}

static unsigned
both(bool and, unsigned a, unsigned b)
{
	unsigned wins = and ? T_FALSE : T_TRUE;

	if (a == wins || b == wins)
		return wins;
	return a == T_NULL || b == T_NULL ? T_NULL : !wins;
}

static void
condition(struct cond *c, unsigned depth)
{
	struct cond *sub;
	unsigned n, kind = pick(depth == 0 ? 1 : 6);
	bool and = kind < 4;

	if (kind == 0) {
		leaf(c);
		return;
	}
	n = 2 + pick(2);
	sub = calloc(1, sizeof(*sub));
	assert_non_null(sub);
	put(c, kind == 5 ? "NOT (" : "(");
	for (unsigned i = 0; i < n; i++) {
		sub->len = 0;
		condition(sub, depth - 1);
		put(c, "%s%s", i == 0 ? "" : and ? " AND " : " OR ", sub->sql);
		for (unsigned k = 0; k <= KEYS; k++)
			for (unsigned x = 0; x < 2; x++)
				c->truth[k][x] = (unsigned char)(i == 0 ?
				    sub->truth[k][x] : both(and,
				    c->truth[k][x], sub->truth[k][x]));
	}
	put(c, ")");
	for (unsigned k = 0; kind == 5 && k <= KEYS; k++)
		for (unsigned x = 0; x < 2; x++)
			if (c->truth[k][x] != T_NULL)
				c->truth[k][x] = !c->truth[k][x];
	free(sub);
}

static void
no_row_is_left_out(void **state)
{
	struct conf_shard eight[8];
	unsigned by[8], narrowed = 0, one = 0;
	static struct cond c;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	for (unsigned i = 0; i < 8; i++) {
		by[i] = i;
		eight[i] = (struct conf_shard){ &conf.b[B_SHARD0], 1, 8, i,
			0, NULL, NULL };
	}
	conf.ev[V_SHARDED].shards = eight;
	conf.ev[V_SHARDED].n_shards = conf.ev[V_SHARDED].modulus = 8;
	conf.ev[V_SHARDED].by_remainder = by;
	conf.key = (struct conf_key){ (char *)"k", KEY_TYPE_INT4 };
	for (int i = 0; i < DECISIONS; i++) {
		struct route_decision d;

		c.len = 0;
		put(&c, "SELECT 1 FROM app.events WHERE ");
		condition(&c, 1 + pick(3));
		d = decide(c.sql, NULL);
		narrowed += route_shards_count(&d.shards) < 8;
		one += d.shard != NULL;
		for (unsigned k = 0; k <= KEYS; k++) {
			uint64_t h = k == KEYS ? 0 : tenant_combine(0,
			    tenant_hash_int4((int32_t)k));

			if ((c.truth[k][0] == T_TRUE ||
			    c.truth[k][1] == T_TRUE) && !route_shards_has(
			    &d.shards, tenant_remainder(h, 8)))
				fail_msg("%s: key %u is left out", c.sql, k);
		}
	}
	/* And it is not that everything goes everywhere. */
	assert_true(narrowed > DECISIONS / 4 && one > DECISIONS / 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_are_confined),
		cmocka_unit_test(tables_must_be_sharded_alike),
		cmocka_unit_test(arrays_are_read),
		cmocka_unit_test(binary_arrays_are_read),
		cmocka_unit_test(no_row_is_left_out),
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
