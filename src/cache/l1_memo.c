/* SPDX-License-Identifier: PostgreSQL
 *
 * What a stripe of L1 remembers of keys beyond their objects: whose results
 * could not be shared, and how young the answers were that are not here.
 *
 * Forgetting is harmless: a statement waits for a fill in vain, or an older
 * result is served within the bounds of its rule.  Under the stripe's lock.
 */
#include "cache/l1_priv.h"

#include "base/check.h"

#define PASS_TIME (10 * NSEC_PER_SEC)

static size_t
memo_slot(const struct cache_key *k, size_t n)
{
	return (k->hash.hi >> 32) % n;
}

/* --- keys that are passed by ------------------------------------------- */

bool
l1_memo_passes(const struct l1_memo *m, const struct cache_key *k, nsec_t now)
{
	const struct l1_pass *p = &m->pass[memo_slot(k, ARRAY_SIZE(m->pass))];

	return p->print == k->hash.lo && now < p->until;
}

void
l1_memo_refused(struct l1_memo *m, const struct cache_key *k, bool certain,
    nsec_t now)
{
	struct l1_pass *p = &m->pass[memo_slot(k, ARRAY_SIZE(m->pass))];
	bool again = p->print == k->hash.lo && p->once;

	*p = (struct l1_pass){ .print = k->hash.lo, .once = true,
		.until = certain || again ? now + PASS_TIME : 0 };
}

void
l1_memo_shared(struct l1_memo *m, const struct cache_key *k)
{
	struct l1_pass *p = &m->pass[memo_slot(k, ARRAY_SIZE(m->pass))];

	if (p->print == k->hash.lo)
		*p = (struct l1_pass){ .until = 0 };
}

/* --- answers that are not here ------------------------------------------ */

void
l1_memo_answer(struct l1_memo *m, const struct cache_key *k, nsec_t wall,
    nsec_t mono)
{
	struct l1_last *last = &m->last[memo_slot(k, ARRAY_SIZE(m->last))];

	if (last->print != k->hash.lo)
		*last = (struct l1_last){ .print = k->hash.lo };
	last->wall = last->wall < wall ? wall : last->wall;
	last->mono = last->mono < mono ? mono : last->mono;
}

bool
l1_memo_younger(const struct l1_memo *m, const struct cache_key *k,
    nsec_t wall)
{
	const struct l1_last *last = &m->last[memo_slot(k,
	    ARRAY_SIZE(m->last))];

	return last->print == k->hash.lo && wall < last->wall;
}

bool
l1_memo_outruns(const struct l1_memo *m, const struct object *o)
{
	const struct l1_last *last = &m->last[memo_slot(&o->key,
	    ARRAY_SIZE(m->last))];

	return last->print == o->key.hash.lo && o->fetched_mono < last->mono;
}
