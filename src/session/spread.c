/* SPDX-License-Identifier: PostgreSQL
 *
 * The course of a write that is spread over several shards: whom to ask, when to
 * commit, how to undo.
 *
 * A part that fails takes all others along: they are rolled back before the client is
 * told, so that what it does next finds nothing of it.  Runs on the session's
 * worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pgwire/msgread.h"
#include "session/fill.h"
#include "session/spread_priv.h"

#define PARTS_MAX CONF_MAX_SHARDS

static const struct hash128 no_hash;
static const struct part_owner spread_owner;
static void spread_step(struct spread *x);

/* ---- life --------------------------------------------------------------------- */

static void
spread_end(struct session *s)
{
	struct spread *x = s->spread;
	size_t i;

	s->spread = NULL;
	for (i = 0; i <= x->n_parts; i++) {
		struct spread_part *p = &x->part[i];

		/* What becomes of its COMMIT nobody will be told. */
		part_drop(&p->base, x->phase == SPREAD_COMMITTING ?
		    session_orphan(s) : NULL);
		buf_reset(&p->out);
		free(p->lines);
	}
	for (i = 0; i < x->n_columns; i++)
		free(x->columns[i]);
	free(x->columns);
	copy_spec_free(&x->spec);
	if (x->stmt != NULL)
		statement_unref(&s->sw->statements, &x->stmt);
	free(x->sql);
	buf_reset(&x->error);
	buf_reset(&x->pending);
	buf_reset(&x->scratch);
	free(x);
}

void
spread_drop(struct session *s)
{
	if (s->spread == NULL)
		return;
	if (s->spread->phase == SPREAD_COMMITTING)
		session_write_bump(s, false);
	spread_end(s);
}

/* The shards in the order of their backends' numbers. false: two of them are on
 * one backend. */
static bool
spread_order(const struct conf_variant *v, const struct conf_shard **of)
{
	size_t n = 0, k;

	for (size_t i = 0; i < v->n_shards; i++) {
		const struct conf_shard *sh = &v->shards[i];

		for (k = n; k > 0 && of[k - 1]->backend->id > sh->backend->id;
		     k--)
			;
		if (k > 0 && of[k - 1]->backend == sh->backend)
			return false;
		memmove(&of[k + 1], &of[k], (n - k) * sizeof(*of));
		of[k] = sh;
		n++;
	}
	return true;
}

static struct spread *
spread_make(struct session *s, const struct query *q)
{
	const struct conf_variant *v = q->plan->variant;
	const struct conf_shard *of[PARTS_MAX + 1];
	struct spread *x;
	size_t i;

	if (!spread_order(v, of))
		return NULL;
	x = calloc(1, sizeof(*x) + (v->n_shards + 1) * sizeof(x->part[0]));
	if (x == NULL)
		return NULL;
	x->s = s;
	x->n_parts = v->n_shards;
	x->table = q->plan->table;
	x->sql = x_strndup(q->sql.p, q->sql.n);
	for (i = 0; i < x->n_parts; i++) {
		part_init(&x->part[i].base, s, &spread_owner, x,
		    of[i]->backend);
		x->part[i].form = FORM_OF(of[i]->relation);
		buf_init(&x->part[i].out, 128u * 1024 * 1024);
		x->part[i].lines = x_calloc(SPREAD_LINES,
		    sizeof(struct spread_line));
	}
	part_init(&x->part[i].base, s, &spread_owner, x, v->backend);
	buf_init(&x->part[i].out, 4096);
	buf_init(&x->error, 1024 * 1024 + 4096);
	buf_init(&x->pending, 64u * 1024 * 1024);
	buf_init(&x->scratch, 64u * 1024 * 1024);
	return x;
}

/* ---- what servers are told --------------------------------------------------------- */

/* A query outside of a lease's beginning. */
static void
spread_tell(struct spread_part *p, struct slice sql)
{
	struct buf *b = &p->base.s->sw->compose;
	struct msgwrite w;

	buf_consume(b, buf_len(b));
	msgwrite_init(&w, b);
	msgwrite_query(&w, sql);
	if (w.failed || !server_owe(p->base.server, OWED_QUERY, 0, no_hash))
		p->base.server->doomed = true;
	else
		part_send(&p->base, b);
}

