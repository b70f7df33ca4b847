/* SPDX-License-Identifier: PostgreSQL
 *
 * Values of the rows that a statement is about.
 *
 * A condition that every row satisfies leaves its values; of several the one
 * that leaves the fewest counts.  Whether the conditions hold for all that a
 * statement does is the analysis' to say, see struct an_pred.
 */
#include "conf/units.h"
#include "route/month.h"
#include "route/route_priv.h"
#include "route/tenant.h"
#include "route/touch.h"

#include <string.h>

struct touch {
	const struct analysis *a;
	struct route_reader reader;
	const struct conf_tag_key *key;
	unsigned an_table;
};

/* ------------------------------------------------------------------ values */

/* false: no room. */
static bool
touch_add(struct route_touch *t, uint64_t value)
{
	for (unsigned i = 0; i < t->n; i++) {
		if (t->value[i] == value)
			return true;
	}
	if (t->n == ROUTE_TOUCH_MAX)
		return false;
	t->value[t->n++] = value;
	return true;
}

static bool
touch_join(struct route_touch *t, const struct route_touch *other)
{
	for (unsigned i = 0; i < other->n; i++) {
		if (!touch_add(t, other->value[i]))
			return false;
	}
	return true;
}

static bool
touch_pred_values(struct touch *t, const struct an_pred *d,
    struct route_touch *out)
{
	for (size_t i = 0; i < d->n_values; i++) {
		uint64_t hash;

		/* NULL, which a comparison never finds, may be told to mean
		 * IS NULL; a row may be given one. */
		if (route_key_hash(t->key->type, &t->reader, &d->values[i],
			d->op == AN_ROWS, &hash) != ROUTE_KEY_HASH ||
		    !touch_add(out, hash))
			return false;
	}
	return d->n_values > 0;
}

static bool
touch_pred_array(struct touch *t, const struct an_pred *d,
    struct route_touch *out)
{
	struct route_array array;
	struct route_value rv;
	uint64_t hash;

	if (!route_array_open(&array, &t->reader, &d->values[0], t->key->type))
		return false;
	while (route_array_next(&array, &rv)) {
		if (rv.kind == ROUTE_VALUE_NULL)
			continue; /* equals nothing */
		if (!route_key_hash_value(t->key->type, t->reader.v, &rv,
			d->values[0].cast, false, &hash) ||
		    !touch_add(out, hash))
			return false;
	}
	return !array.broken;
}

static bool
touch_pred(struct touch *t, const struct an_pred *d, struct route_touch *out)
{
	if (d->table != t->an_table || strcmp(d->column, t->key->column) != 0)
		return false;
	switch (d->op) {
	case AN_EQ:
	case AN_IN:
	case AN_ROWS:
		return touch_pred_values(t, d, out);
	case AN_IN_ARRAY:
		return touch_pred_array(t, d, out);
	default:
		return false;
	}
}

static bool touch_all(struct touch *t, size_t i, size_t end,
    struct route_touch *out);

/* What any of preds [i, end) leaves. */
static bool
touch_any(struct touch *t, size_t i, size_t end, struct route_touch *out)
{
	const struct an_pred *preds = t->a->preds;
	struct route_touch one;
	size_t next;

	for (; i < end; i = next) {
		next = an_pred_next(preds, i);
		if (!touch_all(t, i + (preds[i].op == AN_ALL_OF), next, &one) ||
		    !touch_join(out, &one))
			return false;
	}
	return true;
}

/* What all of preds [i, end) leave; false: any value. */
static bool
touch_all(struct touch *t, size_t i, size_t end, struct route_touch *out)
{
	const struct an_pred *preds = t->a->preds;
	struct route_touch one;
	bool found = false, ok;

	out->n = 0;
	for (; i < end; i = an_pred_next(preds, i)) {
		one.n = 0;
		if (preds[i].op == AN_ANY_OF)
			ok = touch_any(t, i + 1, an_pred_next(preds, i), &one);
		else
			ok = preds[i].op != AN_ALL_OF &&
			    touch_pred(t, &preds[i], &one);
		if (!ok || (found && one.n >= out->n))
			continue;
		out->n = one.n;
		memcpy(out->value, one.value, one.n * sizeof(one.value[0]));
		found = true;
	}
	return found;
}

static bool
touch_months(struct touch *t, const struct shape *s, struct route_touch *out)
{
	struct month_range r;
	int64_t month, last;

	if (!route_times(s, t->reader.v, t->an_table, t->key->column,
		ROUTE_SURE_TIMESTAMPTZ, &r) ||
	    r.lo == INT64_MIN || r.hi == INT64_MAX)
		return false;
	last = month_of(r.hi);
	for (month = month_of(r.lo); month <= last; month++) {
		if (!touch_add(out, (uint64_t)month))
			return false;
	}
	return true;
}

/* One relation of the statement. */
static bool
touch_relation(const struct route_values *v, const struct shape *s,
    unsigned an_table, const struct conf_tag_key *key, struct route_touch *out)
{
	struct touch t = { .a = s->an, .key = key, .an_table = an_table };

	/* The lexer may have gone on to another text, or be of no use for a
	 * statement that is only noted. */
	if (!key->known || (s->an->flags & AN_MULTI) || v->lx == NULL ||
	    v->lx->of.p != v->sql.p || v->lx->of.n != v->sql.n)
		return false;
	route_reader_init(&t.reader, v);
	out->n = 0;
	out->key = key;
	return key->month ? touch_months(&t, s, out) :
	                    touch_all(&t, 0, s->an->n_preds, out);
}

