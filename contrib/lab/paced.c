/* SPDX-License-Identifier: PostgreSQL
 *
 * Open-loop load: statements of a file at a fixed rate, over many clients.
 *
 *	paced -p PORT -d DATABASE -u USER -f FILE [-c CLIENTS] [-r RATE]
 *	      [-t SECONDS] [-w SECONDS]
 *
 * A line of FILE is a class, a tab and a statement; statements are drawn from
 * it by chance.  Statement i is due at i / RATE seconds, whatever became of
 * those before it, and goes to the client that has been idle longest.  Its time
 * is taken from when it was due, so that the time it waits because all clients
 * are waiting, or because this program was late, is part of it (no coordinated
 * omission).  -r 0: as fast as answers come, from when it was sent.
 *
 * One line comes out for each class and one for all: name=value; times are in
 * microseconds.  Exit status 3 if an answer was an error, or had no row; 1 if it
 * could not be run.
 *
 * One thread, epoll, loopback, trust authentication, simple protocol.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "latency.h"
#include "wire.h"

#define EVENTS 256
#define CLASSES 16
#define STATEMENTS 100000
#define NSEC 1000000000ull

struct class {
	char name[32];
	uint64_t errors, longest;
	struct latency latency;
};

struct statement {
	struct class *class;
	char *message; /* Query, whole */
	size_t len;
};

struct conn {
	int fd;
	const struct statement *asked; /* NULL: idle */
	uint64_t due;
	unsigned rows;
	bool failed;
	char head[5];
	size_t have;   /* of head */
	uint64_t skip; /* of a body */
	struct conn *next; /* idle */
};

static struct {
	int port, clients;
	const char *db, *user, *file;
	double rate, seconds, warm;
} o = { 5432, 200, "app", "app", NULL, 20000, 5, 1 };

static struct class classes[CLASSES];
static unsigned n_classes;
static struct class all = { .name = "all" };
static struct statement *statements;
static size_t n_statements;
static struct conn *idle, **idle_end = &idle;
static bool counting;

static void
die(const char *what)
{
	fprintf(stderr, "paced: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		die("clock");
	return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
}

/* ---- the file ------------------------------------------------------------ */

static struct class *
class_of(const char *name)
{
	unsigned i;

	for (i = 0; i < n_classes; i++)
		if (strcmp(classes[i].name, name) == 0)
			return &classes[i];
	if (n_classes == CLASSES || strlen(name) >= sizeof(classes[0].name)) {
		fprintf(stderr, "paced: too many classes\n");
		exit(1);
	}
	(void)memcpy(classes[n_classes].name, name, strlen(name) + 1);
	return &classes[n_classes++];
}

static void
add_statement(char *line)
{
	struct statement *s = &statements[n_statements++];
	char *sql = strchr(line, '\t');

	if (sql == NULL || n_statements == STATEMENTS) {
		fprintf(stderr, "paced: a line without tab, or too many\n");
		exit(1);
	}
	*sql++ = '\0';
	sql[strcspn(sql, "\n")] = '\0';
	s->class = class_of(line);
	s->len = strlen(sql) + 6;
	s->message = malloc(s->len);
	if (s->message == NULL)
		die("memory");
	s->message[0] = 'Q';
	(void)wire_put_string(wire_put32(s->message + 1,
	    (uint32_t)(s->len - 1)), sql);
}

static void
read_file(void)
{
	FILE *f = fopen(o.file, "r");
	char *line = NULL;
	size_t size = 0;

	statements = calloc(STATEMENTS, sizeof(*statements));
	if (f == NULL || statements == NULL)
		die(o.file);
	while (getline(&line, &size, f) > 0)
		add_statement(line);
	free(line);
	(void)fclose(f);
	if (n_statements == 0) {
		fprintf(stderr, "paced: %s is empty\n", o.file);
		exit(1);
	}
}

static const struct statement *
next_statement(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return &statements[x % n_statements];
}

/* ---- clients -------------------------------------------------------------- */

/* Blocking: up to ReadyForQuery. */
static void
await_ready(int fd)
{
	char head[5], body[4096];
	uint32_t n;

	do {
		if (recv(fd, head, sizeof(head), MSG_WAITALL) != sizeof(head))
			die("login");
		n = wire_get32(head + 1) - 4;
		if (head[0] == 'E' || n > sizeof(body)) {
			fprintf(stderr, "paced: the server refuses\n");
			exit(1);
		}
		if (n > 0 && recv(fd, body, n, MSG_WAITALL) != (ssize_t)n)
			die("login");
	} while (head[0] != 'Z');
}

static int
dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)o.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char out[512], *p = wire_put32(out + 4, WIRE_VERSION);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	p = wire_put_string(wire_put_string(p, "user"), o.user);
	p = wire_put_string(wire_put_string(p, "database"), o.db);
	*p++ = '\0';
	(void)wire_put32(out, (uint32_t)(p - out));
	if (write(fd, out, (size_t)(p - out)) != p - out)
		die("write");
	await_ready(fd);
	return fd;
}

