/* SPDX-License-Identifier: PostgreSQL
 *
 * Load generator: one SELECT by key over and over, for less than half of what
 * pgbench spends on a query.
 *
 *	load -p PORT [-c CLIENTS] [-M simple|extended|prepared] [-t SECONDS]
 *	     [-w SECONDS] [-k KEYS] [-P PID]
 *	load -p PORT -S ...	every key once, in turn, then the end
 *	load -p PORT -I ...	log in, print "idle", hold until stdin ends
 *
 * Each client has one query under way.  Keys are drawn evenly from 1..KEYS.
 * The first -w seconds are not counted.  With -P the CPU time that process
 * uses in the counted time (user and system, all its threads) is taken by its
 * clock.  One line comes out, name=value: queries, errors, tps, p50 and p99 in
 * microseconds, target_us and own_us: CPU microseconds for each query.  Exit
 * status 3 if a reply was an error or not one row, 1 if it could not be run.
 *
 * One thread, epoll, loopback, trust authentication.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "latency.h"
#include "wire.h"

#define SQL "SELECT abalance FROM pgbench_accounts WHERE aid = "
#define NAME "P_0"
#define EVENTS 256
#define NSEC 1000000000ull

enum mode { SIMPLE, EXTENDED, PREPARED };

struct conn {
	int fd;
	uint64_t sent;
	unsigned rows;
	size_t have;
	char in[4096];
};

static struct {
	int port, clients;
	unsigned keys;
	double seconds, warm;
	enum mode mode;
	pid_t pid;
	bool sweep, idle;
} o = { 5432, 8, 100000, 5, 0.3, SIMPLE, 0, false, false };

static struct {
	uint64_t queries, errors;
	unsigned next_key; /* of a sweep */
	bool counting;
	struct latency latency;
} run;

static void
die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t) != 0)
		die("clock");
	return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
}

/* CPU time of the process measured; 0 if there is none. */
static uint64_t
target_ns(void)
{
	clockid_t id;

	if (o.pid == 0)
		return 0;
	if (clock_getcpuclockid(o.pid, &id) != 0)
		die("no such process");
	return clock_ns(id);
}

/* ---- messages ------------------------------------------------------------ */

static unsigned
next_key(void)
{
	static uint64_t x = 88172645463325252ull;

	if (o.sweep)
		return ++run.next_key;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return 1 + (unsigned)(x % o.keys);
}

/* The length of the message whose type is at p and that ends before end. */
static char *
message_end(char *p, char *end)
{
	(void)wire_put32(p + 1, (uint32_t)(end - p - 1));
	return end;
}

static char *
put_parse(char *p, const char *name)
{
	char *q = wire_put_string(p + 5, name);

	p[0] = 'P';
	q = wire_put_string(q, SQL "$1;");
	return message_end(p, wire_put16(q, 0));
}

static char *
put_query(char *p, unsigned key)
{
	p[0] = 'Q';
	return message_end(p, p + 6 + sprintf(p + 5, SQL "%u;", key));
}

/* As libpq does for PQsendQueryParams and PQsendQueryPrepared. */
static char *
put_execute(char *p, const char *name, unsigned key)
{
	static const char rest[] = "D\0\0\0\x06P\0" "E\0\0\0\x09\0\0\0\0\0"
	    "S\0\0\0\x04";
	char text[16], *q = wire_put_string(p + 5, "");
	int n = sprintf(text, "%u", key);

	p[0] = 'B';
	q = wire_put16(wire_put_string(q, name), 0);
	q = wire_put32(wire_put16(q, 1), (uint32_t)n);
	q = wire_put16(wire_put16(wire_put(q, text, (size_t)n), 1), 0);
	return wire_put(message_end(p, q), rest, sizeof(rest) - 1);
}

static void
fire(struct conn *c)
{
	char out[512], *p = out;

	if (o.mode == SIMPLE)
		p = put_query(p, next_key());
	else if (o.mode == EXTENDED)
		p = put_execute(put_parse(p, ""), "", next_key());
	else
		p = put_execute(p, NAME, next_key());
	c->rows = 0;
	c->sent = clock_ns(CLOCK_MONOTONIC);
	if (write(c->fd, out, (size_t)(p - out)) != p - out)
		die("write");
}

/* ---- logging in ------------------------------------------------------------ */

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
			fprintf(stderr, "load: the server refuses\n");
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
	static const char who[] = "user\0bench\0database\0bench\0";
	char out[256], *p;
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	p = wire_put32(out, 8 + sizeof(who));
	p = wire_put(wire_put32(p, WIRE_VERSION), who, sizeof(who));
	if (write(fd, out, (size_t)(p - out)) != p - out)
		die("write");
	await_ready(fd);
	if (o.mode == PREPARED && !o.idle) {
		p = wire_put(put_parse(out, NAME), "S\0\0\0\x04", 5);
		if (write(fd, out, (size_t)(p - out)) != p - out)
			die("write");
		await_ready(fd);
	}
	return fd;
}

/* ---- running ----------------------------------------------------------------- */

