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

/* false: a value may be on any shard. */
static bool
confine_pred(const struct route_plan *p, struct route_reader *r,
    const struct an_pred *d, struct route_shards *out)
{
	*out = route_shards_all(0);
	for (size_t i = 0; i < d->n_values; i++) {
		uint64_t hash;

		switch (route_key_hash(p->table->key_type, r, &d->values[i],
		    &hash)) {
		case ROUTE_KEY_UNSURE:
			return false;
		case ROUTE_KEY_NULL:
			/* A row that is made has one; "= NULL" can be told to
			 * mean IS NULL (transform_null_equals). */
			if (d->op == AN_ROWS || (d->op == AN_EQ &&
			    d->values[i].kind == AN_VAL_NULL))
				return false;
			break;
		case ROUTE_KEY_HASH:
			route_shards_add(out, (unsigned)(conf_shard_of(
			    p->variant, hash) - p->variant->shards));
			break;
		}
	}
	return d->n_values > 0;
}

void
route_confine(const struct route_plan *p, const struct shape *s,
    const struct route_values *v, struct route_shards *out)
{
	const struct analysis *a = s->an;
	struct route_reader r;

	*out = route_shards_all(p->variant->n_shards);
	if (p->key_pred < 0)
		return;
	route_reader_init(&r, v);
	for (size_t i = (size_t)p->key_pred; i < a->n_preds; i++) {
		const struct an_pred *d = &a->preds[i];
		struct route_shards some;

		if (d->table == p->an_table &&
		    strcmp(d->column, p->table->key_column) == 0 &&
		    (d->op == AN_EQ || d->op == AN_IN || d->op == AN_ROWS) &&
		    confine_pred(p, &r, d, &some))
			route_shards_cut(out, &some);
	}
}
