/* SPDX-License-Identifier: PostgreSQL
 *
 * Extended-protocol units, second half: write what the leased server must see
 * and enter what it will owe.
 *
 * Named statements live on servers under names made from their content, so
 * Parse is answered by us where the server has it, and sent unasked (its
 * reply hidden) where a Bind needs it.  The unnamed statement is prepared
 * again when the server at hand does not hold this session's.  Everything
 * else passes unchanged.  Runs on the session's worker.
 */
#include <stdlib.h>
#include <string.h>

#include "pgwire/msgwrite.h"
#include "session/explain.h"
#include "session/mirroring.h"
#include "session/session_priv.h"
#include "session/shadow.h"

static const struct hash128 no_hash;
/* Keeps unnamed statements apart from named ones of the same content. */
static const struct hash128 unnamed_mark = { 1, 1 };
/* Name of a statement that no client can mean. */
static const struct hash128 taken_mark = { UINT64_MAX, UINT64_MAX };

/* The BEGIN that was held back, in the form in which it came: messages leave a
 * portal. */
static bool
write_begin(struct session *s, struct msgwrite *w)
{
	static const char rest[] = "B\0\0\0\014\0\0\0\0\0\0\0\0"
	    "E\0\0\0\011\0\0\0\0\0" "S\0\0\0\004";
	const unsigned vital = LEDGER_HIDE | LEDGER_VITAL;
	struct server *srv = s->server;
	bool ok;

	if (s->held_extended) {
		ok = session_write_parse(s, w, SLICE_LIT(""),
		    slice_str(s->held_begin), slice_make(NULL, 0), no_hash,
		    vital | LEDGER_UNNAMED) &&
		    server_owe(srv, OWED_BIND, vital, no_hash) &&
		    server_owe(srv, OWED_EXECUTE, vital, no_hash) &&
		    server_owe(srv, OWED_SYNC, vital | LEDGER_BEGIN,
		    no_hash);
		msgwrite_raw(w, rest, sizeof(rest) - 1);
	} else {
		msgwrite_query(w, slice_str(s->held_begin));
		ok = server_owe(srv, OWED_QUERY, LEDGER_HIDE | LEDGER_BEGIN,
		    no_hash);
	}
	free(s->held_begin);
	s->held_begin = NULL;
	srv->has_unnamed = false;
	return ok;
}

bool
session_write_rollback(struct session *s, struct msgwrite *w)
{
	msgwrite_query(w, SLICE_LIT("ROLLBACK"));
	s->server->has_unnamed = false;
	return server_owe(s->server, OWED_QUERY, LEDGER_HIDE, no_hash);
}

bool
session_write_failed(struct session *s, struct msgwrite *w)
{
	msgwrite_query(w, SLICE_LIT("BEGIN"));
	msgwrite_query(w, SLICE_LIT("pgsluice refused a statement"));
	s->server->has_unnamed = false;
	return server_owe(s->server, OWED_QUERY, LEDGER_HIDE, no_hash) &&
	    server_owe(s->server, OWED_QUERY, LEDGER_HIDE | LEDGER_MUTE,
	    no_hash);
}

bool
session_preamble(struct session *s, struct buf *b, uint32_t pins,
    uint32_t flags)
{
	struct server *srv = s->server;
	struct msgwrite w;
	bool ok = true, fresh = srv->tx == 'I' && ledger_empty(&srv->owed) &&
	    !s->open_unit;

	if (s->repeat != NULL && !s->repeating)
		session_forget_unit(s);
	msgwrite_init(&w, b);
	if (fresh && srv->vars != s->set.vars)
		ok = settings_replay(s, &w);
	if (s->held_begin != NULL)
		flags |= AN_TX_BEGIN;
	if (ok && (pins | flags) != 0)
		ok = session_sequences(s, &w, pins, flags, fresh);
	ok = ok && session_app_name_tell(s, &w, fresh);
	if (ok && s->held_begin != NULL)
		ok = write_begin(s, &w);
	if (ok && s->reading != NULL)
		ok = session_reading_check(s, &w);
	/* The transaction failed before it had a server: let this one know. */
	if (ok && fresh && s->tx == 'E')
		ok = session_write_failed(s, &w);
	return ok && !w.failed;
}

