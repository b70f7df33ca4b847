/* SPDX-License-Identifier: PostgreSQL
 *
 * Listening sockets of the process and who watches them.
 *
 * A TCP address has one socket a worker (SO_REUSEPORT); the unix socket and
 * inherited sockets are duplicated, so that all workers watch one queue.  Those
 * of a process that hands over are used as they are, with the connections that
 * wait in them; a worker may then watch several of an address, or several one.
 * Built
 * on the control thread before workers start; afterwards the list of a worker
 * belongs to that worker, until it has ended.  Knows nothing of clients.
 */
#include "admin/doors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

#define DOORS_MAX 64 /* sockets of one worker */
#define ADDRESSES_MAX 16 /* of one name */
#define DEFAULT_PORT 6432

struct doors {
	struct worker *const *workers;
	unsigned n_workers;
	listener_accept_cb cb;
	struct listener *(*of)[DOORS_MAX]; /* by worker; or NULL */
	unsigned n;                        /* of each worker */
	enum door_kind kind[DOORS_MAX];
	bool shared[DOORS_MAX];            /* one socket, of all workers */
	struct given_doors *given;         /* while opening; or NULL */
	char *unix_path;                   /* to be removed; or NULL */
	dev_t dev;
	ino_t ino;
	struct buf text;
	const struct conf *c; /* while opening */
	char *why;
	size_t why_size;
};

static bool
doors_fail(struct doors *d, const char *where, const char *what,
    const char *hint)
{
	snprintf(d->why, d->why_size, "%s: cannot listen on %s: %s%s%s",
	    d->c->path, where, what, hint != NULL ? "; " : "",
	    hint != NULL ? hint : "");
	return false;
}

static void
doors_note(struct doors *d, const char *text)
{
	if ((buf_len(&d->text) > 0 && !buf_append(&d->text, ",", 1)) ||
	    !buf_append(&d->text, text, strlen(text)))
		WRONG("text of a few addresses does not fit");
}

static bool
doors_room(struct doors *d, const char *where)
{
	return d->n < DOORS_MAX || doors_fail(d, where,
	    "too many addresses", "at most 64 are possible");
}

/* fds[i] is watched by worker i from now on; -1: none. */
static void
doors_add(struct doors *d, const int *fds, enum door_kind kind, bool shared)
{
	unsigned i;

	for (i = 0; i < d->n_workers; i++)
		if (fds[i] >= 0)
			d->of[i][d->n] = listener_new(d->workers[i], fds[i],
			    d->cb);
	d->kind[d->n] = kind;
	d->shared[d->n] = shared;
	d->n++;
}

/* One socket, watched by all. Takes fd over. */
static bool
doors_share(struct doors *d, int fd, enum door_kind kind, const char *where)
{
	int *fds = x_calloc(d->n_workers, sizeof(*fds));
	bool ok = true;
	unsigned i;

	fds[0] = fd;
	for (i = 1; i < d->n_workers; i++) {
		fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (fds[i] < 0) {
			ok = doors_fail(d, where, strerror(errno),
			    "raise the limit of open files");
			break;
		}
	}
	if (ok) {
		doors_add(d, fds, kind, true);
		doors_note(d, where);
	} else {
		while (i-- > 0)
			close(fds[i]);
	}
	free(fds);
	return ok;
}

/* ------------------------------------------------------------ TCP */

/* The sockets of an address that were handed over are dealt out; if there are
 * fewer than workers, some are watched by several. 0: there are none. -1:
 * failed. */
static int
doors_adopt(struct doors *d, struct sockaddr_storage *ss, socklen_t len)
{
	char where[ADDR_TEXT_MAX];
	int *fds = x_malloc(d->n_workers * sizeof(*fds)), first = -1, fd = -1;
	unsigned i, n = 0;
	bool ok = true;

	if (d->given == NULL)
		ok = false;
	while (ok) {
		for (i = 0; i < d->n_workers; i++) {
			fd = given_doors_take(d->given, DOOR_BOUND,
			    (struct sockaddr *)ss, len);
			if (fd >= 0 && first < 0) {
				first = fd;
				/* If any port was asked for, it is this. */
				CHECK(getsockname(fd, (struct sockaddr *)ss,
				    &len) == 0);
			}
			if (fd < 0 && first >= 0 && d->n_workers > n)
				fd = fcntl(first, F_DUPFD_CLOEXEC, 0);
			fds[i] = fd;
			n += fd >= 0;
		}
		if (fds[0] < 0)
			break;
		addr_print((struct sockaddr *)ss, len, where, sizeof(where));
		ok = doors_room(d, where);
		if (ok)
			doors_add(d, fds, DOOR_BOUND, false);
		else
			for (i = 0; i < d->n_workers; i++)
				if (fds[i] >= 0)
					close(fds[i]);
	}
	free(fds);
	if (n > 0 && ok)
		doors_note(d, where);
	return n == 0 ? 0 : ok ? 1 : -1;
}

