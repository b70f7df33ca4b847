/* SPDX-License-Identifier: PostgreSQL
 *
 * Keys that seal entries in Redis, from a file: a key a line, 64 hexadecimal
 * digits (`openssl rand -hex 32`); empty lines and lines that begin with # are
 * skipped.  The first key seals, each of them opens, so a new one is put in
 * front, and an old one taken out once nothing sealed with it is left.
 * Immutable and reference counted; any thread.
 */
#ifndef PGSLUICE_CACHE_L2_KEYS_H
#define PGSLUICE_CACHE_L2_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct l2_keys;

/* Reads a file; that no other user may read it has been checked with the
 * configuration. NULL with text in why. */
struct l2_keys *l2_keys_load(const char *file, char *why,
    size_t why_size) PG_MUST_CHECK;
/* The same from its text; `what` names it in messages. */
struct l2_keys *l2_keys_parse(const char *text, size_t n, const char *what,
    char *why, size_t why_size) PG_MUST_CHECK;
struct l2_keys *l2_keys_ref(struct l2_keys *k); /* NULL: NULL */
void l2_keys_unref(struct l2_keys **k); /* the last one wipes them */

#define L2_KEY_LEN 32
#define L2_KEY_ID_LEN 8

/* What is used is derived from the line, and so is the id that tells an entry's
 * key: it says nothing of the key. */
struct l2_key {
	unsigned char id[L2_KEY_ID_LEN];
	unsigned char key[L2_KEY_LEN];
};

/* The key that seals. */
const struct l2_key *l2_keys_first(const struct l2_keys *k);
/* NULL: none of ours. */
const struct l2_key *l2_keys_find(const struct l2_keys *k,
    const unsigned char id[L2_KEY_ID_LEN]);

#endif
