/* SPDX-License-Identifier: PostgreSQL
 *
 * Files in the form of pgbouncer.ini, line by line.
 *
 *	; comment, # comment
 *	%include file
 *	[section]
 *	key = value up to the end of the line
 *	"quoted ""key""" = value
 *
 * Pure.  Any bytes end in calls of the hooks; a line that is none of these is
 * told and passed over.
 */
#ifndef PGSLUICE_IMPORT_INI_H
#define PGSLUICE_IMPORT_INI_H

#include "base/slice.h"

#define INI_NAME_MAX 256 /* bytes of a section or a key, with the end */

struct ini_item {
	const char *file;
	int line;
	const char *section; /* "" before the first */
	const char *key;
	struct slice value;  /* without blanks around it */
};

struct ini_hooks {
	void (*item)(void *arg, const struct ini_item *it);
	void (*include)(void *arg, struct slice path, const char *file,
	    int line);
	/* what: "what, expected what" */
	void (*wrong)(void *arg, const char *file, int line, const char *what);
};

/* The section goes on into files that are included, and out of them. */
struct ini {
	const struct ini_hooks *hooks;
	void *arg;
	char section[INI_NAME_MAX];
};

/* Borrows file and text. */
void ini_parse(struct ini *ini, const char *file, struct slice text);

#endif
