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

/* false: a time of this value cannot be known. *typed: the value has a type
 * of its own and may have to be converted by the session's zone. */
static bool
decide_time_type(const struct route_value *rv, enum an_cast cast,
    enum month_type *type, bool *typed)
{
	uint32_t oid = rv->oid;

	if (rv->kind == ROUTE_VALUE_NONE || rv->kind == ROUTE_VALUE_NULL ||
	    rv->kind == ROUTE_VALUE_NUMBER || rv->repeated)
		return false;
	*typed = oid != 0 || cast != AN_CAST_NONE;
	if (oid == 0 || route_oid_is_text(oid)) {
		switch (cast) {
		case AN_CAST_NONE:
			*type = MONTH_ANY;
			return oid == 0;
		case AN_CAST_DATE:
			*type = MONTH_DATE;
			return true;
		case AN_CAST_TIMESTAMP:
			*type = MONTH_TIMESTAMP;
			return true;
		case AN_CAST_TIMESTAMPTZ:
			*type = MONTH_TIMESTAMPTZ;
			return true;
		default:
			return false;
		}
	}
	switch (oid) {
	case ROUTE_OID_DATE:
		*type = MONTH_DATE;
		return cast == AN_CAST_NONE || cast == AN_CAST_DATE;
	case ROUTE_OID_TIMESTAMP:
		*type = MONTH_TIMESTAMP;
		return cast == AN_CAST_NONE || cast == AN_CAST_TIMESTAMP;
	case ROUTE_OID_TIMESTAMPTZ:
		*type = MONTH_TIMESTAMPTZ;
		return cast == AN_CAST_NONE || cast == AN_CAST_TIMESTAMPTZ;
	default:
		return false;
	}
}

/* How sure a range has to be. */
enum decide_range {
	RANGE_LOOSE,       /* for the life of a cached result */
	RANGE_ANY_COLUMN,  /* no row is outside, whatever the column's type: the
	                      session's zone may convert the value to it */
	RANGE_TIMESTAMPTZ  /* the same; this is the column's type */
};

/* How far a time without a zone may be from the same in UTC. */
static int64_t
decide_zone(const struct route_reader *reader)
{
	return reader->v->utc ? 0 : MONTH_ZONE_US;
}

static bool
decide_time(struct route_reader *reader, const struct an_value *val,
    enum decide_range how, struct month_range *r)
{
	int64_t zone = decide_zone(reader);
	struct route_value rv;
	enum month_type type;
	bool typed, binary;

	route_value_get(reader, val, &rv);
	if (!decide_time_type(&rv, val->cast, &type, &typed))
		return false;
	binary = rv.kind == ROUTE_VALUE_BINARY && !route_oid_is_text(rv.oid);
	if (binary ? !month_parse_binary(rv.s, type, zone, r) :
	             !month_parse_text(rv.s, type, zone, r))
		return false;
	if (how == RANGE_ANY_COLUMN && typed && type == MONTH_TIMESTAMPTZ) {
		r->lo -= zone;
		r->hi += zone;
	}
	return true;
}

/* date_trunc('month', column) = value. The value is the start of a month in
 * the session's zone, whose name may not be known; the month ends as far from
 * the month's end in UTC as it began, daylight saving apart. */
static bool
decide_whole_month(struct month_range *r, enum decide_range how, int64_t zone)
{
	int64_t month = month_of(r->lo + zone);
	int64_t late = r->hi - month_start(month);

	if (month_of(r->hi + zone) != month)
		return false;
	r->hi = month_start(month + 1) + late - 1;
	if (zone > 0 && (late != 0 || how != RANGE_LOOSE))
		r->hi += 2 * 3600 * MONTH_SECOND_US;
	return true;
}

