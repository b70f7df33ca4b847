/* SPDX-License-Identifier: PostgreSQL
 *
 * How far behind is a replica, and may a read go there?  The rules, without
 * the asking (standby.h).
 *
 * A primary is asked for its insert position over and over.  A sample is the
 * time at which a question was put and the position it was answered with:
 * whatever had been committed, or had been seen by anybody, by that time lies
 * in front of that position, with synchronous_commit off too.  A replica is
 * asked for its replay position.  Its *upto* is the time of the newest sample
 * whose position it has replayed.  So:
 *
 *   (1) A read that is sent to a replica after it has answered shows all that
 *       was committed on the primary, or seen by any read there or on any of
 *       its replicas (which only replay what the primary wrote before), by
 *       upto; for a replay position never goes back while the server runs.
 *   (2) A session (lag_reader) notes when its last answer from anywhere else
 *       than from its present replica came.  Where upto is later, (1) says
 *       that nothing is lacking of what it has written or seen.  What it has
 *       seen on the present replica is there as well, by the same server's
 *       replay never going back; any other replica must have upto behind that
 *       answer, too.
 *       Where upto is earlier, the session may have a sample of its own, taken
 *       behind all that counts, and let the replica say over the connection of
 *       the read, ahead of it, that it has replayed that position.
 *   (3) upto bounds the age of what is shown, by our clock alone.
 *
 * A server that restarts may come up at an earlier position than it had
 * shown.  All its connections end then.  So each connection over which a
 * replica is asked is an *epoch* with a number of its own: (2) counts another
 * epoch as another replica; and a read is sent only over a connection that was
 * there before the answer in force was asked for (lag_state.asked), to the same
 * postmaster (instance): it cannot have outlived a restart that the answer has
 * not seen.  Positions of another system or timeline are never compared.
 *
 * Pure.
 */
#ifndef PGSLUICE_LAYOUT_LAG_H
#define PGSLUICE_LAYOUT_LAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/clock.h"

enum replica_state {
#define REPLICA_STATE(sym, name, doc) REPLICA_##sym,
#include "tbl/replica_states.h"
	REPLICA_STATE_COUNT
};
const char *replica_state_name(enum replica_state s);
const char *replica_state_doc(enum replica_state s);

/* What a server said of itself. */
struct lag_answer {
	bool standby;
	uint64_t position;  /* insert; of a standby: replay */
	uint64_t system;
	uint32_t timeline;
	int version;
	uint64_t instance;  /* when its postmaster started; never 0 */
};

#define LAG_SAMPLES 1024u
struct lag_sample {
	nsec_t at;
	uint64_t position;
};
/* The last samples of a primary, ascending by both. */
struct lag_history {
	struct lag_sample v[LAG_SAMPLES];
	unsigned first, n;
};
/* A position before the last one is of another history: the samples so far are
 * forgotten. */
void lag_add(struct lag_history *h, nsec_t at, uint64_t position);
void lag_clear(struct lag_history *h);
/* 0: there is none. */
nsec_t lag_upto(const struct lag_history *h, uint64_t replayed);
/* By the last sample. */
uint64_t lag_bytes(const struct lag_history *h, uint64_t replayed);

/* Can positions of the two be compared? */
enum replica_state lag_compare(const struct lag_answer *primary,
    const struct lag_answer *replica);

/* Of a replica, as far as it is known. */
struct lag_state {
	enum replica_state state;
	uint64_t epoch;    /* unique over all replicas */
	uint64_t instance;
	nsec_t asked;      /* when the answer in force was asked for */
	nsec_t upto;
	uint64_t bytes;
};

/* What a statement allows; 0: any. */
struct lag_bounds {
	nsec_t max_age;
	uint64_t max_bytes;
};

/* What a session has seen. All zero: nothing yet. */
struct lag_reader {
	nsec_t elsewhere; /* its last answer not from that epoch */
	nsec_t here;      /* ... and from it */
	uint64_t epoch;   /* 0: no replica yet */
	struct lag_sample own; /* of the primary; position 0: none */
};
/* An answer came, from no replica. */
static inline void
lag_read_elsewhere(struct lag_reader *r, nsec_t now)
{
	r->elsewhere = now;
}
/* An answer came from the replica of this epoch. */
void lag_read(struct lag_reader *r, uint64_t epoch, nsec_t now);

/* May a read of r go there? written: when anything was last written that it
 * must see, or 0. */
enum replica_state lag_fit(const struct lag_state *s,
    const struct lag_bounds *b, const struct lag_reader *r, nsec_t written,
    nsec_t now);
/* For all but the floor: would r's own sample do, if that is replayed there? */
bool lag_provable(const struct lag_state *s, const struct lag_reader *r,
    nsec_t written);

#endif