bool
session_write_parse(struct session *s, struct msgwrite *w, struct slice name,
    struct slice sql, struct slice types, struct hash128 hash, unsigned flags)
{
	msgwrite_begin(w, 'P');
	msgwrite_slice(w, name);
	msgwrite_slice(w, sql);
	msgwrite_u16(w, (uint16_t)(types.n / 4));
	msgwrite_bytes(w, types.p, types.n);
	msgwrite_end(w);
	stat_add(&session_metrics(s)->c.prepared_parses, 1);
	return server_owe(s->server, OWED_PARSE, flags, hash);
}

/* A statement of this name may be there. */
bool
session_write_close(struct session *s, struct msgwrite *w, const char *name)
{
	msgwrite_begin(w, 'C');
	msgwrite_u8(w, 'S');
	msgwrite_str(w, name);
	msgwrite_end(w);
	return server_owe(s->server, OWED_CLOSE, LEDGER_HIDE, no_hash);
}

bool
session_write_evictions(struct session *s, struct msgwrite *w)
{
	char name[PREPARED_NAME_LEN + 1];
	struct hash128 old;

	while (prepared_evict(&s->server->prepared,
	    (size_t)s->conf->max_server_prepared, &old)) {
		prepared_name(old, name);
		if (!session_write_close(s, w, name))
			return false;
	}
	return true;
}

/* Does the server hold this statement? A Parse of the client's own (without
 * LEDGER_HIDE) may be answered by us only if it cannot fail where it stands,
 * that is not in a transaction that has failed, or may have by then. */
static enum prepared_state
prepared_need(struct server *srv, struct hash128 hash, unsigned flags)
{
	enum prepared_state state = prepared_state(&srv->prepared, hash,
	    srv->group);

	return state == PREPARED_HELD && !(flags & LEDGER_HIDE) &&
	    !srv->parse_safe ? PREPARED_UNSURE : state;
}

/* Make the server hold st in this form of db, under name (out). flags: of the
 * Parse if one is needed. *sent: it was. */
static bool
ensure_prepared(struct session *s, struct msgwrite *w, struct statement *st,
    bool unnamed, const struct conf_database *db, unsigned form, unsigned flags, char *name,
    bool *sent)
{
	struct server *srv = s->server;
	enum prepared_state state;
	struct hash128 hash;
	struct slice sql;

	*sent = false;
	*name = '\0';
	if (!statement_physical(s, st, db, form, &sql, &hash))
		return false;
	if (unnamed) {
		hash = hash_mix(hash, unnamed_mark);
		if (s->sw->instead.n > 0) {
			srv->has_unnamed = false;
			*sent = true;
			return session_write_parse(s, w, SLICE_LIT(""),
			    s->sw->instead, st->types, no_hash,
			    flags | LEDGER_UNNAMED);
		}
		if (srv->has_unnamed && hash_eq(srv->unnamed, hash) &&
		    (flags & LEDGER_HIDE))
			return true;
		srv->has_unnamed = true;
		srv->unnamed = hash;
		*sent = true;
		return session_write_parse(s, w, SLICE_LIT(""), sql,
		    st->types, hash, flags | LEDGER_UNNAMED);
	}
	s->sw->relied = true;
	prepared_name(hash, name);
	state = prepared_need(srv, hash, flags);
	if (state == PREPARED_HELD) {
		stat_add(&session_metrics(s)->c.prepared_reuses, 1);
		return true;
	}
	prepared_sent(&srv->prepared, hash, srv->group);
	*sent = true;
	return (state == PREPARED_ABSENT ||
	    session_write_close(s, w, name)) &&
	    (st->declared ? session_write_declared(s, w, st, name, hash) :
	    session_write_parse(s, w, slice_str(name), sql, st->types, hash,
	    flags)) && session_write_evictions(s, w);
}

