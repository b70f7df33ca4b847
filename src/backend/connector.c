/* SPDX-License-Identifier: PostgreSQL
 *
 * Connecting to backends with libpq, on threads of its own.
 *
 * Knows libpq and event loops; nothing of pools.  An attempt goes through two
 * phases, each waiting on the socket: POLLING (PQconnectPoll) and SETTINGS
 * (one query for the settings that shape results).  Any failure or the
 * attempt's timer ends it.  Invariant: a job is on exactly one of the inbox,
 * one thread's loop, or the mailbox of its worker.
 */
#include "backend/connector.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend/connect_error.h"
#include "base/log.h"
#include "net/kdf.h"

#define CANCEL_THREADS 4
#define NAME_THREADS 4
#define NAMES_MAX 64
#define CANCEL_QUEUE_MAX 10000
#define SETTINGS_TEXT_MAX (256 * 1024)

enum { PHASE_POLLING, PHASE_SETTINGS };

/* Settings that change what a result looks like or which rows it has. */
static const char settings_query[] =
    "SELECT name, setting FROM pg_catalog.pg_settings WHERE name "
    "OPERATOR(pg_catalog.=) ANY (ARRAY["
#define OUTPUT_SETTING(name) "'" #name "',"
#include "tbl/output_settings.h"
    "'']::pg_catalog.text[]) "
    /* ALTER ROLE .. SET role shows nowhere else. */
    "UNION ALL SELECT 'current_user', CURRENT_USER::pg_catalog.text "
    "UNION ALL SELECT 'session_user', SESSION_USER::pg_catalog.text "
    /* pg_settings does not show what nobody has declared. A value that is
     * none may hold anything. */
#define CACHE_WISH(sym, name, doc) \
    "UNION ALL SELECT '" name "', CASE WHEN pg_catalog.current_setting('" \
    name "', true) OPERATOR(pg_catalog.~) '^[a-z0-9]{0,20}$' THEN " \
    "pg_catalog.current_setting('" name "', true) ELSE '?' END WHERE " \
    "pg_catalog.current_setting('" name "', true) OPERATOR(pg_catalog.<>) '' "
#include "tbl/cache_wishes.h"
    /* Under no name: when the postmaster started. */
    "UNION ALL SELECT '', (EXTRACT(epoch FROM "
    "pg_catalog.pg_postmaster_start_time()) OPERATOR(pg_catalog.*) 1000000)"
    "::pg_catalog.int8::pg_catalog.text "
    "ORDER BY 1";

STAILQ_HEAD(job_list, connect_job);

struct connector {
	uint32_t magic;
#define CONNECTOR_MAGIC 0xc033ec70u
	pthread_t thread;
	struct event_base *base;
	pthread_mutex_t lock;
	struct job_list inbox, active;
	int wake_fd;
	struct event wake_ev;
	bool stopping;
};

struct cancel_job {
	STAILQ_ENTRY(cancel_job) next;
	PGcancel *cancel;
	struct worker *w;
	struct message *m;
};

static struct connector *connectors; /* those for names come last */
static unsigned n_connectors;
static atomic_uint next_connector;

/* Which thread a host's name was given to: in the order of their coming, so
 * that few hosts share none. */
static struct {
	pthread_mutex_t lock;
	char *hosts[NAMES_MAX];
	unsigned n;
} names = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	STAILQ_HEAD(, cancel_job) queue;
	unsigned length;
	bool stopping;
	pthread_t threads[CANCEL_THREADS];
} cancels = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.more = PTHREAD_COND_INITIALIZER };

/* ---- one attempt ---------------------------------------------------- */

void
connect_job_free(struct connect_job *j)
{
	size_t i;

	for (i = 0; j->keywords != NULL && j->keywords[i] != NULL; i++) {
		if (j->values[i] != NULL)
			OPENSSL_cleanse(j->values[i], strlen(j->values[i]));
		free(j->keywords[i]);
		free(j->values[i]);
	}
	free(j->keywords);
	free(j->values);
	free(j->error);
	free(j->settings);
	free(j);
}

static void
connect_job_end(struct connect_job *j, const char *error)
{
	struct connector *c = j->c;

	event_del(&j->ev);
	event_del(&j->timer);
	if (error != NULL) {
		j->error = x_strdup(error);
		connect_error_trim(j->error);
		j->no_password = j->conn != NULL &&
		    PQconnectionNeedsPassword(j->conn) == 1;
		PQfinish(j->conn);
		j->conn = NULL;
	}
	STAILQ_REMOVE(&c->active, j, connect_job, next);
	worker_post(j->w, &j->done);
}

