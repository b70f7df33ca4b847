/* SPDX-License-Identifier: PostgreSQL
 *
 * Which parts of a table divided by time can hold rows of a range of it.
 *
 * Pure; runs for every routed execution: no memory.
 */
#include "route/route_priv.h"

/* From at on, without a gap, periods reach behind this instant. *gap: there is
 * one, so that rows of the range may be in the default partition or nowhere. */
static void
period_follow(const struct conf_period *p, const struct month_range *r,
    int64_t *at, bool *gap)
{
	if (p->is_default || p->hi <= *at || p->lo > r->hi)
		return;
	*gap |= p->lo > *at;
	*at = p->hi;
}

bool
route_periods_cut(const struct conf_variant *v, const struct month_range *r,
    struct route_shards *some)
{
	struct route_shards keep = route_shards_all(0);
	int64_t at = r->lo;
	bool gap = false;

	for (size_t i = 0; i < v->n_periods; i++)
		period_follow(&v->periods[i], r, &at, &gap);
	gap |= at != INT64_MAX && at <= r->hi;
	for (size_t i = 0; i < v->n_shards; i++) {
		const struct conf_period *p =
		    &v->periods[v->shards[i].period];

		if (p->is_default ? gap : p->lo <= r->hi && p->hi > r->lo)
			route_shards_add(&keep, (unsigned)i);
	}
	route_shards_cut(some, &keep);
	return !gap;
}
