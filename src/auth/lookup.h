/* SPDX-License-Identifier: PostgreSQL
 *
 * Users looked up with auth_query: a query to a backend, on threads of its
 * own, its answers kept for a short while.
 *
 * Whoever is found is remembered with the secret, whoever is not, too, in a
 * list of its own, so that made-up names do not drive out real ones; both lists
 * are bounded.  A request is a struct the caller makes; it belongs to the
 * queue from lookup_submit() on and then, as a mailbox message, to done.run on
 * its worker, which calls lookup_free().
 */
#ifndef PGSLUICE_AUTH_LOOKUP_H
#define PGSLUICE_AUTH_LOOKUP_H

#include "auth/secret.h"
#include "base/hash.h"
#include "run/worker.h"

#define LOOKUP_QUEUE_MAX 1000u /* requests that wait */
#define LOOKUP_FOUND_MAX 10000u /* users remembered */
#define LOOKUP_NONE_MAX 1000u  /* names that are no users */

enum lookup_result {
	LOOKUP_UNKNOWN, /* ask */
	LOOKUP_FOUND,   /* there is such a user, and this is the secret */
	LOOKUP_NONE,    /* no such user, or none that may log in by a secret */
	LOOKUP_FAILED   /* the question could not be put */
};

struct lookup {
	struct message done; /* .run set by the caller */
	struct worker *w;
	uint64_t session;    /* the caller's */
	struct hash128 where; /* identity of what keywords and values say */
	struct hash128 key;   /* lookup_key() */
	char *user, *query;
	char **keywords, **values; /* for libpq; owned, values are wiped */
	nsec_t timeout;      /* for connecting, and again for the query */
	nsec_t keep;         /* how long the answer may be remembered */
	/* results */
	enum lookup_result result;
	struct secret secret; /* FOUND; a plain one has its verifier */
	char error[256];      /* FAILED, for the log */

	STAILQ_ENTRY(lookup) next; /* private to the queue */
};

/* Identity of a question: where it is put, with which query, about whom. */
struct hash128 lookup_key(struct hash128 where, const char *query,
    const char *user);
/* What is remembered, if it is not older than keep. FOUND: *out is a copy. Any
 * thread. */
enum lookup_result lookup_cached(struct hash128 key, nsec_t now, nsec_t keep,
    struct secret *out) PG_MUST_CHECK;
/* A secret did not fit: it may have changed. Forgets it if it is older than a
 * second, so that failed logins cannot be made to cost a query each. */
void lookup_doubt(struct hash128 key, nsec_t now);
void lookup_forget_all(void);
/* Users and names remembered. Any thread. */
unsigned lookup_count(void);

void lookup_start(unsigned threads);
/* Requests that wait or are under way fail; while the workers still run. */
void lookup_stop(void);
/* false: the queue is full or stopped; the request is still the caller's. */
bool lookup_submit(struct lookup *l) PG_MUST_CHECK;
void lookup_free(struct lookup *l);

#endif
