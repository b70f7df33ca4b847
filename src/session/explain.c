/* SPDX-License-Identifier: PostgreSQL
 *
 * EXPLAIN (ROUTE), and EXPLAIN (ROUTE, ANALYZE), which runs the statement.
 *
 * Of what the client would be told, errors, notices and what comes by itself
 * pass; ReadyForQuery ends it, and the lines go before.  What has been run is
 * kept until the next unit begins, since the unit may still be at work when its
 * answer is out.  Runs on the session's worker.
 */
#include "session/trial.h"
#include "session/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgwire/msgwrite.h"
#include "session/fill.h"
#include "session/measure.h"

#define EXPLAIN_LINES_MAX (1024u * 1024) /* known before it runs */

struct explaining {
	struct buf lines;        /* rows of those known before it runs */
	struct measure servers;
	char cached[100];        /* what the cache would have done */
	struct statement *prepared, *inner; /* referenced; NULL: a Query */
	bool has_parse, has_bind, described; /* of the unit */
	bool over;               /* the client has its answer */
	bool failed;             /* ... and it was an error */
	size_t left;             /* bytes of a message that is half here */
	bool passes;             /* ... and is the client's */
	uint64_t rows, bytes;    /* that the client would have got */
	char tag[64];
};

static void
explain_line(void *arg, const char *line)
{
	struct msgwrite *w = arg;

	msgwrite_text_row(w, &line, 1);
}

static void
explain_text(struct msgwrite *w, const char *key, const char *value)
{
	char line[600];

	snprintf(line, sizeof(line), "%s: %s", key, value);
	explain_line(w, line);
}

/* ---- where it is known before it runs ------------------------------------------ */

/* What ties the session to a server, and what becomes of the statement there. */
static void
explain_session(struct session *s, const struct query *q, struct msgwrite *w)
{
	char text[500], pins[PIN_TEXT_MAX];
	const char *on = s->server != NULL ? s->backend->name : NULL;
	struct query here = *q;

	if (s->tx != 'I')
		snprintf(text, sizeof(text), "in a %stransaction %s%s",
		    s->tx == 'E' ? "failed " : "", on != NULL ?
		    "on backend " : "that has no server yet",
		    on != NULL ? on : "");
	else if (on != NULL && session_is_pinned(s))
		snprintf(text, sizeof(text), "pinned to backend %s: %s", on,
		    pin_reasons_text(s->pins, pins));
	else if (on != NULL && s->db->pool_mode == POOL_MODE_SESSION)
		snprintf(text, sizeof(text), "on backend %s by session "
		    "pooling", on);
	else
		return;
	explain_text(w, "session", text);
	query_adapt(s, &here);
	if (s->tx == 'E')
		snprintf(text, sizeof(text), "refused (25P02)");
	else if (on != NULL && here.where.backend != s->backend)
		snprintf(text, sizeof(text), "refused (%s): it needs backend "
		    "%s", s->tx == 'T' ? "25001" : "0A000",
		    here.where.backend->name);
	else
		snprintf(text, sizeof(text), "backend %s",
		    here.where.backend->name);
	explain_text(w, "here", text);
}

/* What the cache has for the statement alone, as a Query. */
static void
explain_cache(struct session *s, const struct unit *u, const struct query *q,
    char *now, size_t now_size, char *would, size_t would_size)
{
	enum bypass_reason why = q->plan->bypass;
	struct slice sql = analysis_explain_inner(q->sql);
	struct unit inner = *u;
	const struct live_set *live;
	struct cache_key k;
	struct object *o = NULL;

	*now = '\0';
	if (why == BYPASS_NONE)
		why = q->where.bypass;
	while (sql.n > 0 && strchr(" \t\r\n", *sql.p) != NULL) {
		sql.p++;
		sql.n--;
	}
	if (why == BYPASS_NONE && !fill_key(s, &inner, sql, NULL, &k, &why))
		snprintf(now, now_size, "bypass, %s", bypass_reason_name(why));
	else if (why == BYPASS_NONE && (why = fill_vouched(s,
	    q->plan, &live)) != BYPASS_NONE)
		snprintf(now, now_size, "bypass, %s - %s",
		    bypass_reason_name(why), bypass_reason_doc(why));
	else if (why == BYPASS_NONE)
		o = l1_get(session_layer_l1(), &k, s->started);
	if (o != NULL && o->fetched_mono < fill_since(s))
		object_unref(&o);
	if (why != BYPASS_NONE)
		snprintf(would, would_size, "bypass, %s",
		    bypass_reason_name(why));
	else
		snprintf(would, would_size, "%s", o != NULL ?
		    "a hit in L1" : "a miss in L1");
	if (why == BYPASS_NONE && o == NULL)
		snprintf(now, now_size, "not in L1 (simple protocol)");
	if (o != NULL)
		snprintf(now, now_size, "in L1 (simple protocol), age %.3f s, "
		    "%zu bytes%s", (double)(s->started - o->fetched_mono) / 1e9,
		    o->size, o->from_l2 ? ", from L2" : "");
	object_unref(&o);
}

