/* SPDX-License-Identifier: PostgreSQL
 *
 * From the words of a shape (sql/shape_text.h) back to a statement that can be
 * planned: each literal becomes a parameter, whose value nobody knows.
 *
 * Where the grammar takes no parameter it becomes a literal of no meaning.
 * '?' may also be an operator of jsonb, which the words do not tell: there are
 * several readings, the likely one first.  Pure.
 */
#ifndef PGSLUICE_CTL_WORDS_H
#define PGSLUICE_CTL_WORDS_H

#include <stdbool.h>

#include "base/check.h"

/* Reading number n, from 0: malloc'ed; NULL: there are no more. planned: it may
 * stand for a statement that is routed by its values; the others only for those
 * that are not. */
char *words_reading(const char *words, unsigned n, bool *planned)
    PG_MUST_CHECK;

#endif
