/* SPDX-License-Identifier: PostgreSQL
 *
 * The end of the process when a contract is broken, and small allocations.
 *
 * A panic writes straight to stderr: the log ring may be what broke.  Nothing
 * here allocates once a panic is under way, and a panic inside a panic (in
 * another thread, or in the backtrace) does not print a second time.  Any
 * thread.
 */
#include <execinfo.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

#define CHECK_FRAMES 64

static atomic_flag check_panicking = ATOMIC_FLAG_INIT;

void
check_panic(const char *file, int line, const char *func, const char *what)
{
	void *frames[CHECK_FRAMES];
	char text[512];
	int n;

	if (atomic_flag_test_and_set(&check_panicking))
		abort();
	n = snprintf(text, sizeof(text),
	    "level=panic area=check msg=\"broken contract\" at=%s:%d func=%s "
	    "what=\"%s\" pid=%d\n",
	    file, line, func, what, (int)getpid());
	if (n > 0) {
		if ((size_t)n >= sizeof(text))
			n = (int)sizeof(text) - 1;
		if (write(STDERR_FILENO, text, (size_t)n) < 0)
			abort();
	}
	n = backtrace(frames, CHECK_FRAMES);
	backtrace_symbols_fd(frames, n, STDERR_FILENO);
	abort();
}

void *
x_malloc(size_t n)
{
	void *p = malloc(n > 0 ? n : 1);

	if (unlikely(p == NULL))
		WRONG("out of memory");
	return p;
}

void *
x_calloc(size_t n, size_t size)
{
	void *p = calloc(n > 0 ? n : 1, size > 0 ? size : 1);

	if (unlikely(p == NULL))
		WRONG("out of memory");
	return p;
}

char *
x_strdup(const char *s)
{
	char *p = strdup(s);

	if (unlikely(p == NULL))
		WRONG("out of memory");
	return p;
}

char *
x_strndup(const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (unlikely(p == NULL))
		WRONG("out of memory");
	return p;
}