static bool
write_raw(struct session *s, struct msgwrite *w, const struct frame *f,
    enum owed kind)
{
	msgwrite_raw(w, f->p - 5, f->size);
	return kind == OWED_COUNT || server_owe(s->server, kind, 0, no_hash);
}

/* The session has no unnamed statement: let the server say so, which may hold
 * that of another one, known (has_unnamed) or not. */
static bool
write_no_unnamed(struct session *s, struct msgwrite *w)
{
	s->server->has_unnamed = false;
	return session_write_close(s, w, "");
}

void
session_naming(struct session *s, struct slice name)
{
	struct parsing *p = x_calloc(1, sizeof(*p) + name.n + 1);
	struct statement *before = statements_find(&s->prepared, name);

	p->group = s->server->group;
	p->before = before != NULL ? statement_ref(before) : NULL;
	if (name.n > 0)
		memcpy(p->name, name.p, name.n);
	TAILQ_INSERT_TAIL(&s->parsing, p, link);
}

/* A message has been entered: what it says of names takes effect. */
static void
name_apply(struct session *s, const struct frame *f, struct statement *st)
{
	struct statement_table *t = &s->sw->statements;
	struct slice name;

	if (st == NULL || (f->type != 'P' && (f->type != 'C' ||
	    f->p[0] != 'S')))
		return;
	name = slice_str(f->p + (f->type == 'C'));
	statements_remove(&s->prepared, t, name);
	if (f->type == 'P')
		statements_set(&s->prepared, t, name, statement_ref(st));
}

/* Parse under a name that the session has: the server shall say so where it
 * stands, if it has nothing worse to say about the text. It does if it holds some
 * statement of the name that it is told. */
static bool
write_refused(struct session *s, struct msgwrite *w, const struct wire_parse *p)
{
	char name[PREPARED_NAME_LEN + 1];

	prepared_name(taken_mark, name);
	if (!session_write_close(s, w, name) || !session_write_parse(s, w,
	    slice_str(name), SLICE_LIT(""), slice_make(NULL, 0), no_hash,
	    LEDGER_HIDE))
		return false;
	msgwrite_begin(w, 'P');
	msgwrite_str(w, name);
	msgwrite_slice(w, p->sql);
	msgwrite_u16(w, (uint16_t)p->n_oids);
	msgwrite_bytes(w, p->oids, (size_t)p->n_oids * 4);
	msgwrite_end(w);
	s->server->parse_safe = false;
	return server_owe_named(s->server, OWED_PARSE, p->name);
}

static bool
native_parse(struct session *s, struct msgwrite *w, struct slice name,
    struct slice sql, const struct query *q)
{
	/* Before it is bound, which may happen without our knowing what it is. */
	session_pin(s, q->shape->an->pins);
	session_naming(s, name);
	s->server->parse_safe = false;
	return session_write_parse(s, w, name, sql, q->stmt->types, no_hash,
	    LEDGER_NAME);
}

/* The client's name stands for a statement that is known by another one there; else it
 * is the server's unnamed statement: what EXPLAIN (ROUTE, ANALYZE) runs is not what
 * the name means. */
static bool
compose_is_named(const struct session *s, struct slice name)
{
	return (name.n > 0 && !explain_runs(s)) || s->sw->promoted;
}

/* known: of the only statement of its unit, values included; or NULL. */
static bool
extended_parse(struct session *s, struct msgwrite *w, const struct frame *f,
    struct statement *st, const struct query *known)
{
	char name[PREPARED_NAME_LEN + 1];
	const struct conf_database *db;
	struct wire_parse p;
	unsigned form;
	struct hash128 hash;
	struct slice sql;
	struct query q;
	unsigned flags = 0;
	bool sent;

