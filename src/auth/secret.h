/* SPDX-License-Identifier: PostgreSQL
 *
 * A user's secret in one of the forms that PostgreSQL or a users file keeps
 * it, and what it can be checked against.
 *
 * A user that does not exist has a mock secret, made of the name and a random
 * value of this process: the same every time, and no answer fits it.
 */
#ifndef PGSLUICE_AUTH_SECRET_H
#define PGSLUICE_AUTH_SECRET_H

#include <stdbool.h>

#include "auth/scram.h"
#include "base/check.h"

enum secret_kind { SECRET_NONE, SECRET_PLAIN, SECRET_MD5, SECRET_SCRAM };

#define SECRET_MD5_HEX 32
#define SECRET_MD5_SALT 4

struct secret {
	enum secret_kind kind;
	bool mock;                     /* nothing fits */
	char *password;                /* PLAIN */
	char md5[SECRET_MD5_HEX + 1];  /* MD5: hex of password and user name */
	struct scram_verifier verifier; /* SCRAM, and PLAIN once derived */
};

/* Take a text as it stands in pg_authid or a users file. NULL: *s is set (a
 * plain password still without verifier); else what is wrong with it. */
const char *secret_parse(const char *text, struct secret *s) PG_MUST_CHECK;
/* Give a plain password its verifier, with a new salt. PBKDF2: never on a
 * worker. */
void secret_derive(struct secret *s);
/* What a user that does not exist has. key: 32 random bytes. */
void secret_mock(struct secret *s, const char *user, enum secret_kind kind,
    const uint8_t *key);
void secret_copy(struct secret *to, const struct secret *from);
void secret_fini(struct secret *s); /* wipes */

/* Can the MD5 exchange be made with it? */
bool secret_has_md5(const struct secret *s);
/* Does the client's answer to an MD5 challenge fit? */
bool secret_check_md5(const struct secret *s, const char *user,
    const uint8_t salt[SECRET_MD5_SALT], struct slice answer) PG_MUST_CHECK;
/* Does the password fit? Takes as long whatever the kind, mock ones too, for
 * equal iteration counts. PBKDF2: never on a worker. */
bool secret_check_password(const struct secret *s, const char *user,
    const char *password) PG_MUST_CHECK;

#endif
