/* SPDX-License-Identifier: PostgreSQL
 *
 * The console: one call of one command.
 */
#ifndef PGSLUICE_ADMIN_CONSOLE_H
#define PGSLUICE_ADMIN_CONSOLE_H

#include "admin/command.h"
#include "admin/control.h"
#include "admin/rows.h"

/* A command being run, on the session's worker. The handler answers, at once
 * or later; this struct is gone when it returns. */
struct console_call {
	struct control *control;
	struct worker *w;
	uint64_t session;
	const struct command_line *line;
};

#define COMMAND(words, permission, handler, columns, help) \
	void handler(struct console_call *call);
#include "tbl/console_commands.h"

/* What PgBouncer has and we have not: an error with the reason. */
void console_absent(struct console_call *call);

/* session_console_ops.run, with the control thread to turn to. */
void console_run(struct control *control, struct worker *w, uint64_t session,
    const char *sql, enum console_role role);

/* session_console_ops.describe */
bool console_describe_command(const char *sql, struct buf *out);

/* Begin an answer with the columns of the command. */
void console_rows(const struct console_call *call, struct rows *r);
/* Answer without rows. */
void console_done(const struct console_call *call, const char *tag);

#endif
