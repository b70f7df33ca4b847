/* SPDX-License-Identifier: PostgreSQL
 *
 * Preloaded into the daemon: allocations that fail when a test says so.
 *
 * Only those that the program itself asks for, not those of libraries, and
 * only from a size on.  What to do and what was done stands in a file that
 * the test and the daemon map both, given by $NOMEM.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct control {
	_Atomic uint64_t from;   /* bytes; 0: nothing fails */
	_Atomic uint64_t skip;   /* let so many pass first */
	_Atomic uint64_t fail;   /* and so many fail then */
	_Atomic uint64_t seen, failed;
};

static struct control *control;
static uintptr_t text, text_end; /* of the program */

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);

/* What dlsym() itself needs, before there is a real one. */
static _Alignas(16) char early[4096];
static size_t early_used;

static void *
early_alloc(size_t n)
{
	void *p = early + early_used;

	n = (n + 15) & ~(size_t)15;
	if (n > sizeof(early) - early_used)
		abort();
	early_used += n;
	return p;
}

static int
find_text(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t at;
	int i;

	(void)size, (void)arg;
	for (i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_LOAD ||
		    (info->dlpi_phdr[i].p_flags & PF_X) == 0)
			continue;
		at = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		text = at;
		text_end = at + info->dlpi_phdr[i].p_memsz;
	}
	return 1; /* the program comes first */
}

static void __attribute__((constructor))
start(void)
{
	const char *name = getenv("NOMEM");
	int fd = name != NULL ? open(name, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	dl_iterate_phdr(find_text, NULL);
	p = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		control = p;
}

static int
fails(size_t n, const void *caller)
{
	uint64_t from, at;

	if (control == NULL || (uintptr_t)caller < text ||
	    (uintptr_t)caller >= text_end)
		return 0;
	from = atomic_load(&control->from);
	if (from == 0 || n < from)
		return 0;
	at = atomic_fetch_add(&control->seen, 1);
	if (at < control->skip || at - control->skip >= control->fail)
		return 0;
	atomic_fetch_add(&control->failed, 1);
	return 1;
}

/* false: dlsym() itself asks. */
static int
find_real(void)
{
	static int finding;

	if (finding)
		return 0;
	finding = 1;
	*(void **)&real_calloc = dlsym(RTLD_NEXT, "calloc");
	*(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
	*(void **)&real_free = dlsym(RTLD_NEXT, "free");
	*(void **)&real_malloc = dlsym(RTLD_NEXT, "malloc");
	return 1;
}

void *
malloc(size_t n)
{
	if (real_malloc == NULL && !find_real())
		return early_alloc(n);
	return fails(n, __builtin_return_address(0)) ? NULL : real_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	if (real_malloc == NULL && !find_real())
		return early_alloc(n * size);
	return fails(n * size, __builtin_return_address(0)) ? NULL :
	    real_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	if (real_malloc == NULL)
		(void)find_real();
	return fails(n, __builtin_return_address(0)) ? NULL :
	    real_realloc(p, n);
}

static char *
copy(const char *s, size_t n, const void *caller)
{
	char *p = fails(n + 1, caller) ? NULL : malloc(n + 1);

	if (p == NULL)
		return NULL;
	p[n] = '\0';
	return memcpy(p, s, n);
}

char *
strdup(const char *s)
{
	return copy(s, strlen(s), __builtin_return_address(0));
}

char *
strndup(const char *s, size_t n)
{
	return copy(s, strnlen(s, n), __builtin_return_address(0));
}

void
free(void *p)
{
	if ((char *)p >= early && (char *)p < early + sizeof(early))
		return;
	if (real_malloc == NULL)
		(void)find_real();
	real_free(p);
}
