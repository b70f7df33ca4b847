/* SPDX-License-Identifier: PostgreSQL
 *
 * Following a statement, and telling of it when it is over.
 *
 * Knows who is to be told, not in what words (trail_line.c).  Runs on the
 * session's worker.  A hit by exact bytes has not been recognised: its text is
 * looked at only if somebody wants to know.
 */
#include "session/trail.h"

#include <stdlib.h>
#include <string.h>

#include "cache/object.h"
#include "session/session_priv.h"
#include "stats/exemplar.h"

#define TEXT_KEPT 1024 /* of a statement that is logged in full */

void
trail_drop(struct session *s)
{
	struct trail *t = &s->trail;

	shape_unref(&s->sw->shapes, &t->shape);
	free(t->text);
	*t = (struct trail){ .on = false };
}

void
trail_begin(struct session *s, const struct unit *u)
{
	const struct conf *c = s->sw->setup.conf;
	struct trail *t = &s->trail;
	unsigned n = u->executes + (u->first == 'Q' || u->first == 'F');

	if (n == 0)
		return;
	if (t->on && s->state == SESSION_RELAY) {
		t->statements += n;
		return;
	}
	trail_drop(s);
	t->on = true;
	t->statements = n;
	t->began = s->started;
	t->sent = s->sent;
	t->drawn = c->log_sample > 0 && session_draws(s->sw, c->log_sample);
}

/* ---- on its way ---------------------------------------------------------------- */

void
trail_query(struct session *s, const struct query *q)
{
	const struct conf *c = s->sw->setup.conf;
	struct trail *t = &s->trail;

	if (t->shape != NULL) {
		t->mixed |= t->shape->fingerprint != q->shape->fingerprint;
		return;
	}
	t->shape = shape_ref(q->shape);
	trace_read(q->sql, &t->trace);
	if (c->log_statement_text == LOG_TEXT_FULL)
		t->text = strndup(q->sql.p, q->sql.n < TEXT_KEPT ? q->sql.n :
		    TEXT_KEPT);
}

void
trail_asked(struct session *s)
{
	if (s->trail.asked == 0)
		s->trail.asked = clock_mono();
}

void
trail_heard(struct session *s)
{
	if (s->trail.first == 0)
		s->trail.first = clock_mono();
}

/* The number of rows is a tag's last word, if it has one. */
void
trail_completed(struct session *s, const char *tag)
{
	const char *last = strrchr(tag, ' ');

	if (last == NULL || last[1] < '0' || last[1] > '9')
		return;
	s->trail.rows += strtoull(last + 1, NULL, 10);
	s->trail.has_rows = true;
}

void
trail_refused(struct session *s, const char *sqlstate)
{
	size_t n = strnlen(sqlstate, sizeof(s->trail.sqlstate) - 1);

	memcpy(s->trail.sqlstate, sqlstate, n);
	s->trail.sqlstate[n] = '\0';
}

void
trail_error(struct session *s, const char *body, size_t n)
{
	struct wire_error e;

	(void)!msgread_error(body, n, &e);
	if (e.sqlstate.n == sizeof(s->trail.sqlstate) - 1)
		memcpy(s->trail.sqlstate, e.sqlstate.p, e.sqlstate.n);
}

/* ---- the end ------------------------------------------------------------------------ */

static nsec_t
trail_log_after(const struct session *s)
{
	if (s->limits->log_after != LOG_INHERIT)
		return s->limits->log_after;
	return s->db->log_after;
}

static void
trail_recognise(struct session *s, struct slice sql)
{
	struct query q;

	if (s->trail.shape != NULL || sql.p == NULL)
		return;
	query_prepare(s, &q, sql, NULL, NULL);
	trail_query(s, &q);
}

static void
trail_exemplar(struct session *s, struct slice sql, unsigned series,
    nsec_t took)
{
	struct trail *t = &s->trail;

	if (t->shape == NULL && sql.p != NULL)
		trace_read(sql, &t->trace);
	if (t->trace.sampled)
		exemplar_note(session_metrics(s), series, took, &(struct
		    exemplar){ .trace = { t->trace.id[0], t->trace.id[1] },
		    .span = t->trace.span, .wall = clock_wall() });
}

/* sql: what is not recognised yet; p is NULL: nothing. */
static void
trail_over(struct session *s, unsigned series, nsec_t now, struct slice sql,
    uint64_t bytes, const char *closed)
{
	const struct conf *c = s->sw->setup.conf;
	struct trail *t = &s->trail;
	nsec_t took = now > t->began ? now - t->began : 0;

	if (c->trace_exemplars && series != TRAIL_NO_SERIES)
		trail_exemplar(s, sql, series, took);
	if (t->drawn || took >= trail_log_after(s)) {
		trail_recognise(s, sql);
		trail_log(s, series, took, now, bytes, closed);
	}
	trail_drop(s);
}

void
trail_end(struct session *s, unsigned series, nsec_t now)
{
	/* A short answer is handed on when all of it is there. */
	if (s->trail.asked != 0 && (s->trail.first == 0 ||
	    s->trail.first > now))
		s->trail.first = now;
	trail_over(s, series, now, slice_make(NULL, 0),
	    s->sent - s->trail.sent, NULL);
}

void
trail_hit(struct session *s, const struct object *o, unsigned series,
    nsec_t now)
{
	const char *end = o->frames.p + o->frames.n, *tag;

	/* CommandComplete ends the frames: "SELECT n". */
	for (tag = end - 1; tag > o->frames.p && tag[-1] != '\0'; tag--)
		;
	trail_completed(s, tag);
	trail_over(s, series, now, o->key.sql, o->frames.n, NULL);
}

void
trail_closed(struct session *s, const char *sqlstate, const char *reason)
{
	if (sqlstate != NULL)
		trail_refused(s, sqlstate);
	trail_over(s, s->trail.asked != 0 ? s->series : TRAIL_NO_SERIES,
	    clock_mono(), slice_make(NULL, 0), s->sent - s->trail.sent,
	    reason);
}
