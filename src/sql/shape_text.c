/* SPDX-License-Identifier: PostgreSQL
 *
 * Words of a shape, and their number (FNV-1a, 64 bits).  Pure.
 */
#include "sql/shape_text.h"

#include "sql/lex.h"

#define FNV_START 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

struct shape_reader {
	struct slice rest;
	bool any;  /* a word has been given */
	char next; /* kept back behind a blank; or '\0' */
};

static bool
shape_is_gap(char c)
{
	return c == CUT_COMMENT || c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next byte, or '\0' at the end: a shape holds none. */
static char
shape_next(struct shape_reader *r)
{
	bool gap = false;
	char c = r->next;

	if (c != '\0') {
		r->next = '\0';
		return c;
	}
	for (; r->rest.n > 0 && shape_is_gap(*r->rest.p); r->rest.n--) {
		r->rest.p++;
		gap = true;
	}
	if (r->rest.n == 0)
		return '\0';
	c = *r->rest.p++;
	r->rest.n--;
	if (c >= CUT_INT && c < CUT_COMMENT)
		c = '?';
	if (gap && r->any) {
		r->next = c;
		return ' ';
	}
	r->any = true;
	return c;
}

size_t
shape_text(struct slice shape, char *out, size_t size)
{
	struct shape_reader r = { .rest = shape };
	size_t n = 0;
	char c;

	while (n + 1 < size && (c = shape_next(&r)) != '\0')
		out[n++] = c;
	out[n] = '\0';
	return n;
}

uint64_t
shape_fingerprint(struct slice shape)
{
	struct shape_reader r = { .rest = shape };
	uint64_t h = FNV_START;
	char c;

	while ((c = shape_next(&r)) != '\0')
		h = (h ^ (unsigned char)c) * FNV_PRIME;
	return h != 0 ? h : 1;
}
