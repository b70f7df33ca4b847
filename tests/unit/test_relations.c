/* SPDX-License-Identifier: PostgreSQL
 *
 * From changes to tags, and which gates a configuration has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "feed/gate.h"
#include "feed/relations.h"

static bool
has(const struct feed_tags *t, const char *name)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->v[i] == tag_of_table(name))
			return true;
	return false;
}

static struct feed_tags
change(const struct relations *r, uint32_t oid)
{
	const struct pgo_message m = { .kind = PGO_UPDATE, .relation = oid };
	struct feed_tags t = { .n = 0 };

	relations_change(r, &m, &t);
	return t;
}

static unsigned changes;

static void
changed(void *arg PG_UNUSED, tag_t tag PG_UNUSED)
{
	changes++;
}

static void
load(struct relations *r)
{
	relations_load(r);
	relations_row(r, 1, "item");
	relations_row(r, 2, "item_low");
	relations_row(r, 2, "item");
	relations_row(r, 3, "item_1");
	relations_row(r, 3, "item_low");
	relations_row(r, 3, "item");
	changes = 0;
	relations_loaded(r, changed, NULL);
}

static void
test_kin(void **state PG_UNUSED)
{
	struct feed_tags t;
	struct relations r;

	relations_init(&r);
	assert_true(change(&r, 1).all); /* before anything is known */
	load(&r);
	t = change(&r, 3);
	assert_int_equal(t.n, 3);
	assert_true(has(&t, "item_1") && has(&t, "item_low") &&
	    has(&t, "item"));
	t = change(&r, 1);
	assert_true(t.n == 1 && has(&t, "item") && !t.all);
	assert_true(change(&r, 4).all);
	relations_fini(&r);
}

static void
test_relations_that_come_up(void **state PG_UNUSED)
{
	const struct pgo_message fresh = { .kind = PGO_RELATION, .relation = 4,
		.name = SLICE_LIT("item_2") };
	const struct pgo_message known = { .kind = PGO_RELATION, .relation = 1,
		.name = SLICE_LIT("renamed") };
	struct feed_tags t;
	struct relations r;

	relations_init(&r);
	load(&r);
	relations_described(&r, &fresh);
	assert_true(change(&r, 4).all);
	relations_described(&r, &known);
	t = change(&r, 1);
	assert_true(!t.all && has(&t, "item") && has(&t, "renamed"));
	/* What the catalogs say now counts. */
	load(&r);
	assert_int_equal(changes, 2); /* names that are not so */
	t = change(&r, 1);
	assert_true(t.n == 1 && has(&t, "item"));
	assert_true(change(&r, 4).all);
	/* A table that has become a partition: what it changed before that was
	 * known may be what its parent holds now. */
	relations_load(&r);
	relations_row(&r, 1, "item");
	relations_row(&r, 1, "whole");
	relations_row(&r, 5, "fresh");
	changes = 0;
	relations_loaded(&r, changed, NULL);
	/* whole; and item_low, item_1 and their parents, which are gone */
	assert_int_equal(changes, 1 + 2 + 3);
	/* Detached again. */
	relations_load(&r);
	relations_row(&r, 1, "item");
	relations_row(&r, 5, "fresh");
	changes = 0;
	relations_loaded(&r, changed, NULL);
	assert_int_equal(changes, 1);
	/* A new one with parents, and one without. */
	relations_load(&r);
	relations_row(&r, 1, "item");
	relations_row(&r, 5, "fresh");
	relations_row(&r, 6, "part");
	relations_row(&r, 6, "item");
	relations_row(&r, 7, "alone");
	changes = 0;
	relations_loaded(&r, changed, NULL);
	assert_int_equal(changes, 2);
	relations_fini(&r);
}

static void
test_truncate(void **state PG_UNUSED)
{
	static const char two[] = "\0\0\0\1\0\0\0\3";
	struct pgo_message m = { .kind = PGO_TRUNCATE, .n_relations = 2,
		.relations = { two, 8 } };
	struct feed_tags t = { .n = 0 };
	struct relations r;

	relations_init(&r);
	load(&r);
	relations_change(&r, &m, &t);
	assert_int_equal(t.n, 3);
	relations_fini(&r);
}

/* ------------------------------------------------------------ gates */

