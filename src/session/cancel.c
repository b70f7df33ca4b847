/* SPDX-License-Identifier: PostgreSQL
 *
 * Cancel keys: our own, unguessable, one per session, process-wide.
 *
 * A CancelRequest may arrive on any worker; it is passed to the session's own
 * worker, which alone knows what runs there.  It reaches a server only while
 * that session's statement is running on it, and before the request is through
 * the server is given to nobody else, nor the session's own next statement.
 * The connection that brought the request is closed when the session's worker
 * has seen it, so that who waits for that may send the next statement.  The
 * table's lock is held for a lookup only.
 *
 * While another process hands its clients over (session_abroad), keys that are
 * not known here may be its own: it is asked, and its answer is waited for in
 * the same way.  So are peers, whose number is in their keys (peers.h).
 */
#include <pthread.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "session/gather.h"
#include "session/peers.h"
#include "session/spread.h"
#include "session/session_priv.h"

struct cancel_key {
	struct htab_node node;
	int32_t pid;
	uint8_t secret[CANCEL_SECRET_MAX], len;
	unsigned worker;
	uint64_t session;
};

static struct {
	pthread_mutex_t lock;
	struct htab keys;
	struct worker *const *workers;
	unsigned n;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
cancel_init(struct worker *const *workers, unsigned n)
{
	htab_init(&table.keys);
	table.workers = workers;
	table.n = n;
}

static struct cancel_key *
cancel_find(uint32_t pid)
{
	struct htab_node *n = htab_find(&table.keys, pid);

	return n != NULL ? htab_entry(n, struct cancel_key, node) : NULL;
}

void
cancel_register(struct session *s, bool wide)
{
	struct cancel_key *k = x_calloc(1, sizeof(*k));
	uint32_t pid;

	k->worker = s->sw->w->id;
	k->session = s->id;
	k->len = wide ? CANCEL_SECRET_MAX : 4;
	hash_random(k->secret, k->len);
	pthread_mutex_lock(&table.lock);
	do {
		pid = peers_key_pid((unsigned)s->conf->node);
	} while (pid == 0 || cancel_find(pid) != NULL);
	k->pid = (int32_t)pid;
	htab_insert(&table.keys, &k->node, pid);
	pthread_mutex_unlock(&table.lock);
	s->cancel_pid = k->pid;
	memcpy(s->cancel_secret, k->secret, k->len);
	s->cancel_len = k->len;
}

void
cancel_adopt(struct session *s, int pid)
{
	struct cancel_key *k;

	/* A server's pid has no room for the node. */
	if (s->conf->node != 0)
		return;
	pthread_mutex_lock(&table.lock);
	if (cancel_find((uint32_t)pid) == NULL) {
		k = cancel_find((uint32_t)s->cancel_pid);
		CHECK(k != NULL && k->session == s->id);
		htab_remove(&table.keys, &k->node);
		k->pid = s->cancel_pid = pid;
		htab_insert(&table.keys, &k->node, (uint32_t)pid);
	}
	pthread_mutex_unlock(&table.lock);
}

void
cancel_forget(struct session *s)
{
	struct cancel_key *k;

	pthread_mutex_lock(&table.lock);
	k = cancel_find((uint32_t)s->cancel_pid);
	CHECK(k != NULL && k->session == s->id);
	htab_remove(&table.keys, &k->node);
	pthread_mutex_unlock(&table.lock);
	free(k);
	s->cancel_pid = 0;
}

bool
cancel_restore(struct session *s, uint32_t pid, struct slice secret)
{
	struct cancel_key *k = x_calloc(1, sizeof(*k));
	bool ok;

	CHECK(secret.n <= CANCEL_SECRET_MAX);
	k->worker = s->sw->w->id;
	k->session = s->id;
	k->pid = (int32_t)pid;
	k->len = (uint8_t)secret.n;
	memcpy(k->secret, secret.p, secret.n);
	pthread_mutex_lock(&table.lock);
	ok = cancel_find(pid) == NULL;
	if (ok)
		htab_insert(&table.keys, &k->node, pid);
	pthread_mutex_unlock(&table.lock);
	if (!ok) {
		free(k);
		return false;
	}
	s->cancel_pid = k->pid;
	memcpy(s->cancel_secret, k->secret, k->len);
	s->cancel_len = k->len;
	return true;
}

struct cancel_message {
	struct message m;
	uint64_t session;    /* to be cancelled */
	struct worker *from; /* NULL: another process */
	uint64_t messenger;  /* session of the request */
};

static void
cancel_told(struct worker *w, struct message *m)
{
	struct session *s = session_find(w->sessions,
	    ((struct cancel_message *)(void *)m)->messenger);

	free(m);
	if (s != NULL)
		session_close(s, CLOSE_CANCEL_SENT, NULL);
}

static void
cancel_run(struct worker *w, struct message *m)
{
	struct cancel_message *cm = (struct cancel_message *)(void *)m;
	struct session *s = session_find(w->sessions, cm->session);

	if (s != NULL)
		session_cancel(s);
	if (cm->from == NULL) {
		session_abroad_ops()->cancelled(cm->messenger);
		free(m);
		return;
	}
	m->run = cancel_told;
	worker_post(cm->from, m);
}

/* The session with this key. 0: there is none. */
static uint64_t
cancel_of(uint32_t pid, const char *key, size_t key_len, unsigned *worker)
{
	struct cancel_key *k;
	uint64_t session = 0;

	pthread_mutex_lock(&table.lock);
	k = cancel_find(pid);
	if (k != NULL && k->len == key_len &&
	    CRYPTO_memcmp(k->secret, key, key_len) == 0) {
		session = k->session;
		*worker = k->worker;
	}
	pthread_mutex_unlock(&table.lock);
	return session;
}

void
cancel_request(struct session *s, uint32_t pid, const char *key,
    size_t key_len)
{
	const struct session_abroad *a = session_abroad_ops();
	struct counters *c = &session_metrics(s)->c;
	bool marked = s->conf->node != 0 && peers_is_marked(key_len);
	struct cancel_message *cm;
	unsigned worker = 0;
	uint64_t session;

	if (marked) {
		stat_add(&c->cancels_came, 1);
		key_len--;
	}
	session = cancel_of(pid, key, key_len, &worker);
	if (session == 0 && !marked && peers_take(s, pid, key, key_len))
		return;
	if (session == 0 && a->cancel != NULL && a->cancel(s->id, pid, key,
	    key_len)) {
		session_enter(s, SESSION_CANCEL_WAIT);
		return;
	}
	if (session == 0) {
		stat_add(&c->cancels_ignored, 1);
		if (marked && pid >> PEER_KEY_BITS != (unsigned)s->conf->node)
			stat_add(&c->cancels_astray, 1);
		session_close(s, CLOSE_CANCEL_SENT, NULL);
		return;
	}
	session_enter(s, SESSION_CANCEL_WAIT);
	cm = x_calloc(1, sizeof(*cm));
	cm->m.run = cancel_run;
	cm->session = session;
	cm->from = s->sw->w;
	cm->messenger = s->id;
	worker_post(table.workers[worker], &cm->m);
}

void
session_cancel_for(uint64_t request, uint32_t pid, const char *key, size_t n)
{
	struct cancel_message *cm;
	unsigned worker = 0;
	uint64_t session = cancel_of(pid, key, n, &worker);

	if (session == 0) {
		session_abroad_ops()->cancelled(request);
		return;
	}
	cm = x_calloc(1, sizeof(*cm));
	cm->m.run = cancel_run;
	cm->session = session;
	cm->messenger = request;
	worker_post(table.workers[worker], &cm->m);
}

void
session_cancel_through(uint64_t request)
{
	unsigned worker = (unsigned)(request & 0xff);
	struct cancel_message *cm;

	if (worker >= table.n)
		return;
	cm = x_calloc(1, sizeof(*cm));
	cm->m.run = cancel_told;
	cm->messenger = request;
	worker_post(table.workers[worker], &cm->m);
}

/* Requests are the only ones that wait so before they have a user. */
static void
cancel_lost(struct worker *w, struct message *m)
{
	struct session_worker *sw = w->sessions;
	struct session *s, *next;

	free(m);
	for (s = TAILQ_FIRST(&sw->sessions); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->state == SESSION_CANCEL_WAIT && s->user == NULL)
			session_close(s, CLOSE_CANCEL_SENT, NULL);
	}
}

