/* SPDX-License-Identifier: PostgreSQL
 *
 * SQL's PREPARE, EXECUTE and DEALLOCATE, without a server of one's own.
 *
 * The session keeps what PREPARE said under its name, in one name space with
 * the statements of Parse.  On servers it lives under a name made from its
 * content, as those do: EXECUTE is sent with that name in the place of the
 * client's, after a step that makes the statement where it is missing.  A
 * PREPARE is the step alone, and answered by us; what some server of the pool
 * has accepted needs none.  An error of a step is the client's.
 *
 * Knows no other statements.  What it cannot take (several statements in one
 * message, EXPLAIN EXECUTE, arguments that do more than compute, routed
 * tables) goes native: the session keeps its server, is given its statements
 * there under its own names, and says the rest to it.  Runs on the session's
 * worker.
 */
#include <stdio.h>
#include <string.h>

#include "pgwire/msgwrite.h"
#include "session/session_priv.h"
#include "sql/prepared.h"

static const struct hash128 no_hash;

/* Effects of arguments that the statement's own analysis does not tell of. */
#define ARGUMENT_EFFECTS (AN_VOLATILE | AN_READONLY_FN | AN_UNKNOWN_FN | \
    AN_LOCKING | AN_SUBLINK | AN_SET_LOCAL | AN_SET_ISOLATION)

/* One such statement and the one it is about. */
struct about {
	struct sql_prepared text;
	struct statement *asked; /* it, as the unnamed statement; or NULL */
	struct statement *st;
	struct query inner;
	struct slice sql;    /* st's text on servers */
	struct hash128 hash; /* and name */
	char name[PREPARED_NAME_LEN + 1];
};

/* ---- making statements on servers -------------------------------------------------- */

/* PREPARE under this name; p == NULL: out of memory. */
static struct slice
declaration(struct session *s, const char *name, const struct statement *st)
{
	struct buf *t = &s->sw->text;

	buf_consume(t, buf_len(t));
	return buf_append(t, "PREPARE ", 8) &&
	    buf_append(t, name, strlen(name)) &&
	    buf_append(t, st->types.p, st->types.n) &&
	    buf_append(t, st->sql.p, st->sql.n) ?
	    slice_make(buf_head(t), buf_len(t)) : slice_make(NULL, 0);
}

static bool
write_declaration(struct session *s, struct msgwrite *w, const char *name,
    const struct statement *st)
{
	struct slice sql = declaration(s, name, st);

	if (sql.p != NULL)
		msgwrite_query(w, sql);
	return sql.p != NULL;
}

bool
session_write_unseen(struct session *s, struct msgwrite *w, struct slice sql,
    unsigned flags, struct hash128 hash)
{
	struct server *srv = s->server;
	const char *const close[] = { "S", "P" };
	size_t i;

	flags |= LEDGER_HIDE;
	msgwrite_begin(w, 'P');
	msgwrite_str(w, "pgsluice");
	msgwrite_slice(w, sql);
	msgwrite_u16(w, 0);
	msgwrite_end(w);
	msgwrite_begin(w, 'B');
	msgwrite_str(w, "pgsluice");
	msgwrite_str(w, "pgsluice");
	msgwrite_bytes(w, "\0\0\0\0\0\0", 6);
	msgwrite_end(w);
	msgwrite_begin(w, 'E');
	msgwrite_str(w, "pgsluice");
	msgwrite_bytes(w, "\0\0\0\0", 4);
	msgwrite_end(w);
	for (i = 0; i < 2; i++) {
		msgwrite_begin(w, 'C');
		msgwrite_u8(w, (uint8_t)*close[i]);
		msgwrite_str(w, "pgsluice");
		msgwrite_end(w);
	}
	return server_owe(srv, OWED_PARSE, flags | LEDGER_UNNAMED, no_hash) &&
	    server_owe(srv, OWED_BIND, flags, no_hash) &&
	    server_owe(srv, OWED_EXECUTE, flags, hash) &&
	    server_owe(srv, OWED_CLOSE, LEDGER_HIDE, no_hash) &&
	    server_owe(srv, OWED_CLOSE, LEDGER_HIDE, no_hash);
}