static void
put_idle(struct conn *c)
{
	c->asked = NULL;
	c->next = NULL;
	*idle_end = c;
	idle_end = &c->next;
}

static struct conn *
take_idle(void)
{
	struct conn *c = idle;

	idle = c->next;
	if (idle == NULL)
		idle_end = &idle;
	return c;
}

static void
fire(struct conn *c, uint64_t due)
{
	c->asked = next_statement();
	c->due = due;
	c->rows = 0;
	c->failed = false;
	if (write(c->fd, c->asked->message, c->asked->len) !=
	    (ssize_t)c->asked->len)
		die("write");
}

static void
count(struct class *k, uint64_t took, bool bad)
{
	latency_add(&k->latency, took);
	k->errors += bad;
	if (took > k->longest)
		k->longest = took;
}

static void
answered(struct conn *c)
{
	uint64_t took = now_ns() - c->due;
	bool bad = c->failed || c->rows == 0;

	if (counting) {
		count(c->asked->class, took, bad);
		count(&all, took, bad);
	}
	put_idle(c);
}

/* A message has been read to its end. */
static void
ended(struct conn *c)
{
	c->have = 0;
	if (c->head[0] == 'Z')
		answered(c);
}

static void
take(struct conn *c, const char *p, size_t n)
{
	size_t part;

	while (n > 0) {
		if (c->skip > 0) {
			part = c->skip < n ? (size_t)c->skip : n;
			c->skip -= part;
			if (c->skip == 0)
				ended(c);
		} else {
			part = 5 - c->have < n ? 5 - c->have : n;
			memcpy(c->head + c->have, p, part);
			c->have += part;
			if (c->have == 5) {
				c->rows += c->head[0] == 'D';
				c->failed |= c->head[0] == 'E';
				c->skip = wire_get32(c->head + 1) - 4;
				if (c->skip == 0)
					ended(c);
			}
		}
		p += part;
		n -= part;
	}
}

static void
read_from(struct conn *c)
{
	static char in[65536];
	ssize_t r = recv(c->fd, in, sizeof(in), MSG_DONTWAIT);

	if (r < 0 && errno == EAGAIN)
		return;
	if (r <= 0)
		die("connection lost");
	take(c, in, (size_t)r);
}

/* ---- running --------------------------------------------------------------- */

static void
await_events(int ep, uint64_t until)
{
	uint64_t now = now_ns(), wait = until > now ? until - now : 0;
	struct timespec t = { (time_t)(wait / NSEC), (long)(wait % NSEC) };
	struct epoll_event evs[EVENTS];
	int i, n = epoll_pwait2(ep, evs, EVENTS, &t, NULL);

	for (i = 0; i < n; i++)
		read_from(evs[i].data.ptr);
}

