/* SPDX-License-Identifier: PostgreSQL
 *
 * Fuzzes an import: any bytes as pgbouncer.ini, and behind a line of three
 * percent signs as the file that it includes and as its auth_file.  What comes
 * out without a mistake has to be a configuration in form, and what is said is
 * "file:line: text", a line each.
 */
#include <string.h>

#include "conf/conf.h"
#include "import/import.h"

#define PART "\n%%%\n"
#define OUT_MAX (64u * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice fuzz_first, fuzz_second;

static bool
fuzz_read(void *arg PG_UNUSED, const char *path, struct buf *b, char *why,
    size_t why_size)
{
	struct slice s = strcmp(path, "first") == 0 ? fuzz_first : fuzz_second;

	if (why_size > 0)
		why[0] = '\0';
	return s.n == 0 || buf_append(b, s.p, s.n);
}

static void
fuzz_said(struct slice said)
{
	const char *p = said.p, *end = said.p + said.n, *nl;

	for (; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		CHECK(nl != NULL && memchr(p, ':', (size_t)(nl - p)) != NULL);
	}
}

/* Whatever values are worth: braces, quotes, names of settings fit. */
static void
fuzz_form(const struct buf *out)
{
	static const char *const never[] = { "never closed", "closes nothing",
		"unexpected character", "unknown", "nested", "is not a size",
		"not a duration", "given twice" };
	struct conf_diag d;
	struct conf *c = conf_load_buffer("out", buf_head(out), buf_len(out),
	    &d);
	size_t i;
	int n;

	for (n = 0; n < d.n; n++)
		for (i = 0; i < ARRAY_SIZE(never); i++)
			CHECK(strstr(d.msg[n], never[i]) == NULL);
	conf_diag_fini(&d);
	conf_unref(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *part = memmem(text, size, PART, sizeof(PART) - 1);
	struct import_users users = { .path = "users", .why = "" };
	struct buf out, copy, said;
	struct import *im;

	fuzz_first = slice_make(text, part != NULL ? (size_t)(part - text) :
	    size);
	fuzz_second = part == NULL ? slice_make(NULL, 0) :
	    slice_make(part + sizeof(PART) - 1, size - fuzz_first.n -
	    (sizeof(PART) - 1));
	buf_init(&out, OUT_MAX);
	buf_init(&copy, OUT_MAX);
	buf_init(&said, OUT_MAX);
	im = import_new("first", fuzz_read, NULL);
	if (import_render(im, &users, &out))
		fuzz_form(&out);
	fuzz_said(import_said(im));
	import_free(&im);
	if (import_users_text("users", fuzz_second, &copy, &said))
		CHECK(buf_len(&said) == 0);
	fuzz_said(slice_make(buf_head(&said), buf_len(&said)));
	buf_reset(&out);
	buf_reset(&copy);
	buf_reset(&said);
	return 0;
}
