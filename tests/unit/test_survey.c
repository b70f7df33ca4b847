/* SPDX-License-Identifier: PostgreSQL
 *
 * From rows of catalogs to a layout, or to what is wrong with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hash.h"
#include "layout/survey.h"

#define BACKENDS "listen = {\"127.0.0.1:1\"}\n" \
    "backend \"c\" { conninfo = \"host=c dbname=app\" }\n" \
    "backend \"s0\" { conninfo = \"host=h0 port=6000 dbname=app\" }\n" \
    "backend \"s1\" { conninfo = \"host=h1,h2 port=6001 dbname=app\" }\n" \
    "database \"d\" { backend = \"c\" }\n"
#define SHARDED BACKENDS "table \"app.t\" { variant \"v\" {\n" \
    "kind = sharded backend = c relation = app.t } }\n"
#define BY_HAND BACKENDS "table \"app.t\" { key_column = k " \
    "key_type = %s variant \"v\" {\n" \
    "kind = sharded backend = c relation = app.t shard_relation = app.part " \
    "shards = {%s} } }\n"
#define MONTHLY BACKENDS "table \"app.t\" { variant \"v\" {\n" \
    "kind = monthly backend = c relation = app.t } }\n"

#define MAX_FACTS 8

typedef const char *cells[FACT_COUNT];

static struct conf *conf;
static struct survey s;
static cells rows[MAX_FACTS], remote;
static size_t n_rows;

static void
load(const char *text)
{
	struct conf_diag d;

	conf = conf_load_buffer("f", text, strlen(text), &d);
	if (conf == NULL)
		fail_msg("%s", d.msg[0]);
	conf_diag_fini(&d);
	survey_begin(&s, conf, &conf->tables[0], conf->tables[0].use);
}

/* What a table and its parts have alike. */
static void
common(cells c)
{
	memset(c, 0, sizeof(cells));
	c[FACT_level] = "0";
	c[FACT_schema_name] = "app";
	c[FACT_kind] = "r";
	c[FACT_owner] = "app";
	c[FACT_encoding] = "UTF8";
	c[FACT_locale] = "C.UTF-8";
	c[FACT_columns] = "column \"k\" uuid\ncolumn \"v\" text";
	c[FACT_grants] = "role \"app\" may SELECT";
	c[FACT_constraints] = "column \"k\" is NOT NULL";
}

static void
hash_top(void)
{
	common(rows[0]);
	rows[0][FACT_oid] = "1";
	rows[0][FACT_rel_name] = "t";
	rows[0][FACT_kind] = "p";
	rows[0][FACT_strategy] = "h";
	rows[0][FACT_n_keys] = "1";
	rows[0][FACT_key_columns] = "k";
	rows[0][FACT_key_oids] = "2950";
	rows[0][FACT_key_types] = "uuid";
	rows[0][FACT_key_default_opclass] = "t";
	n_rows = 1;
	common(remote);
	remote[FACT_oid] = "77";
	remote[FACT_rel_name] = "part";
}

static const char *const no_server[] = { NULL, NULL, NULL };

/* server: host, port, name of it; NULL: a local partition. */
static void
part(const char *name, const char *bound, const char *const *server)
{
	const char **c = rows[n_rows++];

	common(rows[n_rows - 1]);
	c[FACT_oid] = "2";
	c[FACT_parent] = "1";
	c[FACT_level] = "1";
	c[FACT_rel_name] = name;
	c[FACT_bound] = bound;
	if (server == no_server)
		return;
	c[FACT_kind] = "f";
	c[FACT_wrapper] = "postgres_fdw";
	c[FACT_host] = server[0];
	c[FACT_port] = server[1];
	c[FACT_dbname] = "app";
	c[FACT_server] = server[2];
	c[FACT_server_of_superuser] = "t";
	c[FACT_remote_schema] = "app";
	c[FACT_remote_name] = "part";
}

static const char *const h0[] = { "h0", "6000", "first" };
static const char *const h1[] = { "H2", "6001", "second" };
static const char *const other[] = { "other", NULL, "it's" };