	if (!msgread_parse(f->p, f->body, &p))
		return false;
	if (st == NULL)
		return write_refused(s, w, &p);
	query_prepare(s, &q, st->sql, st, NULL);
	db = known != NULL ? known->plan->db : q.plan->db;
	/* Without values it may have no form there. */
	if (!statement_form(known != NULL ? known : &q, s->backend, &form))
		form = FORM_ASIS;
	if (!query_remember(s, st->sql, form))
		return false;
	if (compose_is_named(s, p.name)) {
		if (!statement_physical(s, st, db, form, &sql, &hash))
			return false;
		if (s->native && p.name.n > 0)
			return native_parse(s, w, p.name, sql, &q);
		if (prepared_need(s->server, hash, 0) != PREPARED_HELD)
			flags = LEDGER_NAME;
	} else if (!s->server->parse_safe || p.name.n > 0) {
		flags = LEDGER_NAME;
	}
	if (flags != 0)
		session_naming(s, p.name);
	if (!ensure_prepared(s, w, st, !compose_is_named(s, p.name), db, form,
	    flags, name, &sent))
		return false;
	if (!sent)
		return server_owe_synth(s->server, "1\0\0\0\4", 5);
	s->server->parse_safe = false;
	return true;
}

/* Does the server refuse these values, before it looks at the state of the
 * transaction? Where it is sure; n: how many the statement takes. */
static bool
bind_misfits(const struct wire_bind *b, const struct query *q, unsigned *n)
{
	const struct analysis *an = q->shape->an;
	unsigned typed = (unsigned)(q->stmt->types.n / 4);

	if (q->stmt->declared || (an->flags & AN_MULTI))
		return false;
	if (!analysis_is_planned(an) && (an->kind == STMT_UNPARSED ||
	    an->n_params > 0))
		return false;
	*n = an->n_params > typed ? an->n_params : typed;
	return b->n_params != *n || (b->n_param_formats > 1 &&
	    b->n_param_formats != b->n_params);
}

/* Such a Bind where the transaction has failed, or may have by then: there the
 * server can be given no statement that it has not got but one that ends a
 * transaction, and it says the same of that. */
static bool
write_misfit(struct session *s, struct msgwrite *w, const struct wire_bind *b,
    unsigned n)
{
	static const char int4[] = { 0, 0, 0, 23 };
	char name[PREPARED_NAME_LEN + 1];

	prepared_name(taken_mark, name);
	if (!session_write_close(s, w, name))
		return false;
	msgwrite_begin(w, 'P');
	msgwrite_str(w, name);
	msgwrite_str(w, "ROLLBACK");
	msgwrite_u16(w, (uint16_t)n);
	for (; n > 0; n--)
		msgwrite_bytes(w, int4, sizeof(int4));
	msgwrite_end(w);
	if (!server_owe(s->server, OWED_PARSE, LEDGER_HIDE, no_hash))
		return false;
	msgwrite_begin(w, 'B');
	msgwrite_slice(w, b->portal);
	msgwrite_str(w, name);
	msgwrite_bytes(w, b->rest.p, b->rest.n);
	msgwrite_end(w);
	return server_owe_named(s->server, OWED_BIND, b->statement);
}

static bool
extended_explained(struct session *s, const struct query *q, unsigned form)
{
	struct hash128 hash;
	struct slice sql;

	if (!statement_physical(s, q->stmt, q->plan->db, form, &sql, &hash))
		return false;
	explain_asked(s, NULL, s->backend, q->where.shard, "", sql);
	return true;
}

