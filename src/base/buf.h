/* SPDX-License-Identifier: PostgreSQL
 *
 * Growable byte buffer with a cap given at birth and a read position.
 *
 * Bytes live in data[start, end).  An empty buffer owns no memory once
 * buf_reset() was called, so that idle connections cost nothing.  Growth past
 * the cap, or failure to allocate, is an expected failure that the caller must
 * look at: sizes come from peers.  Not thread safe.
 */
#ifndef PGSLUICE_BASE_BUF_H
#define PGSLUICE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"

struct buf {
	char *data;
	size_t start; /* first unread byte */
	size_t end;   /* one past the last byte */
	size_t size;  /* allocated */
	size_t cap;   /* never more than this many bytes allocated */
};

void buf_init(struct buf *b, size_t cap);
/* Free memory; the buffer may be used again (same cap). */
void buf_reset(struct buf *b);
/* As buf_reset, but the bytes are wiped first: for secrets. */
void buf_wipe(struct buf *b);

static inline size_t
buf_len(const struct buf *b)
{
	return b->end - b->start;
}

static inline char *
buf_head(const struct buf *b)
{
	/* An empty buffer owns nothing: no arithmetic on NULL. */
	return b->data != NULL ? b->data + b->start : NULL;
}

/* Make room for n more bytes at the end (moves or reallocates).
 * false: over the cap or out of memory; nothing changed. */
bool buf_reserve(struct buf *b, size_t n) PG_MUST_CHECK;
/* Bytes that may be written at buf_tail() without another reserve. */
static inline size_t
buf_room(const struct buf *b)
{
	return b->size - b->end;
}
static inline char *
buf_tail(const struct buf *b)
{
	return b->data != NULL ? b->data + b->end : NULL;
}
/* Account n bytes written at buf_tail(); n <= buf_room(). */
void buf_grow(struct buf *b, size_t n);
/* Copy n bytes to the end; false as buf_reserve. */
bool buf_append(struct buf *b, const void *p, size_t n) PG_MUST_CHECK;
/* The same, of a number in network order. */
bool buf_put_u32(struct buf *b, uint32_t v) PG_MUST_CHECK;
bool buf_put_u64(struct buf *b, uint64_t v) PG_MUST_CHECK;
/* Drop n bytes from the front; n <= buf_len(). Frees memory when empty and
 * the allocation is larger than 16 KiB. */
void buf_consume(struct buf *b, size_t n);

#endif
