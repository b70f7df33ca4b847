/* SPDX-License-Identifier: PostgreSQL
 *
 * Counters and latency series: interning of series, recording, sums.
 *
 * Knows no worker and no configuration.  struct metrics has one writer, its
 * worker; anyone may read it meanwhile.  Series names are interned under a
 * lock by whoever makes plans and are never freed or changed afterwards, so
 * that series_get() needs no lock: the count is published after the name.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "stats/metrics.h"

/* The last number is kept for all that no longer fits. */
#define SERIES_OTHER (SERIES_MAX - 1)

static pthread_mutex_t series_lock = PTHREAD_MUTEX_INITIALIZER;
static struct series_name series_names[SERIES_MAX];
static _Atomic unsigned series_used;

struct metrics *
metrics_new(void)
{
	return x_calloc(1, sizeof(struct metrics));
}

void
metrics_free(struct metrics **mp)
{
	struct metrics *m = *mp;
	unsigned i;

	if (m == NULL)
		return;
	*mp = NULL;
	for (i = 0; i < SERIES_MAX; i++) {
		free(atomic_load_explicit(&m->series[i],
		    memory_order_relaxed));
		free(atomic_load_explicit(&m->exemplars[i],
		    memory_order_relaxed));
	}
	free(m);
}

/* ------------------------------------------------------------ series */

static bool
series_is(const struct series_name *s, const char *route, const char *variant,
    const char *backend, const char *outcome)
{
	return strcmp(s->route, route) == 0 &&
	    strcmp(s->variant, variant) == 0 &&
	    strcmp(s->backend, backend) == 0 &&
	    strcmp(s->outcome, outcome) == 0;
}

static void
series_set(unsigned id, const char *route, const char *variant,
    const char *backend, const char *outcome)
{
	series_names[id] = (struct series_name){
		.route = x_strdup(route),
		.variant = x_strdup(variant),
		.backend = x_strdup(backend),
		.outcome = x_strdup(outcome),
	};
	atomic_store_explicit(&series_used, id + 1, memory_order_release);
}

/* A walk over all names: plans are made once a shape, and a configuration has
 * tens of series, not thousands. */
unsigned
series_intern(const char *route, const char *variant, const char *backend,
    const char *outcome)
{
	unsigned id, used;

	route = route != NULL ? route : "";
	variant = variant != NULL ? variant : "";
	backend = backend != NULL ? backend : "";
	outcome = outcome != NULL ? outcome : "";
	CHECK(pthread_mutex_lock(&series_lock) == 0);
	used = atomic_load_explicit(&series_used, memory_order_relaxed);
	for (id = 0; id < used; id++)
		if (series_is(&series_names[id], route, variant, backend,
		    outcome))
			break;
	if (id == used && id < SERIES_OTHER)
		series_set(id, route, variant, backend, outcome);
	else if (id == used && id == SERIES_OTHER)
		series_set(id, "other", "other", "other", "other");
	else if (id == used)
		id = SERIES_OTHER;
	CHECK(pthread_mutex_unlock(&series_lock) == 0);
	return id;
}

unsigned
series_count(void)
{
	return atomic_load_explicit(&series_used, memory_order_acquire);
}

const struct series_name *
series_get(unsigned id)
{
	CHECK(id < series_count());
	return &series_names[id];
}

/* ------------------------------------------------------------ recording */

void
metrics_time(struct metrics *m, unsigned series, nsec_t elapsed)
{
	struct hist *h;

	CHECK(series < SERIES_MAX);
	h = atomic_load_explicit(&m->series[series], memory_order_relaxed);
	if (unlikely(h == NULL)) {
		h = x_calloc(1, sizeof(*h));
		atomic_store_explicit(&m->series[series], h,
		    memory_order_release);
	}
	hist_record(h, elapsed);
}

/* ------------------------------------------------------------ reading */

static uint64_t
metrics_load(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

void
metrics_sum_counters(struct metrics *const *all, unsigned n,
    void (*fn)(void *arg, const char *name, const char *help, uint64_t v),
    void *arg)
{
	uint64_t sum;
	unsigned i;

#define COUNTER(name, help) \
	sum = 0; \
	for (i = 0; i < n; i++) \
		sum += metrics_load(&all[i]->c.name); \
	fn(arg, #name, help, sum);
#include "tbl/counters.h"
}

void
metrics_sum_series(struct metrics *const *all, unsigned n, unsigned series,
    struct hist_view *out)
{
	const struct hist *h;
	unsigned i;

	CHECK(series < SERIES_MAX);
	memset(out, 0, sizeof(*out));
	for (i = 0; i < n; i++) {
		h = atomic_load_explicit(&all[i]->series[series],
		    memory_order_acquire);
		if (h != NULL)
			hist_merge(out, h);
	}
}