/* b: f taken apart. */
static bool
extended_bind(struct session *s, struct msgwrite *w, const struct frame *f,
    const struct wire_bind *b, struct statement *st, struct query *known)
{
	char name[PREPARED_NAME_LEN + 1];
	unsigned form;
	struct query q;
	bool sent, native;
	unsigned n;

	if (st == NULL || (s->renamed && b->statement.n > 0)) {
		/* Perhaps one of SQL's PREPARE: it may do anything. */
		s->writes.any = s->writes.all = s->writes.doubt = true;
		s->tx_dirty = true;
	}
	if (st == NULL)
		return (b->statement.n > 0 || write_no_unnamed(s, w)) &&
		    write_raw(s, w, f, OWED_BIND);
	if (known != NULL)
		q = *known;
	else
		query_prepare(s, &q, st->sql, st, b);
	if (f->type != 'B' && q.mirrors) { /* its values are not here */
		q.mirrors = false;
		q.unmirrored = true;
	}
	if (b->n_result_formats > 1) { /* for columns that the client knows */
		st->told = true;
		s->sw->tells = false;
	}
	st->told |= s->sw->tells;
	query_note(s, &q);
	if (unlikely(s->trail.on))
		trail_query(s, &q);
	query_account(s, &q, s->backend, s->fill != NULL ? OUT_MISS :
	    OUT_BYPASS);
	if (!statement_form(&q, s->backend, &form))
		form = FORM_ASIS;
	if (!query_remember(s, st->sql, form))
		return false;
	native = s->native && b->statement.n > 0 && !explain_runs(s);
	/* An unnamed one that was sent last may be refused. */
	if (!native && !s->server->parse_safe && f->type == 'B' &&
	    (b->statement.n > 0 || !s->server->has_unnamed) &&
	    s->sw->instead.n == 0 && bind_misfits(b, &q, &n))
		return write_misfit(s, w, b, n);
	if (!native && !ensure_prepared(s, w, st, !compose_is_named(s,
	    b->statement), q.plan->db, form, LEDGER_HIDE, name, &sent))
		return false;
	if (unlikely(explain_runs(s)) && !extended_explained(s, &q, form))
		return false;
	query_note_settings(s, &q);
	session_app_name_bound(s, &q, b->portal);
	if (native || (b->statement.n == 0 && !s->sw->promoted))
		return write_raw(s, w, f, OWED_BIND);
	msgwrite_begin(w, 'B');
	msgwrite_slice(w, b->portal);
	msgwrite_str(w, name);
	msgwrite_bytes(w, b->rest.p, b->rest.n);
	msgwrite_end(w);
	return server_owe_named(s->server, OWED_BIND, b->statement);
}

/* The rest of it will be sent behind the unit. */
static bool
extended_bind_head(struct session *s, struct msgwrite *w,
    const struct frame *f, struct statement *st, size_t rest)
{
	struct wire_bind b;
	char *length;

	if (!msgread_bind_head(f->p, f->body, &b))
		return false;
	if (!extended_bind(s, w, f, &b, st, NULL) || w->failed)
		return false;
	s->long_bind = true;
	s->server->parse_safe = false;
	if (st == NULL || b.statement.n == 0 || s->native)
		return true; /* as it came */
	length = buf_head(w->b) + w->mark + 1;
	wire_put_u32(length, wire_u32(length) + (uint32_t)rest);
	return true;
}

static bool
extended_describe(struct session *s, struct msgwrite *w,
    const struct frame *f, struct statement *st)
{
	char name[PREPARED_NAME_LEN + 1];
	struct slice client = slice_make(f->p + 1, f->body - 2);
	unsigned form;
	struct query q;
	bool sent;

	if (f->p[0] == 'P')
		return write_raw(s, w, f, OWED_DESCRIBE_P);
	if (st == NULL)
		return (client.n > 0 || write_no_unnamed(s, w)) &&
		    write_raw(s, w, f, OWED_DESCRIBE_S);
	if (s->native && client.n > 0)
		return write_raw(s, w, f, OWED_DESCRIBE_S);
	query_prepare(s, &q, st->sql, st, NULL);
	if (!statement_form(&q, s->backend, &form))
		form = FORM_ASIS;
	if (!query_remember(s, st->sql, form))
		return false;
	st->told = true;
	if (!ensure_prepared(s, w, st, client.n == 0, q.plan->db, form, LEDGER_HIDE,
	    name, &sent))
		return false;
	msgwrite_begin(w, 'D');
	msgwrite_u8(w, 'S');
	msgwrite_str(w, name);
	msgwrite_end(w);
	return server_owe_named(s->server, OWED_DESCRIBE_S, client);
}

