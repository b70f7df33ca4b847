/* SPDX-License-Identifier: PostgreSQL
 *
 * Console commands that end cached results: INVALIDATE KEY, TABLE and ALL.
 *
 * TABLE and ALL bump tags, as writes do, and are over at once.  KEY looks
 * through memory and Redis step by step, for a worker has other things to do:
 *
 *   L1 (fills under way are marked) -> Redis -> L1 (what came from Redis
 *   meanwhile) -> answer
 *
 * Each step is a message to the own worker.  Runs on the worker of the session
 * that asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"
#include "conf/deps.h"
#include "admin/takeover.h"
#include "cache/warm.h"
#include "conf/ident.h"
#include "conf/units.h"
#include "route/touch.h"

/* ------------------------------------------------------------ KEY */

struct invalidate {
	struct message m; /* first */
	struct worker *w;
	uint64_t session;
	const char *columns;
	char pattern[L2_PATTERN_MAX + 1];
	struct l1_drop l1;
	bool redis_done;       /* asked, or there is none */
	bool configured, whole;
	uint64_t dropped;      /* in Redis */
};

static void
invalidate_row(struct rows *r, const char *where, uint64_t dropped,
    const char *text)
{
	struct row row = { .n = 0 };

	row_str(&row, where);
	row_u64(&row, dropped);
	row_str(&row, text);
	rows_add(r, &row);
}

static void
invalidate_answer(const struct invalidate *v)
{
	struct rows r;

	rows_init(&r);
	rows_columns(&r, v->columns);
	invalidate_row(&r, "memory", v->l1.dropped, NULL);
	if (v->configured)
		invalidate_row(&r, "redis", v->dropped, v->whole ? NULL :
		    "Redis could not be asked for all: some may be left");
	rows_reply(&r, v->w, v->session, "INVALIDATE KEY");
}

static void
invalidate_on_redis(void *arg, bool whole, uint64_t dropped)
{
	struct invalidate *v = arg;

	v->whole = whole;
	v->dropped = dropped;
	worker_post(v->w, &v->m);
}

static void
invalidate_run(struct worker *w, struct message *m)
{
	struct invalidate *v = (struct invalidate *)(void *)m;
	struct l2 *l2 = session_l2(w);

	if (l1_drop(session_layer_l1(), &v->l1)) {
		worker_post(w, &v->m);
		return;
	}
	if (v->redis_done) {
		invalidate_answer(v);
		free(v);
		return;
	}
	v->redis_done = true;
	v->configured = l2 != NULL;
	v->l1 = (struct l1_drop){ .pattern = v->l1.pattern,
		.dropped = v->l1.dropped };
	if (l2 == NULL || !l2_drop(l2, v->pattern, invalidate_on_redis, v))
		worker_post(w, &v->m);
}

/* Another process has results of such names in memory, or they are on their way:
 * all end. */
static void
invalidate_elsewhere(void)
{
	struct takeover_info i;

	takeover_info(&i);
	if (i.under_way || succession_is_open() || warm_is_there())
		tag_bump(TAG_ALL);
	warm_drop();
}

void
console_invalidate_key(struct console_call *call)
{
	const char *pattern = call->line->name;
	struct invalidate *v;

	if (pattern[0] == '\0' || strlen(pattern) > L2_PATTERN_MAX) {
		rows_error(call->w, call->session, "22023",
		    "the pattern is empty or longer than 256 bytes", NULL,
		    "'*' means all; EXPLAIN (ROUTE) says what a result is "
		    "called.");
		return;
	}
	v = x_calloc(1, sizeof(*v));
	v->m.run = invalidate_run;
	v->w = call->w;
	v->session = call->session;
	v->columns = call->line->command->columns;
	strcpy(v->pattern, pattern);
	v->l1.pattern = slice_str(v->pattern);
	invalidate_elsewhere();
	worker_post(v->w, &v->m);
}

/* ------------------------------------------------------------ TABLE */

