/* SPDX-License-Identifier: PostgreSQL
 *
 * Plans: which backend can serve a statement, what is an error, what may be
 * cached and what a result depends on.
 */
#include "route_util.h"

static struct util_conf conf;
static struct util_stmt st;

static struct route_plan *
plan(void)
{
	return route_plan_new(&conf.c, &conf.db, &st.shape);
}

static void
end(struct route_plan *p)
{
	route_plan_free(&p);
	assert_null(p);
	util_stmt_fini(&st);
}

static void
has_name(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0)
			return;
	}
	fail_msg("no %s", name);
}

/* ---------------------------------------------------------------- backends */

static void
no_routed_table_means_the_default_backend(void **state)
{
	struct route_plan *p;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM other");
	util_table(&st, "other");
	p = plan();
	assert_null(p->table);
	assert_ptr_equal(p->backend, &conf.b[B_PLAIN]);
	assert_true(p->relaxed);
	assert_int_equal(p->generation, 7);
	assert_null(p->derived);
	assert_null(p->err_sqlstate);
	end(p);
}

static void
text_that_cannot_be_parsed_writes_everything(void **state)
{
	struct route_plan *p;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_UNPARSED, "SELEC");
	p = plan();
	assert_ptr_equal(p->backend, &conf.b[B_PLAIN]);
	assert_true(p->writes_all);
	assert_int_equal(p->bypass, BYPASS_UNPARSED);
	assert_true(p->relaxed);
	end(p);
}

static void
the_variant_in_use_serves_its_table(void **state)
{
	static const enum util_backend backends[V_COUNT] = { B_PLAIN,
		B_MONTHLY, B_COORDINATOR };

	(void)state;
	for (unsigned i = 0; i < V_COUNT; i++) {
		struct route_plan *p;

		util_conf_init(&conf, (enum util_variant)i);
		util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events");
		util_table(&st, "app.events");
		p = plan();
		assert_ptr_equal(p->table, &conf.events);
		assert_ptr_equal(p->variant, &conf.ev[i]);
		assert_ptr_equal(p->backend, &conf.b[backends[i]]);
		assert_false(p->relaxed);
		assert_int_equal(p->may_shard, i == V_SHARDED);
		assert_int_equal(p->may_span, i == V_MONTHLY);
		assert_int_equal(p->key_pred, -1);
		end(p);
	}
}

