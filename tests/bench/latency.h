/* SPDX-License-Identifier: PostgreSQL
 *
 * Times sorted into classes 3 % wide, for percentiles without keeping each.
 */
#ifndef PGSLUICE_BENCH_LATENCY_H
#define PGSLUICE_BENCH_LATENCY_H

#include <stdint.h>

#define LATENCY_SUB 32 /* classes for each power of two */
#define LATENCY_CLASSES (60 * LATENCY_SUB)

struct latency {
	uint64_t n;
	uint64_t class[LATENCY_CLASSES];
};

static inline void
latency_add(struct latency *l, uint64_t ns)
{
	unsigned shift = 0;
	uint64_t v = ns;

	if (v >= 2 * LATENCY_SUB)
		shift = 58 - (unsigned)__builtin_clzll(v);
	/* The top six bits; the first of them is set unless shift is 0. */
	l->class[shift * LATENCY_SUB + (v >> shift)]++;
	l->n++;
}

/* The time in microseconds that a part q of all stayed below. */
static inline double
latency_us(const struct latency *l, double q)
{
	uint64_t seen = 0;
	unsigned i, shift;

	for (i = 0; i < LATENCY_CLASSES; i++) {
		seen += l->class[i];
		if (seen > 0 && (double)seen >= q * (double)l->n)
			break;
	}
	if (i < 2 * LATENCY_SUB)
		return i / 1000.0;
	shift = i / LATENCY_SUB - 1;
	return (double)((uint64_t)(i - shift * LATENCY_SUB) << shift) / 1000;
}

#endif
