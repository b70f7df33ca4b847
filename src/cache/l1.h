/* SPDX-License-Identifier: PostgreSQL
 *
 * L1: the in-process store.  Striped locks, each stripe a hash table with S3-FIFO
 * eviction under its share of the byte budget; objects are shared by
 * reference.  At most one fill per key runs at a time: the first to claim a
 * missing key leads, others wait and are woken with the object or with NULL
 * (then each decides anew).  Any thread.  Locks are never held over a callback.
 */
#ifndef PGSLUICE_CACHE_L1_H
#define PGSLUICE_CACHE_L1_H

#include "cache/object.h"

struct l1;

struct l1_waiter { /* who waits: opaque to us */
	unsigned worker;
	uint64_t session;
	uint64_t ticket; /* of this one wait: a wake that comes late must not
	                    be taken for that of the next */
	nsec_t since;    /* objects fetched earlier are not for it */
};

/* wake: called outside locks, on the thread that publishes or abandons; obj
 * (may be NULL) comes with a reference of its own. */
typedef void (*l1_wake_cb)(void *arg, struct l1_waiter w, struct object *obj);

struct l1 *l1_new(size_t budget, size_t max_object, l1_wake_cb wake,
    void *arg) PG_MUST_CHECK;
void l1_free(struct l1 **l);
void l1_set_limits(struct l1 *l, size_t budget, size_t max_object);
/* Percent of the budget that objects of one tenant may take: when there are more, the
 * oldest of its own go. Tenants are told apart by o->tenant, a hash; some may share
 * a share. 100, as it begins: no limit. */
void l1_set_tenant_share(struct l1 *l, unsigned percent);

/* Hot path: a live object (fresh, tags unmoved, key equal) with a reference,
 * or NULL. Takes one stripe lock, allocates nothing. An object in grace is
 * returned only while its key is being filled, one that is to be renewed and was
 * hit before not by the first who asks. */
struct object *l1_get(struct l1 *l, const struct cache_key *k, nsec_t now);

/* How long what a key of this hash has will be fresh; 0: it has nothing that is.
 * Nothing is counted by it. */
nsec_t l1_left(struct l1 *l, const struct hash128 *hash, nsec_t now);

/* Somebody is answered with what was fetched then, and it is not kept: objects
 * that are older, or will be when their fill ends, are not served, lest they
 * lead sessions back in time. */
void l1_answered(struct l1 *l, const struct cache_key *k, nsec_t wall,
    nsec_t mono);
/* What was fetched after wall has been here or was answered with, as far as is
 * remembered: an older object from elsewhere would lead sessions back in time. */
bool l1_had_younger(struct l1 *l, const struct cache_key *k, nsec_t wall);

enum l1_claim {
	L1_HIT,
	L1_LEAD,
	L1_RENEW, /* lead, though there is an object: it ends soon */
	L1_WAIT,
	L1_PASS, /* its results could not be shared of late: run it, as ALONE */
	L1_ALONE /* no room to wait or lead: run it, do not publish or abandon */
};
/* After a miss: look again and, if still missing, lead or wait. On L1_HIT
 * *obj has a reference. On L1_WAIT the waiter is queued and will be woken
 * exactly once, unless l1_forget() removes it first. An object in grace makes
 * the first caller lead and the others hit. A leader must end with
 * l1_publish(), l1_abandon() or l1_refuse(). */
enum l1_claim l1_claim(struct l1 *l, const struct cache_key *k, nsec_t now,
    struct l1_waiter w, struct object **obj) PG_MUST_CHECK;
/* Store (if its time is not over, it is current, and not larger than the limits) and wake. Takes
 * no reference from the caller. Waiters get the object even if it was not stored. */
/* false: meanwhile its like was to be dropped (l1_flush(), l1_drop()). */
bool l1_publish(struct l1 *l, struct object *o, nsec_t now);
/* What the key had, of which only its time may be over; or NULL. For when no server can
 * be had: until o->stale_until. With a reference. */
struct object *l1_stale(struct l1 *l, const struct cache_key *k,
    nsec_t now) PG_MUST_CHECK;
/* The fill came to nothing: waiters are woken with NULL. */
void l1_abandon(struct l1 *l, const struct cache_key *k);
/* The same, but they get o, of l1_stale(). Returns how many. */
unsigned l1_abandon_with(struct l1 *l, struct object *o);
/* The same, because of what the result is: nobody is to wait for such a fill for a
 * while. certain: the next would end the same way; else it takes two in a row. */
void l1_refuse(struct l1 *l, const struct cache_key *k, bool certain,
    nsec_t now);
/* The waiter went away (or timed out). true: it was removed and will not be woken. */
bool l1_forget(struct l1 *l, const struct cache_key *k, struct l1_waiter w);
/* Drop everything (FLUSH CACHE); fills in flight will not be stored (they are published to their waiters only). */
void l1_flush(struct l1 *l);

/* Drop objects by name, a part of the store a call. */
struct l1_drop {
	struct slice pattern; /* of key.name, see cache/glob.h; borrowed */
	uint64_t dropped;
	/* private; zero at the start */
	unsigned stripe;
	size_t slot, mask;
};
/* false: all has been looked at. Fills under way that are called so are not
 * stored, those that begin behind it are. */
bool l1_drop(struct l1 *l, struct l1_drop *d) PG_MUST_CHECK;

/* A part of the store, from 0 on: up to max of its results that are fresh and
 * were asked for again, those in use for longest first, with references. false:
 * there is no such part. For some 100 us. */
#define L1_USED_MAX 2048
unsigned l1_parts(const struct l1 *l);
bool l1_used(struct l1 *l, unsigned part, nsec_t now,
    struct object *out[L1_USED_MAX], size_t *n) PG_MUST_CHECK;

struct l1_stats {
	uint64_t objects, bytes, busy, inserts, evictions, expired, stale;
	uint64_t tenant_evictions; /* not among evictions */
};
void l1_stats(struct l1 *l, struct l1_stats *st);

#endif
