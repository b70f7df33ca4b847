/* SPDX-License-Identifier: PostgreSQL
 *
 * A page in HTML or in Markdown: headings, paragraphs, lists, tables.  All texts
 * are escaped here.  Pure.
 */
#ifndef PGSLUICE_EXPERIMENT_REPORT_PAGE_H
#define PGSLUICE_EXPERIMENT_REPORT_PAGE_H

#include "experiment/report.h"

struct page {
	struct buf *b;
	enum report_format format;
	bool ok; /* sticky */
};

void page_begin(struct page *p, const char *title);
void page_end(struct page *p);
void page_heading(struct page *p, unsigned level, const char *text);
void page_text(struct page *p, const char *text);
/* kind: "says", "warns". */
void page_list_begin(struct page *p, const char *kind);
/* lead is set off, text follows. */
void page_item(struct page *p, const char *lead, const char *text);
void page_list_end(struct page *p);
/* align: a letter for each column, l or r. */
void page_table_begin(struct page *p, const char *caption, const char *align,
    const char *const names[]);
void page_row(struct page *p, const char *align, const char *const cells[]);
void page_table_end(struct page *p);

/* For drawings, in HTML alone: as it is, and escaped. */
void page_raw(struct page *p, const char *format, ...) PG_PRINTF(2, 3);
void page_escaped(struct page *p, const char *text);

#endif
