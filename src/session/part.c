/* SPDX-License-Identifier: PostgreSQL
 *
 * One server's part in a statement of several: how it is got and let go.
 *
 * Knows pools, and how to bring a server to the session's settings; what it is
 * asked and what it says is its owner's.  Runs on the session's worker.
 * Invariant: a part waits for a pool, has a server, or is over (or has not
 * begun).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/lessee.h"
#include "layout/job.h"
#include "pgwire/msgread.h"
#include "session/explain.h"
#include "session/fill.h"
#include "session/part.h"

static const struct server_ops part_ops;

static struct part *
part_find(struct session_worker *sw, uint64_t id)
{
	struct htab_node *n = htab_find(&sw->parts, id);

	return n != NULL ? htab_entry(n, struct part, by_id) : NULL;
}

static void
part_forget(struct part *p)
{
	if (p->id != 0)
		htab_remove(&p->s->sw->parts, &p->by_id);
	p->id = 0;
}

static void
part_end(struct part *p)
{
	CHECK(!p->over && p->server == NULL && p->pool == NULL);
	p->over = true;
}

/* ---- the lease -------------------------------------------------------------- */

void
part_init(struct part *p, struct session *s, const struct part_owner *owner,
    void *of, const struct conf_backend *b)
{
	*p = (struct part){ .s = s, .owner = owner, .of = of, .backend = b };
}

void
part_send(struct part *p, const struct buf *b)
{
	struct iovec iov = { buf_head(b), buf_len(b) };

	p->server->has_unnamed = false;
	(void)!server_send(p->server, &iov, 1);
}

/* The session's settings, then what is asked. */
static bool
part_write(struct part *p)
{
	struct session *s = p->s;
	struct buf *b = &s->sw->compose;
	struct msgwrite w;
	bool ok;

	buf_consume(b, buf_len(b));
	/* What brings a server to them knows a session with one server. */
	s->server = p->server;
	s->backend = p->backend;
	ok = session_preamble(s, b, 0, 0);
	msgwrite_init(&w, b);
	ok = ok && p->owner->compose(p, &w) && !w.failed;
	s->server = NULL;
	if (ok)
		part_send(p, b);
	return ok;
}

/* Its own settings, those of time and text, are those that the client was told at
 * login: what differs is not what the session has set. */
static bool
part_is_alike(const struct part *p)
{
	const struct scope *home = pool_scope(p->s->home);
	const struct scope *here = p->server->scope;

	return home != NULL && here != NULL && !p->server->settings_changed &&
	    hash_eq(home->settings, here->settings);
}

static void
part_got(struct part *p, struct server *srv)
{
	p->pool = NULL;
	part_forget(p);
	p->server = srv;
	server_lease(srv, &part_ops, p);
	if (!part_is_alike(p)) {
		p->server = NULL;
		server_give_back(srv, false);
		part_end(p);
		p->owner->unlike(p);
		return;
	}
	fill_server(p->s, srv);
	if (part_write(p))
		return;
	p->server = NULL;
	server_close(srv, "out of memory");
	part_end(p);
	p->owner->broken(p, "53200", "out of memory");
}

static void
part_unleased(struct part *p, const struct pool_error *why)
{
	p->pool = NULL;
	part_forget(p);
	part_end(p);
	p->owner->broken(p, why->sqlstate, why->text);
}

void
part_lease(struct part *p)
{
	struct session *s = p->s;
	struct session_worker *sw = s->sw;
	struct pool_error why = { "53300", false, "too many pools" };
	struct server *srv;

	p->pool = session_pool(s, p->backend);
	p->id = ++sw->next_id << 8 | sw->w->id;
	htab_insert(&sw->parts, &p->by_id, p->id);
	p->waiter = (struct pool_waiter){ .w = sw->w, .session = p->id,
		.hold = s->waiter.hold };
	switch (p->pool == NULL ? LEASE_FAILED : pool_lease(p->pool,
	    &p->waiter, s->started, &srv, &why)) {
	case LEASE_GOT:
		part_got(p, srv);
		break;
	case LEASE_WAIT:
		stat_add(&session_metrics(s)->c.waits, 1);
		break;
	case LEASE_FAILED:
		part_unleased(p, &why);
		break;
	}
}

bool
part_granted(struct worker *w, uint64_t id, struct server *srv)
{
	struct part *p = part_find(w->sessions, id);
	struct pool_error why;
	nsec_t waited;

	if (p == NULL)
		return false;
	if (p->pool != srv->pool) {
		pool_put(srv->pool, srv);
		return true;
	}
	if (p->owner->failing(p)) {
		pool_put(srv->pool, srv);
		p->pool = NULL;
		part_forget(p);
		part_end(p);
		p->owner->step(p);
		return true;
	}
	waited = clock_mono() - p->waiter.since;
	if (!pool_may_serve(&p->waiter)) { /* paused meanwhile */
		pool_put(srv->pool, srv);
		switch (pool_lease(p->pool, &p->waiter, p->waiter.since, &srv,
		    &why)) {
		case LEASE_GOT:
			break;
		case LEASE_WAIT:
			return true;
		case LEASE_FAILED:
			part_unleased(p, &why);
			p->owner->step(p);
			return true;
		}
	}
	hist_record(&w->metrics->wait, waited);
	stat_add(&w->metrics->c.wait_nanoseconds, waited);
	stat_add(&p->s->stats->wait_time, waited);
	part_got(p, srv);
	p->owner->step(p);
	return true;
}

