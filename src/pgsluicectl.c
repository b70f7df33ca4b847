/* SPDX-License-Identifier: PostgreSQL
 *
 * pgsluicectl: commands for people who run pgsluice.
 *
 * Each command is a file of src/ctl or, if the daemon has it too, of src/admin.
 * Nothing here runs in the daemon.
 */
#include <stdio.h>

#include "admin/offline.h"
#include "ctl/capture.h"
#include "ctl/diff.h"
#include "ctl/explain.h"
#include "ctl/options.h"
#include "ctl/top.h"
#include "ctl/trouble.h"

static int
main_run(const struct ctl_options *o)
{
	int status;

	switch (o->command) {
	case CTL_CHECK:
		status = offline_check(o->words[0]);
		return status == 0 ? trouble_of_output() : status;
	case CTL_REPORT:
		return offline_report("pgsluicectl", o->words[0],
		    o->markdown ? REPORT_MARKDOWN : REPORT_HTML);
	case CTL_EXPLAIN:
		return ctl_explain(o);
	case CTL_CAPTURE:
		return ctl_capture(o);
	case CTL_TOP:
		return ctl_top(o);
	case CTL_DIFF:
		return ctl_diff(o);
	case CTL_NONE:
	case CTL_COMMANDS:
		break;
	}
	WRONG("a command that is none");
}

int
main(int argc, char **argv)
{
	struct ctl_options o;
	char why[200];

	if (!ctl_options_parse(&o, argc, argv, why, sizeof(why)))
		return trouble("%s; see pgsluicectl --help", why);
	if (o.help) {
		fputs(ctl_options_help(o.command), stdout);
		return trouble_of_output();
	}
	if (o.version) {
		printf("pgsluicectl %s\n", PACKAGE_VERSION);
		return trouble_of_output();
	}
	offline_init();
	return main_run(&o);
}
