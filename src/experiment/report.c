/* SPDX-License-Identifier: PostgreSQL
 *
 * What a report says.  Pure but for memory.
 */
#include "experiment/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "experiment/report_chart.h"
#include "experiment/report_page.h"
#include "experiment/report_text.h"

/* Share of statements from the cache above which they are warned of. */
#define REPORT_CACHED 0.05
#define REPORT_LINE 600

static const char report_method[] =
    "Statements of one unit are not independent, so units are the sample: each "
    "arm's measurements are kept in 64 random groups of units, a group counts "
    "once however busy it is, and the spread between groups tells the "
    "variance. Means are geometric. Intervals hold at all times at once, so that "
    "looking while the experiment ran, and stopping when it was decided, does not "
    "make them wrong (confidence sequences: Robbins 1970; Howard, Ramdas, "
    "McAuliffe, Sekhon 2021). Quantiles have them by Woodruff's method (1952). "
    "Shares of units are tested likewise (Lindon, Malek 2022).";

/* ---- what was compared ---- */

static void
report_facts(struct page *p, const struct report_item *e)
{
	char s[REPORT_LINE];

	(void)snprintf(s, sizeof(s), "Table %.120s, %.40s by %.40s; %.40s "
	    "since %s (%.200s).", e->table, e->mode, e->unit, e->state,
	    text_when(e->since).s, e->reason);
	page_text(p, s);
	if (e->error_ratio > 0 || e->p95_ratio > 0) {
		(void)snprintf(s, sizeof(s), "It stops by itself if an arm is "
		    "surely worse than the control:");
		if (e->error_ratio > 0)
			(void)snprintf(s + strlen(s), sizeof(s) - strlen(s),
			    " by failures, over %g times;", e->error_ratio);
		if (e->p95_ratio > 0)
			(void)snprintf(s + strlen(s), sizeof(s) - strlen(s),
			    " by p95, over %g times;", e->p95_ratio);
		s[strlen(s) - 1] = '.';
		page_text(p, s);
	}
}

static void
report_rulings(struct page *p, const struct report_item *e)
{
	char s[REPORT_LINE];
	unsigned i;

	page_list_begin(p, "says");
	for (i = 0; i < e->n_arms; i++) {
		verdict_say(e->verdict, i, s, sizeof(s));
		page_item(p, e->arms[i].name, s);
	}
	page_list_end(p);
}

/* ---- warnings ---- */

struct report_warnings {
	struct page *p;
	bool any;
};

static void
report_warn(struct report_warnings *w, const char *lead, const char *text)
{
	if (!w->any)
		page_list_begin(w->p, "warns");
	w->any = true;
	page_item(w->p, lead, text);
}

static void
report_warn_units(struct report_warnings *w, const struct report_item *e)
{
	char s[REPORT_LINE];

	if (e->verdict->share_alarm)
		report_warn(w, "Shares of units:", "arms do not get the units "
		    "that their weights promise. Something loses or moves units "
		    "of one arm more than of the others, and nothing below may "
		    "be relied on.");
	if (e->moved > 0) {
		(void)snprintf(s, sizeof(s), "met on several arms, which may "
		    "be because weights were changed: %s.",
		    text_count(e->moved).s);
		report_warn(w, "Moved units:", s);
	}
	if (e->units_full)
		report_warn(w, "Units:", "there were more than are counted; "
		    "their shares are tested up to there.");
}

