/* SPDX-License-Identifier: PostgreSQL
 *
 * What a survey found, as people look at it: shards with their sizes, and
 * partitions down to the last.  Pure.
 */
#ifndef PGSLUICE_ADMIN_PARTS_H
#define PGSLUICE_ADMIN_PARTS_H

#include "base/clock.h"
#include "layout/survey.h"

/* Of all that a place holds; -1: not known. */
struct part_size {
	int64_t rows, bytes;
};
struct part_size part_size(const struct survey_place *p);
/* Mean number of rows of the shards; 0: not known, or there are none. */
double parts_mean_rows(const struct survey *s);

/* One table that holds rows. */
struct part {
	const struct survey *s;
	const char *backend;     /* that holds it */
	const struct fact *fact;
	bool has_range;
	struct bound_range range;
};
/* Every table without partitions of its own. */
void parts_each(const struct survey *s,
    void (*fn)(const struct part *p, void *arg), void *arg);
/* Whole months from now to the end of the last partition of a backend that
 * has an end; -1: it has none, 0: it has ended. */
int64_t parts_months_left(const struct survey *s, const char *backend,
    nsec_t now);
/* Rows in default partitions of a backend, NULL: of all; -1: not known or
 * there are no such partitions. */
int64_t parts_default_rows(const struct survey *s, const char *backend);

#endif
