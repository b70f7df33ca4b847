/* SPDX-License-Identifier: PostgreSQL
 *
 * Shared memory in the place of static arrays.
 *
 * Knows nothing of what lies in it.  The memory has no name and a size that
 * cannot be changed, so no process can take it from under another.  All
 * regions are tried at another place first: none is replaced unless all can
 * be.
 */
#include "run/shared.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

static size_t
shared_size(const struct shared_region *r, size_t n)
{
	size_t sum = 0, i;

	for (i = 0; i < n; i++) {
		CHECK(r[i].size > 0 && r[i].size % SHARED_ALIGN == 0);
		sum += r[i].size;
	}
	return sum;
}

int
shared_make(const struct shared_region *r, size_t n)
{
	int fd = memfd_create("pgsluice", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd >= 0 && ftruncate(fd, (off_t)shared_size(r, n)) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_SEAL) == 0)
		return fd;
	err = errno;
	if (fd >= 0)
		close(fd);
	errno = err;
	return -1;
}

/* A linker or kernel may have put them elsewhere. */
static bool
shared_is_aligned(const struct shared_region *r, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), i;

	for (i = 0; i < n; i++)
		if ((uintptr_t)r[i].at % page != 0)
			return false;
	return true;
}

static bool
shared_map(const struct shared_region *r, size_t n, int fd)
{
	off_t at = 0;
	void *p;
	size_t i;

	for (i = 0; i < n; i++) {
		p = mmap(r[i].at, r[i].size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | (r[i].at != NULL ? MAP_FIXED : 0), fd, at);
		if (p == MAP_FAILED)
			return false;
		if (r[i].at == NULL)
			munmap(p, r[i].size);
		at += (off_t)r[i].size;
	}
	return true;
}

bool
shared_use(const struct shared_region *r, size_t n, int fd)
{
	const size_t size = shared_size(r, n);
	const struct shared_region all = { NULL, size };
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	errno = EINVAL;
	if ((uint64_t)st.st_size != size || !shared_is_aligned(r, n) ||
	    (fcntl(fd, F_GET_SEALS) & seals) != seals ||
	    !shared_map(&all, 1, fd))
		return false;
	/* The kernel has room for all of it: what fails now fails for good. */
	CHECK(shared_map(r, n, fd));
	return true;
}
