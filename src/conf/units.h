/* SPDX-License-Identifier: PostgreSQL
 *
 * Values of the configuration as text: parse and print, one pair a type.
 *
 * Pure.  Every parser takes the whole string or refuses it, out is untouched
 * on refusal, and what a printer writes its parser reads back unchanged.
 */
#ifndef PGSLUICE_CONF_UNITS_H
#define PGSLUICE_CONF_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/clock.h"

#define UNITS_TEXT 32 /* room for any printed value, words excepted */

/* "0", or a whole number and one of ns us ms s min h d. */
bool units_parse_time(const char *s, nsec_t *out) PG_MUST_CHECK;
/* Bytes, or a whole number and one of B kB MB GB TB (powers of 1024). */
bool units_parse_size(const char *s, int64_t *out) PG_MUST_CHECK;
/* "0", or a number and %, with up to four decimals, to parts of a million. */
bool units_parse_share(const char *s, uint32_t *out) PG_MUST_CHECK;
/* Decimal, optional sign. */
bool units_parse_int(const char *s, int64_t *out) PG_MUST_CHECK;
/* Permission bits, octal with or without a leading zero. */
bool units_parse_mode(const char *s, int64_t *out) PG_MUST_CHECK;
/* true, on, yes; false, off, no. */
bool units_parse_bool(const char *s, bool *out) PG_MUST_CHECK;
/* "2026-01" to months since 1970-01; years 0001 to 9999. */
bool units_parse_month(const char *s, int64_t *out) PG_MUST_CHECK;
/* Place of s among words separated by '|'. */
bool units_parse_word(const char *s, const char *words, int *out)
    PG_MUST_CHECK;

/* Each writes into out (at least UNITS_TEXT bytes) and returns it. */
char *units_print_time(char *out, nsec_t v);
char *units_print_size(char *out, int64_t v);
char *units_print_int(char *out, int64_t v);
char *units_print_mode(char *out, int64_t v);
char *units_print_month(char *out, int64_t v);
/* The word at a place; "" when there is none. Cut at size. */
char *units_print_word(char *out, size_t size, const char *words, int place);

#endif
