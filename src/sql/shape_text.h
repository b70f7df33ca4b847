/* SPDX-License-Identifier: PostgreSQL
 *
 * The words of a shape, for people and for other processes: literals are '?',
 * comments are gone, runs of blanks are one.  No byte of a literal is in it.
 * Pure.
 */
#ifndef PGSLUICE_SQL_SHAPE_TEXT_H
#define PGSLUICE_SQL_SHAPE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Of shape (text of struct lexer), into out of that size, with an end and cut
 * if need be; returns its length. */
size_t shape_text(struct slice shape, char *out, size_t size);
/* A number of these words, the same in every process and after a restart; not
 * 0. Not keyed: whoever wants two shapes of one number can make them. */
uint64_t shape_fingerprint(struct slice shape);

#endif
