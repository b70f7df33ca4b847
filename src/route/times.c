/* SPDX-License-Identifier: PostgreSQL
 *
 * The times that the rows of a relation can have in a column.
 *
 * A condition that every row satisfies leaves the range of its values; what
 * is not understood leaves all.  Knows no tables of the configuration.  Pure;
 * runs for every routed execution, so it allocates nothing.
 */
#include "route/month.h"
#include "route/route_priv.h"

/* false: a time of this value cannot be known. *typed: the value has a type
 * of its own and may have to be converted by the session's zone. */
static bool
times_type(const struct route_value *rv, enum an_cast cast,
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

/* How far a time without a zone may be from the same in UTC. */
static int64_t
times_zone(const struct route_reader *reader)
{
	return reader->v->utc ? 0 : MONTH_ZONE_US;
}

static bool
times_value(struct route_reader *reader, const struct an_value *val,
    enum route_sure how, struct month_range *r)
{
	int64_t zone = times_zone(reader);
	struct route_value rv;
	enum month_type type;
	bool typed, binary;

	route_value_get(reader, val, &rv);
	if (!times_type(&rv, val->cast, &type, &typed))
		return false;
	binary = rv.kind == ROUTE_VALUE_BINARY && !route_oid_is_text(rv.oid);
	if (binary ? !month_parse_binary(rv.s, type, zone, r) :
	             !month_parse_text(rv.s, type, zone, r))
		return false;
	if (how == ROUTE_SURE_ANY_COLUMN && typed && type == MONTH_TIMESTAMPTZ) {
		r->lo -= zone;
		r->hi += zone;
	}
	return true;
}

/* date_trunc('month', column) = value. The value is the start of a month in
 * the session's zone, whose name may not be known; the month ends as far from
 * the month's end in UTC as it began, daylight saving apart. */
static bool
times_whole_month(struct month_range *r, enum route_sure how, int64_t zone)
{
	int64_t month = month_of(r->lo + zone);
	int64_t late = r->hi - month_start(month);

	if (month_of(r->hi + zone) != month)
		return false;
	r->hi = month_start(month + 1) + late - 1;
	if (zone > 0 && (late != 0 || how != ROUTE_SURE_LOOSE))
		r->hi += 2 * 3600 * MONTH_SECOND_US;
	return true;
}

static void
times_widen(struct month_range *hull, const struct month_range *r)
{
	if (r->lo < hull->lo)
		hull->lo = r->lo;
	if (r->hi > hull->hi)
		hull->hi = r->hi;
}

/* The hull of all values of a predicate. */
static bool
times_pred_range(struct route_reader *reader, const struct an_pred *d,
    enum route_sure how, struct month_range *hull)
{
	if (d->op == AN_IN_ARRAY) /* members are not looked at */
		return false;
	hull->lo = INT64_MAX;
	hull->hi = INT64_MIN;
	for (size_t i = 0; i < d->n_values; i++) {
		struct month_range r;

		if (!times_value(reader, &d->values[i], how, &r))
			return false;
		if (d->op == AN_MONTH_EQ && !times_whole_month(&r, how,
		    times_zone(reader)))
			return false;
		times_widen(hull, &r);
	}
	if (d->op == AN_LT)
		hull->hi--;
	if (d->op == AN_LT || d->op == AN_LE)
		hull->lo = INT64_MIN;
	if (d->op == AN_GT || d->op == AN_GE)
		hull->hi = INT64_MAX;
	return d->n_values > 0;
}

/* Times that are over a relation's rows: of one column. */
struct times {
	unsigned an_table;
	const char *column;
	const struct route_values *v;
	const struct an_pred *preds;
	struct route_reader reader;
	enum route_sure how;
	const struct conf_variant *agrees; /* see conf_variant.id_timed; NULL: */
	const char *id;                    /* no column is known to */
};

/* A UUIDv7 has its time in its first 48 bits, in milliseconds. */
static bool
times_uuid(struct times *t, const struct an_value *val, struct month_range *r)
{
	uint8_t uuid[16];
	int64_t ms = 0;

	if (!route_key_uuid(&t->reader, val, uuid) || uuid[6] >> 4 != 7 ||
	    uuid[8] >> 6 != 2)
		return false;
	for (size_t i = 0; i < 6; i++)
		ms = ms << 8 | uuid[i];
	r->lo = ms * 1000 + t->agrees->id_lo;
	r->hi = ms * 1000 + t->agrees->id_hi;
	return true;
}

/* The hull of the times of all UUIDs that a row may have. */
static bool
times_pred_uuids(struct times *t, const struct an_pred *d,
    struct month_range *hull)
{
	struct month_range r;

	if (d->op != AN_EQ && d->op != AN_IN)
		return false;
	*hull = (struct month_range){ INT64_MAX, INT64_MIN };
	for (size_t i = 0; i < d->n_values; i++) {
		if (!times_uuid(t, &d->values[i], &r))
			return false;
		times_widen(hull, &r);
	}
	return d->n_values > 0;
}

/* The times that one condition leaves. false: any. */
static bool
times_pred(struct times *t, const struct an_pred *d, struct month_range *r)
{
	if (d->table != t->an_table)
		return false;
	if (strcmp(d->column, t->column) == 0)
		return analysis_pred_applies(d, t->v->sql, t->v->lx) &&
		    times_pred_range(&t->reader, d, t->how, r);
	return t->agrees != NULL && strcmp(d->column, t->id) == 0 &&
	    times_pred_uuids(t, d, r);
}

static struct month_range times_all(struct times *t, size_t i,
    size_t end);

/* The hull of all branches of an OR. */
static struct month_range
times_any(struct times *t, size_t i, size_t end)
{
	struct month_range hull = { INT64_MAX, INT64_MIN }, r;
	size_t next;

	for (; i < end; i = next) {
		next = an_pred_next(t->preds, i);
		r = times_all(t, i + (t->preds[i].op == AN_ALL_OF), next);
		if (r.lo > r.hi) /* it has no rows */
			continue;
		times_widen(&hull, &r);
	}
	return hull;
}

/* What all of preds [i, end) leave; lo > hi: nothing. */
static struct month_range
times_all(struct times *t, size_t i, size_t end)
{
	struct month_range all = { INT64_MIN, INT64_MAX }, r;

	for (; i < end; i = an_pred_next(t->preds, i)) {
		const struct an_pred *d = &t->preds[i];

		if (d->op == AN_ANY_OF)
			r = times_any(t, i + 1, an_pred_next(t->preds, i));
		else if (d->op == AN_ALL_OF || !times_pred(t, d, &r))
			continue;
		if (r.lo > all.lo)
			all.lo = r.lo;
		if (r.hi < all.hi)
			all.hi = r.hi;
	}
	return all;
}

/* A contradiction has no rows, and so no times. */
static bool
times_known(struct times *t, const struct shape *s, struct month_range *all)
{
	route_reader_init(&t->reader, t->v);
	*all = times_all(t, 0, s->an->n_preds);
	return (all->lo != INT64_MIN || all->hi != INT64_MAX) &&
	    all->lo <= all->hi;
}

bool
route_times(const struct shape *s, const struct route_values *v,
    unsigned an_table, const char *column, enum route_sure how,
    struct month_range *all)
{
	struct times t = { .an_table = an_table, .column = column, .v = v,
		.preds = s->an->preds, .how = how };

	return times_known(&t, s, all);
}

bool
route_table_times(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, enum route_sure how,
    struct month_range *all)
{
	struct times t = { .an_table = p->an_table,
		.column = p->table->time_column, .v = v,
		.preds = s->an->preds, .how = how };

	/* What a statement gives a row that it makes, a trigger may change. */
	if (p->variant->id_timed && s->an->kind != STMT_INSERT &&
	    s->an->kind != STMT_MERGE) {
		t.agrees = p->variant;
		t.id = p->table->month_id;
	}
	return times_known(&t, s, all);
}
