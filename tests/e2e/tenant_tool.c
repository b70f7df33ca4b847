/* SPDX-License-Identifier: PostgreSQL
 *
 * Check program: partitions that src/route/tenant.c chooses, for comparison
 * with a real server (test_tenant_hash.py).
 *
 * usage: tenant_tool MODULUS...
 * Reads lines "types<TAB>format<TAB>value<TAB>..." from standard input: types
 * are those of tbl/key_types.h, one for each column of the key, with commas
 * between; format is text or binary (values are then in hexadecimal).  Prints
 * the remainders for the moduli, tabs between, or "-" where a value is not
 * proven to convert.  Status 2 for input it does not understand.
 */
#include "route/tenant.h"

#include <stdio.h>
#include <stdlib.h>

#define TOOL_LINE_MAX 65536

static enum conf_key_type
tool_type(const char *s, size_t n)
{
	int t = 0;

	while (t < KEY_TYPE_COUNT && !slice_eq_str(slice_make(s, n),
	    conf_key_type_name((enum conf_key_type)t)))
		t++;
	return (enum conf_key_type)t;
}

/* Hexadecimal to bytes, in place; -1: it is none. */
static long
tool_unhex(char *s)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = strlen(s);

	if (n % 2 != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *d = strchr(digits, s[i]);

		if (d == NULL)
			return -1;
		if (i % 2 == 0)
			s[i / 2] = (char)((d - digits) << 4);
		else
			s[i / 2] = (char)(s[i / 2] | (d - digits));
	}
	return (long)(n / 2);
}

/* The word up to the next byte end, which is stepped over. */
static char *
tool_word(char **at, char end)
{
	char *word = *at, *stop = strchr(word, end);

	*at = stop != NULL ? stop + 1 : word + strlen(word);
	if (stop != NULL)
		*stop = '\0';
	return word;
}

/* 0, -1: not understood, 1: not proven. */
static int
tool_row(char *line, uint64_t *row)
{
	char *types = tool_word(&line, '\t');
	bool binary = strcmp(tool_word(&line, '\t'), "binary") == 0;
	int status = 0;

	*row = 0;
	while (*types != '\0') {
		char *name = tool_word(&types, ','), *value;
		enum conf_key_type type = tool_type(name, strlen(name));
		uint64_t hash;
		long n;

		value = tool_word(&line, '\t');
		n = binary ? tool_unhex(value) : (long)strlen(value);
		if (type == KEY_TYPE_COUNT || n < 0)
			return -1;
		if (tenant_hash_value(type, slice_make(value, (size_t)n),
			binary, 0, &hash))
			*row = tenant_combine(*row, hash);
		else
			status = 1;
	}
	return status;
}

static int
tool_line(char *line, int n_moduli, char **moduli)
{
	uint64_t hash;
	int status = tool_row(line, &hash);

	if (status > 0)
		puts("-");
	if (status != 0)
		return status < 0 ? -1 : 0;
	for (int i = 0; i < n_moduli; i++)
		printf("%s%u", i > 0 ? "\t" : "",
		    tenant_remainder(hash, (unsigned)atoi(moduli[i])));
	putchar('\n');
	return 0;
}

int
main(int argc, char **argv)
{
	static char line[TOOL_LINE_MAX];

	for (int i = 1; i < argc; i++) {
		if (atoi(argv[i]) <= 0)
			return 2;
	}
	while (fgets(line, sizeof(line), stdin) != NULL) {
		size_t n = strlen(line);

		if (n == 0 || line[n - 1] != '\n')
			return 2;
		line[n - 1] = '\0';
		if (tool_line(line, argc - 1, argv + 1) != 0)
			return 2;
	}
	return 0;
}
