/* SPDX-License-Identifier: PostgreSQL
 *
 * Threads that ask for numbers, and what they were told.
 *
 * A check in force stands in the table, which has one reference to it, its
 * thread has the other.  After a change of the configuration the old ones live
 * on until their threads have noticed.  All fields that are not said to be
 * constant are guarded by checks.lock.
 */
#include "layout/checks.h"

#include <math.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "layout/ask.h"

struct check {
	/* constant */
	char *name, *backend, *conninfo, *query;
	nsec_t interval, timeout, connect_timeout;
	struct standby_login *login;

	struct ask a; /* the thread's own */
	atomic_bool stopping;
	unsigned refs;
	bool known, up;
	double value;
	nsec_t took, at;
	uint64_t runs, failures;
	char error[512];
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake; /* stopping, or a thread has ended */
	struct check **v;
	size_t n;
	unsigned threads;
} checks = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool
checks_read(const char *text, double *out)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(v))
		return false;
	*out = v;
	return true;
}

/* ------------------------------------------------------------ asking */

static bool
check_fail(struct check *k, const char *why)
{
	snprintf(k->a.error, sizeof(k->a.error), "%s", why);
	return false;
}

/* A server goes on with a question whose asker has gone, unless it has a limit
 * of its own. */
static bool
check_open(struct check *k)
{
	char **keywords = NULL, **values = NULL, limit[64];
	bool got = k->login->args(k->login, k->conninfo, &keywords, &values);
	PGresult *r;

	k->a.timeout = k->connect_timeout;
	if (!ask_login(&k->a, got, keywords, values))
		return false;
	k->a.timeout = k->timeout;
	snprintf(limit, sizeof(limit), "SET statement_timeout = %llu",
	    (unsigned long long)(k->timeout / NSEC_PER_MSEC));
	r = ask_query(&k->a, limit);
	PQclear(r);
	return r != NULL;
}

static bool
check_take(struct check *k, const PGresult *r, double *out)
{
	if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != 1 ||
	    PQnfields(r) != 1)
		return check_fail(k, "the answer is not one value, expected "
		    "one row with one number");
	if (PQgetisnull(r, 0, 0))
		return check_fail(k, "the answer is NULL, expected a number");
	if (!checks_read(PQgetvalue(r, 0, 0), out))
		return check_fail(k, "the answer is no finite number");
	return true;
}

/* false: see a.error. */
static bool
check_ask(struct check *k, double *value, nsec_t *took)
{
	nsec_t began;
	PGresult *r;
	bool ok;

	if (k->a.conn == NULL && !check_open(k))
		return false;
	began = clock_mono();
	r = ask_query(&k->a, k->query);
	if (r == NULL)
		return false;
	*took = clock_mono() - began;
	ok = check_take(k, r, value);
	PQclear(r);
	return ok;
}

static void
check_answered(struct check *k, double value, nsec_t took)
{
	pthread_mutex_lock(&checks.lock);
	if (k->error[0] != '\0')
		log_info("check", "msg=\"check is answered again\" check=%s "
		    "backend=%s", log_escs(k->name), log_escs(k->backend));
	k->runs++;
	k->known = k->up = true;
	k->value = value;
	k->took = took;
	k->at = clock_mono();
	k->error[0] = '\0';
	pthread_mutex_unlock(&checks.lock);
}

static void
check_failed(struct check *k)
{
	pthread_mutex_lock(&checks.lock);
	if (!atomic_load(&k->stopping)) {
		if (k->error[0] == '\0')
			log_warn("check", "msg=\"check is not answered\" "
			    "check=%s backend=%s error=%s", log_escs(k->name),
			    log_escs(k->backend), log_escs(k->a.error));
		k->runs++;
		k->failures++;
		k->up = false;
		snprintf(k->error, sizeof(k->error), "%s", k->a.error);
	}
	pthread_mutex_unlock(&checks.lock);
	ask_close(&k->a);
}

/* ------------------------------------------------------------ threads */

static void
check_free(struct check *k)
{
	if (atomic_fetch_sub(&k->login->refs, 1) == 1)
		k->login->free(k->login);
	OPENSSL_cleanse(k->conninfo, strlen(k->conninfo));
	free(k->name);
	free(k->backend);
	free(k->conninfo);
	free(k->query);
	free(k);
}

/* Under the lock, which is let go of when the last one frees it. */
static void
check_unref(struct check *k)
{
	bool last = --k->refs == 0;

	pthread_mutex_unlock(&checks.lock);
	if (last)
		check_free(k);
	pthread_mutex_lock(&checks.lock);
}

