/* SPDX-License-Identifier: PostgreSQL
 *
 * Commands on a configuration file; see offline.h.  Knows no option.
 */
#include "admin/offline.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/report.h"
#include "base/hash.h"
#include "route/named.h"
#include "route/translate.h"

void
offline_init(void)
{
	hash_init(); /* the users file is loaded into a table */
	conf_read_queries_with(route_query_read);
	conf_read_rewrites_with(route_rewrite_read);
}

static void
offline_complain(struct conf_diag *d)
{
	int i;

	for (i = 0; i < d->n; i++)
		fprintf(stderr, "%s\n", d->msg[i]);
	conf_diag_fini(d);
}

bool
offline_load(const char *path, struct session_setup *setup)
{
	struct conf_diag d;
	bool ok = setup_load(path, NULL, setup, &d);

	offline_complain(&d);
	return ok;
}

struct conf *
offline_conf(const char *path)
{
	struct conf_diag d;
	struct conf *c = conf_load(path, &d);

	offline_complain(&d);
	return c;
}

int
offline_check(const char *path)
{
	struct session_setup setup;

	if (!offline_load(path, &setup))
		return 1;
	setup_release(&setup);
	printf("%s: ok\n", path);
	return 0;
}

int
offline_report(const char *program, const char *path,
    enum report_format format)
{
	struct session_setup setup;
	char why[600];
	struct buf b;
	bool ok;

	if (!offline_load(path, &setup))
		return 1;
	buf_init(&b, REPORT_MAX);
	ok = report_kept(setup.conf, format, &b, why, sizeof(why));
	if (!ok) {
		fprintf(stderr, "%s: %s\n", program, why);
	} else if (fwrite(buf_head(&b), 1, buf_len(&b), stdout) !=
	    buf_len(&b) || fflush(stdout) != 0) {
		fprintf(stderr, "%s: the report cannot be written: %s\n",
		    program, strerror(errno));
		ok = false;
	}
	buf_reset(&b);
	setup_release(&setup);
	return ok ? 0 : 1;
}
