/* SPDX-License-Identifier: PostgreSQL
 *
 * Extended-protocol units: choose one backend for all their messages, then
 * write what the server must see and enter what it will owe.
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
#include "session/fill.h"
#include "session/session_priv.h"

static const struct hash128 no_hash;
/* Keeps unnamed statements apart from named ones of the same content. */
static const struct hash128 unnamed_mark = { 1, 1 };

/* ---- statements ----------------------------------------------------------------- */

struct statement *
session_statement(struct session *s, const struct wire_parse *p)
{
	struct statement *st = statement_get(&s->sw->statements, p->sql, NULL,
	    slice_make(p->oids, (size_t)p->n_oids * 4));

	if (st != NULL && s->prepared.bytes + p->sql.n <=
	    (size_t)s->conf->max_prepared_bytes)
		return st;
	if (st != NULL)
		statement_unref(&s->sw->statements, &st);
	session_close(s, CLOSE_PREPARED_MEMORY, NULL);
	return NULL;
}

/* The text a server is given for a statement, and the hash of its content. */
static bool
statement_text(struct session *s, struct statement *st,
    enum route_form form, struct slice *sql, struct hash128 *hash)
{
	struct buf *t = &s->sw->text;
	struct query q;
	int i;

	if (form == FORM_ASIS) {
		*sql = st->sql;
		*hash = st->hash;
		return true;
	}
	if (st->generation != s->conf->generation || st->db != s->db) {
		for (i = 0; i < FORM_COUNT; i++) {
			free(st->phys[i].sql);
			st->phys[i].sql = NULL;
		}
		st->generation = s->conf->generation;
		st->db = s->db;
	}
	if (st->phys[form].sql == NULL) {
		query_prepare(s, &q, st->sql, st, NULL);
		buf_consume(t, buf_len(t));
		if (!route_rewrite(q.plan, q.shape, &q.values, form, t))
			return false;
		st->phys[form].n = buf_len(t);
		st->phys[form].sql = x_strndup(buf_head(t), buf_len(t));
		st->phys[form].hash = hash_mix(hash_bytes(buf_head(t),
		    buf_len(t)), hash_bytes(st->types.p, st->types.n));
	}
	*sql = slice_make(st->phys[form].sql, st->phys[form].n);
	*hash = st->phys[form].hash;
	return true;
}

/* The same, with the hash that names it on servers. */
static bool
statement_physical(struct session *s, struct statement *st,
    enum route_form form, struct slice *sql, struct hash128 *hash)
{
	uint64_t epoch = session_statement_epoch();

	if (!statement_text(s, st, form, sql, hash))
		return false;
	*hash = hash_mix(*hash, (struct hash128){ epoch, epoch });
	return true;
}

/* ---- choosing a backend -------------------------------------------------------------- */

struct choice {
	const struct conf_backend *backend; /* all agree on it so far */
	const struct conf_backend *wide;    /* variant backends agree */
	bool differ, wide_differ, any;
	const char *err_sqlstate, *err_message, *err_hint;
};

static void
choice_add(struct choice *c, const struct session *s, const struct query *q)
{
	const struct conf_backend *b = q->where.backend, *w = b;

	if (q->plan->err_sqlstate != NULL && c->err_sqlstate == NULL) {
		c->err_sqlstate = q->plan->err_sqlstate;
		c->err_message = q->plan->err_message;
		c->err_hint = q->plan->err_hint;
	}
	if (q->plan->table == NULL && q->shape->an->n_tables == 0 &&
	    (s->server != NULL || c->any))
		return; /* runs anywhere */
	if (q->where.variant != NULL)
		w = q->where.variant->backend;
	c->differ |= c->backend != NULL && c->backend != b;
	c->wide_differ |= c->wide != NULL && c->wide != w;
	c->backend = b;
	c->wide = w;
	c->any = q->shape->an->n_tables > 0 || q->plan->table != NULL;
}

/* Which form a statement takes on backend b; false: it cannot run there. */
static bool
form_on(const struct query *q, const struct conf_backend *b,
    enum route_form *form)
{
	const struct conf_variant *v = q->where.variant;
	size_t i;

