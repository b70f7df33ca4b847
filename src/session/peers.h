/* SPDX-License-Identifier: PostgreSQL
 *
 * Cancel requests that belong to another node: passed on to the peer whose
 * number the key carries.
 *
 * A key's pid is the node's number and 23 random bits; the secret is all
 * random.  What is passed on is the client's request with one byte behind the
 * key, the mark: who gets it looks among its own clients and never passes it
 * on, so that no list of peers, however wrong, makes a loop.  The peer closes
 * the connection when the request is through, and so do we with the client's.
 *
 *   client -- CancelRequest --> node 1 -- the same, marked --> node 2
 *          <------ closed -----        <------- closed -------
 *
 * A peer that is dead, or slower than PEER_TIME, costs its requests: they are
 * dropped and counted, and who asked is told as little as by PostgreSQL.
 */
#ifndef PGSLUICE_SESSION_PEERS_H
#define PGSLUICE_SESSION_PEERS_H

#include "session/session_priv.h"

#define PEER_KEY_BITS 23 /* of a key's pid that are random */

#define PEER_TIME (3 * NSEC_PER_SEC)
#define PEER_OPEN_MAX 64      /* requests on their way to one peer, */
#define PEERS_OPEN_MAX 256    /* ... to all; more are dropped */

/* The pid of a new key; node 0: random as a whole. */
uint32_t peers_key_pid(unsigned node);
/* Is this key marked, as one that was passed on? */
bool peers_is_marked(size_t key_len);
/* s is a CancelRequest with a key that is nobody's here. true: it is a peer's,
 * and s is closed now or when the request is through. false: it is not. */
bool peers_take(struct session *s, uint32_t pid, const char *key, size_t n);

/* At each tick: give up what takes too long. */
void peers_tick(struct session_worker *sw, nsec_t now);
/* Give up all. */
void peers_stop(struct session_worker *sw);

enum peer_state { PEER_NEW, PEER_UP, PEER_DOWN }; /* at the last request */
struct peers_info {
	const struct conf_peer *peer;
	bool self;          /* it is this process */
	enum peer_state state;
	nsec_t ago;         /* when that was; 0 if new */
	const char *error;  /* down: why; else "" */
	unsigned open;      /* requests on their way */
	uint64_t passed, failed, dropped;
};
/* All of c, any thread. */
void peers_each(const struct conf *c,
    void (*fn)(const struct peers_info *i, void *arg), void *arg);

#endif
