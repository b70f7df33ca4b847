/* SPDX-License-Identifier: PostgreSQL
 *
 * A terminal that is drawn over; see screen.h.
 *
 * Signals come by a descriptor, beside the keyboard, so that waiting for the
 * daemon sees both and nothing happens between two looks.
 */
#include "ctl/screen.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* Another screen, no cursor, and no new line by itself for what is too wide: there
 * are characters that take two columns. */
#define SCREEN_BEGIN "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_END "\033[?7h\033[?25h\033[?1049l"

static struct {
	struct termios old;
	sigset_t mask;   /* as it was */
	int signals, both;
} screen = { .signals = -1, .both = -1 };

bool
screen_possible(void)
{
	const char *kind = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
	    (kind == NULL || strcmp(kind, "dumb") != 0);
}

static bool
screen_write(const char *s, size_t n)
{
	ssize_t done;

	while (n > 0) {
		done = write(STDOUT_FILENO, s, n);
		if (done < 0 && errno != EINTR)
			return false;
		if (done > 0) {
			s += done;
			n -= (size_t)done;
		}
	}
	return true;
}

static bool
screen_watch(int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(screen.both, EPOLL_CTL_ADD, fd, &e) == 0;
}

static bool
screen_descriptors(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGWINCH);
	if (sigprocmask(SIG_BLOCK, &set, &screen.mask) != 0)
		return false;
	screen.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	screen.both = epoll_create1(EPOLL_CLOEXEC);
	return screen.signals >= 0 && screen.both >= 0 &&
	    screen_watch(screen.signals) && screen_watch(STDIN_FILENO);
}

static void
screen_forget(void)
{
	if (screen.signals >= 0)
		close(screen.signals);
	if (screen.both >= 0)
		close(screen.both);
	screen.signals = screen.both = -1;
	sigprocmask(SIG_SETMASK, &screen.mask, NULL);
}

bool
screen_open(char *why, size_t size)
{
	struct termios raw;

	sigprocmask(SIG_SETMASK, NULL, &screen.mask);
	if (tcgetattr(STDIN_FILENO, &screen.old) != 0 ||
	    !screen_descriptors()) {
		snprintf(why, size, "the terminal: %s", strerror(errno));
		screen_forget();
		return false;
	}
	raw = screen.old;
	raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* nobody would put it right */
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0 ||
	    !screen_write(SCREEN_BEGIN, strlen(SCREEN_BEGIN))) {
		snprintf(why, size, "the terminal: %s", strerror(errno));
		screen_close();
		return false;
	}
	return true;
}

void
screen_close(void)
{
	/* It may be gone, and then nothing can be put right. */
	if (!screen_write(SCREEN_END, strlen(SCREEN_END)))
		errno = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &screen.old);
	screen_forget();
}

int
screen_fd(void)
{
	return screen.both;
}

static bool
screen_key_quits(void)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n < 0)
		return errno != EINTR && errno != EAGAIN;
	return n == 0 || memchr(keys, 'q', (size_t)n) != NULL ||
	    memchr(keys, 'Q', (size_t)n) != NULL;
}

struct screen_news
screen_look(void)
{
	struct screen_news news = { .quit = false };
	struct signalfd_siginfo info;
	struct epoll_event e[2];
	int n = epoll_wait(screen.both, e, 2, 0), i;

	for (i = 0; i < n; i++) {
		if (e[i].data.fd == STDIN_FILENO) {
			news.quit |= screen_key_quits();
			continue;
		}
		while (read(screen.signals, &info, sizeof(info)) ==
		    (ssize_t)sizeof(info)) {
			if (info.ssi_signo == SIGWINCH)
				news.resized = true;
			else
				news.quit = true;
		}
	}
	return news;
}

void
screen_size(unsigned *width, unsigned *lines)
{
	struct winsize w;

	*width = 80;
	*lines = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 &&
	    w.ws_row > 0) {
		*width = w.ws_col;
		*lines = w.ws_row;
	}
}

/* The cursor goes home and each line is cleared behind its text: nothing
 * flickers. The last line has no end, or the window would scroll. */
bool
screen_draw(const struct buf *page)
{
	const char *p = buf_head(page), *end = p + buf_len(page), *eol;
	unsigned width, lines, n = 0;
	struct buf out;
	bool ok;

	screen_size(&width, &lines);
	buf_init(&out, 2 * buf_len(page) + 64 * 1024);
	ok = buf_append(&out, "\033[H", 3);
	for (; ok && p != NULL && p < end && n < lines; p = eol + 1, n++) {
		eol = memchr(p, '\n', (size_t)(end - p));
		if (eol == NULL)
			eol = end;
		ok = (n == 0 || buf_append(&out, "\r\n", 2)) &&
		    buf_append(&out, p, (size_t)(eol - p)) &&
		    buf_append(&out, "\033[K", 3);
	}
	ok = ok && buf_append(&out, "\033[J", 3) &&
	    screen_write(buf_head(&out), buf_len(&out));
	buf_reset(&out);
	return ok;
}
