/* SPDX-License-Identifier: PostgreSQL
 *
 * EXPLAIN (ROUTE): a plan and a decision, said in lines of "key: value".
 *
 * Only prints what route_plan_new() and route_decide() found; the text forms
 * are stable because people and tests read them.  The physical SQL is given
 * as it would be sent, so that line may contain line ends.  Pure.
 */
#include "conf/units.h"
#include "route/gather.h"
#include "route/portion.h"
#include "route/month.h"
#include "route/named.h"
#include "route/route_priv.h"
#include "route/touch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPLAIN_LINE_MAX (8 * 1024)
#define EXPLAIN_TABLES_MAX 32
#define EXPLAIN_VALUES_MAX 8
#define EXPLAIN_VALUE_BYTES 80

struct explain {
	const struct route_plan *p;
	const struct shape *s;
	const struct route_values *v;
	const struct route_decision *d;
	struct gather *gather; /* the shards are asked at once; or NULL */
	bool splits;           /* each shard is given its rows */
	struct route_reader reader;
	struct buf line;
	void (*fn)(void *arg, const char *line);
	void *arg;
};

/* Lines over their cap are cut: what is left is still true. */
static void
explain_put(struct explain *x, const char *s, size_t n)
{
	if (!buf_append(&x->line, s, n))
		return;
}

static void explain_add(struct explain *x, const char *fmt, ...)
    PG_PRINTF(2, 3);

