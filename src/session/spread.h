/* SPDX-License-Identifier: PostgreSQL
 *
 * A write of a session that is spread over several shards, all or nothing: COPY
 * FROM STDIN and INSERT ... VALUES, whose rows are dealt out by their keys.
 *
 *   (columns) --> opening --> copying --> loaded --> committing --> answered
 *       |            |           |           |            \--> in doubt (40003)
 *       |            \-----------+-----------+--> undone, told why
 *       \--> the unit goes again, to the coordinator
 *
 * Each shard has a transaction of its own.  They are committed when all have taken
 * all their rows and found their deferred constraints met; a shard that is lost while
 * it commits leaves the client in doubt, and is named.  With two_phase_commit all end
 * alike even then, see spread_end.c.  While rows are taken
 * the session is in state SPREAD_COPY, else in SPREAD_WAIT; it has no server of
 * its own.  Runs on the session's worker.
 */
#ifndef PGSLUICE_SESSION_SPREAD_H
#define PGSLUICE_SESSION_SPREAD_H

#include "session/session_priv.h"

/* Take a COPY. false: it is the coordinator's. *r: what became of the unit. */
bool spread_begin(struct session *s, const struct unit *u,
    const struct query *q, enum unit_result *r) PG_MUST_CHECK;
/* Messages in state SPREAD_COPY; returns how many bytes were used. */
size_t spread_input(struct session *s, const char *p, size_t n);
/* A shard does not take its rows as fast as they come. */
bool spread_is_full(const struct session *s);
void spread_cancel(struct session *s);
/* The session ends. */
void spread_drop(struct session *s);
/* Has a part waited for its server for too long? */
void spread_tick(struct session *s, nsec_t now);

#endif
