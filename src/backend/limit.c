/* SPDX-License-Identifier: PostgreSQL
 *
 * Limits over many pools.
 *
 * Knows counts and names, not pools.  Any thread.
 */
#include "backend/limit.h"

#include <stdlib.h>
#include <string.h>

static TAILQ_HEAD(, limit) all = TAILQ_HEAD_INITIALIZER(all);

/* ---- finding ------------------------------------------------------------- */

struct limit *
limit_get(enum limit_kind kind, const char *name)
{
	size_t n = strlen(name) + 1;
	struct limit *l;

	TAILQ_FOREACH(l, &all, link)
		if (l->kind == kind && strcmp(l->name, name) == 0)
			break;
	if (l == NULL) {
		l = x_calloc(1, sizeof(*l) + n);
		l->kind = kind;
		memcpy(l->name, name, n);
		TAILQ_INSERT_TAIL(&all, l, link);
	}
	l->refs++;
	return l;
}

void
limit_put(struct limit **lp)
{
	struct limit *l = *lp;

	*lp = NULL;
	if (l == NULL || --l->refs > 0)
		return;
	TAILQ_REMOVE(&all, l, link);
	free(l);
}

/* ---- counting ------------------------------------------------------------ */

/* Another pool may look at the same time: the count never passes the maximum. */
static bool
limit_take(struct limit *l)
{
	int64_t max = atomic_load(&l->max);
	int used = atomic_load(&l->used);

	do {
		if (max != 0 && used >= max)
			return false;
	} while (!atomic_compare_exchange_weak(&l->used, &used, used + 1));
	return true;
}

static void
limit_note_short(struct limit *l, nsec_t since)
{
	nsec_t was = atomic_load(&l->short_since);

	while (was == 0 || since < was)
		if (atomic_compare_exchange_weak(&l->short_since, &was, since))
			break;
}

bool
limits_take(const struct limits *l, nsec_t since)
{
	int i;

	for (i = 0; i < LIMIT_KINDS; i++)
		if (!limit_take(l->of[i])) {
			limit_note_short(l->of[i], since);
			while (i-- > 0)
				atomic_fetch_sub(&l->of[i]->used, 1);
			return false;
		}
	return true;
}

bool
limits_give(const struct limits *l)
{
	int i;

	for (i = 0; i < LIMIT_KINDS; i++)
		CHECK(atomic_fetch_sub(&l->of[i]->used, 1) > 0);
	return limits_short_since(l) != 0;
}

void
limits_leave(const struct limits *l, int by)
{
	int i;

	for (i = 0; i < LIMIT_KINDS; i++)
		atomic_fetch_add(&l->of[i]->leaving, by);
}

/* ---- questions ----------------------------------------------------------- */

bool
limits_over(const struct limits *l)
{
	int64_t max;
	int i;

	for (i = 0; i < LIMIT_KINDS; i++) {
		max = atomic_load_explicit(&l->of[i]->max,
		    memory_order_relaxed);
		if (max != 0 && atomic_load(&l->of[i]->used) -
		    atomic_load(&l->of[i]->leaving) > max)
			return true;
	}
	return false;
}

nsec_t
limits_short_since(const struct limits *l)
{
	nsec_t first = 0, since;
	int i;

	for (i = 0; i < LIMIT_KINDS; i++) {
		since = atomic_load_explicit(&l->of[i]->short_since,
		    memory_order_relaxed);
		if (since != 0 && (first == 0 || since < first))
			first = since;
	}
	return first;
}

void
limits_clear_short(const struct limits *l)
{
	int i;

	for (i = 0; i < LIMIT_KINDS; i++)
		atomic_store(&l->of[i]->short_since, 0);
}

static bool
limit_full(const struct limit *l)
{
	int64_t max = atomic_load(&l->max);

	return max != 0 && atomic_load(&l->used) >= max;
}

bool
limits_full(const struct limits *l)
{
	return limits_share_full(l, l);
}

bool
limits_share_full(const struct limits *a, const struct limits *b)
{
	int i;

	for (i = 0; i < LIMIT_KINDS; i++)
		if (a->of[i] == b->of[i] && limit_full(a->of[i]))
			return true;
	return false;
}
