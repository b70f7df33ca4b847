/* SPDX-License-Identifier: PostgreSQL
 *
 * One connection to Redis: connect, log in, send, match answers to questions,
 * and the circuit breaker.
 *
 * Knows the RESP protocol through hiredis' reader and formatter only, nothing
 * of what is asked.  Not hiredis' asynchronous context: that one asserts when
 * a reply arrives that nobody asked for, and a peer must not be able to end
 * this process.  Runs on one worker's event loop; SIGPIPE must be ignored.
 *
 * PAUSE -> CONNECTING   l2_conn_connect(), by timer
 * LOGIN -> CONNECTING   the same, when it was to a sentinel
 * CONNECTING -> TLS     l2_conn_shake(), the socket is connected
 * either -> LOGIN       l2_conn_login(), see l2_login.c
 * LOGIN -> OPEN         l2_conn_opened(), PONG
 * any -> PAUSE          l2_conn_lose(): error, overdue answer, wrong answer
 *
 * Invariants: answers come in the order of questions, and so do deadlines, so
 * one timer watches the oldest; every question is answered once, with NULL if
 * the connection is lost; a connection with an overdue answer is closed, so
 * that a late one never meets another question.  What Redis can make us
 * allocate is bounded: the unread input, the elements of an array, the length
 * of all strings but the first of an array (of all, where names are asked for).
 */
#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <hiredis/sds.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/planted.h"
#include "cache/l2_priv.h"
#include "stats/metrics.h"

/* Connecting delays nobody's query. */
#define L2_LOGIN_TIMEOUT (1 * NSEC_PER_SEC)
#define L2_CLUSTER_PAUSE (600 * NSEC_PER_SEC)
#define L2_LOG_PAUSE (60 * NSEC_PER_SEC)
#define L2_OWED_MAX 10000
#define L2_READS 64         /* of 16 KiB each, then it is others' turn */
#define L2_READ_SLACK 32768 /* one read, and what hiredis keeps before it */
#define L2_STRING_MAX 64    /* tokens and the like */
#define L2_WIDE_MAX 4096    /* names that SCAN gives at once, bytes of one */
#define L2_PUSH_MAX 65536   /* names in one message */

static void
l2_conn_arm(struct l2_conn *c, nsec_t delay)
{
	struct timeval tv;

	delay += NSEC_PER_USEC; /* never too early by rounding */
	tv.tv_sec = (time_t)(delay / NSEC_PER_SEC);
	tv.tv_usec = (suseconds_t)(delay % NSEC_PER_SEC / NSEC_PER_USEC);
	event_add(&c->timer, &tv);
}

static nsec_t
l2_conn_login_timeout(const struct l2_conn *c)
{
	return c->timeout > L2_LOGIN_TIMEOUT ? c->timeout : L2_LOGIN_TIMEOUT;
}

/* --- closing ----------------------------------------------------------- */

static void
l2_conn_hang_up(struct l2_conn *c)
{
	if (c->wire.ctx == NULL)
		return;
	event_del(&c->read_ev);
	event_del(&c->write_ev);
	l2_wire_close(&c->wire);
}

static void
l2_conn_lose(struct l2_conn *c, const char *why)
{
	struct l2_cmds lost = STAILQ_HEAD_INITIALIZER(lost);
	bool was_open = c->phase == L2_OPEN;
	bool more = (c->phase == L2_CONNECTING || c->place.asking) &&
	    l2_place_has_more(&c->place);
	struct l2_cmd *cmd;

	if ((was_open || !more) && clock_mono() >= c->quiet_until) {
		log_warn("l2", "msg=\"redis lost\" why=%s retry_ms=%llu",
		    log_escs(why),
		    (unsigned long long)(c->retry / NSEC_PER_MSEC));
		c->quiet_until = clock_mono() + L2_LOG_PAUSE;
		c->told = true;
	}
	c->phase = L2_PAUSE;
	c->fault[0] = '\0';
	atomic_store_explicit(&c->stats.open, false, memory_order_relaxed);
	stat_add(&c->stats.losses, was_open);
	l2_conn_hang_up(c);
	l2_conn_arm(c, c->is_cluster ? L2_CLUSTER_PAUSE :
	    more ? 0 : c->retry);
	STAILQ_CONCAT(&lost, &c->owed);
	c->n_owed = 0;
	if (was_open && c->lost != NULL)
		c->lost(c->up_arg);
	c->in_callback = true;
	while ((cmd = STAILQ_FIRST(&lost)) != NULL) {
		STAILQ_REMOVE_HEAD(&lost, link);
		cmd->done(cmd, NULL);
	}
	c->in_callback = false;
}

