/* SPDX-License-Identifier: PostgreSQL
 *
 * Intern table of scopes.  Any thread; one short lock, taken when a server
 * connects or a session's settings change, never on the path of a statement.
 */
#include "backend/scope.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/htab.h"
#include "base/planted.h"

struct scope_entry {
	struct htab_node node;
	struct scope scope;
};

static pthread_mutex_t scope_lock = PTHREAD_MUTEX_INITIALIZER;
static struct htab scope_tab;
static uint32_t scope_count, scope_with_count;

static bool
scope_has_line(const char *settings, const char *line)
{
	const char *p = settings;
	size_t n = strlen(line);

	while ((p = strstr(p, line)) != NULL) {
		if ((p == settings || p[-1] == '\n') &&
		    (p[n] == '\n' || p[n] == '\0'))
			return true;
		p += n;
	}
	return false;
}

/* What stands behind "name=", up to the end of the line; NULL: no such. */
static const char *
scope_value(const char *settings, const char *name)
{
	const char *p = settings;
	size_t n = strlen(name);

	while ((p = strstr(p, name)) != NULL) {
		if (p == settings || p[-1] == '\n')
			return p + n;
		p += n;
	}
	return NULL;
}

/* Both settings are there with one value. */
static bool
scope_same_value(const char *settings, const char *a, const char *b)
{
	const char *va = scope_value(settings, a);
	const char *vb = scope_value(settings, b);
	size_t n;

	if (va == NULL || vb == NULL)
		return false;
	n = strcspn(va, "\n");
	return n == strcspn(vb, "\n") && strncmp(va, vb, n) == 0;
}

static bool
scope_has_ascii_tails(const char *settings)
{
	static const char *const encodings[] = {
		"client_encoding=SJIS", "client_encoding=BIG5",
		"client_encoding=GBK", "client_encoding=UHC",
		"client_encoding=GB18030", "client_encoding=JOHAB",
		"client_encoding=SHIFT_JIS_2004",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(encodings); i++)
		if (scope_has_line(settings, encodings[i]))
			return true;
	return false;
}

static struct scope_entry *
scope_find(const char *text, uint64_t hash)
{
	struct htab_node *n;
	struct scope_entry *e;

	for (n = htab_find(&scope_tab, hash); n != NULL; n = htab_next(n)) {
		e = htab_entry(n, struct scope_entry, node);
		if (strcmp(e->scope.text, text) == 0)
			return e;
	}
	return NULL;
}

/* The text without wishes, or NULL if it has none; these go to *w. */
static char *
scope_without_wishes(const char *text, size_t identity_len, struct wishes *w)
{
	const char *p = text + identity_len + 1, *end;
	char *rest = x_malloc(strlen(text) + 1), *out, *line, *value;
	bool any = false;
	enum wish of;

	*w = WISHES_NONE;
	out = mempcpy(rest, text, identity_len + 1);
	for (; *p != '\0'; p = end) {
		end = p + strcspn(p, "\n");
		line = x_strndup(p, (size_t)(end - p));
		value = line + strcspn(line, "=");
		end += *end == '\n';
		if (*value == '=')
			*value++ = '\0';
		of = wish_find(line);
		if (of < WISH_COUNT)
			wishes_set(w, of, value);
		else
			out = mempcpy(out, p, (size_t)(end - p));
		any |= of < WISH_COUNT;
		free(line);
	}
	*out = '\0';
	if (any)
		return rest;
	free(rest);
	return NULL;
}

static struct scope_entry *
scope_new(char *text, size_t identity_len)
{
	struct scope_entry *e = x_calloc(1, sizeof(*e));
	const char *settings = text + identity_len + 1;

	e->scope.id = ++scope_count;
	e->scope.results = &e->scope;
	e->scope.wishes = WISHES_NONE;
	if (PLANTED(USER_LEFT_OUT)) {
		const char *path = scope_value(settings, "search_path=");

		e->scope.id = (uint32_t)hash_bytes(path,
		    strcspn(path, "\n")).lo;
	}
	e->scope.text = text;
	e->scope.identity_len = identity_len;
	e->scope.settings = hash_bytes(settings, strlen(settings));
	e->scope.read_committed = scope_has_line(settings,
	    "default_transaction_isolation=read committed");
	e->scope.conforming = scope_has_line(settings,
	    "standard_conforming_strings=on");
	e->scope.ascii_tails = scope_has_ascii_tails(settings);
	e->scope.recoded = !scope_same_value(settings, "client_encoding=",
	    "server_encoding=");
	return e;
}

/* Takes the text over; under the lock. results: NULL, or of a text with these
 * wishes. NULL: there are too many. */
