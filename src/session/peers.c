/* SPDX-License-Identifier: PostgreSQL
 *
 * Requests on their way to peers, and what became of them, by node.
 *
 * Knows addresses from the configuration, nothing of what a key means to its
 * node.  A call belongs to the worker of the session that brought the request
 * and outlives it; the numbers are atomics that live as long as the process,
 * so a reload loses none.
 */
#include "session/peers.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define CANCEL_CODE 80877102u
#define CANCEL_HEAD 12 /* length, code, pid */
#define MARK 1
#define LOG_PAUSE (60 * NSEC_PER_SEC)

static struct peer {
	_Atomic uint64_t passed, failed, dropped;
	_Atomic uint64_t last;     /* clock_mono() of the last outcome; 0: none */
	_Atomic uint64_t quiet;    /* no line in the log before */
	atomic_int error;          /* errno of it; 0: it went well */
	atomic_uint open;
} peers[CONF_NODE_MAX + 1];
static atomic_uint peers_open;

struct peer_call {
	TAILQ_ENTRY(peer_call) link;
	struct session_worker *sw;
	struct peer *to;
	unsigned node;
	uint64_t request; /* session that brought it */
	nsec_t until;
	int fd;           /* -1: over */
	struct event ev;
	struct deferred reclaim;
	size_t n;
	char bytes[CANCEL_HEAD + CANCEL_SECRET_MAX + 1];
};

uint32_t
peers_key_pid(unsigned node)
{
	uint32_t pid;

	hash_random(&pid, sizeof(pid));
	if (node == 0)
		return pid & 0x7fffffff;
	return (uint32_t)node << PEER_KEY_BITS |
	    (pid & ((1u << PEER_KEY_BITS) - 1));
}

bool
peers_is_marked(size_t key_len)
{
	return key_len == 4 + 1 || key_len == CANCEL_SECRET_MAX + 1;
}

/* ------------------------------------------------------------ one call */

static void
peer_note(struct peer *p, unsigned node, int error)
{
	uint64_t now = clock_mono();

	atomic_fetch_add(error == 0 ? &p->passed : &p->failed, 1);
	atomic_store(&p->error, error);
	atomic_store(&p->last, now);
	if (error == 0 || now < atomic_load(&p->quiet))
		return;
	atomic_store(&p->quiet, now + LOG_PAUSE);
	log_warn("peer", "msg=\"a cancel request could not be passed on\" "
	    "peer=%u why=%s", node, log_escs(strerror(error)));
}

static void
call_reclaim(struct deferred *d)
{
	free((char *)d - offsetof(struct peer_call, reclaim));
}

/* error: 0, or why the peer has not got it. */
static void
call_end(struct peer_call *k, int error)
{
	struct session *s = session_find(k->sw, k->request);

	event_del(&k->ev);
	close(k->fd);
	k->fd = -1;
	TAILQ_REMOVE(&k->sw->peer_calls, k, link);
	atomic_fetch_sub(&k->to->open, 1);
	atomic_fetch_sub(&peers_open, 1);
	peer_note(k->to, k->node, error);
	if (s != NULL)
		session_close(s, CLOSE_CANCEL_SENT, NULL);
	k->reclaim.run = call_reclaim;
	worker_defer(k->sw->w, &k->reclaim);
}

/* Nothing is ever said to a cancel request. */
static void
call_heard(evutil_socket_t fd, short what PG_UNUSED, void *arg)
{
	ssize_t r;
	char c;

	r = recv(fd, &c, 1, 0);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	call_end(arg, r == 0 ? 0 : r > 0 ? EPROTO : errno);
}

static void
call_connected(evutil_socket_t fd, short what PG_UNUSED, void *arg)
{
	struct peer_call *k = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	/* A new socket has room for these few bytes. */
	if (error == 0 && send(fd, k->bytes, k->n, MSG_NOSIGNAL) !=
	    (ssize_t)k->n)
		error = errno != 0 ? errno : EIO;
	if (error != 0) {
		call_end(k, error);
		return;
	}
	event_del(&k->ev);
	worker_event_set(k->sw->w, &k->ev, fd, EV_READ | EV_PERSIST,
	    call_heard, k);
	event_add(&k->ev, NULL);
}

