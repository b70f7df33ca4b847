/* SPDX-License-Identifier: PostgreSQL
 *
 * One SELECT of a session, answered by many shards at once.
 *
 *   leases --> asking --(all parts are in)--> answered
 *                 |                     \---> merging --> answered
 *                 |-- refused, before the client has got a byte --> the unit
 *                 |   goes again, to the coordinator
 *                 \-- error --(the others are cancelled)--> told
 *
 * The unit stays at the head of the session's input, in state GATHER, in which
 * the session has no server of its own.  A backend is leased once, however many
 * of its shards are asked, in the order of the backends' numbers: so no two
 * sessions can each wait for what the other holds.  Runs on the session's
 * worker.
 */
#ifndef PGSLUICE_SESSION_GATHER_H
#define PGSLUICE_SESSION_GATHER_H

#include "session/session_priv.h"

/* Ask the shards. false: the statement is the coordinator's. *r: what became of
 * the unit. */
bool gather_begin(struct session *s, const struct unit *u,
    const struct query *q, enum unit_result *r) PG_MUST_CHECK;
/* The client asks for its end. */
void gather_cancel(struct session *s);
/* The session ends. */
void gather_drop(struct session *s);
/* The client has got the beginning of a row. */
bool gather_is_midway(const struct session *s);
/* The client has taken what was kept for it. */
void gather_drained(struct session *s);
/* Has a part waited for its server for too long? */
void gather_tick(struct session *s, nsec_t now);

#endif
