/* SPDX-License-Identifier: PostgreSQL
 *
 * The wire side of the console database: takes statements, hands their text
 * up, sends the answer.  What commands there are is the admin layer's affair;
 * the extended protocol is in console_ext.c.  Runs on the session's worker.
 */
#include <stdlib.h>

#include "session/console.h"
#include "session/login.h"

static struct session_console_ops console_ops;

void
session_console_init(const struct session_console_ops *ops)
{
	console_ops = *ops;
}

struct console *
session_console_new(void)
{
	struct console *c = x_calloc(1, sizeof(*c));

	TAILQ_INIT(&c->statements);
	TAILQ_INIT(&c->portals);
	buf_init(&c->out, (size_t)256 << 20);
	return c;
}

void
session_console_free(struct console **cp)
{
	struct console *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	console_forget(c);
	buf_reset(&c->out);
	free(c);
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

bool
console_describe(const char *sql, struct buf *out)
{
	return console_ops.describe(sql, out);
}

void
console_run_command(struct session *s, const char *sql)
{
	s->cancelled = false;
	session_enter(s, SESSION_CONSOLE);
	console_ops.run(s->sw->w, s->id, sql, s->role);
}

enum unit_result
session_console_unit(struct session *s, struct unit *u)
{
	if (s->unit_len == 0) {
		stat_add(&session_metrics(s)->c.queries, u->executes +
		    (u->first == 'Q'));
		stat_add(&s->stats->queries, u->executes + (u->first == 'Q'));
	}
	if (u->first != 'Q' && u->first != 'F')
		return console_extended(s, u);
	if (s->console->failed)
		return UNIT_DONE;
	if (u->first == 'F' || u->p[u->n - 1] != '\0') {
		session_unit_error(s, u, "0A000", "the console knows commands "
		    "only", NULL, "SHOW HELP lists the commands.");
		return s->state == SESSION_CLOSED ? UNIT_CLOSED : UNIT_DONE;
	}
	console_run_command(s, u->p + 5);
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
	if (s->console->running != NULL) {
		console_take(s->console, messages);
		session_pump(s);
		return;
	}
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
