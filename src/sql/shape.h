/* SPDX-License-Identifier: PostgreSQL
 *
 * Per-worker table from shape to analysis: a bounded LRU, so that a shape is
 * parsed once and recognised by hash afterwards.  Not thread safe; owned by
 * one worker.  A struct shape stays valid while it is referenced (non-atomic
 * count), also after eviction.
 */
#ifndef PGSLUICE_SQL_SHAPE_H
#define PGSLUICE_SQL_SHAPE_H

#include <sys/queue.h>

#include "base/htab.h"
#include "sql/analysis.h"
#include "sql/lex.h"
#include "sql/shape_match.h"

struct shape {
	struct htab_node node;
	TAILQ_ENTRY(shape) lru;
	unsigned refs;         /* the table holds one while linked */
	struct hash128 hash;
	char *text;            /* shape bytes, for comparison */
	size_t len;
	uint64_t fingerprint;  /* see shape_text.h; 0: of unparsed text */
	struct shape_marks marks;
	struct shape **recent; /* its place in shape_table.recent, or NULL */
	struct analysis *an;
	/* For the layer above: what it derived for this shape. Freed through
	 * shape_table.free_derived when the shape goes or is replaced. */
	void *derived;
};

/* Shapes met last, by the first bytes of their texts: tried before the lexer is
 * asked, because an application says the same over and over. */
#define SHAPE_RECENT_SETS 64
#define SHAPE_RECENT_WAYS 4
#define SHAPE_RECENT_KEY 16 /* bytes; a shorter text is lexed */

struct shape_table {
	struct htab tab;
	TAILQ_HEAD(shape_list, shape) lru; /* most recently used first */
	size_t limit;
	struct shape *unparsed; /* one for all text the lexer refuses */
	void (*free_derived)(void *);
	struct an_functions fns;
	uint64_t parses, hits, evictions;
	struct shape *recent[SHAPE_RECENT_SETS][SHAPE_RECENT_WAYS];
	unsigned next_way;
};

void shape_table_init(struct shape_table *t, size_t limit,
    void (*free_derived)(void *));
void shape_table_fini(struct shape_table *t);
/* Forget everything (the function lists or the configuration changed). */
void shape_table_clear(struct shape_table *t, const struct an_functions *fns);

/* Cut sql into lx->cuts and find or make its shape; other fields of lx are not
 * for the caller. Never NULL. The result is borrowed: valid until the next
 * call unless shape_ref()ed. For text that was refused lx->n_cuts is 0 and the
 * shape is t->unparsed. */
struct shape *shape_get(struct shape_table *t, struct lexer *lx,
    struct slice sql, bool scs, size_t max_len);
struct shape *shape_ref(struct shape *s);
void shape_unref(struct shape_table *t, struct shape **s);

#endif
