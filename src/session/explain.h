/* SPDX-License-Identifier: PostgreSQL
 *
 * EXPLAIN (ROUTE) and EXPLAIN (ROUTE, ANALYZE) of a session.
 *
 * The first is answered at once.  With ANALYZE the statement behind it takes the
 * place of the unit's, and runs as it would by itself, but past the cache; what
 * it tells the client goes to explain_output() instead.  When it is done the client
 * gets the lines, or the error it met.
 */
#ifndef PGSLUICE_SESSION_EXPLAIN_H
#define PGSLUICE_SESSION_EXPLAIN_H

#include "session/session_priv.h"

/* Answer a unit that is EXPLAIN (ROUTE). false: with ANALYZE, and it runs from now
 * on: see explain_blank() and explain_statement(). */
bool explain_unit(struct session *s, const struct unit *u,
    const struct query *q) PG_MUST_CHECK;
/* Is a statement under way whose answer is not for the client? */
bool explain_runs(const struct session *s);
/* Of a Query that runs so: leave the inner statement alone in it, at its place. */
void explain_blank(struct unit *u);
/* The same of a prepared statement: another one, with a reference. NULL: memory
 * limit, and the session has been closed. */
struct statement *explain_statement(struct session *s, struct statement *st)
    PG_MUST_CHECK;
/* What the client has prepared, if st was made of it; else st. */
struct statement *explain_prepared(const struct session *s,
    struct statement *st);

/* A statement is sent. part: to this server of several; NULL: the session's. shard:
 * of a routed table, or NULL. */
void explain_asked(struct session *s, const void *part,
    const struct conf_backend *b, const struct conf_shard *shard,
    const char *what, struct slice sql);
/* Bytes of the answer. */
void explain_answered(struct session *s, const void *part, const char *p,
    size_t n);
/* Static text: why it went another way than it seemed. */
void explain_note(struct session *s, const char *text);
/* What the client would be told. */
void explain_output(struct session *s, const char *p, size_t n);
/* Forget a statement that has ended, or (at the session's end) any. */
void explain_drop(struct session *s);

#endif
