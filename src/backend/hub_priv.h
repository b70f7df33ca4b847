/* SPDX-License-Identifier: PostgreSQL
 *
 * One hub: for the hub*.c files only.
 */
#ifndef PGSLUICE_BACKEND_HUB_PRIV_H
#define PGSLUICE_BACKEND_HUB_PRIV_H

#include "backend/hub.h"
#include "backend/outlet.h"

struct channel {
	struct htab_node node;
	TAILQ_ENTRY(channel) link; /* idle list */
	bool idle;
	bool listening;   /* LISTEN was sent on this connection */
	uint64_t batch;   /* the last one that names it */
	unsigned asks, total;
	char name[CHANNEL_MAX];
	unsigned refs[];  /* subscriptions, by worker */
};

struct ask {
	STAILQ_ENTRY(ask) next;
	struct channel *c;
	unsigned worker;
	uint64_t session, ticket;
};
STAILQ_HEAD(ask_list, ask);

struct hub {
	uint32_t magic;
#define HUB_MAGIC 0x115e4e21u
	TAILQ_ENTRY(hub) link;
	struct pool *pool;
	struct worker *w;
	struct pool_waiter waiter;
	bool leasing, stopped, busy, turning;
	struct server *server;
	struct htab channels;
	TAILQ_HEAD(, channel) idle;
	struct ask_list waiting, sent;
	uint64_t batch, notifications;
	unsigned *refs;           /* subscriptions, by worker */
	char sqlstate[6], why[200]; /* of the batch under way, if refused */
	struct outlets out;
	struct deferred turn;
};

TAILQ_HEAD(hub_list, hub);
struct hub_table {
	pthread_mutex_t lock; /* guards all and count */
	struct hub_list all;
	struct worker *const *workers;
	unsigned n_workers, count;
	hub_cb cb;
};
extern struct hub_table hub_table;

/* ---- hub.c ------------------------------------------------------------- */
struct channel *hub_channel(struct hub *h, struct slice name);
/* Look at everything anew at the end of this turn. */
void hub_later(struct hub *h);
void hub_turn(struct deferred *d);
/* Answer a list of requests: sqlstate NULL: they were heard. */
void hub_answer(struct hub *h, struct ask_list *list, const char *sqlstate,
    const char *why);
/* The server is gone, or not to be used any more. */
void hub_lose(struct hub *h, const char *why);
/* The server that was waited for. */
void hub_got(struct hub *h, struct server *s);
/* outlets.relieved */
void hub_relieved(struct outlets *o);

/* ---- hub_server.c -------------------------------------------------------- */
extern const struct server_ops hub_server_ops;

#endif
