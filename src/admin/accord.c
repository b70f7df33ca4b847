/* SPDX-License-Identifier: PostgreSQL
 *
 * What a process works by, as numbers that another one can compare.
 *
 * A program is known by its file: one that was installed in its place is
 * another, even if it says the same of its version.  Layouts are left out:
 * which columns may tell results apart stands in the file, whether they do
 * decides for reading alone.
 */
#include "admin/accord.h"

#include <sys/stat.h>

#include "admin/takeover_priv.h"
#include "conf/digest.h"
#include "conf/layout.h"

bool
accord_of(struct conf *c, struct accord *a)
{
	struct conf_diag d;
	struct conf *bare = conf_bare(c, &d);
	struct stat st;
	bool ok = bare != NULL && stat("/proc/self/exe", &st) == 0;

	conf_diag_fini(&d);
	if (ok)
		*a = (struct accord){ conf_digest(bare), st.st_dev,
			st.st_ino };
	conf_unref(&bare);
	return ok;
}

bool
accord_eq(const struct accord *a, const struct accord *b)
{
	return hash_eq(a->conf, b->conf) && a->device == b->device &&
	    a->inode == b->inode;
}

void
accord_write(const struct accord *a, char out[ACCORD_SIZE])
{
	takeover_put64(out, a->conf.lo);
	takeover_put64(out + 8, a->conf.hi);
	takeover_put64(out + 16, a->device);
	takeover_put64(out + 24, a->inode);
}

bool
accord_read(struct msgread *r, struct accord *a)
{
	a->conf.lo = takeover_get64(r);
	a->conf.hi = takeover_get64(r);
	a->device = takeover_get64(r);
	a->inode = takeover_get64(r);
	return msgread_done(r);
}
