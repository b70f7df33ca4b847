/* SPDX-License-Identifier: PostgreSQL
 *
 * Decisions: what values prove about shards and months, and cache life.
 */
#include "route/month.h"
#include "route_util.h"

/* Keys whose partition the server gave for modulus 2. */
#define UUID_0 "55222014-7ed0-ee56-b348-b6399c5c9c3d"
#define UUID_0B "95299503-fcc9-0770-0c61-e6beef1ba471"
#define UUID_1 "00000000-0000-0000-0000-000000000000"
#define UUID_1B "ffffffff-ffff-ffff-ffff-ffffffffffff"

enum { OID_INT8 = 20, OID_INT4 = 23, OID_TEXT = 25, OID_FLOAT8 = 701,
	OID_DATE = 1082, OID_TIMESTAMP = 1114, OID_TIMESTAMPTZ = 1184,
	OID_UUID = 2950 };

static struct util_conf conf;
static struct util_stmt st;

static void
on_shard(int shard)
{
	struct route_decision d = util_decide(&conf, &st);

	int got = d.shard != NULL ? (int)(d.shard - conf.shards) : -1;

	if (got != shard)
		fail_msg("shard %d, expected %d: %s", got, shard, st.v.sql.p);
	assert_ptr_equal(d.variant, &conf.ev[V_SHARDED]);
	if (shard < 0) {
		assert_ptr_equal(d.backend, &conf.b[B_COORDINATOR]);
		assert_int_equal(d.form, FORM_RELATION);
	} else {
		assert_ptr_equal(d.backend, conf.shards[shard].backend);
		assert_int_equal(d.form, FORM_PART);
	}
	assert_non_null(d.why);
	util_stmt_fini(&st);
}

static bool in_utc; /* the sessions of all statements */

static void
start(enum stmt_kind kind, const char *sql)
{
	util_stmt_init(&st, kind, sql);
	st.v.utc = in_utc;
	util_table(&st, "app.events");
}

/* ------------------------------------------------------------------ shards */

static void
a_literal_key_picks_its_shard(void **state)
{
	(void)state;
	util_conf_init(&conf, V_SHARDED);
	start(STMT_SELECT,
	    "SELECT 1 FROM app.events WHERE tenant_id = '" UUID_0 "'");
	util_value(util_pred(&st, "tenant_id", AN_EQ),
	    util_cut(&st, "'" UUID_0 "'"));
	on_shard(0);
	start(STMT_SELECT,
	    "SELECT 1 FROM app.events WHERE tenant_id = '" UUID_1 "'::uuid");
	util_value(util_pred(&st, "tenant_id", AN_EQ),
	    util_cut(&st, "'" UUID_1 "'"))->cast = AN_CAST_UUID;
	on_shard(1);
}

static void
of_tenant_0(enum stmt_kind kind, const char *sql)
{
	start(kind, sql);
	util_value(util_pred(&st, "tenant_id", AN_EQ),
	    util_cut(&st, "'" UUID_0 "'"));
}

/* A shard that differs from the whole table is left out, for whom it does. */
static void
a_shard_may_refuse(void **state)
{
	static const char read[] =
	    "SELECT 1 FROM app.events WHERE tenant_id = '" UUID_0 "'";
	static const char write[] =
	    "DELETE FROM app.events WHERE tenant_id = '" UUID_0 "'";
	struct route_decision d;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	conf.shards[0].no_write = "a trigger";
	of_tenant_0(STMT_SELECT, read);
	on_shard(0);
	of_tenant_0(STMT_DELETE, write);
	d = util_decide(&conf, &st);
	assert_string_equal(d.refused, "a trigger");
	assert_int_equal(route_shards_count(&d.shards), 0);
	on_shard(-1);
	conf.shards[0].no_read = "grants";
	of_tenant_0(STMT_SELECT, read);
	d = util_decide(&conf, &st);
	assert_string_equal(d.refused, "grants");
	on_shard(-1);
	/* Of the set of all one is enough. */
	start(STMT_SELECT, "SELECT 1 FROM app.events");
	d = util_decide(&conf, &st);
	assert_int_equal(route_shards_count(&d.shards), 0);
	on_shard(-1);
	start(STMT_SELECT,
	    "SELECT 1 FROM app.events WHERE tenant_id = '" UUID_1 "'");
	util_value(util_pred(&st, "tenant_id", AN_EQ),
	    util_cut(&st, "'" UUID_1 "'"));
	on_shard(1);
}

static struct an_value *
key_is(const char *literal)
{
	char sql[200];

	snprintf(sql, sizeof(sql),
	    "SELECT 1 FROM app.events WHERE tenant_id = %s", literal);
	start(STMT_SELECT, sql);
	/* The statement is copied: the slice must not outlive sql. */
	st.v.sql.p = x_strdup(sql);
	return util_value(util_pred(&st, "tenant_id", AN_EQ),
	    util_cut(&st, literal[0] == '-' ? literal + 1 : literal));
}

static void
free_sql(int shard)
{
	char *sql = (char *)st.v.sql.p;

	on_shard(shard);
	free(sql);
}

static void
literals_of_other_kinds_prove_nothing(void **state)
{
	static const enum an_cast casts[] = { AN_CAST_TEXT, AN_CAST_INT4,
		AN_CAST_INT8, AN_CAST_DATE, AN_CAST_TIMESTAMP,
		AN_CAST_TIMESTAMPTZ, AN_CAST_OTHER };

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	for (size_t i = 0; i < ARRAY_SIZE(casts); i++) {
		key_is("'" UUID_0 "'")->cast = casts[i];
		free_sql(-1);
	}
	(void)key_is("'no uuid'");
	free_sql(-1);
	(void)key_is("E'" UUID_0 "\\n'");
	free_sql(-1);
	key_is("'" UUID_0 "'")->negative = true;
	free_sql(-1);
	for (int k = AN_VAL_NULL; k <= AN_VAL_OTHER; k++) {
		key_is("'" UUID_0 "'")->kind = (enum an_value_kind)k;
		free_sql(-1);
	}
	/* A parameter, but no Bind. */
	*key_is("'" UUID_0 "'") = util_param(1);
	free_sql(-1);
}

