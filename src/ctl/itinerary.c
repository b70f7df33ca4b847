/* SPDX-License-Identifier: PostgreSQL
 *
 * The way of a shape in texts; see itinerary.h.  Pure.
 */
#include "ctl/itinerary.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/trial.h"
#include "conf/units.h"

#define ITINERARY_MAX (1u << 20)

static const char *const leg_names[LEG_COUNT] = {
	[LEG_ERROR] = "error", [LEG_TABLE] = "table",
	[LEG_VARIANT] = "variant", [LEG_BACKEND] = "backend",
	[LEG_TENANT] = "tenant", [LEG_MONTHS] = "months",
	[LEG_REWRITE] = "rewrite", [LEG_SQL] = "sql", [LEG_CACHE] = "cache",
	[LEG_TTL] = "times", [LEG_DEPENDS] = "depends on",
	[LEG_WRITES] = "writes", [LEG_REPLICAS] = "replicas",
	[LEG_EXPERIMENT] = "experiment",
};

const char *
leg_name(enum leg l)
{
	CHECK(l < LEG_COUNT);
	return leg_names[l];
}

/* ---- texts -------------------------------------------------------------------- */

static void say(struct buf *b, const char *fmt, ...) PG_PRINTF(2, 3);

/* What is over the cap is left out on both sides of a comparison. */
static void
say(struct buf *b, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0 && buf_append(b, text, (size_t)n < sizeof(text) ?
	    (size_t)n : sizeof(text) - 1))
		return;
}

/* The buffer's text becomes the leg's. */
static void
leg_take(struct itinerary *it, enum leg l, struct buf *b)
{
	it->leg[l] = buf_len(b) > 0 ? x_strndup(buf_head(b), buf_len(b)) :
	    x_strdup("none");
	buf_reset(b);
}

static void
say_time(struct buf *b, const char *name, nsec_t t)
{
	char text[UNITS_TEXT];

	say(b, "%s%s %s", buf_len(b) > 0 ? ", " : "", name,
	    units_print_time(text, t));
}

/* ---- where ----------------------------------------------------------------------- */

static void
itinerary_error(const struct planned *pd, struct buf *b)
{
	const struct route_plan *p = pd->plan;

	if (p->err_sqlstate != NULL)
		say(b, "%s %s", p->err_sqlstate, p->err_message);
}

static void
itinerary_variant(const struct planned *pd, struct buf *b)
{
	static const char *const kinds[] = { [VARIANT_PLAIN] = "plain",
		[VARIANT_MONTHLY] = "monthly", [VARIANT_SHARDED] = "sharded" };
	const struct conf_variant *v = pd->plan->variant;

	if (v != NULL)
		say(b, "%s (%s)", v->name, kinds[v->kind]);
}

/* Each part with its place. */
static void
say_parts(struct buf *b, const struct conf_variant *v)
{
	const struct conf_shard *s;
	const struct conf_month_span *m;

	for (s = v->shards; s < v->shards + v->n_shards; s++)
		say(b, "%s%s %s", s > v->shards ? ", " : " ",
		    s->backend->name, v->relations[s->relation].name);
	for (m = v->spans; m < v->spans + v->n_spans; m++) {
		char from[UNITS_TEXT] = "", until[UNITS_TEXT] = "";

		if (m->from != INT64_MIN)
			units_print_month(from, m->from);
		if (m->until != INT64_MAX)
			units_print_month(until, m->until);
		say(b, "%s%s from %s until %s", m > v->spans ? ", " : " ",
		    m->backend->name, from[0] != '\0' ? from :
		    "the beginning", until[0] != '\0' ? until : "open end");
	}
}

static void
itinerary_backend(const struct planned *pd, struct buf *b)
{
	const struct route_plan *p = pd->plan;

	if (p->table != NULL && p->variant->kind != VARIANT_PLAIN &&
	    !planned_is_known(p->table)) {
		say(b, "as the catalogs of %s say", p->variant->backend->name);
	} else if (p->may_shard && p->key_pred >= 0) {
		say(b, "a shard, by the tenant's value");
	} else if (pd->where.gathers || pd->where.splits) {
		say(b, "several shards at once:");
		say_parts(b, p->variant);
	} else {
		say(b, "%s", pd->where.backend->name);
	}
}

