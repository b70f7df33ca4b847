/* SPDX-License-Identifier: PostgreSQL
 *
 * The extended protocol of the console: statements, portals, formats.
 *
 * Knows messages, not commands: what columns a command has and what it answers
 * comes from above.  A command runs once a portal, at its first Execute; its
 * answer is kept there, so that row limits work.  Portals end at Sync, as
 * outside of a transaction.  Runs on the session's worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgwire/binary.h"
#include "pgwire/frame.h"
#include "session/console.h"

#define CONSOLE_STATEMENTS_MAX 1000u
#define CONSOLE_PORTALS_MAX 20u /* each may hold a whole answer */
#define CONSOLE_SEND_AT (256 * 1024)
#define CONSOLE_BYTES_MAX ((size_t)128 << 20)

/* ---- statements and portals ------------------------------------------------ */

static void
statement_free(struct console *c, struct console_statement *st)
{
	TAILQ_REMOVE(&c->statements, st, link);
	c->n_statements--;
	free(st->name);
	free(st->sql);
	buf_reset(&st->desc);
	free(st);
}

static void
portal_free(struct console *c, struct console_portal *p)
{
	TAILQ_REMOVE(&c->portals, p, link);
	c->n_portals--;
	free(p->name);
	free(p->sql);
	buf_reset(&p->desc);
	buf_reset(&p->rows);
	free(p);
}

static struct console_statement *
statement_find(struct console *c, struct slice name)
{
	struct console_statement *st;

	TAILQ_FOREACH(st, &c->statements, link)
		if (slice_eq_str(name, st->name))
			return st;
	return NULL;
}

static struct console_portal *
portal_find(struct console *c, struct slice name)
{
	struct console_portal *p;

	TAILQ_FOREACH(p, &c->portals, link)
		if (slice_eq_str(name, p->name))
			return p;
	return NULL;
}

static void
portals_free(struct console *c)
{
	struct console_portal *p;

	while ((p = TAILQ_FIRST(&c->portals)) != NULL)
		portal_free(c, p);
	c->running = NULL;
}

void
console_forget(struct console *c)
{
	struct console_statement *st;

	portals_free(c);
	while ((st = TAILQ_FIRST(&c->statements)) != NULL)
		statement_free(c, st);
}

/* ---- replies ------------------------------------------------------------------ */

static void
ext_error(struct console *c, const char *sqlstate, const char *message)
{
	struct msgwrite w;

	msgwrite_init(&w, &c->out);
	msgwrite_error(&w, "ERROR", sqlstate, message, NULL, NULL);
	c->failed = true;
}

/* what "name" how */
static void
ext_error_name(struct console *c, const char *sqlstate, const char *what,
    struct slice name, const char *how)
{
	char text[200];

	snprintf(text, sizeof(text), "%s \"%.*s\" %s", what,
	    (int)(name.n < 64 ? name.n : 64), name.n > 0 ? name.p : "", how);
	ext_error(c, sqlstate, text);
}

static void
ext_reply(struct console *c, char type)
{
	struct msgwrite w;

	msgwrite_init(&w, &c->out);
	msgwrite_begin(&w, type);
	msgwrite_end(&w);
}

static void
ext_raw(struct console *c, const void *p, size_t n)
{
	struct msgwrite w;

	if (n == 0)
		return;
	msgwrite_init(&w, &c->out);
	msgwrite_raw(&w, p, n);
	c->failed = c->failed || w.failed;
}

static bool
ext_send(struct session *s)
{
	struct console *c = s->console;

	if (buf_len(&c->out) > 0)
		session_send(s, buf_head(&c->out), buf_len(&c->out));
	buf_reset(&c->out);
	return s->state != SESSION_CLOSED;
}

/* ---- Parse, Bind, Describe, Close ------------------------------------------------ */

static void
ext_parse(struct console *c, const struct frame *f)
{
	struct console_statement *st;
	struct wire_parse p;
	struct buf desc;
	bool whole = msgread_parse(f->p, f->body, &p);
	char *sql;

	CHECK(whole);
	st = statement_find(c, p.name);
	if (st != NULL && p.name.n > 0) {
		ext_error_name(c, "42P05", "prepared statement", p.name,
		    "already exists");
		return;
	}
	if (st != NULL)
		statement_free(c, st);
	if (c->n_statements == CONSOLE_STATEMENTS_MAX) {
		ext_error(c, "54000", "too many prepared statements on the "
		    "console");
		return;
	}
	sql = x_strndup(p.sql.p, p.sql.n);
	buf_init(&desc, 64 * 1024);
	if (p.n_oids > 0) {
		ext_error(c, "0A000", "console commands take no "
		    "parameters");
	} else if (!console_describe(sql, &desc)) {
		ext_raw(c, buf_head(&desc), buf_len(&desc));
		c->failed = true;
	}
	if (c->failed) {
		free(sql);
		buf_reset(&desc);
		return;
	}
	st = x_calloc(1, sizeof(*st));
	st->name = x_strndup(p.name.p, p.name.n);
	st->sql = sql;
	st->desc = desc;
	TAILQ_INSERT_TAIL(&c->statements, st, link);
	c->n_statements++;
	ext_reply(c, '1');
}

