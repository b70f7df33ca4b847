/* SPDX-License-Identifier: PostgreSQL
 *
 * PgBouncer's auth_file, as PgBouncer reads it, written so that pgsluice takes
 * it.
 *
 * Pure.  Secrets are in no message, and wiped.  One thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/secret.h"
#include "import/import_priv.h"

#define USERS_NAME_MAX 127
#define USERS_SECRET_MAX 1023

struct users_row {
	char name[USERS_NAME_MAX + 1];
	char secret[USERS_SECRET_MAX + 1];
	int line;
};

struct users {
	const char *file;
	const char *p, *end; /* of a line */
	int line;
	struct users_row *rows;
	size_t n, size;
	struct buf *said;
};

static bool
users_fail(struct users *u, const char *what)
{
	import_put(u->said, "%s:%d: %s: left out\n", u->file, u->line, what);
	return false;
}

/* The next text in double quotes. */
static bool
users_quoted(struct users *u, char *out, size_t size)
{
	size_t n = 0;

	u->p = u->p < u->end ?
	    memchr(u->p, '"', (size_t)(u->end - u->p)) : NULL;
	if (u->p == NULL)
		return users_fail(u, "no \"user\" \"secret\"");
	for (u->p++; u->p < u->end; u->p++) {
		if (*u->p == '"') {
			u->p++;
			if (u->p == u->end || *u->p != '"') {
				out[n] = '\0';
				return true;
			}
		}
		if (n + 1 == size || *u->p == '\0')
			return users_fail(u, "name or secret too long, or "
			    "with a zero byte");
		out[n++] = *u->p;
	}
	return users_fail(u, "a quote is never closed");
}

static struct users_row *
users_add(struct users *u)
{
	struct users_row *v;

	if (u->n == u->size) {
		u->size = u->size > 0 ? 2 * u->size : 16;
		v = x_calloc(u->size, sizeof(*v));
		if (u->n > 0) {
			memcpy(v, u->rows, u->n * sizeof(*v));
			explicit_bzero(u->rows, u->n * sizeof(*v));
		}
		free(u->rows);
		u->rows = v;
	}
	return &u->rows[u->n++];
}

static void
users_line(struct users *u)
{
	struct users_row *r;
	struct secret s = { 0 };
	const char *why;

	while (u->p < u->end && strchr(" \t\r\f\v", *u->p) != NULL &&
	    *u->p != '\0')
		u->p++;
	if (u->p == u->end || *u->p == ';' || *u->p == '#')
		return;
	if (*u->p != '"') {
		(void)users_fail(u, "no \"user\" \"secret\"");
		return;
	}
	r = users_add(u);
	r->line = u->line;
	if (!users_quoted(u, r->name, sizeof(r->name)) ||
	    !users_quoted(u, r->secret, sizeof(r->secret))) {
		explicit_bzero(r, sizeof(*r));
		u->n--;
		return;
	}
	why = r->name[0] == '\0' ? "empty name" :
	    secret_parse(r->secret, &s);
	if (why != NULL) {
		(void)users_fail(u, why);
		explicit_bzero(r, sizeof(*r));
		u->n--;
		return;
	}
	secret_fini(&s);
}

/* By name, equal names by line. */
static int
users_order(const void *a, const void *b)
{
	const struct users_row *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : x->line - y->line;
}

static void
users_write_quoted(struct buf *out, const char *s)
{
	bool ok = buf_append(out, "\"", 1);

	for (; ok && *s != '\0'; s++)
		ok = (*s != '"' || buf_append(out, s, 1)) &&
		    buf_append(out, s, 1);
	CHECK(ok && buf_append(out, "\"", 1));
}

bool
import_users_text(const char *name, struct slice text, struct buf *out,
    struct buf *said)
{
	struct users u = { .file = name, .said = said };
	const char *p = text.p, *end = text.p + text.n, *nl;
	size_t i, before = buf_len(said);

	for (; p < end; p = nl < end ? nl + 1 : end) {
		nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl != NULL ? nl : end;
		u.line++;
		u.p = p;
		u.end = nl;
		users_line(&u);
	}
	if (u.n > 1)
		qsort(u.rows, u.n, sizeof(*u.rows), users_order);
	/* Once, at its final size, which leaves no copies of secrets. */
	CHECK(buf_reserve(out, 2 * text.n + 8 * u.n + 1));
	for (i = 0; i < u.n; i++) {
		if (i + 1 < u.n &&
		    strcmp(u.rows[i].name, u.rows[i + 1].name) == 0)
			continue;
		users_write_quoted(out, u.rows[i].name);
		import_put(out, " ");
		users_write_quoted(out, u.rows[i].secret);
		import_put(out, "\n");
	}
	if (u.n > 0)
		explicit_bzero(u.rows, u.n * sizeof(*u.rows));
	free(u.rows);
	return buf_len(said) == before;
}
