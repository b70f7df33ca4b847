/* SPDX-License-Identifier: PostgreSQL
 *
 * Set of prepared statements of one server, with an LRU order.  Knows hashes,
 * not SQL.
 */
#include "backend/prepared.h"

#include <stdlib.h>

struct prepared_entry {
	struct htab_node node;
	TAILQ_ENTRY(prepared_entry) lru;
	struct hash128 hash;
	unsigned group; /* of the Parse that was sent last */
	enum { SENT, THERE, DOUBTFUL } known;
};

void
prepared_init(struct prepared *p)
{
	htab_init(&p->tab);
	TAILQ_INIT(&p->lru);
}

void
prepared_clear(struct prepared *p)
{
	struct prepared_entry *e;

	while ((e = TAILQ_FIRST(&p->lru)) != NULL) {
		TAILQ_REMOVE(&p->lru, e, lru);
		free(e);
	}
	htab_fini(&p->tab);
	htab_init(&p->tab);
}

static struct prepared_entry *
prepared_find(struct prepared *p, struct hash128 h)
{
	struct htab_node *n;
	struct prepared_entry *e;

	for (n = htab_find(&p->tab, h.lo); n != NULL; n = htab_next(n)) {
		e = htab_entry(n, struct prepared_entry, node);
		if (hash_eq(e->hash, h))
			return e;
	}
	return NULL;
}

/* As prepared_find(); marks it as used. */
static struct prepared_entry *
prepared_use(struct prepared *p, struct hash128 h)
{
	struct prepared_entry *e = prepared_find(p, h);

	if (e != NULL && TAILQ_FIRST(&p->lru) != e) {
		TAILQ_REMOVE(&p->lru, e, lru);
		TAILQ_INSERT_HEAD(&p->lru, e, lru);
	}
	return e;
}

bool
prepared_has(struct prepared *p, struct hash128 h)
{
	return prepared_use(p, h) != NULL;
}

static struct prepared_entry *
prepared_get(struct prepared *p, struct hash128 h)
{
	struct prepared_entry *e = prepared_use(p, h);

	if (e != NULL)
		return e;
	e = x_calloc(1, sizeof(*e));
	e->hash = h;
	htab_insert(&p->tab, &e->node, h.lo);
	TAILQ_INSERT_HEAD(&p->lru, e, lru);
	return e;
}

void
prepared_add(struct prepared *p, struct hash128 h)
{
	prepared_get(p, h)->known = THERE;
}

enum prepared_state
prepared_state(struct prepared *p, struct hash128 h, unsigned group)
{
	struct prepared_entry *e = prepared_use(p, h);

	if (e == NULL)
		return PREPARED_ABSENT;
	return e->known == THERE || (e->known == SENT && e->group == group) ?
	    PREPARED_HELD : PREPARED_UNSURE;
}

void
prepared_sent(struct prepared *p, struct hash128 h, unsigned group)
{
	struct prepared_entry *e = prepared_get(p, h);

	e->group = group;
	e->known = SENT;
}

void
prepared_answered(struct prepared *p, struct hash128 h, bool there)
{
	struct prepared_entry *e = prepared_find(p, h);

	if (e != NULL)
		e->known = there ? THERE : DOUBTFUL;
}

void
prepared_doubt(struct prepared *p)
{
	struct prepared_entry *e;

	TAILQ_FOREACH(e, &p->lru, lru)
		e->known = DOUBTFUL;
}

void
prepared_remove(struct prepared *p, struct hash128 h)
{
	struct prepared_entry *e = prepared_find(p, h);

	if (e == NULL)
		return;
	htab_remove(&p->tab, &e->node);
	TAILQ_REMOVE(&p->lru, e, lru);
	free(e);
}

bool
prepared_evict(struct prepared *p, size_t limit, struct hash128 *out)
{
	struct prepared_entry *e;

	if (p->tab.count <= limit)
		return false;
	e = TAILQ_LAST(&p->lru, prepared_list);
	*out = e->hash;
	prepared_remove(p, e->hash);
	return true;
}

void
prepared_name(struct hash128 h, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const char *prefix = PREPARED_PREFIX;
	int i;

	while (*prefix != '\0')
		*out++ = *prefix++;
	for (i = 60; i >= 0; i -= 4)
		*out++ = digits[(h.hi >> i) & 15];
	for (i = 60; i >= 0; i -= 4)
		*out++ = digits[(h.lo >> i) & 15];
	*out = '\0';
}
