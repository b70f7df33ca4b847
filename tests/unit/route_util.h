/* SPDX-License-Identifier: PostgreSQL
 *
 * A configuration, and statements with analyses made by hand, for the tests
 * of src/route.
 *
 * Backends: plain (default of database "app"), monthly, archive, coordinator,
 * shard0, shard1.  Routed tables: app.events (plain, monthly and sharded),
 * app.orders (sharded as events is), app.users (plain on "plain"), app.logs (plain on "monthly").  One cache
 * rule, "recent", over app.events and notes.
 */
#ifndef PGSLUICE_TESTS_ROUTE_UTIL_H
#define PGSLUICE_TESTS_ROUTE_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "route/route.h"

enum util_backend { B_PLAIN, B_MONTHLY, B_ARCHIVE, B_COORDINATOR, B_SHARD0,
	B_SHARD1, B_COUNT };
enum util_variant { V_PLAIN, V_MONTHLY, V_SHARDED, V_COUNT };

struct util_conf {
	struct conf c;
	struct conf_backend b[B_COUNT];
	struct conf_database db;
	struct conf_table events, users, logs, orders;
	struct conf_key key, orders_key;
	struct conf_variant ev[V_COUNT], uv, lv, ov;
	struct conf_month_span spans[2];
	struct conf_shard shards[6];
	struct conf_period periods[3];
	unsigned by_remainder[6];
	struct conf_relation ev_names[V_COUNT][2], uv_name, lv_name, ov_names[2];
	struct conf_table *tables[4];
	struct conf_rule rule;
	struct conf_rule *rules[1];
	char *rule_tables[2];
};

/* Months since 1970-01. */
static inline int64_t
util_month(int year, int month)
{
	return (int64_t)(year - 1970) * 12 + month - 1;
}

static inline struct conf_table
util_conf_table(char *name, char *rel, struct conf_variant *v, size_t n)
{
	return (struct conf_table){ .name = name, .schema = (char *)"app",
		.rel = rel, .variants = v, .n_variants = n, .use = v };
}

/* One whose name needs no quotes. */
static inline struct conf_relation
util_relation(const char *name)
{
	return (struct conf_relation){ (char *)(uintptr_t)name,
		(char *)(uintptr_t)name };
}

