/* SPDX-License-Identifier: PostgreSQL
 *
 * Files of this folder, read whole: users, rules, ident maps.  Control thread
 * only.
 */
#ifndef PGSLUICE_AUTH_AUTHFILE_H
#define PGSLUICE_AUTH_AUTHFILE_H

#include <stdbool.h>

#include "base/buf.h"

#define AUTHFILE_MAX (16u * 1024 * 1024)
#define AUTHFILE_CHUNK 4096

/* Append the bytes of path to b, whose cap is AUTHFILE_MAX. secret: refuse a
 * file that others than its owner can read, unless root owns it with mode 0640
 * or less. false: why says what is wrong, without naming the path. */
bool authfile_read(const char *path, bool secret, struct buf *b, char *why,
    size_t why_size) PG_MUST_CHECK;

#endif