	*form = FORM_ASIS;
	if (v == NULL)
		return q->shape->an->n_tables == 0 || q->where.backend == b;
	if (q->where.backend == b && (q->bind != NULL ||
	    q->where.form == FORM_SHARD)) {
		*form = q->where.form;
		return true;
	}
	*form = FORM_RELATION;
	if (v->backend == b || q->where.backend == b)
		return true;
	/* A Parse without values may be tried on any shard. */
	*form = FORM_SHARD;
	for (i = 0; i < v->n_shards && q->bind == NULL; i++)
		if (v->shards[i] == b)
			return true;
	return false;
}

/* ---- which statement each message means ----------------------------------------------- */

static void
pass_clear(struct session_worker *sw)
{
	while (sw->n_meant > 0)
		statement_unref(&sw->statements, &sw->meant[--sw->n_meant]);
	while (sw->n_changes > 0)
		statement_unref(&sw->statements,
		    &sw->changes[--sw->n_changes].st);
}

/* Room for one more element of an array that grows by doubling. */
static bool
pass_room(void *array, size_t n, size_t *size, size_t each)
{
	size_t more = *size == 0 ? 64 : *size * 2;
	void *p;

	if (n < *size)
		return true;
	p = realloc(*(void **)array, more * each);
	if (p == NULL)
		return false;
	*(void **)array = p;
	*size = more;
	return true;
}

static bool
meant_add(struct session_worker *sw, struct statement *st)
{
	if (!pass_room(&sw->meant, sw->n_meant, &sw->meant_size,
	    sizeof(sw->meant[0])))
		return false;
	sw->meant[sw->n_meant++] = st != NULL ? statement_ref(st) : NULL;
	return true;
}

static bool
change_add(struct session_worker *sw, struct slice name,
    struct statement *st)
{
	if (!pass_room(&sw->changes, sw->n_changes, &sw->changes_size,
	    sizeof(sw->changes[0])))
		return false;
	sw->changes[sw->n_changes++] = (struct name_change){ name,
		st != NULL ? statement_ref(st) : NULL };
	return true;
}

/* What a name means at this point of the unit. */
static struct statement *
pass_find(const struct session *s, struct slice name)
{
	const struct session_worker *sw = s->sw;
	size_t i;

	for (i = sw->n_changes; i > 0; i--)
		if (slice_eq(sw->changes[i - 1].name, name))
			return sw->changes[i - 1].st;
	return statements_find(&s->prepared, name);
}

/* The unit is going to a server: its changes of names take effect. */
static void
pass_commit(struct session *s)
{
	struct session_worker *sw = s->sw;
	struct name_change *c;
	size_t i;

	for (i = 0; i < sw->n_changes; i++) {
		c = &sw->changes[i];
		if (c->st == NULL)
			statements_remove(&s->prepared, &sw->statements,
			    c->name);
		else
			statements_set(&s->prepared, &sw->statements,
			    c->name, statement_ref(c->st));
	}
}

static bool
choose_parse(struct session *s, const struct frame *f, struct choice *c,
    bool *taken, struct statement **out)
{
	struct wire_parse parse;
	struct statement *st;
	struct query q;
	bool ok;

	if (!msgread_parse(f->p, f->body, &parse))
		return false;
	*taken = parse.name.n > 0 && pass_find(s, parse.name) != NULL;
	if (*taken)
		return true;
	st = session_statement(s, &parse);
	if (st == NULL)
		return false;
	query_prepare(s, &q, st->sql, st, NULL);
	/* Without values nothing is known of a shard. */
	if (q.where.variant == NULL || q.where.variant->n_shards == 0)
		choice_add(c, s, &q);
	*out = st;
	ok = meant_add(s->sw, st) && change_add(s->sw, parse.name, st);
	statement_unref(&s->sw->statements, &st);
	return ok;
}

/* Take one message of the first pass. last: a statement the unit is about. */
static bool
choose_message(struct session *s, const struct frame *f, struct choice *c,
    bool *taken, struct statement **last)
{
	struct statement *st = NULL;
	struct wire_bind bind;
	struct slice name;
	struct query q;

	if (f->type == 'P')
		return choose_parse(s, f, c, taken, last);
	if (f->type == 'B' && msgread_bind(f->p, f->body, &bind)) {
		st = pass_find(s, bind.statement);
		if (st != NULL) {
			query_prepare(s, &q, st->sql, st, &bind);
			choice_add(c, s, &q);
			*last = st;
		}
	} else if ((f->type == 'D' || f->type == 'C') && f->p[0] == 'S') {
		name = slice_make(f->p + 1, f->body - 2);
		st = pass_find(s, name);
		if (f->type == 'C' && st != NULL &&
		    !change_add(s->sw, name, NULL))
			return false;
		if (f->type == 'D' && st != NULL)
			*last = st;
	}
	return meant_add(s->sw, st);
}

