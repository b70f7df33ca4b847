/* SPDX-License-Identifier: PostgreSQL
 *
 * Captured shapes as a file that people can read and edit: a line each.
 *
 *     # a comment
 *     DATABASE CALLS MEAN_MS STATEMENT
 *     app 1200 0.412 SELECT v FROM t WHERE id = ?
 *     "my db" 3 - SELECT count(*) FROM u
 *
 * '?' is a literal.  A name with other bytes than letters, digits and _.- is
 * quoted as in SQL; '-' is a time that is not known; a statement that ends in
 * " ..." was cut.  One thread.
 */
#ifndef PGSLUICE_CTL_SHAPES_H
#define PGSLUICE_CTL_SHAPES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/check.h"

struct captured {
	char *database;
	uint64_t calls;
	double mean_ms; /* negative: not known */
	char *text;     /* without what says that it was cut */
	bool cut;
};

struct captures {
	struct captured *v;
	size_t n, room;
};

/* "-": standard input. false: why says what is wrong, with file and line; nothing
 * is left then. */
bool captures_read(struct captures *all, const char *path, char *why,
    size_t size) PG_MUST_CHECK;
/* A line that is neither empty nor a comment, without its end. false: what says
 * what is wrong with it. */
bool captures_add_line(struct captures *all, const char *line,
    const char **what) PG_MUST_CHECK;
/* Those called most first. */
void captures_sort(struct captures *all);
void captures_fini(struct captures *all);

void captured_write(FILE *f, const struct captured *c);

#endif
