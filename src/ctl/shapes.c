/* SPDX-License-Identifier: PostgreSQL
 *
 * Files of captured shapes; see shapes.h.  Knows nothing of statements.
 */
#include "ctl/shapes.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHAPES_MAX 1000000
#define SHAPES_CUT " ..."
#define SHAPES_BARE \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* ---- reading ---------------------------------------------------------------- */

static const char *
shapes_blank(const char *p)
{
	return p + strspn(p, " \t");
}

/* A name, malloc'ed; NULL: it is none. *p: behind it. */
static char *
shapes_name(const char **p)
{
	const char *from = *p;
	char *name = x_strdup(from), *to = name;
	size_t n;

	if (*from != '"') {
		n = strspn(from, SHAPES_BARE);
		name[n] = '\0';
		*p = from + n;
		to = name + n;
	} else {
		for (from++; *from != '\0'; from++) {
			if (*from == '"' && *++from != '"')
				break;
			*to++ = *from;
		}
		*p = from;
		if (from[-1] != '"')
			to = name; /* it has no end */
		*to = '\0';
	}
	if (to == name) {
		free(name);
		return NULL;
	}
	return name;
}

static bool
shapes_calls(const char **p, uint64_t *calls)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	*calls = strtoull(*p, &end, 10);
	*p = end;
	return errno == 0;
}

static bool
shapes_mean(const char **p, double *mean)
{
	char *end;

	*mean = -1;
	if (**p == '-') {
		++*p;
		return true;
	}
	if (**p < '0' || **p > '9')
		return false;
	*mean = strtod(*p, &end);
	*p = end;
	return isfinite(*mean);
}

/* Between two fields. */
static bool
shapes_gap(const char **p)
{
	const char *from = *p;

	*p = shapes_blank(from);
	return *p != from;
}

static const char *
shapes_line(const char *p, struct captured *c)
{
	size_t n, cut = strlen(SHAPES_CUT);

	p = shapes_blank(p);
	c->database = shapes_name(&p);
	if (c->database == NULL || !shapes_gap(&p))
		return "expected the name of a database first";
	if (!shapes_calls(&p, &c->calls) || !shapes_gap(&p))
		return "expected a number of calls behind the database";
	if (!shapes_mean(&p, &c->mean_ms) || !shapes_gap(&p))
		return "expected milliseconds or - behind the number of calls";
	n = strlen(p);
	while (n > 0 && strchr(" \t\r", p[n - 1]) != NULL)
		n--;
	if (n == 0)
		return "expected a statement behind the milliseconds";
	c->cut = n >= cut && memcmp(p + n - cut, SHAPES_CUT, cut) == 0;
	c->text = x_strndup(p, c->cut ? n - cut : n);
	return NULL;
}

static void
captured_fini(struct captured *c)
{
	free(c->database);
	free(c->text);
}

bool
captures_add_line(struct captures *all, const char *line, const char **what)
{
	struct captured c = { .calls = 0 };

	*what = all->n == SHAPES_MAX ? "expected at most a million lines" :
	    shapes_line(line, &c);
	if (*what != NULL) {
		captured_fini(&c);
		return false;
	}
	if (all->n == all->room) {
		struct captured *grown;

		all->room = all->room > 0 ? 2 * all->room : 64;
		grown = x_calloc(all->room, sizeof(*grown));
		if (all->n > 0)
			memcpy(grown, all->v, all->n * sizeof(*grown));
		free(all->v);
		all->v = grown;
	}
	all->v[all->n++] = c;
	return true;
}

/* All lines of f; 0, or the number of the one that is wrong. */
static unsigned
captures_lines(struct captures *all, FILE *f, const char **what)
{
	char *line = NULL;
	size_t size = 0;
	unsigned at = 0;
	bool ok = true;
	ssize_t n;

	while (ok && (n = getline(&line, &size, f)) >= 0) {
		at++;
		if (n > 0 && line[n - 1] == '\n')
			line[--n] = '\0';
		if (line[strspn(line, " \t\r")] == '\0' || line[0] == '#')
			continue;
		*what = "a byte of value 0";
		ok = strlen(line) == (size_t)n &&
		    captures_add_line(all, line, what);
	}
	free(line);
	return ok ? 0 : at;
}

bool
captures_read(struct captures *all, const char *path, char *why, size_t size)
{
	const char *what = NULL;
	bool standard = strcmp(path, "-") == 0;
	FILE *f = standard ? stdin : fopen(path, "re");
	unsigned wrong = 0;
	bool ok;

	*all = (struct captures){ .n = 0 };
	if (f != NULL) {
		wrong = captures_lines(all, f, &what);
		ok = wrong == 0 && !ferror(f);
	} else {
		ok = false;
	}
	if (wrong > 0)
		snprintf(why, size, "%s:%u: %s", path, wrong, what);
	else if (!ok)
		snprintf(why, size, "%s cannot be read: %s", path,
		    strerror(errno));
	if (f != NULL && !standard)
		fclose(f);
	if (!ok)
		captures_fini(all);
	return ok;
}

/* ---- all of them --------------------------------------------------------------- */

static int
captured_order(const void *a, const void *b)
{
	const struct captured *x = a, *y = b;
	int c;

	if (x->calls != y->calls)
		return x->calls > y->calls ? -1 : 1;
	c = strcmp(x->database, y->database);
	return c != 0 ? c : strcmp(x->text, y->text);
}

void
captures_sort(struct captures *all)
{
	if (all->n > 0)
		qsort(all->v, all->n, sizeof(*all->v), captured_order);
}

void
captures_fini(struct captures *all)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		captured_fini(&all->v[i]);
	free(all->v);
	*all = (struct captures){ .n = 0 };
}

/* ---- writing ---------------------------------------------------------------------- */

void
captured_write(FILE *f, const struct captured *c)
{
	const char *p;

	if (c->database[strspn(c->database, SHAPES_BARE)] == '\0') {
		fputs(c->database, f);
	} else {
		putc('"', f);
		for (p = c->database; *p != '\0'; p++) {
			if (*p == '"')
				putc('"', f);
			putc(*p, f);
		}
		putc('"', f);
	}
	fprintf(f, " %" PRIu64, c->calls);
	if (c->mean_ms < 0)
		fputs(" -", f);
	else
		fprintf(f, " %.3f", c->mean_ms);
	fprintf(f, " %s%s\n", c->text, c->cut ? SHAPES_CUT : "");
}
