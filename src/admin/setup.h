/* SPDX-License-Identifier: PostgreSQL
 *
 * A session_setup made from a configuration file: all of it, or nothing.
 */
#ifndef PGSLUICE_ADMIN_SETUP_H
#define PGSLUICE_ADMIN_SETUP_H

#include "session/layer.h"

/* Read the configuration and every file it names. old (may be NULL): the one
 * in force, whose derived secrets are reused. false: diagnostics in *d, *out
 * untouched. *d is set up in both cases. Control thread only. */
bool setup_load(const char *path, const struct session_setup *old,
    struct session_setup *out, struct conf_diag *d) PG_MUST_CHECK;
/* The same with one setting changed (see conf_change()); the files it names
 * are read again. */
bool setup_change(const struct session_setup *old, const char *name,
    const char *value, struct session_setup *out, struct conf_diag *d)
    PG_MUST_CHECK;
/* The same files as in old, another configuration, which is taken over. */
void setup_with(const struct session_setup *old, struct conf *conf,
    struct session_setup *out);
/* References of its own to the same things. */
void setup_copy(struct session_setup *to, const struct session_setup *from);
void setup_release(struct session_setup *s);

/* For reading catalogs of a backend: arguments for libpq, arrays of malloc'ed
 * strings that end with NULL. false: there is nobody to log in as. Any thread
 * that has a reference. */
bool setup_login(const struct session_setup *s, const char *conninfo,
    const char *startup, size_t startup_len, char ***keywords,
    char ***values) PG_MUST_CHECK;

#endif
