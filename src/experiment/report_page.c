/* SPDX-License-Identifier: PostgreSQL
 *
 * Pages.  Pure.
 */
#include "experiment/report_page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char page_style[] =
":root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--dim:#59636e;"
"--line:#d1d9e0;--warn:#9a3412;--warn-paper:#fff4e6;"
"--a0:#0b62a4;--a1:#b8480a;--a2:#00795a;--a3:#a33b7c;--a4:#8a6100;"
"--a5:#4b4fae;--a6:#5f6b00;--a7:#6b3d1e}\n"
"@media(prefers-color-scheme:dark){:root{--paper:#0f1419;--ink:#e6edf3;"
"--dim:#9aa7b4;--line:#323b45;--warn:#ffb37a;"
"--warn-paper:#2c1c10;--a0:#62b0f0;--a1:#f29455;--a2:#42c79d;--a3:#e58cc2;"
"--a4:#e0b040;--a5:#a5a8f5;--a6:#bcc84a;--a7:#d0a080}}\n"
"body{margin:0 auto;padding:1.5rem;max-width:68rem;background:var(--paper);"
"color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"
"h1,h2,h3{line-height:1.2}h2{margin-top:3rem;border-top:1px solid var(--line);"
"padding-top:1.5rem}p{max-width:46rem}\n"
"ul.says{padding:0;list-style:none;font-size:1.15rem}"
"ul.warns{background:var(--warn-paper);color:var(--warn);padding:.8rem .8rem "
".8rem 2rem;border-radius:.4rem}\n"
".wide{overflow-x:auto}table{border-collapse:collapse;margin:1rem 0;"
"font-variant-numeric:tabular-nums;font-size:.9rem}"
"caption{text-align:left;font-weight:600;padding:.3rem 0}"
"th,td{border-bottom:1px solid var(--line);padding:.3rem .7rem;"
"vertical-align:top;text-align:left}"
"th{color:var(--dim);font-weight:600}tbody th{color:var(--ink)}"
".r{text-align:right;white-space:nowrap}"
"tbody th{min-width:9rem;max-width:30rem;overflow-wrap:anywhere}\n"
"svg{display:block;width:100%;height:auto;max-width:60rem;margin:1rem 0}"
"svg text{fill:var(--dim);font:12px system-ui,sans-serif}"
".grid{stroke:var(--line)}.one{stroke:var(--ink)}.band{fill:var(--line);opacity:.4}\n"
"@media print{body{max-width:none}}\n";

/* ---- texts ---- */

static void
page_put(struct page *p, const char *s, size_t n)
{
	p->ok = p->ok && buf_append(p->b, s, n);
}

static void
page_str(struct page *p, const char *s)
{
	page_put(p, s, strlen(s));
}

void
page_raw(struct page *p, const char *format, ...)
{
	char s[400];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(s, sizeof(s), format, ap);
	va_end(ap);
	CHECK(n >= 0 && (size_t)n < sizeof(s));
	page_put(p, s, (size_t)n);
}

/* Bytes of the UTF-8 character that s begins with; 0: it is none (RFC 3629).
 * s ends with a NUL, which no character goes on with. */
