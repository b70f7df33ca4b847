/* SPDX-License-Identifier: PostgreSQL
 *
 * What a server says: from bytes to runs for the client and to calls upwards.
 *
 * Reads into the worker's scratch, finds message ends, asks the ledger what
 * each message is, and hands runs of bytes that belong to the client upwards
 * in one piece.  DataRow and CopyData stream through in whatever pieces they
 * come; every other message is looked at whole.  Knows nothing of pools but
 * which statements they have seen parsed.  Runs on the owning worker.
 * Invariant: after a callback the server may be closed or another session's;
 * nothing is done with it before its state has been looked at.
 */
#include <stdio.h>
#include <string.h>

#include "backend/pool.h"
#include "backend/server_priv.h"
#include "base/log.h"
#include "pgwire/frame.h"
#include "pgwire/msgread.h"

#define READS_A_TURN 4
#define MAX_BODY 0x40000000u    /* PostgreSQL's own limit, 1 GiB */
#define MAX_WORDS (1024 * 1024) /* errors and notices that we must see whole */
#define WORDS_HEAD 4096         /* of others, for severity and code */

/* ---- messages from the server ----------------------------------------- */

static void
server_forward(struct server *s, const char *p, size_t n)
{
	if (n > 0 && s->ops != NULL)
		s->ops->forward(s->lessee, p, n);
}

/* good: what came before it, which was owed, and of which the client may have
 * the beginning. */
static void
server_surprise(struct server *s, const struct frame *f, bool whole,
    const char *good, size_t n)
{
	struct wire_error e;
	char why[200];

	stat_add(&s->w->metrics->c.server_surprises, 1);
	if (whole && f->type == 'E' && msgread_error(f->p, f->body, &e))
		snprintf(why, sizeof(why), "a statement of pgsluice's own "
		    "failed: %.*s", (int)e.message.n, e.message.p);
	else
		snprintf(why, sizeof(why), "unexpected message type 0x%02x",
		    f->type);
	log_warn("server", "msg=\"protocol surprise\" backend=%s pid=%d "
	    "reason=%s", pool_backend_name(s->pool), s->pid, log_escs(why));
	s->doomed = true;
	server_forward(s, good, n);
	server_lost(s, why);
}

static enum ledger_verdict
server_parameter(struct server *s, const struct frame *f)
{
	struct msgread r;
	struct slice name, value;

	msgread_init(&r, f->p, f->body);
	name = msgread_str(&r);
	value = msgread_str(&r);
	if (!msgread_done(&r))
		return LEDGER_SURPRISE;
	/* Our own SET. */
	if (ledger_hidden(&s->owed) && (s->replaying ||
	    slice_eq_str(name, "application_name")))
		return LEDGER_DROP;
	if (s->ops != NULL)
		return s->ops->parameter(s->lessee, name.p, value.p) ?
		    LEDGER_ASYNC : LEDGER_DROP;
	s->settings_changed = true;
	return LEDGER_ASYNC;
}

/* true: forward the original. */
static bool
server_error(struct server *s, const struct frame *f,
    enum ledger_verdict verdict)
{
	struct wire_error e;

	(void)!msgread_error(f->p, f->body, &e);
	if (s->state == SERVER_LEASED)
		return !s->ops->failed(s->lessee, f->p, f->body,
		    verdict == LEDGER_OWN_ERROR);
	if (s->state != SERVER_DRAINING)
		log_info("server", "msg=\"error while %s\" backend=%s pid=%d "
		    "sqlstate=%s text=%s", server_state_name(s->state),
		    pool_backend_name(s->pool), s->pid, log_esc(e.sqlstate),
		    log_esc(e.message));
	s->doomed = true;
	return false;
}

/* The lessee takes an error for none: the unit that met it goes again. before: n
 * bytes that have not been handed on; the parameters of a statement whose row
 * was asked for too may be among them, but nothing else, unless all that has
 * been handed on so far was tentative. */
