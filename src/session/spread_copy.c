/* SPDX-License-Identifier: PostgreSQL
 *
 * The rows of a COPY, on their way from the client to the shards of their keys.
 *
 * A row goes to its shard as it came, line end included.  One whose key the
 * server is to refuse (it is missing, or no value of its type) goes to the first
 * shard, which does so; one whose key might mean another value to a server than
 * it does here ends the COPY.  Runs on the session's worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/ident.h"
#include "pgwire/frame.h"
#include "pgwire/msgread.h"
#include "route/tenant.h"
#include "session/spread_priv.h"

#define ROW_MAX (64u * 1024 * 1024)
#define BATCH_MAX (64u * 1024)

/* ---- columns -------------------------------------------------------------------- */

void
spread_add_column(struct spread *x, const char *body, size_t n)
{
	struct msgread r;
	struct slice name;
	bool null;

	msgread_init(&r, body, n);
	if (msgread_u16(&r) != 1 || x->n_columns == COPY_MAX_FIELDS)
		return;
	name = msgread_value(&r, &null);
	if (null || !msgread_done(&r))
		return;
	if (x->columns == NULL)
		x->columns = x_calloc(COPY_MAX_FIELDS,
		    sizeof(*x->columns));
	x->columns[x->n_columns++] = x_strndup(name.p, name.n);
}

static bool
copy_put(struct buf *out, const char *s)
{
	return buf_append(out, s, strlen(s));
}

bool
spread_ask_columns(const char *relation, struct buf *out)
{
	bool ok = copy_put(out, "SELECT attname::pg_catalog.text FROM "
	    "pg_catalog.pg_attribute WHERE attrelid = '");

	for (; *relation != '\0' && ok; relation++)
		ok = buf_append(out, relation, 1) && (*relation != '\'' ||
		    buf_append(out, relation, 1));
	return ok && copy_put(out, "'::pg_catalog.regclass AND attnum "
	    "OPERATOR(pg_catalog.>) 0 AND NOT attisdropped AND attgenerated "
	    "OPERATOR(pg_catalog.=) '' ORDER BY attnum");
}

/* In the order of the fields, since that is how they are met. */
bool
spread_find_keys(struct spread *x)
{
	const struct conf_table *t = x->table;
	size_t found = 0, k;
	unsigned i;

	for (i = 0; i < x->n_columns; i++)
		for (k = 0; k < t->n_keys; k++)
			if (strcmp(x->columns[i], t->keys[k].column) == 0) {
				if (found == COPY_MAX_WANTED)
					return false;
				x->wanted[found] = i;
				x->key_of[found++] = (unsigned)k;
			}
	if (found != t->n_keys)
		return false;
	copy_rows_init(&x->rows, &x->spec->options, x->wanted, found);
	return true;
}

/* ---- the shards' text ------------------------------------------------------------- */

static bool
copy_put_columns(const struct spread *x, struct buf *out)
{
	bool ok = buf_append(out, " (", 2);
	size_t i;

	for (i = 0; i < x->n_columns && ok; i++)
		ok = (i == 0 || buf_append(out, ", ", 2)) &&
		    ident_append_name(out, slice_str(x->columns[i]));
	return ok && buf_append(out, ")", 1);
}

bool
spread_copy_text(const struct spread_part *p, struct buf *out)
{
	const struct spread *x = p->base.of;
	const struct an_table *t;
	struct query q;
	uint32_t end;

	query_prepare(x->s, &q, slice_str(x->sql), NULL, NULL);
	t = &q.shape->an->tables[q.plan->an_table];
	end = lex_pos(q.values.lx, t->end);
	if (!route_rewrite_range(q.plan, q.shape, &q.values,
	    FORM_OF(x->table->use->shards[p->shard].relation), 0, end, out))
		return false;
	if (x->spec->n_columns == 0 && !copy_put_columns(x, out))
		return false;
	return buf_append(out, x->sql + end, strlen(x->sql) - end);
}

