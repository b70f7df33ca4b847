/* SPDX-License-Identifier: PostgreSQL
 *
 * Units sent again: errors that come of statements being shared, and not of
 * what the client asked, are mended before it hears of them.
 *
 * A unit that relies on statements which its server was given earlier is kept
 * until it is answered.  If the server then says that a plan's result has
 * another type by now, that it does not know one of our statements, or that it
 * knows one already, the error and its ReadyForQuery are swallowed and the
 * unit is composed anew.  That is right only while nothing of the unit has
 * been done or said: outside of a transaction block, alone on its server, and
 * before a single byte of its answer went out, and not for a client that was
 * told the result's types and does not ask for them again: it would read the
 * new ones as the old.  In every other case the client gets the error, and only
 * the next use is mended.  Runs on the session's worker.
 */
#include <stdlib.h>
#include <string.h>

#include "session/session_priv.h"

#define REPEAT_MAX (64 * 1024) /* bytes; longer units are not kept */
#define REPEAT_SMALL 2048      /* room of those that are reused */
#define REPEAT_SPARE 64        /* of them a worker holds on to */
#define REPEAT_TRIES 3         /* a name, then a plan, then neither */

struct repeat {
	SLIST_ENTRY(repeat) link;
	bool said;      /* the client has got something of the answer */
	bool fixed;     /* it knows the result's types, and is not told again */
	bool sql;       /* one of SQL's PREPARE and the like: terms is set */
	struct unit_terms terms;
	unsigned tries;
	size_t n, room;
	char bytes[];
};

/* ---- keeping a unit ------------------------------------------------------------------ */

static struct repeat *
repeat_new(struct session_worker *sw, size_t n)
{
	struct repeat *r = SLIST_FIRST(&sw->repeats);
	size_t room = n < REPEAT_SMALL ? REPEAT_SMALL : n;

	if (room > REPEAT_SMALL || r == NULL) {
		r = malloc(sizeof(*r) + room);
		if (r != NULL)
			r->room = room;
		return r;
	}
	SLIST_REMOVE_HEAD(&sw->repeats, link);
	sw->n_repeats--;
	return r;
}

void
session_forget_unit(struct session *s)
{
	struct session_worker *sw = s->sw;
	struct repeat *r = s->repeat;

	s->repeat = NULL;
	s->again = false;
	if (r == NULL)
		return;
	if (r->room > REPEAT_SMALL || sw->n_repeats == REPEAT_SPARE) {
		free(r);
		return;
	}
	SLIST_INSERT_HEAD(&sw->repeats, r, link);
	sw->n_repeats++;
}

void
session_repeats_free(struct session_worker *sw)
{
	struct repeat *r;

	while ((r = SLIST_FIRST(&sw->repeats)) != NULL) {
		SLIST_REMOVE_HEAD(&sw->repeats, link);
		free(r);
	}
	sw->n_repeats = 0;
}

static struct repeat *
repeat_keep(struct session *s, const struct unit *u)
{
	struct repeat *r = repeat_new(s->sw, u->n);

	if (r == NULL)
		return NULL;
	memcpy(r->bytes, u->p, u->n);
	r->n = u->n;
	r->said = r->sql = r->fixed = false;
	r->tries = 0;
	s->repeat = r;
	return r;
}

void
session_keep_unit(struct session *s, const struct unit *u)
{
	if (!s->repeating && u->n <= REPEAT_MAX && repeat_keep(s, u) != NULL)
		s->repeat->fixed = s->sw->fixed;
}

bool
session_keep_sql(struct session *s, const struct unit *u,
    const struct unit_terms *t)
{
	struct repeat *r = s->repeat;

	if (r == NULL)
		r = repeat_keep(s, u);
	if (r == NULL)
		return false;
	r->sql = true;
	r->terms = *t;
	return true;
}

const struct unit_terms *
session_terms(const struct session *s)
{
	return s->repeat != NULL && s->repeat->sql ? &s->repeat->terms : NULL;
}

bool
session_kept(const struct session *s, struct unit *u)
{
	return s->repeat != NULL &&
	    unit_read(u, s->repeat->bytes, s->repeat->n);
}