static bool
server_mended(struct server *s, const struct frame *f, const char *before,
    size_t n)
{
	struct wire_error e;

	if (n > 0 && !s->tentative &&
	    (*before != 't' || 1 + wire_u32(before + 1) != n))
		return false;
	if (s->state != SERVER_LEASED || s->owed.count == 0 ||
	    !msgread_error(f->p, f->body, &e) ||
	    !s->ops->mend(s->lessee, f->p, f->body))
		return false;
	ledger_swallow(&s->owed);
	return true;
}

/* The reply that is complete is the good one to a request that made a
 * statement under a name. */
static bool
server_made_statement(const struct ledger_entry *done)
{
	const struct hash128 none = { 0, 0 };

	switch (done->kind) {
	case OWED_PARSE:
		return !(done->flags & LEDGER_UNNAMED) &&
		    !hash_eq(done->hash, none);
	case OWED_QUERY:
	case OWED_EXECUTE:
		return !hash_eq(done->hash, none);
	default:
		return false;
	}
}

/* Look at one message. Returns what the ledger says of it, LEDGER_DROP also
 * when the lessee replaced it. */
static enum ledger_verdict
server_message(struct server *s, const struct frame *f)
{
	struct ledger_entry done;
	enum ledger_verdict v;
	struct wire_error e;

	if (f->type == 'E' && !msgread_error(f->p, f->body, &e) &&
	    f->size == FRAME_HEADER + f->body)
		return LEDGER_SURPRISE;
	if (f->type == 'E' && s->owed.count == 0) {
		/* FATAL while nothing is owed: shutdown, terminated. A lessee
		 * that has all its replies may be about to let go, and then
		 * it is none of its client's business; if it stays, the end
		 * of the connection will tell it. */
		s->doomed = true;
		s->goodbye = s->state == SERVER_LEASED && !s->ready &&
		    server_error(s, f, LEDGER_PASS);
		return s->goodbye ? LEDGER_PASS : LEDGER_DROP;
	}
	v = ledger_message(&s->owed, f->type, &done);
	if (v == LEDGER_SURPRISE)
		return v;
	if (server_made_statement(&done)) {
		prepared_answered(&s->prepared, done.hash, true);
		pool_know(s->pool, done.hash);
	}
	if ((done.flags & LEDGER_NAME) && s->ops != NULL)
		s->ops->named(s->lessee, NAMED_DONE);
	switch (f->type) {
	case 'E':
		return v != LEDGER_DROP && server_error(s, f, v) &&
		    v == LEDGER_PASS ? LEDGER_PASS : LEDGER_DROP;
	case 'C':
		if (f->body == 0 || f->p[f->body - 1] != '\0')
			return LEDGER_SURPRISE;
		if (s->ops != NULL)
			s->ops->completed(s->lessee, f->p, v == LEDGER_DROP);
		break;
	case 'D':
		if (v == LEDGER_DROP && s->ops != NULL)
			s->ops->row(s->lessee, f->p, f->body);
		break;
	case 'G':
		if (s->ops != NULL)
			s->ops->copy_in(s->lessee);
		break;
	case 'S':
		v = server_parameter(s, f);
		break;
	case 'A':
		if (s->state == SERVER_LEASED &&
		    !s->ops->notification(s->lessee, f->p, f->body))
			v = LEDGER_DROP;
		break;
	case 'Z':
		if (f->body != 1 || !wire_is_status(f->p[0]))
			return LEDGER_SURPRISE;
		s->tx = f->p[0];
		s->replaying = false;
		s->ready = ledger_empty(&s->owed);
		if (s->ops != NULL && v == LEDGER_PASS)
			s->ops->synced(s->lessee, s->tx);
		break;
	default:
		break;
	}
	if (v == LEDGER_ASYNC)
		return s->state == SERVER_LEASED ? LEDGER_PASS : LEDGER_DROP;
	return v;
}

