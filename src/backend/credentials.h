/* SPDX-License-Identifier: PostgreSQL
 *
 * What a server is logged in to with: a password, or the two keys that a SCRAM
 * login leaves behind, which libpq takes from version 18 on.
 */
#ifndef PGSLUICE_BACKEND_CREDENTIALS_H
#define PGSLUICE_BACKEND_CREDENTIALS_H

#include <stdbool.h>

#include "base/check.h"

/* Texts or NULL. The client's own yield to a password of the conninfo. */
struct credentials {
	char *password;
	char *client_key, *server_key; /* base64, both or none */
	bool clients_own;
};

/* This libpq can log in with keys. */
bool credentials_keys_work(void);
void credentials_copy(struct credentials *to, const struct credentials *from);
bool credentials_eq(const struct credentials *a, const struct credentials *b);
void credentials_fini(struct credentials *c); /* wipes */

#endif