void
session_cancels_lost(void)
{
	struct message *m;
	unsigned i;

	for (i = 0; i < table.n; i++) {
		m = x_calloc(1, sizeof(*m));
		m->run = cancel_lost;
		worker_post(table.workers[i], m);
	}
}

void
session_cancel(struct session *s)
{
	struct metrics *m = session_metrics(s);

	switch (s->state) {
	case SESSION_RELAY:
		stat_add(&m->c.cancels, 1);
		server_cancel(s->server);
		return;
	case SESSION_SERVER_WAIT:
		/* Not while a grant is on its way: it must find us. */
		if (!pool_leave(s->waiting, &s->waiter)) {
			stat_add(&m->c.cancels_ignored, 1);
			return;
		}
		s->waiting = NULL;
		break;
	case SESSION_LOOKUP:
	case SESSION_FILL_WAIT:
	case SESSION_LISTEN_WAIT:
	case SESSION_CANCEL_WAIT:
		break;
	case SESSION_GATHER:
		stat_add(&m->c.cancels, 1);
		gather_cancel(s);
		return;
	case SESSION_SPREAD_WAIT:
	case SESSION_SPREAD_COPY:
		stat_add(&m->c.cancels, 1);
		spread_cancel(s);
		return;
	case SESSION_CONSOLE:
		/* Whoever runs it will look, if it takes long. */
		s->cancelled = true;
		stat_add(&m->c.cancels, 1);
		return;
	default:
		stat_add(&m->c.cancels_ignored, 1);
		return;
	}
	stat_add(&m->c.cancels, 1);
	session_waiting_error(s, "57014",
	    "canceling statement due to user request");
}
