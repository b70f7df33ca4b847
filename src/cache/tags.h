/* SPDX-License-Identifier: PostgreSQL
 *
 * Tags and their generations: what cached results depend on.
 *
 * A fixed array of atomic counters; a tag is a slot chosen by a hash (schemas are
 * left out: a collision costs a needless miss, never a stale hit).  Slot 0 is
 * "everything".  Bumping is one increment, from any thread; reading is one
 * relaxed-acquire load.
 *
 * A result depends on a whole table, by its tag; or on the rows with certain
 * values in one of its columns, by the tags of these values and that of the
 * column.  A write bumps the table, and for each column by which results may
 * be told apart either the values of all rows that it touches, as they were
 * and as they are, or the column.
 */
#ifndef PGSLUICE_CACHE_TAGS_H
#define PGSLUICE_CACHE_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/shared.h"

typedef uint32_t tag_t;
#define TAG_SLOTS 262144u
#define TAG_ALL 0u
#define TAGSET_MAX 17 /* ROUTE_MAX_DEPS and TAG_ALL */

/* The same in every process. */
tag_t tag_of_table(const char *bare_name);
tag_t tag_of_column(const char *bare_name, const char *column);
/* value: equal ones give the same; a hash, or the number of a month. */
tag_t tag_of_value(const char *bare_name, const char *column, uint64_t value);
/* The counters, for the process that takes over. */
struct shared_region tags_region(void);
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
