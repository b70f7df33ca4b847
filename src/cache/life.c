/* SPDX-License-Identifier: PostgreSQL
 *
 * Lives of results.
 *
 * Times come from configurations, at most 30 days, and clocks: nothing here
 * overflows.  Pure.
 */
#include "cache/life.h"

static nsec_t
life_cut(nsec_t life, unsigned jitter, uint32_t dice)
{
	nsec_t most = life / 100 * jitter;

	return life - (nsec_t)((double)most * ((double)dice / 0x1p32));
}

struct life
life_reckon(const struct life_rule *r, nsec_t fetched, uint32_t dice)
{
	nsec_t ttl = life_cut(r->ttl, r->jitter, dice), l1;
	struct life l = { .ttl = ttl };

	/* However long L1 may keep it, it is never older than the TTL. */
	l1 = r->l1_ttl < r->ttl ? life_cut(r->l1_ttl, r->jitter, dice) : ttl;
	l.l1_until = l.grace_until = l.stale_until = fetched + l1;
	if (l1 == 0)
		return l;
	l.grace_until = l.l1_until + r->grace;
	l.stale_until = l.l1_until + r->stale;
	if (l.stale_until < l.grace_until)
		l.stale_until = l.grace_until;
	/* What ends earlier in L1 than elsewhere is found there. */
	if (r->ahead > 0 && r->l1_ttl >= r->ttl)
		l.renew_from = l.l1_until - l1 / 100 * r->ahead;
	return l;
}

struct life_rule
life_of_nothing(const struct life_rule *r, nsec_t ttl_empty)
{
	struct life_rule n = *r;

	n.ttl = ttl_empty;
	if (r->l1_ttl >= r->ttl || r->l1_ttl > ttl_empty)
		n.l1_ttl = ttl_empty;
	return n;
}

static nsec_t
life_earlier(nsec_t until, nsec_t fetched, nsec_t left)
{
	return until - fetched > left ? fetched + left : until;
}

void
life_end(struct life *l, nsec_t fetched, nsec_t left)
{
	if (l->ttl > left)
		l->ttl = left;
	l->l1_until = life_earlier(l->l1_until, fetched, left);
	l->grace_until = life_earlier(l->grace_until, fetched, left);
	l->stale_until = life_earlier(l->stale_until, fetched, left);
}
