/* SPDX-License-Identifier: PostgreSQL
 *
 * INSERTs taken apart by the shards of their rows.
 */
#include "route_util.h"

#include "route/portion.h"

/* Tenants of both shards, as PostgreSQL hashes them. */
static const char *t0, *t1;

static struct util_conf u;

struct taken {
	struct lexer lx;
	struct shape s;
	struct route_plan *p;
	struct route_values v;
	struct portions *po;
};

static void
take(struct taken *t, const char *sql)
{
	memset(t, 0, sizeof(*t));
	lexer_init(&t->lx);
	t->v.sql = slice_str(sql);
	assert_int_equal(lex_statement(&t->lx, t->v.sql, true, 65536), LEX_OK);
	t->s.text = t->lx.shape;
	t->s.len = t->lx.shape_len;
	t->s.an = analysis_new(t->v.sql, &t->lx, NULL);
	t->p = route_plan_new(&u.c, &u.db, &t->s);
	t->v.lx = &t->lx;
	t->po = t->p->may_split ? portions_new(t->p, &t->s, &t->v) : NULL;
}

static void
put_back(struct taken *t)
{
	portions_free(&t->po);
	route_plan_free(&t->p);
	analysis_free(&t->s.an);
	lexer_fini(&t->lx);
}

/* The portion of a shard, and its parameters' numbers in the statement. */
static void
portion_is(struct taken *t, unsigned shard, const char *expect)
{
	uint16_t of[16];
	char number[16];
	struct buf b;
	size_t n;

	buf_init(&b, 65536);
	assert_non_null(t->po);
	assert_true(portions_write(t->po, shard, &b, of, &n));
	for (size_t i = 0; i < n; i++) {
		snprintf(number, sizeof(number), "|%d", of[i] + 1);
		assert_true(buf_append(&b, number, strlen(number)));
	}
	assert_true(buf_append(&b, "", 1));
	assert_string_equal(buf_head(&b), expect);
	buf_reset(&b);
}

static void
deals_rows_out(void **state PG_UNUSED)
{
	char sql[1000], a[1000], b[1000];
	struct taken t;

	snprintf(sql, sizeof(sql), "INSERT INTO app.events (x, tenant_id, y) "
	    "VALUES (1, '%s', f($3, ')')), /* c */ ($2, '%s', $1),\n($3, '%s', "
	    "(2)) ON CONFLICT (x) DO UPDATE SET y = $4;", t0, t1, t0);
	snprintf(a, sizeof(a), "INSERT INTO app.events_shard AS events (x, "
	    "tenant_id, y) VALUES (1, '%s', lower($1)), ($1, '%s', (2)) ON "
	    "CONFLICT (x) DO UPDATE SET y = $2;|3|4", t0, t0);
	snprintf(b, sizeof(b), "INSERT INTO app.events_shard AS events (x, "
	    "tenant_id, y) VALUES ($1, '%s', $2) ON CONFLICT (x) DO UPDATE "
	    "SET y = $3;|2|1|4", t1);
	take(&t, sql);
	assert_null(t.po); /* f is not known */
	put_back(&t);
	memcpy(strstr(sql, "f($3, ')')"), "lower($3) ", 10);
	memmove(strstr(sql, "lower($3) ") + 9, strstr(sql, "lower($3) ") + 10,
	    strlen(strstr(sql, "lower($3) ") + 10) + 1);
	take(&t, sql);
	portion_is(&t, 0, a);
	portion_is(&t, 1, b);
	put_back(&t);
}

static void
leaves_alone(void **state PG_UNUSED)
{
	static const char *const never[] = {
		"INSERT INTO app.events (tenant_id) VALUES ('%s'), ('%s') "
		"RETURNING x",
		"INSERT INTO app.events VALUES ('%s'), ('%s')",
		"INSERT INTO app.events (tenant_id, x) VALUES ('%s', now()), "
		"('%s', now())",
		"INSERT INTO app.events (tenant_id) VALUES ('%s'), ('%s'), "
		"(NULL)",
		"INSERT INTO app.events (tenant_id) VALUES ('%s'), ('%s'), "
		"(upper('x')::uuid)",
		"INSERT INTO app.events (tenant_id) SELECT '%s' UNION SELECT "
		"'%s'",
		"WITH w AS (SELECT 1) INSERT INTO app.events (tenant_id) "
		"VALUES ('%s'), ('%s')",
	};
	char sql[1000];
	struct taken t;

	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(sql, sizeof(sql), never[i], t0, t1);
#pragma GCC diagnostic pop
		print_message("%s\n", sql);
		take(&t, sql);
		assert_null(t.po);
		put_back(&t);
	}
	u.events.split_inserts = false;
	snprintf(sql, sizeof(sql), "INSERT INTO app.events (tenant_id) VALUES "
	    "('%s'), ('%s')", t0, t1);
	take(&t, sql);
	assert_false(t.p->may_split);
	put_back(&t);
	u.events.split_inserts = true;
}

/* Which of two tenants lies where is the hash's to say. */
static void
find_tenants(void)
{
	static char names[16][40];
	struct taken t;
	char sql[1000];

	for (unsigned i = 0; i < 16 && (t0 == NULL || t1 == NULL); i++) {
		snprintf(names[i], sizeof(names[i]),
		    "00000000-0000-0000-0000-0000000000%02x", i);
		snprintf(sql, sizeof(sql), "SELECT x FROM app.events WHERE "
		    "tenant_id = '%s'", names[i]);
		take(&t, sql);
		{
			struct route_decision d;

			route_decide(t.p, &t.s, &t.v, &d);
			assert_non_null(d.shard);
			*(d.shard == &t.p->variant->shards[0] ? &t0 : &t1) =
			    names[i];
		}
		put_back(&t);
	}
	assert_true(t0 != NULL && t1 != NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deals_rows_out),
		cmocka_unit_test(leaves_alone),
	};

	hash_init();
	util_conf_init(&u, V_SHARDED);
	u.events.split_inserts = true;
	find_tenants();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