/* What a value of the key would decide. */
static void
itinerary_tenant(const struct planned *pd, struct buf *b)
{
	const struct route_plan *p = pd->plan;

	if (p->table == NULL || p->table->n_keys == 0)
		return;
	if (p->key_pred < 0) {
		say(b, "not given");
		return;
	}
	for (size_t i = 0; i < p->table->n_keys; i++)
		say(b, "%s%s %s", i > 0 ? ", " : "by ",
		    p->table->keys[i].column,
		    conf_key_type_name(p->table->keys[i].type));
	if (p->may_shard && p->variant->n_shards > 0) {
		say(b, " to one of %zu shards:", p->variant->n_shards);
		say_parts(b, p->variant);
	}
}

/* What a time would decide. */
static void
itinerary_months(const struct planned *pd, struct buf *b)
{
	const struct route_plan *p = pd->plan;

	if (p->table == NULL || p->table->time_column == NULL)
		return;
	say(b, "by %s%s%s", p->table->time_column,
	    p->table->month_of != NULL ? " and " : "",
	    p->table->month_of != NULL ? p->table->month_of : "");
	if (p->may_span) {
		say(b, " to one of %zu backends:", p->variant->n_spans);
		say_parts(b, p->variant);
	}
	if (p->may_leaf)
		say(b, " to one partition");
}

static void
itinerary_rewrite(const struct planned *pd, struct buf *b)
{
	const struct conf_rewrite *r = pd->plan->rewrite;

	if (r != NULL)
		say(b, "%s: %s", r->name, r->text);
}

/* With '?' for literals again, as it was captured. */
static void
itinerary_sql(const struct planned *pd, struct buf *b)
{
	struct buf text;
	const char *p, *end;

	if (pd->plan->rewrite != NULL || pd->where.form == FORM_ASIS) {
		say(b, "as written");
		return;
	}
	buf_init(&text, ITINERARY_MAX);
	if (!route_rewrite(pd->plan, pd->shape, &pd->values, pd->where.form,
	    &text) || buf_len(&text) == 0) {
		say(b, "too long");
		buf_reset(&text);
		return;
	}
	p = buf_head(&text);
	end = p + buf_len(&text);
	while (p < end) {
		bool literal = end - p >= 3 && memcmp(p, "'?'", 3) == 0;

		if (!buf_append(b, literal ? "?" : p, 1))
			break;
		p += literal ? 3 : 1;
	}
	buf_reset(&text);
}

/* ---- the cache -------------------------------------------------------------------- */

static void
itinerary_cache(const struct planned *pd, struct buf *b)
{
	const struct conf_rule *r = pd->plan->rule;
	enum bypass_reason why = pd->plan->bypass;

	if (why == BYPASS_NONE)
		why = pd->where.bypass;
	if (why != BYPASS_NONE || r == NULL) {
		say(b, "bypass, %s", bypass_reason_name(why));
		return;
	}
	say(b, "rule %s%s%s", r->name, r->strong ? ", strong" : "",
	    r->l2 ? "" : ", not in Redis");
	if (r->key != NULL)
		say(b, ", called %s", r->key);
	for (size_t i = 0; i < r->keys.n; i++)
		say(b, "%s%s", i > 0 ? ", " : ", told apart by ",
		    r->keys.v[i]);
}

static void
itinerary_times(const struct planned *pd, struct buf *b)
{
	const struct conf_rule *r = pd->plan->rule;

	if (r == NULL || pd->where.bypass != BYPASS_NONE)
		return;
	say_time(b, "ttl", pd->where.ttl);
	say_time(b, "l1_ttl", pd->where.l1_ttl);
	if (pd->where.grace > 0)
		say_time(b, "grace", pd->where.grace);
	if (pd->where.stale > 0)
		say_time(b, "stale_if_error", pd->where.stale);
	if (r->empty_differs)
		say_time(b, "ttl_empty", pd->where.ttl_empty);
	if (r->ttl_closed_month > 0)
		say_time(b, "ttl_closed_month", r->ttl_closed_month);
	if (r->ttl_jitter > 0)
		say(b, ", ttl_jitter %lld %%", (long long)r->ttl_jitter);
	if (r->refresh_ahead > 0)
		say(b, ", refresh_ahead %lld %%",
		    (long long)r->refresh_ahead);
	if (r->ttl_column != NULL)
		say(b, ", ttl_column %s", r->ttl_column);
	if (r->l2_lease > 0)
		say_time(b, "l2_lease", r->l2_lease);
}