static void
report_warn_arm(struct report_warnings *w, const struct report_item *e,
    unsigned arm)
{
	const struct verdict_arm *a = &e->verdict->arms[arm];
	const char *name = e->arms[arm].name;
	char s[REPORT_LINE];
	uint64_t n;

	if (a->guard != GUARD_NONE) {
		(void)snprintf(s, sizeof(s), "the guard of %s has fired.",
		    guard_name(a->guard));
		report_warn(w, name, s);
	}
	if (a->cached_share > REPORT_CACHED) {
		(void)snprintf(s, sizeof(s), "%s of its statements were "
		    "answered from the cache, in %s of its time; what servers "
		    "do is in the table without the cache.",
		    text_share(a->cached_share).s,
		    text_share(a->cached_time).s);
		report_warn(w, name, s);
	}
	n = board_counted(e->board, arm, BOARD_UNSERVED);
	if (n > 0) {
		(void)snprintf(s, sizeof(s), "statements of its units that not "
		    "all arms could serve, and that count for none: %s.",
		    text_count(n).s);
		report_warn(w, name, s);
	}
	n = board_counted(e->board, arm, BOARD_MISMATCHES);
	if (n > 0) {
		(void)snprintf(s, sizeof(s), "answers that were others than the "
		    "control's: %s of %s that were compared.",
		    text_count(n).s, text_count(board_counted(e->board, arm,
		    BOARD_COMPARED)).s);
		report_warn(w, name, s);
	}
	n = board_counted(e->board, arm, BOARD_INCONCLUSIVE);
	if (n > 0) {
		(void)snprintf(s, sizeof(s), "comparisons that say nothing, for "
		    "the control's answer changed meanwhile: %s.",
		    text_count(n).s);
		report_warn(w, name, s);
	}
}

static void
report_warnings(struct page *p, const struct report_item *e)
{
	struct report_warnings w = { p, false };
	unsigned i;

	report_warn_units(&w, e);
	for (i = 0; i < e->n_arms; i++)
		report_warn_arm(&w, e, i);
	if (w.any)
		page_list_end(p);
}

/* ---- tables ---- */

static void
report_arms(struct page *p, const struct report_item *e)
{
	static const char *const names[] = { "arm", "form", "weight", "units",
		"statements", "failed", "from the cache", "of its time" };
	const struct verdict_arm *a;
	unsigned i;

	page_table_begin(p, "Arms; the first is the control", "llrrrrrr",
	    names);
	for (i = 0; i < e->n_arms; i++) {
		a = &e->verdict->arms[i];
		page_row(p, "llrrrrrr", (const char *const[]){
			e->arms[i].name, e->arms[i].form,
			text_count(e->arms[i].weight).s,
			text_count(a->units).s,
			text_count(a->n + a->failed).s,
			text_share_figure(&a->failures).s,
			text_share(a->cached_share).s,
			text_share(a->cached_time).s });
	}
	page_table_end(p);
}

static void
report_times(struct page *p, const struct report_item *e, bool served)
{
	static const char *const names[] = { "arm", "geometric mean", "p50",
		"p95", "p99" };
	const struct verdict_times *t;
	unsigned i;

	page_table_begin(p, served ? "Times without answers from the cache" :
	    "Times of all statements", "lrrrr", names);
	for (i = 0; i < e->n_arms; i++) {
		t = served ? &e->verdict->arms[i].served :
		    &e->verdict->arms[i].all;
		page_row(p, "lrrrr", (const char *const[]){ e->arms[i].name,
			text_time_figure(&t->mean).s,
			text_time_figure(&t->q[VERDICT_P50]).s,
			text_time_figure(&t->q[VERDICT_P95]).s,
			text_time_figure(&t->q[VERDICT_P99]).s });
	}
	page_table_end(p);
}

static void
report_ratios(struct page *p, const struct report_item *e, bool served)
{
	static const char *const names[] = { "arm", "mean", "p50", "p95",
		"p99" };
	const struct verdict_times *t;
	unsigned i;

	page_table_begin(p, served ? "Ratios to the control without answers "
	    "from the cache" : "Ratios to the control; less is faster",
	    "lrrrr", names);
	for (i = 1; i < e->n_arms; i++) {
		t = served ? &e->verdict->arms[i].served :
		    &e->verdict->arms[i].all;
		page_row(p, "lrrrr", (const char *const[]){ e->arms[i].name,
			text_ratio_figure(&t->mean_ratio).s,
			text_ratio_figure(&t->q_ratio[VERDICT_P50]).s,
			text_ratio_figure(&t->q_ratio[VERDICT_P95]).s,
			text_ratio_figure(&t->q_ratio[VERDICT_P99]).s });
	}
	page_table_end(p);
}

