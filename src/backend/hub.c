/* SPDX-License-Identifier: PostgreSQL
 *
 * One hub: channels, what is asked of the server, what it says.
 *
 * Knows channels and workers, not sessions.  LISTEN is sent for every request,
 * also for a channel that is listened to already: what the server sends before
 * it confirms was sent before, and belongs to earlier listeners only.  Requests
 * that come while a batch is under way make up the next batch.  Runs on the
 * hub's worker, but for the functions said to run on any.  Invariants:
 * a channel without subscriptions and requests is on the idle list or gone;
 * busy means that one Query is owed by the server.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/hub_priv.h"
#include "base/log.h"
#include "pgwire/msgwrite.h"

#define BATCH_MAX 1000u /* statements of one kind in a Query */

/* ---- channels ---------------------------------------------------------------- */

struct channel *
hub_channel(struct hub *h, struct slice name)
{
	struct htab_node *n;
	struct channel *c;

	n = htab_find(&h->channels, hash_bytes(name.p, name.n).lo);
	for (; n != NULL; n = htab_next(n)) {
		c = htab_entry(n, struct channel, node);
		if (slice_eq_str(name, c->name))
			return c;
	}
	return NULL;
}

static struct channel *
channel_get(struct hub *h, const char *name)
{
	struct channel *c = hub_channel(h, slice_str(name));

	if (c == NULL) {
		c = x_calloc(1, sizeof(*c) + hub_table.n_workers *
		    sizeof(c->refs[0]));
		snprintf(c->name, sizeof(c->name), "%s", name);
		htab_insert(&h->channels, &c->node,
		    hash_bytes(name, strlen(name)).lo);
	}
	return c;
}

/* Its counts have changed. */
static void
channel_settle(struct hub *h, struct channel *c)
{
	bool idle = c->total == 0 && c->asks == 0;

	if (idle && !c->idle)
		TAILQ_INSERT_TAIL(&h->idle, c, link);
	else if (!idle && c->idle)
		TAILQ_REMOVE(&h->idle, c, link);
	c->idle = idle;
}

static void
channel_forget(struct hub *h, struct channel *c)
{
	CHECK(c->idle);
	TAILQ_REMOVE(&h->idle, c, link);
	htab_remove(&h->channels, &c->node);
	free(c);
}

static void
channel_deaf(struct htab_node *n, void *arg PG_UNUSED)
{
	htab_entry(n, struct channel, node)->listening = false;
}

/* ---- requests ------------------------------------------------------------------ */

void
hub_later(struct hub *h)
{
	if (h->turning)
		return;
	h->turning = true;
	worker_defer(h->w, &h->turn);
}

void
hub_answer(struct hub *h, struct ask_list *list,
    const char *sqlstate, const char *why)
{
	struct ask *a;

	while ((a = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, next);
		outlet_answer(&h->out, a->worker, sqlstate == NULL ?
		    HUB_HEARD : HUB_REFUSED, a->session, a->ticket,
		    sqlstate, why);
		a->c->asks--;
		channel_settle(h, a->c);
		free(a);
	}
	hub_later(h);
}

void
hub_lose(struct hub *h, const char *why)
{
	struct ask *a;
	unsigned i;

	log_warn("hub", "msg=\"listening server lost\" backend=%s "
	    "user=%s channels=%zu reason=%s", pool_backend_name(h->pool),
	    log_escs(pool_user(h->pool)), h->channels.count, log_escs(why));
	h->server = NULL;
	h->busy = false;
	h->sqlstate[0] = '\0';
	for (i = 0; i < hub_table.n_workers; i++)
		if (h->refs[i] > 0)
			outlet_lost(&h->out, i, why);
	STAILQ_CONCAT(&h->sent, &h->waiting);
	while ((a = STAILQ_FIRST(&h->sent)) != NULL) {
		STAILQ_REMOVE_HEAD(&h->sent, next);
		a->c->asks--;
		channel_settle(h, a->c);
		free(a);
	}
	htab_each(&h->channels, channel_deaf, NULL);
	hub_later(h);
}

/* ---- asking the server -------------------------------------------------------------- */

static bool
batch_add(struct buf *b, const char *verb, const char *name)
{
	bool ok = buf_append(b, verb, strlen(verb)) && buf_append(b, "\"", 1);

	for (; ok && *name != '\0'; name++)
		ok = buf_append(b, name, 1) &&
		    (*name != '"' || buf_append(b, "\"", 1));
	return ok && buf_append(b, "\";", 2);
}

/* The statements of the next batch; its requests move to sent. */
static bool
batch_fill(struct hub *h, struct buf *b)
{
	struct channel *c;
	struct ask *a;
	bool ok = true;
	unsigned n;

	h->batch++;
	for (n = 0; n < BATCH_MAX && ok &&
	    (a = STAILQ_FIRST(&h->waiting)) != NULL; n++) {
		STAILQ_REMOVE_HEAD(&h->waiting, next);
		STAILQ_INSERT_TAIL(&h->sent, a, next);
		if (a->c->batch == h->batch)
			continue;
		a->c->batch = h->batch;
		a->c->listening = true;
		ok = batch_add(b, "LISTEN ", a->c->name);
	}
	for (n = 0; n < BATCH_MAX && ok &&
	    (c = TAILQ_FIRST(&h->idle)) != NULL; n++) {
		if (c->listening)
			ok = batch_add(b, "UNLISTEN ", c->name);
		channel_forget(h, c);
	}
	return ok;
}