/* A socket without SO_REUSEPORT fails where another server listens, be it one
 * that uses SO_REUSEPORT itself; it also finds the port when 0 was asked. */
static bool
doors_probe(struct doors *d, struct sockaddr_storage *ss, socklen_t *len,
    const char *where)
{
	char why[200];
	int fd = listener_bind_tcp((struct sockaddr *)ss, *len, false, why,
	    sizeof(why));

	if (fd < 0)
		return doors_fail(d, where, why,
		    "stop what listens there or change the setting listen");
	if (getsockname(fd, (struct sockaddr *)ss, len) != 0)
		WRONG("a bound socket has no name");
	close(fd);
	return true;
}

static bool
doors_bind_address(struct doors *d, struct sockaddr_storage *ss, socklen_t len)
{
	int *fds = x_calloc(d->n_workers, sizeof(*fds));
	char where[ADDR_TEXT_MAX], why[200];
	int adopted;
	bool ok;
	unsigned i;

	addr_print((struct sockaddr *)ss, len, where, sizeof(where));
	adopted = doors_adopt(d, ss, len);
	if (adopted != 0) {
		free(fds);
		return adopted > 0;
	}
	ok = doors_room(d, where) && doors_probe(d, ss, &len, where);
	addr_print((struct sockaddr *)ss, len, where, sizeof(where));
	for (i = 0; ok && i < d->n_workers; i++) {
		fds[i] = listener_bind_tcp((struct sockaddr *)ss, len, true,
		    why, sizeof(why));
		if (fds[i] < 0) {
			ok = doors_fail(d, where, why, NULL);
			break;
		}
	}
	if (ok) {
		doors_add(d, fds, DOOR_BOUND, false);
		doors_note(d, where);
	} else {
		while (i-- > 0)
			close(fds[i]);
	}
	free(fds);
	return ok;
}

static bool
doors_bind_name(struct doors *d, const char *text)
{
	struct sockaddr_storage ss[ADDRESSES_MAX];
	socklen_t len[ADDRESSES_MAX];
	const char *why = "";
	char host[256];
	int port, n, i;

	if (!addr_split(text, host, sizeof(host), &port))
		return doors_fail(d, text, "not of the form host:port",
		    "correct the setting listen");
	n = addr_resolve(host, port, ss, len, ADDRESSES_MAX, &why);
	if (n == 0)
		return doors_fail(d, text, why, "correct the setting listen");
	for (i = 0; i < n; i++)
		if (!doors_bind_address(d, &ss[i], len[i]))
			return false;
	return true;
}

/* ------------------------------------------------------- unix, inherited */

static int
doors_port(const struct conf *c)
{
	char host[256];
	int port;

	if (c->listen.n > 0 &&
	    addr_split(c->listen.v[0], host, sizeof(host), &port) && port > 0)
		return port;
	return DEFAULT_PORT;
}

static bool
doors_bind_unix(struct doors *d)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char path[512], why[200];
	struct stat st;
	int fd = -1;

	if (snprintf(path, sizeof(path), "%s/.s.PGSQL.%d",
	    d->c->unix_socket_dir, doors_port(d->c)) >= (int)sizeof(path))
		return doors_fail(d, d->c->unix_socket_dir,
		    "the path is too long", "change unix_socket_dir");
	if (!doors_room(d, path))
		return false;
	if (d->given != NULL && strlen(path) < sizeof(sun.sun_path)) {
		strcpy(sun.sun_path, path);
		fd = given_doors_take(d->given, DOOR_BOUND,
		    (struct sockaddr *)&sun, sizeof(sun));
	}
	if (fd < 0)
		fd = listener_bind_unix(path, (int)d->c->unix_socket_mode, why,
		    sizeof(why));
	if (fd < 0)
		return doors_fail(d, path, why,
		    "see the setting unix_socket_dir");
	if (stat(path, &st) == 0) {
		d->unix_path = x_strdup(path);
		d->dev = st.st_dev;
		d->ino = st.st_ino;
	}
	return doors_share(d, fd, DOOR_BOUND, path);
}

