/* SPDX-License-Identifier: PostgreSQL
 *
 * L2: results in Redis, through hiredis' reader and formatter on the worker's
 * event loop.  One connection a worker.
 *
 * An entry is found with one MGET: the entry and, per tag, Redis' own tag
 * token.  An entry is valid only if the tokens it carries equal those read
 * with it; a write replaces the tokens (l2_bump) by fresh random ones.  A
 * missing token is created (SET NX) and counts as a miss.  While a bump of a
 * tag has not been acknowledged, this process does not use L2 for that tag;
 * bumps that were lost with a connection are replayed before anything else.
 * Every answer has a time budget; an overdue one closes the connection (a late
 * reply can never meet another question) and opens the circuit breaker.
 * Entries carry their full key, fill time and a checksum, or with keys are
 * sealed together with them; anything that does not fit exactly is a miss.
 * Runs on one worker; the pending-bump counters are shared by all.
 */
#ifndef PGSLUICE_CACHE_L2_H
#define PGSLUICE_CACHE_L2_H

#include <event2/event.h>
#include <openssl/ssl.h>

#include "cache/l2_keys.h"
#include "cache/object.h"

struct l2;

struct l2_options { /* copied; where it is: host and port, or unix_socket, or */
	const char *const *sentinels; /* host:port, n of them */
	unsigned n_sentinels;
	const char *sentinel_master; /* the name they know it by */
	const char *host;  /* or NULL */
	int port;
	const char *unix_socket; /* or NULL */
	const char *user, *password; /* or NULL */
	int database;
	const char *prefix;
	nsec_t timeout, retry;
	size_t max_object; /* larger results stay out; 0: 1 MiB */
	SSL_CTX *tls;      /* or NULL; not with unix_socket */
	bool tls_verify_host;
};

/* Tokens read by a lookup, to be stored with the fill that follows it. */
struct l2_tokens {
	bool valid;
	uint64_t token[TAGSET_MAX];
	struct track_mark mark; /* of the entry, before it was asked for last; not
	                           used: as l2_mark() said */
};

struct l2_found {
	struct slice desc, data; /* borrowed during the callback */
	nsec_t fetched_wall;
};
/* That this process fills a key for the whole fleet. */
struct l2_lease;

/* found: NULL on a miss, timeout or error. tokens: to be given to l2_put;
 * !tokens->valid: do not store. lease: NULL, or to be given to l2_release.
 * Called exactly once unless l2_cancel()ed; never from inside l2_get(). */
typedef void (*l2_get_cb)(void *arg, const struct l2_found *found,
    const struct l2_tokens *tokens, struct l2_lease *lease);

enum lease_outcome {
#define LEASE_OUTCOME(sym, name, doc) LEASE_##sym,
#include "tbl/lease_outcomes.h"
	LEASE_OUTCOMES
};

/* Resolves a host name, which may block; never afterwards. SIGPIPE must be
 * ignored. */
struct l2 *l2_new(struct event_base *base, const struct l2_options *o)
    PG_MUST_CHECK;
/* Callbacks still owed are called with a miss. Not from inside a callback. */
void l2_free(struct l2 **l);
void l2_set_times(struct l2 *l, nsec_t timeout, nsec_t retry);
/* Of connections that are made from now on, if they have TLS. Takes a
 * reference; not NULL. */
void l2_set_tls(struct l2 *l, SSL_CTX *tls);
/* From now on entries are sealed with the first of these keys, and only such
 * as one of them opens are used; NULL (at first): they carry a checksum. */
void l2_set_keys(struct l2 *l, struct l2_keys *keys);
/* Usable now: connected, circuit closed, no pending bump for these tags. */
bool l2_usable(const struct l2 *l, const struct tagset *tags);
/* Redis has acknowledged every bump of this process: whoever reads there has
 * what was written here.  Any thread. */
bool l2_is_settled(void);

/* scope_text: the full text of the fingerprint (stable over processes); db: the
 * database, for the readable part of the Redis key, as k->name. tags: recorded
 * before this call; if one moves before the answer, it is a miss. lease: if not 0, and nothing is found, this process takes a
 * lease on the key for so long, or waits while another one has it: for its
 * entry, for the lease, or for twice so long. All is copied. Returns a handle
 * for l2_cancel, or NULL if L2 is not usable or the question is over 64 KiB
 * (then no callback). */
struct l2_request *l2_get(struct l2 *l, const struct cache_key *k,
    struct slice scope_text, const char *db, const struct tagset *tags,
    nsec_t max_age, nsec_t lease, l2_get_cb cb, void *arg);
/* After l2_put(), or when nothing is going to be put: others need not wait any
 * longer. *lease may be NULL, and is afterwards. */
void l2_release(struct l2 *l, struct l2_lease **lease);
/* What Redis has told of the entry of k until now; before it is asked for. */
void l2_mark(const struct l2 *l, const struct cache_key *k,
    struct slice scope_text, const char *db, struct track_mark *m);
void l2_cancel(struct l2_request *r); /* cb will not be called */
/* Fire and forget. Stored with SET .. PX ttl. */
void l2_put(struct l2 *l, const struct object *o, struct slice scope_text,
    const char *db, const struct l2_tokens *tokens);
/* A write committed: call before the client may see it. n tags; TAG_ALL
 * invalidates everything. Works (queues) also while disconnected. */
void l2_bump(struct l2 *l, const tag_t *tags, unsigned n);

/* Drop the entries whose names (key.name) fit a pattern, see cache/glob.h, in
 * steps that hold nobody up. whole: all of Redis was looked through; else the
 * connection was lost on the way. Called once, never from inside. false:
 * L2 is not connected, or the pattern too long (then no callback). */
typedef void (*l2_drop_cb)(void *arg, bool whole, uint64_t dropped);
bool l2_drop(struct l2 *l, const char *pattern, l2_drop_cb cb, void *arg)
    PG_MUST_CHECK;
#define L2_PATTERN_MAX 256 /* longer ones are not taken */

struct l2_stats {
	bool connected;
	uint64_t gets, hits, misses, timeouts, errors, puts, bumps, corrupt, breaker_opens;
	uint64_t leases[LEASE_OUTCOMES]; /* by what became of the lookup */
};
void l2_stats(const struct l2 *l, struct l2_stats *st); /* any thread; relaxed */
const char *l2_lease_outcome(enum lease_outcome o);

#endif
