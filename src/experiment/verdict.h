/* SPDX-License-Identifier: PostgreSQL
 *
 * What may be concluded from what was measured of an experiment, or of one
 * statement shape of it.
 *
 * All intervals hold at all times (sequence.h), so a verdict may be asked for
 * every second and acted on when it comes.  The comparison that decides is that
 * of geometric means: the ratio of times that the same statements have on two
 * arms.  With several arms each has its part of alpha (Bonferroni), so that
 * alpha is the chance that any of them is ruled wrongly.  Quantiles and shapes are
 * beside that: each of their intervals errs with alpha by itself.  Pure; takes
 * memory, and about a millisecond for two arms.
 */
#ifndef PGSLUICE_EXPERIMENT_VERDICT_H
#define PGSLUICE_EXPERIMENT_VERDICT_H

#include "experiment/assign.h"
#include "experiment/figure.h"
#include "experiment/tally.h"

/* Chances that guards and the alarm of shares err, ever. */
#define VERDICT_GUARD_ALPHA 0.01
#define VERDICT_SHARES_ALPHA 0.01

enum ruling {
#define RULING(sym, name, doc) RULING_##sym,
#include "tbl/rulings.h"
	RULINGS
};
enum guard {
#define GUARD(sym, name, doc) GUARD_##sym,
#include "tbl/guards.h"
	GUARDS
};
enum { VERDICT_P50, VERDICT_P95, VERDICT_P99, VERDICT_QUANTILES };

struct verdict_in {
	struct arms arms; /* in force; the first is the control */
	/* Of each arm: answers from servers and from the cache. */
	const struct tally_view *served[ARMS_MAX], *cached[ARMS_MAX];
	/* Distinct units by arm; NULL: shares are not tested, because every
	 * arm has every unit, weights were changed, or it is of a shape. */
	const uint64_t *units;
	double alpha, effect; /* 0.05; the relative difference that matters, 0.1 */
	double error_ratio, p95_ratio; /* guards; 0: there is none */
	bool paired; /* arms had the same statements */
};

/* Times are in ns. */
struct verdict_times {
	struct figure q[VERDICT_QUANTILES];
	struct figure mean;       /* geometric, without interval */
	struct figure mean_ratio; /* of these, to the control's */
	struct figure q_ratio[VERDICT_QUANTILES];
};

struct verdict_arm {
	uint64_t n, cached; /* that succeeded; of these, from the cache */
	uint64_t failed;
	uint64_t units;
	double cached_share;  /* of statements that succeeded */
	double cached_time;   /* of their time */
	struct figure failures; /* share of statements */
	struct verdict_times all, served; /* served: not from the cache */
	enum ruling ruling;
	bool small; /* the difference is no larger than effect, by the interval */
	/* About so many statements more, of the arm and the control together,
	 * until there is a ruling, if they come from ever more units. */
	uint64_t missing;
	bool missing_known; /* false: too few units have been seen, or ruled */
	enum guard guard;
};

struct verdict {
	unsigned n;
	double alpha, effect; /* of each ruling; as asked */
	struct verdict_arm arms[ARMS_MAX];
	double share_evidence; /* ratio_evidence() */
	bool share_alarm; /* arms do not get their shares: nothing else counts */
};

/* What is in *in is not kept. */
void verdict_make(const struct verdict_in *in, struct verdict *out);

const char *ruling_name(enum ruling r);
const char *guard_name(enum guard g);
/* A sentence on the arm, cut off at size. */
void verdict_say(const struct verdict *v, unsigned arm, char *out,
    size_t size);

#endif
