/* SPDX-License-Identifier: PostgreSQL
 *
 * Following: what the process before hands over.
 *
 * Begins on the main thread, before anything else is read.  Once this process
 * serves a thread of its own reads what comes, and gives clients to workers in
 * turn; it ends with the process before.  line.lock guards the channel's
 * sending side, which workers use for cancels and never wait for.
 */
#include "admin/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/accord.h"
#include "admin/takeover_priv.h"
#include "base/log.h"
#include "cache/warm.h"

#define GIVE_TIME 10 /* seconds that a message may take at the start */
#define CANCEL_KEY_MAX 32

static struct {
	pthread_mutex_t lock;
	int sock;            /* -1: nobody came before */
	bool begun;          /* the thread is to be joined */
	pthread_t thread;
	struct worker *const *workers;
	unsigned n_workers, next;
	atomic_bool open;    /* the process before is there */
	atomic_int pid;
	bool agreed;         /* the process before goes by accord, too */
	struct accord accord;
	_Atomic uint64_t stayed[STAY_REASON_COUNT];
} line = { .lock = PTHREAD_MUTEX_INITIALIZER, .sock = -1 };

/* ------------------------------------------------------------ beginning */

static bool
succession_hello(const struct channel_message *m, char *why, size_t why_size)
{
	uint32_t version, pid;
	struct msgread r;

	msgread_init(&r, buf_head(&m->body), buf_len(&m->body));
	version = msgread_u32(&r);
	pid = msgread_u32(&r);
	if (version != TAKEOVER_VERSION) {
		snprintf(why, why_size, "the process before hands over by "
		    "version %u, this program takes version %u; restart it "
		    "instead", version, TAKEOVER_VERSION);
		return false;
	}
	if (!msgread_done(&r) || m->fd < 0) {
		snprintf(why, why_size, "the process before is not "
		    "understood");
		return false;
	}
	atomic_store(&line.pid, (int)pid);
	return true;
}

static bool
succession_door(struct channel_message *m, struct given_doors *doors)
{
	struct msgread r;
	uint32_t kind;
	int fd = m->fd;

	msgread_init(&r, buf_head(&m->body), buf_len(&m->body));
	kind = msgread_u32(&r);
	if (!msgread_done(&r) || fd < 0 || kind >= DOOR_KINDS)
		return false;
	m->fd = -1;
	return given_doors_add(doors, fd, (enum door_kind)kind);
}

/* 1: go on; 0: that was all; -1: failed. */
static int
succession_take(struct channel_message *m, struct given_doors *doors,
    int *memory, char *why, size_t why_size)
{
	if (*memory < 0) {
		if (m->type != TAKEOVER_HELLO) {
			snprintf(why, why_size, "--successor is for processes "
			    "that are started by a takeover");
			return -1;
		}
		if (!succession_hello(m, why, why_size))
			return -1;
		*memory = m->fd;
		m->fd = -1;
		return 1;
	}
	if (m->type == TAKEOVER_GO)
		return 0;
	if (m->type == TAKEOVER_DOOR && succession_door(m, doors))
		return 1;
	snprintf(why, why_size, "a socket of the process before cannot be "
	    "taken over");
	return -1;
}