static void
names_match_by_schema(void **state)
{
	static const struct {
		const char *token;
		bool routed;
	} rows[] = {
		{ "app.events", true }, { "events", true },
		{ "other.events", false }, { "public.events", false },
		{ "app.event", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char sql[64];
		struct route_plan *p;

		util_conf_init(&conf, V_PLAIN);
		snprintf(sql, sizeof(sql), "SELECT 1 FROM %s", rows[i].token);
		util_stmt_init(&st, STMT_SELECT, sql);
		util_table(&st, rows[i].token);
		p = plan();
		assert_int_equal(p->table != NULL, rows[i].routed);
		end(p);
	}
	/* Configured without schema: also what "public." names. */
	util_conf_init(&conf, V_PLAIN);
	conf.events.schema = NULL;
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM public.events");
	util_table(&st, "public.events");
	end(plan());
}

static void
temporary_tables_hide_names(void **state)
{
	struct route_plan *p;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM events, app.events");
	util_table(&st, "events")->temp = true;
	util_table(&st, "app.events");
	assert_int_equal(route_temp_names(&conf.db, &st.an), 1);
	assert_int_equal(route_hidden_names(&conf.db, &st.an, UINT64_MAX), 1);
	assert_int_equal(route_hidden_names(&conf.db, &st.an, 6), 0);
	end(NULL);
	for (unsigned hidden = 0; hidden < 4; hidden++) {
		util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM events");
		util_table(&st, "events");
		p = route_plan_hidden(&conf.c, &conf.db, &st.shape, hidden,
		    &conf.b[B_MONTHLY]);
		assert_int_equal(p->table == NULL, hidden & 1);
		assert_ptr_equal(p->backend, &conf.b[hidden & 1 ? B_MONTHLY :
		    B_COORDINATOR]);
		end(p);
	}
	/* What a statement makes it does not read, but another behind it. */
	for (unsigned multi = 0; multi < 2; multi++) {
		util_stmt_init(&st, STMT_SELECT, "INTO events FROM events");
		util_table(&st, "events")->temp = true;
		util_table(&st, "events");
		st.an.flags |= multi ? AN_MULTI : 0;
		p = plan();
		assert_int_equal(p->table == NULL, multi);
		end(p);
	}
}

static void
a_name_that_fits_two_tables_is_refused(void **state)
{
	struct route_plan *p;

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	conf.logs.rel = conf.events.rel;
	conf.logs.schema = (char *)"log";
	conf.logs.name = (char *)"log.events";
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM events");
	util_table(&st, "events");
	p = plan();
	assert_string_equal(p->err_sqlstate, "0A000");
	assert_string_equal(p->err_message, "table name \"events\" fits "
	    "several routed tables: app.events, log.events");
	end(p);
}

static struct route_plan *
two_tables(enum util_variant use, const char *a, const char *b)
{
	static char sql[128];

	util_conf_init(&conf, use);
	snprintf(sql, sizeof(sql), "SELECT 1 FROM %s, %s", a, b);
	util_stmt_init(&st, STMT_SELECT, sql);
	util_table(&st, a);
	util_table(&st, b);
	return plan();
}

static void
tables_on_one_backend_go_together(void **state)
{
	struct route_plan *p;

	(void)state;
	p = two_tables(V_PLAIN, "app.events", "app.users");
	assert_null(p->err_sqlstate);
	assert_ptr_equal(p->backend, &conf.b[B_PLAIN]);
	assert_ptr_equal(p->table, &conf.events);
	assert_int_equal(p->n_edits, 2);
	end(p);
	p = two_tables(V_MONTHLY, "app.logs", "app.events");
	assert_null(p->err_sqlstate);
	assert_ptr_equal(p->backend, &conf.b[B_MONTHLY]);
	assert_false(p->may_span);
	end(p);
	/* Unrouted tables live on the default backend. */
	p = two_tables(V_PLAIN, "notes", "app.events");
	assert_null(p->err_sqlstate);
	assert_ptr_equal(p->backend, &conf.b[B_PLAIN]);
	assert_int_equal(p->an_table, 1);
	end(p);
	/* A table with itself. */
	p = two_tables(V_SHARDED, "app.events", "events");
	assert_null(p->err_sqlstate);
	assert_ptr_equal(p->backend, &conf.b[B_COORDINATOR]);
	assert_true(p->may_shard);
	assert_int_equal(p->n_edits, 2);
	end(p);
}

static void
tables_on_several_backends_are_refused(void **state)
{
	struct route_plan *p;

	(void)state;
	p = two_tables(V_SHARDED, "app.events", "app.users");
	assert_string_equal(p->err_sqlstate, "0A000");
	assert_string_equal(p->err_message, "no single backend serves all "
	    "tables of the statement: app.events (backend coordinator), "
	    "app.users (backend plain)");
	assert_non_null(p->err_hint);
	end(p);
	p = two_tables(V_MONTHLY, "app.events", "notes");
	assert_string_equal(p->err_message, "no single backend serves all "
	    "tables of the statement: app.events (backend monthly), "
	    "notes (backend plain)");
	end(p);
}

static void
definitions_of_tables_with_variants_are_not_changed(void **state)
{
	struct route_plan *p;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_DDL, "ALTER TABLE app.events ADD x int");
	util_table(&st, "app.events");
	p = plan();
	assert_string_equal(p->err_sqlstate, "0A000");
	assert_string_equal(p->err_message, "cannot change the definition of "
	    "routed table app.events: it has the variants plain (backend "
	    "plain), monthly (backend monthly), sharded (backend "
	    "coordinator)");
	assert_string_equal(p->err_hint,
	    "Run it on a backend database directly.");
	end(p);
	/* One variant, one place: goes there. */
	util_stmt_init(&st, STMT_DDL, "ALTER TABLE app.logs ADD x int");
	util_table(&st, "app.logs")->takes_alias = false;
	p = plan();
	assert_null(p->err_sqlstate);
	assert_ptr_equal(p->backend, &conf.b[B_MONTHLY]);
	assert_true(p->writes_all);
	end(p);
	/* But not if its name cannot be found in the text. */
	util_stmt_init(&st, STMT_DDL, "DROP TABLE app.logs");
	util_table(&st, "app.logs")->placed = false;
	p = plan();
	assert_string_equal(p->err_sqlstate, "0A000");
	end(p);
}

