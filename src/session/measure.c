/* SPDX-License-Identifier: PostgreSQL
 *
 * Questions to servers with their answers, for EXPLAIN (ROUTE, ANALYZE).
 *
 * Knows the messages of an answer and the tags of statements that are planned;
 * what else a server says around them (BEGIN, SET CONSTRAINTS) is passed over.
 * Pure.
 */
#include "session/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgwire/frame.h"

void
measure_init(struct measure *m, nsec_t since)
{
	*m = (struct measure){ .since = since };
}

void
measure_fini(struct measure *m)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		free(m->asked[i].where);
		free(m->asked[i].sql);
	}
	free(m->asked);
	m->asked = NULL;
	m->n = m->size = 0;
}

/* ---- questions ---------------------------------------------------------------- */

static struct measure_question *
measure_room(struct measure *m)
{
	size_t size = m->size == 0 ? 4 : m->size * 2;
	struct measure_question *more;

	if (m->n < m->size)
		return &m->asked[m->n++];
	more = realloc(m->asked, size * sizeof(*more));
	if (more == NULL)
		return NULL;
	m->asked = more;
	m->size = size;
	return &m->asked[m->n++];
}

void
measure_ask(struct measure *m, const void *server, const char *where,
    struct slice sql, nsec_t now)
{
	struct measure_question *q = measure_room(m);

	if (q == NULL)
		return;
	*q = (struct measure_question){ .server = server, .asked = now };
	q->where = strdup(where);
	while (sql.n > 0 && strchr(" \t\r\n", *sql.p) != NULL) {
		sql.p++;
		sql.n--;
	}
	if (sql.n > MEASURE_TEXT_MAX - m->text)
		return;
	q->sql = strndup(sql.p, sql.n);
	m->text += sql.n;
}

/* ---- answers -------------------------------------------------------------------- */

/* The server's question that is being answered; the last one, if all are; NULL:
 * it has none. */
static struct measure_question *
measure_open(struct measure *m, const void *server)
{
	struct measure_question *last = NULL;
	size_t i;

	for (i = 0; i < m->n; i++) {
		if (m->asked[i].server != server)
			continue;
		last = &m->asked[i];
		if (last->answered == 0)
			break;
	}
	return last;
}

static bool
measure_is_answer(const char *tag)
{
	static const char *const words[] = { "SELECT ", "INSERT ", "UPDATE ",
		"DELETE ", "MERGE " };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strncmp(tag, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

/* CommandComplete. */
static void
measure_tag(struct measure_question *q, const struct frame *f, nsec_t now)
{
	char tag[sizeof(q->tag)];

	snprintf(tag, sizeof(tag), "%.*s", (int)f->body, f->p);
	if (q->answered != 0 && strncmp(tag, "COMMIT", 6) == 0)
		q->committed = now;
	if (q->answered != 0 || !measure_is_answer(tag))
		return;
	q->answered = now;
	memcpy(q->tag, tag, sizeof(tag));
}

void
measure_answer(struct measure *m, const void *server, const char *p, size_t n,
    nsec_t now)
{
	struct measure_question *q = measure_open(m, server);
	struct frame f;
	size_t pos = 0, here;

	while (pos < n && q != NULL) {
		if (q->left > 0) {
			here = q->left < n - pos ? q->left : n - pos;
			q->left -= here;
			pos += here;
			continue;
		}
		if (frame_next(p + pos, n - pos, UINT32_MAX, &f) ==
		    FRAME_NEED_MORE)
			return;
		here = f.size < n - pos ? f.size : n - pos;
		q->left = f.size - here;
		pos += here;
		if (f.type == 'D' && q->answered == 0) {
			q->first = q->rows == 0 ? now : q->first;
			q->rows++;
			q->bytes += f.size;
		} else if (f.type == 'C' && q->left == 0) {
			measure_tag(q, &f, now);
			q = measure_open(m, server);
		}
	}
}

/* ---- lines ---------------------------------------------------------------------- */

static double
measure_ms(nsec_t from, nsec_t until)
{
	return (double)(until - from) / 1e6;
}

/* "<key>: <value>" of any length. */
static void
measure_text(const char *key, const char *value,
    void (*fn)(void *arg, const char *line), void *arg)
{
	size_t n = strlen(key) + strlen(value) + 3;
	char *line = malloc(n);

	if (line == NULL)
		return;
	snprintf(line, n, "%s: %s", key, value);
	fn(arg, line);
	free(line);
}

static void
measure_times(const struct measure *m, const struct measure_question *q,
    void (*fn)(void *arg, const char *line), void *arg)
{
	char line[200];
	size_t n;

	n = (size_t)snprintf(line, sizeof(line), "asked times: at %.3f ms",
	    measure_ms(m->since, q->asked));
	if (q->rows > 0)
		n += (size_t)snprintf(line + n, sizeof(line) - n,
		    ", first row after %.3f ms",
		    measure_ms(q->asked, q->first));
	if (q->answered > 0)
		n += (size_t)snprintf(line + n, sizeof(line) - n,
		    ", all after %.3f ms", measure_ms(q->asked, q->answered));
	if (q->committed > 0)
		(void)snprintf(line + n, sizeof(line) - n,
		    ", committed after %.3f ms",
		    measure_ms(q->asked, q->committed));
	fn(arg, line);
}

static void
measure_question(const struct measure *m, const struct measure_question *q,
    void (*fn)(void *arg, const char *line), void *arg)
{
	char line[200];

	measure_text("asked", q->where != NULL ? q->where : "?", fn, arg);
	measure_text("asked sql", q->sql != NULL ? q->sql : "(too long)", fn,
	    arg);
	measure_times(m, q, fn, arg);
	snprintf(line, sizeof(line), "asked answer: %s, %llu rows, %llu bytes",
	    q->answered > 0 ? q->tag : "not to its end",
	    (unsigned long long)q->rows, (unsigned long long)q->bytes);
	fn(arg, line);
}

void
measure_lines(const struct measure *m,
    void (*fn)(void *arg, const char *line), void *arg)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		measure_question(m, &m->asked[i], fn, arg);
	if (m->note != NULL)
		measure_text("note", m->note, fn, arg);
}
