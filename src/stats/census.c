/* SPDX-License-Identifier: PostgreSQL
 *
 * Counting statements by shape.
 *
 * A list in order of use beside the table tells who goes: of the few at its
 * end the one with the fewest calls, so that a flood of shapes that come once
 * does not push out those that come again.
 */
#include "stats/census.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define VICTIMS 16

struct census {
	struct htab table;
	TAILQ_HEAD(census_list, census_shape) used; /* last first */
	size_t limit;
};

struct census *
census_new(void)
{
	struct census *c = x_calloc(1, sizeof(*c));

	htab_init(&c->table);
	TAILQ_INIT(&c->used);
	return c;
}

static void
census_drop(struct census *c, struct census_shape *s)
{
	htab_remove(&c->table, &s->node);
	TAILQ_REMOVE(&c->used, s, link);
	free(s);
}

static void
census_make_room(struct census *c, size_t room)
{
	struct census_shape *s, *least;
	unsigned i;

	while (c->table.count > 0 && c->table.count + room > c->limit) {
		least = s = TAILQ_LAST(&c->used, census_list);
		for (i = 1; i < VICTIMS && s != NULL; i++) {
			if (s->calls < least->calls)
				least = s;
			s = TAILQ_PREV(s, census_list, link);
		}
		census_drop(c, least);
	}
}

void
census_limit(struct census *c, size_t limit)
{
	c->limit = limit;
	census_make_room(c, 0);
}

void
census_clear(struct census *c)
{
	struct census_shape *s;

	while ((s = TAILQ_FIRST(&c->used)) != NULL)
		census_drop(c, s);
}

void
census_free(struct census **cp)
{
	struct census *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	census_clear(c);
	htab_fini(&c->table);
	free(c);
}

struct census_shape *
census_find(struct census *c, uint64_t id)
{
	struct htab_node *n = htab_find(&c->table, id);

	return n != NULL ? htab_entry(n, struct census_shape, node) : NULL;
}

struct census_shape *
census_add(struct census *c, uint64_t id, uint64_t fingerprint,
    const char *database, struct slice text)
{
	struct census_shape *s;

	CHECK(c->limit > 0);
	census_make_room(c, 1);
	s = x_calloc(1, sizeof(*s));
	s->fingerprint = fingerprint;
	s->database = database;
	s->route = "";
	if (text.n >= sizeof(s->text))
		text.n = sizeof(s->text) - 1;
	if (text.n > 0)
		memcpy(s->text, text.p, text.n);
	htab_insert(&c->table, &s->node, id);
	TAILQ_INSERT_HEAD(&c->used, s, link);
	return s;
}

void
census_count(struct census *c, struct census_shape *s,
    const struct census_call *call)
{
	s->calls += call->statements;
	s->errors += call->failed;
	s->rows += call->rows;
	s->bytes += call->bytes;
	s->outcomes[call->outcome] += call->statements;
	s->route = call->route;
	if (call->took > s->longest)
		s->longest = call->took;
	hist_record(&s->time, call->took);
	if (s != TAILQ_FIRST(&c->used)) {
		TAILQ_REMOVE(&c->used, s, link);
		TAILQ_INSERT_HEAD(&c->used, s, link);
	}
}

void
census_each(const struct census *c,
    void (*fn)(const struct census_shape *s, void *arg), void *arg)
{
	const struct census_shape *s;

	TAILQ_FOREACH(s, &c->used, link)
		fn(s, arg);
}
