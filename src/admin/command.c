/* SPDX-License-Identifier: PostgreSQL
 *
 * Recognising console commands and permitting them.
 *
 * Knows what commands look like and which role each needs, not what they do.
 * Words are cut as in SQL: comments are skipped, 'text' and "name" are one
 * word, quotes inside are doubled.  Any thread.
 */
#include "admin/command.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"

const struct command commands[] = {
#define COMMAND(words, permission, handler, columns, help) \
	{ words, COMMAND_##permission, handler, columns, help },
#define ABSENT(words, permission, why) \
	{ words, COMMAND_##permission, console_absent, "", why },
#include "tbl/console_commands.h"
};
const unsigned n_commands = ARRAY_SIZE(commands);

struct word {
	const char *s;
	bool quoted;
};

struct words {
	struct word v[COMMAND_WORDS_MAX];
	int n;
	char *at; /* where the next one is put */
};

/* ------------------------------------------------------------ words */

/* Behind blanks and comments; NULL: a comment does not end. */
static const char *
command_skip(const char *p)
{
	for (;;) {
		if (isspace((unsigned char)*p)) {
			p++;
		} else if (p[0] == '-' && p[1] == '-') {
			p += strcspn(p, "\n");
		} else if (p[0] == '/' && p[1] == '*') {
			p = strstr(p + 2, "*/");
			if (p == NULL)
				return NULL;
			p += 2;
		} else {
			return p;
		}
	}
}

/* Take the word in quotes at p; NULL: it does not end. */
static const char *
command_quoted(struct words *w, const char *p)
{
	char quote = *p++;

	for (;;) {
		if (*p == '\0')
			return NULL;
		if (*p == quote && *++p != quote)
			break;
		*w->at++ = *p++;
	}
	*w->at++ = '\0';
	return p;
}

static const char *
command_bare(struct words *w, const char *p)
{
	do
		*w->at++ = *p++;
	while (p[-1] != '=' && *p != '\0' && !isspace((unsigned char)*p) &&
	    strchr(";='\"", *p) == NULL);
	*w->at++ = '\0';
	return p;
}

/* Cut sql into words, which are put behind each other at w->at. A word takes
 * one byte more than its text: there is room for twice the text. */
static enum command_verdict
command_split(struct words *w, const char *sql)
{
	bool ended = false;
	const char *p = sql;

	for (;;) {
		p = command_skip(p);
		if (p == NULL)
			return COMMAND_OPEN;
		if (*p == '\0')
			return w->n > 0 ? COMMAND_FITS : COMMAND_EMPTY;
		if (*p == ';') {
			ended = w->n > 0;
			p++;
			continue;
		}
		if (ended)
			return COMMAND_SEVERAL;
		if (w->n == COMMAND_WORDS_MAX)
			return COMMAND_LONG;
		w->v[w->n++] = (struct word){ w->at, *p == '\'' || *p == '"' };
		p = w->v[w->n - 1].quoted ? command_quoted(w, p) :
		    command_bare(w, p);
		if (p == NULL)
			return COMMAND_OPEN;
	}
}

/* ------------------------------------------------------------ patterns */

static bool
command_number(const struct word *word, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)word->s[0]))
		return false;
	errno = 0;
	*out = strtoull(word->s, &end, 10);
	return errno == 0 && *end == '\0';
}

static bool
command_one_of(const char *word, const char *const *names, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcasecmp(word, names[i]) == 0)
			return true;
	return false;
}

static bool
command_is_setting(const char *word)
{
	bool reloadable;

	return conf_setting_name(word, &reloadable) != NULL;
}

/* What drivers set at login or around transactions; the answers of the console
 * do not depend on it. */
static bool
command_is_drivers(const char *word)
{
	static const char *const names[] = { "application_name", "bytea_output",
		"client_encoding", "client_min_messages", "datestyle",
		"extra_float_digits", "idle_in_transaction_session_timeout",
		"intervalstyle", "lock_timeout", "names", "search_path",
		"session", "standard_conforming_strings",
		"statement_timeout", "time", "timezone", "transaction" };

	return command_one_of(word, names, ARRAY_SIZE(names));
}

static void
command_join(struct command_line *l, const struct words *w, int from)
{
	char *at = l->value;
	int i;

	/* Together they are no longer than the command. */
	for (i = from; i < w->n; i++)
		at = stpcpy(stpcpy(at, i > from ? " " : ""), w->v[i].s);
}

/* Does one word fit one of the pattern, len bytes at p? */
static bool
command_word_fits(struct command_line *l, const struct word *word,
    const char *p, size_t len)
{
	switch (len == 1 ? *p : '\0') {
	case '#':
		return command_number(word, &l->number);
	case '$':
		if (l->n_names++ == 0)
			l->name = word->s;
		else
			l->more[l->n_names - 2] = word->s;
		return true;
	case '%':
		l->name = word->s;
		return command_is_setting(word->s);
	case '&':
		return command_is_drivers(word->s);
	case '=':
		return !word->quoted && (strcmp(word->s, "=") == 0 ||
		    strcasecmp(word->s, "to") == 0);
	default:
		return !word->quoted && strlen(word->s) == len &&
		    strncasecmp(word->s, p, len) == 0;
	}
}

