/* SPDX-License-Identifier: PostgreSQL
 *
 * A first pass over the text, before libconfuse sees it.
 *
 * libconfuse takes comments only between options, drops characters it does
 * not know, and accepts a file that ends inside a comment or a block.  So this
 * pass blanks comments out (line ends stay, lines keep their numbers), refuses
 * what would be dropped, and checks that strings, comments and braces are
 * closed, naming the line where they were opened.
 *
 * Pure but for the diagnostics.  Follows the token rules of libconfuse 3.3.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"

#define SCAN_DEPTH_MAX 16

struct scan {
	struct conf_parse *p;
	char *s;
	size_t i, n;
	int line;
	int depth;
	int opened[SCAN_DEPTH_MAX]; /* lines of the braces that are open */
};

static bool
scan_at(const struct scan *sc, const char *word)
{
	size_t len = strlen(word);

	return len <= sc->n - sc->i && memcmp(sc->s + sc->i, word, len) == 0;
}

/* Blank up to the end of the line, or past the end of the comment. */
static bool
scan_comment(struct scan *sc, bool block)
{
	int line = sc->line;

	for (; sc->i < sc->n; sc->i++) {
		if (sc->s[sc->i] == '\n') {
			if (!block)
				return true;
			sc->line++;
			continue;
		}
		if (block && scan_at(sc, "*/")) {
			sc->s[sc->i] = sc->s[sc->i + 1] = ' ';
			sc->i += 2;
			return true;
		}
		sc->s[sc->i] = ' ';
	}
	if (!block)
		return true;
	conf_complain(sc->p, line, "comment is never closed, expected */");
	return false;
}

/* At "${" in double quotes, where libconfuse puts in an environment variable:
 * it takes everything up to the next }, quotes and all, wherever that is. */
static bool
scan_variable(struct scan *sc)
{
	size_t len = strcspn(sc->s + sc->i, "}\"\n");

	if (sc->s[sc->i + len] == '}') {
		sc->i += len;
		return true;
	}
	conf_complain(sc->p, sc->line,
	    "${ without }, expected ${VARIABLE}, or \\$ for a plain $");
	return false;
}

/* At an opening quote: go past the closing one. */
static bool
scan_string(struct scan *sc)
{
	char quote = sc->s[sc->i];
	int line = sc->line;

	for (sc->i++; sc->i < sc->n; sc->i++) {
		if (sc->s[sc->i] == quote) {
			sc->i++;
			return true;
		}
		if (sc->s[sc->i] == '\\' && sc->i + 1 < sc->n)
			sc->i++;
		else if (quote == '"' && scan_at(sc, "${") &&
		    !scan_variable(sc))
			return false;
		if (sc->s[sc->i] == '\n')
			sc->line++;
	}
	conf_complain(sc->p, line, "string is never closed, expected %c", quote);
	return false;
}

static bool
scan_brace(struct scan *sc)
{
	if (sc->s[sc->i++] == '}') {
		if (sc->depth > 0) {
			sc->depth--;
			return true;
		}
		conf_complain(sc->p, sc->line, "} closes nothing");
		return false;
	}
	if (sc->depth == SCAN_DEPTH_MAX) {
		conf_complain(sc->p, sc->line,
		    "blocks nested too deep, expected at most %d",
		    SCAN_DEPTH_MAX);
		return false;
	}
	sc->opened[sc->depth++] = sc->line;
	return true;
}

/* A character outside strings and comments that libconfuse would drop. */
static bool
scan_is_lost(const struct scan *sc)
{
	unsigned char c = (unsigned char)sc->s[sc->i];
	char next = sc->i + 1 < sc->n ? sc->s[sc->i + 1] : '\n';

	if (c == '+')
		return next != '=';
	if (c == '/')
		return strchr(" #\"'\t\n\r={}()+,*", next) != NULL;
	return c == '*' || (c == '$' && next == '{') ||
	    (c < 0x20 && strchr("\t\r\n", c) == NULL);
}

/* One token or comment; false: complained. */
static bool
scan_step(struct scan *sc)
{
	char c = sc->s[sc->i];

	if (c == '#' || scan_at(sc, "//"))
		return scan_comment(sc, false);
	if (scan_at(sc, "/*")) {
		sc->s[sc->i] = sc->s[sc->i + 1] = ' ';
		sc->i += 2;
		return scan_comment(sc, true);
	}
	if (c == '"' || c == '\'')
		return scan_string(sc);
	if (c == '{' || c == '}')
		return scan_brace(sc);
	if (scan_is_lost(sc)) {
		conf_complain(sc->p, sc->line,
		    "unexpected character '%c', expected it inside quotes", c);
		return false;
	}
	if (c == '\n')
		sc->line++;
	sc->i++;
	return true;
}

char *
conf_scan(struct conf_parse *p, const char *text, size_t len)
{
	struct scan sc = { .p = p, .n = len, .line = 1 };
	const char *nul;

	if (len > CONF_TEXT_MAX) {
		conf_complain(p, 1, "file too large, expected at most %u bytes",
		    CONF_TEXT_MAX);
		return NULL;
	}
	nul = len > 0 ? memchr(text, '\0', len) : NULL;
	sc.s = x_malloc(len + 2);
	if (len > 0)
		memcpy(sc.s, text, len);
	/* A token that ends the file needs an end, too. */
	if (len == 0 || text[len - 1] != '\n')
		sc.s[len++] = '\n';
	sc.s[len] = '\0';
	if (nul != NULL) {
		for (; sc.i < (size_t)(nul - text); sc.i++)
			sc.line += text[sc.i] == '\n';
		conf_complain(p, sc.line, "zero byte in the file, expected text");
		goto fail;
	}
	while (sc.i < sc.n)
		if (!scan_step(&sc))
			goto fail;
	if (sc.depth > 0) {
		conf_complain(p, sc.opened[sc.depth - 1],
		    "{ is never closed, expected }");
		goto fail;
	}
	return sc.s;
fail:
	explicit_bzero(sc.s, len);
	free(sc.s);
	return NULL;
}
