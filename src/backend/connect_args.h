/* SPDX-License-Identifier: PostgreSQL
 *
 * Arguments for libpq's PQconnectStartParams, from a backend's conninfo, a
 * user, and the startup settings of a pool.  Pure.
 */
#ifndef PGSLUICE_BACKEND_CONNECT_ARGS_H
#define PGSLUICE_BACKEND_CONNECT_ARGS_H

#include <stddef.h>

#include "backend/credentials.h"

/* Two NULL-terminated arrays of malloc'ed strings. Settings go to the
 * "options" parameter (-c name=value, escaped), appended to conninfo's own;
 * client_encoding and application_name have keywords of their own. Keys are
 * only given where this libpq knows them. */
void connect_args(const char *conninfo, const char *user,
    const struct credentials *with, const char *startup, size_t startup_len,
    char ***keywords, char ***values);
/* Text that names backend, endpoint, user and settings, without secrets: the
 * part of a scope that is known before connecting. malloc'ed. */
char *connect_identity(const char *backend, const char *conninfo,
    const char *user, const char *startup, size_t startup_len);

#endif