static void
too_many_names_are_refused(void **state)
{
	size_t n = ROUTE_MAX_EDITS + 1;
	struct route_plan *p;

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events");
	util_table(&st, "app.events");
	st.an.tables = x_calloc(n, sizeof(*st.an.tables));
	for (size_t i = 0; i < n; i++)
		st.an.tables[i] = st.tables[0];
	st.an.n_tables = n;
	p = plan();
	assert_string_equal(p->err_sqlstate, "54000");
	free(st.an.tables);
	end(p);
}

/* ------------------------------------------------------------- confinement */

static struct route_plan *
with_key(enum stmt_kind kind, uint32_t flags, enum pin_reason pin)
{
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, kind, "SELECT 1 FROM app.events WHERE "
	    "tenant_id = '00000000-0000-0000-0000-000000000000'");
	util_table(&st, "app.events");
	util_value(util_pred(&st, "occurred_at", AN_GE), util_param(1));
	util_value(util_pred(&st, "tenant_id", AN_EQ), util_param(1));
	st.an.flags = flags;
	st.an.pins = pin == PIN_NONE ? 0 : PIN_BIT(pin);
	return plan();
}

static void
only_some_statements_go_to_a_shard(void **state)
{
	static const struct {
		enum stmt_kind kind;
		uint32_t flags;
		enum pin_reason pin;
		bool shard;
	} rows[] = {
		{ STMT_SELECT, 0, PIN_NONE, true },
		{ STMT_SELECT, AN_LOCKING, PIN_NONE, true },
		{ STMT_INSERT, AN_WRITES, PIN_NONE, true },
		{ STMT_UPDATE, AN_WRITES, PIN_NONE, true },
		{ STMT_DELETE, AN_WRITES, PIN_NONE, true },
		{ STMT_EXPLAIN, 0, PIN_NONE, true },
		{ STMT_MERGE, AN_WRITES, PIN_NONE, true },
		{ STMT_COPY_OUT, 0, PIN_NONE, true },
		{ STMT_COPY_IN, AN_WRITES, PIN_NONE, false },
		{ STMT_TRUNCATE, AN_WRITES, PIN_NONE, false },
		{ STMT_LOCK, AN_LOCKING, PIN_NONE, false },
		{ STMT_OTHER, 0, PIN_NONE, false },
		{ STMT_SELECT, AN_MULTI, PIN_NONE, false },
		{ STMT_SELECT, AN_UNKNOWN_FN, PIN_NONE, false },
		{ STMT_SELECT, AN_WRITES_ALL, PIN_NONE, false },
		{ STMT_SELECT, AN_CATALOG, PIN_NONE, false },
		{ STMT_SELECT, AN_VOLATILE, PIN_ADVISORY, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct route_plan *p = with_key(rows[i].kind, rows[i].flags,
		    rows[i].pin);

		if (p->may_shard != rows[i].shard)
			fail_msg("row %zu", i);
		assert_null(p->err_sqlstate);
		assert_int_equal(p->key_pred, 1);
		assert_ptr_equal(p->backend, &conf.b[B_COORDINATOR]);
		end(p);
	}
}

static void
rows_that_may_move_stay_with_the_coordinator(void **state)
{
	char *columns[] = { (char *)"x", (char *)"tenant_id" };
	struct route_plan *p;

	(void)state;
	for (size_t n = 1; n <= 2; n++) {
		util_conf_init(&conf, V_SHARDED);
		util_stmt_init(&st, STMT_UPDATE,
		    "UPDATE app.events SET x = 1 WHERE tenant_id = $1");
		util_table(&st, "app.events");
		util_value(util_pred(&st, "tenant_id", AN_EQ), util_param(1));
		st.an.assigned = columns;
		st.an.n_assigned = n;
		p = plan();
		assert_int_equal(p->may_shard, n == 1);
		end(p);
	}
	/* So with the months. */
	columns[0] = (char *)"occurred_at";
	util_conf_init(&conf, V_MONTHLY);
	util_stmt_init(&st, STMT_UPDATE, "UPDATE app.events SET x = 1");
	util_table(&st, "app.events");
	st.an.assigned = columns;
	st.an.n_assigned = 1;
	p = plan();
	assert_false(p->may_span);
	end(p);
}

/* ----------------------------------------------------------------- verdict */

static void
every_reason_has_its_statement(void **state)
{
	static const struct {
		enum stmt_kind kind;
		uint32_t flags;
		const char *table;
		enum bypass_reason reason;
	} rows[] = {
		{ STMT_SELECT, 0, "app.events", BYPASS_NONE },
		{ STMT_SELECT, 0, "events", BYPASS_NONE },
		{ STMT_SELECT, 0, "notes", BYPASS_NONE },
		{ STMT_SELECT, 0, "any.notes", BYPASS_NONE },
		{ STMT_SELECT, AN_SUBLINK | AN_PARAMS, "notes", BYPASS_NONE },
		{ STMT_SELECT, AN_EXPLAIN_ROUTE, "notes", BYPASS_NONE },
		{ STMT_EXPLAIN, 0, "notes", BYPASS_NOT_SELECT },
		{ STMT_INSERT, AN_WRITES, "notes", BYPASS_NOT_SELECT },
		{ STMT_SELECT, AN_WRITES, "notes", BYPASS_NOT_SELECT },
		{ STMT_SELECT, AN_MULTI, "notes", BYPASS_NOT_SELECT },
		{ STMT_SHOW, 0, NULL, BYPASS_NOT_SELECT },
		{ STMT_SELECT, 0, NULL, BYPASS_NO_TABLE },
		{ STMT_SELECT, AN_LOCKING | AN_VOLATILE, "notes",
		    BYPASS_LOCKING },
		{ STMT_SELECT, AN_CATALOG, "pg_class", BYPASS_CATALOG },
		{ STMT_SELECT, AN_UNKNOWN_FN | AN_WRITES_ALL, "notes",
		    BYPASS_UNKNOWN_FN },
		{ STMT_SELECT, AN_VOLATILE, "notes", BYPASS_VOLATILE },
		{ STMT_SELECT, AN_TABLESAMPLE, "notes", BYPASS_VOLATILE },
		{ STMT_SELECT, 0, "other", BYPASS_NO_RULE },
		{ STMT_SELECT, AN_STABLE, "other", BYPASS_NO_RULE },
		{ STMT_SELECT, AN_STABLE, "notes", BYPASS_STABLE },
		{ STMT_UNPARSED, 0, NULL, BYPASS_UNPARSED },
	};

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char sql[64];
		struct route_plan *p;

		snprintf(sql, sizeof(sql), "SELECT 1 FROM %s",
		    rows[i].table != NULL ? rows[i].table : "");
		util_stmt_init(&st, rows[i].kind, sql);
		if (rows[i].table != NULL)
			util_table(&st, rows[i].table)->read = true;
		st.an.flags = rows[i].flags;
		p = plan();
		if (p->bypass != rows[i].reason)
			fail_msg("row %zu: %s", i,
			    bypass_reason_name(p->bypass));
		assert_int_equal(p->rule != NULL, p->bypass == BYPASS_NONE);
		end(p);
	}
}

