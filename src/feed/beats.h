/* SPDX-License-Identifier: PostgreSQL
 *
 * Heartbeats: up to when everything that others could see has been applied.
 *
 * A beat is a message committed on the server through an ordinary connection.
 * When it comes back in the stream, so has every commit whose record lies
 * before its own: every commit that anyone could see before the beat was sent.
 * Some of these may not be settled (feed/settle.h).  A snapshot asked for
 * after that shows all that could be seen before the beat was sent, and what
 * it shows is settled.  So the time of sending is proven when such a snapshot
 * has been dealt with, or if nothing was unsettled.  Pure.
 */
#ifndef PGSLUICE_FEED_BEATS_H
#define PGSLUICE_FEED_BEATS_H

#include <stdbool.h>

#include "base/check.h"
#include "base/clock.h"

/* With so many under way no more are sent: the stream is late. */
#define BEATS_MAX 8

struct beats {
	uint64_t last;              /* number of the last that was sent */
	uint64_t back;              /* ... that came back */
	nsec_t sent[BEATS_MAX];     /* by number */
	nsec_t returned;            /* when the last that came back was sent */
	nsec_t asked;               /* what the snapshot under way will prove */
	nsec_t proven;              /* 0: nothing yet */
};

/* Number of a new beat; 0: not now. */
uint64_t beats_send(struct beats *b, nsec_t now);
/* It has come back; unsettled: a snapshot is needed. false: it was never
 * sent, or is not the next one. */
bool beats_return(struct beats *b, uint64_t number, bool unsettled)
    PG_MUST_CHECK;
/* A snapshot is being asked for, one at a time / has been dealt with. */
void beats_ask(struct beats *b);
void beats_answer(struct beats *b);

#endif