static size_t
page_character(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 :
	    u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0, i;

	for (i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return n;
}

static void
page_put_html(struct page *p, const char *s, size_t n)
{
	switch (*s) {
	case '&': page_str(p, "&amp;"); break;
	case '<': page_str(p, "&lt;"); break;
	case '>': page_str(p, "&gt;"); break;
	case '"': page_str(p, "&quot;"); break;
	case '\'': page_str(p, "&#39;"); break;
	default: page_put(p, s, n);
	}
}

void
page_escaped(struct page *p, const char *text)
{
	size_t n;

	for (; *text != '\0'; text += n > 0 ? n : 1) {
		n = page_character(text);
		if (n == 0)
			page_str(p, "?");
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			page_str(p, " ");
		else if (p->format == REPORT_HTML)
			page_put_html(p, text, n);
		else if (strchr("\\`*_{}[]<>#|~&!", *text) != NULL) {
			page_str(p, "\\");
			page_put(p, text, n);
		} else
			page_put(p, text, n);
	}
}

/* ---- the page ---- */

void
page_begin(struct page *p, const char *title)
{
	if (p->format == REPORT_HTML) {
		page_str(p, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
		    "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
		    "content=\"width=device-width, initial-scale=1\">\n"
		    "<title>");
		page_escaped(p, title);
		page_str(p, "</title>\n<style>\n");
		page_str(p, page_style);
		page_str(p, "</style>\n</head>\n<body>\n<main>\n");
	}
	page_heading(p, 1, title);
}

void
page_end(struct page *p)
{
	if (p->format == REPORT_HTML)
		page_str(p, "</main>\n</body>\n</html>\n");
}

void
page_heading(struct page *p, unsigned level, const char *text)
{
	if (p->format == REPORT_HTML)
		page_raw(p, "<h%u>", level);
	else
		page_raw(p, "%s%.*s ", buf_len(p->b) > 0 ? "\n" : "",
		    (int)level, "######");
	page_escaped(p, text);
	if (p->format == REPORT_HTML)
		page_raw(p, "</h%u>\n", level);
	else
		page_str(p, "\n");
}

void
page_text(struct page *p, const char *text)
{
	page_str(p, p->format == REPORT_HTML ? "<p>" : "\n");
	page_escaped(p, text);
	page_str(p, p->format == REPORT_HTML ? "</p>\n" : "\n");
}

void
page_list_begin(struct page *p, const char *kind)
{
	if (p->format == REPORT_HTML)
		page_raw(p, "<ul class=\"%s\">\n", kind);
	else
		page_str(p, "\n");
}

void
page_item(struct page *p, const char *lead, const char *text)
{
	bool html = p->format == REPORT_HTML;

	page_str(p, html ? "<li><strong>" : "- **");
	page_escaped(p, lead);
	page_str(p, html ? "</strong> " : "** ");
	page_escaped(p, text);
	page_str(p, html ? "</li>\n" : "\n");
}

void
page_list_end(struct page *p)
{
	if (p->format == REPORT_HTML)
		page_str(p, "</ul>\n");
}

/* ---- tables ---- */

static void
page_cell(struct page *p, char align, bool head, bool first, const char *text)
{
	bool th = head || first;

	if (p->format == REPORT_HTML)
		page_raw(p, "<%s%s%s>", th ? "th" : "td", align == 'r' ?
		    " class=\"r\"" : "", head ? " scope=\"col\"" :
		    first ? " scope=\"row\"" : "");
	else
		page_str(p, first ? "| " : " ");
	page_escaped(p, text);
	if (p->format == REPORT_HTML)
		page_raw(p, "</%s>", th ? "th" : "td");
	else
		page_str(p, " |");
}

static void
page_cells(struct page *p, const char *align, bool head,
    const char *const cells[])
{
	size_t i;

	page_str(p, p->format == REPORT_HTML ? "<tr>" : "");
	for (i = 0; align[i] != '\0'; i++)
		page_cell(p, align[i], head, i == 0, cells[i]);
	page_str(p, p->format == REPORT_HTML ? "</tr>\n" : "\n");
}

void
page_table_begin(struct page *p, const char *caption, const char *align,
    const char *const names[])
{
	size_t i;

	if (p->format == REPORT_HTML) {
		page_str(p, "<div class=\"wide\" tabindex=\"0\"><table>\n"
		    "<caption>");
		page_escaped(p, caption);
		page_str(p, "</caption>\n<thead>\n");
		page_cells(p, align, true, names);
		page_str(p, "</thead>\n<tbody>\n");
		return;
	}
	page_text(p, caption);
	page_str(p, "\n");
	page_cells(p, align, true, names);
	for (i = 0; align[i] != '\0'; i++)
		page_raw(p, "%s%s", i == 0 ? "|" : "", align[i] == 'r' ?
		    " ---: |" : " --- |");
	page_str(p, "\n");
}

void
page_row(struct page *p, const char *align, const char *const cells[])
{
	page_cells(p, align, false, cells);
}

void
page_table_end(struct page *p)
{
	if (p->format == REPORT_HTML)
		page_str(p, "</tbody>\n</table></div>\n");
}
