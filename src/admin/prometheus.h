/* SPDX-License-Identifier: PostgreSQL
 *
 * Prometheus' text format 0.0.4 and OpenMetrics 1.0.0: families, samples,
 * histograms.  Pure: writes into a buffer, with a sticky failure when that is
 * full.
 */
#ifndef PGSLUICE_ADMIN_PROMETHEUS_H
#define PGSLUICE_ADMIN_PROMETHEUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "stats/exemplar.h"

struct prom {
	struct buf *b;
	bool open;    /* OpenMetrics */
	bool failed;
};

struct prom_label {
	const char *name, *value;
};

/* Does a request with this header (NULL: none) ask for OpenMetrics rather than
 * for text? */
bool prom_asks_open(const char *accept) PG_MUST_CHECK;

void prom_init(struct prom *p, struct buf *b, bool open);
/* Behind the last family. */
void prom_end(struct prom *p);
/* Lines that begin a family, counters with "_total" in its name; samples of the family follow. */
void prom_family(struct prom *p, const char *name, const char *type,
    const char *help);
/* One sample with n labels; values are escaped. */
void prom_number(struct prom *p, const char *name,
    const struct prom_label *labels, unsigned n, uint64_t v);
/* The same for a time, in seconds. */
void prom_seconds(struct prom *p, const char *name,
    const struct prom_label *labels, unsigned n, nsec_t v);
/* Any finite number. */
void prom_real(struct prom *p, const char *name,
    const struct prom_label *labels, unsigned n, double v);
/* Buckets, sum and count. */
void prom_histogram(struct prom *p, const char *name,
    const struct prom_label *labels, unsigned n, const struct hist_view *v);
/* The same with exemplars, where the format has them: find() gives that of a
 * bucket, as exemplar_find(). */
struct prom_exemplars {
	bool (*find)(const void *arg, nsec_t low, nsec_t high,
	    struct exemplar *out);
	const void *arg;
};
void prom_histogram_with(struct prom *p, const char *name,
    const struct prom_label *labels, unsigned n, const struct hist_view *v,
    const struct prom_exemplars *exemplars);

#endif