static const struct scope *
scope_take(char *text, size_t identity_len, bool with,
    const struct scope *results, const struct wishes *wishes)
{
	uint64_t hash = hash_bytes(text, strlen(text)).lo;
	struct scope_entry *e = scope_find(text, hash);

	if (e == NULL && scope_count < SCOPES_MAX &&
	    (!with || scope_with_count < SCOPES_WITH_MAX)) {
		scope_with_count += with;
		e = scope_new(text, identity_len);
		if (results != NULL) {
			e->scope.results = results;
			e->scope.settings = results->settings;
			e->scope.wishes = *wishes;
		}
		htab_insert(&scope_tab, &e->node, hash);
		text = NULL;
	}
	free(text);
	return e != NULL ? &e->scope : NULL;
}

/* Takes the text over. */
static const struct scope *
scope_get(char *text, size_t identity_len, bool with)
{
	const struct scope *found = NULL, *results = NULL;
	struct wishes wishes;
	char *rest = scope_without_wishes(text, identity_len, &wishes);

	pthread_mutex_lock(&scope_lock);
	if (rest != NULL)
		results = scope_take(rest, identity_len, with, NULL, NULL);
	if (rest == NULL || results != NULL)
		found = scope_take(text, identity_len, with, results,
		    &wishes);
	else
		free(text);
	pthread_mutex_unlock(&scope_lock);
	return found;
}

const struct scope *
scope_intern(const char *identity, const char *settings)
{
	char *text;

	if (asprintf(&text, "%s\n%s", identity, settings) < 0)
		return NULL;
	return scope_get(text, strlen(identity), false);
}

struct scope_search {
	uint32_t id;
	const struct scope *found;
};

static void
scope_look(struct htab_node *n, void *arg)
{
	const struct scope_entry *e = htab_entry(n, struct scope_entry, node);
	struct scope_search *s = arg;

	if (e->scope.id == s->id)
		s->found = &e->scope;
}

const struct scope *
scope_find_id(uint32_t id)
{
	struct scope_search s = { id, NULL };

	pthread_mutex_lock(&scope_lock);
	htab_each(&scope_tab, scope_look, &s);
	pthread_mutex_unlock(&scope_lock);
	return s.found;
}

/* ---- with what a session has set ------------------------------------------------ */

static const char *
scope_settings(const struct scope *sc)
{
	return sc->text + sc->identity_len + 1;
}

bool
scope_has(const struct scope *sc, const char *name, const char *value)
{
	char *line;
	bool has;

	if (asprintf(&line, "%s=%s", name, value) < 0)
		return false;
	has = scope_has_line(scope_settings(sc), line);
	free(line);
	return has;
}

bool
scope_keeps_user(const struct scope *sc)
{
	return scope_same_value(scope_settings(sc), "current_user=",
	    "session_user=");
}

/* The place in v of the setting that a line is about, whatever its case; v->n:
 * none. */
static size_t
scope_line_var(const struct vars *v, const char *line, size_t name_len)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (strlen(v->var[i].name) == name_len &&
		    strncasecmp(v->var[i].name, line, name_len) == 0)
			break;
	return i;
}

const struct scope *
scope_with(const struct scope *base, const struct vars *v)
{
	bool in_line[VARS_MAX] = { false };
	const char *p = scope_settings(base), *end;
	size_t n, i, size;
	char *text;
	FILE *f;

	if (v == NULL || hash_eq(v->shaping, (struct hash128){ 0, 0 }))
		return base;
	f = open_memstream(&text, &size);
	CHECK(f != NULL);
	fprintf(f, "%.*s\n", (int)base->identity_len, base->text);
	for (; *p != '\0'; p = *end == '\n' ? end + 1 : end) {
		end = p + strcspn(p, "\n");
		n = strcspn(p, "=\n");
		i = scope_line_var(v, p, n);
		if (PLANTED(SEARCH_PATH_LEFT_OUT) && n == 11 &&
		    strncmp(p, "search_path", n) == 0) {
			if (i < v->n)
				in_line[i] = true;
			i = v->n;
		}
		if (i < v->n) {
			in_line[i] = true;
			fprintf(f, "%.*s=%s\n", (int)n, p, v->var[i].value);
		} else {
			fprintf(f, "%.*s\n", (int)(end - p), p);
		}
	}
	for (i = 0; i < v->n; i++)
		if (!in_line[i] && !vars_is_harmless(v->var[i].name))
			fprintf(f, "%s=%s\n", v->var[i].name,
			    v->var[i].value);
	CHECK(fclose(f) == 0);
	return scope_get(text, base->identity_len, true);
}
