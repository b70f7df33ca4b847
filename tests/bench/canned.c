/* SPDX-License-Identifier: PostgreSQL
 *
 * The limit for cached answers: a server that says the same to everything.
 *
 *	canned PORT
 *
 * It finds the messages in what it reads and copies a ready-made reply for
 * each: no look-up, no SQL, no accounts.  What it costs is the kernel's work
 * for one read and one write a query and libevent's for the event between
 * them, so no proxy built on libevent can answer a query for less.  One
 * thread, plain events, loopback only.  It trusts its client, which is ours:
 * what it cannot take closes the connection.
 */
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

#define INPUT 4096
/* No message of five bytes or more has a reply longer than this. */
#define OUTPUT (INPUT / 5 * 128 + 512)

struct conn {
	struct event *ev;
	bool started;
	size_t have;
	char in[INPUT];
};

struct reply {
	const char *p;
	size_t n;
};

/* One row of one int4, as pgbench -S gets it. */
#define ROW_DESCRIPTION \
	"T\0\0\0\x21\0\x01" "abalance\0" "\0\0\0\0\0\0" "\0\0\0\x17" \
	"\0\x04" "\xff\xff\xff\xff" "\0\0"
#define DATA_ROW "D\0\0\0\x0b\0\x01" "\0\0\0\x01" "0"
#define COMPLETE "C\0\0\0\x0d" "SELECT 1\0"
#define READY "Z\0\0\0\x05" "I"
#define REPLY(text) { text, sizeof(text) - 1 }

static const struct reply hello = REPLY("R\0\0\0\x08\0\0\0\0"
    "S\0\0\0\x19server_encoding\0UTF8\0" "S\0\0\0\x19" "client_encoding\0UTF8\0"
    "S\0\0\0\x18server_version\0" "15.0\0" "S\0\0\0\x19integer_datetimes\0on\0"
    "S\0\0\0\x23standard_conforming_strings\0on\0"
    "K\0\0\0\x0c\0\0\0\x01\0\0\0\x02" READY);

static const struct reply replies[256] = {
	['Q'] = REPLY(ROW_DESCRIPTION DATA_ROW COMPLETE READY),
	['P'] = REPLY("1\0\0\0\x04"),
	['B'] = REPLY("2\0\0\0\x04"),
	['D'] = REPLY(ROW_DESCRIPTION),
	['E'] = REPLY(DATA_ROW COMPLETE),
	['C'] = REPLY("3\0\0\0\x04"),
	['S'] = REPLY(READY),
	['H'] = REPLY(""),
};

static const struct reply parameters = REPLY("t\0\0\0\x0a\0\x01\0\0\0\x17");

static void
conn_close(struct conn *c)
{
	evutil_socket_t fd = event_get_fd(c->ev);

	event_free(c->ev);
	close(fd);
	free(c);
}

static char *
conn_put(char *out, const struct reply *r)
{
	return wire_put(out, r->p, r->n);
}

/* The reply to the message at p, written to out; NULL: close. */
static char *
conn_answer(struct conn *c, const char *p, char *out)
{
	const struct reply *r = &replies[(unsigned char)p[0]];

	if (!c->started) {
		switch (wire_get32(p + 4)) {
		case WIRE_VERSION:
			c->started = true;
			return conn_put(out, &hello);
		case WIRE_SSL_REQUEST:
		case WIRE_GSS_REQUEST:
			return wire_put(out, "N", 1);
		default:
			return NULL;
		}
	}
	if (r->p == NULL)
		return NULL;
	if (p[0] == 'D' && wire_get32(p + 1) > 4 && p[5] == 'S')
		out = conn_put(out, &parameters);
	return conn_put(out, r);
}

/* Answer the whole messages that are there, in one write. */
static bool
conn_serve(struct conn *c, evutil_socket_t fd)
{
	char out[OUTPUT], *o = out;
	size_t pos = 0, size, head;

	for (;;) {
		head = c->started ? 5 : 8;
		if (c->have - pos < head)
			break;
		size = wire_get32(c->in + pos + (c->started ? 1 : 0)) +
		    (c->started ? 1u : 0u);
		if (size < head || size > INPUT)
			return false;
		if (size > c->have - pos)
			break;
		o = conn_answer(c, c->in + pos, o);
		if (o == NULL)
			return false;
		pos += size;
	}
	c->have -= pos;
	if (c->have > 0)
		memmove(c->in, c->in + pos, c->have);
	return o == out || write(fd, out, (size_t)(o - out)) == o - out;
}

static void
conn_on_read(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	ssize_t r = read(fd, c->in + c->have, sizeof(c->in) - c->have);

	(void)what;
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (r > 0) {
		c->have += (size_t)r;
		if (conn_serve(c, fd))
			return;
	}
	conn_close(c);
}

static void
conn_accept(struct evconnlistener *l, evutil_socket_t fd,
    struct sockaddr *from, int len, void *arg)
{
	struct conn *c = calloc(1, sizeof(*c));
	int on = 1;

	(void)from;
	(void)len;
	(void)arg;
	if (c == NULL)
		abort();
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->ev = event_new(evconnlistener_get_base(l), fd,
	    EV_READ | EV_PERSIST, conn_on_read, c);
	if (c->ev == NULL || event_add(c->ev, NULL) != 0)
		abort();
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct event_config *cfg = event_config_new();
	struct event_base *base;

	if (argc != 2 || cfg == NULL) {
		fprintf(stderr, "usage: canned PORT\n");
		return 2;
	}
	at.sin_port = htons((uint16_t)atoi(argv[1]));
	(void)signal(SIGPIPE, SIG_IGN);
	(void)event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (base == NULL || evconnlistener_new_bind(base, conn_accept, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 4096,
	    (struct sockaddr *)&at, sizeof(at)) == NULL) {
		perror("canned");
		return 1;
	}
	return event_base_dispatch(base) < 0;
}
