/* SPDX-License-Identifier: PostgreSQL
 *
 * Which shards can hold the rows of a statement.
 *
 * A condition that every row satisfies leaves the shards of its values; what
 * is not understood leaves all.  So the answer is never too small.  Pure; runs
 * for every routed execution: no memory, and time that grows with the number
 * of values only.
 */
#include "route/route_priv.h"
#include "route/tenant.h"

/* Rows tried for a key of several columns; more combinations prove nothing. */
#define CONFINE_MAX_ROWS 4096

struct confine {
	const struct route_plan *p;
	struct route_reader reader;
	const struct an_pred *of[CONF_MAX_KEYS]; /* per column of the key */
};

static enum route_key
confine_value(struct confine *c, size_t key, size_t i, uint64_t *hash)
{
	const struct an_pred *d = c->of[key];
	const struct an_value *v = &d->values[i];
	enum route_key k = route_key_hash(c->p->table->keys[key].type,
	    &c->reader, v, d->op == AN_ROWS, hash);

	/* A row that is made has one; "= NULL" can be told to mean IS NULL
	 * (transform_null_equals). */
	if (k == ROUTE_KEY_NULL && (d->op == AN_ROWS ||
	    (d->op == AN_EQ && v->kind == AN_VAL_NULL)))
		return ROUTE_KEY_UNSURE;
	return k;
}

/* The row whose key column i has value number at[i] of its predicate. false:
 * it may be on any shard. */
static bool
confine_row(struct confine *c, const size_t *at, struct route_shards *out)
{
	uint64_t row = 0, hash;
	bool null = false;

	for (size_t k = 0; k < c->p->table->n_keys; k++) {
		switch (confine_value(c, k, at[k], &hash)) {
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
		route_shards_add(out, (unsigned)(conf_shard_of(c->p->variant,
		    row) - c->p->variant->shards));
	return true;
}

/* Every combination of values, or row by row. false: one may be on any
 * shard, or they are too many. */
static bool
confine_rows(struct confine *c, struct route_shards *out)
{
	size_t n_keys = c->p->table->n_keys, rows = 1, i;
	size_t at[CONF_MAX_KEYS] = { 0 };
	bool together = c->of[0]->op == AN_ROWS;

	*out = route_shards_all(0);
	for (i = 0; i < n_keys; i++) {
		if ((c->of[i]->op == AN_ROWS) != together ||
		    c->of[i]->n_values == 0)
			return false;
		if (i == 0 || !together)
			rows *= c->of[i]->n_values;
		if (n_keys > 1 && !together && rows > CONFINE_MAX_ROWS)
			return false;
		if (together && c->of[i]->n_values != rows)
			return false;
	}
	while (rows-- > 0) {
		if (!confine_row(c, at, out))
			return false;
		for (i = 0; i < n_keys; i++) {
			at[i]++;
			if (together)
				continue;
			if (at[i] < c->of[i]->n_values)
				break;
			at[i] = 0;
		}
	}
	return true;
}

static bool
confine_is_value(enum an_op op)
{
	return op == AN_EQ || op == AN_IN || op == AN_ROWS;
}

void
route_confine(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, struct route_shards *out)
{
	const struct analysis *a = s->an;
	size_t n_keys = p->table->n_keys, have = 0, k;
	struct confine c = { .p = p };
	struct route_shards some;

	*out = route_shards_all(p->variant->n_shards);
	if (p->key_pred < 0)
		return;
	route_reader_init(&c.reader, v);
	for (size_t i = (size_t)p->key_pred; i < a->n_preds; i++) {
		const struct an_pred *d = &a->preds[i];

		if (d->table != p->an_table || !confine_is_value(d->op))
			continue;
		k = route_key_of(p->table, d->column);
		if (k == n_keys)
			continue;
		have += c.of[k] == NULL;
		c.of[k] = d;
		if (have == n_keys && confine_rows(&c, &some))
			route_shards_cut(out, &some);
	}
}