bool
session_write_declared(struct session *s, struct msgwrite *w,
    const struct statement *st, const char *name, struct hash128 hash)
{
	struct slice sql = declaration(s, name, st);

	stat_add(&session_metrics(s)->c.prepared_parses, 1);
	return sql.p != NULL && session_write_unseen(s, w, sql, 0, hash);
}

struct native {
	struct session *s;
	struct msgwrite *w;
	bool apart; /* no transaction is open: each stands alone */
	bool ok;
};

/* One of the protocol's. If the server does not take it any more, it does not say
 * so before it is used, where that is possible. */
static bool
native_parse(struct native *n, struct slice name, struct statement *st)
{
	unsigned form;
	struct hash128 hash;
	struct slice sql;
	struct query q;

	query_prepare(n->s, &q, st->sql, st, NULL);
	if (!statement_form(&q, n->s->backend, &form))
		form = FORM_ASIS;
	if (!statement_physical(n->s, st, q.plan->db, form, &sql, &hash) ||
	    !session_write_parse(n->s, n->w, name, sql, st->types, no_hash,
	    n->apart ? LEDGER_HIDE | LEDGER_MUTE : LEDGER_HIDE))
		return false;
	if (!n->apart)
		return true;
	msgwrite_raw(n->w, "S\0\0\0\4", 5);
	return server_owe(n->s->server, OWED_SYNC, LEDGER_HIDE, no_hash);
}

static void
native_declare(void *arg, struct slice name, struct statement *st)
{
	struct native *n = arg;
	char quoted[2 * SQL_NAME_MAX + 3], *out = quoted;
	size_t i;

	if (!st->declared)
		n->ok = n->ok && native_parse(n, name, st);
	if (!st->declared || !n->ok)
		return;
	*out++ = '"';
	for (i = 0; i < name.n; i++) {
		if (name.p[i] == '"')
			*out++ = '"';
		*out++ = name.p[i];
	}
	*out++ = '"';
	*out = '\0';
	/* A Query amid extended messages would commit what is before it. */
	if (n->s->open_unit)
		n->ok = session_write_declared(n->s, n->w, st, quoted,
		    no_hash);
	else
		n->ok = write_declaration(n->s, n->w, quoted, st) &&
		    server_owe(n->s->server, OWED_QUERY,
		    LEDGER_HIDE | LEDGER_MUTE, no_hash);
}

void
session_renamed(struct session *s, const struct query *q)
{
	struct sql_prepared text;

	if (!s->native)
		return; /* the transaction has failed */
	if ((q->shape->an->flags & AN_MULTI) ||
	    !sql_prepared_read(q->sql, &text))
		s->renamed = true;
	else if (text.kind == SQL_DEALLOCATE)
		statements_remove(&s->prepared, &s->sw->statements,
		    slice_str(text.name));
}

bool
session_needs_native(const struct session *s, const struct analysis *an)
{
	/* Among others in one Query DISCARD ALL is refused. */
	return (an->pins & PIN_BIT(PIN_PREPARE)) != 0 ||
	    ((an->flags & AN_DISCARD_ALL) && s->open_unit);
}

bool
session_go_native(struct session *s, struct buf *b, bool over)
{
	struct native n = { .s = s, .ok = true };
	struct msgwrite w;

	if (s->native || (s->tx == 'E' && !over))
		return true;
	msgwrite_init(&w, b);
	n.w = &w;
	n.apart = !s->open_unit && (s->tx == 'I' || over);
	if (over)
		n.ok = session_write_rollback(s, &w);
	statements_each(&s->prepared, native_declare, &n);
	if (over)
		n.ok = n.ok && session_write_failed(s, &w);
	s->server->has_unnamed = s->server->parse_safe = false;
	s->native = true;
	session_pin(s, PIN_BIT(PIN_PREPARE));
	return n.ok && !w.failed;
}

/* ---- steps ------------------------------------------------------------------------- */

/* Characters of the client's text, as positions in errors count them. */
static unsigned
about_chars(const struct session *s, struct slice text)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < text.n; i++)
		n += s->other_encoding || (text.p[i] & 0xc0) != 0x80;
	return n;
}

/* What the name in the client's text turns into, for errors: sent: characters
 * before it in what is sent. */
