/* SPDX-License-Identifier: PostgreSQL
 *
 * Results on their way from the L1 of one process to that of the next.
 *
 * They come before anything is served, and wait until their question is asked;
 * then they go on to L1 like one from Redis.  What waits for long is dropped.
 * Both processes count writes in the same memory (run/shared.h), so that a result
 * brings the generations of its tags along: it is good as long as none has
 * moved, whichever process moved it.
 *
 *   'S' | vouched (8) | text                         the next scope
 *   'R' | scope (4) | form (1) | fetched, by both clocks (16) | tags (1) |
 *       tag (4) and generation (8) of each | sql | types | bind |
 *       description | data                           a result of a scope
 *
 * Each text is its length (4) and its bytes, numbers are in network order; a
 * message holds whole ones.  What reads checks every length.
 */
#ifndef PGSLUICE_CACHE_WARM_H
#define PGSLUICE_CACHE_WARM_H

#include "base/buf.h"
#include "cache/object.h"

#define WARM_SCOPES_MAX 1024
#define WARM_BATCH (1u << 20) /* what is sent at once, about */
#define WARM_TIME (60 * NSEC_PER_SEC) /* that they may wait */

/* ---- going: any thread ---- */

/* text: all that a result's looks and rights depend on besides its question, in
 * words that mean the same to both. vouched: until when somebody vouches for
 * what it says of catalogs. Scopes are numbered as they come. false: no
 * memory. */
bool warm_put_scope(struct buf *b, nsec_t vouched, struct slice text)
    PG_MUST_CHECK;
bool warm_put_result(struct buf *b, uint32_t scope, const struct object *o)
    PG_MUST_CHECK;

/* ---- coming: before threads start ---- */

/* So many bytes may wait, from now on. */
void warm_begin(size_t limit, nsec_t now);
/* A message. false: it is not understood, or over the limit; then nothing waits
 * any more. */
bool warm_add(const void *p, size_t n) PG_MUST_CHECK;
size_t warm_count(void); /* results that have come */

/* ---- any thread ---- */

bool warm_is_there(void);

struct warm_found {
	void *memory; /* to be freed with warm_found_fini() */
	struct slice desc, data;
	nsec_t fetched_mono, fetched_wall;
};
/* What is known of the key, but for its scope, under that text, if it depends on
 * just these tags, none has moved until they were recorded, and it was not
 * fetched before since. It does not wait any more then. Who asks has found that
 * what the text says of catalogs holds. */
bool warm_take(struct slice text, const struct cache_key *k,
    const struct tagset *tags, nsec_t since, nsec_t now,
    struct warm_found *out) PG_MUST_CHECK;
void warm_found_fini(struct warm_found *f);
/* About every second. */
void warm_tick(nsec_t now);
/* Nothing waits any more. */
void warm_drop(void);

#endif