/* What goes to no replica, and what may. */
static void
reads_of_replicas(void **state)
{
	static const struct {
		enum stmt_kind kind;
		uint32_t flags;
		const char *table;
		enum replica_reason reason;
	} rows[] = {
		{ STMT_SELECT, 0, "other", REPLICA_REASON_NONE },
		{ STMT_SELECT, AN_SUBLINK | AN_PARAMS, "other",
		    REPLICA_REASON_NONE },
		{ STMT_SELECT, AN_READONLY_FN, "other", REPLICA_REASON_NONE },
		{ STMT_SELECT, 0, "notes", REPLICA_REASON_CACHED },
		{ STMT_SELECT, 0, NULL, REPLICA_REASON_NO_TABLE },
		{ STMT_SELECT, AN_STABLE, "other", REPLICA_REASON_FUNCTION },
		{ STMT_SELECT, AN_VOLATILE, "other",
		    REPLICA_REASON_FUNCTION },
		{ STMT_SELECT, AN_UNKNOWN_FN | AN_WRITES_ALL, "other",
		    REPLICA_REASON_FUNCTION },
		{ STMT_SELECT, AN_TABLESAMPLE, "other",
		    REPLICA_REASON_FUNCTION },
		{ STMT_SELECT, AN_CATALOG, "pg_class",
		    REPLICA_REASON_CATALOG },
		{ STMT_SELECT, AN_LOCKING, "other", REPLICA_REASON_NOT_READ },
		{ STMT_SELECT, AN_WRITES, "other", REPLICA_REASON_NOT_READ },
		{ STMT_SELECT, AN_MULTI, "other", REPLICA_REASON_NOT_READ },
		{ STMT_INSERT, AN_WRITES, "other", REPLICA_REASON_NOT_READ },
		{ STMT_EXPLAIN, 0, "other", REPLICA_REASON_NOT_READ },
		{ STMT_COPY_OUT, 0, "other", REPLICA_REASON_NOT_READ },
		{ STMT_UNPARSED, AN_WRITES_ALL, NULL,
		    REPLICA_REASON_NOT_READ },
	};

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (int on = 0; on < 2; on++) {
			struct route_plan *p;
			char sql[64];

			snprintf(sql, sizeof(sql), "SELECT 1 FROM %s",
			    rows[i].table != NULL ? rows[i].table : "");
			util_stmt_init(&st, rows[i].kind, sql);
			if (rows[i].table != NULL)
				util_table(&st, rows[i].table)->read = true;
			st.an.flags = rows[i].flags;
			conf.db.replicas.reads = on ? REPLICA_READS_SESSION :
			    REPLICA_READS_OFF;
			p = plan();
			if (p->replica != (on ? rows[i].reason :
			    REPLICA_REASON_OFF))
				fail_msg("row %zu: %s", i,
				    replica_reason_name(p->replica));
			end(p);
		}
	}
}

