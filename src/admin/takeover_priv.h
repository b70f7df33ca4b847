/* SPDX-License-Identifier: PostgreSQL
 *
 * What the two processes of a takeover say to each other: for takeover.c and
 * succession.c.
 */
#ifndef PGSLUICE_ADMIN_TAKEOVER_PRIV_H
#define PGSLUICE_ADMIN_TAKEOVER_PRIV_H

#include "conf/conf.h"
#include "pgwire/msgread.h"
#include "run/channel.h"

#define TAKEOVER_VERSION 1

/* Types of messages; numbers are in network order. */
#define TAKEOVER_HELLO 'H'   /* version 4, pid 4; memory */
#define TAKEOVER_DOOR 'D'    /* enum door_kind 4; socket */
#define TAKEOVER_GO 'G'
#define TAKEOVER_FAILED 'F'  /* text */
#define TAKEOVER_OURS 'Y'    /* an accord: it is about to serve by that */
#define TAKEOVER_RESULTS 'W' /* of its L1, as cache/warm.h says */
#define TAKEOVER_AGREED 'O'  /* the answer: 1 if both go by the same, else 0 */
#define TAKEOVER_READY 'R'
#define TAKEOVER_SESSION 'S' /* a parcel; its connection */
#define TAKEOVER_CANCEL 'C'  /* request 8, pid 4, key; the answer: request 8 */
#define TAKEOVER_END 'E'     /* STAY_REASON_COUNT times 4 */

/* Of results, in bytes: both keep to it. */
#define TAKEOVER_RESULTS_MAX (64u << 20)
static inline size_t
takeover_results_max(const struct conf *c)
{
	return (size_t)c->cache_memory / 4 < TAKEOVER_RESULTS_MAX ?
	    (size_t)c->cache_memory / 4 : TAKEOVER_RESULTS_MAX;
}

static inline void
takeover_put(char *out, uint32_t v)
{
	out[0] = (char)(v >> 24);
	out[1] = (char)(v >> 16);
	out[2] = (char)(v >> 8);
	out[3] = (char)v;
}

static inline void
takeover_put64(char *out, uint64_t v)
{
	takeover_put(out, (uint32_t)(v >> 32));
	takeover_put(out + 4, (uint32_t)v);
}

static inline uint64_t
takeover_get64(struct msgread *r)
{
	uint64_t high = msgread_u32(r);

	return high << 32 | msgread_u32(r);
}

#endif