/* The end of the data, or that there will be none. */
static void
spread_end_copy(struct spread_part *p, bool good)
{
	struct server *srv = p->base.server;
	struct buf *b = &p->base.s->sw->compose;
	struct msgwrite w;

	buf_consume(b, buf_len(b));
	msgwrite_init(&w, b);
	msgwrite_begin(&w, good ? 'c' : 'f');
	if (!good)
		msgwrite_str(&w, "the COPY has failed elsewhere");
	msgwrite_end(&w);
	p->open = false;
	srv->owed.copy_in = false;
	srv->owed.copy_over = true;
	part_send(&p->base, b);
	if (good)
		spread_tell(p, SLICE_LIT("SET CONSTRAINTS ALL IMMEDIATE"));
}

static bool
spread_compose(struct part *base, struct msgwrite *w)
{
	struct spread_part *p = (struct spread_part *)(void *)base;
	struct spread *x = base->of;
	struct buf *t = &base->s->sw->text;

	buf_consume(t, buf_len(t));
	if (x->phase == SPREAD_COLUMNS) {
		const struct conf_variant *v = x->table->use;

		if (!spread_ask_columns(v->relations[0].sql, t))
			return false;
	} else {
		msgwrite_query(w, SLICE_LIT("BEGIN"));
		if (!spread_copy_text(p, t) ||
		    !server_owe(base->server, OWED_QUERY, 0, no_hash))
			return false;
	}
	msgwrite_query(w, slice_make(buf_head(t), buf_len(t)));
	return server_owe(base->server, OWED_QUERY, 0, no_hash);
}

/* ---- the end of a unit ------------------------------------------------------------ */

/* What is left of the unit, if rows were not yet taken, goes with its answer. */
static void
spread_answered(struct spread *x)
{
	struct session *s = x->s;
	size_t n = s->unit_len;
	struct unit u = { .first = x->stmt != NULL ? 'B' : 'Q' };

	if (s->state == SESSION_CLOSED)
		return;
	if (!x->taken)
		CHECK(unit_read(&u, buf_head(&s->in), n));
	session_unit_done(s, &u, x->stmt);
	s->body_left = x->left;
	s->body_drop = true;
	spread_end(s);
	s->unit_len = 0;
	s->granted = s->no_cache = s->no_gather = false;
	session_enter(s, SESSION_IDLE);
	buf_consume(&s->in, n);
	if (s->sw->draining)
		session_close(s, CLOSE_SHUTDOWN, NULL);
	else
		session_pump(s);
}

static void
spread_again(struct spread *x)
{
	struct session *s = x->s;

	spread_end(s);
	s->no_gather = true;
	session_enter(s, SESSION_IDLE);
	session_pump(s);
}

/* Some shards have committed, others cannot be asked any more. */
static void
spread_tell_doubt(struct spread *x, struct msgwrite *w)
{
	char detail[2000];
	size_t n, i;

	n = (size_t)snprintf(detail, sizeof(detail), "Committed on:");
	for (i = 0; i < x->n_parts && n < sizeof(detail); i++)
		if (x->part[i].committed)
			n += (size_t)snprintf(detail + n, sizeof(detail) - n,
			    " %s", x->part[i].base.backend->name);
	if (n < sizeof(detail))
		n += (size_t)snprintf(detail + n, sizeof(detail) - n,
		    "; not known of:");
	for (i = 0; i < x->n_parts && n < sizeof(detail); i++)
		if (!x->part[i].committed)
			n += (size_t)snprintf(detail + n, sizeof(detail) - n,
			    " %s", x->part[i].base.backend->name);
	log_warn("session", "msg=\"a write over several shards is in doubt\" "
	    "table=%s detail=%s", log_escs(x->table->name),
	    log_escs(detail));
	msgwrite_error(w, "ERROR", "40003", "the write was committed on some "
	    "shards only", detail, "Look there before it is repeated.");
}

