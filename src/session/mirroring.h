/* SPDX-License-Identifier: PostgreSQL
 *
 * A session's writes that other arms get, too, once the control has committed
 * them.
 *
 *   statement sent: noted, in each arm's words
 *     --> answered: kept, with its tag       (an error: forgotten)
 *           --> the commit is about to be sent: a number (experiment/mirror.h)
 *                 --> committed: handed to the arms
 *                 --> not committed: nothing
 *                 --> not known, since the server or the session has gone: nothing,
 *                     and counted
 *
 * A statement that commits by itself runs in a transaction of ours, so that its number
 * can be taken between its answer and the commit:
 *
 *   RUNS: BEGIN, hidden, and the client's messages; its ReadyForQuery is kept back,
 *         and of a Query also its CommandComplete
 *     --> COMMITS: COMMIT, hidden; an error of it is the client's
 *     --> UNDOES: ROLLBACK, hidden, behind an error
 *           --> the client is told the end
 *
 * What cannot be handed on so (several statements in one Query, COPY, functions that
 * write, what is too long) is counted as not mirrored, and what might not have the
 * same effect there as unsure.  Runs on the session's worker.
 */
#ifndef PGSLUICE_SESSION_MIRRORING_H
#define PGSLUICE_SESSION_MIRRORING_H

#include "session/session_priv.h"

/* q writes, and goes to the control: note that arms are to get it. Once for
 * a statement recognised; takes effect by mirroring_note(). */
void mirroring_mark(struct query *q, const struct conf_experiment *e);
/* q is sent, as the index-th since the last ReadyForQuery. */
void mirroring_note(struct session *s, const struct query *q, unsigned index);

/* A unit with such a statement is about to be sent, with statements of these
 * flags: let it run in a transaction of ours, where it can be. */
void mirroring_wrap(struct session *s, const struct unit *u, uint32_t flags);
static inline bool
mirroring_is_wrapped(const struct session *s)
{
	return unlikely(s->mirroring != NULL) && s->wraps;
}

/* s->mirroring is not NULL, for all below. */
/* The index-th statement has completed; hidden: one of ours. */
void mirroring_completed(struct session *s, const char *tag, unsigned index);
void mirroring_completed_own(struct session *s, const char *tag);
/* ReadyForQuery came for the client's messages. true: it is ours, nothing is
 * over yet. */
bool mirroring_holds(struct session *s, char status) PG_MUST_CHECK;
/* ... and counts: status; erred: there was an error before it. */
void mirroring_synced(struct session *s, char status, bool erred);
/* Bytes for the client of a unit in a transaction of ours. */
void mirroring_pass(struct session *s, const char *p, size_t n);
/* The server owes nothing, and the transaction is ours. true: it has been asked to
 * end it. */
bool mirroring_asks(struct session *s, char status) PG_MUST_CHECK;
/* mirroring_synced() has been called: the client's messages ended behind it. */
bool mirroring_is_counted(const struct session *s);
/* It is over, and has been counted: tell the client. */
void mirroring_tell(struct session *s);
void mirroring_drop(struct session *s); /* NULL is fine */

/* The session has written what the arm has not got yet. */
bool mirroring_is_ahead(const struct session *s,
    const struct conf_experiment *e, unsigned at, unsigned arm);

#endif
