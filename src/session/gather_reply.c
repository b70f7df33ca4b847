/* SPDX-License-Identifier: PostgreSQL
 *
 * What the client of a gathered statement is told: one reply, of the form that
 * its unit asks for.
 *
 * What is told may also be what another session's cache hit will be, so all of
 * it passes through reply_send().  Runs on the session's worker.
 */
#include <stdio.h>
#include <string.h>

#include "pgwire/frame.h"
#include "pgwire/msgread.h"
#include "session/fill.h"
#include "session/gather_priv.h"

static void
reply_send(struct gathering *g, const char *p, size_t n)
{
	struct session *s = g->s;
	size_t i;

	g->told = true;
	if (s->fill != NULL)
		fill_record(s, p, n);
	session_send(s, p, n);
	if (s->state == SESSION_CLOSED ||
	    stream_backlog(&s->st) <= STREAM_HIGH_WATER)
		return;
	for (i = 0; i < g->started; i++)
		if (g->part[i].base.server != NULL)
			stream_read_stop(&g->part[i].base.server->st);
}

/* Format of column i: none given, one for all, or each its own. */
static uint16_t
reply_format(const struct gathering *g, size_t i)
{
	size_t n = buf_len(&g->formats) / 2;

	if (n == 0 || (n > 1 && i >= n))
		return 0;
	return (uint16_t)wire_u16(buf_head(&g->formats) +
	    (n == 1 ? 0 : 2 * i));
}

/* The visible columns, in the formats that the client asked for. */
static void
reply_description(const struct gathering *g, struct msgwrite *w)
{
	const char *p = buf_head(&g->desc), *start;
	struct msgread r;
	size_t i;

	msgread_init(&r, p, buf_len(&g->desc));
	(void)msgread_u16(&r);
	msgwrite_begin(w, 'T');
	msgwrite_u16(w, (uint16_t)g->visible);
	for (i = 0; i < g->visible; i++) {
		start = p + r.pos;
		(void)msgread_str(&r);
		(void)msgread_bytes(&r, 16);
		msgwrite_bytes(w, start, (size_t)(p + r.pos - start));
		(void)msgread_u16(&r);
		msgwrite_u16(w, reply_format(g, i));
	}
	msgwrite_end(w);
	CHECK(!r.error);
}

void
gather_tell_head(struct gathering *g)
{
	static const char bound[] = "1\0\0\0\0042\0\0\0\004";
	struct msgwrite w;
	struct unit u;
	struct buf b;

	if (g->told)
		return;
	CHECK(unit_read(&u, buf_head(&g->s->in), g->s->unit_len));
	buf_init(&b, buf_len(&g->desc) + 1024);
	msgwrite_init(&w, &b);
	if (u.has_bind)
		msgwrite_raw(&w, bound + (u.has_parse ? 0 : 5),
		    u.has_parse ? 10 : 5);
	if (!u.has_bind || u.described)
		reply_description(g, &w);
	CHECK(!w.failed);
	reply_send(g, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}

void
gather_tell_rows(struct gathering *g, const char *p, size_t n)
{
	reply_send(g, p, n);
}

/* ---- sums -------------------------------------------------------------------- */

/* Add the int8 values of one row. false: a sum is too large. */
static bool
reply_add(const struct gathering *g, const struct frame *f, int64_t *sums,
    bool *any)
{
	struct msgread r;
	uint64_t v;
	size_t i;
	bool null;
	struct slice s;

	msgread_init(&r, f->p, f->body);
	(void)msgread_u16(&r);
	for (i = 0; i < g->visible; i++) {
		s = msgread_value(&r, &null);
		if (null)
			continue;
		if (s.n != 8)
			return false;
		v = (uint64_t)wire_u32(s.p) << 32 | wire_u32(s.p + 4);
		if (__builtin_add_overflow(sums[i], (int64_t)v, &sums[i]))
			return false;
		any[i] = true;
	}
	return msgread_done(&r);
}

static void
reply_sum(struct msgwrite *w, int64_t v, uint16_t format)
{
	char text[24];

	if (format == 1) {
		msgwrite_u32(w, 8);
		msgwrite_u32(w, (uint32_t)((uint64_t)v >> 32));
		msgwrite_u32(w, (uint32_t)v);
		return;
	}
	snprintf(text, sizeof(text), "%lld", (long long)v);
	msgwrite_u32(w, (uint32_t)strlen(text));
	msgwrite_bytes(w, text, strlen(text));
}

bool
gather_tell_sums(struct gathering *g)
{
	int64_t *sums = x_calloc(g->visible, sizeof(*sums));
	bool *any = x_calloc(g->visible, sizeof(*any)), ok = true;
	const struct buf *kept;
	struct msgwrite w;
	struct frame f;
	struct buf b;
	size_t i, pos;

	for (i = 0; i < g->n_parts; i++) {
		kept = &g->part[i].kept;
		for (pos = 0; pos < buf_len(kept) && ok; pos += f.size) {
			CHECK(frame_next(buf_head(kept) + pos,
			    buf_len(kept) - pos, UINT32_MAX, &f) ==
			    FRAME_WHOLE);
			ok = reply_add(g, &f, sums, any);
		}
	}
	buf_init(&b, 64 * g->visible + 64);
	msgwrite_init(&w, &b);
	msgwrite_begin(&w, 'D');
	msgwrite_u16(&w, (uint16_t)g->visible);
	for (i = 0; i < g->visible; i++)
		if (any[i])
			reply_sum(&w, sums[i], reply_format(g, i));
		else
			msgwrite_u32(&w, UINT32_MAX);
	msgwrite_end(&w);
	CHECK(!w.failed);
	free(sums);
	free(any);
	if (ok) {
		gather_tell_head(g);
		reply_send(g, buf_head(&b), buf_len(&b));
		g->rows = 1;
	}
	buf_reset(&b);
	return ok;
}

/* ---- ends ------------------------------------------------------------------------ */

void
gather_tell_end(struct gathering *g)
{
	struct session *s = g->s;
	struct msgwrite w;
	char tag[40];
	struct buf b;

	if (unlikely(s->trail.on))
		trail_heard(s);
	gather_tell_head(g);
	buf_init(&b, 256);
	msgwrite_init(&w, &b);
	snprintf(tag, sizeof(tag), "SELECT %llu",
	    (unsigned long long)g->rows);
	if (unlikely(s->trail.on))
		trail_completed(s, tag);
	msgwrite_complete(&w, tag);
	msgwrite_ready(&w, s->tx);
	CHECK(!w.failed);
	reply_send(g, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}

void
gather_tell_error(struct gathering *g)
{
	stat_add(&session_metrics(g->s)->c.query_errors, 1);
	if (unlikely(g->s->trail.on) && buf_len(&g->error) > FRAME_HEADER)
		trail_error(g->s, buf_head(&g->error) + FRAME_HEADER,
		    buf_len(&g->error) - FRAME_HEADER);
	session_send(g->s, buf_head(&g->error), buf_len(&g->error));
	session_ready(g->s);
}