void
l2_conn_fail(struct l2_conn *c, const char *why)
{
	CHECK(c->in_callback);
	if (c->phase != L2_PAUSE)
		snprintf(c->fault, sizeof(c->fault), "%s",
		    why[0] != '\0' ? why : "an error without words");
}

/* --- reading ----------------------------------------------------------- */

/* Returned to hiredis, it ends the connection. */
static void *
l2_conn_refuse(struct l2_conn *c)
{
	snprintf(c->fault, sizeof(c->fault), "oversize reply");
	return NULL;
}

/* What is being read is the answer to SCAN, or a message. */
static bool
l2_conn_is_wide(const struct l2_conn *c)
{
	return c->push != NULL || (!STAILQ_EMPTY(&c->owed) &&
	    STAILQ_FIRST(&c->owed)->wide);
}

static void *
l2_conn_new_array(const redisReadTask *t, int elements)
{
	struct l2_conn *c = t->privdata;
	int most = c->push != NULL ? L2_PUSH_MAX : L2_WIDE_MAX;

	if (l2_conn_is_wide(c) ? elements > most ||
	    (t->parent != NULL && t->parent->parent != NULL) :
	    t->parent != NULL || elements > (int)TAGSET_MAX + 1)
		return l2_conn_refuse(c);
	return c->plain->createArray(t, elements);
}

static void *
l2_conn_new_string(const redisReadTask *t, char *str, size_t len)
{
	struct l2_conn *c = t->privdata;

	if (t->parent != NULL && (l2_conn_is_wide(c) ? len > L2_WIDE_MAX :
	    t->idx > 0 && len > L2_STRING_MAX))
		return l2_conn_refuse(c);
	return c->plain->createString(t, str, len);
}

static void l2_conn_connect(struct l2_conn *c);

static bool
l2_conn_says(const redisReply *r, const char *code)
{
	size_t n = strlen(code);

	return strncmp(r->str, code, n) == 0 &&
	    (r->str[n] == ' ' || r->str[n] == '\0');
}

/* Errors that say what kind of server this is. */
static void
l2_conn_judge(struct l2_conn *c, const redisReply *r)
{
	static const char *const codes[] = { "MOVED", "ASK", "CROSSSLOT",
		"CLUSTERDOWN" };
	static atomic_flag told = ATOMIC_FLAG_INIT;
	unsigned i;

	if (r->type != REDIS_REPLY_ERROR)
		return;
	if (l2_conn_says(r, "READONLY"))
		snprintf(c->fault, sizeof(c->fault), "%s", r->str);
	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		if (!l2_conn_says(r, codes[i]))
			continue;
		c->is_cluster = true;
		snprintf(c->fault, sizeof(c->fault), "%s", r->str);
		if (!atomic_flag_test_and_set(&told))
			log_error("l2", "msg=\"redis is a cluster, which is "
			    "not supported: results are not kept there\" "
			    "error=%s", log_escs(r->str));
	}
}

