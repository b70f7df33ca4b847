/* SPDX-License-Identifier: PostgreSQL
 *
 * LISTEN under transaction pooling: a session's subscriptions, and what comes
 * in for them.
 *
 * The server that listens is a hub's (backend/hub.c); here it is
 * known which sessions of this worker want what.  LISTEN waits until the
 * hub's server has confirmed it; like PostgreSQL, it takes effect at
 * COMMIT and is undone by ROLLBACK, and notifications reach the client between
 * transactions only.  What cannot be done here is the server's to do and pins
 * the session: LISTEN among other statements or behind SAVEPOINT, or of a name
 * that is not ASCII (its length counts in the server's encoding).  Runs on the
 * session's worker.  Invariant: every subscription is owed one release.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pgwire/msgwrite.h"
#include "session/listen.h"

#define SUBSCRIPTIONS_MAX 10000u /* of one session */

/* ---- channels and subscriptions ------------------------------------------------ */

static uint64_t
channel_hash(const struct hub *h, struct slice name)
{
	return hash_mix(hash_bytes(&h, sizeof(h)),
	    hash_bytes(name.p, name.n)).lo;
}

struct listen_channel *
listen_channel_find(struct listen_worker *lw, const struct hub *h,
    struct slice name)
{
	struct listen_channel *c;
	struct htab_node *n;

	n = htab_find(&lw->channels, channel_hash(h, name));
	for (; n != NULL; n = htab_next(n)) {
		c = htab_entry(n, struct listen_channel, node);
		if (c->hub == h && slice_eq_str(name, c->name))
			return c;
	}
	return NULL;
}

static struct subscription *
subscription_new(struct session *s, const char *name)
{
	struct listen_worker *lw = s->sw->listen;
	struct listening *g = s->listening;
	struct subscription *sub = x_calloc(1, sizeof(*sub));

	sub->s = s;
	sub->c = listen_channel_find(lw, g->hub, slice_str(name));
	if (sub->c == NULL) {
		sub->c = x_calloc(1, sizeof(*sub->c));
		sub->c->hub = g->hub;
		TAILQ_INIT(&sub->c->subscriptions);
		memcpy(sub->c->name, name, strlen(name) + 1);
		htab_insert(&lw->channels, &sub->c->node,
		    channel_hash(g->hub, slice_str(name)));
	}
	TAILQ_INSERT_TAIL(&sub->c->subscriptions, sub, peer);
	TAILQ_INSERT_TAIL(&g->subscriptions, sub, link);
	g->n++;
	hub_ask(g->hub, s->sw->w, name, s->id, g->ticket);
	return sub;
}

static void
subscription_free(struct subscription *sub)
{
	struct session *s = sub->s;
	struct listen_channel *c = sub->c;

	hub_release(c->hub, s->sw->w, c->name);
	TAILQ_REMOVE(&s->listening->subscriptions, sub, link);
	s->listening->n--;
	TAILQ_REMOVE(&c->subscriptions, sub, peer);
	if (TAILQ_EMPTY(&c->subscriptions)) {
		htab_remove(&s->sw->listen->channels, &c->node);
		free(c);
	}
	free(sub);
}

struct subscription *
listen_subscription(const struct session *s, const char *name)
{
	struct subscription *sub;

	TAILQ_FOREACH(sub, &s->listening->subscriptions, link)
		if (sub->active && strcmp(sub->c->name, name) == 0)
			return sub;
	return NULL;
}

size_t
session_listen_count(const struct session *s)
{
	return s->listening != NULL ? s->listening->n : 0;
}

/* ---- transactions ------------------------------------------------------------------ */

static struct listen_op *
op_add(struct session *s, struct op_list *list, const char *name)
{
	struct listen_op *op = x_calloc(1, sizeof(*op));

	op->behind_savepoint = s->savepoints;
	if (name != NULL)
		memcpy(op->name, name, strlen(name) + 1);
	TAILQ_INSERT_TAIL(list, op, link);
	return op;
}

/* It will not take effect. */
static void
op_undo(struct op_list *list, struct listen_op *op)
{
	TAILQ_REMOVE(list, op, link);
	if (op->sub != NULL)
		subscription_free(op->sub);
	free(op);
}

static void
ops_undo(struct op_list *list)
{
	struct listen_op *op;

	while ((op = TAILQ_FIRST(list)) != NULL)
		op_undo(list, op);
}

static void
unlisten_all(struct session *s)
{
	struct subscription *sub, *next;

	for (sub = TAILQ_FIRST(&s->listening->subscriptions); sub != NULL;
	    sub = next) {
		next = TAILQ_NEXT(sub, link);
		if (sub->active)
			subscription_free(sub);
	}
}

