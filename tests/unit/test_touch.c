/* SPDX-License-Identifier: PostgreSQL
 *
 * Which values of a column the rows of a statement have, on SQL that
 * libpg_query has parsed.
 */
#include "route_util.h"

#include "route/touch.h"

#define A "'55222014-7ed0-ee56-b348-b6399c5c9c3d'"
#define B "'00000000-0000-0000-0000-000000000000'"

static struct util_conf conf;
static struct shape_table shapes;
static struct lexer lx;
static struct conf_tag_key keys[] = {
	{ .rel = (char *)"events", .column = (char *)"tenant_id",
	  .known = true, .type = KEY_TYPE_UUID },
	{ .rel = (char *)"events", .column = (char *)"occurred_at",
	  .known = true, .month = true },
	{ .rel = (char *)"notes", .column = (char *)"id", .known = true,
	  .type = KEY_TYPE_INT8 },
};

struct stmt {
	struct route_values v;
	struct shape *s;
	struct route_plan *p;
};

static struct stmt
stmt_of(const char *sql)
{
	struct stmt t = { .v = { .sql = slice_str(sql), .lx = &lx } };

	t.s = shape_get(&shapes, &lx, t.v.sql, true, 1 << 20);
	t.p = route_plan_new(&conf.c, &conf.db, t.s);
	assert_null(t.p->err_sqlstate);
	return t;
}

static void
put(char *out, const struct conf_tag_key *key, unsigned n)
{
	char one[64];

	snprintf(one, sizeof(one), "%s%s %u", *out != '\0' ? ", " : "",
	    key->column, n);
	strcat(out, one);
}

/* The first table read, or all keys of the first one written. */
static void
tell(const char *sql, char out[200])
{
	struct stmt t = stmt_of(sql);
	struct route_touch touch;
	const struct conf_tag_key *key;

	*out = '\0';
	if (t.p->n_writes == 0) {
		for (size_t i = 0; i < t.p->n_reads; i++) {
			route_touch_read(t.p, t.s, &t.v, i, &touch);
			if (touch.key != NULL)
				put(out, touch.key, touch.n);
		}
	} else {
		for (key = keys; key < keys + ARRAY_SIZE(keys); key++) {
			if (strcmp(key->rel, t.p->writes[0]) == 0 &&
			    route_touch_write(t.p, t.s, &t.v, 0, key, &touch))
				put(out, key, touch.n);
		}
	}
	if (*out == '\0')
		strcpy(out, "any");
	route_plan_free(&t.p);
}

