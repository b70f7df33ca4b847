/* SPDX-License-Identifier: PostgreSQL
 *
 * Binary format of the few types that our own answers have.
 */
#ifndef PGSLUICE_PGWIRE_BINARY_H
#define PGSLUICE_PGWIRE_BINARY_H

#include "pgwire/msgwrite.h"

#define OID_INT8 20u
#define OID_INT4 23u
#define OID_TEXT 25u
#define OID_NUMERIC 1700u

/* A value of a row, with its length before it, from its text as PostgreSQL
 * prints it: text, int4, int8, and numeric without NaN, infinities and
 * exponent. false: the text is none of its type, and nothing was written. */
bool msgwrite_binary(struct msgwrite *w, uint32_t oid, struct slice text)
    PG_MUST_CHECK;

#endif
