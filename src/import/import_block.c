/* SPDX-License-Identifier: PostgreSQL
 *
 * The sections [databases], [users] and [peers], and the whole.
 *
 * A database becomes a backend and a database of its name, since pool sizes
 * and limits of PgBouncer are those of a database.  One thread.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "import/import_priv.h"
#include "import/pairs.h"

#define BLOCK_TITLE_MAX 127
#define WILDCARD "*"
#define WILDCARD_NAME "postgres" /* stands for all that it would serve */

void
import_note(struct import_out *o, const struct import_entry *e,
    const char *key, const char *value, const char *fmt, ...)
{
	char why[512], shown[161], *c;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	(void)snprintf(shown, sizeof(shown), "%s", value);
	for (c = shown; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	import_put(o->out, "# %s:%d: %s = %s: %s\n", e->file, e->line, key,
	    shown, why);
	import_put(&o->im->said, "%s:%d: %s = %s: %s\n", e->file, e->line, key,
	    shown, why);
}

/* One [databases] or [users] line while it is taken apart. */
struct block {
	struct import_out *o;
	const struct import_entry *e;
	struct buf conninfo, options; /* of the connection */
	struct buf backend, database, user, peer; /* lines of the blocks */
	char *forced;
	char *address;               /* of a peer */
	bool has_host, has_password, has_dbname;
};

static void
block_init(struct block *b, struct import_out *o, const struct import_entry *e)
{
	*b = (struct block){ .o = o, .e = e };
	buf_init(&b->conninfo, IMPORT_TEXT_MAX);
	buf_init(&b->options, IMPORT_TEXT_MAX);
	buf_init(&b->backend, IMPORT_TEXT_MAX);
	buf_init(&b->database, IMPORT_TEXT_MAX);
	buf_init(&b->user, IMPORT_TEXT_MAX);
	buf_init(&b->peer, IMPORT_TEXT_MAX);
}

static void
block_fini(struct block *b)
{
	buf_wipe(&b->conninfo);
	buf_reset(&b->options);
	buf_reset(&b->backend);
	buf_reset(&b->database);
	buf_reset(&b->user);
	buf_reset(&b->peer);
	free(b->forced);
	free(b->address);
}

static void
block_append(struct buf *to, const struct buf *from)
{
	CHECK(buf_len(from) == 0 ||
	    buf_append(to, buf_head(from), buf_len(from)));
}

/* ---- one pair ---- */

/* Where lines of the block that `to` names go, and the option's name. */
static struct buf *
block_of(struct block *b, const char *to, const char **option)
{
	*option = strchr(to, '.') + 1;
	if (strncmp(to, "backend.", 8) == 0)
		return &b->backend;
	if (strncmp(to, "peer.", 5) == 0)
		return &b->peer;
	return strncmp(to, "user.", 5) == 0 ? &b->user : &b->database;
}

static void
block_scalar(struct block *b, const struct import_row *row, const char *value)
{
	const char *option;
	struct buf *to = block_of(b, row->to, &option);
	char text[64];
	bool cut;

	if (!import_scalar(row->how, row->to, value, text, sizeof(text),
	    &cut)) {
		import_wrong(b->o->im, b->e->file, b->e->line, "%s: '%.64s' "
		    "is no number, expected one", row->name, value);
		return;
	}
	if (cut)
		import_note(b->o, b->e, row->name, value, "is out of bounds, "
		    "the nearest is %s", text);
	import_put(to, "\t%s = %s\n", option, text);
}

static void
block_pool_mode(struct block *b, const char *value)
{
	if (strcmp(value, "statement") == 0)
		import_note(b->o, b->e, "pool_mode", value, "transaction is "
		    "the nearest; transactions of several statements are "
		    "allowed");
	else if (strcmp(value, "session") != 0 &&
	    strcmp(value, "transaction") != 0)
		import_wrong(b->o->im, b->e->file, b->e->line, "pool_mode: "
		    "'%.64s' is not known, expected session, transaction or "
		    "statement", value);
	import_put(&b->database, "\tpool_mode = \"%s\"\n",
	    strcmp(value, "session") == 0 ? "session" : "transaction");
}

/* -c name=value, blanks and backslashes escaped as the server wants it. */
static void
block_option(struct block *b, const char *name, const char *value)
{
	import_put(&b->options, "%s-c %s=", buf_len(&b->options) > 0 ? " " :
	    "", name);
	for (; *value != '\0'; value++)
		import_put(&b->options, "%s%c", strchr(" \t\\", *value) !=
		    NULL ? "\\" : "", *value);
}

static void
block_connection(struct block *b, const struct import_row *row,
    const char *value)
{
	if (strcmp(row->to, "user") == 0 && b->forced == NULL)
		b->forced = x_strdup(value);
	b->has_password |= strcmp(row->to, "password") == 0;
	b->has_dbname |= strcmp(row->to, "dbname") == 0;
	if (row->how == IMPORT_HOST) {
		b->has_host = true;
		if (strchr(value, ',') != NULL)
			import_note(b->o, b->e, row->name, value, "libpq takes "
			    "the first that answers, not one after the other");
	}
	import_conninfo(&b->conninfo, row->to, value);
}

static void
block_pair(struct block *b, enum import_place place, const char *key,
    const char *value)
{
	const struct import_row *row = import_row_find(place, key);

	if (row == NULL) {
		import_wrong(b->o->im, b->e->file, b->e->line, "%s: PgBouncer "
		    "has no such setting here, expected one of its 1.18 to "
		    "1.25", key);
		return;
	}
	if (row->fate != IMPORT_MAPPED) {
		import_note(b->o, b->e, key, value, "%s", row->doc);
		return;
	}
	switch (row->how) {
	case IMPORT_CONNINFO:
	case IMPORT_HOST:
		block_connection(b, row, value);
		break;
	case IMPORT_OPTION:
		block_option(b, key, value);
		break;
	case IMPORT_POOL_MODE:
		block_pool_mode(b, value);
		break;
	case IMPORT_PEER_HOST:
		if (b->address == NULL)
			b->address = x_strdup(value);
		break;
	default:
		block_scalar(b, row, value);
	}
}

/* reserve_pool is reserve_pool_size. */
static bool
block_same_key(const char *a, const char *b)
{
	static const char both[] = "reserve_pool";

	return strcmp(a, b) == 0 || (strncmp(a, both, sizeof(both) - 1) == 0 &&
	    strncmp(b, both, sizeof(both) - 1) == 0);
}

/* All of a line; of a key that comes twice the last one counts. */
static void
block_pairs(struct block *b)
{
	struct slice text = slice_str(b->e->value);
	struct pairs *p = x_malloc(2 * sizeof(*p)), *q = p + 1;
	bool again;
	int r;

	pairs_init(p, text);
	while ((r = pairs_next(p)) == 1) {
		again = false;
		pairs_init(q, slice_make(p->p, (size_t)(p->end - p->p)));
		while (!again && pairs_next(q) == 1)
			again = block_same_key(p->key, q->key);
		if (!again)
			block_pair(b, b->e->place, p->key, p->value);
	}
	if (r < 0)
		import_wrong(b->o->im, b->e->file, b->e->line, "%.64s: %s",
		    b->e->key, p->wrong);
	explicit_bzero(p, 2 * sizeof(*p));
	free(p);
}

/* ---- databases ---- */

/* The password that PgBouncer would take from auth_file. */
static void
block_password(struct block *b)
{
	const struct userdb_entry *u;

	if (b->forced == NULL || b->has_password || b->o->users->db == NULL)
		return;
	u = userdb_find(b->o->users->db, b->forced);
	if (u != NULL && u->secret.kind == SECRET_PLAIN)
		import_conninfo(&b->conninfo, "password", u->secret.password);
}

static void
block_write_database(struct block *b, const char *name)
{
	const char *dir = import_value(b->o->im, "unix_socket_dir", "/tmp");
	struct buf *out = b->o->out;

	if (!b->has_host && dir[0] != '\0')
		import_conninfo(&b->conninfo, "host", dir);
	if (!b->has_dbname)
		import_conninfo(&b->conninfo, "dbname", name);
	block_password(b);
	if (buf_len(&b->options) > 0) {
		CHECK(buf_append(&b->options, "", 1));
		import_conninfo(&b->conninfo, "options",
		    buf_head(&b->options));
	}
	CHECK(buf_append(&b->conninfo, "", 1));
	import_put(out, "backend ");
	import_quote(out, name);
	import_put(out, " {\n\tconninfo = ");
	import_quote(out, buf_head(&b->conninfo));
	import_put(out, "\n");
	block_append(out, &b->backend);
	import_put(out, "}\ndatabase ");
	import_quote(out, name);
	import_put(out, " {\n\tbackend = ");
	import_quote(out, name);
	import_put(out, "\n");
	block_append(out, &b->database);
	import_put(out, "}\n");
	b->o->has_database = true;
}

static bool
block_has_database(const struct import *im, const char *name)
{
	size_t i;

	for (i = 0; i < im->n; i++)
		if (im->v[i].place == IMPORT_DATABASE && im->v[i].again == 0 &&
		    strcmp(im->v[i].key, name) == 0)
			return true;
	return false;
}

/* A title that a block can have. */
static bool
block_title(struct import_out *o, const struct import_entry *e)
{
	const char *c;

	for (c = e->key; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			break;
	if (*c == '\0' && c != e->key && c - e->key <= BLOCK_TITLE_MAX &&
	    strcmp(e->key, "pgsluice") != 0)
		return true;
	import_wrong(o->im, e->file, e->line, "'%.64s' cannot be a name here, "
	    "expected 1 to %d bytes of text other than pgsluice, which is the "
	    "console", e->key, BLOCK_TITLE_MAX);
	return false;
}

void
import_database(struct import_out *o, const struct import_entry *e)
{
	const char *name = e->key;
	struct block b;

	if (!block_title(o, e))
		return;
	block_init(&b, o, e);
	block_pairs(&b);
	if (strcmp(name, WILDCARD) == 0) {
		import_note(o, e, name, "...", "names that are not listed are "
		    "not known: write a backend and a database for each, like "
		    "\"" WILDCARD_NAME "\"");
		name = WILDCARD_NAME;
	}
	if (strcmp(e->key, WILDCARD) != 0 || !block_has_database(o->im, name))
		block_write_database(&b, name);
	block_fini(&b);
}

void
import_some_database(struct import_out *o)
{
	const struct import_entry none = { .file = o->im->path, .line = 1,
		.place = IMPORT_DATABASE };
	struct block b;

	import_put(o->out, "\n# The file has no database, pgsluice wants "
	    "one.\n");
	block_init(&b, o, &none);
	block_write_database(&b, WILDCARD_NAME);
	block_fini(&b);
}

/* ---- users and peers ---- */

void
import_user(struct import_out *o, const struct import_entry *e)
{
	struct block b;

	if (!block_title(o, e))
		return;
	block_init(&b, o, e);
	block_pairs(&b);
	if (buf_len(&b.user) > 0) {
		import_put(o->out, "user ");
		import_quote(o->out, e->key);
		import_put(o->out, " {\n");
		block_append(o->out, &b.user);
		import_put(o->out, "}\n");
	}
	block_fini(&b);
}

/* Why there is no block for it; NULL: there is one. */
static const char *
peer_refused(const struct import_out *o, const struct import_entry *e,
    const char *host)
{
	if (import_node(o->im) == 0)
		return "is of no use without peer_id";
	if (!conf_is_node(e->key))
		return "is no number that a node can have, expected 1 to 255";
	if (!conf_is_peer_host(host))
		return "is at no address that is taken: names are not "
		    "resolved, expected an IP address or a folder";
	return NULL;
}

void
import_peer(struct import_out *o, const struct import_entry *e)
{
	const char *host, *why;
	struct block b;

	block_init(&b, o, e);
	block_pairs(&b);
	host = b.address != NULL ? b.address :
	    import_value(o->im, "unix_socket_dir", "/tmp");
	why = peer_refused(o, e, host);
	if (why != NULL) {
		import_note(o, e, e->key, host, "%s", why);
	} else {
		import_put(o->out, "peer \"%s\" {\n\thost = ", e->key);
		import_quote(o->out, host);
		import_put(o->out, "\n");
		block_append(o->out, &b.peer);
		import_put(o->out, "}\n");
	}
	block_fini(&b);
}

/* ---- the whole ---- */

static void
import_entry(struct import_out *o, const struct import_entry *e)
{
	if (e->again != 0) {
		import_put(o->out, "# %s:%d: %s: set again in line %d\n",
		    e->file, e->line, e->key, e->again);
		return;
	}
	switch (e->place) {
	case IMPORT_GLOBAL:
		import_setting(o, e);
		break;
	case IMPORT_DATABASE:
		import_database(o, e);
		break;
	case IMPORT_USER:
		import_user(o, e);
		break;
	case IMPORT_PEER:
		import_peer(o, e);
		break;
	}
}

bool
import_render(struct import *im, const struct import_users *users,
    struct buf *out)
{
	static const char *const sections[] = { "pgbouncer", "databases",
		"users", "peers" };
	struct import_out o = { .im = im, .users = users, .out = out };
	int section = -1;
	size_t i;

	import_put(out, "# Made of %s by pgsluice --import-pgbouncer.\n\n",
	    im->path);
	import_defaults(&o);
	for (i = 0; i < im->n; i++) {
		if ((int)im->v[i].place != section)
			import_put(out, "\n# [%s]\n", sections[im->v[i].place]);
		section = (int)im->v[i].place;
		import_entry(&o, &im->v[i]);
	}
	if (!o.has_database)
		import_some_database(&o);
	return im->wrong == 0;
}
