/* SPDX-License-Identifier: PostgreSQL
 *
 * The command line mode that makes a configuration of PgBouncer's.
 *
 * Reads and writes the files that import/ only speaks of.  Runs before there
 * are threads.
 */
#include "admin/importing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auth/authfile.h"
#include "import/import.h"

#define IMPORTING_MAX (64u * 1024 * 1024)

static bool
importing_read(void *arg PG_UNUSED, const char *path, struct buf *b,
    char *why, size_t why_size)
{
	return authfile_read(path, false, b, why, why_size);
}

static bool
importing_write(int fd, const struct buf *b)
{
	const char *p = buf_head(b);
	size_t n = buf_len(b);
	ssize_t put;

	while (n > 0) {
		put = write(fd, p, n);
		if (put < 0 && errno != EINTR)
			return false;
		if (put > 0) {
			p += put;
			n -= (size_t)put;
		}
	}
	return true;
}

/* Make to of the auth_file from. Never over a file that is there. */
static bool
importing_copy(const char *from, const char *to)
{
	struct buf in, out, said;
	char why[256];
	bool ok;
	int fd;

	buf_init(&in, AUTHFILE_MAX);
	buf_init(&out, IMPORTING_MAX);
	buf_init(&said, IMPORTING_MAX);
	ok = authfile_read(from, false, &in, why, sizeof(why));
	if (!ok)
		fprintf(stderr, "pgsluice: %s: %s\n", from, why);
	/* Users that are left out are told, and no mistake. */
	else if (!import_users_text(from, slice_make(buf_head(&in),
	    buf_len(&in)), &out, &said))
		fwrite(buf_head(&said), 1, buf_len(&said), stderr);
	if (ok) {
		fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
		    O_CLOEXEC, 0600);
		ok = fd >= 0 && importing_write(fd, &out);
		if (!ok)
			fprintf(stderr, "pgsluice: --users %s: cannot write: "
			    "%s\n", to, strerror(errno));
		if (fd >= 0 && close(fd) != 0)
			ok = false;
	}
	buf_wipe(&in);
	buf_wipe(&out);
	buf_reset(&said);
	return ok;
}

/* What users_file can be. */
static bool
importing_users(const struct import *im, const char *users,
    struct import_users *out, struct userdb **db, char *why, size_t why_size)
{
	const char *from = import_auth_file(im);

	*out = (struct import_users){ .path = users != NULL ? users : from,
		.why = why };
	*db = NULL;
	if (from == NULL) {
		if (users != NULL)
			fprintf(stderr, "pgsluice: --users: there is no "
			    "auth_file, nothing is written\n");
		out->path = NULL;
		return true;
	}
	if (users != NULL && !importing_copy(from, users))
		return false;
	*db = userdb_load(out->path, NULL, why, why_size);
	out->db = *db;
	if (*db == NULL)
		out->path = NULL;
	return true;
}

int
importing_pgbouncer(const char *path, const char *users)
{
	struct import *im = import_new(path, importing_read, NULL);
	struct import_users known;
	struct userdb *db = NULL;
	struct slice said;
	char why[512] = "";
	struct buf out;
	bool ok;

	buf_init(&out, IMPORTING_MAX);
	ok = importing_users(im, users, &known, &db, why, sizeof(why)) &&
	    import_render(im, &known, &out);
	said = import_said(im);
	if (said.n > 0)
		fwrite(said.p, 1, said.n, stderr);
	if (ok && !importing_write(STDOUT_FILENO, &out)) {
		perror("pgsluice: the configuration cannot be written");
		ok = false;
	}
	buf_wipe(&out);
	userdb_unref(&db);
	import_free(&im);
	return ok ? 0 : 1;
}
