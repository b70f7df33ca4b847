/* SPDX-License-Identifier: PostgreSQL
 *
 * The line of the log about one statement.
 *
 * Fields that do not apply are left out, the text comes last and is cut.  What
 * came from outside is escaped.  Runs on the session's worker, which never
 * waits for the log: a line that finds no room there is lost and counted.
 */
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "session/session_priv.h"
#include "sql/shape_text.h"

#define LINE_MAX_BYTES 1900 /* the log's line holds it with time and level */
#define LINE_TEXT 1024

struct line {
	char text[LINE_MAX_BYTES];
	size_t n;
};

/* A field, or nothing of it where it does not fit. */
static void PG_PRINTF(2, 3)
line_add(struct line *l, const char *fmt, ...)
{
	size_t room = sizeof(l->text) - l->n;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->n, room, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < room)
		l->n += (size_t)n;
	l->text[l->n] = '\0';
}

static double
line_ms(nsec_t t)
{
	return (double)t / 1e6;
}

static void
line_who(struct line *l, const struct session *s)
{
	line_add(l, "session=%llu database=%s user=%s",
	    (unsigned long long)s->id, log_escs(s->db->name),
	    log_escs(s->user));
	if (s->app_name != NULL && *s->app_name != '\0')
		line_add(l, " application_name=%s", log_escs(s->app_name));
}

static void
line_where(struct line *l, const struct trail *t, unsigned series)
{
	const struct series_name *name;
	const char *cache = "local";

	if (series != TRAIL_NO_SERIES) {
		name = series_get(series);
		cache = t->joined && strcmp(name->outcome, "l1") == 0 ?
		    "wait" : name->outcome;
		line_add(l, " route=%s", log_escs(name->route));
		if (*name->variant != '\0')
			line_add(l, " variant=%s", log_escs(name->variant));
		line_add(l, " backend=%s", log_escs(name->backend));
	} else if (t->backend != NULL) {
		line_add(l, " backend=%s", log_escs(t->backend));
	}
	line_add(l, " cache=%s", cache);
	if (t->bypass != BYPASS_NONE)
		line_add(l, " bypass=%s",
		    bypass_reason_name((enum bypass_reason)t->bypass));
}

static void
line_times(struct line *l, const struct trail *t, nsec_t took, nsec_t now)
{
	nsec_t until = t->asked != 0 ? t->asked : now;
	nsec_t look = until > t->began + t->queued ?
	    until - t->began - t->queued : 0;

	line_add(l, " total_ms=%.3f look_ms=%.3f queue_ms=%.3f",
	    line_ms(took), line_ms(look), line_ms(t->queued));
	if (t->asked != 0 && t->first > t->asked)
		line_add(l, " first_ms=%.3f", line_ms(t->first - t->asked));
	if (t->asked != 0 && now > t->asked)
		line_add(l, " server_ms=%.3f", line_ms(now - t->asked));
}

static void
line_answer(struct line *l, const struct session *s, uint64_t bytes,
    const char *closed)
{
	const struct trail *t = &s->trail;

	if (t->has_rows)
		line_add(l, " rows=%llu", (unsigned long long)t->rows);
	line_add(l, " bytes=%llu tx=%s", (unsigned long long)bytes,
	    s->tx == 'I' ? "idle" : s->tx == 'T' ? "open" : "failed");
	if (*t->sqlstate != '\0')
		line_add(l, " sqlstate=%s", log_escs(t->sqlstate));
	if (closed != NULL)
		line_add(l, " closed=%s", log_escs(closed));
	if (t->statements > 1)
		line_add(l, " statements=%u", t->statements);
}

static void
line_trace(struct line *l, const struct trace *t)
{
	char id[TRACE_ID_TEXT], span[TRACE_SPAN_TEXT];

	if (trace_is_there(t))
		line_add(l, " trace_id=%s span_id=%s trace_sampled=%d",
		    trace_print_id(id, t), trace_print_span(span, t),
		    t->sampled);
}

static void
line_statement(struct line *l, const struct trail *t)
{
	char words[LINE_TEXT], value[LINE_MAX_BYTES];
	struct slice shape, text = slice_make(NULL, 0);
	size_t room;

	if (t->shape != NULL && t->shape->len > 0) {
		shape = slice_make(t->shape->text, t->shape->len);
		line_add(l, " shape=%016llx",
		    (unsigned long long)t->shape->fingerprint);
		text = slice_make(words, shape_text(shape, words,
		    sizeof(words)));
	}
	if (t->text != NULL)
		text = slice_str(t->text);
	room = sizeof(l->text) - l->n;
	if (text.n == 0 || room < 64)
		return;
	line_add(l, " query=%s", log_esc_into(value, room - 16, text));
}

void
trail_log(const struct session *s, unsigned series, nsec_t took, nsec_t now,
    uint64_t bytes, const char *closed)
{
	struct line l = { .n = 0 };

	if (!log_enabled(LOG_L_INFO))
		return;
	line_add(&l, "msg=%s ", s->trail.drawn ? "\"statement drawn\"" :
	    "\"slow statement\"");
	line_who(&l, s);
	line_where(&l, &s->trail, series);
	line_times(&l, &s->trail, took, now);
	line_answer(&l, s, bytes, closed);
	line_trace(&l, &s->trail.trace);
	line_statement(&l, &s->trail);
	log_msg(LOG_L_INFO, "statement", "%s", l.text);
}