static void
integer_keys_are_converted(void **state)
{
	(void)state;
	util_conf_init(&conf, V_SHARDED);
	conf.key.type = KEY_TYPE_INT4;
	/* By the server: 0, 1 and -2147483648 on 0, -1 and 2147483647 on 1. */
	(void)key_is("0");
	free_sql(0);
	(void)key_is("'1'");
	free_sql(0);
	key_is("-1")->negative = true;
	free_sql(1);
	key_is("-2147483648")->negative = true;
	free_sql(0);
	(void)key_is("2147483647");
	free_sql(1);
	(void)key_is("2147483648");
	free_sql(-1);
	(void)key_is("1.0");
	free_sql(-1);
	(void)key_is("99999999999999999999999999999999999999999");
	free_sql(-1);
	key_is("1")->cast = AN_CAST_INT8;
	free_sql(0);
	key_is("70000")->cast = AN_CAST_INT2;
	free_sql(-1);
	key_is("1")->cast = AN_CAST_OTHER; /* numeric */
	free_sql(-1);
}

static void
text_keys_take_text_only(void **state)
{
	(void)state;
	util_conf_init(&conf, V_SHARDED);
	conf.key.type = KEY_TYPE_TEXT;
	(void)key_is("'acme'");
	free_sql(1);
	(void)key_is("''");
	free_sql(0);
	(void)key_is("'it''s'");
	free_sql(1);
	key_is("'acme'")->cast = AN_CAST_TEXT;
	free_sql(1);
	(void)key_is("5");
	free_sql(-1);
	(void)key_is("'Zürich'");
	free_sql(0);
	(void)key_is("'Zürich'");
	st.v.other_encoding = true;
	free_sql(-1);
	(void)key_is("'acme'");
	st.v.other_encoding = true;
	free_sql(1);
}

static void
lists_must_agree(void **state)
{
	struct an_pred *d;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	for (int op = AN_EQ; op <= AN_ROWS; op++) {
		bool pins = op == AN_EQ || op == AN_IN || op == AN_ROWS;

		start(STMT_INSERT, "INSERT INTO app.events VALUES ('" UUID_0
		    "'), ('" UUID_0B "'), ('" UUID_1 "')");
		d = util_pred(&st, "tenant_id", (enum an_op)op);
		util_value(d, util_cut(&st, "'" UUID_0 "'"));
		util_value(d, util_cut(&st, "'" UUID_0B "'"));
		on_shard(pins ? 0 : -1);
	}
	start(STMT_INSERT, "INSERT INTO app.events VALUES ('" UUID_0
	    "'), ('" UUID_1 "')");
	d = util_pred(&st, "tenant_id", AN_ROWS);
	util_value(d, util_cut(&st, "'" UUID_0 "'"));
	util_value(d, util_cut(&st, "'" UUID_1 "'"));
	on_shard(-1);
	start(STMT_INSERT, "INSERT INTO app.events VALUES ('" UUID_0 "'), "
	    "(NULL)");
	d = util_pred(&st, "tenant_id", AN_ROWS);
	util_value(d, util_cut(&st, "'" UUID_0 "'"));
	util_value(d, (struct an_value){ .kind = AN_VAL_NULL });
	on_shard(-1);
	/* A second predicate may prove what the first does not. */
	start(STMT_SELECT, "SELECT 1 FROM app.events WHERE tenant_id IN "
	    "('" UUID_0 "', '" UUID_1 "') AND tenant_id = '" UUID_1B "'");
	d = util_pred(&st, "tenant_id", AN_IN);
	util_value(d, util_cut(&st, "'" UUID_0 "'"));
	util_value(d, util_cut(&st, "'" UUID_1 "'"));
	util_value(util_pred(&st, "other", AN_EQ),
	    util_cut(&st, "'" UUID_0 "'"));
	util_value(util_pred(&st, "tenant_id", AN_EQ),
	    util_cut(&st, "'" UUID_1B "'"));
	on_shard(1);
}

static void
sets_of_shards_are_told(void **state)
{
	struct conf_shard eight[8];
	unsigned by_remainder[8];
	struct route_decision d;
	struct an_pred *in;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	conf.key.type = KEY_TYPE_INT4;
	for (unsigned i = 0; i < ARRAY_SIZE(eight); i++) {
		by_remainder[i] = i;
		eight[i] = conf.shards[i % 2];
		eight[i].modulus = ARRAY_SIZE(eight);
		eight[i].remainder = i;
	}
	conf.ev[V_SHARDED].shards = eight;
	conf.ev[V_SHARDED].n_shards = ARRAY_SIZE(eight);
	conf.ev[V_SHARDED].modulus = ARRAY_SIZE(eight);
	conf.ev[V_SHARDED].by_remainder = by_remainder;
	start(STMT_SELECT, "SELECT 1 FROM app.events WHERE tenant_id IN "
	    "(1, 2, NULL)");
	in = util_pred(&st, "tenant_id", AN_IN);
	util_value(in, util_cut(&st, "1"));
	util_value(in, util_cut(&st, "1"));
	util_value(in, (struct an_value){ .kind = AN_VAL_NULL });
	d = util_decide(&conf, &st);
	assert_int_equal(route_shards_count(&d.shards), 1);
	assert_ptr_equal(d.shard, &eight[route_shards_first(&d.shards)]);
	in->values[1] = util_cut(&st, "2");
	d = util_decide(&conf, &st);
	assert_int_equal(route_shards_count(&d.shards), 2);
	assert_null(d.shard);
	assert_ptr_equal(d.backend, &conf.b[B_COORDINATOR]);
	/* Nothing that a term leaves out comes back by another. */
	util_value(util_pred(&st, "tenant_id", AN_EQ), util_cut(&st, "2"));
	d = util_decide(&conf, &st);
	assert_int_equal(route_shards_count(&d.shards), 1);
	/* A row cannot have both. */
	in->n_values = 1;
	d = util_decide(&conf, &st);
	assert_int_equal(route_shards_count(&d.shards), 0);
	assert_null(d.shard);
	assert_ptr_equal(d.backend, &conf.b[B_COORDINATOR]);
	/* Without a condition, or with one that proves nothing, all. */
	in->values[0].kind = AN_VAL_OTHER;
	st.an.n_preds = 1;
	d = util_decide(&conf, &st);
	assert_int_equal(route_shards_count(&d.shards), 8);
	st.an.n_preds = 0;
	d = util_decide(&conf, &st);
	assert_int_equal(route_shards_count(&d.shards), 8);
	util_stmt_fini(&st);
}

