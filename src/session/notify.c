/* SPDX-License-Identifier: PostgreSQL
 *
 * What hubs tell a worker, and how notifications reach its clients.
 *
 * A notification is kept with its session until the client may have it: between
 * statements, outside a transaction, as PostgreSQL does.  What comes in one
 * batch goes out in one piece.  A client that stays in a transaction, or does not
 * read, for so long that max_notification_bytes wait for it is closed; so is
 * one whose hub has lost its server, because nobody knows what was sent
 * meanwhile.  Runs on the session's worker.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pgwire/msgread.h"
#include "session/listen.h"

static void
listen_enqueue(struct session *s)
{
	struct listen_worker *lw = s->sw->listen;
	struct listening *g = s->listening;

	if (!g->queued)
		TAILQ_INSERT_TAIL(&lw->queued, g, link);
	g->queued = true;
}

void
session_listen_later(struct session *s)
{
	struct listen_worker *lw = s->sw->listen;

	if (buf_len(&s->listening->queue) == 0)
		return;
	listen_enqueue(s);
	if (!lw->turning) {
		lw->turning = true;
		worker_defer(lw->sw->w, &lw->turn);
	}
}

/* Between statements, outside a transaction: as PostgreSQL does. */
static void
listen_deliver(struct session *s)
{
	struct listening *g = s->listening;
	struct buf *b = &g->queue;
	size_t n = buf_len(b);

	if (g->overflow) {
		session_close(s, CLOSE_NOTIFY_QUEUE, NULL);
		return;
	}
	if (n == 0)
		return;
	if (s->state != SESSION_IDLE || s->tx != 'I' || s->open_unit ||
	    stream_backlog(&s->st) > STREAM_HIGH_WATER) {
		if (n > (size_t)s->conf->max_notification_bytes)
			session_close(s, CLOSE_NOTIFY_QUEUE, NULL);
		return;
	}
	session_send(s, buf_head(b), n);
	if (s->state == SESSION_CLOSED)
		return;
	buf_consume(b, n);
	buf_reset(b);
}

static void
listen_deliver_all(struct listen_worker *lw)
{
	struct listening *g;

	while ((g = TAILQ_FIRST(&lw->queued)) != NULL) {
		TAILQ_REMOVE(&lw->queued, g, link);
		g->queued = false;
		listen_deliver(g->s);
	}
}

static void
listen_turn(struct deferred *d)
{
	struct listen_worker *lw = (struct listen_worker *)(void *)((char *)d -
	    offsetof(struct listen_worker, turn));

	lw->turning = false;
	listen_deliver_all(lw);
}

static void
record_note(struct listen_worker *lw, struct hub *h, const char *p,
    size_t n)
{
	struct subscription *sub;
	struct listen_channel *c;
	struct listening *g;
	struct msgread r;

	msgread_init(&r, p + 5, n - 5);
	(void)msgread_u32(&r);
	c = listen_channel_find(lw, h, msgread_str(&r));
	if (c == NULL)
		return;
	TAILQ_FOREACH(sub, &c->subscriptions, peer) {
		if (!sub->active)
			continue;
		g = sub->s->listening;
		if (!buf_append(&g->queue, p, n))
			g->overflow = true;
		stat_add(&lw->sw->w->metrics->c.notifications_sent, 1);
		listen_enqueue(sub->s);
	}
}

static uint64_t
read_u64(struct msgread *r)
{
	uint64_t high = msgread_u32(r);

	return high << 32 | msgread_u32(r);
}

static void
record_answer(struct listen_worker *lw, char type, const char *p, size_t n)
{
	struct session *s;
	struct msgread r;
	uint64_t id, ticket;

	msgread_init(&r, p + 5, n - 5);
	id = read_u64(&r);
	ticket = read_u64(&r);
	s = session_find(lw->sw, id);
	if (s == NULL || s->state != SESSION_LISTEN_WAIT ||
	    s->listening->ticket != ticket)
		return;
	if (type == HUB_REFUSED) {
		const char *sqlstate = msgread_str(&r).p;

		session_waiting_error(s, sqlstate, msgread_str(&r).p);
	} else if (--s->listening->owed == 0) {
		s->listening->heard = true;
		session_enter(s, SESSION_IDLE);
		session_pump(s);
	}
}

static void
record_lost(struct listen_worker *lw, const struct hub *h,
    const char *why)
{
	struct session *s, *next;

	for (s = TAILQ_FIRST(&lw->sw->sessions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->listening == NULL || s->listening->hub != h ||
		    s->listening->n == 0)
			continue;
		if (s->state == SESSION_LISTEN_WAIT &&
		    s->listening->n == s->listening->owed)
			session_waiting_error(s, "08006", why);
		else
			session_close(s, CLOSE_LISTENER_LOST, why);
	}
}

void
session_listen_records(struct worker *w, struct hub *h, const char *p,
    size_t n)
{
	struct listen_worker *lw = ((struct session_worker *)w->sessions)->
	    listen;
	size_t pos = 0, size;

	for (; pos < n; pos += size) {
		size = 1 + wire_u32(p + pos + 1);
		switch (p[pos]) {
		case HUB_NOTE:
			record_note(lw, h, p + pos, size);
			break;
		case HUB_LOST:
			listen_deliver_all(lw);
			record_lost(lw, h, p + pos + 5);
			break;
		default:
			record_answer(lw, p[pos], p + pos, size);
		}
	}
	listen_deliver_all(lw);
}

bool
session_listen_own(const struct session *s, const char *body, size_t n)
{
	struct msgread r;
	struct slice name;

	if (s->listening == NULL)
		return true;
	msgread_init(&r, body, n);
	(void)msgread_u32(&r);
	name = msgread_str(&r);
	return name.n == 0 || listen_subscription(s, name.p) == NULL;
}

/* ---- the worker -------------------------------------------------------------------- */

void
listen_worker_reload(struct session_worker *sw)
{
	const struct conf *c = sw->setup.conf;
	const struct conf_database *db;
	struct session *s, *next;

	for (s = TAILQ_FIRST(&sw->sessions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (session_listen_count(s) == 0)
			continue;
		db = conf_find_database(c, s->dbname);
		if (db == NULL ||
		    strcmp(db->backend->name, s->db->backend->name) != 0)
			session_close(s, CLOSE_LISTENER_LOST,
			    "the database lies elsewhere now");
	}
}

void
listen_worker_init(struct session_worker *sw)
{
	struct listen_worker *lw = x_calloc(1, sizeof(*lw));

	lw->sw = sw;
	htab_init(&lw->channels);
	TAILQ_INIT(&lw->queued);
	lw->turn.run = listen_turn;
	sw->listen = lw;
}

void
listen_worker_fini(struct session_worker *sw)
{
	htab_fini(&sw->listen->channels);
	free(sw->listen);
	sw->listen = NULL;
}
