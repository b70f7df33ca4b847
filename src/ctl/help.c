/* SPDX-License-Identifier: PostgreSQL
 *
 * Texts of --help.  Data alone.
 */
#include "ctl/help.h"

#define HELP_CONNECT \
    "connection options, as those of psql; what is not given is found as libpq\n" \
    "does it, by the environment, a service file, a password file:\n" \
    "  -h, --host HOST\n" \
    "  -p, --port PORT\n" \
    "  -U, --username NAME\n" \
    "  -d, --dbname NAME or CONNINFO\n"

#define HELP_CONSOLE \
    "The database is pgsluice, the console, if none is given; the user needs the\n" \
    "role read (stats_users, or more).\n"

const char *const ctl_help[CTL_COMMANDS] = {
	[CTL_NONE] =
	    "pgsluicectl: looks into pgsluice and its configurations\n"
	    "\n"
	    "usage: pgsluicectl check FILE\n"
	    "       pgsluicectl report [--markdown] FILE\n"
	    "       pgsluicectl explain --conf FILE [--database DB] [--user U] 'SQL'\n"
	    "       pgsluicectl explain --live [connection options] 'SQL'\n"
	    "       pgsluicectl top [connection options] [--interval SECONDS]\n"
	    "               [--count N] [--sort KEY]\n"
	    "       pgsluicectl capture [connection options] > FILE\n"
	    "       pgsluicectl diff OLD NEW --shapes FILE [--database DB] [--routes]\n"
	    "       pgsluicectl --version\n"
	    "       pgsluicectl [COMMAND] --help\n"
	    "\n"
	    "Options and words may stand in any order; behind -- there are words only.\n"
	    "Status 2: the command line is wrong, or it could not be done.\n",
	[CTL_CHECK] =
	    "usage: pgsluicectl check FILE\n"
	    "\n"
	    "Says what is wrong with a configuration and the files it names, as\n"
	    "pgsluice --check does. Status 0: nothing; 1: something.\n",
	[CTL_REPORT] =
	    "usage: pgsluicectl report [--markdown] FILE\n"
	    "\n"
	    "Writes a page on the experiments of a configuration, as pgsluice\n"
	    "--report does: in HTML, or in Markdown. What was measured is in the\n"
	    "file that experiment_file names.\n",
	[CTL_EXPLAIN] =
	    "usage: pgsluicectl explain --conf FILE [--database DB] [--user U] 'SQL'\n"
	    "       pgsluicectl explain --live [connection options] 'SQL'\n"
	    "\n"
	    "Says where a statement goes and whether it may be cached, without\n"
	    "running it. With --conf (-f) this is what the configuration alone says,\n"
	    "no server is asked; what only catalogs or a running pgsluice can tell\n"
	    "is said to be unknown. With --live a running pgsluice is asked, over a\n"
	    "connection to one of its databases, for EXPLAIN (ROUTE).\n"
	    "\n"
	    "  -f, --conf FILE   the configuration\n"
	    "  --database DB     as clients name it; needed if there are several\n"
	    "  --user U          the client's user\n"
	    "  --live            ask a running pgsluice\n"
	    "\n"
	    HELP_CONNECT,
	[CTL_TOP] =
	    "usage: pgsluicectl top [connection options] [--interval SECONDS]\n"
	    "               [--count N] [--sort KEY]\n"
	    "\n"
	    "Shows what a running pgsluice does: statements, hits, latency by route,\n"
	    "pools, backends, and the shapes that take most (track_shapes). Numbers are\n"
	    "of the last interval. On a terminal it draws over until q or ^C; else it\n"
	    "prints a block for each interval.\n"
	    "\n"
	    "  -i, --interval SECONDS   from 0.1 on, by default 1\n"
	    "  -n, --count N            end after so many\n"
	    "  --sort KEY               routes and shapes by time (the default), calls,\n"
	    "                           or p99 (shapes: by their mean)\n"
	    "\n"
	    HELP_CONNECT
	    HELP_CONSOLE,
	[CTL_CAPTURE] =
	    "usage: pgsluicectl capture [connection options] > FILE\n"
	    "\n"
	    "Writes what a running pgsluice knows of statement shapes (SHOW SHAPES,\n"
	    "needs track_shapes), a line each: database, calls, mean milliseconds,\n"
	    "words. For pgsluicectl diff.\n"
	    "\n"
	    HELP_CONNECT
	    HELP_CONSOLE,
	[CTL_DIFF] =
	    "usage: pgsluicectl diff OLD NEW --shapes FILE [--database DB] [--routes]\n"
	    "\n"
	    "Says what differs between two configurations: settings, and the ways of\n"
	    "captured shapes, those called most first. No server is asked. Status 0:\n"
	    "nothing differs; 1: something does; 2: trouble.\n"
	    "\n"
	    "  --shapes FILE   as pgsluicectl capture writes it; -: standard input\n"
	    "  --database DB   only the shapes of this database\n"
	    "  --routes        ways of shapes only, not settings\n",
};
