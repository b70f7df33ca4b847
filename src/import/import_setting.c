/* SPDX-License-Identifier: PostgreSQL
 *
 * The section [pgbouncer]: each setting as pgsluice has it.
 *
 * A setting that depends on others (an address on the port, a CA on the mode)
 * is written where it stands itself, with what the whole file says of the
 * others.  Pure, one thread.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "import/import_priv.h"

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

static bool
setting_is(const struct import *im, const char *name, const char *def,
    const char *value)
{
	return strcmp(import_value(im, name, def), value) == 0;
}

/* Empty is what is not set, in both. */
static void
setting_text(struct import_out *o, const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	import_put(o->out, "%s = ", name);
	import_quote(o->out, value);
	import_put(o->out, "\n");
}

/* A setting that nobody looks at here. */
static void
setting_unused(struct import_out *o, const struct import_entry *e,
    const char *why)
{
	import_note(o, e, e->key, e->value, "%s", why);
}

static void
setting_word(struct import_out *o, const struct import_entry *e,
    const char *words)
{
	size_t n = strlen(e->value);
	const char *at = n > 0 ? words : NULL;

	while (at != NULL && (strncmp(at, e->value, n) != 0 ||
	    (at[n] != '|' && at[n] != '\0'))) {
		at = strchr(at, '|');
		at = at != NULL ? at + 1 : NULL;
	}
	if (at == NULL)
		import_wrong(o->im, e->file, e->line, "%s: '%.64s' is not "
		    "known, expected one of %s", e->key, e->value, words);
	else
		setting_text(o, e->row->to, e->value);
}

/* ---- lists ---- */

/* The next name of a list with commas, in *at; false: there is none. */
static bool
setting_name(const char **at, char *name, size_t size)
{
	const char *end;
	size_t n;

	*at += strspn(*at, ", \t");
	if (**at == '\0')
		return false;
	end = *at + strcspn(*at, ",");
	n = (size_t)(end - *at);
	while (n > 0 && strchr(" \t", (*at)[n - 1]) != NULL)
		n--;
	(void)snprintf(name, size, "%.*s", (int)(n < size ? n : size - 1), *at);
	*at = end;
	return true;
}

static void
setting_names(struct import_out *o, const struct import_entry *e)
{
	const char *at = e->value;
	char name[256];
	bool more = false;

	import_put(o->out, "%s = {", e->row->to);
	for (; setting_name(&at, name, sizeof(name)); more = true) {
		import_put(o->out, "%s", more ? ", " : "");
		import_quote(o->out, name);
	}
	import_put(o->out, "}\n");
}

static void
setting_listen(struct import_out *o, const char *addresses, const char *port)
{
	char name[256], text[300];
	const char *at = addresses;
	bool more = false;

	import_put(o->out, "listen = {");
	for (; setting_name(&at, name, sizeof(name)); more = true) {
		if (strcmp(name, "*") == 0)
			(void)snprintf(text, sizeof(text), "0.0.0.0:%s\", "
			    "\"[::]:%s", port, port);
		else
			(void)snprintf(text, sizeof(text), strchr(name, ':') !=
			    NULL ? "[%s]:%s" : "%s:%s", name, port);
		/* A name of a host holds nothing to be escaped. */
		import_put(o->out, "%s\"%s\"", more ? ", " : "", text);
	}
	import_put(o->out, "}\n");
}

static void
setting_addresses(struct import_out *o, const struct import_entry *e)
{
	if (e->value[strcspn(e->value, "\"\\$")] != '\0')
		import_wrong(o->im, e->file, e->line, "listen_addr: '%.64s' is "
		    "no address, expected names or numbers", e->value);
	else if (e->value[strspn(e->value, ", \t")] != '\0')
		setting_listen(o, e->value,
		    import_value(o->im, "listen_port", "6432"));
}

