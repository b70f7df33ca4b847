/* SPDX-License-Identifier: PostgreSQL
 *
 * A pgsluice configuration made of PgBouncer's.
 *
 * What becomes of each setting stands in tbl/import_pgbouncer.h.  Settings keep
 * their order; one without a counterpart becomes a comment in its place, and a
 * line for the person who asked.  Reads no file itself: whoever calls lends it
 * one at a time.  One thread.
 */
#ifndef PGSLUICE_IMPORT_IMPORT_H
#define PGSLUICE_IMPORT_IMPORT_H

#include <stdbool.h>

#include "auth/userdb.h"
#include "base/buf.h"

struct import;

/* Append the bytes of a file to b. false: why says what is wrong with it. */
typedef bool import_read_cb(void *arg, const char *path, struct buf *b,
    char *why, size_t why_size);

/* Whose names and secrets are in auth_file. */
struct import_users {
	const char *path;         /* for users_file; NULL: it cannot be used */
	const char *why;          /* then: for what reason */
	const struct userdb *db;  /* they, or NULL */
};

/* Read pgbouncer.ini and what it includes. */
struct import *import_new(const char *path, import_read_cb *read, void *arg)
    PG_MUST_CHECK;
void import_free(struct import **im); /* wipes */
/* The value of auth_file; NULL: it is not set. */
const char *import_auth_file(const struct import *im);
/* Append the configuration to out. false: there were mistakes. */
bool import_render(struct import *im, const struct import_users *users,
    struct buf *out) PG_MUST_CHECK;
/* Lines about mistakes and about what was not taken over, as said so far:
 * "file:line: text". */
struct slice import_said(const struct import *im);

/* Lines of a users file, for those of text, which is an auth_file named name:
 * of a user that is listed twice the last one counts, values behind the second
 * are left out. What cannot be taken over is said to b, a line each. */
bool import_users_text(const char *name, struct slice text, struct buf *out,
    struct buf *said) PG_MUST_CHECK;

#endif
