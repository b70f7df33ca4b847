/* SPDX-License-Identifier: PostgreSQL
 *
 * Numbers for people: three digits and a unit.  Pure.
 */
#ifndef PGSLUICE_EXPERIMENT_REPORT_TEXT_H
#define PGSLUICE_EXPERIMENT_REPORT_TEXT_H

#include <stdint.h>

#include "experiment/figure.h"

/* One number; or one with its interval. Returned by value, so that a row may be
 * made of many. */
struct report_text {
	char s[96];
};

struct report_text text_count(uint64_t n);  /* 12,345 */
struct report_text text_time(double ns);    /* 1.23 ms */
struct report_text text_share(double share); /* 1.23 % */
struct report_text text_when(uint64_t t);   /* 2026-01-31 12:00 UTC */
/* "1.23 ms (1.20 to 1.30 ms)"; what there is of it. */
struct report_text text_time_figure(const struct figure *f);
struct report_text text_ratio_figure(const struct figure *f);
struct report_text text_share_figure(const struct figure *f);

#endif
