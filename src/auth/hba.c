/* SPDX-License-Identifier: PostgreSQL
 *
 * The set of rules: life, loading, matching.
 *
 * Knows nothing of how a method is carried out.  Matching never changes a set,
 * so it needs no lock; loading runs on the control thread.
 */
#include "auth/hba.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/authfile.h"
#include "auth/hba_priv.h"

static const char *const method_words[AUTH_METHOD_COUNT] = {
#define AUTH_METHOD(sym, word, doc) [AUTH_##sym] = word,
#include "tbl/auth_methods.h"
};

const char *
auth_method_word(enum auth_method m)
{
	return method_words[m];
}

/* ---- life ---- */

static void
hba_name_fini(struct hba_name *n)
{
	if (n->kind == NAME_REGEX)
		regfree(&n->re);
	free(n->text);
}

static void
hba_names_fini(struct hba_names *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		hba_name_fini(&l->v[i]);
	free(l->v);
}

static void
hba_free(struct hba *h)
{
	size_t i;

	for (i = 0; i < h->n; i++) {
		hba_names_fini(&h->rules[i].databases);
		hba_names_fini(&h->rules[i].users);
		free(h->rules[i].nets);
		free(h->rules[i].map);
	}
	free(h->rules);
	for (i = 0; i < h->n_maps; i++) {
		hba_name_fini(&h->maps[i].system_user);
		free(h->maps[i].map);
		free(h->maps[i].user);
	}
	free(h->maps);
	h->magic = 0;
	free(h);
}

void
hba_ref(struct hba *h)
{
	unsigned before;

	CHECK_MAGIC(h, HBA_MAGIC);
	before = atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
	CHECK(before > 0);
}

void
hba_unref(struct hba **hp)
{
	struct hba *h = *hp;
	unsigned before;

	*hp = NULL;
	if (h == NULL)
		return;
	CHECK_MAGIC(h, HBA_MAGIC);
	before = atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel);
	CHECK(before > 0);
	if (before == 1)
		hba_free(h);
}

size_t
hba_count(const struct hba *h)
{
	CHECK_MAGIC(h, HBA_MAGIC);
	return h->n;
}

bool
hba_wants_certificates(const struct hba *h)
{
	size_t i;

	CHECK_MAGIC(h, HBA_MAGIC);
	for (i = 0; i < h->n; i++)
		if (h->rules[i].rule.clientcert != CLIENTCERT_NO)
			return true;
	return false;
}

/* ---- loading ---- */

struct hba *
hba_load(const char *path, const char *ident_path, char *err, size_t err_size)
{
	struct hba *h = NULL;
	struct buf rules, ident;
	char why[256];

	buf_init(&rules, AUTHFILE_MAX);
	buf_init(&ident, AUTHFILE_MAX);
	if (!authfile_read(path, false, &rules, why, sizeof(why)))
		(void)snprintf(err, err_size, "%s: %s", path, why);
	else if (ident_path[0] != '\0' &&
	    !authfile_read(ident_path, false, &ident, why, sizeof(why)))
		(void)snprintf(err, err_size, "%s: %s", ident_path, why);
	else
		h = hba_parse(path, slice_make(buf_head(&rules),
		    buf_len(&rules)), ident_path,
		    slice_make(buf_head(&ident), buf_len(&ident)), err,
		    err_size);
	buf_reset(&rules);
	buf_reset(&ident);
	if (h != NULL && h->n == 0) {
		(void)snprintf(err, err_size, "%s: no rule, expected one or "
		    "more", path);
		hba_unref(&h);
	}
	return h;
}

struct hba *
hba_of_method(enum auth_method m)
{
	static const char *const lines[AUTH_METHOD_COUNT] = {
		[AUTH_TRUST] = "local all all trust\nhost all all all trust\n",
		[AUTH_REJECT] = "",
		[AUTH_PASSWORD] = "local all all password\n"
		    "hostssl all all all password\n",
		[AUTH_MD5] = "local all all md5\nhost all all all md5\n",
		[AUTH_SCRAM] = "local all all scram-sha-256\n"
		    "host all all all scram-sha-256\n",
		[AUTH_CERT] = "hostssl all all all cert\n",
		[AUTH_PEER] = "local all all peer\n",
	};
	char err[256] = "";
	struct hba *h = hba_parse(auth_method_word(m), slice_str(lines[m]), "",
	    slice_make(NULL, 0), err, sizeof(err));

	CHECK(h != NULL);
	return h;
}

/* ---- matching ---- */

static bool
hba_conn_is(enum hba_conn conn, const struct hba_ask *ask)
{
	bool local = ask->from->sa_family == AF_UNIX;

	switch (conn) {
	case HBA_LOCAL:
		return local;
	case HBA_HOST:
		return !local;
	case HBA_HOSTSSL:
		return !local && ask->tls;
	case HBA_HOSTNOSSL:
		return !local && !ask->tls;
	}
	WRONG("connection type");
}

static bool
hba_name_is(const struct hba_name *n, const char *name)
{
	if (n->kind == NAME_REGEX)
		return regexec(&n->re, name, 0, NULL, 0) == 0;
	return n->kind == NAME_ALL || strcmp(n->text, name) == 0;
}

/* "replication" fits physical replication, and that fits nothing else. */
static bool
hba_database_is(const struct hba_names *l, const struct hba_ask *ask)
{
	const struct hba_name *n;
	size_t i;

	for (i = 0; i < l->n; i++) {
		n = &l->v[i];
		if (ask->replication || n->kind == NAME_REPLICATION) {
			if (ask->replication && n->kind == NAME_REPLICATION)
				return true;
		} else if (n->kind == NAME_SAMEUSER) {
			if (strcmp(ask->database, ask->user) == 0)
				return true;
		} else if (hba_name_is(n, ask->database)) {
			return true;
		}
	}
	return false;
}

static bool
hba_user_is(const struct hba_names *l, const char *user)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (hba_name_is(&l->v[i], user))
			return true;
	return false;
}

const struct hba_rule *
hba_match(const struct hba *h, const struct hba_ask *ask)
{
	const struct hba_entry *e;
	size_t i;

	CHECK_MAGIC(h, HBA_MAGIC);
	for (i = 0; i < h->n; i++) {
		e = &h->rules[i];
		if (hba_conn_is(e->conn, ask) &&
		    (e->conn == HBA_LOCAL || e->any_address ||
		    hba_net_has(e, ask->from)) &&
		    hba_database_is(&e->databases, ask) &&
		    hba_user_is(&e->users, ask->user))
			return &e->rule;
	}
	return NULL;
}
