/* SPDX-License-Identifier: PostgreSQL
 *
 * What clients ask: segments of messages with what is owed for them.
 *
 * A segment is one Query, or a few extended statements up to a Sync, of which
 * some are Queries.  A client sends one after the other, or keeps several in
 * flight, or opens a transaction in which it sends one after the other.
 */
#include <stdio.h>
#include <string.h>

#include "storm.h"

#define DEPTH_MAX 6
#define STATEMENTS_MAX 5  /* in a segment */

enum form { SIMPLE, UNNAMED, NAMED, PREPARED };

bool
want_counts(const struct want *w)
{
	return w->kind <= SLOW;
}

static struct want *
want_add(struct client *c, enum kind kind, bool simple, const char *owed)
{
	struct want *w;

	if (c->count == QUEUE_MAX)
		die("too many statements in flight");
	w = &c->queue[(c->head + c->count++) % QUEUE_MAX];
	*w = (struct want){ .kind = kind, .simple = simple, .owed = owed,
		.sent = now() };
	if (simple || kind == SYNC)
		c->flying++;
	return w;
}

static void
script_sync(struct client *c, struct out *o)
{
	put_bare(o, 'S');
	want_add(c, SYNC, false, "Z");
}

static void
script_control(struct client *c, struct out *o, enum kind kind,
    const char *sql)
{
	put_query(o, sql);
	want_add(c, kind, true, "CZ");
}

void
script_login(struct client *c, struct out *o)
{
	put_startup(o, opt.user, opt.db);
	want_add(c, LOGIN, true, "");
}

/* ---------------------------------------------------------- one statement */

static enum kind
kind_choose(void)
{
	uint64_t n = dice(256);

	if (n < 3)
		return SLOW;
	if (n < 13)
		return FAIL;
	return n < 63 && opt.rows ? ROW : TOKEN;
}

static void
put_simple(struct out *o, enum kind kind, const char *token)
{
	char sql[160];

	switch (kind) {
	case ROW:
		snprintf(sql, sizeof(sql),
		    "SELECT token FROM storm WHERE id = %s", token + 4);
		break;
	case FAIL:
		snprintf(sql, sizeof(sql), "SELECT '%s'::int", token);
		break;
	case SLOW:
		snprintf(sql, sizeof(sql), "SELECT '%s', pg_sleep(0.01)",
		    token);
		break;
	default:
		snprintf(sql, sizeof(sql), "SELECT '%s'", token);
		break;
	}
	put_query(o, sql);
}

static const char *
kind_text(enum kind kind)
{
	switch (kind) {
	case ROW:
		return "SELECT token FROM storm WHERE id = $1::int";
	case FAIL:
		return "SELECT $1::text::int";
	case SLOW:
		return "SELECT $1::text, pg_sleep(0.01)";
	default:
		return "SELECT $1::text";
	}
}

/* A name is closed before it is used: it is there if an error stood between
 * its Parse and its Close the last time. */
static void
put_extended(struct out *o, enum form form, enum kind kind, const char *token)
{
	const char *name = form == NAMED ? "n" : form == PREPARED ? "p" : "";

	if (form == NAMED)
		put_close(o, name);
	if (form != PREPARED)
		put_parse(o, name, kind_text(kind));
	put_bind(o, name, kind == ROW ? token + 4 : token);
	if (form != PREPARED)
		put_describe(o);
	put_execute(o);
	if (form == NAMED)
		put_close(o, name);
}

static const char *
owed_for(enum form form, enum kind kind)
{
	bool fails = kind == FAIL;

	switch (form) {
	case SIMPLE:
		return fails ? "EZ" : "TDCZ";
	case UNNAMED:
		return fails ? "12TE" : "12TDC";
	case NAMED:
		return fails ? "312TE" : "312TDC3";
	case PREPARED:
		break;
	}
	return "2DC";
}

static void
script_statement(struct client *c, struct out *o, enum form form)
{
	enum kind kind = form == PREPARED ? TOKEN : kind_choose();
	struct want *w = want_add(c, kind, form == SIMPLE,
	    owed_for(form, kind));

	sum.asked++;
	if (kind == ROW)
		snprintf(w->token, sizeof(w->token), "row %d",
		    1 + (int)dice(ROWS));
	else
		snprintf(w->token, sizeof(w->token), "token-%ld-%08x",
		    sum.asked, (unsigned)dice(UINT32_MAX));
	if (form == SIMPLE)
		put_simple(o, kind, w->token);
	else
		put_extended(o, form, kind, w->token);
}

static enum form
form_choose(const struct client *c)
{
	uint64_t n = dice(8);

	if (n < 3 && c->prepared)
		return PREPARED;
	return n < 5 ? NAMED : UNNAMED;
}

/* --------------------------------------------------------------- segments */

/* In a transaction a Query that fails would change what is owed for those
 * behind it, so it has none among others. */
static void
script_segment(struct client *c, struct out *o)
{
	bool pipelining = c->depth > 1 || dice(4) == 0;
	int n = pipelining ? 1 + (int)dice(STATEMENTS_MAX) : 1;

	if (c->flying > 0)
		sum.overlapped++;
	c->segments--;
	if (n == 1 && dice(2) == 0) {
		script_statement(c, o, SIMPLE);
		return;
	}
	for (; n > 0 && sum.asked < opt.statements; n--) {
		bool query = pipelining && c->status == 'I' && dice(10) == 0;

		script_statement(c, o, query ? SIMPLE : form_choose(c));
		if (dice(16) == 0)
			put_bare(o, 'H');
	}
	script_sync(c, o);
}

/* What a client that owes nothing and is owed nothing does next. */
static void
script_choose(struct client *c, struct out *o)
{
	uint64_t n = dice(16);

	c->depth = 1;
	if (!c->prepared) {
		put_parse(o, "p", "SELECT $1::text");
		want_add(c, PREPARE, false, "1");
		script_sync(c, o);
	} else if (n < 2) {
		c->segments = 1 + (int)dice(3);
		script_control(c, o, BEGIN, "BEGIN");
	} else if (n < 7) {
		c->segments = 2 + (int)dice(12);
		c->depth = 2 + (int)dice(DEPTH_MAX - 1);
	} else {
		c->segments = 1;
	}
}

/* Called when something was answered: put into o what may be sent now. */
void
script_next(struct client *c, struct out *o)
{
	bool over = sum.asked >= opt.statements;

	if (c->status == 'E' || over)
		c->segments = 0;
	if (c->count == 0 && c->segments == 0) {
		if (c->status == 'E')
			script_control(c, o, ROLLBACK, "ROLLBACK");
		else if (c->status == 'T')
			script_control(c, o, COMMIT, "COMMIT");
		else if (!over)
			script_choose(c, o);
	}
	if (c->count > 0 && c->depth == 1)
		return;
	while (c->segments > 0 && c->flying < c->depth &&
	    sum.asked < opt.statements)
		script_segment(c, o);
}