static bool
command_fits(struct command_line *l, const char *pattern,
    const struct words *w)
{
	size_t len;
	int i = 0;

	l->name = NULL;
	l->n_names = 0;
	for (;; pattern += len + (pattern[len] == ' '), i++) {
		len = strcspn(pattern, " ");
		if (len == 0)
			return i == w->n;
		if (*pattern == '*')
			return true;
		if (i == w->n)
			return false;
		if (*pattern == '+') {
			command_join(l, w, i);
			return true;
		}
		if (!command_word_fits(l, &w->v[i], pattern, len))
			return false;
	}
}

/* ------------------------------------------------------------ verdicts */

static bool
command_has_parameter(const struct words *w)
{
	int i;

	for (i = 0; i < w->n; i++)
		if (!w->v[i].quoted && w->v[i].s[0] == '$' &&
		    isdigit((unsigned char)w->v[i].s[1]))
			return true;
	return false;
}

/* Why no row fits. */
static enum command_verdict
command_blame(const struct words *w)
{
	static const char *const sql[] = { "alter", "call", "copy", "create",
		"declare", "delete", "do", "drop", "execute", "explain",
		"grant", "insert", "listen", "lock", "merge", "prepare",
		"revoke", "select", "table", "truncate", "update", "vacuum",
		"values", "with" };

	if (command_has_parameter(w))
		return COMMAND_PARAMETER;
	if (command_one_of(w->v[0].s, sql, ARRAY_SIZE(sql)))
		return COMMAND_SQL;
	if (w->n > 1 && strcasecmp(w->v[0].s, "set") == 0 &&
	    !command_is_setting(w->v[1].s))
		return COMMAND_SETTING;
	return COMMAND_UNKNOWN;
}

enum command_verdict
command_parse(struct command_line *l, const char *sql)
{
	struct words w = { .n = 0, .at = l->text };
	enum command_verdict v;
	unsigned i;

	l->command = NULL;
	l->number = 0;
	l->value[0] = '\0';
	if (strlen(sql) >= COMMAND_TEXT_MAX)
		return COMMAND_LONG;
	v = command_split(&w, sql);
	/* Better words for what psql asks of catalogs. */
	if (v == COMMAND_LONG && command_blame(&w) == COMMAND_SQL)
		return COMMAND_SQL;
	if (v != COMMAND_FITS)
		return v;
	for (i = 0; i < n_commands; i++)
		if (command_fits(l, commands[i].words, &w)) {
			l->command = &commands[i];
			return COMMAND_FITS;
		}
	return command_blame(&w);
}

const struct command_refusal *
command_refusal(enum command_verdict v)
{
	static const char help[] = "SHOW HELP lists the commands.";
	static const struct command_refusal all[COMMAND_VERDICT_COUNT] = {
		[COMMAND_LONG] = { "54000", "the console command is too long",
			help },
		[COMMAND_OPEN] = { "42601",
			"unterminated quote or comment in a console command",
			help },
		[COMMAND_SEVERAL] = { "42601",
			"the console takes one command at a time",
			"Send each in a message of its own: with psql, give "
			"each its own -c." },
		[COMMAND_PARAMETER] = { "0A000",
			"console commands take no parameters",
			"Write the value into the text of the command." },
		[COMMAND_SQL] = { "0A000", "this is the console of pgsluice: "
			"it knows commands, not SQL",
			"SHOW HELP lists the commands. Connect to another "
			"database for SQL." },
		[COMMAND_SETTING] = { "42704", "unrecognized setting",
			"SHOW CONFIG lists the settings." },
		[COMMAND_UNKNOWN] = { "42601", "unknown console command",
			help },
	};

	CHECK(v < COMMAND_VERDICT_COUNT && all[v].message != NULL);
	return &all[v];
}

/* ------------------------------------------------------------ permission */

bool
command_may(enum console_role role, enum command_permission p)
{
	static const enum console_role least[] = {
#define CONSOLE_ROLE(sym, name, setting, doc) \
		[COMMAND_##sym] = CONSOLE_ROLE_##sym,
#include "tbl/console_roles.h"
	};

	return p != COMMAND_DENY && p < ARRAY_SIZE(least) &&
	    role != CONSOLE_ROLE_NONE && role >= least[p];
}

static const struct {
	const char *name, *setting;
} permissions[] = {
	[COMMAND_DENY] = { "nobody", "" },
#define CONSOLE_ROLE(sym, name, setting, doc) \
	[COMMAND_##sym] = { name, #setting },
#include "tbl/console_roles.h"
};

const char *
command_permission_name(enum command_permission p)
{
	CHECK(p < ARRAY_SIZE(permissions));
	return permissions[p].name;
}

const char *
command_permission_setting(enum command_permission p)
{
	CHECK(p < ARRAY_SIZE(permissions));
	return permissions[p].setting;
}
