/* SPDX-License-Identifier: PostgreSQL
 *
 * Checks: questions of the configuration that servers answer with one number,
 * asked over and over by threads of their own.
 *
 * One thread asks one of them, over a connection that lasts while it answers;
 * one that hangs holds up none of the others, and no statement of a client.
 * What they find is guarded by one lock, which is never held while a server is
 * asked.  A check that a new configuration has unchanged keeps what was found.
 */
#ifndef PGSLUICE_LAYOUT_CHECKS_H
#define PGSLUICE_LAYOUT_CHECKS_H

#include "conf/conf.h"
#include "layout/standby.h"

/* What is known of one; borrowed while it is told. */
struct checks_info {
	const char *name, *backend, *query;
	nsec_t interval;
	bool known;      /* it has been answered at least once, with value */
	double value;    /* finite */
	nsec_t took;     /* the last answer */
	nsec_t age;      /* ... so long ago */
	bool up;         /* ... and nothing has failed since */
	uint64_t runs, failures;
	const char *error; /* of the last failure; "": it is up, or new */
};

/* Control thread: run the checks of c, logging in by l, whose reference it
 * takes. */
void checks_configure(struct conf *c, struct standby_login *l);
/* End all threads, and wait for them. */
void checks_stop(void);
/* Any thread. */
void checks_each(void (*fn)(const struct checks_info *i, void *arg), void *arg);
/* One finite number, with nothing behind it. Pure. */
bool checks_read(const char *text, double *out) PG_MUST_CHECK;

#endif