#define INVALIDATE_TAGS_MAX 64
#define DECLARED_DEPTH 8

struct ending_tags {
	const struct conf *c;
	const char *rel; /* bare name that results depend on */
	struct rows rows;
	tag_t tag[INVALIDATE_TAGS_MAX];
	unsigned n;
	bool all;        /* there are too many */
};

static void
tags_add(struct ending_tags *e, const char *rel, tag_t tag, const char *text)
{
	struct row row = { .n = 0 };

	unsigned i;

	for (i = 0; i < e->n; i++)
		if (e->tag[i] == tag)
			return;
	if (e->n == INVALIDATE_TAGS_MAX) {
		e->all = true;
		return;
	}
	e->tag[e->n++] = tag;
	row_str(&row, rel);
	row_str(&row, text);
	rows_add(&e->rows, &row);
}

/* As tables' tags are told apart. */
static bool
same_table(const char *rel, const char *other)
{
	char one[IDENT_FOLDED_SIZE], two[IDENT_FOLDED_SIZE];

	ident_fold(rel, one);
	ident_fold(other, two);
	return strcmp(one, two) == 0;
}

/* The routed table of this name, logical or that of a part of it; or NULL. */
static const struct conf_table *
table_of(const struct conf *c, const char *text, const char *bare)
{
	const struct conf_variant *v;
	const struct conf_table *t;
	size_t k;

	for (t = c->tables; t < c->tables + c->n_tables; t++) {
		if (ident_is_table(text, t->schema, t->rel))
			return t;
		for (v = t->variants; v < t->variants + t->n_variants; v++)
			for (k = 0; k < v->n_relations; k++)
				if (ident_bare_is(v->relations[k].name, bare))
					return t;
	}
	return NULL;
}

/* The column of keys that names the tenant: the first of the table's own key
 * if it is routed, else the only one. NULL: there is none, or it is not known
 * which. */
static const struct conf_tag_key *
tenant_key(const struct conf *c, const char *rel, const struct conf_table *t)
{
	const struct conf_tag_key *k, *found = NULL;
	unsigned n = 0;

	for (k = c->tag_keys; k < c->tag_keys + c->n_tag_keys; k++) {
		if (k->month || !same_table(rel, k->rel))
			continue;
		if (t != NULL && t->n_keys > 0 &&
		    strcmp(t->keys[0].column, k->column) == 0)
			return k;
		found = k;
		n++;
	}
	return n == 1 ? found : NULL;
}

static void
tags_add_key(struct ending_tags *e, const struct conf_tag_key *k,
    const char *value)
{
	char text[200];
	uint64_t v;

	if (value != NULL && route_touch_text(k, value, &v)) {
		snprintf(text, sizeof(text), "what is confined to %s%.64s%s = "
		    "%.64s", k->month ? "month(" : "", k->column, k->month ?
		    ")" : "", value);
		tags_add(e, k->rel, tag_of_value(k->rel, k->column, v), text);
		return;
	}
	snprintf(text, sizeof(text), "what is confined by any %s%.64s%s",
	    k->month ? "month(" : "", k->column, k->month ? ")" : "");
	tags_add(e, k->rel, tag_of_column(k->rel, k->column), text);
}

static void
tags_add_row(struct ending_tags *e, const char *text)
{
	struct row row = { .n = 0 };

	row_str(&row, e->rel);
	row_str(&row, text);
	rows_add(&e->rows, &row);
}

/* All that depends on a table, as the values of these rows are not known. */
static void
tags_add_table(struct ending_tags *e, const char *rel)
{
	const struct conf_tag_key *k;

	tags_add(e, rel, tag_of_table(rel), "what depends on all of it");
	for (k = e->c->tag_keys; k < e->c->tag_keys + e->c->n_tag_keys; k++)
		if (same_table(rel, k->rel))
			tags_add_key(e, k, NULL);
}

/* What a write to the table changes besides, as the catalogs say. How many
 * relations they know that may be meant. */
