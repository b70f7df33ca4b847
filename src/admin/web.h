/* SPDX-License-Identifier: PostgreSQL
 *
 * The dashboard's files, as web/embed.sh puts them into the program.
 */
#ifndef PGSLUICE_ADMIN_WEB_H
#define PGSLUICE_ADMIN_WEB_H

#include <stddef.h>

struct web_file {
	const char *path; /* "/app.js" */
	const char *type; /* Content-Type */
	const unsigned char *data;
	size_t size;
};

extern const struct web_file web_files[];
extern const size_t n_web_files;

#endif
