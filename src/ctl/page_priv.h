/* SPDX-License-Identifier: PostgreSQL
 *
 * What the files of page.c share: lines, and the tables that a page is made of.
 */
#ifndef PGSLUICE_CTL_PAGE_PRIV_H
#define PGSLUICE_CTL_PAGE_PRIV_H

#include "ctl/page.h"

struct writing {
	const struct page *p;
	const struct look *old, *now;
	double took;      /* seconds between them; over 0 */
	struct buf *out;
	unsigned left;    /* lines that there is room for */
	unsigned name;    /* columns of a name */
};

/* One line, cut at the window's edge. */
void say(struct writing *w, const char *fmt, ...) PG_PRINTF(2, 3);

/* A name as a cell of w->name characters. */
#define PAGE_NAME 32
struct page_name {
	char text[PAGE_NAME * 4 + 1];
};
struct page_name page_name(const struct writing *w, const char *first,
    const char *second);

/* How much a counter has risen; one that is lower than before began anew. */
uint64_t page_since(uint64_t old, uint64_t now);
/* For qsort(): the larger one first. */
int page_order(double x, double y);

/* A table of the page: a head, and rows as far as there is room. */
struct section {
	const char *none; /* said if there are no rows */
	size_t n;
	void *rows;       /* to free; or NULL */
	void (*head)(struct writing *w); /* or NULL: only none is said */
	void (*row)(struct writing *w, const struct section *s, size_t i);
};

/* Which outcomes statements had between the two looks. */
struct layers {
	uint64_t l1, l2, miss, bypass, all;
};

/* Routes that had statements, in order. */
struct section page_routes(const struct writing *w, struct layers *layers);
/* Shapes that were called, in order. */
struct section page_shapes(const struct writing *w);

#endif
