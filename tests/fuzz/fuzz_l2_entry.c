/* SPDX-License-Identifier: PostgreSQL
 *
 * Fuzzes the entries of L2: any bytes that Redis returns are a miss or whole
 * result messages for the question asked.
 *
 * The first byte says whether entries are sealed (2) and whether the checksum
 * or the seal is made right first (1), so that the fuzzer gets past it; the
 * rest is the entry.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/check.h"
#include "cache/l2_priv.h"

#define FUZZ_SUM 8
#define FUZZ_HEAD 72 /* of an entry with two tags, up to the seal */
#define FUZZ_SCOPE SLICE_LIT("scope")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_sum(uint8_t *p, size_t n)
{
	uint64_t sum = XXH3_64bits(p, n - FUZZ_SUM);
	unsigned i;

	for (i = 0; i < FUZZ_SUM; i++)
		p[n - FUZZ_SUM + i] = (uint8_t)(sum >> (8 * i));
}

static struct l2_sealer *
fuzz_sealer(void)
{
	static struct l2_sealer *s;
	struct l2_keys *k;
	char text[64], why[128];

	if (s != NULL)
		return s;
	memset(text, 'a', sizeof(text));
	k = l2_keys_parse(text, sizeof(text), "keys", why, sizeof(why));
	CHECK(k != NULL);
	s = l2_sealer_new(k);
	l2_keys_unref(&k);
	return s;
}

static void
fuzz_seal(const struct cache_key *k, uint8_t *p, size_t n)
{
	const struct slice with[] = { slice_make((char *)p, FUZZ_HEAD),
		FUZZ_SCOPE, k->sql, k->types, k->bind };

	CHECK(l2_seal(fuzz_sealer(), with, ARRAY_SIZE(with),
	    (char *)p + FUZZ_HEAD,
	    n - FUZZ_HEAD - L2_SEAL_HEAD - L2_SEAL_TAIL));
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
	struct l2_sealer *seal;
	struct tagset tags;
	uint8_t *entry;
	size_t n;

	if (size == 0)
		return 0;
	n = size - 1;
	seal = (data[0] & 2) != 0 ? fuzz_sealer() : NULL;
	entry = malloc(n > 0 ? n : 1);
	CHECK(entry != NULL);
	memcpy(entry, data + 1, n);
	if ((data[0] & 1) != 0 && seal == NULL && n >= FUZZ_SUM)
		fuzz_sum(entry, n);
	else if ((data[0] & 1) != 0 && seal != NULL &&
	    n >= FUZZ_HEAD + L2_SEAL_HEAD + L2_SEAL_TAIL)
		fuzz_seal(&key, entry, n);
	tagset_init(&tags);
	tagset_add(&tags, 5);
	if (l2_entry_read((char *)entry, n, &key, FUZZ_SCOPE, &tags, &tokens,
	    seal, &found) == L2_ENTRY_VALID) {
		fuzz_frames(found.desc, entry, n);
		fuzz_frames(found.data, entry, n);
		CHECK(found.data.n >= 5);
	}
	free(entry);
	return 0;
}
