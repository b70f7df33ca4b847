/* SPDX-License-Identifier: PostgreSQL
 *
 * The comment that a statement ends with, where it cannot matter: applications
 * put there who asks and in which trace (sqlcommenter), and so send another
 * text each time for the same question.
 *
 * No lexer is asked, so it is not known whether the comment is one: it may
 * stand in a string that begins before it.  But then nothing in it ends that
 * string for good, and the text is an error whatever the comment says.  So of
 * two texts that are equal but for such comments either both mean the same or
 * both are errors.  For that the comment may hold printable ASCII only, quotes
 * in pairs, and none of * " $ \ and --; nor may it begin or end with a slash, which
 * would look like a mark, nor stand behind an asterisk, which would make its
 * begin the end of another one.  One that begins with + is left: it may be a hint for
 * an extension.
 *
 * Pure.
 */
#ifndef PGSLUICE_SQL_TRAILER_H
#define PGSLUICE_SQL_TRAILER_H

#include "base/slice.h"

#define TRAILER_BYTES 2048 /* longer ones are left */

/* sql without it, and then without blanks at the end; or sql. */
struct slice trailer_cut(struct slice sql);

#endif