static const struct {
	const char *sql, *expected;
} rows[] = {
	/* reads */
	{ "SELECT * FROM app.events WHERE tenant_id = " A, "tenant_id 1" },
	{ "SELECT * FROM app.events WHERE tenant_id IN (" A ", " B ", " A ")",
	  "tenant_id 2" },
	{ "SELECT * FROM app.events WHERE tenant_id = ANY('{"
	  "55222014-7ed0-ee56-b348-b6399c5c9c3d,NULL}')", "tenant_id 1" },
	{ "SELECT * FROM app.events WHERE tenant_id = " A " OR tenant_id = " B,
	  "tenant_id 2" },
	{ "SELECT * FROM app.events WHERE tenant_id = " A " OR id = " B, "any" },
	{ "SELECT * FROM app.events WHERE tenant_id IN (" A ", " B ") AND "
	  "tenant_id = " A, "tenant_id 1" },
	{ "SELECT * FROM app.events WHERE tenant_id > " A, "any" },
	{ "SELECT * FROM app.events WHERE tenant_id = NULL", "any" },
	{ "SELECT * FROM app.events", "any" },
	{ "SELECT * FROM app.events WHERE occurred_at >= '2026-03-01 00:00Z' "
	  "AND occurred_at < '2026-04-01 00:00Z'", "occurred_at 1" },
	/* Without a zone it may be any on earth. */
	{ "SELECT * FROM app.events WHERE occurred_at >= '2026-03-01' "
	  "AND occurred_at < '2026-04-01'", "occurred_at 3" },
	{ "SELECT * FROM app.events WHERE occurred_at >= '2026-03-01 00:00Z'",
	  "any" },
	{ "SELECT * FROM app.events WHERE occurred_at >= '2020-03-01 00:00Z' "
	  "AND occurred_at < '2026-04-01 00:00Z'", "any" },
	{ "SELECT * FROM app.events WHERE tenant_id = " A " AND occurred_at = "
	  "'2026-03-05 00:00Z'", "tenant_id 1" },
	{ "SELECT * FROM notes WHERE id = 7", "id 1" },
	{ "SELECT * FROM notes WHERE id = 7::numeric", "any" },
	{ "SELECT * FROM notes WHERE id IN (1, 2, 3, 4, 5, 6, 7, 8)", "id 8" },
	{ "SELECT * FROM notes WHERE id IN (1, 2, 3, 4, 5, 6, 7, 8, 9)",
	  "any" },
	{ "SELECT * FROM app.events e JOIN notes n ON n.id = e.note WHERE "
	  "e.tenant_id = " A " AND n.id = 7", "tenant_id 1, id 1" },
	/* Every relation of the table counts. */
	{ "SELECT * FROM notes a, notes b WHERE a.id = 1 AND b.id = 2",
	  "id 2" },
	{ "SELECT * FROM notes a, notes b WHERE a.id = 1", "any" },
	{ "SELECT * FROM notes WHERE id = 1 AND EXISTS (SELECT 1 FROM notes)",
	  "any" },
	{ "SELECT * FROM notes WHERE id = 1 UNION SELECT * FROM notes WHERE "
	  "id = 2", "id 2" },
	{ "SELECT * FROM notes a LEFT JOIN notes b ON a.up = b.id AND b.id = 1 "
	  "WHERE a.id = 2", "id 2" },
	{ "SELECT * FROM notes a LEFT JOIN notes b ON a.id = 1 WHERE b.id = 2",
	  "any" },
	/* writes */
	{ "INSERT INTO notes (id, t) VALUES (1, 'a'), (2, 'b')", "id 2" },
	{ "INSERT INTO notes (id, t) VALUES (NULL, 'a')", "any" },
	{ "INSERT INTO notes (id, t) VALUES (DEFAULT, 'a')", "any" },
	{ "INSERT INTO notes (id, t) OVERRIDING USER VALUE VALUES (1, 'a')",
	  "any" },
	{ "INSERT INTO notes (id, t) OVERRIDING SYSTEM VALUE VALUES (1, 'a')",
	  "id 1" },
	{ "INSERT INTO notes (t) VALUES ('a')", "any" },
	{ "INSERT INTO notes VALUES (1, 'a')", "any" },
	{ "INSERT INTO notes (id, t) SELECT 1, 'a'", "any" },
	{ "INSERT INTO notes (id, t) VALUES (1, 'a') ON CONFLICT DO NOTHING",
	  "id 1" },
	{ "INSERT INTO notes (id, t) VALUES (1, 'a') ON CONFLICT (t) DO UPDATE "
	  "SET n = 1", "any" },
	{ "INSERT INTO notes (id, t) VALUES (1, 'a'), (2, 'b') ON CONFLICT "
	  "(id) DO UPDATE SET t = excluded.t", "id 2" },
	{ "INSERT INTO notes (id, t) VALUES (1, 'a') ON CONFLICT (t, id) "
	  "WHERE t > 'a' DO UPDATE SET t = 'b' WHERE notes.n = 1", "id 1" },
	{ "INSERT INTO notes (id, t) VALUES (1, 'a') ON CONFLICT (id) DO "
	  "UPDATE SET id = 2", "any" },
	{ "INSERT INTO notes (id, t) VALUES (1, 'a') ON CONFLICT (id) DO "
	  "UPDATE SET t = (SELECT 'x')", "any" },
	{ "INSERT INTO notes (id, t) VALUES (1, 'a') ON CONFLICT ((id)) DO "
	  "UPDATE SET t = 'b'", "any" },
	{ "INSERT INTO notes (id, t) VALUES (1, 'a') ON CONFLICT ((id + 1)) "
	  "DO UPDATE SET t = 'b'", "any" },
	{ "INSERT INTO notes (id, t) VALUES (1, 'a') ON CONFLICT (id own_ops) "
	  "DO UPDATE SET t = 'b'", "any" },
	{ "INSERT INTO notes (id, t) VALUES (1, 'a') ON CONFLICT (id COLLATE "
	  "\"C\") DO UPDATE SET t = 'b'", "any" },
	{ "INSERT INTO notes (id, t) VALUES (1, 'a') ON CONFLICT ON "
	  "CONSTRAINT notes_pkey DO UPDATE SET t = 'b'", "any" },
	{ "UPDATE notes SET t = 'b' WHERE id = 1", "id 1" },
	{ "UPDATE notes SET id = 2 WHERE id = 1", "any" },
	{ "UPDATE notes SET (t, id) = ('b', 2) WHERE id = 1", "any" },
	{ "UPDATE notes SET t = 'b' WHERE t = 'a'", "any" },
	{ "UPDATE notes SET t = 'b' FROM app.events e WHERE notes.id = 1",
	  "any" },
	{ "DELETE FROM notes WHERE id = 1 OR id = 2", "id 2" },
	{ "DELETE FROM notes WHERE id = (SELECT 1)", "any" },
	{ "WITH x AS (DELETE FROM notes WHERE id = 1 RETURNING *) UPDATE notes "
	  "SET t = 'x' WHERE id = 2", "any" },
	{ "TRUNCATE notes", "any" },
	{ "COPY notes FROM STDIN", "any" },
	{ "INSERT INTO app.events (tenant_id, occurred_at) VALUES (" A
	  ", '2026-03-05 00:00Z')", "tenant_id 1, occurred_at 1" },
	{ "INSERT INTO app.events (tenant_id, occurred_at) VALUES (" A
	  ", now())", "tenant_id 1" },
	{ "DELETE FROM app.events WHERE tenant_id = " A, "tenant_id 1" },
	{ "DELETE FROM app.events WHERE occurred_at >= '2026-03-01 00:00Z' "
	  "AND occurred_at < '2026-04-01 00:00Z'", "occurred_at 1" },
};