bool
part_lease_failed(struct worker *w, uint64_t id,
    const struct pool_error *why)
{
	struct part *p = part_find(w->sessions, id);

	if (p == NULL)
		return false;
	if (p->pool != NULL) {
		part_unleased(p, why);
		p->owner->step(p);
	}
	return true;
}

void
part_cancel(struct part *p)
{
	if (p->server != NULL) {
		server_cancel(p->server);
	} else if (p->pool != NULL && pool_leave(p->pool, &p->waiter)) {
		p->pool = NULL;
		part_forget(p);
		part_end(p);
	}
}

void
part_release(struct part *p)
{
	struct server *srv = p->server;

	p->server = NULL;
	server_give_back(srv, false);
	part_end(p);
}

void
part_drop(struct part *p, struct server_orphan *orphan)
{
	struct server *srv = p->server;

	if (p->pool != NULL)
		(void)pool_leave(p->pool, &p->waiter);
	p->pool = NULL;
	part_forget(p);
	p->server = NULL;
	if (srv != NULL)
		server_abandon(srv, orphan, false);
	else if (orphan != NULL)
		orphan->settled(orphan, p->s->sw->w);
}

/* ---- questions and errors of all owners -------------------------------------- */

bool
parts_are_possible(struct session *s)
{
	return s->server == NULL && s->tx == 'I' && s->held_begin == NULL &&
	    !s->open_unit && !s->granted && !s->no_gather &&
	    !session_is_pinned(s) && s->hidden == 0 &&
	    s->db->pool_mode == POOL_MODE_TRANSACTION &&
	    settings_scope(s) != NULL;
}

void
parts_answered(struct session *s, size_t n)
{
	s->unit_len = 0;
	s->granted = s->no_cache = s->no_gather = false;
	session_enter(s, SESSION_IDLE);
	buf_consume(&s->in, n);
	if (s->sw->draining)
		session_close(s, CLOSE_SHUTDOWN, NULL);
	else
		session_pump(s);
}

void
parts_again(struct session *s)
{
	s->no_gather = true;
	session_enter(s, SESSION_IDLE);
	session_pump(s);
}

bool
part_error_is_outside(struct slice sqlstate)
{
	static const char *const classes[] = { "08", "53", "57", "58", "XX" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(classes) && sqlstate.n == 5; i++)
		if (memcmp(sqlstate.p, classes[i], 2) == 0)
			return true;
	return false;
}

bool
part_copy_error(struct buf *out, const char *body, size_t n,
    void (*context)(void *arg, struct msgwrite *w, const char *text),
    void *arg)
{
	const char *at = body, *end = body + n, *value;
	struct msgwrite w;

	msgwrite_init(&w, out);
	msgwrite_begin(&w, 'E');
	for (; at < end && *at != '\0'; at = value + strlen(value) + 1) {
		value = at + 1;
		if (*at == 'P')
			continue;
		msgwrite_u8(&w, (uint8_t)*at);
		if (*at == 'W' && context != NULL)
			context(arg, &w, value);
		else
			msgwrite_str(&w, *at == 'S' || *at == 'V' ? "ERROR" :
			    value);
	}
	msgwrite_u8(&w, 0);
	msgwrite_end(&w);
	if (w.failed)
		buf_reset(out);
	return !w.failed;
}

/* ---- server_ops ----------------------------------------------------------------- */

static void
part_forward(void *lessee, const char *data, size_t n)
{
	struct part *p = lessee;

	if (unlikely(explain_runs(p->s)))
		explain_answered(p->s, p, data, n);
	p->owner->input(p, data, n);
}

static bool
part_failed(void *lessee, const char *body, size_t n, bool own PG_UNUSED)
{
	struct part *p = lessee;
	struct wire_error e;

	if (msgread_error(body, n, &e))
		layout_doubt(e.sqlstate);
	p->owner->failed(p, body, n);
	return true;
}

/* Not by a SET of this session: the server's configuration has changed. */
static bool
part_parameter(void *lessee, const char *name PG_UNUSED,
    const char *value PG_UNUSED)
{
	struct part *p = lessee;

	p->server->settings_changed = true;
	return false;
}

static void
part_ready(void *lessee, char status)
{
	struct part *p = lessee;

	if (p->owner->ready(p, status))
		part_release(p);
	p->owner->step(p);
}

static void
part_copy_in(void *lessee)
{
	struct part *p = lessee;

	if (p->owner->copy_in != NULL)
		p->owner->copy_in(p);
}

static void
part_drained(void *lessee)
{
	struct part *p = lessee;

	if (p->owner->drained != NULL)
		p->owner->drained(p);
}

static void
part_lost(void *lessee, const char *why)
{
	struct part *p = lessee;
	char text[300];

	p->server = NULL;
	part_end(p);
	snprintf(text, sizeof(text), "connection to backend \"%s\" was lost: "
	    "%s", p->backend->name, why);
	p->owner->broken(p, "08006", text);
	p->owner->step(p);
}

static const struct server_ops part_ops = {
	.forward = part_forward,
	.completed = lessee_skip_completed,
	.failed = part_failed,
	.mend = lessee_skip_mend,
	.named = lessee_skip_named,
	.row = lessee_skip_row,
	.copy_in = part_copy_in,
	.notification = lessee_skip_notification,
	.parameter = part_parameter,
	.parameter_own = lessee_skip,
	.synced = lessee_skip_synced,
	.ready = part_ready,
	.quiet = lessee_skip,
	.cancelled = lessee_skip,
	.lost = part_lost,
	.drained = part_drained,
};
