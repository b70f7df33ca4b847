/* SPDX-License-Identifier: PostgreSQL
 *
 * User name maps: from a system user to the users it may log in as.
 *
 * As PostgreSQL does it: a system user that begins with a slash is a regular
 * expression, whose first group \1 in the user name stands for (POSIX extended
 * here, which has most of PostgreSQL's advanced ones); the user "all" is any.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/hba_priv.h"

bool
hba_take_mapping(struct hba_parse *p)
{
	const struct token *k[3];
	struct hba_mapping *m, *v;
	struct hba *h = p->h;
	unsigned i;

	for (i = 0; i < 3; i++)
		if (tokens_field(p->t, i, &k[i]) != 1)
			return hba_fail(p, "expected map-name, system-user "
			    "and user, one value each");
	if (p->t->n_fields > 3)
		return hba_fail(p, "more than three fields, expected "
		    "map-name, system-user and user");
	if (!k[0]->quoted && strncmp(k[0]->text, "include", 7) == 0)
		return hba_fail(p, "'%.64s' is not supported, expected the "
		    "maps in this file", k[0]->text);
	if (!k[2]->quoted && (k[2]->text[0] == '+' || k[2]->text[0] == '/'))
		return hba_fail(p, "user '%.64s': groups and expressions are "
		    "not supported here, expected a name or all", k[2]->text);
	if (h->n_maps == h->maps_size) {
		h->maps_size = h->maps_size > 0 ? 2 * h->maps_size : 16;
		v = x_calloc(h->maps_size, sizeof(*v));
		if (h->n_maps > 0)
			memcpy(v, h->maps, h->n_maps * sizeof(*v));
		free(h->maps);
		h->maps = v;
	}
	m = &h->maps[h->n_maps];
	if (!hba_take_name(p, k[1], &m->system_user))
		return false;
	if (m->system_user.kind == NAME_REGEX &&
	    strstr(k[2]->text, "\\1") != NULL &&
	    m->system_user.re.re_nsub == 0) {
		regfree(&m->system_user.re);
		free(m->system_user.text);
		return hba_fail(p, "'%.64s' has no group for \\1, expected "
		    "one in parentheses", k[1]->text);
	}
	m->map = x_strdup(k[0]->text);
	m->user = x_strdup(k[2]->text);
	m->user_is_all = !k[2]->quoted && strcmp(k[2]->text, "all") == 0;
	h->n_maps++;
	return true;
}

bool
hba_check_maps(struct hba_parse *p)
{
	const struct hba *h = p->h;
	size_t i, k;

	for (i = 0; i < h->n; i++) {
		if (h->rules[i].map == NULL)
			continue;
		for (k = 0; k < h->n_maps; k++)
			if (strcmp(h->maps[k].map, h->rules[i].map) == 0)
				break;
		if (k < h->n_maps)
			continue;
		p->t->line = h->rules[i].rule.line;
		return hba_fail(p, "map=%.64s: no such map, expected it in "
		    "auth_ident_file", h->rules[i].map);
	}
	return true;
}

/* Is user what m->user says, \1 standing for the bytes at at? */
static bool
mapping_is(const struct hba_mapping *m, struct slice group, const char *user)
{
	const char *hole = strstr(m->user, "\\1");
	size_t n = strlen(user), before, after;

	if (hole == NULL || group.p == NULL)
		return strcmp(m->user, user) == 0;
	before = (size_t)(hole - m->user);
	after = strlen(hole + 2);
	return n == before + group.n + after &&
	    memcmp(user, m->user, before) == 0 &&
	    memcmp(user + before, group.p, group.n) == 0 &&
	    strcmp(user + before + group.n, hole + 2) == 0;
}

static bool
mapping_allows(const struct hba_mapping *m, const char *system_user,
    const char *user)
{
	struct slice group = { NULL, 0 };
	regmatch_t at[2];

	if (m->system_user.kind != NAME_REGEX) {
		if (strcmp(m->system_user.text, system_user) != 0)
			return false;
	} else {
		if (regexec(&m->system_user.re, system_user, 2, at, 0) != 0)
			return false;
		/* A group that took no part stands for nothing. */
		group = m->system_user.re.re_nsub > 0 && at[1].rm_so >= 0 ?
		    slice_make(system_user + at[1].rm_so,
		    (size_t)(at[1].rm_eo - at[1].rm_so)) :
		    slice_make(system_user, 0);
	}
	return m->user_is_all || mapping_is(m, group, user);
}

bool
hba_ident(const struct hba *h, const char *map, const char *system_user,
    const char *user)
{
	size_t i;

	CHECK_MAGIC(h, HBA_MAGIC);
	if (map == NULL)
		return strcmp(system_user, user) == 0;
	for (i = 0; i < h->n_maps; i++)
		if (strcmp(h->maps[i].map, map) == 0 &&
		    mapping_allows(&h->maps[i], system_user, user))
			return true;
	return false;
}