/* Hand out all replies that are complete. false: the connection is gone. */
static bool
l2_conn_dispatch(struct l2_conn *c)
{
	struct l2_cmd *cmd;
	void *reply;

	for (;;) {
		if (redisGetReplyFromReader(c->wire.ctx, &reply) != REDIS_OK) {
			l2_conn_lose(c, c->fault[0] != '\0' ? c->fault :
			    c->wire.ctx->errstr);
			return false;
		}
		if (reply == NULL)
			return true;
		if (c->push != NULL && c->push(c->up_arg, reply)) {
			freeReplyObject(reply);
			continue;
		}
		cmd = STAILQ_FIRST(&c->owed);
		if (cmd == NULL) {
			freeReplyObject(reply);
			l2_conn_lose(c, "a reply that nobody asked for");
			return false;
		}
		STAILQ_REMOVE_HEAD(&c->owed, link);
		c->n_owed--;
		c->in_callback = true;
		cmd->done(cmd, reply);
		c->in_callback = false;
		l2_conn_judge(c, reply);
		freeReplyObject(reply);
		if (c->fault[0] != '\0') {
			l2_conn_lose(c, c->fault);
			return false;
		}
		if (c->turn) {
			c->turn = false;
			l2_conn_hang_up(c);
			l2_conn_connect(c);
			return false;
		}
	}
}

static void
l2_conn_read(struct l2_conn *c)
{
	const redisReader *r = c->wire.ctx->reader;
	unsigned i;

	for (i = 0; i < L2_READS; i++) {
		switch (l2_wire_read(&c->wire)) {
		case L2_IO_DONE:
			break;
		case L2_IO_AGAIN:
			return;
		case L2_IO_FAILED:
			l2_conn_lose(c, c->wire.why);
			return;
		}
		if (!l2_conn_dispatch(c))
			return;
		if (r->len - r->pos > c->max_reply + L2_READ_SLACK) {
			l2_conn_lose(c, "oversize reply");
			return;
		}
	}
	/* What TLS has read already, the socket will not report. */
	event_active(&c->read_ev, EV_READ, 0);
}

static void l2_conn_shake(struct l2_conn *c);

static void
l2_conn_on_read(evutil_socket_t fd, short what, void *arg)
{
	struct l2_conn *c = arg;

	(void)fd;
	(void)what;
	CHECK_MAGIC(c, L2_CONN_MAGIC);
	if (c->phase == L2_TLS)
		l2_conn_shake(c);
	else
		l2_conn_read(c);
}

/* --- sending ----------------------------------------------------------- */

bool
l2_conn_queue(struct l2_conn *c, struct l2_cmd *cmd, int argc,
    const char **argv, const size_t *len, nsec_t deadline)
{
	if (redisAppendCommandArgv(c->wire.ctx, argc, argv, len) != REDIS_OK)
		return false;
	cmd->deadline = deadline;
	STAILQ_INSERT_TAIL(&c->owed, cmd, link);
	c->n_owed++;
	if (!event_pending(&c->write_ev, EV_WRITE, NULL))
		event_add(&c->write_ev, NULL);
	return true;
}

bool
l2_conn_send(struct l2_conn *c, struct l2_cmd *cmd, int argc,
    const char **argv, const size_t *len)
{
	if (!l2_conn_is_open(c) || c->n_owed >= L2_OWED_MAX ||
	    sdslen(c->wire.ctx->obuf) > 2 * c->max_reply)
		return false;
	if (!l2_conn_queue(c, cmd, argc, argv, len, clock_mono() + c->timeout))
		return false;
	if (!event_pending(&c->timer, EV_TIMEOUT, NULL))
		l2_conn_arm(c, c->timeout);
	return true;
}

/* --- opening ----------------------------------------------------------- */

void
l2_conn_opened(struct l2_conn *c)
{
	bool other = false;

	if (c->other != NULL) {
		other = l2_server_met(c->server, c->stats.opens > 0,
		    &c->generation);
	} else if (!l2_server_seen(c->server, &c->generation)) {
		l2_conn_fail(c, "not the server that others have met last");
		return;
	}
	if (c->told || c->stats.opens == 0)
		log_info("l2", "msg=\"redis connected\"");
	c->told = false;
	c->phase = L2_OPEN;
	l2_place_served(&c->place);
	event_del(&c->timer);
	atomic_store_explicit(&c->stats.open, true, memory_order_relaxed);
	stat_add(&c->stats.opens, 1);
	if (other)
		c->other(c->up_arg);
	c->up(c->up_arg);
}

static void
l2_conn_login(struct l2_conn *c)
{
	c->phase = L2_LOGIN;
	if (!l2_login_begin(c))
		l2_conn_lose(c, "out of memory");
}