static void
rows_are_told_apart(void **state)
{
	char found[200];
	unsigned failed = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		tell(rows[i].sql, found);
		if (strcmp(found, rows[i].expected) == 0)
			continue;
		print_error("%s\n  expected %s, found %s\n", rows[i].sql,
		    rows[i].expected, found);
		failed++;
	}
	assert_int_equal(failed, 0);
}

/* The value of notes.id in a statement that names one. */
static uint64_t
value_of(const char *sql)
{
	struct stmt t = stmt_of(sql);
	struct route_touch touch;

	if (t.p->n_writes > 0)
		assert_true(route_touch_write(t.p, t.s, &t.v, 0, &keys[2],
		    &touch));
	else
		route_touch_read(t.p, t.s, &t.v, t.p->n_reads - 1, &touch);
	assert_ptr_equal(touch.key, &keys[2]);
	assert_int_equal(touch.n, 1);
	route_plan_free(&t.p);
	return touch.value[0];
}

static void
equal_values_are_equal(void **state)
{
	uint64_t seven = value_of("SELECT * FROM notes WHERE id = 7");

	(void)state;
	assert_int_equal(seven, value_of("SELECT * FROM notes WHERE id = '7'"));
	assert_int_equal(seven,
	    value_of("DELETE FROM notes WHERE id = '007'::int"));
	assert_int_equal(seven,
	    value_of("INSERT INTO notes (id) VALUES ('7')"));
	assert_int_not_equal(seven,
	    value_of("INSERT INTO notes (id) VALUES (-7)"));
}

static void
unknown_columns_tell_nothing(void **state)
{
	char found[200];

	(void)state;
	keys[2].known = false;
	tell("SELECT * FROM notes WHERE id = 7", found);
	assert_string_equal(found, "any");
	tell("DELETE FROM notes WHERE id = 7", found);
	assert_string_equal(found, "any");
	keys[2].known = true;
}

static void
another_text_tells_nothing(void **state)
{
	struct stmt t = stmt_of("SELECT * FROM notes WHERE id = 7"), other;
	struct route_touch touch;

	(void)state;
	other = stmt_of("SELECT * FROM notes WHERE id = 8");
	route_touch_read(t.p, t.s, &t.v, t.p->n_reads - 1, &touch);
	assert_null(touch.key);
	route_touch_read(other.p, other.s, &other.v, other.p->n_reads - 1,
	    &touch);
	assert_ptr_equal(touch.key, &keys[2]);
	other.v.lx = NULL;
	route_touch_read(other.p, other.s, &other.v, other.p->n_reads - 1,
	    &touch);
	assert_null(touch.key);
	route_plan_free(&t.p);
	route_plan_free(&other.p);
}

static int
set_up(void **state)
{
	(void)state;
	hash_init();
	util_conf_init(&conf, V_PLAIN);
	conf.c.tag_keys = keys;
	conf.c.n_tag_keys = ARRAY_SIZE(keys);
	lexer_init(&lx);
	shape_table_init(&shapes, 200, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	shape_table_fini(&shapes);
	lexer_fini(&lx);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_told_apart),
		cmocka_unit_test(equal_values_are_equal),
		cmocka_unit_test(unknown_columns_tell_nothing),
		cmocka_unit_test(another_text_tells_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
