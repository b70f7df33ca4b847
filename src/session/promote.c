/* SPDX-License-Identifier: PostgreSQL
 *
 * When a repeated unnamed statement gets a name on servers, and loses it.
 * Pure.
 */
#include "session/promote.h"

#define WINDOW 16          /* named uses that are judged together */
#define SLACK_NS 100000    /* differences below are noise */
#define FIRST_WAIT 64      /* uses */
#define LONGEST_WAIT 65536

bool
promotion_use(struct promotion *p, unsigned after)
{
	if (after == 0)
		return false;
	if (p->wait > 0) {
		p->wait--;
		return false;
	}
	if (p->uses < after) {
		p->uses++;
		return false;
	}
	return true;
}

void
promotion_took(struct promotion *p, uint64_t ns, bool named)
{
	uint64_t mean;

	if (!named) {
		p->unnamed_ns = p->unnamed_ns == 0 ? ns :
		    p->unnamed_ns - p->unnamed_ns / 8 + ns / 8;
		return;
	}
	p->named_ns += ns;
	if (++p->named < WINDOW)
		return;
	mean = p->named_ns / WINDOW;
	p->named = 0;
	p->named_ns = 0;
	if (mean > 2 * p->unnamed_ns + SLACK_NS)
		promotion_refuse(p);
}

void
promotion_refuse(struct promotion *p)
{
	p->wait = p->next_wait == 0 ? FIRST_WAIT : p->next_wait;
	p->next_wait = p->wait >= LONGEST_WAIT ? LONGEST_WAIT : 2 * p->wait;
	p->named = 0;
	p->named_ns = 0;
}
