/* SPDX-License-Identifier: PostgreSQL
 *
 * The block peer.
 *
 * After it every struct conf_peer has a number of its own and an address that
 * can be connected to; the process has a number if there are any.  Addresses
 * only: nothing here waits for a resolver, and who is connected to does not
 * change behind our back.  Control thread.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "conf/conf_priv.h"

/* 1..CONF_NODE_MAX without blanks or leading zeros, so that no two titles are
 * the same number. 0: it is none. */
static unsigned
peer_number(const char *title)
{
	unsigned long v;
	char again[24];

	v = strtoul(title, NULL, 10);
	(void)snprintf(again, sizeof(again), "%lu", v);
	return v <= CONF_NODE_MAX && strcmp(again, title) == 0 ? (unsigned)v :
	    0;
}

static bool
peer_unix(struct conf_peer *k, const char *host)
{
	struct sockaddr_un *un = (struct sockaddr_un *)(void *)&k->addr;
	int n;

	un->sun_family = AF_UNIX;
	n = snprintf(un->sun_path, sizeof(un->sun_path), "%s/.s.PGSQL.%d",
	    host, (int)k->port);
	k->addr_len = sizeof(*un);
	return n > 0 && (size_t)n < sizeof(un->sun_path);
}

static bool
peer_inet(struct conf_peer *k, const char *host)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *list;
	char service[16];
	bool ok;

	(void)snprintf(service, sizeof(service), "%d", (int)k->port);
	if (getaddrinfo(host, service, &hints, &list) != 0)
		return false;
	ok = list->ai_addrlen <= sizeof(k->addr);
	if (ok) {
		memcpy(&k->addr, list->ai_addr, list->ai_addrlen);
		k->addr_len = list->ai_addrlen;
	}
	freeaddrinfo(list);
	return ok;
}

static bool
peer_address(struct conf_peer *k, const char *host)
{
	return host[0] == '/' ? peer_unix(k, host) : peer_inet(k, host);
}

static void
peer_take(struct conf_parse *p, const struct conf_sec *s, struct conf_peer *k)
{
	conf_check_sec(p, s);
	k->title = x_strdup(s->title);
	k->node = peer_number(s->title);
	if (k->node == 0)
		conf_complain(p, s->line, "peer \"%.64s\": is titled with the "
		    "number of its node, expected 1 to %d", s->title,
		    CONF_NODE_MAX);
	conf_take_str(p, s, "host", &k->host);
	conf_take_int(p, s, "port", &k->port);
	if (k->host == NULL)
		return;
	if (!peer_address(k, k->host))
		conf_complain(p, conf_sec_opt(s, "host")->line, "host: '%.64s' "
		    "is no address, expected an IP address, or a folder of "
		    "which the name of a unix socket can be made", k->host);
}

void
conf_take_peers(struct conf_parse *p)
{
	size_t n = conf_sec_count(p->root, BLOCK_PEER);
	const struct conf_sec *s = conf_sec_next(p->root->subs, BLOCK_PEER);
	struct conf *c = p->conf;

	c->peers = x_calloc(n, sizeof(c->peers[0]));
	if (s == NULL)
		return;
	conf_check_titles(p, s, BLOCK_PEER);
	if (c->node == 0)
		conf_complain(p, s->line, "peer: this process has no number "
		    "that its peers could know it by, expected node = 1 to %d",
		    CONF_NODE_MAX);
	for (; s != NULL; s = conf_sec_next(s->next, BLOCK_PEER))
		peer_take(p, s, &c->peers[c->n_peers++]);
}

void
conf_free_peers(struct conf *c)
{
	size_t i;

	for (i = 0; i < c->n_peers; i++) {
		free(c->peers[i].title);
		free(c->peers[i].host);
	}
	free(c->peers);
}

const struct conf_peer *
conf_find_peer(const struct conf *c, unsigned node)
{
	size_t i;

	if (node == (unsigned)c->node)
		return NULL;
	for (i = 0; i < c->n_peers; i++)
		if (c->peers[i].node == node)
			return &c->peers[i];
	return NULL;
}

bool
conf_is_node(const char *title)
{
	return peer_number(title) != 0;
}

bool
conf_is_peer_host(const char *host)
{
	struct conf_peer k = { .port = 6432 };

	return peer_address(&k, host);
}
