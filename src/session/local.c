/* SPDX-License-Identifier: PostgreSQL
 *
 * Statements that need no server: a BEGIN that is held back until the first
 * routed statement, the end of a transaction that never reached a server, a
 * transaction that failed before it reached one, and (explain.c) EXPLAIN
 * (ROUTE).
 *
 * Runs on the session's worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgwire/msgwrite.h"
#include "session/explain.h"
#include "session/session_priv.h"

void
session_ready(struct session *s)
{
	const char ready[6] = { 'Z', 0, 0, 0, 5, s->tx };

	session_send(s, ready, sizeof(ready));
}

void
session_reply(struct session *s, const struct unit *u, struct slice middle,
    char status)
{
	static const char bound[] = "1\0\0\0\0042\0\0\0\004";
	char ready[6] = { 'Z', 0, 0, 0, 5, status };
	struct iovec iov[3];
	int n = 0;

	if (u->has_bind) {
		iov[n].iov_base = (void *)(uintptr_t)&bound[u->has_parse ? 0 :
		    5];
		iov[n++].iov_len = u->has_parse ? 10 : 5;
	}
	if (middle.n > 0) {
		iov[n].iov_base = (void *)(uintptr_t)middle.p;
		iov[n++].iov_len = middle.n;
	}
	iov[n].iov_base = ready;
	iov[n++].iov_len = sizeof(ready);
	session_sendv(s, iov, n);
}

void
session_complete(struct session *s, const struct unit *u, const char *tag,
    char status)
{
	struct msgwrite w;
	struct buf b;

	buf_init(&b, 4096);
	msgwrite_init(&w, &b);
	if (u->has_bind && u->described) {
		msgwrite_begin(&w, 'n');
		msgwrite_end(&w);
	}
	msgwrite_complete(&w, tag);
	CHECK(!w.failed);
	if (u->first == 'Q')
		statements_drop_unnamed(&s->prepared, &s->sw->statements);
	s->tx = status;
	session_reply(s, u, slice_make(buf_head(&b), buf_len(&b)), status);
	buf_reset(&b);
}

/* ---- transactions that no server has seen ------------------------------------------ */

/* Does the first word, comments (which are cuts) left out, begin like this? */
static bool
local_first_word(const struct query *q, const char *word)
{
	const struct lexer *lx = q->values.lx;
	const char *p = q->sql.p;
	size_t pos = 0, cut = 0, n = strlen(word);

	while (pos < q->sql.n) {
		if (cut < lx->n_cuts && pos == lx->cuts[cut].pos)
			pos += lx->cuts[cut++].len;
		else if ((p[pos] | 32) >= 'a' && (p[pos] | 32) <= 'z')
			break;
		else
			pos++;
	}
	return q->sql.n - pos >= n && strncasecmp(p + pos, word, n) == 0;
}

/* One with a longer comment goes to a server at once. */
#define HELD_BEGIN_MAX 4096

static void
local_begin(struct session *s, const struct unit *u, const struct query *q)
{
	const struct scope *scope = settings_scope(s);

	free(s->held_begin);
	s->held_begin = x_strndup(q->sql.p, q->sql.n);
	s->held_extended = u->first != 'Q';
	s->tx_dirty = scope == NULL || !scope->read_committed;
	s->tx_began = s->started;
	session_complete(s, u, local_first_word(q, "start") ?
	    "START TRANSACTION" : "BEGIN", 'T');
}

static void
local_end(struct session *s, const struct unit *u, const struct query *q)
{
	bool undo = s->tx == 'E' || local_first_word(q, "rollb") ||
	    local_first_word(q, "abort");

	free(s->held_begin);
	s->held_begin = NULL;
	s->tx_dirty = false;
	stat_add(&session_metrics(s)->c.held_begins, 1);
	if (s->listening != NULL)
		session_listen_local_end(s, !undo);
	session_complete(s, u, undo ? "ROLLBACK" : "COMMIT", 'I');
}

bool
session_ends_failed(const struct session *s, const struct query *q)
{
	static const char *const ends[] = { "rollb", "abort", "commit", "end" };
	uint32_t flags = q->shape->an->flags;
	size_t i;

	if (s->tx != 'E' || s->open_unit || !(flags & AN_MULTI) ||
	    !(flags & AN_TX_END) || (flags & (AN_SAVEPOINT | AN_TX_CHAIN)))
		return false;
	for (i = 0; i < ARRAY_SIZE(ends); i++)
		if (local_first_word(q, ends[i]))
			return true;
	return false;
}

/* ---- deciding ------------------------------------------------------------------------------- */

bool
session_local(struct session *s, struct unit *u, struct query *q)
{
	uint32_t flags = q->shape->an->flags;
	/* Values, of which it takes none, are for the server to refuse. */
	bool plain = (flags & AN_TX_PLAIN) && !(flags & AN_MULTI) &&
	    (q->bind == NULL || q->bind->n_params == 0);

	if (s->state != SESSION_IDLE)
		return false;
	if (s->tx == 'E' && s->server == NULL && u->first == 'Q' &&
	    q->shape->an->kind == STMT_EMPTY) {
		/* It is no command, and so not refused where commands are. */
		statements_drop_unnamed(&s->prepared, &s->sw->statements);
		session_reply(s, u, SLICE_LIT("I\0\0\0\4"), s->tx);
		return true;
	}
	if (s->tx == 'E' && s->server == NULL) {
		/* What is wrong with a text counts before what is wrong with
		 * the transaction. */
		if (((flags & (AN_TX_END | AN_SAVEPOINT)) && !plain) ||
		    q->shape->an->kind == STMT_UNPARSED)
			return false;
		if (flags & AN_TX_END)
			local_end(s, u, q);
		else
			session_unit_error(s, u, "25P02", "current "
			    "transaction is aborted, commands ignored until "
			    "end of transaction block", NULL, NULL);
		return true;
	}
	if (flags & AN_EXPLAIN_ROUTE)
		return explain_unit(s, u, q);
	if (s->server != NULL || !plain)
		return false;
	if (s->tx == 'I' && (flags & AN_TX_BEGIN)) {
		if (q->sql.n > HELD_BEGIN_MAX)
			return false;
		local_begin(s, u, q);
		return true;
	}
	if (s->tx == 'T' && (flags & AN_TX_END)) {
		local_end(s, u, q);
		return true;
	}
	return false;
}
