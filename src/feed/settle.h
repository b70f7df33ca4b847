/* SPDX-License-Identifier: PostgreSQL
 *
 * Commits that have been read from the log, until a snapshot shows them.
 *
 * The log is written before others can see what was committed: with
 * synchronous replication long before.  A result that is fetched in between
 * is the old one, and nothing would end it.  So a commit's tags are kept until
 * a snapshot taken on its server has it as done, and bumped again.  Pure.
 */
#ifndef PGSLUICE_FEED_SETTLE_H
#define PGSLUICE_FEED_SETTLE_H

#include <stdbool.h>

#include "base/check.h"
#include "cache/tags.h"

/* What a transaction has changed; over so many: everything. */
#define FEED_TAGS_MAX 64
struct feed_tags {
	bool all;
	unsigned n;
	tag_t v[FEED_TAGS_MAX];
};
void feed_tags_add(struct feed_tags *t, tag_t tag);
bool feed_tags_has(const struct feed_tags *t, tag_t tag);
static inline bool
feed_tags_any(const struct feed_tags *t)
{
	return t->all || t->n > 0;
}

/* As text of pg_snapshot: xmin:xmax:xip,xip,... */
struct snapshot {
	uint64_t xmin, xmax; /* below: done; from there on: not begun */
	uint64_t *running;   /* between them */
	size_t n;
};
#define SNAPSHOT_MAX 65536
/* false: malformed, or more than SNAPSHOT_MAX are running. */
bool snapshot_read(struct snapshot *s, const char *text) PG_MUST_CHECK;
void snapshot_fini(struct snapshot *s);
/* The transaction, of which the log knows the lower half of the number, has
 * ended for all to see. */
bool snapshot_done(const struct snapshot *s, uint32_t xid);

/* More are refused: the server is asked all the time while there are any, and
 * no more can be truly pending than it has sessions. */
#define SETTLE_MAX 20000
struct settle {
	struct settle_entry *v;
	size_t n, size;
};
void settle_init(struct settle *s);
void settle_fini(struct settle *s);
/* false: SETTLE_MAX. */
bool settle_add(struct settle *s, uint32_t xid, const struct feed_tags *t)
    PG_MUST_CHECK;
/* Those that wait are taken to have changed everything. */
void settle_widen(struct settle *s);
/* Give every commit that is done to fn, and forget it. */
void settle_take(struct settle *s, const struct snapshot *now,
    void (*fn)(void *arg, const struct feed_tags *t), void *arg);

#endif
