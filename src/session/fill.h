/* SPDX-License-Identifier: PostgreSQL
 *
 * One session's dealings with the cache for the statement at hand: looking it
 * up, waiting for another's fill, asking L2, recording a reply, storing it.
 */
#ifndef PGSLUICE_SESSION_FILL_H
#define PGSLUICE_SESSION_FILL_H

#include "cache/live.h"
#include "session/session_priv.h"

/* What the session is at allows the unit u to be cached; else *why. */
bool fill_may(struct session *s, const struct unit *u,
    const struct statement *stmt, enum bypass_reason *why) PG_MUST_CHECK;
/* Then: its key. */
void fill_make_key(struct session *s, const struct unit *u, struct slice sql,
    const struct statement *stmt, struct cache_key *k);
/* A key for q in the unit u; false: nothing to look up here and now. *why says
 * why if a rule might otherwise apply. */
bool fill_key(struct session *s, const struct unit *u, struct slice sql,
    const struct statement *stmt, struct cache_key *k,
    enum bypass_reason *why) PG_MUST_CHECK;
/* Exact-bytes lookup; true: answered. */
bool fill_hit(struct session *s, const struct unit *u,
    struct statement *stmt, const struct cache_key *k) PG_MUST_CHECK;

/* What was fetched before that is too old for the session. */
nsec_t fill_since(const struct session *s);

/* Does somebody vouch for what the plan's rule stores? live: who, of a strong
 * one. */
enum bypass_reason fill_vouched(const struct session *s,
    struct route_plan *p, const struct live_set **live);

enum fill_result {
	FILL_ANSWERED, /* the client has its reply */
	FILL_WAIT,     /* state is LOOKUP or FILL_WAIT */
	FILL_RUN       /* ask a server (s->fill records, or is NULL) */
};
/* After a miss, with q routed and cacheable. */
enum fill_result fill_begin(struct session *s, const struct unit *u,
    const struct query *q, const struct cache_key *k) PG_MUST_CHECK;
/* The server that will run it, or a part of it, was leased: may its reply be
 * stored? */
void fill_server(struct session *s, const struct server *srv);
/* Bytes of the reply as they go to the client. */
void fill_record(struct session *s, const char *p, size_t n);
/* The reply is complete (ReadyForQuery with this status was forwarded). */
void fill_finish(struct session *s, char status);
/* Give up whatever there is: others may fill. */
void fill_drop(struct session *s);
/* Give up, counting why. */
void fill_spoil(struct session *s, enum bypass_reason why);
/* No server could be had for the unit u, which leads a fill: true, and it has been
 * answered with what L1 still has. */
bool fill_stale(struct session *s, const struct unit *u,
    const struct pool_error *why) PG_MUST_CHECK;
/* The unit waited and was answered from the cache: its Parse has taken effect. false: the
 * session closed. */
bool fill_names(struct session *s, const struct unit *u) PG_MUST_CHECK;
/* FILL_WAIT for too long. */
void fill_wait_over(struct session *s);
/* A lookup in L2 took longer than cache_fill_wait. */
void fill_lookup_over(struct session *s);

#endif
