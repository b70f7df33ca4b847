/* SPDX-License-Identifier: PostgreSQL
 *
 * The command line of pgsluicectl.  Pure.
 *
 * Every option has one row with the commands that take it; what a command needs
 * beyond that is looked at when all words are read.
 */
#include "ctl/options.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/units.h"
#include "ctl/help.h"

#define CTL_BIT(c) (1u << CTL_##c)
#define CTL_ALL (~0u)
#define SECONDS_MIN 0.1
#define SECONDS_MAX 86400.0
#define CTL_CONNECTS (CTL_BIT(EXPLAIN) | CTL_BIT(CAPTURE) | CTL_BIT(TOP))

/* ---- rows -------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum ctl_command command;
	unsigned min, max; /* words behind it */
	const char *words; /* what they are */
} ctl_commands[] = {
	{ "check", CTL_CHECK, 1, 1, "FILE" },
	{ "report", CTL_REPORT, 1, 1, "FILE" },
	{ "explain", CTL_EXPLAIN, 1, 1, "'SQL'" },
	{ "capture", CTL_CAPTURE, 0, 0, "without a word behind it" },
	{ "top", CTL_TOP, 0, 0, "without a word behind it" },
	{ "diff", CTL_DIFF, 2, 2, "OLD NEW, two files" },
};

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_SECONDS, OPTION_COUNT };

#define AT(field) offsetof(struct ctl_options, field)
static const struct option_row {
	const char *name;
	char letter; /* or '\0' */
	enum option_kind kind;
	size_t at;
	unsigned commands;
} ctl_rows[] = {
	{ "--help", '\0', OPTION_FLAG, AT(help), CTL_ALL },
	{ "--version", 'V', OPTION_FLAG, AT(version), CTL_ALL },
	{ "--host", 'h', OPTION_TEXT, AT(host), CTL_CONNECTS },
	{ "--port", 'p', OPTION_TEXT, AT(port), CTL_CONNECTS },
	{ "--username", 'U', OPTION_TEXT, AT(login), CTL_CONNECTS },
	{ "--dbname", 'd', OPTION_TEXT, AT(conninfo), CTL_CONNECTS },
	{ "--markdown", '\0', OPTION_FLAG, AT(markdown), CTL_BIT(REPORT) },
	{ "--live", '\0', OPTION_FLAG, AT(live), CTL_BIT(EXPLAIN) },
	{ "--conf", 'f', OPTION_TEXT, AT(conf), CTL_BIT(EXPLAIN) },
	{ "--database", '\0', OPTION_TEXT, AT(database),
	    CTL_BIT(EXPLAIN) | CTL_BIT(DIFF) },
	{ "--user", '\0', OPTION_TEXT, AT(user), CTL_BIT(EXPLAIN) },
	{ "--shapes", '\0', OPTION_TEXT, AT(shapes), CTL_BIT(DIFF) },
	{ "--interval", 'i', OPTION_SECONDS, AT(interval), CTL_BIT(TOP) },
	{ "--count", 'n', OPTION_COUNT, AT(count), CTL_BIT(TOP) },
	{ "--sort", '\0', OPTION_TEXT, AT(sort), CTL_BIT(TOP) },
	{ "--routes", '\0', OPTION_FLAG, AT(routes), CTL_BIT(DIFF) },
};
#undef AT

/* ---- reading ------------------------------------------------------------------ */

struct reading {
	struct ctl_options *o;
	int argc, at;
	char *const *argv;
	bool only_words;         /* "--" has been met */
	bool seen[ARRAY_SIZE(ctl_rows)];
	char *why;
	size_t size;
};

static bool options_wrong(const struct reading *r, const char *fmt, ...)
    PG_PRINTF(2, 3);

/* false, for the caller to return. */
static bool
options_wrong(const struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, r->size, fmt, ap);
	va_end(ap);
	return false;
}

static bool
options_seconds(const struct reading *r, const struct option_row *row,
    const char *value)
{
	char *end;
	bool decimal = value[strspn(value, "0123456789.")] == '\0';
	double v = decimal && *value != '\0' ? strtod(value, &end) : -1;
	nsec_t t;

	if (v < SECONDS_MIN || v > SECONDS_MAX || *end != '\0')
		return options_wrong(r, "%s: %.80s, expected seconds from %g "
		    "to %g", row->name, value, SECONDS_MIN, SECONDS_MAX);
	t = (nsec_t)(v * 1e9);
	memcpy((char *)r->o + row->at, &t, sizeof(t));
	return true;
}

static bool
options_count(const struct reading *r, const struct option_row *row,
    const char *value)
{
	int64_t v = 0;
	uint64_t n;

	if (!units_parse_int(value, &v) || v < 1)
		return options_wrong(r, "%s: %.80s, expected a number from 1 "
		    "on", row->name, value);
	n = (uint64_t)v;
	memcpy((char *)r->o + row->at, &n, sizeof(n));
	return true;
}

/* Set a row's field. value: what stands in the same word, or NULL: if it takes
 * one, the next word is it. */
