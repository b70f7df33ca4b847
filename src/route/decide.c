/* SPDX-License-Identifier: PostgreSQL
 *
 * A plan and the values of one execution: shard, months, cache life.
 *
 * Only what is proven narrows the answer.  A value proves something if it is
 * certain how the server will read it: its type is the column's family, it is
 * not NULL, and nothing else in the statement can give it another type.  All
 * else stays with the plan's backend.  Pure; runs for every routed execution,
 * so it allocates nothing.
 */
#include "route/month.h"
#include "route/route_priv.h"
#include "route/tenant.h"

#define DECIDE_OID_TEXT 25u
#define DECIDE_OID_VARCHAR 1043u
#define DECIDE_OID_DATE 1082u
#define DECIDE_OID_TIMESTAMP 1114u
#define DECIDE_OID_TIMESTAMPTZ 1184u
#define DECIDE_OID_INT8 20u
#define DECIDE_OID_INT2 21u
#define DECIDE_OID_INT4 23u
#define DECIDE_OID_UUID 2950u

static bool
decide_oid_is_text(uint32_t oid)
{
	return oid == DECIDE_OID_TEXT || oid == DECIDE_OID_VARCHAR;
}

/* ------------------------------------------------------------------- shard */

/* The type that an explicit cast gives. false: not of the key's family.
 * AN_CAST_NONE gives 0. */
static bool
decide_key_cast(enum conf_key_type type, enum an_cast cast, uint32_t *oid)
{
	bool is_int = type == KEY_TYPE_INT4 || type == KEY_TYPE_INT8;

	switch (cast) {
	case AN_CAST_NONE:
		*oid = 0;
		return true;
	case AN_CAST_INT2:
		*oid = DECIDE_OID_INT2;
		return is_int;
	case AN_CAST_INT4:
		*oid = DECIDE_OID_INT4;
		return is_int;
	case AN_CAST_INT8:
		*oid = DECIDE_OID_INT8;
		return is_int;
	case AN_CAST_TEXT:
		*oid = DECIDE_OID_TEXT;
		return type == KEY_TYPE_TEXT;
	case AN_CAST_UUID:
		*oid = DECIDE_OID_UUID;
		return type == KEY_TYPE_UUID;
	case AN_CAST_DATE:
	case AN_CAST_TIMESTAMP:
	case AN_CAST_TIMESTAMPTZ:
	case AN_CAST_OTHER:
		break;
	}
	return false;
}

static bool
decide_is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	}
	return true;
}

static bool
decide_key_hash(enum conf_key_type type, const struct shape *s,
    const struct route_values *v, const struct an_value *val, uint64_t *hash)
{
	struct route_value rv;
	uint32_t oid, cast_oid;

	if (!decide_key_cast(type, val->cast, &cast_oid))
		return false;
	route_value_get(s, v, val, &rv);
	if (rv.kind == ROUTE_VALUE_NONE)
		return false;
	/* A bare number is no text: '007' = 7 is the server's to judge. */
	if (rv.kind == ROUTE_VALUE_NUMBER && type != KEY_TYPE_INT4 &&
	    type != KEY_TYPE_INT8)
		return false;
	/* Nothing but a uuid compares with a uuid, so there the type is sure
	 * even if the parameter stands elsewhere too. */
	if (rv.repeated && type != KEY_TYPE_UUID)
		return false;
	if (type == KEY_TYPE_TEXT && v->other_encoding &&
	    !decide_is_ascii(rv.s))
		return false;
	oid = rv.oid;
	if (oid == 0) {
		oid = cast_oid;
	} else if (decide_oid_is_text(oid) && cast_oid != 0) {
		/* Converted by the type's input function; binary text is text. */
		rv.kind = ROUTE_VALUE_TEXT;
		oid = cast_oid;
	}
	return tenant_hash_value(type, rv.s, rv.kind == ROUTE_VALUE_BINARY,
	    oid, hash);
}

/* All values of the predicate lie on one shard. */
static bool
decide_pred_shard(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, const struct an_pred *d,
    const struct conf_shard **shard)
{
	for (size_t i = 0; i < d->n_values; i++) {
		const struct conf_shard *one;
		uint64_t hash;

		if (!decide_key_hash(p->table->key_type, s, v, &d->values[i],
			&hash))
			return false;
		one = conf_shard_of(p->variant, hash);
		if (i > 0 && one != *shard)
			return false;
		*shard = one;
	}
	return d->n_values > 0;
}

static void
decide_shard(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, struct route_decision *d)
{
	const struct analysis *a = s->an;
	const struct an_table *t = &a->tables[p->an_table];
	const char *key = p->table->key_column;
	const struct conf_shard *shard = NULL;
	bool open;

	if (gap_is_only(v, lex_pos(v->lx, t->pos), &open)) {
		d->why = "the coordinator: ONLY leaves the shards out";
		return;
	}
	for (size_t i = (size_t)p->key_pred; i < a->n_preds; i++) {
		const struct an_pred *pred = &a->preds[i];

		if (pred->table != p->an_table ||
		    strcmp(pred->column, key) != 0 ||
		    (pred->op != AN_EQ && pred->op != AN_IN &&
			pred->op != AN_ROWS))
			continue;
		if (!decide_pred_shard(p, s, v, pred, &shard))
			continue;
		d->shard = shard;
		d->backend = shard->backend;
		d->form = FORM_OF(shard->relation);
		d->why = "one shard: every row has this key's hash";
		return;
	}
	d->why = "the coordinator: no single shard is proven";
}

