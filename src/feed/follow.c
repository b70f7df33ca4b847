/* SPDX-License-Identifier: PostgreSQL
 *
 * The life of a feed: connecting, the slot, the stream, and beginning anew
 * when anything fails.
 *
 * Whatever fails ends both connections, and with them the slot; what was
 * missed meanwhile is made up for by bumping the tags of all watched tables
 * before their gates open again.  The feed's thread.
 */
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "feed/feed_priv.h"
#include "layout/ask.h"

#define PAUSE_FIRST NSEC_PER_SEC
#define PAUSE_LAST (15 * NSEC_PER_SEC)
/* A question, or the stream, that is silent for so long is given up. */
#define SILENCE (60 * NSEC_PER_SEC)
/* Catalogs are read this often, but for no more than a share of the time. */
#define CATALOGS_EVERY (5 * NSEC_PER_SEC)
#define CATALOGS_SHARE 100
#define BEAT_SLOWEST NSEC_PER_SEC
#define SHUT_MARGIN (10 * NSEC_PER_MSEC)
#define BEATS_IN_LAG 5

static const char *const feed_state_names[] = {
#define FEED_STATE(sym, name, doc) [FEED_##sym] = name,
#include "tbl/feed_states.h"
};

const char *
feed_state_name(enum feed_state s)
{
	return feed_state_names[s];
}

/* ------------------------------------------------------------ states */

static void
feed_enter(struct feed *f, enum feed_state s, const char *reason)
{
	/* A reason that stays is told once. */
	if ((s == FEED_FAILED || s == FEED_STALE) &&
	    strcmp(f->said, reason) != 0)
		log_warn("feed", "msg=\"feed is not live\" backend=%s "
		    "state=%s reason=%s", log_escs(f->name),
		    feed_state_name(s), log_escs(reason));
	else
		log_msg(s == FEED_LIVE ? LOG_L_INFO : LOG_L_DEBUG, "feed",
		    "msg=\"feed goes on\" backend=%s state=%s was=%s",
		    log_escs(f->name), feed_state_name(s),
		    feed_state_name(f->state));
	snprintf(f->reason, sizeof(f->reason), "%s", reason);
	if (s == FEED_LIVE || reason[0] != '\0')
		snprintf(f->said, sizeof(f->said), "%s", reason);
	f->state = s;
	f->since = clock_mono();
	feed_publish(f);
}

static bool
feed_is_streaming(const struct feed *f)
{
	return f->state == FEED_STARTING || f->state == FEED_LIVE ||
	    f->state == FEED_STALE;
}

static void
feed_shut(struct gate *g)
{
	atomic_store(&g->live.until, 0);
	g->open = g->known = false;
}

/* Nothing that was known counts any more. */
static void
feed_reset(struct feed *f)
{
	size_t i;

	for (i = 0; i < f->n_gates; i++)
		feed_shut(f->gates[i]);
	link_close(&f->ask);
	link_close(&f->wal);
	evtimer_del(f->poll);
	feed_stream_reset(f);
	settle_fini(&f->settle);
	f->beats = (struct beats){ .last = 0 };
	f->own = 0;
	f->suspects_known = f->slot_made = false;
	f->asking = FEED_ASK_NOTHING;
	memset(f->wants, 0, sizeof(f->wants));
	memset(f->last, 0, sizeof(f->last));
}

void
feed_fail(struct feed *f, const char *fmt, ...)
{
	char why[640];
	va_list ap;

	if (f->state == FEED_FAILED)
		return;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	feed_reset(f);
	f->pause = f->pause == 0 ? PAUSE_FIRST : f->pause * 2 > PAUSE_LAST ?
	    PAUSE_LAST : f->pause * 2;
	feed_enter(f, FEED_FAILED, why);
}

/* ------------------------------------------------------------ gates */

static void
feed_open(struct feed *f, struct gate *g)
{
	feed_end(f, g->tags, g->n_tags);
	g->open = true;
}

/* Nobody vouched for a while. Who went past the cache then may have seen what
 * this beat is older than: the results of before would lead back in time. A
 * session may have looked at its clock a moment later than we. */
static bool
feed_has_shut(const struct gate *g, nsec_t now)
{
	return now + SHUT_MARGIN >= atomic_load(&g->live.until);
}

