/* SPDX-License-Identifier: PostgreSQL
 *
 * The limit for queries that a proxy passes on: bytes go from one socket to
 * the other unread, one server connection for each client.
 *
 *	relay PORT SERVER-PORT
 *
 * One read and one write each way, epoll, one thread, loopback only.  A proxy
 * with a pool does more (it must know where a query ends), but has fewer
 * servers to wake; so this is a mark to measure by, not a proof of what can be
 * had.  The server is connected to with a blocking call when a client comes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256

/* Client and server side of one client, next to each other. */
struct side {
	int fd; /* -1: closed */
	struct side *peer;
	struct side *first; /* what to free */
};

static int ep;

static struct sockaddr_in
relay_address(const char *port)
{
	return (struct sockaddr_in) { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void
relay_watch(int fd, struct side *s)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
	int on = 1;

	if (s != NULL)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
		    sizeof(on));
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) != 0)
		abort();
}

static void
relay_accept(int listener, const struct sockaddr_in *server)
{
	struct side *s;
	int fd, to;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		to = socket(AF_INET, SOCK_STREAM, 0);
		if (to < 0 || connect(to, (const struct sockaddr *)server,
		    sizeof(*server)) != 0) {
			perror("relay: server");
			close(fd);
			if (to >= 0)
				close(to);
			continue;
		}
		s = calloc(2, sizeof(*s));
		if (s == NULL)
			abort();
		s[0] = (struct side) { fd, &s[1], s };
		s[1] = (struct side) { to, &s[0], s };
		relay_watch(fd, &s[0]);
		relay_watch(to, &s[1]);
	}
}

/* A receiver that is full is waited for. */
static bool
relay_write(int fd, const char *p, size_t n)
{
	struct pollfd full = { .fd = fd, .events = POLLOUT };
	ssize_t r;

	while (n > 0) {
		r = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (r < 0 && errno != EAGAIN)
			return false;
		if (r < 0) {
			(void)poll(&full, 1, -1);
			continue;
		}
		p += r;
		n -= (size_t)r;
	}
	return true;
}

/* false: both ends are closed now. */
static bool
relay_move(struct side *s)
{
	static char bytes[65536];
	ssize_t r = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (r < 0 && errno == EAGAIN)
		return true;
	if (r > 0 && relay_write(s->peer->fd, bytes, (size_t)r))
		return true;
	close(s->fd);
	close(s->peer->fd);
	s->fd = s->peer->fd = -1;
	return false;
}

static void
relay_turn(int listener, const struct sockaddr_in *server)
{
	struct epoll_event evs[EVENTS];
	struct side *gone[EVENTS], *s;
	int i, n = epoll_wait(ep, evs, EVENTS, -1), n_gone = 0;

	for (i = 0; i < n; i++) {
		s = evs[i].data.ptr;
		if (s == NULL)
			relay_accept(listener, server);
		else if (s->fd >= 0 && !relay_move(s))
			gone[n_gone++] = s->first;
	}
	/* Only now: both sides may have had an event. */
	while (n_gone > 0)
		free(gone[--n_gone]);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at, server;
	int listener, on = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: relay PORT SERVER-PORT\n");
		return 2;
	}
	at = relay_address(argv[1]);
	server = relay_address(argv[2]);
	(void)signal(SIGPIPE, SIG_IGN);
	ep = epoll_create1(0);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(listener, 4096) != 0) {
		perror("relay");
		return 1;
	}
	relay_watch(listener, NULL);
	for (;;)
		relay_turn(listener, &server);
}
