/* SPDX-License-Identifier: PostgreSQL
 *
 * Preloaded into the daemon: a wall clock that jumps when a test says so.
 *
 * The seconds by which it is wrong stand, as an int64_t, in a file that is
 * given by $CHAOS_CLOCK.  The monotonic clock is what it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t *wrong_by;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

static void __attribute__((constructor))
start(void)
{
	const char *name = getenv("CHAOS_CLOCK");
	int fd = name != NULL ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	void *p;

	*(void **)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*wrong_by), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		wrong_by = p;
}

int
clock_gettime(clockid_t clock, struct timespec *t)
{
	int r;

	if (real_clock_gettime == NULL)
		start();
	r = real_clock_gettime(clock, t);
	if (r == 0 && wrong_by != NULL &&
	    (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		t->tv_sec += atomic_load(wrong_by);
	return r;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &t) != 0)
		return -1;
	*tv = (struct timeval){ .tv_sec = t.tv_sec,
		.tv_usec = t.tv_nsec / 1000 };
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec t;

	if (clock_gettime(CLOCK_REALTIME, &t) != 0)
		return -1;
	if (out != NULL)
		*out = t.tv_sec;
	return t.tv_sec;
}
