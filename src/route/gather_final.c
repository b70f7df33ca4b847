/* SPDX-License-Identifier: PostgreSQL
 *
 * How the rows of many shards become the answer: the text of the final query.
 *
 * Only types are trusted that mean the same on every server and whose order
 * does not hang on a collation; what is left of a column's type in a parameter
 * is its OID.  Pure.
 */
#include <stdio.h>
#include <stdlib.h>

#include "route/gather_priv.h"

#define OID_INT8 20u
#define OID_INT2 21u
#define OID_INT4 23u
#define OID_JSON 114u
#define OID_FLOAT4 700u
#define OID_FLOAT8 701u
#define OID_MONEY 790u
#define OID_INTERVAL 1186u
#define OID_NUMERIC 1700u
#define OID_JSONB 3802u
#define OID_USER 16384u /* from here on types differ from server to server */

struct final {
	const struct gather *g;
	const struct gather_column *c;
	size_t n, visible;
	struct buf *out;
	bool failed; /* no room, or not to be said */
};

/* ------------------------------------------------------------------- types */

/* Sorted by the value alone. */
static bool
final_is_ordered(uint32_t oid)
{
	static const uint32_t oids[] = { 16 /* bool */, 17 /* bytea */, 20,
	    21, 23 /* int8, int2, int4 */, 26 /* oid */, 700, 701, 790, 829
	    /* macaddr */, 869 /* inet */, 1082 /* date */, 1083 /* time */,
	    1114, 1184 /* timestamp, with time zone */, 1186, 1266 /* timetz */,
	    1700, 2950 /* uuid */, 3220 /* pg_lsn */ };

	for (size_t i = 0; i < ARRAY_SIZE(oids); i++) {
		if (oids[i] == oid)
			return true;
	}
	return false;
}

static bool
final_is_text(uint32_t oid)
{
	return oid == 25 /* text */ || oid == 1042 /* bpchar */ ||
	    oid == 1043 /* varchar */;
}

/* Column i is sorted here as on every shard. recollated: the expression of it may
 * have another collation than the columns. */
static bool
final_sorts(const struct final *f, size_t i, bool recollated)
{
	const struct route_plan *p = f->g->p;

	if (final_is_ordered(f->c[i].oid))
		return true;
	for (size_t k = 0; k < f->g->s->an->n_tables; k++) {
		if (!p->tables[k]->use->sorts_text)
			return false;
	}
	return final_is_text(f->c[i].oid) && !recollated &&
	    !f->g->split->recollated;
}

/* Its sums do not depend on their order. */
static bool
final_is_exact(uint32_t oid)
{
	return oid == OID_INT2 || oid == OID_INT4 || oid == OID_INT8 ||
	    oid == OID_NUMERIC;
}

/* Equal values of it look the same, whatever the collation (0.0 and -0.0, 1.0
 * and 1.00 do not, but any of them may stand for its group). */
static bool
final_is_grouped(uint32_t oid)
{
	return final_is_ordered(oid) || final_is_text(oid) ||
	    oid == 19 /* name */ || oid == 18 /* "char" */ || oid == OID_JSONB;
}

/* ------------------------------------------------------------------- words */

static void
final_put_n(struct final *f, const char *s, size_t n)
{
	f->failed = f->failed || !buf_append(f->out, s, n);
}

static void
final_put(struct final *f, const char *s)
{
	final_put_n(f, s, strlen(s));
}

static void
final_number(struct final *f, const char *before, size_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", n);
	final_put(f, before);
	final_put(f, text);
}

static size_t
final_index(const struct final *f, struct gather_ref r)
{
	return r.kind == REF_VISIBLE ? r.n : f->visible + r.n;
}

static void
final_column(struct final *f, size_t i)
{
	final_number(f, "p.c", i + 1);
}

/* VALUES ($1, $2), ($3, $4), ... */
static void
final_values(struct final *f, size_t rows)
{
	size_t param = 1;

	final_put(f, " FROM (VALUES ");
	for (size_t r = 0; r < rows; r++) {
		final_put(f, r == 0 ? "(" : ", (");
		for (size_t i = 0; i < f->n; i++)
			final_number(f, i == 0 ? "$" : ", $",
			    param++);
		final_put(f, ")");
	}
	final_put(f, ") AS p(");
	for (size_t i = 0; i < f->n; i++)
		final_number(f, i == 0 ? "c" : ", c", i + 1);
	final_put(f, ")");
}

/* -------------------------------------------------------------- aggregates */

