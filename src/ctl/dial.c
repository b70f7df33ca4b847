/* SPDX-License-Identifier: PostgreSQL
 *
 * A connection by libpq, waited for with poll(); see dial.h.
 *
 * libpq is never let wait by itself: it would not look at the keyboard, nor end.
 */
#include "ctl/dial.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/prompt.h"

#define DIAL_PATIENCE (15 * NSEC_PER_SEC) /* for one answer, or to get in */
#define DIAL_WORDS 8

/* ---- errors ---------------------------------------------------------------- */

/* As one line, which commands no terminal. */
static void
dial_fail(struct dial *l, const char *text)
{
	char *to = l->why, *end = l->why + sizeof(l->why) - 1;

	bool gap = false;

	for (; *text != '\0' && to < end; text++) {
		if (isspace((unsigned char)*text)) {
			gap = true;
			continue;
		}
		if (gap && to > l->why)
			*to++ = ' ';
		gap = false;
		if (to < end)
			*to++ = iscntrl((unsigned char)*text) ? '.' : *text;
	}
	*to = '\0';
}

static void
dial_quiet(void *arg PG_UNUSED, const char *message PG_UNUSED)
{
}

/* ---- waiting ----------------------------------------------------------------- */

/* Until the socket can be read, or written; false: dial.why. */
static bool
dial_wait(struct dial *l, short events, nsec_t until)
{
	struct pollfd p[2] = { { .fd = PQsocket(l->conn), .events = events },
		{ .fd = l->idle != NULL ? l->idle->fd : -1,
		.events = POLLIN } };
	nsec_t now;
	int n;

	for (;;) {
		now = clock_mono();
		if (now >= until) {
			dial_fail(l, "there is no answer");
			return false;
		}
		n = poll(p, 2, (int)((until - now) / NSEC_PER_MSEC) + 1);
		if (n < 0 && errno != EINTR) {
			dial_fail(l, strerror(errno));
			return false;
		}
		if (l->idle != NULL && (n < 0 || p[1].revents != 0) &&
		    !l->idle->fn(l->idle->arg)) {
			l->given_up = true;
			return false;
		}
		if (n > 0 && p[0].revents != 0)
			return true;
	}
}

/* ---- opening ------------------------------------------------------------------- */

struct dial_words {
	const char *keys[DIAL_WORDS], *values[DIAL_WORDS];
	size_t n;
};

static void
dial_word(struct dial_words *w, const char *key, const char *value)
{
	if (value == NULL)
		return;
	CHECK(w->n + 1 < DIAL_WORDS);
	w->keys[w->n] = key;
	w->values[w->n++] = value;
}

/* Does a connection string name a database? false with dial.why if it cannot be
 * read. */
static bool
dial_names_database(struct dial *l, const char *conninfo, bool *names)
{
	PQconninfoOption *all, *c;
	char *error = NULL;

	*names = true;
	if (strchr(conninfo, '=') == NULL && strstr(conninfo, "://") == NULL)
		return true;
	all = PQconninfoParse(conninfo, &error);
	if (all == NULL) {
		dial_fail(l, error != NULL ? error : "no memory");
		PQfreemem(error);
		return false;
	}
	*names = false;
	for (c = all; c->keyword != NULL; c++)
		*names |= c->val != NULL && strcmp(c->keyword, "dbname") == 0;
	PQconninfoFree(all);
	return true;
}

/* The connection, made or failed; false: dial.why. */
static bool
dial_connect(struct dial *l, const struct dial_words *w)
{
	nsec_t until = clock_mono() + DIAL_PATIENCE;
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;

	l->conn = PQconnectStartParams(w->keys, w->values, 1);
	if (l->conn == NULL) {
		dial_fail(l, "no memory");
		return false;
	}
	PQsetNoticeProcessor(l->conn, dial_quiet, NULL);
	if (PQstatus(l->conn) == CONNECTION_BAD)
		next = PGRES_POLLING_FAILED;
	while (next == PGRES_POLLING_READING ||
	    next == PGRES_POLLING_WRITING) {
		if (!dial_wait(l, next == PGRES_POLLING_READING ? POLLIN :
		    POLLOUT, until))
			return false;
		next = PQconnectPoll(l->conn);
	}
	if (next != PGRES_POLLING_OK)
		dial_fail(l, PQerrorMessage(l->conn));
	return next == PGRES_POLLING_OK;
}