static void
explain_add(struct explain *x, const char *fmt, ...)
{
	char tmp[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	if (n > 0)
		explain_put(x, tmp,
		    (size_t)n < sizeof(tmp) ? (size_t)n : sizeof(tmp) - 1);
}

static void
explain_end(struct explain *x)
{
	if (buf_append(&x->line, "", 1))
		x->fn(x->arg, buf_head(&x->line));
	else
		x->fn(x->arg, "(line too long)");
	buf_reset(&x->line);
}

static void
explain_text(struct explain *x, const char *key, const char *value)
{
	explain_put(x, key, strlen(key));
	explain_put(x, ": ", 2);
	explain_put(x, value, strlen(value));
	explain_end(x);
}

/* ------------------------------------------------------------------ tables */

static const struct route_edit *
explain_edit_of(const struct route_plan *p, unsigned an_table)
{
	for (size_t i = 0; i < p->n_edits; i++) {
		if (p->edits[i].an_table == an_table)
			return &p->edits[i];
	}
	return NULL;
}

static void
explain_tables(struct explain *x)
{
	const struct analysis *a = x->s->an;

	explain_add(x, "tables: ");
	for (size_t i = 0; i < a->n_tables && i < EXPLAIN_TABLES_MAX; i++) {
		const struct an_table *t = &a->tables[i];
		const struct route_edit *e = explain_edit_of(x->p,
		    (unsigned)i);

		explain_add(x, "%s%s%s%s (%s%s%s", i > 0 ? ", " : "",
		    t->schema != NULL ? t->schema : "",
		    t->schema != NULL ? "." : "", t->name,
		    t->read ? "read" : "", t->read && t->written ? ", " : "",
		    t->written ? "written" : "");
		if (e != NULL)
			explain_add(x, "; routed table %s", e->table->name);
		explain_add(x, ")");
	}
	if (a->n_tables > EXPLAIN_TABLES_MAX)
		explain_add(x, ", and %zu more",
		    a->n_tables - EXPLAIN_TABLES_MAX);
	if (a->n_tables == 0)
		explain_add(x, "none");
	explain_end(x);
}

static void
explain_variant(struct explain *x)
{
	static const char *const kinds[] = {
		[VARIANT_PLAIN] = "plain",
		[VARIANT_MONTHLY] = "monthly",
		[VARIANT_SHARDED] = "sharded",
	};

	if (x->d->variant == NULL)
		explain_add(x, "variant: none");
	else
		explain_add(x, "variant: %s (%s) of table %s",
		    x->d->variant->name, kinds[x->d->variant->kind],
		    x->p->table->name);
	explain_end(x);
}

/* --------------------------------------------------------------------- key */

/* Client bytes: what could end a line or is not printable becomes a dot. */
static void
explain_value(struct explain *x, const struct an_value *val)
{
	struct route_value rv;

	route_value_get(&x->reader, val, &rv);
	switch (rv.kind) {
	case ROUTE_VALUE_NONE:
	case ROUTE_VALUE_NULL:
		if (val->kind == AN_VAL_PARAM)
			explain_add(x, "$%u", val->index + 1);
		else
			explain_add(x, "%s",
			    val->kind == AN_VAL_NULL ? "NULL" : "an expression");
		return;
	case ROUTE_VALUE_BINARY:
		for (size_t i = 0; i < rv.s.n && i < EXPLAIN_VALUE_BYTES; i++)
			explain_add(x, "%s%02x", i == 0 ? "\\x" : "",
			    (unsigned char)rv.s.p[i]);
		break;
	case ROUTE_VALUE_NUMBER:
	case ROUTE_VALUE_TEXT:
		if (rv.kind == ROUTE_VALUE_TEXT)
			explain_put(x, "'", 1);
		for (size_t i = 0; i < rv.s.n && i < EXPLAIN_VALUE_BYTES; i++)
			explain_put(x,
			    (unsigned char)rv.s.p[i] < ' ' ? "." : &rv.s.p[i],
			    1);
		if (rv.kind == ROUTE_VALUE_TEXT)
			explain_put(x, "'", 1);
		break;
	}
	if (rv.s.n > EXPLAIN_VALUE_BYTES)
		explain_add(x, "...");
}

static void
explain_shards(struct explain *x)
{
	const struct route_shards *some = &x->d->shards;
	size_t all = x->p->variant->n_shards;
	unsigned n = route_shards_count(some);

	if (x->d->shard != NULL) {
		explain_add(x, "shard: %u of %u", x->d->shard->remainder,
		    x->d->shard->modulus);
	} else if (n == 0 || n == all) {
		explain_add(x, "shard: not proven");
	} else {
		explain_add(x, "shards:");
		for (int i = route_shards_first(some); i >= 0;
		     i = route_shards_next(some, (unsigned)i + 1))
			explain_add(x, " %d", i);
		explain_add(x, " of %zu", all);
	}
	explain_end(x);
}

static void
explain_key(struct explain *x)
{
	const struct conf_table *t = x->p->table;
	const struct an_pred *d;

	if (t == NULL || t->n_keys == 0)
		return;
	if (x->p->key_pred < 0) {
		explain_add(x, "key: %s not given", t->keys[0].column);
		explain_end(x);
		return;
	}
	d = &x->s->an->preds[x->p->key_pred];
	explain_add(x, "key: %s %s ", d->column,
	    d->op == AN_EQ ? "=" : d->op == AN_IN ? "in" :
	    d->op == AN_IN_ARRAY ? "in array" : "rows");
	for (size_t i = 0; i < d->n_values && i < EXPLAIN_VALUES_MAX; i++) {
		explain_add(x, "%s", i > 0 ? ", " : "");
		explain_value(x, &d->values[i]);
	}
	if (d->n_values > EXPLAIN_VALUES_MAX)
		explain_add(x, ", and %zu more",
		    d->n_values - EXPLAIN_VALUES_MAX);
	explain_end(x);
	if (x->p->variant->kind != VARIANT_SHARDED)
		return;
	explain_shards(x);
}

static void
explain_months(struct explain *x)
{
	const struct route_decision *d = x->d;
	char from[32] = "the beginning", last[32] = "open end";

	if (x->p->table == NULL || x->p->table->time_column == NULL)
		return;
	if (d->month_from == INT64_MIN && d->month_until == INT64_MIN) {
		explain_add(x, "months: not confined");
		explain_end(x);
		return;
	}
	if (d->month_from != INT64_MIN)
		month_print(d->month_from, from, sizeof(from));
	if (d->month_until != INT64_MAX)
		month_print(d->month_until - 1, last, sizeof(last));
	explain_add(x, "months: %s to %s%s", from, last,
	    d->closed ? " (closed)" : "");
	explain_end(x);
}

/* ----------------------------------------------------------------- the rest */

/* Rows can be told apart. */
static bool
explain_splits(const struct explain *x)
{
	struct portions *po = !x->d->splits ? NULL :
	    portions_new(x->p, x->s, x->v);
	bool can = po != NULL;

	portions_free(&po);
	return can;
}

/* What the first shard is asked, or given. */
static bool
explain_partial(struct explain *x, struct buf *b)
{
	unsigned first = (unsigned)route_shards_first(&x->d->shards);
	struct portions *po;
	uint16_t *of;
	size_t n;
	bool ok;

	if (x->gather != NULL)
		return gather_partial(x->gather,
		    FORM_OF(x->p->variant->shards[first].relation), b);
	po = portions_new(x->p, x->s, x->v);
	of = calloc(x->s->an->n_params + 1, sizeof(*of));
	ok = po != NULL && of != NULL && portions_write(po, first, b, of, &n);
	free(of);
	portions_free(&po);
	return ok;
}

/* The one line whose length is the client's choice. */
static void
explain_sql(struct explain *x)
{
	struct slice inner = analysis_explain_inner(x->v->sql);
	bool several = x->gather != NULL || x->splits;
	size_t skip = inner.p == NULL || x->gather != NULL ||
	    x->p->rewrite != NULL ? 0 : (size_t)(inner.p - x->v->sql.p);
	struct buf b;

	buf_init(&b, x->v->sql.n + 256 * 1024);
	if (!buf_append(&b, "sql: ", 5) || !(several ?
	    explain_partial(x, &b) :
	    route_rewrite(x->p, x->s, x->v, x->d->form, &b)) ||
	    !buf_append(&b, "", 1)) {
		x->fn(x->arg, "sql: (too long)");
		buf_reset(&b);
		return;
	}
	/* What stands before the explained statement is never rewritten. */
	memmove(buf_head(&b) + skip, buf_head(&b), 5);
	buf_consume(&b, skip);
	x->fn(x->arg, buf_head(&b));
	buf_reset(&b);
}

/* Each once, however many of the shards it holds. */
static void
explain_backends(struct explain *x)
{
	const struct conf_shard *all = x->p->variant->shards;
	const struct route_shards *some = &x->d->shards;
	const char *comma = "";

	explain_add(x, "backend: ");
	for (int i = route_shards_first(some); i >= 0;
	     i = route_shards_next(some, (unsigned)i + 1)) {
		int k = route_shards_first(some);

		while (all[k].backend != all[i].backend)
			k = route_shards_next(some, (unsigned)k + 1);
		if (k < i)
			continue;
		explain_add(x, "%s%s", comma, all[i].backend->name);
		comma = ", ";
	}
	explain_end(x);
}

static void
explain_place(struct explain *x)
{
	static const char *const forms[FORM_PART + 1] = { "as written",
		"the variant's relation", "the shard's relation" };
	bool several = x->gather != NULL || x->splits;
	unsigned form = several ? FORM_PART : x->d->form;

	if (several)
		explain_backends(x);
	else
		explain_text(x, "backend", x->d->backend->name);
	explain_text(x, "relation", forms[form < FORM_PART ? form :
	    FORM_PART]);
	explain_sql(x);
}

static void
explain_writes(struct explain *x)
{
	explain_add(x, "writes: ");
	if (x->p->writes_all && x->p->writes_why != NULL)
		explain_add(x, "everything (%s)", x->p->writes_why);
	else if (x->p->writes_all)
		explain_add(x, "everything");
	else if (x->p->n_writes == 0)
		explain_add(x, "nothing");
	else
		for (size_t i = 0; i < x->p->n_writes; i++)
			explain_add(x, "%s%s", i > 0 ? ", " : "",
			    x->p->writes[i]);
	explain_end(x);
}

static void
explain_time(struct explain *x, const char *name, nsec_t t)
{
	if (t % NSEC_PER_SEC == 0)
		explain_add(x, ", %s %llus", name, t / NSEC_PER_SEC);
	else
		explain_add(x, ", %s %llums", name, t / NSEC_PER_MSEC);
}

static void
explain_dependency(struct explain *x, size_t i)
{
	struct route_touch t;

	explain_add(x, "%s%s", i > 0 ? ", " : "", x->p->reads[i]);
	route_touch_read(x->p, x->s, x->v, i, &t);
	if (t.key != NULL)
		explain_add(x, " (%u %s%s of %s)", t.n,
		    t.key->month ? "month" : "value", t.n == 1 ? "" : "s",
		    t.key->column);
}

static void
explain_hint(struct explain *x)
{
	const struct hint *h = &x->d->hint;
	const char *comma = "";
	char ttl[UNITS_TEXT];

	if (!h->there)
		return;
	explain_add(x, "hint: ");
	if (h->nocache) {
		explain_add(x, "nocache");
		comma = ", ";
	}
	if (h->ttl != UINT64_MAX) {
		explain_add(x, "%sttl=%s", comma, units_print_time(ttl,
		    h->ttl));
		comma = ", ";
	}
	if (h->bad.n > 0)
		explain_add(x, "%snot understood: %.*s", comma,
		    (int)h->bad.n, h->bad.p);
	explain_end(x);
}

static void
explain_cache(struct explain *x)
{
	enum bypass_reason r = x->p->bypass;
	char name[ROUTE_NAME_MAX];

	explain_hint(x);
	if (r == BYPASS_NONE)
		r = x->d->bypass;
	if (r != BYPASS_NONE) {
		explain_add(x, "cache: bypass: %s - %s", bypass_reason_name(r),
		    bypass_reason_doc(r));
		explain_end(x);
		return;
	}
	explain_add(x, "cache: cacheable by rule %s", x->p->rule->name);
	explain_time(x, "ttl", x->d->ttl);
	explain_time(x, "l1_ttl", x->d->l1_ttl);
	if (x->d->grace > 0)
		explain_time(x, "grace", x->d->grace);
	if (x->d->stale > 0)
		explain_time(x, "stale_if_error", x->d->stale);
	if (x->d->ttl_empty != x->d->ttl)
		explain_time(x, "ttl_empty", x->d->ttl_empty);
	if (x->p->rule->ttl_column != NULL)
		explain_add(x, ", ttl_column %s", x->p->rule->ttl_column);
	explain_end(x);
	if (x->p->rule->n_parts > 0) {
		route_name(x->p, x->s, x->v, name);
		explain_text(x, "called", name);
	}
	explain_add(x, "depends on: ");
	for (size_t i = 0; i < x->p->n_reads; i++)
		explain_dependency(x, i);
	explain_end(x);
}

void
route_explain(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, const struct route_decision *d,
    void (*fn)(void *arg, const char *line), void *arg)
{
	struct explain x = { .p = p, .s = s, .v = v, .d = d, .fn = fn,
		.arg = arg };
	char pins[PIN_TEXT_MAX];

	route_reader_init(&x.reader, v);
	buf_init(&x.line, EXPLAIN_LINE_MAX);
	explain_text(&x, "statement", stmt_kind_name(s->an->kind));
	explain_tables(&x);
	if (p->err_sqlstate != NULL) {
		explain_text(&x, "error", p->err_sqlstate);
		explain_text(&x, "message", p->err_message);
		if (p->err_hint != NULL)
			explain_text(&x, "hint", p->err_hint);
		return;
	}
	explain_variant(&x);
	explain_key(&x);
	explain_months(&x);
	if (d->gathers)
		x.gather = gather_new(p, s, v);
	x.splits = explain_splits(&x);
	explain_place(&x);
	if (s->an->pins != 0)
		explain_text(&x, "pin", pin_reasons_text(s->an->pins, pins));
	explain_writes(&x);
	explain_cache(&x);
	explain_text(&x, "why", d->gathers && x.gather == NULL ?
	    "the coordinator: the parts could not be put together" :
	    d->splits && !x.splits ?
	    "the coordinator: not every row's shard is proven" :
	    x.gather != NULL ? gather_mode_doc(gather_mode(x.gather)) : d->why);
	if (d->refused != NULL)
		explain_text(&x, "difference", d->refused);
	gather_free(&x.gather);
}