static inline PG_UNUSED void
util_conf_init(struct util_conf *u, enum util_variant use)
{
	static const char *const names[B_COUNT] = { "plain", "monthly",
		"archive", "coordinator", "shard0", "shard1" };

	memset(u, 0, sizeof(*u));
	u->c.generation = 7;
	for (unsigned i = 0; i < B_COUNT; i++)
		u->b[i] = (struct conf_backend){ .name = (char *)names[i],
			.id = i };
	u->shards[0] = (struct conf_shard){
		.backend = &u->b[B_SHARD0], .relation = 1, .modulus = 2 };
	u->shards[1] = (struct conf_shard){
		.backend = &u->b[B_SHARD1], .relation = 1, .modulus = 2,
		.remainder = 1 };
	u->by_remainder[1] = 1;
	u->ev_names[V_PLAIN][0] = util_relation("app.events_plain");
	u->ev_names[V_MONTHLY][0] = util_relation("app.events");
	u->ev_names[V_SHARDED][0] = util_relation("app.events_sharded");
	u->ev_names[V_SHARDED][1] = util_relation("app.events_shard");
	u->uv_name = util_relation("app.users_v1");
	u->lv_name = util_relation("app.logs");
	u->ov_names[0] = util_relation("app.orders_sharded");
	u->ov_names[1] = util_relation("app.orders_shard");
	u->spans[0] = (struct conf_month_span){ &u->b[B_MONTHLY],
		util_month(2026, 1), INT64_MAX };
	u->spans[1] = (struct conf_month_span){ &u->b[B_ARCHIVE], INT64_MIN,
		util_month(2026, 1) };
	u->ev[V_PLAIN] = (struct conf_variant){ .name = (char *)"plain",
		.kind = VARIANT_PLAIN, .backend = &u->b[B_PLAIN],
		.relations = u->ev_names[V_PLAIN], .n_relations = 1 };
	u->ev[V_MONTHLY] = (struct conf_variant){ .name = (char *)"monthly",
		.kind = VARIANT_MONTHLY, .backend = &u->b[B_MONTHLY],
		.relations = u->ev_names[V_MONTHLY], .n_relations = 1,
		.spans = u->spans, .n_spans = 2 };
	u->ev[V_SHARDED] = (struct conf_variant){ .name = (char *)"sharded",
		.kind = VARIANT_SHARDED, .backend = &u->b[B_COORDINATOR],
		.relations = u->ev_names[V_SHARDED], .n_relations = 2,
		.shard_relation = (char *)"app.events_shard",
		.shards = u->shards, .n_shards = 2, .modulus = 2,
		.by_remainder = u->by_remainder };
	u->uv = (struct conf_variant){ .name = (char *)"v1",
		.kind = VARIANT_PLAIN, .backend = &u->b[B_PLAIN],
		.relations = &u->uv_name, .n_relations = 1 };
	u->lv = (struct conf_variant){ .name = (char *)"one",
		.kind = VARIANT_PLAIN, .backend = &u->b[B_MONTHLY],
		.relations = &u->lv_name, .n_relations = 1 };
	u->events = util_conf_table((char *)"app.events", (char *)"events",
	    u->ev, V_COUNT);
	u->events.use = &u->ev[use];
	u->key = (struct conf_key){ (char *)"tenant_id", KEY_TYPE_UUID };
	u->events.keys = &u->key;
	u->events.n_keys = 1;
	u->events.time_column = (char *)"occurred_at";
	u->users = util_conf_table((char *)"app.users", (char *)"users",
	    &u->uv, 1);
	u->logs = util_conf_table((char *)"app.logs", (char *)"logs", &u->lv,
	    1);
	u->ov = u->ev[V_SHARDED];
	u->ov.relations = u->ov_names;
	u->orders = util_conf_table((char *)"app.orders", (char *)"orders",
	    &u->ov, 1);
	u->orders_key = (struct conf_key){ (char *)"tenant", KEY_TYPE_UUID };
	u->orders.keys = &u->orders_key;
	u->orders.n_keys = 1;
	u->tables[3] = &u->orders;
	u->tables[0] = &u->events;
	u->tables[1] = &u->users;
	u->tables[2] = &u->logs;
	u->rule_tables[0] = (char *)"app.events";
	u->rule_tables[1] = (char *)"notes";
	u->rule = (struct conf_rule){ .name = (char *)"recent",
		.tables = { u->rule_tables, 2 }, .ttl = 60 * NSEC_PER_SEC,
		.l1_ttl = 10 * NSEC_PER_SEC, .grace = 5 * NSEC_PER_SEC,
		.ttl_closed_month = 3600 * NSEC_PER_SEC };
	u->rules[0] = &u->rule;
	u->db = (struct conf_database){ .name = (char *)"app",
		.backend = &u->b[B_PLAIN], .cache = true, .tables = u->tables,
		.n_tables = 4, .rules = u->rules, .n_rules = 1 };
}

/* -------------------------------------------------------------- statements */

#define UTIL_MAX 8

struct util_stmt {
	struct lexer lx;
	struct analysis an;
	struct shape shape;
	struct an_table tables[UTIL_MAX];
	char names[UTIL_MAX][64];
	struct an_qualref qualrefs[UTIL_MAX];
	struct an_pred preds[UTIL_MAX];
	struct an_value values[UTIL_MAX][UTIL_MAX];
	struct route_values v;
	struct wire_bind bind;
	char bind_body[512], oids[4 * UTIL_MAX];
	size_t scanned; /* relation tokens are looked for from here */
};

static inline PG_UNUSED void
util_stmt_init(struct util_stmt *st, enum stmt_kind kind, const char *sql)
{
	memset(st, 0, sizeof(*st));
	lexer_init(&st->lx);
	assert_int_equal(lex_statement(&st->lx, slice_str(sql), true, 100000),
	    LEX_OK);
	st->an.kind = kind;
	st->an.tables = st->tables;
	st->an.qualrefs = st->qualrefs;
	st->an.preds = st->preds;
	st->shape.text = st->lx.shape;
	st->shape.len = st->lx.shape_len;
	st->shape.hash = st->lx.hash;
	st->shape.an = &st->an;
	st->v.sql = slice_str(sql);
	st->v.lx = &st->lx;
	/* 2026-07-15 12:00 UTC */
	st->v.now_wall = 1784116800 * NSEC_PER_SEC;
}

static inline PG_UNUSED void
util_stmt_fini(struct util_stmt *st)
{
	lexer_fini(&st->lx);
}

/* The next place where token stands; a word on its own. */
static inline size_t
util_find(struct util_stmt *st, const char *token)
{
	const char *sql = st->v.sql.p;
	const char *p = strstr(sql + st->scanned, token);

	assert_non_null(p);
	st->scanned = (size_t)(p - sql) + strlen(token);
	return (size_t)(p - sql);
}

