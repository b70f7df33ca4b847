/* SPDX-License-Identifier: PostgreSQL
 *
 * Framing over any bytes: what is found must not depend on how the bytes
 * arrive, and a frame never reaches past them.  The first byte picks the limit.
 */
#include <stdlib.h>
#include <string.h>

#include "pgwire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next frame when all is there must be the same when the bytes come one by
 * one: no verdict but "more" before its last byte (or, if bad, its header). */
static void
fuzz_frame_slowly(const char *p, size_t n, uint32_t limit,
    enum frame_verdict verdict, const struct frame *whole)
{
	size_t enough = verdict == FRAME_WHOLE ? whole->size : n + 1;

	if (verdict == FRAME_BAD)
		enough = FRAME_HEADER;
	for (size_t have = 0; have < enough && have <= n; have++) {
		struct frame f;
		enum frame_verdict v = frame_next(p, have, limit, &f);

		CHECK(v == (have < FRAME_HEADER ? FRAME_NEED_MORE :
						  FRAME_PARTIAL));
		if (v == FRAME_PARTIAL && verdict == FRAME_WHOLE)
			CHECK(f.size == whole->size && f.type == whole->type);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t limits[] = { 0, 5, 100, 65536, 1u << 30,
		UINT32_MAX };
	const char *p = (const char *)data + 1;
	enum frame_verdict verdict;
	struct frame f = { 0 };
	uint32_t limit;
	size_t n;

	if (size == 0)
		return 0;
	limit = limits[data[0] % ARRAY_SIZE(limits)];
	n = size - 1;
	while ((verdict = frame_next(p, n, limit, &f)) == FRAME_WHOLE) {
		CHECK(f.size >= FRAME_HEADER && f.size <= n);
		CHECK(f.p == p + FRAME_HEADER);
		CHECK(f.body == f.size - FRAME_HEADER && f.body <= limit);
		fuzz_frame_slowly(p, n, limit, verdict, &f);
		p += f.size;
		n -= f.size;
	}
	if (verdict == FRAME_PARTIAL)
		CHECK(f.size > n && f.body <= limit);
	fuzz_frame_slowly(p, n, limit, verdict, &f);
	return 0;
}
