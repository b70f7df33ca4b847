/* SPDX-License-Identifier: PostgreSQL
 *
 * What is done to clients and servers: clients are cut off, servers terminated
 * by way of a connection to PostgreSQL itself, statements cancelled.
 *
 * A cancel request counts for its client as long as its connection is open:
 * then the pooler has taken note of it.  Some name a wrong secret or a
 * connection that is gone, and count for nobody.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storm.h"

#define CANCELS_MAX 64  /* under way at a time */

struct cancel {
	int fd;            /* -1: free */
	struct client *c;  /* NULL: names nobody */
	unsigned serial;
	double sent;
};

static int admin = -1;
static struct cancel cancels[CANCELS_MAX];
static struct { uint32_t pid, secret; } gone;

static bool
is_working(const struct client *c)
{
	return c->count > 0 && c->queue[c->head].kind != LOGIN;
}

/* ---------------------------------------------------------------- cancels */

/* A client that has something in flight, at times one whose turn it is to run
 * something slow. */
static struct client *
cancel_choose(void)
{
	bool slow = dice(2) == 0;
	struct client *c = NULL;

	for (int i = 0; i < opt.clients * 4; i++) {
		c = &clients[dice((uint64_t)opt.clients)];
		if (is_working(c) &&
		    (!slow || c->queue[c->head].kind == SLOW))
			break;
	}
	return c->pid != 0 ? c : NULL;
}

static void
cancel_send(struct client *c, uint32_t pid, uint32_t secret)
{
	struct out o = { .n = 0 };
	struct cancel *x = cancels;

	while (x < cancels + CANCELS_MAX && x->fd >= 0)
		x++;
	if (x == cancels + CANCELS_MAX)
		return;
	put_cancel(&o, pid, secret);
	*x = (struct cancel){ .fd = dial(opt.host, opt.port), .c = c,
		.serial = c != NULL ? c->serial : 0, .sent = now() };
	if (send(x->fd, o.b, o.n, MSG_NOSIGNAL) != (ssize_t)o.n)
		die("cancel: %s", strerror(errno));
	sum.cancels++;
	if (c == NULL)
		return;
	check_cancels(c);
	/* PostgreSQL signals the process, then its group: a second statement
	 * can start between the two. */
	c->cancel.credit += 2;
	c->cancel.open++;
}

static void
fault_cancel(void)
{
	struct client *c = cancel_choose();

	if (c == NULL)
		return;
	switch (dice(8)) {
	case 0:
		cancel_send(NULL, c->pid, c->secret ^ (1u << dice(32)));
		break;
	case 1:
		if (gone.pid != 0)
			cancel_send(NULL, gone.pid, gone.secret);
		break;
	default:
		cancel_send(c, c->pid, c->secret);
		break;
	}
}

/* Which cancels has the pooler taken note of? */
void
faults_look(void)
{
	for (struct cancel *x = cancels; x < cancels + CANCELS_MAX; x++) {
		char byte;

		if (x->fd < 0)
			continue;
		if (recv(x->fd, &byte, 1, MSG_DONTWAIT) < 0 &&
		    errno == EAGAIN) {
			if (now() - x->sent < opt.patience)
				continue;
			fprintf(stderr, "storm: hung: a cancel request\n");
			sum.hung++;
		}
		close(x->fd);
		x->fd = -1;
		if (x->c == NULL || x->c->serial != x->serial)
			continue;
		x->c->cancel.open--;
		x->c->cancel.done = now();
	}
}

/* ------------------------------------------------------------------- cuts */

/* Cut a client off: in the middle of its statements, or of a message. */
static void
fault_cut(void)
{
	struct linger hard = { 1, 0 };
	struct client *c = NULL;

	for (int i = 0; i < opt.clients * 4; i++) {
		c = &clients[dice((uint64_t)opt.clients)];
		if (is_working(c))
			break;
	}
	if (!is_working(c))
		return;
	if (dice(2) == 0)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	if (dice(3) == 0) {
		struct out o = { .n = 0 };

		put_query(&o, "SELECT 'half a message'");
		client_send(c, &o, 1 + dice(o.n - 1));
	}
	gone.pid = c->pid;
	gone.secret = c->secret;
	sum.cut++;
	client_lose(c);
}

/* ------------------------------------------------------------ terminations */

static void
admin_message(const struct out *o)
{
	unsigned char h[5], body[4096];

	if (send(admin, o->b, o->n, MSG_NOSIGNAL) != (ssize_t)o->n)
		die("the connection to PostgreSQL is gone");
	do {
		uint32_t n;

		if (recv(admin, h, 5, MSG_WAITALL) != 5)
			die("the connection to PostgreSQL is gone");
		n = get32(h + 1) - 4;
		if (n > sizeof(body))
			die("PostgreSQL said too much");
		if (n > 0 && recv(admin, body, n, MSG_WAITALL) != (ssize_t)n)
			die("the connection to PostgreSQL is gone");
		if (h[0] == 'E')
			die("PostgreSQL: %.*s", (int)n, (char *)body);
		if (h[0] == 'D' && n >= 7)
			sum.killed += body[6] - '0';
	} while (h[0] != 'Z');
}

static void
fault_kill(void)
{
	struct out o = { .n = 0 };
	char sql[400];

	snprintf(sql, sizeof(sql),
	    "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM "
	    "pg_stat_activity WHERE datname = '%s' AND usename = '%s' AND "
	    "pid <> pg_backend_pid() ORDER BY random() LIMIT 1) s",
	    opt.pgdb, opt.user);
	put_query(&o, sql);
	admin_message(&o);
}

/* -------------------------------------------------------------------- all */

void
faults_start(void)
{
	struct out o = { .n = 0 };

	for (int i = 0; i < CANCELS_MAX; i++)
		cancels[i].fd = -1;
	if (opt.kills == 0)
		return;
	admin = dial(opt.host, opt.pgport);
	put_startup(&o, "postgres", opt.pgdb);
	admin_message(&o);
}

static bool
is_due(long done, long planned)
{
	/* Spread evenly over the run, the last ones before its end. */
	return done < planned &&
	    done < sum.asked * (planned + 1) / opt.statements;
}

void
faults(void)
{
	if (sum.asked >= opt.statements)
		return;
	if (is_due(sum.cut, opt.cuts))
		fault_cut();
	if (is_due(sum.killed, opt.kills))
		fault_kill();
	if (is_due(sum.cancels, opt.cancels))
		fault_cancel();
}