/* The RowDescription again, with the formats of a Bind; false: their number
 * does not go with the columns. */
static bool
ext_formats(const struct wire_bind *b, const struct buf *from, struct buf *to)
{
	struct msgread r;
	uint16_t n, i, format;
	char *p;

	if (buf_len(from) == 0)
		return b->n_result_formats <= 1;
	CHECK(buf_append(to, buf_head(from), buf_len(from)));
	msgread_init(&r, buf_head(from) + FRAME_HEADER,
	    buf_len(from) - FRAME_HEADER);
	n = msgread_u16(&r);
	if (b->n_result_formats > 1 && b->n_result_formats != n)
		return false;
	for (i = 0; i < n; i++) {
		(void)msgread_str(&r);
		(void)msgread_bytes(&r, 18);
		format = b->n_result_formats == 0 ? 0 : wire_u16(
		    b->result_formats + (b->n_result_formats > 1 ? 2 * i : 0));
		if (format > 1)
			return false;
		p = buf_head(to) + FRAME_HEADER + r.pos;
		p[-1] = (char)format;
	}
	CHECK(msgread_done(&r));
	return true;
}

static void
ext_bind(struct console *c, const struct frame *f)
{
	struct console_statement *st;
	struct console_portal *p;
	struct wire_bind b;
	bool whole = msgread_bind(f->p, f->body, &b);

	CHECK(whole);
	st = statement_find(c, b.statement);
	if (st == NULL) {
		ext_error_name(c, "26000", "prepared statement", b.statement,
		    "does not exist");
		return;
	}
	if (b.n_params > 0) {
		ext_error(c, "0A000", "console commands take no "
		    "parameters");
		return;
	}
	p = portal_find(c, b.portal);
	if (p != NULL && b.portal.n > 0) {
		ext_error_name(c, "42P03", "portal", b.portal,
		    "already exists");
		return;
	}
	if (p != NULL)
		portal_free(c, p);
	p = x_calloc(1, sizeof(*p));
	p->name = x_strndup(b.portal.p, b.portal.n);
	p->sql = x_strdup(st->sql);
	buf_init(&p->desc, 64 * 1024);
	buf_init(&p->rows, CONSOLE_BYTES_MAX);
	TAILQ_INSERT_TAIL(&c->portals, p, link);
	if (++c->n_portals > CONSOLE_PORTALS_MAX) {
		portal_free(c, p);
		ext_error(c, "54000", "too many portals on the console");
	} else if (!ext_formats(&b, &st->desc, &p->desc)) {
		portal_free(c, p);
		ext_error(c, "08P01", "the result formats do not go with the "
		    "columns of the command");
	} else {
		ext_reply(c, '2');
	}
}

static void
ext_describe(struct console *c, const struct frame *f)
{
	static const char no_parameters[] = "t\0\0\0\6\0";
	struct slice name = slice_make(f->p + 1, f->body - 2);
	const struct console_statement *st;
	const struct console_portal *p;
	const struct buf *desc;

	if (*f->p == 'S') {
		st = statement_find(c, name);
		if (st == NULL) {
			ext_error_name(c, "26000", "prepared statement", name,
			    "does not exist");
			return;
		}
		ext_raw(c, no_parameters, sizeof(no_parameters));
		desc = &st->desc;
	} else {
		p = portal_find(c, name);
		if (p == NULL) {
			ext_error_name(c, "34000", "portal", name,
			    "does not exist");
			return;
		}
		desc = &p->desc;
	}
	if (buf_len(desc) == 0)
		ext_reply(c, 'n');
	else
		ext_raw(c, buf_head(desc), buf_len(desc));
}

static void
ext_close(struct console *c, const struct frame *f)
{
	struct slice name = slice_make(f->p + 1, f->body - 2);
	struct console_statement *st;
	struct console_portal *p;

	if (*f->p == 'S' && (st = statement_find(c, name)) != NULL)
		statement_free(c, st);
	if (*f->p == 'P' && (p = portal_find(c, name)) != NULL)
		portal_free(c, p);
	ext_reply(c, '3');
}

/* ---- Execute ---------------------------------------------------------------------- */

/* The next row of a portal, in its formats. false: it cannot be. */
static bool
ext_row(struct console *c, const struct console_portal *p,
    const struct frame *row)
{
	struct msgread d, r;
	struct slice value;
	struct msgwrite w;
	uint16_t n, i, format;
	uint32_t oid;
	bool null, ok = true;

	msgread_init(&d, buf_head(&p->desc) + FRAME_HEADER,
	    buf_len(&p->desc) - FRAME_HEADER);
	msgread_init(&r, row->p, row->body);
	n = msgread_u16(&r);
	(void)msgread_u16(&d);
	msgwrite_init(&w, &c->out);
	msgwrite_begin(&w, 'D');
	msgwrite_u16(&w, n);
	for (i = 0; i < n && ok; i++) {
		(void)msgread_str(&d);
		(void)msgread_bytes(&d, 6);
		oid = msgread_u32(&d);
		(void)msgread_bytes(&d, 6);
		format = msgread_u16(&d);
		value = msgread_value(&r, &null);
		if (null)
			msgwrite_u32(&w, UINT32_MAX);
		else
			ok = msgwrite_binary(&w, format == 1 ? oid : OID_TEXT,
			    value);
	}
	msgwrite_end(&w);
	return ok && !w.failed && msgread_done(&r) && msgread_done(&d);
}

