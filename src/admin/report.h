/* SPDX-License-Identifier: PostgreSQL
 *
 * The experiments of a configuration as a report (experiment/report.h).  Any
 * thread that holds the configuration; takes some milliseconds for each
 * experiment and statement shape.
 */
#ifndef PGSLUICE_ADMIN_REPORT_H
#define PGSLUICE_ADMIN_REPORT_H

#include "conf/conf.h"
#include "experiment/report.h"

/* Of all experiments. false: out of memory, or larger than out may be. */
bool report_conf(const struct conf *c, enum report_format format,
    struct buf *out) PG_MUST_CHECK;
/* The same by the file experiment_file, as the command line asks for it. false:
 * why says what is wrong. */
bool report_kept(const struct conf *c, enum report_format format,
    struct buf *out, char *why, size_t size) PG_MUST_CHECK;

#endif