static void
keys_of_several_columns_need_them_all(void **state)
{
	struct conf_key keys[2] = { { (char *)"a", KEY_TYPE_INT4 },
		{ (char *)"b", KEY_TYPE_TEXT } };
	enum conf_key_type text = KEY_TYPE_VARCHAR;
	struct an_pred *a, *b;

	/* By the server: (1, x) and (4, x) on 0, (1, z) on 1. */
	(void)state;
	util_conf_init(&conf, V_SHARDED);
	conf.events.keys = keys;
	conf.events.n_keys = 2;
	for (int n = 0; n < 8; n++) {
		start(STMT_SELECT, "SELECT 1 FROM app.events WHERE a IN (1, 4) "
		    "AND b IN ('x', 'z', 'x ')");
		a = util_pred(&st, "a", n == 4 ? AN_ROWS : AN_IN);
		util_value(a, util_cut(&st, "1"));
		if (n == 1 || n >= 4)
			util_value(a, util_cut(&st, "4"));
		b = util_pred(&st, n == 3 ? "c" : "b", n >= 4 ? AN_ROWS :
		    AN_IN);
		util_value(b, util_cut(&st, "'x'"));
		if (n == 2)
			util_value(b, util_cut(&st, "'z'"));
		if (n == 4)
			util_value(b, util_cut(&st, "'x'"));
		if (n >= 6)
			a->op = AN_ROWS;
		if (n == 6) /* would be cut to its length */
			util_value(b, util_cut(&st, "'x '"));
		if (n == 7)
			util_value(b, util_cut(&st, "'x'"));
		keys[1].type = n >= 6 ? text : KEY_TYPE_TEXT;
		on_shard(n == 0 || n == 1 || n == 4 || n == 7 ? 0 : -1);
	}
}

static void
sets_have_members(void **state)
{
	struct route_shards a = route_shards_all(0), b = route_shards_all(256);

	(void)state;
	assert_int_equal(route_shards_count(&a), 0);
	assert_int_equal(route_shards_first(&a), -1);
	assert_int_equal(route_shards_count(&b), 256);
	route_shards_add(&a, 255);
	route_shards_add(&a, 70);
	assert_int_equal(route_shards_first(&a), 70);
	assert_int_equal(route_shards_next(&a, 71), 255);
	assert_int_equal(route_shards_next(&a, 256), -1);
	assert_true(route_shards_has(&a, 255) && !route_shards_has(&a, 0) &&
	    !route_shards_has(&a, 256));
	route_shards_cut(&b, &a);
	assert_true(route_shards_equal(&a, &b));
	b = route_shards_all(71);
	route_shards_join(&b, &a);
	assert_int_equal(route_shards_count(&b), 72);
	assert_false(route_shards_equal(&a, &b));
}

static void
only_goes_to_the_coordinator(void **state)
{
	static const char *const texts[] = {
		"SELECT 1 FROM ONLY app.events WHERE tenant_id = '" UUID_0 "'",
		"SELECT 1 FROM only/**/(app.events) WHERE tenant_id = '" UUID_0
		"'",
	};

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		start(STMT_SELECT, texts[i]);
		util_value(util_pred(&st, "tenant_id", AN_EQ),
		    util_cut(&st, "'" UUID_0 "'"));
		on_shard(-1);
	}
	/* A word that ends so is none. */
	start(STMT_SELECT, "SELECT 1 AS readonly, (app.events) "
	    "WHERE tenant_id = '" UUID_0 "'");
	util_value(util_pred(&st, "tenant_id", AN_EQ),
	    util_cut(&st, "'" UUID_0 "'"));
	on_shard(0);
}

/* -------------------------------------------------------------- parameters */

static void
bound(const char *sql, struct slice value, int format, uint32_t oid,
    enum an_cast cast, int shard)
{
	start(STMT_SELECT, sql);
	util_value(util_pred(&st, "tenant_id", AN_EQ), util_param(1))->cast =
	    cast;
	util_bind(&st, 1, &value, &format, oid != 0 ? &oid : NULL);
	on_shard(shard);
}

static void
a_bound_key_picks_its_shard(void **state)
{
	static const char once[] =
	    "SELECT 1 FROM app.events WHERE tenant_id = $1";
	static const char twice[] =
	    "SELECT $1 FROM app.events WHERE tenant_id = $1";
	static const char uuid[16] = { 0 };
	struct slice bin = slice_make(uuid, 16), txt = SLICE_LIT(UUID_0);

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	bound(once, bin, 1, 0, AN_CAST_NONE, 1);
	bound(once, bin, 1, OID_UUID, AN_CAST_NONE, 1);
	bound(once, txt, 0, 0, AN_CAST_NONE, 0);
	bound(once, txt, 0, OID_UUID, AN_CAST_UUID, 0);
	bound(twice, txt, 0, 0, AN_CAST_NONE, 0);
	bound(once, txt, 0, OID_TEXT, AN_CAST_UUID, 0);
	bound(once, txt, 1, OID_TEXT, AN_CAST_UUID, 0);
	bound(once, bin, 1, OID_TEXT, AN_CAST_UUID, -1);
	bound(once, txt, 0, OID_TEXT, AN_CAST_NONE, -1);
	bound(once, slice_make(NULL, 0), 0, 0, AN_CAST_NONE, -1);
	bound(once, bin, 2, 0, AN_CAST_NONE, -1);
	bound(once, slice_make(uuid, 15), 1, 0, AN_CAST_NONE, -1);
	/* Not bound at all. */
	start(STMT_SELECT, once);
	util_value(util_pred(&st, "tenant_id", AN_EQ), util_param(2));
	util_bind(&st, 1, &txt, NULL, NULL);
	on_shard(-1);
}

