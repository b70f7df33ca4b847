/* SPDX-License-Identifier: PostgreSQL
 *
 * The partition PostgreSQL itself would choose for a key of a HASH
 * partitioned table.  Pure.  Source: PostgreSQL documentation of hash
 * partitioning; Jenkins' lookup3 (public domain), extended form with
 * PostgreSQL's partition seed; checked against satisfies_hash_partition().
 */
#ifndef PGSLUICE_ROUTE_TENANT_H
#define PGSLUICE_ROUTE_TENANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"
#include "conf/conf.h"

/* Hash of the value of one key column, by its type: int2 and date as int4,
 * timestamptz as int8, bool as int4 of 0 or 1, varchar as text. */
uint64_t tenant_hash_uuid(const uint8_t uuid[16]);
uint64_t tenant_hash_int4(int32_t v);
uint64_t tenant_hash_int8(int64_t v);
uint64_t tenant_hash_text(struct slice s);
/* Base 10,000, the first digit's being 10,000 to the power of weight. */
#define TENANT_NUMERIC_DIGITS 128
uint64_t tenant_hash_numeric(const uint16_t *digits, size_t n, int weight);
/* The hash of a row: begin with 0 and take in each column's hash in the order
 * of the key, those that are NULL left out. */
uint64_t tenant_combine(uint64_t row, uint64_t h);
/* Remainder for a modulus. */
unsigned tenant_remainder(uint64_t hash, unsigned modulus);

/* tenant_value.c: the hash that a value has in a column of this type, from its
 * text or binary (wire format). oid: the value's own type, 0 if it takes the
 * column's. false: it is not certain that it converts as the server would
 * convert it. */
bool tenant_hash_value(enum conf_key_type type, struct slice value,
    bool binary, uint32_t oid, uint64_t *hash) PG_MUST_CHECK;
/* The uuid itself. */
bool tenant_value_uuid(struct slice value, bool binary, uint32_t oid,
    uint8_t out[16]) PG_MUST_CHECK;
/* What was hashed is stored as it is, too: a column's length or precision
 * cannot change it. */
bool tenant_stores_value(enum conf_key_type type, struct slice value,
    bool binary) PG_MUST_CHECK;

#endif
