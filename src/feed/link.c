/* SPDX-License-Identifier: PostgreSQL
 *
 * libpq in its asynchronous way, driven by events on its socket.
 *
 * Knows nothing of what is asked.  Invariant: conn and event exist together,
 * except while libpq has no socket yet.  What a server sends is held by libpq
 * one message at a time: a row of a gigabyte takes that much for a moment.
 */
#include "feed/link.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "net/kdf.h"

void
link_init(struct link *l, struct event_base *base,
    const struct link_ops *ops, void *arg)
{
	*l = (struct link){ .base = base, .ops = ops, .arg = arg };
}

void
link_close(struct link *l)
{
	if (l->event != NULL)
		event_free(l->event);
	l->event = NULL;
	l->waits = 0;
	PQclear(l->answer);
	l->answer = NULL;
	if (l->conn != NULL)
		PQfinish(l->conn);
	l->conn = NULL;
	l->open = l->busy = l->streams = false;
}

/* Messages of libpq are of several lines. */
static void
link_fail(struct link *l, const char *sqlstate, const char *why)
{
	char text[512], state[6];
	size_t n;

	snprintf(state, sizeof(state), "%s", sqlstate != NULL ? sqlstate : "");
	snprintf(text, sizeof(text), "%s", why);
	n = strlen(text);
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	for (n = 0; text[n] != '\0'; n++)
		if (text[n] == '\n')
			text[n] = ' ';
	link_close(l);
	l->ops->on_failure(l, state, text);
}

static void
link_fail_result(struct link *l, const PGresult *r)
{
	const char *why = PQresultErrorMessage(r);

	link_fail(l, PQresultErrorField(r, PG_DIAG_SQLSTATE),
	    why != NULL && *why != '\0' ? why : "the stream has ended");
}

/* ------------------------------------------------------------ waiting */

static void link_on_event(evutil_socket_t fd, short what, void *arg);

/* While it connects libpq may go on to another address with a new socket, which
 * may have the number of the old one. */
static bool
link_wait(struct link *l, short what)
{
	if (l->open && l->waits == what)
		return true;
	if (l->event != NULL)
		event_free(l->event);
	l->event = event_new(l->base, PQsocket(l->conn),
	    (short)(what | EV_PERSIST), link_on_event, l);
	CHECK(l->event != NULL);
	l->waits = what;
	return event_add(l->event, NULL) == 0;
}

static void
link_flush(struct link *l)
{
	int left = PQflush(l->conn);

	if (left < 0 ||
	    !link_wait(l, left > 0 ? EV_READ | EV_WRITE : EV_READ))
		link_fail(l, NULL, PQerrorMessage(l->conn));
}

/* ------------------------------------------------------------ connecting */

static void
link_poll(struct link *l, PostgresPollingStatusType s)
{
	if (PQstatus(l->conn) == CONNECTION_BAD || s == PGRES_POLLING_FAILED) {
		link_fail(l, NULL, kdf_denied() != NULL ? kdf_denied() :
		    PQerrorMessage(l->conn));
		return;
	}
	if (s != PGRES_POLLING_OK) {
		if (!link_wait(l, s == PGRES_POLLING_READING ? EV_READ :
		    EV_WRITE))
			link_fail(l, NULL, "the socket cannot be waited for");
		return;
	}
	if (PQsetnonblocking(l->conn, 1) != 0 || !link_wait(l, EV_READ)) {
		link_fail(l, NULL, PQerrorMessage(l->conn));
		return;
	}
	l->open = true; /* the socket stays */
	l->ops->on_open(l);
}

static void
link_notice(void *arg PG_UNUSED, const char *text)
{
	log_debug("feed", "msg=notice text=%s", log_escs(text));
}

void
link_open(struct link *l, const char *const *keywords,
    const char *const *values)
{
	CHECK(l->conn == NULL);
	kdf_allow();
	l->conn = PQconnectStartParams(keywords, values, 1);
	if (l->conn == NULL) {
		link_fail(l, NULL, "out of memory");
		return;
	}
	PQsetNoticeProcessor(l->conn, link_notice, NULL);
	link_poll(l, PGRES_POLLING_WRITING);
}

/* ------------------------------------------------------------ answers */

static void
link_take_stream(struct link *l)
{
	PGresult *r;
	char *data;
	int n;

	while (l->conn != NULL) {
		n = PQgetCopyData(l->conn, &data, 1);
		if (n == 0)
			return;
		if (n > 0) {
			l->ops->on_data(l, slice_make(data, (size_t)n));
			PQfreemem(data);
			continue;
		}
		r = n == -1 ? PQgetResult(l->conn) : NULL;
		if (r != NULL)
			link_fail_result(l, r);
		else
			link_fail(l, NULL, PQerrorMessage(l->conn));
		PQclear(r);
	}
}

/* The last answer counts, or the first error. */
static void
link_take(struct link *l)
{
	PGresult *r;

	while (l->conn != NULL && l->busy) {
		if (PQisBusy(l->conn) == 1)
			return;
		r = PQgetResult(l->conn);
		if (r != NULL && PQresultStatus(r) == PGRES_COPY_BOTH)
			l->streams = true;
		if (r != NULL && (l->answer == NULL ||
		    PQresultStatus(l->answer) != PGRES_FATAL_ERROR)) {
			PQclear(l->answer);
			l->answer = r;
		} else {
			PQclear(r);
		}
		if (r != NULL && !l->streams)
			continue;
		r = l->answer;
		l->answer = NULL;
		l->busy = false;
		if (r == NULL || PQstatus(l->conn) == CONNECTION_BAD)
			link_fail(l, NULL, PQerrorMessage(l->conn));
		else
			l->ops->on_answer(l, r);
		PQclear(r);
	}
	if (l->conn != NULL && l->streams)
		link_take_stream(l);
}

static void
link_on_event(evutil_socket_t fd PG_UNUSED, short what, void *arg)
{
	struct link *l = arg;

	if (!l->open) {
		kdf_allow();
		link_poll(l, PQconnectPoll(l->conn));
		return;
	}
	if (what & EV_READ) {
		l->moved = true;
		if (PQconsumeInput(l->conn) != 1) {
			link_take(l); /* a last word, if there is one */
			if (l->conn != NULL)
				link_fail(l, NULL, PQerrorMessage(l->conn));
			return;
		}
		link_take(l);
	}
	if (l->conn != NULL && (what & EV_WRITE))
		link_flush(l);
}

/* ------------------------------------------------------------ questions */

void
link_ask(struct link *l, const char *sql, int n, const char *const *values)
{
	CHECK(link_is_free(l));
	if ((n == 0 ? PQsendQuery(l->conn, sql) : PQsendQueryParams(l->conn,
	    sql, n, NULL, values, NULL, NULL, 0)) != 1) {
		link_fail(l, NULL, PQerrorMessage(l->conn));
		return;
	}
	l->busy = true;
	link_flush(l);
}

void
link_send(struct link *l, const char *data, size_t n)
{
	CHECK(l->streams);
	if (PQputCopyData(l->conn, data, (int)n) < 0) {
		link_fail(l, NULL, PQerrorMessage(l->conn));
		return;
	}
	link_flush(l);
}

bool
link_has_moved(struct link *l)
{
	bool moved = l->moved;

	l->moved = false;
	return moved;
}
