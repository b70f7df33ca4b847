/* SPDX-License-Identifier: PostgreSQL
 *
 * One server: takeover from libpq, leases, what is owed and sent, and its end.
 *
 * Knows nothing of what it says (server_input.c).  Runs on the owning worker.
 * Invariants: leased <=> ops != NULL; owed entries exist only while LEASED,
 * RESETTING or DRAINING; a server in state CLOSED is on no list.
 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/connector.h"
#include "backend/pool.h"
#include "backend/server_priv.h"
#include "base/log.h"

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
	free(s->app_born);
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

void
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
server_request_lost(void *arg, const struct ledger_entry *e, bool refused)
{
	struct server *s = arg;

	if (e->kind == OWED_PARSE && (e->flags & LEDGER_UNNAMED)) {
		if (s->has_unnamed && hash_eq(s->unnamed, e->hash))
			s->has_unnamed = false;
	} else if (e->kind == OWED_PARSE) {
		prepared_answered(&s->prepared, e->hash, false);
	}
	if ((e->flags & LEDGER_NAME) && s->ops != NULL)
		s->ops->named(s->lessee, refused ? NAMED_REFUSED :
		    NAMED_SKIPPED);
}

struct server *
server_take_over(struct pool *pool, struct worker *w, PGconn *conn,
    const struct scope *scope)
{
	struct server *s = x_calloc(1, sizeof(*s));
	SSL *ssl = PQgetssl(conn);
	const char *name;

	s->magic = SERVER_MAGIC;
	s->state = SERVER_IDLE;
	s->pool = pool;
	s->w = w;
	s->conn = conn;
	s->cancel = PQgetCancel(conn);
	s->pid = PQbackendPID(conn);
	name = PQparameterStatus(conn, "application_name");
	s->app_born = x_strdup(name != NULL ? name : "");
	s->scope = scope;
	s->tx = 'I';
	s->born = s->used = clock_mono();
	buf_init(&s->in, MAX_CONTROL + 8192);
	ledger_init(&s->owed, server_request_lost, s);
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
	s->tentative = false;
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
	return ledger_push_text(&s->owed, kind, 0, (struct hash128){ 0, 0 },
	    name);
}

bool
server_owe_failure(struct server *s, enum owed kind, struct slice error)
{
	return ledger_push_text(&s->owed, kind, LEDGER_REPLACE,
	    (struct hash128){ 0, 0 }, error);
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
	s->cancel_later = false;
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
	if (ledger_begins(&s->owed)) {
		s->cancel_later = true;
		return;
	}
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