/* Fire what is due; when the next one is. */
static uint64_t
fire_due(uint64_t start, uint64_t end, uint64_t *fired)
{
	uint64_t now = now_ns(), due = now;

	while (idle != NULL) {
		if (o.rate > 0)
			due = start + (uint64_t)((double)*fired * (double)NSEC /
			    o.rate);
		if (due > now || due >= end)
			return due;
		fire(take_idle(), due);
		++*fired;
	}
	return end;
}

static void
drive(int ep, double seconds)
{
	uint64_t start = now_ns(), fired = 0, next;
	uint64_t end = start + (uint64_t)(seconds * (double)NSEC);

	while (now_ns() < end) {
		next = fire_due(start, end, &fired);
		await_events(ep, next < end ? next : end);
	}
	/* What was due and never sent is late, too. */
	while (o.rate > 0 && (double)fired < o.rate * seconds - 1) {
		(void)fire_due(start, end, &fired);
		await_events(ep, now_ns() + NSEC / 100);
	}
}

static void
drain(int ep, const struct conn *cs)
{
	int i;

	for (i = 0; i < o.clients; i++)
		while (cs[i].asked != NULL)
			await_events(ep, now_ns() + NSEC / 100);
}

static void
report(const struct class *k, double seconds)
{
	printf("class=%s queries=%llu errors=%llu tps=%.0f p50=%.1f p95=%.1f "
	    "p99=%.1f p999=%.1f longest=%.1f\n", k->name,
	    (unsigned long long)k->latency.n, (unsigned long long)k->errors,
	    (double)k->latency.n / seconds, latency_us(&k->latency, 0.50),
	    latency_us(&k->latency, 0.95), latency_us(&k->latency, 0.99),
	    latency_us(&k->latency, 0.999), (double)k->longest / 1000);
}

static bool
options(int argc, char **argv)
{
	int ch;

	while ((ch = getopt(argc, argv, "p:d:u:f:c:r:t:w:")) != -1) {
		switch (ch) {
		case 'p':
			o.port = atoi(optarg);
			break;
		case 'd':
			o.db = optarg;
			break;
		case 'u':
			o.user = optarg;
			break;
		case 'f':
			o.file = optarg;
			break;
		case 'c':
			o.clients = atoi(optarg);
			break;
		case 'r':
			o.rate = atof(optarg);
			break;
		case 't':
			o.seconds = atof(optarg);
			break;
		case 'w':
			o.warm = atof(optarg);
			break;
		default:
			return false;
		}
	}
	return optind == argc && o.clients > 0 && o.file != NULL &&
	    strlen(o.db) + strlen(o.user) < 400 && o.seconds > 0;
}

int
main(int argc, char **argv)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct conn *cs;
	uint64_t began;
	double took;
	unsigned k;
	int i, ep = epoll_create1(0);

	if (!options(argc, argv)) {
		fprintf(stderr, "usage: paced -p PORT -d DATABASE -u USER "
		    "-f FILE [-c CLIENTS] [-r RATE] [-t SECONDS] "
		    "[-w SECONDS]\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_TIMERSLACK, 1000ul);
	read_file();
	cs = calloc((size_t)o.clients, sizeof(*cs));
	if (cs == NULL || ep < 0)
		die("start");
	for (i = 0; i < o.clients; i++) {
		cs[i].fd = dial();
		ev.data.ptr = &cs[i];
		if (epoll_ctl(ep, EPOLL_CTL_ADD, cs[i].fd, &ev) != 0)
			die("epoll");
		put_idle(&cs[i]);
	}
	drive(ep, o.warm);
	drain(ep, cs);
	counting = true;
	began = now_ns();
	drive(ep, o.seconds);
	drain(ep, cs);
	took = (double)(now_ns() - began) / (double)NSEC;
	for (k = 0; k < n_classes; k++)
		report(&classes[k], took);
	report(&all, took);
	return all.errors > 0 ? 3 : 0;
}