static void
final_call(struct final *f, const char *function, size_t column)
{
	final_put(f, function);
	final_put(f, "(");
	final_column(f, column);
	final_put(f, ")");
}

/* Sums of floats depend on their order. */
static bool
final_is_float(const struct final *f, size_t column)
{
	for (size_t k = 0; k < f->g->s->an->n_tables; k++) {
		if (!f->g->p->tables[k]->approximate_floats)
			return false;
	}
	return f->c[column].oid == OID_FLOAT4 ||
	    f->c[column].oid == OID_FLOAT8;
}

static void
final_sum(struct final *f, size_t column)
{
	switch (f->c[column].oid) {
	case OID_INT8: /* its sum is a numeric, and was none */
		final_call(f, "sum", column);
		final_put(f, "::int8");
		break;
	case OID_NUMERIC:
	case OID_MONEY:
	case OID_INTERVAL:
		final_call(f, "sum", column);
		break;
	default:
		f->failed |= !final_is_float(f, column);
		final_call(f, "sum", column);
	}
}

/* As PostgreSQL ends avg(): the sum divided by the number. */
static void
final_avg(struct final *f, size_t column)
{
	uint32_t oid = f->c[column].oid;
	bool divides = oid == OID_INTERVAL || final_is_float(f, column);

	if (oid != OID_INT8 && oid != OID_NUMERIC && !divides)
		f->failed = true;
	final_put(f, "(");
	final_call(f, "sum", column);
	final_put(f, " / nullif(");
	final_call(f, "sum", column + 1);
	final_put(f, divides ? ", 0)::float8)" : ", 0))");
}

/* Values of column i are equal here where they are on a shard. */
static bool
final_is_alike(const struct final *f, size_t i, bool recollated)
{
	uint32_t oid = f->c[i].oid;

	return final_is_grouped(oid) && (!final_is_text(oid) ||
	    final_sorts(f, i, recollated));
}

/* Each value once: the shards have made groups of them. */
static void
final_distinct(struct final *f, const struct an_agg *a, size_t column)
{
	static const char *const names[] = { [AN_AGG_SUM] = "sum",
	    [AN_AGG_COUNT] = "count", [AN_AGG_MIN] = "min",
	    [AN_AGG_MAX] = "max", [AN_AGG_AVG] = "avg",
	    [AN_AGG_BOOL_AND] = "bool_and", [AN_AGG_BOOL_OR] = "bool_or",
	    [AN_AGG_BIT_AND] = "bit_and", [AN_AGG_BIT_OR] = "bit_or" };
	uint32_t oid = f->c[column].oid;

	f->failed |= !final_is_alike(f, column, a->recollated);
	if (a->kind == AN_AGG_SUM || a->kind == AN_AGG_AVG)
		f->failed |= !final_is_exact(oid);
	if (a->kind == AN_AGG_MIN || a->kind == AN_AGG_MAX)
		f->failed |= !final_sorts(f, column, a->recollated);
	final_put(f, names[a->kind]);
	final_put(f, "(DISTINCT ");
	final_column(f, column);
	final_put(f, ")");
	if (a->filter.from.cut == a->filter.until.cut &&
	    a->filter.from.off == a->filter.until.off)
		return;
	final_put(f, " FILTER (WHERE ");
	final_column(f, column + 1);
	final_put(f, ")");
}

static void
final_aggregate(struct final *f, size_t agg)
{
	size_t column = final_index(f, f->g->aggs[agg]);

	CHECK(column < f->n);
	if (f->g->split->aggs[agg].distinct) {
		final_distinct(f, &f->g->split->aggs[agg], column);
		return;
	}
	switch (f->g->split->aggs[agg].kind) {
	case AN_AGG_SUM:
	case AN_AGG_COUNT:
		final_sum(f, column);
		break;
	case AN_AGG_AVG:
		final_avg(f, column);
		break;
	case AN_AGG_MIN:
	case AN_AGG_MAX:
		f->failed |= !final_sorts(f, column,
		    f->g->split->aggs[agg].recollated);
		final_call(f, f->g->split->aggs[agg].kind == AN_AGG_MIN ?
		    "min" : "max", column);
		break;
	case AN_AGG_BOOL_AND:
		final_call(f, "bool_and", column);
		break;
	case AN_AGG_BOOL_OR:
		final_call(f, "bool_or", column);
		break;
	case AN_AGG_BIT_AND:
		final_call(f, "bit_and", column);
		break;
	case AN_AGG_BIT_OR:
		final_call(f, "bit_or", column);
		break;
	}
}