/* First pass, in order: which statement each message means, what becomes of
 * names, which backend. Nothing of it lasts before pass_commit(), since the
 * unit may have to wait and will be looked at again. A refused Parse is told in
 * *taken. */
static bool
extended_choose(struct session *s, const struct unit *u, struct choice *c,
    bool *taken)
{
	struct statement *last = NULL;
	struct frame f;
	struct query q;
	size_t pos;

	memset(c, 0, sizeof(*c));
	for (pos = 0; pos < u->n && !*taken; pos += f.size) {
		CHECK(frame_next(u->p + pos, u->n - pos, UINT32_MAX,
		    &f) == FRAME_WHOLE);
		if (!choose_message(s, &f, c, taken, &last))
			return false;
	}
	if (c->backend == NULL && last != NULL && s->server == NULL) {
		query_prepare(s, &q, last->sql, last, NULL);
		choice_add(c, s, &q);
	}
	return true;
}

/* The backend for the whole unit; NULL: there is none. */
static const struct conf_backend *
choice_backend(const struct session *s, const struct choice *c)
{
	if (s->server != NULL && (c->backend == NULL ||
	    (!c->differ && c->backend == s->backend) ||
	    (!c->wide_differ && c->wide == s->backend)))
		return s->backend;
	if (c->backend == NULL)
		return s->db->backend;
	if (!c->differ)
		return c->backend;
	return c->wide_differ ? NULL : c->wide;
}

/* ---- writing ------------------------------------------------------------------------------ */

bool
session_preamble(struct session *s, struct buf *b)
{
	struct server *srv = s->server;
	const char *app = s->app_name != NULL ? s->app_name : "", *p;
	struct msgwrite w;
	struct buf t;
	bool ok = true, fresh = srv->tx == 'I' && ledger_empty(&srv->owed);

	msgwrite_init(&w, b);
	if (fresh && (srv->app_name == NULL || strcmp(srv->app_name, app) != 0)) {
		buf_init(&t, 4096);
		ok = buf_append(&t, "SET application_name = E'", 25);
		for (p = app; *p != '\0' && ok; p++)
			ok = (*p != '\'' && *p != '\\') ?
			    buf_append(&t, p, 1) :
			    buf_append(&t, "\\", 1) && buf_append(&t, p, 1);
		ok = ok && buf_append(&t, "'", 1);
		if (ok) {
			msgwrite_query(&w, slice_make(buf_head(&t),
			    buf_len(&t)));
			ok = server_owe(srv, OWED_QUERY, LEDGER_HIDE,
			    no_hash);
			srv->has_unnamed = false;
		}
		buf_reset(&t);
		free(srv->app_name);
		srv->app_name = x_strdup(app);
	}
	if (ok && s->held_begin != NULL) {
		msgwrite_query(&w, slice_str(s->held_begin));
		ok = server_owe(srv, OWED_QUERY, LEDGER_HIDE, no_hash);
		free(s->held_begin);
		s->held_begin = NULL;
		srv->has_unnamed = false;
	}
	/* The transaction failed before it had a server: let this one know. */
	if (ok && fresh && s->tx == 'E') {
		msgwrite_query(&w, SLICE_LIT("BEGIN"));
		msgwrite_query(&w, SLICE_LIT("pgsluice refused a statement"));
		ok = server_owe(srv, OWED_QUERY, LEDGER_HIDE, no_hash) &&
		    server_owe(srv, OWED_QUERY, LEDGER_HIDE | LEDGER_MUTE,
		    no_hash);
		srv->has_unnamed = false;
	}
	return ok && !w.failed;
}

static bool
write_parse(struct session *s, struct msgwrite *w, const char *name,
    struct slice sql, struct slice types, struct hash128 hash, unsigned flags)
{
	msgwrite_begin(w, 'P');
	msgwrite_str(w, name);
	msgwrite_slice(w, sql);
	msgwrite_u16(w, (uint16_t)(types.n / 4));
	msgwrite_bytes(w, types.p, types.n);
	msgwrite_end(w);
	stat_add(&session_metrics(s)->c.prepared_parses, 1);
	return server_owe(s->server, OWED_PARSE, flags, hash);
}

