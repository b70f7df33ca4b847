/* SPDX-License-Identifier: PostgreSQL
 *
 * Failures of pgsluicectl; see trouble.h.
 */
#include "ctl/trouble.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
trouble(const char *fmt, ...)
{
	va_list ap;

	fputs("pgsluicectl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return TROUBLE;
}

int
trouble_of_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return trouble("the output cannot be written: %s", strerror(errno));
}
