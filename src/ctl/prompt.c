/* SPDX-License-Identifier: PostgreSQL
 *
 * Asking for a password at the terminal; see prompt.h.
 *
 * A signal that ends the program is kept back until the terminal shows again what
 * is typed: nobody else would put that right.
 */
#include "ctl/prompt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const int prompt_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT,
	SIGTSTP };

static volatile sig_atomic_t prompt_signal; /* that has come, or 0 */

static void
prompt_catch(int sig)
{
	prompt_signal = sig;
}

/* As fgets(), but a signal ends it; whatever time it comes at, since they are
 * let through while it waits alone. */
static bool
prompt_line(int fd, const sigset_t *open, char *out)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;
	char c = '\0';

	while (n + 1 < PROMPT_MAX && prompt_signal == 0) {
		if (ppoll(&p, 1, NULL, open) < 0 && errno == EINTR)
			continue;
		if (read(fd, &c, 1) != 1 || c == '\n')
			break;
		out[n++] = c;
	}
	out[n] = '\0';
	out[strcspn(out, "\r")] = '\0';
	return prompt_signal == 0 && (n > 0 || c == '\n');
}

/* Signals that would end the program, which are not ignored. */
static void
prompt_hold(struct sigaction *old, sigset_t *held, sigset_t *open)
{
	struct sigaction caught = { .sa_handler = prompt_catch };
	size_t i;

	prompt_signal = 0;
	sigemptyset(held);
	sigemptyset(&caught.sa_mask);
	for (i = 0; i < ARRAY_SIZE(prompt_signals); i++) {
		sigaction(prompt_signals[i], NULL, &old[i]);
		if (old[i].sa_handler != SIG_IGN)
			sigaddset(held, prompt_signals[i]);
	}
	sigprocmask(SIG_BLOCK, held, open);
	for (i = 0; i < ARRAY_SIZE(prompt_signals); i++)
		if (sigismember(held, prompt_signals[i]) == 1)
			sigaction(prompt_signals[i], &caught, NULL);
}

static void
prompt_release(const struct sigaction *old, const sigset_t *open)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(prompt_signals); i++)
		sigaction(prompt_signals[i], &old[i], NULL);
	if (prompt_signal != 0)
		raise(prompt_signal);
	sigprocmask(SIG_SETMASK, open, NULL);
}

static bool
prompt_ask(FILE *tty, const char *user, char *out)
{
	struct sigaction old[ARRAY_SIZE(prompt_signals)];
	struct termios before, silent;
	sigset_t held, open;
	bool ok;

	if (tcgetattr(fileno(tty), &before) != 0)
		return false;
	prompt_hold(old, &held, &open);
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fileno(tty), TCSAFLUSH, &silent);
	fprintf(tty, "Password for user %s: ", user);
	ok = prompt_line(fileno(tty), &open, out);
	tcsetattr(fileno(tty), TCSAFLUSH, &before);
	fputs("\n", tty);
	prompt_release(old, &open);
	return ok;
}

bool
prompt_password(const char *user, char *out)
{
	FILE *tty = fopen("/dev/tty", "r+e");
	bool ok;

	if (tty == NULL)
		return false;
	setvbuf(tty, NULL, _IONBF, 0); /* no copy of it in a buffer */
	ok = prompt_ask(tty, user, out);
	fclose(tty);
	return ok;
}
