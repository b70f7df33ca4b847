/* SPDX-License-Identifier: PostgreSQL
 *
 * Files in the form of pgbouncer.ini.
 *
 * Knows nothing of what sections and keys there are.  Pure, any thread.
 */
#include "import/ini.h"

#include <stdbool.h>
#include <string.h>

struct ini_line {
	struct ini *ini;
	const char *file;
	int line;
	const char *p, *end; /* without the line end */
};

static bool
ini_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static void
ini_skip(struct ini_line *l)
{
	while (l->p < l->end && ini_blank(*l->p))
		l->p++;
}

static void
ini_trim(struct ini_line *l)
{
	while (l->end > l->p && ini_blank(l->end[-1]))
		l->end--;
}

static void
ini_wrong(struct ini_line *l, const char *what)
{
	l->ini->hooks->wrong(l->ini->arg, l->file, l->line, what);
}

/* Characters of keys without quotes. */
static bool
ini_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || (c != '\0' && strchr("_.-*", c) != NULL) ||
	    (unsigned char)c >= 0x80;
}

static void
ini_section(struct ini_line *l)
{
	const char *to = memchr(l->p, ']', (size_t)(l->end - l->p));
	size_t n = to != NULL ? (size_t)(to - l->p - 1) : 0;

	if (to == NULL || to + 1 != l->end) {
		ini_wrong(l, "section is not closed, expected [section]");
	} else if (n >= INI_NAME_MAX) {
		ini_wrong(l, "section has a long name, expected a known one");
	} else {
		memcpy(l->ini->section, l->p + 1, n);
		l->ini->section[n] = '\0';
	}
}

static void
ini_directive(struct ini_line *l)
{
	static const char word[] = "%include";
	size_t n = sizeof(word) - 1;

	if ((size_t)(l->end - l->p) <= n || memcmp(l->p, word, n) != 0 ||
	    !ini_blank(l->p[n])) {
		ini_wrong(l, "unknown directive, expected %include file");
		return;
	}
	l->p += n;
	ini_skip(l);
	l->ini->hooks->include(l->ini->arg,
	    slice_make(l->p, (size_t)(l->end - l->p)), l->file, l->line);
}

/* "key", where "" is one quote; p is behind the first. */
static bool
ini_quoted(struct ini_line *l, char key[INI_NAME_MAX], size_t *n)
{
	for (; l->p < l->end; l->p++) {
		if (*l->p == '"') {
			l->p++;
			if (l->p == l->end || *l->p != '"')
				return true;
		}
		if (*n < INI_NAME_MAX)
			key[(*n)++] = *l->p;
	}
	ini_wrong(l, "name is not closed, expected a \"");
	return false;
}

static void
ini_key(struct ini_line *l)
{
	struct ini_item it = { .file = l->file, .line = l->line,
		.section = l->ini->section };
	char key[INI_NAME_MAX];
	size_t n = 0;

	if (*l->p == '"') {
		l->p++;
		if (!ini_quoted(l, key, &n))
			return;
	} else {
		for (; l->p < l->end && ini_plain(*l->p); l->p++)
			if (n < INI_NAME_MAX)
				key[n++] = *l->p;
	}
	ini_skip(l);
	if (n == 0 || l->p == l->end || *l->p != '=') {
		ini_wrong(l, "not understood, expected name = value");
		return;
	}
	if (n == INI_NAME_MAX) {
		ini_wrong(l, "name is too long, expected at most 255 bytes");
		return;
	}
	key[n] = '\0';
	l->p++;
	ini_skip(l);
	it.key = key;
	it.value = slice_make(l->p, (size_t)(l->end - l->p));
	l->ini->hooks->item(l->ini->arg, &it);
}

void
ini_parse(struct ini *ini, const char *file, struct slice text)
{
	struct ini_line l = { .ini = ini, .file = file };
	const char *p = text.p, *end, *nl;

	if (text.n == 0)
		return;
	for (end = p + text.n; p < end; p = nl < end ? nl + 1 : end) {
		nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl != NULL ? nl : end;
		l.line++;
		l.p = p;
		l.end = nl;
		ini_skip(&l);
		ini_trim(&l);
		if (l.p == l.end || *l.p == ';' || *l.p == '#')
			continue;
		if (memchr(l.p, '\0', (size_t)(l.end - l.p)) != NULL)
			ini_wrong(&l, "zero byte, expected text");
		else if (*l.p == '[')
			ini_section(&l);
		else if (*l.p == '%')
			ini_directive(&l);
		else
			ini_key(&l);
	}
}
