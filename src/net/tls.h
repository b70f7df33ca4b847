/* SPDX-License-Identifier: PostgreSQL
 *
 * TLS for clients: a server SSL_CTX made from files.
 */
#ifndef PGSLUICE_NET_TLS_H
#define PGSLUICE_NET_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/check.h"

/* TLS 1.2 or newer. ca may be "": no client certificates are asked for;
 * otherwise one that is shown has to be good, and (demand) one has to be shown.
 * NULL with text in why. The key file must not be
 * accessible to others (owner only, or root-owned and 0640). */
SSL_CTX *tls_server_ctx(const char *cert, const char *key, const char *ca,
    bool demand, char *why, size_t why_size) PG_MUST_CHECK;

#endif
