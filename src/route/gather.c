/* SPDX-License-Identifier: PostgreSQL
 *
 * What each shard is asked for a SELECT that concerns several of them.
 *
 * Decides, for a mode (gather_mode.c), where in the shards' rows the final query
 * (gather_final.c) finds what it groups and sorts by.  Expressions are compared
 * as texts: two that are written differently are different, which is at worst
 * one column more.  Pure.
 */
#include <stdio.h>
#include <stdlib.h>

#include "route/gather_priv.h"

#define GATHER_OID_INT8 20u
#define GATHER_OID_INT2 21u
#define GATHER_OID_INT4 23u

/* ------------------------------------------------------------------ values */

struct slice
gather_text(const struct gather *g, const struct an_range *r)
{
	uint32_t from = lex_pos(g->v->lx, r->from);
	uint32_t until = lex_pos(g->v->lx, r->until);

	return slice_make(g->v->sql.p + from, until - from);
}

/* In the wire's format; as wide as its type. */
static bool
gather_read_count(struct slice s, uint32_t oid, int64_t *out)
{
	uint64_t n = 0;

	if (s.n != (oid == 0 || oid == GATHER_OID_INT8 ? 8 :
	    oid == GATHER_OID_INT4 ? 4 : oid == GATHER_OID_INT2 ? 2 : 0))
		return false;
	for (size_t i = 0; i < s.n; i++)
		n = n << 8 | (uint8_t)s.p[i];
	*out = (int64_t)n;
	return ((uint8_t)s.p[0] & 0x80) == 0;
}

/* LIMIT or OFFSET; *set stays false for none, NULL and ALL. */
static bool
gather_count(const struct gather *g, bool has, const struct an_value *val,
    bool *set, int64_t *out)
{
	struct route_reader reader;
	struct route_value rv;

	*set = false;
	*out = 0;
	if (!has || val->kind == AN_VAL_NULL)
		return true;
	route_reader_init(&reader, g->v);
	route_value_get(&reader, val, &rv);
	*set = true;
	switch (rv.kind) {
	case ROUTE_VALUE_NUMBER:
		return gather_parse_count(rv.s, out);
	case ROUTE_VALUE_TEXT:
		return rv.param && !rv.repeated && gather_parse_count(rv.s,
		    out);
	case ROUTE_VALUE_BINARY:
		return !rv.repeated && gather_read_count(rv.s, rv.oid, out);
	case ROUTE_VALUE_NULL: /* none */
		*set = false;
		return true;
	case ROUTE_VALUE_NONE:
		break;
	}
	return false;
}

/* ----------------------------------------------------------------- columns */

static bool
gather_same(const struct gather *g, const struct an_range *a,
    const struct an_range *b)
{
	return slice_eq(gather_text(g, a), gather_text(g, b));
}

static struct gather_ref
gather_add(struct gather *g, const char *function,
    const struct an_range *text, const struct an_range *filter)
{
	g->extras[g->n_extras] = (struct gather_extra){ .function = function,
	    .text = *text, .filter = *filter };
	return (struct gather_ref){ REF_EXTRA, g->n_extras++ };
}

/* The column of this item's value: one of the result's, or one more. */
static struct gather_ref
gather_expression(struct gather *g, const struct an_item *item)
{
	const struct an_split *s = g->split;
	struct an_range none = { item->expr.until, item->expr.until };
	size_t n = gather_counted(s);

	for (size_t i = 0; i < n; i++) {
		if (gather_same(g, &s->targets[i].expr, &item->expr))
			return (struct gather_ref){ REF_VISIBLE, i };
	}
	for (size_t i = 0; i < g->n_extras; i++) {
		if (g->extras[i].function == NULL && !g->extras[i].groups &&
		    gather_same(g, &g->extras[i].text, &item->expr))
			return (struct gather_ref){ REF_EXTRA, i };
	}
	return gather_add(g, NULL, &item->expr, &none);
}