static bool
doors_inherit(struct doors *d, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss), size = sizeof(int);
	char where[ADDR_TEXT_MAX];
	int flags, listening = 0;

	snprintf(where, sizeof(where), "inherited descriptor %d", fd);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) !=
	    0 || !listening)
		return doors_fail(d, where, "not a listening socket",
		    "use ListenStream in the socket unit");
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		addr_print((struct sockaddr *)&ss, len, where, sizeof(where));
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return doors_fail(d, where, strerror(errno), NULL);
	return doors_room(d, where) &&
	    doors_share(d, fd, DOOR_INHERITED, where);
}

/* What the process before had of the service manager. -1: failed, else how
 * many. */
static int
doors_inherit_given(struct doors *d)
{
	struct given_door *g;
	int n = 0;

	for (g = d->given->v; g < d->given->v + d->given->n; g++) {
		if (g->kind != DOOR_INHERITED)
			continue;
		g->used = true;
		if (!doors_inherit(d, g->fd))
			return -1;
		n++;
	}
	return n;
}

/* ------------------------------------------------------------ life */

static bool
doors_open_all(struct doors *d, int first, int n)
{
	size_t i;
	int k;

	for (k = 0; k < n; k++)
		if (!doors_inherit(d, first + k))
			return false;
	if (n == 0 && d->given != NULL && (n = doors_inherit_given(d)) < 0)
		return false;
	for (i = 0; n == 0 && i < d->c->listen.n; i++)
		if (d->c->listen.v[i][0] != '\0' &&
		    !doors_bind_name(d, d->c->listen.v[i]))
			return false;
	if (n == 0 && d->c->unix_socket_dir[0] != '\0' && !doors_bind_unix(d))
		return false;
	if (d->n == 0)
		return doors_fail(d, "nothing", "no address is configured",
		    "give the setting listen or unix_socket_dir");
	return true;
}

struct doors *
doors_open(const struct conf *c, struct worker *const *workers,
    unsigned n_workers, int first, int n, struct given_doors *given,
    listener_accept_cb cb, char *why, size_t why_size)
{
	struct doors *d = x_calloc(1, sizeof(*d));

	d->workers = workers;
	d->n_workers = n_workers;
	d->cb = cb;
	d->given = given;
	d->of = x_calloc(n_workers, sizeof(*d->of));
	d->c = c;
	d->why = why;
	d->why_size = why_size;
	buf_init(&d->text, 64 * 1024);
	if (!doors_open_all(d, first, n)) {
		doors_free(&d);
		return NULL;
	}
	if (!buf_append(&d->text, "", 1))
		WRONG("text of a few addresses does not fit");
	d->c = NULL;
	d->why = NULL;
	d->given = NULL;
	return d;
}

const char *
doors_text(const struct doors *d)
{
	return buf_head(&d->text);
}

void
doors_each(const struct doors *d, void (*fn)(void *arg, int fd,
    enum door_kind kind), void *arg)
{
	unsigned i, k;

	for (i = 0; i < d->n; i++)
		for (k = 0; k < (d->shared[i] ? 1 : d->n_workers); k++)
			if (d->of[k][i] != NULL)
				fn(arg, listener_fd(d->of[k][i]), d->kind[i]);
}

void
doors_disown(struct doors *d)
{
	free(d->unix_path);
	d->unix_path = NULL;
}

static void
doors_close_worker(struct doors *d, unsigned worker)
{
	unsigned i;

	for (i = 0; i < d->n; i++)
		listener_free(&d->of[worker][i]);
}

struct doors_message {
	struct message m;
	struct doors *d;
};

static void
doors_message_run(struct worker *w, struct message *m)
{
	struct doors_message *dm = (struct doors_message *)(void *)m;

	doors_close_worker(dm->d, w->id);
	free(dm);
}

/* A successor may have put its own socket in the place of ours. */
static void
doors_unlink(struct doors *d)
{
	struct stat st;

	if (d->unix_path == NULL)
		return;
	if (stat(d->unix_path, &st) == 0 && st.st_dev == d->dev &&
	    st.st_ino == d->ino)
		unlink(d->unix_path);
	free(d->unix_path);
	d->unix_path = NULL;
}

void
doors_close(struct doors *d)
{
	struct doors_message *dm;
	unsigned i;

	doors_unlink(d);
	for (i = 0; i < d->n_workers; i++) {
		dm = x_calloc(1, sizeof(*dm));
		dm->m.run = doors_message_run;
		dm->d = d;
		worker_post(d->workers[i], &dm->m);
	}
}

void
doors_free(struct doors **dp)
{
	struct doors *d = *dp;
	unsigned i;

	*dp = NULL;
	if (d == NULL)
		return;
	doors_unlink(d);
	for (i = 0; i < d->n_workers; i++)
		doors_close_worker(d, i);
	buf_reset(&d->text);
	free(d->of);
	free(d);
}
