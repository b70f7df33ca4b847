/* SPDX-License-Identifier: PostgreSQL
 *
 * What the servers of a gathered statement say: rows to the client or to be
 * merged, descriptions to be compared, tags to be added up.
 *
 * Bytes come in whole messages, but for rows, of which a call may bring the
 * beginning only.  While one part is in the middle of a row for the client, it
 * has the floor: what the others say waits in part.kept, and their servers are
 * not read, so it is at most what one read brings.  Runs on the session's
 * worker.  Notices of shards are dropped.
 */
#include <stdlib.h>
#include <string.h>

#include "pgwire/frame.h"
#include "pgwire/msgread.h"
#include "session/gather_priv.h"

/* ---- descriptions ----------------------------------------------------------- */

struct input_column {
	struct slice name;
	uint32_t table, oid, typmod;
	uint16_t attribute, format, len;
};

static bool
input_column(struct msgread *r, struct input_column *c)
{
	c->name = msgread_str(r);
	c->table = msgread_u32(r);
	c->attribute = msgread_u16(r);
	c->oid = msgread_u32(r);
	c->len = msgread_u16(r);
	c->typmod = msgread_u32(r);
	c->format = msgread_u16(r);
	return !r->error;
}

bool
gather_column_at(const struct gathering *g, size_t i, struct gather_column *c)
{
	struct input_column ic;
	struct msgread r;
	size_t k;

	if (i >= g->columns)
		return false;
	msgread_init(&r, buf_head(&g->desc), buf_len(&g->desc));
	(void)msgread_u16(&r);
	for (k = 0; k <= i; k++)
		if (!input_column(&r, &ic))
			return false;
	c->name = ic.name;
	c->oid = ic.oid;
	return true;
}

/* The same but for the numbers of the table, which differ from server to server.
 * types: only their types count, of the first columns. */
static bool
input_same(const struct gathering *g, const struct frame *f, bool types)
{
	size_t n = types ? g->visible : g->columns, i;
	struct input_column a, b;
	struct msgread ra, rb;

	msgread_init(&ra, buf_head(&g->desc), buf_len(&g->desc));
	msgread_init(&rb, f->p, f->body);
	(void)msgread_u16(&ra);
	if (msgread_u16(&rb) != n)
		return false;
	for (i = 0; i < n; i++)
		if (!input_column(&ra, &a) || !input_column(&rb, &b) ||
		    a.oid != b.oid || (!types && (a.typmod != b.typmod ||
		    !slice_eq(a.name, b.name))))
			return false;
	return msgread_done(&rb);
}

static void
input_description(struct gather_part *p, const struct frame *f)
{
	struct gathering *g = p->base.of;

	if (g->merging ? input_same(g, f, true) : g->columns > 0 &&
	    input_same(g, f, false))
		return;
	if (g->merging || g->columns > 0) {
		gather_refuse(g);
		return;
	}
	if (f->body < 2 || !buf_append(&g->desc, f->p, f->body)) {
		gather_fail(g, "53200", "out of memory");
		return;
	}
	g->columns = g->visible = wire_u16(f->p);
}

/* ---- rows ------------------------------------------------------------------------- */

static bool
input_is_merged(const struct gathering *g)
{
	return g->mode != GATHER_ROWS && !g->merging;
}

static void
input_keep(struct gather_part *p, const char *data, size_t n)
{
	struct gathering *g = p->base.of;

	if (!buf_append(&p->kept, data, n)) {
		gather_fail(g, "53200", "out of memory");
		return;
	}
	g->kept += n;
	if (input_is_merged(g) && g->kept > g->kept_max)
		gather_refuse(g);
}

/* Others may have had to wait for the floor. */
static void
input_release(struct gathering *g)
{
	struct session *s = g->s;
	struct gather_part *p;
	size_t i;

	for (i = 0; i < g->n_parts && g->floor == NULL; i++) {
		p = &g->part[i];
		if (buf_len(&p->kept) == 0)
			continue;
		gather_tell_rows(g, buf_head(&p->kept), buf_len(&p->kept));
		if (s->state == SESSION_CLOSED)
			return;
		g->kept -= buf_len(&p->kept);
		buf_reset(&p->kept);
		if (p->left > 0 && !p->drops)
			g->floor = p;
		if (p->base.server != NULL &&
		    stream_backlog(&s->st) <= STREAM_HIGH_WATER)
			stream_read_start(&p->base.server->st);
	}
}

static void
input_rows(struct gather_part *p, const char *data, size_t n)
{
	struct gathering *g = p->base.of;
	struct session *s = g->s;

	if (n == 0 || (gather_failing(g) && g->floor != p))
		return;
	if (input_is_merged(g)) {
		input_keep(p, data, n);
		return;
	}
	if (g->floor != NULL && g->floor != p) {
		input_keep(p, data, n);
		stream_read_stop(&p->base.server->st);
		return;
	}
	gather_tell_head(g);
	gather_tell_rows(g, data, n);
	if (s->state == SESSION_CLOSED)
		return;
	g->floor = p->left > 0 && !p->drops ? p : NULL;
	if (g->floor == NULL && g->kept > 0 && !g->merging)
		input_release(g);
}

/* ---- messages ------------------------------------------------------------------------ */

static void
input_tag(struct gathering *g, const struct frame *f)
{
	if (f->body > 7 && strncmp(f->p, "SELECT ", 7) == 0)
		g->rows += strtoull(f->p + 7, NULL, 10);
}

void
gather_input(struct part *base, const char *data, size_t n)
{
	struct gather_part *p = (struct gather_part *)(void *)base;
	struct gathering *g = base->of;
	struct session *s = base->s;
	size_t pos = 0, run = 0, here;
	struct frame f;

	while (pos < n) {
		if (p->left > 0) {
			here = p->left < n - pos ? p->left : n - pos;
			p->left -= here;
			pos += here;
			if (p->drops)
				run = pos;
			continue;
		}
		CHECK(frame_next(data + pos, n - pos, UINT32_MAX, &f) !=
		    FRAME_NEED_MORE);
		here = f.size < n - pos ? f.size : n - pos;
		p->left = f.size - here;
		p->drops = f.type != 'D';
		if (!p->drops) {
			pos += here;
			continue;
		}
		input_rows(p, data + run, pos - run);
		if (s->state == SESSION_CLOSED)
			return;
		if (f.type == 'T' && !gather_failing(g))
			input_description(p, &f);
		else if (f.type == 'C')
			input_tag(g, &f);
		pos += here;
		run = pos;
	}
	input_rows(p, data + run, n - run);
}
