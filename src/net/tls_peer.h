/* SPDX-License-Identifier: PostgreSQL
 *
 * What an established TLS connection of a client says about both ends.
 */
#ifndef PGSLUICE_NET_TLS_PEER_H
#define PGSLUICE_NET_TLS_PEER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define TLS_END_POINT_MAX EVP_MAX_MD_SIZE

/* tls-server-end-point (RFC 5929) of our own certificate: how many bytes were
 * written; 0: the certificate's signature names no hash, so there is none. */
size_t tls_end_point(SSL *ssl, uint8_t out[TLS_END_POINT_MAX]);
/* Both ends agreed (by ALPN) to speak PostgreSQL's protocol. */
bool tls_is_ours(const SSL *ssl);
/* The client sent a certificate that our CA vouches for. */
bool tls_has_verified_peer(SSL *ssl);
/* The subject of that certificate: its common name, or (dn) all of it as RFC
 * 2253 writes it. malloc'ed; NULL: none, or one with a zero byte. */
char *tls_peer_name(SSL *ssl, bool dn) PG_MUST_CHECK;

#endif