static void connect_job_step(evutil_socket_t fd, short what, void *arg);

static void
connect_job_wait(struct connect_job *j, short what)
{
	event_del(&j->ev);
	event_assign(&j->ev, j->c->base, PQsocket(j->conn), what,
	    connect_job_step, j);
	event_add(&j->ev, NULL);
}

static void
connect_job_polling(struct connect_job *j)
{
	kdf_allow();
	switch (PQconnectPoll(j->conn)) {
	case PGRES_POLLING_READING:
		connect_job_wait(j, EV_READ);
		break;
	case PGRES_POLLING_WRITING:
		connect_job_wait(j, EV_WRITE);
		break;
	case PGRES_POLLING_OK:
		if (PQsendQuery(j->conn, settings_query) != 1) {
			connect_job_end(j, PQerrorMessage(j->conn));
			break;
		}
		j->phase = PHASE_SETTINGS;
		connect_job_wait(j, EV_READ);
		break;
	default:
		connect_job_end(j, kdf_denied() != NULL ? kdf_denied() :
		    PQerrorMessage(j->conn));
		break;
	}
}

/* NULL: more than these settings can be. */
static char *
settings_text(const PGresult *r, uint64_t *instance)
{
	size_t size = 1;
	char *text, *p;
	int i;

	for (i = 0; i < PQntuples(r); i++)
		size += (size_t)PQgetlength(r, i, 0) +
		    (size_t)PQgetlength(r, i, 1) + 2;
	if (size > SETTINGS_TEXT_MAX)
		return NULL;
	p = text = x_malloc(size);
	for (i = 0; i < PQntuples(r); i++) {
		if (PQgetlength(r, i, 0) == 0) {
			*instance = strtoull(PQgetvalue(r, i, 1), NULL, 10);
			continue;
		}
		p = stpcpy(p, PQgetvalue(r, i, 0));
		*p++ = '=';
		p = stpcpy(p, PQgetvalue(r, i, 1));
		*p++ = '\n';
	}
	*p = '\0';
	return text;
}

static void
connect_job_settings(struct connect_job *j)
{
	ExecStatusType st;
	PGresult *r;

	if (PQconsumeInput(j->conn) != 1) {
		connect_job_end(j, PQerrorMessage(j->conn));
		return;
	}
	while (PQisBusy(j->conn) == 0) {
		r = PQgetResult(j->conn);
		if (r == NULL) {
			connect_job_end(j, j->settings != NULL &&
			    PQtransactionStatus(j->conn) == PQTRANS_IDLE ?
			    NULL : "reading pg_settings gave no rows");
			return;
		}
		st = PQresultStatus(r);
		if (st == PGRES_TUPLES_OK && j->settings == NULL &&
		    PQnfields(r) == 2)
			j->settings = settings_text(r, &j->instance);
		PQclear(r);
		/* Of those there would be no end. */
		if (st == PGRES_COPY_IN || st == PGRES_COPY_OUT ||
		    st == PGRES_COPY_BOTH) {
			connect_job_end(j, "reading pg_settings gave COPY");
			return;
		}
	}
	connect_job_wait(j, EV_READ);
}

static void
connect_job_step(evutil_socket_t fd PG_UNUSED, short what PG_UNUSED,
    void *arg)
{
	struct connect_job *j = arg;

	if (j->phase == PHASE_POLLING)
		connect_job_polling(j);
	else
		connect_job_settings(j);
}

static void
connect_job_overdue(evutil_socket_t fd PG_UNUSED, short what PG_UNUSED,
    void *arg)
{
	connect_job_end(arg, "timeout (server_connect_timeout)");
}

static void
connect_notice(void *arg PG_UNUSED, const char *text)
{
	log_debug("connector", "msg=\"notice at login\" text=%s",
	    log_escs(text));
}