static unsigned
tags_add_changes(struct ending_tags *e, const char *schema, const char *name)
{
	const struct conf_watch *w;
	const struct deps_relation *r;
	unsigned n = 0;
	size_t i, k;

	for (w = e->c->watches; w < e->c->watches + e->c->n_watches; w++) {
		/* Until they are known a write ends everything. */
		e->all |= w->deps == NULL;
		for (i = 0; w->deps != NULL && (r = deps_find(w->deps, schema,
		    name, &i)) != NULL; n++) {
			e->all |= r->changes.any;
			for (k = 0; k < r->changes.n; k++)
				if (!same_table(r->changes.v[k], e->rel))
					tags_add_table(e, r->changes.v[k]);
		}
	}
	return n;
}

/* ... and as declarations say, of the tables these name, too. */
static void
tags_add_declared(struct ending_tags *e, const char *schema, const char *name,
    unsigned depth)
{
	const struct conf_writes *w;
	char *also_schema, *also;
	size_t i;

	for (w = e->c->writes; w < e->c->writes + e->c->n_writes; w++) {
		if (!ident_is_table(w->name, schema, name))
			continue;
		e->all |= depth == 0;
		for (i = 0; i < w->also.n && !e->all; i++) {
			ident_parts(w->also.v[i], &also_schema, &also);
			tags_add_table(e, also);
			tags_add_declared(e, NULL, also, depth - 1);
			free(also_schema);
			free(also);
		}
	}
}

static void
act_table(struct console_call *call, const char *tenant, const char *month)
{
	const char *text = call->line->name;
	const struct conf *c = session_conf(call->w);
	const struct conf_tag_key *k, *by;
	struct ending_tags e = { .c = c };
	const struct conf_table *t;
	const tag_t all = TAG_ALL;
	bool known = false;
	char *schema, *name;
	int64_t number;

	if (month != NULL && !units_parse_month(month, &number)) {
		rows_error(call->w, call->session, "22007",
		    "this is not a month", NULL, "Write it as 2026-01.");
		return;
	}
	ident_parts(text, &schema, &name);
	t = table_of(c, text, name);
	e.rel = t != NULL ? t->rel : name;
	console_rows(call, &e.rows);
	tags_add(&e, e.rel, tag_of_table(e.rel), "what depends on all of it");
	by = tenant_key(c, e.rel, t);
	for (k = c->tag_keys; k < c->tag_keys + c->n_tag_keys; k++) {
		if (!same_table(e.rel, k->rel))
			continue;
		known = true;
		tags_add_key(&e, k, k->month ? month : k == by ? tenant :
		    NULL);
	}
	known |= tags_add_changes(&e, schema, name) > 0 || t != NULL;
	tags_add_declared(&e, schema, name, DECLARED_DEPTH);
	if (e.all)
		tags_add_row(&e, "everything: what a write to it changes is "
		    "too much or not known");
	else if (!known)
		tags_add_row(&e, "neither the configuration nor catalogs that "
		    "were read know this table");
	session_invalidate(call->w, e.all ? &all : e.tag, e.all ? 1 : e.n);
	rows_reply(&e.rows, call->w, call->session, "INVALIDATE TABLE");
	free(schema);
	free(name);
}

void
console_invalidate_table(struct console_call *call)
{
	act_table(call, NULL, NULL);
}

void
console_invalidate_tenant(struct console_call *call)
{
	act_table(call, call->line->more[0], NULL);
}

void
console_invalidate_month(struct console_call *call)
{
	act_table(call, NULL, call->line->more[0]);
}

void
console_invalidate_tenant_month(struct console_call *call)
{
	act_table(call, call->line->more[0], call->line->more[1]);
}

/* ------------------------------------------------------------ ALL */

void
console_invalidate_all(struct console_call *call)
{
	session_flush_cache(call->w);
	console_done(call, "INVALIDATE ALL");
}
