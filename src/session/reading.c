/* SPDX-License-Identifier: PostgreSQL
 *
 * Reads on replicas: which statement may go to one, and what becomes of it.
 *
 * A read has a server of a replica for its one unit alone: what is sent behind
 * it waits for its answer.  It waits neither for a connection nor for its turn.
 * Of the answer up to HELD_MAX bytes are kept
 * back; if the replica fails before more than that has come, whatever the error
 * (but a cancel), the unit is put back where it came from and goes to the
 * primary, and the client notices nothing.  Why a replica shows what the
 * session must see is told in layout/lag.h.
 *
 * A session that reads without a pause would stay on the primary for ever, as
 * each answer from there has to be on the replica before the next read.  So
 * behind some reads that lacked nothing else it asks the primary how far it has
 * come, and the next one is sent to a replica behind a question that waits a few
 * milliseconds for that position.  If it was in vain, more reads are let pass
 * before that is tried again.
 *
 * Knows plans and replicas, not what messages look like.  Runs on the session's
 * worker.  Invariant: session.reading is not NULL <=> session.server is one of a
 * replica.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/standby.h"
#include "pgwire/msgwrite.h"
#include "session/session_priv.h"

#define UNIT_MAX (64 * 1024) /* longer ones are not kept */
#define HELD_MAX 8192        /* what PostgreSQL keeps back, too */
#define PATIENCE 4           /* reads on the primary before it is asked */
#define PATIENCE_MAX 4096

static const struct hash128 no_hash;

struct reading {
	uint64_t epoch; /* of the replica */
	bool unproven;  /* it has not said yet that it has come far enough */
	bool said;      /* the client has got something, or may */
	bool failed;    /* the unit goes to the primary */
	struct buf held;
	size_t n;       /* the unit */
	char bytes[];
};

/* ---- may it? ---------------------------------------------------------------------- */

static enum replica_reason
reading_refuses(struct session *s, const struct unit *u,
    const struct query *q)
{
	enum replica_reason why = route_replica_reason(q->plan, q->shape,
	    &q->values);
	const struct scope *scope;

	if (why != REPLICA_REASON_NONE)
		return why;
	if (s->no_replica)
		return REPLICA_REASON_FAILED;
	if (s->tx != 'I' || s->open_unit)
		return REPLICA_REASON_TRANSACTION;
	if (s->db->pool_mode != POOL_MODE_TRANSACTION ||
	    session_is_pinned(s) || settings_are_open(s))
		return REPLICA_REASON_SESSION;
	scope = settings_scope(s);
	if (scope == NULL || !scope->read_committed)
		return REPLICA_REASON_ISOLATION;
	if (u->rest > 0 || u->n > UNIT_MAX ||
	    (u->has_parse && u->parse.name.n > 0))
		return REPLICA_REASON_MESSAGES;
	return REPLICA_REASON_NONE;
}

static unsigned
reading_choose(const struct session *s, const struct query *q,
    struct standby_choice *out, enum replica_state *why)
{
	const struct conf_replica_rule *rule = &q->plan->replica_rule;
	const struct lag_bounds bounds = { .max_age = rule->max_age,
		.max_bytes = (uint64_t)rule->max_lag };
	struct lag_reader r = s->reader;

	if (s->sampled != q->where.backend)
		r.own.position = 0;
	return standby_choose(q->where.backend, &bounds, &r,
	    rule->reads == REPLICA_READS_PROCESS ? standby_last_written() : 0,
	    s->sw->w->now, out, why);
}

/* It belongs to the postmaster that has answered, was there before it did, and
 * gives the primary's results. */
static bool
reading_fits(const struct server *srv, const struct standby_choice *c,
    const struct scope *primary)
{
	return srv->instance == c->instance && srv->born < c->asked &&
	    srv->scope != NULL && srv->scope->read_committed &&
	    hash_eq(srv->scope->settings, primary->settings);
}

/* An idle server of one of them, or NULL. */
static struct server *
reading_server(struct session *s, const struct query *q,
    const struct standby_choice **chosen, struct standby_choice *all,
    enum replica_state *why)
{
	struct pool *pool = session_pool(s, q->where.backend);
	const struct scope *primary = pool != NULL ? pool_scope(pool) : NULL;
	unsigned n = primary != NULL ? reading_choose(s, q, all, why) : 0;
	struct server *srv;
	unsigned i;

