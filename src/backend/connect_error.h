/* SPDX-License-Identifier: PostgreSQL
 *
 * What libpq says when connecting failed.  Pure.
 *
 * With PQERRORS_VERBOSE the server's own words are in it, their SQLSTATE before
 * them: "connection to server at ... failed: FATAL:  42704: unrecognized
 * configuration parameter ...".
 */
#ifndef PGSLUICE_BACKEND_CONNECT_ERROR_H
#define PGSLUICE_BACKEND_CONNECT_ERROR_H

#include <stdbool.h>

#include "base/check.h"
#include "base/slice.h"

/* The last SQLSTATE in a text (5 bytes and a NUL) and the line behind it, which
 * lies in the text. false: none, as libpq itself or the network failed. */
bool connect_error_read(const char *text, char sqlstate[6],
    struct slice *message) PG_MUST_CHECK;
/* The SQLSTATE says that the server does not want this session as it is (its
 * settings, its rights), and not that it is out of order or does not know
 * the user. */
bool connect_error_refuses(const char *sqlstate);
/* Take out the lines that say where in PostgreSQL's source it was raised. */
void connect_error_trim(char *text);

#endif
