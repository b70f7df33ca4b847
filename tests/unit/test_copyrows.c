/* SPDX-License-Identifier: PostgreSQL
 *
 * COPY data cut into rows: told as one line, and the same however the data are
 * cut into pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/copyrows.h"

static const unsigned wanted[] = { 0, 2 };

struct teller {
	struct copy_rows r;
	struct buf pending, scratch, out;
	bool over;
};

static void
put(struct buf *b, const char *p, size_t n)
{
	assert_true(buf_append(b, p, n));
}

static void
tell_row(struct teller *t, enum copy_verdict v, const char *p, size_t n)
{
	put(&t->out, v == COPY_HEAD ? "H" : "", v == COPY_HEAD);
	for (size_t i = 0; i < 2; i++) {
		struct slice value;
		bool null;

		put(&t->out, "[", 1);
		if (!t->r.fields[i].given) {
			put(&t->out, "-]", 2);
			continue;
		}
		assert_true(copy_rows_value(&t->r, p, i, &t->scratch, &value,
		    &null));
		if (null)
			put(&t->out, "NULL", 4);
		else
			put(&t->out, value.p, value.n);
		put(&t->out, "]", 1);
	}
	put(&t->out, "{", 1);
	put(&t->out, p, n);
	put(&t->out, "}", 1);
}

static void
tell(struct teller *t, const char *p, size_t n, bool last)
{
	const char *sqlstate, *why, *head;
	size_t size = 0;
	enum copy_verdict v;

	put(&t->pending, p, n);
	while (!t->over) {
		head = buf_head(&t->pending);
		v = copy_rows_next(&t->r, head, buf_len(&t->pending), last,
		    &size, &sqlstate, &why);
		if (v == COPY_MORE)
			return;
		if (v == COPY_ROW || v == COPY_HEAD) {
			tell_row(t, v, head, size);
			buf_consume(&t->pending, size);
			continue;
		}
		t->over = true;
		if (v == COPY_END)
			put(&t->out, "END", 3);
		else
			put(&t->out, why, strlen(why));
	}
}

/* Cut at a, then at b. */
static char *
told(const struct copy_options *o, const char *p, size_t n, size_t a, size_t b)
{
	struct teller t = { .over = false };
	char line[32], *s;

	copy_rows_init(&t.r, o, wanted, 2);
	buf_init(&t.pending, 65536);
	buf_init(&t.scratch, 65536);
	buf_init(&t.out, 65536);
	tell(&t, p, a, false);
	tell(&t, p + a, b - a, false);
	tell(&t, p + b, n - b, true);
	snprintf(line, sizeof(line), " %d", (int)t.r.line);
	put(&t.out, line, strlen(line) + 1);
	s = x_strdup(buf_head(&t.out));
	buf_reset(&t.pending);
	buf_reset(&t.scratch);
	buf_reset(&t.out);
	return s;
}

static void
check(const struct copy_options *o, const char *p, size_t n,
    const char *expect)
{
	char *s = told(o, p, n, n, n);

	assert_string_equal(s, expect);
	free(s);
	for (size_t a = 0; a <= n; a++)
		for (size_t b = a; b <= n; b++) {
			s = told(o, p, n, a, b);
			assert_string_equal(s, expect);
			free(s);
		}
}

static const struct {
	enum copy_format format;
	const char *data, *expect;
} rows[] = {
	{ COPY_TEXT, "a\tb\tc\n", "[a][c]{a\tb\tc\n} 1" },
	{ COPY_TEXT, "a\tb\tc", "[a][c]{a\tb\tc} 1" },
	{ COPY_TEXT, "\\N\tb\t\\\\N\nx\n", "[NULL][\\N]{\\N\tb\t\\\\N\n}"
	    "[x][-]{x\n} 2" },
	{ COPY_TEXT, "a\\\tb\t\tc\\x41\\102\\q\\n\n",
	    "[a\tb][cABq\n]{a\\\tb\t\tc\\x41\\102\\q\\n\n} 1" },
	{ COPY_TEXT, "a\\\nb\tc\td\n", "[a\nb][d]{a\\\nb\tc\td\n} 1" },
	{ COPY_TEXT, "a\r\nb\r\n", "[a][-]{a\r\n}[b][-]{b\r\n} 2" },
	{ COPY_TEXT, "a\rb\r", "[a][-]{a\r}[b][-]{b\r} 2" },
	{ COPY_TEXT, "a\nb\rc\n",
	    "[a][-]{a\n}literal carriage return found in data 2" },
	{ COPY_TEXT, "a\rb\nc\r",
	    "[a][-]{a\r}literal newline found in data 2" },
	{ COPY_TEXT, "a\n\\.\nb\n", "[a][-]{a\n}END 1" },
	{ COPY_TEXT, "a\n\\.", "[a][-]{a\n}END 1" },
	{ COPY_TEXT, "\\.x\n", "end-of-copy marker corrupt 1" },
	{ COPY_TEXT, "", " 0" },
	{ COPY_TEXT, "\n", "[][-]{\n} 1" },
	{ COPY_CSV, "a,\"b,\"\"c\",\"d\ne\"\nx,,\n",
	    "[a][d\ne]{a,\"b,\"\"c\",\"d\ne\"\n}[x][NULL]{x,,\n} 2" },
	{ COPY_CSV, "\"\",1,\n", "[][NULL]{\"\",1,\n} 1" },
	{ COPY_CSV, "a\"b\"c,1,2\n", "[abc][2]{a\"b\"c,1,2\n} 1" },
	{ COPY_CSV, "a\n\"b\nc\",,x\n",
	    "[a][-]{a\n}[b\nc][x]{\"b\nc\",,x\n} 3" },
	{ COPY_CSV, "\"a\n", "unterminated CSV quoted field 1" },
	{ COPY_CSV, "\\.x,\n\\.\n", "[\\.x][-]{\\.x,\n}END 1" },
	{ COPY_CSV, "a\nb\rc\n",
	    "[a][-]{a\n}unquoted carriage return found in data 2" },
};

