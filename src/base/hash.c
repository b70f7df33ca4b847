/* SPDX-License-Identifier: PostgreSQL
 *
 * Keyed 128-bit hashing (XXH3 with a secret) and the system's random bytes.
 *
 * The secret is drawn once and never leaves the process, so hashes mean
 * nothing to other processes and nothing after a restart.  XXH3 is not a MAC:
 * whoever compares by hash alone must not let a peer gain from a collision.
 * Any thread, after hash_init().
 */
#include <string.h>
#include <limits.h>
#include <openssl/rand.h>
/* Inlined: short inputs hash in half the time, and libpg_query exports an
 * XXH3 of its own, which the linker would take. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"
#include "base/hash.h"

#define HASH_SECRET_SIZE 192

static unsigned char hash_secret[HASH_SECRET_SIZE];
static bool hash_ready;

_Static_assert(HASH_SECRET_SIZE >= XXH3_SECRET_SIZE_MIN,
    "XXH3 refuses shorter secrets");

void
hash_init(void)
{
	hash_random(hash_secret, sizeof(hash_secret));
	hash_ready = true;
}

struct hash128
hash_bytes(const void *p, size_t n)
{
	XXH128_hash_t h;

	CHECK(hash_ready);
	h = XXH3_128bits_withSecret(p, n, hash_secret, sizeof(hash_secret));
	return (struct hash128){ .lo = h.low64, .hi = h.high64 };
}

struct hash128
hash_mix(struct hash128 a, struct hash128 b)
{
	uint64_t both[4] = { a.lo, a.hi, b.lo, b.hi };

	return hash_bytes(both, sizeof(both));
}

struct hash128
hash_mix_text(struct hash128 a, const char *s)
{
	return hash_mix(a, hash_bytes(s, strlen(s)));
}

void
hash_random(void *p, size_t n)
{
	unsigned char *at = p;

	while (n > 0) {
		size_t part = n < INT_MAX ? n : INT_MAX;

		if (RAND_bytes(at, (int)part) != 1)
			WRONG("the system has no random bytes");
		at += part;
		n -= part;
	}
}