static bool
about_keep(struct session *s, const struct unit *u, const struct about *a,
    unsigned sent)
{
	struct unit_terms t = { .at = sent + PREPARED_NAME_LEN };
	struct slice client = slice_make(a->text.before.p,
	    (size_t)(a->text.after.p - a->text.before.p));

	t.by = (int)t.at - (int)about_chars(s, client);
	memcpy(t.name, a->text.name, sizeof(t.name));
	return session_keep_sql(s, u, &t);
}

/* Make a->st on the leased server, and come back to the unit. */
static bool
about_step(struct session *s, const struct unit *u, const struct about *a,
    enum prepared_state state)
{
	struct server *srv = s->server;
	struct buf *b = &s->sw->compose;
	struct iovec iov;
	struct msgwrite w;
	unsigned owed;
	bool ok;

	buf_consume(b, buf_len(b));
	if (!session_preamble(s, b, a->inner.shape->an->pins,
	    a->inner.shape->an->flags) || !about_keep(s, u, a, 8))
		return false;
	owed = srv->owed.count;
	msgwrite_init(&w, b);
	srv->has_unnamed = false;
	prepared_sent(&srv->prepared, a->hash, srv->group);
	if ((state == PREPARED_UNSURE &&
	    !session_write_close(s, &w, a->name)) ||
	    !session_write_evictions(s, &w))
		return false;
	if (srv->owed.count > owed) {
		msgwrite_raw(&w, "S\0\0\0\4", 5);
		if (!server_owe(srv, OWED_SYNC, LEDGER_HIDE, no_hash))
			return false;
		prepared_sent(&srv->prepared, a->hash, srv->group);
	}
	if (a->st->declared) {
		ok = write_declaration(s, &w, a->name, a->st) &&
		    server_owe(srv, OWED_QUERY, LEDGER_HIDE | LEDGER_STEP,
		    a->hash);
	} else {
		ok = session_write_parse(s, &w, slice_str(a->name), a->sql,
		    a->st->types, a->hash, LEDGER_HIDE | LEDGER_STEP) &&
		    server_owe(srv, OWED_SYNC, LEDGER_HIDE, no_hash);
		msgwrite_raw(&w, "S\0\0\0\4", 5);
	}
	if (!ok || w.failed)
		return false;
	s->again = true;
	session_enter(s, SESSION_RELAY);
	if (unlikely(s->trail.on))
		trail_asked(s);
	iov.iov_base = buf_head(b);
	iov.iov_len = buf_len(b);
	(void)!server_send(srv, &iov, 1);
	return true;
}

/* ---- sending EXECUTE ----------------------------------------------------------------- */

static bool
execute_text(struct session *s, const struct about *a)
{
	struct buf *t = &s->sw->text;

	buf_consume(t, buf_len(t));
	return buf_append(t, a->text.before.p, a->text.before.n) &&
	    buf_append(t, a->name, PREPARED_NAME_LEN) &&
	    buf_append(t, a->text.after.p, a->text.after.n);
}

static enum unit_result
execute_send(struct session *s, const struct unit *u, struct about *a)
{
	struct buf *b = &s->sw->compose, *t = &s->sw->text;
	struct server *srv = s->server;
	enum unit_result r;
	struct iovec iov;
	struct msgwrite w;

	if (!execute_text(s, a))
		return UNIT_CLOSED;
	if (u->first != 'Q') {
		s->sw->instead = slice_make(buf_head(t), buf_len(t));
		r = session_compose(s, u, &a->inner);
		s->sw->instead = slice_make(NULL, 0);
		return r == UNIT_DONE && !about_keep(s, u, a,
		    about_chars(s, a->text.before)) ? UNIT_CLOSED : r;
	}
	buf_consume(b, buf_len(b));
	if (!session_preamble(s, b, a->inner.shape->an->pins,
	    a->inner.shape->an->flags))
		return UNIT_CLOSED;
	msgwrite_init(&w, b);
	msgwrite_query(&w, slice_make(buf_head(t), buf_len(t)));
	if (w.failed || !server_owe(srv, OWED_QUERY, 0, no_hash))
		return UNIT_CLOSED;
	query_note(s, &a->inner);
	query_note_settings(s, &a->inner);
	if (!query_remember(s, a->st->sql, FORM_ASIS))
		return UNIT_CLOSED;
	srv->has_unnamed = false;
	statements_drop_unnamed(&s->prepared, &s->sw->statements);
	query_account(s, &a->inner, s->backend, OUT_BYPASS);
	if (!about_keep(s, u, a, about_chars(s, a->text.before)))
		return UNIT_CLOSED;
	session_enter(s, SESSION_RELAY);
	if (unlikely(s->trail.on))
		trail_asked(s);
	iov.iov_base = buf_head(b);
	iov.iov_len = buf_len(b);
	(void)!server_send(srv, &iov, 1);
	return UNIT_DONE;
}

