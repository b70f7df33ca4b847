/* SPDX-License-Identifier: PostgreSQL
 *
 * Threads for authentication: one queue, a lock, a condition.
 *
 * Knows nothing of what jobs do.  The threads give way to workers: they run
 * at a lower priority, since whoever logs in can wait a little longer and
 * whoever is logged in should not.  The lock is a leaf and is not held while
 * a job runs.  When all stops, jobs that wait are handed back undone.
 */
#include "auth/work.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AUTH_WORK_NICE 5

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	STAILQ_HEAD(, auth_job) queue;
	unsigned length;
	bool running;
	pthread_t *threads;
	unsigned n;
} work = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.more = PTHREAD_COND_INITIALIZER };

static void *
auth_work_main(void *arg PG_UNUSED)
{
	struct auth_job *j;
	bool running;

	/* Linux: of this thread alone. It may be forbidden; no matter. */
	(void)!setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid),
	    getpriority(PRIO_PROCESS, 0) + AUTH_WORK_NICE);
	for (;;) {
		pthread_mutex_lock(&work.lock);
		while (STAILQ_EMPTY(&work.queue) && work.running)
			pthread_cond_wait(&work.more, &work.lock);
		j = STAILQ_FIRST(&work.queue);
		if (j != NULL) {
			STAILQ_REMOVE_HEAD(&work.queue, next);
			work.length--;
		}
		running = work.running;
		pthread_mutex_unlock(&work.lock);
		if (j == NULL)
			return NULL;
		if (running)
			j->work(j);
		worker_post(j->w, &j->done);
	}
}

bool
auth_work_submit(struct auth_job *j)
{
	bool taken;

	pthread_mutex_lock(&work.lock);
	taken = work.running && work.length < AUTH_WORK_MAX;
	if (taken) {
		STAILQ_INSERT_TAIL(&work.queue, j, next);
		work.length++;
		pthread_cond_signal(&work.more);
	}
	pthread_mutex_unlock(&work.lock);
	return taken;
}

void
auth_work_start(unsigned threads)
{
	unsigned i;

	STAILQ_INIT(&work.queue);
	work.running = true;
	work.n = threads;
	work.threads = x_calloc(threads, sizeof(*work.threads));
	for (i = 0; i < threads; i++)
		CHECK(pthread_create(&work.threads[i], NULL, auth_work_main,
		    NULL) == 0);
}

void
auth_work_stop(void)
{
	unsigned i;

	pthread_mutex_lock(&work.lock);
	work.running = false;
	pthread_cond_broadcast(&work.more);
	pthread_mutex_unlock(&work.lock);
	for (i = 0; i < work.n; i++)
		CHECK(pthread_join(work.threads[i], NULL) == 0);
	free(work.threads);
	work.threads = NULL;
	work.n = 0;
}