size_t
server_synths(struct server *s, const char *p, size_t run, size_t pos)
{
	struct slice synth;

	while (s->state != SERVER_CLOSED &&
	    ledger_take_synth(&s->owed, &synth)) {
		server_forward(s, p + run, pos - run);
		run = pos;
		server_forward(s, synth.p, synth.n);
	}
	return run;
}

/* A message of which n bytes are here: is that enough? Then they pass for its
 * body. Otherwise s->need is set. */
static bool
server_streams(struct server *s, struct frame *f, size_t n)
{
	bool words = f->type == 'E' || f->type == 'N';

	if (((f->type == 'D' || f->type == 'd' || f->type == 'V') &&
	    !ledger_hidden(&s->owed)) ||
	    (words && f->size > MAX_WORDS && n >= WORDS_HEAD)) {
		f->body = (uint32_t)(n - FRAME_HEADER);
		return true;
	}
	s->need = words && f->size > MAX_WORDS ? WORDS_HEAD : f->size;
	return false;
}

/* Take what is complete out of n bytes; returns how many were used. */
static size_t
server_input(struct server *s, const char *p, size_t n)
{
	size_t pos = 0, run = 0, here;
	struct frame f;
	enum frame_verdict whole;
	enum ledger_verdict v;

	s->need = 0;
	if (s->body_left > 0) {
		pos = s->body_left < n ? s->body_left : n;
		s->body_left -= pos;
		if (!s->body_pass)
			run = pos;
	}
	while (pos < n && s->state != SERVER_CLOSED) {
		whole = frame_next(p + pos, n - pos, MAX_BODY, &f);
		if (whole == FRAME_NEED_MORE)
			break;
		if (unlikely(whole != FRAME_WHOLE) && (whole == FRAME_BAD ||
		    !server_streams(s, &f, n - pos))) {
			if (whole == FRAME_PARTIAL && s->need <= MAX_CONTROL)
				break;
			server_surprise(s, &f, false, p + run, pos - run);
			return n;
		}
		here = f.size < n - pos ? f.size : n - pos;
		/* Most of what a server says is rows. */
		if ((f.type == 'D' || f.type == 'T') &&
		    ledger_rows_pass(&s->owed, f.type)) {
			s->body_left = f.size - here;
			s->body_pass = true;
			pos += here;
			continue;
		}
		if (f.type == 'E' && server_mended(s, &f, p + run,
		    pos - run)) {
			pos += here;
			run = pos;
			continue;
		}
		if (ledger_synth_is_next(&s->owed))
			run = server_synths(s, p, run, pos);
		if (s->state == SERVER_CLOSED)
			return n;
		if (f.type == 'E') {
			/* What takes its place comes behind all this. */
			server_forward(s, p + run, pos - run);
			run = pos;
			if (s->state == SERVER_CLOSED)
				return n;
		}
		v = server_message(s, &f);
		if (v == LEDGER_SURPRISE) {
			server_surprise(s, &f, true, p + run, pos - run);
			return n;
		}
		if (v == LEDGER_DROP || v == LEDGER_OWN_ERROR) {
			server_forward(s, p + run, pos - run);
			run = pos + here;
			if (f.type == 'S' && s->ops != NULL)
				s->ops->parameter_own(s->lessee);
		}
		s->body_left = f.size - here;
		s->body_pass = run <= pos;
		pos += here;
		if (s->owed.unsure) {
			server_forward(s, p + run, pos - run);
			server_lost(s, "COPY failed, and a Sync was sent amid "
			    "its data");
			return n;
		}
		if (ledger_synth_is_next(&s->owed))
			run = server_synths(s, p, run, pos);
	}
	if (s->state != SERVER_CLOSED)
		server_forward(s, p + run, pos - run);
	return pos;
}

/* All that came has been looked at: act on ReadyForQuery. true: something was
 * done, and the server may be another worker's by now: it must not be touched. */
