/* SPDX-License-Identifier: PostgreSQL
 *
 * Socket addresses: parse "host:port", print a peer.  Resolving blocks, so it
 * is done at start only.
 */
#ifndef PGSLUICE_NET_ADDR_H
#define PGSLUICE_NET_ADDR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/check.h"

#define ADDR_TEXT_MAX 128

/* Split "host:port", "[v6]:port" or ":port" (any address); host is written
 * terminated. false: not of that form, or port not in 1..65535 (0 is taken
 * and means: the system chooses). */
bool addr_split(const char *text, char *host, size_t host_size, int *port)
    PG_MUST_CHECK;
/* Resolve; fills up to max addresses, returns how many, or 0 with *why. */
int addr_resolve(const char *host, int port, struct sockaddr_storage *out,
    socklen_t *lens, int max, const char **why) PG_MUST_CHECK;
/* "127.0.0.1:5432", "[::1]:5432" or "unix". */
void addr_print(const struct sockaddr *sa, socklen_t len, char *out,
    size_t size);

#endif
