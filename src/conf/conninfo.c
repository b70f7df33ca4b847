/* SPDX-License-Identifier: PostgreSQL
 *
 * Connection strings, completed by what the settings say of all backends.
 *
 * What comes out may hold passwords and is never shown.  Control thread.
 */
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "conf/conf_priv.h"
#include "conf/units.h"

/* keyword='value', quotes and backslashes escaped. */
static void
conninfo_add(struct buf *b, const char *keyword, const char *value)
{
	bool ok = (buf_len(b) == 0 || buf_append(b, " ", 1)) &&
	    buf_append(b, keyword, strlen(keyword)) && buf_append(b, "='", 2);

	for (; ok && *value != '\0'; value++)
		ok = (strchr("'\\", *value) == NULL ||
		    buf_append(b, "\\", 1)) && buf_append(b, value, 1);
	CHECK(ok && buf_append(b, "'", 1));
}

static bool
conninfo_says(const PQconninfoOption *o, const char *keyword)
{
	for (; o->keyword != NULL; o++)
		if (o->val != NULL && strcmp(o->keyword, keyword) == 0)
			return true;
	return false;
}

char *
conf_whole_conninfo(const struct conf *c, const char *written)
{
	static const char *const modes[] = { "disable", "allow", "prefer",
		"require", "verify-ca", "verify-full" };
	const struct {
		const char *keyword, *value;
	} more[] = {
		{ "sslmode", modes[c->server_tls_sslmode] },
		{ "sslrootcert", c->server_tls_ca_file },
		{ "sslcert", c->server_tls_cert_file },
		{ "sslkey", c->server_tls_key_file },
		{ "ssl_min_protocol_version", c->server_tls_min_version ==
		    CONF_TLS_1_3 ? "TLSv1.3" : "TLSv1.2" },
	};
	PQconninfoOption *opts = PQconninfoParse(written, NULL), *o;
	struct buf b;
	char *text;
	size_t i;

	CHECK(opts != NULL);
	buf_init(&b, CONF_TEXT_MAX);
	/* Once, at its final size: it may hold a password. */
	CHECK(buf_reserve(&b, 2 * strlen(written) + 4096 +
	    2 * (strlen(c->server_tls_ca_file) +
	    strlen(c->server_tls_cert_file) +
	    strlen(c->server_tls_key_file))));
	for (o = opts; o->keyword != NULL; o++)
		if (o->val != NULL)
			conninfo_add(&b, o->keyword, o->val);
	for (i = 0; i < ARRAY_SIZE(more); i++)
		if (*more[i].value != '\0' &&
		    !conninfo_says(opts, more[i].keyword))
			conninfo_add(&b, more[i].keyword, more[i].value);
	text = x_strndup(buf_head(&b), buf_len(&b));
	OPENSSL_cleanse(buf_head(&b), buf_len(&b));
	buf_reset(&b);
	PQconninfoFree(opts);
	return text;
}
