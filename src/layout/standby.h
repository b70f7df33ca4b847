/* SPDX-License-Identifier: PostgreSQL
 *
 * Replicas under watch: how far they and their primaries have come, asked over
 * and over by threads of its own, and which of them may have a read.
 *
 * One thread asks one server, every replica_interval, over a connection that
 * lasts; one that hangs holds up none of the others.  What they find is guarded
 * by one lock, which is never held while a server is asked.  With every new
 * configuration all is forgotten and asked anew.  Which reads may go where, and
 * why that is right, stands in lag.h.
 */
#ifndef PGSLUICE_LAYOUT_STANDBY_H
#define PGSLUICE_LAYOUT_STANDBY_H

#include "conf/conf.h"
#include "layout/lag.h"
#include "run/shared.h"

/* Who asks; the watch has one reference for each thread. */
struct standby_login {
	/* Arguments for libpq: arrays of malloc'ed strings that end with NULL.
	 * false: there is nobody to log in as. On any thread. */
	bool (*args)(struct standby_login *l, const char *conninfo,
	    char ***keywords, char ***values);
	void (*free)(struct standby_login *l); /* after the last use */
	atomic_uint refs; /* the maker sets 1, which the receiver takes */
};

/* Control thread: watch the backends of c that list replicas, and these. */
void standby_configure(struct conf *c, struct standby_login *l);
/* End all threads, and wait for them. */
void standby_stop(void);

/* Any thread: */

/* Some backend lists replicas. */
extern atomic_bool standby_is_on;

struct standby_choice {
	const struct conf_backend *backend;
	uint64_t epoch, instance;
	nsec_t asked;
	bool unproven; /* it has to say first that it has replayed the reader's
	                  own sample */
};
/* The replicas of b that are fit for a read, in the order in which they should
 * be tried; at most CONF_MAX_REPLICAS. The reader's own sample is of b. Of none:
 * *why is what one of them lacks, the floor if it is that. */
unsigned standby_choose(const struct conf_backend *b,
    const struct lag_bounds *bounds, const struct lag_reader *r,
    nsec_t written, nsec_t now, struct standby_choice *out,
    enum replica_state *why);
/* The connection over which this replica was asked is gone, and there is no
 * other; or (a new configuration begins anew) there never was one to b. */
bool standby_has_lost(uint64_t epoch, const struct conf_backend *b);

/* Something has been written, or may have been, by a session of this process. */
void standby_written(void);
/* When that was last; 0: never. */
nsec_t standby_last_written(void);
/* Where it is noted, for the process that takes over. */
struct shared_region standby_region(void);

struct standby_info {
	const char *primary, *replica;
	enum replica_state state;
	const char *error; /* "": none */
	uint64_t replayed, bytes; /* bytes: behind; 0 unless it is compared */
	nsec_t age;        /* what it shows is at most as old; 0: not known */
	uint32_t timeline;
	bool known;        /* it has answered: replayed and timeline count */
	bool compared;     /* bytes counts, and age unless it is 0 */
};
void standby_each(void (*fn)(const struct standby_info *i, void *arg), void *arg);

#endif
