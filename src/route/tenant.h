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

/* Hash of one key value in the binary form of the column's type. */
uint64_t tenant_hash_uuid(const uint8_t uuid[16]);
uint64_t tenant_hash_int4(int32_t v);
uint64_t tenant_hash_int8(int64_t v);
uint64_t tenant_hash_text(struct slice s);

/* Text or binary (wire format) value to the row hash of a single-column key.
 * oid: type of the parameter as given in Parse, 0 if unspecified. false: the value
 * cannot be proven to convert as the server would. */
bool tenant_hash_value(enum conf_key_type type, struct slice value,
    bool binary, uint32_t oid, uint64_t *hash) PG_MUST_CHECK;
/* Remainder for a modulus. */
unsigned tenant_remainder(uint64_t hash, unsigned modulus);

#endif
