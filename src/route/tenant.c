/* SPDX-License-Identifier: PostgreSQL
 *
 * PostgreSQL's hash of partition keys.
 *
 * It is Bob Jenkins' lookup3 in its two-word form, started with the seed of
 * hash partitioning; words are read little-endian on any machine, as
 * little-endian servers do.  Knows values in the form they are stored in; how
 * they are made of what clients send is tenant_value.c's.  Not covered:
 * non-deterministic collations.  Pure, any thread.
 */
#include "route/tenant.h"

#define TENANT_SEED UINT64_C(0x7A5B22367996DCFD)

/* -------------------------------------------------------------------- hash */

struct tenant_state {
	uint32_t a, b, c;
};

static uint32_t
tenant_rot(uint32_t x, unsigned k)
{
	return x << k | x >> (32 - k);
}

static void
tenant_mix(struct tenant_state *s)
{
	uint32_t a = s->a, b = s->b, c = s->c;

	a = (a - c) ^ tenant_rot(c, 4);
	c += b;
	b = (b - a) ^ tenant_rot(a, 6);
	a += c;
	c = (c - b) ^ tenant_rot(b, 8);
	b += a;
	a = (a - c) ^ tenant_rot(c, 16);
	c += b;
	b = (b - a) ^ tenant_rot(a, 19);
	a += c;
	c = (c - b) ^ tenant_rot(b, 4);
	b += a;
	*s = (struct tenant_state){ a, b, c };
}

static uint64_t
tenant_final(struct tenant_state *s)
{
	uint32_t a = s->a, b = s->b, c = s->c;

	c = (c ^ b) - tenant_rot(b, 14);
	a = (a ^ c) - tenant_rot(c, 11);
	b = (b ^ a) - tenant_rot(a, 25);
	c = (c ^ b) - tenant_rot(b, 16);
	a = (a ^ c) - tenant_rot(c, 4);
	b = (b ^ a) - tenant_rot(a, 14);
	c = (c ^ b) - tenant_rot(b, 24);
	return (uint64_t)b << 32 | c;
}

static void
tenant_start(struct tenant_state *s, size_t len)
{
	s->a = s->b = s->c = UINT32_C(0x9e3779b9) + (uint32_t)len + 3923095;
	s->a += (uint32_t)(TENANT_SEED >> 32);
	s->b += (uint32_t)TENANT_SEED;
	tenant_mix(s);
}

/* Up to four bytes as a little-endian word. */
static uint32_t
tenant_word(const uint8_t *p, size_t n)
{
	uint32_t w = 0;

	for (size_t i = 0; i < n && i < 4; i++)
		w |= (uint32_t)p[i] << (8 * i);
	return w;
}

static uint64_t
tenant_bytes(const uint8_t *p, size_t n)
{
	struct tenant_state s;

	tenant_start(&s, n);
	for (; n >= 12; n -= 12, p += 12) {
		s.a += tenant_word(p, 4);
		s.b += tenant_word(p + 4, 4);
		s.c += tenant_word(p + 8, 4);
		tenant_mix(&s);
	}
	s.a += tenant_word(p, n);
	if (n > 4)
		s.b += tenant_word(p + 4, n - 4);
	if (n > 8) /* the lowest byte of c is kept for the length */
		s.c += tenant_word(p + 8, n - 8) << 8;
	return tenant_final(&s);
}

uint64_t
tenant_combine(uint64_t row, uint64_t h)
{
	return row ^
	    (h + UINT64_C(0x49a0f4dd15e5a8e3) + (row << 54) + (row >> 7));
}

uint64_t
tenant_hash_uuid(const uint8_t uuid[16])
{
	return tenant_bytes(uuid, 16);
}

uint64_t
tenant_hash_text(struct slice s)
{
	return tenant_bytes((const uint8_t *)s.p, s.n);
}

uint64_t
tenant_hash_int4(int32_t v)
{
	struct tenant_state s;

	tenant_start(&s, 4);
	s.a += (uint32_t)v;
	return tenant_final(&s);
}

/* Folds so that values which fit int4 hash as int4 does. */
uint64_t
tenant_hash_int8(int64_t v)
{
	uint32_t lo = (uint32_t)v, hi = (uint32_t)((uint64_t)v >> 32);

	return tenant_hash_int4((int32_t)(lo ^ (v >= 0 ? hi : ~hi)));
}

/* Sign and scale do not count, the weight of the first digit does. */
uint64_t
tenant_hash_numeric(const uint16_t *digits, size_t n, int weight)
{
	uint8_t bytes[2 * TENANT_NUMERIC_DIGITS];

	CHECK(n <= TENANT_NUMERIC_DIGITS);
	while (n > 0 && digits[0] == 0) {
		digits++;
		n--;
		weight--;
	}
	while (n > 0 && digits[n - 1] == 0)
		n--;
	if (n == 0)
		return TENANT_SEED - 1;
	for (size_t i = 0; i < n; i++) {
		bytes[2 * i] = (uint8_t)digits[i];
		bytes[2 * i + 1] = (uint8_t)(digits[i] >> 8);
	}
	return tenant_bytes(bytes, 2 * n) ^ (uint64_t)(int64_t)weight;
}

unsigned
tenant_remainder(uint64_t hash, unsigned modulus)
{
	CHECK(modulus > 0);
	return (unsigned)(hash % modulus);
}
