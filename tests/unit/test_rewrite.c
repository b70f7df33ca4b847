/* SPDX-License-Identifier: PostgreSQL
 *
 * Physical texts and the way back from a position in them.
 */
#include "conf/ident.h"
#include "route_util.h"

static struct util_conf conf;
static struct util_stmt st;

static struct route_plan *
plan(void)
{
	return route_plan_new(&conf.c, &conf.db, &st.shape);
}

static void
expect(unsigned form, const char *text)
{
	struct route_plan *p = plan();
	char *s = util_rewrite(p, &st, form);

	assert_string_equal(s, text);
	free(s);
	route_plan_free(&p);
	util_stmt_fini(&st);
}

static void
a_relation_gets_its_physical_name_and_an_alias(void **state)
{
	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_SELECT,
	    "SELECT events.id FROM app.events WHERE x = 'a''b'");
	util_table(&st, "app.events");
	expect(FORM_RELATION,
	    "SELECT events.id FROM app.events_sharded AS events "
	    "WHERE x = 'a''b'");
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events");
	util_table(&st, "app.events");
	expect(FORM_PART, "SELECT 1 FROM app.events_shard AS events");
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events");
	util_table(&st, "app.events");
	expect(FORM_ASIS, "SELECT 1 FROM app.events");
}

static void
an_alias_is_added_only_where_it_fits(void **state)
{
	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_SELECT, "SELECT e.id FROM app.events e");
	util_table(&st, "app.events")->has_alias = true;
	expect(FORM_RELATION, "SELECT e.id FROM app.events_sharded e");
	util_stmt_init(&st, STMT_TRUNCATE, "TRUNCATE app.events, other");
	util_table(&st, "app.events")->takes_alias = false;
	expect(FORM_RELATION, "TRUNCATE app.events_sharded, other");
	/* The same bare name needs none. */
	util_conf_init(&conf, V_MONTHLY);
	util_stmt_init(&st, STMT_SELECT, "SELECT id FROM events LIMIT 1");
	util_table(&st, "events");
	expect(FORM_RELATION, "SELECT id FROM app.events LIMIT 1");
}

static void
only_keeps_its_brackets(void **state)
{
	(void)state;
	util_conf_init(&conf, V_PLAIN);
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM ONLY (app.events) t");
	util_table(&st, "app.events")->has_alias = true;
	expect(FORM_RELATION, "SELECT 1 FROM ONLY (app.events_plain) t");
	util_stmt_init(&st, STMT_SELECT,
	    "SELECT 1 FROM ONLY /* ( */ ( app.events /* ) */ ) WHERE true");
	util_table(&st, "app.events");
	expect(FORM_RELATION,
	    "SELECT 1 FROM ONLY /* ( */ ( app.events_plain /* ) */ ) AS "
	    "events WHERE true");
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM ONLY app.events");
	util_table(&st, "app.events");
	expect(FORM_RELATION, "SELECT 1 FROM ONLY app.events_plain AS events");
	/* A bracket that belongs to a subquery. */
	util_stmt_init(&st, STMT_SELECT,
	    "SELECT (SELECT max(id) FROM app.events)");
	util_table(&st, "app.events");
	expect(FORM_RELATION,
	    "SELECT (SELECT max(id) FROM app.events_plain AS events)");
}

static void
qualified_columns_are_cut_down(void **state)
{
	(void)state;
	util_conf_init(&conf, V_PLAIN);
	util_stmt_init(&st, STMT_SELECT,
	    "SELECT app.events.id, 'é', app.events.x FROM app.events");
	util_qualref(&st, 0, "app.events");
	util_qualref(&st, 0, "app.events");
	util_table(&st, "app.events");
	expect(FORM_RELATION,
	    "SELECT events.id, 'é', events.x FROM app.events_plain AS events");
}

static void
several_tables_are_rewritten_together(void **state)
{
	(void)state;
	util_conf_init(&conf, V_PLAIN);
	util_stmt_init(&st, STMT_SELECT,
	    "SELECT 1 FROM app.users u, t, app.events WHERE 'x' = u.name");
	util_table(&st, "app.users")->has_alias = true;
	util_table(&st, "t,");
	st.tables[1].end.off = st.tables[1].pos.off + 1;
	st.names[1][1] = '\0';
	util_table(&st, "app.events");
	expect(FORM_RELATION, "SELECT 1 FROM app.users_v1 u, t, "
	    "app.events_plain AS events WHERE 'x' = u.name");
}

static void
edits_are_in_order_whatever_the_analysis_says(void **state)
{
	struct an_table t;

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	util_stmt_init(&st, STMT_SELECT,
	    "SELECT 1 FROM app.users WHERE 'x' = (SELECT 2 FROM app.events)");
	util_table(&st, "app.users");
	util_table(&st, "app.events");
	t = st.tables[0];
	st.tables[0] = st.tables[1];
	st.tables[1] = t;
	expect(FORM_RELATION, "SELECT 1 FROM app.users_v1 AS users WHERE "
	    "'x' = (SELECT 2 FROM app.events_plain AS events)");
}