static void
l2_conn_shake(struct l2_conn *c)
{
	bool writing;

	switch (l2_wire_shake(&c->wire, &writing)) {
	case L2_IO_DONE:
		l2_conn_login(c);
		break;
	case L2_IO_AGAIN:
		if (writing)
			event_add(&c->write_ev, NULL);
		break;
	case L2_IO_FAILED:
		l2_conn_lose(c, c->wire.why);
		break;
	}
}

/* The socket is connected, or it is not going to be. */
static void
l2_conn_connected(struct l2_conn *c)
{
	socklen_t n = sizeof(int);
	int err = 0;

	if (getsockopt(c->wire.ctx->fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0)
		err = errno;
	if (err != 0) {
		l2_conn_lose(c, strerror(err));
		return;
	}
	event_add(&c->read_ev, NULL);
	if (c->tls == NULL) {
		l2_conn_login(c);
		return;
	}
	c->phase = L2_TLS;
	if (l2_wire_begin_tls(&c->wire, c->tls, c->place.now.name,
		c->tls_verify_host))
		l2_conn_shake(c);
	else
		l2_conn_lose(c, "TLS: out of memory");
}

static void
l2_conn_on_write(evutil_socket_t fd, short what, void *arg)
{
	struct l2_conn *c = arg;

	(void)fd;
	(void)what;
	CHECK_MAGIC(c, L2_CONN_MAGIC);
	if (c->phase == L2_CONNECTING) {
		l2_conn_connected(c);
		return;
	}
	if (c->phase == L2_TLS) {
		l2_conn_shake(c);
		return;
	}
	switch (l2_wire_write(&c->wire)) {
	case L2_IO_DONE:
		break;
	case L2_IO_AGAIN:
		event_add(&c->write_ev, NULL);
		break;
	case L2_IO_FAILED:
		l2_conn_lose(c, c->wire.why);
		break;
	}
}

static void
l2_conn_connect(struct l2_conn *c)
{
	redisContext *ctx;
	char why[128];

	c->phase = L2_CONNECTING;
	c->is_cluster = false;
	c->wire.ctx = ctx = l2_place_dial(&c->place, why, sizeof(why));
	if (ctx == NULL) {
		l2_conn_lose(c, why);
		return;
	}
	fcntl(ctx->fd, F_SETFD, FD_CLOEXEC);
	c->plain = ctx->reader->fn;
	c->bounded = *c->plain;
	c->bounded.createArray = l2_conn_new_array;
	c->bounded.createString = l2_conn_new_string;
	ctx->reader->fn = &c->bounded;
	ctx->reader->privdata = c;
	event_assign(&c->read_ev, c->base, ctx->fd, EV_READ | EV_PERSIST,
	    l2_conn_on_read, c);
	event_assign(&c->write_ev, c->base, ctx->fd, EV_WRITE,
	    l2_conn_on_write, c);
	event_add(&c->write_ev, NULL);
	c->deadline = clock_mono() + l2_conn_login_timeout(c);
	l2_conn_arm(c, l2_conn_login_timeout(c));
}

/* --- the timer --------------------------------------------------------- */

/* Time until the connection is overdue; 0: it is; UINT64_MAX: nothing owed. */
static nsec_t
l2_conn_time_left(const struct l2_conn *c)
{
	const struct l2_cmd *oldest = STAILQ_FIRST(&c->owed);
	nsec_t now = clock_mono(), deadline = c->deadline;

	if (c->phase == L2_OPEN) {
		if (oldest == NULL)
			return UINT64_MAX;
		deadline = oldest->deadline;
	}
	return deadline > now ? deadline - now : 0;
}

/* Its reply is still to come, and will be taken for the next one's. */
static void
l2_conn_forget_first(struct l2_conn *c)
{
	struct l2_cmd *cmd = STAILQ_FIRST(&c->owed);

	STAILQ_REMOVE_HEAD(&c->owed, link);
	c->n_owed--;
	cmd->done(cmd, NULL);
}

static void
l2_conn_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct l2_conn *c = arg;
	nsec_t left;

	(void)fd;
	(void)what;
	CHECK_MAGIC(c, L2_CONN_MAGIC);
	if (c->phase == L2_PAUSE) {
		l2_conn_connect(c);
		return;
	}
	if (c->phase == L2_OPEN && !l2_server_is_last(c->generation)) {
		l2_conn_lose(c, "another server has taken over");
		return;
	}
	left = l2_conn_time_left(c);
	if (left == 0 && c->phase == L2_OPEN) {
		/* If it was this loop that was late, the answer is there. */
		l2_conn_read(c);
		if (c->phase != L2_OPEN)
			return;
		left = l2_conn_time_left(c);
	}
	if (left == 0 && PLANTED(LATE_REDIS_REPLY) && c->phase == L2_OPEN) {
		l2_conn_forget_first(c);
		l2_conn_arm(c, c->timeout);
	} else if (left == 0) {
		stat_add(&c->stats.timeouts, 1);
		l2_conn_lose(c, "timeout");
	} else if (left != UINT64_MAX) {
		l2_conn_arm(c, left);
	}
}