static struct gather_ref
gather_ordinal(const struct gather *g, const struct an_item *item)
{
	size_t at = gather_position(item, g->v);

	return at == SIZE_MAX ? (struct gather_ref){ REF_NONE, 0 } :
	    (struct gather_ref){ REF_VISIBLE, at };
}

/* The targets that a name without table means as a name of the result. */
static size_t
gather_named(const struct an_split *s, const char *name, size_t *first)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_targets; i++) {
		if (s->targets[i].name == NULL ||
		    strcmp(s->targets[i].name, name) != 0)
			continue;
		if (n++ == 0)
			*first = i;
	}
	return n;
}

/* ORDER BY prefers names of the result, which are not all known yet. */
static struct gather_ref
gather_sort_key(struct gather *g, const struct an_item *item)
{
	const struct an_split *s = g->split;
	size_t i = 0;

	if (item->ordinal)
		return gather_ordinal(g, item);
	if (s->united)
		return (struct gather_ref){ item->column != NULL ? REF_NAME :
		    REF_NONE, 0 };
	if (item->column == NULL || item->qualified)
		return gather_expression(g, item);
	switch (gather_named(s, item->column, &i)) {
	case 0:
		return gather_expression(g, item);
	case 1:
		return i < gather_counted(s) ?
		    (struct gather_ref){ REF_VISIBLE, i } :
		    (struct gather_ref){ REF_NONE, 0 };
	default:
		return (struct gather_ref){ REF_NONE, 0 };
	}
}

/* A line of the text is this word. */
static bool
gather_has_line(const char *text, const char *word)
{
	size_t n = strlen(word);

	while (text != NULL && *text != '\0') {
		if (strncmp(text, word, n) == 0 &&
		    (text[n] == '\n' || text[n] == '\0'))
			return true;
		text = strchr(text, '\n');
		text += text != NULL;
	}
	return false;
}

/* GROUP BY prefers columns of the table: a name that is also given to something
 * else may be either, unless the columns are known. */
static struct gather_ref
gather_group_key(struct gather *g, const struct an_item *item)
{
	const struct an_split *s = g->split;
	const char *columns = s->plain ? g->p->variant->columns : NULL;
	bool other = false;
	size_t i = 0;

	if (item->ordinal)
		return gather_ordinal(g, item);
	for (size_t k = 0; item->column != NULL && !item->qualified &&
	     k < s->n_targets; k++)
		other |= gather_is_other(&s->targets[k], item->column);
	if (!other || gather_has_line(columns, item->column))
		return gather_expression(g, item);
	if (columns == NULL || gather_named(s, item->column, &i) != 1 ||
	    i >= gather_counted(s))
		return (struct gather_ref){ REF_NONE, 0 };
	return (struct gather_ref){ REF_VISIBLE, i };
}

/* ------------------------------------------------------------------- modes */

static bool
gather_sort(struct gather *g)
{
	const struct an_split *s = g->split;

	for (size_t i = 0; i < s->n_orders; i++) {
		g->orders[i] = gather_sort_key(g, &s->orders[i]);
		if (g->orders[i].kind == REF_NONE)
			return false;
	}
	for (size_t i = 0; i < s->n_ons; i++) {
		g->ons[i] = gather_sort_key(g, &s->ons[i]);
		if (g->ons[i].kind == REF_NONE)
			return false;
	}
	/* One more column would make other rows distinct. */
	return !s->distinct || g->n_extras == 0;
}

static bool
gather_is_empty(const struct an_range *r)
{
	return r->from.cut == r->until.cut && r->from.off == r->until.off;
}