static void
hash_parts(void)
{
	hash_top();
	part("r0", "FOR VALUES WITH (modulus 2, remainder 0)", h0);
	part("r1", "FOR VALUES WITH (modulus 2, remainder 1)", h1);
}

static bool
run(void)
{
	facts_init(&s.facts, n_rows);
	for (size_t i = 0; i < n_rows; i++)
		facts_set(&s.facts, i, rows[i]);
	if (survey_places(&s))
		for (size_t i = 0; i < s.n_places; i++) {
			if (s.places[i].local)
				continue;
			facts_init(&s.places[i].found, 1);
			facts_set(&s.places[i].found, 0, remote);
			survey_found(&s, i, NULL);
		}
	return survey_end(&s);
}

static void
done(void)
{
	survey_fini(&s);
	conf_unref(&conf);
}

static void
says(const struct survey_texts *t, const char *what)
{
	for (size_t i = 0; i < t->n; i++) {
		if (strstr(t->v[i], what) != NULL)
			return;
	}
	fail_msg("nothing says \"%s\", the first of %zu is %s", what, t->n,
	    t->n > 0 ? t->v[0] : "(none)");
}

static void
test_a_layout(void **state PG_UNUSED)
{
	struct conf_layouts *l = conf_layouts_new(1, 0);
	const struct conf_variant *v;
	struct conf_diag d;
	struct conf *with;

	load(SHARDED);
	hash_parts();
	assert_true(run());
	assert_int_equal(s.errors.n + s.notes.n, 0);
	assert_int_equal(s.layout.n_shards, 2);
	assert_string_equal(s.layout.keys[0].column, "k");
	assert_int_equal(s.layout.keys[0].type, KEY_TYPE_UUID);
	layout_copy(&l->v[0], &s.layout);
	assert_true(layout_eq(&l->v[0], &s.layout));
	assert_true(conf_layouts_eq(l, l));
	assert_false(conf_layouts_eq(l, NULL));
	with = conf_with_layouts(conf, l, &d);
	assert_non_null(with);
	v = with->tables[0].use;
	assert_int_equal(v->n_shards, 2);
	assert_int_equal(v->modulus, 2);
	assert_string_equal(v->shards[0].backend->name, "s0");
	assert_string_equal(v->shards[1].backend->name, "s1");
	assert_string_equal(v->relations[v->shards[1].relation].sql,
	    "app.part");
	assert_string_equal(with->tables[0].keys[0].column, "k");
	assert_int_equal(strlen(v->digest), 32);
	/* What was written by hand stays bare. */
	assert_int_equal(conf->tables[0].use->n_shards, 0);
	conf_unref(&with);
	conf_layouts_unref(&l);
	done();
}

static void
test_servers_that_are_not_configured(void **state PG_UNUSED)
{
	struct conf_layouts *l = conf_layouts_new(1, 0);
	const struct conf_backend *b;
	struct conf_diag d;
	struct conf *with;

	load(SHARDED);
	hash_top();
	part("r0", "FOR VALUES WITH (modulus 2, remainder 0)", h0);
	part("r1", "FOR VALUES WITH (modulus 2, remainder 1)", other);
	assert_true(run());
	layout_copy(&l->v[0], &s.layout);
	with = conf_with_layouts(conf, l, &d);
	assert_non_null(with);
	b = conf_find_backend(with, "c/it's");
	assert_non_null(b);
	assert_ptr_equal(with->tables[0].use->shards[1].backend, b);
	assert_non_null(strstr(b->conninfo, "host='other'"));
	assert_non_null(strstr(b->conninfo, "port='5432'"));
	assert_null(b->user);
	conf_unref(&with);
	conf_layouts_unref(&l);
	done();
}

/* The coordinator's own machine, as the coordinator and as we call it. */
static void
test_the_loopback_is_the_coordinators(void **state PG_UNUSED)
{
	static const char *const here[] = { "127.0.0.1", "6000", "first" };

	load(SHARDED);
	hash_top();
	part("r0", "FOR VALUES WITH (modulus 1, remainder 0)", here);
	assert_true(run());
	assert_string_equal(s.places[0].backend, "c/first");
	assert_non_null(strstr(s.places[0].conninfo, "host='c'"));
	done();
}

