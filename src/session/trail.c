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

#include "base/hash.h"
#include "cache/object.h"
#include "session/explain.h"
#include "session/session_priv.h"
#include "sql/shape_text.h"
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
	t->series = TRAIL_NO_SERIES;
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
		/* What EXPLAIN (ROUTE, ANALYZE) runs is a part of it. */
		t->mixed |= !explain_runs(s) &&
		    t->shape->fingerprint != q->shape->fingerprint;
		return;
	}
	t->shape = shape_ref(q->shape);
	trace_read(q->sql, &t->trace);
	if (c->log_statement_text == LOG_TEXT_FULL)
		t->text = strndup(q->sql.p, q->sql.n < TEXT_KEPT ? q->sql.n :
		    TEXT_KEPT);
	/* ALTER ROLE ... PASSWORD and its like: the words alone. */
	if (t->text != NULL && strcasestr(t->text, "password") != NULL) {
		free(t->text);
		t->text = NULL;
	}
}

void
trail_gave_up(struct session *s)
{
	nsec_t now = clock_mono();

	if (s->state != SESSION_SERVER_WAIT || now < s->waiter.since)
		return;
	s->trail.queued += now - s->waiter.since;
	s->trail.backend = s->backend->name;
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

struct trail_over {
	unsigned series;
	nsec_t now, took;
	struct slice sql;     /* what is not recognised yet; p is NULL: nothing */
	uint64_t fingerprint; /* of its shape */
	uint64_t bytes;
	const char *closed;
};

static nsec_t
trail_log_after(const struct session *s)
{
	if (s->limits->log_after != LOG_INHERIT)
		return s->limits->log_after;
	return s->db->log_after;
}

/* What no shape is known of is counted under these. */
#define UNPARSED 0
#define MIXED 1

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
trail_exemplar(struct session *s, const struct trail_over *o)
{
	struct trail *t = &s->trail;

	if (t->shape == NULL && o->sql.p != NULL)
		trace_read(o->sql, &t->trace);
	if (t->trace.sampled)
		exemplar_note(session_metrics(s), o->series, o->took,
		    &(struct exemplar){
		    .trace = { t->trace.id[0], t->trace.id[1] },
		    .span = t->trace.span, .wall = clock_wall() });
}

static struct census_shape *
trail_meet(struct session *s, const struct trail_over *o, uint64_t id,
    uint64_t fingerprint)
{
	struct trail *t = &s->trail;
	struct slice text = SLICE_LIT("(unparsed)");
	char words[CENSUS_TEXT];

	trail_recognise(s, o->sql);
	if (fingerprint == MIXED)
		text = SLICE_LIT("(several shapes)");
	else if (fingerprint != UNPARSED && t->shape != NULL)
		text = slice_make(words, shape_text(slice_make(t->shape->text,
		    t->shape->len), words, sizeof(words)));
	return census_add(s->sw->census, id, fingerprint, s->dbstate->name,
	    text);
}

static enum census_outcome
trail_outcome(unsigned series)
{
	switch (series == TRAIL_NO_SERIES ? '\0' :
	    *series_get(series)->outcome) {
	case 'l': /* l1, l2; of what is local there is no series */
		return CENSUS_HIT;
	case 'm':
		return CENSUS_MISS;
	case 'b':
		return CENSUS_BYPASS;
	default:
		return CENSUS_OTHER;
	}
}

static void
trail_count(struct session *s, const struct trail_over *o)
{
	struct trail *t = &s->trail;
	uint64_t what[2] = { t->mixed ? MIXED : t->shape != NULL ?
		t->shape->fingerprint : o->fingerprint,
		(uintptr_t)s->dbstate };
	uint64_t id = hash_bytes(what, sizeof(what)).lo;
	struct census_shape *c = census_find(s->sw->census, id);

	if (c == NULL)
		c = trail_meet(s, o, id, what[0]);
	census_count(s->sw->census, c, &(struct census_call){
	    .statements = t->statements,
	    .failed = *t->sqlstate != '\0',
	    .outcome = trail_outcome(o->series),
	    .route = o->series == TRAIL_NO_SERIES ? "" :
	    series_get(o->series)->route,
	    .rows = t->rows, .bytes = o->bytes, .took = o->took });
}

static void
trail_tell(struct session *s, struct trail_over *o)
{
	const struct conf *c = s->sw->setup.conf;
	struct trail *t = &s->trail;

	o->took = o->now > t->began ? o->now - t->began : 0;
	if (c->trace_exemplars && o->series != TRAIL_NO_SERIES)
		trail_exemplar(s, o);
	if (c->track_shapes)
		trail_count(s, o);
	if (t->drawn || o->took >= trail_log_after(s)) {
		trail_recognise(s, o->sql);
		trail_log(s, o->series, o->took, o->now, o->bytes, o->closed);
	}
	trail_drop(s);
}

void
trail_end(struct session *s, nsec_t now)
{
	struct trail_over o = { .series = s->trail.series, .now = now,
		.bytes = s->sent - s->trail.sent };

	/* A short answer is handed on when all of it is there. */
	if (s->trail.asked != 0 && (s->trail.first == 0 ||
	    s->trail.first > now))
		s->trail.first = now;
	trail_tell(s, &o);
}

void
trail_hit(struct session *s, const struct object *o, unsigned series,
    nsec_t now)
{
	struct trail_over over = { .series = series, .now = now,
		.sql = s->trail.unread, .fingerprint = o->fingerprint,
		.bytes = o->frames.n };
	const char *end = o->frames.p + o->frames.n, *tag;

	/* CommandComplete ends the frames: "SELECT n". Its length, of which
	 * the first bytes are 0, may pass for a part of that. */
	for (tag = end - 1; tag > o->frames.p && tag[-1] != '\0'; tag--)
		;
	trail_completed(s, tag);
	trail_tell(s, &over);
}

void
trail_closed(struct session *s, const char *sqlstate, const char *reason)
{
	struct trail_over o = { .now = clock_mono(), .closed = reason,
		.series = s->trail.series,
		.bytes = s->sent - s->trail.sent };

	if (sqlstate != NULL)
		trail_refused(s, sqlstate);
	trail_gave_up(s);
	trail_tell(s, &o);
}