/* --- life -------------------------------------------------------------- */

static char *
l2_conn_copy(const char *s)
{
	return s != NULL && s[0] != '\0' ? x_strdup(s) : NULL;
}

struct l2_conn *
l2_conn_new(struct event_base *base, const struct l2_options *o,
    size_t max_reply, void (*up)(void *arg), void *arg)
{
	struct l2_conn *c = x_calloc(1, sizeof(*c));

	c->magic = L2_CONN_MAGIC;
	c->base = base;
	l2_place_init(&c->place, o);
	c->tls = o->tls;
	if (c->tls != NULL)
		SSL_CTX_up_ref(c->tls);
	c->tls_verify_host = o->tls_verify_host;
	c->user = l2_conn_copy(o->user);
	c->password = l2_conn_copy(o->password);
	c->database = o->database;
	c->timeout = o->timeout;
	c->retry = o->retry;
	c->max_reply = max_reply;
	c->up = up;
	c->up_arg = arg;
	CHECK(c->tls == NULL || c->place.unix_socket == NULL);
	STAILQ_INIT(&c->owed);
	evtimer_assign(&c->timer, base, l2_conn_on_timer, c);
	l2_conn_connect(c);
	return c;
}

void
l2_conn_free(struct l2_conn **conn)
{
	struct l2_conn *c = *conn;

	if (c == NULL)
		return;
	CHECK(!c->in_callback);
	c->quiet_until = UINT64_MAX; /* it is meant to end */
	l2_conn_lose(c, "closed");
	event_del(&c->timer);
	*conn = NULL;
	l2_place_fini(&c->place);
	SSL_CTX_free(c->tls);
	free(c->user);
	if (c->password != NULL)
		explicit_bzero(c->password, strlen(c->password));
	free(c->password);
	c->magic = 0;
	free(c);
}

void
l2_conn_set_times(struct l2_conn *c, nsec_t timeout, nsec_t retry)
{
	c->timeout = timeout;
	c->retry = retry;
}

void
l2_conn_set_tls(struct l2_conn *c, SSL_CTX *tls)
{
	if (c->tls == NULL)
		return;
	SSL_CTX_up_ref(tls);
	SSL_CTX_free(c->tls);
	c->tls = tls;
}

void
l2_conn_set_push(struct l2_conn *c, bool (*push)(void *arg,
    const redisReply *reply), void (*lost)(void *arg))
{
	c->push = push;
	c->lost = lost;
}

void
l2_conn_set_other(struct l2_conn *c, void (*other)(void *arg))
{
	c->other = other;
}

bool
l2_conn_is_open(struct l2_conn *c)
{
	if (c->phase != L2_OPEN)
		return false;
	if (l2_server_is_last(c->generation))
		return true;
	l2_conn_arm(c, 0); /* we may be inside a callback */
	return false;
}

const struct l2_conn_stats *
l2_conn_stats(const struct l2_conn *c)
{
	return &c->stats;
}
