/* SPDX-License-Identifier: PostgreSQL
 *
 * Reading: pgbouncer.ini and what it includes become a list of entries, each
 * with the place where it stood.
 *
 * Knows no conversion.  Names that PgBouncer does not have are mistakes here;
 * of values only what cannot even be cut into pieces is.  One thread.
 */
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "import/import_priv.h"
#include "import/ini.h"

#define IMPORT_DEPTH_MAX 10
#define IMPORT_FILE_MAX (16u * 1024 * 1024)

static const struct import_row import_rows[] = {
#define IMPORT(place, name, fate, how, to, doc) \
	{ IMPORT_##place, name, IMPORT_##fate, IMPORT_##how, to, doc },
#include "tbl/import_pgbouncer.h"
};

const struct import_row *
import_row_find(enum import_place place, const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(import_rows); i++)
		if (import_rows[i].place == place &&
		    strcmp(import_rows[i].name, name) == 0)
			return &import_rows[i];
	return NULL;
}

void
import_put(struct buf *b, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	CHECK(n >= 0 && buf_append(b, text, (size_t)n));
	OPENSSL_cleanse(text, (size_t)n);
	free(text);
}

void
import_wrong(struct import *im, const char *file, int line, const char *fmt,
    ...)
{
	char text[512], *c;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	import_put(&im->said, "%s:%d: %s\n", file, line, text);
	im->wrong++;
}

/* ---- the list ---- */

static struct import_entry *
import_add(struct import *im)
{
	struct import_entry *v;

	if (im->n == im->size) {
		im->size = im->size > 0 ? 2 * im->size : 64;
		v = x_calloc(im->size, sizeof(*v));
		if (im->n > 0)
			memcpy(v, im->v, im->n * sizeof(*v));
		free(im->v);
		im->v = v;
	}
	return &im->v[im->n++];
}

/* Of what is given twice the last one counts. */
static void
import_supersede(struct import *im, const struct import_entry *by)
{
	struct import_entry *e;
	size_t i;

	for (i = 0; i + 1 < im->n; i++) {
		e = &im->v[i];
		if (e->again == 0 && e->place == by->place &&
		    strcmp(e->key, by->key) == 0)
			e->again = by->line;
	}
}

static void
import_item(void *arg, const struct ini_item *it)
{
	static const char *const sections[] = { "pgbouncer", "databases",
		"users", "peers" };
	const struct import_row *row = NULL;
	struct import *im = arg;
	struct import_entry *e;
	size_t place = 0;

	while (place < ARRAY_SIZE(sections) &&
	    strcmp(it->section, sections[place]) != 0)
		place++;
	if (place == ARRAY_SIZE(sections)) {
		import_wrong(im, it->file, it->line, "[%.64s] is not known, "
		    "expected [pgbouncer], [databases], [users] or [peers]",
		    it->section);
		return;
	}
	if (place == IMPORT_GLOBAL) {
		row = import_row_find(IMPORT_GLOBAL, it->key);
		if (row == NULL) {
			import_wrong(im, it->file, it->line, "%.64s: PgBouncer "
			    "has no such setting, expected one of its 1.18 to "
			    "1.25", it->key);
			return;
		}
	}
	e = import_add(im);
	*e = (struct import_entry){ .file = x_strdup(it->file),
		.line = it->line, .place = (enum import_place)place,
		.key = x_strdup(it->key),
		.value = x_strndup(it->value.p, it->value.n), .row = row };
	import_supersede(im, e);
}

const struct import_entry *
import_global(const struct import *im, const char *name)
{
	size_t i;

	for (i = 0; i < im->n; i++)
		if (im->v[i].place == IMPORT_GLOBAL && im->v[i].again == 0 &&
		    strcmp(im->v[i].key, name) == 0)
			return &im->v[i];
	return NULL;
}

const char *
import_value(const struct import *im, const char *name, const char *def)
{
	const struct import_entry *e = import_global(im, name);

	return e != NULL ? e->value : def;
}

unsigned
import_node(const struct import *im)
{
	char *end;
	const char *text = import_value(im, "peer_id", "0");
	unsigned long v = strtoul(text, &end, 10);

	return *end == '\0' && v <= CONF_NODE_MAX ? (unsigned)v : 0;
}

const char *
import_auth_file(const struct import *im)
{
	const char *path = import_value(im, "auth_file", "");

	return path[0] != '\0' ? path : NULL;
}

/* ---- files ---- */

static void
import_complain(void *arg, const char *file, int line, const char *what)
{
	import_wrong(arg, file, line, "%s", what);
}

static void import_include(void *arg, struct slice path, const char *file,
    int line);

static const struct ini_hooks import_hooks = {
	.item = import_item, .include = import_include,
	.wrong = import_complain,
};

/* file and line: what asks for it. */
static void
import_file(struct import *im, struct ini *ini, const char *path,
    const char *file, int line)
{
	char why[256] = "";
	struct buf b;

	buf_init(&b, IMPORT_FILE_MAX);
	if (im->read(im->arg, path, &b, why, sizeof(why)))
		ini_parse(ini, path, slice_make(buf_head(&b), buf_len(&b)));
	else
		import_wrong(im, file, line, "%.128s: %s", path, why);
	buf_wipe(&b);
}

static void
import_include(void *arg, struct slice path, const char *file, int line)
{
	struct import *im = arg;
	char *name = x_strndup(path.p, path.n);

	if (im->depth == IMPORT_DEPTH_MAX) {
		import_wrong(im, file, line, "%%include: files include one "
		    "another over %d deep, expected fewer", IMPORT_DEPTH_MAX);
	} else {
		im->depth++;
		import_file(im, im->ini, name, file, line);
		im->depth--;
	}
	free(name);
}

struct import *
import_new(const char *path, import_read_cb *read, void *arg)
{
	struct import *im = x_calloc(1, sizeof(*im));
	struct ini ini = { .hooks = &import_hooks, .arg = im };

	im->path = x_strdup(path);
	im->read = read;
	im->arg = arg;
	im->ini = &ini;
	buf_init(&im->said, IMPORT_TEXT_MAX);
	import_file(im, &ini, path, path, 1);
	im->ini = NULL;
	return im;
}

void
import_free(struct import **imp)
{
	struct import *im = *imp;
	size_t i;

	*imp = NULL;
	for (i = 0; i < im->n; i++) {
		free(im->v[i].file);
		free(im->v[i].key);
		OPENSSL_cleanse(im->v[i].value, strlen(im->v[i].value));
		free(im->v[i].value);
	}
	free(im->v);
	free(im->path);
	buf_reset(&im->said);
	free(im);
}

struct slice
import_said(const struct import *im)
{
	return slice_make(buf_head(&im->said), buf_len(&im->said));
}
