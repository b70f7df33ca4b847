/* SPDX-License-Identifier: PostgreSQL
 *
 * Snapshots and what they settle.
 *
 * Pure: memory and numbers.  Numbers of transactions are compared as
 * PostgreSQL does: those of the log wrap, and belong within 2^31 of the
 * snapshot's.
 */
#include "feed/settle.h"

#include <stdlib.h>
#include <string.h>

struct settle_entry {
	uint32_t xid;
	struct feed_tags tags;
};

bool
feed_tags_has(const struct feed_tags *t, tag_t tag)
{
	unsigned i;

	for (i = 0; i < t->n; i++)
		if (t->v[i] == tag)
			return true;
	return false;
}

void
feed_tags_add(struct feed_tags *t, tag_t tag)
{
	if (feed_tags_has(t, tag))
		return;
	if (t->n == FEED_TAGS_MAX)
		t->all = true;
	else
		t->v[t->n++] = tag;
}

/* ------------------------------------------------------------ snapshots */

static bool
snapshot_number(const char **p, uint64_t *out)
{
	const char *from = *p;
	uint64_t v = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++) {
		if (v > (UINT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (uint64_t)(**p - '0');
	}
	*out = v;
	return *p > from;
}

static bool
snapshot_running(struct snapshot *s, const char *p)
{
	size_t size = 0;
	uint64_t *more, v;

	for (;;) {
		if (!snapshot_number(&p, &v) || s->n == SNAPSHOT_MAX)
			return false;
		if (s->n == size) {
			size = size == 0 ? 64 : size * 2;
			more = realloc(s->running, size * sizeof(*more));
			if (more == NULL)
				return false;
			s->running = more;
		}
		s->running[s->n++] = v;
		if (*p == '\0')
			return true;
		if (*p++ != ',')
			return false;
	}
}

bool
snapshot_read(struct snapshot *s, const char *text)
{
	const char *p = text;

	*s = (struct snapshot){ .n = 0 };
	if (snapshot_number(&p, &s->xmin) && *p++ == ':' &&
	    snapshot_number(&p, &s->xmax) && *p++ == ':' &&
	    (*p == '\0' || snapshot_running(s, p)))
		return true;
	snapshot_fini(s);
	return false;
}

void
snapshot_fini(struct snapshot *s)
{
	free(s->running);
	*s = (struct snapshot){ .n = 0 };
}

bool
snapshot_done(const struct snapshot *s, uint32_t xid)
{
	uint64_t whole = s->xmax + (uint64_t)(int64_t)
	    (int32_t)(xid - (uint32_t)s->xmax);
	size_t i;

	if (whole >= s->xmax)
		return false;
	for (i = 0; whole >= s->xmin && i < s->n; i++)
		if (s->running[i] == whole)
			return false;
	return true;
}

/* ------------------------------------------------------------ commits */

void
settle_init(struct settle *s)
{
	*s = (struct settle){ .n = 0 };
}

void
settle_fini(struct settle *s)
{
	free(s->v);
	settle_init(s);
}

bool
settle_add(struct settle *s, uint32_t xid, const struct feed_tags *t)
{
	struct settle_entry *more;
	size_t size;

	if (s->n == SETTLE_MAX)
		return false;
	if (s->n == s->size) {
		size = s->size == 0 ? 16 : s->size * 2;
		more = realloc(s->v, size * sizeof(*more));
		if (more == NULL)
			return false;
		s->v = more;
		s->size = size;
	}
	s->v[s->n++] = (struct settle_entry){ xid, *t };
	return true;
}

void
settle_widen(struct settle *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		s->v[i].tags.all = true;
}

void
settle_take(struct settle *s, const struct snapshot *now,
    void (*fn)(void *arg, const struct feed_tags *t), void *arg)
{
	size_t i, left = 0;

	for (i = 0; i < s->n; i++) {
		if (snapshot_done(now, s->v[i].xid))
			fn(arg, &s->v[i].tags);
		else
			s->v[left++] = s->v[i];
	}
	s->n = left;
}
