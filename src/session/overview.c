/* SPDX-License-Identifier: PostgreSQL
 *
 * A worker's sessions as the console sees and ends them.
 *
 * Runs on the worker whose sessions they are.
 */
#include <string.h>

#include "session/session_priv.h"

void
session_each(struct worker *w,
    void (*fn)(const struct session_info *i, void *arg), void *arg)
{
	struct session_worker *sw = w->sessions;
	nsec_t now = clock_mono();
	char pins[PIN_TEXT_MAX];
	struct session *s;

	TAILQ_FOREACH(s, &sw->sessions, link) {
		struct session_info i = {
			.id = s->id,
			.user = s->user != NULL ? s->user : "",
			.database = s->dbname != NULL ? s->dbname : "",
			.peer = s->peer,
			.app_name = s->app_name != NULL ? s->app_name : "",
			.state = session_state_name(s),
			.backend = s->server != NULL ? s->backend->name : "",
			.server_pid = s->server != NULL ? s->server->pid : 0,
			.pin = pin_reasons_text(s->pins, pins),
			.tx = s->tx,
			.console = s->console != NULL,
			.login = s->state < SESSION_IDLE,
			.active = s->state > SESSION_IDLE,
			.fd = s->st.fd,
			.tls = s->tls ? s->st.ssl : NULL,
			.connected_for = now - s->born,
			.in_state_for = now > s->since ? now - s->since : 0,
			.asked_for = now > s->started ? now - s->started : 0,
			.waited_for = s->waiting != NULL && now >
			    s->waiter.since ? now - s->waiter.since : 0,
			.kept = buf_len(&s->in),
			.unsent = stream_backlog(&s->st),
			.queries = s->queries,
			.prepared = statements_count(&s->prepared),
			.prepared_bytes = s->prepared.bytes,
		};
		fn(&i, arg);
	}
}

void
session_kill_database(struct worker *w, const char *database)
{
	struct session_worker *sw = w->sessions;
	struct session *s, *next;

	for (s = TAILQ_FIRST(&sw->sessions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->dbstate != sw->self && (database == NULL ||
		    strcmp(s->dbstate->name, database) == 0))
			session_close(s, CLOSE_KILLED, NULL);
	}
}

uint64_t
session_of_server(const struct server *s)
{
	return s->ops == &session_server_ops ?
	    ((const struct session *)s->lessee)->id : 0;
}

bool
session_kill(struct worker *w, uint64_t id)
{
	struct session *s = session_find(w->sessions, id);

	if (s == NULL)
		return false;
	session_close(s, CLOSE_KILLED, NULL);
	return true;
}
