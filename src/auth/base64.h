/* SPDX-License-Identifier: PostgreSQL
 *
 * Base64 (RFC 4648, section 4), strict: padding required, no white space, no
 * stray bits.  OpenSSL's decoder accepts more and does not tell how many bytes
 * there were.  Not constant time: for salts, nonces and proofs, and for
 * verifiers where they are loaded.
 */
#ifndef PGSLUICE_AUTH_BASE64_H
#define PGSLUICE_AUTH_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"

/* Characters for n bytes, without a terminator. */
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Write BASE64_LEN(n) characters and a NUL. */
void base64_encode(const uint8_t *p, size_t n, char *out);
/* false: not base64, or more than size bytes. Empty text gives no bytes. */
bool base64_decode(struct slice text, uint8_t *out, size_t size, size_t *len)
    PG_MUST_CHECK;

#endif