static void
say_names(struct buf *b, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		say(b, "%s%s", i > 0 ? ", " : "", names[i]);
}

/* ---- who else ----------------------------------------------------------------------- */

static void
itinerary_replicas(const struct planned *pd, struct buf *b)
{
	const struct conf_backend *primary = pd->where.backend;
	const struct conf_replica_rule *r = &pd->plan->replica_rule;
	char age[UNITS_TEXT], lag[UNITS_TEXT];
	enum replica_reason why;

	if (primary->n_replicas == 0)
		return;
	why = route_replica_reason(pd->plan, pd->shape, &pd->values);
	if (why != REPLICA_REASON_NONE) {
		say(b, "none, %s", replica_reason_name(why));
		return;
	}
	for (size_t i = 0; i < primary->n_replicas; i++)
		say(b, "%s%s", i > 0 ? ", " : "", primary->replicas[i]->name);
	say(b, "; seen by the %s, max_age %s, max_lag %s",
	    r->reads == REPLICA_READS_SESSION ? "session" : "process",
	    units_print_time(age, r->max_age),
	    units_print_size(lag, r->max_lag));
}

void
itinerary_each_experiment(const struct planner *pl, const struct planned *pd,
    void (*fn)(void *arg, const struct conf_experiment *e), void *arg)
{
	const struct conf *c = pl->conf;
	const struct conf_experiment *e;
	size_t i;

	if (pd->plan->table == NULL)
		return;
	for (e = c->experiments; e < c->experiments + c->n_experiments; e++)
		for (i = 0; i < e->n_databases; i++)
			if (e->databases[i] == pd->plan->db &&
			    e->table == pd->plan->table)
				fn(arg, e);
}

static void
itinerary_experiment(void *arg, const struct conf_experiment *e)
{
	struct buf *b = arg;

	say(b, "%s%s:", buf_len(b) > 0 ? "; " : "", e->name);
	for (unsigned k = 0; k < e->n_arms; k++)
		say(b, "%s %s %u", k > 0 ? "," : "",
		    e->arms[k].variant->name, e->arms[k].weight);
	say(b, ", by %s%s, writes: %s%s%s", conf_unit_name(e->unit),
	    e->shadow ? ", in shadow mode" : "",
	    conf_arm_writes_name(e->writes),
	    e->cache ? "" : ", not cached", e->start ? ", starts" : "");
}

/* ---- all of it ------------------------------------------------------------------------ */

void
itinerary_init(struct itinerary *it, const struct planner *pl,
    const struct planned *pd)
{
	static void (*const legs[LEG_COUNT])(const struct planned *,
	    struct buf *) = {
		[LEG_VARIANT] = itinerary_variant,
		[LEG_BACKEND] = itinerary_backend,
		[LEG_TENANT] = itinerary_tenant,
		[LEG_MONTHS] = itinerary_months,
		[LEG_REWRITE] = itinerary_rewrite,
		[LEG_SQL] = itinerary_sql, [LEG_CACHE] = itinerary_cache,
		[LEG_TTL] = itinerary_times,
		[LEG_REPLICAS] = itinerary_replicas,
	};
	const struct route_plan *p = pd->plan;
	struct buf b;
	enum leg l;

	buf_init(&b, ITINERARY_MAX);
	for (l = 0; l < LEG_COUNT; l++) {
		if (l == LEG_ERROR)
			itinerary_error(pd, &b);
		else if (p->err_sqlstate != NULL)
			say(&b, "none");
		else if (l == LEG_TABLE && p->table != NULL)
			say(&b, "%s", p->table->name);
		else if (l == LEG_DEPENDS && p->rule != NULL)
			say_names(&b, p->reads, p->n_reads);
		else if (l == LEG_WRITES && p->writes_all)
			say(&b, "everything");
		else if (l == LEG_WRITES)
			say_names(&b, p->writes, p->n_writes);
		else if (l == LEG_EXPERIMENT)
			itinerary_each_experiment(pl, pd,
			    itinerary_experiment, &b);
		else if (legs[l] != NULL)
			legs[l](pd, &b);
		leg_take(it, l, &b);
	}
}

void
itinerary_fini(struct itinerary *it)
{
	enum leg l;

	for (l = 0; l < LEG_COUNT; l++) {
		free(it->leg[l]);
		it->leg[l] = NULL;
	}
}
