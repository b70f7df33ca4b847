/* SPDX-License-Identifier: PostgreSQL
 *
 * The command line.  Pure: reads argv, prints nothing.
 */
#include "admin/options.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PGSLUICE_CONF_FILE
#define PGSLUICE_CONF_FILE "/etc/pgsluice/pgsluice.conf"
#endif

const char options_help[] =
    "pgsluice: caching, routing proxy for PostgreSQL\n"
    "\n"
    "usage: pgsluice [FILE]           run in the foreground\n"
    "       pgsluice --check [FILE]   check the configuration and exit\n"
    "       pgsluice --report [FILE]  write a page on experiments and exit\n"
    "       pgsluice --import-pgbouncer FILE [--users FILE]\n"
    "                                 write a configuration made of PgBouncer's\n"
    "       pgsluice --version\n"
    "       pgsluice --help\n"
    "\n"
    "A page is HTML, or Markdown with --report-markdown; it is made of what\n"
    "experiment_file holds.\n"
    "An import goes to stdout; what has no counterpart is told on stderr. --users\n"
    "makes a users file of auth_file, which must not be there yet.\n"
    "FILE is the configuration, by default " PGSLUICE_CONF_FILE ".\n"
    "\n"
    "signals: SIGHUP   read the configuration again\n"
    "         SIGTERM  stop; clients may finish their transactions (30 s)\n"
    "         SIGINT   stop at once\n"
    "         SIGUSR2  start the program anew, which takes over (then it has\n"
    "                  the option --successor, which is for that alone)\n";

static const struct {
	const char *name;
	enum options_mode mode;
} options_names[] = {
	{ "--check", OPTIONS_CHECK },
	{ "--report", OPTIONS_REPORT },
	{ "--report-markdown", OPTIONS_REPORT_MARKDOWN },
	{ "--import-pgbouncer", OPTIONS_IMPORT_PGBOUNCER },
	{ "--version", OPTIONS_VERSION },
	{ "-V", OPTIONS_VERSION },
	{ "--help", OPTIONS_HELP },
	{ "-h", OPTIONS_HELP },
};

static void
options_wrong(struct options *o, const char *what, const char *arg)
{
	o->mode = OPTIONS_WRONG;
	snprintf(o->wrong, sizeof(o->wrong), "%s: %.80s", what, arg);
}

static void
options_switch(struct options *o, const char *arg)
{
	size_t i;

	for (i = 0; i < sizeof(options_names) / sizeof(options_names[0]); i++)
		if (strcmp(arg, options_names[i].name) == 0) {
			o->mode = options_names[i].mode;
			return;
		}
	options_wrong(o, "unknown option", arg);
}

/* How many arguments more were taken. */
static int
options_users(struct options *o, const char *file)
{
	if (file == NULL)
		options_wrong(o, "--users wants a file", "that is made");
	o->users = file;
	return file != NULL;
}

static void
options_successor(struct options *o, const char *arg)
{
	char *end;
	long n = strtol(arg, &end, 10);

	if (end == arg || *end != '\0' || n < 3 || n > INT_MAX)
		options_wrong(o, "--successor is for processes that are "
		    "started by a takeover", arg);
	else
		o->successor = (int)n;
}

void
options_parse(struct options *o, int argc, char *const *argv)
{
	int i, files = 0;
	int only_files = 0;

	memset(o, 0, sizeof(*o));
	o->path = PGSLUICE_CONF_FILE;
	o->successor = -1;
	for (i = 1; i < argc && o->mode != OPTIONS_WRONG; i++) {
		if (!only_files && strcmp(argv[i], "--") == 0)
			only_files = 1;
		else if (!only_files && strcmp(argv[i], "--users") == 0)
			i += options_users(o, argc - i > 1 ? argv[i + 1] : NULL);
		else if (!only_files && strcmp(argv[i], "--successor") == 0)
			options_successor(o, i + 1 < argc ?
			    argv[++i] : "");
		else if (!only_files && argv[i][0] == '-')
			options_switch(o, argv[i]);
		else if (files++ == 0)
			o->path = argv[i];
		else
			options_wrong(o, "more than one file", argv[i]);
	}
	if (o->mode == OPTIONS_IMPORT_PGBOUNCER && files == 0)
		options_wrong(o, "--import-pgbouncer wants a file",
		    "pgbouncer.ini");
	if (o->mode != OPTIONS_WRONG && o->users != NULL &&
	    o->mode != OPTIONS_IMPORT_PGBOUNCER)
		options_wrong(o, "--users belongs to --import-pgbouncer",
		    o->users);
}