static void
the_type_of_a_parameter_must_be_sure(void **state)
{
	static const char once[] =
	    "SELECT $10 FROM app.events WHERE tenant_id = $1";
	static const char twice[] =
	    "SELECT 1 FROM app.events WHERE price > $1 AND tenant_id = $1";
	struct slice one8 = SLICE_LIT("\0\0\0\0\0\0\0\1");
	struct slice one4 = SLICE_LIT("\0\0\0\1"), one = SLICE_LIT("1");

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	conf.key.type = KEY_TYPE_INT8;
	bound(once, one8, 1, 0, AN_CAST_NONE, 0);
	bound(once, one4, 1, 0, AN_CAST_NONE, -1);
	bound(once, one4, 1, 0, AN_CAST_INT4, 0);
	bound(once, one4, 1, OID_INT4, AN_CAST_NONE, 0);
	bound(once, one8, 1, OID_INT8, AN_CAST_INT4, 0);
	bound(once, one8, 1, OID_FLOAT8, AN_CAST_NONE, -1);
	bound(once, one, 0, OID_TEXT, AN_CAST_INT8, 0);
	bound(once, one, 0, 705, AN_CAST_NONE, 0);
	/* $1 may be a double precision there. */
	bound(twice, one8, 1, 0, AN_CAST_NONE, -1);
	bound(twice, one, 0, 0, AN_CAST_NONE, -1);
	bound(twice, one, 0, 705, AN_CAST_NONE, -1);
	bound(twice, one8, 1, OID_INT8, AN_CAST_NONE, 0);
	conf.key.type = KEY_TYPE_TEXT;
	bound(once, SLICE_LIT("acme"), 1, OID_TEXT, AN_CAST_NONE, 1);
	bound(once, SLICE_LIT("acme"), 0, 1042, AN_CAST_NONE, -1);
	bound(twice, SLICE_LIT("acme"), 0, 0, AN_CAST_NONE, -1);
}

/* ------------------------------------------------------------------ months */

static struct route_decision
between(const char *lower, const char *upper, enum an_cast cast)
{
	char sql[300];
	struct route_decision d;

	snprintf(sql, sizeof(sql), "SELECT 1 FROM app.events WHERE "
	    "occurred_at >= %s AND occurred_at < %s",
	    lower != NULL ? lower : "x", upper != NULL ? upper : "y");
	start(STMT_SELECT, sql);
	if (lower != NULL)
		util_value(util_pred(&st, "occurred_at", AN_GE),
		    util_cut(&st, lower))->cast = cast;
	if (upper != NULL)
		util_value(util_pred(&st, "occurred_at", AN_LT),
		    util_cut(&st, upper))->cast = cast;
	d = util_decide(&conf, &st);
	util_stmt_fini(&st);
	return d;
}

static void
in_months(const struct route_decision *d, int64_t from, int64_t until,
    bool closed)
{
	assert_int_equal(d->month_from, from);
	assert_int_equal(d->month_until, until);
	assert_int_equal(d->closed, closed);
}

static void
ranges_confine_to_months(void **state)
{
	struct route_decision d;

	(void)state;
	for (int v = 0; v < V_COUNT; v++) {
		util_conf_init(&conf, (enum util_variant)v);
		d = between("'2026-05-01 00:00+00'", "'2026-06-01 00:00+00'",
		    AN_CAST_NONE);
		in_months(&d, util_month(2026, 5), util_month(2026, 6), true);
		/* Without a zone it may begin and end 15 hours off. */
		d = between("'2026-05-01'", "'2026-06-01'", AN_CAST_NONE);
		in_months(&d, util_month(2026, 4), util_month(2026, 7), true);
		d = between("'2026-06-01'", "'2026-07-01'", AN_CAST_NONE);
		in_months(&d, util_month(2026, 5), util_month(2026, 8), false);
		d = between("'2026-06-01 00:00Z'", "'2026-07-01 00:00Z'",
		    AN_CAST_TIMESTAMPTZ);
		in_months(&d, util_month(2026, 6), util_month(2026, 7), true);
		d = between("'2026-06-01 00:00Z'", "'2026-07-01 00:00Z'",
		    AN_CAST_TIMESTAMP);
		in_months(&d, util_month(2026, 5), util_month(2026, 8), false);
		d = between(NULL, "'2025-03-10'", AN_CAST_DATE);
		in_months(&d, INT64_MIN, util_month(2025, 4), true);
		d = between("'2026-02-10'", NULL, AN_CAST_NONE);
		in_months(&d, util_month(2026, 2), INT64_MAX, false);
		d = between(NULL, NULL, AN_CAST_NONE);
		in_months(&d, INT64_MIN, INT64_MIN, false);
		d = between("'today'", "'infinity'", AN_CAST_NONE);
		in_months(&d, INT64_MIN, INT64_MIN, false);
		d = between("'2026-02-10'", "'2026-03-10'", AN_CAST_OTHER);
		in_months(&d, INT64_MIN, INT64_MIN, false);
		/* Nothing can lie in it. */
		d = between("'2026-05-01'", "'2026-02-01'", AN_CAST_NONE);
		in_months(&d, INT64_MIN, INT64_MIN, false);
	}
}

/* The sharded table as months of hash: before 2026, January 2026, default. */
static void
months_of_hash(void)
{
	struct conf_variant *v = &conf.ev[V_SHARDED];

	util_conf_init(&conf, V_SHARDED);
	conf.periods[0] = (struct conf_period){ INT64_MIN,
		month_start(util_month(2026, 1)), false };
	conf.periods[1] = (struct conf_period){ conf.periods[0].hi,
		month_start(util_month(2026, 2)), false };
	conf.periods[2] = (struct conf_period){ INT64_MIN, INT64_MAX, true };
	v->periods = conf.periods;
	v->n_periods = 3;
	for (unsigned i = 0; i < 6; i++) {
		conf.shards[i] = conf.shards[i % 2];
		conf.shards[i].period = i / 2;
		conf.by_remainder[i] = i;
	}
	v->n_shards = 6;
}

static void
of_tenant_at(enum stmt_kind kind, const char *key, enum an_op op,
    const char *at, enum an_cast cast)
{
	static char sql[300]; /* outlives this frame */
	char literal[100];

	snprintf(sql, sizeof(sql), "SELECT 1 FROM app.events WHERE tenant_id "
	    "= '%s' AND occurred_at < '%s'", key, at);
	start(kind, sql);
	snprintf(literal, sizeof(literal), "'%s'", key);
	util_value(util_pred(&st, "tenant_id", op == AN_ROWS ? AN_ROWS :
	    AN_EQ), util_cut(&st, literal));
	snprintf(literal, sizeof(literal), "'%s'", at);
	util_value(util_pred(&st, "occurred_at", op), util_cut(&st,
	    literal))->cast = cast;
}