static bool
ext_wants_conversion(const struct console_portal *p)
{
	struct msgread d;
	uint16_t n, i;

	if (buf_len(&p->desc) == 0)
		return false;
	msgread_init(&d, buf_head(&p->desc) + FRAME_HEADER,
	    buf_len(&p->desc) - FRAME_HEADER);
	n = msgread_u16(&d);
	for (i = 0; i < n; i++) {
		(void)msgread_str(&d);
		(void)msgread_bytes(&d, 16);
		if (msgread_u16(&d) == 1)
			return true;
	}
	return false;
}

/* All has been given but the tag, which is said again to whoever executes
 * again: the rows need not be kept. */
static void
ext_finish(struct console_portal *p, const struct frame *tag, const char *at)
{
	struct buf last;

	buf_init(&last, CONSOLE_BYTES_MAX);
	if (p->pos == 0 || !buf_append(&last, at, tag->size)) {
		buf_reset(&last);
		return;
	}
	buf_reset(&p->rows);
	p->rows = last;
	p->pos = 0;
}

/* Give at most max rows (0: all) of what the command answered. */
static void
ext_deliver(struct console *c, struct console_portal *p, uint32_t max)
{
	bool convert = ext_wants_conversion(p);
	const char *at;
	uint32_t rows = 0;
	struct frame f;

	while (p->pos < buf_len(&p->rows) && !c->failed) {
		at = buf_head(&p->rows) + p->pos;
		CHECK(frame_next(at, buf_len(&p->rows) - p->pos, UINT32_MAX,
		    &f) == FRAME_WHOLE);
		if (f.type == 'D' && max > 0 && rows++ == max) {
			ext_reply(c, 's');
			return;
		}
		if (f.type == 'D' && convert && !ext_row(c, p, &f)) {
			c->out.end = c->out.start;
			ext_error(c, "XX000", "a value does not fit its "
			    "column");
			return;
		}
		if (f.type != 'T' && !(f.type == 'D' && convert))
			ext_raw(c, at, f.size);
		if (f.type == 'E')
			c->failed = true;
		if (f.type == 'C') {
			ext_finish(p, &f, at);
			return;
		}
		p->pos += f.size;
	}
}

/* false: the command has been started, and its answer is to come. */
static bool
ext_execute(struct session *s, const struct frame *f)
{
	struct console *c = s->console;
	struct console_portal *p;
	struct slice name;
	struct msgread r;
	uint32_t max;

	msgread_init(&r, f->p, f->body);
	name = msgread_str(&r);
	max = msgread_u32(&r);
	p = portal_find(c, name);
	if (p == NULL) {
		ext_error_name(c, "34000", "portal", name, "does not exist");
		return true;
	}
	if (!p->ran) {
		p->ran = true;
		c->running = p;
		console_run_command(s, p->sql);
		if (s->state != SESSION_IDLE)
			return false;
	}
	ext_deliver(c, p, max);
	return true;
}

void
console_take(struct console *c, const struct buf *messages)
{
	struct console_portal *p = c->running;

	c->running = NULL;
	if (!buf_append(&p->rows, buf_head(messages), buf_len(messages))) {
		buf_reset(&p->rows);
		ext_error(c, "54000", "the answer is too large");
	}
}

/* ---- units ------------------------------------------------------------------------- */

/* false: it waits for the answer of a command. */
static bool
ext_message(struct session *s, const struct frame *f)
{
	struct console *c = s->console;

	if (c->failed && f->type != 'S')
		return true;
	switch (f->type) {
	case 'P':
		ext_parse(c, f);
		break;
	case 'B':
		ext_bind(c, f);
		break;
	case 'D':
		ext_describe(c, f);
		break;
	case 'C':
		ext_close(c, f);
		break;
	case 'E':
		return ext_execute(s, f);
	case 'S':
		portals_free(c);
		c->failed = false;
		ext_raw(c, "Z\0\0\0\5I", 6);
		break;
	default: /* Flush: what there is is sent at the end of the unit */
		break;
	}
	return true;
}

enum unit_result
console_extended(struct session *s, const struct unit *u)
{
	struct console *c = s->console;
	struct frame f;

	while (c->at < u->n) {
		CHECK(frame_next(u->p + c->at, u->n - c->at, UINT32_MAX,
		    &f) == FRAME_WHOLE);
		if (!ext_message(s, &f))
			return s->state == SESSION_CLOSED ? UNIT_CLOSED :
			    UNIT_WAIT;
		c->at += f.size;
		if (buf_len(&c->out) > CONSOLE_SEND_AT && !ext_send(s))
			return UNIT_CLOSED;
	}
	c->at = 0;
	return ext_send(s) ? UNIT_DONE : UNIT_CLOSED;
}
