/* SPDX-License-Identifier: PostgreSQL
 *
 * libpq, used in its asynchronous way with deadlines.
 *
 * What a server says is bounded: no more than FACTS_MAX relations.
 */
#include <openssl/crypto.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "layout/ask.h"
#include "net/kdf.h"

#define ASK_SLICE_MS 100 /* how late stopping may be noticed */

static bool
ask_fail(struct ask *a, const char *why)
{
	size_t n;

	snprintf(a->error, sizeof(a->error), "%s", why);
	n = strlen(a->error);
	while (n > 0 && a->error[n - 1] == '\n')
		a->error[--n] = '\0';
	for (n = 0; a->error[n] != '\0'; n++)
		if (a->error[n] == '\n')
			a->error[n] = ' ';
	return false;
}

static bool
ask_wait(struct ask *a, short events, nsec_t until)
{
	struct pollfd p = { .fd = PQsocket(a->conn), .events = events };
	nsec_t now;

	for (;;) {
		now = clock_mono();
		if (atomic_load(a->stopping))
			return ask_fail(a, "shutting down");
		if (now >= until)
			return ask_fail(a, "timeout");
		if (poll(&p, 1, until - now < ASK_SLICE_MS * NSEC_PER_MSEC ?
		    (int)((until - now) / NSEC_PER_MSEC) + 1 :
		    ASK_SLICE_MS) > 0)
			return true;
	}
}

static void
ask_notice(void *arg PG_UNUSED, const char *text)
{
	log_debug("layout", "msg=notice text=%s", log_escs(text));
}

bool
ask_open(struct ask *a, const char *const *keywords,
    const char *const *values)
{
	PostgresPollingStatusType s = PGRES_POLLING_WRITING;
	nsec_t until = clock_mono() + a->timeout;

	kdf_allow();
	a->conn = PQconnectStartParams(keywords, values, 1);
	if (a->conn == NULL)
		return ask_fail(a, "out of memory");
	PQsetNoticeProcessor(a->conn, ask_notice, NULL);
	for (;;) {
		if (PQstatus(a->conn) == CONNECTION_BAD ||
		    s == PGRES_POLLING_FAILED)
			return ask_fail(a, kdf_denied() != NULL ?
			    kdf_denied() : PQerrorMessage(a->conn));
		if (s == PGRES_POLLING_OK)
			return true;
		if (!ask_wait(a, s == PGRES_POLLING_READING ? POLLIN :
		    POLLOUT, until))
			return false;
		s = PQconnectPoll(a->conn);
	}
}

void
ask_wipe(char **v)
{
	size_t i;

	for (i = 0; v != NULL && v[i] != NULL; i++) {
		OPENSSL_cleanse(v[i], strlen(v[i]));
		free(v[i]);
	}
	free(v);
}

bool
ask_login(struct ask *a, bool got, char **keywords, char **values)
{
	bool ok;

	if (!got)
		return ask_fail(a, "nobody to log in as: expected a user in "
		    "conninfo, layout_user or auth_user");
	ok = ask_open(a, (const char *const *)keywords,
	    (const char *const *)values);
	ask_wipe(keywords);
	ask_wipe(values);
	return ok;
}

void
ask_close(struct ask *a)
{
	PQfinish(a->conn);
	a->conn = NULL;
}

/* Wait for what PQgetResult() wants. */
static bool
ask_ready(struct ask *a, nsec_t until)
{
	while (PQisBusy(a->conn) == 1) {
		if (!ask_wait(a, POLLIN, until))
			return false;
		if (PQconsumeInput(a->conn) != 1)
			return ask_fail(a, PQerrorMessage(a->conn));
	}
	return true;
}

/* The last result of what was sent; NULL: see error. The connection can be used
 * again unless it is broken, late, or amid a COPY that nobody wanted. */
static PGresult *
ask_result(struct ask *a)
{
	nsec_t until = clock_mono() + a->timeout;
	PGresult *last = NULL, *r;
	bool failed = false;

	while (ask_ready(a, until)) {
		r = PQgetResult(a->conn);
		if (r == NULL && !failed)
			return last;
		PQclear(last);
		last = r;
		if (r == NULL)
			break;
		if (PQresultStatus(r) == PGRES_TUPLES_OK ||
		    PQresultStatus(r) == PGRES_COMMAND_OK)
			continue;
		failed = true;
		snprintf(a->sqlstate, sizeof(a->sqlstate), "%s",
		    PQresultErrorField(r, PG_DIAG_SQLSTATE) != NULL ?
		    PQresultErrorField(r, PG_DIAG_SQLSTATE) : "");
		(void)ask_fail(a, PQresultErrorMessage(r)[0] != '\0' ?
		    PQresultErrorMessage(r) : "unexpected answer");
		if (PQresultStatus(r) != PGRES_FATAL_ERROR)
			break;
	}
	PQclear(last);
	return NULL;
}

