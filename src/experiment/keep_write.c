/* SPDX-License-Identifier: PostgreSQL
 *
 * Experiments as text: writing.  Pure but for memory.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "experiment/keep.h"

#define UNITS_A_LINE 64

struct keep_out {
	struct buf *b;
	bool ok; /* sticky */
};

static void keep_put(struct keep_out *o, const char *format, ...)
    PG_PRINTF(2, 3);

static void
keep_put(struct keep_out *o, const char *format, ...)
{
	char s[160];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(s, sizeof(s), format, ap);
	va_end(ap);
	CHECK(n >= 0 && (size_t)n < sizeof(s));
	o->ok = o->ok && buf_append(o->b, s, (size_t)n);
}

static void
keep_put_text(struct keep_out *o, const char *word, const char *text)
{
	const char *p;

	keep_put(o, "%s ", word);
	for (p = text; *p != '\0' && p - text < KEEP_TEXT; p++) {
		if (*p == '\\')
			keep_put(o, "\\\\");
		else if (*p == '\n')
			keep_put(o, "\\n");
		else if (*p == '\r')
			keep_put(o, "\\r");
		else
			o->ok = o->ok && buf_append(o->b, p, 1);
	}
	keep_put(o, "\n");
}

/* ---- a board ---- */

static void
keep_put_group(struct keep_out *o, const struct tally_view *v, unsigned g)
{
	unsigned b;

	keep_put(o, "group %u %" PRIu64 " %" PRIu64 " %a", g, v->n[g],
	    v->failed[g], v->log_sum[g]);
	for (b = 0; b < TALLY_BUCKETS; b++)
		if (v->bucket[g][b] > 0)
			keep_put(o, " %u:%" PRIu32, b, v->bucket[g][b]);
	keep_put(o, "\n");
}

static void
keep_put_tally(struct keep_out *o, const struct tally_view *v, unsigned arm,
    unsigned shape, bool cached)
{
	char number[16];
	unsigned g;

	if (tally_count(v) + tally_failures(v) == 0)
		return;
	(void)snprintf(number, sizeof(number), "%u", shape);
	keep_put(o, "tally %u %s %s %" PRIu64 "\n", arm, shape == BOARD_ALL ?
	    "all" : number, cached ? "cached" : "served", v->sum);
	for (g = 0; g < GROUPS; g++)
		if (v->n[g] + v->failed[g] > 0)
			keep_put_group(o, v, g);
}

static void
keep_put_units(struct keep_out *o, const struct board *b)
{
	uint64_t *units;
	size_t n = board_unit_list(b, &units), i;

	for (i = 0; i < n; i++)
		keep_put(o, "%s %016" PRIx64 "%s", i % UNITS_A_LINE == 0 ?
		    "units" : "", units[i], i + 1 == n ||
		    i % UNITS_A_LINE == UNITS_A_LINE - 1 ? "\n" : "");
	free(units);
}

static void
keep_put_board(struct keep_out *o, const struct board *b)
{
	struct tally_view *v = x_malloc(sizeof(*v));
	unsigned n_shapes = board_n_shapes(b), arm, shape, i;
	char word[32];
	const char *text;
	uint64_t hash;

	keep_put(o, "board\n");
	for (shape = 0; shape < n_shapes; shape++) {
		text = board_shape_text(b, shape, &hash);
		(void)snprintf(word, sizeof(word), "shape %016" PRIx64, hash);
		keep_put_text(o, word, text);
	}
	for (arm = 0; arm < board_n_arms(b); arm++) {
		for (i = 0; i < BOARD_COUNTS; i++)
			keep_put(o, "count %u %s %" PRIu64 "\n", arm,
			    board_count_name(i), board_counted(b, arm, i));
		/* All statements, then by shape. */
		for (i = 0; i < 2 * (n_shapes + 1); i++) {
			shape = i < 2 ? BOARD_ALL : i / 2 - 1;
			board_view(b, arm, shape, i % 2, v);
			keep_put_tally(o, v, arm, shape, i % 2);
		}
	}
	keep_put_units(o, b);
	free(v);
}

/* ---- all ---- */

static void
keep_put_trial(struct keep_out *o, const struct keep_trial *t)
{
	unsigned i;

	keep_put_text(o, "experiment", t->name);
	keep_put_text(o, "about", t->about);
	keep_put(o, "state %s\npromoted %u\nweights", t->state, t->promoted);
	for (i = 0; i < t->n_arms; i++)
		keep_put(o, " %" PRIu32, t->weights[i]);
	keep_put(o, "\nsince %" PRIu64 "\n", t->since);
	keep_put_text(o, "reason", t->reason);
	if (t->board != NULL)
		keep_put_board(o, t->board);
	keep_put(o, "end\n");
}

bool
keep_write(const struct keep_trial v[], size_t n, struct buf *out)
{
	struct keep_out o = { out, true };
	size_t i;

	CHECK(n <= KEEP_TRIALS && buf_len(out) == 0);
	keep_put(&o, "pgsluice-experiments 1\n");
	for (i = 0; i < n; i++)
		keep_put_trial(&o, &v[i]);
	if (o.ok)
		keep_put(&o, "sum %016" PRIx64 "\n", (uint64_t)XXH3_64bits(
		    buf_head(out), buf_len(out)));
	return o.ok;
}