void
spread_invite(struct spread *x, const struct unit *u)
{
	static const char bound[] = "1\0\0\0\0042\0\0\0\004n\0\0\0\004";
	size_t skip = u->has_parse ? 0 : 5;
	bool binary = x->spec->options.format == COPY_BINARY;
	struct msgwrite w;
	struct buf b;
	size_t i;

	buf_init(&b, 4096);
	msgwrite_init(&w, &b);
	if (u->has_bind)
		msgwrite_raw(&w, bound + skip, (u->described ? 15u : 10u) -
		    skip);
	msgwrite_begin(&w, 'G');
	msgwrite_u8(&w, binary);
	msgwrite_u16(&w, (uint16_t)x->n_columns);
	for (i = 0; i < x->n_columns; i++)
		msgwrite_u16(&w, binary);
	msgwrite_end(&w);
	CHECK(!w.failed);
	session_send(x->s, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}

/* ---- dealing -------------------------------------------------------------------------- */

void
spread_flush(struct spread_part *p)
{
	struct server *srv = p->base.server;
	char head[FRAME_HEADER] = "d";
	struct iovec iov[2] = { { head, sizeof(head) },
		{ buf_head(&p->out), buf_len(&p->out) } };

	if (buf_len(&p->out) == 0)
		return;
	wire_put_u32(head + 1, (uint32_t)(4 + buf_len(&p->out)));
	srv->owed.copy_data = true;
	(void)!server_send(srv, iov, 2);
	buf_consume(&p->out, buf_len(&p->out));
}

static void
copy_deal(struct spread *x, struct spread_part *p, const char *row, size_t n,
    uint64_t lines)
{
	struct spread_line *l = &p->lines[p->rows++ % SPREAD_LINES];

	p->line += lines;
	l->there = p->line;
	l->here = x->rows.line;
	if (buf_len(&p->out) + n > BATCH_MAX)
		spread_flush(p);
	if (!buf_append(&p->out, row, n))
		spread_fail(x, "53200", "out of memory", 0);
}

uint64_t
spread_line_here(const struct spread_part *p, uint64_t there)
{
	uint64_t row = p->rows, back;
	const struct spread_line *l;
	uint64_t here = 0;

	for (back = 0; back < SPREAD_LINES && back < row; back++) {
		l = &p->lines[(row - 1 - back) % SPREAD_LINES];
		if (l->there < there)
			return here;
		here = l->here;
	}
	return back == row ? here : 0;
}

/* No server takes this for a value of the type, which is one whose spellings are
 * known: those of an integer in any version are made of these bytes. */
static bool
copy_is_no_value(enum conf_key_type type, struct slice s, bool binary)
{
	size_t i;

	switch (type) {
	case KEY_TYPE_UUID:
		return true;
	case KEY_TYPE_INT2:
	case KEY_TYPE_INT4:
	case KEY_TYPE_INT8:
		for (i = 0; i < s.n && !binary; i++)
			if (s.p[i] == '\0' || strchr("0123456789abcdefABCDEF"
			    "oxOX_+- \t\n\r\v\f", s.p[i]) == NULL)
				return true;
		return false;
	default:
		return false;
	}
}

/* false: it is not certain how a server reads the key. *part: NULL: the server is
 * to say what is wrong with it. */
static bool
copy_part_of(struct spread *x, const char *row, struct spread_part **part)
{
	const struct conf_variant *v = x->table->use;
	const struct conf_shard *shard;
	uint64_t of[COPY_MAX_WANTED], h, hash = 0;
	bool has[COPY_MAX_WANTED] = { false }, null;
	struct slice value;
	size_t i;

	*part = NULL;
	for (i = 0; i < x->table->n_keys; i++) {
		enum conf_key_type type = x->table->keys[x->key_of[i]].type;
		bool binary = x->spec->options.format == COPY_BINARY;

		if (!x->rows.fields[i].given)
			return true;
		if (!copy_rows_value(&x->rows, row, i, &x->scratch, &value,
		    &null))
			return false;
		if (null)
			continue;
		if (!tenant_hash_value(type, value, binary, 0, &h) ||
		    !tenant_stores_value(type, value, binary))
			return copy_is_no_value(type, value, binary);
		has[x->key_of[i]] = true;
		of[x->key_of[i]] = h;
	}
	for (i = 0; i < x->table->n_keys; i++)
		if (has[i])
			hash = tenant_combine(hash, of[i]);
	shard = conf_shard_of(v, 0, hash);
	for (i = 0; i < x->n_parts; i++)
		if (x->part[i].base.backend == shard->backend)
			*part = &x->part[i];
	return true;
}

static void
copy_row(struct spread *x, enum copy_verdict v, const char *row, size_t n,
    uint64_t lines)
{
	struct spread_part *p;
	size_t i;

	if (v == COPY_HEAD) {
		for (i = 0; i < x->n_parts; i++)
			copy_deal(x, &x->part[i], row, n, lines);
		return;
	}
	if (!copy_part_of(x, row, &p)) {
		spread_fail(x, "0A000", "cannot tell the shard of a row by the "
		    "text of its key", x->rows.line);
		return;
	}
	copy_deal(x, p != NULL ? p : &x->part[0], row, n, lines);
}

/* Rows at p; returns how many bytes were used. */
static size_t
copy_take(struct spread *x, const char *p, size_t n, bool last)
{
	const char *sqlstate = "22P04", *why = "";
	size_t pos = 0, size = 0;
	enum copy_verdict v;
	uint64_t line;

	while (pos < n && !x->ended && !spread_failing(x)) {
		line = x->rows.line;
		v = copy_rows_next(&x->rows, p + pos, n - pos, last, &size,
		    &sqlstate, &why);
		switch (v) {
		case COPY_MORE:
			return pos;
		case COPY_BAD:
			spread_fail(x, sqlstate, why, x->rows.line);
			return n;
		case COPY_END:
			x->ended = true;
			return n;
		case COPY_HEAD:
		case COPY_ROW:
			copy_row(x, v, p + pos, size, x->rows.line - line);
			pos += size;
			break;
		}
	}
	return x->ended || spread_failing(x) ? n : pos;
}

static void
copy_keep(struct spread *x, const char *p, size_t n)
{
	if (n > 0 && !buf_append(&x->pending, p, n))
		spread_fail(x, "54000", "a row of COPY data is too long",
		    x->rows.line + 1);
}

static void
copy_feed(struct spread *x, const char *p, size_t n)
{
	size_t used, i;

	if (x->ended || spread_failing(x) || n == 0)
		return;
	if (buf_len(&x->pending) == 0) {
		used = copy_take(x, p, n, false);
		copy_keep(x, p + used, n - used);
	} else {
		copy_keep(x, p, n);
		used = copy_take(x, buf_head(&x->pending),
		    buf_len(&x->pending), false);
		buf_consume(&x->pending, used);
	}
	for (i = 0; i < x->n_parts && !spread_failing(x); i++)
		spread_flush(&x->part[i]);
	if (spread_is_full(x->s))
		stream_read_stop(&x->s->st);
}

/* What is left is the last row, without its line end. */
static void
copy_end(struct spread *x)
{
	size_t n = buf_len(&x->pending), used, i;

	if (!spread_failing(x) && !x->ended && n > 0) {
		used = copy_take(x, buf_head(&x->pending), n, true);
		if (used < n)
			spread_fail(x, "22P04", "unexpected EOF in COPY data",
			    x->rows.line + 1);
	}
	buf_reset(&x->pending);
	for (i = 0; i < x->n_parts && !spread_failing(x) &&
	    x->spec->options.format == COPY_BINARY; i++)
		copy_deal(x, &x->part[i], "\377\377", 2, 0);
	for (i = 0; i < x->n_parts && !spread_failing(x); i++)
		spread_flush(&x->part[i]);
	spread_data_over(x);
}

/* ---- messages -------------------------------------------------------------------------- */

static void
copy_failed(struct spread *x, const struct frame *f)
{
	char text[600];
	size_t n = f->body > 0 ? strnlen(f->p, f->body) : 0;

	snprintf(text, sizeof(text), "COPY from stdin failed: %.*s",
	    (int)(n < 500 ? n : 500), f->p);
	spread_fail(x, "57014", text, x->rows.line + 1);
	spread_data_over(x);
}

size_t
spread_input(struct session *s, const char *p, size_t n)
{
	struct spread *x = s->spread;
	enum frame_verdict v;
	struct frame f;
	size_t here;

	if (x->left > 0) {
		here = x->left < n ? x->left : n;
		x->left -= here;
		copy_feed(x, p, here);
		return here;
	}
	v = frame_next(p, n, (uint32_t)s->conf->max_message_size, &f);
	if (v == FRAME_NEED_MORE || (v == FRAME_PARTIAL && f.type != 'd')) {
		s->need = v == FRAME_PARTIAL ? f.size : FRAME_HEADER;
		if (v == FRAME_PARTIAL && f.body > 64 * 1024)
			session_close(s, CLOSE_PROTOCOL, "message too long");
		return 0;
	}
	if (v == FRAME_BAD || strchr("dcfHSX", f.type) == NULL) {
		session_close(s, CLOSE_PROTOCOL,
		    "unexpected message during COPY from stdin");
		return n;
	}
	here = f.size < n ? f.size : n;
	switch (f.type) {
	case 'd':
		x->left = f.size - here;
		copy_feed(x, p + FRAME_HEADER, here - FRAME_HEADER);
		break;
	case 'c':
		copy_end(x);
		break;
	case 'f':
		copy_failed(x, &f);
		break;
	case 'X':
		session_close(s, CLOSE_TERMINATE, NULL);
		break;
	default: /* Flush and Sync mean nothing here */
		break;
	}
	return here;
}
