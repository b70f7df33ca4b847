/* SPDX-License-Identifier: PostgreSQL
 *
 * Statements of an experiment in shadow mode: the control answers the client,
 * other arms are asked the same on the side, and what they say is compared.
 *
 *   sent to the control --> its answer is summed up as it goes by
 *     --> answered: FIRST, the arm is asked
 *           --> the same
 *           --> different: CONTROL, the control is asked again
 *                 --> not what it said before: inconclusive
 *                 --> AGAIN, the arm is asked again
 *                       --> the same: inconclusive
 *                       --> LAST, the control is asked
 *                             --> not what it said: inconclusive
 *                             --> a mismatch
 *
 * The client waits for none of it.  Times are those from sending to the end of the
 * answer, for the control's first answer and the arm's.  Runs on the session's
 * worker; checks outlive their session.
 */
#ifndef PGSLUICE_SESSION_SHADOW_H
#define PGSLUICE_SESSION_SHADOW_H

#include "session/session_priv.h"

/* Each arm of each experiment has a queue of its own, so that one that is down or
 * slow holds up no other. */
void shadow_init(struct session_worker *sw);
void shadow_fini(struct session_worker *sw);
/* q is about to be sent to s->server, alone, in this unit: follow it, if it is
 * one that can be asked again and is drawn. */
void shadow_begin(struct session *s, const struct unit *u,
    const struct query *q);
/* s->shadow is not NULL, until one of the last two: */
void shadow_answer(struct session *s, const char *p, size_t n);
/* All of it has come; the server was ready at now. */
void shadow_answered(struct session *s, nsec_t now);
void shadow_drop(struct session *s); /* NULL is fine */

void shadow_tick(struct session_worker *sw, nsec_t now);
void shadow_stop(struct session_worker *sw);

#endif
