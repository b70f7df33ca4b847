/* SPDX-License-Identifier: PostgreSQL
 *
 * The arithmetic of heartbeats.
 *
 * Pure.  Invariants: back <= last <= back + BEATS_MAX; proven, asked <=
 * returned.
 */
#include "feed/beats.h"

uint64_t
beats_send(struct beats *b, nsec_t now)
{
	if (b->last - b->back == BEATS_MAX)
		return 0;
	b->last++;
	b->sent[b->last % BEATS_MAX] = now;
	return b->last;
}

bool
beats_return(struct beats *b, uint64_t number, bool unsettled)
{
	if (number != b->back + 1 || number > b->last)
		return false;
	b->back = number;
	b->returned = b->sent[number % BEATS_MAX];
	if (!unsettled)
		b->proven = b->returned;
	return true;
}

void
beats_ask(struct beats *b)
{
	b->asked = b->returned;
}

void
beats_answer(struct beats *b)
{
	if (b->asked > b->proven)
		b->proven = b->asked;
}