static bool
write_evictions(struct session *s, struct msgwrite *w)
{
	char name[PREPARED_NAME_LEN + 1];
	struct hash128 old;

	while (prepared_evict(&s->server->prepared,
	    (size_t)s->conf->max_server_prepared, &old)) {
		prepared_name(old, name);
		msgwrite_begin(w, 'C');
		msgwrite_u8(w, 'S');
		msgwrite_str(w, name);
		msgwrite_end(w);
		if (!server_owe(s->server, OWED_CLOSE, LEDGER_HIDE, no_hash))
			return false;
	}
	return true;
}

/* Make the server hold st in this form, under name (out). flags: of the Parse
 * if one is needed. *sent: it was. */
static bool
ensure_prepared(struct session *s, struct msgwrite *w, struct statement *st,
    bool unnamed, enum route_form form, unsigned flags, char *name,
    bool *sent)
{
	struct server *srv = s->server;
	struct hash128 hash;
	struct slice sql;

	*sent = false;
	*name = '\0';
	if (!statement_physical(s, st, form, &sql, &hash))
		return false;
	if (unnamed) {
		hash = hash_mix(hash, unnamed_mark);
		if (srv->has_unnamed && hash_eq(srv->unnamed, hash) &&
		    (flags & LEDGER_HIDE))
			return true;
		srv->has_unnamed = true;
		srv->unnamed = hash;
		*sent = true;
		return write_parse(s, w, "", sql, st->types, hash,
		    flags | LEDGER_UNNAMED);
	}
	prepared_name(hash, name);
	if (prepared_has(&srv->prepared, hash)) {
		stat_add(&session_metrics(s)->c.prepared_reuses, 1);
		return true;
	}
	prepared_add(&srv->prepared, hash);
	*sent = true;
	return write_parse(s, w, name, sql, st->types, hash, flags) &&
	    write_evictions(s, w);
}

static bool
write_raw(struct session *s, struct msgwrite *w, const struct frame *f,
    enum owed kind)
{
	msgwrite_raw(w, f->p - 5, f->size);
	return kind == OWED_COUNT || server_owe(s->server, kind, 0, no_hash);
}

/* Remember the client's name for the Parse to be entered next. */
static void
parsing_add(struct session *s, struct slice name, struct hash128 hash)
{
	struct parsing *p = x_calloc(1, sizeof(*p) + name.n + 1);

	p->hash = hash;
	memcpy(p->name, name.p, name.n);
	TAILQ_INSERT_TAIL(&s->parsing, p, link);
}

static bool
extended_parse(struct session *s, struct msgwrite *w, const struct frame *f,
    struct statement *st)
{
	char name[PREPARED_NAME_LEN + 1];
	struct wire_parse p;
	enum route_form form;
	struct hash128 hash;
	struct slice sql;
	struct query q;
	bool sent;

	if (!msgread_parse(f->p, f->body, &p))
		return false;
	query_prepare(s, &q, st->sql, st, NULL);
	if (!form_on(&q, s->backend, &form))
		form = FORM_ASIS;
	query_remember(s, st->sql, form);
	if (p.name.n > 0) {
		if (!statement_physical(s, st, form, &sql, &hash))
			return false;
		if (!prepared_has(&s->server->prepared, hash))
			parsing_add(s, p.name, hash);
	}
	if (!ensure_prepared(s, w, st, p.name.n == 0, form, 0, name, &sent))
		return false;
	return sent || server_owe_synth(s->server, "1\0\0\0\4", 5);
}

static bool
extended_bind(struct session *s, struct msgwrite *w, const struct frame *f,
    struct statement *st, struct query *known)
{
	char name[PREPARED_NAME_LEN + 1];
	enum route_form form;
	struct wire_bind b;
	struct query q;
	bool sent;

