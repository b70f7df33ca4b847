/* SPDX-License-Identifier: PostgreSQL
 *
 * Intrusive chained hash table.  The user embeds a struct htab_node and gives
 * a 64-bit hash that is already keyed (base/hash.h); equality is the caller's
 * through htab_next().  Grows by doubling; never shrinks.  Not thread safe.
 */
#ifndef PGSLUICE_BASE_HTAB_H
#define PGSLUICE_BASE_HTAB_H

#include <stddef.h>
#include <stdint.h>

struct htab_node {
	struct htab_node *next;
	uint64_t hash;
};

struct htab {
	struct htab_node **slots; /* NULL until the first insert */
	size_t mask;
	size_t count;
};

#define htab_entry(node, type, member) \
	((type *)(void *)((char *)(node) - offsetof(type, member)))

void htab_init(struct htab *t);
void htab_fini(struct htab *t); /* frees slots only; must be empty or abandoned */
void htab_insert(struct htab *t, struct htab_node *n, uint64_t hash);
void htab_remove(struct htab *t, struct htab_node *n); /* must be present */
/* First node with this hash, or NULL; then the next one with the same hash. */
struct htab_node *htab_find(const struct htab *t, uint64_t hash);
struct htab_node *htab_next(const struct htab_node *n);
/* Call fn for every node; fn may remove and free the node it is given. */
void htab_each(struct htab *t, void (*fn)(struct htab_node *, void *), void *arg);
/* The same for the nodes of n slots from slot on. Returns the slot that follows,
 * 0: there is none. */
size_t htab_some(struct htab *t, size_t slot, size_t n,
    void (*fn)(struct htab_node *, void *), void *arg);

#endif
