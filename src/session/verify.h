/* SPDX-License-Identifier: PostgreSQL
 *
 * A sample of hits is asked for again, of the backend, and compared.
 *
 *   drawn --> queued --> asked --> same, in another order, or no result
 *                          \-----> different: waits for writes that are on
 *                                  their way to be seen, then
 *                                    --> its tags have moved: says nothing
 *                                    --> stale, as its rule allows
 *                                    --> mismatch
 *
 * The client has its answer before, and waits for nothing here: a server is used
 * that rests in the session's pool or is connected for it where there is room,
 * one at a time by each worker, and where there is none soon, or too many samples
 * wait, they are dropped and counted.  Runs on the session's worker; a sample outlives its session.
 */
#ifndef PGSLUICE_SESSION_VERIFY_H
#define PGSLUICE_SESSION_VERIFY_H

#include "cache/object.h"
#include "session/session_priv.h"

struct verify_job;

/* The session was answered with o, from L1. stmt: as for query_prepare(). */
void verify_hit(struct session *s, const struct unit *u,
    struct statement *stmt, struct object *o);
/* In two steps: q may be answered from L2; NULL: it cannot be asked again ... */
struct verify_job *verify_prepare(struct session *s, const struct query *q,
    const struct cache_key *k);
/* ... and was, with o. The job is taken over. */
void verify_submit(struct session_worker *sw, struct verify_job *j,
    struct object *o);
void verify_free(struct verify_job **j);

void verify_init(struct session_worker *sw);
/* Often: time limits, those that wait. */
void verify_tick(struct session_worker *sw, nsec_t now);
/* Drop all. */
void verify_stop(struct session_worker *sw);

#endif