static void
names_are_quoted_where_they_must(void **state)
{
	static const struct {
		const char *relation, *sql;
	} rows[] = {
		{ "app.Events", "app.\"Events\"" },
		{ "order.user", "\"order\".\"user\"" },
		{ "app.users_v1", "app.users_v1" },
		{ "v1", "v1" },
		{ "1st", "\"1st\"" },
		{ "my table", "\"my table\"" },
		{ "\"a.b\".c", "\"a.b\".c" },
		{ "\"say \"\"x\"\"\".c", "\"say \"\"x\"\"\".c" },
		{ "zoë", "\"zoë\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[128];

		util_conf_init(&conf, V_PLAIN);
		conf.ev_names[V_PLAIN][0] = (struct conf_relation){
			(char *)(uintptr_t)rows[i].relation,
			ident_qualified_sql(rows[i].relation) };
		util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events");
		util_table(&st, "app.events")->takes_alias = false;
		snprintf(text, sizeof(text), "SELECT 1 FROM %s", rows[i].sql);
		expect(FORM_RELATION, text);
		free(conf.ev_names[V_PLAIN][0].sql);
	}
	/* The alias as well. */
	util_conf_init(&conf, V_PLAIN);
	conf.events.rel = (char *)"order";
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.order");
	util_table(&st, "app.order");
	expect(FORM_RELATION, "SELECT 1 FROM app.events_plain AS \"order\"");
	/* Quotes in the configuration are no part of the name. */
	util_conf_init(&conf, V_PLAIN);
	conf.ev_names[V_PLAIN][0] = util_relation("store.\"events\"");
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events");
	util_table(&st, "app.events");
	expect(FORM_RELATION, "SELECT 1 FROM store.\"events\"");
}

static void
the_same_plan_serves_other_literals(void **state)
{
	static struct util_stmt other;
	struct route_plan *p;
	char *s;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_SELECT, "SELECT 'a', id FROM app.events");
	util_table(&st, "app.events");
	p = plan();
	util_stmt_init(&other, STMT_SELECT,
	    "SELECT 'much longer', id FROM app.events");
	assert_true(hash_eq(st.lx.hash, other.lx.hash));
	s = util_rewrite(p, &other, FORM_RELATION);
	assert_string_equal(s,
	    "SELECT 'much longer', id FROM app.events_sharded AS events");
	free(s);
	route_plan_free(&p);
	util_stmt_fini(&st);
	util_stmt_fini(&other);
}

static void
a_full_buffer_is_said(void **state)
{
	struct route_plan *p;
	struct buf b;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events");
	util_table(&st, "app.events");
	p = plan();
	buf_init(&b, 20);
	assert_false(route_rewrite(p, &st.shape, &st.v, FORM_RELATION, &b));
	buf_reset(&b);
	route_plan_free(&p);
	util_stmt_fini(&st);
}

/* Every character of the physical text that was copied maps to itself in the
 * client's text; what was put in maps to the token it stands for. */
static void
positions_map_back(void **state)
{
	static const char sql[] =
	    "SELECT 'ü', app.events.é FROM app.events WHERE ö = 'ß' AND bad";
	struct route_plan *p;
	char *s;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_SELECT, sql);
	util_qualref(&st, 0, "app.events");
	util_table(&st, "app.events");
	p = plan();
	s = util_rewrite(p, &st, FORM_RELATION);
	assert_string_equal(s, "SELECT 'ü', events.é FROM app.events_sharded "
	    "AS events WHERE ö = 'ß' AND bad");
#define AT(pos) \
	route_unmap_position(p, &st.shape, &st.v, FORM_RELATION, (pos))
	assert_int_equal(AT(0), 0);
	assert_int_equal(AT(1), 1);
	assert_int_equal(AT(9), 9);    /* ü */
	assert_int_equal(AT(13), 13);  /* events. -> app.events. */
	assert_int_equal(AT(18), 13);
	assert_int_equal(AT(19), 23);  /* the dot behind it */
	assert_int_equal(AT(20), 24);  /* é */
	assert_int_equal(AT(27), 31);  /* app.events_sharded */
	assert_int_equal(AT(44), 31);
	assert_int_equal(AT(45), 41);  /* " AS events" is behind the token */
	assert_int_equal(AT(55), 41);
	assert_int_equal(AT(56), 42);  /* W */
	assert_int_equal(AT(62), 48);  /* ö */
	assert_int_equal(AT(74), 60);  /* bad */
	assert_int_equal(AT(77), 63);  /* behind the end */
	assert_int_equal(AT(4000000000u), 63);
#undef AT
	assert_int_equal(route_unmap_position(p, &st.shape, &st.v, FORM_ASIS,
	    30), 30);
	free(s);
	route_plan_free(&p);
	util_stmt_fini(&st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_relation_gets_its_physical_name_and_an_alias),
		cmocka_unit_test(an_alias_is_added_only_where_it_fits),
		cmocka_unit_test(only_keeps_its_brackets),
		cmocka_unit_test(qualified_columns_are_cut_down),
		cmocka_unit_test(several_tables_are_rewritten_together),
		cmocka_unit_test(
		    edits_are_in_order_whatever_the_analysis_says),
		cmocka_unit_test(names_are_quoted_where_they_must),
		cmocka_unit_test(the_same_plan_serves_other_literals),
		cmocka_unit_test(a_full_buffer_is_said),
		cmocka_unit_test(positions_map_back),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
