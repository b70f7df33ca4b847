/* SPDX-License-Identifier: PostgreSQL
 *
 * Worker threads: one libevent loop each, a mailbox, and end-of-turn reclaim.
 *
 * Nothing but mailbox messages crosses from thread to thread here.  A message
 * is a struct the sender allocates with struct message as first member; its
 * run function is its type, and it owns the message from then on.  Objects
 * closed inside one of their own callbacks are handed to worker_defer() and
 * freed when the stack has unwound.
 */
#ifndef PGSLUICE_RUN_WORKER_H
#define PGSLUICE_RUN_WORKER_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "base/check.h"
#include "base/clock.h"
#include "stats/metrics.h"

struct worker;

struct message {
	STAILQ_ENTRY(message) next;
	void (*run)(struct worker *w, struct message *m); /* frees m */
};
STAILQ_HEAD(message_list, message);

struct deferred {
	STAILQ_ENTRY(deferred) next;
	void (*run)(struct deferred *d);
};

#define WORKER_SCRATCH (128 * 1024)

struct worker {
	uint32_t magic;
#define WORKER_MAGIC 0x3042ce12u
	unsigned id;
	pthread_t thread;
	struct event_base *base;
	struct metrics *metrics;
	char *scratch; /* WORKER_SCRATCH bytes: what a read returned; valid
	                  until the next read on this worker */
	void *sessions; /* the session layer's state of this worker */
	nsec_t now;     /* as last read on this thread, at most a tick ago: for
	                   what need not be exact */
	_Atomic uint64_t beats; /* advances while the loop is alive */

	/* private to worker.c */
	pthread_mutex_t lock;
	struct message_list inbox;
	int wake_fd, tick_fd;
	struct event wake_ev, tick_ev, reclaim_ev;
	STAILQ_HEAD(, deferred) deferred;
	nsec_t tick_due; /* when the next one should run */
	void (*tick)(struct worker *w, nsec_t now);
};

/* Make a worker (no thread yet). id counts from 0. */
struct worker *worker_new(unsigned id) PG_MUST_CHECK;
/* Start its thread; tick runs on it about every 100 ms. */
void worker_start(struct worker *w, size_t stack,
    void (*tick)(struct worker *w, nsec_t now));
/* Leave the loop after this turn; on the worker's own thread. */
void worker_stop(struct worker *w);
void worker_join(struct worker *w);
void worker_free(struct worker **w);

/* Any thread: queue m for w. Order is kept per sender. */
void worker_post(struct worker *w, struct message *m);
/* Own thread: run d at the end of this turn. */
void worker_defer(struct worker *w, struct deferred *d);

/* A persistent event on the worker's base; the struct is the caller's. */
void worker_event_set(struct worker *w, struct event *ev, int fd, short what,
    event_callback_fn fn, void *arg);

#endif