bool
dial_open(struct dial *l, const struct ctl_options *o, const char *dbname)
{
	struct dial_words w = { .n = 0 };
	char password[PROMPT_MAX];
	bool names = true, ok;

	dial_close(l);
	l->given_up = false;
	if (o->conninfo != NULL && dbname != NULL &&
	    !dial_names_database(l, o->conninfo, &names))
		return false;
	/* The first one may be a whole connection string. */
	dial_word(&w, "dbname", o->conninfo != NULL ? o->conninfo : dbname);
	if (!names)
		dial_word(&w, "dbname", dbname);
	dial_word(&w, "host", o->host);
	dial_word(&w, "port", o->port);
	dial_word(&w, "user", o->login);
	dial_word(&w, "fallback_application_name", "pgsluicectl");
	dial_word(&w, "password", l->password);
	ok = dial_connect(l, &w);
	if (!ok && l->conn != NULL && PQconnectionNeedsPassword(l->conn) &&
	    l->idle == NULL && prompt_password(PQuser(l->conn), password)) {
		dial_fini(l);
		l->password = x_strdup(password);
		explicit_bzero(password, sizeof(password));
		dial_word(&w, "password", l->password);
		ok = dial_connect(l, &w);
	}
	if (!ok)
		dial_close(l);
	return ok;
}

void
dial_close(struct dial *l)
{
	PQfinish(l->conn);
	l->conn = NULL;
}

void
dial_fini(struct dial *l)
{
	dial_close(l);
	if (l->password != NULL)
		explicit_bzero(l->password, strlen(l->password));
	free(l->password);
	l->password = NULL;
}

bool
dial_is_open(const struct dial *l)
{
	return l->conn != NULL && PQstatus(l->conn) == CONNECTION_OK;
}

/* ---- asking ------------------------------------------------------------------------ */

/* Everything that was sent has left; false: dial.why. */
static bool
dial_flush(struct dial *l, nsec_t until)
{
	int left;

	while ((left = PQflush(l->conn)) > 0) {
		if (!dial_wait(l, POLLIN | POLLOUT, until))
			return false;
		if (PQconsumeInput(l->conn) == 0)
			break;
	}
	if (left == 0)
		return true;
	dial_fail(l, PQerrorMessage(l->conn));
	return false;
}

/* The last of the results; NULL: dial.why. */
static PGresult *
dial_result(struct dial *l, nsec_t until)
{
	PGresult *last = NULL, *r;

	for (;;) {
		while (PQisBusy(l->conn)) {
			if (!dial_wait(l, POLLIN, until)) {
				PQclear(last);
				return NULL;
			}
			if (PQconsumeInput(l->conn) == 0)
				break; /* its last result tells why */
		}
		r = PQgetResult(l->conn);
		if (r == NULL)
			break;
		PQclear(last);
		last = r;
		if (PQstatus(l->conn) == CONNECTION_BAD)
			break;
	}
	if (last == NULL)
		dial_fail(l, PQerrorMessage(l->conn));
	return last;
}

static const char *
dial_field(const PGresult *r, int field)
{
	const char *text = PQresultErrorField(r, field);

	return text != NULL ? text : "";
}

/* What the server says, but not where in the text: that is not the one which the
 * user wrote. */
static void
dial_refused(struct dial *l, const PGresult *r)
{
	const char *what = dial_field(r, PG_DIAG_MESSAGE_PRIMARY),
	    *hint = dial_field(r, PG_DIAG_MESSAGE_HINT);
	char text[DIAL_WHY];

	snprintf(l->sqlstate, sizeof(l->sqlstate), "%s",
	    dial_field(r, PG_DIAG_SQLSTATE));
	snprintf(text, sizeof(text), "%s: %s%s%s",
	    dial_field(r, PG_DIAG_SEVERITY), what, *hint != '\0' ? "; " : "",
	    hint);
	dial_fail(l, *what != '\0' ? text : PQresultErrorMessage(r));
}

PGresult *
dial_ask(struct dial *l, const char *sql)
{
	nsec_t until = clock_mono() + DIAL_PATIENCE;
	PGresult *r = NULL;

	CHECK(l->conn != NULL);
	l->given_up = false;
	l->sqlstate[0] = '\0';
	if (PQsetnonblocking(l->conn, 1) != 0 ||
	    PQsendQuery(l->conn, sql) == 0)
		dial_fail(l, PQerrorMessage(l->conn));
	else if (dial_flush(l, until))
		r = dial_result(l, until);
	if (r == NULL) {
		dial_close(l); /* whatever comes now would be out of order */
		return NULL;
	}
	if (PQresultStatus(r) == PGRES_TUPLES_OK ||
	    PQresultStatus(r) == PGRES_COMMAND_OK)
		return r;
	dial_refused(l, r);
	PQclear(r);
	return NULL;
}

const char *
dial_cell(const PGresult *r, int row, const char *column)
{
	int i = PQfnumber(r, column);

	return i < 0 ? NULL : PQgetvalue(r, row, i);
}

double
dial_number(const PGresult *r, int row, const char *column)
{
	const char *text = dial_cell(r, row, column);

	return text != NULL ? strtod(text, NULL) : 0;
}
