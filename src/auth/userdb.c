/* SPDX-License-Identifier: PostgreSQL
 *
 * The users file: read, checked, turned into verifiers, looked up by name.
 *
 * A file is taken whole or not at all; the message names the line.  Loading
 * runs on the control thread and derives a verifier for each plain password
 * (milliseconds each), except those an older set already has.  Afterwards a
 * set never changes, so lookups need no lock.  No message holds a secret.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/authfile.h"
#include "auth/userdb.h"
#include "base/hash.h"

#define USERDB_MAGIC 0x05e4db17u
#define USERDB_NAME_MAX 127
#define USERDB_SECRET_MAX 1023

struct userdb_row { /* entry first: sorted and searched as entries */
	struct userdb_entry entry;
	int line;
};

struct userdb {
	uint32_t magic;
	atomic_uint refs;
	struct userdb_row *rows; /* by name once loaded */
	size_t n, size, n_md5; /* of n: can be asked for an MD5 answer */
};

/* Reading: one line at a time out of the whole text. */
struct userdb_reader {
	const char *path;
	const struct userdb *old;
	struct userdb *db;
	const char *p, *end;
	int line;
	char *err;
	size_t err_size;
};

static bool PG_PRINTF(2, 3)
userdb_fail(struct userdb_reader *r, const char *fmt, ...)
{
	char text[256], *c;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (c = text; *c != '\0'; c++) /* names come from the file */
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	(void)snprintf(r->err, r->err_size, "%s:%d: %s", r->path, r->line,
	    text);
	return false;
}

/* ---- the set ---- */

static void
userdb_free(struct userdb *u)
{
	size_t i;

	for (i = 0; i < u->n; i++) {
		free(u->rows[i].entry.name);
		secret_fini(&u->rows[i].entry.secret);
	}
	if (u->n > 0)
		explicit_bzero(u->rows, u->n * sizeof(*u->rows));
	free(u->rows);
	u->magic = 0;
	free(u);
}

static struct userdb_entry *
userdb_add(struct userdb *u, const char *name, int line)
{
	struct userdb_row *v;

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
	v = &u->rows[u->n++];
	v->entry.name = x_strdup(name);
	v->line = line;
	return &v->entry;
}

/* By name, equal names by line. */
static int
userdb_order(const void *a, const void *b)
{
	const struct userdb_row *x = a, *y = b;
	int c = strcmp(x->entry.name, y->entry.name);

	return c != 0 ? c : x->line - y->line;
}

static int
userdb_match(const void *name, const void *row)
{
	const struct userdb_row *r = row;

	return strcmp(name, r->entry.name);
}

const struct userdb_entry *
userdb_find(const struct userdb *u, const char *name)
{
	const struct userdb_row *r;

	CHECK_MAGIC(u, USERDB_MAGIC);
	if (u->n == 0)
		return NULL;
	r = bsearch(name, u->rows, u->n, sizeof(*u->rows), userdb_match);
	return r != NULL ? &r->entry : NULL;
}

size_t
userdb_count(const struct userdb *u)
{
	CHECK_MAGIC(u, USERDB_MAGIC);
	return u->n;
}

void
userdb_each(const struct userdb *u,
    void (*fn)(const struct userdb_entry *e, void *arg), void *arg)
{
	size_t i;

	CHECK_MAGIC(u, USERDB_MAGIC);
	for (i = 0; i < u->n; i++)
		fn(&u->rows[i].entry, arg);
}

enum secret_kind
userdb_common_kind(const struct userdb *u)
{
	CHECK_MAGIC(u, USERDB_MAGIC);
	return 2 * u->n_md5 > u->n ? SECRET_MD5 : SECRET_SCRAM;
}

void
userdb_ref(struct userdb *u)
{
	unsigned before;

	CHECK_MAGIC(u, USERDB_MAGIC);
	before = atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
	CHECK(before > 0);
}

void
userdb_unref(struct userdb **up)
{
	struct userdb *u = *up;
	unsigned before;

	*up = NULL;
	if (u == NULL)
		return;
	CHECK_MAGIC(u, USERDB_MAGIC);
	before = atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel);
	CHECK(before > 0);
	if (before == 1)
		userdb_free(u);
}

/* ---- the secrets ---- */

/* A plain password's verifier comes from the old set if that was made of the
 * same password. */
static void
userdb_verifier(struct userdb_reader *r, struct userdb_entry *e)
{
	const struct userdb_entry *was = NULL;

	if (r->old != NULL)
		was = userdb_find(r->old, e->name);
	if (was != NULL && was->secret.kind == SECRET_PLAIN &&
	    strcmp(was->secret.password, e->secret.password) == 0)
		e->secret.verifier = was->secret.verifier;
	else
		secret_derive(&e->secret);
}