/* Add the table whose token comes next: "app.events" or "events". */
static inline PG_UNUSED struct an_table *
util_table(struct util_stmt *st, const char *token)
{
	size_t i = st->an.n_tables++;
	struct an_table *t = &st->tables[i];
	char *dot;

	assert_true(i < UTIL_MAX && strlen(token) < sizeof(st->names[i]));
	t->placed = true;
	t->pos = lex_pos_from(&st->lx, (uint32_t)util_find(st, token));
	t->end = lex_pos_from(&st->lx, (uint32_t)st->scanned);
	strcpy(st->names[i], token);
	t->name = st->names[i];
	dot = strchr(t->name, '.');
	if (dot != NULL) {
		*dot = '\0';
		t->schema = t->name;
		t->name = dot + 1;
	}
	t->read = st->an.kind == STMT_SELECT;
	t->written = t->is_target = !t->read;
	t->takes_alias = true;
	return t;
}

static inline PG_UNUSED void
util_qualref(struct util_stmt *st, unsigned table, const char *token)
{
	struct textpos pos = lex_pos_from(&st->lx,
	    (uint32_t)util_find(st, token));

	st->qualrefs[st->an.n_qualrefs++] = (struct an_qualref){ table, pos,
		lex_pos_from(&st->lx, (uint32_t)st->scanned) };
}

/* A value that refers to the literal written as text. */
static inline PG_UNUSED struct an_value
util_cut(const struct util_stmt *st, const char *text)
{
	struct an_value val = { .kind = AN_VAL_CUT };

	for (; val.index < st->lx.n_cuts; val.index++) {
		const struct cut *c = &st->lx.cuts[val.index];

		if (slice_eq_str(slice_make(st->v.sql.p + c->pos, c->len),
			text))
			return val;
	}
	fail_msg("no literal %s", text);
	return val;
}

static inline PG_UNUSED struct an_value
util_param(unsigned n)
{
	return (struct an_value){ .kind = AN_VAL_PARAM, .index = n - 1 };
}

static inline PG_UNUSED struct an_pred *
util_pred(struct util_stmt *st, const char *column, enum an_op op)
{
	size_t i = st->an.n_preds++;

	assert_true(i < UTIL_MAX);
	st->preds[i] = (struct an_pred){ .column = (char *)column, .op = op,
		.values = st->values[i] };
	return &st->preds[i];
}

static inline PG_UNUSED struct an_value *
util_value(struct an_pred *d, struct an_value val)
{
	assert_true(d->n_values < UTIL_MAX);
	d->values[d->n_values] = val;
	return &d->values[d->n_values++];
}

/* Bind n parameters; a value that is all NULL is an SQL NULL. */
static inline PG_UNUSED void
util_bind(struct util_stmt *st, unsigned n, const struct slice *values,
    const int *formats, const uint32_t *oids)
{
	char *p = st->bind_body;

	*p++ = 0; /* portal */
	*p++ = 0; /* statement */
	*p++ = 0;
	*p++ = (char)n;
	for (unsigned i = 0; i < n; i++) {
		*p++ = 0;
		*p++ = (char)(formats != NULL ? formats[i] : 0);
	}
	*p++ = 0;
	*p++ = (char)n;
	for (unsigned i = 0; i < n; i++) {
		size_t len = values[i].n;

		memset(p, values[i].p == NULL ? 0xff : 0, 4);
		if (values[i].p != NULL) {
			assert_true(len < 256);
			p[3] = (char)len;
			memcpy(p + 4, values[i].p, len);
		}
		p += 4 + (values[i].p != NULL ? len : 0);
		for (int k = 0; oids != NULL && k < 4; k++)
			st->oids[4 * i + (unsigned)k] =
			    (char)(oids[i] >> (24 - 8 * k));
	}
	*p++ = 0; /* no result formats */
	*p++ = 0;
	assert_true(msgread_bind(st->bind_body,
	    (size_t)(p - st->bind_body), &st->bind));
	st->v.bind = &st->bind;
	st->v.oids = oids != NULL ? st->oids : NULL;
	st->v.n_oids = oids != NULL ? n : 0;
}

static inline PG_UNUSED struct route_decision
util_decide(struct util_conf *u, struct util_stmt *st)
{
	struct route_plan *p = route_plan_new(&u->c, &u->db, &st->shape);
	struct route_decision d;

	analysis_mark_repeated(&st->an, slice_make(st->shape.text,
	    st->shape.len));
	route_decide(p, &st->shape, &st->v, &d);
	route_plan_free(&p);
	return d;
}

/* The physical text, to be freed. */
static inline PG_UNUSED char *
util_rewrite(const struct route_plan *p, struct util_stmt *st,
    unsigned form)
{
	struct buf b;
	char *s;

	buf_init(&b, 100000);
	assert_true(route_rewrite(p, &st->shape, &st->v, form, &b));
	s = x_strndup(buf_head(&b), buf_len(&b));
	buf_reset(&b);
	return s;
}

#endif