void
session_said(struct session *s)
{
	s->repeat->said = true;
}

/* ---- errors that are ours ------------------------------------------------------------ */

enum fault {
	FAULT_NONE, /* not ours */
	FAULT_PLAN, /* a result changed its type */
	FAULT_OURS, /* perhaps of a name that the client did not ask for */
	FAULT_NAME  /* a statement is there, or is not, against our books */
};

/* Field of an ErrorResponse; "" if there is none. */
static const char *
fault_field(const char *p, size_t n, char field)
{
	const char *end = p + n;

	for (; p < end && *p != '\0'; p += strlen(p) + 1)
		if (*p == field)
			return p + 1;
	return "";
}

/* By places in the source, not by texts, which follow lc_messages. body: well
 * formed. */
static enum fault
fault_of(const char *body, size_t n)
{
	const char *code = fault_field(body, n, 'C');

	if (strcmp(code, "0A000") == 0)
		return strcmp(fault_field(body, n, 'R'),
		    "RevalidateCachedQuery") == 0 ? FAULT_PLAN : FAULT_NONE;
	if (strcmp(code, "26000") != 0 && strcmp(code, "42P05") != 0)
		return FAULT_NONE;
	return strstr(fault_field(body, n, 'M'), PREPARED_PREFIX) != NULL ?
	    FAULT_NAME : FAULT_NONE;
}

/* What the next use must do otherwise. */
static void
fault_note(struct session *s, enum fault f)
{
	if (f == FAULT_PLAN)
		session_statements_outdated();
	else if (f == FAULT_NAME)
		prepared_doubt(&s->server->prepared);
}

void
session_fault(struct session *s, const char *body, size_t n)
{
	/* A name that is taken is none of our doing. */
	if (s->server->owed.failed != OWED_PARSE ||
	    s->server->owed.failed_text.n == 0)
		fault_note(s, fault_of(body, n));
}

bool
session_mend(void *lessee, const char *body, size_t n)
{
	struct session *s = lessee;
	struct repeat *r = s->repeat;
	enum fault f;

	if (r == NULL || r->said || s->again || s->server->tx != 'I' ||
	    r->tries == REPEAT_TRIES)
		return false;
	f = fault_of(body, n);
	if (f == FAULT_PLAN && r->fixed)
		return false;
	/* Parameter types of long ago, for example: as the client sent it. */
	if (f == FAULT_NONE && s->timed != NULL && s->timed_named &&
	    strncmp(fault_field(body, n, 'C'), "42", 2) == 0)
		f = FAULT_OURS;
	if (f == FAULT_NONE)
		return false;
	if (s->timed != NULL && s->timed_named)
		promotion_refuse(&s->timed->promotion);
	session_timed(s, 0);
	fault_note(s, f);
	r->tries++;
	s->again = true;
	stat_add(&session_metrics(s)->c.prepared_mended, 1);
	return true;
}

void
session_timed(struct session *s, nsec_t took)
{
	if (s->timed == NULL)
		return;
	if (took > 0)
		promotion_took(&s->timed->promotion, (uint64_t)took,
		    s->timed_named);
	statement_unref(&s->sw->statements, &s->timed);
}

void
session_repeat(struct session *s)
{
	struct repeat *r = s->repeat;
	struct unit u;

	s->again = false;
	if (!r->sql && s->server->tx != 'I') {
		session_close(s, CLOSE_PROTOCOL, "a unit outside of a "
		    "transaction left one open");
		return;
	}
	CHECK(unit_read(&u, r->bytes, r->n));
	s->repeating = true;
	session_enter(s, SESSION_IDLE);
	if (!r->sql)
		session_extended_again(s, &u);
	else if (!session_sql_again(s, &u) && s->state != SESSION_CLOSED)
		session_close(s, CLOSE_PROTOCOL, "a statement to be repeated "
		    "means something else now");
	s->repeating = false;
	if (s->state != SESSION_IDLE)
		return;
	/* Answered without a server. */
	session_forget_unit(s);
	session_settle(s);
	session_pump(s);
}
