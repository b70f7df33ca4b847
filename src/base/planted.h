/* SPDX-License-Identifier: PostgreSQL
 *
 * Bugs that are planted so that tests/checker can prove that it finds them.
 *
 * Only in builds with --enable-planted-bugs, and there only the one that the
 * environment names (PGSLUICE_PLANTED_BUG); anywhere else PLANTED() is a
 * constant and leaves no code.  Any thread.
 */
#ifndef PGSLUICE_BASE_PLANTED_H
#define PGSLUICE_BASE_PLANTED_H

#include <stdbool.h>

#ifdef PGSLUICE_PLANTED_BUGS

enum planted_bug {
#define PLANTED_BUG(sym, name, doc) PLANTED_##sym,
#include "tbl/planted_bugs.h"
	PLANTED_COUNT
};
bool planted_is(enum planted_bug bug);
#define PLANTED(sym) planted_is(PLANTED_##sym)

#else
#define PLANTED(sym) false
#endif

#endif