static void
cuts_text(void **state PG_UNUSED)
{
	struct copy_options o;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("%s\n", rows[i].data);
		copy_options_default(&o, rows[i].format);
		check(&o, rows[i].data, strlen(rows[i].data),
		    rows[i].expect);
	}
}

static void
has_options(void **state PG_UNUSED)
{
	static const char data[] = "h;i;j\n'a\\'\\\\;';b;nil\n'nil';;x\\\n";
	struct copy_options o;

	copy_options_default(&o, COPY_CSV);
	o.delimiter = ';';
	o.quote = '\'';
	o.escape = '\\';
	o.null = SLICE_LIT("nil");
	o.header = true;
	check(&o, data, sizeof(data) - 1,
	    "H[h][j]{h;i;j\n}[a'\\;][NULL]{'a\\'\\\\;';b;nil\n}[nil][x\\]"
	    "{'nil';;x\\\n} 3");
}

#define HEAD "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"

static void
cuts_binary(void **state PG_UNUSED)
{
	static const char good[] = HEAD "\0\3\0\0\0\1a\377\377\377\377"
	    "\0\0\0\2cc" "\0\1\377\377\377\377" "\377\377" "more";
	static const char cut[] = HEAD "\0\1\0\0\0\5a";
	struct copy_options o;
	const char *sqlstate, *why;
	struct copy_rows r;
	size_t size;
	char *s;

	copy_options_default(&o, COPY_BINARY);
	for (size_t a = 0; a < sizeof(good); a++) {
		s = told(&o, good, sizeof(good) - 1, a, sizeof(good) - 1);
		assert_memory_equal(s, "H[-][-]{PGCOPY", 14);
		free(s);
	}
	copy_rows_init(&r, &o, wanted, 2);
	assert_int_equal(copy_rows_next(&r, good, sizeof(good) - 1, false,
	    &size, &sqlstate, &why), COPY_HEAD);
	assert_int_equal(size, 19);
	assert_int_equal(copy_rows_next(&r, good + 19, sizeof(good) - 20,
	    false, &size, &sqlstate, &why), COPY_ROW);
	assert_int_equal(size, 17);
	assert_int_equal(r.fields[0].n, 1);
	assert_int_equal(r.fields[1].n, 2);
	assert_int_equal(copy_rows_next(&r, good + 36, sizeof(good) - 37,
	    false, &size, &sqlstate, &why), COPY_ROW);
	assert_true(r.fields[0].null);
	assert_false(r.fields[1].given);
	assert_int_equal(copy_rows_next(&r, good + 42, sizeof(good) - 43,
	    false, &size, &sqlstate, &why), COPY_END);
	copy_rows_init(&r, &o, wanted, 2);
	assert_int_equal(copy_rows_next(&r, cut, sizeof(cut) - 1, true, &size,
	    &sqlstate, &why), COPY_HEAD);
	assert_int_equal(copy_rows_next(&r, cut + 19, sizeof(cut) - 20, true,
	    &size, &sqlstate, &why), COPY_MORE);
	copy_rows_init(&r, &o, wanted, 2);
	assert_int_equal(copy_rows_next(&r, "PGCOPX", 6, false, &size,
	    &sqlstate, &why), COPY_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_text),
		cmocka_unit_test(has_options),
		cmocka_unit_test(cuts_binary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
