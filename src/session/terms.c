/* SPDX-License-Identifier: PostgreSQL
 *
 * Errors of servers in the client's terms: positions in its own text, its own
 * names of statements.
 *
 * Servers are given other texts, and statements under names of ours.  Runs on
 * the session's worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgwire/msgwrite.h"
#include "session/session_priv.h"

/* Where a message names a statement of ours, or NULL. */
static const char *
terms_our_name(const char *message)
{
	const char *at = strstr(message, "\"pgsluice_");

	return at != NULL && strlen(at) > PREPARED_NAME_LEN + 1 &&
	    at[PREPARED_NAME_LEN + 1] == '"' ? at + 1 : NULL;
}

bool
session_names_ours(const char *message)
{
	return terms_our_name(message) != NULL;
}

/* A message with the client's name of the statement. */
static void
terms_message(struct session *s, struct msgwrite *w, const char *text)
{
	const char *ours = terms_our_name(text);
	struct slice name = s->server->owed.failed_text;

	if (session_terms(s) != NULL)
		name = slice_str(session_terms(s)->name);
	/* Only of what is bound can it be the unnamed one that runs under a
	 * name. */
	if (ours == NULL || (name.n == 0 &&
	    s->server->owed.failed != OWED_BIND)) {
		msgwrite_str(w, text);
		return;
	}
	msgwrite_bytes(w, text, (size_t)(ours - text));
	msgwrite_bytes(w, name.p, name.n);
	msgwrite_str(w, ours + PREPARED_NAME_LEN);
}

void
session_own_terms(struct session *s, const char *body, size_t n,
    struct slice position)
{
	const char *p = body, *end = body + n, *value;
	struct msgwrite w;
	struct query q;
	struct buf b;
	const struct unit_terms *terms = session_terms(s);
	char number[16] = "";
	unsigned at;

	if (position.n > 0 && terms != NULL) {
		at = (unsigned)strtoul(position.p, NULL, 10);
		snprintf(number, sizeof(number), "%d", (int)at -
		    (at > terms->at ? terms->by : 0));
	} else if (position.n > 0 && s->rewritten != NULL) {
		query_prepare(s, &q, slice_str(s->rewritten), NULL, NULL);
		snprintf(number, sizeof(number), "%u", route_unmap_position(
		    q.plan, q.shape, &q.values, s->form,
		    (unsigned)strtoul(position.p, NULL, 10)));
	}
	buf_init(&b, n + s->server->owed.failed_text.n + 128);
	msgwrite_init(&w, &b);
	msgwrite_begin(&w, 'E');
	for (; p < end && *p != '\0'; p = value + strlen(value) + 1) {
		value = p + 1;
		msgwrite_u8(&w, (uint8_t)*p);
		if (*p == 'M')
			terms_message(s, &w, value);
		else
			msgwrite_str(&w, *p == 'P' && *number != '\0' ?
			    number : value);
	}
	msgwrite_u8(&w, 0);
	msgwrite_end(&w);
	CHECK(!w.failed);
	session_send(s, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}