/* All lines of EXPLAIN (ROUTE). */
static void
explain_known(struct session *s, const struct unit *u, const struct query *q,
    struct msgwrite *w, char *would, size_t size)
{
	char now[200];

	route_explain(q->plan, q->shape, &q->values, &q->where, explain_line,
	    w);
	if (q->plan->err_sqlstate == NULL)
		explain_session(s, q, w);
	if (trial_explain(s, q, now, sizeof(now)))
		explain_text(w, "experiment", now);
	if (q->where.backend->n_replicas > 0 && !q->where.gathers) {
		session_reading_explain(s, u, q, now, sizeof(now));
		explain_text(w, "replica", now);
	}
	explain_cache(s, u, q, now, sizeof(now), would, size);
	if (*now != '\0')
		explain_text(w, "cache now", now);
}

/* ---- answers --------------------------------------------------------------------- */

static void
explain_describe(struct msgwrite *w)
{
	static const char *const column[] = { "QUERY PLAN" };

	msgwrite_text_desc(w, column, 1);
}

static void
explain_route(struct session *s, const struct unit *u, const struct query *q)
{
	char would[100];
	struct msgwrite w;
	struct buf b;

	buf_init(&b, EXPLAIN_LINES_MAX);
	msgwrite_init(&w, &b);
	if (!u->has_bind || u->described)
		explain_describe(&w);
	explain_known(s, u, q, &w, would, sizeof(would));
	msgwrite_complete(&w, "EXPLAIN");
	if (w.failed)
		session_unit_error(s, u, "54000", "EXPLAIN (ROUTE) is too "
		    "long", NULL, NULL);
	else
		session_reply(s, u, slice_make(buf_head(&b), buf_len(&b)),
		    s->tx);
	buf_reset(&b);
}

/* ---- the beginning of a run ---------------------------------------------------------- */

/* false: what is known is too long. */
static bool
explain_begin(struct session *s, const struct unit *u, const struct query *q)
{
	struct explaining *x = x_calloc(1, sizeof(*x));
	struct msgwrite w;

	buf_init(&x->lines, EXPLAIN_LINES_MAX);
	msgwrite_init(&w, &x->lines);
	explain_known(s, u, q, &w, x->cached, sizeof(x->cached));
	if (w.failed) {
		buf_reset(&x->lines);
		free(x);
		return false;
	}
	measure_init(&x->servers, s->started);
	x->has_parse = u->has_parse;
	x->has_bind = u->has_bind;
	x->described = u->described;
	s->explaining = x;
	return true;
}

bool
explain_unit(struct session *s, const struct unit *u, const struct query *q)
{
	uint32_t flags = q->shape->an->flags;
	char text[100];

	if (explain_runs(s))
		return false; /* it has waited */
	if (flags & AN_EXPLAIN_UNSUPPORTED) {
		session_unit_error(s, u, "0A000", "EXPLAIN (ROUTE) takes one "
		    "statement, and no other option than ANALYZE", NULL, NULL);
	} else if (!(flags & AN_EXPLAIN_ANALYZE)) {
		explain_route(s, u, q);
	} else if (!analysis_is_planned(q->shape->an)) {
		snprintf(text, sizeof(text), "EXPLAIN (ROUTE, ANALYZE) cannot "
		    "run a statement of kind %s",
		    stmt_kind_name(q->shape->an->kind));
		session_unit_error(s, u, "0A000", text, NULL, "It runs SELECT, "
		    "INSERT, UPDATE, DELETE and MERGE. EXPLAIN (ROUTE) takes "
		    "any statement.");
	} else if (explain_begin(s, u, q)) {
		return false;
	} else {
		session_unit_error(s, u, "54000", "EXPLAIN (ROUTE) is too "
		    "long", NULL, NULL);
	}
	return true;
}

bool
explain_runs(const struct session *s)
{
	return s->explaining != NULL && !s->explaining->over;
}

/* Blanks in the place of what stands before the inner statement. */
static void
explain_blank_text(char *sql, size_t n)
{
	struct slice inner = analysis_explain_inner(slice_make(sql, n));

	if (inner.p != NULL)
		memset(sql, ' ', (size_t)(inner.p - sql));
}

void
explain_blank(struct unit *u)
{
	/* The session's own buffer, in which it waits and is read again. */
	char *sql = (char *)(uintptr_t)u->p + FRAME_HEADER;

	explain_blank_text(sql, u->n - FRAME_HEADER - 1);
}

