/* SPDX-License-Identifier: PostgreSQL
 *
 * Drawings.  Pure but for memory.
 *
 * A distribution is the mean of its groups' (as quantiles are, quantile.h), in
 * cells of four buckets, eight to a power of two; of the tails the last
 * thousandth is cut off.
 */
#include "experiment/report_chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/quantile.h"

#define CELL 4
#define CELLS ((TALLY_BUCKETS + CELL - 1) / CELL)
#define WIDTH 900.0
#define LEFT 130.0
#define RIGHT 20.0
#define TALL 240.0 /* of the distributions */
#define BAR 22.0   /* from one interval to the next */

static const char *const chart_dashes[ARMS_MAX] = { "", "7 3", "2 3",
	"9 3 2 3", "12 4", "1 2", "5 2 1 2", "3 6" };

struct chart_axis {
	double low, high; /* values, at LEFT and at WIDTH - RIGHT */
};

static double
chart_x(const struct chart_axis *a, double v)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * log(v / a->low) /
	    log(a->high / a->low);
}

static void
chart_begin(struct page *p, double height, const char *title)
{
	page_raw(p, "<svg viewBox=\"0 0 %g %g\" role=\"img\">\n<title>", WIDTH,
	    height);
	page_escaped(p, title);
	page_raw(p, "</title>\n");
}

static void
chart_tick(struct page *p, double x, double top, double bottom,
    const char *label)
{
	page_raw(p, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
	    "y2=\"%.1f\"/>\n", x, x, top, bottom);
	page_raw(p, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", x,
	    bottom + 16);
	page_escaped(p, label);
	page_raw(p, "</text>\n");
}

/* ---- distributions ---- */

struct chart_shape { /* of an arm */
	double share[CELLS];
	double density[CELLS]; /* of the logarithm, for cells differ in width */
	bool known;
};

static double
chart_cell_end(unsigned cell)
{
	unsigned b = cell * CELL + CELL - 1;

	return (double)tally_bucket_upper(b < TALLY_BUCKETS ? b :
	    TALLY_BUCKETS - 1);
}

static double
chart_cell_from(unsigned cell)
{
	return cell > 0 ? chart_cell_end(cell - 1) : 500;
}

static void
chart_shape_make(const struct board *b, unsigned arm, struct chart_shape *s)
{
	struct tally_view *v = x_malloc(2 * sizeof(*v));
	struct curve *c = x_malloc(sizeof(*c));
	double before = 0;
	unsigned i;

	board_view(b, arm, BOARD_ALL, false, &v[0]);
	board_view(b, arm, BOARD_ALL, true, &v[1]);
	tally_view_add(&v[0], &v[1]);
	curve_make(c, &v[0]);
	memset(s, 0, sizeof(*s));
	s->known = c->n > 0;
	for (i = c->first; i < c->end; i++) {
		s->share[i / CELL] += c->share[i] - before;
		before = c->share[i];
	}
	for (i = 0; i < CELLS; i++)
		s->density[i] = s->share[i] /
		    log(chart_cell_end(i) / chart_cell_from(i));
	free(v);
	free(c);
}

/* first and end: cells that are drawn, for all shapes; peak: the highest density. */
static void
chart_range(const struct chart_shape s[], unsigned n, unsigned *first,
    unsigned *end, double *peak)
{
	unsigned i, k;
	double sum;

	*first = CELLS;
	*end = 0;
	*peak = 0;
	for (i = 0; i < n; i++)
		for (k = 0, sum = 0; k < CELLS; k++) {
			sum += s[i].share[k];
			if (sum > 0.001 && k < *first)
				*first = k;
			if (s[i].share[k] > 0 && sum - s[i].share[k] < 0.999 &&
			    k + 1 > *end)
				*end = k + 1;
			*peak = fmax(*peak, s[i].density[k]);
		}
	*first -= *first > 0;
	*end += *end < CELLS;
}