static bool
userdb_take(struct userdb_reader *r, const char *name, const char *text)
{
	struct userdb_entry *e;
	struct secret secret;
	const char *why;

	if (name[0] == '\0')
		return userdb_fail(r, "empty user name, expected a name");
	why = secret_parse(text, &secret);
	if (why != NULL)
		return userdb_fail(r, "%s", why);
	e = userdb_add(r->db, name, r->line);
	e->secret = secret;
	explicit_bzero(&secret, sizeof(secret));
	r->db->n_md5 += secret_has_md5(&e->secret);
	if (e->secret.kind == SECRET_PLAIN)
		userdb_verifier(r, e);
	return true;
}

/* ---- the text ---- */

static void
userdb_skip_blanks(struct userdb_reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' ||
	    *r->p == '\r'))
		r->p++;
}

/* Read "text" where "" stands for one quote. what: for messages. */
static bool
userdb_quoted(struct userdb_reader *r, const char *what, char *out,
    size_t size)
{
	size_t n = 0;

	userdb_skip_blanks(r);
	if (r->p == r->end || *r->p != '"')
		return userdb_fail(r, "no %s, expected \"user\" \"secret\"",
		    what);
	for (r->p++; r->p < r->end && *r->p != '\n'; r->p++) {
		if (*r->p == '"') {
			r->p++;
			if (r->p == r->end || *r->p != '"') {
				out[n] = '\0';
				return true;
			}
		}
		if (*r->p == '\0')
			return userdb_fail(r, "zero byte in the %s, "
			    "expected text", what);
		if (n + 1 == size)
			return userdb_fail(r, "%s too long, expected at most "
			    "%zu bytes", what, size - 1);
		out[n++] = *r->p;
	}
	return userdb_fail(r, "%s is never closed, expected a \"", what);
}

/* Nothing more but a comment on this line. */
static bool
userdb_at_end(struct userdb_reader *r)
{
	userdb_skip_blanks(r);
	return r->p == r->end || *r->p == '\n' || *r->p == '#' ||
	    *r->p == ';';
}

static bool
userdb_line(struct userdb_reader *r)
{
	char name[USERDB_NAME_MAX + 1], secret[USERDB_SECRET_MAX + 1];
	bool ok;

	if (userdb_at_end(r))
		return true;
	ok = userdb_quoted(r, "user", name, sizeof(name)) &&
	    userdb_quoted(r, "secret", secret, sizeof(secret));
	if (ok && !userdb_at_end(r))
		ok = userdb_fail(r, "more than two values, expected "
		    "\"user\" \"secret\"");
	ok = ok && userdb_take(r, name, secret);
	explicit_bzero(secret, sizeof(secret));
	return ok;
}

static bool
userdb_sort(struct userdb_reader *r)
{
	struct userdb_row *v = r->db->rows;
	size_t i;

	if (r->db->n > 1)
		qsort(v, r->db->n, sizeof(*v), userdb_order);
	for (i = 1; i < r->db->n; i++)
		if (strcmp(v[i - 1].entry.name, v[i].entry.name) == 0) {
			r->line = v[i].line;
			return userdb_fail(r, "user \"%s\" is listed twice, "
			    "expected once (first on line %d)",
			    v[i].entry.name, v[i - 1].line);
		}
	return true;
}

static bool
userdb_text(struct userdb_reader *r, const char *text, size_t len)
{
	const char *nl;

	r->end = text + len;
	for (r->p = text; r->p < r->end; r->p = nl + 1) {
		r->line++;
		if (!userdb_line(r))
			return false;
		nl = memchr(r->p, '\n', (size_t)(r->end - r->p));
		if (nl == NULL)
			break;
	}
	return userdb_sort(r);
}

/* ---- the file ---- */

static bool
userdb_file(struct userdb_reader *r)
{
	char why[256];
	struct buf b;
	bool ok;

	buf_init(&b, AUTHFILE_MAX);
	ok = authfile_read(r->path, true, &b, why, sizeof(why)) ||
	    userdb_fail(r, "%s", why);
	ok = ok && (buf_len(&b) == 0 ||
	    userdb_text(r, buf_head(&b), buf_len(&b)));
	buf_wipe(&b);
	return ok;
}

struct userdb *
userdb_load(const char *path, const struct userdb *old, char *err,
    size_t err_size)
{
	struct userdb *u = x_calloc(1, sizeof(*u));
	struct userdb_reader r = { .path = path, .old = old, .db = u,
		.err = err, .err_size = err_size };

	u->magic = USERDB_MAGIC;
	atomic_init(&u->refs, 1);
	if (path[0] == '\0' || userdb_file(&r))
		return u;
	userdb_free(u);
	return NULL;
}
