/* SPDX-License-Identifier: PostgreSQL
 *
 * One server: takeover from libpq, the raw relay's server side, and its end.
 *
 * Reads into the worker's scratch, finds message ends, asks the ledger what
 * each message is, and hands runs of bytes that belong to the client upwards
 * in one piece.  DataRow and CopyData stream through in whatever pieces they
 * come; every other message is looked at whole.  Runs on the owning worker.
 * Invariants: leased <=> ops != NULL; owed entries exist only while LEASED,
 * RESETTING or DRAINING; a server in state CLOSED is on no list.
 */
#include "backend/server.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/connector.h"
#include "backend/pool.h"
#include "base/log.h"
#include "pgwire/frame.h"
#include "pgwire/msgread.h"

#define READS_A_TURN 4
#define MAX_BODY 0x40000000u           /* PostgreSQL's own limit, 1 GiB */
#define MAX_CONTROL (64 * 1024 * 1024) /* messages we must see whole */
#define MAX_WORDS (1024 * 1024)        /* errors and notices that we do */
#define WORDS_HEAD 4096                /* of others, for severity and code */
#define DRAIN_TIME (10 * NSEC_PER_SEC)
#define RESET_TIME (10 * NSEC_PER_SEC)

static const char reset_query[] = "Q\0\0\0\020DISCARD ALL";

TAILQ_HEAD(server_list, server);
static struct server_list *servers_of; /* per worker */

static const char *const state_names[] = {
#define SERVER_STATE(sym, name) [SERVER_##sym] = name,
#include "tbl/server_states.h"
};

const char *
server_state_name(enum server_state st)
{
	return state_names[st];
}

/* Neither in use nor at rest. */
static bool
server_is_between(enum server_state st)
{
	return st == SERVER_RESETTING || st == SERVER_COOLING ||
	    st == SERVER_DRAINING;
}

static void
server_enter(struct server *s, enum server_state st)
{
	CHECK(s->state != SERVER_CLOSED);
	if (server_is_between(s->state))
		pool_count(s->pool, s->state, -1);
	if (server_is_between(st))
		pool_count(s->pool, st, 1);
	s->state = st;
}

static void
server_settle(struct server *s)
{
	struct server_orphan *o = s->orphan;

	s->orphan = NULL;
	if (o != NULL)
		o->settled(o, s->w);
}

/* ---- end of life ------------------------------------------------------ */

static void
server_reclaim(struct deferred *d)
{
	struct server *s = (struct server *)(void *)((char *)d -
	    offsetof(struct server, reclaim));

	CHECK(s->state == SERVER_CLOSED && s->cancels == 0);
	PQfreeCancel(s->cancel);
	ledger_fini(&s->owed);
	buf_reset(&s->in);
	vars_unref(&s->vars);
	free(s->app_name);
	s->magic = 0;
	free(s);
}

void
server_close(struct server *s, const char *why)
{
	CHECK_MAGIC(s, SERVER_MAGIC);
	if (s->state == SERVER_CLOSED)
		return;
	if (why != NULL)
		log_info("server", "msg=\"server closed\" backend=%s "
		    "state=%s pid=%d reason=%s", pool_backend_name(s->pool),
		    server_state_name(s->state), s->pid, log_escs(why));
	server_settle(s);
	pool_remove(s->pool, s);
	server_enter(s, SERVER_CLOSED);
	TAILQ_REMOVE(&servers_of[s->w->id], s, all_link);
	s->ops = NULL;
	s->lessee = NULL;
	stream_close(&s->st);
	PQfinish(s->conn);
	s->conn = NULL;
	prepared_clear(&s->prepared);
	pool_unref(&s->pool);
	s->reclaim.run = server_reclaim;
	if (s->cancels == 0)
		worker_defer(s->w, &s->reclaim);
}

/* The connection failed under us: tell the lessee, then close. */
static void
server_lost(struct server *s, const char *why)
{
	const struct server_ops *ops = s->ops;
	void *lessee = s->lessee;

	if (s->state == SERVER_CLOSED)
		return;
	if (s->state == SERVER_LEASED)
		stat_add(&s->w->metrics->c.server_lost, 1);
	s->ops = NULL;
	s->lessee = NULL;
	server_close(s, why);
	if (ops != NULL)
		ops->lost(lessee, why);
}

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
		s->ops->parameter(s->lessee, name.p, value.p);
	else
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
 * was asked for too may be among them, but nothing else. */
static bool
server_mended(struct server *s, const struct frame *f, const char *before,
    size_t n)
{
	struct wire_error e;

	if (n > 0 && (*before != 't' || 1 + wire_u32(before + 1) != n))
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
		return s->state == SERVER_LEASED && !s->ready &&
		    server_error(s, f, LEDGER_PASS) ? LEDGER_PASS :
		    LEDGER_DROP;
	}
	v = ledger_message(&s->owed, f->type, &done);
	if (v == LEDGER_SURPRISE)
		return v;
	if (server_made_statement(&done)) {
		prepared_answered(&s->prepared, done.hash, true);
		pool_know(s->pool, done.hash);
		if (s->ops != NULL)
			s->ops->parse_ended(s->lessee, done.hash, true);
	}
	if (done.kind == OWED_CLOSE && (done.flags & LEDGER_NAME) &&
	    s->ops != NULL)
		s->ops->parse_ended(s->lessee, done.hash, true);
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