	if (!msgread_bind(f->p, f->body, &b))
		return false;
	if (st == NULL) {
		/* Perhaps one of SQL's PREPARE: it may do anything. */
		s->writes.any = s->writes.all = true;
		s->tx_dirty = true;
		/* Let the server say what it says; ours must not be there. */
		if (b.statement.n == 0 && s->server->has_unnamed) {
			msgwrite_raw(w, "C\0\0\0\6S\0", 7);
			s->server->has_unnamed = false;
			if (!server_owe(s->server, OWED_CLOSE, LEDGER_HIDE,
			    no_hash))
				return false;
		}
		return write_raw(s, w, f, OWED_BIND);
	}
	if (known != NULL)
		q = *known;
	else
		query_prepare(s, &q, st->sql, st, &b);
	query_note(s, &q);
	s->series = query_series(s, &q, s->backend, s->fill != NULL ?
	    OUT_MISS : OUT_BYPASS);
	if (!form_on(&q, s->backend, &form))
		form = FORM_ASIS;
	query_remember(s, st->sql, form);
	if (!ensure_prepared(s, w, st, b.statement.n == 0, form,
	    LEDGER_HIDE, name, &sent))
		return false;
	if (b.statement.n == 0)
		return write_raw(s, w, f, OWED_BIND);
	msgwrite_begin(w, 'B');
	msgwrite_slice(w, b.portal);
	msgwrite_str(w, name);
	msgwrite_bytes(w, b.rest.p, b.rest.n);
	msgwrite_end(w);
	return server_owe(s->server, OWED_BIND, 0, no_hash);
}

static bool
extended_describe(struct session *s, struct msgwrite *w,
    const struct frame *f, struct statement *st)
{
	char name[PREPARED_NAME_LEN + 1];
	struct slice client = slice_make(f->p + 1, f->body - 2);
	enum route_form form;
	struct query q;
	bool sent;

	if (f->p[0] == 'P')
		return write_raw(s, w, f, OWED_DESCRIBE_P);
	if (st == NULL)
		return write_raw(s, w, f, OWED_DESCRIBE_S);
	query_prepare(s, &q, st->sql, st, NULL);
	if (!form_on(&q, s->backend, &form))
		form = FORM_ASIS;
	query_remember(s, st->sql, form);
	if (!ensure_prepared(s, w, st, client.n == 0, form, LEDGER_HIDE,
	    name, &sent))
		return false;
	msgwrite_begin(w, 'D');
	msgwrite_u8(w, 'S');
	msgwrite_str(w, name);
	msgwrite_end(w);
	return server_owe(s->server, OWED_DESCRIBE_S, 0, no_hash);
}

static bool
extended_close(struct session *s, struct msgwrite *w, const struct frame *f,
    const struct statement *st)
{
	if (f->p[0] == 'P')
		return write_raw(s, w, f, OWED_CLOSE);
	if (f->body == 2) {
		s->server->has_unnamed = false;
		return write_raw(s, w, f, OWED_CLOSE);
	}
	/* The server's copy is shared and stays. */
	return st != NULL ? server_owe_synth(s->server, "3\0\0\0\4", 5) :
	    write_raw(s, w, f, OWED_CLOSE);
}

static bool
extended_message(struct session *s, struct msgwrite *w, const struct frame *f,
    struct statement *st, struct query *q)
{
	switch (f->type) {
	case 'P':
		return extended_parse(s, w, f, st);
	case 'B':
		return extended_bind(s, w, f, st, q);
	case 'D':
		return extended_describe(s, w, f, st);
	case 'C':
		return extended_close(s, w, f, st);
	case 'E':
		return write_raw(s, w, f, OWED_EXECUTE);
	case 'S':
		s->open_unit = false;
		return write_raw(s, w, f, OWED_SYNC);
	default: /* H */
		return write_raw(s, w, f, OWED_COUNT);
	}
}

/* Second pass, on the leased server. q: of the one statement that all messages
 * mean; NULL: see session_worker.meant. */
static enum unit_result
extended_send(struct session *s, const struct unit *u, struct query *q)
{
	struct buf *b = &s->sw->compose;
	struct iovec iov;
	struct msgwrite w;
	struct frame f;
	size_t pos, i = 0;

	buf_consume(b, buf_len(b));
	if (!session_preamble(s, b))
		goto fail;
	/* A reply of our own may go out before anything is sent: the session
	 * must be seen as relaying by then. */
	session_enter(s, SESSION_RELAY);
	s->open_unit = true;
	msgwrite_init(&w, b);
	for (pos = 0; pos < u->n; pos += f.size) {
		CHECK(frame_next(u->p + pos, u->n - pos, UINT32_MAX,
		    &f) == FRAME_WHOLE);
		if (!extended_message(s, &w, &f, q != NULL ? q->stmt :
		    s->sw->meant[i], q) || w.failed)
			goto fail;
		i++;
		if (s->state == SESSION_CLOSED)
			return UNIT_CLOSED;
	}
	iov.iov_base = buf_head(b);
	iov.iov_len = buf_len(b);
	if (iov.iov_len > 0)
		(void)!server_send(s->server, &iov, 1);
	if (stream_backlog(&s->server->st) > STREAM_HIGH_WATER)
		stream_read_stop(&s->st);
	return UNIT_DONE;
fail:
	if (s->state != SESSION_CLOSED)
		session_close(s, CLOSE_MEMORY, NULL);
	return UNIT_CLOSED;
}

