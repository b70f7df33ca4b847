/* SPDX-License-Identifier: PostgreSQL
 *
 * Names of the JSON API, out of its tables and that of console commands.
 *
 * Pure.
 */
#include "admin/api_names.h"

#include <ctype.h>
#include <string.h>

#include "admin/api_own.h"

static const struct api_row rows[] = {
#define API_PAGE(page, doc) { API_ROW_PAGE, #page, NULL, NULL, doc },
#define API_SHOW(key, command, doc) { API_ROW_SHOW, #key, command, NULL, doc },
#define API_OWN(key, writer, doc) { API_ROW_OWN, #key, NULL, writer, doc },
#include "tbl/api_pages.h"
	{ API_ROW_END, NULL, NULL, NULL, NULL }
};

static const struct {
	const char *name, *words, *doc;
} actions[] = {
#define API_ACTION(name, words, doc) { name, words, doc },
#include "tbl/api_actions.h"
};

static const char show_word[] = "SHOW ";

/* ------------------------------------------------------------ finding */

const struct api_row *
api_page(struct slice name)
{
	const struct api_row *r;

	for (r = rows; r->kind != API_ROW_END; r++)
		if (r->kind == API_ROW_PAGE && slice_eq_str(name, r->name))
			return r;
	return NULL;
}

/* Length of a view's name: the command's words without SHOW and arguments; 0:
 * it shows nothing. */
static size_t
show_name(const struct command *c)
{
	const char *words = c->words + sizeof(show_word) - 1;
	size_t n;

	if (strncmp(c->words, show_word, sizeof(show_word) - 1) != 0 ||
	    c->columns[0] == '\0')
		return 0;
	n = strcspn(words, "$#");
	return n > 0 && words[n] != '\0' ? n - 1 : n;
}

static char
show_letter(char c)
{
	return c == ' ' ? '_' : (char)tolower((unsigned char)c);
}

const struct command *
api_show(struct slice name)
{
	const char *words;
	unsigned k;
	size_t i;

	for (k = 0; k < n_commands; k++) {
		if (name.n == 0 || show_name(&commands[k]) != name.n)
			continue;
		words = commands[k].words + sizeof(show_word) - 1;
		for (i = 0; i < name.n && show_letter(words[i]) == name.p[i];)
			i++;
		if (i == name.n)
			return &commands[k];
	}
	return NULL;
}

const char *
api_action(struct slice name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(actions); i++)
		if (slice_eq_str(name, actions[i].name))
			return actions[i].words;
	return NULL;
}

/* ------------------------------------------------------------ composing */

struct compose {
	char *at, *end;
	bool full;
};

static void
compose_put(struct compose *c, char letter)
{
	if (c->at + 1 < c->end)
		*c->at++ = letter;
	else
		c->full = true;
}

static void
compose_quoted(struct compose *c, const char *text)
{
	compose_put(c, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			compose_put(c, '"');
		compose_put(c, *text);
	}
	compose_put(c, '"');
}

static bool
compose_number(struct compose *c, const char *text)
{
	if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
		return false;
	for (; *text != '\0'; text++)
		compose_put(c, *text);
	return true;
}

bool
api_compose(const char *words, const char *const *args, unsigned n,
    char *out, size_t size)
{
	struct compose c = { out, out + size, false };
	unsigned used = 0;

	for (; *words != '\0'; words++) {
		if (*words != '$' && *words != '#') {
			compose_put(&c, *words);
			continue;
		}
		if (used == n)
			return false;
		if (*words == '$')
			compose_quoted(&c, args[used]);
		else if (!compose_number(&c, args[used]))
			return false;
		used++;
	}
	*c.at = '\0';
	return used == n && !c.full;
}

/* ------------------------------------------------------------ the index */

static unsigned
count_args(const char *words)
{
	unsigned n = 0;

	for (; *words != '\0'; words++)
		n += *words == '$' || *words == '#';
	return n;
}

static void
index_item(struct json *j, const char *name, const char *words,
    const char *doc)
{
	json_open(j, '{');
	json_key(j, "name");
	json_str(j, name);
	if (words != NULL) {
		json_key(j, "command");
		json_str(j, words);
		json_key(j, "args");
		json_u64(j, count_args(words));
	}
	json_key(j, "description");
	json_str(j, doc);
	json_close(j, '}');
}

static void
index_shows(struct json *j)
{
	char name[64];
	unsigned k;
	size_t i, n;

	for (k = 0; k < n_commands; k++) {
		n = show_name(&commands[k]);
		CHECK(n < sizeof(name));
		if (n == 0)
			continue;
		for (i = 0; i < n; i++)
			name[i] = show_letter(commands[k].words[
			    sizeof(show_word) - 1 + i]);
		name[n] = '\0';
		index_item(j, name, commands[k].words, commands[k].help);
	}
}

void
api_index(struct json *j)
{
	const struct api_row *r;
	size_t i;

	json_open(j, '{');
	json_key(j, "pages");
	json_open(j, '[');
	for (r = rows; r->kind != API_ROW_END; r++)
		if (r->kind == API_ROW_PAGE)
			index_item(j, r->name, NULL, r->doc);
	json_close(j, ']');
	json_key(j, "show");
	json_open(j, '[');
	index_shows(j);
	json_close(j, ']');
	json_key(j, "actions");
	json_open(j, '[');
	for (i = 0; i < ARRAY_SIZE(actions); i++)
		index_item(j, actions[i].name, actions[i].words,
		    actions[i].doc);
	json_close(j, ']');
	json_close(j, '}');
}