bool
succession_begin(int sock, struct given_doors *doors, int *memory, char *why,
    size_t why_size)
{
	const struct timeval limit = { GIVE_TIME, 0 };
	struct channel_message m;
	int r = 1;

	*memory = -1;
	if (fcntl(sock, F_SETFD, FD_CLOEXEC) != 0 || setsockopt(sock,
	    SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0) {
		snprintf(why, why_size, "--successor %d: %s; it is for "
		    "processes that are started by a takeover", sock,
		    strerror(errno));
		return false;
	}
	line.sock = sock;
	while (r == 1) {
		if (channel_recv(sock, &m) != CHANNEL_GOT) {
			snprintf(why, why_size, "the process before has not "
			    "handed its sockets over");
			return false;
		}
		r = succession_take(&m, doors, memory, why, why_size);
		channel_message_fini(&m);
	}
	return r == 0;
}

/* Until the answer: results. */
static enum channel_verdict
succession_hear(const struct conf *c, struct channel_message *m)
{
	enum channel_verdict v;
	bool good = true;

	warm_begin(takeover_results_max(c), clock_mono());
	while ((v = channel_recv(line.sock, m)) == CHANNEL_GOT &&
	    m->type == TAKEOVER_RESULTS) {
		good = good && warm_add(buf_head(&m->body),
		    buf_len(&m->body));
		channel_message_fini(m);
	}
	if (warm_count() == 0)
		warm_drop();
	return v;
}

/* The answer. */
static bool
succession_agreed(const struct channel_message *m)
{
	struct msgread r;
	uint8_t agreed;

	msgread_init(&r, buf_head(&m->body), buf_len(&m->body));
	agreed = msgread_u8(&r);
	if (m->type != TAKEOVER_AGREED || !msgread_done(&r) || agreed > 1)
		return false;
	line.agreed = agreed == 1;
	return true;
}

bool
succession_agree(struct conf *c, char *why, size_t why_size)
{
	struct channel_message m;
	enum channel_verdict v;
	char out[ACCORD_SIZE];
	bool ok;

	if (line.sock < 0)
		return true;
	if (!accord_of(c, &line.accord)) {
		snprintf(why, why_size, "what this process goes by cannot be "
		    "told: is there no /proc, or has %s changed?", c->path);
		return false;
	}
	accord_write(&line.accord, out);
	/* If it is gone there is nobody to wait for. */
	if (!channel_send(line.sock, TAKEOVER_OURS, out, sizeof(out), -1,
	    true))
		return true;
	v = succession_hear(c, &m);
	if (v == CHANNEL_END)
		return true;
	ok = v == CHANNEL_GOT && succession_agreed(&m);
	if (v == CHANNEL_GOT)
		channel_message_fini(&m);
	if (!ok)
		snprintf(why, why_size, "the process before does not say what "
		    "becomes of its cache");
	return ok;
}

void
succession_fail(const char *why)
{
	if (line.sock >= 0)
		(void)!channel_send(line.sock, TAKEOVER_FAILED, why,
		    strlen(why), -1, false);
}

/* ------------------------------------------------------------ serving */

static void
succession_session(struct channel_message *m)
{
	struct worker *w = line.workers[line.next++ % line.n_workers];
	int fd = m->fd;

	m->fd = -1;
	if (fd < 0 || !session_adopt(w, fd, &m->body))
		log_error("takeover", "msg=\"a client of the process before "
		    "is not understood\"");
}

static void
succession_through(const struct channel_message *m)
{
	struct msgread r;
	uint64_t request;

	msgread_init(&r, buf_head(&m->body), buf_len(&m->body));
	request = takeover_get64(&r);
	if (msgread_done(&r))
		session_cancel_through(request);
}

static void
succession_stayed(const struct channel_message *m)
{
	struct msgread r;
	unsigned i;

	msgread_init(&r, buf_head(&m->body), buf_len(&m->body));
	for (i = 0; i < STAY_REASON_COUNT; i++)
		atomic_store(&line.stayed[i], msgread_u32(&r));
}

static void *
succession_thread(void *arg PG_UNUSED)
{
	struct channel_message m;
	struct session_moves n;

	while (channel_recv(line.sock, &m) == CHANNEL_GOT) {
		if (m.type == TAKEOVER_SESSION)
			succession_session(&m);
		else if (m.type == TAKEOVER_CANCEL)
			succession_through(&m);
		else if (m.type == TAKEOVER_END)
			succession_stayed(&m);
		channel_message_fini(&m);
	}
	pthread_mutex_lock(&line.lock);
	atomic_store(&line.open, false);
	pthread_mutex_unlock(&line.lock);
	session_cancels_lost();
	n = session_moves();
	log_info("takeover", "msg=\"the process before has ended\" pid=%d "
	    "clients=%llu refused=%llu", atomic_load(&line.pid),
	    (unsigned long long)n.came, (unsigned long long)n.refused);
	return NULL;
}

void
succession_serve(struct control *c)
{
	const struct timeval forever = { 0, 0 };

	if (line.sock < 0)
		return;
	line.workers = c->workers;
	line.n_workers = c->n_workers;
	if (setsockopt(line.sock, SOL_SOCKET, SO_RCVTIMEO, &forever,
	    sizeof(forever)) != 0 || !channel_send(line.sock, TAKEOVER_READY,
	    NULL, 0, -1, true)) {
		log_warn("takeover", "msg=\"the process before is gone\"");
		return;
	}
	log_info("takeover", "msg=\"this process has taken over\" before=%d",
	    atomic_load(&line.pid));
	atomic_store(&line.open, true);
	line.begun = true;
	CHECK(pthread_create(&line.thread, NULL, succession_thread, NULL) ==
	    0);
}

bool
succession_is_open(void)
{
	return atomic_load(&line.open);
}

const char *
succession_forbids(struct conf *c)
{
	struct accord fresh;

	return succession_is_open() && line.agreed && !(accord_of(c, &fresh) &&
	    accord_eq(&line.accord, &fresh)) ? "the process before, which "
	    "goes by the settings of now, has not ended: SHOW TAKEOVER" : NULL;
}

bool
succession_cancel(uint64_t request, uint32_t pid, const char *key, size_t n)
{
	char out[12 + CANCEL_KEY_MAX];
	bool ok;

	if (n > CANCEL_KEY_MAX)
		return false;
	takeover_put(out, (uint32_t)(request >> 32));
	takeover_put(out + 4, (uint32_t)request);
	takeover_put(out + 8, pid);
	memcpy(out + 12, key, n);
	pthread_mutex_lock(&line.lock);
	ok = atomic_load(&line.open) && channel_send(line.sock,
	    TAKEOVER_CANCEL, out, 12 + n, -1, false);
	pthread_mutex_unlock(&line.lock);
	return ok;
}

void
succession_end(void)
{
	if (line.sock < 0)
		return;
	shutdown(line.sock, SHUT_RDWR);
	if (line.begun)
		CHECK(pthread_join(line.thread, NULL) == 0);
	line.begun = false;
	close(line.sock);
	line.sock = -1;
}

void
succession_info(struct succession_info *i)
{
	struct session_moves n = session_moves();
	unsigned k;

	*i = (struct succession_info){ .pid = atomic_load(&line.pid),
		.open = atomic_load(&line.open), .came = n.came,
		.refused = n.refused, .results = warm_count() };
	for (k = 0; k < STAY_REASON_COUNT; k++)
		i->stayed[k] = atomic_load(&line.stayed[k]);
}
