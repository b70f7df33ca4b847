/* SPDX-License-Identifier: PostgreSQL
 *
 * What is said in a write over several shards: to the servers, and to the client at
 * its end.
 *
 * A server's error keeps its words; the line of COPY data in it becomes that of the
 * client's data, and a position, which would be one in another text, is left
 * out.  Runs on the session's worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "session/spread_priv.h"

static const struct hash128 no_hash;

/* ---- what servers are told --------------------------------------------------------- */

/* A query outside of a lease's beginning. */
void
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
void
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
	if (good && spread_decides(p))
		spread_tell(p, slice_str(gid_question));
}

bool
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
		if (!server_owe(base->server, OWED_QUERY, LEDGER_BEGIN,
		    no_hash))
			return false;
		if (x->insert)
			return spread_write_portion(p, w);
		if (!spread_copy_text(p, t))
			return false;
	}
	msgwrite_query(w, slice_make(buf_head(t), buf_len(t)));
	return server_owe(base->server, OWED_QUERY, 0, no_hash);
}

/* ---- errors ---------------------------------------------------------------------- */

/* Where in the data, as PostgreSQL says it. */
static void
spread_context(const struct spread *x, uint64_t line, char *out, size_t size)
{
	snprintf(out, size, "COPY %s, line %llu", x->table->rel,
	    (unsigned long long)line);
}

void
spread_write_error(struct spread *x, const char *sqlstate, const char *message,
    uint64_t line)
{
	char context[300];
	struct msgwrite w;

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
spread_put_context(void *arg, struct msgwrite *w, const char *text)
{
	const struct spread_part *p = arg;
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

void
spread_take_error(struct spread_part *p, const char *body, size_t n)
{
	struct spread *x = p->base.of;

	if (!part_copy_error(&x->error, body, n, spread_put_context, p))
		spread_write_error(x, "54000", "a shard's error is too long",
		    0);
}

/* ---- the answer ---------------------------------------------------------------------- */

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

/* The decider's end is not known, and so not that of any. */
static void
spread_tell_undecided(struct spread *x, struct msgwrite *w)
{
	const char *name = x->part[0].base.backend->name;
	char detail[400];

	snprintf(detail, sizeof(detail), "Backend \"%s\" has not told; what "
	    "has become of it there becomes of it everywhere.", name);
	log_warn("session", "msg=\"a write over several shards is in doubt\" "
	    "table=%s detail=%s", log_escs(x->table->name),
	    log_escs(detail));
	msgwrite_error(w, "ERROR", "40003", "it is not known whether the "
	    "write was committed", detail, "Look there before it is "
	    "repeated.");
}

/* It is committed, but some rows will be seen later. */
static void
spread_tell_left(const struct spread *x, struct msgwrite *w)
{
	char text[400];
	size_t i;

	for (i = 1; i < x->n_parts && !x->part[i].left; i++)
		;
	if (i == x->n_parts)
		return;
	snprintf(text, sizeof(text), "the write is committed, but backend "
	    "\"%s\" was lost and shows its rows later",
	    x->part[i].base.backend->name);
	msgwrite_notice(w, "WARNING", "01000", text);
}

/* Committed: of all parts, or by decision. */
static bool
spread_is_done(const struct spread *x)
{
	size_t i, done = 0;

	for (i = 0; i < x->n_parts; i++)
		done += x->part[i].committed;
	return x->two_phase ? x->part[0].committed : done == x->n_parts;
}

/* What answers the messages of an INSERT before its Execute. */
static void
spread_tell_bound(const struct spread *x, bool good, struct msgwrite *w)
{
	static const char bound[] = "1\0\0\0\0042\0\0\0\004n\0\0\0\004";
	struct session *s = x->s;
	struct unit u;
	size_t skip;

	if (x->stmt == NULL || !good)
		return;
	CHECK(unit_read(&u, buf_head(&s->in), s->unit_len));
	skip = u.has_parse ? 0 : 5;
	msgwrite_raw(w, bound + skip, (u.described ? 15u : 10u) - skip);
}

static void
spread_trail(const struct spread *x, const char *tag, bool doubt)
{
	if (*tag != '\0')
		trail_completed(x->s, tag);
	else if (doubt)
		trail_refused(x->s, "40003");
	else if (buf_len(&x->error) > FRAME_HEADER)
		trail_error(x->s, buf_head(&x->error) + FRAME_HEADER,
		    buf_len(&x->error) - FRAME_HEADER);
}

void
spread_tell_end(struct spread *x)
{
	bool done = spread_is_done(x);
	struct msgwrite w;
	char tag[40] = "";
	struct buf b;
	size_t i;

	for (i = 0; i < x->n_parts && !x->part[i].committed; i++)
		;
	buf_init(&b, 16 * 1024 + buf_len(&x->error));
	msgwrite_init(&w, &b);
	if (x->insert)
		spread_tell_bound(x, done || i < x->n_parts, &w);
	if (done) {
		spread_tell_left(x, &w);
		snprintf(tag, sizeof(tag), x->insert ? "INSERT 0 %llu" :
		    "COPY %llu", (unsigned long long)x->done);
		msgwrite_complete(&w, tag);
	} else if (x->doubt) {
		spread_tell_undecided(x, &w);
	} else if (i < x->n_parts) {
		spread_tell_doubt(x, &w);
	} else {
		msgwrite_raw(&w, buf_head(&x->error), buf_len(&x->error));
	}
	/* The Sync of a unit of extended messages was read as one of the data;
	 * another one follows them. */
	if (x->stmt == NULL || !x->taken)
		msgwrite_ready(&w, x->s->tx);
	else
		x->s->skip_to_sync = !done;
	CHECK(!w.failed);
	stat_add(&session_metrics(x->s)->c.query_errors, !done);
	if (unlikely(x->s->trail.on))
		spread_trail(x, tag, x->doubt || i < x->n_parts);
	session_send(x->s, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}
