/* SPDX-License-Identifier: PostgreSQL
 *
 * Which shards can hold the rows of a statement.
 *
 * A condition that every row satisfies leaves the shards of its values; what
 * is not understood leaves all.  So the answer is never too small.  Where the
 * key of one relation equals the key of another, its rows are where those are.
 * Pure; runs for every routed execution: no memory, and time that grows with
 * the number of values only.
 */
#include "route/route_priv.h"
#include "route/tenant.h"

/* Rows tried for a key of several columns; more combinations prove nothing. */
#define CONFINE_MAX_ROWS 4096

struct confine {
	const struct route_plan *p;
	const struct analysis *a;
	struct route_reader reader;
	const struct conf_table *table; /* of the relation looked at */
	unsigned an_table;              /* its number in the analysis */
	/* What is known of all relations. */
	struct route_shards sets[ROUTE_MAX_CONFINED];
};

/* Predicates that give a key its values, one per column. */
struct confine_key {
	const struct an_pred *of[CONF_MAX_KEYS];
	size_t have;
};

static void
confine_add(const struct confine *c, uint64_t row, struct route_shards *out)
{
	const struct conf_variant *v = c->table->use;

	for (size_t i = 0; i == 0 || i < v->n_periods; i++)
		route_shards_add(out, (unsigned)(conf_shard_of(v, i, row) -
		    v->shards));
}

/* ------------------------------------------------------------------ values */

static enum route_key
confine_value(struct confine *c, const struct confine_key *key, size_t k,
    size_t i, uint64_t *hash)
{
	const struct an_pred *d = key->of[k];
	const struct an_value *v = &d->values[i];
	enum route_key found = route_key_hash(c->table->keys[k].type,
	    &c->reader, v, d->op == AN_ROWS, hash);

	/* A row that is made has one; "= NULL" can be told to mean IS NULL
	 * (transform_null_equals). */
	if (found == ROUTE_KEY_NULL && (d->op == AN_ROWS ||
	    (d->op == AN_EQ && v->kind == AN_VAL_NULL)))
		return ROUTE_KEY_UNSURE;
	return found;
}

/* The row whose key column k has value number at[k] of its predicate. false:
 * it may be on any shard. */
static bool
confine_row(struct confine *c, const struct confine_key *key, const size_t *at,
    struct route_shards *out)
{
	uint64_t row = 0, hash;
	bool null = false;

	for (size_t k = 0; k < c->table->n_keys; k++) {
		switch (confine_value(c, key, k, at[k], &hash)) {
		case ROUTE_KEY_UNSURE:
			return false;
		case ROUTE_KEY_NULL:
			null = true;
			break;
		case ROUTE_KEY_HASH:
			row = tenant_combine(row, hash);
			break;
		}
	}
	if (!null)
		confine_add(c, row, out);
	return true;
}

/* How many rows to try; 0: too many, or not known which. */
static size_t
confine_count(const struct confine_key *key, size_t n_keys, bool together)
{
	size_t rows = 1;

	for (size_t k = 0; k < n_keys; k++) {
		size_t n = key->of[k]->n_values;

		if ((key->of[k]->op == AN_ROWS) != together || n == 0 ||
		    (together && k > 0 && n != rows))
			return 0;
		rows = together ? n : rows * n;
		if (n_keys > 1 && !together && rows > CONFINE_MAX_ROWS)
			return 0;
	}
	return rows;
}

/* Every combination of values, or row by row. false: nothing is proven. */
static bool
confine_rows(struct confine *c, const struct confine_key *key,
    struct route_shards *out)
{
	size_t n_keys = c->table->n_keys, at[CONF_MAX_KEYS] = { 0 };
	bool together = key->of[0]->op == AN_ROWS;
	size_t rows = confine_count(key, n_keys, together);

	*out = route_shards_all(0);
	for (size_t i = 0; i < rows; i++) {
		if (!confine_row(c, key, at, out))
			return false;
		for (size_t k = 0; k < n_keys; k++) {
			at[k]++;
			if (together)
				continue;
			if (at[k] < key->of[k]->n_values)
				break;
			at[k] = 0;
		}
	}
	return rows > 0;
}

