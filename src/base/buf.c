/* SPDX-License-Identifier: PostgreSQL
 *
 * Growable byte buffer: capped growth, compaction, release when empty.
 *
 * Knows nothing of what the bytes mean.  Runs on whichever thread owns the
 * buffer.  Invariants: start <= end <= size <= cap, and data is NULL exactly
 * when size is 0.  Growing leaves a copy of the old bytes in freed memory, so
 * a buffer for secrets is reserved once, at its final size, before use.
 */
#include <stdlib.h>

#include "base/buf.h"

#define BUF_FIRST 256
#define BUF_KEEP (16 * 1024) /* larger than this is not kept when empty */

static void
buf_check(const struct buf *b)
{
	CHECK(b->start <= b->end);
	CHECK(b->end <= b->size);
	CHECK(b->size <= b->cap);
}

void
buf_init(struct buf *b, size_t cap)
{
	*b = (struct buf){ .cap = cap };
}

void
buf_reset(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->start = b->end = b->size = 0;
}

void
buf_wipe(struct buf *b)
{
	if (b->size > 0)
		explicit_bzero(b->data, b->size);
	buf_reset(b);
}

/* Doubling, so that many small appends cost linear time; never over cap. */
static size_t
buf_next_size(const struct buf *b, size_t need)
{
	size_t size = b->size > 0 ? b->size : BUF_FIRST;

	while (size < need) {
		if (size > b->cap / 2)
			return b->cap;
		size *= 2;
	}
	return size < b->cap ? size : b->cap;
}

static void
buf_compact(struct buf *b)
{
	size_t len = buf_len(b);

	if (b->start > 0 && len > 0)
		memmove(b->data, b->data + b->start, len);
	b->start = 0;
	b->end = len;
}

bool
buf_reserve(struct buf *b, size_t n)
{
	size_t len = buf_len(b);
	size_t size;
	char *data;

	buf_check(b);
	if (n <= buf_room(b))
		return true;
	if (n > b->cap - len)
		return false;
	/* Moving pays when what is moved is no more than what is won; at the
	 * cap there is no choice. */
	if (n <= b->size - len && (b->start >= len || b->size == b->cap)) {
		buf_compact(b);
		return true;
	}
	size = buf_next_size(b, len + n);
	if (size == b->size) {
		buf_compact(b);
		return true;
	}
	data = malloc(size);
	if (data == NULL)
		return false;
	if (len > 0)
		memcpy(data, b->data + b->start, len);
	free(b->data);
	b->data = data;
	b->start = 0;
	b->end = len;
	b->size = size;
	return true;
}

void
buf_grow(struct buf *b, size_t n)
{
	CHECK(n <= buf_room(b));
	b->end += n;
}

bool
buf_append(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return true;
	if (!buf_reserve(b, n))
		return false;
	memcpy(buf_tail(b), p, n);
	b->end += n;
	return true;
}

bool
buf_put_u32(struct buf *b, uint32_t v)
{
	const char out[4] = { (char)(v >> 24), (char)(v >> 16),
		(char)(v >> 8), (char)v };

	return buf_append(b, out, sizeof(out));
}

bool
buf_put_u64(struct buf *b, uint64_t v)
{
	return buf_put_u32(b, (uint32_t)(v >> 32)) &&
	    buf_put_u32(b, (uint32_t)v);
}

void
buf_consume(struct buf *b, size_t n)
{
	CHECK(n <= buf_len(b));
	b->start += n;
	if (b->start < b->end)
		return;
	b->start = b->end = 0;
	if (b->size > BUF_KEEP)
		buf_reset(b);
}
