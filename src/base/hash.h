/* SPDX-License-Identifier: PostgreSQL
 *
 * 128-bit hashes keyed with a per-process secret (XXH3, xxHash library).
 * Clients choose what is hashed, so the key must not be guessable.
 */
#ifndef PGSLUICE_BASE_HASH_H
#define PGSLUICE_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash128 {
	uint64_t lo, hi;
};

/* Draw the process secret; once, before any thread starts. */
void hash_init(void);
struct hash128 hash_bytes(const void *p, size_t n);
/* Mix b into a (order matters). */
struct hash128 hash_mix(struct hash128 a, struct hash128 b);
struct hash128 hash_mix_text(struct hash128 a, const char *s);
/* Fill with bytes of the system's CSPRNG (OpenSSL RAND_bytes); panics if the
 * system has none. */
void hash_random(void *p, size_t n);

static inline bool
hash_eq(struct hash128 a, struct hash128 b)
{
	return a.lo == b.lo && a.hi == b.hi;
}

#endif
