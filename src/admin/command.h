/* SPDX-License-Identifier: PostgreSQL
 *
 * Console commands as text: the table of them, recognising one, and who may
 * run which.  Pure.
 */
#ifndef PGSLUICE_ADMIN_COMMAND_H
#define PGSLUICE_ADMIN_COMMAND_H

#include "session/layer.h"

#define COMMAND_TEXT_MAX 8192 /* bytes of a command, its end included */
#define COMMAND_WORDS_MAX 64
#define COMMAND_NAMES_MAX 3 /* $ of one command */

/* Whatever a row of the table forgets to say is denied. */
enum command_permission {
	COMMAND_DENY,
#define CONSOLE_ROLE(sym, name, setting, doc) COMMAND_##sym,
#include "tbl/console_roles.h"
};

struct console_call;

struct command {
	const char *words;
	enum command_permission permission;
	void (*run)(struct console_call *call);
	const char *columns;
	const char *help;
};

extern const struct command commands[];
extern const unsigned n_commands;

enum command_verdict {
	COMMAND_FITS,
	COMMAND_EMPTY,     /* nothing but blanks, comments and semicolons */
	COMMAND_LONG,      /* more bytes or words than are looked at */
	COMMAND_OPEN,      /* a quote or comment does not end */
	COMMAND_SEVERAL,   /* something follows a semicolon */
	COMMAND_PARAMETER, /* it holds $1 */
	COMMAND_SQL,       /* a statement for PostgreSQL */
	COMMAND_SETTING,   /* SET of nothing that is known */
	COMMAND_UNKNOWN,
	COMMAND_VERDICT_COUNT
};

/* A command taken apart. */
struct command_line {
	const struct command *command;
	uint64_t number;   /* the # of the command */
	const char *name;  /* its $ or %, or NULL; points into text */
	const char *more[COMMAND_NAMES_MAX - 1]; /* its other $ */
	unsigned n_names;
	char value[COMMAND_TEXT_MAX]; /* its +, words joined by blanks */
	char text[2 * COMMAND_TEXT_MAX];
};

/* FITS: *l is set. */
enum command_verdict command_parse(struct command_line *l, const char *sql)
    PG_MUST_CHECK;

/* What the client is told of the other verdicts but EMPTY. */
struct command_refusal {
	const char *sqlstate, *message, *hint;
};
const struct command_refusal *command_refusal(enum command_verdict v);

bool command_may(enum console_role role, enum command_permission p)
    PG_MUST_CHECK;
/* "read", "operate", "admin"; "nobody" for DENY. */
const char *command_permission_name(enum command_permission p);
/* Name of the setting whose users have the role that p asks for. */
const char *command_permission_setting(enum command_permission p);

#endif
