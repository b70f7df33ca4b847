/* SPDX-License-Identifier: PostgreSQL
 *
 * Connections of clients: opened, read, lost and opened again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storm.h"

/* What is in flight fits the socket buffer; a peer that is gone shows at the
 * next read. */
void
client_send(struct client *c, const struct out *o, size_t n)
{
	c->since = now();
	if (n > 0 && send(c->fd, o->b, n, MSG_NOSIGNAL) < 0 &&
	    errno != EPIPE && errno != ECONNRESET)
		die("send: %s", strerror(errno));
}

/* Often in two pieces, cut anywhere. */
static void
client_send_cut(struct client *c, const struct out *o)
{
	struct out rest = { .n = 0 };
	size_t cut = dice(4) == 0 ? (size_t)dice(o->n) : 0;

	client_send(c, o, cut);
	rest.n = o->n - cut;
	memcpy(rest.b, o->b + cut, rest.n);
	client_send(c, &rest, rest.n);
}

void
client_open(struct client *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	struct out o = { .n = 0 };
	unsigned serial = c->serial;

	memset(c, 0, offsetof(struct client, in));
	c->serial = serial + 1;
	c->status = 'I';
	c->fd = dial(opt.host, opt.port);
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) != 0)
		die("epoll: %s", strerror(errno));
	script_login(c, &o);
	client_send(c, &o, o.n);
	sum.logins++;
}

/* The statements in flight get no answer any more. */
void
client_lose(struct client *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		const struct want *w = &c->queue[(c->head + i) % QUEUE_MAX];

		if (want_counts(w) && !w->over)
			sum.lost++;
	}
	close(c->fd);
	client_open(c);
}

/* The pooler may close a client whose server was lost, if it says so. */
static void
client_closed(struct client *c)
{
	if (!c->struck)
		check_wrong(c, "closed without a cause", '-', NULL, 0);
	client_lose(c);
}

void
client_read(struct client *c)
{
	struct out o = { .n = 0 };
	size_t pos = 0;
	ssize_t got = read(c->fd, c->in + c->have, IN_MAX - c->have);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		client_closed(c);
		return;
	}
	c->since = now();
	c->have += (size_t)got;
	while (c->have - pos >= 5) {
		uint32_t len = get32(c->in + pos + 1);

		if (len < 4 || len > IN_MAX - 1) {
			check_wrong(c, "broken frame", (char)c->in[pos],
			    c->in + pos, c->have - pos);
			client_lose(c);
			return;
		}
		if (len >= c->have - pos)
			break;
		check_message(c, (char)c->in[pos], c->in + pos + 5, len - 4);
		pos += 1 + len;
	}
	memmove(c->in, c->in + pos, c->have - pos);
	c->have -= pos;
	script_next(c, &o);
	if (o.n > 0)
		client_send_cut(c, &o);
}