/* COMMIT. */
static void
ops_apply(struct session *s)
{
	struct listening *g = s->listening;
	struct subscription *sub;
	struct listen_op *op;

	while ((op = TAILQ_FIRST(&g->done)) != NULL) {
		TAILQ_REMOVE(&g->done, op, link);
		if (op->sub != NULL &&
		    listen_subscription(s, op->sub->c->name) != NULL)
			subscription_free(op->sub);
		else if (op->sub != NULL)
			op->sub->active = true;
		else if (op->name[0] == '\0')
			unlisten_all(s);
		else if ((sub = listen_subscription(s, op->name)) != NULL)
			subscription_free(sub);
		free(op);
	}
}

/* ROLLBACK, or ROLLBACK TO: of what came behind a savepoint only UNLISTEN is
 * here, and keeping the channel is the lesser evil. */
static void
ops_rolled_back(struct session *s)
{
	struct op_list *list = &s->listening->done;
	struct listen_op *op, *next;

	for (op = TAILQ_FIRST(list); op != NULL; op = next) {
		next = TAILQ_NEXT(op, link);
		if (!s->savepoints || op->behind_savepoint)
			op_undo(list, op);
	}
}

void
session_listen_note(struct session *s, const struct analysis *an)
{
	size_t i;

	for (i = 0; i < an->n_channels; i++)
		if (!an->channels[i].listen)
			op_add(s, &s->listening->noted,
			    an->channels[i].name);
}

void
session_listen_completed(struct session *s, const char *tag)
{
	struct listening *g = s->listening;
	struct listen_op *op;

	if (strcmp(tag, "UNLISTEN") == 0) {
		op = TAILQ_FIRST(&g->noted);
		if (op != NULL) {
			TAILQ_REMOVE(&g->noted, op, link);
			TAILQ_INSERT_TAIL(&g->done, op, link);
		}
	} else if (strcmp(tag, "DISCARD ALL") == 0) {
		op_add(s, &g->done, NULL);
	} else if (strcmp(tag, "COMMIT") == 0 ||
	    strcmp(tag, "PREPARE TRANSACTION") == 0) {
		ops_apply(s);
	} else if (strcmp(tag, "ROLLBACK") == 0) {
		ops_rolled_back(s);
	}
}

void
session_listen_failed(struct session *s)
{
	s->listening->failed = true;
}

void
session_listen_synced(struct session *s, char status)
{
	struct listening *g = s->listening;

	ops_undo(&g->noted);
	/* The end of a transaction of its own, or of one that ROLLBACK ended
	 * behind savepoints. */
	if (status == 'I' && (g->failed || s->rolled_back))
		ops_undo(&g->done);
	else if (status == 'I')
		ops_apply(s);
	g->failed = false;
}

void
session_listen_local_end(struct session *s, bool committed)
{
	if (committed)
		ops_apply(s);
	else
		ops_undo(&s->listening->done);
	session_listen_later(s);
}

/* ---- LISTEN and UNLISTEN ------------------------------------------------------------ */

static bool
name_is_ascii(const char *name)
{
	for (; *name != '\0'; name++)
		if ((unsigned char)*name > 126)
			return false;
	return true;
}

/* Whether we can do it. */
static bool
listen_is_ours(const struct session *s, const struct unit *u,
    const struct analysis *an)
{
	size_t i;

	if (!s->conf->shared_listen || s->tx == 'E' ||
	    s->db->pool_mode != POOL_MODE_TRANSACTION ||
	    (s->pins & PIN_BIT(PIN_LISTEN)) != 0 || !an->only_channels ||
	    (u->has_bind && (an->n_channels > 1 || u->bind.n_params > 0)))
		return false;
	for (i = 0; i < an->n_channels; i++) {
		if (an->channels[i].listen && s->savepoints)
			return false;
		if (an->channels[i].name != NULL &&
		    (!name_is_ascii(an->channels[i].name) ||
		    strlen(an->channels[i].name) >= CHANNEL_MAX))
			return false;
	}
	return true;
}

/* Its server is a pool's of its own, so that sessions lose none. Payloads come
 * in the session's encoding. NULL: too many pools. */
static struct hub *
listen_hub(const struct session *s)
{
	static const char name[] = "application_name\0pgsluice listener";
	static const char encoding[] = "client_encoding";
	const struct conf_backend *b = s->db->backend;
	const char *p = s->startup, *end = p + s->startup_len;
	struct credentials with;
	struct hub *h = NULL;
	struct pool *pool;
	struct buf startup;
	const char *user;

	buf_init(&startup, 1024 * 1024);
	CHECK(buf_append(&startup, name, sizeof(name)));
	for (; p < end; p += strlen(p) + 1) {
		if (strcmp(p, encoding) == 0) {
			CHECK(buf_append(&startup, encoding,
			    sizeof(encoding)));
			p += sizeof(encoding);
			CHECK(buf_append(&startup, p, strlen(p) + 1));
		} else {
			p += strlen(p) + 1;
		}
	}
	user = conf_backend_user(s->conf, b, s->user);
	session_identity(s, b, user, &with);
	pool = pool_get(b, user, &with, buf_head(&startup),
	    buf_len(&startup));
	if (pool != NULL)
		h = hub_get(pool);
	pool_unref(&pool);
	buf_reset(&startup);
	return h;
}

