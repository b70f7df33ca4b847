/* SPDX-License-Identifier: PostgreSQL
 *
 * A plan and the values of one execution: shard, months, cache life.
 *
 * Only what is proven narrows the answer; all else stays with the plan's
 * backend.  Which shards can hold the rows is confine.c's.  Pure; runs for
 * every routed execution, so it allocates nothing.
 */
#include "route/gather.h"
#include "route/month.h"
#include "route/route_priv.h"

/* ------------------------------------------------------------------ months */

static bool
decide_range(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, enum route_sure how,
    struct month_range *all)
{
	return route_table_times(p, s, v, how, all);
}

/* Months that hold every row of the statement, [from, until), or false. */
static bool
decide_months(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, enum route_sure how, int64_t *from,
    int64_t *until)
{
	struct month_range all;

	if (!decide_range(p, s, v, how, &all))
		return false;
	*from = all.lo == INT64_MIN ? INT64_MIN : month_of(all.lo);
	*until = all.hi == INT64_MAX ? INT64_MAX : month_of(all.hi) + 1;
	return true;
}

static void
decide_span(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, struct route_decision *d)
{
	int64_t from, until;

	if (!decide_months(p, s, v, ROUTE_SURE_ANY_COLUMN, &from, &until))
		return;
	for (size_t i = 0; i < p->variant->n_spans; i++) {
		const struct conf_month_span *span = &p->variant->spans[i];

		if (from >= span->from && until <= span->until) {
			d->backend = span->backend;
			d->why = "all months lie in this backend's span";
			return;
		}
	}
}

static bool
decide_is_past(nsec_t now_wall, int64_t until)
{
	int64_t now = (int64_t)(now_wall / NSEC_PER_USEC);

	return until <= month_of(now - MONTH_ZONE_US);
}

/* ------------------------------------------------------------------- shard */

/* Leave what the statement's times leave. false: it makes rows, and for some
 * of them none of the parts may be right. */
static bool
decide_periods(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, struct route_shards *some)
{
	bool makes = s->an->tables[p->an_table].written &&
	    s->an->kind != STMT_DELETE;
	struct month_range r;

	if (p->variant->n_periods == 0)
		return true;
	if (!decide_range(p, s, v, ROUTE_SURE_TIMESTAMPTZ, &r))
		return !makes;
	return route_periods_cut(p->variant, &r, some) || !makes;
}

/* Why one of these shards must not be asked directly, or NULL: what hangs on
 * the whole table differs there. */
static const char *
decide_refused(const struct route_plan *p, const struct analysis *a,
    const struct route_shards *some)
{
	for (size_t k = 0; k < a->n_tables; k++) {
		const struct conf_shard *all = p->tables[k]->use->shards;

		for (int i = route_shards_first(some); i >= 0;
		     i = route_shards_next(some, (unsigned)i + 1)) {
			if (all[i].no_read != NULL)
				return all[i].no_read;
			if (a->tables[k].written && all[i].no_write != NULL)
				return all[i].no_write;
		}
	}
	return NULL;
}

static bool
decide_has_only(const struct route_plan *p, const struct shape *s,
    const struct route_values *v)
{
	bool open;

	for (size_t i = 0; i < s->an->n_tables; i++) {
		if (p->tables[i] != NULL && gap_is_only(v, lex_pos(v->lx,
		    s->an->tables[i].pos), &open))
			return true;
	}
	return false;
}

static void
decide_shards(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, struct route_decision *d)
{
	unsigned n;

	if (decide_has_only(p, s, v)) {
		d->why = "the coordinator: ONLY leaves the shards out";
		return;
	}
	if (s->an->n_tables == 1)
		route_confine(p, s, v, &d->shards);
	else
		route_confine_all(p, s, v, p->gather != GATHER_NONE ?
		    p->drivers : UINT32_MAX, &d->shards);
	if (s->an->n_tables > 1 && p->gather == GATHER_NONE &&
	    route_shards_count(&d->shards) != 1) {
		d->shards = route_shards_all(0);
		d->why = "the coordinator: no single shard is proven for all "
			 "tables";
		return;
	}
	if (!decide_periods(p, s, v, &d->shards)) {
		d->shards = route_shards_all(0);
		d->why = "the coordinator: no partition is proven to take all "
			 "rows";
		return;
	}
	d->refused = decide_refused(p, s->an, &d->shards);
	if (d->refused != NULL) {
		d->shards = route_shards_all(0);
		d->why = "the coordinator: the shard's table differs in effect "
			 "from the whole one";
		return;
	}
	n = route_shards_count(&d->shards);
	if (n == 0) {
		d->why = "the coordinator: no row can match";
	} else if (n == 1) {
		d->shard = &p->variant->shards[route_shards_first(&d->shards)];
		d->backend = d->shard->backend;
		d->form = FORM_OF(d->shard->relation);
		d->why = "one shard: every row has this key's hash";
	} else if (p->gather != GATHER_NONE) {
		d->gathers = true;
		d->why = gather_mode_doc(p->gather);
	} else if (p->may_split) {
		d->splits = true;
		d->why = "the shards of its rows, each its portion";
	} else if (p->key_pred >= 0) {
		d->why = "the coordinator: no single shard is proven";
	}
}