/* ---- the statements ---------------------------------------------------------------------- */

/* An error comes when it is executed: what is answered before that. */
static void
about_bound(struct session *s, const struct unit *u)
{
	static const char bound[] = "1\0\0\0\0042\0\0\0\004n\0\0\0\004";

	if (u->first != 'Q')
		session_send(s, bound + (u->has_parse ? 0 : 5),
		    (u->has_parse ? 10 : 5) + (u->described ? 5 : 0));
}

void
session_step_failed(struct session *s)
{
	struct unit u;

	if (session_kept(s, &u))
		about_bound(s, &u);
}

static enum unit_result
about_refuse(struct session *s, const struct unit *u, const struct about *a,
    const char *sqlstate, const char *what)
{
	struct statement *asked = NULL;
	char text[SQL_NAME_MAX + 64];

	snprintf(text, sizeof(text), "prepared statement \"%s\" %s",
	    a->text.name, what);
	about_bound(s, u);
	if (s->state == SESSION_CLOSED)
		return UNIT_CLOSED;
	/* Its Parse has been done. */
	if (u->has_parse)
		asked = statement_ref(a->asked);
	session_unit_error(s, u, sqlstate, text, NULL, NULL);
	if (asked != NULL && s->state != SESSION_CLOSED)
		statements_set(&s->prepared, &s->sw->statements,
		    slice_make(NULL, 0), statement_ref(asked));
	statement_unref(&s->sw->statements, &asked);
	return s->state == SESSION_CLOSED ? UNIT_CLOSED : UNIT_WAIT;
}

/* What the statement that is meant does, and where. false: not for us. */
static bool
about_decide(struct session *s, struct about *a)
{
	bool ok;

	query_prepare(s, &a->inner, a->st->sql, a->st, NULL);
	if (a->inner.where.variant != NULL ||
	    a->inner.plan->err_sqlstate != NULL ||
	    a->inner.where.form != FORM_ASIS ||
	    a->inner.shape->an->kind == STMT_UNPARSED ||
	    a->inner.shape->an->kind == STMT_PREPARE)
		return false;
	if (s->server != NULL && a->inner.shape->an->n_tables == 0)
		a->inner.where.backend = s->backend;
	/* EXECUTE tells the result's types. */
	s->sw->tells = true;
	ok = statement_physical(s, a->st, s->db, FORM_ASIS, &a->sql,
	    &a->hash);
	s->sw->tells = false;
	if (!ok)
		return false;
	prepared_name(a->hash, a->name);
	return true;
}

static enum unit_result
about_run(struct session *s, const struct unit *u, struct about *a,
    bool taken)
{
	bool prepare = a->text.kind == SQL_PREPARE;
	struct pool *pool = session_pool(s, a->inner.where.backend);
	enum prepared_state state;
	enum unit_result r;

	if (prepare && pool != NULL && pool_knows(pool, a->hash)) {
		if (taken)
			return about_refuse(s, u, a, "42P05",
			    "already exists");
		statements_set(&s->prepared, &s->sw->statements,
		    slice_str(a->text.name), statement_ref(a->st));
		session_complete(s, u, "PREPARE", s->tx);
		return UNIT_DONE;
	}
	r = session_acquire(s, u, a->inner.where.backend);
	if (r != UNIT_DONE)
		return r;
	state = prepared_state(&s->server->prepared, a->hash,
	    s->server->group);
	if (prepare || state != PREPARED_HELD)
		r = about_step(s, u, a, prepare && state == PREPARED_HELD ?
		    PREPARED_UNSURE : state) ? UNIT_DONE : UNIT_CLOSED;
	else
		r = execute_send(s, u, a);
	if (r == UNIT_CLOSED && s->state != SESSION_CLOSED)
		session_close(s, CLOSE_MEMORY, NULL);
	return r;
}

