/* SPDX-License-Identifier: PostgreSQL
 *
 * How much a server may make libpq compute.
 *
 * SCRAM lets the server say how often the password is hashed, and libpq does
 * so in one call, up to 2^31 times: more than half an hour in which its thread
 * does nothing else and no timer of the attempt can run.  libpq has no limit
 * to set, but it asks libcrypto for every single HMAC, and what it asks for by
 * name is first looked up in the program: here.  Past the limit the HMAC fails
 * as if memory were short, and libpq gives the connection up.
 */
#ifndef PGSLUICE_NET_KDF_H
#define PGSLUICE_NET_KDF_H

#include <stdbool.h>

/* Ten times what PostgreSQL suggests at most; less than a second. */
#define KDF_MAX 1000000

/* This thread may begin KDF_MAX more HMACs. Before any call of libpq that may
 * log in. A thread that never calls this has no limit. */
void kdf_allow(void);
/* Some were denied since: what to tell, or NULL. */
const char *kdf_denied(void);

#endif
