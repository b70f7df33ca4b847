/* SPDX-License-Identifier: PostgreSQL
 *
 * Server-side TLS contexts.  Control thread only (files are read); the
 * contexts are shared by reference count and never changed afterwards.
 */
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *
tls_reason(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *s = e != 0 ? ERR_reason_error_string(e) : NULL;

	return s != NULL ? s : "unknown error";
}

static bool
tls_key_is_private(const char *key, char *why, size_t why_size)
{
	struct stat st;

	if (stat(key, &st) != 0) {
		snprintf(why, why_size, "%s: %s", key, strerror(errno));
		return false;
	}
	if ((st.st_mode & 07) != 0 ||
	    ((st.st_mode & 070) != 0 && (st.st_uid != 0 ||
	    (st.st_mode & 030) != 0))) {
		snprintf(why, why_size, "%s: mode %03o lets others read the "
		    "key; use 0600, or 0640 owned by root", key,
		    (unsigned)st.st_mode & 0777);
		return false;
	}
	return true;
}

SSL_CTX *
tls_server_ctx(const char *cert, const char *key, const char *ca,
    bool demand, char *why, size_t why_size)
{
	static const unsigned char sid[] = "pgsluice";
	SSL_CTX *ctx;

	if (!tls_key_is_private(key, why, why_size))
		return NULL;
	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_server_method());
	if (ctx == NULL) {
		snprintf(why, why_size, "%s", tls_reason());
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_id_context(ctx, sid, sizeof(sid) - 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) {
		snprintf(why, why_size, "%s: %s", cert, tls_reason());
		goto fail;
	}
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1) {
		snprintf(why, why_size, "%s: %s", key, tls_reason());
		goto fail;
	}
	if (*ca != '\0') {
		if (SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1) {
			snprintf(why, why_size, "%s: %s", ca, tls_reason());
			goto fail;
		}
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (demand ?
		    SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	}
	return ctx;
fail:
	SSL_CTX_free(ctx);
	return NULL;
}
