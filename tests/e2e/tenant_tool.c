/* SPDX-License-Identifier: PostgreSQL
 *
 * Check program: partitions that src/route/tenant.c chooses, for comparison
 * with a real server (test_tenant_hash.py).
 *
 * usage: tenant_tool MODULUS...
 * Reads lines "type<TAB>format<TAB>value" from standard input; type is uuid,
 * int4, int8 or text, format is text or binary (the value then in hexadecimal).
 * Prints the remainders for the moduli, tabs between, or "-" where the value
 * is not proven to convert.  Status 2 for input it does not understand.
 */
#include "route/tenant.h"

#include <stdio.h>
#include <stdlib.h>

#define TOOL_LINE_MAX 65536

static enum conf_key_type
tool_type(const char *s)
{
	if (strcmp(s, "uuid") == 0)
		return KEY_TYPE_UUID;
	if (strcmp(s, "int4") == 0)
		return KEY_TYPE_INT4;
	if (strcmp(s, "int8") == 0)
		return KEY_TYPE_INT8;
	if (strcmp(s, "text") == 0)
		return KEY_TYPE_TEXT;
	return KEY_TYPE_NONE;
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

static int
tool_line(char *line, int n_moduli, char **moduli)
{
	char *format = strchr(line, '\t');
	char *value = format != NULL ? strchr(format + 1, '\t') : NULL;
	enum conf_key_type type;
	bool binary;
	uint64_t hash;
	long n;

	if (value == NULL)
		return -1;
	*format++ = '\0';
	*value++ = '\0';
	type = tool_type(line);
	binary = strcmp(format, "binary") == 0;
	if (type == KEY_TYPE_NONE || (!binary && strcmp(format, "text") != 0))
		return -1;
	n = binary ? tool_unhex(value) : (long)strlen(value);
	if (n < 0)
		return -1;
	if (!tenant_hash_value(type, slice_make(value, (size_t)n), binary, 0,
		&hash)) {
		puts("-");
		return 0;
	}
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
