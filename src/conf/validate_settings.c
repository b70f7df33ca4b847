/* SPDX-License-Identifier: PostgreSQL
 *
 * The top-level settings: every row of tbl/settings.h taken, then what no
 * single row can say (files that must be readable, settings that need or
 * exclude each other).
 *
 * Opens the files it is told of, never waits on them.  Control thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_priv.h"
#include "conf/units.h"

#define REVOCATION_BOUND_MIN (500 * NSEC_PER_MSEC)

static void
settings_int(struct conf_parse *p, const char *name, int64_t def, int64_t lo,
    int64_t hi, int64_t *out)
{
	const struct conf_opt *o = conf_sec_opt(p->root, name);

	*out = def;
	if (o != NULL)
		(void)conf_value_int(p, o, lo, hi, out);
}

static void
settings_size(struct conf_parse *p, const char *name, int64_t def, int64_t lo,
    int64_t hi, int64_t *out)
{
	const struct conf_opt *o = conf_sec_opt(p->root, name);

	*out = def;
	if (o != NULL)
		(void)conf_value_size(p, o, lo, hi, out);
}

static void
settings_time(struct conf_parse *p, const char *name, nsec_t def, nsec_t lo,
    nsec_t hi, nsec_t *out)
{
	const struct conf_opt *o = conf_sec_opt(p->root, name);

	*out = def;
	if (o != NULL)
		(void)conf_value_time(p, o, lo, hi, out);
}

static int
settings_word(struct conf_parse *p, const char *name, int def,
    const char *words)
{
	const struct conf_opt *o = conf_sec_opt(p->root, name);

	if (o != NULL)
		(void)conf_value_word(p, o, words, &def);
	return def;
}

static void
settings_str(struct conf_parse *p, const char *name, const char *def,
    char **out)
{
	const struct conf_opt *o = conf_sec_opt(p->root, name);

	*out = x_strdup(o != NULL ? o->values.v[0] : def);
}

static void
settings_list(struct conf_parse *p, const char *name, const char *def,
    struct conf_strings *out)
{
	const struct conf_opt *o = conf_sec_opt(p->root, name);
	size_t i;

	if (o == NULL && def[0] != '\0')
		conf_strings_add(out, def);
	for (i = 0; o != NULL && i < o->values.n; i++) {
		if (o->values.v[i][0] == '\0')
			conf_complain(p, o->line, "%s: holds an empty text, "
			    "expected none of that", name);
		conf_strings_add(out, o->values.v[i]);
	}
}

/* ---- what a single row cannot say ---- */

/* Line of a setting; the first line when it is left out. */
static int
settings_line(const struct conf_parse *p, const char *name)
{
	const struct conf_opt *o = conf_sec_opt(p->root, name);

	return o != NULL ? o->line : 1;
}

