/* SPDX-License-Identifier: PostgreSQL
 *
 * The ordinary connection: can the server be followed, which transactions are
 * done, what is in the catalogs; and the sending of heartbeats.
 *
 * One question at a time, the most urgent one that is wanted.  The feed's
 * thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "feed/feed_priv.h"

/* Snapshots are asked for this often while something is unsettled: the first
 * time, and at last if nothing moves. */
#define SETTLE_FIRST (2 * NSEC_PER_MSEC)
#define SETTLE_LAST (50 * NSEC_PER_MSEC)
/* Descriptions of relations come in crowds; a server with many tables is not to
 * be kept busy. */
#define RELATIONS_EVERY NSEC_PER_SEC
#define RELATIONS_SHARE 10 /* of the time it takes */
#define OLDEST_SERVER 140000

static const char facts_query[] =
    "SELECT current_setting('wal_level'), pg_is_in_recovery(), "
    "(SELECT rolreplication OR rolsuper FROM pg_roles "
    "WHERE rolname = current_user), "
    "(SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate "
    "FROM pg_publication WHERE pubname = $1)";
static const char snapshot_query[] = "SELECT pg_current_snapshot()";
/* Transactional, so that its commit is in its place among others' and is
 * written out at once. */
static const char beat_query[] =
    "SELECT pg_current_xact_id(), "
    "pg_logical_emit_message(true, 'pgsluice', $1), "
    "pg_current_wal_insert_lsn() - '0/0'::pg_lsn";

/* ------------------------------------------------------------ asking */

static void
ask_beat(struct feed *f)
{
	char text[64];
	const char *values[] = { text };
	uint64_t beat = beats_send(&f->beats, clock_mono());

	if (beat == 0)
		return;
	snprintf(text, sizeof(text), "%" PRIx64 ":%" PRIu64, f->token, beat);
	f->asking = FEED_ASK_BEAT;
	link_ask(&f->ask, beat_query, 1, values);
}

static void
ask_question(struct feed *f, enum feed_question q)
{
	const char *publication[] = { f->publication };

	f->wants[q] = false;
	f->asked_at = f->last[q] = clock_mono();
	if (q == FEED_ASK_BEAT) {
		ask_beat(f);
		return;
	}
	f->asking = q;
	if (q == FEED_ASK_FACTS) {
		link_ask(&f->ask, facts_query, 1, publication);
	} else if (q == FEED_ASK_SNAPSHOT) {
		beats_ask(&f->beats);
		link_ask(&f->ask, snapshot_query, 0, NULL);
	} else if (q == FEED_ASK_RELATIONS) {
		link_ask(&f->ask, relations_query, 0, NULL);
	} else {
		feed_ask_tables(f);
	}
}

static bool
ask_is_early(const struct feed *f, enum feed_question q)
{
	nsec_t pause = f->took[q] * RELATIONS_SHARE;

	if (pause < RELATIONS_EVERY)
		pause = RELATIONS_EVERY;
	return q == FEED_ASK_RELATIONS && f->last[q] != 0 &&
	    clock_mono() - f->last[q] < pause;
}

static void
ask_next(struct feed *f)
{
	enum feed_question q;

	for (q = FEED_ASK_FACTS; q < FEED_QUESTIONS; q++) {
		if (!link_is_free(&f->ask))
			return;
		if (f->wants[q] && !ask_is_early(f, q))
			ask_question(f, q);
	}
}

void
feed_want(struct feed *f, enum feed_question q)
{
	f->wants[q] = true;
	ask_next(f);
}

/* ------------------------------------------------------------ settling */

static void
settle_later(struct feed *f)
{
	const struct timeval tv = {
		.tv_usec = (suseconds_t)(f->settle_pause / NSEC_PER_USEC) };

	if (!evtimer_pending(f->poll, NULL))
		event_add(f->poll, &tv);
}

void
feed_unsettled(struct feed *f)
{
	f->settle_pause = SETTLE_FIRST;
	settle_later(f);
}

void
feed_on_poll(evutil_socket_t fd PG_UNUSED, short what PG_UNUSED, void *arg)
{
	struct feed *f = arg;

	CHECK_MAGIC(f, FEED_MAGIC);
	feed_want(f, FEED_ASK_SNAPSHOT);
}

/* Whatever was under way when the stream had begun may have been logged before
 * that, and then its commit will not come: everything, once it is done. */
static bool
settle_suspects(struct feed *f, const struct snapshot *s)
{
	const struct feed_tags all = { .all = true };
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->running[i] < f->own && !settle_add(&f->settle,
		    (uint32_t)s->running[i], &all))
			return false;
	f->suspects_known = true;
	return true;
}

