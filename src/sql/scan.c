/* SPDX-License-Identifier: PostgreSQL
 *
 * Byte classes and small steps over SQL text, as PostgreSQL's scan.l has them.
 * Knows nothing of grammar.  Pure, any thread.  No step reads past the slice.
 */
#include "sql/scan.h"

#include <string.h>

#define C_(c) [(unsigned char)(c)]
#define RANGE_(a, b) [(a) ... (b)]

const uint8_t scan_class[256] = {
	RANGE_(0, 8) = SC_BAD,
	C_(' ') = SC_SPACE, C_('\t') = SC_SPACE, C_('\n') = SC_SPACE,
	C_('\r') = SC_SPACE, C_('\f') = SC_SPACE,
	RANGE_('a', 'z') = SC_IDENT, RANGE_('A', 'Z') = SC_IDENT,
	RANGE_(0x80, 0xff) = SC_IDENT, C_('_') = SC_IDENT,
	RANGE_('0', '9') = SC_DIGIT,
	C_('~') = SC_OP, C_('!') = SC_OP, C_('@') = SC_OP, C_('#') = SC_OP,
	C_('^') = SC_OP, C_('&') = SC_OP, C_('|') = SC_OP, C_('`') = SC_OP,
	C_('?') = SC_OP, C_('+') = SC_OP, C_('-') = SC_OP, C_('*') = SC_OP,
	C_('/') = SC_OP, C_('%') = SC_OP, C_('<') = SC_OP, C_('>') = SC_OP,
	C_('=') = SC_OP, C_(':') = SC_OP,
	C_('\'') = SC_QUOTE, C_('"') = SC_DQUOTE, C_('$') = SC_DOLLAR,
	C_('.') = SC_DOT, C_('(') = SC_OPEN, C_('[') = SC_OPEN,
	C_(')') = SC_CLOSE, C_(']') = SC_CLOSE, C_(',') = SC_COMMA,
	C_(';') = SC_SEMI,
};

size_t
scan_word(struct slice s, size_t pos)
{
	const unsigned word = 1u << SC_IDENT | 1u << SC_DIGIT |
	    1u << SC_DOLLAR;

	while (pos < s.n && (word >> scan_class_of(s.p[pos]) & 1) != 0)
		pos++;
	return pos;
}

/* Past the closing quote, where a doubled one does not close. */
static size_t
scan_to_quote(struct slice s, size_t pos, char quote)
{
	for (;;) {
		const char *q = memchr(s.p + pos, quote, s.n - pos);

		if (q == NULL)
			return SIZE_MAX;
		pos = (size_t)(q - s.p) + 1;
		if (pos == s.n || s.p[pos] != quote)
			return pos;
		pos++;
	}
}

size_t
scan_quoted(struct slice s, size_t pos)
{
	return scan_to_quote(s, pos + 1, '"');
}

size_t
scan_comment(struct slice s, size_t pos)
{
	unsigned depth = 0;

	if (s.p[pos] == '-') {
		while (pos < s.n && s.p[pos] != '\n' && s.p[pos] != '\r')
			pos++;
		return pos;
	}
	while (s.n - pos >= 2) {
		if (s.p[pos] == '/' && s.p[pos + 1] == '*') {
			depth++;
			pos += 2;
		} else if (s.p[pos] == '*' && s.p[pos + 1] == '/') {
			pos += 2;
			if (--depth == 0)
				return pos;
		} else {
			pos++;
		}
	}
	return SIZE_MAX;
}

size_t
scan_space(struct slice s, size_t pos)
{
	while (pos < s.n) {
		if (scan_class_of(s.p[pos]) == SC_SPACE) {
			pos++;
			continue;
		}
		if (s.n - pos < 2 ||
		    !((s.p[pos] == '-' && s.p[pos + 1] == '-') ||
		    (s.p[pos] == '/' && s.p[pos + 1] == '*')))
			break;
		pos = scan_comment(s, pos);
		if (pos == SIZE_MAX)
			return s.n;
	}
	return pos;
}

size_t
scan_string(struct slice s, size_t pos)
{
	size_t tag, n;
	const char *end;

	if (pos < s.n && s.p[pos] == '\'')
		return scan_to_quote(s, pos + 1, '\'');
	if (pos == s.n || s.p[pos] != '$')
		return pos;
	tag = pos + 1;
	while (tag < s.n && (scan_class_of(s.p[tag]) == SC_IDENT ||
	    (tag > pos + 1 && scan_class_of(s.p[tag]) == SC_DIGIT)))
		tag++;
	if (tag == s.n || s.p[tag] != '$')
		return pos;
	tag++;
	n = tag - pos;
	end = memmem(s.p + tag, s.n - tag, s.p + pos, n);
	return end == NULL ? SIZE_MAX : (size_t)(end - s.p) + n;
}

size_t
scan_escaped(struct slice s, size_t pos)
{
	while (pos < s.n) {
		char c = s.p[pos++];

		if (c == '\\') {
			if (pos == s.n)
				break;
			pos++;
		} else if (c == '\'') {
			if (pos == s.n || s.p[pos] != '\'')
				return pos;
			pos++;
		}
	}
	return SIZE_MAX;
}

size_t
scan_continued(struct slice s, size_t pos)
{
	bool line_end = false;

	for (; pos < s.n; pos++) {
		char c = s.p[pos];

		if (c == '\n' || c == '\r') {
			line_end = true;
		} else if (c == '-' && s.n - pos >= 2 && s.p[pos + 1] == '-') {
			pos = scan_comment(s, pos);
			if (pos == s.n)
				return 0;
			line_end = true;
		} else if (c == '\'') {
			return line_end ? pos : 0;
		} else if (scan_class_of(c) != SC_SPACE) {
			return 0;
		}
	}
	return 0;
}

size_t
scan_ident(struct slice s, size_t pos)
{
	size_t end;

	if (pos == s.n)
		return pos;
	if (s.p[pos] == '"') {
		end = scan_quoted(s, pos);
		return end == SIZE_MAX ? pos : end;
	}
	return scan_class_of(s.p[pos]) == SC_IDENT ? scan_word(s, pos) : pos;
}