/* A socket that is connected or about to be; -1 with errno. */
static int
peer_connect(const struct conf_peer *to)
{
	int fd = socket(to->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&to->addr, to->addr_len) == 0
	    || errno == EINPROGRESS)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static void
call_write(struct peer_call *k, uint32_t pid, const char *key, size_t n)
{
	uint32_t head[3];

	k->n = CANCEL_HEAD + n + 1;
	head[0] = htonl((uint32_t)k->n);
	head[1] = htonl(CANCEL_CODE);
	head[2] = htonl(pid);
	memcpy(k->bytes, head, sizeof(head));
	memcpy(k->bytes + CANCEL_HEAD, key, n);
	k->bytes[CANCEL_HEAD + n] = MARK;
}

/* Is there room for one more on its way? */
static bool
peer_admit(struct peer *p)
{
	if (atomic_fetch_add(&peers_open, 1) < PEERS_OPEN_MAX) {
		if (atomic_fetch_add(&p->open, 1) < PEER_OPEN_MAX)
			return true;
		atomic_fetch_sub(&p->open, 1);
	}
	atomic_fetch_sub(&peers_open, 1);
	return false;
}

/* ------------------------------------------------------------ for sessions */

bool
peers_take(struct session *s, uint32_t pid, const char *key, size_t n)
{
	unsigned node = pid >> PEER_KEY_BITS;
	const struct conf_peer *to = conf_find_peer(s->conf, node);
	struct peer_call *k;
	struct peer *p;
	int fd;

	if (to == NULL || (n != 4 && n != CANCEL_SECRET_MAX))
		return false;
	p = &peers[node];
	if (!peer_admit(p)) {
		atomic_fetch_add(&p->dropped, 1);
		session_close(s, CLOSE_CANCEL_SENT, NULL);
		return true;
	}
	fd = peer_connect(to);
	if (fd < 0) {
		peer_note(p, node, errno);
		atomic_fetch_sub(&p->open, 1);
		atomic_fetch_sub(&peers_open, 1);
		session_close(s, CLOSE_CANCEL_SENT, NULL);
		return true;
	}
	k = x_calloc(1, sizeof(*k));
	k->sw = s->sw;
	k->to = p;
	k->node = node;
	k->request = s->id;
	k->until = clock_mono() + PEER_TIME;
	k->fd = fd;
	call_write(k, pid, key, n);
	TAILQ_INSERT_TAIL(&s->sw->peer_calls, k, link);
	worker_event_set(s->sw->w, &k->ev, fd, EV_WRITE | EV_PERSIST,
	    call_connected, k);
	event_add(&k->ev, NULL);
	session_enter(s, SESSION_CANCEL_WAIT);
	return true;
}

void
peers_tick(struct session_worker *sw, nsec_t now)
{
	struct peer_call *k;

	while ((k = TAILQ_FIRST(&sw->peer_calls)) != NULL && now > k->until)
		call_end(k, ETIMEDOUT);
}

void
peers_stop(struct session_worker *sw)
{
	struct peer_call *k;

	while ((k = TAILQ_FIRST(&sw->peer_calls)) != NULL)
		call_end(k, ECANCELED);
}

/* ------------------------------------------------------------ for the console */

void
peers_each(const struct conf *c,
    void (*fn)(const struct peers_info *i, void *arg), void *arg)
{
	struct peers_info i;
	const struct peer *p;
	uint64_t last, now;
	int error;
	size_t k;

	for (k = 0; k < c->n_peers; k++) {
		p = &peers[c->peers[k].node];
		last = atomic_load(&p->last);
		error = atomic_load(&p->error);
		now = clock_mono();
		i = (struct peers_info){ .peer = &c->peers[k],
			.self = c->peers[k].node == (unsigned)c->node,
			.state = last == 0 ? PEER_NEW : error == 0 ? PEER_UP :
			    PEER_DOWN,
			.ago = last != 0 && now > last ? now - last : 0,
			.error = error == 0 ? "" : strerror(error),
			.open = atomic_load(&p->open),
			.passed = atomic_load(&p->passed),
			.failed = atomic_load(&p->failed),
			.dropped = atomic_load(&p->dropped) };
		fn(&i, arg);
	}
}
