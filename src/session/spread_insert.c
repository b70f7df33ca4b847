/* SPDX-License-Identifier: PostgreSQL
 *
 * The rows of an INSERT ... VALUES for the shards they belong on.
 *
 * The unit waits at the head of the session's input until all is done; each
 * portion is made anew from it.  Runs on the session's worker.
 */
#include <stdlib.h>

#include "route/portion.h"
#include "session/explain.h"
#include "session/spread_priv.h"

static const struct hash128 no_hash;

bool
spread_has_portions(const struct query *q, struct route_shards *shards)
{
	struct portions *po = portions_new(q->plan, q->shape, &q->values);

	if (po == NULL)
		return false;
	portions_free(&po);
	*shards = q->where.shards;
	return true;
}

/* The statement's values in the order of the portion's parameters. */
static void
insert_bind(const struct wire_bind *b, const uint16_t *of, size_t n,
    struct msgwrite *w)
{
	struct slice value;
	bool null;
	size_t i;

	msgwrite_begin(w, 'B');
	msgwrite_str(w, "");
	msgwrite_str(w, "");
	msgwrite_u16(w, (uint16_t)n);
	for (i = 0; i < n; i++)
		msgwrite_u16(w, wire_bind_format(b, of[i]));
	msgwrite_u16(w, (uint16_t)n);
	for (i = 0; i < n; i++) {
		value = wire_bind_param(b, of[i], &null);
		msgwrite_u32(w, null ? UINT32_MAX : (uint32_t)value.n);
		if (!null)
			msgwrite_bytes(w, value.p, value.n);
	}
	msgwrite_u16(w, 0);
	msgwrite_end(w);
}

static void
insert_parse(const struct statement *st, struct slice sql, const uint16_t *of,
    size_t n, struct msgwrite *w)
{
	size_t i;

	msgwrite_begin(w, 'P');
	msgwrite_str(w, "");
	msgwrite_slice(w, sql);
	msgwrite_u16(w, (uint16_t)n);
	for (i = 0; i < n; i++)
		if (st != NULL && (of[i] + 1u) * 4 <= st->types.n)
			msgwrite_bytes(w, st->types.p + of[i] * 4u, 4);
		else
			msgwrite_u32(w, 0);
	msgwrite_end(w);
}

/* As extended messages without a name; then all that is deferred is looked at. */
static bool
insert_write(struct spread_part *p, const struct unit *u, struct slice sql,
    const uint16_t *of, size_t n, struct msgwrite *w)
{
	static const char rest[] = "E\0\0\0\011\0\0\0\0\0" "S\0\0\0\004";
	const struct spread *x = p->base.of;
	struct server *srv = p->base.server;

	insert_parse(x->stmt, sql, of, n, w);
	insert_bind(&u->bind, of, n, w);
	msgwrite_raw(w, rest, sizeof(rest) - 1);
	msgwrite_query(w, SLICE_LIT("SET CONSTRAINTS ALL IMMEDIATE"));
	if (spread_decides(p))
		msgwrite_query(w, slice_str(gid_question));
	return server_owe(srv, OWED_PARSE, LEDGER_UNNAMED, no_hash) &&
	    server_owe(srv, OWED_BIND, 0, no_hash) &&
	    server_owe(srv, OWED_EXECUTE, 0, no_hash) &&
	    server_owe(srv, OWED_SYNC, 0, no_hash) &&
	    server_owe(srv, OWED_QUERY, 0, no_hash) &&
	    (!spread_decides(p) || server_owe(srv, OWED_QUERY, 0, no_hash));
}

bool
spread_write_portion(struct spread_part *p, struct msgwrite *w)
{
	struct spread *x = p->base.of;
	struct session *s = x->s;
	struct buf *t = &s->sw->text;
	struct portions *po;
	struct unit u;
	struct query q;
	uint16_t *of;
	size_t n = 0;
	bool ok;

	if (x->unit != NULL)
		u = *x->unit;
	else
		CHECK(unit_read(&u, buf_head(&s->in), s->unit_len));
	query_prepare(s, &q, slice_str(x->sql), x->stmt,
	    x->stmt != NULL ? &u.bind : NULL);
	of = calloc(q.shape->an->n_params + 1, sizeof(*of));
	po = portions_new(q.plan, q.shape, &q.values);
	buf_consume(t, buf_len(t));
	ok = of != NULL && po != NULL &&
	    portions_write(po, p->shard, t, of, &n) &&
	    insert_write(p, &u, slice_make(buf_head(t), buf_len(t)), of, n, w);
	if (ok)
		explain_asked(s, p, p->base.backend,
		    &q.plan->variant->shards[p->shard], "",
		    slice_make(buf_head(t), buf_len(t)));
	portions_free(&po);
	free(of);
	return ok;
}