static void
connect_job_start(struct connector *c, struct connect_job *j)
{
	struct timeval tv = { (time_t)(j->timeout / NSEC_PER_SEC),
		(suseconds_t)(j->timeout % NSEC_PER_SEC / NSEC_PER_USEC) };

	j->c = c;
	j->phase = PHASE_POLLING;
	STAILQ_INSERT_TAIL(&c->active, j, next);
	event_assign(&j->timer, c->base, -1, 0, connect_job_overdue, j);
	event_assign(&j->ev, c->base, -1, 0, connect_job_step, j);
	event_add(&j->timer, &tv);
	j->conn = PQconnectStartParams((const char *const *)j->keywords,
	    (const char *const *)j->values, 1);
	if (j->conn == NULL || PQstatus(j->conn) == CONNECTION_BAD) {
		connect_job_end(j, j->conn == NULL ? "out of memory" :
		    PQerrorMessage(j->conn));
		return;
	}
	/* For the SQLSTATE in it. */
	(void)PQsetErrorVerbosity(j->conn, PQERRORS_VERBOSE);
	/* libpq would print what the server says, as it is. */
	PQsetNoticeProcessor(j->conn, connect_notice, NULL);
	/* libpq: behave as if PQconnectPoll had returned WRITING. */
	connect_job_wait(j, EV_WRITE);
}

/* ---- connector threads ----------------------------------------------- */

static void
connector_on_wake(evutil_socket_t fd, short what PG_UNUSED, void *arg)
{
	struct connector *c = arg;
	struct job_list todo = STAILQ_HEAD_INITIALIZER(todo);
	struct connect_job *j;
	bool stopping;
	uint64_t n;

	CHECK_MAGIC(c, CONNECTOR_MAGIC);
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	pthread_mutex_lock(&c->lock);
	STAILQ_CONCAT(&todo, &c->inbox);
	stopping = c->stopping;
	pthread_mutex_unlock(&c->lock);
	while ((j = STAILQ_FIRST(&todo)) != NULL) {
		STAILQ_REMOVE_HEAD(&todo, next);
		connect_job_start(c, j);
	}
	if (stopping)
		event_base_loopbreak(c->base);
}

static void *
connector_main(void *arg)
{
	struct connector *c = arg;
	struct connect_job *j;

	event_base_loop(c->base, EVLOOP_NO_EXIT_ON_EMPTY);
	while ((j = STAILQ_FIRST(&c->active)) != NULL)
		connect_job_end(j, "shutting down");
	return NULL;
}

static const char *
connect_job_value(const struct connect_job *j, const char *keyword)
{
	size_t i;

	for (i = 0; j->keywords[i] != NULL; i++)
		if (strcmp(j->keywords[i], keyword) == 0)
			return j->values[i];
	return NULL;
}

/* Addresses and unix sockets all of them?  One that is longer than an address
 * can be is a name. */
static bool
hosts_are_addresses(const char *hosts)
{
	char one[INET6_ADDRSTRLEN];
	struct in6_addr address;
	size_t n;

	for (;; hosts += n + 1) {
		n = strcspn(hosts, ",");
		if (n > 0 && hosts[0] != '/' && hosts[0] != '@') {
			if (n >= sizeof(one))
				return false;
			memcpy(one, hosts, n);
			one[n] = '\0';
			if (inet_pton(AF_INET, one, &address) != 1 &&
			    inet_pton(AF_INET6, one, &address) != 1)
				return false;
		}
		if (hosts[n] == '\0')
			return true;
	}
}

static unsigned
name_thread(const char *hosts)
{
	unsigned i;

	pthread_mutex_lock(&names.lock);
	for (i = 0; i < names.n; i++)
		if (strcmp(names.hosts[i], hosts) == 0)
			break;
	if (i == names.n && names.n < NAMES_MAX)
		names.hosts[names.n++] = x_strdup(hosts);
	pthread_mutex_unlock(&names.lock);
	return i % NAME_THREADS;
}

static struct connector *
connector_choose(const struct connect_job *j)
{
	const char *hosts = connect_job_value(j, "host");
	const char *addresses = connect_job_value(j, "hostaddr");
	unsigned plain = n_connectors - NAME_THREADS;

	if (hosts != NULL && (addresses == NULL || addresses[0] == '\0') &&
	    !hosts_are_addresses(hosts))
		return &connectors[plain + name_thread(hosts)];
	return &connectors[atomic_fetch_add(&next_connector, 1) % plain];
}

static void
connector_poke(struct connector *c)
{
	static const uint64_t one = 1;

	CHECK(write(c->wake_fd, &one, sizeof(one)) == sizeof(one));
}

