/* SPDX-License-Identifier: PostgreSQL
 *
 * The command line mode that makes a configuration of PgBouncer's.
 */
#ifndef PGSLUICE_ADMIN_IMPORTING_H
#define PGSLUICE_ADMIN_IMPORTING_H

/* Write the configuration for pgbouncer.ini at path to stdout, and what was
 * not taken over to stderr. users: make this file of its auth_file; or NULL.
 * The exit status: 1 if there were mistakes, and then stdout has nothing. */
int importing_pgbouncer(const char *path, const char *users);

#endif
