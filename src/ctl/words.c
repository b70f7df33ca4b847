/* SPDX-License-Identifier: PostgreSQL
 *
 * Readings of the words of a shape; see words.h.  Pure.
 *
 * The first reading goes by what stands beside a '?'; then come those in which
 * every literal is a string or a number, for statements whose grammar has
 * constants only, and those in which one '?' more is an operator.
 */
#include "ctl/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORDS_STRINGS 1 /* numbers of readings */
#define WORDS_NUMBERS 2
#define WORDS_OPERATORS 3 /* and up to WORDS_TRIED of these */
#define WORDS_TRIED 16

enum mark { MARK_PARAM, MARK_STRING, MARK_NUMBER, MARK_OPERATOR };

struct words {
	const char *at;
	char *out;
	unsigned next;       /* number of the next parameter */
	unsigned marks;      /* met so far */
	const char *word;    /* the last token, if it is a word; or NULL */
	size_t word_len;
	const char *before;  /* the word before an opening bracket; or NULL */
	size_t before_len;
	bool operand;        /* the last token can end an operand */
};

static bool
words_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	    (c & 0x80) != 0;
}

static bool
words_is_in(const char *word, size_t n, const char *const *list, size_t size)
{
	size_t i;

	for (i = 0; word != NULL && i < size; i++)
		if (strlen(list[i]) == n &&
		    strncasecmp(word, list[i], n) == 0)
			return true;
	return false;
}

/* An expression may begin behind it. */
static bool
words_leads(const char *word, size_t n)
{
	static const char *const leading[] = { "all", "and", "any",
		"between", "by", "case", "default", "distinct", "do", "else",
		"escape", "except", "exists", "filter", "first", "for", "from",
		"having", "ilike", "in", "intersect", "is", "like", "limit",
		"next", "not", "offset", "on", "or", "returning", "select",
		"set", "similar", "some", "symmetric", "then", "to", "union",
		"using", "values", "when", "where", "zone" };

	return words_is_in(word, n, leading, ARRAY_SIZE(leading));
}

/* What it takes in brackets are whole numbers written out. */
static bool
words_takes_number(const char *word, size_t n)
{
	static const char *const types[] = { "bit", "char", "character",
		"decimal", "float", "interval", "nchar", "numeric", "time",
		"timestamp", "timestamptz", "varchar", "varying" };

	return words_is_in(word, n, types, ARRAY_SIZE(types));
}

static bool
words_is_by(const struct words *w)
{
	static const char *const by[] = { "by" };

	return words_is_in(w->word, w->word_len, by, 1);
}

static bool
words_is_extract(const struct words *w)
{
	static const char *const names[] = { "extract" };

	return w->word == NULL && words_is_in(w->before, w->before_len, names,
	    1);
}

/* Is the '?' at w->at the operator, as far as can be seen? */
static bool
words_is_operator(const struct words *w, const char *start)
{
	const char *p = w->at;

	if (p > start && p[-1] == '@')
		return true;
	if (!w->operand)
		return false;
	if ((p[1] == '|' || p[1] == '&') && p[2] != p[1])
		return true;
	return p[1] == ' ' && (p[2] == '?' || p[2] == '$');
}

static enum mark
words_mark(const struct words *w, const char *start)
{
	if (words_is_operator(w, start))
		return MARK_OPERATOR;
	if (words_is_by(w) || (w->word == NULL &&
	    words_takes_number(w->before, w->before_len)))
		return MARK_NUMBER;
	if (words_is_extract(w))
		return MARK_STRING;
	/* date ?, interval ? */
	if (w->word != NULL && !words_leads(w->word, w->word_len))
		return MARK_STRING;
	return MARK_PARAM;
}

static void
words_put_mark(struct words *w, enum mark m)
{
	switch (m) {
	case MARK_PARAM:
		w->out += sprintf(w->out, "$%u", w->next++);
		break;
	case MARK_STRING:
		w->out = stpcpy(w->out, "'?'");
		break;
	case MARK_NUMBER:
		*w->out++ = '1';
		break;
	case MARK_OPERATOR:
		*w->out++ = '?';
		break;
	}
	w->operand = m != MARK_OPERATOR;
	w->word = NULL;
	w->before = NULL;
	w->at++;
}

/* Bytes of one token but a '?', copied. */
static void
words_token(struct words *w)
{
	const char *from = w->at, *p = from;
	bool blank = *p == ' ';

	if (*p == '"') {
		for (p++; *p != '\0' && *p != '"'; p++)
			;
		p += *p == '"';
	} else if (words_is_letter(*p)) {
		while (words_is_letter(*p) || (*p >= '0' && *p <= '9') ||
		    *p == '$')
			p++;
	} else if (*p == '$') {
		for (p++; *p >= '0' && *p <= '9'; p++)
			;
	} else {
		p++;
	}
	memcpy(w->out, from, (size_t)(p - from));
	w->out += p - from;
	w->at = p;
	if (blank)
		return;
	w->before = *from == '(' ? w->word : NULL;
	w->before_len = w->word_len;
	w->word = words_is_letter(*from) ? from : NULL;
	w->word_len = (size_t)(p - from);
	w->operand = *from == '"' || *from == ')' || *from == ']' ||
	    *from == '$' || (w->word != NULL &&
	    !words_leads(w->word, w->word_len));
}

/* The number behind that of the last parameter. */
static unsigned
words_next(const char *words)
{
	unsigned long max = 0, n;
	const char *p;

	for (p = strchr(words, '$'); p != NULL; p = strchr(p + 1, '$')) {
		n = strtoul(p + 1, NULL, 10);
		if (n > max && n < 65536)
			max = n;
	}
	return (unsigned)max + 1;
}

char *
words_reading(const char *words, unsigned n, bool *planned)
{
	struct words w = { .at = words, .next = words_next(words) };
	char *out = x_malloc(strlen(words) * 7 + 1);
	bool turned = n < WORDS_OPERATORS;
	enum mark m;

	*planned = n != WORDS_STRINGS && n != WORDS_NUMBERS;
	for (w.out = out; *w.at != '\0';) {
		if (*w.at != '?') {
			words_token(&w);
			continue;
		}
		m = words_mark(&w, words);
		if (n == WORDS_STRINGS && m != MARK_OPERATOR)
			m = MARK_STRING;
		else if (n == WORDS_NUMBERS && m != MARK_OPERATOR)
			m = MARK_NUMBER;
		else if (n >= WORDS_OPERATORS &&
		    w.marks == n - WORDS_OPERATORS) {
			/* What looked like one is a literal, then. */
			m = m == MARK_OPERATOR ? MARK_PARAM : MARK_OPERATOR;
			turned = true;
		}
		w.marks++;
		words_put_mark(&w, m);
	}
	*w.out = '\0';
	if (!turned || n >= WORDS_OPERATORS + WORDS_TRIED) {
		free(out);
		return NULL;
	}
	return out;
}
