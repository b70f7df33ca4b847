/* SPDX-License-Identifier: PostgreSQL
 *
 * The wire side of the console database: takes simple queries, hands the text
 * up, sends the answer.  What commands there are is the admin layer's affair.
 * Runs on the session's worker.
 */
#include <stdlib.h>

#include "session/login.h"

static session_console_cb console_cb;

void
session_console_init(session_console_cb cb)
{
	console_cb = cb;
}

enum console_role
session_console_role(const struct session *s)
{
	enum console_role role = CONSOLE_ROLE_NONE;

#define CONSOLE_ROLE(sym, name, setting, doc) \
	if (session_user_in(s, &s->conf->setting)) \
		role = CONSOLE_ROLE_##sym;
#include "tbl/console_roles.h"
	return role;
}

enum unit_result
session_console_unit(struct session *s, struct unit *u)
{
	if (u->first != 'Q' || u->p[u->n - 1] != '\0') {
		session_unit_error(s, u, "0A000", "the console takes simple "
		    "queries only", NULL, "Use psql, or your driver's simple "
		    "query mode.");
		return s->state == SESSION_CLOSED ? UNIT_CLOSED : UNIT_DONE;
	}
	s->cancelled = false;
	session_enter(s, SESSION_CONSOLE);
	console_cb(s->sw->w, s->id, u->p + 5, s->role);
	return s->state == SESSION_CLOSED ? UNIT_CLOSED : UNIT_DONE;
}

enum console_wait
session_console_wait(struct worker *w, uint64_t id)
{
	const struct session *s = session_find(w->sessions, id);

	if (s == NULL || s->state != SESSION_CONSOLE)
		return CONSOLE_WAIT_OVER;
	return s->cancelled ? CONSOLE_WAIT_CANCELLED : CONSOLE_WAIT_ON;
}

void
session_console_reply(struct worker *w, uint64_t id,
    const struct buf *messages)
{
	static const char ready[6] = { 'Z', 0, 0, 0, 5, 'I' };
	struct session *s = session_find(w->sessions, id);
	struct iovec iov[2];
	int n = 0;

	if (s == NULL || s->state != SESSION_CONSOLE)
		return;
	s->started = clock_mono();
	session_enter(s, SESSION_IDLE);
	if (buf_len(messages) > 0) {
		iov[n].iov_base = buf_head(messages);
		iov[n++].iov_len = buf_len(messages);
	}
	iov[n].iov_base = (void *)(uintptr_t)ready;
	iov[n++].iov_len = sizeof(ready);
	session_sendv(s, iov, n);
	if (s->state != SESSION_CLOSED)
		session_pump(s);
}
