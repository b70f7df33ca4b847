/* SPDX-License-Identifier: PostgreSQL
 *
 * See outlet.h.  Knows records and workers, not channels.
 *
 * A worker that falls behind keeps at most OUTLET_HIGH bytes waiting plus what
 * one read of the server brings: notifications stop at outlets_full(), and the
 * number of answers is that of the sessions that wait for them.
 */
#include "backend/outlet.h"

#include <stdlib.h>
#include <string.h>

#include "pgwire/frame.h"
#include "pgwire/msgwrite.h"

#define OUTLET_HIGH (1024 * 1024)
#define OUTLET_LOW (256 * 1024)
#define OUTLET_BATCH (64 * 1024) /* so that no worker is kept for long */

struct batch {
	struct message m;
	struct outlets *o;
	unsigned worker;
	size_t n;
	char data[];
};

void
outlet_note(struct outlets *o, unsigned i, const char *body, size_t n)
{
	struct msgwrite w;

	msgwrite_init(&w, &o->v[i].waiting);
	msgwrite_begin(&w, HUB_NOTE);
	msgwrite_bytes(&w, body, n);
	msgwrite_end(&w);
	CHECK(!w.failed);
}

static void
write_u64(struct msgwrite *w, uint64_t v)
{
	msgwrite_u32(w, (uint32_t)(v >> 32));
	msgwrite_u32(w, (uint32_t)v);
}

void
outlet_answer(struct outlets *o, unsigned i, char type, uint64_t session,
    uint64_t ticket, const char *sqlstate, const char *why)
{
	struct msgwrite w;

	msgwrite_init(&w, &o->v[i].waiting);
	msgwrite_begin(&w, type);
	write_u64(&w, session);
	write_u64(&w, ticket);
	if (sqlstate != NULL) {
		msgwrite_str(&w, sqlstate);
		msgwrite_str(&w, why);
	}
	msgwrite_end(&w);
	CHECK(!w.failed);
}

void
outlet_lost(struct outlets *o, unsigned i, const char *why)
{
	struct msgwrite w;

	msgwrite_init(&w, &o->v[i].waiting);
	msgwrite_begin(&w, HUB_LOST);
	msgwrite_str(&w, why);
	msgwrite_end(&w);
	CHECK(!w.failed);
}

bool
outlets_full(const struct outlets *o)
{
	unsigned i;

	for (i = 0; i < o->n; i++)
		if (buf_len(&o->v[i].waiting) > OUTLET_HIGH)
			return true;
	return false;
}

static void outlet_flush(struct outlets *o, unsigned i);

static void
batch_back(struct worker *w PG_UNUSED, struct message *m)
{
	struct batch *b = (struct batch *)(void *)m;
	struct outlets *o = b->o;
	unsigned i;

	o->v[b->worker].under_way = false;
	outlet_flush(o, b->worker);
	free(b);
	for (i = 0; i < o->n; i++)
		if (buf_len(&o->v[i].waiting) > OUTLET_LOW)
			return;
	o->relieved(o);
}

static void
batch_run(struct worker *w, struct message *m)
{
	struct batch *b = (struct batch *)(void *)m;

	b->o->cb(w, b->o->hub, b->data, b->n);
	b->m.run = batch_back;
	worker_post(b->o->w, &b->m);
}

/* Whole records from the head, about OUTLET_BATCH bytes. */
static size_t
outlet_take(const struct buf *waiting)
{
	const char *p = buf_head(waiting);
	size_t n = 0;

	while (n < buf_len(waiting) && n < OUTLET_BATCH)
		n += 1 + wire_u32(p + n + 1);
	return n;
}

static void
outlet_flush(struct outlets *o, unsigned i)
{
	struct outlet *v = &o->v[i];
	struct batch *b;
	size_t n;

	if (v->under_way || buf_len(&v->waiting) == 0)
		return;
	n = outlet_take(&v->waiting);
	b = x_malloc(sizeof(*b) + n);
	b->m.run = batch_run;
	b->o = o;
	b->worker = i;
	b->n = n;
	memcpy(b->data, buf_head(&v->waiting), n);
	buf_consume(&v->waiting, n);
	v->under_way = true;
	worker_post(o->workers[i], &b->m);
}

void
outlets_flush(struct outlets *o)
{
	unsigned i;

	for (i = 0; i < o->n; i++)
		outlet_flush(o, i);
}

void
outlets_init(struct outlets *o, struct hub *h, struct worker *w,
    struct worker *const *workers, unsigned n, hub_cb cb,
    void (*relieved)(struct outlets *o))
{
	unsigned i;

	o->hub = h;
	o->w = w;
	o->workers = workers;
	o->n = n;
	o->cb = cb;
	o->relieved = relieved;
	o->v = x_calloc(n, sizeof(*o->v));
	for (i = 0; i < n; i++)
		buf_init(&o->v[i].waiting, (size_t)1 << 30);
}

void
outlets_fini(struct outlets *o)
{
	unsigned i;

	for (i = 0; i < o->n; i++)
		buf_reset(&o->v[i].waiting);
	free(o->v);
}
