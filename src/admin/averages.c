/* SPDX-License-Identifier: PostgreSQL
 *
 * Keeps each database's totals as they were when the period began, and what
 * the period before it brought.
 *
 * One writer, any reader; one short lock, a leaf.
 */
#include "admin/averages.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct average {
	const struct dbstate *d;
	struct dbtotals then, last;
};

static struct {
	pthread_mutex_t lock;
	struct average *v;
	size_t n;
	nsec_t began, length;
} averages = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
averages_init(nsec_t now)
{
	averages.began = now;
}

void
averages_fini(void)
{
	free(averages.v);
	averages.v = NULL;
	averages.n = 0;
	averages.length = 0;
}

/* Under the lock. NULL: not seen at the begin of a period. */
static struct average *
averages_find(const struct dbstate *d)
{
	size_t i;

	for (i = 0; i < averages.n; i++)
		if (averages.v[i].d == d)
			return &averages.v[i];
	return NULL;
}

/* Under the lock. One that has come up since then counts from nought. */
static struct average *
averages_add(const struct dbstate *d)
{
	struct average *bigger = realloc(averages.v,
	    (averages.n + 1) * sizeof(*bigger));

	CHECK(bigger != NULL);
	averages.v = bigger;
	memset(&bigger[averages.n], 0, sizeof(*bigger));
	bigger[averages.n].d = d;
	return &bigger[averages.n++];
}

static void
averages_turn(struct dbstate *d, void *arg PG_UNUSED)
{
	struct dbtotals now;
	struct average *a;

	dbstate_totals(d, &now);
	pthread_mutex_lock(&averages.lock);
	a = averages_find(d);
	if (a == NULL)
		a = averages_add(d);
	a->last = (struct dbtotals){
#define DBSTAT(name) .name = now.name - a->then.name,
#include "tbl/dbstats.h"
	};
	a->then = now;
	pthread_mutex_unlock(&averages.lock);
}

void
averages_tick(nsec_t now, nsec_t period)
{
	if (now - averages.began < period)
		return;
	dbstate_each(averages_turn, NULL);
	pthread_mutex_lock(&averages.lock);
	averages.length = now - averages.began;
	averages.began = now;
	pthread_mutex_unlock(&averages.lock);
}

nsec_t
averages_get(const struct dbstate *d, struct dbtotals *out)
{
	const struct average *a;
	nsec_t length;

	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&averages.lock);
	a = averages_find(d);
	if (a != NULL)
		*out = a->last;
	length = averages.length;
	pthread_mutex_unlock(&averages.lock);
	return length;
}
