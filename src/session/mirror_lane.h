/* SPDX-License-Identifier: PostgreSQL
 *
 * An arm's way to its mirrored writes: taken from the mirror one by one, in
 * order, and run by servers of the session that wrote them.
 *
 *   asleep --woken by a message--> next --> steps, one backend each --> done --> next
 *                                    \--> there is none: asleep
 *
 * Each arm of each experiment has at most one lane, on a worker that is chosen by
 * their numbers.  It waits for servers in the queues in which sessions wait.  What
 * the arm says is compared with what the control has said by command tags, which
 * tell how many rows were concerned; where it differs, or fails, it is counted and
 * kept as a sample, and the lane goes on.  Runs on that worker.
 */
#ifndef PGSLUICE_SESSION_MIRROR_LANE_H
#define PGSLUICE_SESSION_MIRROR_LANE_H

#include "session/session_priv.h"

#define LANE_TAG 48 /* of a command tag that counts rows */

/* One transaction for one arm. */
struct lane_work;
struct lane_work *lane_work_new(const struct conf_experiment *e,
    unsigned arm) PG_MUST_CHECK;
/* What is added next is for another backend, in a transaction of its own. */
void lane_work_begin(struct lane_work *x);
/* Takes ask over. tag: what the control said. */
void lane_work_add(struct lane_work *x, struct aside *ask, const char *tag,
    unsigned shape, uint64_t digest);
void lane_work_free(void *x); /* mirror_free_cb */

/* Any worker's thread. arms: a set, by bit, as mirror_settle() returns it. */
void lane_wake(const struct conf_experiment *e, unsigned arms);

void lane_tick(struct session_worker *sw, nsec_t now);
/* The worker ends: what has not been given is lost. */
void lane_stop(struct session_worker *sw);

#endif
