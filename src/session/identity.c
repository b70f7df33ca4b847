/* SPDX-License-Identifier: PostgreSQL
 *
 * Who a session is to its backends: what servers are logged in to with.
 *
 * In this order: what the conninfo has, if it forces a user; a plain password
 * of the users file, under the name the client's is mapped to; what the
 * client's own login has left here, if the name is the client's.  Knows nothing
 * of pools and connections.  Runs on the session's worker.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/base64.h"
#include "session/login.h"

static struct credentials *
identity_own(struct session *s)
{
	session_forget_identity(s);
	s->own = x_calloc(1, sizeof(*s->own));
	s->own->clients_own = true;
	return s->own;
}

void
session_keep_password(struct session *s, const char *password)
{
	identity_own(s)->password = x_strdup(password);
}

static char *
identity_key(const uint8_t key[SCRAM_KEY_LEN])
{
	char *text = x_malloc(BASE64_LEN(SCRAM_KEY_LEN) + 1);

	base64_encode(key, SCRAM_KEY_LEN, text);
	return text;
}

void
session_keep_keys(struct session *s, const struct scram_keys *keys)
{
	if (!credentials_keys_work())
		return;
	identity_own(s);
	s->own->client_key = identity_key(keys->client_key);
	s->own->server_key = identity_key(keys->server_key);
}

void
session_forget_identity(struct session *s)
{
	if (s->own != NULL)
		credentials_fini(s->own);
	free(s->own);
	s->own = NULL;
}

void
session_identity(const struct session *s, const struct conf_backend *b,
    const char *user, struct credentials *with)
{
	const struct userdb_entry *e;

	*with = (struct credentials){ 0 };
	if (b->user != NULL)
		return;
	e = userdb_find(s->sw->setup.users, user);
	if (e != NULL && e->secret.kind == SECRET_PLAIN)
		with->password = e->secret.password;
	else if (s->own != NULL && strcmp(user, s->user) == 0)
		*with = *s->own;
}
