/* SPDX-License-Identifier: PostgreSQL
 *
 * Fuzzes console commands: any text gets a verdict; what fits a command has all
 * that its pattern promises, inside the buffers.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_fits(const struct command_line *l)
{
	const char *words = l->command->words;

	CHECK(l->command >= commands && l->command < commands + n_commands);
	CHECK(memchr(l->value, '\0', sizeof(l->value)) != NULL);
	if (strpbrk(words, "$%") != NULL)
		CHECK(l->name >= l->text &&
		    l->name + strlen(l->name) < l->text + sizeof(l->text));
	if (strchr(words, '+') == NULL)
		CHECK(l->value[0] == '\0');
	CHECK(command_may(CONSOLE_ROLE_ADMIN, l->command->permission));
	CHECK(!command_may(CONSOLE_ROLE_NONE, l->command->permission));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command_line *l = malloc(sizeof(*l));
	char *sql = malloc(size + 1);
	enum command_verdict v;

	CHECK(l != NULL && sql != NULL);
	/* As the session hands it up: up to the first NUL. */
	if (size > 0)
		memcpy(sql, data, size);
	sql[size] = '\0';
	v = command_parse(l, sql);
	if (v == COMMAND_FITS)
		fuzz_fits(l);
	else if (v != COMMAND_EMPTY)
		CHECK(strlen(command_refusal(v)->sqlstate) == 5);
	free(sql);
	free(l);
	return 0;
}