static void
spread_tell_end(struct spread *x)
{
	struct msgwrite w;
	char tag[40];
	struct buf b;
	size_t i, done = 0;

	for (i = 0; i < x->n_parts; i++)
		done += x->part[i].committed;
	buf_init(&b, 16 * 1024);
	msgwrite_init(&w, &b);
	if (done == x->n_parts) {
		snprintf(tag, sizeof(tag), "COPY %llu",
		    (unsigned long long)x->copied);
		msgwrite_complete(&w, tag);
	} else if (done > 0) {
		spread_tell_doubt(x, &w);
	} else {
		session_send(x->s, buf_head(&x->error), buf_len(&x->error));
	}
	/* The Sync of a unit of extended messages was read as one of the data;
	 * another one follows them. */
	if (x->stmt == NULL || !x->taken)
		msgwrite_ready(&w, x->s->tx);
	else
		x->s->skip_to_sync = done != x->n_parts;
	CHECK(!w.failed);
	session_send(x->s, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}

static void
spread_finish(struct spread *x)
{
	if (x->refused) {
		spread_again(x);
		return;
	}
	if (x->phase == SPREAD_COMMITTING)
		session_write_bump(x->s, true);
	else
		memset(&x->s->writes, 0, sizeof(x->s->writes));
	spread_tell_end(x);
	spread_answered(x);
}

/* ---- going on ----------------------------------------------------------------------- */

static bool
spread_all(const struct spread *x, bool (*is)(const struct spread_part *p))
{
	size_t i;

	for (i = 0; i < x->n_parts; i++)
		if (!is(&x->part[i]))
			return false;
	return true;
}

static bool
part_is_open(const struct spread_part *p)
{
	return p->open;
}

static bool
part_is_loaded(const struct spread_part *p)
{
	return p->loaded;
}

/* None has a server, or waits for one. */
static bool
spread_is_quiet(const struct spread *x)
{
	size_t i;

	for (i = 0; i <= x->n_parts; i++)
		if (x->part[i].base.server != NULL ||
		    part_waits(&x->part[i].base))
			return false;
	return true;
}

/* The unit is taken: what follows is data. */
static void
spread_take_data(struct spread *x)
{
	struct session *s = x->s;
	size_t n = s->unit_len;
	struct unit u;

	CHECK(unit_read(&u, buf_head(&s->in), n));
	x->phase = SPREAD_COPYING;
	x->taken = true;
	if (u.has_parse)
		statements_set(&s->prepared, &s->sw->statements,
		    u.parse.name, statement_ref(x->stmt));
	spread_invite(x, &u);
	if (s->state == SESSION_CLOSED)
		return;
	s->unit_len = 0;
	session_enter(s, SESSION_SPREAD_COPY);
	buf_consume(&s->in, n);
	session_pump(s);
}

static void
spread_commit(struct spread *x)
{
	size_t i;

	x->phase = SPREAD_COMMITTING;
	for (i = 0; i < x->n_parts; i++) {
		x->part[i].ending = true;
		spread_tell(&x->part[i], SLICE_LIT("COMMIT"));
	}
}

/* The columns have come; they are those of the data. */
static void
spread_columns_known(struct spread *x)
{
	x->phase = SPREAD_OPENING;
	if (!spread_find_keys(x))
		x->refused = true;
}

static void
spread_step(struct spread *x)
{
	if (x->phase == SPREAD_COLUMNS && x->part[x->n_parts].base.over &&
	    !spread_failing(x))
		spread_columns_known(x);
	while (x->phase == SPREAD_OPENING && !spread_failing(x) &&
	    x->started < x->n_parts && (x->started == 0 ||
	    !part_waits(&x->part[x->started - 1].base)))
		part_lease(&x->part[x->started++].base);
	if (x->beginning)
		return;
	if (spread_failing(x) || x->phase == SPREAD_COMMITTING) {
		if (spread_is_quiet(x))
			spread_finish(x);
	} else if (x->phase == SPREAD_OPENING && spread_all(x, part_is_open)) {
		spread_take_data(x);
	} else if (x->phase == SPREAD_LOADING &&
	    spread_all(x, part_is_loaded)) {
		spread_commit(x);
	}
}

void
spread_data_over(struct spread *x)
{
	struct session *s = x->s;
	size_t i;

	x->phase = SPREAD_LOADING;
	session_enter(s, SESSION_SPREAD_WAIT);
	for (i = 0; i < x->n_parts && !spread_failing(x); i++)
		spread_end_copy(&x->part[i], true);
	spread_step(x);
}

/* ---- failing ---------------------------------------------------------------------------- */

/* What runs is ended, what has been done is undone. */
static void
spread_undo(struct spread_part *p)
{
	struct part *b = &p->base;

	if (p->ending)
		return;
	if (b->server == NULL) {
		if (part_waits(b))
			part_cancel(b);
	} else if (p->open) {
		spread_end_copy(p, false);
	} else if (ledger_empty(&b->server->owed)) {
		p->ending = true;
		spread_tell(p, SLICE_LIT("ROLLBACK"));
	} else if (!b->server->owed.copy_in) {
		server_cancel(b->server);
	}
}

static void
spread_stop(struct spread *x)
{
	size_t i;

	if (x->phase == SPREAD_COMMITTING)
		return;
	for (i = 0; i <= x->n_parts; i++)
		spread_undo(&x->part[i]);
}

/* Where in the data, as PostgreSQL says it. */
static void
spread_context(const struct spread *x, uint64_t line, char *out, size_t size)
{
	snprintf(out, size, "COPY %s, line %llu", x->table->rel,
	    (unsigned long long)line);
}

void
spread_fail(struct spread *x, const char *sqlstate, const char *message,
    uint64_t line)
{
	char context[300];
	struct msgwrite w;

	if (spread_failing(x))
		return;
	msgwrite_init(&w, &x->error);
	msgwrite_begin(&w, 'E');
	msgwrite_bytes(&w, "SERROR\0VERROR\0C", 15);
	msgwrite_str(&w, sqlstate);
	msgwrite_u8(&w, 'M');
	msgwrite_str(&w, message);
	if (line > 0) {
		spread_context(x, line, context, sizeof(context));
		msgwrite_u8(&w, 'W');
		msgwrite_str(&w, context);
	}
	msgwrite_u8(&w, 0);
	msgwrite_end(&w);
	CHECK(!w.failed);
	spread_stop(x);
}

/* The number of a line in "COPY rel, line 7, column x", which may stand behind what the
 * value's type has to say; NULL: there is none. */
static const char *
spread_line_in(const char *text)
{
	const char *at = text, *line;

	while (strncmp(at, "COPY ", 5) != 0) {
		at = strchr(at, '\n');
		if (at == NULL)
			return NULL;
		at++;
	}
	line = strstr(at, ", line ");
	return line != NULL ? line + 7 : NULL;
}

/* With the client's line. */
static void
spread_put_context(const struct spread_part *p, struct msgwrite *w,
    const char *text)
{
	const char *at = spread_line_in(text);
	char number[24], *end = NULL;
	uint64_t here = 0;

	if (at != NULL)
		here = spread_line_here(p, strtoull(at, &end, 10));
	if (here == 0) {
		msgwrite_str(w, text);
		return;
	}
	msgwrite_bytes(w, text, (size_t)(at - text));
	snprintf(number, sizeof(number), "%llu", (unsigned long long)here);
	msgwrite_bytes(w, number, strlen(number));
	msgwrite_str(w, end);
}

/* The server's words, as an error of the statement; positions would be those of
 * another text. */
static void
spread_take_error(struct spread_part *p, const char *body, size_t n)
{
	struct spread *x = p->base.of;
	const char *at = body, *end = body + n, *value;
	struct msgwrite w;

	msgwrite_init(&w, &x->error);
	msgwrite_begin(&w, 'E');
	for (; at < end && *at != '\0'; at = value + strlen(value) + 1) {
		value = at + 1;
		if (*at == 'P')
			continue;
		msgwrite_u8(&w, (uint8_t)*at);
		if (*at == 'W')
			spread_put_context(p, &w, value);
		else
			msgwrite_str(&w, *at == 'S' || *at == 'V' ? "ERROR" :
			    value);
	}
	msgwrite_u8(&w, 0);
	msgwrite_end(&w);
	if (!w.failed)
		return;
	buf_reset(&x->error);
	spread_fail(x, "54000", "a shard's error is too long", 0);
}

/* Before the client was invited to send, the coordinator may know better. */
static bool
spread_may_refuse(const struct spread *x, struct slice sqlstate)
{
	static const char *const classes[] = { "08", "53", "57", "58", "XX" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(classes) && sqlstate.n == 5; i++)
		if (memcmp(sqlstate.p, classes[i], 2) == 0)
			return false;
	return x->phase <= SPREAD_OPENING;
}

/* ---- part_owner ------------------------------------------------------------------------- */

static void
spread_on_error(struct part *base, const char *body, size_t n)
{
	struct spread_part *p = (struct spread_part *)(void *)base;
	struct spread *x = base->of;
	struct wire_error e;

	p->open = false;
	if (spread_failing(x))
		return;
	if (!msgread_error(body, n, &e))
		spread_fail(x, "XX000", "a shard sent a malformed error", 0);
	else if (spread_may_refuse(x, e.sqlstate))
		x->refused = true;
	else
		spread_take_error(p, body, n);
	spread_stop(x);
}

static void
spread_on_broken(struct part *p, const char *sqlstate, const char *message)
{
	spread_fail(p->of, sqlstate, message, 0);
}

static bool
spread_on_failing(const struct part *p)
{
	return spread_failing(p->of);
}

static void
spread_on_input(struct part *base, const char *data, size_t n)
{
	struct spread_part *p = (struct spread_part *)(void *)base;
	struct spread *x = base->of;
	struct frame f;
	size_t pos;

	for (pos = 0; pos < n; pos += f.size) {
		if (frame_next(data + pos, n - pos, UINT32_MAX, &f) !=
		    FRAME_WHOLE)
			return;
		if (f.type == 'D' && x->phase == SPREAD_COLUMNS)
			spread_add_column(x, f.p, f.body);
		else if (f.type == 'C' && f.body > 5 &&
		    memcmp(f.p, "COPY ", 5) == 0)
			x->copied += strtoull(f.p + 5, NULL, 10);
		else if (f.type == 'C' && p->ending)
			p->committed = f.body == 7 &&
			    memcmp(f.p, "COMMIT", 7) == 0;
	}
}

static void
spread_on_copy_in(struct part *base)
{
	struct spread_part *p = (struct spread_part *)(void *)base;
	struct spread *x = base->of;

	p->open = true;
	if (spread_failing(x))
		spread_undo(p);
	else
		spread_step(x);
}

static bool
spread_on_ready(struct part *base, char status)
{
	struct spread_part *p = (struct spread_part *)(void *)base;
	struct spread *x = base->of;

	if (status == 'I')
		return true;
	if (p->ending || x->phase == SPREAD_COMMITTING)
		return false;
	if (status == 'E' || spread_failing(x)) {
		p->ending = true;
		spread_tell(p, SLICE_LIT("ROLLBACK"));
		return false;
	}
	p->loaded = true;
	return false;
}

static void
spread_on_step(struct part *p)
{
	spread_step(p->of);
}

/* It takes more: so may the client send. */
static void
spread_on_drained(struct part *p)
{
	struct session *s = p->s;

	if (s->partial_since != 0)
		s->partial_since = clock_mono();
	if (s->state == SESSION_SPREAD_COPY && !spread_is_full(s))
		stream_read_start(&s->st);
}

static const struct part_owner spread_owner = {
	.compose = spread_compose,
	.input = spread_on_input,
	.failed = spread_on_error,
	.broken = spread_on_broken,
	.failing = spread_on_failing,
	.copy_in = spread_on_copy_in,
	.drained = spread_on_drained,
	.ready = spread_on_ready,
	.step = spread_on_step,
};

/* ---- from the session ---------------------------------------------------------------------- */

/* Bytes of its data mean the same everywhere, and nothing ties it to a server. */
static bool
spread_is_free(struct session *s)
{
	const struct scope *scope = settings_scope(s);

	return s->server == NULL && s->tx == 'I' && s->held_begin == NULL &&
	    !s->open_unit && !s->granted && !s->no_gather &&
	    !session_is_pinned(s) && s->hidden == 0 &&
	    s->db->pool_mode == POOL_MODE_TRANSACTION && scope != NULL &&
	    !scope->recoded && !scope->ascii_tails && !s->other_encoding;
}

/* The key alone says where a row belongs, and every shard takes it as the whole
 * table would. */
static bool
spread_is_direct(const struct conf_variant *v)
{
	size_t i;

	for (i = 0; i < v->n_shards; i++)
		if (v->shards[i].no_read != NULL ||
		    v->shards[i].no_write != NULL)
			return false;
	return v->n_shards > 0 && v->n_periods == 0;
}

static bool
spread_may(const struct query *q)
{
	const struct analysis *a = q->shape->an;
	const struct route_plan *p = q->plan;

	return a->kind == STMT_COPY_IN && p->table != NULL &&
	    p->variant->kind == VARIANT_SHARDED &&
	    spread_is_direct(p->variant) && p->table->n_keys > 0 && a->n_tables == 1 && a->pins == 0 &&
	    !(a->flags & (AN_MULTI | AN_UNKNOWN_FN | AN_SUBLINK |
	    AN_VOLATILE | AN_EXPLAIN_ROUTE));
}

bool
spread_begin(struct session *s, const struct unit *u, const struct query *q,
    enum unit_result *r)
{
	struct copy_spec *spec;
	struct spread *x;
	size_t i;

	if ((u->first != 'Q' && (!u->canonical || u->bind.n_params > 0)) ||
	    u->rest > 0 || !spread_may(q) || !spread_is_free(s))
		return false;
	spec = copy_spec_new(q->sql);
	if (spec == NULL)
		return false;
	x = spread_make(s, q);
	if (x == NULL) {
		copy_spec_free(&spec);
		return false;
	}
	x->spec = spec;
	x->stmt = q->stmt != NULL ? statement_ref(q->stmt) : NULL;
	x->phase = spec->n_columns == 0 ? SPREAD_COLUMNS : SPREAD_OPENING;
	if (spec->n_columns > 0)
		x->columns = x_calloc(spec->n_columns,
		    sizeof(*x->columns));
	for (i = 0; i < spec->n_columns; i++)
		x->columns[x->n_columns++] = x_strdup(spec->columns[i]);
	s->spread = x;
	if (spec->n_columns > 0 && !spread_find_keys(x)) {
		spread_end(s);
		return false;
	}
	query_note(s, q);
	s->series = query_series(s, q, q->where.backend, OUT_BYPASS);
	stat_add(&session_metrics(s)->c.spreads, 1);
	session_enter(s, SESSION_SPREAD_WAIT);
	x->beginning = true;
	if (x->phase == SPREAD_COLUMNS)
		part_lease(&x->part[x->n_parts].base);
	spread_step(x);
	x->beginning = false;
	*r = UNIT_WAIT;
	if (!spread_failing(x) || !spread_is_quiet(x))
		return true;
	memset(&s->writes, 0, sizeof(s->writes));
	spread_tell_end(x);
	*r = UNIT_CLOSED;
	if (s->state == SESSION_CLOSED)
		return true;
	spread_end(s);
	session_enter(s, SESSION_IDLE);
	*r = UNIT_DONE;
	return true;
}

bool
spread_is_full(const struct session *s)
{
	const struct spread *x = s->spread;
	size_t i;

	for (i = 0; x != NULL && i < x->n_parts; i++)
		if (x->part[i].base.server != NULL && stream_backlog(
		    &x->part[i].base.server->st) > STREAM_HIGH_WATER)
			return true;
	return false;
}

void
spread_cancel(struct session *s)
{
	spread_fail(s->spread, "57014",
	    "canceling statement due to user request", 0);
	spread_step(s->spread);
}

void
spread_tick(struct session *s, nsec_t now)
{
	struct spread *x = s->spread;
	const struct part *p = x->phase == SPREAD_COLUMNS ?
	    &x->part[x->n_parts].base : x->started == 0 ? NULL :
	    &x->part[x->started - 1].base;

	if (p == NULL || !part_waits(p) || s->conf->query_wait_timeout == 0 ||
	    now - p->waiter.since <= s->conf->query_wait_timeout)
		return;
	stat_add(&session_metrics(s)->c.wait_timeouts, 1);
	spread_fail(x, "53300", "no server became free within "
	    "query_wait_timeout", 0);
	spread_step(x);
}
