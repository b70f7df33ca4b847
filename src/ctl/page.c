/* SPDX-License-Identifier: PostgreSQL
 *
 * Two looks as lines; see page.h.  Pure.
 *
 * What did not happen between the looks has no line, but for pools and backends,
 * which are shown as they are.  Each table has the rows it needs as long as there
 * is room for all; else those that need more share what is left.
 */
#include "ctl/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/page_priv.h"

#define PAGE_ROWS 10   /* of a section, where there is room for any */
#define PAGE_SECTIONS 4
#define PAGE_LINE 2000
#define PAGE_NUMBERS 43 /* columns beside the name, in the widest table */
#define PAGE_NAME_MIN 8

/* ---- lines ---------------------------------------------------------------------- */

/* How many bytes the character at s has: 0, it is none that a terminal may be
 * given. */
static size_t
page_character(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 :
	    s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xc2 && s[0] < 0xe0 ?
	    2 : 0, i;

	if (s[0] < ' ' || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0))
		return 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static void
page_put(struct buf *out, const char *s, size_t n)
{
	if (!buf_append(out, s, n))
		return; /* a page that long is cut */
}

void
page_line(const struct page *p, const char *text, struct buf *out)
{
	unsigned column = 0;
	size_t n;

	for (; *text != '\0' && (p->width == 0 || column < p->width);
	    column++) {
		n = page_character((const unsigned char *)text);
		page_put(out, n > 0 ? text : ".", n > 0 ? n : 1);
		text += n > 0 ? n : 1;
	}
	page_put(out, "\n", 1);
}

void
say(struct writing *w, const char *fmt, ...)
{
	char line[PAGE_LINE];
	va_list ap;

	if (w->left == 0)
		return;
	w->left--;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	page_line(w->p, line, w->out);
}

/* Up to columns characters of s behind to; how many there were. */
static unsigned
page_copy(char **to, const char *s, unsigned columns)
{
	unsigned n;
	size_t bytes;

	for (n = 0; n < columns && *s != '\0'; n++) {
		bytes = page_character((const unsigned char *)s);
		if (bytes == 0)
			**to = '.';
		else
			memcpy(*to, s, bytes);
		*to += bytes > 0 ? bytes : 1;
		s += bytes > 0 ? bytes : 1;
	}
	return n;
}

struct page_name
page_name(const struct writing *w, const char *first, const char *second)
{
	struct page_name name;
	char *to = name.text;
	unsigned n;

	CHECK(w->name <= PAGE_NAME);
	n = page_copy(&to, first, w->name);
	if (second[0] != '\0')
		n += page_copy(&to, " ", w->name - n);
	n += page_copy(&to, second, w->name - n);
	for (; n < w->name; n++)
		*to++ = ' ';
	*to = '\0';
	return name;
}

/* ---- numbers ---------------------------------------------------------------------- */

uint64_t
page_since(uint64_t old, uint64_t now)
{
	return now < old ? now : now - old;
}

int
page_order(double x, double y)
{
	return x < y ? 1 : x > y ? -1 : 0;
}

static double
page_took(const struct look *old, const struct look *now)
{
	double s = (double)(now->at - old->at) / 1e9;

	return s > 0 ? s : 1e-9;
}

/* ---- pools and backends -------------------------------------------------------------------- */

static void
pools_head(struct writing *w)
{
	say(w, "%s %6s %6s %6s %8s %6s", page_name(w, "pool", "").text, "busy",
	    "idle", "login", "waiting", "size");
}

static void
pools_row(struct writing *w, const struct section *s PG_UNUSED, size_t i)
{
	const struct look_pool *p = &w->now->pools[i];

	say(w, "%s %6ld %6ld %6ld %8ld %6ld%s%s",
	    page_name(w, p->backend, p->user).text, p->busy, p->idle, p->login,
	    p->waiting, p->size, p->error[0] != '\0' ? "  " : "", p->error);
}

static void
backends_head(struct writing *w)
{
	say(w, "%s %6s %6s %6s %8s state", page_name(w, "backend", "").text,
	    "busy", "idle", "login", "waiting");
}

static void
backends_row(struct writing *w, const struct section *s PG_UNUSED, size_t i)
{
	const struct look_backend *b = &w->now->backends[i];

	say(w, "%s %6ld %6ld %6ld %8ld %s%s%s", page_name(w, b->name, "").text,
	    b->busy, b->idle, b->login, b->waiting, b->state,
	    b->error[0] != '\0' ? "  " : "", b->error);
}

/* ---- sections ------------------------------------------------------------------------------- */