	for (i = 0; i < n; i++) {
		*chosen = &all[i];
		pool = session_pool(s, all[i].backend);
		srv = pool != NULL ? pool_try(pool, &s->waiter, false,
		    s->sw->w->now) : NULL;
		if (srv != NULL && reading_fits(srv, &all[i], primary))
			return srv;
		if (srv != NULL)
			pool_put(pool, srv);
	}
	return NULL;
}

/* ---- life ------------------------------------------------------------------------- */

bool
session_reading_begin(struct session *s, const struct unit *u,
    const struct query *q)
{
	enum replica_reason why;
	enum replica_state lacks = REPLICA_UNKNOWN;
	struct standby_choice all[CONF_MAX_REPLICAS];
	const struct standby_choice *chosen = NULL;
	struct server *srv = NULL;
	struct reading *r;

	if (s->server != NULL || s->granted)
		return false;
	why = reading_refuses(s, u, q);
	if (why == REPLICA_REASON_NONE) {
		srv = reading_server(s, q, &chosen, all, &lacks);
		why = srv == NULL ? REPLICA_REASON_NONE_FIT : why;
	}
	if (lacks == REPLICA_FLOOR && srv == NULL) {
		if (s->patience == 0)
			s->patience = PATIENCE;
		s->wants_sample = ++s->floored > s->patience;
	}
	if (srv == NULL) {
		stat_add(&session_metrics(s)->replica_bypass[why], 1);
		return false;
	}
	r = x_malloc(sizeof(*r) + u->n);
	*r = (struct reading){ .epoch = chosen->epoch, .n = u->n,
		.unproven = chosen->unproven };
	buf_init(&r->held, HELD_MAX);
	memcpy(r->bytes, u->p, u->n);
	s->reading = r;
	s->server = srv;
	s->backend = chosen->backend;
	server_lease(srv, &session_server_ops, s);
	srv->tentative = true;
	stat_add(&session_metrics(s)->c.replica_reads, 1);
	return true;
}

void
session_reading_free(struct session *s)
{
	struct reading *r = s->reading;

	s->reading = NULL;
	if (r == NULL)
		return;
	buf_reset(&r->held);
	free(r);
}

/* ---- the answer ------------------------------------------------------------------- */

void
session_reading_release(struct session *s)
{
	struct reading *r = s->reading;
	struct buf held = r->held;

	r->said = true;
	buf_init(&r->held, HELD_MAX);
	/* The session may close. */
	if (buf_len(&held) > 0)
		session_send(s, buf_head(&held), buf_len(&held));
	buf_reset(&held);
}

bool
session_reading_holds(struct session *s, const char *p, size_t n)
{
	struct reading *r = s->reading;

	r->failed |= r->unproven;
	if (r->failed || (!r->said && buf_append(&r->held, p, n)))
		return true;
	if (!r->said)
		session_reading_release(s);
	return s->state == SESSION_CLOSED;
}

void
session_reading_spoil(struct session *s)
{
	s->reading->failed |= !s->reading->said;
}

bool
session_reading_synced(struct session *s, nsec_t now)
{
	struct reading *r = s->reading;

	r->failed |= r->unproven;
	if (r->failed)
		return false;
	lag_read(&s->reader, r->epoch, now);
	session_reading_release(s);
	return s->state != SESSION_CLOSED;
}

/* ---- proof ------------------------------------------------------------------------ */

#define PROOF "%llu:replayed"

/* It waits for five milliseconds at most. */
bool
session_reading_check(struct session *s, struct msgwrite *w)
{
	const unsigned long long p = s->reader.own.position;
	char sql[512];

	if (!s->reading->unproven)
		return true;
	snprintf(sql, sizeof(sql), "SELECT '" PROOF "' FROM "
	    "pg_catalog.generate_series(1, 6) AS n WHERE "
	    "pg_catalog.pg_last_wal_replay_lsn() OPERATOR(pg_catalog.>=) "
	    "'%llX/%llX'::pg_catalog.pg_lsn OR (n OPERATOR(pg_catalog.<) 6 AND "
	    "pg_catalog.pg_sleep(0.001) IS NULL) LIMIT 1", p, p >> 32,
	    p & UINT32_MAX);
	msgwrite_query(w, slice_str(sql));
	s->server->has_unnamed = false;
	stat_add(&session_metrics(s)->c.replica_proofs, 1);
	return server_owe(s->server, OWED_QUERY, LEDGER_HIDE | LEDGER_MUTE,
	    no_hash);
}

bool
session_reading_asks(struct session *s)
{
	if (!s->wants_sample)
		return false;
	s->wants_sample = false;
	s->floored = 0;
	s->sampled = s->backend;
	s->sampling = clock_mono();
	session_ask(s, SLICE_LIT("SELECT pg_catalog.pg_current_wal_insert_lsn() "
	    "OPERATOR(pg_catalog.-) '0/0'::pg_catalog.pg_lsn"));
	return true;
}

