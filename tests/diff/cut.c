/* SPDX-License-Identifier: PostgreSQL
 *
 * A relay that passes bytes on in pieces: every byte alone, or pieces of random
 * sizes.  What is behind it must not care how its messages are cut.
 *
 * usage: cut LISTEN_PORT TARGET_PORT one|random [seed]
 *
 * Loopback only.  Two threads a connection, one for each direction.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
	int fd[2];
	int users;
	pthread_mutex_t lock;
};

struct way {
	struct pair *pair;
	int from; /* index of the side read */
	unsigned seed;
};

static int one_byte;

static void
die(const char *what)
{
	fprintf(stderr, "cut: %s: %s\n", what, strerror(errno));
	exit(1);
}

static size_t
piece(struct way *w, size_t left)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 6, 9, 16, 64, 256, 1400,
		8192 };
	size_t n;

	if (one_byte)
		return 1;
	n = sizes[(size_t)rand_r(&w->seed) % (sizeof(sizes) /
	    sizeof(sizes[0]))];
	return n < left ? n : left;
}

/* Until the end of what comes. Who can no longer be told does not end the
 * other direction: the last words of that side are still on their way. */
static void
pass(struct way *w)
{
	int in = w->pair->fd[w->from], out = w->pair->fd[!w->from];
	char buf[16384];
	ssize_t got;
	size_t at, n;
	int dead = 0;

	while ((got = recv(in, buf, sizeof(buf), 0)) > 0)
		for (at = 0; at < (size_t)got && !dead; at += n) {
			n = piece(w, (size_t)got - at);
			dead = send(out, buf + at, n, MSG_NOSIGNAL) !=
			    (ssize_t)n;
		}
	shutdown(out, SHUT_WR);
}

static void *
way_run(void *arg)
{
	struct way *w = arg;
	struct pair *p = w->pair;
	int last;

	pass(w);
	pthread_mutex_lock(&p->lock);
	last = --p->users == 0;
	pthread_mutex_unlock(&p->lock);
	if (last) {
		close(p->fd[0]);
		close(p->fd[1]);
		pthread_mutex_destroy(&p->lock);
		free(p);
	}
	free(w);
	return NULL;
}

static struct sockaddr_in
loopback(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static void
pair_start(int client, const char *target, unsigned seed)
{
	struct sockaddr_in a = loopback(target);
	struct pair *p = calloc(1, sizeof(*p));
	int i, one = 1;

	if (p == NULL)
		die("calloc");
	p->fd[0] = client;
	p->fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	p->users = 2;
	if (p->fd[1] < 0 || connect(p->fd[1], (struct sockaddr *)&a,
	    sizeof(a)) != 0) {
		close(p->fd[0]);
		if (p->fd[1] >= 0)
			close(p->fd[1]);
		free(p);
		return;
	}
	pthread_mutex_init(&p->lock, NULL);
	for (i = 0; i < 2; i++)
		setsockopt(p->fd[i], IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
	for (i = 0; i < 2; i++) {
		struct way *w = calloc(1, sizeof(*w));
		pthread_t t;

		if (w == NULL)
			die("calloc");
		*w = (struct way){ p, i, seed * 2 + (unsigned)i + 1 };
		if (pthread_create(&t, NULL, way_run, w) != 0)
			die("pthread_create");
		pthread_detach(t);
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in a;
	unsigned seed;
	int fd, client, one = 1;

	if (argc < 4 || (strcmp(argv[3], "one") != 0 &&
	    strcmp(argv[3], "random") != 0)) {
		fprintf(stderr, "usage: cut LISTEN_PORT TARGET_PORT "
		    "one|random [seed]\n");
		return 2;
	}
	one_byte = strcmp(argv[3], "one") == 0;
	seed = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 1;
	signal(SIGPIPE, SIG_IGN);
	a = loopback(argv[1]);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(fd, 128) != 0)
		die("listen");
	while ((client = accept(fd, NULL, NULL)) >= 0)
		pair_start(client, argv[2], seed++);
	die("accept");
}
