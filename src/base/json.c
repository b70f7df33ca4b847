/* SPDX-License-Identifier: PostgreSQL
 *
 * The JSON writer.
 *
 * Pure.  A stream into a capped buffer, without a tree: answers of thousands of
 * rows are written once and sent.  Lengths of UTF-8 sequences follow the
 * Unicode standard, table 3-7: no overlong forms, no surrogates.
 */
#include "base/json.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void
json_init(struct json *j, struct buf *b)
{
	*j = (struct json){ .b = b };
}

static void
json_put(struct json *j, const void *p, size_t n)
{
	if (!j->failed && !buf_append(j->b, p, n))
		j->failed = true;
}

static void
json_begin(struct json *j)
{
	if (j->comma)
		json_put(j, ",", 1);
	j->comma = true;
}

void
json_open(struct json *j, char bracket)
{
	json_begin(j);
	json_put(j, &bracket, 1);
	j->comma = false;
}

void
json_close(struct json *j, char bracket)
{
	json_put(j, &bracket, 1);
	j->comma = true;
}

/* ------------------------------------------------------------ text */

static bool
json_is_tail(const unsigned char *p, unsigned char low, unsigned char high)
{
	return p[0] >= low && p[0] <= high;
}

/* Bytes of the character of several bytes that begins at p; 0: none does. */
static size_t
json_utf8(const unsigned char *p, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len, i;

	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (len > n || !json_is_tail(p + 1, low, high))
		return 0;
	for (i = 2; i < len; i++)
		if (!json_is_tail(p + i, 0x80, 0xbf))
			return 0;
	return len;
}

static void
json_escape(struct json *j, unsigned char c)
{
	char text[8];
	int n;

	if (c == '"' || c == '\\')
		n = snprintf(text, sizeof(text), "\\%c", c);
	else
		n = snprintf(text, sizeof(text), "\\u%04x", c);
	json_put(j, text, (size_t)n);
}

static bool
json_is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void
json_text(struct json *j, struct slice s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0, n;

	json_put(j, "\"", 1);
	while (i < s.n && !j->failed) {
		for (n = 0; i + n < s.n && json_is_plain(p[i + n]); n++)
			continue;
		json_put(j, p + i, n);
		i += n;
		if (i == s.n)
			break;
		if (p[i] < 0x80) {
			json_escape(j, p[i++]);
			continue;
		}
		n = json_utf8(p + i, s.n - i);
		if (n == 0)
			json_put(j, "\xef\xbf\xbd", 3);
		else
			json_put(j, p + i, n);
		i += n == 0 ? 1 : n;
	}
	json_put(j, "\"", 1);
}

void
json_key(struct json *j, const char *name)
{
	json_begin(j);
	json_text(j, slice_str(name));
	json_put(j, ":", 1);
	j->comma = false;
}

void
json_slice(struct json *j, struct slice s)
{
	json_begin(j);
	json_text(j, s);
}

void
json_str(struct json *j, const char *s)
{
	if (s == NULL)
		json_null(j);
	else
		json_slice(j, slice_str(s));
}

/* ------------------------------------------------------------ words, numbers */

static void
json_raw(struct json *j, const char *text)
{
	json_begin(j);
	json_put(j, text, strlen(text));
}

void
json_null(struct json *j)
{
	json_raw(j, "null");
}

void
json_bool(struct json *j, bool v)
{
	json_raw(j, v ? "true" : "false");
}

void
json_u64(struct json *j, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	json_raw(j, text);
}

void
json_real(struct json *j, double v)
{
	char text[40];

	if (!isfinite(v)) {
		json_null(j);
		return;
	}
	snprintf(text, sizeof(text), "%.9g", v);
	json_raw(j, text);
}

void
json_seconds(struct json *j, nsec_t v)
{
	json_real(j, (double)v / NSEC_PER_SEC);
}

static size_t
json_digits(struct slice s, size_t i)
{
	size_t begin = i;

	while (i < s.n && isdigit((unsigned char)s.p[i]))
		i++;
	return i - begin;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? */
static bool
json_is_number(struct slice s)
{
	size_t i = s.n > 0 && s.p[0] == '-', whole = json_digits(s, i), part;

	if (whole == 0 || (whole > 1 && s.p[i] == '0'))
		return false;
	i += whole;
	if (i == s.n)
		return true;
	if (s.p[i++] != '.')
		return false;
	part = json_digits(s, i);
	return part > 0 && i + part == s.n;
}

void
json_number(struct json *j, struct slice text)
{
	if (!json_is_number(text)) {
		json_slice(j, text);
		return;
	}
	json_begin(j);
	json_put(j, text.p, text.n);
}

/* ------------------------------------------------------------ marks */

struct json_mark
json_mark(const struct json *j)
{
	return (struct json_mark){ buf_len(j->b), j->comma, j->failed };
}

void
json_rewind(struct json *j, struct json_mark m)
{
	CHECK(m.len <= buf_len(j->b));
	j->b->end = j->b->start + m.len;
	j->comma = m.comma;
	j->failed = m.failed;
}