struct statement *
explain_statement(struct session *s, struct statement *st)
{
	struct explaining *x = s->explaining;
	struct wire_parse p = { .oids = st->types.p,
		.n_oids = (unsigned)(st->types.n / 4) };
	struct statement *inner;
	char *sql;

	if (x->inner != NULL)
		return statement_ref(x->inner);
	sql = x_strndup(st->sql.p, st->sql.n);
	explain_blank_text(sql, st->sql.n);
	p.sql = slice_make(sql, st->sql.n);
	inner = session_statement(s, &p);
	free(sql);
	if (inner == NULL)
		return NULL; /* and x is gone */
	x->prepared = statement_ref(st);
	x->inner = inner;
	return statement_ref(inner);
}

struct statement *
explain_prepared(const struct session *s, struct statement *st)
{
	const struct explaining *x = s->explaining;

	return x != NULL && st != NULL && st == x->inner ? x->prepared : st;
}

/* ---- while it runs -------------------------------------------------------------------- */

void
explain_asked(struct session *s, const void *part,
    const struct conf_backend *b, const struct conf_shard *shard,
    const char *what, struct slice sql)
{
	char where[300];

	if (!explain_runs(s))
		return;
	if (shard != NULL)
		snprintf(where, sizeof(where), "backend %s, shard %u of %u",
		    b->name, shard->remainder, shard->modulus);
	else
		snprintf(where, sizeof(where), "backend %s%s", b->name, what);
	measure_ask(&s->explaining->servers, part, where, sql, clock_mono());
}

void
explain_answered(struct session *s, const void *part, const char *p, size_t n)
{
	if (explain_runs(s))
		measure_answer(&s->explaining->servers, part, p, n,
		    clock_mono());
}

void
explain_note(struct session *s, const char *text)
{
	if (explain_runs(s))
		s->explaining->servers.note = text;
}

/* ---- its end ---------------------------------------------------------------------------- */

static void
explain_reply(struct session *s, struct explaining *x)
{
	struct unit u = { .has_parse = x->has_parse, .has_bind = x->has_bind };
	struct msgwrite w;
	char text[200];
	struct buf b;

	buf_init(&b, EXPLAIN_LINES_MAX + 8 * MEASURE_TEXT_MAX);
	msgwrite_init(&w, &b);
	if (!x->has_bind || x->described)
		explain_describe(&w);
	msgwrite_raw(&w, buf_head(&x->lines), buf_len(&x->lines));
	measure_lines(&x->servers, explain_line, &w);
	explain_text(&w, "cache would be", x->cached);
	snprintf(text, sizeof(text), "%s, %llu rows, %llu bytes", x->tag,
	    (unsigned long long)x->rows, (unsigned long long)x->bytes);
	explain_text(&w, "answer", text);
	snprintf(text, sizeof(text), "%.3f ms",
	    (double)(clock_mono() - s->started) / 1e6);
	explain_text(&w, "total", text);
	msgwrite_complete(&w, "EXPLAIN");
	if (w.failed)
		session_close(s, CLOSE_MEMORY, NULL);
	else
		session_reply(s, &u, slice_make(buf_head(&b), buf_len(&b)),
		    s->tx);
	buf_reset(&b);
}

/* One message, or its beginning. */
static void
explain_message(struct session *s, struct explaining *x, const struct frame *f,
    const char *p, size_t n)
{
	x->left = f->size - n;
	x->passes = strchr("ENSA", f->type) != NULL;
	switch (f->type) {
	case 'D':
		x->rows++;
		x->bytes += f->size;
		break;
	case 'C':
		snprintf(x->tag, sizeof(x->tag), "%.*s", (int)f->body, f->p);
		break;
	case 'E':
		x->failed = true;
		break;
	case 'Z':
		x->over = true;
		if (x->failed)
			session_send(s, p, n);
		else
			explain_reply(s, x);
		return;
	default:
		break;
	}
	if (x->passes)
		session_pass(s, p, n);
}

void
explain_output(struct session *s, const char *p, size_t n)
{
	struct explaining *x = s->explaining;
	struct frame f;
	size_t here;

	while (n > 0 && s->state != SESSION_CLOSED) {
		if (x->left > 0) {
			here = x->left < n ? x->left : n;
			x->left -= here;
			if (x->passes)
				session_pass(s, p, here);
		} else {
			CHECK(frame_next(p, n, UINT32_MAX, &f) !=
			    FRAME_NEED_MORE);
			here = f.size < n ? f.size : n;
			explain_message(s, x, &f, p, here);
		}
		p += here;
		n -= here;
	}
}

void
explain_drop(struct session *s)
{
	struct explaining *x = s->explaining;

	if (x == NULL)
		return;
	s->explaining = NULL;
	buf_reset(&x->lines);
	measure_fini(&x->servers);
	if (x->prepared != NULL)
		statement_unref(&s->sw->statements, &x->prepared);
	if (x->inner != NULL)
		statement_unref(&s->sw->statements, &x->inner);
	free(x);
}
