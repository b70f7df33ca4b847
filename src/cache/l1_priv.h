/* SPDX-License-Identifier: PostgreSQL
 *
 * What l1.c shares with its helpers: the entry of a key, the eviction
 * queues (l1_fifo.c), the running fill with its waiters (l1_fill.c) and the memo.
 * Nothing here locks: all of it belongs to one stripe and runs under the lock
 * of that stripe, l1_fill_finish() excepted.
 */
#ifndef PGSLUICE_CACHE_L1_PRIV_H
#define PGSLUICE_CACHE_L1_PRIV_H

#include <sys/queue.h>

#include "base/htab.h"
#include "cache/l1.h"

enum l1_queue { L1_SMALL, L1_MAIN };
#define L1_FREQ_MAX 3
#define L1_FREQ_HOT 2 /* hits that make it worth fetching ahead of time */

struct l1_entry { /* one key; lives while it has an object or a fill */
	struct htab_node node;
	TAILQ_ENTRY(l1_entry) link, account; /* valid while obj is set */
	struct object *obj;
	struct l1_fill *fill;
	uint8_t freq;               /* hits since it was queued, saturating */
	uint8_t queue;              /* enum l1_queue, of the last object */
	bool renewed;               /* obj is being fetched anew, or was in vain */
};
TAILQ_HEAD(l1_entries, l1_entry);

/* Bytes an object is charged with: itself, its entry, the allocator's headers
 * of both and its share of the table's slots (at most two a node). */
#define L1_OVERHEAD (sizeof(struct l1_entry) + 4 * sizeof(void *) + \
	2 * sizeof(void *))
static inline size_t
l1_cost(const struct object *o)
{
	return o->size + L1_OVERHEAD;
}

/* --- l1_fifo.c: S3-FIFO ------------------------------------------------ */

struct l1_ghost {
	uint32_t print; /* of a key's hash */
	uint32_t seq;   /* when it was evicted, counted in evictions */
};

struct l1_fifo {
	struct l1_entries queue[2]; /* by enum l1_queue; newest first */
	size_t bytes[2], objects[2];
	size_t share;               /* the stripe's part of the budget */
	struct l1_ghost *ghost;
	size_t ghost_mask;
	uint32_t ghost_seq;
};

void l1_fifo_init(struct l1_fifo *f, size_t share);
void l1_fifo_fini(struct l1_fifo *f); /* queues must be empty */
void l1_fifo_set_share(struct l1_fifo *f, size_t share);
static inline size_t
l1_fifo_bytes(const struct l1_fifo *f)
{
	return f->bytes[L1_SMALL] + f->bytes[L1_MAIN];
}
/* e->obj was just set: queue it, in the main queue if asked or if its key was
 * evicted not long ago. */
void l1_fifo_add(struct l1_fifo *f, struct l1_entry *e, bool into_main);
/* Before e->obj is taken away. */
void l1_fifo_remove(struct l1_fifo *f, struct l1_entry *e);
void l1_fifo_remember(struct l1_fifo *f, const struct hash128 *h);
/* Choose what to evict, dead objects first where they are met, and take it
 * out of its queue. NULL: nothing is left. */
struct l1_entry *l1_fifo_victim(struct l1_fifo *f, nsec_t now);

/* --- l1_account.c: what tenants take ------------------------------------ */

#define L1_ACCOUNTS 128

struct l1_accounts {
	struct l1_account {
		struct l1_entries entries; /* newest first */
		size_t bytes;
	} account[L1_ACCOUNTS];
};

void l1_accounts_init(struct l1_accounts *a);
/* e->obj was just set. */
void l1_account_add(struct l1_accounts *a, struct l1_entry *e);
/* Before e->obj is taken away. */
void l1_account_remove(struct l1_accounts *a, struct l1_entry *e);
/* What has to go so that the account of o, which is not over limit, can take it, the first
 * of several; NULL: nothing. */
struct l1_entry *l1_account_victim(struct l1_accounts *a,
    const struct object *o, size_t limit);

/* --- l1_memo.c: keys beyond their objects ------------------------------- */

struct l1_pass {
	uint64_t print; /* of the key's hash */
	nsec_t until;   /* 0: not yet */
	bool once;      /* ... but it happened once */
};

struct l1_last {
	uint64_t print; /* of the key's hash */
	nsec_t wall;    /* fetched_wall of the youngest answer that is not here */
	nsec_t mono;    /* ... fetched_mono, of those that never were; or 0 */
};

/* A slot each, by hash: of two keys in one the later is remembered. */
struct l1_memo { /* zeroed at first */
	struct l1_pass pass[64];
	struct l1_last last[128];
};

/* Nobody is to wait for a fill of k. */
bool l1_memo_passes(const struct l1_memo *m, const struct cache_key *k,
    nsec_t now);
/* A fill's result could not be shared, see l1_refuse(); or it could. */
void l1_memo_refused(struct l1_memo *m, const struct cache_key *k,
    bool certain, nsec_t now);
void l1_memo_shared(struct l1_memo *m, const struct cache_key *k);
/* See l1_answered(); mono: 0 for an object that leaves. */
void l1_memo_answer(struct l1_memo *m, const struct cache_key *k, nsec_t wall,
    nsec_t mono);
bool l1_memo_younger(const struct l1_memo *m, const struct cache_key *k,
    nsec_t wall);
/* Somebody was answered with younger data than o, past it. */
bool l1_memo_outruns(const struct l1_memo *m, const struct object *o);

/* --- l1_fill.c: one running fill and who waits for it ------------------ */

#define L1_WAITERS_MAX 100000

struct l1_slot {
	struct l1_waiter waiter;
	uint32_t epoch;
	bool gone; /* forgotten: to be skipped */
};

struct l1_fill {
	struct cache_key key; /* slices point behind the struct */
	uint32_t epoch;       /* flushes since the fill began */
	size_t first, end;    /* slot[first, end) may hold waiters */
	size_t gone;          /* how many of these do not */
	size_t size;          /* allocated slots */
	struct l1_slot *slot;
};

struct l1_fill *l1_fill_new(const struct cache_key *k) PG_MUST_CHECK;
/* false: too many already, or out of memory. */
bool l1_fill_wait(struct l1_fill *f, struct l1_waiter w) PG_MUST_CHECK;
bool l1_fill_forget(struct l1_fill *f, struct l1_waiter w);
/* Wake all with o (NULL: with nothing) and free the fill. Those who came
 * after a flush get nothing: o is older than the flush. wake may be NULL.
 * Returns how many got o.
 * Called without the stripe's lock, once the fill is out of the table. */
unsigned l1_fill_finish(struct l1_fill *f, struct object *o, l1_wake_cb wake,
    void *arg);

#endif