static int
part_of(enum stmt_kind kind, const char *key, enum an_op op, const char *at,
    enum an_cast cast)
{
	struct route_decision d;

	of_tenant_at(kind, key, op, at, cast);
	d = util_decide(&conf, &st);
	util_stmt_fini(&st);
	return d.shard != NULL ? (int)(d.shard - conf.shards) : -1;
}

static void
key_and_time_pick_a_part(void **state)
{
	static const struct {
		enum stmt_kind kind;
		const char *key;
		enum an_op op;
		const char *at;
		enum an_cast cast;
		int part;
	} rows[] = {
		{ STMT_SELECT, UUID_0, AN_LT, "2026-01-01 00:00Z", 0, 0 },
		{ STMT_SELECT, UUID_1, AN_LT, "2026-01-01 00:00Z", 0, 1 },
		{ STMT_SELECT, UUID_0, AN_LE, "2026-01-01 00:00Z", 0, -1 },
		{ STMT_SELECT, UUID_0, AN_EQ, "2026-01-31 23:59:59.9Z", 0, 2 },
		{ STMT_SELECT, UUID_1, AN_EQ, "2026-01-31 23:59:59.9Z",
			AN_CAST_TIMESTAMPTZ, 3 },
		/* The session's zone may be another one. */
		{ STMT_SELECT, UUID_0, AN_EQ, "2026-01-31 23:59:59", 0, -1 },
		{ STMT_SELECT, UUID_0, AN_EQ, "2026-01-15 00:00:00", 0, 2 },
		/* What no month takes is in the default one, if at all. */
		{ STMT_SELECT, UUID_0, AN_EQ, "2026-02-01 00:00Z", 0, 4 },
		{ STMT_SELECT, UUID_1, AN_GE, "2026-02-01 00:00Z", 0, 5 },
		{ STMT_SELECT, UUID_1, AN_GE, "2026-01-31 00:00Z", 0, -1 },
		{ STMT_DELETE, UUID_1, AN_LT, "2025-01-31 00:00Z", 0, 1 },
		/* A row that is made must be sure of its place. */
		{ STMT_INSERT, UUID_0, AN_ROWS, "2026-01-15 00:00Z", 0, 2 },
		{ STMT_INSERT, UUID_1, AN_ROWS, "2025-01-15 00:00Z", 0, 1 },
		{ STMT_INSERT, UUID_0, AN_ROWS, "2026-02-15 00:00Z", 0, -1 },
		{ STMT_INSERT, UUID_0, AN_ROWS, "now", 0, -1 },
	};

	(void)state;
	months_of_hash();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int part = part_of(rows[i].kind, rows[i].key, rows[i].op,
		    rows[i].at, rows[i].cast);

		if (part != rows[i].part)
			fail_msg("row %zu: part %d", i, part);
	}
	/* Without a time: in no one part. */
	of_tenant_0(STMT_SELECT,
	    "SELECT 1 FROM app.events WHERE tenant_id = '" UUID_0 "'");
	on_shard(-1);
	/* With a single month and nothing else, reads are sure, writes not. */
	conf.ev[V_SHARDED].n_periods = 1;
	conf.ev[V_SHARDED].n_shards = 2;
	of_tenant_0(STMT_SELECT,
	    "SELECT 1 FROM app.events WHERE tenant_id = '" UUID_0 "'");
	on_shard(0);
	assert_int_equal(part_of(STMT_INSERT, UUID_0, AN_ROWS, "now", 0), -1);
	assert_int_equal(part_of(STMT_INSERT, UUID_0, AN_ROWS,
	    "2025-12-31 23:00Z", 0), 0);
	assert_int_equal(part_of(STMT_INSERT, UUID_0, AN_ROWS,
	    "2026-01-01 00:00Z", 0), -1);
	/* What is updated may not stay where it is. */
	of_tenant_at(STMT_UPDATE, UUID_0, AN_LT, "2025-01-01 00:00Z", 0);
	st.an.assigned = (char *[]){ (char *)"payload" };
	st.an.n_assigned = 1;
	on_shard(-1);
}

static void
one_partition_is_named_if_that_is_wanted(void **state)
{
	struct conf_variant *v = &conf.ev[V_MONTHLY];
	struct route_decision d;

	(void)state;
	months_of_hash();
	conf.events.use = v;
	v->n_spans = 0;
	v->periods = conf.periods;
	v->n_periods = v->n_shards = 3;
	v->modulus = 1;
	v->shards = conf.shards;
	v->by_remainder = conf.by_remainder;
	v->relations = conf.ev_names[V_SHARDED];
	v->n_relations = 2;
	for (unsigned i = 0; i < 3; i++)
		conf.shards[i] = (struct conf_shard){ .relation = 1,
			.backend = &conf.b[i == 0 ? B_ARCHIVE : B_MONTHLY],
			.modulus = 1, .period = i };
	/* On another backend: always; on its own: if it is wanted. */
	d = between("'2025-01-01 00:00Z'", "'2025-02-01 00:00Z'", AN_CAST_NONE);
	assert_ptr_equal(d.backend, &conf.b[B_ARCHIVE]);
	assert_int_equal(d.form, FORM_PART);
	d = between("'2026-01-10 00:00Z'", "'2026-01-20 00:00Z'", AN_CAST_NONE);
	assert_ptr_equal(d.backend, &conf.b[B_MONTHLY]);
	assert_int_equal(d.form, FORM_RELATION);
	assert_null(d.shard);
	v->target_leaf = true;
	d = between("'2026-01-10 00:00Z'", "'2026-01-20 00:00Z'", AN_CAST_NONE);
	assert_int_equal(d.form, FORM_PART);
	assert_ptr_equal(d.shard, &conf.shards[1]);
	d = between("'2025-12-10 00:00Z'", "'2026-01-20 00:00Z'", AN_CAST_NONE);
	assert_int_equal(d.form, FORM_RELATION);
	assert_int_equal(route_shards_count(&d.shards), 0);
}