/* One partition of a monthly table, if that is wanted or on another backend. */
static void
decide_leaf(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, struct route_decision *d)
{
	decide_shards(p, s, v, d);
	if (d->shard != NULL && (p->variant->target_leaf ||
	    d->shard->backend != p->backend)) {
		d->why = "one partition: its time takes all rows";
		return;
	}
	d->shard = NULL;
	d->shards = route_shards_all(0);
	d->backend = p->backend;
	d->form = FORM_RELATION;
	d->why = p->why;
}

/* -------------------------------------------------------------- cache life */

static void
decide_hint(const struct analysis *a, struct slice sql,
    struct route_decision *d)
{
	struct slice inner;

	if (a->kind != STMT_SELECT)
		return;
	hint_read(sql, &d->hint);
	if (d->hint.there || !(a->flags & AN_EXPLAIN_ROUTE))
		return;
	inner = analysis_explain_inner(sql);
	if (inner.p != NULL)
		hint_read(inner, &d->hint);
}

#define HINT_TTL_MAX (30 * 86400 * NSEC_PER_SEC) /* a rule's */

/* It may only shorten what the rule says, unless that one names no tables. */
static void
decide_obey(const struct conf_rule *r, struct route_decision *d)
{
	const struct hint *h = &d->hint;

	if (r->all && h->ttl > d->ttl && h->ttl <= HINT_TTL_MAX) {
		/* One that was given bounds other processes' writes. */
		if (d->l1_ttl == d->ttl)
			d->l1_ttl = h->ttl;
		d->ttl = h->ttl;
	}
	if (h->nocache)
		d->bypass = BYPASS_HINT;
	if (h->ttl < d->ttl)
		d->ttl = h->ttl;
	if (h->ttl < d->l1_ttl)
		d->l1_ttl = h->ttl;
	if (h->ttl < d->ttl_empty)
		d->ttl_empty = h->ttl;
	if (h->ttl != UINT64_MAX && d->grace > h->ttl)
		d->grace = h->ttl;
	if (h->ttl != UINT64_MAX && d->stale > h->ttl)
		d->stale = h->ttl;
}

static void
decide_cache(const struct route_plan *p, const struct analysis *a,
    const struct route_values *v, struct route_decision *d)
{
	const struct conf_rule *r = p->rule;

	decide_hint(a, v->sql, d);
	if (r == NULL)
		return;
	d->ttl = r->ttl;
	d->l1_ttl = r->l1_ttl;
	d->grace = r->grace;
	if (d->closed && r->ttl_closed_month > 0) {
		d->ttl = r->ttl_closed_month;
		if (d->l1_ttl > 0)
			d->l1_ttl = r->ttl_closed_month;
	}
	d->stale = r->stale_if_error;
	d->ttl_empty = r->empty_differs ? r->ttl_empty : d->ttl;
	if (!r->allow_stable &&
	    (analysis_has_special_literals(a, v->sql, v->lx) ||
		route_values_special(v)))
		d->bypass = BYPASS_STABLE;
	if (unlikely(d->hint.there))
		decide_obey(r, d);
}

void
route_decide(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, struct route_decision *d)
{
	*d = (struct route_decision){
		.backend = p->backend,
		.variant = p->variant,
		.form = p->table != NULL ? FORM_RELATION : FORM_ASIS,
		.month_from = INT64_MIN,
		.month_until = INT64_MIN,
		.why = p->why,
	};
	if (p->err_sqlstate != NULL) {
		d->backend = p->db->backend;
		d->variant = NULL;
		d->form = FORM_ASIS;
		return;
	}
	if (p->table != NULL && p->table->time_column != NULL &&
	    p->rewrite == NULL && s->an->n_tables == 1 && !(s->an->flags & AN_MULTI) &&
	    decide_months(p, s, v, ROUTE_SURE_LOOSE, &d->month_from, &d->month_until))
		d->closed = d->month_until != INT64_MAX &&
		    decide_is_past(v->now_wall, d->month_until);
	if (p->may_shard)
		decide_shards(p, s, v, d);
	else if (p->may_span)
		decide_span(p, s, v, d);
	else if (p->may_leaf)
		decide_leaf(p, s, v, d);
	decide_cache(p, s->an, v, d);
}
