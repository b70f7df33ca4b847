/* SPDX-License-Identifier: PostgreSQL
 *
 * What is prepared on each server, what its decider says, and the end of it.
 *
 * A transaction that is still at work is looked at again for a moment, so that
 * what a client's end has just left is over soon.  Servers are known by the names of
 * their backends; each is asked once a round.
 */
#include "layout/resolve.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/ident.h"
#include "layout/gid.h"

#define RESOLVE_ROUNDS 10
#define RESOLVE_PAUSE_MS 100
#define RESOLVE_SQL 400
#define RESOLVE_AT_WORK 5   /* seconds that a write may well take */
#define RESOLVE_GIVEN_UP 15 /* ... and that none takes */

/* The rest of many is ended the next time. */
static const char resolve_list[] =
    "SELECT gid, owner, EXTRACT(epoch FROM pg_catalog.clock_timestamp() - "
    "prepared)::int FROM pg_catalog.pg_prepared_xacts WHERE database = "
    "pg_catalog.current_database() AND pg_catalog.left(gid, 9) = 'pgsluice_' "
    "ORDER BY prepared LIMIT 1000";

static const char resolve_room[] =
    "SELECT pg_catalog.current_setting('max_prepared_transactions')::int";

enum resolve_end { RESOLVE_COMMIT, RESOLVE_ROLLBACK, RESOLVE_WAIT,
	RESOLVE_LEAVE };

struct resolve_server {
	const char *name; /* of its backend; borrowed */
	char *conninfo;
	int64_t left;     /* -1: it could not be asked */
	int64_t room;     /* its max_prepared_transactions, or -1 */
	char why[300];    /* the last reason to leave one */
};

struct resolve {
	struct calls *calls;
	struct resolve_server *v;
	size_t n;
	bool waits;       /* for one at work */
};

/* ------------------------------------------------------------ servers */

static void
resolve_add(struct resolve *r, const char *name, char *conninfo)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (strcmp(r->v[i].name, name) == 0) {
			free(conninfo);
			return;
		}
	r->v[r->n++] = (struct resolve_server){ .name = name,
		.conninfo = conninfo };
}

/* Whether or not its table commits in two phases now. */
static bool
resolve_concerns(const struct layout_result *lr)
{
	return lr->s.variant->kind == VARIANT_SHARDED;
}

/* Places by the catalogs, and those written by hand. */
static void
resolve_add_all(struct resolve *r, const struct layout_result *lr)
{
	const struct conf *c = r->calls->job->conf;
	const struct conf_backend *b;
	size_t i;

	for (i = 0; i < lr->s.n_places; i++) {
		const struct survey_place *p = &lr->s.places[i];

		resolve_add(r, p->backend, p->conninfo != NULL ?
		    conf_whole_conninfo(c, p->conninfo) :
		    x_strdup(conf_find_backend(c, p->backend)->conninfo));
	}
	for (i = 0; i < lr->s.variant->n_shards; i++) {
		b = lr->s.variant->shards[i].backend;
		resolve_add(r, b->name, x_strdup(b->conninfo));
	}
}

/* ------------------------------------------------------------ decisions */

/* Why it is left: s is the server on which it is prepared. */
static enum resolve_end
resolve_leave(struct resolve_server *s, const char *what, const char *why)
{
	snprintf(s->why, sizeof(s->why), "%s%.200s", what, why);
	return RESOLVE_LEAVE;
}