static const char text[] =
    "auth = trust\nfeed_user = f\n"
    "backend \"main\" { conninfo = \"host=h\" feed = true }\n"
    "backend \"cold\" { conninfo = \"host=c\" feed = true }\n"
    "database \"d\" { backend = \"main\" }\n"
    "database \"e\" { backend = \"cold\" }\n"
    "table \"app.event\" { databases = \"d\" time_column = \"at\"\n"
    "	variant \"m\" { kind = \"monthly\" backend = \"main\"\n"
    "		relation = \"app.\\\"Event_m\\\"\"\n"
    "		span \"new\" { backend = \"main\" from = \"2026-01\" }\n"
    "		span \"old\" { backend = \"cold\" until = \"2026-01\" } } }\n"
    "cache \"events\" { databases = \"d\" tables = {\"app.event\"} ttl = 1h\n"
    "	consistency = \"strong\" keys = \"app.event.tenant\" }\n"
    "cache \"kinds\" { tables = {\"kind\"} ttl = 1h\n"
    "	consistency = \"strong\" }\n"
    "cache \"soft\" { tables = {\"kind\", \"other\"} ttl = 1s }\n";

static struct conf *
conf(void)
{
	struct conf_diag d;
	struct conf *c = conf_load_buffer("f", text, sizeof(text) - 1, &d);

	for (int i = 0; i < d.n; i++)
		printf("%s\n", d.msg[i]);
	conf_diag_fini(&d);
	assert_non_null(c);
	return c;
}

static void
test_logical_names(void **state PG_UNUSED)
{
	struct conf *c = conf();
	struct feed_tags t;
	struct relations r;

	relations_init(&r);
	relations_use(&r, c);
	relations_load(&r);
	relations_row(&r, 1, "Event_m");
	relations_row(&r, 2, "event_m_2026_01");
	relations_row(&r, 2, "Event_m");
	relations_loaded(&r, changed, NULL);
	t = change(&r, 2);
	assert_true(has(&t, "event_m_2026_01") && has(&t, "Event_m"));
	assert_true(t.n == 4 && has(&t, "event"));
	/* The column, as nothing vouches for its values. */
	assert_true(feed_tags_has(&t, tag_of_column("event", "tenant")));
	relations_fini(&r);
	conf_unref(&c);
}

static void
test_gates(void **state PG_UNUSED)
{
	struct conf *c = conf();
	struct gate_plan *p = gate_plan_new(c), *again = gate_plan_new(c);
	const struct conf_database *d = conf_find_database(c, "d");
	const struct conf_database *e = conf_find_database(c, "e");
	const struct live_set *events = gate_plan_set(p, d, d->rules[0]);
	const struct live_set *kinds = gate_plan_set(p, d, d->rules[1]);
	const struct gate *g;

	/* Spans on two backends; a name in two databases. */
	assert_int_equal(events->n, 2);
	g = (const struct gate *)(const void *)events->v[0];
	assert_string_equal(g->backend, "main");
	assert_int_equal(g->n, 1);
	assert_string_equal(g->v[0].named, "app.event");
	assert_string_equal(g->v[0].schema, "app");
	assert_string_equal(g->v[0].rel, "Event_m");
	assert_true(g->v[0].foreign && !g->v[0].maybe);
	assert_int_equal(g->n_tags, 2);
	assert_int_equal(g->tags[0], tag_of_table("event"));
	assert_int_equal(g->tags[1], tag_of_column("event", "tenant"));
	assert_int_equal(kinds->n, 1);
	assert_ptr_not_equal(kinds, gate_plan_set(p, e, e->rules[0]));
	assert_null(gate_plan_set(p, d, d->rules[2]));
	/* main: events, kinds, soft; cold: events, kinds, soft. */
	assert_int_equal(p->n, 6);
	/* The same for the same, whenever it is made. */
	assert_ptr_equal(events, gate_plan_set(again, d, d->rules[0]));
	assert_ptr_equal(p->gates[5], again->gates[5]);
	gate_plan_free(&p);
	gate_plan_free(&again);
	gates_fini();
	conf_unref(&c);
}

static void
test_live(void **state PG_UNUSED)
{
	struct conf *c = conf();
	struct gate_plan *p = gate_plan_new(c);
	const struct conf_database *d = conf_find_database(c, "d");
	const struct live_set *s = gate_plan_set(p, d, d->rules[0]);

	assert_true(live_now(NULL, 5));
	assert_false(live_now(s, 5));
	for (size_t i = 0; i < p->n; i++)
		atomic_store(&p->gates[i]->live.until, 10);
	assert_true(live_now(s, 5));
	assert_false(live_now(s, 10));
	atomic_store(&p->gates[1]->live.until, 0);
	assert_false(live_now(s, 5));
	assert_false(gates_unable(s));
	atomic_store(&p->gates[1]->unable, true);
	assert_true(gates_unable(s));
	gate_plan_free(&p);
	gates_fini();
	conf_unref(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kin),
		cmocka_unit_test(test_relations_that_come_up),
		cmocka_unit_test(test_truncate),
		cmocka_unit_test(test_logical_names),
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_live),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
