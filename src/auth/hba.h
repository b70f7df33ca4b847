/* SPDX-License-Identifier: PostgreSQL
 *
 * Who may connect how: rules in pg_hba.conf's format and user name maps in
 * pg_ident.conf's.
 *
 * Immutable after parsing, reference counted, swapped by reload; matching from
 * any thread.  The first rule that fits the transport in force, the client's
 * address, the database and the user decides; none means no.  What PostgreSQL
 * offers and pgsluice does not is a mistake with a message, never ignored.
 *
 *	local     database user         method [option=value ...]
 *	host...   database user address method [option=value ...]
 *	map-name  system-user database-user
 */
#ifndef PGSLUICE_AUTH_HBA_H
#define PGSLUICE_AUTH_HBA_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/slice.h"

enum auth_method {
#define AUTH_METHOD(sym, word, doc) AUTH_##sym,
#include "tbl/auth_methods.h"
	AUTH_METHOD_COUNT
};

/* Besides what the method wants: a certificate that tls_ca_file vouches for,
 * and one that names the user, too. */
enum hba_clientcert { CLIENTCERT_NO, CLIENTCERT_VERIFY_CA,
	CLIENTCERT_VERIFY_FULL };

struct hba_rule {
	int line;
	enum auth_method method;
	enum hba_clientcert clientcert;
	bool clientname_dn; /* the name is the whole DN, not the CN */
	const char *map;    /* or NULL */
};

/* A connection, as it is. */
struct hba_ask {
	const char *database, *user;
	bool replication;           /* physical */
	bool tls;
	const struct sockaddr *from; /* AF_UNIX: local */
};

struct hba;

/* Parse rules and, if ident.p is not NULL, maps. The names stand for the files
 * in messages. NULL: "name:line: what, expected what" in err. */
struct hba *hba_parse(const char *name, struct slice rules,
    const char *ident_name, struct slice ident, char *err, size_t err_size)
    PG_MUST_CHECK;
/* The same from files; ident_path may be "". Control thread. */
struct hba *hba_load(const char *path, const char *ident_path, char *err,
    size_t err_size) PG_MUST_CHECK;
/* The rules that a method alone stands for, where there is no file: every
 * transport on which it can work, but password never over plain TCP. */
struct hba *hba_of_method(enum auth_method m) PG_MUST_CHECK;
void hba_ref(struct hba *h);
void hba_unref(struct hba **h);

/* NULL: no rule fits. The rule lives as long as h. */
const struct hba_rule *hba_match(const struct hba *h,
    const struct hba_ask *ask);
/* May this system user (of the operating system, or of a certificate) log in
 * as user? map NULL: if the names are equal. */
bool hba_ident(const struct hba *h, const char *map, const char *system_user,
    const char *user);
/* Some rule can ask for a client certificate. */
bool hba_wants_certificates(const struct hba *h);
size_t hba_count(const struct hba *h);
const char *auth_method_word(enum auth_method m);

#endif
