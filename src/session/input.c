/* SPDX-License-Identifier: PostgreSQL
 *
 * Client messages after login: where does the next executable unit end?
 *
 * A server is taken from a pool only for a whole unit (a Query, or extended
 * messages up to Sync or Flush), so a client that stops in the middle holds
 * nothing but its own buffer.  COPY data stream through in whatever pieces
 * they come.  So does a message longer than UNIT_SPLIT once its head has been
 * acted on as the end of a unit.  Runs on the session's worker.
 */
#include <stdio.h>
#include <string.h>

#include "session/session_priv.h"
#include "session/spread.h"

/* A unit that grows beyond this without Sync is passed on in parts. A message that
 * is longer by itself is long: no more than so much of it is looked at. */
#define UNIT_SPLIT (256 * 1024)

static const char *const acted_on[SESSION_STATE_COUNT] = {
#define SESSION_STATE(sym, name, messages, server, doc) \
	[SESSION_##sym] = messages,
#include "tbl/session_states.h"
};

static size_t
input_violation(struct session *s, size_t n, const struct frame *f,
    enum frame_verdict v)
{
	char text[64];

	if (v == FRAME_BAD && f->type != 0 && strchr("QPBDECSHFXdcf",
	    f->type) != NULL && f->body > (uint32_t)s->conf->max_message_size)
		session_close(s, CLOSE_MESSAGE_SIZE, NULL);
	else {
		snprintf(text, sizeof(text),
		    v == FRAME_BAD ? "invalid length of message type %d" :
		    "invalid frontend message type %d", f->type);
		session_close(s, CLOSE_PROTOCOL, text);
	}
	return n;
}

/* ---- COPY -------------------------------------------------------------------- */

static bool
input_is_copy(unsigned char type)
{
	return type == 'd' || type == 'c' || type == 'f';
}

/* What is owed has to be known now, though the client has not asked for it: does
 * the server want COPY data, is it done? */
static void
input_flush(struct session *s)
{
	struct iovec iov = { (void *)(uintptr_t)"H\0\0\0\4", 5 };

	if (s->open_unit && !s->flushed)
		(void)!server_send(s->server, &iov, 1);
	s->flushed = true;
}

/* A run of copy messages at p: to the server if it waits for them, else to
 * nowhere (they are late ones of a COPY that failed). Returns bytes used. */
static size_t
input_copy(struct session *s, const char *p, size_t n)
{
	bool wanted = s->server != NULL && s->server->owed.copy_in;
	struct iovec iov = { (void *)(uintptr_t)p, 0 };
	enum frame_verdict v = FRAME_NEED_MORE;
	struct frame f;
	size_t pos = 0;

	while (pos < n) {
		v = frame_next(p + pos, n - pos,
		    (uint32_t)s->conf->max_message_size, &f);
		if (v == FRAME_NEED_MORE || v == FRAME_BAD ||
		    !input_is_copy(f.type))
			break;
		if (v == FRAME_PARTIAL && f.type != 'd')
			break;
		if (v == FRAME_PARTIAL) {
			s->body_left = f.size - (n - pos);
			s->body_drop = !wanted;
			pos = n;
			break;
		}
		pos += f.size;
		if (!wanted)
			continue;
		s->server->owed.copy_data = true;
		/* The end of the data: Sync counts again, and a Flush amid them
		 * was none. */
		if (f.type != 'd') {
			s->flushed = false;
			s->server->owed.copy_in = false;
			s->server->owed.copy_over = true;
		}
	}
	iov.iov_len = pos;
	if (pos > 0 && wanted) {
		(void)!server_send(s->server, &iov, 1);
		if (stream_backlog(&s->server->st) > STREAM_HIGH_WATER)
			stream_read_stop(&s->st);
	}
	if (pos == 0 && v == FRAME_PARTIAL && f.size > UNIT_SPLIT)
		return input_violation(s, n, &f, FRAME_BAD);
	if (pos == 0)
		s->need = v == FRAME_PARTIAL ? f.size : 5;
	return pos;
}

static size_t
input_body(struct session *s, const char *p, size_t n)
{
	size_t k = s->body_left < n ? s->body_left : n;
	struct iovec iov = { (void *)(uintptr_t)p, k };

	s->body_left -= k;
	/* Also when the server has given the COPY up half through this message:
	 * it must get the rest to find the next one. */
	if (!s->body_drop && s->server != NULL) {
		(void)!server_send(s->server, &iov, 1);
		if (stream_backlog(&s->server->st) > STREAM_HIGH_WATER)
			stream_read_stop(&s->st);
	}
	return k;
}

/* ---- units ------------------------------------------------------------------------- */

static bool
input_is_extended(unsigned char type)
{
	switch (type) {
	case 'P': case 'B': case 'D': case 'E': case 'C': case 'S': case 'H':
		return true;
	default:
		return false;
	}
}

/* The message at p + scan is longer than UNIT_SPLIT. Its head ends the unit, whose
 * length is returned; 0: more bytes are needed, or the session has been closed. Held
 * whole: a text that is to be analysed or prepared. */
static size_t
input_long(struct session *s, size_t n, size_t scan, const struct frame *f)
{
	const struct conf *c = s->conf;
	size_t want = UNIT_SPLIT;

	if (s->console != NULL || strchr("QFBP", f->type) == NULL)
		return input_violation(s, 0, f, FRAME_BAD);
	if (f->type == 'P' && f->body > (uint32_t)c->max_prepared_bytes) {
		session_close(s, CLOSE_PREPARED_MEMORY, NULL);
		return 0;
	}
	if (f->type == 'P' || (f->type == 'Q' && f->size <= FRAME_HEADER + 1 +
	    (size_t)c->max_statement_size))
		want = f->size;
	if (n - scan >= want)
		return scan + want;
	s->need = scan + want;
	s->scanned = scan;
	return 0;
}

/* Length of the unit at p, or 0 when more bytes are needed (s->need set).
 * from: bytes of it looked at before. A message that is no part of a unit ends
 * the one before it. */
static size_t
input_scan(struct session *s, const char *p, size_t n, size_t from)
{
	enum frame_verdict v;
	struct frame f;
	size_t scan = from;

	while (scan < n) {
		v = frame_next(p + scan, n - scan,
		    (uint32_t)s->conf->max_message_size, &f);
		if (v == FRAME_NEED_MORE)
			break;
		if (v == FRAME_BAD || !input_is_extended(f.type)) {
			if (scan > 0)
				return scan;
			if (v == FRAME_BAD || (f.type != 'Q' && f.type != 'F'))
				return input_violation(s, n, &f, v);
			if (v == FRAME_WHOLE)
				return f.size;
		}
		if (v == FRAME_PARTIAL && f.size > UNIT_SPLIT)
			return input_long(s, n, scan, &f);
		if (v == FRAME_PARTIAL) {
			s->need = scan + f.size;
			s->scanned = scan;
			return 0;
		}
		scan += f.size;
		if (f.type == 'S' || f.type == 'H')
			return scan;
		/* The head of a long one was a unit's end before, too. */
		if (scan > UNIT_SPLIT)
			return f.type == 'B' && f.size > UNIT_SPLIT ?
			    scan - f.size + UNIT_SPLIT : scan;
	}
	s->need = scan + 5;
	s->scanned = scan;
	return 0;
}

void
session_stream(struct session *s, const struct unit *u, bool drop)
{
	s->body_left = u->rest;
	s->body_drop = drop;
}

static enum unit_result
input_unit(struct session *s, const char *p, size_t n)
{
	enum unit_result r;
	struct unit u;

	if (!unit_read(&u, p, n)) {
		session_close(s, CLOSE_PROTOCOL, "malformed message");
		return UNIT_CLOSED;
	}
	/* Ages of a unit that waited count from its arrival. */
	if (s->unit_len == 0) {
		s->started = s->sw->w->now = clock_mono();
		if (unlikely(s->sw->setup.conf->follows) &&
		    s->console == NULL)
			trail_begin(s, &u);
	}
	r = session_unit(s, &u);
	if (r == UNIT_WAIT) {
		s->unit_len = n;
		s->unit_last = u.last;
		if (s->state == SESSION_RELAY)
			input_flush(s);
	} else if (r == UNIT_DONE) {
		s->unit_len = 0;
		query_forget(s);
		s->flushed = false;
		s->granted = s->no_cache = s->no_gather = false;
		s->no_replica = false;
		s->fill_tries = 0;
		/* It was refused. */
		if (u.rest > 0 && s->body_left == 0)
			session_stream(s, &u, true);
		/* It has needed no server. */
		if (unlikely(s->trail.on) && s->state == SESSION_IDLE &&
		    !s->open_unit)
			trail_end(s, clock_mono());
	}
	return r;
}

size_t
session_input(struct session *s, const char *p, size_t n)
{
	size_t pos = 0, used, scanned = s->scanned;
	enum frame_verdict v;
	struct frame f;

	s->scanned = 0;
	while (pos < n && s->state != SESSION_CLOSED) {
		if (acted_on[s->state] == NULL)
			break;
		if (s->state == SESSION_SPREAD_COPY) {
			used = spread_input(s, p + pos, n - pos);
			if (used == 0)
				break;
			pos += used;
			continue;
		}
		if (s->body_left > 0) {
			pos += input_body(s, p + pos, n - pos);
			continue;
		}
		v = frame_next(p + pos, n - pos,
		    (uint32_t)s->conf->max_message_size, &f);
		if (v == FRAME_NEED_MORE) {
			s->need = 5;
			break;
		}
		/* The first of them is a query's. */
		if (f.type == 0 || (f.type != acted_on[s->state][0] &&
		    strchr(acted_on[s->state], f.type) == NULL))
			return input_violation(s, n, &f, v);
		if (v == FRAME_BAD)
			return input_violation(s, n, &f, v);
		if (f.type == 'X' && s->state == SESSION_RELAY &&
		    !s->server->owed.copy_in && s->server->owed.count > 0) {
			/* As with a server, what came before it is done. */
			s->leaving = true;
			stream_read_stop(&s->st);
			input_flush(s);
			break;
		}
		if (f.type == 'X') {
			session_close(s, CLOSE_TERMINATE, NULL);
			return n;
		}
		if (input_is_copy(f.type)) {
			/* Perhaps ahead of the server's invitation; what
			 * comes after it gave up is dropped. */
			if (s->state == SESSION_RELAY &&
			    !s->server->owed.copy_in &&
			    !ledger_empty(&s->server->owed) &&
			    !s->server->owed.skipping &&
			    !ledger_copy_is_late(&s->server->owed)) {
				input_flush(s);
				break;
			}
			used = input_copy(s, p + pos, n - pos);
			if (used == 0)
				break;
			pos += used;
			continue;
		}
		/* The server reads COPY data and would take it for one. */
		if (s->server != NULL && s->server->owed.copy_in &&
		    f.type != 'S' && f.type != 'H')
			return input_violation(s, n, &f, v);
		used = f.type == 'Q' && v == FRAME_WHOLE ? f.size :
		    input_scan(s, p + pos, n - pos, pos == 0 ? scanned : 0);
		if (used == 0 || s->state == SESSION_CLOSED)
			break;
		s->scanned = 0;
		if (input_unit(s, p + pos, used) != UNIT_DONE)
			break;
		pos += used;
	}
	return s->state == SESSION_CLOSED ? n : pos;
}