/* -------------------------------------------------------------- statements */

/* A result depends on every relation of that name that it reads. */
static bool
touch_reads(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, const char *name,
    const struct conf_tag_key *key, struct route_touch *out)
{
	struct route_touch one;
	bool any = false;

	*out = (struct route_touch){ .key = key };
	for (unsigned k = 0; k < s->an->n_tables; k++) {
		const struct an_table *t = &s->an->tables[k];

		if (!t->read || strcmp(route_table_dep(p->db, t), name) != 0)
			continue;
		if (!touch_relation(v, s, k, key, &one) ||
		    !touch_join(out, &one))
			return false;
		any = true;
	}
	return any;
}

void
route_touch_read(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, size_t i, struct route_touch *out)
{
	struct route_touch one;

	out->key = NULL;
	if (p->rewrite != NULL || (p->reads_whole & (1u << i)))
		return;
	for (size_t k = 0; k < p->n_tag_keys; k++) {
		if (strcmp(p->tag_keys[k].rel, p->reads[i]) != 0 ||
		    !touch_reads(p, s, v, p->reads[i], &p->tag_keys[k], &one))
			continue;
		if (out->key == NULL || one.n < out->n)
			*out = one;
	}
}

static bool
touch_names(char *const *names, size_t n, const char *column)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], column) == 0)
			return true;
	}
	return false;
}

static bool
touch_assigns(const struct analysis *a, const char *column)
{
	return touch_names(a->assigned, a->n_assigned, column);
}

/* The conditions are those of the rows it touches, which keep the column's
 * value or are new. */
static bool
touch_is_plain(const struct analysis *a, const char *column)
{
	if (a->flags & AN_SUBLINK)
		return false;
	switch ((int)a->kind) {
	case STMT_INSERT: /* a conflict is with a row that has the same in the
	                     arbiter's columns: unique indexes on the column
	                     have its own equality, or it is not vouched for */
		return a->n_assigned == 0 || (!touch_assigns(a, column) &&
		    touch_names(a->arbiters, a->n_arbiters, column));
	case STMT_UPDATE:
		return !touch_assigns(a, column);
	case STMT_DELETE:
		return true;
	default:
		return false;
	}
}

bool
route_touch_tenant(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, uint64_t *tenant)
{
	const struct an_pred *d;
	struct route_reader reader;
	size_t k;

	if (p->table == NULL || p->key_pred < 0)
		return false;
	d = &s->an->preds[p->key_pred];
	if ((d->op != AN_EQ && d->op != AN_IN) || d->n_values != 1)
		return false;
	route_reader_init(&reader, v);
	k = route_key_of(p->table, d->column);
	return route_key_hash(p->table->keys[k].type, &reader, &d->values[0],
	    false, tenant) == ROUTE_KEY_HASH;
}

/* One value of all of a predicate's. */
static bool
touch_unit_of(const struct route_plan *p, const struct an_pred *d,
    const struct route_values *v, uint64_t *tenant)
{
	enum conf_key_type type = p->table->keys[0].type;
	struct route_reader reader;
	uint64_t hash;

	route_reader_init(&reader, v);
	for (size_t i = 0; i < d->n_values; i++) {
		if (route_key_hash(type, &reader, &d->values[i],
			d->op == AN_ROWS, &hash) != ROUTE_KEY_HASH ||
		    (i > 0 && hash != *tenant))
			return false;
		*tenant = hash;
	}
	return d->n_values > 0;
}

bool
route_touch_unit(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, uint64_t *tenant)
{
	const struct an_pred *d;

	if (p->table == NULL || p->table->n_keys == 0 || v->lx == NULL ||
	    (s->an->flags & AN_MULTI))
		return false;
	for (size_t i = 0; i < s->an->n_preds; i = an_pred_next(s->an->preds,
	     i)) {
		d = &s->an->preds[i];
		if ((d->op == AN_EQ || d->op == AN_IN || d->op == AN_ROWS) &&
		    (p->tables != NULL ? p->tables[d->table] == p->table :
		    s->an->n_tables == 1) &&
		    strcmp(d->column, p->table->keys[0].column) == 0 &&
		    touch_unit_of(p, d, v, tenant))
			return true;
	}
	return false;
}

bool
route_touch_write(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, size_t i, const struct conf_tag_key *key,
    struct route_touch *out)
{
	const struct analysis *a = s->an;

	return p->rewrite == NULL && !p->writes_again && a->n_tables == 1 && a->tables[0].written &&
	    strcmp(route_table_dep(p->db, &a->tables[0]), p->writes[i]) == 0 &&
	    touch_is_plain(a, key->column) &&
	    touch_relation(v, s, 0, key, out);
}

bool
route_touch_text(const struct conf_tag_key *key, const char *text,
    uint64_t *value)
{
	const struct route_values v = { .other_encoding = true };
	struct route_value rv = { .kind = ROUTE_VALUE_TEXT,
		.s = slice_str(text) };
	int64_t month;

	if (!key->month)
		return key->known && route_key_hash_value(key->type, &v, &rv,
		    AN_CAST_NONE, false, value);
	if (!units_parse_month(text, &month))
		return false;
	*value = (uint64_t)month;
	return true;
}