static void
test_moduli_may_differ(void **state PG_UNUSED)
{
	load(SHARDED);
	hash_top();
	part("b", "FOR VALUES WITH (modulus 4, remainder 0)", h0);
	part("a", "FOR VALUES WITH (modulus 2, remainder 1)", h1);
	part("c", "FOR VALUES WITH (modulus 4, remainder 2)", no_server);
	assert_true(run());
	assert_int_equal(s.layout.n_shards, 3);
	assert_int_equal(s.layout.shards[0].modulus, 4);
	assert_int_equal(s.layout.shards[1].modulus, 2);
	/* A partition of the coordinator's own is asked there. */
	assert_string_equal(s.layout.shards[2].backend, "c");
	assert_string_equal(s.layout.shards[2].relation, "app.c");
	done();
}

static void
test_what_makes_a_layout_bad(void **state PG_UNUSED)
{
	load(SHARDED);
	hash_top();
	part("r0", "FOR VALUES WITH (modulus 3, remainder 0)", h0);
	assert_false(run());
	says(&s.errors, "expected a partition for every remainder of modulus "
	    "3, found none for remainder 1");
	done();

	load(SHARDED);
	hash_top();
	part("r0", "FOR VALUES WITH (modulus 2, remainder 0)", h0);
	part("r1", "FOR VALUES WITH (modulus 2, remainder 1)", h0);
	assert_false(run());
	says(&s.errors, "expected a table of its own for each partition, "
	    "found app.part on backend \"s0\" for r0 and for r1");
	done();

	load(SHARDED);
	hash_parts();
	rows[0][FACT_strategy] = "l";
	assert_false(run());
	says(&s.errors, "expected PARTITION BY HASH, found PARTITION BY "
	    "LIST");
	done();

	load(SHARDED);
	hash_top();
	part("r0", "FOR VALUES WITH (modulus 8193, remainder 0)", h0);
	part("r1", "FOR VALUES WITH (modulus 1, remainder 0)", h1);
	assert_false(run());
	says(&s.errors, "expected moduli with a common multiple of at most "
	    "8192");
	done();

	load(SHARDED);
	n_rows = 0;
	assert_false(run());
	says(&s.errors, "expected a relation app.t, found none");
	done();

	load(SHARDED);
	hash_top();
	assert_false(run());
	says(&s.errors, "expected partitions, found none");
	done();

	load(SHARDED);
	hash_parts();
	rows[2][FACT_dbname] = NULL;
	assert_false(run());
	says(&s.errors, "foreign server \"second\": expected an option dbname");
	done();

	load(SHARDED);
	hash_top();
	part("r0", "FOR VALUES WITH (modulus 1, remainder 0)", other);
	rows[1][FACT_server_of_superuser] = "f";
	assert_false(run());
	says(&s.errors, "foreign server \"it's\" is no configured backend: "
	    "expected one that is, or that a superuser owns it");
	done();
}