static void
spans_serve_what_lies_inside(void **state)
{
	static const struct {
		const char *lower, *upper;
		enum an_cast cast;
		enum util_backend backend;
	} rows[] = {
		{ "'2026-02-01'", NULL, AN_CAST_NONE, B_MONTHLY },
		{ "'2025-02-01'", "'2025-03-01'", AN_CAST_NONE, B_ARCHIVE },
		{ NULL, "'2025-12-31'", AN_CAST_NONE, B_ARCHIVE },
		{ NULL, "'2026-01-01 00:00Z'", AN_CAST_NONE, B_ARCHIVE },
		{ "'2025-12-01'", "'2026-02-01'", AN_CAST_NONE, B_PLAIN },
		{ NULL, "'2026-01-01'", AN_CAST_NONE, B_PLAIN },
		{ "'2025-02-01'", NULL, AN_CAST_NONE, B_PLAIN },
		/* The column may be a timestamp without zone. */
		{ NULL, "'2026-01-01 00:00Z'", AN_CAST_TIMESTAMPTZ, B_PLAIN },
		{ NULL, "'2025-12-30 00:00Z'", AN_CAST_TIMESTAMPTZ,
		    B_ARCHIVE },
	};

	(void)state;
	util_conf_init(&conf, V_MONTHLY);
	conf.ev[V_MONTHLY].backend = &conf.b[B_PLAIN]; /* sees all months */
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct route_decision d = between(rows[i].lower,
		    rows[i].upper, rows[i].cast);

		if (d.backend != &conf.b[rows[i].backend])
			fail_msg("row %zu: %s", i, d.backend->name);
		assert_int_equal(d.form, FORM_RELATION);
		assert_null(d.shard);
	}
}

static struct route_decision
one_time(enum an_op op, const char *literal, enum an_cast cast)
{
	char sql[200];
	struct route_decision d;
	struct an_pred *pred;

	snprintf(sql, sizeof(sql), "SELECT 1 FROM app.events WHERE "
	    "date_trunc('month', occurred_at) = %s", literal);
	start(STMT_SELECT, sql);
	pred = util_pred(&st, "occurred_at", op);
	util_value(pred, util_cut(&st, literal))->cast = cast;
	pred->unit_cut = util_cut(&st, "'month'").index;
	d = util_decide(&conf, &st);
	util_stmt_fini(&st);
	return d;
}

static void
single_times_and_whole_months_confine(void **state)
{
	struct route_decision d;

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	d = one_time(AN_EQ, "'2026-05-10 12:00'", AN_CAST_NONE);
	in_months(&d, util_month(2026, 5), util_month(2026, 6), true);
	d = one_time(AN_EQ, "'2026-05-31 23:00'", AN_CAST_NONE);
	in_months(&d, util_month(2026, 5), util_month(2026, 7), true);
	d = one_time(AN_MONTH_EQ, "'2026-05-01 00:00+00'", AN_CAST_NONE);
	in_months(&d, util_month(2026, 5), util_month(2026, 6), true);
	d = one_time(AN_MONTH_EQ, "'2026-05-01'", AN_CAST_NONE);
	in_months(&d, util_month(2026, 4), util_month(2026, 7), true);
	d = one_time(AN_MONTH_EQ, "'2026-05-01 00:00+02'",
	    AN_CAST_TIMESTAMPTZ);
	in_months(&d, util_month(2026, 4), util_month(2026, 6), true);
	/* date_trunc('year', ...) is of the same shape. */
	start(STMT_SELECT, "SELECT 1 FROM app.events WHERE "
	    "date_trunc('year', occurred_at) = '2026-01-01'");
	util_value(util_pred(&st, "occurred_at", AN_MONTH_EQ),
	    util_cut(&st, "'2026-01-01'"));
	st.preds[0].unit_cut = util_cut(&st, "'year'").index;
	d = util_decide(&conf, &st);
	in_months(&d, INT64_MIN, INT64_MIN, false);
	util_stmt_fini(&st);
}

static void
bound_times_confine(void **state)
{
	/* 2026-06-01 00:00 UTC, in microseconds and days since 2000-01-01 */
	struct slice us = SLICE_LIT("\x00\x02\xf6\x24\xa4\xf2\x00\x00");
	struct slice days = SLICE_LIT("\x00\x00\x25\xb0");
	struct slice text = SLICE_LIT("2026-06-01 00:00:00+00");
	const struct {
		struct slice value;
		int format;
		uint32_t oid;
		bool twice;
		int64_t until;
	} rows[] = {
		{ us, 1, OID_TIMESTAMPTZ, false, util_month(2026, 6) },
		{ us, 1, 0, false, util_month(2026, 6) },
		{ us, 1, OID_TIMESTAMP, false, util_month(2026, 7) },
		{ us, 1, OID_DATE, false, INT64_MIN },
		{ us, 1, OID_INT8, false, INT64_MIN },
		{ days, 1, OID_DATE, false, util_month(2026, 7) },
		{ days, 1, 0, false, util_month(2026, 7) },
		{ text, 0, 0, false, util_month(2026, 6) },
		{ text, 0, OID_TIMESTAMPTZ, false, util_month(2026, 6) },
		{ text, 0, OID_TIMESTAMP, false, util_month(2026, 7) },
		{ text, 0, OID_TEXT, false, INT64_MIN },
		{ us, 1, 0, true, INT64_MIN },
		{ us, 1, OID_TIMESTAMPTZ, true, util_month(2026, 6) },
	};

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct route_decision d;

		start(STMT_SELECT, rows[i].twice ?
		    "SELECT $1 FROM app.events WHERE occurred_at < $1" :
		    "SELECT 1 FROM app.events WHERE occurred_at < $1");
		util_value(util_pred(&st, "occurred_at", AN_LT),
		    util_param(1));
		util_bind(&st, 1, &rows[i].value, &rows[i].format,
		    rows[i].oid != 0 ? &rows[i].oid : NULL);
		d = util_decide(&conf, &st);
		if (d.month_until != rows[i].until)
			fail_msg("row %zu: %lld", i,
			    (long long)d.month_until);
		util_stmt_fini(&st);
	}
}

#define V7(ms) "'" ms "-7abc-8abc-0123456789ab'"
#define MAY_10 V7("019e11c2-3200")
#define JUNE_1 V7("019e807a-ec00")  /* its first millisecond */
#define DECEMBER_31 V7("019b76d9-bda0")

