/* SPDX-License-Identifier: PostgreSQL
 *
 * Bind, listen, accept.  Knows nothing of what is spoken on the connections.
 * Each listener belongs to one worker's loop.
 */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define ACCEPTS_A_TURN 64

struct listener {
	uint32_t magic;
#define LISTENER_MAGIC 0x115e7e20u
	int fd;
	struct worker *w;
	listener_accept_cb accepted;
	struct event ev, retry;
};

static int
listener_open(const struct sockaddr *sa, socklen_t len, bool reuseport,
    char *why, size_t why_size)
{
	int one = 1;
	int fd = socket(sa->sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		snprintf(why, why_size, "socket: %s", strerror(errno));
		return -1;
	}
	if (sa->sa_family != AF_UNIX) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (reuseport)
			setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one,
			    sizeof(one));
	}
	if (sa->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, sa, len) != 0 || listen(fd, 4096) != 0) {
		snprintf(why, why_size, "%s", strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

int
listener_bind_tcp(const struct sockaddr *sa, socklen_t len, bool reuseport,
    char *why, size_t why_size)
{
	return listener_open(sa, len, reuseport, why, why_size);
}

int
listener_bind_unix(const char *path, int mode, char *why, size_t why_size)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	bool refused;
	int fd;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		snprintf(why, why_size, "path is longer than %zu bytes",
		    sizeof(sun.sun_path) - 1);
		return -1;
	}
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0) {
			close(fd);
			snprintf(why, why_size, "another server listens there");
			return -1;
		}
		refused = errno == ECONNREFUSED;
		close(fd);
		/* So says connect() of a plain file too: not ours to take. */
		if (refused && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
			unlink(path);
	}
	fd = listener_open((struct sockaddr *)&sun, sizeof(sun), false, why,
	    why_size);
	if (fd >= 0 && chmod(path, (mode_t)mode) != 0) {
		snprintf(why, why_size, "chmod: %s", strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static void
listener_tune(int fd)
{
	int one = 1;

	/* Fails harmlessly on unix sockets. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

static void
listener_pause(struct listener *l)
{
	static const struct timeval pause = { 0, 100 * 1000 };

	event_del(&l->ev);
	event_add(&l->retry, &pause);
}

static void
listener_on_accept(evutil_socket_t lfd, short what PG_UNUSED, void *arg)
{
	struct listener *l = arg;
	struct sockaddr_storage ss;
	char peer[ADDR_TEXT_MAX];
	socklen_t len;
	int i, fd;

	CHECK_MAGIC(l, LISTENER_MAGIC);
	for (i = 0; i < ACCEPTS_A_TURN; i++) {
		len = sizeof(ss);
		fd = accept4(lfd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOMEM || errno == ENOBUFS) {
				log_warn("listener",
				    "msg=\"accept failed, pausing\" error=%s",
				    log_escs(strerror(errno)));
				listener_pause(l);
			}
			return;
		}
		listener_tune(fd);
		addr_print((struct sockaddr *)&ss, len, peer, sizeof(peer));
		l->accepted(l->w, fd, peer);
	}
}

static void
listener_on_retry(evutil_socket_t fd PG_UNUSED, short what PG_UNUSED,
    void *arg)
{
	struct listener *l = arg;

	CHECK_MAGIC(l, LISTENER_MAGIC);
	event_add(&l->ev, NULL);
}

struct listener *
listener_new(struct worker *w, int fd, listener_accept_cb cb)
{
	struct listener *l = x_calloc(1, sizeof(*l));

	l->magic = LISTENER_MAGIC;
	l->fd = fd;
	l->w = w;
	l->accepted = cb;
	worker_event_set(w, &l->ev, fd, EV_READ | EV_PERSIST,
	    listener_on_accept, l);
	worker_event_set(w, &l->retry, -1, 0, listener_on_retry, l);
	event_add(&l->ev, NULL);
	return l;
}

int
listener_fd(const struct listener *l)
{
	CHECK_MAGIC(l, LISTENER_MAGIC);
	return l->fd;
}

void
listener_free(struct listener **lp)
{
	struct listener *l = *lp;

	*lp = NULL;
	if (l == NULL)
		return;
	CHECK_MAGIC(l, LISTENER_MAGIC);
	event_del(&l->ev);
	event_del(&l->retry);
	close(l->fd);
	l->magic = 0;
	free(l);
}