/* Replies of our own whose turn has come, behind the run of bytes at p + run that
 * ends at pos. Returns where the next run begins. */
static size_t
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

static void
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
			if (got == asked || stream_has_pending(st))
				stream_read_again(st);
			s->ops->quiet(s->lessee);
			return;
		}
		if (got < asked && !stream_has_pending(st))
			return;
	}
	stream_read_again(st);
}

static void
server_on_drained(struct stream *st)
{
	struct server *s = (struct server *)(void *)((char *)st -
	    offsetof(struct server, st));

	CHECK_MAGIC(s, SERVER_MAGIC);
	if (s->ops != NULL)
		s->ops->drained(s->lessee);
}

static void
server_on_broken(struct stream *st)
{
	struct server *s = (struct server *)(void *)((char *)st -
	    offsetof(struct server, st));

	CHECK_MAGIC(s, SERVER_MAGIC);
	/* What the server said before it went may still be readable; the
	 * read event will bring it, and then the end. */
	if (!s->st.reading)
		stream_read_start(&s->st);
}

static const struct stream_ops server_stream_ops = {
	.readable = server_on_readable,
	.drained = server_on_drained,
	.broken = server_on_broken,
};

/* ---- life --------------------------------------------------------------- */

static void
server_parse_lost(void *arg, struct hash128 hash)
{
	struct server *s = arg;

	prepared_answered(&s->prepared, hash, false);
	if (s->ops != NULL)
		s->ops->parse_ended(s->lessee, hash, false);
	if (s->has_unnamed && hash_eq(s->unnamed, hash))
		s->has_unnamed = false;
}

struct server *
server_take_over(struct pool *pool, struct worker *w, PGconn *conn,
    const struct scope *scope)
{
	struct server *s = x_calloc(1, sizeof(*s));
	SSL *ssl = PQgetssl(conn);

	s->magic = SERVER_MAGIC;
	s->state = SERVER_IDLE;
	s->pool = pool;
	s->w = w;
	s->conn = conn;
	s->cancel = PQgetCancel(conn);
	s->pid = PQbackendPID(conn);
	s->scope = scope;
	s->tx = 'I';
	s->born = s->used = clock_mono();
	buf_init(&s->in, MAX_CONTROL + 8192);
	ledger_init(&s->owed, server_parse_lost, s);
	prepared_init(&s->prepared);
	stream_init(&s->st, w, PQsocket(conn), ssl, true, &server_stream_ops);
	TAILQ_INSERT_TAIL(&servers_of[w->id], s, all_link);
	stream_read_start(&s->st);
	return s;
}

void
server_detach(struct server *s)
{
	CHECK(s->state == SERVER_IDLE && s->cancels == 0);
	stream_detach(&s->st);
	TAILQ_REMOVE(&servers_of[s->w->id], s, all_link);
	s->w = NULL;
}

void
server_attach(struct server *s, struct worker *w)
{
	s->w = w;
	TAILQ_INSERT_TAIL(&servers_of[w->id], s, all_link);
	stream_attach(&s->st, w);
	stream_read_start(&s->st);
}

void
server_lease(struct server *s, const struct server_ops *ops, void *lessee)
{
	CHECK_MAGIC(s, SERVER_MAGIC);
	CHECK(s->state == SERVER_IDLE && ledger_empty(&s->owed));
	s->ops = ops;
	s->lessee = lessee;
	s->leases++;
	server_enter(s, SERVER_LEASED);
}

bool
server_owe(struct server *s, enum owed kind, unsigned flags,
    struct hash128 hash)
{
	s->group += kind == OWED_SYNC;
	return ledger_push(&s->owed, kind, flags, hash);
}

bool
server_owe_named(struct server *s, enum owed kind, struct slice name)
{
	return ledger_push_named(&s->owed, kind, 0, (struct hash128){ 0, 0 },
	    name);
}

bool
server_owe_synth(struct server *s, const void *p, size_t n)
{
	return ledger_push_synth(&s->owed, p, n);
}

void
server_tell(struct server *s)
{
	(void)server_synths(s, "", 0, 0);
}

bool
server_send(struct server *s, const struct iovec *iov, int n)
{
	size_t total = 0;
	int i;

	for (i = 0; i < n; i++)
		total += iov[i].iov_len;
	stat_add(&s->w->metrics->c.server_bytes_out, total);
	if (likely(n == 1) ? stream_send(&s->st, iov->iov_base, total) :
	    stream_sendv(&s->st, iov, n))
		return true;
	/* Its last words, if any, come by the read event. */
	if (s->st.fd >= 0 && !s->st.reading)
		stream_read_start(&s->st);
	return false;
}

