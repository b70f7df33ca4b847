/* SPDX-License-Identifier: PostgreSQL
 *
 * What can be asked of the JSON API: pages, views of console commands, actions.
 * Pure but for the index.
 */
#ifndef PGSLUICE_ADMIN_API_NAMES_H
#define PGSLUICE_ADMIN_API_NAMES_H

#include "admin/command.h"
#include "admin/control.h"
#include "base/json.h"

enum api_kind { API_ROW_PAGE, API_ROW_SHOW, API_ROW_OWN, API_ROW_END };

struct api_row {
	enum api_kind kind;
	const char *name;    /* of the page, or key of the part */
	const char *command; /* of SHOW */
	void (*write)(const struct control *c, struct json *j); /* of OWN */
	const char *doc;
};

/* The row of the page; its parts follow it, up to the next page or the end.
 * NULL: there is none. */
const struct api_row *api_page(struct slice name);
/* The command that a view shows: SHOW and its words, with _ for blanks. */
const struct command *api_show(struct slice name);
/* The words of the command that an action runs. */
const char *api_action(struct slice name);

#define API_ARGS_MAX 3
/* words with each $ and # replaced by the next argument. false: there are too
 * few, too many, or a # is none. */
bool api_compose(const char *words, const char *const *args, unsigned n,
    char *out, size_t size) PG_MUST_CHECK;

/* All of it, as one object. */
void api_index(struct json *j);

#endif
