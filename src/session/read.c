/* SPDX-License-Identifier: PostgreSQL
 *
 * From the client's socket to what acts on its bytes.
 *
 * Knows when to read and what is left over, not what the bytes mean (startup.c,
 * input.c).  What is not used at once waits in session.in; reading stops while
 * too much waits.  Runs on the session's worker.  Invariant: bytes are acted
 * on by one call at a time (session.pumping).
 */
#include <string.h>

#include "session/gather.h"
#include "session/spread.h"

#define READS_A_TURN 4
#define WAITING_INPUT_MAX (64 * 1024)

/* Act on bytes; returns how many were used (all of them once closed). */
static size_t
session_act(struct session *s, const char *p, size_t n)
{
	s->need = 0;
	if (s->state == SESSION_STARTUP || s->state == SESSION_AUTH)
		return session_startup_input(s, p, n);
	return session_input(s, p, n);
}

static bool
session_keep(struct session *s, const char *p, size_t n)
{
	if (n == 0 || s->state == SESSION_CLOSED)
		return true;
	if (buf_append(&s->in, p, n))
		return true;
	session_close(s, CLOSE_MEMORY, NULL);
	return false;
}

void
session_pump(struct session *s)
{
	size_t used;

	if (s->pumping)
		return;
	s->pumping = true;
	while (s->state != SESSION_CLOSED && buf_len(&s->in) > 0 &&
	    buf_len(&s->in) >= s->need) {
		used = session_act(s, buf_head(&s->in), buf_len(&s->in));
		if (s->state == SESSION_CLOSED)
			break;
		buf_consume(&s->in, used);
		if (used == 0)
			break;
	}
	s->pumping = false;
	/* Part of a message is left, and the rest will not come. */
	if (s->leaving && (s->state == SESSION_IDLE ||
	    (s->state == SESSION_RELAY && s->server->owed.count == 0)))
		session_close(s, CLOSE_CLIENT_GONE, NULL);
	if (s->leaving && s->state == SESSION_IDLE)
		/* All is done that can be; nothing more will come. */
		session_close(s, CLOSE_TERMINATE, NULL);
	if (s->state == SESSION_CLOSED || s->leaving)
		return;
	if (buf_len(&s->in) == 0) {
		buf_reset(&s->in);
		s->partial_since = 0;
	} else if (s->state == SESSION_IDLE && s->partial_since == 0 &&
	    buf_len(&s->in) != s->scanned)
		/* It came behind a unit that had to wait. */
		s->partial_since = s->sw->w->now;
	if (session_takes_messages(s) || buf_len(&s->in) <
	    s->unit_len + WAITING_INPUT_MAX)
		if ((s->server == NULL ||
		    stream_backlog(&s->server->st) < STREAM_HIGH_WATER) &&
		    !spread_is_full(s))
			stream_read_start(&s->st);
}

static enum stream_status
session_read(struct session *s, size_t *got, size_t *asked)
{
	bool packets = s->state == SESSION_STARTUP || s->state == SESSION_AUTH;
	enum stream_status st;
	size_t used, want;

	if (buf_len(&s->in) == 0) {
		*asked = WORKER_SCRATCH;
		st = stream_recv(&s->st, s->sw->w->scratch, *asked, got);
		if (st != STREAM_OK)
			return st;
		s->pumping = true;
		used = session_act(s, s->sw->w->scratch, *got);
		s->pumping = false;
		(void)!session_keep(s, s->sw->w->scratch + used, *got - used);
		/* Those are acted on one at a time. */
		if (packets)
			session_pump(s);
		return st;
	}
	want = s->need > buf_len(&s->in) ? s->need - buf_len(&s->in) : 0;
	if (want > 1024 * 1024)
		want = 1024 * 1024;
	if (!buf_reserve(&s->in, want < 4096 ? 4096 : want)) {
		session_close(s, CLOSE_MEMORY, NULL);
		return STREAM_AGAIN;
	}
	*asked = buf_room(&s->in);
	st = stream_recv(&s->st, buf_tail(&s->in), *asked, got);
	if (st != STREAM_OK)
		return st;
	buf_grow(&s->in, *got);
	session_pump(s);
	return st;
}