static void
batch_send(struct hub *h)
{
	struct server *s = h->server;
	struct buf text, message;
	struct iovec iov;
	struct msgwrite w;
	bool ok;

	buf_init(&text, BATCH_MAX * 4 * CHANNEL_MAX);
	buf_init(&message, BATCH_MAX * 4 * CHANNEL_MAX + 64);
	ok = batch_fill(h, &text);
	if (ok && buf_len(&text) > 0) {
		msgwrite_init(&w, &message);
		msgwrite_query(&w, slice_make(buf_head(&text),
		    buf_len(&text)));
		iov.iov_base = buf_head(&message);
		iov.iov_len = buf_len(&message);
		ok = !w.failed && server_owe(s, OWED_QUERY, 0,
		    (struct hash128){ 0, 0 });
		h->busy = ok;
		if (ok)
			(void)!server_send(s, &iov, 1);
	}
	buf_reset(&text);
	buf_reset(&message);
	if (!ok) {
		server_close(s, "out of memory");
		hub_lose(h, "out of memory");
	}
}

void
hub_got(struct hub *h, struct server *s)
{
	server_lease(s, &hub_server_ops, h);
	h->server = s;
	log_debug("hub", "msg=\"listening server\" backend=%s pid=%d",
	    pool_backend_name(h->pool), s->pid);
}

/* false: there is none now. */
static bool
hub_lease(struct hub *h)
{
	struct pool_error why;
	struct server *s;

	if (h->leasing)
		return false;
	switch (pool_lease(h->pool, &h->waiter, clock_mono(), &s, &why)) {
	case LEASE_GOT:
		hub_got(h, s);
		return true;
	case LEASE_WAIT:
		h->leasing = true;
		return false;
	default:
		hub_answer(h, &h->waiting, why.sqlstate, why.text);
		return false;
	}
}

void
hub_turn(struct deferred *d)
{
	struct hub *h = (struct hub *)(void *)((char *)d -
	    offsetof(struct hub, turn));
	struct channel *c;
	struct server *s;

	h->turning = false;
	if (h->server != NULL && !pool_fits(h->pool, h->server)) {
		s = h->server;
		server_close(s, "replaced");
		hub_lose(h, "the backend was reconnected");
	}
	if (h->server == NULL)
		while ((c = TAILQ_FIRST(&h->idle)) != NULL)
			channel_forget(h, c);
	if (!h->busy && !h->stopped && (!STAILQ_EMPTY(&h->waiting) ||
	    !TAILQ_EMPTY(&h->idle)) &&
	    (h->server != NULL || hub_lease(h)))
		batch_send(h);
	if (h->server != NULL && !h->busy && h->channels.count == 0) {
		s = h->server;
		h->server = NULL;
		server_give_back(s, true);
	}
	outlets_flush(&h->out);
}

void
hub_relieved(struct outlets *o)
{
	struct hub *h = (struct hub *)(void *)((char *)o -
	    offsetof(struct hub, out));

	if (h->server != NULL && !h->server->st.reading)
		stream_read_start(&h->server->st);
}

/* ---- from other workers --------------------------------------------------------------- */

struct request {
	struct message m;
	struct hub *h;
	bool release;
	unsigned from;
	uint64_t session, ticket;
	char channel[CHANNEL_MAX];
};

static void
request_run(struct worker *w PG_UNUSED, struct message *m)
{
	struct request *r = (struct request *)(void *)m;
	struct hub *h = r->h;
	struct channel *c = channel_get(h, r->channel);
	struct ask *a;

	if (r->release) {
		CHECK(c->refs[r->from] > 0 && h->refs[r->from] > 0);
		c->refs[r->from]--;
		h->refs[r->from]--;
		c->total--;
	} else {
		c->refs[r->from]++;
		h->refs[r->from]++;
		c->total++;
		a = x_calloc(1, sizeof(*a));
		a->c = c;
		a->worker = r->from;
		a->session = r->session;
		a->ticket = r->ticket;
		c->asks++;
		STAILQ_INSERT_TAIL(&h->waiting, a, next);
	}
	channel_settle(h, c);
	hub_later(h);
	free(r);
}

static void
request_post(struct hub *h, struct worker *from, const char *channel,
    bool release, uint64_t session, uint64_t ticket)
{
	struct request *r = x_calloc(1, sizeof(*r));

	CHECK_MAGIC(h, HUB_MAGIC);
	CHECK(strlen(channel) < CHANNEL_MAX);
	r->m.run = request_run;
	r->h = h;
	r->release = release;
	r->from = from->id;
	r->session = session;
	r->ticket = ticket;
	snprintf(r->channel, sizeof(r->channel), "%s", channel);
	worker_post(h->w, &r->m);
}

void
hub_ask(struct hub *h, struct worker *from, const char *channel,
    uint64_t session, uint64_t ticket)
{
	request_post(h, from, channel, false, session, ticket);
}

void
hub_release(struct hub *h, struct worker *from, const char *channel)
{
	request_post(h, from, channel, true, 0, 0);
}
