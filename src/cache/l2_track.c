/* SPDX-License-Identifier: PostgreSQL
 *
 * Redis tells of changed names (CLIENT TRACKING in BCAST mode).
 *
 *   connected -> CLIENT ID -> CLIENT TRACKING ON REDIRECT itself -> SUBSCRIBE
 *     -> told of every name with our prefix, by messages; PING every second
 *
 * hiredis 0.14 does not know RESP3, so the messages are those of a channel, and
 * the connection that is tracked is the one that has subscribed.  In this mode
 * Redis keeps no list of what was read: it tells of every change once, by
 * whomever, expiry and eviction included.  Where it refuses, that is said once,
 * and asked again every minute.  Messages are taken before and between the
 * answers to PING: a connection that is silent for longer than TRACK_TIMEOUT
 * is lost, and with it what L1 has of Redis' entries (track_end()).
 * Runs on one worker; l2_track_stats() on any thread.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cache/l2_priv.h"
#include "cache/l2_track.h"

#define TRACK_TIMEOUT (2 * NSEC_PER_SEC)
#define TRACK_PING (1 * NSEC_PER_SEC)
#define TRACK_AGAIN 60 /* pings */
#define TRACK_CHANNEL "__redis__:invalidate"
#define TRACK_INPUT_MAX (1024 * 1024)

struct l2_track {
	struct l2_conn *conn;
	struct event *ping_ev;
	struct l2_cmd cmd;   /* CLIENT and SUBSCRIBE, one after the other */
	struct l2_cmd off, ping; /* whose answers say nothing */
	bool asking, pinging;
	unsigned pings;      /* since it was refused */
	char prefix[L2_NAME_MAX];
	size_t n_prefix;
};

static struct {
	pthread_mutex_t lock; /* of why */
	atomic_bool refused;
	char why[128];
} track_state = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- what is told ---------------------------------------------------------- */

/* prefix:tag:N */
static bool
l2_track_is_tag(const struct l2_track *t, struct slice name, tag_t *tag)
{
	struct slice n = slice_make(name.p + t->n_prefix,
	    name.n - t->n_prefix);
	uint32_t v = 0;
	size_t i;

	if (n.n < 5 || n.n > 4 + 6 || memcmp(n.p, "tag:", 4) != 0)
		return false;
	for (i = 4; i < n.n; i++) {
		if (n.p[i] < '0' || n.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(n.p[i] - '0');
	}
	*tag = v;
	return v < TAG_SLOTS;
}

/* prefix:lease:digest, which says nothing of any result. */
static bool
l2_track_is_lease(const struct l2_track *t, struct slice name)
{
	return name.n == t->n_prefix + 6 + L2_DIGEST_LEN &&
	    memcmp(name.p + t->n_prefix, "lease:", 6) == 0;
}

static void
l2_track_name(struct l2_track *t, struct slice name)
{
	tag_t tag;

	if (name.n < t->n_prefix || memcmp(name.p, t->prefix,
	    t->n_prefix) != 0 || l2_track_is_lease(t, name))
		return;
	if (track_told(name) && l2_track_is_tag(t, name, &tag))
		tag_bump(tag);
}

/* A message of the channel: names, or nil for all of them. */
static bool
l2_track_push(void *arg, const redisReply *r)
{
	struct l2_track *t = arg;
	const redisReply *names;
	size_t i;

	if (r->type != REDIS_REPLY_ARRAY || r->elements != 3 ||
	    r->element[0]->type != REDIS_REPLY_STRING ||
	    strcmp(r->element[0]->str, "message") != 0)
		return false;
	names = r->element[2];
	if (names->type != REDIS_REPLY_ARRAY)
		track_all();
	for (i = 0; names->type == REDIS_REPLY_ARRAY && i < names->elements;
	     i++)
		if (names->element[i]->type == REDIS_REPLY_STRING)
			l2_track_name(t, slice_make(names->element[i]->str,
			    names->element[i]->len));
	return true;
}

/* ---- beginning ------------------------------------------------------------- */

static void
l2_track_refused(struct l2_track *t, const redisReply *r)
{
	const char *why = r->type == REDIS_REPLY_ERROR ? r->str :
	    "not the answer that was expected";

	t->asking = false;
	t->pings = 0;
	pthread_mutex_lock(&track_state.lock);
	snprintf(track_state.why, sizeof(track_state.why), "%s", why);
	pthread_mutex_unlock(&track_state.lock);
	if (!atomic_exchange(&track_state.refused, true))
		log_warn("l2", "msg=\"redis does not tell of changed names\" "
		    "why=%s effect=\"results in memory are bounded by l1_ttl\"",
		    log_escs(why));
}

static void
l2_track_send(struct l2_track *t, int argc, const char **argv,
    void (*done)(struct l2_cmd *, const redisReply *))
{
	size_t len[8];
	int i;

	CHECK(argc <= 8);
	for (i = 0; i < argc; i++)
		len[i] = strlen(argv[i]);
	t->cmd.arg = t;
	t->cmd.done = done;
	t->asking = l2_conn_send(t->conn, &t->cmd, argc, argv, len);
}

static void
l2_track_subscribed(struct l2_cmd *cmd, const redisReply *r)
{
	struct l2_track *t = cmd->arg;

	t->asking = false;
	if (r == NULL)
		return;
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 3) {
		l2_track_refused(t, r);
		return;
	}
	if (atomic_exchange(&track_state.refused, false))
		log_info("l2", "msg=\"redis tells of changed names\"");
	track_begin();
}

