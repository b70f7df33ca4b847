/* SPDX-License-Identifier: PostgreSQL
 *
 * Experiments as text: reading.  Pure but for memory.
 *
 * The checksum is looked at first, so what follows is a guard against other
 * versions and against other programs, and as strict: a line is of the form
 * that is due, or the whole text is refused.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "experiment/keep.h"

/* More than anybody counts, and exact as a double. */
#define KEEP_COUNT (UINT64_C(1) << 53)
#define KEEP_LOG 45.0 /* of the longest time there is, in ns */

struct keep_in {
	struct slice rest;
	struct slice line; /* what is left of the line */
	unsigned number;   /* the line's */
	bool ok;           /* sticky: why has been written */
	char *why;
	size_t size;
};

struct keep_board { /* being read */
	struct board *b;
	struct tally_view view;
	unsigned arm, shape;
	bool open, cached; /* view belongs to these */
	bool seen[ARMS_MAX][BOARD_SHAPES + 1][2];
};

static void keep_bad(struct keep_in *in, const char *format, ...)
    PG_PRINTF(2, 3);

static void
keep_bad(struct keep_in *in, const char *format, ...)
{
	va_list ap;
	int n;

	if (!in->ok)
		return;
	in->ok = false;
	n = snprintf(in->why, in->size, "line %u: ", in->number);
	if (n < 0 || (size_t)n >= in->size)
		return;
	va_start(ap, format);
	(void)vsnprintf(in->why + n, in->size - (size_t)n, format, ap);
	va_end(ap);
}

/* ---- words ---- */

/* The next line becomes the current one. false: there is none. */
static bool
keep_line(struct keep_in *in)
{
	const char *end;

	if (!in->ok || in->rest.n == 0)
		return false;
	end = memchr(in->rest.p, '\n', in->rest.n);
	in->number++;
	if (end == NULL) {
		keep_bad(in, "it has no end");
		return false;
	}
	in->line = slice_make(in->rest.p, (size_t)(end - in->rest.p));
	in->rest.n -= in->line.n + 1;
	in->rest.p = end + 1;
	return true;
}

/* Up to a space or the end; empty where there is none. */
static struct slice
keep_word(struct keep_in *in)
{
	const char *space = in->line.n == 0 ? NULL :
	    memchr(in->line.p, ' ', in->line.n);
	struct slice w = in->line;

	if (space != NULL) {
		w.n = (size_t)(space - w.p);
		in->line.n -= w.n + 1;
		in->line.p = space + 1;
	} else {
		in->line.n = 0;
	}
	return w;
}

static void
keep_line_ends(struct keep_in *in)
{
	if (in->line.n > 0)
		keep_bad(in, "more on the line than expected");
}

