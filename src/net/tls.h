/* SPDX-License-Identifier: PostgreSQL
 *
 * TLS: contexts made from files, for clients and for a Redis.
 */
#ifndef PGSLUICE_NET_TLS_H
#define PGSLUICE_NET_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/check.h"

/* Text may be "" where it says so. */
struct tls_options {
	const char *cert, *key;
	const char *ca;        /* "": no client certificates are asked for */
	bool must_verify;      /* ... otherwise one has to be sent */
	bool tls13;            /* nothing older; else TLS 1.2 and newer */
	const char *ciphers, *ciphers13; /* "": the library's */
};

/* NULL with text in why, which names the file or setting. The key file must
 * not be accessible to others (owner only, or root-owned and 0640). A client
 * that offers protocols by ALPN has to offer "postgresql". */
SSL_CTX *tls_server_ctx(const struct tls_options *o, char *why,
    size_t why_size) PG_MUST_CHECK;

/* Text may be "". */
struct tls_client_options {
	const char *cert, *key; /* what the server is shown */
	const char *ca;         /* whose certificates it may have */
	bool verify;            /* it has to have one; not whose name it is
	                           made out to: that is per connection */
};

/* For connections that we make; TLS 1.2 and newer. As above. */
SSL_CTX *tls_client_ctx(const struct tls_client_options *o, char *why,
    size_t why_size) PG_MUST_CHECK;

#endif