/* The decider's answer: is it the one that was meant, and what does it say? */
static enum resolve_end
resolve_read(struct resolve_server *s, const struct gid *g, const PGresult *r)
{
	struct gid now = { 0 };
	const char *status;

	if (PQntuples(r) != 1 || PQnfields(r) != 4 || !gid_answer(&now,
	    PQgetvalue(r, 0, 0), PQgetvalue(r, 0, 1), PQgetvalue(r, 0, 2)))
		return resolve_leave(s, "its decider is not understood", "");
	if (now.system != g->system || now.timeline != g->timeline)
		return resolve_leave(s, "its decider is another cluster, or on "
		    "another timeline, than when it was written", "");
	status = PQgetisnull(r, 0, 3) ? "" : PQgetvalue(r, 0, 3);
	if (strcmp(status, "committed") == 0)
		return RESOLVE_COMMIT;
	if (strcmp(status, "aborted") == 0)
		return RESOLVE_ROLLBACK;
	if (strcmp(status, "in progress") == 0)
		return RESOLVE_WAIT;
	return resolve_leave(s, "its decider does not know any more how it "
	    "ended", "");
}

static enum resolve_end
resolve_decide(struct resolve *r, struct resolve_server *s,
    const struct gid *g, long age)
{
	char sql[RESOLVE_SQL];
	enum resolve_end end;
	struct call *c;
	PGresult *res;
	size_t i;

	if (g->part == 0 && age > RESOLVE_GIVEN_UP)
		return RESOLVE_ROLLBACK;
	if (g->part == 0)
		return resolve_leave(s, "its write is at work", "");
	for (i = 0; i < r->n && gid_backend(r->v[i].name) != g->decider; i++)
		;
	if (i == r->n)
		return resolve_leave(s, "its decider is no backend of its "
		    "table's shards", "");
	c = calls_to(r->calls, r->v[i].conninfo);
	if (!c->good)
		return resolve_leave(s, "its decider cannot be asked: ",
		    c->a.error);
	snprintf(sql, sizeof(sql), "SELECT 0, (SELECT system_identifier FROM "
	    "pg_catalog.pg_control_system()), pg_catalog.pg_walfile_name("
	    "pg_catalog.pg_current_wal_insert_lsn()), "
	    "pg_catalog.txid_status(%llu)", (unsigned long long)g->xid);
	res = ask_query(&c->a, sql);
	if (res == NULL)
		return resolve_leave(s, "its decider cannot tell: ",
		    c->a.error);
	end = resolve_read(s, g, res);
	PQclear(res);
	return end;
}

/* ------------------------------------------------------------ ends */

static bool
resolve_do(struct call *c, const char *sql)
{
	PGresult *res = ask_query(&c->a, sql);
	bool ok = res != NULL;

	PQclear(res);
	return ok;
}

/* COMMIT or ROLLBACK PREPARED as ourselves or else as its owner. */
static bool
resolve_end(struct call *c, const char *sql, const char *owner)
{
	char *name, *role;
	bool ok;

	if (resolve_do(c, sql))
		return true;
	/* Somebody else has, as the decider says, too. */
	if (strcmp(c->a.sqlstate, "42704") == 0)
		return true;
	if (strcmp(c->a.sqlstate, "42501") != 0)
		return false;
	name = ident_name_sql(owner);
	role = x_malloc(strlen(name) + 16);
	sprintf(role, "SET ROLE %s", name);
	ok = resolve_do(c, role) && resolve_do(c, sql);
	free(role);
	free(name);
	return resolve_do(c, "RESET ROLE") && ok;
}

/* age: for how many seconds it has been prepared. */
static void
resolve_one(struct resolve *r, struct resolve_server *s, const char *text,
    const char *owner, long age)
{
	enum resolve_end end = RESOLVE_LEAVE;
	char sql[RESOLVE_SQL];
	struct call *c;
	struct gid g;

	if (gid_parse(text, &g))
		end = resolve_decide(r, s, &g, age);
	else
		(void)resolve_leave(s, "its name is not understood", "");
	if (end == RESOLVE_WAIT) {
		r->waits = true;
		(void)resolve_leave(s, "its decider is at work", "");
	}
	if (end != RESOLVE_COMMIT && end != RESOLVE_ROLLBACK) {
		s->left += age > RESOLVE_AT_WORK;
		return;
	}
	/* The text is one that gid_print() makes. */
	snprintf(sql, sizeof(sql), "%s PREPARED '%s'",
	    end == RESOLVE_COMMIT ? "COMMIT" : "ROLLBACK", text);
	c = calls_to(r->calls, s->conninfo);
	if (!c->good || !resolve_end(c, sql, owner)) {
		(void)resolve_leave(s, "it cannot be ended: ", c->a.error);
		s->left++;
		return;
	}
	r->calls->job->committed += end == RESOLVE_COMMIT;
	log_warn("layout", "msg=\"a prepared transaction was left, and has "
	    "been ended\" backend=%s gid=%s by=%s", log_escs(s->name), text,
	    end == RESOLVE_COMMIT ? "commit" : "rollback");
}