static bool
keep_digits(struct slice w, uint64_t most, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < w.n; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
		if (v > (UINT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (uint64_t)(w.p[i] - '0');
	}
	*out = v;
	return w.n > 0 && v <= most;
}

static uint64_t
keep_number(struct keep_in *in, uint64_t most)
{
	uint64_t v = 0;

	if (!keep_digits(keep_word(in), most, &v)) {
		keep_bad(in, "expected a number up to %" PRIu64, most);
		return 0;
	}
	return v;
}

static uint64_t
keep_hash(struct keep_in *in)
{
	struct slice w = keep_word(in);
	uint64_t v = 0;
	size_t i;
	char c;

	for (i = 0; i < w.n && w.n == 16; i++) {
		c = w.p[i];
		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	if (i != 16)
		keep_bad(in, "expected 16 hexadecimal digits");
	return v;
}

/* As printed by %a; a sum of n logarithms. */
static double
keep_logs(struct keep_in *in, uint64_t n)
{
	struct slice w = keep_word(in);
	char s[40] = "", *end = s;
	double v = 0;

	if (w.n > 0 && w.n < sizeof(s)) {
		memcpy(s, w.p, w.n);
		v = strtod(s, &end);
	}
	if (end == s || *end != '\0' || !(v >= 0) ||
	    v > KEEP_LOG * (double)n) {
		keep_bad(in, "expected a sum of %" PRIu64 " logarithms", n);
		return 0;
	}
	return v;
}

/* The rest of the line; malloc'ed. */
static char *
keep_text(struct keep_in *in)
{
	struct slice t = in->line;
	char *out = x_malloc(t.n + 1), *to = out;
	size_t i;

	if (t.n > 2 * KEEP_TEXT || (t.n > 0 && memchr(t.p, '\0', t.n) != NULL))
		keep_bad(in, "a text is too long or holds a NUL");
	for (i = 0; i < t.n && in->ok; i++) {
		if (t.p[i] != '\\') {
			*to++ = t.p[i];
			continue;
		}
		i++;
		if (i == t.n || strchr("\\nr", t.p[i]) == NULL)
			keep_bad(in, "a text with an unknown escape");
		else
			*to++ = t.p[i] == 'n' ? '\n' : t.p[i] == 'r' ? '\r' :
			    '\\';
	}
	*to = '\0';
	in->line.n = 0;
	return out;
}

/* The next line has to begin with this word. */
static void
keep_expect(struct keep_in *in, const char *word)
{
	if (!keep_line(in))
		keep_bad(in, "it ends where a line \"%s\" should follow",
		    word);
	else if (!slice_eq_str(keep_word(in), word))
		keep_bad(in, "expected \"%s\"", word);
}

/* ---- a board ---- */

/* The tally that was being read is complete. */
static void
keep_close_tally(struct keep_board *k)
{
	if (k->open)
		board_put(k->b, k->arm, k->shape, k->cached, &k->view);
	k->open = false;
}

static unsigned
keep_arm(struct keep_in *in, const struct keep_board *k)
{
	return (unsigned)keep_number(in, board_n_arms(k->b) - 1);
}

static void
keep_read_shape(struct keep_in *in, struct keep_board *k)
{
	uint64_t hash = keep_hash(in);
	unsigned n = board_n_shapes(k->b);
	char *text = keep_text(in);

	if (in->ok && board_shape(k->b, hash, slice_str(text)) != n)
		keep_bad(in, "a shape for the second time, or one more than "
		    "%d", BOARD_SHAPES);
	free(text);
}

static void
keep_read_count(struct keep_in *in, struct keep_board *k)
{
	unsigned arm = keep_arm(in, k), i;
	struct slice name = keep_word(in);
	uint64_t n = keep_number(in, KEEP_COUNT);

	for (i = 0; i < BOARD_COUNTS; i++)
		if (slice_eq_str(name, board_count_name(i)))
			break;
	if (i == BOARD_COUNTS)
		keep_bad(in, "expected the name of a count");
	else if (in->ok)
		board_put_count(k->b, arm, i, n);
}

static void
keep_read_tally(struct keep_in *in, struct keep_board *k)
{
	struct slice shape, from;
	uint64_t number = BOARD_ALL;
	unsigned n = board_n_shapes(k->b);

	keep_close_tally(k);
	memset(&k->view, 0, sizeof(k->view));
	k->arm = keep_arm(in, k);
	shape = keep_word(in);
	if (!slice_eq_str(shape, "all") &&
	    (n == 0 || !keep_digits(shape, n - 1, &number)))
		keep_bad(in, "expected \"all\" or the number of a shape");
	from = keep_word(in);
	k->cached = slice_eq_str(from, "cached");
	if (!k->cached && !slice_eq_str(from, "served"))
		keep_bad(in, "expected \"served\" or \"cached\"");
	k->view.sum = keep_number(in, UINT64_MAX);
	if (!in->ok)
		return;
	k->shape = (unsigned)number;
	if (k->seen[k->arm][k->shape][k->cached])
		keep_bad(in, "a tally for the second time");
	k->seen[k->arm][k->shape][k->cached] = true;
	k->open = in->ok;
}

static void
keep_read_bucket(struct keep_in *in, uint32_t bucket[TALLY_BUCKETS])
{
	struct slice w = keep_word(in), place = w;
	const char *colon = w.n > 0 ? memchr(w.p, ':', w.n) : NULL;
	uint64_t b, n;

	if (colon != NULL)
		place.n = (size_t)(colon - w.p);
	if (colon == NULL || !keep_digits(place, TALLY_BUCKETS - 1, &b) ||
	    !keep_digits(slice_make(colon + 1, w.n - place.n - 1), UINT32_MAX,
	    &n))
		keep_bad(in, "expected buckets as PLACE:NUMBER");
	else
		bucket[b] = (uint32_t)n;
}

static void
keep_read_group(struct keep_in *in, struct keep_board *k)
{
	unsigned g = (unsigned)keep_number(in, GROUPS - 1);
	struct tally_view *v = &k->view;

	if (!k->open || v->n[g] + v->failed[g] > 0) {
		keep_bad(in, "a group without its tally, or for the second "
		    "time");
		return;
	}
	v->n[g] = keep_number(in, KEEP_COUNT);
	v->failed[g] = keep_number(in, KEEP_COUNT);
	v->log_sum[g] = keep_logs(in, v->n[g]);
	while (in->ok && in->line.n > 0)
		keep_read_bucket(in, v->bucket[g]);
}

static void
keep_read_units(struct keep_in *in, struct keep_board *k)
{
	uint64_t unit;

	do {
		unit = keep_hash(in);
		if ((unit & UNITSET_ARM) >= board_n_arms(k->b))
			keep_bad(in, "a unit on an arm that there is not");
		if (in->ok)
			board_put_unit(k->b, unit);
	} while (in->ok && in->line.n > 0);
}

static const struct {
	const char *word;
	void (*read)(struct keep_in *in, struct keep_board *k);
} keep_lines[] = {
	{ "shape", keep_read_shape },
	{ "count", keep_read_count },
	{ "tally", keep_read_tally },
	{ "group", keep_read_group },
	{ "units", keep_read_units },
};

/* Up to the line "end". */
static struct board *
keep_read_board(struct keep_in *in, unsigned n_arms, unsigned n_workers)
{
	struct keep_board *k = x_calloc(1, sizeof(*k));
	struct board *b = board_new(n_workers, n_arms);
	struct slice word = { NULL, 0 };
	size_t i;

	k->b = b;
	while (keep_line(in)) {
		word = keep_word(in);
		if (slice_eq_str(word, "end"))
			break;
		for (i = 0; i < ARRAY_SIZE(keep_lines); i++)
			if (slice_eq_str(word, keep_lines[i].word))
				break;
		if (i == ARRAY_SIZE(keep_lines))
			keep_bad(in, "expected shape, count, tally, group, "
			    "units or end");
		else
			keep_lines[i].read(in, k);
		keep_line_ends(in);
	}
	if (in->ok && !slice_eq_str(word, "end"))
		keep_bad(in, "it ends inside an experiment");
	if (in->ok)
		keep_close_tally(k);
	free(k);
	return b;
}

/* ---- an experiment ---- */

static void
keep_read_state(struct keep_in *in, struct keep_trial *t)
{
	struct slice w;
	size_t i;

	keep_expect(in, "state");
	w = keep_word(in);
	for (i = 0; i < w.n && w.p[i] >= 'a' && w.p[i] <= 'z'; i++)
		continue;
	if (i < w.n || w.n == 0 || w.n >= sizeof(t->state))
		keep_bad(in, "expected a state");
	if (in->ok)
		memcpy(t->state, w.p, w.n);
	keep_line_ends(in);
	keep_expect(in, "promoted");
	t->promoted = (unsigned)keep_number(in, ARMS_MAX - 1);
	keep_line_ends(in);
	keep_expect(in, "weights");
	do
		t->weights[t->n_arms++] = (uint32_t)keep_number(in,
		    UINT32_MAX);
	while (in->ok && in->line.n > 0 && t->n_arms < ARMS_MAX);
	keep_line_ends(in);
	if (t->n_arms < 2 || t->promoted >= t->n_arms)
		keep_bad(in, "expected weights of 2 to %d arms, that of the "
		    "promoted one among them", ARMS_MAX);
	keep_expect(in, "since");
	t->since = keep_number(in, UINT64_MAX);
	keep_line_ends(in);
}

/* Its first line has been read but for the name. */
static void
keep_read_trial(struct keep_in *in, struct keep_trial *t, unsigned n_workers)
{
	struct slice word;

	t->name = keep_text(in);
	keep_expect(in, "about");
	t->about = keep_text(in);
	keep_read_state(in, t);
	keep_expect(in, "reason");
	t->reason = keep_text(in);
	if (!keep_line(in)) {
		keep_bad(in, "it ends inside an experiment");
		return;
	}
	word = keep_word(in);
	keep_line_ends(in);
	if (slice_eq_str(word, "board"))
		t->board = keep_read_board(in, t->n_arms, n_workers);
	else if (!slice_eq_str(word, "end"))
		keep_bad(in, "expected \"board\" or \"end\"");
}

/* ---- all ---- */

/* The last line, which is taken off. */
static void
keep_check_sum(struct keep_in *in)
{
	const size_t n = sizeof("sum 0123456789abcdef\n") - 1;
	char sum[32];

	in->number = 1;
	if (in->rest.n < 23 ||
	    memcmp(in->rest.p, "pgsluice-experiments 1\n", 23) != 0) {
		keep_bad(in, "expected \"pgsluice-experiments 1\"");
		return;
	}
	if (in->rest.n < 23 + n) {
		keep_bad(in, "nothing follows");
		return;
	}
	in->rest.n -= n;
	(void)snprintf(sum, sizeof(sum), "sum %016" PRIx64 "\n",
	    (uint64_t)XXH3_64bits(in->rest.p, in->rest.n));
	if (memcmp(in->rest.p + in->rest.n, sum, n) == 0)
		return;
	for (in->number = 0; in->rest.n > 0; in->rest.n--)
		in->number += in->rest.p[in->rest.n - 1] == '\n';
	in->number++;
	keep_bad(in, "the checksum is another than expected: the file was "
	    "cut off or changed");
}

bool
keep_read(struct slice text, unsigned n_workers, struct keep *out, char *why,
    size_t size)
{
	struct keep_in in = { .rest = text, .ok = true, .why = why,
		.size = size };

	memset(out, 0, sizeof(*out));
	keep_check_sum(&in);
	in.number = 0;
	(void)keep_line(&in);
	while (keep_line(&in)) {
		if (!slice_eq_str(keep_word(&in), "experiment"))
			keep_bad(&in, "expected \"experiment\"");
		else if (out->n == KEEP_TRIALS)
			keep_bad(&in, "more than %d experiments", KEEP_TRIALS);
		else
			keep_read_trial(&in, &out->v[out->n++], n_workers);
	}
	if (!in.ok)
		keep_fini(out);
	return in.ok;
}

void
keep_fini(struct keep *k)
{
	size_t i;

	for (i = 0; i < k->n; i++) {
		free(k->v[i].name);
		free(k->v[i].about);
		free(k->v[i].reason);
		board_free(&k->v[i].board);
	}
	memset(k, 0, sizeof(*k));
}
