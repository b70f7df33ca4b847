/* SPDX-License-Identifier: PostgreSQL
 *
 * What the catalogs of one server say of one relation and, if it is
 * partitioned, of all below it.
 *
 * The first fact is the relation itself; parents stand before their
 * partitions.  Texts are as in tbl/layout_facts.h; NULL where there is
 * nothing.  Immutable once complete.
 */
#ifndef PGSLUICE_LAYOUT_FACTS_H
#define PGSLUICE_LAYOUT_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct fact {
#define FACT(name, sql) char *name;
#include "tbl/layout_facts.h"
};

enum {
#define FACT(name, sql) FACT_##name,
#include "tbl/layout_facts.h"
	FACT_COUNT
};

#define FACTS_MAX 20000u /* relations of one tree */

struct facts {
	struct fact *v;
	size_t n; /* 0: there is no such relation */
};

/* The query; $1 is the relation's name, qualified, as SQL spells it. */
extern const char facts_query[];

void facts_init(struct facts *f, size_t n);
/* The texts of one fact are copied; by FACT_ number. */
void facts_set(struct facts *f, size_t i, const char *const v[FACT_COUNT]);
void facts_fini(struct facts *f);

/* A list's first line that another list lacks, in *line with its length; false:
 * there is none. Both may be NULL. */
bool facts_line_lacking(const char *list, const char *in, const char **line,
    int *len) PG_MUST_CHECK;
/* Lines of a list; the one of this number, malloc'ed. */
size_t facts_lines(const char *list);
char *facts_line(const char *list, size_t i) PG_MUST_CHECK;
/* A number, or -1 where it is not known. */
int64_t facts_number(const char *text);

#endif
