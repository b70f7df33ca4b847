/* SPDX-License-Identifier: PostgreSQL
 *
 * The feed: what is written on backends, by whomever, ends cached results.
 *
 * A backend with feed = true is followed through a temporary slot of logical
 * replication.  Each commit that comes bumps the tags of the tables it
 * changed, twice: when it comes, and when a snapshot shows it.  Heartbeats
 * prove up to when that has been done; from this the gates of cache rules
 * (feed/gate.h) are open, each until max_feed_lag after what is proven.  After
 * a gap in the stream the tags of all watched tables are bumped before gates
 * open again.
 */
#ifndef PGSLUICE_FEED_FEED_H
#define PGSLUICE_FEED_FEED_H

#include "cache/live.h"
#include "conf/conf.h"

enum feed_state {
#define FEED_STATE(sym, name, doc) FEED_##sym,
#include "tbl/feed_states.h"
	FEED_STATE_COUNT
};
const char *feed_state_name(enum feed_state s);

/* What feeds are to do. */
struct feed_setup {
	struct conf *conf;   /* a reference */
	/* Arguments for libpq: arrays of malloc'ed strings that end with NULL.
	 * On the feed's thread. */
	void (*login)(void *arg, const char *conninfo, const char *user,
	    char ***keywords, char ***values);
	void (*done)(void *arg); /* the setup is of no more use; any thread */
	void *arg;
};

/* Once, before sessions begin / when no session is left / when no object is. */
void feed_start(void);
void feed_stop(void);
void feed_fini(void);
/* Control thread: a new configuration; takes the references over. */
void feed_use(const struct feed_setup *s);

/* Any thread. Who vouches for a strong rule's results; NULL: nobody now, as the
 * configuration is being changed. */
const struct live_set *feed_set(const struct conf *c,
    const struct conf_database *d, const struct conf_rule *r);
/* The same of a strong rule for all tables, for what is read by these names. */
const struct live_set *feed_set_of(const struct conf *c,
    const struct conf_database *d, const char *const *names, size_t n);
/* Why they do not: a table cannot be followed at all. */
bool feed_is_unable(const struct live_set *s);

struct feed_info {
	const char *backend;
	enum feed_state state;
	const char *reason;      /* or "" */
	const char *system, *timeline; /* of the server; or "" */
	uint64_t received, commit; /* places in the log: all / last commit */
	uint64_t lag_bytes;
	nsec_t proven_ago;       /* UINT64_MAX: nothing is proven */
	nsec_t state_for;
	uint64_t commits, changes, bumps, beats, reconnects;
	uint64_t unsettled;
	uint64_t gates, gates_open;
};
/* Any thread: all feeds, by backend. */
void feed_each(void (*fn)(const struct feed_info *i, void *arg), void *arg);

/* What the catalogs say of a table of a cache rule. */
struct feed_check {
	char *backend, *named, *relation, *kind, *identity, *tells, *state,
	    *text;
	bool published;
	nsec_t at;               /* mono */
};
void feed_checks_each(void (*fn)(const struct feed_check *c, void *arg),
    void *arg);

#endif
