/* SPDX-License-Identifier: PostgreSQL
 *
 * Which unnamed statements are worth a name on servers.
 *
 * A driver that sends Parse with every query makes PostgreSQL parse and plan it
 * each time.  From its n-th use on such a statement is run as a prepared one, and
 * stays so while that is not slower: a prepared statement may get a generic
 * plan, which can lose where values are skewed.  Pure; one a statement and
 * worker.
 */
#ifndef PGSLUICE_SESSION_PROMOTE_H
#define PGSLUICE_SESSION_PROMOTE_H

#include <stdbool.h>
#include <stdint.h>

struct promotion {
	unsigned uses;       /* so far, up to the limit */
	uint64_t unnamed_ns; /* running mean of uses as an unnamed one; 0: none */
	unsigned named;      /* uses as a named one in this window */
	uint64_t named_ns;   /* their sum */
	unsigned wait;       /* uses left before it is tried again */
	unsigned next_wait;  /* after the next failure; 0: none so far */
};

/* One more use; true: under a name. after: uses before that; 0: never. */
bool promotion_use(struct promotion *p, unsigned after);
/* How long a use took, and how it was run. */
void promotion_took(struct promotion *p, uint64_t ns, bool named);
/* It does not go well under a name: not for some time, twice as long each time. */
void promotion_refuse(struct promotion *p);

#endif
