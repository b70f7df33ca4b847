/* SPDX-License-Identifier: PostgreSQL
 *
 * Messages of pgoutput.
 *
 * Knows bytes, nothing of tables or connections.  Pure.  Invariant: a tuple or
 * list of columns that was handed out is whole, so that walking it cannot
 * fail.
 */
#include "feed/pgoutput.h"

static uint64_t
pgo_u64(struct msgread *r)
{
	uint64_t high = msgread_u32(r);

	return high << 32 | msgread_u32(r);
}

bool
pgo_envelope(struct slice copy_data, struct pgo_envelope *e)
{
	struct msgread r;
	uint8_t kind;

	*e = (struct pgo_envelope){ .data = msgread_none };
	msgread_init(&r, copy_data.p, copy_data.n);
	kind = msgread_u8(&r);
	if (kind == 'w') {
		e->is_data = true;
		e->start = pgo_u64(&r);
		e->end = pgo_u64(&r);
		(void)pgo_u64(&r); /* the server's clock */
		e->data = msgread_bytes(&r, msgread_left(&r));
	} else if (kind == 'k') {
		e->end = pgo_u64(&r);
		(void)pgo_u64(&r);
		e->reply = msgread_u8(&r) != 0;
	} else {
		return false;
	}
	return msgread_done(&r);
}

/* ------------------------------------------------------------ rows */

static void
pgo_value(struct msgread *r, struct pgo_value *v)
{
	int32_t n;

	*v = (struct pgo_value){ .kind = (enum pgo_value_kind)msgread_u8(r),
		.bytes = msgread_none };
	switch (v->kind) {
	case PGO_NULL:
	case PGO_UNCHANGED:
		break;
	case PGO_TEXT:
	case PGO_BINARY:
		n = msgread_i32(r);
		if (n < 0)
			r->error = true;
		else
			v->bytes = msgread_bytes(r, (size_t)n);
		break;
	default:
		r->error = true;
	}
}

static void
pgo_tuple(struct msgread *r, struct pgo_tuple *t)
{
	struct pgo_value v;
	const char *from;
	uint16_t i;

	t->n = msgread_u16(r);
	from = r->p + r->pos;
	for (i = 0; i < t->n && !r->error; i++)
		pgo_value(r, &v);
	t->rest = slice_make(from, (size_t)(r->p + r->pos - from));
}

bool
pgo_value_next(struct pgo_tuple *t, struct pgo_value *v)
{
	struct msgread r;

	if (t->n == 0)
		return false;
	msgread_init(&r, t->rest.p, t->rest.n);
	pgo_value(&r, v);
	CHECK(!r.error);
	t->n--;
	t->rest = slice_make(r.p + r.pos, r.n - r.pos);
	return true;
}

/* ------------------------------------------------------------ relations */

static void
pgo_column(struct msgread *r, struct pgo_column *c)
{
	c->is_key = (msgread_u8(r) & 1) != 0;
	c->name = msgread_str(r);
	c->type = msgread_u32(r);
	(void)msgread_u32(r); /* the modifier of the type */
}

static void
pgo_relation(struct msgread *r, struct pgo_message *m)
{
	struct pgo_column c;
	const char *from;
	uint16_t i;

	m->relation = msgread_u32(r);
	m->schema = msgread_str(r);
	m->name = msgread_str(r);
	m->identity = (char)msgread_u8(r);
	m->columns.n = msgread_u16(r);
	from = r->p + r->pos;
	for (i = 0; i < m->columns.n && !r->error; i++)
		pgo_column(r, &c);
	m->columns.rest = slice_make(from, (size_t)(r->p + r->pos - from));
}

bool
pgo_column_next(struct pgo_columns *c, struct pgo_column *out)
{
	struct msgread r;

	if (c->n == 0)
		return false;
	msgread_init(&r, c->rest.p, c->rest.n);
	pgo_column(&r, out);
	CHECK(!r.error);
	c->n--;
	c->rest = slice_make(r.p + r.pos, r.n - r.pos);
	return true;
}

/* ------------------------------------------------------------ changes */

static void
pgo_change(struct msgread *r, struct pgo_message *m)
{
	uint8_t part;

	m->relation = msgread_u32(r);
	part = msgread_u8(r);
	if (m->kind != PGO_INSERT && (part == 'K' || part == 'O')) {
		m->has_old = true;
		m->old_is_key = part == 'K';
		pgo_tuple(r, &m->old);
		if (m->kind == PGO_DELETE)
			return;
		part = msgread_u8(r);
	}
	if (m->kind == PGO_DELETE || part != 'N') {
		r->error = true;
		return;
	}
	m->has_new = true;
	pgo_tuple(r, &m->new);
}

