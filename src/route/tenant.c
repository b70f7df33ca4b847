/* SPDX-License-Identifier: PostgreSQL
 *
 * PostgreSQL's hash of one partition key, and the values it is made from.
 *
 * The hash is Bob Jenkins' lookup3 in its two-word form, started with the
 * seed of hash partitioning; words are read little-endian on any machine, as
 * little-endian servers do.  Values are converted to the column's type the
 * way the server would; where that is not certain the answer is "not proven".
 * Not covered: non-deterministic collations, keys of several columns, char(n)
 * and length-limited varchar.  Pure, any thread.
 */
#include "route/tenant.h"

#define TENANT_SEED UINT64_C(0x7A5B22367996DCFD)
#define TENANT_OID_INT8 20u
#define TENANT_OID_INT2 21u
#define TENANT_OID_INT4 23u
#define TENANT_OID_TEXT 25u
#define TENANT_OID_UNKNOWN 705u
#define TENANT_OID_VARCHAR 1043u
#define TENANT_OID_UUID 2950u

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

/* The row hash of a single key column: the column's hash combined with 0. */
static uint64_t
tenant_row(uint64_t h)
{
	return h + UINT64_C(0x49a0f4dd15e5a8e3);
}

uint64_t
tenant_hash_uuid(const uint8_t uuid[16])
{
	return tenant_row(tenant_bytes(uuid, 16));
}

uint64_t
tenant_hash_text(struct slice s)
{
	return tenant_row(tenant_bytes((const uint8_t *)s.p, s.n));
}

uint64_t
tenant_hash_int4(int32_t v)
{
	struct tenant_state s;

	tenant_start(&s, 4);
	s.a += (uint32_t)v;
	return tenant_row(tenant_final(&s));
}

/* Folds so that values which fit int4 hash as int4 does. */
uint64_t
tenant_hash_int8(int64_t v)
{
	uint32_t lo = (uint32_t)v, hi = (uint32_t)((uint64_t)v >> 32);

	return tenant_hash_int4((int32_t)(lo ^ (v >= 0 ? hi : ~hi)));
}

unsigned
tenant_remainder(uint64_t hash, unsigned modulus)
{
	CHECK(modulus > 0);
	return (unsigned)(hash % modulus);
}

/* ------------------------------------------------------------------ values */

static int
tenant_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* What uuid_in takes: braces around it, a hyphen after any two bytes. */
static bool
tenant_parse_uuid(struct slice s, uint8_t out[16])
{
	size_t i = 0, k;

	if (s.n >= 2 && s.p[0] == '{') {
		if (s.p[s.n - 1] != '}')
			return false;
		s.p++;
		s.n -= 2;
	}
	for (k = 0; k < 16; k++) {
		int hi, lo;

		if (s.n - i < 2)
			return false;
		hi = tenant_hex(s.p[i]);
		lo = tenant_hex(s.p[i + 1]);
		if (hi < 0 || lo < 0)
			return false;
		out[k] = (uint8_t)(hi << 4 | lo);
		i += 2;
		if (i < s.n && s.p[i] == '-' && k % 2 == 1 && k < 15)
			i++;
	}
	return i == s.n;
}

/* [+-]digits. Blanks around it, hexadecimal and underscores are taken by some
 * servers only: not proven. */
static bool
tenant_parse_int(struct slice s, int64_t *out)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
	int64_t v = 0;

	if (i == s.n)
		return false;
	for (; i < s.n; i++) {
		int d = s.p[i] - '0';

		if (d < 0 || d > 9)
			return false;
		/* Downwards, where there is one number more. */
		if (v < (INT64_MIN + d) / 10)
			return false;
		v = v * 10 - d;
	}
	if (!negative && v == INT64_MIN)
		return false;
	*out = negative ? v : -v;
	return true;
}

static int64_t
tenant_read_int(const char *p, size_t n)
{
	uint64_t v = (uint8_t)p[0] & 0x80 ? UINT64_MAX : 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (uint8_t)p[i];
	return (int64_t)v;
}

static bool
tenant_int(enum conf_key_type type, struct slice s, bool binary, uint32_t oid,
    uint64_t *hash)
{
	int64_t v, lo = INT64_MIN, hi = INT64_MAX;
	size_t width;

	switch (oid) {
	case TENANT_OID_INT2:
		width = 2;
		lo = INT16_MIN;
		hi = INT16_MAX;
		break;
	case TENANT_OID_INT4:
		width = 4;
		lo = INT32_MIN;
		hi = INT32_MAX;
		break;
	case TENANT_OID_INT8:
		width = 8;
		break;
	case 0:
		width = type == KEY_TYPE_INT4 ? 4 : 8;
		break;
	default:
		return false;
	}
	if (binary) {
		if (s.n != width)
			return false;
		v = tenant_read_int(s.p, width);
	} else if (!tenant_parse_int(s, &v) || v < lo || v > hi) {
		return false;
	}
	if (type == KEY_TYPE_INT4 && (v < INT32_MIN || v > INT32_MAX))
		return false;
	*hash = tenant_hash_int8(v);
	return true;
}

bool
tenant_hash_value(enum conf_key_type type, struct slice value, bool binary,
    uint32_t oid, uint64_t *hash)
{
	uint8_t uuid[16];

	if (oid == TENANT_OID_UNKNOWN)
		oid = 0;
	switch (type) {
	case KEY_TYPE_UUID:
		if (oid != 0 && oid != TENANT_OID_UUID)
			return false;
		if (binary) {
			if (value.n != sizeof(uuid))
				return false;
			memcpy(uuid, value.p, sizeof(uuid));
		} else if (!tenant_parse_uuid(value, uuid)) {
			return false;
		}
		*hash = tenant_hash_uuid(uuid);
		return true;
	case KEY_TYPE_INT4:
	case KEY_TYPE_INT8:
		return tenant_int(type, value, binary, oid, hash);
	case KEY_TYPE_TEXT:
		if (oid != 0 && oid != TENANT_OID_TEXT &&
		    oid != TENANT_OID_VARCHAR)
			return false;
		*hash = tenant_hash_text(value);
		return true;
	case KEY_TYPE_NONE:
		break;
	}
	return false;
}
