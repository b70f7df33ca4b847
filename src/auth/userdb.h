/* SPDX-License-Identifier: PostgreSQL
 *
 * The users file: who may log in, and with which secret.
 *
 * Immutable after loading, reference counted, swapped by reload; lookups from
 * any thread.  Lines: "user" "secret" (PgBouncer's userlist.txt form; "" inside
 * quotes is one quote; # and ; start comments).  A plain password is turned
 * into a verifier at load time (control thread) and kept for backend logins,
 * wiped at free.
 */
#ifndef PGSLUICE_AUTH_USERDB_H
#define PGSLUICE_AUTH_USERDB_H

#include <stdbool.h>

#include "auth/secret.h"
#include "base/check.h"

struct userdb;

struct userdb_entry {
	char *name;
	struct secret secret; /* a plain one has its verifier */
};

/* path "" gives an empty set. On failure NULL and a message
 * "path:line: ..." in err. Refuses a file readable by group or others unless
 * it is owned by root with mode 0640 or less. Takes over unchanged verifiers
 * from old (may be NULL) instead of deriving them again. */
struct userdb *userdb_load(const char *path, const struct userdb *old,
    char *err, size_t err_size) PG_MUST_CHECK;
void userdb_ref(struct userdb *u);
void userdb_unref(struct userdb **u);
const struct userdb_entry *userdb_find(const struct userdb *u, const char *name);
size_t userdb_count(const struct userdb *u);
/* Every user, by name. */
void userdb_each(const struct userdb *u,
    void (*fn)(const struct userdb_entry *e, void *arg), void *arg);
/* The kind of most secrets, MD5 or SCRAM: what a user that does not exist is
 * to look like. */
enum secret_kind userdb_common_kind(const struct userdb *u);

#endif
