/* SPDX-License-Identifier: PostgreSQL
 *
 * Between the files that make an import: what was read, and how it is written.
 */
#ifndef PGSLUICE_IMPORT_IMPORT_PRIV_H
#define PGSLUICE_IMPORT_IMPORT_PRIV_H

#include "import/import.h"

#define IMPORT_TEXT_MAX (64u * 1024 * 1024)

enum import_place { IMPORT_GLOBAL, IMPORT_DATABASE, IMPORT_USER, IMPORT_PEER };
enum import_fate { IMPORT_MAPPED, IMPORT_UNNEEDED, IMPORT_IMPOSSIBLE };
enum import_how {
	/* not mapped; of a SECRET no value is repeated */
	IMPORT_SAID, IMPORT_SECRET,
	/* the value, converted */
	IMPORT_TEXT, IMPORT_NAMES, IMPORT_NUMBER, IMPORT_OCTAL, IMPORT_SWITCH,
	IMPORT_SECONDS, IMPORT_MILLISECONDS, IMPORT_BYTES,
	/* of one setting */
	IMPORT_ADDRESSES, IMPORT_PORT, IMPORT_SOCKET_DIR, IMPORT_POOL_MODE,
	IMPORT_PREPARED, IMPORT_AUTH, IMPORT_HBA, IMPORT_USERS, IMPORT_QUERY,
	IMPORT_AUTH_DB, IMPORT_VERBOSE, IMPORT_LIFETIME, IMPORT_RETRY,
	IMPORT_SSLMODE, IMPORT_CLIENT_CA, IMPORT_PROTOCOLS, IMPORT_CIPHERS,
	IMPORT_NODE,
	/* parts of a conninfo */
	IMPORT_CONNINFO, IMPORT_HOST, IMPORT_OPTION,
	/* of a peer */
	IMPORT_PEER_HOST,
};

struct import_row {
	enum import_place place;
	const char *name;
	enum import_fate fate;
	enum import_how how;
	const char *to, *doc;
};

/* One line of the file, or one pair of it. */
struct import_entry {
	char *file;
	int line;
	enum import_place place;
	char *key, *value;
	const struct import_row *row; /* GLOBAL: what the key is */
	int again; /* line of the one that counts instead; 0: it counts */
};

struct ini;

struct import {
	char *path;
	import_read_cb *read;
	void *arg;
	struct ini *ini; /* while files are read */
	unsigned depth; /* of files that include files */
	struct import_entry *v;
	size_t n, size;
	struct buf said;
	unsigned wrong;
};

/* ---- import.c ---- */

/* NULL: there is no such setting. */
const struct import_row *import_row_find(enum import_place place,
    const char *name);
/* The entry of a setting of [pgbouncer] that counts; NULL: it is not set. */
const struct import_entry *import_global(const struct import *im,
    const char *name);
/* Its value, or what stands for it. */
const char *import_value(const struct import *im, const char *name,
    const char *def);
/* The number of this node; 0: it has none, or one that cannot be. */
unsigned import_node(const struct import *im);
/* A mistake at this entry. */
void import_wrong(struct import *im, const char *file, int line,
    const char *fmt, ...) PG_PRINTF(4, 5);
/* Append; the cap is too far for what a file of this size gives. */
void import_put(struct buf *b, const char *fmt, ...) PG_PRINTF(2, 3);

/* ---- import_value.c ---- */

/* "text", as pgsluice.conf has it. */
void import_quote(struct buf *b, const char *text);
/* keyword='value' of a conninfo, behind a blank if it is not the first. */
void import_conninfo(struct buf *b, const char *keyword, const char *value);
/* A number, duration, size or truth value for the setting or block.option
 * `to`, within its bounds. false: it is none. *cut: it was out of bounds, and
 * text is the nearest that is taken. */
bool import_scalar(enum import_how how, const char *to, const char *value,
    char *text, size_t size, bool *cut) PG_MUST_CHECK;

/* ---- import_block.c ---- */

struct import_out {
	struct import *im;
	const struct import_users *users;
	struct buf *out;
	bool has_database;
};
/* A comment in the output, and the same line for who asked. */
void import_note(struct import_out *o, const struct import_entry *e,
    const char *key, const char *value, const char *fmt, ...) PG_PRINTF(5, 6);
void import_database(struct import_out *o, const struct import_entry *e);
void import_user(struct import_out *o, const struct import_entry *e);
void import_peer(struct import_out *o, const struct import_entry *e);
/* The file has no database. */
void import_some_database(struct import_out *o);

/* ---- import_setting.c ---- */

void import_setting(struct import_out *o, const struct import_entry *e);
/* What PgBouncer does where its file says nothing, and pgsluice does not. */
void import_defaults(struct import_out *o);

#endif
