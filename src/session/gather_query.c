/* SPDX-License-Identifier: PostgreSQL
 *
 * What the servers of a gathered statement are asked, as messages: the shards'
 * queries, and the final one over their rows.
 *
 * Always in extended messages and without a name: Parse, Bind, Describe, Execute,
 * Sync, whatever the client used.  Rows that are merged are asked for in binary
 * format and given to the final query as they came.  Runs on the session's
 * worker.
 */
#include "pgwire/frame.h"
#include "session/explain.h"
#include "session/gather_priv.h"

static const struct hash128 no_hash;

static void
gather_unit(const struct gathering *g, struct unit *u)
{
	if (g->unit != NULL)
		*u = *g->unit;
	else
		CHECK(unit_read(u, buf_head(&g->s->in), g->s->unit_len));
}

bool
gather_look(struct gathering *g, struct gather_view *v)
{
	struct session *s = g->s;

	gather_unit(g, &v->u);
	if (g->stmt != NULL)
		query_prepare(s, &v->q, g->stmt->sql, g->stmt, &v->u.bind);
	else
		query_prepare(s, &v->q, slice_make(v->u.p + FRAME_HEADER,
		    v->u.n - FRAME_HEADER - 1), NULL, NULL);
	v->how = gather_new(v->q.plan, v->q.shape, &v->q.values);
	return v->how != NULL;
}

/* Parse, and Bind up to the names. */
static void
query_open(struct msgwrite *w, struct slice sql)
{
	msgwrite_begin(w, 'P');
	msgwrite_str(w, "");
	msgwrite_slice(w, sql);
}

static void
query_bind(struct msgwrite *w)
{
	msgwrite_end(w);
	msgwrite_begin(w, 'B');
	msgwrite_str(w, "");
	msgwrite_str(w, "");
}

/* The end of Bind, and the messages behind it. */
static bool
query_close(struct part *p, struct msgwrite *w)
{
	static const char rest[] = "D\0\0\0\006P\0" "E\0\0\0\011\0\0\0\0\0"
	    "S\0\0\0\004";
	struct server *srv = p->server;

	msgwrite_end(w);
	msgwrite_raw(w, rest, sizeof(rest) - 1);
	return server_owe(srv, OWED_PARSE, LEDGER_UNNAMED, no_hash) &&
	    server_owe(srv, OWED_BIND, 0, no_hash) &&
	    server_owe(srv, OWED_DESCRIBE_P, 0, no_hash) &&
	    server_owe(srv, OWED_EXECUTE, 0, no_hash) &&
	    server_owe(srv, OWED_SYNC, 0, no_hash);
}

/* ---- shards ----------------------------------------------------------------- */

/* The client's values, and the formats that it wants; or binary. */
static void
shard_values(const struct gathering *g, const struct wire_bind *b,
    struct msgwrite *w)
{
	bool merge = g->mode != GATHER_ROWS;

	if (g->stmt != NULL && !merge) {
		msgwrite_bytes(w, b->rest.p, b->rest.n);
		return;
	}
	if (g->stmt == NULL) {
		msgwrite_u32(w, 0); /* no formats, no values */
	} else {
		msgwrite_u16(w, b->n_param_formats);
		msgwrite_bytes(w, b->param_formats,
		    (size_t)b->n_param_formats * 2);
		msgwrite_u16(w, b->n_params);
		msgwrite_bytes(w, b->params, b->params_len);
	}
	msgwrite_u16(w, merge);
	if (merge)
		msgwrite_u16(w, 1);
}

static bool
shard_query(struct part *p, const struct unit *u,
    const struct conf_shard *shard, struct msgwrite *w)
{
	struct gathering *g = p->of;
	const struct statement *st = g->stmt;
	struct slice text;

	if (!gather_text_for(g, NULL, FORM_OF(shard->relation)))
		return false;
	text = slice_make(buf_head(&g->text), buf_len(&g->text));
	explain_asked(p->s, p, p->backend, shard, "", text);
	query_open(w, text);
	msgwrite_u16(w, st != NULL ? (uint16_t)(st->types.n / 4) : 0);
	if (st != NULL)
		msgwrite_bytes(w, st->types.p, st->types.n);
	query_bind(w);
	shard_values(g, &u->bind, w);
	return query_close(p, w);
}

bool
gather_text_for(struct gathering *g, const struct gather *how, unsigned form)
{
	struct gather_view v = { .how = NULL };
	bool ok;

	if (buf_len(&g->text) > 0 && g->form == form)
		return true;
	buf_consume(&g->text, buf_len(&g->text));
	g->form = form;
	if (how == NULL && !gather_look(g, &v))
		return false;
	ok = gather_partial(how != NULL ? how : v.how, form, &g->text);
	gather_free(&v.how);
	return ok;
}

/* All of the backend's shards, one behind the other. */
static bool
shard_queries(struct part *p, struct msgwrite *w)
{
	const struct gathering *g = p->of;
	struct unit u;
	bool ok = true;
	size_t i;

	gather_unit(g, &u);
	for (i = 0; i < g->to->n_shards && ok; i++)
		if (route_shards_has(&g->shards, (unsigned)i) &&
		    g->to->shards[i].backend == p->backend)
			ok = shard_query(p, &u, &g->to->shards[i], w);
	return ok;
}

/* ---- the final query ----------------------------------------------------------- */

/* The values of all rows, each behind its length, as they came. */
static void
final_values(const struct gathering *g, struct msgwrite *w)
{
	const struct buf *b;
	struct frame f;
	size_t i, pos;

	for (i = 0; i < g->n_parts; i++) {
		b = &g->part[i].kept;
		for (pos = 0; pos < buf_len(b); pos += f.size) {
			CHECK(frame_next(buf_head(b) + pos, buf_len(b) - pos,
			    UINT32_MAX, &f) == FRAME_WHOLE);
			msgwrite_bytes(w, f.p + 2, f.body - 2);
		}
	}
}

static bool
final_query(struct part *p, struct msgwrite *w)
{
	struct gathering *g = p->of;
	uint16_t n = (uint16_t)(g->columns * g->partial);
	struct gather_column c;
	uint64_t row;
	size_t i;

	explain_asked(p->s, p, p->backend, NULL, ", final step",
	    slice_make(buf_head(&g->final), buf_len(&g->final)));
	query_open(w, slice_make(buf_head(&g->final), buf_len(&g->final)));
	msgwrite_u16(w, n);
	for (row = 0; row < g->partial; row++)
		for (i = 0; gather_column_at(g, i, &c); i++)
			msgwrite_u32(w, c.oid);
	query_bind(w);
	msgwrite_u16(w, 1);
	msgwrite_u16(w, 1); /* binary, all of them */
	msgwrite_u16(w, n);
	final_values(g, w);
	msgwrite_u16(w, (uint16_t)(buf_len(&g->formats) / 2));
	msgwrite_bytes(w, buf_head(&g->formats), buf_len(&g->formats));
	return query_close(p, w);
}

bool
gather_compose(struct part *p, struct msgwrite *w)
{
	const struct gathering *g = p->of;

	return g->merging ? final_query(p, w) : shard_queries(p, w);
}