/* Nothing is wrong, but the key cannot be computed with: no shards. */
static void
test_keys_that_are_not_for_us(void **state PG_UNUSED)
{
	static const struct {
		int fact;
		const char *value, *says;
	} bad[] = {
		{ FACT_n_keys, "2", "found an expression" },
		{ FACT_key_oids, "601", "found uuid" },
		{ FACT_key_default_opclass, "f", "operator class" },
		{ FACT_key_deterministic, "f", "deterministic" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		load(SHARDED);
		hash_parts();
		rows[0][bad[i].fact] = bad[i].value;
		assert_true(run());
		says(&s.notes, bad[i].says);
		assert_int_equal(s.layout.n_shards, 0);
		assert_int_equal(s.layout.n_keys, 0);
		done();
	}
	load(SHARDED);
	hash_parts();
	rows[0][FACT_key_oids] = "25";
	rows[0][FACT_encoding] = "LATIN1";
	assert_true(run());
	says(&s.notes, "expected encoding UTF8");
	assert_int_equal(s.layout.n_shards, 0);
	done();
}

static void
test_several_key_columns(void **state PG_UNUSED)
{
	load(SHARDED);
	hash_parts();
	rows[0][FACT_n_keys] = "2";
	rows[0][FACT_key_columns] = "k\nv";
	rows[0][FACT_key_oids] = "2950\n25";
	rows[0][FACT_key_types] = "uuid\ntext";
	rows[0][FACT_key_deterministic] = "t";
	assert_true(run());
	assert_int_equal(s.layout.n_keys, 2);
	assert_string_equal(s.layout.keys[1].column, "v");
	assert_int_equal(s.layout.keys[1].type, KEY_TYPE_TEXT);
	assert_int_equal(s.layout.n_shards, 2);
	done();
}

static void
test_differences_in_effect(void **state PG_UNUSED)
{
	static const struct {
		int fact;
		const char *top, *part, *reads, *writes;
	} all[] = {
		{ FACT_grants, "a\nb", "a", "expected b", NULL },
		{ FACT_grants, "a", "a\nb", "found b", NULL },
		{ FACT_column_grants, NULL, "x", "found x", NULL },
		{ FACT_policies, NULL, "row security is on", "row security",
			NULL },
		{ FACT_policies, "policy p", "policy p", NULL, NULL },
		{ FACT_rules, "rule r", NULL, "rule r", NULL },
		{ FACT_encoding, "UTF8", "LATIN1", "encoding", NULL },
		{ FACT_locale, "C", "de_DE", "expected collation C", NULL },
		{ FACT_columns, "a\nb", "b\na", "order", NULL },
		{ FACT_columns, "a", "a\nb", "found b", NULL },
		{ FACT_kind, "p", "v", "relkind v", NULL },
		{ FACT_triggers, "trigger t", "trigger t", NULL,
			"would not fire" },
		{ FACT_triggers, NULL, "trigger t", NULL, NULL },
		{ FACT_defaults, "d", NULL, NULL, "expected d" },
		{ FACT_defaults, "nextval('s')", "nextval('s')", NULL,
			"count on its own" },
		{ FACT_constraints, "c\nd", "c", NULL,
			"expected constraint d" },
		{ FACT_constraints, "c", "c\nPRIMARY KEY (k)", NULL, NULL },
		{ FACT_owner, "app", "someone", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		const struct layout_shard *shard;

		load(SHARDED);
		hash_top();
		part("r0", "FOR VALUES WITH (modulus 1, remainder 0)", h0);
		rows[0][all[i].fact] = all[i].top;
		remote[all[i].fact] = all[i].part;
		assert_true(run());
		assert_int_equal(s.layout.n_shards, 1);
		shard = &s.layout.shards[0];
		if ((shard->no_read != NULL) != (all[i].reads != NULL) ||
		    (shard->no_write != NULL) != (all[i].writes != NULL))
			fail_msg("row %zu: %s, %s", i, shard->no_read,
			    shard->no_write);
		if (all[i].reads != NULL)
			says(&s.notes, all[i].reads);
		if (all[i].writes != NULL)
			says(&s.notes, all[i].writes);
		done();
	}
}

static void
test_partitions_of_the_same_server(void **state PG_UNUSED)
{
	load(SHARDED);
	hash_top();
	part("r0", "FOR VALUES WITH (modulus 2, remainder 0)", no_server);
	part("r1", "FOR VALUES WITH (modulus 2, remainder 1)", no_server);
	rows[1][FACT_acl] = "{x=r/app}";
	rows[2][FACT_owner] = "someone";
	assert_true(run());
	says(&s.notes, "app.r0 on backend \"c\" is not asked directly: "
	    "expected grants");
	says(&s.notes, "expected owner \"app\", found \"someone\"");
	done();
}

static void
by_hand(const char *type, const char *shards)
{
	char text[4096];

	snprintf(text, sizeof(text), BY_HAND, type, shards);
	load(text);
	hash_parts();
}

static void
test_what_was_written_by_hand(void **state PG_UNUSED)
{
	by_hand("uuid", "\"s0\", \"s1\"");
	assert_true(run());
	assert_int_equal(s.errors.n + s.notes.n, 0);
	assert_false(s.layout.refuted);
	assert_int_equal(s.layout.n_shards, 0); /* they stay as they are */
	done();

	by_hand("uuid", "\"s1\", \"s0\"");
	assert_false(run());
	says(&s.errors, "shards: expected backend \"s1\" for remainder 0, "
	    "found backend \"s0\" (h0:6000/app)");
	assert_true(s.layout.refuted);
	done();

	by_hand("uuid", "\"s0\"");
	assert_false(run());
	says(&s.errors, "shards: expected modulus 1, found 2 (r0)");
	assert_true(s.layout.refuted);
	done();

	by_hand("int4", "\"s0\", \"s1\"");
	assert_false(run());
	says(&s.errors, "key_column: expected \"k\" of type int4, found \"k\" "
	    "of type uuid");
	assert_true(s.layout.refuted);
	done();

	/* The coordinator may know it by another name. */
	by_hand("uuid", "\"s0\", \"s1\"");
	rows[2][FACT_host] = "inside";
	assert_true(run());
	says(&s.notes, "shards: expected backend \"s1\" for remainder 1, found "
	    "foreign server \"second\" (inside:6001/app)");
	assert_false(s.layout.refuted);
	done();

	by_hand("uuid", "\"s0\", \"s1\"");
	rows[2][FACT_remote_name] = "elsewhere";
	assert_false(run());
	says(&s.errors, "shard_relation: expected app.part for remainder 1, "
	    "found app.elsewhere");
	assert_true(s.layout.refuted);
	done();

	/* That it is bad does not refute it. */
	by_hand("uuid", "\"s0\", \"s1\"");
	n_rows--;
	assert_false(run());
	assert_false(s.layout.refuted);
	done();
}

static void
test_a_shard_that_cannot_be_asked(void **state PG_UNUSED)
{
	load(SHARDED);
	hash_parts();
	facts_init(&s.facts, n_rows);
	for (size_t i = 0; i < n_rows; i++)
		facts_set(&s.facts, i, rows[i]);
	assert_true(survey_places(&s));
	survey_found(&s, 0, "connection refused");
	survey_found(&s, 1, NULL);
	assert_false(survey_end(&s));
	says(&s.errors, "backend \"s0\", which holds app.part: cannot be "
	    "asked: connection refused");
	says(&s.errors, "backend \"s1\": expected a relation app.part, found "
	    "none");
	done();
}

#define JAN "FOR VALUES FROM ('2026-01-01 00:00:00+00') TO " \
    "('2026-02-01 00:00:00+00')"
#define OLD "FOR VALUES FROM (MINVALUE) TO ('2026-01-01 00:00:00+00')"

static void
range_top(void)
{
	hash_top();
	rows[0][FACT_strategy] = "r";
	rows[0][FACT_key_columns] = "at";
	rows[0][FACT_key_oids] = "1184";
	rows[0][FACT_key_types] = "timestamp with time zone";
}

static void
test_months(void **state PG_UNUSED)
{
	load(MONTHLY);
	range_top();
	part("m1", JAN, no_server);
	part("rest", "DEFAULT", no_server);
	part("old", OLD, h0);
	/* Nobody asks the coordinator's own directly. */
	rows[1][FACT_owner] = "someone";
	assert_true(run());
	assert_int_equal(s.notes.n, 0);
	assert_string_equal(s.layout.time_column, "at");
	/* In the order of time, the default one last. */
	assert_int_equal(s.layout.n_periods, 3);
	assert_true(s.layout.periods[0].lo == INT64_MIN);
	assert_true(s.layout.periods[1].lo == s.layout.periods[0].hi);
	assert_true(s.layout.periods[2].is_default);
	assert_int_equal(s.layout.n_shards, 3);
	assert_string_equal(s.layout.shards[0].backend, "s0");
	assert_string_equal(s.layout.shards[1].relation, "app.m1");
	assert_int_equal(s.layout.shards[1].period, 1);
	assert_int_equal(s.layout.shards[1].modulus, 1);
	assert_string_equal(s.layout.shards[2].relation, "app.rest");
	done();

	load(MONTHLY);
	hash_parts();
	assert_false(run());
	says(&s.errors, "expected PARTITION BY RANGE, found PARTITION BY HASH");
	done();
}

#define AGREES BACKENDS "table \"app.t\" { month_of = \"uuidv7(id)\" " \
    "variant \"v\" { kind = monthly backend = c relation = app.t } }\n"
#define AGREE_COLUMNS "column \"id\" uuid\n" \
    "column \"at\" timestamp with time zone"
#define AGREE_CHECK "column \"at\" is NOT NULL\n" \
    "CHECK ((date_trunc('milliseconds'::text, at) = " \
    "uuid_extract_timestamp(id)))"

/* CHECK constraints prove that ids and times agree, on every server. */
static void
test_ids_with_times(void **state PG_UNUSED)
{
	static const struct {
		int fact;
		const char *top, *part, *why;
	} bad[] = {
		{ FACT_constraints, "CHECK ((at = uuid_extract_timestamp(id)))",
		    AGREE_CHECK, "the table: expected the time column to be "
		    "NOT NULL" },
		{ FACT_constraints, AGREE_CHECK " NOT VALID", AGREE_CHECK,
		    "the table: expected valid CHECK constraints" },
		{ FACT_constraints, AGREE_CHECK, "column \"at\" is NOT NULL",
		    "old: expected valid CHECK constraints" },
		{ FACT_columns, "column \"id\" text\n"
		    "column \"at\" timestamp with time zone", AGREE_COLUMNS,
		    "the table: expected the column in month_of to be a uuid" },
		{ FACT_columns, "column \"id\" uuid\n"
		    "column \"at\" timestamp without time zone", AGREE_COLUMNS,
		    "the table: expected the time column to be a timestamp" },
	};
	size_t i;

	for (i = 0; i <= ARRAY_SIZE(bad); i++) {
		load(AGREES);
		range_top();
		part("m1", JAN, no_server);
		part("old", OLD, h0);
		rows[0][FACT_columns] = remote[FACT_columns] = AGREE_COLUMNS;
		rows[0][FACT_constraints] = remote[FACT_constraints] =
		    AGREE_CHECK;
		if (i < ARRAY_SIZE(bad)) {
			rows[0][bad[i].fact] = bad[i].top;
			remote[bad[i].fact] = bad[i].part;
		}
		assert_true(run());
		assert_int_equal(s.layout.id_timed, i == ARRAY_SIZE(bad));
		if (i < ARRAY_SIZE(bad)) {
			says(&s.notes, bad[i].why);
		} else {
			assert_int_equal(s.layout.id_lo, -1000);
			assert_int_equal(s.layout.id_hi, 2000);
		}
		done();
	}
}

/* Times that cannot be compared with bounds: no parts. */
static void
test_times_that_tell_no_parts(void **state PG_UNUSED)
{
	static const struct {
		int fact;
		const char *value;
	} bad[] = {
		{ FACT_key_types, "timestamp without time zone" },
		{ FACT_key_types, "timestamp(0) with time zone" },
		{ FACT_key_types, "date" },
		{ FACT_key_types, "integer" },
		{ FACT_n_keys, "2" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		load(SHARDED);
		range_top();
		part("m1", JAN, no_server);
		rows[0][bad[i].fact] = bad[i].value;
		assert_true(run());
		assert_int_equal(s.layout.n_shards, 0);
		done();
	}
	load(SHARDED);
	range_top();
	part("m1", "FOR VALUES FROM ('2026-01-01 00:00:00+00') TO "
	    "('infinity')", no_server);
	assert_true(run());
	assert_int_equal(s.layout.n_shards, 0);
	done();
}

/* A part of the month number m, which is divided by hash. */
static void
month_of_hash(unsigned m, const char *name, const char *bound)
{
	static const char *const oids[] = { "10", "11" };
	const char **c;

	part(name, bound, no_server);
	c = rows[n_rows - 1];
	c[FACT_oid] = oids[m];
	c[FACT_kind] = "p";
	c[FACT_strategy] = "h";
	c[FACT_n_keys] = "1";
	c[FACT_key_columns] = "k";
	c[FACT_key_oids] = "2950";
	c[FACT_key_types] = "uuid";
	c[FACT_key_default_opclass] = "t";
}

static void
hash_of_month(unsigned m, const char *name, const char *bound,
    const char *const *server, const char *there)
{
	static const char *const oids[] = { "10", "11" };

	part(name, bound, server);
	rows[n_rows - 1][FACT_parent] = oids[m];
	rows[n_rows - 1][FACT_remote_name] = there;
}

static void
months_of_hash(void)
{
	range_top();
	month_of_hash(0, "jan", JAN);
	month_of_hash(1, "old", OLD);
	hash_of_month(0, "jan0", "FOR VALUES WITH (modulus 2, remainder 0)",
	    h0, "jan");
	hash_of_month(1, "old0", "FOR VALUES WITH (modulus 1, remainder 0)",
	    h0, "old");
	hash_of_month(0, "jan1", "FOR VALUES WITH (modulus 2, remainder 1)",
	    h1, "jan");
}

static void
test_months_of_hash(void **state PG_UNUSED)
{
	struct conf_layouts *l = conf_layouts_new(1, 0);
	const struct conf_variant *v;
	struct conf_diag d;
	struct conf *with;

	load(SHARDED);
	months_of_hash();
	assert_true(run());
	assert_int_equal(s.notes.n, 0);
	assert_int_equal(s.layout.n_periods, 2);
	assert_int_equal(s.layout.n_shards, 3);
	assert_string_equal(s.layout.keys[0].column, "k");
	layout_copy(&l->v[0], &s.layout);
	assert_true(conf_layouts_eq(l, l));
	with = conf_with_layouts(conf, l, &d);
	assert_non_null(with);
	v = with->tables[0].use;
	assert_int_equal(v->n_shards, 3);
	assert_string_equal(with->tables[0].time_column, "at");
	assert_string_equal(v->relations[conf_shard_of(v, 0, 1)->relation].sql,
	    "app.old");
	assert_string_equal(conf_shard_of(v, 1, 0)->backend->name, "s0");
	assert_string_equal(conf_shard_of(v, 1, 1)->backend->name, "s1");
	conf_unref(&with);
	conf_layouts_unref(&l);
	done();

	/* Another key in another month. */
	load(SHARDED);
	months_of_hash();
	rows[2][FACT_key_columns] = "v";
	assert_true(run());
	says(&s.notes, "expected the key of jan for old, too");
	assert_int_equal(s.layout.n_shards, 0);
	done();

	load(SHARDED);
	months_of_hash();
	n_rows--;
	assert_false(run());
	says(&s.errors, "modulus 2, found none for remainder 1");
	done();
}

static int
setup(void **state PG_UNUSED)
{
	hash_init();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_layout),
		cmocka_unit_test(test_servers_that_are_not_configured),
		cmocka_unit_test(test_the_loopback_is_the_coordinators),
		cmocka_unit_test(test_moduli_may_differ),
		cmocka_unit_test(test_what_makes_a_layout_bad),
		cmocka_unit_test(test_keys_that_are_not_for_us),
		cmocka_unit_test(test_several_key_columns),
		cmocka_unit_test(test_differences_in_effect),
		cmocka_unit_test(test_partitions_of_the_same_server),
		cmocka_unit_test(test_what_was_written_by_hand),
		cmocka_unit_test(test_a_shard_that_cannot_be_asked),
		cmocka_unit_test(test_months),
		cmocka_unit_test(test_ids_with_times),
		cmocka_unit_test(test_times_that_tell_no_parts),
		cmocka_unit_test(test_months_of_hash),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
