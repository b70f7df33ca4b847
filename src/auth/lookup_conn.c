/* SPDX-License-Identifier: PostgreSQL
 *
 * Putting the question: connections of a lookup thread, and one query on them.
 *
 * libpq is used in the ordinary way, but every wait has a deadline and ends
 * when pgsluice stops.  A connection may have died while it rested: then the
 * question is put once more on a new one.  After a failed attempt to connect
 * the next ones fail at once for a second, so that a backend that is down does
 * not hold up all logins for a timeout each.  No value of a client is anything
 * but a parameter.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "auth/lookup_priv.h"
#include "base/log.h"
#include "net/kdf.h"

#define LOOKUP_RETRY NSEC_PER_SEC
#define LOOKUP_SLICE_MS 100 /* how late stopping may be noticed */

/* ---- waiting ---- */

/* Wait for the socket; NULL: it is ready; else why not. */
static const char *
lookup_wait(struct lookup_conns *c, PGconn *conn, short events, nsec_t until)
{
	struct pollfd p = { .fd = PQsocket(conn), .events = events };
	nsec_t now;
	int r;

	for (;;) {
		now = clock_mono();
		if (atomic_load(c->stopping))
			return "shutting down";
		if (now >= until)
			return "timeout";
		r = poll(&p, 1, until - now < LOOKUP_SLICE_MS * NSEC_PER_MSEC ?
		    (int)((until - now) / NSEC_PER_MSEC) + 1 :
		    LOOKUP_SLICE_MS);
		if (r > 0)
			return NULL;
	}
}

static void
lookup_notice(void *arg PG_UNUSED, const char *text)
{
	log_debug("lookup", "msg=notice text=%s", log_escs(text));
}

/* ---- connecting ---- */

static const char *
lookup_poll_connect(struct lookup_conns *c, PGconn *conn, nsec_t until)
{
	PostgresPollingStatusType s = PGRES_POLLING_WRITING;
	const char *why;

	for (;;) {
		if (PQstatus(conn) == CONNECTION_BAD ||
		    s == PGRES_POLLING_FAILED)
			return kdf_denied() != NULL ? kdf_denied() :
			    PQerrorMessage(conn);
		if (s == PGRES_POLLING_OK)
			return NULL;
		why = lookup_wait(c, conn, s == PGRES_POLLING_READING ?
		    POLLIN : POLLOUT, until);
		if (why != NULL)
			return why;
		s = PQconnectPoll(conn);
	}
}

static void
lookup_connect(struct lookup_conns *c, struct lookup_conn *k,
    const struct lookup *l)
{
	const char *why = "out of memory";

	kdf_allow();
	k->conn = PQconnectStartParams((const char *const *)l->keywords,
	    (const char *const *)l->values, 1);
	if (k->conn != NULL) {
		PQsetNoticeProcessor(k->conn, lookup_notice, NULL);
		why = lookup_poll_connect(c, k->conn,
		    clock_mono() + l->timeout);
	}
	if (why == NULL)
		return;
	snprintf(k->error, sizeof(k->error), "%s", why);
	PQfinish(k->conn);
	k->conn = NULL;
	k->retry_at = clock_mono() + LOOKUP_RETRY;
}

/* The thread's slot for these arguments; the one used longest ago makes room. */
static struct lookup_conn *
lookup_slot(struct lookup_conns *c, const struct lookup *l)
{
	struct lookup_conn *k, *oldest = &c->v[0];
	unsigned i;

	for (i = 0; i < LOOKUP_CONNS; i++) {
		k = &c->v[i];
		if (hash_eq(k->where, l->where))
			return k;
		if (k->used < oldest->used)
			oldest = k;
	}
	PQfinish(oldest->conn);
	*oldest = (struct lookup_conn){ .where = l->where };
	return oldest;
}

/* ---- the query ---- */

/* The user named by a row of the answer, or LOOKUP_NONE. */
static void
lookup_take_row(struct lookup *l, const PGresult *r)
{
	const char *why;

	if (PQntuples(r) == 0 || PQgetisnull(r, 0, 0) ||
	    PQgetisnull(r, 0, 1) || *PQgetvalue(r, 0, 1) == '\0' ||
	    strcmp(PQgetvalue(r, 0, 0), l->user) != 0) {
		l->result = LOOKUP_NONE;
		return;
	}
	why = secret_parse(PQgetvalue(r, 0, 1), &l->secret);
	l->result = why == NULL ? LOOKUP_FOUND : LOOKUP_NONE;
	if (why != NULL)
		log_warn("lookup", "msg=\"auth_query gave no usable secret\" "
		    "user=%s error=%s", log_escs(l->user), log_escs(why));
	else if (l->secret.kind == SECRET_PLAIN)
		secret_derive(&l->secret);
}

