/* SPDX-License-Identifier: PostgreSQL
 *
 * Bumps that Redis has not acknowledged.
 *
 * The counts by tag are the process's, for any thread: while one is not zero
 * no worker may trust what Redis says about that tag.  A replay set is one
 * worker's: what it must send again after its connection was lost.  Knows
 * nothing of connections.
 *
 * Invariants: every bump on its way, and every member of a replay set, holds
 * exactly one count, so L2 opens again when, and only when, all were
 * acknowledged.  A set that grows too large becomes "everything", and one
 * whose owner ends before it is empty is inherited by the next owner.
 */
#include "cache/l2_priv.h"

static atomic_uint l2_pending[TAG_SLOTS];
static atomic_uint l2_pending_all; /* their sum */
static atomic_bool l2_orphaned; /* holds one count of TAG_ALL */

void
l2_pending_add(tag_t t)
{
	CHECK(t < TAG_SLOTS);
	atomic_fetch_add(&l2_pending_all, 1);
	atomic_fetch_add(&l2_pending[t], 1);
}

void
l2_pending_remove(tag_t t)
{
	CHECK(atomic_fetch_sub(&l2_pending[t], 1) > 0);
	CHECK(atomic_fetch_sub(&l2_pending_all, 1) > 0);
}

bool
l2_is_settled(void)
{
	return atomic_load(&l2_pending_all) == 0;
}

bool
l2_pending_any(const struct tagset *tags)
{
	unsigned i;

	for (i = 0; i < tags->n; i++)
		if (tags->tag[i] >= TAG_SLOTS ||
		    atomic_load(&l2_pending[tags->tag[i]]) > 0)
			return true;
	return atomic_load(&l2_pending[TAG_ALL]) > 0;
}

void
l2_replay_add(struct l2_replay *r, tag_t t)
{
	unsigned i;

	for (i = 0; i < r->n; i++) {
		if (r->tag[i] == t || r->tag[i] == TAG_ALL) {
			l2_pending_remove(t);
			return;
		}
	}
	if (r->n == L2_REPLAY_MAX) {
		/* The new count first: at no moment may it look settled. */
		l2_pending_add(TAG_ALL);
		for (i = 0; i < r->n; i++)
			l2_pending_remove(r->tag[i]);
		l2_pending_remove(t);
		r->n = 1;
		r->tag[0] = TAG_ALL;
		return;
	}
	r->tag[r->n++] = t;
}

void
l2_replay_abandon(struct l2_replay *r)
{
	unsigned i;

	if (r->n == 0)
		return;
	l2_pending_add(TAG_ALL);
	for (i = 0; i < r->n; i++)
		l2_pending_remove(r->tag[i]);
	r->n = 0;
	if (atomic_exchange(&l2_orphaned, true))
		l2_pending_remove(TAG_ALL);
}

void
l2_replay_adopt(struct l2_replay *r)
{
	if (atomic_exchange(&l2_orphaned, false))
		l2_replay_add(r, TAG_ALL);
}
