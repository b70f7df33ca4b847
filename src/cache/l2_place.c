/* SPDX-License-Identifier: PostgreSQL
 *
 * Where Redis is: a unix socket, or the addresses of a host in turn.
 *
 * Knows how to begin a connection, nothing of what becomes of it.  One
 * worker's.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cache/l2_priv.h"

/* Blocks for as long as the system's resolver does, which is why it runs once
 * and its answer is kept: reconnecting asks nobody. */
static bool
l2_place_resolve(struct l2_place *p)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *a;

	if (getaddrinfo(p->host, NULL, &hints, &list) != 0)
		return false;
	for (a = list; a != NULL && p->n < L2_ADDRS; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, p->addr[p->n],
			L2_ADDR_LEN, NULL, 0, NI_NUMERICHOST) == 0)
			p->n++;
	freeaddrinfo(list);
	return p->n > 0;
}

void
l2_place_init(struct l2_place *p, const struct l2_options *o)
{
	*p = (struct l2_place){ .port = o->port };
	if (o->unix_socket != NULL && o->unix_socket[0] != '\0') {
		p->unix_socket = x_strdup(o->unix_socket);
	} else {
		CHECK(o->host != NULL);
		p->host = x_strdup(o->host);
	}
}

void
l2_place_fini(struct l2_place *p)
{
	free(p->host);
	free(p->unix_socket);
	*p = (struct l2_place){ .host = NULL };
}

redisContext *
l2_place_dial(struct l2_place *p, char *why, size_t why_size)
{
	redisContext *ctx;

	if (p->unix_socket != NULL) {
		ctx = redisConnectUnixNonBlock(p->unix_socket);
	} else {
		if (p->n == 0 && !l2_place_resolve(p)) {
			snprintf(why, why_size,
			    "cannot resolve the host name");
			return NULL;
		}
		if (p->next >= p->n)
			p->next = 0;
		ctx = redisConnectNonBlock(p->addr[p->next++], p->port);
	}
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
	p->next = 0;
}