static void
chart_path(struct page *p, const struct chart_axis *a,
    const struct chart_shape *s, unsigned arm, unsigned first, unsigned end,
    double peak)
{
	double x;
	unsigned k;

	page_raw(p, "<path d=\"M%.1f %.1f", chart_x(a, a->low), TALL);
	for (k = first; k < end; k++) {
		/* In the middle of the cell. */
		x = chart_x(a, sqrt(chart_cell_end(k) * chart_cell_from(k)));
		page_raw(p, "L%.1f %.1f", x, TALL - (TALL - 30) *
		    s->density[k] / peak);
	}
	page_raw(p, "L%.1f %.1f\" fill=\"var(--a%u)\" fill-opacity=\".1\" "
	    "stroke=\"var(--a%u)\" stroke-width=\"2\" "
	    "stroke-dasharray=\"%s\"/>\n", chart_x(a, a->high), TALL, arm, arm,
	    chart_dashes[arm]);
}

static void
chart_times(struct page *p, const struct chart_axis *a)
{
	static const double steps[] = { 1, 2, 5 };
	bool narrow = a->high / a->low < 2000;
	double decade, v;
	char label[24];
	unsigned i;

	for (decade = 100; decade < 1e12; decade *= 10)
		for (i = 0; i < (narrow ? ARRAY_SIZE(steps) : 1); i++) {
			v = decade * steps[i];
			if (v < a->low || v > a->high)
				continue;
			(void)snprintf(label, sizeof(label), "%g %s",
			    v / (v < 1e6 ? 1e3 : v < 1e9 ? 1e6 : 1e9),
			    v < 1e6 ? "µs" : v < 1e9 ? "ms" : "s");
			chart_tick(p, chart_x(a, v), 20, TALL, label);
		}
}

static void
chart_legend(struct page *p, const struct report_item *e)
{
	unsigned i;
	double y;

	for (i = 0; i < e->n_arms; i++) {
		y = 30 + 18.0 * i;
		page_raw(p, "<line x1=\"4\" x2=\"34\" y1=\"%.1f\" y2=\"%.1f\" "
		    "stroke=\"var(--a%u)\" stroke-width=\"3\" "
		    "stroke-dasharray=\"%s\"/>\n", y, y, i, chart_dashes[i]);
		page_raw(p, "<text x=\"40\" y=\"%.1f\">", y + 4);
		page_escaped(p, e->arms[i].name);
		page_raw(p, "</text>\n");
	}
}

void
chart_distributions(struct page *p, const struct report_item *e)
{
	struct chart_shape *s = x_calloc(e->n_arms, sizeof(*s));
	unsigned first, end, i;
	struct chart_axis a;
	double peak;

	for (i = 0; i < e->n_arms; i++)
		chart_shape_make(e->board, i, &s[i]);
	chart_range(s, e->n_arms, &first, &end, &peak);
	if (first < end && peak > 0) {
		a.low = chart_cell_from(first);
		a.high = chart_cell_end(end - 1);
		chart_begin(p, TALL + 24, "How the times of each arm are "
		    "distributed, on a logarithmic axis");
		chart_times(p, &a);
		for (i = 0; i < e->n_arms; i++)
			if (s[i].known)
				chart_path(p, &a, &s[i], i, first, end, peak);
		chart_legend(p, e);
		page_raw(p, "</svg>\n");
	}
	free(s);
}

/* ---- ratios ---- */

struct chart_bar {
	const char *name;
	const struct figure *f;
	unsigned arm;
};

static unsigned
chart_bars(const struct report_item *e, struct chart_bar out[])
{
	static const char *const names[] = { "p50", "p95", "p99" };
	const struct verdict_times *t;
	unsigned arm, i, n = 0;

	for (arm = 1; arm < e->n_arms; arm++) {
		t = &e->verdict->arms[arm].all;
		out[n++] = (struct chart_bar){ "mean", &t->mean_ratio, arm };
		for (i = 0; i < VERDICT_QUANTILES; i++)
			out[n++] = (struct chart_bar){ names[i],
				&t->q_ratio[i], arm };
	}
	return n;
}