static void
l2_track_enabled(struct l2_cmd *cmd, const redisReply *r)
{
	const char *argv[] = { "SUBSCRIBE", TRACK_CHANNEL };
	struct l2_track *t = cmd->arg;

	t->asking = false;
	if (r == NULL)
		return;
	if (r->type != REDIS_REPLY_STATUS || strcmp(r->str, "OK") != 0)
		l2_track_refused(t, r);
	else
		l2_track_send(t, ARRAY_SIZE(argv), argv, l2_track_subscribed);
}

static void
l2_track_identified(struct l2_cmd *cmd, const redisReply *r)
{
	struct l2_track *t = cmd->arg;
	char id[24];
	const char *argv[] = { "CLIENT", "TRACKING", "ON", "REDIRECT", id,
		"BCAST", "PREFIX", t->prefix };

	t->asking = false;
	if (r == NULL)
		return;
	if (r->type != REDIS_REPLY_INTEGER) {
		l2_track_refused(t, r);
		return;
	}
	snprintf(id, sizeof(id), "%lld", r->integer);
	l2_track_send(t, ARRAY_SIZE(argv), argv, l2_track_enabled);
}

static void
l2_track_turned_off(struct l2_cmd *cmd PG_UNUSED,
    const redisReply *r PG_UNUSED)
{
}

static void
l2_track_ask(struct l2_track *t)
{
	const char *off[] = { "CLIENT", "TRACKING", "OFF" };
	const char *argv[] = { "CLIENT", "ID" };
	const size_t len[] = { 6, 8, 3 };

	/* It may be on, if it was SUBSCRIBE that was refused. */
	t->off.done = l2_track_turned_off;
	if (l2_conn_send(t->conn, &t->off, ARRAY_SIZE(off), off, len))
		l2_track_send(t, ARRAY_SIZE(argv), argv, l2_track_identified);
}

static void
l2_track_up(void *arg)
{
	l2_track_ask(arg);
}

/* ---- is it alive? ---------------------------------------------------------- */

static void
l2_track_ponged(struct l2_cmd *cmd, const redisReply *r PG_UNUSED)
{
	struct l2_track *t = cmd->arg;

	t->pinging = false;
}

static void
l2_track_on_ping(evutil_socket_t fd, short what, void *arg)
{
	const char *argv[] = { "PING" };
	const size_t len[] = { 4 };
	struct l2_track *t = arg;

	(void)fd;
	(void)what;
	if (!l2_conn_is_open(t->conn))
		return;
	if (!track_is_on() && !t->asking && ++t->pings >= TRACK_AGAIN)
		l2_track_ask(t);
	t->ping.arg = t;
	t->ping.done = l2_track_ponged;
	if (!t->pinging)
		t->pinging = l2_conn_send(t->conn, &t->ping, 1, argv, len);
}

/* ---- life ------------------------------------------------------------------ */

static void
l2_track_down(void *arg PG_UNUSED)
{
	track_end();
}

struct l2_track *
l2_track_new(struct event_base *base, const struct l2_options *o)
{
	const struct timeval every = { TRACK_PING / NSEC_PER_SEC, 0 };
	struct l2_track *t = x_calloc(1, sizeof(*t));
	struct l2_options mine = *o;

	track_want();
	t->n_prefix = l2_name_prefix(t->prefix, o->prefix);
	mine.timeout = TRACK_TIMEOUT;
	t->conn = l2_conn_new(base, &mine, TRACK_INPUT_MAX, l2_track_up, t);
	l2_conn_set_push(t->conn, l2_track_push, l2_track_down);
	t->ping_ev = event_new(base, -1, EV_PERSIST, l2_track_on_ping, t);
	CHECK(t->ping_ev != NULL && event_add(t->ping_ev, &every) == 0);
	return t;
}

void
l2_track_set_tls(struct l2_track *t, SSL_CTX *tls)
{
	l2_conn_set_tls(t->conn, tls);
}

void
l2_track_free(struct l2_track **t)
{
	struct l2_track *old = *t;

	if (old == NULL)
		return;
	*t = NULL;
	event_free(old->ping_ev);
	l2_conn_free(&old->conn);
	free(old);
}

void
l2_track_stats(struct l2_track_stats *st)
{
	struct track_stats s;

	track_stats(&s);
	*st = (struct l2_track_stats){
		.wanted = track_is_wanted(),
		.on = track_is_on(),
		.refused = atomic_load(&track_state.refused),
		.told = s.told, .dropped = s.dropped, .epochs = s.epochs };
	if (!st->refused)
		return;
	pthread_mutex_lock(&track_state.lock);
	snprintf(st->why, sizeof(st->why), "%s", track_state.why);
	pthread_mutex_unlock(&track_state.lock);
}