/* The members of an array. */
static bool
confine_array(struct confine *c, const struct an_pred *d,
    struct route_shards *out)
{
	enum conf_key_type type = c->table->keys[0].type;
	struct route_array array;
	struct route_value rv;
	enum route_key k;
	uint64_t hash;

	*out = route_shards_all(0);
	if (c->table->n_keys > 1 ||
	    !route_array_open(&array, &c->reader, &d->values[0], type))
		return false;
	while (route_array_next(&array, &rv)) {
		if (rv.kind == ROUTE_VALUE_NULL)
			continue;
		k = route_key_hash_value(type, c->reader.v, &rv,
		    d->values[0].cast, false, &hash) ? ROUTE_KEY_HASH :
		    ROUTE_KEY_UNSURE;
		if (k == ROUTE_KEY_UNSURE)
			return false;
		confine_add(c, tenant_combine(0, hash), out);
	}
	return !array.broken;
}

/* ----------------------------------------------------------------- columns */

bool
route_keys_agree(enum conf_key_type a, enum conf_key_type b, bool stored)
{
	if (stored && (a == KEY_TYPE_VARCHAR || a == KEY_TYPE_NUMERIC ||
	    a == KEY_TYPE_TIMESTAMPTZ))
		return false; /* its length or precision may change them */
	return a == b || (route_key_is_int(a) && route_key_is_int(b));
}

/* preds[i], of [start, end), equates the first column of the key with that of
 * another relation; do others do so with the rest of the key? */
static bool
confine_by_other(struct confine *c, size_t i, size_t start, size_t end,
    struct route_shards *out)
{
	const struct an_pred *preds = c->a->preds, *d = &preds[i];
	const struct conf_table *other = c->p->tables[d->other];
	const struct conf_table *t = c->table;
	bool stored = d->op == AN_ROWS_FROM;
	size_t k = 0, m;