static bool
extended_close(struct session *s, struct msgwrite *w, const struct frame *f,
    struct statement *st)
{
	struct slice name = slice_make(f->p + 1, f->body - 2);

	if (f->p[0] == 'P')
		s->pins_doubt |= PIN_BIT(PIN_CURSOR);
	if (f->p[0] == 'S' && name.n == 0)
		s->server->has_unnamed = false;
	if (f->p[0] == 'P' || st == NULL || (s->server->parse_safe &&
	    (s->native || name.n == 0)))
		return write_raw(s, w, f, OWED_CLOSE);
	/* The server's copy is shared and stays. */
	if (s->server->parse_safe)
		return server_owe_synth(s->server, "3\0\0\0\4", 5);
	/* Skipped or not, as the server has it: no such name is there, unless
	 * it is native. */
	session_naming(s, name);
	msgwrite_raw(w, f->p - 5, f->size);
	return server_owe(s->server, OWED_CLOSE, LEDGER_NAME, no_hash);
}

static bool
extended_message(struct session *s, struct msgwrite *w, const struct unit *u,
    const struct frame *f, struct statement *st, struct query *q)
{
	struct wire_bind b;

	switch (f->type) {
	case 'P':
		return extended_parse(s, w, f, st, q);
	case 'B':
		return msgread_bind(f->p, f->body, &b) &&
		    extended_bind(s, w, f, &b, st, q);
	case UNIT_BIND_HEAD:
		return extended_bind_head(s, w, f, st, u->rest);
	case 'D':
		return extended_describe(s, w, f, st);
	case 'C':
		return extended_close(s, w, f, st);
	case 'E':
		return write_raw(s, w, f, OWED_EXECUTE);
	case 'S':
		s->open_unit = s->long_bind = false;
		return write_raw(s, w, f, OWED_SYNC);
	default: /* H */
		return write_raw(s, w, f, OWED_COUNT);
	}
}

/* A unit of nothing but one unnamed statement, outside of a transaction block:
 * run it under a name? Inside of one a plan that DDL made stale would be an error
 * that cannot be mended and that the client would not get from PostgreSQL. */
static bool
compose_promotes(struct session *s, const struct query *q)
{
	struct statement *st = q->stmt;

	if (!analysis_is_planned(q->shape->an) || s->sw->instead.n > 0 ||
	    s->conf->prepare_unnamed_after == 0)
		return false;
	session_timed(s, 0);
	statement_keep(&s->sw->statements, st);
	s->timed = statement_ref(st);
	s->timed_named = promotion_use(&st->promotion,
	    (unsigned)s->conf->prepare_unnamed_after);
	if (s->timed_named)
		stat_add(&session_metrics(s)->c.prepared_promoted, 1);
	return s->timed_named;
}

/* Message f is a Describe, or is followed by one of its portal? */
static bool
compose_tells(const struct unit *u, const struct frame *f, size_t next)
{
	return f->type == 'D' || (f->type == 'B' && next < u->n &&
	    u->p[next] == 'D');
}

bool
session_group_ends_failed(const struct session *s)
{
	uint32_t flags = s->sw->unit_flags;

	return s->tx == 'E' && !s->open_unit && !s->savepoints &&
	    (flags & AN_TX_END) != 0 &&
	    (flags & (AN_SAVEPOINT | AN_TX_CHAIN | AN_MULTI)) == 0;
}

