/* SPDX-License-Identifier: PostgreSQL
 *
 * Where Redis is: a unix socket, the addresses of a host in turn, or what
 * sentinels say in turn.
 *
 * Knows how to begin a connection, nothing of what becomes of it.  One
 * worker's.
 *
 * With sentinels every second connection goes to one of them, to ask who the
 * master is (asking), and the next to that one.  Never twice to the same
 * sentinel in a row: one that is cut off from the others would send us to a
 * master that is none any more, for ever.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cache/l2_priv.h"
#include "net/addr.h"

/* Blocks for as long as the system's resolver does, which is why it runs once
 * and its answer is kept: reconnecting asks nobody. */
static void
l2_place_resolve(struct l2_place *p, const char *host, int port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *a;

	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return;
	for (a = list; a != NULL && p->n < L2_ADDRS; a = a->ai_next) {
		struct l2_addr *to = &p->addr[p->n];

		snprintf(to->name, sizeof(to->name), "%s", host);
		to->port = port;
		p->n += getnameinfo(a->ai_addr, a->ai_addrlen, to->ip,
		    sizeof(to->ip), NULL, 0, NI_NUMERICHOST) == 0;
	}
	freeaddrinfo(list);
}

static void
l2_place_resolve_all(struct l2_place *p)
{
	char host[L2_HOST_LEN];
	unsigned i;
	int port;

	if (p->host != NULL)
		l2_place_resolve(p, p->host, p->port);
	for (i = 0; i < p->n_sentinels; i++)
		if (addr_split(p->sentinels[i], host, sizeof(host), &port))
			l2_place_resolve(p, host, port);
}

void
l2_place_init(struct l2_place *p, const struct l2_options *o)
{
	unsigned i;

	*p = (struct l2_place){ .port = o->port };
	if (o->n_sentinels > 0) {
		p->sentinels = x_calloc(o->n_sentinels, sizeof(char *));
		for (i = 0; i < o->n_sentinels; i++)
			p->sentinels[i] = x_strdup(o->sentinels[i]);
		p->n_sentinels = o->n_sentinels;
		p->master = x_strdup(o->sentinel_master);
	} else if (o->unix_socket != NULL && o->unix_socket[0] != '\0') {
		p->unix_socket = x_strdup(o->unix_socket);
	} else {
		CHECK(o->host != NULL);
		p->host = x_strdup(o->host);
	}
}

void
l2_place_fini(struct l2_place *p)
{
	unsigned i;

	for (i = 0; i < p->n_sentinels; i++)
		free(p->sentinels[i]);
	free(p->sentinels);
	free(p->master);
	free(p->host);
	free(p->unix_socket);
	*p = (struct l2_place){ .host = NULL };
}

static redisContext *
l2_place_connect(struct l2_place *p)
{
	const struct l2_addr *to;

	p->asking = false;
	if (p->unix_socket != NULL)
		return redisConnectUnixNonBlock(p->unix_socket);
	if (p->told.port != 0) {
		p->now = p->told;
		p->told.port = 0; /* it may be another one the next time */
		return redisConnectNonBlock(p->now.ip, p->now.port);
	}
	if (p->next >= p->n)
		p->next = 0;
	to = &p->addr[p->next++];
	p->now = *to;
	p->asking = p->n_sentinels > 0;
	return redisConnectNonBlock(to->ip, to->port);
}

redisContext *
l2_place_dial(struct l2_place *p, char *why, size_t why_size)
{
	redisContext *ctx;

	if (p->unix_socket == NULL && p->n == 0)
		l2_place_resolve_all(p);
	if (p->unix_socket == NULL && p->n == 0) {
		snprintf(why, why_size, "cannot resolve the host name");
		return NULL;
	}
	ctx = l2_place_connect(p);
	if (ctx == NULL || ctx->err != 0) {
		snprintf(why, why_size, "%s",
		    ctx == NULL ? "out of memory" : ctx->errstr);
		if (ctx != NULL)
			redisFree(ctx);
		return NULL;
	}
	return ctx;
}

bool
l2_place_has_more(const struct l2_place *p)
{
	return p->next < p->n;
}

void
l2_place_served(struct l2_place *p)
{
	if (p->n_sentinels == 0)
		p->next = 0;
}

bool
l2_place_told(struct l2_place *p, const char *host, const char *port)
{
	unsigned char ip[16];
	char *end;
	long n = strtol(port, &end, 10);

	if ((inet_pton(AF_INET, host, ip) != 1 &&
	    inet_pton(AF_INET6, host, ip) != 1) || *end != '\0' || n < 1 ||
	    n > 65535)
		return false;
	snprintf(p->told.ip, sizeof(p->told.ip), "%s", host);
	snprintf(p->told.name, sizeof(p->told.name), "%s", host);
	p->told.port = (int)n;
	return true;
}
