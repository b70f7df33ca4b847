/* SPDX-License-Identifier: PostgreSQL
 *
 * What libpq says when connecting failed.
 *
 * Knows the form of libpq's verbose messages, in any language of the server.
 * Pure.
 */
#include "backend/connect_error.h"

#include <string.h>

#define STATE_LENGTH 5

/* Five digits or capitals, a colon, a blank. */
static bool
is_state(const char *p)
{
	return strspn(p, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
	    STATE_LENGTH && p[STATE_LENGTH] == ':' &&
	    p[STATE_LENGTH + 1] == ' ';
}

bool
connect_error_read(const char *text, char sqlstate[6], struct slice *message)
{
	const char *found = NULL, *p;

	for (p = strstr(text, ":  "); p != NULL; p = strstr(p, ":  ")) {
		p += 3;
		if (is_state(p))
			found = p;
	}
	if (found == NULL)
		return false;
	memcpy(sqlstate, found, STATE_LENGTH);
	sqlstate[STATE_LENGTH] = '\0';
	found += STATE_LENGTH + 2;
	*message = slice_make(found, strcspn(found, "\n"));
	return true;
}

bool
connect_error_refuses(const char *sqlstate)
{
	/* data exception, access rule violation, feature not supported,
	 * parameter that cannot be changed now */
	return strncmp(sqlstate, "22", 2) == 0 ||
	    strncmp(sqlstate, "42", 2) == 0 ||
	    strncmp(sqlstate, "0A", 2) == 0 || strcmp(sqlstate, "55P02") == 0;
}

void
connect_error_trim(char *text)
{
	static const char place[] = "LOCATION:  ";
	char *to = text, *p = text;
	size_t n;

	while (*p != '\0') {
		n = strcspn(p, "\n");
		n += p[n] == '\n';
		if (strncmp(p, place, sizeof(place) - 1) != 0) {
			memmove(to, p, n);
			to += n;
		}
		p += n;
	}
	*to = '\0';
}
