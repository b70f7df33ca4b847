/* SPDX-License-Identifier: PostgreSQL
 *
 * Files of this folder, read whole.
 *
 * Knows nothing of what stands in them.  Control thread: it opens and reads,
 * but never waits on a device or a pipe.
 */
#include "auth/authfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
authfile_check(const struct stat *st, bool secret, char *why, size_t why_size)
{
	mode_t bits = st->st_mode & 0777;

	if (!S_ISREG(st->st_mode)) {
		(void)snprintf(why, why_size, "not a file, expected one");
		return false;
	}
	if (!secret || (bits & 077) == 0 ||
	    (st->st_uid == 0 && (bits & ~(mode_t)0640) == 0))
		return true;
	(void)snprintf(why, why_size, "mode is %04o, expected 0600, or 0640 if "
	    "root owns it", (unsigned)bits);
	return false;
}

static bool
authfile_bytes(int fd, off_t size, struct buf *b, char *why, size_t why_size)
{
	ssize_t got;

	/* All at once: a buffer that grows leaves copies of secrets. */
	if (size > AUTHFILE_MAX - AUTHFILE_CHUNK ||
	    !buf_reserve(b, (size_t)size + AUTHFILE_CHUNK)) {
		(void)snprintf(why, why_size, "file too large, expected at "
		    "most %u bytes", AUTHFILE_MAX - AUTHFILE_CHUNK);
		return false;
	}
	for (;;) {
		if (!buf_reserve(b, AUTHFILE_CHUNK)) {
			(void)snprintf(why, why_size,
			    "file grew while it was read");
			return false;
		}
		got = read(fd, buf_tail(b), AUTHFILE_CHUNK);
		if (got < 0 && errno != EINTR) {
			(void)snprintf(why, why_size, "cannot read: %s",
			    strerror(errno));
			return false;
		}
		if (got == 0)
			return true;
		if (got > 0)
			buf_grow(b, (size_t)got);
	}
}

bool
authfile_read(const char *path, bool secret, struct buf *b, char *why,
    size_t why_size)
{
	struct stat st;
	bool ok;
	int fd;

	/* Looked at before it is opened: opening a device can do things. */
	if (stat(path, &st) == 0 && !authfile_check(&st, secret, why, why_size))
		return false;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		(void)snprintf(why, why_size, "cannot open: %s",
		    strerror(errno));
		return false;
	}
	ok = fstat(fd, &st) == 0;
	if (!ok)
		(void)snprintf(why, why_size, "cannot look: %s",
		    strerror(errno));
	ok = ok && authfile_check(&st, secret, why, why_size) &&
	    authfile_bytes(fd, st.st_size, b, why, why_size);
	(void)close(fd);
	return ok;
}
