/* SPDX-License-Identifier: PostgreSQL
 *
 * Hints in comments: finding one, and its words.  Pure; looks at HINT_BYTES of
 * the statement at most.
 */
#include "route/hint.h"

#include <string.h>

#include "conf/units.h"

#define HINT_BYTES 1024
#define HINT_MARK "pgsluice:"

static bool
hint_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
hint_skip_blanks(struct slice *s)
{
	while (s->n > 0 && hint_is_blank(*s->p)) {
		s->p++;
		s->n--;
	}
}

static bool
hint_starts(struct slice s, const char *with)
{
	return s.n >= strlen(with) && memcmp(s.p, with, strlen(with)) == 0;
}

/* The comment that s begins with, without its marks; s is what follows it.
 * false: there is none, or no end of it. */
static bool
hint_comment(struct slice *s, struct slice *out)
{
	size_t depth = 1, i;
	const char *end;

	if (hint_starts(*s, "--")) {
		end = memchr(s->p, '\n', s->n);
		if (end == NULL)
			return false;
		*out = slice_make(s->p + 2, (size_t)(end - s->p) - 2);
		s->n -= (size_t)(end - s->p);
		s->p = end;
		return true;
	}
	if (!hint_starts(*s, "/*"))
		return false;
	for (i = 2; i + 1 < s->n && depth > 0; i++) {
		if (memcmp(s->p + i, "*/", 2) == 0) {
			depth--;
			i++;
		} else if (memcmp(s->p + i, "/*", 2) == 0) {
			depth++;
			i++;
		}
	}
	if (depth > 0)
		return false;
	*out = slice_make(s->p + 2, i - 4);
	s->p += i;
	s->n -= i;
	return true;
}

static bool
hint_word(struct slice word, struct hint *out)
{
	char value[UNITS_TEXT];

	if (slice_eq(word, SLICE_LIT("nocache"))) {
		out->nocache = true;
		return true;
	}
	if (!hint_starts(word, "ttl=") || word.n - 4 >= sizeof(value))
		return false;
	memcpy(value, word.p + 4, word.n - 4);
	value[word.n - 4] = '\0';
	return units_parse_time(value, &out->ttl);
}

static void
hint_words(struct slice text, struct hint *out)
{
	struct slice word;

	for (hint_skip_blanks(&text); text.n > 0; hint_skip_blanks(&text)) {
		word = slice_make(text.p, 0);
		while (text.n > 0 && !hint_is_blank(*text.p)) {
			text.p++;
			text.n--;
			word.n++;
		}
		if (!hint_word(word, out) && out->bad.n == 0)
			out->bad = word;
	}
}

void
hint_read(struct slice sql, struct hint *out)
{
	struct slice comment;

	*out = (struct hint){ .ttl = UINT64_MAX };
	if (sql.n > HINT_BYTES)
		sql.n = HINT_BYTES;
	for (hint_skip_blanks(&sql); hint_comment(&sql, &comment);
	    hint_skip_blanks(&sql)) {
		hint_skip_blanks(&comment);
		if (!hint_starts(comment, HINT_MARK))
			continue;
		comment.p += strlen(HINT_MARK);
		comment.n -= strlen(HINT_MARK);
		out->there = true;
		hint_words(comment, out);
		return;
	}
}