void
connector_submit(struct connect_job *j)
{
	struct connector *c;

	if (n_connectors == 0) {
		j->error = x_strdup("shutting down");
		worker_post(j->w, &j->done);
		return;
	}
	c = connector_choose(j);
	pthread_mutex_lock(&c->lock);
	STAILQ_INSERT_TAIL(&c->inbox, j, next);
	pthread_mutex_unlock(&c->lock);
	connector_poke(c);
}

/* ---- cancelling ------------------------------------------------------- */

static void *
cancel_main(void *arg PG_UNUSED)
{
	struct cancel_job *j;
	char err[256];

	for (;;) {
		pthread_mutex_lock(&cancels.lock);
		while (STAILQ_EMPTY(&cancels.queue) && !cancels.stopping)
			pthread_cond_wait(&cancels.more, &cancels.lock);
		j = STAILQ_FIRST(&cancels.queue);
		if (j != NULL) {
			STAILQ_REMOVE_HEAD(&cancels.queue, next);
			cancels.length--;
		}
		pthread_mutex_unlock(&cancels.lock);
		if (j == NULL)
			return NULL;
		if (PQcancel(j->cancel, err, sizeof(err)) != 1)
			log_warn("cancel", "msg=\"cancel failed\" error=%s",
			    log_escs(err));
		worker_post(j->w, j->m);
		free(j);
	}
}

void
connector_cancel(PGcancel *cancel, struct worker *w, struct message *m)
{
	struct cancel_job *j = NULL;

	pthread_mutex_lock(&cancels.lock);
	if (cancels.length < CANCEL_QUEUE_MAX && !cancels.stopping) {
		j = x_calloc(1, sizeof(*j));
		j->cancel = cancel;
		j->w = w;
		j->m = m;
		STAILQ_INSERT_TAIL(&cancels.queue, j, next);
		cancels.length++;
		pthread_cond_signal(&cancels.more);
	}
	pthread_mutex_unlock(&cancels.lock);
	if (j == NULL)
		worker_post(w, m);
}

/* ---- start and stop --------------------------------------------------- */

void
connector_start(unsigned threads)
{
	struct connector *c;
	unsigned i;

	STAILQ_INIT(&cancels.queue);
	cancels.stopping = false;
	n_connectors = threads + NAME_THREADS;
	connectors = x_calloc(n_connectors, sizeof(*connectors));
	for (i = 0; i < n_connectors; i++) {
		c = &connectors[i];
		c->magic = CONNECTOR_MAGIC;
		STAILQ_INIT(&c->inbox);
		STAILQ_INIT(&c->active);
		CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
		c->base = event_base_new();
		CHECK(c->base != NULL);
		c->wake_fd = eventfd(0, EFD_CLOEXEC);
		CHECK(c->wake_fd >= 0);
		event_assign(&c->wake_ev, c->base, c->wake_fd,
		    EV_READ | EV_PERSIST, connector_on_wake, c);
		event_add(&c->wake_ev, NULL);
		CHECK(pthread_create(&c->thread, NULL, connector_main, c) ==
		    0);
	}
	for (i = 0; i < CANCEL_THREADS; i++)
		CHECK(pthread_create(&cancels.threads[i], NULL, cancel_main,
		    NULL) == 0);
}

void
connector_stop(void)
{
	struct connector *c;
	unsigned i;

	for (i = 0; i < n_connectors; i++) {
		c = &connectors[i];
		pthread_mutex_lock(&c->lock);
		c->stopping = true;
		pthread_mutex_unlock(&c->lock);
		connector_poke(c);
		CHECK(pthread_join(c->thread, NULL) == 0);
		event_del(&c->wake_ev);
		event_base_free(c->base);
		close(c->wake_fd);
		pthread_mutex_destroy(&c->lock);
		c->magic = 0;
	}
	free(connectors);
	connectors = NULL;
	n_connectors = 0;
	pthread_mutex_lock(&names.lock);
	while (names.n > 0)
		free(names.hosts[--names.n]);
	pthread_mutex_unlock(&names.lock);
	pthread_mutex_lock(&cancels.lock);
	cancels.stopping = true;
	pthread_cond_broadcast(&cancels.more);
	pthread_mutex_unlock(&cancels.lock);
	for (i = 0; i < CANCEL_THREADS; i++)
		CHECK(pthread_join(cancels.threads[i], NULL) == 0);
}
