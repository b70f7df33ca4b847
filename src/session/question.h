/* SPDX-License-Identifier: PostgreSQL
 *
 * A statement in the words of an arm: what the arm's view of the database makes
 * of it, ready to be asked on the side.
 */
#ifndef PGSLUICE_SESSION_QUESTION_H
#define PGSLUICE_SESSION_QUESTION_H

#include "session/session_priv.h"

/* q as plan words it, plan being one of its shape. Where it is about several parts,
 * the backend that sees all of them is asked. bind: what follows the names in
 * its Bind; described: its columns are asked for. NULL: it has no words there, is
 * longer than max bytes, or cannot be asked now. */
struct aside *question_new(struct session *s, const struct query *q,
    struct route_plan *plan, struct slice bind, bool described, size_t max)
    PG_MUST_CHECK;

#endif