void
feed_advance(struct feed *f)
{
	nsec_t proven = f->beats.proven, now = clock_mono(), until;
	struct gate *g;
	bool news = f->state != FEED_LIVE;
	size_t i;

	until = proven + f->setup->conf->max_feed_lag;
	if (!feed_is_streaming(f) || proven == 0 || !f->suspects_known ||
	    now >= until)
		return;
	f->pause = 0;
	for (i = 0; i < f->n_gates; i++) {
		g = f->gates[i];
		if (!g->known || atomic_load(&g->unable) ||
		    (!g->open && proven <= g->since))
			continue;
		if (!g->open || feed_has_shut(g, now)) {
			feed_open(f, g);
			news = true;
		}
		atomic_store(&g->live.until, until);
	}
	if (news)
		feed_enter(f, FEED_LIVE, "");
}

/* ------------------------------------------------------------ connecting */

static char **
login_with(char **v, const char *one)
{
	size_t n = 0;
	char **more;

	while (v[n] != NULL)
		n++;
	more = x_calloc(n + 2, sizeof(*more));
	memcpy(more, v, n * sizeof(*more));
	more[n] = x_strdup(one);
	free(v);
	return more;
}

static void
feed_connect(struct feed *f, struct link *l, bool replication)
{
	char **keywords, **values;

	f->setup->login(f->setup->arg, f->conninfo, f->user, &keywords,
	    &values);
	if (replication) {
		keywords = login_with(keywords, "replication");
		values = login_with(values, "database");
	}
	link_open(l, (const char *const *)keywords,
	    (const char *const *)values);
	ask_wipe(keywords);
	ask_wipe(values);
}

static void
feed_begin(struct feed *f)
{
	if (f->state == FEED_FAILED && f->since != 0)
		f->reconnects++;
	feed_enter(f, FEED_CONNECTING, "");
	if (f->user[0] == '\0')
		feed_fail(f, "nobody to log in as: expected a user in "
		    "conninfo, feed_user, layout_user or auth_user");
	else
		feed_connect(f, &f->ask, false);
}

void
feed_may_stream(struct feed *f)
{
	if (f->wal.conn == NULL)
		feed_connect(f, &f->wal, true);
}

/* ------------------------------------------------------------ the walsender */

static void
wal_on_open(struct link *l)
{
	link_ask(l, "IDENTIFY_SYSTEM", 0, NULL);
}

/* A failover, or another server behind the same name. */
static void
wal_take_system(struct feed *f, const PGresult *r)
{
	const char *system = PQgetvalue(r, 0, 0);
	const char *timeline = PQgetvalue(r, 0, 1);

	if (f->system[0] != '\0' && (strcmp(f->system, system) != 0 ||
	    strcmp(f->timeline, timeline) != 0))
		log_warn("feed", "msg=\"the backend is another server now\" "
		    "backend=%s system=%s timeline=%s was=%s/%s",
		    log_escs(f->name), log_escs(system), log_escs(timeline),
		    f->system, f->timeline);
	snprintf(f->system, sizeof(f->system), "%s", system);
	snprintf(f->timeline, sizeof(f->timeline), "%s", timeline);
}

static void
wal_ask_slot(struct feed *f)
{
	char sql[160];
	uint64_t random;

	hash_random(&random, sizeof(random));
	hash_random(&f->token, sizeof(f->token));
	snprintf(f->slot, sizeof(f->slot), "pgsluice_%016" PRIx64, random);
	snprintf(sql, sizeof(sql), "CREATE_REPLICATION_SLOT \"%s\" TEMPORARY "
	    "LOGICAL pgoutput NOEXPORT_SNAPSHOT", f->slot);
	feed_enter(f, FEED_SLOT, "");
	link_ask(&f->wal, sql, 0, NULL);
}

/* The publication's name as an identifier inside of a text. */
static void
wal_ask_stream(struct feed *f)
{
	struct buf b;
	const char *p;
	char *sql;
	bool ok;

	buf_init(&b, 64 * 1024);
	ok = buf_append(&b, "\"", 1);
	for (p = f->publication; ok && *p != '\0'; p++)
		ok = (strchr("\"'", *p) == NULL || buf_append(&b, p, 1)) &&
		    buf_append(&b, p, 1);
	if (!ok || !buf_append(&b, "\"", 2)) {
		feed_fail(f, "the name of the publication is too long");
	} else {
		CHECK(asprintf(&sql, "START_REPLICATION SLOT \"%s\" LOGICAL "
		    "0/0 (proto_version '2', streaming 'on', messages 'on', "
		    "publication_names '%s')", f->slot, buf_head(&b)) >= 0);
		f->slot_made = true;
		link_ask(&f->wal, sql, 0, NULL);
		free(sql);
	}
	buf_reset(&b);
}