static void
chart_ratio_axis(struct chart_axis *a, const struct chart_bar bars[],
    unsigned n, double effect)
{
	double most = 1 + 2 * effect, low, high;
	unsigned i;

	for (i = 0; i < n; i++) {
		if (!bars[i].f->known || bars[i].f->value <= 0)
			continue;
		low = bars[i].f->bounded ? bars[i].f->low : bars[i].f->value;
		high = bars[i].f->bounded ? bars[i].f->high :
		    bars[i].f->value;
		most = fmax(most, fmax(high, 1 / low));
	}
	/* Beyond a factor of a hundred nobody reads it off. */
	a->high = fmin(most * 1.05, 100);
	a->low = 1 / a->high;
}

static void
chart_bar(struct page *p, const struct chart_axis *a, const struct chart_bar *b,
    const char *arm, double y)
{
	double low, high, x;

	page_raw(p, "<text x=\"4\" y=\"%.1f\">", y + 4);
	page_escaped(p, arm);
	page_raw(p, "</text>\n<text x=\"%.1f\" y=\"%.1f\" "
	    "text-anchor=\"end\">%s</text>\n", LEFT - 10, y + 4, b->name);
	if (!b->f->known || b->f->value <= 0)
		return;
	if (b->f->bounded) {
		low = chart_x(a, fmax(b->f->low, a->low));
		high = chart_x(a, fmin(b->f->high, a->high));
		page_raw(p, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
		    "y2=\"%.1f\" stroke=\"var(--a%u)\" stroke-width=\"4\" "
		    "stroke-linecap=\"round\"/>\n", low, high, y, y, b->arm);
	}
	x = chart_x(a, fmin(fmax(b->f->value, a->low), a->high));
	page_raw(p, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" "
	    "fill=\"var(--a%u)\"/>\n", x, y, b->arm);
}

static void
chart_ratio_ticks(struct page *p, const struct chart_axis *a, double bottom)
{
	static const double at[] = { 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.7, 0.8,
		0.9, 1, 1.1, 1.25, 1.4, 2, 5, 10, 20, 50, 100 };
	/* Those near to 1 only where there is room. */
	bool wide = a->high > 3;
	char label[16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		if (at[i] < a->low || at[i] > a->high ||
		    (wide && at[i] > 0.5 && at[i] < 2 && at[i] != 1))
			continue;
		(void)snprintf(label, sizeof(label), "%g", at[i]);
		chart_tick(p, chart_x(a, at[i]), 6, bottom, label);
	}
}

void
chart_ratios(struct page *p, const struct report_item *e)
{
	struct chart_bar bars[ARMS_MAX * (VERDICT_QUANTILES + 1)];
	unsigned n = chart_bars(e, bars), i;
	double bottom = 10 + BAR * n, most = 1 + e->verdict->effect, one;
	struct chart_axis a;

	chart_ratio_axis(&a, bars, n, e->verdict->effect);
	chart_begin(p, bottom + 24, "Ratios of times to the control's with "
	    "their intervals; in the band the difference does not matter");
	page_raw(p, "<rect class=\"band\" x=\"%.1f\" width=\"%.1f\" y=\"6\" "
	    "height=\"%.1f\"/>\n", chart_x(&a, 1 / most), chart_x(&a, most) -
	    chart_x(&a, 1 / most), bottom - 6);
	chart_ratio_ticks(p, &a, bottom);
	one = chart_x(&a, 1);
	page_raw(p, "<line class=\"one\" x1=\"%.1f\" x2=\"%.1f\" y1=\"6\" "
	    "y2=\"%.1f\"/>\n", one, one, bottom);
	for (i = 0; i < n; i++)
		chart_bar(p, &a, &bars[i], i % (VERDICT_QUANTILES + 1) == 0 ?
		    e->arms[bars[i].arm].name : "", 20 + BAR * i);
	page_raw(p, "</svg>\n");
}