/* false: stopping. */
static bool
check_sleep(struct check *k)
{
	nsec_t until = clock_mono() + k->interval;
	struct timespec ts = { (time_t)(until / NSEC_PER_SEC),
		(long)(until % NSEC_PER_SEC) };

	pthread_mutex_lock(&checks.lock);
	while (!atomic_load(&k->stopping) && clock_mono() < until)
		(void)pthread_cond_timedwait(&checks.wake, &checks.lock, &ts);
	pthread_mutex_unlock(&checks.lock);
	return !atomic_load(&k->stopping);
}

static void *
check_run(void *arg)
{
	struct check *k = arg;
	nsec_t took;
	double value;

	do {
		if (check_ask(k, &value, &took))
			check_answered(k, value, took);
		else
			check_failed(k);
	} while (check_sleep(k));
	ask_close(&k->a);
	pthread_mutex_lock(&checks.lock);
	check_unref(k);
	checks.threads--;
	pthread_cond_broadcast(&checks.wake);
	pthread_mutex_unlock(&checks.lock);
	return NULL;
}

static struct check *
check_new(const struct conf *c, const struct conf_check *from,
    struct standby_login *l)
{
	struct check *k = x_calloc(1, sizeof(*k));

	k->name = x_strdup(from->name);
	k->backend = x_strdup(from->backend->name);
	k->conninfo = x_strdup(from->backend->conninfo);
	k->query = x_strdup(from->query);
	k->interval = from->interval;
	k->timeout = from->timeout;
	k->connect_timeout = c->server_connect_timeout;
	k->login = l;
	atomic_fetch_add(&l->refs, 1);
	k->a.stopping = &k->stopping;
	k->refs = 2;
	return k;
}

/* Under the lock: what was found for the same question counts. */
static void
check_inherit(struct check *k)
{
	const struct check *old;
	size_t i;

	for (i = 0; i < checks.n; i++) {
		old = checks.v[i];
		if (strcmp(old->name, k->name) != 0 ||
		    strcmp(old->conninfo, k->conninfo) != 0 ||
		    strcmp(old->query, k->query) != 0)
			continue;
		k->known = old->known;
		k->up = old->up;
		k->value = old->value;
		k->took = old->took;
		k->at = old->at;
		k->runs = old->runs;
		k->failures = old->failures;
		memcpy(k->error, old->error, sizeof(k->error));
	}
}

/* Under the lock: none is in force any more. */
static void
checks_forget(void)
{
	struct check *k;

	while (checks.n > 0) {
		k = checks.v[--checks.n];
		atomic_store(&k->stopping, true);
		check_unref(k);
	}
	free(checks.v);
	checks.v = NULL;
	pthread_cond_broadcast(&checks.wake);
}

static void
checks_init(void)
{
	pthread_condattr_t attr;

	CHECK(pthread_condattr_init(&attr) == 0);
	CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&checks.wake, &attr) == 0);
	CHECK(pthread_condattr_destroy(&attr) == 0);
}

void
checks_configure(struct conf *c, struct standby_login *l)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct check **v = x_calloc(c->n_checks, sizeof(struct check *));
	pthread_t thread;
	size_t i;

	CHECK(pthread_once(&once, checks_init) == 0);
	pthread_mutex_lock(&checks.lock);
	for (i = 0; i < c->n_checks; i++) {
		v[i] = check_new(c, &c->checks[i], l);
		check_inherit(v[i]);
	}
	checks_forget();
	checks.v = v;
	checks.n = c->n_checks;
	for (i = 0; i < checks.n; i++) {
		checks.threads++;
		CHECK(pthread_create(&thread, NULL, check_run, v[i]) == 0);
		CHECK(pthread_detach(thread) == 0);
	}
	pthread_mutex_unlock(&checks.lock);
	if (atomic_fetch_sub(&l->refs, 1) == 1)
		l->free(l);
}

void
checks_stop(void)
{
	pthread_mutex_lock(&checks.lock);
	checks_forget();
	while (checks.threads > 0)
		pthread_cond_wait(&checks.wake, &checks.lock);
	pthread_mutex_unlock(&checks.lock);
}

void
checks_each(void (*fn)(const struct checks_info *i, void *arg), void *arg)
{
	nsec_t now = clock_mono();
	struct checks_info info;
	const struct check *k;
	size_t i;

	pthread_mutex_lock(&checks.lock);
	for (i = 0; i < checks.n; i++) {
		k = checks.v[i];
		info = (struct checks_info){ .name = k->name,
			.backend = k->backend, .query = k->query,
			.interval = k->interval, .known = k->known,
			.value = k->value, .took = k->took,
			.age = now > k->at ? now - k->at : 0, .up = k->up,
			.runs = k->runs, .failures = k->failures,
			.error = k->error };
		fn(&info, arg);
	}
	pthread_mutex_unlock(&checks.lock);
}
