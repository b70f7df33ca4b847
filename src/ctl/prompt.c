/* SPDX-License-Identifier: PostgreSQL
 *
 * Asking for a password at the terminal; see prompt.h.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "ctl/prompt.h"

bool
prompt_password(const char *user, char *out)
{
	FILE *tty = fopen("/dev/tty", "r+e");
	struct termios old, silent;
	bool ok;

	if (tty == NULL)
		return false;
	setvbuf(tty, NULL, _IONBF, 0); /* no copy of it in a buffer */
	if (tcgetattr(fileno(tty), &old) != 0) {
		fclose(tty);
		return false;
	}
	silent = old;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fileno(tty), TCSAFLUSH, &silent);
	fprintf(tty, "Password for user %s: ", user);
	ok = fgets(out, PROMPT_MAX, tty) != NULL;
	tcsetattr(fileno(tty), TCSAFLUSH, &old);
	fputs("\n", tty);
	fclose(tty);
	if (ok)
		out[strcspn(out, "\r\n")] = '\0';
	return ok;
}
