/* SPDX-License-Identifier: PostgreSQL
 *
 * Passwords in the form that SCRAM computes with (SASLprep, RFC 4013).
 */
#ifndef PGSLUICE_AUTH_SASLPREP_H
#define PGSLUICE_AUTH_SASLPREP_H

#include "base/check.h"
#include "base/slice.h"

/* The password as PostgreSQL and libpq prepare it: compatible characters
 * unified, soft hyphens and their like taken out, all spaces made one.  NULL:
 * it stays as it is, because it is ASCII, no UTF-8, or may not be a password
 * by the RFC (which PostgreSQL lets pass).  To be wiped and freed. */
char *saslprep(struct slice password) PG_MUST_CHECK;

#endif
