/* SPDX-License-Identifier: PostgreSQL
 *
 * Ending the threads in an order in which nothing gets lost.
 *
 * Attempts to connect and cancel requests end with a message to a worker, so
 * the workers outlive the connectors; and because a worker must not ask a
 * stopped connector for anything, pools are paused and ticks are off before.
 * Messages of one sender keep their order, and a worker that has run one of
 * ours has run all that were in its mailbox before.
 */
#include "admin/ending.h"

#include <stdlib.h>

#include "auth/lookup.h"
#include "auth/work.h"
#include "backend/connector.h"
#include "backend/pool.h"
#include "base/log.h"
#include "feed/feed.h"
#include "layout/job.h"
#include "layout/checks.h"
#include "layout/standby.h"
#include "layout/watch.h"
#include "session/layer.h"

/* How long libpq's attempts under way may take to end by themselves. */
#define SETTLE_TIME (2 * NSEC_PER_SEC)

static const struct timespec ending_pause = { 0, 2 * 1000 * 1000 };
static atomic_uint ending_acks;

static void
ending_close_server(struct server *s, void *arg PG_UNUSED)
{
	server_close(s, NULL);
}

static void
ending_close_all(struct worker *w, struct message *m)
{
	free(m);
	session_drain(w, DRAIN_NOW);
	server_each(w, ending_close_server, NULL);
	atomic_fetch_add(&ending_acks, 1);
}

static void
ending_stop_worker(struct worker *w, struct message *m)
{
	free(m);
	server_each(w, ending_close_server, NULL);
	worker_stop(w);
}

static void
ending_tell(struct worker *const *workers, unsigned n,
    void (*run)(struct worker *w, struct message *m))
{
	struct message *m;
	unsigned i;

	for (i = 0; i < n; i++) {
		m = x_calloc(1, sizeof(*m));
		m->run = run;
		worker_post(workers[i], m);
	}
}

static void
ending_count(const struct pool_info *i, void *arg)
{
	*(unsigned *)arg += i->connecting;
}

static void
ending_settle(void)
{
	nsec_t until = clock_mono() + SETTLE_TIME;
	unsigned connecting;

	for (;;) {
		connecting = 0;
		pool_each(ending_count, &connecting);
		if (connecting == 0)
			return;
		if (clock_mono() > until)
			break;
		nanosleep(&ending_pause, NULL);
	}
	log_info("main", "msg=\"giving up attempts to connect\" attempts=%u",
	    connecting);
}

void
ending_run(struct worker *const *workers, unsigned n)
{
	unsigned i;

	atomic_store(&ending_acks, 0);
	(void)pool_pause_all(true);
	ending_tell(workers, n, ending_close_all);
	while (atomic_load(&ending_acks) < n)
		nanosleep(&ending_pause, NULL);
	ending_settle();
	connector_stop();
	auth_work_stop();
	lookup_stop();
	layout_stop();
	feed_stop();
	watch_stop();
	standby_stop();
	checks_stop();
	ending_tell(workers, n, ending_stop_worker);
	for (i = 0; i < n; i++)
		worker_join(workers[i]);
}
