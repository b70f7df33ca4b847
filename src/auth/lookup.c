/* SPDX-License-Identifier: PostgreSQL
 *
 * The queue of lookups and the threads that work it off.
 *
 * Knows nothing of how a question is put (lookup_conn.c) nor kept
 * (lookup_cache.c).  The lock is a leaf and is not held while a question is
 * put.  Questions about the same user that came meanwhile are answered from
 * memory once the first one is.
 */
#include "auth/lookup.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "auth/lookup_priv.h"

#define LOOKUP_REST (60 * NSEC_PER_SEC) /* idle connections live so long */
#define LOOKUP_FRESH NSEC_PER_SEC

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	STAILQ_HEAD(, lookup) queue;
	unsigned length;
	atomic_bool stopping;
	pthread_t *threads;
	unsigned n;
} lookups = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.more = PTHREAD_COND_INITIALIZER, .stopping = true };

struct hash128
lookup_key(struct hash128 where, const char *query, const char *user)
{
	where = hash_mix(where, hash_bytes(query, strlen(query)));
	return hash_mix(where, hash_bytes(user, strlen(user)));
}

void
lookup_free(struct lookup *l)
{
	size_t i;

	for (i = 0; l->keywords != NULL && l->keywords[i] != NULL; i++) {
		OPENSSL_cleanse(l->values[i], strlen(l->values[i]));
		free(l->keywords[i]);
		free(l->values[i]);
	}
	free(l->keywords);
	free(l->values);
	free(l->user);
	free(l->query);
	secret_fini(&l->secret);
	free(l);
}

/* ---- threads ---- */

static void
lookup_run(struct lookup_conns *c, struct lookup *l)
{
	nsec_t keep = l->keep < LOOKUP_FRESH ? l->keep : LOOKUP_FRESH;

	/* Somebody may have asked the same while this one waited. */
	l->result = lookup_cached(l->key, clock_mono(), keep, &l->secret);
	if (l->result != LOOKUP_UNKNOWN)
		return;
	lookup_ask(c, l);
	if (l->keep > 0 && (l->result == LOOKUP_FOUND ||
	    l->result == LOOKUP_NONE))
		lookup_remember(l, clock_mono());
}

/* The next request; NULL: stop. Closes connections that rest too long. */
static struct lookup *
lookup_next(struct lookup_conns *c)
{
	struct timespec until;
	struct lookup *l;
	unsigned open = LOOKUP_CONNS;

	pthread_mutex_lock(&lookups.lock);
	while ((l = STAILQ_FIRST(&lookups.queue)) == NULL &&
	    !atomic_load(&lookups.stopping)) {
		if (open == 0) {
			pthread_cond_wait(&lookups.more, &lookups.lock);
			continue;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += LOOKUP_REST / NSEC_PER_SEC;
		if (pthread_cond_timedwait(&lookups.more, &lookups.lock,
		    &until) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&lookups.lock);
		open = lookup_conns_close(c, clock_mono() - LOOKUP_REST);
		pthread_mutex_lock(&lookups.lock);
	}
	if (l != NULL) {
		STAILQ_REMOVE_HEAD(&lookups.queue, next);
		lookups.length--;
	}
	pthread_mutex_unlock(&lookups.lock);
	return l;
}

static void *
lookup_main(void *arg PG_UNUSED)
{
	struct lookup_conns c = { .stopping = &lookups.stopping };
	struct lookup *l;

	while ((l = lookup_next(&c)) != NULL) {
		lookup_run(&c, l);
		worker_post(l->w, &l->done);
	}
	(void)lookup_conns_close(&c, INT64_MAX);
	return NULL;
}

bool
lookup_submit(struct lookup *l)
{
	bool taken;

	pthread_mutex_lock(&lookups.lock);
	taken = !atomic_load(&lookups.stopping) &&
	    lookups.length < LOOKUP_QUEUE_MAX;
	if (taken) {
		STAILQ_INSERT_TAIL(&lookups.queue, l, next);
		lookups.length++;
		pthread_cond_signal(&lookups.more);
	}
	pthread_mutex_unlock(&lookups.lock);
	return taken;
}

void
lookup_start(unsigned threads)
{
	unsigned i;

	STAILQ_INIT(&lookups.queue);
	atomic_store(&lookups.stopping, false);
	lookups.n = threads;
	lookups.threads = x_calloc(threads, sizeof(*lookups.threads));
	for (i = 0; i < threads; i++)
		CHECK(pthread_create(&lookups.threads[i], NULL, lookup_main,
		    NULL) == 0);
}

void
lookup_stop(void)
{
	unsigned i;

	pthread_mutex_lock(&lookups.lock);
	atomic_store(&lookups.stopping, true);
	pthread_cond_broadcast(&lookups.more);
	pthread_mutex_unlock(&lookups.lock);
	for (i = 0; i < lookups.n; i++)
		CHECK(pthread_join(lookups.threads[i], NULL) == 0);
	free(lookups.threads);
	lookups.threads = NULL;
	lookups.n = 0;
	lookup_forget_all();
}