	if (other == NULL || other->n_keys != t->n_keys ||
	    strcmp(other->keys[0].column, d->other_column) != 0 ||
	    !route_keys_agree(t->keys[0].type, other->keys[0].type, stored))
		return false;
	*out = c->sets[d->other];
	while (++k < t->n_keys) {
		if (!route_keys_agree(t->keys[k].type, other->keys[k].type,
		    stored))
			return false;
		for (m = start; m < end; m = an_pred_next(preds, m)) {
			if (preds[m].op == d->op &&
			    preds[m].table == d->table &&
			    preds[m].other == d->other &&
			    strcmp(preds[m].column, t->keys[k].column) == 0 &&
			    strcmp(preds[m].other_column,
			    other->keys[k].column) == 0)
				break;
		}
		if (m >= end)
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------ groups */

static bool confine_any(struct confine *c, size_t i, size_t end,
    struct route_shards *out);

/* One predicate over the relation and its key. */
static bool
confine_pred(struct confine *c, size_t i, size_t start, size_t end,
    struct confine_key *key, struct route_shards *out)
{
	const struct an_pred *d = &c->a->preds[i];
	size_t k = route_key_of(c->table, d->column);

	if (k == c->table->n_keys)
		return false;
	switch (d->op) {
	case AN_EQ:
	case AN_IN:
	case AN_ROWS:
		key->have += key->of[k] == NULL;
		key->of[k] = d;
		return key->have == c->table->n_keys &&
		    confine_rows(c, key, out);
	case AN_IN_ARRAY:
		return confine_array(c, d, out);
	case AN_EQ_COLUMN:
	case AN_ROWS_FROM:
		return k == 0 && confine_by_other(c, i, start, end, out);
	default:
		return false;
	}
}

/* The shards that are left by all of preds [i, end). */
static void
confine_all(struct confine *c, size_t i, size_t end, struct route_shards *out)
{
	const struct an_pred *preds = c->a->preds;
	struct confine_key key = { .have = 0 };
	struct route_shards some;
	size_t start = i, next;
	bool ok;

	*out = route_shards_all(c->table->use->n_shards);
	for (; i < end; i = next) {
		next = an_pred_next(preds, i);
		if (preds[i].op == AN_ANY_OF)
			ok = confine_any(c, i + 1, next, &some);
		else if (preds[i].op == AN_ALL_OF)
			continue; /* in AN_ANY_OF only */
		else
			ok = preds[i].table == c->an_table &&
			    confine_pred(c, i, start, end, &key, &some);
		if (ok)
			route_shards_cut(out, &some);
	}
}

/* ... by any of them. */
static bool
confine_any(struct confine *c, size_t i, size_t end, struct route_shards *out)
{
	const struct an_pred *preds = c->a->preds;
	struct route_shards some;
	size_t next;

	*out = route_shards_all(0);
	for (; i < end; i = next) {
		next = an_pred_next(preds, i);
		confine_all(c, i + (preds[i].op == AN_ALL_OF), next, &some);
		route_shards_join(out, &some);
	}
	return true;
}

/* ---------------------------------------------------------------- relations */

static void
confine_start(struct confine *c, const struct route_plan *p,
    const struct shape *s, const struct route_values *v)
{
	c->p = p;
	c->a = s->an;
	route_reader_init(&c->reader, v);
}

void
route_confine(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, struct route_shards *out)
{
	struct confine c;

	confine_start(&c, p, s, v);
	c.table = p->table;
	c.an_table = p->an_table;
	c.sets[p->an_table] = route_shards_all(p->variant->n_shards);
	confine_all(&c, 0, s->an->n_preds, out);
}

bool
route_confine_rows(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, unsigned *shard_of, size_t n)
{
	const struct an_pred *preds = s->an->preds;
	size_t n_keys = p->table->n_keys, at[CONF_MAX_KEYS];
	struct confine_key key = { .have = 0 };
	struct route_shards one;
	struct confine c;

	confine_start(&c, p, s, v);
	c.table = p->table;
	c.an_table = p->an_table;
	for (size_t i = 0; i < s->an->n_preds; i = an_pred_next(preds, i)) {
		size_t k = route_key_of(p->table, preds[i].column);

		if (preds[i].op != AN_ROWS || preds[i].n_values != n ||
		    k == n_keys)
			continue;
		key.have += key.of[k] == NULL;
		key.of[k] = &preds[i];
	}
	for (size_t i = 0; i < n && key.have == n_keys; i++) {
		for (size_t k = 0; k < n_keys; k++)
			at[k] = i;
		one = route_shards_all(0);
		if (!confine_row(&c, &key, at, &one) ||
		    route_shards_count(&one) != 1)
			return false;
		shard_of[i] = (unsigned)route_shards_first(&one);
	}
	return key.have == n_keys;
}

/* What one relation takes from another may become less while those are looked
 * at; as many rounds as there are relations carry it to all of them. */
void
route_confine_all(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, uint32_t tables, struct route_shards *out)
{
	size_t n = s->an->n_tables;
	struct confine c;
	bool changed = true;

	confine_start(&c, p, s, v);
	CHECK(n <= ROUTE_MAX_CONFINED);
	for (unsigned i = 0; i < n; i++)
		c.sets[i] = route_shards_all(p->variant->n_shards);
	for (size_t round = 0; changed && round < n; round++) {
		changed = false;
		for (unsigned i = 0; i < n; i++) {
			struct route_shards some;

			c.table = p->tables[i];
			c.an_table = i;
			confine_all(&c, 0, s->an->n_preds, &some);
			route_shards_cut(&some, &c.sets[i]);
			changed |= !route_shards_equal(&some, &c.sets[i]);
			c.sets[i] = some;
		}
	}
	*out = route_shards_all(0);
	for (unsigned i = 0; i < n; i++) {
		if ((tables & 1u << i) != 0)
			route_shards_join(out, &c.sets[i]);
	}
}