static const char *
wal_advice(const char *sqlstate)
{
	static const struct {
		const char *sqlstate, *text;
	} all[] = {
		{ "53400", " (raise max_replication_slots on the server)" },
		{ "53300", " (raise max_wal_senders or max_connections on the "
		    "server)" },
		{ "28000", " (pg_hba.conf must let the role in)" },
		{ "42501", " (ALTER ROLE ... REPLICATION)" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (strcmp(all[i].sqlstate, sqlstate) == 0)
			return all[i].text;
	return "";
}

static void
wal_on_answer(struct link *l, const PGresult *r)
{
	ExecStatusType status = PQresultStatus(r);
	const char *sqlstate = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	struct feed *f = l->arg;
	size_t i;

	CHECK_MAGIC(f, FEED_MAGIC);
	if (status == PGRES_COPY_BOTH && f->slot_made) {
		feed_enter(f, FEED_STARTING, "");
		f->heard_at = clock_mono();
		/* Making the slot may have taken long. */
		for (i = 0; i < f->n_gates; i++)
			f->gates[i]->known = false;
		feed_want(f, FEED_ASK_TABLES);
		feed_want(f, FEED_ASK_BEAT);
	} else if (status != PGRES_TUPLES_OK || PQntuples(r) != 1 ||
	    f->slot_made) {
		feed_fail(f, "the walsender: %s%s", PQresultErrorMessage(r),
		    wal_advice(sqlstate != NULL ? sqlstate : ""));
	} else if (f->state == FEED_CONNECTING) {
		wal_take_system(f, r);
		wal_ask_slot(f);
	} else {
		wal_ask_stream(f);
	}
}

static void
wal_on_data(struct link *l, struct slice data)
{
	feed_stream_data(l->arg, data);
}

static void
wal_on_failure(struct link *l, const char *sqlstate, const char *why)
{
	struct feed *f = l->arg;

	CHECK_MAGIC(f, FEED_MAGIC);
	feed_fail(f, "the walsender: %s%s", why, wal_advice(sqlstate));
}

static const struct link_ops feed_wal_ops = {
	.on_open = wal_on_open, .on_answer = wal_on_answer,
	.on_data = wal_on_data, .on_failure = wal_on_failure,
};

/* ------------------------------------------------------------ time */

nsec_t
feed_beat_every(const struct feed *f)
{
	nsec_t every = f->setup->conf->max_feed_lag / BEATS_IN_LAG;

	return every < BEAT_SLOWEST ? every : BEAT_SLOWEST;
}

static uint64_t
feed_lag(const struct feed *f)
{
	return f->server_at > f->received ? f->server_at - f->received : 0;
}

/* What is not in the log: partitions that come and go, tables that are renamed
 * or dropped, publications. */
static void
feed_read_catalogs(struct feed *f, nsec_t now)
{
	static const enum feed_question both[] = { FEED_ASK_RELATIONS,
		FEED_ASK_TABLES };
	nsec_t pause;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(both); i++) {
		pause = f->took[both[i]] * CATALOGS_SHARE;
		if (now - f->last[both[i]] >= (pause > CATALOGS_EVERY ? pause :
		    CATALOGS_EVERY))
			feed_want(f, both[i]);
	}
}

static void
feed_tick_stream(struct feed *f, nsec_t now)
{
	const struct conf *c = f->setup->conf;

	if (link_has_moved(&f->wal))
		f->heard_at = now;
	if (now - f->heard_at > SILENCE) {
		feed_fail(f, "the walsender is silent");
		return;
	}
	if (feed_lag(f) > (uint64_t)c->feed_max_backlog) {
		feed_fail(f, "%" PRIu64 " bytes of the log behind, over "
		    "feed_max_backlog", feed_lag(f));
		return;
	}
	if (f->state == FEED_LIVE && now - f->beats.proven >= c->max_feed_lag)
		feed_enter(f, FEED_STALE, "no heartbeat has come back for "
		    "max_feed_lag");
	feed_status(f, true);
	if (f->state == FEED_FAILED)
		return;
	feed_read_catalogs(f, now);
	feed_want(f, FEED_ASK_BEAT);
}

static void
feed_tick(struct feed *f, nsec_t now)
{
	if (f->state == FEED_FAILED) {
		if (now - f->since >= f->pause)
			feed_begin(f);
	} else if (f->asking != FEED_ASK_NOTHING &&
	    now - f->asked_at > SILENCE) {
		feed_fail(f, "a question is not answered");
	} else if (f->state == FEED_CONNECTING) {
		if (now - f->since > f->setup->conf->server_connect_timeout)
			feed_fail(f, "connecting took longer than "
			    "server_connect_timeout");
	} else if (feed_is_streaming(f)) {
		feed_tick_stream(f, now);
	}
}

static void
feed_on_tick(evutil_socket_t fd PG_UNUSED, short what PG_UNUSED, void *arg)
{
	struct feed *f = arg;
	nsec_t now = clock_mono(), every = feed_beat_every(f);
	const struct timeval tv = {
		(time_t)(every / NSEC_PER_SEC),
		(suseconds_t)(every % NSEC_PER_SEC / NSEC_PER_USEC) };

	CHECK_MAGIC(f, FEED_MAGIC);
	event_add(f->tick, &tv);
	feed_tick(f, now);
	feed_publish(f);
}

/* ------------------------------------------------------------ life */

static const char *
feed_user_of(const struct conf *c, const struct conf_backend *b)
{
	const char *const any[] = { b->user != NULL ? b->user : "",
		c->feed_user, c->layout_user, c->auth_user };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(any); i++)
		if (any[i][0] != '\0')
			return any[i];
	return "";
}

