/* SPDX-License-Identifier: PostgreSQL
 *
 * The text of a rule file turned into rules.
 *
 * As PostgreSQL 16 reads pg_hba.conf (regular expressions for databases and
 * users included), without what would need a catalog, another file or another
 * library: +role, @file, include, host names, GSSAPI, LDAP and the like are
 * mistakes here.  One mistake and there are no rules at all.  Pure but for
 * samehost and samenet.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/hba_priv.h"

#define HBA_NAMES_OK "trust, reject, password, md5, scram-sha-256, cert or peer"

bool
hba_fail(struct hba_parse *p, const char *fmt, ...)
{
	char text[384], *c;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (c = text; *c != '\0'; c++) /* names come from the file */
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	(void)snprintf(p->err, p->err_size, "%s:%d: %s", p->name, p->t->line,
	    text);
	return false;
}

bool
hba_take_name(struct hba_parse *p, const struct token *k, struct hba_name *out)
{
	char why[128];
	int r;

	*out = (struct hba_name){ .kind = NAME_LITERAL };
	if (!k->quoted && k->text[0] == '/') {
		r = regcomp(&out->re, k->text + 1, REG_EXTENDED);
		if (r != 0) {
			(void)regerror(r, &out->re, why, sizeof(why));
			return hba_fail(p, "'%.64s' is not a regular "
			    "expression: %s", k->text, why);
		}
		out->kind = NAME_REGEX;
	}
	out->text = x_strdup(k->text);
	return true;
}

/* ---- lists ---- */

static enum hba_name_kind
hba_keyword(const char *text, bool database)
{
	if (strcmp(text, "all") == 0)
		return NAME_ALL;
	if (database && strcmp(text, "sameuser") == 0)
		return NAME_SAMEUSER;
	if (database && strcmp(text, "replication") == 0)
		return NAME_REPLICATION;
	return NAME_LITERAL;
}

static bool
hba_list_allows(struct hba_parse *p, const struct token *k, bool database)
{
	if (k->quoted)
		return true;
	if (k->text[0] == '+')
		return hba_fail(p, "'%.64s': membership of a role is not "
		    "supported, expected the users' names", k->text);
	if (k->text[0] == '@')
		return hba_fail(p, "'%.64s': names out of a file are not "
		    "supported, expected the names", k->text);
	if (database && (strcmp(k->text, "samerole") == 0 ||
	    strcmp(k->text, "samegroup") == 0))
		return hba_fail(p, "'%s' is not supported, expected the "
		    "databases' names", k->text);
	return true;
}

static bool
hba_take_list(struct hba_parse *p, unsigned field, bool database,
    struct hba_names *out)
{
	const struct token *k;
	unsigned n = tokens_field(p->t, field, &k), i;
	enum hba_name_kind kind;

	if (n == 0)
		return hba_fail(p, "line ends early, expected a %s",
		    database ? "database" : "user");
	out->v = x_calloc(n, sizeof(*out->v));
	for (i = 0; i < n; i++) {
		if (!hba_list_allows(p, &k[i], database) ||
		    !hba_take_name(p, &k[i], &out->v[i]))
			return false;
		out->n++;
		kind = k[i].quoted ? NAME_LITERAL :
		    hba_keyword(k[i].text, database);
		if (kind != NAME_LITERAL)
			out->v[i].kind = kind;
	}
	return true;
}

/* ---- method and options ---- */

static bool
hba_take_method(struct hba_parse *p, struct hba_entry *e, const char *word)
{
	static const char *const foreign[] = { "gss", "sspi", "ident", "ldap",
		"radius", "pam", "bsd", "oauth" };
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(foreign); i++)
		if (strcmp(word, foreign[i]) == 0)
			return hba_fail(p, "method '%s' is not supported, "
			    "expected " HBA_NAMES_OK, word);
	for (i = 0; i < AUTH_METHOD_COUNT; i++)
		if (strcmp(word, auth_method_word((enum auth_method)i)) == 0)
			break;
	if (i == AUTH_METHOD_COUNT)
		return hba_fail(p, "unknown method '%.64s', expected "
		    HBA_NAMES_OK, word);
	e->rule.method = (enum auth_method)i;
	if (i == AUTH_PEER && e->conn != HBA_LOCAL)
		return hba_fail(p, "peer needs a unix socket, expected a line "
		    "with local");
	if (i == AUTH_CERT && e->conn != HBA_HOSTSSL)
		return hba_fail(p, "cert needs TLS, expected a line with "
		    "hostssl");
	if (i == AUTH_CERT)
		e->rule.clientcert = CLIENTCERT_VERIFY_FULL;
	return true;
}

static bool
hba_option_clientcert(struct hba_parse *p, struct hba_entry *e,
    const char *value)
{
	if (e->conn != HBA_HOSTSSL)
		return hba_fail(p, "clientcert needs TLS, expected a line "
		    "with hostssl");
	if (strcmp(value, "verify-full") == 0) {
		e->rule.clientcert = CLIENTCERT_VERIFY_FULL;
		return true;
	}
	if (strcmp(value, "verify-ca") != 0)
		return hba_fail(p, "clientcert=%.64s: expected verify-ca or "
		    "verify-full", value);
	if (e->rule.method == AUTH_CERT)
		return hba_fail(p, "clientcert=verify-ca with cert, expected "
		    "verify-full: the certificate names the user");
	e->rule.clientcert = CLIENTCERT_VERIFY_CA;
	return true;
}

