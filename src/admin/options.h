/* SPDX-License-Identifier: PostgreSQL
 *
 * The command line.
 */
#ifndef PGSLUICE_ADMIN_OPTIONS_H
#define PGSLUICE_ADMIN_OPTIONS_H

enum options_mode {
	OPTIONS_RUN,
	OPTIONS_CHECK,
	OPTIONS_REPORT,
	OPTIONS_REPORT_MARKDOWN,
	OPTIONS_IMPORT_PGBOUNCER,
	OPTIONS_VERSION,
	OPTIONS_HELP,
	OPTIONS_WRONG /* wrong says why */
};

struct options {
	enum options_mode mode;
	const char *path;
	const char *users; /* to be made by an import; or NULL */
	int successor; /* descriptor of a takeover's channel; -1: none */
	char wrong[160];
};

void options_parse(struct options *o, int argc, char *const *argv);
/* Text of --help. */
extern const char options_help[];

#endif
