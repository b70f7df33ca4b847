/* SPDX-License-Identifier: PostgreSQL
 *
 * Listening sockets.  TCP addresses get one socket per worker (SO_REUSEPORT);
 * a unix socket and sockets inherited from systemd are one socket that all
 * workers watch.  Accepting goes on until the kernel has no more; when
 * descriptors run out it pauses for 100 ms instead of spinning.
 */
#ifndef PGSLUICE_NET_LISTENER_H
#define PGSLUICE_NET_LISTENER_H

#include "net/addr.h"
#include "run/worker.h"

/* fd: non-blocking, close-on-exec, TCP_NODELAY and keepalive set. Owned by
 * the callee. peer: text of the peer's address. */
typedef void (*listener_accept_cb)(struct worker *w, int fd, const char *peer);

struct listener;

/* Bind and listen. -1 with a message in why (of why_size bytes) on failure. */
int listener_bind_tcp(const struct sockaddr *sa, socklen_t len, bool reuseport,
    char *why, size_t why_size) PG_MUST_CHECK;
/* A stale socket file is replaced; a live one is an error. */
int listener_bind_unix(const char *path, int mode, char *why,
    size_t why_size) PG_MUST_CHECK;
/* Watch fd on w. Before the worker's thread starts, or on it. */
struct listener *listener_new(struct worker *w, int fd, listener_accept_cb cb)
    PG_MUST_CHECK;
/* Its descriptor, which stays its own. */
int listener_fd(const struct listener *l);
/* Stop accepting and close the descriptor; on the worker's thread or after it has ended. */
void listener_free(struct listener **l);

#endif