static bool
options_set(struct reading *r, size_t i, const char *value)
{
	const struct option_row *row = &ctl_rows[i];
	char *field = (char *)r->o + row->at;

	r->seen[i] = true;
	if (row->kind == OPTION_FLAG) {
		if (value != NULL)
			return options_wrong(r, "%s takes no value",
			    row->name);
		*(bool *)(void *)field = true;
		return true;
	}
	if (value == NULL && r->at + 1 < r->argc)
		value = r->argv[++r->at];
	if (value == NULL)
		return options_wrong(r, "%s needs a value", row->name);
	if (row->kind == OPTION_SECONDS)
		return options_seconds(r, row, value);
	if (row->kind == OPTION_COUNT)
		return options_count(r, row, value);
	memcpy(field, &value, sizeof(value));
	return true;
}

static bool
options_unknown(const struct reading *r, const char *word)
{
	return options_wrong(r, "unknown option: %.80s%s", word,
	    strpbrk(word, " \t\n") != NULL ? " (what is no option, but begins "
	    "with -, goes behind --)" : "");
}

static bool
options_long(struct reading *r, const char *word)
{
	size_t n = strcspn(word, "="), i;

	for (i = 0; i < ARRAY_SIZE(ctl_rows); i++)
		if (strlen(ctl_rows[i].name) == n &&
		    memcmp(ctl_rows[i].name, word, n) == 0)
			return options_set(r, i, word[n] == '=' ?
			    word + n + 1 : NULL);
	return options_unknown(r, word);
}

static bool
options_short(struct reading *r, const char *word)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ctl_rows); i++)
		if (word[1] != '\0' && ctl_rows[i].letter == word[1])
			return options_set(r, i, word[2] != '\0' ? word + 2 :
			    NULL);
	return options_unknown(r, word);
}

static bool
options_command(struct reading *r, const char *word)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ctl_commands); i++)
		if (strcmp(word, ctl_commands[i].name) == 0) {
			r->o->command = ctl_commands[i].command;
			return true;
		}
	return options_wrong(r, "unknown command: %.80s", word);
}

static bool
options_word(struct reading *r, const char *word)
{
	struct ctl_options *o = r->o;

	if (o->command == CTL_NONE)
		return options_command(r, word);
	if (o->n_words == ARRAY_SIZE(o->words))
		return options_wrong(r, "too many words: %.80s", word);
	o->words[o->n_words++] = word;
	return true;
}

static bool
options_one(struct reading *r)
{
	const char *word = r->argv[r->at];

	if (r->only_words || word[0] != '-' || word[1] == '\0')
		return options_word(r, word);
	if (strcmp(word, "--") == 0) {
		r->only_words = true;
		return true;
	}
	return word[1] == '-' ? options_long(r, word) :
	    options_short(r, word);
}

/* ---- what belongs together ------------------------------------------------------ */

static bool
options_explain(const struct reading *r)
{
	const struct ctl_options *o = r->o;

	if (o->live == (o->conf != NULL))
		return options_wrong(r, "explain needs either --conf FILE or "
		    "--live");
	if (o->live && (o->database != NULL || o->user != NULL))
		return options_wrong(r, "--database and --user go with --conf; "
		    "--live has -d and -U");
	if (!o->live && (o->conninfo != NULL || o->host != NULL ||
	    o->port != NULL || o->login != NULL))
		return options_wrong(r, "-d, -h, -p and -U go with --live; "
		    "--conf has --database and --user");
	return true;
}

static bool
options_whole(const struct reading *r)
{
	const struct ctl_options *o = r->o;
	size_t i;

	if (o->help || o->version)
		return true;
	if (o->command == CTL_NONE)
		return options_wrong(r, "a command is missing");
	for (i = 0; i < ARRAY_SIZE(ctl_rows); i++)
		if (r->seen[i] &&
		    (ctl_rows[i].commands & (1u << o->command)) == 0)
			return options_wrong(r, "%s is no option of this "
			    "command", ctl_rows[i].name);
	for (i = 0; ctl_commands[i].command != o->command; )
		i++;
	if (o->n_words < ctl_commands[i].min ||
	    o->n_words > ctl_commands[i].max)
		return options_wrong(r, "expected: %s %s",
		    ctl_commands[i].name, ctl_commands[i].words);
	if (o->command == CTL_DIFF && o->shapes == NULL)
		return options_wrong(r, "diff needs --shapes FILE");
	return o->command != CTL_EXPLAIN || options_explain(r);
}

bool
ctl_options_parse(struct ctl_options *o, int argc, char *const *argv,
    char *why, size_t size)
{
	struct reading r = { .o = o, .argc = argc, .argv = argv, .why = why,
		.size = size };

	*o = (struct ctl_options){ .command = CTL_NONE,
		.interval = NSEC_PER_SEC, .count = UINT64_MAX, .sort = "time" };
	for (r.at = 1; r.at < argc; r.at++)
		if (!options_one(&r))
			return false;
	return options_whole(&r);
}

const char *
ctl_options_help(enum ctl_command command)
{
	CHECK(command < CTL_COMMANDS);
	return ctl_help[command];
}
