/* SPDX-License-Identifier: PostgreSQL
 *
 * Listening sockets that another process has handed over, until they are used.
 *
 * Knows addresses, not who watches the sockets.  What is left when all doors
 * are open was configured there and is not here: it is closed, with whoever
 * waits in its queue.  Control thread, before workers start.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/doors.h"

static bool
given_listens(int fd)
{
	socklen_t size = sizeof(int);
	int listening = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) ==
	    0 && listening;
}

bool
given_doors_add(struct given_doors *g, int fd, enum door_kind kind)
{
	struct given_door *v;

	if (g->n == GIVEN_DOORS_MAX || kind >= DOOR_KINDS ||
	    !given_listens(fd)) {
		close(fd);
		return false;
	}
	v = x_malloc((g->n + 1) * sizeof(*v));
	if (g->n > 0)
		memcpy(v, g->v, g->n * sizeof(*v));
	free(g->v);
	g->v = v;
	g->v[g->n++] = (struct given_door){ .fd = fd, .kind = kind };
	return true;
}

static bool
given_fits_in(const struct sockaddr_in *have, const struct sockaddr_in *want)
{
	return have->sin_addr.s_addr == want->sin_addr.s_addr &&
	    (want->sin_port == 0 || want->sin_port == have->sin_port);
}

static bool
given_fits_in6(const struct sockaddr_in6 *have,
    const struct sockaddr_in6 *want)
{
	return memcmp(&have->sin6_addr, &want->sin6_addr,
	    sizeof(have->sin6_addr)) == 0 &&
	    have->sin6_scope_id == want->sin6_scope_id &&
	    (want->sin6_port == 0 || want->sin6_port == have->sin6_port);
}

static bool
given_fits(int fd, const struct sockaddr *want, socklen_t want_len)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_storage ss;
	} have, mine;
	socklen_t len = sizeof(have);

	memset(&have, 0, sizeof(have));
	memset(&mine, 0, sizeof(mine));
	memcpy(&mine, want, want_len);
	if (getsockname(fd, &have.sa, &len) != 0 ||
	    have.sa.sa_family != mine.sa.sa_family)
		return false;
	switch (have.sa.sa_family) {
	case AF_INET:
		return given_fits_in(&have.in, &mine.in);
	case AF_INET6:
		return given_fits_in6(&have.in6, &mine.in6);
	case AF_UNIX:
		return strcmp(have.un.sun_path, mine.un.sun_path) == 0;
	default:
		return false;
	}
}

int
given_doors_take(struct given_doors *g, enum door_kind kind,
    const struct sockaddr *sa, socklen_t len)
{
	unsigned i;

	for (i = 0; i < g->n; i++)
		if (!g->v[i].used && g->v[i].kind == kind &&
		    given_fits(g->v[i].fd, sa, len)) {
			g->v[i].used = true;
			return g->v[i].fd;
		}
	return -1;
}

static void
given_unlink(int fd)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);

	memset(&un, 0, sizeof(un));
	if (getsockname(fd, (struct sockaddr *)&un, &len) == 0 &&
	    un.sun_family == AF_UNIX && un.sun_path[0] != '\0')
		unlink(un.sun_path);
}

static void
given_close(struct given_doors *g, bool for_good)
{
	unsigned i;

	for (i = 0; i < g->n; i++) {
		if (g->v[i].used)
			continue;
		if (for_good && g->v[i].kind == DOOR_BOUND)
			given_unlink(g->v[i].fd);
		close(g->v[i].fd);
	}
	free(g->v);
	*g = (struct given_doors){ .n = 0 };
}

void
given_doors_end(struct given_doors *g)
{
	given_close(g, true);
}

void
given_doors_drop(struct given_doors *g)
{
	given_close(g, false);
}
