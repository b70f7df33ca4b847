/* SPDX-License-Identifier: PostgreSQL
 *
 * Doors: every socket that clients can come in by, on every worker.
 */
#ifndef PGSLUICE_ADMIN_DOORS_H
#define PGSLUICE_ADMIN_DOORS_H

#include "conf/conf.h"
#include "net/listener.h"

struct doors;

/* Sockets that another process of ours has handed over. */
enum door_kind {
	DOOR_BOUND,     /* by an address of its configuration */
	DOOR_INHERITED, /* from the service manager */
	DOOR_HTTP,
	DOOR_KINDS
};
struct given_door {
	int fd;
	enum door_kind kind;
	bool used; /* its descriptor belongs to somebody else now */
};
struct given_doors {
	struct given_door *v;
	unsigned n;
};
#define GIVEN_DOORS_MAX 16384u

/* fd is g's from now on. false: it does not listen, or there are too many. */
bool given_doors_add(struct given_doors *g, int fd, enum door_kind kind)
    PG_MUST_CHECK;
/* One that is not used, of this kind and at this address, of which port 0 is
 * any; used then. -1: there is none. */
int given_doors_take(struct given_doors *g, enum door_kind kind,
    const struct sockaddr *sa, socklen_t len);
/* Close what was not used; a socket file of it goes. */
void given_doors_end(struct given_doors *g);
/* Forget all of them: the other process goes on with them. */
void given_doors_drop(struct given_doors *g);

/* Bind what the configuration says, or take over n inherited sockets (first,
 * first + 1, ...) instead. Those of given that fit are used in place of new
 * ones. Before the workers start. NULL with one line in why: what, where and
 * what to do. */
struct doors *doors_open(const struct conf *c, struct worker *const *workers,
    unsigned n_workers, int first, int n, struct given_doors *given,
    listener_accept_cb cb, char *why, size_t why_size) PG_MUST_CHECK;
/* Each socket once or more; the descriptors stay ours. Control thread, before
 * doors_close(). */
void doors_each(const struct doors *d, void (*fn)(void *arg, int fd,
    enum door_kind kind), void *arg);
/* Another process has them all: the socket file is its own now. */
void doors_disown(struct doors *d);
/* "127.0.0.1:6432,/run/pgsluice/.s.PGSQL.6432" */
const char *doors_text(const struct doors *d);
/* Stop accepting: each worker closes its own. */
void doors_close(struct doors *d);
/* After the workers have ended. */
void doors_free(struct doors **d);

#endif
