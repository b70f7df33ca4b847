/* SPDX-License-Identifier: PostgreSQL
 *
 * Hubs: one server that LISTENs for many sessions.
 *
 * There is at most one per pool, made for the purpose (its backend, user and
 * encoding).  It belongs to one worker, which alone talks to the server; other
 * workers ask by mailbox, and are told by mailbox, in records, in the order in
 * which things happened on the server.  A worker gets the next batch of records
 * when it has done the last one, so a slow one costs bounded memory: when much
 * waits for it, the server is not read.
 *
 * The server is leased while there are channels, and goes home when the last
 * one has gone.  When it is lost, every worker with sessions on it is told so:
 * what was sent meanwhile is not known, and nobody may be left to believe that
 * nothing was.  A hub lives as long as the process.
 */
#ifndef PGSLUICE_BACKEND_HUB_H
#define PGSLUICE_BACKEND_HUB_H

#include "backend/pool.h"

struct hub;

/* A record is framed like a message of the protocol: type, length, body. */
#define HUB_NOTE 'A'  /* NotificationResponse, as the client gets it */
#define HUB_HEARD 'h' /* session, ticket (8 bytes each): all that comes
                              from now on was sent after its LISTEN */
#define HUB_REFUSED 'r' /* session, ticket, SQLSTATE, text */
#define HUB_LOST 'x'  /* text: nothing is known of any channel any more */

#define CHANNEL_MAX 64 /* bytes of a channel's name, NUL included */

/* Runs on w: whole records, n bytes. */
typedef void (*hub_cb)(struct worker *w, struct hub *h,
    const char *p, size_t n);

/* Once, before workers start. */
void hub_init(struct worker *const *workers, unsigned n, hub_cb cb);
void hub_fini(void); /* after the workers have ended, before the pools */

/* The hub of this pool; takes a reference to the pool. Any thread. */
struct hub *hub_get(struct pool *p);
/* Any worker, for a session of its own: LISTEN. Answered by one record, HEARD
 * or REFUSED, or by LOST. Every call is owed a hub_release(), whatever the
 * answer. channel: shorter than CHANNEL_MAX. */
void hub_ask(struct hub *h, struct worker *from,
    const char *channel, uint64_t session, uint64_t ticket);
void hub_release(struct hub *h, struct worker *from,
    const char *channel);

/* What pools tell those that wait: false, if this is not one of ours. */
bool hub_granted(struct worker *w, uint64_t id, struct server *s);
bool hub_failed(struct worker *w, uint64_t id,
    const struct pool_error *why);
/* About once a second on each worker: servers that their pool has replaced. */
void hub_tick(struct worker *w);
/* On its worker, when the process ends: let go of all servers. */
void hub_stop(struct worker *w);

struct hub_info {
	const char *backend, *user;
	const char *state;   /* idle, connecting, listening */
	int server_pid;      /* or 0 */
	size_t channels, subscriptions;
	uint64_t notifications;
};
/* Hubs of w, on its thread. */
void hub_each(struct worker *w,
    void (*fn)(const struct hub_info *i, void *arg), void *arg);

#endif
