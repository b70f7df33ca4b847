/* SPDX-License-Identifier: PostgreSQL
 *
 * What Redis has said of the names of its entries: results of L1 that it has
 * under one of these are served only until somebody changes it there.
 *
 * As for tags, a name is a slot chosen by its hash with a generation that a
 * result records before it is asked for; a collision costs a needless miss.
 * Redis tells of our own changes, too.  So whoever makes one marks the name as
 * its own until it has read back what it wrote: what Redis says of the name
 * meanwhile counts only if that is not there any more.
 * Any thread, no lock.
 */
#ifndef PGSLUICE_CACHE_TRACK_H
#define PGSLUICE_CACHE_TRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"

#define TRACK_SLOTS 65536u

struct track_mark {
	bool used; /* false: never out of date */
	uint32_t slot;
	uint64_t gen, epoch;
};

/* A name in Redis, as it is now. */
void track_record(struct track_mark *m, struct slice name);
/* Redis has said nothing of it since. */
bool track_current(const struct track_mark *m);

/* Redis tells of changes from now on, or no longer: whatever it may have not
 * told is out of date. */
void track_begin(void);
void track_end(void);
bool track_is_on(void);
/* It is meant to, now or later: results record marks. */
void track_want(void);
bool track_is_wanted(void);
/* Everything is gone there. */
void track_all(void);
/* It tells of a name. false: which is changed by us just now, and then whoever
 * does so will see. */
bool track_told(struct slice name);

/* A change of our own. */
struct track_own {
	uint64_t key;
	uint32_t slot, told;
};
/* Before the change is sent. false: Redis does not tell, or it tells of a name
 * of this slot that is another's own: then this one's is told as any other. */
bool track_own_begin(struct track_own *o, struct slice name) PG_MUST_CHECK;
/* Before what is there is read back. */
void track_own_read(struct track_own *o);
/* Redis has told of the name since then. */
bool track_own_told(const struct track_own *o);
/* It is no longer ours. false: Redis has told of it since it was read back, so
 * it has to be taken for changed; its results are out of date already. */
bool track_own_end(struct track_own *o) PG_MUST_CHECK;
/* ... and has been changed by others. */
void track_own_lost(struct track_own *o);

struct track_stats {
	uint64_t told, dropped, epochs;
};
void track_stats(struct track_stats *st);

#endif
