/* SPDX-License-Identifier: PostgreSQL
 *
 * Base64, strict: see the header.
 *
 * Knows nothing of what is encoded.  Pure; any thread.
 */
#include "auth/base64.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		if (n - i > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (n - i > 2)
			v |= p[i + 2];
		*out++ = base64_digits[v >> 18];
		*out++ = base64_digits[v >> 12 & 63];
		*out++ = n - i > 1 ? base64_digits[v >> 6 & 63] : '=';
		*out++ = n - i > 2 ? base64_digits[v & 63] : '=';
	}
	*out = '\0';
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters, of which the last pad are '='. */
static bool
base64_quad(const char *p, unsigned pad, uint32_t *v)
{
	*v = 0;
	for (unsigned i = 0; i < 4; i++) {
		int digit = i < 4 - pad ? base64_value(p[i]) : 0;

		if (digit < 0)
			return false;
		*v = *v << 6 | (uint32_t)digit;
	}
	/* Bits that no byte takes must be zero: one text for one value. */
	return (*v & ((1u << 8 * pad) - 1)) == 0;
}

bool
base64_decode(struct slice text, uint8_t *out, size_t size, size_t *len)
{
	unsigned pad = 0;

	*len = 0;
	if (text.n % 4 != 0)
		return false;
	if (text.n > 0 && text.p[text.n - 1] == '=')
		pad = text.p[text.n - 2] == '=' ? 2 : 1;
	if (text.n / 4 * 3 - pad > size)
		return false;
	for (size_t i = 0; i < text.n; i += 4) {
		unsigned cut = i + 4 == text.n ? pad : 0;
		uint32_t v;

		if (!base64_quad(text.p + i, cut, &v))
			return false;
		for (unsigned k = 0; k < 3 - cut; k++)
			out[(*len)++] = (uint8_t)(v >> (16 - 8 * k));
	}
	return true;
}