/* ------------------------------------------------------------------ months */

/* false: a time of this value cannot be known. *typed: the value has a type
 * of its own and may have to be converted by the session's zone. */
static bool
decide_time_type(const struct route_value *rv, enum an_cast cast,
    enum month_type *type, bool *typed)
{
	uint32_t oid = rv->oid;

	if (rv->kind == ROUTE_VALUE_NONE || rv->kind == ROUTE_VALUE_NUMBER ||
	    rv->repeated)
		return false;
	*typed = oid != 0 || cast != AN_CAST_NONE;
	if (oid == 0 || decide_oid_is_text(oid)) {
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
	case DECIDE_OID_DATE:
		*type = MONTH_DATE;
		return cast == AN_CAST_NONE || cast == AN_CAST_DATE;
	case DECIDE_OID_TIMESTAMP:
		*type = MONTH_TIMESTAMP;
		return cast == AN_CAST_NONE || cast == AN_CAST_TIMESTAMP;
	case DECIDE_OID_TIMESTAMPTZ:
		*type = MONTH_TIMESTAMPTZ;
		return cast == AN_CAST_NONE || cast == AN_CAST_TIMESTAMPTZ;
	default:
		return false;
	}
}

/* strict: count with a column of another type than the value's, to which the
 * session's zone would convert it. */
static bool
decide_time(const struct shape *s, const struct route_values *v,
    const struct an_value *val, bool strict, struct month_range *r)
{
	struct route_value rv;
	enum month_type type;
	bool typed, binary;

	route_value_get(s, v, val, &rv);
	if (!decide_time_type(&rv, val->cast, &type, &typed))
		return false;
	binary = rv.kind == ROUTE_VALUE_BINARY && !decide_oid_is_text(rv.oid);
	if (binary ? !month_parse_binary(rv.s, type, r) :
	             !month_parse_text(rv.s, type, r))
		return false;
	if (strict && typed && type == MONTH_TIMESTAMPTZ) {
		r->lo -= MONTH_ZONE_US;
		r->hi += MONTH_ZONE_US;
	}
	return true;
}

/* date_trunc('month', column) = value. The value is the start of a month in
 * the session's zone, whose name is not known; the month ends as far from the
 * month's end in UTC as it began, daylight saving apart. */
static bool
decide_whole_month(struct month_range *r, bool strict)
{
	int64_t month = month_of(r->lo + MONTH_ZONE_US);
	int64_t late = r->hi - month_start(month);

	if (month_of(r->hi + MONTH_ZONE_US) != month)
		return false;
	r->hi = month_start(month + 1) + late - 1;
	if (late != 0 || strict)
		r->hi += 2 * 3600 * MONTH_SECOND_US;
	return true;
}

/* The hull of all values of a predicate. */
static bool
decide_pred_range(const struct shape *s, const struct route_values *v,
    const struct an_pred *d, bool strict, struct month_range *hull)
{
	hull->lo = INT64_MAX;
	hull->hi = INT64_MIN;
	for (size_t i = 0; i < d->n_values; i++) {
		struct month_range r;

		if (!decide_time(s, v, &d->values[i], strict, &r))
			return false;
		if (d->op == AN_MONTH_EQ && !decide_whole_month(&r, strict))
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

/* Months that hold every row of the statement, [from, until), or false. */
static bool
decide_months(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, bool strict, int64_t *from, int64_t *until)
{
	const struct analysis *a = s->an;
	struct month_range all = { INT64_MIN, INT64_MAX };

	for (size_t i = 0; i < a->n_preds; i++) {
		const struct an_pred *d = &a->preds[i];
		struct month_range r;

		if (d->table != p->an_table ||
		    strcmp(d->column, p->table->time_column) != 0 ||
		    !analysis_pred_applies(d, v->sql, v->lx) ||
		    !decide_pred_range(s, v, d, strict, &r))
			continue;
		if (r.lo > all.lo)
			all.lo = r.lo;
		if (r.hi < all.hi)
			all.hi = r.hi;
	}
	/* A contradiction has no rows, and so no months. */
	if ((all.lo == INT64_MIN && all.hi == INT64_MAX) || all.lo > all.hi)
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

	if (!decide_months(p, s, v, true, &from, &until))
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
	    decide_months(p, s, v, false, &d->month_from, &d->month_until))
		d->closed = d->month_until != INT64_MAX &&
		    decide_is_past(v->now_wall, d->month_until);
	if (p->may_shard)
		decide_shard(p, s, v, d);
	else if (p->may_span)
		decide_span(p, s, v, d);
	decide_cache(p, s->an, v, d);
}
