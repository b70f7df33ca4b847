/* SPDX-License-Identifier: PostgreSQL
 *
 * Console commands that steer traffic: PAUSE, RESUME, RECONNECT, WAIT_CLOSE,
 * DISABLE, ENABLE, KILL, KILL_CLIENT, FLUSH CACHE.
 *
 * Each works on one database or on all.  A pause is a flag that pools and
 * sessions heed; here it is set, waited for and taken back.  Runs on the
 * worker of the session that asked; what only another worker may touch is
 * done there by a tour.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"
#include "admin/tour.h"
#include "admin/wait.h"
#include "backend/pool.h"

static _Atomic uint64_t act_pauses; /* how often all were paused */

/* ------------------------------------------------------------ databases */

static void
act_error(struct console_call *call, const char *sqlstate, const char *what)
{
	char text[300];

	snprintf(text, sizeof(text), "database \"%.128s\" %s",
	    call->line->name, what);
	rows_error(call->w, call->session, sqlstate, text, NULL,
	    "SHOW DATABASES lists them.");
}

/* The database the command names; NULL: there is none, and the client has
 * been told. */
static struct dbstate *
act_database(struct console_call *call)
{
	if (conf_find_database(session_conf(call->w), call->line->name) !=
	    NULL)
		return dbstate_get(call->line->name);
	act_error(call, "3D000", "does not exist");
	return NULL;
}

static bool
act_fits(const char *backend, void *arg)
{
	return conf_database_reaches(arg, backend);
}

/* Replace the servers that statements of db (NULL: of all) may run on. */
static void
act_replace(struct worker *w, const struct dbstate *db)
{
	struct conf_database *d;

	if (db == NULL) {
		pool_reconnect(NULL, NULL);
		return;
	}
	d = conf_find_database(session_conf(w), db->name);
	if (d != NULL)
		pool_reconnect(act_fits, d);
}

/* ------------------------------------------------------------ PAUSE */

static bool
pause_set(struct dbstate *db, bool paused)
{
	if (db == NULL) {
		if (!pool_pause_all(paused))
			return false;
		act_pauses += paused;
		return true;
	}
	if (atomic_exchange(&db->paused, paused) == paused)
		return false;
	db->pauses += paused;
	pool_rehold();
	return true;
}

struct pause_count {
	const struct dbstate *db;
	uint64_t *found;
};

static void
pause_count(const struct session_info *i, void *arg)
{
	struct pause_count *c = arg;

	if (i->backend[0] != '\0' && (c->db == NULL ||
	    strcmp(i->database, c->db->name) == 0))
		++*c->found;
}

/* After a worker has been here no session of it gets a server, so those that
 * are found are the last. */
static void
pause_visit(struct tour *t, struct worker *w)
{
	const struct wait *wait = t->data;
	struct pause_count c = { wait->db, &t->found };

	session_each(w, pause_count, &c);
	pool_close_outdated(w);
}

static void
pause_add_total(const struct pool_info *i, void *arg)
{
	*(unsigned *)arg += i->total;
}

/* A pause of all lasts until every connection has ended. One of a database may
 * share servers with others. */
static bool
pause_settled(const struct wait *wait)
{
	unsigned total = 0;

	if (wait->db == NULL)
		pool_each(pause_add_total, &total);
	return total == 0;
}

static bool
pause_ended(const struct wait *wait)
{
	if (wait->db == NULL)
		return !pool_paused() || act_pauses != wait->number;
	return !atomic_load(&wait->db->paused) ||
	    wait->db->pauses != wait->number;
}

static void
pause_undo(const struct wait *wait)
{
	(void)pause_set(wait->db, false);
}

static const struct wait_kind pause_kind = { .tag = "PAUSE",
	.visit = pause_visit, .settled = pause_settled,
	.ended = pause_ended, .undo = pause_undo };

static void
act_pause(struct console_call *call, struct dbstate *db)
{
	if (!pause_set(db, true)) {
		rows_error(call->w, call->session, "55000", db != NULL ?
		    "the database is already paused" : "already paused",
		    NULL, "RESUME ends it.");
		return;
	}
	act_replace(call->w, db);
	wait_start(&pause_kind, call->w, call->session, db,
	    db != NULL ? db->pauses : act_pauses);
}

void
console_pause(struct console_call *call)
{
	act_pause(call, NULL);
}

void
console_pause_database(struct console_call *call)
{
	struct dbstate *db = act_database(call);

	if (db != NULL)
		act_pause(call, db);
}

/* ------------------------------------------------------------ RESUME */

