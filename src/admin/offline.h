/* SPDX-License-Identifier: PostgreSQL
 *
 * What is done with a configuration file without a daemon, for every program
 * that does it: checking it, reporting on its experiments.
 *
 * These are whole commands: they write to stdout what was asked for, to stderr
 * what is wrong, a line each, and return a status to exit with.  One thread.
 */
#ifndef PGSLUICE_ADMIN_OFFLINE_H
#define PGSLUICE_ADMIN_OFFLINE_H

#include "admin/setup.h"
#include "experiment/report.h"

/* Before the first configuration is loaded, once. */
void offline_init(void);
/* The configuration and all files it names; what is wrong goes to stderr. */
bool offline_load(const char *path, struct session_setup *setup)
    PG_MUST_CHECK;
/* The configuration alone, for who serves nobody with it: users, certificates
 * and secrets are not read. NULL: what is wrong went to stderr. */
struct conf *offline_conf(const char *path) PG_MUST_CHECK;

/* program: begins messages that are not about a place in the file. */
int offline_check(const char *path);
int offline_report(const char *program, const char *path,
    enum report_format format);

#endif