enum unit_result
session_compose(struct session *s, const struct unit *u, struct query *q)
{
	struct buf *b = &s->sw->compose;
	struct iovec iov;
	struct msgwrite w;
	struct frame f;
	size_t pos, i = 0;
	bool alone;

	alone = s->tx == 'I' && !s->open_unit && s->held_begin == NULL &&
	    s->server->tx == 'I' && ledger_empty(&s->server->owed) &&
	    u->last == 'S' && !s->repeating;
	s->sw->relied = s->sw->fixed = false;
	s->sw->promoted = alone && q != NULL && u->has_parse &&
	    u->bind.statement.n == 0 && !explain_runs(s) &&
	    compose_promotes(s, q);
	buf_consume(b, buf_len(b));
	s->server->parse_safe = ledger_empty(&s->server->owed) &&
	    s->server->tx != 'E';
	if (q != NULL) {
		s->sw->unit_pins = q->shape->an->pins;
		s->sw->unit_flags = q->shape->an->flags;
		s->sw->unit_native = (q->shape->an->pins &
		    PIN_BIT(PIN_PREPARE)) != 0;
		s->sw->unit_mirrors = q->mirrors;
	}
	if (unlikely(s->sw->unit_mirrors))
		mirroring_wrap(s, u, s->sw->unit_flags);
	if (!session_preamble(s, b, s->sw->unit_pins, s->sw->unit_flags))
		goto fail;
	if (s->sw->unit_native && !session_go_native(s, b,
	    session_group_ends_failed(s)))
		goto fail;
	if ((s->sw->unit_flags & AN_DISCARD_ALL) != 0 && (q != NULL ||
	    s->sw->unit_native))
		s->over |= q != NULL ? OVER_ASKED | OVER_ALONE : OVER_ASKED;
	session_enter(s, SESSION_RELAY);
	s->open_unit = true;
	msgwrite_init(&w, b);
	for (pos = 0; pos < u->n; pos += f.size) {
		unit_message(u, pos, &f);
		s->sw->tells = compose_tells(u, &f, pos + f.size);
		if (!extended_message(s, &w, u, &f, q != NULL ? q->stmt :
		    s->sw->meant[i], q) || w.failed)
			goto fail;
		if (f.type == 'E' && (pos + f.size == u->n ||
		    u->p[pos + f.size] != 'S') &&
		    !session_app_name_executed(s, &w, slice_str(f.p)))
			goto fail;
		/* These can fail, and what is behind them is skipped. */
		if (f.type == 'B' || f.type == 'D' || f.type == 'E')
			s->server->parse_safe = false;
		if (q == NULL)
			name_apply(s, &f, s->sw->meant[i]);
		i++;
	}
	s->sw->tells = false;
	if (u->last != 'S')
		server_tell(s->server);
	if (s->state == SESSION_CLOSED)
		return UNIT_CLOSED;
	if (alone && s->sw->relied && (q != NULL || (!s->sw->refuses &&
	    !session_drops_names(s))))
		session_keep_unit(s, u);
	if (unlikely(s->trail.on))
		trail_asked(s);
	if (unlikely(q != NULL && q->shadow.at != 0) && alone)
		shadow_begin(s, u, q);
	iov.iov_base = buf_head(b);
	iov.iov_len = buf_len(b);
	if (iov.iov_len > 0)
		(void)!server_send(s->server, &iov, 1);
	if (u->rest > 0)
		session_stream(s, u, false);
	if (stream_backlog(&s->server->st) > STREAM_HIGH_WATER)
		stream_read_stop(&s->st);
	return UNIT_DONE;
fail:
	s->sw->tells = false;
	if (s->state != SESSION_CLOSED)
		session_close(s, CLOSE_MEMORY, NULL);
	return UNIT_CLOSED;
}
