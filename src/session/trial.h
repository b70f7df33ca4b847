/* SPDX-License-Identifier: PostgreSQL
 *
 * Experiments from a session's point of view: which arm serves a statement,
 * and what is measured of it.
 *
 *   unit begins --> arms of units that are known before the statement is
 *                     --> statement recognised: its experiment, its unit
 *                           --> the unit's arm, unless the transaction or the
 *                               server at hand belongs to another: astray
 *                                 --> plan in the arm's view of the database
 *
 * Statements of databases without a running experiment cost one branch.  Runs on
 * the session's worker.
 */
#ifndef PGSLUICE_SESSION_TRIAL_H
#define PGSLUICE_SESSION_TRIAL_H

#include "session/session_priv.h"

/* The session's database has experiments: a unit of messages begins. */
void trial_begin(struct session *s);
/* Let the control have all of what is under way. */
void trial_yield(struct session *s);
/* q's plan is of an experiment: let it be that of its arm's view. */
void trial_assign(struct session *s, struct query *q);
/* q is sent, and not measured, for the reason that q->trial_pass has. */
void trial_sent(struct session *s, const struct query *q);
/* q's experiment in words: which arm, and what it is measured as. false: it takes
 * part in none. */
bool trial_explain(struct session *s, const struct query *q, char *out,
    size_t size) PG_MUST_CHECK;
/* The statement was answered. mark: of the session, or of what it was answered
 * with from the cache. */
void trial_record(struct session *s, const struct trial_mark *mark,
    nsec_t took, bool cached, bool failed);

#endif
