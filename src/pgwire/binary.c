/* SPDX-License-Identifier: PostgreSQL
 *
 * From text to PostgreSQL's binary format.  Pure.
 *
 * numeric is digits to the base 10000 with the exponent of the first, as
 * numeric_send() writes it; neither leading nor trailing zero digits.
 */
#include "pgwire/binary.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_TEXT 64  /* bytes of a number's text, at most */
#define NUMBER_GROUPS 32
#define NUMERIC_NEGATIVE 0x4000

static bool
binary_int(struct slice text, int64_t *out)
{
	char buf[NUMBER_TEXT], *end;

	if (text.n == 0 || text.n >= sizeof(buf))
		return false;
	memcpy(buf, text.p, text.n);
	buf[text.n] = '\0';
	errno = 0;
	*out = strtoll(buf, &end, 10);
	return errno == 0 && *end == '\0' && !isspace((unsigned char)buf[0]);
}

struct numeric {
	bool negative;
	unsigned scale;  /* digits behind the point */
	int weight;      /* of the first group */
	unsigned n;
	uint16_t group[NUMBER_GROUPS];
};

/* Digits in groups of four; zeros complete the last group or, with lead, the
 * first. */
static void
numeric_groups(struct numeric *v, const char *p, size_t n, bool lead)
{
	size_t at = lead ? (4 - n % 4) % 4 : 0, i;
	unsigned g = 0;

	for (i = 0; i < n; i++) {
		g = g * 10 + (unsigned)(p[i] - '0');
		if (++at % 4 == 0) {
			v->group[v->n++] = (uint16_t)g;
			g = 0;
		}
	}
	for (i = at % 4; i != 0 && i < 4; i++)
		g *= 10;
	if (at % 4 != 0)
		v->group[v->n++] = (uint16_t)g;
}

static bool
numeric_read(struct slice text, struct numeric *v)
{
	const char *p = text.p, *end = text.p + text.n, *whole, *part;

	*v = (struct numeric){ .n = 0 };
	if (text.n == 0 || text.n >= NUMBER_TEXT)
		return false;
	v->negative = *p == '-';
	whole = p += v->negative;
	while (p < end && isdigit((unsigned char)*p))
		p++;
	if (p == whole)
		return false;
	numeric_groups(v, whole, (size_t)(p - whole), true);
	v->weight = (int)v->n - 1;
	if (p == end)
		return true;
	part = p + 1;
	v->scale = (unsigned)(end - part);
	if (*p != '.' || v->scale == 0)
		return false;
	for (p = part; p < end; p++)
		if (!isdigit((unsigned char)*p))
			return false;
	numeric_groups(v, part, v->scale, false);
	return true;
}

static void
binary_numeric(struct msgwrite *w, const struct numeric *v)
{
	unsigned first = 0, last = v->n, i;

	while (first < last && v->group[first] == 0)
		first++;
	while (last > first && v->group[last - 1] == 0)
		last--;
	msgwrite_u32(w, 8 + 2 * (last - first));
	msgwrite_u16(w, (uint16_t)(last - first));
	msgwrite_u16(w, first == last ? 0 :
	    (uint16_t)(v->weight - (int)first));
	msgwrite_u16(w, v->negative && first < last ? NUMERIC_NEGATIVE : 0);
	msgwrite_u16(w, (uint16_t)v->scale);
	for (i = first; i < last; i++)
		msgwrite_u16(w, v->group[i]);
}

bool
msgwrite_binary(struct msgwrite *w, uint32_t oid, struct slice text)
{
	struct numeric v;
	int64_t n = 0;

	switch (oid) {
	case OID_INT4:
		if (!binary_int(text, &n) || n != (int32_t)n)
			return false;
		msgwrite_u32(w, 4);
		msgwrite_u32(w, (uint32_t)n);
		return true;
	case OID_INT8:
		if (!binary_int(text, &n))
			return false;
		msgwrite_u32(w, 8);
		msgwrite_u32(w, (uint32_t)((uint64_t)n >> 32));
		msgwrite_u32(w, (uint32_t)n);
		return true;
	case OID_NUMERIC:
		if (!numeric_read(text, &v))
			return false;
		binary_numeric(w, &v);
		return true;
	default:
		msgwrite_u32(w, (uint32_t)text.n);
		msgwrite_bytes(w, text.p, text.n);
		return true;
	}
}