static enum unit_result
about_deallocate(struct session *s, const struct unit *u, struct about *a)
{
	if (a->text.kind == SQL_DEALLOCATE_ALL) {
		statements_clear_named(&s->prepared, &s->sw->statements);
		session_complete(s, u, "DEALLOCATE ALL", s->tx);
		return UNIT_DONE;
	}
	if (a->st == NULL)
		return about_refuse(s, u, a, "26000", "does not exist");
	statements_remove(&s->prepared, &s->sw->statements,
	    slice_str(a->text.name));
	session_complete(s, u, "DEALLOCATE", s->tx);
	return UNIT_DONE;
}

/* The content of a PREPARE, with a reference; NULL: too much, and the session
 * has been closed. */
static struct statement *
about_content(struct session *s, const struct about *a)
{
	struct statement *st = statement_get(&s->sw->statements, a->text.body,
	    NULL, a->text.head, true, 0);

	if (st != NULL && s->prepared.bytes + st->sql.n + st->types.n <=
	    (size_t)s->conf->max_prepared_bytes)
		return st;
	if (st != NULL)
		statement_unref(&s->sw->statements, &st);
	session_close(s, CLOSE_PREPARED_MEMORY, NULL);
	return NULL;
}

static bool
prepare_run(struct session *s, const struct unit *u, struct about *a,
    enum unit_result *r)
{
	/* The text may have something worse. */
	bool ours, taken = a->st != NULL;

	a->st = about_content(s, a);
	if (a->st == NULL) {
		*r = UNIT_CLOSED;
		return true;
	}
	ours = about_decide(s, a);
	if (ours)
		*r = about_run(s, u, a, taken);
	statement_unref(&s->sw->statements, &a->st);
	return ours;
}

/* To the server as it is: it has all that SQL prepared, or shall have. A server
 * of one's own need not share, so that what it says of its statements is what
 * the client made. */
static bool
about_is_native(const struct session *s, const struct about *a)
{
	return s->native || (a->text.kind == SQL_PREPARE && a->st == NULL &&
	    s->db->pool_mode == POOL_MODE_SESSION);
}

static bool
about_do(struct session *s, const struct unit *u, const struct query *q,
    enum unit_result *r)
{
	uint32_t flags = q->shape->an->flags;
	struct about a = { .st = NULL };

	if ((flags & AN_MULTI) || s->tx == 'E' || s->state != SESSION_IDLE ||
	    !sql_prepared_read(q->sql, &a.text))
		return false;
	if (u->first != 'Q' && (u->bind.n_params > 0 ||
	    u->bind.statement.n > 0))
		return false;
	a.asked = q->stmt;
	a.st = statements_find(&s->prepared, slice_str(a.text.name));
	if (about_is_native(s, &a))
		return false;
	if (a.text.kind == SQL_PREPARE)
		return prepare_run(s, u, &a, r);
	if (a.text.kind != SQL_EXECUTE) {
		*r = about_deallocate(s, u, &a);
		return true;
	}
	if (flags & ARGUMENT_EFFECTS)
		return false;
	if (a.st == NULL) {
		*r = about_refuse(s, u, &a, "26000", "does not exist");
		return true;
	}
	if (!about_decide(s, &a))
		return false;
	a.inner.stmt = q->stmt;
	a.inner.bind = q->bind;
	*r = about_run(s, u, &a, false);
	return true;
}

bool
session_sql_prepared(struct session *s, const struct unit *u,
    struct query *q, enum unit_result *r)
{
	if (q->shape->an->kind != STMT_PREPARE)
		return false;
	if (about_do(s, u, q, r))
		return true;
	/* The worker has one place for what is found in a text, and a look at
	 * the statement that is meant has taken it. */
	query_prepare(s, q, q->sql, q->stmt, q->bind);
	return false;
}
