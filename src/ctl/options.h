/* SPDX-License-Identifier: PostgreSQL
 *
 * The command line of pgsluicectl: options and one command, in any order.
 *
 * Which command has which option is a table.  Pure: reads argv, prints nothing.
 */
#ifndef PGSLUICE_CTL_OPTIONS_H
#define PGSLUICE_CTL_OPTIONS_H

#include <stdbool.h>

#include "base/check.h"
#include "base/clock.h"

enum ctl_command {
	CTL_NONE, /* --help or --version alone */
	CTL_CHECK,
	CTL_REPORT,
	CTL_EXPLAIN,
	CTL_CAPTURE,
	CTL_DIFF,
	CTL_TOP,
	CTL_COMMANDS
};

struct ctl_options {
	enum ctl_command command;
	bool help, version; /* and nothing else counts */
	/* Where to connect; NULL: as libpq finds it. */
	const char *conninfo, *host, *port, *login;
	bool markdown;
	bool live;
	const char *conf, *database, *user;
	const char *shapes; /* a file */
	bool routes;
	nsec_t interval;
	uint64_t count; /* UINT64_MAX: no end */
	const char *sort;
	/* What stands behind the command. */
	const char *words[2];
	unsigned n_words;
};

/* false: why says what is wrong, in one line. */
bool ctl_options_parse(struct ctl_options *o, int argc, char *const *argv,
    char *why, size_t size) PG_MUST_CHECK;
/* Text of --help, of all commands or of one. */
const char *ctl_options_help(enum ctl_command command);

#endif
