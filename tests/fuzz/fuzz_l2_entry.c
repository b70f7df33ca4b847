/* SPDX-License-Identifier: PostgreSQL
 *
 * Fuzzes the entries of L2: any bytes that Redis returns are a miss or whole
 * result messages for the question asked.
 *
 * The first byte says whether the checksum is made right first, so that the
 * fuzzer gets past it; the rest is the entry.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/check.h"
#include "cache/l2_priv.h"

#define FUZZ_SUM 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_seal(uint8_t *p, size_t n)
{
	uint64_t sum = XXH3_64bits(p, n - FUZZ_SUM);
	unsigned i;

	for (i = 0; i < FUZZ_SUM; i++)
		p[n - FUZZ_SUM + i] = (uint8_t)(sum >> (8 * i));
}

/* Every message lies inside, and the last one ends where the part ends. */
static void
fuzz_frames(struct slice s, const uint8_t *entry, size_t n)
{
	size_t at = 0, len;

	CHECK(s.n == 0 || ((const uint8_t *)s.p >= entry &&
	    (const uint8_t *)s.p + s.n <= entry + n));
	while (at < s.n) {
		const unsigned char *p = (const unsigned char *)s.p + at;

		CHECK(s.n - at >= 5);
		CHECK(memchr("tTnDC", p[0], 5) != NULL);
		len = (size_t)p[1] << 24 | (size_t)p[2] << 16 |
		    (size_t)p[3] << 8 | p[4];
		CHECK(len >= 4 && len <= s.n - at - 1);
		at += 1 + len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cache_key key = { .form = KEY_EXT_PORTAL,
		.sql = SLICE_LIT("select $1"), .types = SLICE_LIT("\0\0\0\x17"),
		.bind = SLICE_LIT("42") };
	const struct l2_tokens tokens = { .valid = true,
		.token = { 0x1111111111111111, 0x2222222222222222 } };
	struct l2_found found = { .fetched_wall = 0 };
	enum l2_verdict v;
	struct tagset tags;
	uint8_t *entry;
	size_t n;

	if (size == 0)
		return 0;
	n = size - 1;
	entry = malloc(n > 0 ? n : 1);
	CHECK(entry != NULL);
	memcpy(entry, data + 1, n);
	if ((data[0] & 1) != 0 && n >= FUZZ_SUM)
		fuzz_seal(entry, n);
	tagset_init(&tags);
	tagset_add(&tags, 5);
	v = l2_entry_read(entry, n, &key, SLICE_LIT("scope"), &tags, &tokens,
	    &found);
	if (v == L2_ENTRY_VALID) {
		fuzz_frames(found.desc, entry, n);
		fuzz_frames(found.data, entry, n);
		CHECK(found.data.n >= 5);
	}
	CHECK(l2_entry_decode(entry, n, &key, SLICE_LIT("scope"), &tags,
	    &tokens, &found) == (v == L2_ENTRY_VALID));
	free(entry);
	return 0;
}
