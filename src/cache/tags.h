/* SPDX-License-Identifier: PostgreSQL
 *
 * Tags and their generations: what cached results depend on.
 *
 * A fixed array of atomic counters; a tag is a slot chosen by the hash of a
 * table's bare name (schema left out: a collision costs a needless miss, never
 * a stale hit).  Slot 0 is "everything".  Bumping is one increment, from any
 * thread; reading is one relaxed-acquire load.
 */
#ifndef PGSLUICE_CACHE_TAGS_H
#define PGSLUICE_CACHE_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t tag_t;
#define TAG_SLOTS 65536u
#define TAG_ALL 0u
#define TAGSET_MAX 17 /* ROUTE_MAX_DEPS and TAG_ALL */

tag_t tag_of_table(const char *bare_name); /* the same in every process */
uint64_t tag_generation(tag_t t);
void tag_bump(tag_t t);

/* Tags with the generations seen at one moment. */
struct tagset {
	unsigned n;
	tag_t tag[TAGSET_MAX];
	uint64_t gen[TAGSET_MAX];
};
void tagset_init(struct tagset *s);       /* holds TAG_ALL only */
void tagset_add(struct tagset *s, tag_t t); /* no duplicates; full: becomes always-stale */
void tagset_record(struct tagset *s);     /* note the generations of now */
bool tagset_current(const struct tagset *s); /* none has moved */

#endif