/* The hull of all values of a predicate. */
static bool
decide_pred_range(struct route_reader *reader, const struct an_pred *d,
    enum decide_range how, struct month_range *hull)
{
	if (d->op == AN_IN_ARRAY) /* members are not looked at */
		return false;
	hull->lo = INT64_MAX;
	hull->hi = INT64_MIN;
	for (size_t i = 0; i < d->n_values; i++) {
		struct month_range r;

		if (!decide_time(reader, &d->values[i], how, &r))
			return false;
		if (d->op == AN_MONTH_EQ && !decide_whole_month(&r, how,
		    decide_zone(reader)))
			return false;
		if (r.lo < hull->lo)
			hull->lo = r.lo;
		if (r.hi > hull->hi)
			hull->hi = r.hi;
	}
	if (d->op == AN_LT)
		hull->hi--;
	if (d->op == AN_LT || d->op == AN_LE)
		hull->lo = INT64_MIN;
	if (d->op == AN_GT || d->op == AN_GE)
		hull->hi = INT64_MAX;
	return d->n_values > 0;
}

/* Times that are over a statement's rows: of its one table's column. */
struct decide_times {
	const struct route_plan *p;
	const struct route_values *v;
	const struct an_pred *preds;
	struct route_reader reader;
	enum decide_range how;
};

static struct month_range decide_all(struct decide_times *t, size_t i,
    size_t end);

/* The hull of all branches of an OR. */
static struct month_range
decide_any(struct decide_times *t, size_t i, size_t end)
{
	struct month_range hull = { INT64_MAX, INT64_MIN }, r;
	size_t next;

	for (; i < end; i = next) {
		next = an_pred_next(t->preds, i);
		r = decide_all(t, i + (t->preds[i].op == AN_ALL_OF), next);
		if (r.lo > r.hi) /* it has no rows */
			continue;
		if (r.lo < hull.lo)
			hull.lo = r.lo;
		if (r.hi > hull.hi)
			hull.hi = r.hi;
	}
	return hull;
}

/* What all of preds [i, end) leave; lo > hi: nothing. */
static struct month_range
decide_all(struct decide_times *t, size_t i, size_t end)
{
	struct month_range all = { INT64_MIN, INT64_MAX }, r;

	for (; i < end; i = an_pred_next(t->preds, i)) {
		const struct an_pred *d = &t->preds[i];

		if (d->op == AN_ANY_OF)
			r = decide_any(t, i + 1, an_pred_next(t->preds, i));
		else if (d->op == AN_ALL_OF || d->table != t->p->an_table ||
		    strcmp(d->column, t->p->table->time_column) != 0 ||
		    !analysis_pred_applies(d, t->v->sql, t->v->lx) ||
		    !decide_pred_range(&t->reader, d, t->how, &r))
			continue;
		if (r.lo > all.lo)
			all.lo = r.lo;
		if (r.hi < all.hi)
			all.hi = r.hi;
	}
	return all;
}

/* Times of all rows of the statement; false: they may have any. */
static bool
decide_range(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, enum decide_range how,
    struct month_range *all)
{
	struct decide_times t = { .p = p, .v = v, .preds = s->an->preds,
		.how = how };

	route_reader_init(&t.reader, v);
	*all = decide_all(&t, 0, s->an->n_preds);
	/* A contradiction has no rows, and so no times. */
	return (all->lo != INT64_MIN || all->hi != INT64_MAX) &&
	    all->lo <= all->hi;
}

/* Months that hold every row of the statement, [from, until), or false. */
static bool
decide_months(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, enum decide_range how, int64_t *from,
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

	if (!decide_months(p, s, v, RANGE_ANY_COLUMN, &from, &until))
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
	if (!decide_range(p, s, v, RANGE_TIMESTAMPTZ, &r))
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
	if (s->an->n_tables == 1) {
		route_confine(p, s, v, &d->shards);
	} else if (!route_confine_all(p, s, v, &d->shards)) {
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
decide_cache(const struct route_plan *p, const struct analysis *a,
    const struct route_values *v, struct route_decision *d)
{
	const struct conf_rule *r = p->rule;

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
	if (!r->allow_stable &&
	    (analysis_has_special_literals(a, v->sql, v->lx) ||
		route_values_special(v)))
		d->bypass = BYPASS_STABLE;
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
	    s->an->n_tables == 1 && !(s->an->flags & AN_MULTI) &&
	    decide_months(p, s, v, RANGE_LOOSE, &d->month_from, &d->month_until))
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
