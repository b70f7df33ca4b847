/* SPDX-License-Identifier: PostgreSQL
 *
 * Writes of the control on their way to the other arms: one order for all.
 *
 *   take: a number, before the commit is sent --> open
 *     --> settled: committed, with what each arm is given, or nothing
 *           --> each arm takes them one by one in the order of numbers,
 *               as soon as none before is open
 *
 * Why the order is that of the control: of two transactions that touch the same
 * row the second finds the row locked until the first has committed.  So if its
 * number is taken when its last write has been answered, that is after the
 * first one's number, which was taken before its commit was sent.  What does
 * not meet may have any order.
 *
 * Knows nothing of servers and statements.  Any thread; one lock, innermost,
 * held for a few pointers.  Invariant: an arm has at most one that it has taken
 * and not done.
 */
#ifndef PGSLUICE_EXPERIMENT_MIRROR_H
#define PGSLUICE_EXPERIMENT_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "experiment/assign.h"

struct mirror;

/* Frees what an arm was to be given. */
typedef void mirror_free_cb(void *what);

/* One reference. At most max_waiting transactions of at most max_bytes. */
struct mirror *mirror_new(unsigned n_arms, size_t max_waiting,
    size_t max_bytes, mirror_free_cb *free_what) PG_MUST_CHECK;
struct mirror *mirror_ref(struct mirror *m);
void mirror_unref(struct mirror **m); /* NULL is fine */

/* A number, from 1 on. *crowded: other numbers are open. */
uint64_t mirror_take(struct mirror *m, bool *crowded) PG_MUST_CHECK;
/* No other is open, and none was taken since. */
bool mirror_is_alone(struct mirror *m, uint64_t number);
/* What became of it; what[arm] is taken over, NULL: nothing for this arm; what
 * NULL: nothing for any.  bytes: its size. Returns the set of arms, by bit, whose
 * owners must be woken: they sleep, and have something to do. */
unsigned mirror_settle(struct mirror *m, uint64_t number,
    void *const what[ARMS_MAX], size_t bytes) PG_MUST_CHECK;

/* The arm's next; NULL: there is none now, and its owner sleeps until it is woken.
 * Not before the one taken last is done. */
void *mirror_next(struct mirror *m, unsigned arm) PG_MUST_CHECK;
/* It has been given; the owner has freed it. */
void mirror_done(struct mirror *m, unsigned arm);

/* All up to this number the arm has, or need not have. */
uint64_t mirror_applied(const struct mirror *m, unsigned arm);
/* Transactions that the arm has not got yet. */
uint64_t mirror_waiting(struct mirror *m, unsigned arm);
/* Nothing is given to anybody any more: all that waits goes, and so will what
 * comes. */
void mirror_break(struct mirror *m);
/* So it is, since there were too many or by the above. */
bool mirror_is_broken(const struct mirror *m);

#endif