/* Lines of each, blank ones and heads apart. */
static void
sections_share(const struct section *all, unsigned left, unsigned *lines)
{
	unsigned i, given;

	for (i = 0; i < PAGE_SECTIONS; i++)
		lines[i] = 1;
	left -= left < 3 * PAGE_SECTIONS ? left : 3 * PAGE_SECTIONS;
	do {
		given = left;
		for (i = 0; i < PAGE_SECTIONS; i++)
			if (left > 0 && lines[i] < all[i].n) {
				lines[i]++;
				left--;
			}
	} while (left != given);
}

static void
section_write(struct writing *w, const struct section *s, unsigned lines)
{
	size_t n = s->n, i;

	say(w, "%s", "");
	if (s->head != NULL)
		s->head(w);
	if (n > lines)
		n = lines > 1 ? lines - 1 : 1;
	for (i = 0; i < n; i++)
		s->row(w, s, i);
	if (s->n == 0)
		say(w, "%s", s->none);
	else if (s->n > lines && lines > 1)
		say(w, "and %zu more", s->n - n);
}

/* ---- the whole -------------------------------------------------------------------------------------- */

/* Words that flow: two blanks between them, and a new line where the window ends. */
static void
say_flowing(struct writing *w, char words[][32], size_t n)
{
	char line[400] = "";
	size_t i, used = 0, more;

	for (i = 0; i < n; i++) {
		more = strlen(words[i]);
		if (used > 0 && w->p->width > 0 &&
		    used + 2 + more > w->p->width) {
			say(w, "%s", line);
			used = 0;
		}
		used += (size_t)snprintf(line + used, sizeof(line) - used,
		    "%s%s", used > 0 ? "  " : "", words[i]);
	}
	say(w, "%s", line);
}

static void
say_head(struct writing *w, const struct layers *l)
{
	const struct look *old = w->old, *now = w->now;
	double all = l->all > 0 ? (double)l->all : 1;
	char words[4][32];

#define WORD(i, fmt, v) snprintf(words[i], sizeof(words[i]), fmt, v)
#define RATE(field) ((double)page_since(old->field, now->field) / w->took)
	WORD(0, "statements/s %.1f", RATE(statements));
	WORD(1, "transactions/s %.1f", RATE(transactions));
	WORD(2, "received %.1f kB/s", RATE(received) / 1024);
	WORD(3, "sent %.1f kB/s", RATE(sent) / 1024);
	say_flowing(w, words, 4);
	WORD(0, "cache: L1 %.1f %%", 100 * (double)l->l1 / all);
	WORD(1, "L2 %.1f %%", 100 * (double)l->l2 / all);
	WORD(2, "miss %.1f %%", 100 * (double)l->miss / all);
	WORD(3, "bypass %.1f %%", 100 * (double)l->bypass / all);
	say_flowing(w, words, 4);
#undef RATE
#undef WORD
}

static unsigned
page_name_columns(const struct page *p)
{
	if (p->width == 0 || p->width >= PAGE_NUMBERS + PAGE_NAME)
		return PAGE_NAME;
	return p->width >= PAGE_NUMBERS + PAGE_NAME_MIN ?
	    p->width - PAGE_NUMBERS : PAGE_NAME_MIN;
}

void
page_write(const struct page *p, const struct look *old,
    const struct look *now, struct buf *out)
{
	struct writing w = { .p = p, .old = old, .now = now, .out = out,
		.took = page_took(old, now),
		.left = p->lines == 0 ? ~0u : p->lines,
		.name = page_name_columns(p) };
	unsigned lines[PAGE_SECTIONS], i;
	struct layers layers;
	const struct section all[PAGE_SECTIONS] = {
		page_routes(&w, &layers),
		{ "no pools", now->n_pools, NULL, pools_head, pools_row },
		{ "no backends", now->n_backends, NULL, backends_head,
		    backends_row },
		page_shapes(&w) };

	say_head(&w, &layers);
	for (i = 0; i < PAGE_SECTIONS; i++)
		lines[i] = PAGE_ROWS + 1;
	if (p->lines > 0)
		sections_share(all, w.left, lines);
	for (i = 0; i < PAGE_SECTIONS; i++)
		section_write(&w, &all[i], lines[i]);
	for (i = 0; i < PAGE_SECTIONS; i++)
		free(all[i].rows);
}

bool
page_sort_of(const char *name, enum page_sort *out)
{
	static const char *const names[] = { [PAGE_BY_TIME] = "time",
		[PAGE_BY_CALLS] = "calls", [PAGE_BY_P99] = "p99" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum page_sort)i;
			return true;
		}
	return false;
}
