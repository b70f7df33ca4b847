/* SPDX-License-Identifier: PostgreSQL
 *
 * PgBouncer's connection strings: key=value pairs with blanks between; a value
 * may stand in single quotes, where '' is one quote.  Pure.
 */
#ifndef PGSLUICE_IMPORT_PAIRS_H
#define PGSLUICE_IMPORT_PAIRS_H

#include "base/check.h"
#include "base/slice.h"

#define PAIRS_KEY_MAX 64
#define PAIRS_VALUE_MAX 4096

struct pairs {
	const char *p, *end;
	char key[PAIRS_KEY_MAX];
	char value[PAIRS_VALUE_MAX]; /* may be a password: wipe */
	const char *wrong;           /* after -1: what, expected what */
};

void pairs_init(struct pairs *p, struct slice text);
/* 1: key and value are set; 0: there are no more; -1: wrong says why. */
int pairs_next(struct pairs *p) PG_MUST_CHECK;

#endif
