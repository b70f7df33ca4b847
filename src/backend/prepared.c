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

bool
prepared_has(struct prepared *p, struct hash128 h)
{
	struct prepared_entry *e = prepared_find(p, h);

	if (e == NULL)
		return false;
	if (TAILQ_FIRST(&p->lru) != e) {
		TAILQ_REMOVE(&p->lru, e, lru);
		TAILQ_INSERT_HEAD(&p->lru, e, lru);
	}
	return true;
}

void
prepared_add(struct prepared *p, struct hash128 h)
{
	struct prepared_entry *e;

	if (prepared_has(p, h))
		return;
	e = x_calloc(1, sizeof(*e));
	e->hash = h;
	htab_insert(&p->tab, &e->node, h.lo);
	TAILQ_INSERT_HEAD(&p->lru, e, lru);
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
	const char *prefix = "pgsluice_";
	int i;

	while (*prefix != '\0')
		*out++ = *prefix++;
	for (i = 60; i >= 0; i -= 4)
		*out++ = digits[(h.hi >> i) & 15];
	for (i = 60; i >= 0; i -= 4)
		*out++ = digits[(h.lo >> i) & 15];
	*out = '\0';
}