bool
feed_is_for(const struct feed *f, const struct conf *c,
    const struct conf_backend *b)
{
	return strcmp(f->name, b->name) == 0 &&
	    strcmp(f->conninfo, b->conninfo) == 0 &&
	    strcmp(f->user, feed_user_of(c, b)) == 0 &&
	    strcmp(f->publication, c->feed_publication) == 0;
}

struct feed *
feed_new(struct event_base *base, const struct conf *c,
    const struct conf_backend *b)
{
	struct feed *f = x_calloc(1, sizeof(*f));

	f->magic = FEED_MAGIC;
	f->state = FEED_FAILED;
	f->name = x_strdup(b->name);
	f->conninfo = x_strdup(b->conninfo);
	f->user = x_strdup(feed_user_of(c, b));
	f->publication = x_strdup(c->feed_publication);
	link_init(&f->ask, base, &feed_ask_ops, f);
	link_init(&f->wal, base, &feed_wal_ops, f);
	TAILQ_INIT(&f->txns);
	relations_init(&f->relations);
	settle_init(&f->settle);
	f->tick = evtimer_new(base, feed_on_tick, f);
	f->poll = evtimer_new(base, feed_on_poll, f);
	CHECK(f->tick != NULL && f->poll != NULL);
	return f;
}

void
feed_set_setup(struct feed *f, const struct feed_setup *s,
    const struct gate_plan *p)
{
	static const struct timeval now = { 0, 0 };
	struct gate **old = f->gates;
	size_t n_old = f->n_gates, i, k;

	f->gates = x_calloc(p->n > 0 ? p->n : 1, sizeof(struct gate *));
	f->n_gates = 0;
	for (i = 0; i < p->n; i++)
		if (strcmp(p->gates[i]->backend, f->name) == 0)
			f->gates[f->n_gates++] = p->gates[i];
	for (i = 0; i < n_old; i++) {
		for (k = 0; k < f->n_gates && f->gates[k] != old[i]; k++)
			;
		if (k == f->n_gates)
			feed_shut(old[i]);
	}
	free(old);
	f->setup = s;
	relations_use(&f->relations, s->conf);
	if (f->state != FEED_FAILED) {
		/* Gates that are new open when tables have been looked at,
		 * which is after names have been given their new tags. What
		 * has been read, but not to its end, had the old ones. */
		feed_stream_widen(f);
		settle_widen(&f->settle);
		f->last[FEED_ASK_RELATIONS] = 0;
		f->wants[FEED_ASK_TABLES] = true;
		feed_want(f, FEED_ASK_RELATIONS);
	}
	event_add(f->tick, &now);
}

void
feed_free(struct feed **fp)
{
	struct feed *f = *fp;

	*fp = NULL;
	CHECK_MAGIC(f, FEED_MAGIC);
	feed_reset(f);
	event_free(f->tick);
	event_free(f->poll);
	relations_fini(&f->relations);
	feed_checks_free(f);
	OPENSSL_cleanse(f->conninfo, strlen(f->conninfo));
	free(f->conninfo);
	free(f->name);
	free(f->user);
	free(f->publication);
	free(f->gates);
	f->magic = 0;
	free(f);
}