static bool
hba_option(struct hba_parse *p, struct hba_entry *e, const char *text)
{
	const char *value = strchr(text, '=');
	size_t n;

	if (value == NULL)
		return hba_fail(p, "'%.64s' is not an option, expected "
		    "name=value", text);
	n = (size_t)(value++ - text);
	if (n == 3 && strncmp(text, "map", n) == 0) {
		if (e->rule.method != AUTH_CERT && e->rule.method != AUTH_PEER)
			return hba_fail(p, "map with %s, expected cert or peer",
			    auth_method_word(e->rule.method));
		free(e->map);
		e->map = x_strdup(value);
		return true;
	}
	if (n == 10 && strncmp(text, "clientcert", n) == 0)
		return hba_option_clientcert(p, e, value);
	if (n == 10 && strncmp(text, "clientname", n) == 0) {
		if (e->conn != HBA_HOSTSSL ||
		    (strcmp(value, "CN") != 0 && strcmp(value, "DN") != 0))
			return hba_fail(p, "clientname=%.64s: expected CN or "
			    "DN on a line with hostssl", value);
		e->rule.clientname_dn = strcmp(value, "DN") == 0;
		return true;
	}
	return hba_fail(p, "unknown option '%.64s', expected map, clientcert "
	    "or clientname", text);
}

/* ---- lines ---- */

static bool
hba_take_conn(struct hba_parse *p, struct hba_entry *e, const char *word)
{
	static const struct {
		const char *word;
		enum hba_conn conn;
	} words[] = {
		{ "local", HBA_LOCAL }, { "host", HBA_HOST },
		{ "hostssl", HBA_HOSTSSL }, { "hostnossl", HBA_HOSTNOSSL },
		/* There is no GSSAPI encryption here: all are without. */
		{ "hostnogssenc", HBA_HOST },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i].word) == 0) {
			e->conn = words[i].conn;
			return true;
		}
	if (strcmp(word, "hostgssenc") == 0)
		return hba_fail(p, "GSSAPI encryption is not supported, "
		    "expected local, host, hostssl or hostnossl");
	return hba_fail(p, "unknown connection type '%.64s', expected local, "
	    "host, hostssl or hostnossl", word);
}

/* Exactly one value. */
static bool
hba_single(struct hba_parse *p, unsigned field, const char *what,
    const struct token **k)
{
	unsigned n = tokens_field(p->t, field, k);

	if (n == 1)
		return true;
	if (n == 0)
		return hba_fail(p, "line ends early, expected %s", what);
	return hba_fail(p, "a list, expected %s", what);
}

static bool
hba_line(struct hba_parse *p, struct hba_entry *e)
{
	const struct token *k, *mask = NULL;
	unsigned f = 3;

	e->rule.line = p->t->line;
	if (!hba_single(p, 0, "a connection type", &k) ||
	    !hba_take_conn(p, e, k->text) ||
	    !hba_take_list(p, 1, true, &e->databases) ||
	    !hba_take_list(p, 2, false, &e->users))
		return false;
	if (e->conn != HBA_LOCAL) {
		if (!hba_single(p, f++, "an address", &k))
			return false;
		if (hba_is_address(k->text) &&
		    !hba_single(p, f++, "a mask", &mask))
			return false;
		if (!hba_take_address(p, e, k, mask))
			return false;
	}
	if (!hba_single(p, f++, "a method", &k) ||
	    !hba_take_method(p, e, k->text))
		return false;
	for (; f < p->t->n_fields; f++)
		if (!hba_single(p, f, "one option", &k) ||
		    !hba_option(p, e, k->text))
			return false;
	e->rule.map = e->map;
	return true;
}

static bool
hba_take_rule(struct hba_parse *p)
{
	struct hba *h = p->h;
	struct hba_entry *v;

	if (h->n == h->size) {
		h->size = h->size > 0 ? 2 * h->size : 16;
		v = x_calloc(h->size, sizeof(*v));
		if (h->n > 0)
			memcpy(v, h->rules, h->n * sizeof(*v));
		free(h->rules);
		h->rules = v;
	}
	/* Counted first: what a bad line has allocated is freed with the rest. */
	return hba_line(p, &h->rules[h->n++]);
}

static bool
hba_take_text(struct hba_parse *p, struct slice text,
    bool (*take)(struct hba_parse *p))
{
	const char *why;
	int r;

	if (text.p == NULL)
		return true;
	tokens_init(p->t, text.p, text.n);
	while ((r = tokens_next(p->t, &why)) == 1)
		if (!take(p))
			return false;
	return r == 0 || hba_fail(p, "%s", why);
}

struct hba *
hba_parse(const char *name, struct slice rules, const char *ident_name,
    struct slice ident, char *err, size_t err_size)
{
	struct hba *h = x_calloc(1, sizeof(*h));
	struct hba_parse p = { .h = h, .name = ident_name, .err = err,
		.err_size = err_size, .t = x_malloc(sizeof(*p.t)) };
	bool ok;

	h->magic = HBA_MAGIC;
	atomic_init(&h->refs, 1);
	ok = hba_take_text(&p, ident, hba_take_mapping);
	p.name = name;
	ok = ok && hba_take_text(&p, rules, hba_take_rule) &&
	    hba_check_maps(&p);
	free(p.t);
	if (!ok)
		hba_unref(&h);
	return h;
}