static struct route_decision
by_id(enum stmt_kind kind, enum an_op op, const char *one, const char *two,
    enum an_cast cast)
{
	struct route_decision d;
	struct an_pred *pred;
	char sql[300];

	snprintf(sql, sizeof(sql), "SELECT 1 FROM app.events WHERE id IN (%s, "
	    "%s)", one, two != NULL ? two : "x");
	start(kind, sql);
	pred = util_pred(&st, "id", op);
	util_value(pred, util_cut(&st, one))->cast = cast;
	if (two != NULL)
		util_value(pred, util_cut(&st, two));
	d = util_decide(&conf, &st);
	util_stmt_fini(&st);
	return d;
}

/* A UUIDv7 tells its time, where that is known to be the row's, too. */
static void
ids_confine_to_months(void **state)
{
	static const struct {
		enum an_op op;
		const char *one, *two;
		int from, until; /* of 2026; 0: not confined */
	} rows[] = {
		{ AN_EQ, MAY_10, NULL, 5, 6 },
		{ AN_EQ, "'{019E11C2-3200-7ABC-BABC-0123456789AB}'", NULL, 5,
		    6 },
		{ AN_IN, MAY_10, JUNE_1, 5, 7 },
		/* A millisecond of doubt to both sides. */
		{ AN_EQ, JUNE_1, NULL, 5, 7 },
		/* Others tell nothing: of another version, variant, none. */
		{ AN_EQ, "'019e11c2-3200-4abc-8abc-0123456789ab'", NULL, 0, 0 },
		{ AN_EQ, "'019e11c2-3200-7abc-cabc-0123456789ab'", NULL, 0, 0 },
		{ AN_EQ, "'019e11c2-3200-7abc-8abc-0123456789'", NULL, 0, 0 },
		{ AN_IN, MAY_10, "'019e11c2-3200-4abc-8abc-0123456789ab'", 0,
		    0 },
		{ AN_GT, MAY_10, NULL, 0, 0 }, { AN_LE, MAY_10, NULL, 0, 0 },
		{ AN_ROWS, MAY_10, NULL, 0, 0 },
	};
	struct route_decision d;
	uint8_t bytes[16] = { 0x01, 0x9e, 0x11, 0xc2, 0x32, 0, 0x70, 0, 0x80 };
	const struct slice value = { (const char *)bytes, 16 };
	const int binary = 1;

	(void)state;
	util_conf_init(&conf, V_MONTHLY);
	conf.ev[V_MONTHLY].backend = &conf.b[B_PLAIN]; /* sees all months */
	conf.events.month_id = (char *)(uintptr_t)"id";
	conf.ev[V_MONTHLY].id_lo = -1000;
	conf.ev[V_MONTHLY].id_hi = 1000;
	d = by_id(STMT_SELECT, AN_EQ, MAY_10, NULL, AN_CAST_NONE);
	in_months(&d, INT64_MIN, INT64_MIN, false); /* it is not proven */
	conf.ev[V_MONTHLY].id_timed = true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		d = by_id(STMT_SELECT, rows[i].op, rows[i].one, rows[i].two,
		    AN_CAST_NONE);
		if (d.month_from != (rows[i].from == 0 ? INT64_MIN :
		    util_month(2026, rows[i].from)) || d.month_until !=
		    (rows[i].from == 0 ? INT64_MIN :
		    util_month(2026, rows[i].until)))
			fail_msg("row %zu: %lld", i, (long long)d.month_from);
	}
	d = by_id(STMT_SELECT, AN_EQ, MAY_10, NULL, AN_CAST_UUID);
	assert_ptr_equal(d.backend, &conf.b[B_MONTHLY]);
	d = by_id(STMT_SELECT, AN_EQ, DECEMBER_31, NULL, AN_CAST_NONE);
	assert_ptr_equal(d.backend, &conf.b[B_ARCHIVE]);
	d = by_id(STMT_SELECT, AN_IN, DECEMBER_31, MAY_10, AN_CAST_NONE);
	assert_ptr_equal(d.backend, &conf.b[B_PLAIN]);
	d = by_id(STMT_SELECT, AN_EQ, MAY_10, NULL, AN_CAST_TEXT);
	in_months(&d, INT64_MIN, INT64_MIN, false);
	/* A trigger may give a new row another id. */
	d = by_id(STMT_INSERT, AN_EQ, MAY_10, NULL, AN_CAST_NONE);
	in_months(&d, INT64_MIN, INT64_MIN, false);
	start(STMT_SELECT, "SELECT 1 FROM app.events WHERE id = $1");
	util_value(util_pred(&st, "id", AN_EQ), util_param(1));
	util_bind(&st, 1, &value, &binary, NULL);
	d = util_decide(&conf, &st);
	in_months(&d, util_month(2026, 5), util_month(2026, 6), true);
	util_stmt_fini(&st);
	/* The statement's times count as well. */
	start(STMT_SELECT, "SELECT 1 FROM app.events WHERE id = " MAY_10
	    " AND occurred_at < '2026-05-01 00:00Z'");
	util_value(util_pred(&st, "id", AN_EQ), util_cut(&st, MAY_10));
	util_value(util_pred(&st, "occurred_at", AN_LT),
	    util_cut(&st, "'2026-05-01 00:00Z'"));
	d = util_decide(&conf, &st);
	in_months(&d, INT64_MIN, INT64_MIN, false); /* no row has both */
	util_stmt_fini(&st);
}

