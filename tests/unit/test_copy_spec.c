/* SPDX-License-Identifier: PostgreSQL
 *
 * COPY statements whose rows can be dealt out, and those that cannot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/copy_spec.h"

static const struct {
	const char *sql, *expect; /* NULL: not understood */
} rows[] = {
	{ "COPY t FROM STDIN", "text '\t' null '\\N'" },
	{ "COPY s.t (a, \"B c\") FROM STDIN;", "text '\t' null '\\N' a B c" },
	{ "COPY t FROM STDIN (FORMAT csv, HEADER, DELIMITER ';', QUOTE '''', "
	    "NULL 'x')", "csv ';' null 'x' quote ''' escape ''' header" },
	{ "COPY t FROM STDIN WITH CSV HEADER QUOTE '$' ESCAPE E'\\\\'",
	    "csv ',' null '' quote '$' escape '\\' header" },
	{ "COPY t FROM STDIN (FORMAT 'csv', HEADER false)",
	    "csv ',' null '' quote '\"' escape '\"'" },
	{ "COPY t FROM STDIN (HEADER match)", "text '\t' null '\\N' header" },
	{ "COPY t FROM STDIN DELIMITERS ','", "text ',' null '\\N'" },
	{ "COPY t FROM STDIN BINARY", "binary" },
	{ "COPY BINARY t FROM STDIN", "binary" },
	{ "COPY t FROM STDIN (FORMAT binary) WHERE a > 1", "binary" },
	{ "COPY t FROM STDIN (FORMAT parquet)", NULL },
	{ "COPY t FROM STDIN (FREEZE)", NULL },
	{ "COPY t FROM STDIN (ENCODING 'latin1')", NULL },
	{ "COPY t FROM STDIN (FORMAT csv, FORCE_NULL (a))", NULL },
	{ "COPY t FROM STDIN (DELIMITER 'ab')", NULL },
	{ "COPY t FROM STDIN (QUOTE 'a')", NULL },
	{ "COPY t FROM STDIN (FORMAT text, FORMAT csv)", NULL },
	{ "COPY t FROM STDIN (HEADER maybe)", NULL },
	{ "COPY t FROM '/tmp/x'", NULL },
	{ "COPY t FROM PROGRAM 'x'", NULL },
	{ "COPY t TO STDOUT", NULL },
	{ "COPY (SELECT 1) TO STDOUT", NULL },
	{ "COPY t FROM STDIN; COPY t FROM STDIN", NULL },
	{ "SELECT 1", NULL },
	{ "COPY t FORM STDIN", NULL },
};

static char *
told(const struct copy_spec *s)
{
	static const char *const formats[] = { "text", "csv", "binary" };
	const struct copy_options *o = &s->options;
	char *out;
	size_t n;
	FILE *f = open_memstream(&out, &n);

	fputs(formats[o->format], f);
	if (o->format != COPY_BINARY)
		fprintf(f, " '%c' null '%.*s'", o->delimiter,
		    (int)o->null.n, o->null.p);
	if (o->format == COPY_CSV)
		fprintf(f, " quote '%c' escape '%c'", o->quote, o->escape);
	if (o->header)
		fputs(" header", f);
	for (size_t i = 0; i < s->n_columns; i++)
		fprintf(f, " %s", s->columns[i]);
	fclose(f);
	return out;
}

static void
reads_options(void **state PG_UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct copy_spec *s = copy_spec_new(slice_str(rows[i].sql));
		char *text;

		print_message("%s\n", rows[i].sql);
		assert_int_equal(s != NULL, rows[i].expect != NULL);
		if (s == NULL)
			continue;
		text = told(s);
		assert_string_equal(text, rows[i].expect);
		free(text);
		copy_spec_free(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads_options) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
