/* SPDX-License-Identifier: PostgreSQL
 *
 * TLS contexts of both sides.  Control thread only (files are read); the
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

/* The client offers protocols: ours has to be one of them. */
static int
tls_choose_protocol(SSL *ssl PG_UNUSED, const unsigned char **out,
    unsigned char *out_len, const unsigned char *in, unsigned in_len,
    void *arg PG_UNUSED)
{
	static const unsigned char ours[] = "\x0apostgresql";
	unsigned char *chosen;

	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1,
	    in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* Nobody is asked for a passphrase: OpenSSL would do so on the terminal, and the
 * control thread would wait for an answer. */
static int
tls_no_passphrase(char *out PG_UNUSED, int size PG_UNUSED, int write PG_UNUSED,
    void *arg PG_UNUSED)
{
	return -1;
}

/* Certificate and key. NULL, or the file that is no good. */
static const char *
tls_load_own(SSL_CTX *ctx, const char *cert, const char *key)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return cert;
	return SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1 ? NULL : key;
}

static bool
tls_load_files(SSL_CTX *ctx, const struct tls_options *o, char *why,
    size_t why_size)
{
	const char *file = tls_load_own(ctx, o->cert, o->key);
	bool ok = file == NULL;

	if (ok && *o->ca != '\0') {
		file = o->ca;
		ok = SSL_CTX_load_verify_locations(ctx, file, NULL) == 1;
		SSL_CTX_set_client_CA_list(ctx, ok ?
		    SSL_load_client_CA_file(file) : NULL);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (o->must_verify ?
		    SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	}
	if (!ok)
		snprintf(why, why_size, "%s: %s", file, tls_reason());
	return ok;
}

static bool
tls_set_ciphers(SSL_CTX *ctx, const struct tls_options *o, char *why,
    size_t why_size)
{
	if (*o->ciphers != '\0' &&
	    SSL_CTX_set_cipher_list(ctx, o->ciphers) != 1) {
		snprintf(why, why_size, "tls_ciphers: no cipher of \"%.100s\" "
		    "is known", o->ciphers);
		return false;
	}
	if (*o->ciphers13 != '\0' &&
	    SSL_CTX_set_ciphersuites(ctx, o->ciphers13) != 1) {
		snprintf(why, why_size, "tls13_ciphers: \"%.100s\" names an "
		    "unknown cipher suite", o->ciphers13);
		return false;
	}
	return true;
}

static SSL_CTX *
tls_new_ctx(const SSL_METHOD *side, bool tls13, char *why, size_t why_size)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = SSL_CTX_new(side);
	if (ctx == NULL) {
		snprintf(why, why_size, "%s", tls_reason());
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ctx,
	    tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_default_passwd_cb(ctx, tls_no_passphrase);
	return ctx;
}

SSL_CTX *
tls_server_ctx(const struct tls_options *o, char *why, size_t why_size)
{
	static const unsigned char sid[] = "pgsluice";
	SSL_CTX *ctx;

	if (!tls_key_is_private(o->key, why, why_size))
		return NULL;
	ctx = tls_new_ctx(TLS_server_method(), o->tls13, why, why_size);
	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_id_context(ctx, sid, sizeof(sid) - 1);
	SSL_CTX_set_alpn_select_cb(ctx, tls_choose_protocol, NULL);
	if (!tls_load_files(ctx, o, why, why_size) ||
	    !tls_set_ciphers(ctx, o, why, why_size)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

SSL_CTX *
tls_client_ctx(const struct tls_client_options *o, char *why, size_t why_size)
{
	const char *file = NULL;
	SSL_CTX *ctx;

	if (*o->key != '\0' && !tls_key_is_private(o->key, why, why_size))
		return NULL;
	ctx = tls_new_ctx(TLS_client_method(), false, why, why_size);
	if (ctx == NULL)
		return NULL;
	if (*o->cert != '\0')
		file = tls_load_own(ctx, o->cert, o->key);
	if (file == NULL && *o->ca != '\0' &&
	    SSL_CTX_load_verify_locations(ctx, o->ca, NULL) != 1)
		file = o->ca;
	if (file != NULL) {
		snprintf(why, why_size, "%s: %s", file, tls_reason());
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_verify(ctx, o->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
	    NULL);
	return ctx;
}