static void
answered(struct conn *c)
{
	if (run.counting) {
		run.queries++;
		latency_add(&run.latency,
		    clock_ns(CLOCK_MONOTONIC) - c->sent);
	}
	if (c->rows != 1)
		run.errors++;
}

/* Take the messages that have come; true: the query is answered. */
static bool
take(struct conn *c)
{
	size_t pos = 0, size;
	bool ready = false;

	while (c->have - pos >= 5) {
		size = 1 + (size_t)wire_get32(c->in + pos + 1);
		if (size > c->have - pos)
			break;
		if (c->in[pos] == 'E')
			run.errors++;
		c->rows += c->in[pos] == 'D';
		ready |= c->in[pos] == 'Z';
		pos += size;
	}
	c->have -= pos;
	if (c->have > 0)
		memmove(c->in, c->in + pos, c->have);
	return ready;
}

/* Serve events until the time has come, or the sweep is through. */
static void
drive(int ep, uint64_t until)
{
	struct epoll_event evs[EVENTS];
	struct conn *c;
	ssize_t r;
	int i, n;

	do {
		n = epoll_wait(ep, evs, EVENTS, 100);
		for (i = 0; i < n; i++) {
			c = evs[i].data.ptr;
			r = recv(c->fd, c->in + c->have,
			    sizeof(c->in) - c->have, MSG_DONTWAIT);
			if (r < 0 && errno == EAGAIN)
				continue;
			if (r <= 0)
				die("connection lost");
			c->have += (size_t)r;
			if (!take(c))
				continue;
			answered(c);
			if (o.sweep && run.next_key >= o.keys)
				return;
			fire(c);
		}
	} while (clock_ns(CLOCK_MONOTONIC) < until);
}

static void
report(uint64_t wall, uint64_t target, uint64_t own)
{
	double n = run.queries > 0 ? (double)run.queries : 1;

	printf("queries=%llu errors=%llu tps=%.0f p50=%.1f p99=%.1f "
	    "target_us=%.3f own_us=%.3f\n", (unsigned long long)run.queries,
	    (unsigned long long)run.errors,
	    (double)run.queries * (double)NSEC / (double)wall,
	    latency_us(&run.latency, 0.50), latency_us(&run.latency, 0.99),
	    (double)target / n / 1000, (double)own / n / 1000);
}

static void
measure(int ep)
{
	uint64_t target, own, start = clock_ns(CLOCK_MONOTONIC);

	drive(ep, start + (uint64_t)(o.warm * (double)NSEC));
	run.counting = true;
	start = clock_ns(CLOCK_MONOTONIC);
	own = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	target = target_ns();
	drive(ep, start + (uint64_t)(o.seconds * (double)NSEC));
	report(clock_ns(CLOCK_MONOTONIC) - start, target_ns() - target,
	    clock_ns(CLOCK_PROCESS_CPUTIME_ID) - own);
}

static void
hold(void)
{
	char c;

	printf("idle\n");
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

static bool
options(int argc, char **argv)
{
	int ch;

	while ((ch = getopt(argc, argv, "p:c:M:t:w:k:P:SI")) != -1) {
		switch (ch) {
		case 'p':
			o.port = atoi(optarg);
			break;
		case 'c':
			o.clients = atoi(optarg);
			break;
		case 't':
			o.seconds = atof(optarg);
			break;
		case 'w':
			o.warm = atof(optarg);
			break;
		case 'k':
			o.keys = (unsigned)atoi(optarg);
			break;
		case 'P':
			o.pid = atoi(optarg);
			break;
		case 'S':
			o.sweep = true;
			break;
		case 'I':
			o.idle = true;
			break;
		case 'M':
			o.mode = optarg[0] == 's' ? SIMPLE :
			    optarg[0] == 'e' ? EXTENDED : PREPARED;
			break;
		default:
			return false;
		}
	}
	if (o.sweep)
		o.clients = 1;
	return optind == argc && o.clients > 0 && o.keys > 0;
}

int
main(int argc, char **argv)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct conn *cs;
	int i, ep = epoll_create1(0);

	if (!options(argc, argv)) {
		fprintf(stderr, "usage: load -p PORT [-c CLIENTS] [-M MODE] "
		    "[-t SECONDS] [-w SECONDS] [-k KEYS] [-P PID] [-S|-I]\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	cs = calloc((size_t)o.clients, sizeof(*cs));
	if (cs == NULL || ep < 0)
		die("start");
	for (i = 0; i < o.clients; i++) {
		cs[i].fd = dial();
		ev.data.ptr = &cs[i];
		if (!o.idle && epoll_ctl(ep, EPOLL_CTL_ADD, cs[i].fd,
		    &ev) != 0)
			die("epoll");
	}
	if (o.idle) {
		hold();
		return 0;
	}
	for (i = 0; i < o.clients; i++)
		fire(&cs[i]);
	if (o.sweep)
		drive(ep, UINT64_MAX);
	else
		measure(ep);
	return run.errors > 0 ? 3 : 0;
}
