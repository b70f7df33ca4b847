/* SPDX-License-Identifier: PostgreSQL
 *
 * Diagnostics: "path:line: what, expected what", at most CONF_DIAG_MAX. Of a value that
 * stands in no file: "SET: what, expected what".
 *
 * Messages quote the file, so bytes that would steer a terminal or break a
 * log line are replaced here, once for all.  Passwords are the callers' duty:
 * no value of a conninfo may be handed in.  Control thread.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"

#define DIAG_TEXT_MAX 512
#define DIAG_NAME_MAX 40 /* longer names are not compared */

void
conf_complain(struct conf_parse *p, int line, const char *fmt, ...)
{
	struct conf_diag *d = p->diag;
	char text[DIAG_TEXT_MAX], *msg;
	size_t size;
	va_list ap;
	char *c;

	if (d->n >= CONF_DIAG_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	size = strlen(p->path) + strlen(text) + 24;
	msg = x_malloc(size);
	if (line == 0)
		(void)snprintf(msg, size, "SET: %s", text);
	else
		(void)snprintf(msg, size, "%s:%d: %s", p->path, line, text);
	p->lines[d->n] = line;
	d->msg[d->n++] = msg;
}

/* By line, equal lines in the order found: checks run block by block, people
 * read a file from top to bottom. */
void
conf_diag_sort(struct conf_parse *p)
{
	struct conf_diag *d = p->diag;
	char *msg;
	int i, j, line;

	for (i = 1; i < d->n; i++) {
		msg = d->msg[i];
		line = p->lines[i];
		for (j = i; j > 0 && p->lines[j - 1] > line; j--) {
			d->msg[j] = d->msg[j - 1];
			p->lines[j] = p->lines[j - 1];
		}
		d->msg[j] = msg;
		p->lines[j] = line;
	}
}

void
conf_diag_fini(struct conf_diag *d)
{
	int i;

	for (i = 0; i < d->n; i++)
		free(d->msg[i]);
	d->n = 0;
}

/* Edit distance, both at most DIAG_NAME_MAX bytes. */
static unsigned
diag_distance(const char *a, const char *b)
{
	unsigned row[DIAG_NAME_MAX + 1], corner, up, best;
	size_t i, j, n = strlen(b);

	for (j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (i = 1; a[i - 1] != '\0'; i++) {
		corner = row[0];
		row[0] = (unsigned)i;
		for (j = 1; j <= n; j++) {
			up = row[j];
			best = corner + (a[i - 1] != b[j - 1]);
			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			corner = up;
		}
	}
	return row[n];
}

const char *
conf_nearest(const char *name, const char *const *names, size_t n)
{
	size_t len = strlen(name), i;
	unsigned best, distance;
	const char *found = NULL;

	if (len < 2 || len > DIAG_NAME_MAX)
		return NULL;
	/* Two slips in a long name, one in a short one. */
	best = len < 5 ? 2 : 3;
	for (i = 0; i < n; i++) {
		if (strlen(names[i]) > DIAG_NAME_MAX)
			continue;
		distance = diag_distance(name, names[i]);
		if (distance < best) {
			best = distance;
			found = names[i];
		}
	}
	return found;
}