static void
a_session_in_utc_leaves_no_doubt(void **state)
{
	struct route_decision d;

	(void)state;
	in_utc = true;
	util_conf_init(&conf, V_MONTHLY);
	conf.ev[V_MONTHLY].backend = &conf.b[B_PLAIN]; /* sees all months */
	d = between("'2025-12-01'", "'2026-01-01'", AN_CAST_NONE);
	in_months(&d, util_month(2025, 12), util_month(2026, 1), true);
	assert_ptr_equal(d.backend, &conf.b[B_ARCHIVE]);
	d = between("'2026-01-01'", "'2026-02-01'", AN_CAST_DATE);
	in_months(&d, util_month(2026, 1), util_month(2026, 2), true);
	assert_ptr_equal(d.backend, &conf.b[B_MONTHLY]);
	d = between(NULL, "'2026-01-01 00:00Z'", AN_CAST_TIMESTAMPTZ);
	assert_ptr_equal(d.backend, &conf.b[B_ARCHIVE]);
	d = one_time(AN_MONTH_EQ, "'2026-05-01'", AN_CAST_NONE);
	in_months(&d, util_month(2026, 5), util_month(2026, 6), true);
	/* The column decides whether the offset counts. */
	d = between("'2026-01-01 00:00+02'", NULL, AN_CAST_NONE);
	assert_ptr_equal(d.backend, &conf.b[B_PLAIN]);
	in_utc = false;
}

static void
the_month_closes_late(void **state)
{
	struct route_decision d;

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	for (int hours = 14; hours <= 15; hours++) {
		start(STMT_SELECT,
		    "SELECT 1 FROM app.events WHERE x < '2026-07-01 00:00Z'");
		util_value(util_pred(&st, "occurred_at", AN_LT),
		    util_cut(&st, "'2026-07-01 00:00Z'"));
		/* hours after 2026-07-01 00:00 UTC */
		st.v.now_wall = (1782864000 + (nsec_t)hours * 3600) *
		    NSEC_PER_SEC;
		d = util_decide(&conf, &st);
		assert_int_equal(d.month_until, util_month(2026, 7));
		assert_int_equal(d.closed, hours == 15);
		util_stmt_fini(&st);
	}
}

/* -------------------------------------------------------------- cache life */

static void
closed_months_live_longer(void **state)
{
	struct route_decision d;

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	d = between("'2026-07-01'", NULL, AN_CAST_NONE);
	assert_int_equal(d.ttl, 60 * NSEC_PER_SEC);
	assert_int_equal(d.l1_ttl, 10 * NSEC_PER_SEC);
	assert_int_equal(d.grace, 5 * NSEC_PER_SEC);
	assert_int_equal(d.bypass, BYPASS_NONE);
	d = between("'2026-03-01'", "'2026-04-01'", AN_CAST_NONE);
	assert_int_equal(d.ttl, 3600 * NSEC_PER_SEC);
	assert_int_equal(d.l1_ttl, 3600 * NSEC_PER_SEC);
	conf.rule.l1_ttl = 0; /* not in L1 stays so */
	d = between("'2026-03-01'", "'2026-04-01'", AN_CAST_NONE);
	assert_int_equal(d.l1_ttl, 0);
	conf.rule.ttl_closed_month = 0;
	d = between("'2026-03-01'", "'2026-04-01'", AN_CAST_NONE);
	assert_int_equal(d.ttl, 60 * NSEC_PER_SEC);
}

static void
words_that_mean_the_clock_are_not_cached(void **state)
{
	static const char sql[] =
	    "SELECT 1 FROM app.events WHERE occurred_at > $1";
	struct slice now = SLICE_LIT("now"), know = SLICE_LIT("I know");
	struct route_decision d;

	(void)state;
	util_conf_init(&conf, V_PLAIN);
	d = between("'today'", NULL, AN_CAST_NONE);
	assert_int_equal(d.bypass, BYPASS_STABLE);
	start(STMT_SELECT, sql);
	util_bind(&st, 1, &now, NULL, NULL);
	d = util_decide(&conf, &st);
	assert_int_equal(d.bypass, BYPASS_STABLE);
	util_stmt_fini(&st);
	start(STMT_SELECT, sql);
	util_bind(&st, 1, &know, NULL, NULL);
	d = util_decide(&conf, &st);
	assert_int_equal(d.bypass, BYPASS_NONE);
	util_stmt_fini(&st);
	conf.rule.allow_stable = true;
	d = between("'today'", NULL, AN_CAST_NONE);
	assert_int_equal(d.bypass, BYPASS_NONE);
}

/* ------------------------------------------------------------------ others */

static void
other_statements_follow_their_plan(void **state)
{
	struct route_decision d;

	(void)state;
	util_conf_init(&conf, V_SHARDED);
	util_stmt_init(&st, STMT_SELECT, "SELECT 1");
	d = util_decide(&conf, &st);
	assert_ptr_equal(d.backend, &conf.b[B_PLAIN]);
	assert_null(d.variant);
	assert_int_equal(d.form, FORM_ASIS);
	assert_null(d.shard);
	util_stmt_fini(&st);
	/* An error has no place to run. */
	util_stmt_init(&st, STMT_SELECT, "SELECT 1 FROM app.events, notes");
	util_table(&st, "app.events");
	util_table(&st, "notes");
	d = util_decide(&conf, &st);
	assert_int_equal(d.form, FORM_ASIS);
	assert_null(d.variant);
	util_stmt_fini(&st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_literal_key_picks_its_shard),
		cmocka_unit_test(a_shard_may_refuse),
		cmocka_unit_test(literals_of_other_kinds_prove_nothing),
		cmocka_unit_test(integer_keys_are_converted),
		cmocka_unit_test(text_keys_take_text_only),
		cmocka_unit_test(lists_must_agree),
		cmocka_unit_test(sets_of_shards_are_told),
		cmocka_unit_test(keys_of_several_columns_need_them_all),
		cmocka_unit_test(sets_have_members),
		cmocka_unit_test(only_goes_to_the_coordinator),
		cmocka_unit_test(a_bound_key_picks_its_shard),
		cmocka_unit_test(the_type_of_a_parameter_must_be_sure),
		cmocka_unit_test(ranges_confine_to_months),
		cmocka_unit_test(spans_serve_what_lies_inside),
		cmocka_unit_test(key_and_time_pick_a_part),
		cmocka_unit_test(one_partition_is_named_if_that_is_wanted),
		cmocka_unit_test(single_times_and_whole_months_confine),
		cmocka_unit_test(ids_confine_to_months),
		cmocka_unit_test(bound_times_confine),
		cmocka_unit_test(a_session_in_utc_leaves_no_doubt),
		cmocka_unit_test(the_month_closes_late),
		cmocka_unit_test(closed_months_live_longer),
		cmocka_unit_test(words_that_mean_the_clock_are_not_cached),
		cmocka_unit_test(other_statements_follow_their_plan),
	};

	hash_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
