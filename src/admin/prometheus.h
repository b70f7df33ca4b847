/* SPDX-License-Identifier: PostgreSQL
 *
 * Prometheus' text format 0.0.4: families, samples, histograms.  Pure: writes
 * into a buffer, with a sticky failure when that is full.
 */
#ifndef PGSLUICE_ADMIN_PROMETHEUS_H
#define PGSLUICE_ADMIN_PROMETHEUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "stats/hist.h"

struct prom {
	struct buf *b;
	bool failed;
};

struct prom_label {
	const char *name, *value;
};

void prom_init(struct prom *p, struct buf *b);
/* The HELP and TYPE lines; samples of the family follow. */
void prom_family(struct prom *p, const char *name, const char *type,
    const char *help);
/* One sample with n labels; values are escaped. */
void prom_number(struct prom *p, const char *name,
    const struct prom_label *labels, unsigned n, uint64_t v);
/* The same for a time, in seconds. */
void prom_seconds(struct prom *p, const char *name,
    const struct prom_label *labels, unsigned n, nsec_t v);
/* Buckets, sum and count. */
void prom_histogram(struct prom *p, const char *name,
    const struct prom_label *labels, unsigned n, const struct hist_view *v);

#endif
