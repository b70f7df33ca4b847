/* SPDX-License-Identifier: PostgreSQL
 *
 * Time sources.  Ages and timeouts use the monotonic clock only; the wall
 * clock is for humans and for data shared with other processes (Redis).
 */
#ifndef PGSLUICE_BASE_CLOCK_H
#define PGSLUICE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

typedef uint64_t nsec_t; /* nanoseconds */
#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

static inline nsec_t
clock_mono(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (nsec_t)t.tv_sec * NSEC_PER_SEC + (nsec_t)t.tv_nsec;
}

static inline nsec_t
clock_wall(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (nsec_t)t.tv_sec * NSEC_PER_SEC + (nsec_t)t.tv_nsec;
}

#endif