/* The column of an aggregate: the target that is nothing else, or one more. */
static struct gather_ref
gather_aggregate(struct gather *g, size_t agg)
{
	const struct an_split *s = g->split;
	const struct an_agg *a = &s->aggs[agg];
	struct an_range none = { a->call.until, a->call.until };
	struct gather_ref r;

	if (a->distinct) { /* one more key of the groups */
		r = gather_add(g, NULL, &a->args, &none);
		g->extras[r.n].groups = true;
		if (!gather_is_empty(&a->filter)) {
			struct gather_ref f = gather_add(g, NULL,
			    &a->condition, &none);

			g->extras[f.n].groups = true;
		}
		return r;
	}
	if (a->kind == AN_AGG_AVG) {
		r = gather_add(g, "sum", &a->args, &a->filter);
		(void)gather_add(g, "count", &a->args, &a->filter);
		return r;
	}
	for (size_t i = 0; i < s->n_targets; i++) {
		if (s->targets[i].n_aggs == 1 &&
		    gather_same(g, &s->targets[i].expr, &a->call))
			return (struct gather_ref){ REF_VISIBLE, i };
	}
	return gather_add(g, NULL, &a->call, &none);
}

/* Shards make groups of more than was asked for. */
static bool
gather_has_distinct(const struct an_split *s)
{
	for (size_t i = 0; i < s->n_aggs; i++) {
		if (s->aggs[i].distinct)
			return true;
	}
	return false;
}

/* A target without aggregates is a key, or hangs on them: which the shards check,
 * unless they group by it themselves. */
static bool
gather_group_target(const struct gather *g, size_t i)
{
	const struct an_item *t = &g->split->targets[i];

	if (t->star || (gather_has_distinct(g->split) && !g->keys[i] &&
	    !t->mergeable))
		return false;
	return t->n_aggs > 0 ? t->mergeable : g->keys[i] || t->simple;
}

static bool
gather_group_order(struct gather *g, size_t i)
{
	const struct an_split *s = g->split;
	const struct an_item *o = &s->orders[i];

	if (o->ordinal)
		g->orders[i] = gather_ordinal(g, o);
	else if (o->column != NULL && !o->qualified)
		g->orders[i].kind = REF_NAME;
	else if (o->n_aggs > 0)
		return o->mergeable; /* written out */
	else
		for (size_t k = 0; k < s->n_groups &&
		    g->orders[i].kind == REF_NONE; k++)
			if (gather_same(g, &s->groups[k].expr, &o->expr))
				g->orders[i] = g->groups[k];
	return g->orders[i].kind != REF_NONE;
}

static bool
gather_group(struct gather *g)
{
	const struct an_split *s = g->split;

	for (size_t i = 0; i < s->n_groups; i++) {
		g->groups[i] = gather_group_key(g, &s->groups[i]);
		if (g->groups[i].kind == REF_NONE || s->groups[i].n_aggs > 0)
			return false;
		if (g->groups[i].kind != REF_VISIBLE)
			continue;
		if (g->groups[i].n >= s->n_targets ||
		    s->targets[g->groups[i].n].n_aggs > 0)
			return false;
		g->keys[g->groups[i].n] = true;
	}
	for (size_t i = 0; i < s->n_targets; i++) {
		if (!gather_group_target(g, i))
			return false;
	}
	for (size_t i = 0; i < s->n_aggs; i++)
		g->aggs[i] = gather_aggregate(g, i);
	for (size_t i = 0; i < s->n_orders; i++) {
		if (!gather_group_order(g, i))
			return false;
	}
	return !s->has_having || s->having.mergeable;
}

/* -------------------------------------------------------------------- life */

static bool
gather_allocate(struct gather *g)
{
	const struct an_split *s = g->split;
	size_t n = s->n_groups + s->n_orders + s->n_ons + 2 * s->n_aggs;

	g->extras = calloc(n + 1, sizeof(*g->extras));
	g->groups = calloc(s->n_groups + 1, sizeof(*g->groups));
	g->orders = calloc(s->n_orders + 1, sizeof(*g->orders));
	g->ons = calloc(s->n_ons + 1, sizeof(*g->ons));
	g->aggs = calloc(s->n_aggs + 1, sizeof(*g->aggs));
	g->keys = calloc(s->n_targets + 1, sizeof(*g->keys));
	return g->extras != NULL && g->groups != NULL && g->orders != NULL &&
	    g->ons != NULL && g->aggs != NULL && g->keys != NULL;
}