/* The input ends in Terminate, behind units that wait. */
static bool
session_said_goodbye(const struct session *s)
{
	size_t n = buf_len(&s->in);
	struct unit u;

	/* The rest of a long message may look so. */
	return s->unit_len > 0 && n >= s->unit_len + 5 &&
	    memcmp(buf_head(&s->in) + n - 5, "X\0\0\0\4", 5) == 0 &&
	    unit_read(&u, buf_head(&s->in), s->unit_len) && u.rest == 0;
}

/* The client will be sent something, or has just been: if its connection broke
 * behind what was read, that is how it shows. */
static bool
session_answers(const struct session *s)
{
	switch (s->state) {
	case SESSION_STARTUP:
	case SESSION_TLS:
	case SESSION_AUTH:
		return false;
	default:
		return buf_len(&s->in) == s->unit_len && s->body_left == 0 &&
		    (s->server == NULL || !s->server->owed.copy_in);
	}
}

static void
session_on_readable(struct stream *st)
{
	struct session *s = (struct session *)(void *)((char *)st -
	    offsetof(struct session, st));
	enum stream_status rs;
	size_t got = 0, asked = 0;
	int i;

	CHECK_MAGIC(s, SESSION_MAGIC);
	if (s->state == SESSION_STARTUP)
		session_direct_tls(s);
	for (i = 0; i < READS_A_TURN; i++) {
		if (s->state == SESSION_TLS)
			session_tls_step(s);
		if (s->state == SESSION_CLOSED || s->state == SESSION_TLS)
			return;
		rs = session_read(s, &got, &asked);
		if (s->state == SESSION_CLOSED)
			return;
		if (rs == STREAM_EOF && session_said_goodbye(s)) {
			s->leaving = true;
			stream_read_stop(&s->st);
			return;
		}
		if (rs == STREAM_EOF || rs == STREAM_ERROR) {
			session_close(s, CLOSE_CLIENT_GONE, NULL);
			return;
		}
		if (rs == STREAM_AGAIN)
			return;
		stat_add(&session_metrics(s)->c.client_bytes_in, got);
		stat_add(&s->stats->received, got);
		/* Whatever waits does not wait for more bytes. */
		if (buf_len(&s->in) >= s->need &&
		    buf_len(&s->in) > s->unit_len + WAITING_INPUT_MAX)
			stream_read_stop(&s->st);
		s->partial_since = (buf_len(&s->in) == s->scanned &&
		    s->body_left == 0) ||
		    !session_takes_messages(s) ? 0 : clock_mono();
		if (!s->st.reading)
			return;
		if (got < asked && !stream_has_pending(st) &&
		    session_answers(s))
			return;
	}
	stream_read_again(st);
}

static void
session_on_drained(struct stream *st)
{
	struct session *s = (struct session *)(void *)((char *)st -
	    offsetof(struct session, st));

	CHECK_MAGIC(s, SESSION_MAGIC);
	if (s->state == SESSION_TLS)
		session_tls_step(s);
	else if (s->server != NULL)
		stream_read_start(&s->server->st);
	else if (s->gathering != NULL)
		gather_drained(s);
	if (s->listening != NULL)
		session_listen_later(s);
}

static void
session_on_broken(struct stream *st)
{
	struct session *s = (struct session *)(void *)((char *)st -
	    offsetof(struct session, st));

	CHECK_MAGIC(s, SESSION_MAGIC);
	if (s->state != SESSION_CLOSED)
		session_close(s, CLOSE_CLIENT_GONE, NULL);
}

const struct stream_ops session_stream_ops = {
	.readable = session_on_readable,
	.drained = session_on_drained,
	.broken = session_on_broken,
};
