/* SPDX-License-Identifier: PostgreSQL
 *
 * Patterns for names in Redis, as Redis' own SCAN takes them: * any bytes, ?
 * one, [abc] [a-z] [^a] one of these or none of these, \x x itself.
 */
#ifndef PGSLUICE_CACHE_GLOB_H
#define PGSLUICE_CACHE_GLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"

/* The pattern means all of text. Time is at most that of comparing each byte
 * of one with each of the other. */
bool glob_match(struct slice pattern, struct slice text) PG_MUST_CHECK;

#endif