static void
take_snapshot(struct feed *f, const PGresult *r)
{
	size_t before = f->settle.n;
	struct snapshot s;
	bool ok;

	if (!snapshot_read(&s, PQgetvalue(r, 0, 0))) {
		feed_fail(f, "the server's snapshot cannot be read");
		return;
	}
	settle_take(&f->settle, &s, feed_bump, f);
	ok = f->suspects_known || f->own == 0 || settle_suspects(f, &s);
	snapshot_fini(&s);
	if (!ok) {
		feed_fail(f, "over %d transactions are under way",
		    SETTLE_MAX);
		return;
	}
	beats_answer(&f->beats);
	if (f->settle.n > 0) {
		f->settle_pause = f->settle.n < before ? SETTLE_FIRST :
		    f->settle_pause * 2;
		if (f->settle_pause > SETTLE_LAST)
			f->settle_pause = SETTLE_LAST;
		settle_later(f);
	}
	feed_advance(f);
}

/* ------------------------------------------------------------ answers */

static void
take_facts(struct feed *f, const PGresult *r)
{
	const char *level = PQgetvalue(r, 0, 0);

	if (strcmp(PQgetvalue(r, 0, 1), "t") == 0)
		feed_fail(f, "the server is a standby: feeds follow primaries");
	else if (strcmp(level, "logical") != 0)
		feed_fail(f, "wal_level is %s: set wal_level = logical on the "
		    "server and restart it", level);
	else if (strcmp(PQgetvalue(r, 0, 2), "t") != 0)
		feed_fail(f, "role \"%s\" may not replicate: ALTER ROLE ... "
		    "REPLICATION", f->user);
	else if (PQgetisnull(r, 0, 3))
		feed_fail(f, "there is no publication \"%s\": CREATE "
		    "PUBLICATION ... FOR TABLE the tables of cache rules",
		    f->publication);
	else if (strcmp(PQgetvalue(r, 0, 3), "t") != 0)
		feed_fail(f, "publication \"%s\" leaves changes out: ALTER "
		    "PUBLICATION ... SET (publish = 'insert, update, delete, "
		    "truncate')", f->publication);
	else
		feed_want(f, FEED_ASK_RELATIONS);
}

static void
take_beat(struct feed *f, const PGresult *r)
{
	if (f->own == 0)
		f->own = strtoull(PQgetvalue(r, 0, 0), NULL, 10);
	f->server_at = strtoull(PQgetvalue(r, 0, 2), NULL, 10);
	if (!f->suspects_known)
		feed_want(f, FEED_ASK_SNAPSHOT);
}

static void
relation_changed(void *arg, tag_t tag)
{
	feed_end(arg, &tag, 1);
}

static void
take_relations(struct feed *f, const PGresult *r)
{
	int i, n = PQntuples(r);

	relations_load(&f->relations);
	for (i = 0; i < n && i <= RELATIONS_MAX; i++)
		relations_row(&f->relations,
		    (uint32_t)strtoul(PQgetvalue(r, i, 0), NULL, 10),
		    PQgetvalue(r, i, 1));
	relations_loaded(&f->relations, relation_changed, f);
	if (f->state == FEED_CONNECTING)
		feed_want(f, FEED_ASK_TABLES);
}

static void
ask_on_answer(struct link *l, const PGresult *r)
{
	struct feed *f = l->arg;
	enum feed_question q = f->asking;

	CHECK_MAGIC(f, FEED_MAGIC);
	f->asking = FEED_ASK_NOTHING;
	f->took[q] = clock_mono() - f->asked_at;
	if (PQresultStatus(r) != PGRES_TUPLES_OK ||
	    ((q == FEED_ASK_FACTS || q == FEED_ASK_SNAPSHOT ||
	    q == FEED_ASK_BEAT) && PQntuples(r) != 1)) {
		feed_fail(f, "a question failed: %s", PQresultErrorMessage(r));
		return;
	}
	switch (q) {
	case FEED_ASK_FACTS:
		take_facts(f, r);
		break;
	case FEED_ASK_SNAPSHOT:
		take_snapshot(f, r);
		break;
	case FEED_ASK_BEAT:
		take_beat(f, r);
		break;
	case FEED_ASK_RELATIONS:
		take_relations(f, r);
		break;
	case FEED_ASK_TABLES:
		feed_take_tables(f, r);
		if (f->state == FEED_CONNECTING)
			feed_may_stream(f);
		break;
	case FEED_ASK_NOTHING:
	case FEED_QUESTIONS:
		WRONG("an answer without a question");
	}
	ask_next(f);
}

static void
ask_on_open(struct link *l)
{
	struct feed *f = l->arg;

	CHECK_MAGIC(f, FEED_MAGIC);
	if (PQserverVersion(l->conn) < OLDEST_SERVER)
		feed_fail(f, "the server is older than PostgreSQL 14");
	else
		feed_want(f, FEED_ASK_FACTS);
}

static void
ask_on_failure(struct link *l, const char *sqlstate PG_UNUSED,
    const char *why)
{
	struct feed *f = l->arg;

	CHECK_MAGIC(f, FEED_MAGIC);
	feed_fail(f, "%s", why);
}

static void
ask_on_data(struct link *l PG_UNUSED, struct slice data PG_UNUSED)
{
	WRONG("an ordinary connection does not stream");
}

const struct link_ops feed_ask_ops = {
	.on_open = ask_on_open, .on_answer = ask_on_answer,
	.on_data = ask_on_data, .on_failure = ask_on_failure,
};
