/* SPDX-License-Identifier: PostgreSQL
 *
 * Ends of results from any bytes for descriptions and rows.  The first byte
 * says how many of the rest are the description.  What is told is never before
 * 1970, and taking the last row away makes no end earlier.
 */
#include <stdlib.h>
#include <string.h>

#include "pgwire/frame.h"
#include "route/expiry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy that ends where it ends, for the sanitizers. */
static struct slice
fuzz_copy(const uint8_t *p, size_t n)
{
	char *copy = malloc(n + (n == 0));

	CHECK(copy != NULL);
	if (n > 0)
		memcpy(copy, p, n);
	return slice_make(copy, n);
}

/* Length of data without its last message; 0: there is none, or bytes that
 * are no message. */
static size_t
fuzz_shorter(struct slice data)
{
	size_t at = 0, last = 0;
	struct frame f;

	for (; at < data.n; at += f.size) {
		if (frame_next(data.p + at, data.n - at, UINT32_MAX, &f) !=
		    FRAME_WHOLE)
			return 0;
		last = at;
	}
	return last;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice desc, rows;
	int64_t us, fewer;
	size_t n;

	if (size == 0)
		return 0;
	n = data[0] < size ? data[0] : size - 1;
	desc = fuzz_copy(data + 1, n);
	rows = fuzz_copy(data + 1 + n, size - 1 - n);
	if (route_rows_expire(desc, rows, "expires_at", &us)) {
		CHECK(us >= 0);
		n = fuzz_shorter(rows);
		if (n > 0) {
			CHECK(route_rows_expire(desc, slice_make(rows.p, n),
			    "expires_at", &fewer));
			CHECK(fewer >= us);
		}
	}
	free((char *)(uintptr_t)desc.p);
	free((char *)(uintptr_t)rows.p);
	return 0;
}
