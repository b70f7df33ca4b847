/* SPDX-License-Identifier: PostgreSQL
 *
 * Escaping of values from outside for a log line.
 *
 * What comes out is one logfmt value: bare when it is made of harmless
 * characters, else in double quotes with everything that could end the value,
 * end the line or steer a terminal written as \xNN.  Results live in the
 * thread's rotating buffers, so up to eight may stand in one log call.
 */
#include <stdio.h>

#include "base/log.h"

#define LOGESC_MAX 256 /* bytes of the value that are looked at */
#define LOGESC_BUFS 8
#define LOGESC_STEP 4 /* a character, or a byte as \xNN */
#define LOGESC_TAIL 5 /* three dots, quote, end */
#define LOGESC_SIZE (1 + LOGESC_STEP * LOGESC_MAX + LOGESC_TAIL)

static bool
logesc_is_bare(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || c == '_' || c == '.' || c == ':' ||
	    c == '/' || c == '-';
}

static bool
logesc_all_bare(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!logesc_is_bare((unsigned char)s.p[i]))
			return false;
	return s.n > 0 && s.n <= LOGESC_MAX;
}

/* Length of the well-formed, printable UTF-8 sequence at p; 0 if there is
 * none.  Overlong forms, surrogates and C1 controls (which terminals obey)
 * count as none. */
static size_t
logesc_utf8(const unsigned char *p, size_t n)
{
	size_t len, i;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (len > n)
		return 0;
	for (i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xe0 && p[1] < 0xa0) ||
	    (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static size_t
logesc_byte(char *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	out[0] = '\\';
	if (c == '"' || c == '\\') {
		out[1] = (char)c;
		return 2;
	}
	if (c == '\n' || c == '\t' || c == '\r') {
		out[1] = c == '\n' ? 'n' : c == '\t' ? 't' : 'r';
		return 2;
	}
	out[1] = 'x';
	out[2] = hex[c >> 4];
	out[3] = hex[c & 15];
	return 4;
}

/* At most max bytes of s; as many as fit, if these are fewer. */
static void
logesc_quote(char *out, size_t size, struct slice s, size_t max)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0, o = 0, len;

	out[o++] = '"';
	while (i < s.n && i < max && o + LOGESC_STEP + LOGESC_TAIL <= size) {
		len = logesc_utf8(p + i, s.n - i);
		if (len > max - i)
			break;
		if (len == 0 || p[i] == '"' || p[i] == '\\') {
			o += logesc_byte(out + o, p[i++]);
			continue;
		}
		memcpy(out + o, p + i, len);
		o += len;
		i += len;
	}
	if (i < s.n) {
		memcpy(out + o, "...", 3);
		o += 3;
	}
	out[o++] = '"';
	out[o] = '\0';
}

const char *
log_esc(struct slice s)
{
	static _Thread_local char bufs[LOGESC_BUFS][LOGESC_SIZE];
	static _Thread_local unsigned turn;
	char *out = bufs[turn++ % LOGESC_BUFS];

	if (logesc_all_bare(s)) {
		memcpy(out, s.p, s.n);
		out[s.n] = '\0';
	} else {
		logesc_quote(out, LOGESC_SIZE, s, LOGESC_MAX);
	}
	return out;
}

const char *
log_esc_into(char *out, size_t size, struct slice s)
{
	CHECK(size > LOGESC_STEP + LOGESC_TAIL);
	logesc_quote(out, size, s, s.n);
	return out;
}

const char *
log_escs(const char *s)
{
	return log_esc(slice_str(s));
}