static void
ask_take(const PGresult *r, struct facts *out)
{
	const char *cells[FACT_COUNT];
	int i, k;

	facts_init(out, (size_t)PQntuples(r));
	for (i = 0; i < PQntuples(r); i++) {
		for (k = 0; k < FACT_COUNT; k++)
			cells[k] = PQgetisnull(r, i, k) ? NULL :
			    PQgetvalue(r, i, k);
		facts_set(out, (size_t)i, cells);
	}
}

PGresult *
ask_rows(struct ask *a, const char *sql, int n_values,
    const char *const *values, int n_columns)
{
	PGresult *r;

	if (PQsendQueryParams(a->conn, sql, n_values, NULL, values, NULL,
	    NULL, 0) != 1) {
		(void)ask_fail(a, PQerrorMessage(a->conn));
		return NULL;
	}
	r = ask_result(a);
	if (r == NULL)
		return NULL;
	if (PQresultStatus(r) == PGRES_TUPLES_OK &&
	    PQnfields(r) >= n_columns)
		return r;
	(void)ask_fail(a, "unexpected answer about the catalogs");
	PQclear(r);
	return NULL;
}

bool
ask_facts(struct ask *a, const char *relation, struct facts *out)
{
	const char *values[] = { relation };
	PGresult *r = ask_rows(a, facts_query, 1, values, FACT_COUNT);
	bool ok;

	if (r == NULL)
		return false;
	ok = (unsigned)PQntuples(r) <= FACTS_MAX;
	if (ok)
		ask_take(r, out);
	else
		(void)ask_fail(a, "too many partitions");
	PQclear(r);
	return ok;
}

PGresult *
ask_query(struct ask *a, const char *sql)
{
	a->sqlstate[0] = '\0';
	if (PQsendQuery(a->conn, sql) == 1)
		return ask_result(a);
	(void)ask_fail(a, PQerrorMessage(a->conn));
	return NULL;
}

bool
ask_number(struct ask *a, const char *sql, int64_t *out)
{
	PGresult *r = ask_query(a, sql);
	bool ok;

	if (r == NULL)
		return false;
	ok = PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1 &&
	    PQnfields(r) == 1 && !PQgetisnull(r, 0, 0);
	if (ok)
		*out = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	else
		(void)ask_fail(a, "expected one number");
	PQclear(r);
	return ok;
}

bool
ask_row(struct ask *a, const char *sql, const char *const *params,
    int n_params, char **cells, int n)
{
	PGresult *r = ask_rows(a, sql, n_params, params, n);
	bool ok;
	int i;

	if (r == NULL)
		return false;
	ok = PQntuples(r) == 1;
	for (i = 0; ok && i < n; i++)
		cells[i] = PQgetisnull(r, 0, i) ? NULL :
		    x_strdup(PQgetvalue(r, 0, i));
	if (!ok)
		(void)ask_fail(a, "expected one row");
	PQclear(r);
	return ok;
}

/* ------------------------------------------------------------ positions */

/* The timeline of a standby is that of its last restart point, or of what it
 * has to replay after a crash if that is later: it has replayed that one, but
 * may be further. A position just behind the header of a page, where nothing has
 * been written yet, is given as a standby has it that has replayed all before. */
static const char position_query[] =
    "SELECT s, CASE WHEN max_data_alignment OPERATOR(pg_catalog.=) 8 AND "
    "p % bytes_per_wal_segment OPERATOR(pg_catalog.=) 40 THEN p - 40 "
    "WHEN max_data_alignment OPERATOR(pg_catalog.=) 8 AND "
    "p % wal_block_size OPERATOR(pg_catalog.=) 24 AND "
    "p % bytes_per_wal_segment OPERATOR(pg_catalog.>) wal_block_size "
    "THEN p - 24 ELSE p END, system_identifier, "
    "CASE WHEN s THEN GREATEST(timeline_id, min_recovery_end_timeline) "
    "ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"
    ")::bit(32)::int END, current_setting('server_version_num'), "
    "(EXTRACT(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint "
    "FROM (SELECT s, ((CASE WHEN s THEN pg_last_wal_replay_lsn() "
    "ELSE pg_current_wal_insert_lsn() END) - '0/0')::bigint AS p "
    "FROM (SELECT pg_is_in_recovery() AS s OFFSET 0) AS t OFFSET 0) AS t, "
    "pg_control_init(), pg_control_system(), pg_control_checkpoint(), "
    "pg_control_recovery()";

bool
ask_position(struct ask *a, struct lag_answer *out)
{
	char *cells[6] = { NULL };
	bool ok = ask_row(a, position_query, NULL, 0, cells, 6);
	uint64_t v[6];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cells); i++) {
		if (ok && cells[i] == NULL)
			ok = ask_fail(a, "it tells no position");
		v[i] = cells[i] != NULL ? strtoull(cells[i], NULL, 10) : 0;
	}
	if (ok)
		*out = (struct lag_answer){ .standby = cells[0][0] == 't',
			.position = v[1], .system = v[2],
			.timeline = (uint32_t)v[3], .version = (int)v[4],
			.instance = v[5] };
	for (i = 0; i < ARRAY_SIZE(cells); i++)
		free(cells[i]);
	return ok;
}
