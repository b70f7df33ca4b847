/* SPDX-License-Identifier: PostgreSQL
 *
 * Socket addresses to and from text.  No state; addr_resolve() may block.
 */
#include "net/addr.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
addr_split(const char *text, char *host, size_t host_size, int *port)
{
	const char *colon = strrchr(text, ':');
	const char *h = text;
	char *end;
	size_t n;
	long v;

	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return false;
	v = strtol(colon + 1, &end, 10);
	if (*end != '\0' || v < 0 || v > 65535)
		return false;
	n = (size_t)(colon - text);
	if (n >= 2 && h[0] == '[' && h[n - 1] == ']') {
		h++;
		n -= 2;
	} else if (memchr(h, ':', n) != NULL) {
		return false;
	}
	if (n >= host_size)
		return false;
	memcpy(host, h, n);
	host[n] = '\0';
	*port = (int)v;
	return true;
}

int
addr_resolve(const char *host, int port, struct sockaddr_storage *out,
    socklen_t *lens, int max, const char **why)
{
	struct addrinfo hints, *list, *ai;
	char service[16];
	int rc, n = 0;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
	snprintf(service, sizeof(service), "%d", port);
	rc = getaddrinfo(*host == '\0' || strcmp(host, "*") == 0 ? NULL : host,
	    service, &hints, &list);
	if (rc != 0) {
		*why = gai_strerror(rc);
		return 0;
	}
	for (ai = list; ai != NULL && n < max; ai = ai->ai_next) {
		if (ai->ai_addrlen > sizeof(*out))
			continue;
		memcpy(&out[n], ai->ai_addr, ai->ai_addrlen);
		lens[n++] = ai->ai_addrlen;
	}
	freeaddrinfo(list);
	*why = "no usable address";
	return n;
}

void
addr_print(const struct sockaddr *sa, socklen_t len, char *out, size_t size)
{
	char host[64], service[16];

	if (sa->sa_family == AF_UNIX) {
		snprintf(out, size, "unix");
		return;
	}
	if (getnameinfo(sa, len, host, sizeof(host), service, sizeof(service),
	    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		snprintf(out, size, "unknown");
		return;
	}
	snprintf(out, size, sa->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
	    host, service);
}