static void
setting_port(struct import_out *o, const struct import_entry *e)
{
	char *end;
	long port = strtol(e->value, &end, 10);

	if (end == e->value || *end != '\0' || port < 1 || port > 65535)
		import_wrong(o->im, e->file, e->line, "listen_port: '%.64s' is "
		    "no port, expected 1 to 65535", e->value);
}

/* ---- who may come in ---- */

static void
setting_auth(struct import_out *o, const struct import_entry *e)
{
	static const struct {
		const char *theirs, *ours, *note;
	} types[] = {
		{ "md5", "md5", NULL },
		{ "scram-sha-256", "scram-sha-256", NULL },
		{ "cert", "cert", NULL },
		{ "hba", "hba", NULL },
		{ "peer", "peer", NULL },
		{ "plain", "password", "password is taken over TLS and the "
		    "unix socket only; for plain TCP use auth_hba_file with "
		    "host all all all password" },
		{ "trust", "trust", "lets in whoever names a user, also one "
		    "who is not in auth_file" },
		{ "any", "trust", "lets in whoever names a user; the console "
		    "wants one of admin_users" },
		{ "ldap", "scram-sha-256", "there is no LDAP: verifiers are "
		    "asked for (users_file, auth_user)" },
		{ "pam", "scram-sha-256", "there is no PAM: verifiers are "
		    "asked for (users_file, auth_user)" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(e->value, types[i].theirs) == 0) {
			if (types[i].note != NULL)
				import_note(o, e, e->key, e->value, "%s",
				    types[i].note);
			setting_text(o, "auth", types[i].ours);
			return;
		}
	import_wrong(o->im, e->file, e->line, "auth_type: '%.64s' is not "
	    "known, expected one of md5, scram-sha-256, cert, hba, plain, "
	    "trust, any, ldap, pam", e->value);
}

struct setting_secrets {
	unsigned closed; /* verifiers and hashes */
	unsigned all;
};

static void
setting_count(const struct userdb_entry *u, void *arg)
{
	struct setting_secrets *s = arg;

	s->all++;
	s->closed += u->secret.kind != SECRET_PLAIN;
}

static void
setting_users(struct import_out *o, const struct import_entry *e)
{
	struct setting_secrets s = { 0 };

	if (o->users->path == NULL) {
		import_note(o, e, e->key, e->value, "is not taken as it is "
		    "(%s): nobody can log in; --users FILE makes a copy that "
		    "is", o->users->why);
		return;
	}
	if (o->users->db != NULL)
		userdb_each(o->users->db, setting_count, &s);
	if (s.closed > 0)
		import_note(o, e, e->key, e->value, "%u of %u users have a "
		    "verifier or an md5 hash, with which pgsluice cannot log "
		    "in to a backend that wants a password: give the conninfo "
		    "a user, or see \"Backends\" in authentication.md",
		    s.closed, s.all);
	setting_text(o, "users_file", o->users->path);
}

static void
setting_auth_db(struct import_out *o, const struct import_entry *e)
{
	size_t i;

	for (i = 0; i < o->im->n; i++)
		if (o->im->v[i].place == IMPORT_DATABASE &&
		    strcmp(o->im->v[i].key, e->value) == 0) {
			setting_text(o, "auth_dbname", e->value);
			return;
		}
	setting_unused(o, e, "is no database of the file: write one, or the "
	    "one that the client asks for is used");
}

/* ---- TLS ---- */

static bool
setting_verifies(const struct import *im, const char *mode)
{
	return strncmp(import_value(im, mode, ""), "verify", 6) == 0;
}

static void
setting_sslmode(struct import_out *o, const struct import_entry *e)
{
	bool server = strcmp(e->key, "server_tls_sslmode") == 0;

	setting_word(o, e, "disable|allow|prefer|require|verify-ca|"
	    "verify-full");
	if (setting_verifies(o->im, e->key) && import_value(o->im, server ?
	    "server_tls_ca_file" : "client_tls_ca_file", "")[0] == '\0')
		setting_text(o, server ? "server_tls_ca_file" : "tls_ca_file",
		    SYSTEM_CA);
}

static void
setting_client_ca(struct import_out *o, const struct import_entry *e)
{
	if (setting_verifies(o->im, "client_tls_sslmode") ||
	    setting_is(o->im, "auth_type", "md5", "cert") ||
	    setting_is(o->im, "auth_type", "md5", "hba"))
		setting_text(o, "tls_ca_file", e->value);
	else
		setting_unused(o, e, "PgBouncer looks at no certificates of "
		    "clients with this client_tls_sslmode; pgsluice would "
		    "demand them");
}

static void
setting_protocols(struct import_out *o, const struct import_entry *e)
{
	static const char *const known[] = { "tlsv1.0", "tlsv1.1", "tlsv1.2",
		"tlsv1.3", "all", "secure", "legacy", "default" };
	bool has[ARRAY_SIZE(known)] = { false };
	const char *at = e->value;
	char name[256];
	size_t i;

	while (setting_name(&at, name, sizeof(name))) {
		for (i = 0; i < ARRAY_SIZE(known) &&
		    strcasecmp(known[i], name) != 0; i++)
			;
		if (i == ARRAY_SIZE(known)) {
			import_wrong(o->im, e->file, e->line, "%s: '%.64s' is "
			    "not known, expected tlsv1.2, tlsv1.3, secure or "
			    "all", e->key, name);
			return;
		}
		has[i] = true;
	}
	if (has[0] || has[1] || has[4] || has[6])
		import_note(o, e, e->key, e->value, "TLS older than 1.2 is "
		    "not spoken");
	setting_text(o, e->row->to, has[3] && !has[0] && !has[1] && !has[2] &&
	    !has[4] && !has[5] && !has[6] && !has[7] ? "TLSv1.3" : "TLSv1.2");
}

static void
setting_ciphers(struct import_out *o, const struct import_entry *e)
{
	static const char *const words[] = { "default", "secure", "fast",
		"normal", "all", "" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(e->value, words[i]) == 0) {
			setting_unused(o, e, "the library's own are used");
			return;
		}
	setting_text(o, e->row->to, e->value);
}

/* ---- numbers ---- */

static void
setting_scalar(struct import_out *o, const struct import_entry *e)
{
	char text[64];
	bool cut;

	if (!import_scalar(e->row->how, e->row->to, e->value, text,
	    sizeof(text), &cut)) {
		import_wrong(o->im, e->file, e->line, "%s: '%.64s' is no "
		    "number, expected one", e->key, e->value);
		return;
	}
	if (cut)
		import_note(o, e, e->key, e->value, "is out of bounds, the "
		    "nearest is %s", text);
	import_put(o->out, "%s = %s\n", e->row->to, text);
}

/* PgBouncer caps it at the pool's size. */
static void
setting_min_pool(struct import_out *o, const struct import_entry *e)
{
	long min = strtol(e->value, NULL, 0);
	long size = strtol(import_value(o->im, "default_pool_size", "20"),
	    NULL, 0);

	if (size > 0 && min > size) {
		import_note(o, e, e->key, e->value, "is more than "
		    "default_pool_size, at which PgBouncer caps it");
		import_put(o->out, "min_pool_size = %ld\n", size);
	} else {
		setting_scalar(o, e);
	}
}

static void
setting_prepared(struct import_out *o, const struct import_entry *e)
{
	if (strcmp(e->value, "0") == 0)
		setting_unused(o, e, "prepared statements always work");
	else
		setting_scalar(o, e);
}

static void
setting_socket_dir(struct import_out *o, const struct import_entry *e)
{
	if (e->value[0] == '@')
		setting_unused(o, e, "there are no abstract sockets for "
		    "clients: use a directory, or a systemd socket unit");
	else
		setting_text(o, "unix_socket_dir", e->value);
}

static void
setting_hba(struct import_out *o, const struct import_entry *e)
{
	if (e->value[0] != '\0' && !setting_is(o->im, "auth_type", "md5", "hba"))
		setting_unused(o, e, "is not used without auth_type = hba");
	else
		setting_text(o, e->row->to, e->value);
}

static void
setting_pool_mode(struct import_out *o, const struct import_entry *e)
{
	if (strcmp(e->value, "statement") == 0) {
		import_note(o, e, e->key, e->value, "transaction is the "
		    "nearest; transactions of several statements are allowed");
		setting_text(o, "pool_mode", "transaction");
	} else {
		setting_word(o, e, "session|transaction");
	}
}

/* Clipped to the nearest, two nodes would be the same. */
static void
setting_node(struct import_out *o, const struct import_entry *e)
{
	if (import_node(o->im) != 0)
		import_put(o->out, "node = %u\n", import_node(o->im));
	else if (strcmp(e->value, "0") == 0)
		setting_unused(o, e, "is no peer");
	else
		import_note(o, e, e->key, e->value, "is no number that a node "
		    "can have: give each one from 1 to %d (node)",
		    CONF_NODE_MAX);
}

static void
setting_mapped(struct import_out *o, const struct import_entry *e)
{
	switch (e->row->how) {
	case IMPORT_TEXT:
		setting_text(o, e->row->to, e->value);
		break;
	case IMPORT_QUERY:
		import_note(o, e, e->key, e->value, "runs with an empty "
		    "search_path: qualify names of your own");
		setting_text(o, e->row->to, e->value);
		break;
	case IMPORT_NAMES: setting_names(o, e); break;
	case IMPORT_ADDRESSES: setting_addresses(o, e); break;
	case IMPORT_PORT: setting_port(o, e); break;
	case IMPORT_SOCKET_DIR: setting_socket_dir(o, e); break;
	case IMPORT_POOL_MODE: setting_pool_mode(o, e); break;
	case IMPORT_PREPARED: setting_prepared(o, e); break;
	case IMPORT_AUTH: setting_auth(o, e); break;
	case IMPORT_HBA: setting_hba(o, e); break;
	case IMPORT_USERS: setting_users(o, e); break;
	case IMPORT_AUTH_DB: setting_auth_db(o, e); break;
	case IMPORT_SSLMODE: setting_sslmode(o, e); break;
	case IMPORT_CLIENT_CA: setting_client_ca(o, e); break;
	case IMPORT_PROTOCOLS: setting_protocols(o, e); break;
	case IMPORT_CIPHERS: setting_ciphers(o, e); break;
	case IMPORT_NODE: setting_node(o, e); break;
	case IMPORT_VERBOSE:
		setting_text(o, "log_level", strcmp(e->value, "0") == 0 ?
		    "info" : "debug");
		break;
	default:
		if (strcmp(e->key, "min_pool_size") == 0)
			setting_min_pool(o, e);
		else
			setting_scalar(o, e);
	}
}

void
import_setting(struct import_out *o, const struct import_entry *e)
{
	if (e->row->fate != IMPORT_MAPPED)
		import_note(o, e, e->key, e->row->how == IMPORT_SECRET ?
		    "***" : e->value, "%s", e->row->doc);
	else
		setting_mapped(o, e);
}

void
import_defaults(struct import_out *o)
{
	const struct import *im = o->im;
	const char *listen = import_value(im, "listen_addr", "");

	if (listen[strspn(listen, ", \t")] == '\0') {
		import_put(o->out, "# No listen_addr: PgBouncer has the unix "
		    "socket only, pgsluice always an\n# address, too.\n");
		setting_listen(o, "127.0.0.1",
		    import_value(im, "listen_port", "6432"));
	}
	if (import_global(im, "unix_socket_dir") == NULL)
		setting_text(o, "unix_socket_dir", "/tmp");
	if (import_global(im, "pool_mode") == NULL)
		setting_text(o, "pool_mode", "session");
	if (import_global(im, "max_client_conn") == NULL)
		import_put(o->out, "max_client_conn = 100\n");
	if (import_global(im, "auth_type") == NULL)
		setting_text(o, "auth", "md5");
}