static void
resolve_server(struct resolve *r, struct resolve_server *s)
{
	struct call *c = calls_to(r->calls, s->conninfo);
	PGresult *res = c->good ? ask_query(&c->a, resolve_list) : NULL;
	int i;

	s->left = res != NULL ? 0 : -1;
	s->why[0] = '\0';
	if (!c->good || !ask_number(&c->a, resolve_room, &s->room))
		s->room = -1;
	for (i = 0; res != NULL && i < PQntuples(res); i++)
		resolve_one(r, s, PQgetvalue(res, i, 0),
		    PQgetvalue(res, i, 1), strtol(PQgetvalue(res, i, 2), NULL, 10));
	PQclear(res);
}

/* ------------------------------------------------------------ reports */

/* It is the server of a place of this variant, and told so. */
static bool
resolve_is_place(const struct resolve_server *s, struct layout_result *lr)
{
	bool is = false;
	size_t i;

	for (i = 0; i < lr->s.n_places; i++)
		if (strcmp(lr->s.places[i].backend, s->name) == 0) {
			lr->s.places[i].prepared = s->left;
			is = true;
		}
	for (i = 0; i < lr->s.variant->n_shards; i++)
		is |= strcmp(lr->s.variant->shards[i].backend->name,
		    s->name) == 0;
	return is;
}

static void
resolve_report(const struct resolve *r, struct layout_result *lr)
{
	bool wanted = lr->s.table->two_phase_commit;
	const struct resolve_server *s;
	size_t i;

	for (i = 0; i < r->n; i++) {
		s = &r->v[i];
		if (!resolve_is_place(s, lr))
			continue;
		if (s->left > 0)
			survey_note(&lr->s, "backend \"%s\": %lld prepared "
			    "transactions are left: %s", s->name,
			    (long long)s->left, s->why);
		if (wanted && s->room == 0)
			survey_note(&lr->s, "backend \"%s\": "
			    "max_prepared_transactions is 0, and the table "
			    "has two_phase_commit: writes over several shards "
			    "fail", s->name);
		r->calls->job->unsettled |= s->left > 0 ||
		    (wanted && s->left < 0);
	}
}

void
resolve_all(struct calls *all)
{
	struct layout_job *j = all->job;
	struct resolve r = { .calls = all };
	size_t i, n = 0, round = 0;

	for (i = 0; i < j->n_results; i++)
		n += j->results[i].s.n_places +
		    j->results[i].s.variant->n_shards;
	r.v = x_calloc(n, sizeof(*r.v));
	for (i = 0; i < j->n_results; i++)
		if (resolve_concerns(&j->results[i]))
			resolve_add_all(&r, &j->results[i]);
	do {
		r.waits = false;
		for (i = 0; i < r.n; i++)
			resolve_server(&r, &r.v[i]);
		if (!r.waits || atomic_load(all->stopping))
			break;
		(void)poll(NULL, 0, RESOLVE_PAUSE_MS);
	} while (++round < RESOLVE_ROUNDS);
	for (i = 0; i < j->n_results; i++)
		if (resolve_concerns(&j->results[i]))
			resolve_report(&r, &j->results[i]);
	for (i = 0; i < r.n; i++)
		free(r.v[i].conninfo);
	free(r.v);
}
