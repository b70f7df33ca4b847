/* SPDX-License-Identifier: PostgreSQL
 *
 * Subscriptions of sessions to channels: for listen.c and notify.c only.
 *
 * All of it belongs to one worker.  Every subscription is owed one
 * hub_release().
 */
#ifndef PGSLUICE_SESSION_LISTEN_H
#define PGSLUICE_SESSION_LISTEN_H

#include "session/session_priv.h"

/* Those of this worker's sessions that want a channel of a hub. */
struct listen_channel {
	struct htab_node node;
	struct hub *hub;
	TAILQ_HEAD(, subscription) subscriptions;
	char name[CHANNEL_MAX];
};

struct subscription {
	TAILQ_ENTRY(subscription) link; /* of the session */
	TAILQ_ENTRY(subscription) peer; /* of the channel */
	struct session *s;
	struct listen_channel *c;
	bool active; /* its LISTEN is committed */
};

/* One LISTEN or UNLISTEN that is not yet committed. */
struct listen_op {
	TAILQ_ENTRY(listen_op) link;
	struct subscription *sub; /* LISTEN; NULL: UNLISTEN */
	bool behind_savepoint;
	char name[CHANNEL_MAX];   /* UNLISTEN; "": all */
};
TAILQ_HEAD(op_list, listen_op);

struct listening {
	struct hub *hub;
	TAILQ_HEAD(, subscription) subscriptions;
	unsigned n;
	struct op_list asked; /* of the statement that waits for the hub */
	struct op_list noted; /* UNLISTEN that a server is doing */
	struct op_list done;  /* to take effect at COMMIT */
	uint64_t ticket;      /* of the statement that waits */
	unsigned owed;        /* answers that it waits for */
	bool heard;           /* they are all there */
	bool failed;          /* an error came since the last ReadyForQuery */
	bool overflow;        /* there was no memory for one */
	struct buf queue;     /* notifications to be sent */
	bool queued;          /* on the worker's list of those */
	TAILQ_ENTRY(listening) link;
	struct session *s;
};

struct listen_worker {
	struct session_worker *sw;
	struct htab channels;
	TAILQ_HEAD(, listening) queued;
	struct deferred turn;
	bool turning;
};

struct listen_channel *listen_channel_find(struct listen_worker *lw,
    const struct hub *h, struct slice name);
/* The session's committed subscription to a channel, or NULL. */
struct subscription *listen_subscription(const struct session *s,
    const char *name);

#endif
