/* SPDX-License-Identifier: PostgreSQL
 *
 * Messages of the protocol: written into a buffer, and what is read from them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "storm.h"

#define VERSION 196608
#define CANCEL 80877102

uint32_t
get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return ntohl(v);
}

static void
put(struct out *o, const void *p, size_t n)
{
	if (n > sizeof(o->b) - o->n)
		die("message too long");
	memcpy(o->b + o->n, p, n);
	o->n += n;
}

static void
put_str(struct out *o, const char *s)
{
	put(o, s, strlen(s) + 1);
}

static void
put16(struct out *o, unsigned v)
{
	uint16_t w = htons((uint16_t)v);

	put(o, &w, 2);
}

static void
put32(struct out *o, uint32_t v)
{
	v = htonl(v);
	put(o, &v, 4);
}

/* type 0: a startup packet, which has none.  Returns where the length is. */
static size_t
put_begin(struct out *o, char type)
{
	if (type != 0)
		put(o, &type, 1);
	put32(o, 0);
	return o->n - 4;
}

static void
put_end(struct out *o, size_t at)
{
	uint32_t n = htonl((uint32_t)(o->n - at));

	memcpy(o->b + at, &n, 4);
}

void
put_startup(struct out *o, const char *user, const char *db)
{
	size_t at = put_begin(o, 0);

	put32(o, VERSION);
	put_str(o, "user");
	put_str(o, user);
	put_str(o, "database");
	put_str(o, db);
	put(o, "", 1);
	put_end(o, at);
}

void
put_cancel(struct out *o, uint32_t pid, uint32_t secret)
{
	size_t at = put_begin(o, 0);

	put32(o, CANCEL);
	put32(o, pid);
	put32(o, secret);
	put_end(o, at);
}

void
put_query(struct out *o, const char *sql)
{
	size_t at = put_begin(o, 'Q');

	put_str(o, sql);
	put_end(o, at);
}

void
put_parse(struct out *o, const char *name, const char *sql)
{
	size_t at = put_begin(o, 'P');

	put_str(o, name);
	put_str(o, sql);
	put16(o, 0);
	put_end(o, at);
}

void
put_bind(struct out *o, const char *name, const char *value)
{
	size_t at = put_begin(o, 'B');

	put_str(o, "");
	put_str(o, name);
	put16(o, 0);
	put16(o, 1);
	put32(o, (uint32_t)strlen(value));
	put(o, value, strlen(value));
	put16(o, 0);
	put_end(o, at);
}

void
put_describe(struct out *o)
{
	size_t at = put_begin(o, 'D');

	put_str(o, "P");
	put_end(o, at);
}

void
put_execute(struct out *o)
{
	size_t at = put_begin(o, 'E');

	put_str(o, "");
	put32(o, 0);
	put_end(o, at);
}

void
put_close(struct out *o, const char *name)
{
	size_t at = put_begin(o, 'C');

	put(o, "S", 1);
	put_str(o, name);
	put_end(o, at);
}

/* Sync and Flush. */
void
put_bare(struct out *o, char type)
{
	put_end(o, put_begin(o, type));
}

bool
contains(const unsigned char *body, size_t n, const char *word)
{
	return memmem(body, n, word, strlen(word)) != NULL;
}

const char *
sqlstate(const unsigned char *body, size_t n)
{
	static char code[6];

	for (size_t i = 0; i < n && body[i] != 0;) {
		size_t len = strnlen((const char *)body + i, n - i);

		if (body[i] == 'C' && len == 6) {
			memcpy(code, body + i + 1, 5);
			return code;
		}
		i += len + 1;
	}
	return "";
}

int
dial(const char *host, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		die("not an address: %s", host);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("cannot connect to %s:%d: %s", host, port,
		    strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}