static void
lookup_fail(struct lookup *l, const char *why)
{
	l->result = LOOKUP_FAILED;
	snprintf(l->error, sizeof(l->error), "%s", why);
}

static void
lookup_take_result(struct lookup *l, const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

	if (PQresultStatus(r) == PGRES_TUPLES_OK) {
		if (PQnfields(r) < 2)
			lookup_fail(l, "auth_query gave one column, expected "
			    "user and secret");
		else if (PQntuples(r) > 1)
			lookup_fail(l, "auth_query gave several rows, expected "
			    "at most one");
		else
			lookup_take_row(l, r);
		return;
	}
	/* Data exceptions: a name that no text of this database can be. */
	if (state != NULL && strncmp(state, "22", 2) == 0)
		l->result = LOOKUP_NONE;
	else
		lookup_fail(l, PQresultErrorMessage(r)[0] != '\0' ?
		    PQresultErrorMessage(r) : "auth_query gave no rows");
}

/* NULL: the server has answered. */
static const char *
lookup_query(struct lookup_conns *c, PGconn *conn, struct lookup *l)
{
	const char *values[] = { l->user };
	nsec_t until = clock_mono() + l->timeout;
	const char *why;
	PGresult *r;
	bool copy;

	l->result = LOOKUP_UNKNOWN;
	if (PQsendQueryParams(conn, l->query, 1, NULL, values, NULL, NULL,
	    0) != 1)
		return PQerrorMessage(conn);
	for (;;) {
		while (PQisBusy(conn) == 1) {
			why = lookup_wait(c, conn, POLLIN, until);
			if (why != NULL)
				return why;
			if (PQconsumeInput(conn) != 1)
				return PQerrorMessage(conn);
		}
		r = PQgetResult(conn);
		if (r == NULL)
			return l->result == LOOKUP_UNKNOWN ?
			    PQerrorMessage(conn) : NULL;
		if (PQstatus(conn) == CONNECTION_BAD) {
			PQclear(r);
			return PQerrorMessage(conn);
		}
		lookup_take_result(l, r);
		copy = PQresultStatus(r) == PGRES_COPY_IN ||
		    PQresultStatus(r) == PGRES_COPY_OUT ||
		    PQresultStatus(r) == PGRES_COPY_BOTH;
		PQclear(r);
		if (copy) /* of those there would be no end */
			return "auth_query gave COPY, expected a row";
		if (PQtransactionStatus(conn) != PQTRANS_ACTIVE &&
		    PQtransactionStatus(conn) != PQTRANS_IDLE)
			return "auth_query left a transaction open";
	}
}

/* ---- both ---- */

/* false: the connection is no good; why is in l->error. */
static bool
lookup_try(struct lookup_conns *c, struct lookup_conn *k, struct lookup *l)
{
	const char *why;

	if (k->conn == NULL && clock_mono() >= k->retry_at)
		lookup_connect(c, k, l);
	k->used = clock_mono();
	if (k->conn == NULL) {
		lookup_fail(l, k->error);
		return false;
	}
	why = lookup_query(c, k->conn, l);
	if (why == NULL)
		return true;
	secret_fini(&l->secret);
	lookup_fail(l, why);
	PQfinish(k->conn);
	k->conn = NULL;
	return false;
}

void
lookup_ask(struct lookup_conns *c, struct lookup *l)
{
	struct lookup_conn *k = lookup_slot(c, l);
	bool rested = k->conn != NULL;

	if (!lookup_try(c, k, l) && rested)
		(void)lookup_try(c, k, l);
}

unsigned
lookup_conns_close(struct lookup_conns *c, nsec_t before)
{
	unsigned i, left = 0;

	for (i = 0; i < LOOKUP_CONNS; i++) {
		if (c->v[i].conn == NULL)
			continue;
		if (c->v[i].used < before) {
			PQfinish(c->v[i].conn);
			c->v[i].conn = NULL;
		} else {
			left++;
		}
	}
	return left;
}