/* Parse of statements that the pool's servers are known to accept, and Sync:
 * needs no server now. (A driver may send it while its other connections hold
 * the whole pool and wait for this answer.) */
static bool
extended_known(struct session *s, const struct unit *u)
{
	struct statement *st;
	struct hash128 hash;
	struct pool *pool;
	struct slice sql;
	struct query q;
	size_t pos, i = 0;

	if (s->server != NULL || s->tx == 'E' || u->last != 'S' ||
	    u->has_bind)
		return false;
	for (pos = 0; u->p[pos] == 'P'; pos += 1 + wire_u32(u->p + pos + 1)) {
		st = s->sw->meant[i++];
		query_prepare(s, &q, st->sql, st, NULL);
		pool = session_pool(s, q.where.backend);
		if (u->p[pos + 5] == '\0' || q.plan->err_sqlstate != NULL ||
		    pool == NULL || !statement_physical(s, st, q.where.form,
		    &sql, &hash) || !pool_knows(pool, hash))
			return false;
	}
	return i > 0 && u->p[pos] == 'S';
}

static void
extended_answer_known(struct session *s, const struct unit *u)
{
	struct buf b;
	size_t pos;

	pass_commit(s);
	buf_init(&b, u->n + 64);
	for (pos = 0; u->p[pos] == 'P'; pos += 1 + wire_u32(u->p + pos + 1))
		CHECK(buf_append(&b, "1\0\0\0\4", 5));
	session_reply(s, u, slice_make(buf_head(&b), buf_len(&b)), s->tx);
	buf_reset(&b);
}

/* A unit whose messages have been looked at, see extended_choose(). */
static enum unit_result
extended_run(struct session *s, struct unit *u, const struct choice *c,
    bool taken)
{
	const struct conf_backend *b = choice_backend(s, c);
	bool relaying = s->state == SESSION_RELAY;
	enum unit_result r;

	if (relaying && (taken || c->err_sqlstate != NULL ||
	    b != s->backend)) {
		if (!s->open_unit)
			return UNIT_WAIT;
		session_close(s, CLOSE_PROTOCOL,
		    "a pipeline without Sync must stay on one backend");
		return UNIT_CLOSED;
	}
	if (taken) {
		session_unit_error(s, u, "42P05",
		    "prepared statement already exists", NULL, NULL);
		return UNIT_WAIT;
	}
	if (s->tx != 'E' && (c->err_sqlstate != NULL || b == NULL)) {
		session_unit_error(s, u, b == NULL ? "0A000" :
		    c->err_sqlstate, b == NULL ? "statements of one pipeline "
		    "need different backends" : c->err_message, NULL,
		    b == NULL ? "Send Sync between them." : c->err_hint);
		return UNIT_WAIT;
	}
	if (s->tx == 'E')
		b = s->server != NULL ? s->backend : s->db->backend;
	if (!relaying && !taken && extended_known(s, u)) {
		extended_answer_known(s, u);
		return UNIT_DONE;
	}
	if (!relaying) {
		r = session_acquire(s, u, b);
		if (r != UNIT_DONE)
			return r;
	}
	stat_add(&session_metrics(s)->bypass[relaying ? BYPASS_PIPELINED :
	    BYPASS_PROTOCOL], u->executes);
	pass_commit(s);
	return extended_send(s, u, NULL);
}

void
session_extended_define(struct session *s, const struct unit *u)
{
	bool taken = false, midway = s->sw->n_meant > 0;
	struct choice c;

	if (midway || extended_choose(s, u, &c, &taken))
		pass_commit(s);
	pass_clear(s->sw);
}

enum unit_result
session_extended(struct session *s, struct unit *u, struct query *q)
{
	enum unit_result r = UNIT_CLOSED;
	bool taken = false;
	struct choice c;

	if (q != NULL && s->server != NULL && s->backend == q->where.backend)
		return extended_send(s, u, q);
	if (extended_choose(s, u, &c, &taken))
		r = extended_run(s, u, &c, taken);
	else if (s->state != SESSION_CLOSED)
		session_close(s, CLOSE_MEMORY, NULL);
	pass_clear(s->sw);
	return r;
}