static void
pgo_truncate(struct msgread *r, struct pgo_message *m)
{
	m->n_relations = msgread_u32(r);
	(void)msgread_u8(r); /* CASCADE, RESTART IDENTITY */
	if (m->n_relations != msgread_left(r) / 4)
		r->error = true;
	m->relations = msgread_bytes(r, msgread_left(r));
	if (m->relations.n % 4 != 0)
		r->error = true;
}

static void
pgo_logical_message(struct msgread *r, struct pgo_message *m)
{
	m->transactional = (msgread_u8(r) & 1) != 0;
	(void)pgo_u64(r); /* its place */
	m->prefix = msgread_str(r);
	m->content = msgread_bytes(r, msgread_u32(r));
}

static void
pgo_commit(struct msgread *r, struct pgo_message *m)
{
	if (m->kind == PGO_STREAM_COMMIT)
		m->xid = msgread_u32(r);
	(void)msgread_u8(r); /* flags */
	m->commit = pgo_u64(r);
	m->end = pgo_u64(r);
	(void)pgo_u64(r);    /* time */
}

/* ------------------------------------------------------------ messages */

/* What may come inside of a stream, with its transaction in front. */
static bool
pgo_is_change(enum pgo_kind k)
{
	return k == PGO_RELATION || k == PGO_TYPE || k == PGO_INSERT ||
	    k == PGO_UPDATE || k == PGO_DELETE || k == PGO_TRUNCATE ||
	    k == PGO_MESSAGE;
}

static void
pgo_body(struct msgread *r, struct pgo_message *m)
{
	switch (m->kind) {
	case PGO_BEGIN:
		m->commit = pgo_u64(r);
		(void)pgo_u64(r); /* time */
		m->xid = msgread_u32(r);
		break;
	case PGO_COMMIT:
	case PGO_STREAM_COMMIT:
		pgo_commit(r, m);
		break;
	case PGO_ORIGIN:
		(void)pgo_u64(r);
		(void)msgread_str(r);
		break;
	case PGO_RELATION:
		pgo_relation(r, m);
		break;
	case PGO_TYPE:
		(void)msgread_u32(r);
		(void)msgread_str(r);
		(void)msgread_str(r);
		break;
	case PGO_INSERT:
	case PGO_UPDATE:
	case PGO_DELETE:
		pgo_change(r, m);
		break;
	case PGO_TRUNCATE:
		pgo_truncate(r, m);
		break;
	case PGO_MESSAGE:
		pgo_logical_message(r, m);
		break;
	case PGO_STREAM_START:
		m->xid = msgread_u32(r);
		m->first = msgread_u8(r) != 0;
		break;
	case PGO_STREAM_STOP:
		break;
	case PGO_STREAM_ABORT:
		m->xid = msgread_u32(r);
		m->subxid = msgread_u32(r);
		break;
	default:
		r->error = true;
	}
}

bool
pgo_read(struct pgo_reader *rd, struct slice data, struct pgo_message *m)
{
	struct msgread r;

	*m = (struct pgo_message){ .kind = 0 };
	msgread_init(&r, data.p, data.n);
	m->kind = (enum pgo_kind)msgread_u8(&r);
	if (rd->in_stream && pgo_is_change(m->kind))
		m->xid = msgread_u32(&r);
	else if (rd->in_stream && m->kind != PGO_STREAM_STOP &&
	    m->kind != PGO_ORIGIN)
		return false;
	pgo_body(&r, m);
	if (!msgread_done(&r) ||
	    (m->kind == PGO_STREAM_STOP && !rd->in_stream))
		return false;
	if (m->kind == PGO_STREAM_START)
		rd->in_stream = true;
	else if (m->kind == PGO_STREAM_STOP)
		rd->in_stream = false;
	return true;
}

/* ------------------------------------------------------------ status */

static char *
pgo_put_u64(char *p, uint64_t v)
{
	int i;

	for (i = 0; i < 8; i++)
		p[i] = (char)(v >> (56 - 8 * i));
	return p + 8;
}

void
pgo_status(char out[PGO_STATUS_SIZE], lsn_t at, int64_t sent, bool want_reply)
{
	char *p = out;

	*p++ = 'r';
	p = pgo_put_u64(p, at); /* written, flushed, applied: all the same */
	p = pgo_put_u64(p, at);
	p = pgo_put_u64(p, at);
	p = pgo_put_u64(p, (uint64_t)sent);
	*p = want_reply ? 1 : 0;
}