/* First pass: ask the hub for every channel. */
static enum unit_result
listen_ask(struct session *s, const struct unit *u, const struct analysis *an)
{
	struct listening *g = s->listening;
	struct hub *h = listen_hub(s);
	struct listen_op *op;
	size_t i;

	if (h == NULL || g->n + an->n_channels > SUBSCRIPTIONS_MAX) {
		session_unit_error(s, u, "53000", h == NULL ?
		    "too many pools" : "too many channels", NULL, NULL);
		return s->state == SESSION_CLOSED ? UNIT_CLOSED : UNIT_DONE;
	}
	if (g->n > 0 && g->hub != h) {
		session_close(s, CLOSE_LISTENER_LOST,
		    "the database lies elsewhere now");
		return UNIT_CLOSED;
	}
	g->hub = h;
	g->ticket++;
	g->owed = 0;
	for (i = 0; i < an->n_channels; i++) {
		op = op_add(s, &g->asked, an->channels[i].name);
		if (!an->channels[i].listen)
			continue;
		op->sub = subscription_new(s, an->channels[i].name);
		g->owed++;
	}
	session_enter(s, SESSION_LISTEN_WAIT);
	return UNIT_WAIT;
}

/* Second pass: all is confirmed. */
static void
listen_answer(struct session *s, const struct unit *u,
    const struct analysis *an)
{
	struct listening *g = s->listening;
	struct msgwrite w;
	struct buf b;
	size_t i;

	if (g != NULL) {
		g->heard = false;
		TAILQ_CONCAT(&g->done, &g->asked, link);
		if (s->tx == 'I')
			ops_apply(s);
	}
	buf_init(&b, 1024 * 1024);
	msgwrite_init(&w, &b);
	if (u->has_bind && u->described) {
		msgwrite_begin(&w, 'n');
		msgwrite_end(&w);
	}
	for (i = 0; i < an->n_channels; i++)
		msgwrite_complete(&w, an->channels[i].listen ? "LISTEN" :
		    "UNLISTEN");
	CHECK(!w.failed);
	session_reply(s, u, slice_make(buf_head(&b), buf_len(&b)), s->tx);
	buf_reset(&b);
}

static struct listening *
listening_new(struct session *s)
{
	struct listening *g = x_calloc(1, sizeof(*g));

	g->s = s;
	TAILQ_INIT(&g->subscriptions);
	TAILQ_INIT(&g->asked);
	TAILQ_INIT(&g->noted);
	TAILQ_INIT(&g->done);
	/* Looked at between batches of records. */
	buf_init(&g->queue, (size_t)s->conf->max_notification_bytes +
	    1024 * 1024);
	return g;
}

bool
session_listen(struct session *s, const struct unit *u,
    const struct query *q, enum unit_result *r)
{
	const struct analysis *an = q->shape->an;
	bool asks = false;
	size_t i;

	if (!listen_is_ours(s, u, an))
		return false;
	for (i = 0; i < an->n_channels; i++)
		asks |= an->channels[i].listen;
	if (asks && s->listening == NULL)
		s->listening = listening_new(s);
	if (asks && !s->listening->heard) {
		*r = listen_ask(s, u, an);
		return true;
	}
	if (!asks && s->listening != NULL)
		for (i = 0; i < an->n_channels; i++)
			op_add(s, &s->listening->asked, an->channels[i].name);
	listen_answer(s, u, an);
	*r = s->state == SESSION_CLOSED ? UNIT_CLOSED : UNIT_DONE;
	return true;
}

bool
session_listen_commit(struct session *s, const struct query *q,
    enum unit_result *r)
{
	struct listening *g = s->listening;
	struct listen_op *op, *barrier;

	if (!(q->shape->an->flags & AN_TX_END) || s->tx != 'T' ||
	    s->state != SESSION_IDLE)
		return false;
	if (g->heard) {
		g->heard = false;
		TAILQ_CONCAT(&g->done, &g->asked, link);
		return false;
	}
	TAILQ_FOREACH(op, &g->done, link)
		if (op->sub != NULL)
			break;
	if (op == NULL)
		return false;
	g->ticket++;
	g->owed = 1;
	barrier = op_add(s, &g->asked, NULL);
	barrier->sub = subscription_new(s, op->sub->c->name);
	session_enter(s, SESSION_LISTEN_WAIT);
	*r = UNIT_WAIT;
	return true;
}

void
session_listen_drop(struct session *s)
{
	struct listening *g = s->listening;

	ops_undo(&g->asked);
	g->owed = 0;
	g->heard = false;
}

/* ---- life --------------------------------------------------------------------------------- */

void
session_listen_end(struct session *s)
{
	struct listening *g = s->listening;

	if (g == NULL)
		return;
	ops_undo(&g->asked);
	ops_undo(&g->noted);
	ops_undo(&g->done);
	unlisten_all(s);
	CHECK(g->n == 0);
	if (g->queued)
		TAILQ_REMOVE(&s->sw->listen->queued, g, link);
	buf_reset(&g->queue);
	free(g);
	s->listening = NULL;
}