/* The client's expression with its aggregates replaced. */
static void
final_expression(struct final *f, const struct an_item *item)
{
	const struct lexer *lx = f->g->v->lx;
	const char *sql = f->g->v->sql.p;
	uint32_t at = lex_pos(lx, item->expr.from), pos;

	for (size_t i = 0; i < item->n_aggs; i++) {
		const struct an_agg *a =
		    &f->g->split->aggs[item->first_agg + i];

		pos = lex_pos(lx, a->call.from);
		final_put_n(f, sql + at, pos - at);
		final_aggregate(f, item->first_agg + i);
		at = lex_pos(lx, a->call.until);
	}
	final_put_n(f, sql + at, lex_pos(lx, item->expr.until) - at);
}

/* ----------------------------------------------------------------- clauses */

/* DISTINCT ON (...): the shards have each left one row of theirs. */
static void
final_ons(struct final *f)
{
	const struct an_split *s = f->g->split;
	size_t column;

	for (size_t i = 0; i < s->n_ons; i++) {
		column = final_index(f, f->g->ons[i]);
		if (column >= f->n) {
			f->failed = true;
			return;
		}
		f->failed |= !final_is_alike(f, column, s->ons[i].recollated);
		final_put(f, i == 0 ? "DISTINCT ON (" : ", ");
		final_column(f, column);
	}
	if (s->n_ons > 0)
		final_put(f, ") ");
}

static void
final_targets(struct final *f)
{
	const struct an_split *s = f->g->split;

	final_put(f, s->distinct ? "SELECT DISTINCT " : "SELECT ");
	final_ons(f);
	for (size_t i = 0; i < f->visible; i++) {
		if (i > 0)
			final_put(f, ", ");
		if (f->g->mode == GATHER_GROUP && s->targets[i].n_aggs > 0) {
			final_expression(f, &s->targets[i]);
		} else if (f->g->mode == GATHER_GROUP && !f->g->keys[i]) {
			/* It hangs on the keys: one is like the other. */
			f->failed |= !final_is_grouped(f->c[i].oid) &&
			    f->c[i].oid != OID_JSON;
			final_put(f, "(");
			final_call(f, "array_agg", i);
			final_put(f, ")[1]");
		} else {
			final_column(f, i);
		}
		if (s->distinct)
			f->failed |= !final_is_grouped(f->c[i].oid);
	}
}

static void
final_groups(struct final *f)
{
	size_t column;

	for (size_t i = 0; i < f->g->split->n_groups; i++) {
		final_put(f, i == 0 ? " GROUP BY " : ", ");
		column = final_index(f, f->g->groups[i]);
		f->failed |= !final_is_grouped(f->c[column].oid);
		final_column(f, column);
	}
	if (f->g->split->has_having) {
		final_put(f, " HAVING ");
		final_expression(f, &f->g->split->having);
	}
}

/* Column i of the result; what a star brings is just columns. */
static bool
final_recollates(const struct final *f, size_t i)
{
	const struct an_split *s = f->g->split;

	for (size_t k = 0; k < s->n_targets; k++) {
		if (s->targets[k].star)
			break;
		if (k == i)
			return s->targets[k].recollated;
	}
	for (size_t k = 0; k < s->n_targets; k++) {
		if (s->targets[k].recollated)
			return true;
	}
	return false;
}

/* A name of the result, else of a key. */
static void
final_order_name(struct final *f, const struct an_item *o)
{
	const struct an_split *s = f->g->split;
	size_t seen = 0, at = 0;

	for (size_t i = 0; i < f->visible; i++) {
		if (!slice_eq_str(f->c[i].name, o->column))
			continue;
		seen++;
		at = i;
	}
	if (seen == 1) {
		f->failed |= !final_sorts(f, at, final_recollates(f, at));
		final_number(f, "", at + 1);
		return;
	}
	for (size_t i = 0; i < s->n_groups && seen == 0; i++) {
		if (s->groups[i].column == NULL ||
		    strcmp(s->groups[i].column, o->column) != 0)
			continue;
		at = final_index(f, f->g->groups[i]);
		f->failed |= !final_sorts(f, at, s->groups[i].recollated);
		final_column(f, at);
		return;
	}
	f->failed = true;
}

