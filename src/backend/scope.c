/* SPDX-License-Identifier: PostgreSQL
 *
 * Intern table of scopes.  Any thread; one short lock, taken when a server
 * connects, never on the path of a statement.
 */
#include "backend/scope.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/htab.h"

struct scope_entry {
	struct htab_node node;
	struct scope scope;
};

static pthread_mutex_t scope_lock = PTHREAD_MUTEX_INITIALIZER;
static struct htab scope_tab;
static uint32_t scope_count;

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

const struct scope *
scope_intern(const char *identity, const char *settings)
{
	struct scope_entry *e = NULL;
	uint64_t hash;
	char *text;

	if (asprintf(&text, "%s\n%s", identity, settings) < 0)
		return NULL;
	hash = hash_bytes(text, strlen(text)).lo;
	pthread_mutex_lock(&scope_lock);
	if (scope_count == 0)
		htab_init(&scope_tab);
	else
		e = scope_find(text, hash);
	if (e == NULL && scope_count < SCOPES_MAX) {
		e = x_calloc(1, sizeof(*e));
		e->scope.id = ++scope_count;
		e->scope.text = text;
		e->scope.settings = hash_bytes(settings, strlen(settings));
		e->scope.read_committed = scope_has_line(settings,
		    "default_transaction_isolation=read committed");
		e->scope.conforming = scope_has_line(settings,
		    "standard_conforming_strings=on");
		e->scope.ascii_tails = scope_has_ascii_tails(settings);
		e->scope.recoded = !scope_same_value(settings,
		    "client_encoding=", "server_encoding=");
		htab_insert(&scope_tab, &e->node, hash);
		text = NULL;
	}
	pthread_mutex_unlock(&scope_lock);
	free(text);
	return e != NULL ? &e->scope : NULL;
}
