/* SPDX-License-Identifier: PostgreSQL
 *
 * How long event loops are busy: a library to be preloaded.
 *
 * Takes the place of epoll_wait() and measures from its return to the next
 * call: one turn of a loop, during which its thread serves nobody else.  CPU
 * time counts what the thread did, elapsed time also what else the machine was
 * doing.  When the process ends, the file that TURNS names gets one line: the
 * longest turn by either measure, in microseconds, of all threads that made at
 * least TURNS_MIN turns, and their number of turns.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#define TURNS_MIN 1000 /* leaves out loops that do next to nothing */
#define THREADS_MAX 64

struct turns {
	uint64_t cpu, elapsed;  /* when the turn began; 0: none has */
	uint64_t most_cpu, most_elapsed, n;
};

static struct turns threads[THREADS_MAX];
static atomic_uint used;
static _Thread_local struct turns *mine;

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
turn_ends(struct turns *t)
{
	uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - t->cpu;
	uint64_t elapsed = clock_ns(CLOCK_MONOTONIC) - t->elapsed;

	if (cpu > t->most_cpu)
		t->most_cpu = cpu;
	if (elapsed > t->most_elapsed)
		t->most_elapsed = elapsed;
	t->n++;
}

int
epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
	static int (*real)(int, struct epoll_event *, int, int);
	unsigned i;
	int r;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "epoll_wait");
	if (mine == NULL && (i = atomic_fetch_add(&used, 1)) < THREADS_MAX)
		mine = &threads[i];
	if (mine != NULL && mine->elapsed != 0)
		turn_ends(mine);
	r = real(fd, events, n, timeout);
	if (mine != NULL) {
		mine->cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		mine->elapsed = clock_ns(CLOCK_MONOTONIC);
	}
	return r;
}

__attribute__((destructor)) static void
turns_report(void)
{
	const char *path = getenv("TURNS");
	FILE *f = path != NULL ? fopen(path, "w") : NULL;
	struct turns all = { 0 };

	if (f == NULL)
		return;
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		if (threads[i].n < TURNS_MIN)
			continue;
		if (threads[i].most_cpu > all.most_cpu)
			all.most_cpu = threads[i].most_cpu;
		if (threads[i].most_elapsed > all.most_elapsed)
			all.most_elapsed = threads[i].most_elapsed;
		all.n += threads[i].n;
	}
	fprintf(f, "cpu=%.0f elapsed=%.0f turns=%lu\n",
	    (double)all.most_cpu / 1e3, (double)all.most_elapsed / 1e3,
	    (unsigned long)all.n);
	fclose(f);
}