void
session_reading_row(struct session *s, const char *row, size_t n)
{
	char want[64], text[32];
	struct msgread r;
	struct slice v;
	bool null;

	if (s->sampling == 0 && (s->reading == NULL || !s->reading->unproven))
		return;
	msgread_init(&r, row, n);
	(void)msgread_u16(&r);
	v = msgread_value(&r, &null);
	if (!msgread_done(&r) || null || v.n >= sizeof(text))
		return;
	if (s->reading != NULL) {
		snprintf(want, sizeof(want), PROOF,
		    (unsigned long long)s->reader.own.position);
		if (slice_eq_str(v, want)) {
			s->reading->unproven = false;
			s->patience = PATIENCE;
		}
		return;
	}
	memcpy(text, v.p, v.n);
	text[v.n] = '\0';
	s->reader.own = (struct lag_sample){ s->sampling,
		strtoull(text, NULL, 10) };
	s->sampling = 0;
}

/* ---- failure ---------------------------------------------------------------------- */

bool
session_reading_mends(struct session *s, const char *body, size_t n)
{
	struct reading *r = s->reading;
	struct wire_error e;

	/* A query of ours is not part of the unit: its failure is the server's
	 * end. */
	if (r->said || ledger_hides_query(&s->server->owed))
		return false;
	if (!msgread_error(body, n, &e) ||
	    slice_eq_str(e.sqlstate, "57014")) {
		r->failed = r->unproven = false;
		return false;
	}
	r->failed = true;
	return true;
}

bool
session_reading_has_failed(const struct session *s)
{
	return s->reading->failed;
}

/* The unit, in front of what has come behind it. */
static bool
reading_put_back(struct session *s, const struct reading *r)
{
	struct buf b;

	buf_init(&b, s->in.cap);
	if (!buf_append(&b, r->bytes, r->n) || (buf_len(&s->in) > 0 &&
	    !buf_append(&b, buf_head(&s->in), buf_len(&s->in)))) {
		buf_reset(&b);
		return false;
	}
	buf_reset(&s->in);
	s->in = b;
	s->need = s->scanned = 0;
	s->partial_since = 0;
	return true;
}

bool
session_reading_untold(const struct session *s)
{
	return !s->reading->said;
}

void
session_reading_again(struct session *s)
{
	struct reading *r = s->reading;
	struct server *srv = s->server;
	struct unit u;

	CHECK(!r->said);
	session_names_skipped(s);
	session_timed(s, 0);
	session_forget_unit(s);
	s->server = NULL;
	if (srv != NULL)
		server_give_back(srv, false);
	if (!reading_put_back(s, r)) {
		session_close(s, CLOSE_MEMORY, NULL);
		return;
	}
	CHECK(unit_read(&u, r->bytes, r->n));
	s->unit_len = r->n;
	s->unit_last = u.last;
	s->no_replica = true;
	s->closing_fatal = false;
	if (r->unproven && s->patience < PATIENCE_MAX)
		s->patience *= 2;
	stat_add(r->unproven ? &session_metrics(s)->c.replica_unproven :
	    &session_metrics(s)->c.replica_retries, 1);
	session_reading_free(s);
	session_enter(s, SESSION_IDLE);
	session_pump(s);
}

void
session_reading_tick(struct session *s)
{
	struct server *srv = s->server;

	if (s->state != SESSION_RELAY || s->reading->said ||
	    !standby_has_lost(s->reading->epoch, s->backend))
		return;
	s->server = NULL;
	server_close(srv, "its replica cannot be asked any more");
	session_reading_again(s);
}

/* ---- EXPLAIN (ROUTE) --------------------------------------------------------------- */

void
session_reading_explain(struct session *s, const struct unit *u,
    const struct query *q, char *line, size_t size)
{
	enum replica_reason why = reading_refuses(s, u, q);
	struct standby_choice all[CONF_MAX_REPLICAS];
	enum replica_state state;

	if (why != REPLICA_REASON_NONE)
		snprintf(line, size, "none: %s - %s",
		    replica_reason_name(why), replica_reason_doc(why));
	else if (reading_choose(s, q, all, &state) > 0)
		snprintf(line, size, "%s%s", all[0].backend->name,
		    all[0].unproven ? ", if it has caught up" : "");
	else
		snprintf(line, size, "none fit: %s - %s",
		    replica_state_name(state), replica_state_doc(state));
}
