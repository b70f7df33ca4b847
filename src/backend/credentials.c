/* SPDX-License-Identifier: PostgreSQL
 *
 * Credentials: copied, compared, wiped.
 *
 * Knows nothing of where they come from or go to.  Pure; any thread.
 */
#include "backend/credentials.h"

#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define LIBPQ_WITH_KEYS 180000

bool
credentials_keys_work(void)
{
	return PQlibVersion() >= LIBPQ_WITH_KEYS;
}

static char *
text_copy(const char *s)
{
	return s != NULL ? x_strdup(s) : NULL;
}

static bool
text_eq(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
text_wipe(char *s)
{
	if (s != NULL)
		OPENSSL_cleanse(s, strlen(s));
	free(s);
}

void
credentials_copy(struct credentials *to, const struct credentials *from)
{
	to->password = text_copy(from->password);
	to->client_key = text_copy(from->client_key);
	to->server_key = text_copy(from->server_key);
	to->clients_own = from->clients_own;
}

bool
credentials_eq(const struct credentials *a, const struct credentials *b)
{
	return text_eq(a->password, b->password) &&
	    text_eq(a->client_key, b->client_key) &&
	    text_eq(a->server_key, b->server_key) &&
	    a->clients_own == b->clients_own;
}

void
credentials_fini(struct credentials *c)
{
	text_wipe(c->password);
	text_wipe(c->client_key);
	text_wipe(c->server_key);
	*c = (struct credentials){ 0 };
}
