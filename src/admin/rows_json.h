/* SPDX-License-Identifier: PostgreSQL
 *
 * Console answers as JSON.
 */
#ifndef PGSLUICE_ADMIN_ROWS_JSON_H
#define PGSLUICE_ADMIN_ROWS_JSON_H

#include "base/json.h"

enum rows_form {
	/* "columns": [{"name", "type"}], "rows": [[...]], names as they are */
	ROWS_TABLE,
	/* "rows": [{name: value}]; x_ms and x_us become x_seconds */
	ROWS_OBJECTS
};

/* The members of an object, which is open: those of the form and "truncated",
 * or "error": {sqlstate, message, detail, hint}; and "notices": [...] if there
 * are any.  answer: messages of the console, the last one perhaps cut off.
 * max: bytes that may be written; rows over it are left out, which is what
 * truncated says.  The SQLSTATE of the error, of five bytes, or "". */
void rows_json(struct json *j, struct slice answer, enum rows_form form,
    size_t max, char sqlstate[6]);

#endif
