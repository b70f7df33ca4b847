/* SPDX-License-Identifier: PostgreSQL
 *
 * Unique-token storm: many clients ask a pooler for tokens, a new one with
 * every statement, one by one, in transactions and in pipelines, while clients
 * are cut off, statements cancelled and servers terminated.  A reply that is
 * not exactly the next one owed is "wrong", and so is an error or an end that
 * nothing was done to cause; one that does not come in time is "hung".  All of
 * them must be zero.  Prints one line of JSON.
 *
 * One thread, epoll, trust logins.  The parts: script.c decides what is asked,
 * check.c judges what comes, faults.c does the harm, client.c keeps the
 * connections.
 *
 * usage: storm -p PORT -d DB -u USER [-h HOST] [-c clients] [-n statements]
 *              [-k clients to cut] [-s servers to terminate -P pgport -D pgdb]
 *              [-C cancels] [-t hung after seconds] [-r seed] [-x]
 * -x: also read rows "row N" of a table storm(id int, token text), id 1..1000,
 * which the pooler may answer from a cache.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"

#define ENOUGH 1000  /* wrong ones, to go on for */

struct options opt = { .host = "127.0.0.1", .user = "app", .db = "app",
	.pgdb = "postgres", .port = 6432, .clients = 64, .statements = 100000,
	.patience = 30 };
struct sum sum;
struct client *clients;
int ep;
static uint64_t rng = 1;

double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

uint64_t
dice(uint64_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (rng >> 11) % n;
}

void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "storm: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(2);
}

/* How many clients have something in flight. */
static int
check_hung(void)
{
	double t = now();
	int busy = 0;

	for (int i = 0; i < opt.clients; i++) {
		struct client *c = &clients[i];
		const struct want *w = check_head(c);

		if (w == NULL)
			continue;
		busy++;
		if (t - c->since <= opt.patience)
			continue;
		sum.hung++;
		fprintf(stderr, "storm: hung: client %d, %u in flight, kind "
		    "%d, owed \"%s\", token %s\n", i, c->count, w->kind,
		    w->owed, w->token);
		client_lose(c);
	}
	return busy;
}

static void
run(void)
{
	struct epoll_event ev[64];
	double checked = now();
	int busy = 1;

	for (int i = 0; i < opt.clients; i++)
		client_open(&clients[i]);
	while (busy > 0) {
		int n = epoll_wait(ep, ev, 64, 100);

		faults_look();
		for (int i = 0; i < n; i++)
			client_read(ev[i].data.ptr);
		faults();
		if (sum.wrong >= ENOUGH)
			break;
		if (sum.asked >= opt.statements || now() - checked > 1) {
			busy = check_hung();
			checked = now();
		}
	}
}

static void
print(double seconds)
{
	printf("{\"asked\": %ld, \"answered\": %ld, \"errors\": %ld, "
	    "\"skipped\": %ld, \"lost\": %ld, \"wrong\": %ld, \"hung\": %ld, "
	    "\"cut\": %ld, \"killed\": %ld, \"struck\": %ld, "
	    "\"cancels\": %ld, \"cancelled\": %ld, \"overlapped\": %ld, "
	    "\"logins\": %ld, \"seconds\": %.2f, \"sqlstates\": {",
	    sum.asked, sum.answered, sum.errors, sum.skipped, sum.lost,
	    sum.wrong, sum.hung, sum.cut, sum.killed, sum.struck, sum.cancels,
	    sum.cancelled, sum.overlapped, sum.logins, seconds);
	for (int i = 0; i < STATES_MAX && sum.states[i].n > 0; i++)
		printf("%s\"%s\": %ld", i > 0 ? ", " : "",
		    sum.states[i].code, sum.states[i].n);
	printf("}}\n");
}

static void
options(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "h:p:d:u:c:n:k:s:C:P:D:t:r:x")) != -1) {
		switch (o) {
		case 'h': opt.host = optarg; break;
		case 'p': opt.port = atoi(optarg); break;
		case 'd': opt.db = optarg; break;
		case 'u': opt.user = optarg; break;
		case 'c': opt.clients = atoi(optarg); break;
		case 'n': opt.statements = atol(optarg); break;
		case 'k': opt.cuts = atol(optarg); break;
		case 's': opt.kills = atol(optarg); break;
		case 'C': opt.cancels = atol(optarg); break;
		case 'P': opt.pgport = atoi(optarg); break;
		case 'D': opt.pgdb = optarg; break;
		case 't': opt.patience = atof(optarg); break;
		case 'r': rng = strtoull(optarg, NULL, 10) * 2 + 1; break;
		case 'x': opt.rows = true; break;
		default: die("see the head of storm.c for its options");
		}
	}
	if (opt.clients < 1 || opt.statements < 1)
		die("at least one client and one statement");
	if (opt.kills > 0 && opt.pgport == 0)
		die("-s needs -P");
}

int
main(int argc, char **argv)
{
	double began;

	options(argc, argv);
	clients = calloc((size_t)opt.clients, sizeof(*clients));
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (clients == NULL || ep < 0)
		die("no memory");
	faults_start();
	began = now();
	run();
	if (sum.struck > sum.killed) {
		fprintf(stderr, "storm: wrong: %ld clients were struck by %ld "
		    "faults\n", sum.struck, sum.killed);
		sum.wrong += sum.struck - sum.killed;
	}
	print(now() - began);
	return sum.wrong == 0 && sum.hung == 0 ? 0 : 1;
}