/* secret: not readable by others, unless root's with mode 0640. */
static void
settings_check_file(struct conf_parse *p, const char *name, const char *path,
    bool secret)
{
	int line = settings_line(p, name), fd;
	struct stat st;
	mode_t bits;

	if (path[0] == '\0')
		return;
	/* Looked at before it is opened: opening a device can do things. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		conf_complain(p, line, "%s: '%s' is not a file, expected one",
		    name, path);
		return;
	}
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		conf_complain(p, line,
		    "%s: cannot open '%s': %s, expected a readable file",
		    name, path, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	(void)close(fd);
	bits = st.st_mode & 0777;
	if (secret && (bits & 077) != 0 &&
	    (st.st_uid != 0 || (bits & ~(mode_t)0640) != 0))
		conf_complain(p, line, "%s: '%s' has mode %04o, expected 0600, "
		    "or 0640 if root owns it", name, path, (unsigned)bits);
}

static void
settings_check_dir(struct conf_parse *p, const char *name, const char *path)
{
	struct stat st;

	if (path[0] == '\0')
		return;
	if (stat(path, &st) != 0)
		conf_complain(p, settings_line(p, name),
		    "%s: cannot look at '%s': %s, expected a directory", name,
		    path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		conf_complain(p, settings_line(p, name),
		    "%s: '%s' is not a directory, expected one", name, path);
}

/* host:port, [v6]:port or :port. */
static bool
settings_is_address(const char *s)
{
	const char *colon = strrchr(s, ':');
	int64_t port;

	if (colon == NULL || colon[1] < '0' || colon[1] > '9' ||
	    !units_parse_int(colon + 1, &port) || port > 65535)
		return false;
	if (s[0] == '[')
		return colon - s > 2 && colon[-1] == ']';
	return memchr(s, ':', (size_t)(colon - s)) == NULL;
}

static void
settings_check_address(struct conf_parse *p, const char *name, const char *s)
{
	if (!settings_is_address(s))
		conf_complain(p, settings_line(p, name), "%s: '%.64s' is not "
		    "an address, expected host:port or [v6]:port", name, s);
}

static void
settings_check_tls(struct conf_parse *p)
{
	const struct conf *c = p->conf;
	int line = settings_line(p, "tls_mode");

	if (c->tls_mode != TLS_MODE_DISABLE && c->tls_cert_file[0] == '\0')
		conf_complain(p, line,
		    "tls_mode: needs a certificate, expected tls_cert_file");
	if (c->tls_mode != TLS_MODE_DISABLE && c->tls_key_file[0] == '\0')
		conf_complain(p, line,
		    "tls_mode: needs a private key, expected tls_key_file");
	settings_check_file(p, "tls_cert_file", c->tls_cert_file, false);
	settings_check_file(p, "tls_key_file", c->tls_key_file, true);
	settings_check_file(p, "tls_ca_file", c->tls_ca_file, false);
	if (c->tls_mode >= TLS_MODE_VERIFY_CA && c->tls_ca_file[0] == '\0')
		conf_complain(p, line, "tls_mode: needs a CA for client "
		    "certificates, expected tls_ca_file");
}

/* TLS that we ask for: mode, and what goes with it. */
struct settings_tls {
	const char *mode, *ca, *cert, *key; /* names of settings */
	const char *ca_file, *cert_file, *key_file;
	bool verify;
	const char *whom;
};

static void
settings_check_client_tls(struct conf_parse *p, const struct settings_tls *t)
{
	settings_check_file(p, t->ca, t->ca_file, false);
	settings_check_file(p, t->cert, t->cert_file, false);
	settings_check_file(p, t->key, t->key_file, true);
	if (t->verify && t->ca_file[0] == '\0')
		conf_complain(p, settings_line(p, t->mode),
		    "%s: needs a CA to verify %s with, expected %s", t->mode,
		    t->whom, t->ca);
	if ((t->cert_file[0] == '\0') != (t->key_file[0] == '\0'))
		conf_complain(p, settings_line(p, t->cert_file[0] == '\0' ?
		    t->key : t->cert),
		    "%s: a certificate and its key belong together, expected "
		    "%s, too, or neither", t->cert, t->key);
}

static void
settings_check_server_tls(struct conf_parse *p)
{
	const struct conf *c = p->conf;

	settings_check_client_tls(p, &(struct settings_tls){
	    "server_tls_sslmode", "server_tls_ca_file",
	    "server_tls_cert_file", "server_tls_key_file",
	    c->server_tls_ca_file, c->server_tls_cert_file,
	    c->server_tls_key_file,
	    c->server_tls_sslmode >= SERVER_TLS_VERIFY_CA, "backends" });
}

static void
settings_check_redis(struct conf_parse *p)
{
	const struct conf *c = p->conf;
	size_t i;

	settings_check_file(p, "redis_password_file", c->redis_password_file,
	    true);
	settings_check_file(p, "redis_key_file", c->redis_key_file, true);
	settings_check_client_tls(p, &(struct settings_tls){
	    "redis_tls", "redis_tls_ca_file", "redis_tls_cert_file",
	    "redis_tls_key_file", c->redis_tls_ca_file,
	    c->redis_tls_cert_file, c->redis_tls_key_file,
	    c->redis_tls >= REDIS_TLS_VERIFY_CA, "Redis" });
	if (c->redis_host[0] != '\0' && c->redis_unix_socket[0] != '\0')
		conf_complain(p, settings_line(p, "redis_unix_socket"),
		    "redis_unix_socket: redis_host is given, too, "
		    "expected one of them");
	if (c->redis_sentinels.n > 0 && (c->redis_host[0] != '\0' ||
	    c->redis_unix_socket[0] != '\0'))
		conf_complain(p, settings_line(p, "redis_sentinels"),
		    "redis_sentinels: redis_host or redis_unix_socket is "
		    "given, too, expected one of them");
	for (i = 0; i < c->redis_sentinels.n; i++)
		settings_check_address(p, "redis_sentinels",
		    c->redis_sentinels.v[i]);
	if (c->redis_tls != REDIS_TLS_DISABLE && c->redis_host[0] == '\0' &&
	    c->redis_sentinels.n == 0)
		conf_complain(p, settings_line(p, "redis_tls"),
		    "redis_tls: there is no TLS without a host, expected "
		    "redis_host or redis_sentinels");
}

static void
settings_check_auth(struct conf_parse *p)
{
	const struct conf *c = p->conf;

	settings_check_file(p, "users_file", c->users_file, false);
	settings_check_file(p, "auth_hba_file", c->auth_hba_file, false);
	settings_check_file(p, "auth_ident_file", c->auth_ident_file, false);
	if (c->auth == CONF_AUTH_HBA && c->auth_hba_file[0] == '\0')
		conf_complain(p, settings_line(p, "auth"),
		    "auth: hba needs rules, expected auth_hba_file");
	if (c->auth != CONF_AUTH_HBA && c->auth_hba_file[0] != '\0')
		conf_complain(p, settings_line(p, "auth_hba_file"),
		    "auth_hba_file: would not be used, expected auth = "
		    "\"hba\"");
	if (c->auth_hba_file[0] == '\0' && c->auth_ident_file[0] != '\0')
		conf_complain(p, settings_line(p, "auth_ident_file"),
		    "auth_ident_file: would not be used, expected "
		    "auth_hba_file");
	if (c->auth == CONF_AUTH_CERT && c->tls_ca_file[0] == '\0')
		conf_complain(p, settings_line(p, "auth"),
		    "auth: cert needs a CA for client certificates, expected "
		    "tls_ca_file");
}

static void
settings_check(struct conf_parse *p)
{
	const struct conf *c = p->conf;
	uint32_t share;
	size_t i;

	for (i = 0; i < c->listen.n; i++)
		settings_check_address(p, "listen", c->listen.v[i]);
	if (c->http_listen[0] != '\0')
		settings_check_address(p, "http_listen", c->http_listen);
	settings_check_file(p, "http_token_file", c->http_token_file, true);
	if (c->http_dashboard == HTTP_DASHBOARD_TOKEN &&
	    c->http_token_file[0] == '\0')
		conf_complain(p, settings_line(p, "http_dashboard"),
		    "http_dashboard: there is no token, expected "
		    "http_token_file");
	settings_check_dir(p, "unix_socket_dir", c->unix_socket_dir);
	settings_check_auth(p);
	settings_check_tls(p);
	settings_check_server_tls(p);
	settings_check_redis(p);
	if (!units_parse_share(c->verify, &share))
		conf_complain(p, settings_line(p, "verify"), "verify: '%.64s' "
		    "is no share, expected 0 or one like 0.1%%", c->verify);
	if (c->min_pool_size > c->pool_size)
		conf_complain(p, settings_line(p, "min_pool_size"),
		    "min_pool_size: %" PRId64 " is more than pool_size, "
		    "expected at most %" PRId64, c->min_pool_size,
		    c->pool_size);
	if (c->revocation_bound > 0 && c->revocation_bound <
	    REVOCATION_BOUND_MIN)
		conf_complain(p, settings_line(p, "revocation_bound"),
		    "revocation_bound: expected 0 or at least 500ms, since "
		    "catalogs are looked at twice in it");
}

void
conf_take_settings(struct conf_parse *p)
{
	struct conf *c = p->conf;

	conf_check_sec(p, p->root);
#define SETTING_BOOL(name, def, reload, doc) \
	c->name = settings_word(p, #name, def, "false|true") == 1;
#define SETTING_INT(name, def, lo, hi, reload, doc) \
	settings_int(p, #name, def, lo, hi, &c->name);
#define SETTING_SIZE(name, def, lo, hi, reload, doc) \
	settings_size(p, #name, def, lo, hi, &c->name);
#define SETTING_TIME(name, def, lo, hi, reload, doc) \
	settings_time(p, #name, def, lo, hi, &c->name);
#define SETTING_STR(name, def, reload, doc) \
	settings_str(p, #name, def, &c->name);
#define SETTING_ENUM(name, type, def, words, reload, doc) \
	c->name = (type)settings_word(p, #name, def, words);
#define SETTING_LIST(name, def, reload, doc) \
	settings_list(p, #name, def, &c->name);
#include "tbl/settings.h"
	settings_check(p);
}