static void
report_shapes(struct page *p, const struct report_item *e)
{
	static const char *const names[] = { "statement", "arm", "statements",
		"failed", "p50", "p95", "ratio of means", "ruling" };
	const struct verdict_arm *a;
	uint64_t hash;
	unsigned i;
	size_t k;

	if (e->n_shapes == 0)
		return;
	page_table_begin(p, "By statement; each interval stands for itself, so "
	    "of many some are wrong", "llrrrrrl", names);
	for (k = 0; k < e->n_shapes; k++)
		for (i = 0; i < e->n_arms; i++) {
			a = &e->shapes[k].arms[i];
			page_row(p, "llrrrrrl", (const char *const[]){
				board_shape_text(e->board, (unsigned)k, &hash),
				e->arms[i].name, text_count(a->n).s,
				text_count(a->failed).s,
				text_time_figure(&a->all.q[VERDICT_P50]).s,
				text_time_figure(&a->all.q[VERDICT_P95]).s,
				text_ratio_figure(&a->all.mean_ratio).s,
				ruling_name(a->ruling) });
		}
	page_table_end(p);
}

static void
report_counts(struct page *p, const struct report_item *e)
{
	static const char *const names[] = { "count", "arm", "number",
		"meaning" };
	unsigned i, c;
	uint64_t n;

	page_table_begin(p, "What else was counted; what is not here was 0",
	    "llrl", names);
	for (c = 0; c < BOARD_COUNTS; c++)
		for (i = 0; i < e->n_arms; i++) {
			n = board_counted(e->board, i, c);
			if (n > 0)
				page_row(p, "llrl", (const char *const[]){
					board_count_name(c), e->arms[i].name,
					text_count(n).s, board_count_doc(c) });
		}
	page_table_end(p);
}

/* ---- all ---- */

static void
report_brackets(struct page *p, const struct report_item *e)
{
	char s[REPORT_LINE], several[120] = "";
	double alpha = e->verdict->alpha;

	if (e->n_arms > 2)
		(void)snprintf(several, sizeof(several), "; of ratios of means, "
		    "because there are several arms, %.4g %%",
		    100 * (1 - alpha));
	(void)snprintf(s, sizeof(s), "In brackets: where the true value is, with "
	    "a chance of %.4g %% at least%s. Without brackets there are too few "
	    "data for an interval. A difference of %g %% matters.",
	    100 * (1 - alpha * (e->n_arms - 1)), several,
	    100 * e->verdict->effect);
	page_text(p, s);
}

static void
report_experiment(struct page *p, const struct report_item *e)
{
	page_heading(p, 2, e->name);
	report_facts(p, e);
	if (e->board == NULL) {
		page_text(p, "Nothing has been measured.");
		return;
	}
	report_rulings(p, e);
	report_warnings(p, e);
	if (p->format == REPORT_HTML) {
		chart_distributions(p, e);
		chart_ratios(p, e);
	}
	report_arms(p, e);
	report_times(p, e, false);
	report_ratios(p, e, false);
	report_times(p, e, true);
	report_ratios(p, e, true);
	report_brackets(p, e);
	report_shapes(p, e);
	report_counts(p, e);
}

bool
report_write(enum report_format format, const struct report_item v[], size_t n,
    uint64_t now, const char *version, struct buf *out)
{
	struct page p = { out, format, true };
	char s[REPORT_LINE];
	size_t i;

	(void)snprintf(s, sizeof(s), "Experiment %.200s", n == 1 ? v[0].name :
	    "");
	page_begin(&p, n == 1 ? s : "Experiments");
	(void)snprintf(s, sizeof(s), "Written %s by pgsluice %.40s.",
	    text_when(now).s, version);
	page_text(&p, s);
	if (n == 0)
		page_text(&p, "There is no experiment.");
	for (i = 0; i < n; i++)
		report_experiment(&p, &v[i]);
	page_heading(&p, 2, "Method");
	page_text(&p, report_method);
	page_end(&p);
	return p.ok;
}
