/* SPDX-License-Identifier: PostgreSQL
 *
 * What pgsluicectl top shows: the difference of two looks as lines of text.
 *
 * No byte of it can command a terminal.  Pure.
 */
#ifndef PGSLUICE_CTL_PAGE_H
#define PGSLUICE_CTL_PAGE_H

#include "base/buf.h"
#include "ctl/look.h"

enum page_sort { PAGE_BY_TIME, PAGE_BY_CALLS, PAGE_BY_P99 };
/* false: no such key. */
bool page_sort_of(const char *name, enum page_sort *out) PG_MUST_CHECK;

struct page {
	enum page_sort sort;
	unsigned width; /* columns; 0: any */
	unsigned lines; /* of the window; 0: any */
};

#define PAGE_MAX (1u << 20)

/* Lines that end with '\n', at most as wide and as many as there is room for. */
void page_write(const struct page *p, const struct look *old,
    const struct look *now, struct buf *out);
/* One line of any text in the same way. */
void page_line(const struct page *p, const char *text, struct buf *out);

#endif
