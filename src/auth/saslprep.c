/* SPDX-License-Identifier: PostgreSQL
 *
 * SASLprep by libidn, with the exceptions that PostgreSQL makes.
 *
 * The only file that knows libidn.  Pure; any thread.  libidn works on copies
 * that it does not wipe.
 */
#include "auth/saslprep.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <stringprep.h>

/* NFKC makes no UTF-8 longer than this many times (UAX 15). */
#define NFKC_GROWTH 11

static bool
is_ascii(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return false;
	return true;
}

char *
saslprep(struct slice password)
{
	size_t size = password.n * NFKC_GROWTH + 1;
	char *s;

	if (is_ascii(password))
		return NULL;
	s = malloc(size);
	if (s == NULL)
		return NULL;
	memcpy(s, password.p, password.n);
	s[password.n] = '\0';
	/* Unassigned: in the Unicode of the RFC, as PostgreSQL has it. */
	if (stringprep(s, size, STRINGPREP_NO_UNASSIGNED,
	    stringprep_saslprep) == STRINGPREP_OK && s[0] != '\0')
		return s;
	OPENSSL_cleanse(s, size);
	free(s);
	return NULL;
}