void
server_give_back(struct server *s, bool reset)
{
	struct iovec iov = { (void *)(uintptr_t)reset_query,
		sizeof(reset_query) };

	CHECK_MAGIC(s, SERVER_MAGIC);
	s->ops = NULL;
	s->lessee = NULL;
	if (s->doomed || s->tx != 'I' || !ledger_empty(&s->owed) ||
	    stream_backlog(&s->st) > 0 || buf_len(&s->in) > 0 ||
	    s->body_left > 0 || s->st.failed) {
		server_close(s, s->doomed ? "not to be reused" : "not clean");
		return;
	}
	if (s->ready && !reset) {
		/* From inside server_input(): when that has come to its end. */
		s->deadline = clock_mono() + DRAIN_TIME;
		server_enter(s, SERVER_COOLING);
		return;
	}
	s->ready = false;
	if (reset) {
		server_enter(s, SERVER_RESETTING);
		prepared_clear(&s->prepared);
		s->has_unnamed = false;
		vars_unref(&s->vars);
		s->sequences_of = 0;
		free(s->app_name);
		s->app_name = NULL;
		s->deadline = clock_mono() + RESET_TIME;
		stream_read_start(&s->st);
		if (!server_owe(s, OWED_QUERY, LEDGER_HIDE,
		    (struct hash128){ 0, 0 }) || !server_send(s, &iov, 1))
			server_close(s, "reset failed");
		return;
	}
	if (s->cancels > 0) {
		s->deadline = clock_mono() + DRAIN_TIME;
		server_enter(s, SERVER_COOLING);
		return;
	}
	stream_read_start(&s->st);
	server_enter(s, SERVER_IDLE);
	s->used = s->w->now;
	pool_put(s->pool, s);
}

void
server_abandon(struct server *s, struct server_orphan *orphan, bool midway)
{
	struct iovec flush = { (void *)(uintptr_t)"H\0\0\0\4", 5 };

	CHECK_MAGIC(s, SERVER_MAGIC);
	CHECK(s->state == SERVER_LEASED);
	s->ops = NULL;
	s->lessee = NULL;
	s->orphan = orphan;
	s->doomed = true;
	if (midway) {
		/* What was sent before the message may run. */
		if (s->owed.count > 1)
			server_cancel(s);
		server_close(s, "its client went away in the middle of a "
		    "message");
		return;
	}
	/* A server that waits for COPY data hears no cancel request. */
	if (s->owed.count == 0 || s->owed.copy_in ||
	    /* Without a Sync it might keep its replies to itself. */
	    !server_send(s, &flush, 1)) {
		server_close(s, NULL);
		return;
	}
	server_enter(s, SERVER_DRAINING);
	s->deadline = clock_mono() + DRAIN_TIME;
	stream_read_start(&s->st);
	server_cancel(s);
}

struct cancel_done {
	struct message m;
	struct server *s;
};

static void
server_cancel_done(struct worker *w, struct message *m)
{
	struct server *s = ((struct cancel_done *)(void *)m)->s;

	free(m);
	CHECK_MAGIC(s, SERVER_MAGIC);
	CHECK(s->cancels > 0 && s->w == w);
	s->cancels--;
	if (s->cancels > 0)
		return;
	if (s->state == SERVER_CLOSED)
		worker_defer(w, &s->reclaim);
	else if (s->state == SERVER_COOLING)
		server_give_back(s, false);
	else if (s->state == SERVER_LEASED)
		s->ops->cancelled(s->lessee);
}

void
server_cancel(struct server *s)
{
	struct cancel_done *d;

	if (s->cancel == NULL || s->cancels > 0)
		return;
	d = x_calloc(1, sizeof(*d));
	d->m.run = server_cancel_done;
	d->s = s;
	s->cancels++;
	connector_cancel(s->cancel, s->w, &d->m);
}

void
server_tick(struct worker *w, nsec_t now)
{
	struct server *s, *next;

	for (s = TAILQ_FIRST(&servers_of[w->id]); s != NULL; s = next) {
		next = TAILQ_NEXT(s, all_link);
		if ((s->state == SERVER_DRAINING ||
		    s->state == SERVER_RESETTING ||
		    s->state == SERVER_COOLING) && now > s->deadline)
			server_close(s, "did not answer in time");
	}
}

void
server_each(struct worker *w, void (*fn)(struct server *s, void *arg),
    void *arg)
{
	struct server *s, *next;

	for (s = TAILQ_FIRST(&servers_of[w->id]); s != NULL; s = next) {
		next = TAILQ_NEXT(s, all_link);
		fn(s, arg);
	}
}

void
server_init(unsigned n_workers)
{
	unsigned i;

	servers_of = x_calloc(n_workers, sizeof(*servers_of));
	for (i = 0; i < n_workers; i++)
		TAILQ_INIT(&servers_of[i]);
}

void
server_fini(void)
{
	free(servers_of);
	servers_of = NULL;
}