static bool
gather_read(struct gather *g)
{
	const struct an_split *s = g->split;
	bool has_offset;

	if (!gather_count(g, s->has_limit, &s->limit, &g->has_limit,
	    &g->limit) || !gather_count(g, s->has_offset, &s->offset,
	    &has_offset, &g->offset) ||
	    !gather_allocate(g))
		return false;
	switch (g->mode) {
	case GATHER_SORT:
		return gather_sort(g);
	case GATHER_GROUP:
		return gather_group(g);
	default:
		return true;
	}
}

struct gather *
gather_new(const struct route_plan *p, const struct shape *s,
    const struct route_values *v)
{
	struct gather *g = calloc(1, sizeof(*g));
	uint32_t drivers;

	if (g == NULL)
		return NULL;
	g->p = p;
	g->s = s;
	g->v = v;
	g->split = s->an->split;
	g->mode = p->gather == GATHER_NONE ? GATHER_NONE :
	    gather_mode_for(p, s->an, v, &drivers);
	if (g->mode == GATHER_NONE || !gather_read(g))
		gather_free(&g);
	return g;
}

enum gather_mode
gather_mode(const struct gather *g)
{
	return g->mode;
}

void
gather_free(struct gather **gp)
{
	struct gather *g = *gp;

	*gp = NULL;
	if (g == NULL)
		return;
	free(g->extras);
	free(g->groups);
	free(g->orders);
	free(g->ons);
	free(g->aggs);
	free(g->keys);
	free(g);
}

/* -------------------------------------------------------------------- text */

static bool
gather_put(struct buf *out, const char *s)
{
	return buf_append(out, s, strlen(s));
}

static bool
gather_copy(const struct gather *g, unsigned form, struct textpos from,
    struct textpos until, struct buf *out)
{
	return route_rewrite_range(g->p, g->s, g->v, form,
	    lex_pos(g->v->lx, from), lex_pos(g->v->lx, until), out);
}

static bool
gather_put_extra(const struct gather *g, unsigned form,
    const struct gather_extra *e, struct buf *out)
{
	if (!gather_put(out, ", "))
		return false;
	if (e->function == NULL)
		return gather_copy(g, form, e->text.from, e->text.until, out);
	return gather_put(out, e->function) && gather_put(out, "(") &&
	    gather_copy(g, form, e->text.from, e->text.until, out) &&
	    gather_put(out, ") ") &&
	    gather_copy(g, form, e->filter.from, e->filter.until, out);
}

/* As many rows as can matter. */
static bool
gather_put_limit(const struct gather *g, struct buf *out)
{
	char text[48];

	if (!g->has_limit)
		return true;
	snprintf(text, sizeof(text), " LIMIT %lld",
	    (long long)(g->limit + g->offset));
	return gather_put(out, text);
}

/* Columns of which the groups shall be made, too. */
static bool
gather_put_groups(const struct gather *g, unsigned form, struct buf *out)
{
	bool any = g->split->n_groups > 0;

	for (size_t i = 0; i < g->n_extras; i++) {
		const struct gather_extra *e = &g->extras[i];

		if (!e->groups)
			continue;
		if (!gather_put(out, any ? ", " : " GROUP BY ") ||
		    !gather_copy(g, form, e->text.from, e->text.until, out))
			return false;
		any = true;
	}
	return true;
}

bool
gather_partial(const struct gather *g, unsigned form, struct buf *out)
{
	const struct an_split *s = g->split;

	if (g->mode == GATHER_ROWS)
		return gather_copy(g, form, s->start, s->end, out);
	if (!gather_copy(g, form, s->start, s->targets_end, out))
		return false;
	for (size_t i = 0; i < g->n_extras; i++) {
		if (!gather_put_extra(g, form, &g->extras[i], out))
			return false;
	}
	if (g->mode == GATHER_GROUP)
		return gather_copy(g, form, s->targets_end, s->body_end, out) &&
		    gather_put_groups(g, form, out);
	return gather_copy(g, form, s->targets_end, s->having_end, out) &&
	    gather_put(out, " ") &&
	    gather_copy(g, form, s->order.from, s->order.until, out) &&
	    gather_put_limit(g, out);
}