/* The strictest of the tables' rules, and of the database's. */
static void
rules_of_replicas(void **state)
{
	struct conf_table *t;
	struct route_plan *p;

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	conf.db.replicas = (struct conf_replica_rule){
		REPLICA_READS_SESSION, 10, 0 };
	t = conf.db.tables[0];
	t->replicas = (struct conf_replica_rule){ REPLICA_READS_PROCESS,
		REPLICA_AGE_INHERIT, 5 };
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events");
	util_table(&st, "app.events")->read = true;
	p = plan();
	assert_int_equal(p->replica_rule.reads, REPLICA_READS_PROCESS);
	assert_int_equal(p->replica_rule.max_age, 10);
	assert_int_equal(p->replica_rule.max_lag, 5);
	end(p);
	t->replicas.max_age = 0;
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events");
	util_table(&st, "app.events")->read = true;
	p = plan();
	assert_int_equal(p->replica_rule.max_age, 0);
	end(p);
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events, other");
	util_table(&st, "app.events")->read = true;
	util_table(&st, "other")->read = true;
	p = plan();
	assert_int_equal(p->replica_rule.reads, REPLICA_READS_PROCESS);
	assert_int_equal(p->replica_rule.max_age, 10);
	assert_int_equal(p->replica_rule.max_lag, 5);
	end(p);
	t->replicas.reads = REPLICA_READS_OFF;
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events");
	util_table(&st, "app.events")->read = true;
	p = plan();
	assert_int_equal(p->replica, REPLICA_REASON_OFF);
	end(p);
}

static void
settings_of_rule_and_database_count(void **state)
{
	struct route_plan *p;

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	conf.rule.allow_stable = true;
	util_stmt_init(&st, STMT_SELECT, "SELECT now() FROM notes");
	util_table(&st, "notes");
	st.an.flags = AN_STABLE;
	p = plan();
	assert_int_equal(p->bypass, BYPASS_NONE);
	end(p);
	conf.db.cache = false;
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM notes");
	util_table(&st, "notes");
	p = plan();
	assert_int_equal(p->bypass, BYPASS_DISABLED);
	assert_null(p->rule);
	end(p);
}

static void
the_first_rule_that_names_all_tables_counts(void **state)
{
	char *both[] = { (char *)"notes", (char *)"app.other" };
	struct conf_rule second = { .name = (char *)"second",
		.tables = { both, 2 }, .ttl = NSEC_PER_SEC };
	struct conf_rule *rules[2];
	struct route_plan *p;

	(void)state;
	p = two_tables(V_PLAIN, "notes", "app.other");
	assert_int_equal(p->bypass, BYPASS_NO_RULE);
	end(p);
	rules[0] = &conf.rule;
	rules[1] = &second;
	conf.db.rules = rules;
	conf.db.n_rules = 2;
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM notes, app.other");
	util_table(&st, "notes");
	util_table(&st, "app.other");
	p = plan();
	assert_ptr_equal(p->rule, &second);
	end(p);
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM notes");
	util_table(&st, "notes");
	p = plan();
	assert_ptr_equal(p->rule, &conf.rule);
	end(p);
}

/* ------------------------------------------------------------ dependencies */

