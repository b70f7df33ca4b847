/* SPDX-License-Identifier: PostgreSQL
 *
 * Experiments as text from any bytes: they are refused with a line, or come
 * back the same when they are written and read again.  The first byte says
 * whether the checksum is made right first, so that the fuzzer gets past it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "experiment/keep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With the last line, if wanted; malloc'ed, ends where it ends. */
static char *
fuzz_text(const uint8_t *data, size_t *size, bool sum)
{
	char line[32], *out;
	int n = 0;

	if (sum)
		n = snprintf(line, sizeof(line), "sum %016" PRIx64 "\n",
		    (uint64_t)XXH3_64bits(data, *size));
	out = malloc(*size + (size_t)n + 1);
	CHECK(out != NULL && n >= 0);
	memcpy(out, data, *size);
	memcpy(out + *size, line, (size_t)n);
	*size += (size_t)n;
	return out;
}

static void
fuzz_again(const struct keep *k)
{
	static struct keep other;
	struct buf a, b;
	char why[200];

	buf_init(&a, KEEP_MAX);
	buf_init(&b, KEEP_MAX);
	CHECK(keep_write(k->v, k->n, &a));
	CHECK(keep_read(slice_make(buf_head(&a), buf_len(&a)), 1, &other, why,
	    sizeof(why)));
	CHECK(keep_write(other.v, other.n, &b));
	CHECK(slice_eq(slice_make(buf_head(&a), buf_len(&a)),
	    slice_make(buf_head(&b), buf_len(&b))));
	keep_fini(&other);
	buf_reset(&a);
	buf_reset(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct keep k;
	char *text, why[200] = "";
	size_t n = size - 1;

	if (size == 0)
		return 0;
	text = fuzz_text(data + 1, &n, data[0] != '0');
	if (keep_read(slice_make(text, n), 1, &k, why, sizeof(why)))
		fuzz_again(&k);
	else
		CHECK(strncmp(why, "line ", 5) == 0 && k.n == 0);
	keep_fini(&k);
	free(text);
	return 0;
}
