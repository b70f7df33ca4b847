/* SPDX-License-Identifier: PostgreSQL
 *
 * The break-even governor of the cache.
 *
 * Sets of a few shapes each; their ids stand apart, so that looking one up
 * touches one line of memory.  Invariant: ids[i] is shapes[i].id.
 */
#include "cache/worth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETS 256
#define WAYS 4
#define TURNS_MAX 10       /* samples live for windows << turns at most */
#define SAMPLE_WINDOWS 32
#define MEAN_OF 16         /* a running mean's weight of one */
#define OUTLIER 8          /* it counts as at most so many means */

struct worth {
	uint64_t ids[SETS][WAYS];
	struct worth_shape shapes[SETS][WAYS];
	uint64_t asks;
	unsigned passed;
};

struct worth *
worth_new(void)
{
	return x_calloc(1, sizeof(struct worth));
}

void
worth_free(struct worth **w)
{
	free(*w);
	*w = NULL;
}

static struct worth_shape *
worth_find(const struct worth *w, uint64_t id)
{
	unsigned set = id % SETS, i;

	for (i = 0; i < WAYS && id != 0; i++)
		if (w->ids[set][i] == id)
			return (struct worth_shape *)(uintptr_t)
			    &w->shapes[set][i];
	return NULL;
}

/* Make room in the set for one more. */
static struct worth_shape *
worth_place(struct worth *w, uint64_t id)
{
	unsigned set = id % SETS, i, oldest = 0;
	struct worth_shape *s;

	for (i = 1; i < WAYS; i++)
		if (w->shapes[set][i].used < w->shapes[set][oldest].used)
			oldest = i;
	w->ids[set][oldest] = id;
	s = &w->shapes[set][oldest];
	w->passed -= s->passed;
	*s = (struct worth_shape){ .id = id };
	return s;
}

/* A late turn of the machine is not what a statement costs. */
static void
worth_mean(nsec_t *mean, nsec_t one)
{
	if (*mean == 0) {
		*mean = one;
		return;
	}
	if (one > OUTLIER * *mean)
		one = OUTLIER * *mean;
	*mean = *mean - *mean / MEAN_OF + one / MEAN_OF;
}

static bool
worth_in_sample(const struct worth_shape *s, const struct hash128 *key)
{
	return (key->hi + s->turns) % WORTH_SAMPLE == 0;
}

static void
worth_judge(struct worth_shape *s)
{
	double with = (double)s->origin + (double)s->added, need = 0;

	if (with > (double)s->hit)
		need = (double)s->added / (with - (double)s->hit);
	else if (with > 0)
		need = 1;
	s->ratio = (uint16_t)(s->hits * 10000ull / s->lookups);
	s->need = (uint16_t)(need > 1 ? 10000 : need * 10000);
	s->judged = true;
	s->lookups = s->hits = 0;
}

static void
worth_window_stored(struct worth_shape *s)
{
	s->bad = s->ratio <= s->need ? s->bad + 1 : 0;
	if (s->bad < WORTH_BAD)
		return;
	s->passed = true;
	s->bad = 0;
	s->windows = 0;
}

/* Stored again when it pays twice over: few probes tell little. */
static void
worth_window_passed(struct worth_shape *s)
{
	unsigned turns = s->turns < TURNS_MAX ? s->turns : TURNS_MAX;

	if (s->ratio > 2u * s->need) {
		s->passed = false;
		s->turns = 0;
	} else if (++s->windows >= (uint32_t)SAMPLE_WINDOWS << turns) {
		s->windows = 0;
		s->turns++;
	}
}

/* One more lookup has been counted. */
static void
worth_counted(struct worth *w, struct worth_shape *s)
{
	if (s->lookups < (s->passed ? WORTH_PROBES : WORTH_WINDOW))
		return;
	worth_judge(s);
	w->passed -= s->passed;
	if (s->passed)
		worth_window_passed(s);
	else
		worth_window_stored(s);
	w->passed += s->passed;
}

/* A place whose value was cut out has a control character; text may be cut, and in
 * any encoding. */
static void
worth_name(struct worth_shape *s, struct slice text, const char *rule)
{
	size_t n = text.n < WORTH_TEXT ? text.n : WORTH_TEXT - 1, i;

	for (i = 0; i < n; i++)
		s->text[i] = text.p[i] < ' ' || text.p[i] > '~' ? '?' :
		    text.p[i];
	snprintf(s->rule, sizeof(s->rule), "%s", rule);
}

bool
worth_ask(struct worth *w, uint64_t id, const struct hash128 *key,
    struct slice text, const char *rule)
{
	struct worth_shape *s = worth_find(w, id);

	if (id == 0)
		return true;
	if (s == NULL) {
		s = worth_place(w, id);
		worth_name(s, text, rule);
	}
	s->used = ++w->asks;
	s->all_lookups++;
	if (s->passed && !worth_in_sample(s, key)) {
		s->all_passed++;
		return false;
	}
	s->lookups++;
	worth_counted(w, s);
	return true;
}

void
worth_undo(struct worth *w, uint64_t id)
{
	struct worth_shape *s = worth_find(w, id);

	if (s == NULL)
		return;
	if (s->all_lookups > 0)
		s->all_lookups--;
	if (s->lookups > s->hits)
		s->lookups--;
}

void
worth_found(struct worth *w, uint64_t id)
{
	struct worth_shape *s = worth_find(w, id);

	if (s == NULL)
		return;
	s->all_hits++;
	if (s->hits < s->lookups)
		s->hits++;
}

void
worth_hit(struct worth *w, uint64_t id, const struct hash128 *key,
    nsec_t took)
{
	struct worth_shape *s = worth_find(w, id);

	if (s == NULL)
		return;
	s->all_lookups++;
	s->all_hits++;
	worth_mean(&s->hit, took);
	/* It was stored before the shape was passed by. */
	if (unlikely(s->passed) && !worth_in_sample(s, key))
		return;
	s->lookups++;
	s->hits++;
	worth_counted(w, s);
}

void
worth_stored(struct worth *w, uint64_t id, nsec_t origin, nsec_t added)
{
	struct worth_shape *s = worth_find(w, id);

	if (s == NULL)
		return;
	worth_mean(&s->origin, origin);
	worth_mean(&s->added, added);
}

unsigned
worth_passed(const struct worth *w)
{
	return w->passed;
}

void
worth_each(const struct worth *w,
    void (*fn)(const struct worth_shape *s, void *arg), void *arg)
{
	unsigned set, i;

	for (set = 0; set < SETS; set++)
		for (i = 0; i < WAYS; i++)
			if (w->ids[set][i] != 0)
				fn(&w->shapes[set][i], arg);
}