static void
results_depend_on_logical_names(void **state)
{
	static const char *const written[] = { "app.events", "events",
		"app.events_plain", "app.events_sharded", "events_shard" };
	struct route_plan *p;

	(void)state;
	p = two_tables(V_PLAIN, "app.events", "notes");
	assert_int_equal(p->n_reads, 2);
	has_name(p->reads, p->n_reads, "events");
	has_name(p->reads, p->n_reads, "notes");
	assert_int_equal(p->n_writes, 0);
	assert_false(p->writes_all);
	end(p);
	for (size_t i = 0; i < ARRAY_SIZE(written); i++) {
		char sql[64];

		util_conf_init(&conf, V_PLAIN);
		snprintf(sql, sizeof(sql), "DELETE FROM %s", written[i]);
		util_stmt_init(&st, STMT_DELETE, sql);
		util_table(&st, written[i]);
		st.an.flags = AN_WRITES;
		p = plan();
		assert_int_equal(p->n_writes, 1);
		assert_string_equal(p->writes[0], "events");
		assert_false(p->writes_all);
		end(p);
	}
}

static void
too_many_dependencies_are_taken_carefully(void **state)
{
	enum { N = ROUTE_MAX_DEPS + 1 };
	static char names[N][8];
	static struct an_table tables[N];
	char *rule_tables[N];
	struct route_plan *p;

	(void)state;
	for (int write = 0; write <= 1; write++) {
		util_conf_init(&conf, V_PLAIN);
		util_stmt_init(&st, write ? STMT_TRUNCATE : STMT_SELECT, "x");
		for (unsigned i = 0; i < N; i++) {
			snprintf(names[i], sizeof(names[i]), "t%u", i);
			rule_tables[i] = names[i];
			tables[i] = (struct an_table){ .name = names[i],
				.read = !write, .written = write };
		}
		conf.rule.tables = (struct conf_strings){ rule_tables, N };
		st.an.tables = tables;
		st.an.n_tables = N;
		st.an.flags = write ? AN_WRITES : 0;
		p = plan();
		assert_int_equal(p->writes_all, write);
		assert_int_equal(p->bypass,
		    write ? BYPASS_NOT_SELECT : BYPASS_TOO_LARGE);
		assert_null(p->rule);
		end(p);
	}
}

static void
writes_without_a_name_write_everything(void **state)
{
	struct route_plan *p;

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	util_stmt_init(&st, STMT_CALL, "CALL f()");
	st.an.flags = AN_WRITES_ALL;
	p = plan();
	assert_true(p->writes_all);
	end(p);
	util_stmt_init(&st, STMT_OTHER, "MYSTERY");
	st.an.flags = AN_WRITES;
	p = plan();
	assert_true(p->writes_all);
	end(p);
	util_stmt_init(&st, STMT_TRANSACTION, "COMMIT");
	p = plan();
	assert_false(p->writes_all);
	assert_true(p->relaxed);
	end(p);
}

static void
reasons_have_names(void **state)
{
	(void)state;
	for (int r = BYPASS_NONE; r < BYPASS_REASON_COUNT; r++) {
		assert_true(strlen(bypass_reason_name(
				(enum bypass_reason)r)) > 0);
		assert_true(
		    strlen(bypass_reason_doc((enum bypass_reason)r)) > 0);
	}
	assert_string_equal(bypass_reason_name(BYPASS_NO_RULE), "no_rule");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_routed_table_means_the_default_backend),
		cmocka_unit_test(text_that_cannot_be_parsed_writes_everything),
		cmocka_unit_test(the_variant_in_use_serves_its_table),
		cmocka_unit_test(names_match_by_schema),
		cmocka_unit_test(temporary_tables_hide_names),
		cmocka_unit_test(a_name_that_fits_two_tables_is_refused),
		cmocka_unit_test(tables_on_one_backend_go_together),
		cmocka_unit_test(tables_on_several_backends_are_refused),
		cmocka_unit_test(
		    definitions_of_tables_with_variants_are_not_changed),
		cmocka_unit_test(too_many_names_are_refused),
		cmocka_unit_test(only_some_statements_go_to_a_shard),
		cmocka_unit_test(rows_that_may_move_stay_with_the_coordinator),
		cmocka_unit_test(every_reason_has_its_statement),
		cmocka_unit_test(reads_of_replicas),
		cmocka_unit_test(rules_of_replicas),
		cmocka_unit_test(settings_of_rule_and_database_count),
		cmocka_unit_test(the_first_rule_that_names_all_tables_counts),
		cmocka_unit_test(results_depend_on_logical_names),
		cmocka_unit_test(too_many_dependencies_are_taken_carefully),
		cmocka_unit_test(writes_without_a_name_write_everything),
		cmocka_unit_test(reasons_have_names),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
