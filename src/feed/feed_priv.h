/* SPDX-License-Identifier: PostgreSQL
 *
 * One feed: two connections to a backend and what has been read.
 *
 *   CONNECTING --> SLOT --> STARTING --> LIVE <--> STALE
 *        ^           |         |          |          |
 *        `-- FAILED <-----------------------------------
 *
 * feed_enter() is the only setter of the state.  Everything here is the feed
 * thread's own, but for what feed_publish() copies.
 */
#ifndef PGSLUICE_FEED_FEED_PRIV_H
#define PGSLUICE_FEED_FEED_PRIV_H

#include <sys/queue.h>

#include "feed/beats.h"
#include "feed/feed.h"
#include "feed/gate.h"
#include "feed/link.h"
#include "feed/relations.h"

/* A transaction that has not been read to its end. */
struct txn {
	TAILQ_ENTRY(txn) next;
	uint32_t xid;
	struct feed_tags tags;
	uint64_t beat;       /* its message is this heartbeat; or 0 */
};
TAILQ_HEAD(txns, txn);
#define TXNS_MAX 256     /* streamed at one time; more: see stream.c */

/* Questions for the ordinary connection, the most urgent first. */
enum feed_question {
	FEED_ASK_NOTHING, FEED_ASK_FACTS, FEED_ASK_SNAPSHOT, FEED_ASK_BEAT,
	FEED_ASK_RELATIONS, FEED_ASK_TABLES, FEED_QUESTIONS
};

struct feed {
	uint32_t magic;
#define FEED_MAGIC 0xfeed10c5u
	TAILQ_ENTRY(feed) next;
	const struct feed_setup *setup; /* the one in force */
	char *name, *conninfo, *publication; /* changed: a new feed */
	char *user;          /* the same; "": there is nobody to log in as */
	enum feed_state state;
	char reason[640];
	char said[640];      /* the last one in the log */
	nsec_t since;        /* in this state */
	struct link ask, wal;
	struct event *tick, *poll;
	struct gate **gates;
	size_t n_gates;

	/* connecting */
	nsec_t pause;        /* before the next attempt */
	char system[32], timeline[16], slot[48];
	bool slot_made;
	uint64_t token;      /* tells our beats from others' */

	/* the ordinary connection */
	enum feed_question asking;
	bool wants[FEED_QUESTIONS];
	nsec_t asked_at;
	nsec_t last[FEED_QUESTIONS]; /* when each was asked, or 0 */
	nsec_t took[FEED_QUESTIONS]; /* how long its answer did */
	nsec_t settle_pause;

	/* the stream */
	struct pgo_reader reader;
	struct txn now;      /* between BEGIN and COMMIT */
	struct txn *streamed; /* between STREAM_START and _STOP; or NULL */
	struct txns txns;
	size_t n_txns;
	struct relations relations;
	nsec_t heard_at;
	lsn_t received, commit, server_at;

	/* what is proven */
	struct settle settle;
	struct beats beats;
	/* Transactions that were under way when the stream began may have been
	 * logged before it: own is younger than all of them. */
	uint64_t own;        /* 0: not known yet */
	bool suspects_known;

	uint64_t commits, changes, bumps, reconnects;

	/* for others, under the lock of feed.c */
	struct feed_info info;
	char shown_reason[640], shown_system[32], shown_timeline[16];
	struct feed_check *checks;
	size_t n_checks;
};

/* feed.c */
void feed_lock(void);
void feed_unlock(void);
/* Show others how it stands. */
void feed_publish(struct feed *f);

/* follow.c: the state, from birth to death. */
struct feed *feed_new(struct event_base *base, const struct conf *c,
    const struct conf_backend *b) PG_MUST_CHECK;
void feed_free(struct feed **f);
/* Is it what the configuration wants for this backend? */
bool feed_is_for(const struct feed *f, const struct conf *c,
    const struct conf_backend *b);
/* Begin, or go on under another setup. */
void feed_set_setup(struct feed *f, const struct feed_setup *s,
    const struct gate_plan *p);
void feed_fail(struct feed *f, const char *fmt, ...) PG_PRINTF(2, 3);
nsec_t feed_beat_every(const struct feed *f);
/* The ordinary connection has told all that is needed to begin. */
void feed_may_stream(struct feed *f);
/* More may be proven than was. */
void feed_advance(struct feed *f);

/* ask.c */
extern const struct link_ops feed_ask_ops;
void feed_want(struct feed *f, enum feed_question q);
void feed_unsettled(struct feed *f); /* there is something to settle */
void feed_on_poll(evutil_socket_t fd, short what, void *arg);

/* tables.c: what the catalogs say of the gates' tables. */
void feed_ask_tables(struct feed *f);
void feed_take_tables(struct feed *f, const PGresult *r);
void feed_checks_free(struct feed *f);

/* stream.c */
void feed_stream_reset(struct feed *f);
/* Transactions under way are taken to change everything. */
void feed_stream_widen(struct feed *f);
void feed_stream_data(struct feed *f, struct slice data);
void feed_status(struct feed *f, bool want_reply);
/* End what depends on these tags, in this process and in Redis. */
void feed_end(struct feed *f, const tag_t *tags, size_t n);
void feed_bump(void *arg, const struct feed_tags *t);

#endif
