/* SPDX-License-Identifier: PostgreSQL
 *
 * The console: commands, who may run them, and one call of one.
 */
#ifndef PGSLUICE_ADMIN_CONSOLE_H
#define PGSLUICE_ADMIN_CONSOLE_H

#include "admin/control.h"
#include "admin/rows.h"

/* Whatever a row of the table forgets to say is denied. */
enum console_permission { CONSOLE_DENY, CONSOLE_LOOK, CONSOLE_ADMIN };

/* A command being run, on the session's worker. The handler answers, at once
 * or later; this struct is gone when it returns. */
struct console_call {
	struct control *control;
	struct worker *w;
	uint64_t session;
	uint64_t number; /* the # of the command */
};

struct console_command {
	const char *words;
	enum console_permission permission;
	void (*run)(struct console_call *call);
	const char *help;
};

extern const struct console_command console_commands[];
extern const unsigned console_n_commands;

#define COMMAND(words, permission, handler, help) \
	void handler(struct console_call *call);
#include "tbl/console_commands.h"

void console_run(struct control *control, struct worker *w, uint64_t session,
    const char *sql, bool can_admin, bool can_look);

#endif