static void
final_order(struct final *f, size_t i)
{
	const struct an_item *o = &f->g->split->orders[i];
	struct gather_ref r = f->g->orders[i];
	size_t column = final_index(f, r);

	switch (r.kind) {
	case REF_VISIBLE:
		if (column >= f->visible) {
			f->failed = true;
			return;
		}
		f->failed |= !final_sorts(f, column,
		    final_recollates(f, column));
		final_number(f, "", column + 1);
		break;
	case REF_EXTRA:
		f->failed |= !final_sorts(f, column, o->recollated);
		final_column(f, column);
		break;
	case REF_NAME:
		final_order_name(f, o);
		break;
	case REF_NONE:
		final_expression(f, o);
		break;
	}
}

static void
final_tail(struct final *f)
{
	const struct an_split *s = f->g->split;

	for (size_t i = 0; i < s->n_orders; i++) {
		struct slice tail = gather_text(f->g, &s->orders[i].tail);

		final_put(f, i == 0 ? " ORDER BY " : ", ");
		final_order(f, i);
		final_put(f, " ");
		final_put_n(f, tail.p, tail.n);
	}
	if (f->g->has_limit)
		final_number(f, " LIMIT ", (size_t)f->g->limit);
	if (f->g->offset > 0)
		final_number(f, " OFFSET ", (size_t)f->g->offset);
}

/* ------------------------------------------------------------------ ending */

static bool
final_misreads(const struct final *f, const struct an_item *item,
    struct gather_ref r)
{
	const struct an_split *s = f->g->split;

	if (f->g->mode != GATHER_SORT || item->qualified ||
	    r.kind != REF_EXTRA || item->column == NULL)
		return false;
	for (size_t k = 0; k < s->n_targets && k < f->visible; k++) {
		if (s->targets[k].star)
			break;
		if (slice_eq_str(f->c[k].name, item->column))
			return true;
	}
	return false;
}

/* A name in ORDER BY that was taken for a column of the table, but is one of
 * the result's whose name only the server knew. */
static bool
final_was_misread(const struct final *f)
{
	const struct an_split *s = f->g->split;

	for (size_t i = 0; i < s->n_orders; i++) {
		if (final_misreads(f, &s->orders[i], f->g->orders[i]))
			return true;
	}
	for (size_t i = 0; i < s->n_ons; i++) {
		if (final_misreads(f, &s->ons[i], f->g->ons[i]))
			return true;
	}
	return false;
}

/* Nothing but counts, and sums of their type, over everything. */
static bool
final_adds(const struct final *f)
{
	const struct an_split *s = f->g->split;

	if (f->g->mode != GATHER_GROUP || s->n_groups > 0 || s->has_having ||
	    s->n_orders > 0 || f->g->has_limit || f->g->offset > 0 ||
	    f->g->n_extras > 0)
		return false;
	for (size_t i = 0; i < f->visible; i++) {
		const struct an_item *t = &s->targets[i];

		if (f->c[i].oid != OID_INT8 || t->n_aggs != 1 ||
		    (s->aggs[t->first_agg].kind != AN_AGG_COUNT &&
			s->aggs[t->first_agg].kind != AN_AGG_SUM) ||
		    !slice_eq(gather_text(f->g, &t->expr), gather_text(f->g,
			&s->aggs[t->first_agg].call)))
			return false;
	}
	return true;
}

enum gather_end
gather_final(const struct gather *g, const struct gather_column *c, size_t n,
    size_t rows, size_t *visible, struct buf *sql)
{
	struct final f = { .g = g, .c = c, .n = n, .out = sql };

	if (n < g->n_extras || n == 0 || rows > GATHER_MAX_PARAMS / n)
		return GATHER_REFUSED;
	f.visible = *visible = n - g->n_extras;
	if (g->mode == GATHER_GROUP && f.visible != g->split->n_targets)
		return GATHER_REFUSED;
	for (size_t i = 0; i < n; i++) {
		if (c[i].oid >= OID_USER)
			return GATHER_REFUSED;
	}
	if (final_was_misread(&f))
		return GATHER_REFUSED;
	/* Over no rows at all there would be one; but shards that make more groups
	 * than were asked for have none then. */
	if (rows == 0)
		return g->mode == GATHER_GROUP && g->split->n_groups == 0 ?
		    GATHER_REFUSED : GATHER_EMPTY;
	if (final_adds(&f))
		return GATHER_ADD;
	final_targets(&f);
	final_values(&f, rows);
	if (g->mode == GATHER_GROUP)
		final_groups(&f);
	final_tail(&f);
	return f.failed ? GATHER_REFUSED : GATHER_QUERY;
}