void
console_resume(struct console_call *call)
{
	if (pause_set(NULL, false))
		console_done(call, "RESUME");
	else
		rows_error(call->w, call->session, "55000", "not paused",
		    NULL, "SHOW DATABASES says which databases are paused on "
		    "their own; RESUME db is for them.");
}

void
console_resume_database(struct console_call *call)
{
	struct dbstate *db = act_database(call);

	if (db == NULL)
		return;
	if (pause_set(db, false))
		console_done(call, "RESUME");
	else
		act_error(call, "55000", "is not paused on its own");
}

/* ------------------------------------------------------------ RECONNECT */

void
console_reconnect(struct console_call *call)
{
	act_replace(call->w, NULL);
	console_done(call, "RECONNECT");
}

void
console_reconnect_database(struct console_call *call)
{
	struct dbstate *db = act_database(call);

	if (db == NULL)
		return;
	act_replace(call->w, db);
	console_done(call, "RECONNECT");
}

/* ------------------------------------------------------------ WAIT_CLOSE */

static void
close_visit(struct tour *t PG_UNUSED, struct worker *w)
{
	pool_close_outdated(w);
}

struct close_count {
	const struct conf_database *d; /* NULL: all */
	unsigned outdated;
};

static void
close_add_outdated(const struct pool_info *i, void *arg)
{
	struct close_count *c = arg;

	if (c->d == NULL || conf_database_reaches(c->d, i->backend))
		c->outdated += i->outdated;
}

static bool
close_settled(const struct wait *wait)
{
	struct close_count c = { NULL, 0 };

	if (wait->db != NULL) {
		c.d = conf_find_database(session_conf(wait->origin),
		    wait->db->name);
		if (c.d == NULL)
			return true;
	}
	pool_each(close_add_outdated, &c);
	return c.outdated == 0;
}

static bool
close_ended(const struct wait *wait PG_UNUSED)
{
	return false;
}

static void
close_undo(const struct wait *wait PG_UNUSED)
{
}

static const struct wait_kind close_kind = { .tag = "WAIT_CLOSE",
	.visit = close_visit, .settled = close_settled,
	.ended = close_ended, .undo = close_undo };

void
console_wait_close(struct console_call *call)
{
	wait_start(&close_kind, call->w, call->session, NULL, 0);
}

void
console_wait_close_database(struct console_call *call)
{
	struct dbstate *db = act_database(call);

	if (db != NULL)
		wait_start(&close_kind, call->w, call->session, db, 0);
}

/* ------------------------------------------------------------ DISABLE */

static void
act_disable(struct console_call *call, bool disabled)
{
	struct dbstate *db = act_database(call);

	if (db == NULL)
		return;
	atomic_store(&db->disabled, disabled);
	console_done(call, disabled ? "DISABLE" : "ENABLE");
}

void
console_disable(struct console_call *call)
{
	act_disable(call, true);
}

void
console_enable(struct console_call *call)
{
	act_disable(call, false);
}

/* ------------------------------------------------------------ KILL */

static void
kill_visit(struct tour *t, struct worker *w)
{
	session_kill_database(w, t->text);
	pool_close_outdated(w);
}

static void
kill_done(struct tour *t)
{
	rows_reply(&t->rows, t->origin, t->session, "KILL");
}

/* Who comes anew, or was about to, waits for RESUME. */
static void
act_kill(struct console_call *call, struct dbstate *db)
{
	struct tour *t = tour_new(call->w, call->session);

	(void)pause_set(db, true);
	act_replace(call->w, db);
	t->text = db != NULL ? x_strdup(db->name) : NULL;
	t->visit = kill_visit;
	t->done = kill_done;
	tour_start(t);
}

void
console_kill(struct console_call *call)
{
	act_kill(call, NULL);
}

void
console_kill_database(struct console_call *call)
{
	struct dbstate *db = act_database(call);

	if (db != NULL)
		act_kill(call, db);
}

static void
kill_client_visit(struct tour *t, struct worker *w)
{
	if (t->found == 0 && session_kill(w, t->number))
		t->found = 1;
}

static void
kill_client_done(struct tour *t)
{
	if (t->found != 0)
		rows_reply(&t->rows, t->origin, t->session, "KILL_CLIENT");
	else
		rows_error(t->origin, t->session, "42704",
		    "no client has this id", NULL,
		    "SHOW CLIENTS lists the ids.");
}

void
console_kill_client(struct console_call *call)
{
	struct tour *t = tour_new(call->w, call->session);

	t->number = call->line->number;
	t->visit = kill_client_visit;
	t->done = kill_client_done;
	tour_start(t);
}

/* ------------------------------------------------------------ cache */

void
console_flush(struct console_call *call)
{
	session_flush_cache(call->w);
	console_done(call, "FLUSH CACHE");
}