static bool
server_act(struct server *s)
{
	if (!s->ready || s->state == SERVER_CLOSED)
		return false;
	s->ready = false;
	switch (s->state) {
	case SERVER_LEASED:
		s->ops->ready(s->lessee, s->tx);
		break;
	case SERVER_RESETTING:
		server_give_back(s, false);
		break;
	case SERVER_DRAINING:
		server_close(s, NULL);
		break;
	case SERVER_COOLING:
		if (s->cancels == 0)
			server_give_back(s, false);
		break;
	default:
		break;
	}
	return true;
}

/* The transaction has begun: what runs in it is to be cancelled. */
static void
server_begun(struct server *s)
{
	if (ledger_begins(&s->owed))
		return;
	s->cancel_later = false;
	if (s->owed.count > 0 && (s->state == SERVER_LEASED ||
	    s->state == SERVER_DRAINING))
		server_cancel(s);
}

static enum stream_status
server_read(struct server *s, size_t *got, size_t *asked)
{
	enum stream_status st;
	size_t used, want;

	if (buf_len(&s->in) == 0) {
		*asked = WORKER_SCRATCH;
		st = stream_recv(&s->st, s->w->scratch, *asked, got);
		if (st != STREAM_OK)
			return st;
		used = server_input(s, s->w->scratch, *got);
		if (s->state != SERVER_CLOSED && used < *got &&
		    !buf_append(&s->in, s->w->scratch + used, *got - used))
			server_lost(s, "out of memory");
		return st;
	}
	want = s->need > buf_len(&s->in) ? s->need - buf_len(&s->in) : 0;
	if (want > 1024 * 1024)
		want = 1024 * 1024;
	if (!buf_reserve(&s->in, want < 8192 ? 8192 : want)) {
		server_lost(s, "out of memory");
		return STREAM_AGAIN;
	}
	*asked = buf_room(&s->in);
	st = stream_recv(&s->st, buf_tail(&s->in), *asked, got);
	if (st != STREAM_OK)
		return st;
	buf_grow(&s->in, *got);
	if (buf_len(&s->in) < s->need)
		return st;
	used = server_input(s, buf_head(&s->in), buf_len(&s->in));
	if (s->state != SERVER_CLOSED) {
		buf_consume(&s->in, used);
		if (buf_len(&s->in) == 0)
			buf_reset(&s->in);
	}
	return st;
}

void
server_on_readable(struct stream *st)
{
	struct server *s = (struct server *)(void *)((char *)st -
	    offsetof(struct server, st));
	enum stream_status rs;
	size_t got, asked;
	int i;

	CHECK_MAGIC(s, SERVER_MAGIC);
	for (i = 0; i < READS_A_TURN; i++) {
		if (s->state == SERVER_CLOSED || !s->st.reading)
			return;
		rs = server_read(s, &got, &asked);
		if (rs == STREAM_EOF || rs == STREAM_ERROR) {
			server_lost(s, rs == STREAM_EOF ?
			    "server closed the connection" :
			    "connection to server broke");
			return;
		}
		if (rs == STREAM_AGAIN)
			return;
		stat_add(&s->w->metrics->c.server_bytes_in, got);
		if (unlikely(s->cancel_later))
			server_begun(s);
		if (s->state == SERVER_IDLE &&
		    (s->doomed || s->settings_changed)) {
			server_close(s, s->doomed ? "server said goodbye" :
			    "settings changed");
			return;
		}
		if (server_act(s) || s->state == SERVER_CLOSED)
			return;
		if (s->state == SERVER_DRAINING && (s->owed.count == 0 ||
		    s->owed.copy_in)) {
			/* It waits for a Sync, or for COPY data. */
			server_close(s, NULL);
			return;
		}
		if (s->state == SERVER_LEASED && s->owed.count == 0) {
			if (s->goodbye) {
				/* Nothing may be answered behind it, be it
				 * from memory. */
				server_lost(s, "server said goodbye");
				return;
			}
			stream_read_again(st);
			s->ops->quiet(s->lessee);
			return;
		}
		/* It owes more: was that all, or did the connection break? */
	}
	stream_read_again(st);
}
