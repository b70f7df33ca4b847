/* SPDX-License-Identifier: PostgreSQL
 *
 * Loading what a configuration names: users, TLS, and what is secret about Redis.
 *
 * Used by the start, by --check and by reloads alike, so that what --check
 * accepts does start.  Control thread only.
 */
#include "admin/setup.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/connect_args.h"
#include "net/tls.h"

#define SECRET_MAX 1024
#define TOKEN_MIN 16

static void
setup_complain(struct conf_diag *d, const char *path, const char *setting,
    const char *text)
{
	size_t n = strlen(path) + strlen(setting) + strlen(text) + 8;

	if (d->n >= CONF_DIAG_MAX)
		return;
	d->msg[d->n] = x_malloc(n);
	snprintf(d->msg[d->n++], n, "%s: %s: %s", path, setting, text);
}

/* The first line, without its end; that no other user may read the file has
 * been checked with the configuration. NULL with text in why. */
static char *
setup_read_secret(const char *file, char *why, size_t why_size)
{
	char line[SECRET_MAX];
	char *secret = NULL;
	FILE *f = fopen(file, "re");

	if (f == NULL) {
		snprintf(why, why_size, "cannot read %s: %s", file,
		    strerror(errno));
		return NULL;
	}
	if (fgets(line, sizeof(line), f) == NULL) {
		snprintf(why, why_size, "%s is empty", file);
	} else if (strlen(line) == sizeof(line) - 1) {
		snprintf(why, why_size, "%s: the first line is longer than "
		    "%d bytes", file, SECRET_MAX - 2);
	} else {
		line[strcspn(line, "\r\n")] = '\0';
		secret = x_strdup(line);
	}
	OPENSSL_cleanse(line, sizeof(line));
	fclose(f);
	return secret;
}

static void
setup_load_rules(struct session_setup *s, struct conf_diag *d)
{
	static const enum auth_method methods[] = {
		[CONF_AUTH_SCRAM] = AUTH_SCRAM, [CONF_AUTH_TRUST] = AUTH_TRUST,
		[CONF_AUTH_MD5] = AUTH_MD5, [CONF_AUTH_PASSWORD] =
		    AUTH_PASSWORD,
		[CONF_AUTH_CERT] = AUTH_CERT, [CONF_AUTH_PEER] = AUTH_PEER,
	};
	const struct conf *c = s->conf;
	char why[512];

	if (c->auth_dbname[0] != '\0' &&
	    conf_find_database(c, c->auth_dbname) == NULL)
		setup_complain(d, c->path, "auth_dbname", "there is no such "
		    "database block");
	if (c->auth != CONF_AUTH_HBA) {
		s->hba = hba_of_method(methods[c->auth]);
		return;
	}
	s->hba = hba_load(c->auth_hba_file, c->auth_ident_file, why,
	    sizeof(why));
	if (s->hba == NULL)
		setup_complain(d, c->path, "auth_hba_file", why);
	else if (hba_wants_certificates(s->hba) && c->tls_ca_file[0] == '\0')
		setup_complain(d, c->path, "auth_hba_file", "a rule wants "
		    "client certificates, expected tls_ca_file");
}

static void
setup_load_redis(struct session_setup *s, struct conf_diag *d)
{
	const struct conf *c = s->conf;
	char why[512];

	if (c->redis_password_file[0] != '\0') {
		s->redis_password = setup_read_secret(c->redis_password_file,
		    why, sizeof(why));
		if (s->redis_password == NULL)
			setup_complain(d, c->path, "redis_password_file",
			    why);
	}
	if (c->redis_key_file[0] != '\0') {
		s->redis_keys = l2_keys_load(c->redis_key_file, why,
		    sizeof(why));
		if (s->redis_keys == NULL)
			setup_complain(d, c->path, "redis_key_file", why);
	}
	if (c->redis_tls != REDIS_TLS_DISABLE) {
		s->redis_tls = tls_client_ctx(&(struct tls_client_options){
		    .cert = c->redis_tls_cert_file,
		    .key = c->redis_tls_key_file,
		    .ca = c->redis_tls_ca_file,
		    .verify = c->redis_tls >= REDIS_TLS_VERIFY_CA }, why,
		    sizeof(why));
		if (s->redis_tls == NULL)
			setup_complain(d, c->path, "redis_tls", why);
	}
}

static void
setup_load_token(struct session_setup *s, struct conf_diag *d)
{
	const struct conf *c = s->conf;
	char why[512];

	if (c->http_token_file[0] == '\0')
		return;
	s->http_token = setup_read_secret(c->http_token_file, why,
	    sizeof(why));
	if (s->http_token == NULL)
		setup_complain(d, c->path, "http_token_file", why);
	else if (strlen(s->http_token) < TOKEN_MIN)
		setup_complain(d, c->path, "http_token_file", "the first line "
		    "is too easily guessed, expected at least 16 bytes, such as "
		    "of openssl rand -hex 32");
}

static void
setup_load_files(struct session_setup *s, const struct session_setup *old,
    struct conf_diag *d)
{
	const struct conf *c = s->conf;
	char why[512];

	setup_load_rules(s, d);
	s->users = userdb_load(c->users_file, old != NULL ? old->users : NULL,
	    why, sizeof(why));
	if (s->users == NULL)
		setup_complain(d, c->path, "users_file", why);
	if (c->tls_mode != TLS_MODE_DISABLE) {
		s->tls = tls_server_ctx(&(struct tls_options){
		    .cert = c->tls_cert_file, .key = c->tls_key_file,
		    .ca = c->tls_ca_file,
		    .must_verify = c->tls_mode >= TLS_MODE_VERIFY_CA ||
			c->auth != CONF_AUTH_HBA,
		    .tls13 = c->tls_min_version == CONF_TLS_1_3,
		    .ciphers = c->tls_ciphers,
		    .ciphers13 = c->tls13_ciphers }, why, sizeof(why));
		if (s->tls == NULL)
			setup_complain(d, c->path, "tls_mode", why);
	}
	setup_load_redis(s, d);
	setup_load_token(s, d);
}

/* conf: taken over; NULL: there are messages in *d. */
static bool
setup_of(struct conf *conf, const struct session_setup *old,
    struct session_setup *out, struct conf_diag *d)
{
	struct session_setup s = { .conf = conf };

	if (s.conf == NULL)
		return false;
	setup_load_files(&s, old, d);
	if (d->n > 0) {
		setup_release(&s);
		return false;
	}
	*out = s;
	return true;
}

bool
setup_load(const char *path, const struct session_setup *old,
    struct session_setup *out, struct conf_diag *d)
{
	return setup_of(conf_reload(path, old != NULL ? old->conf : NULL,
	    d), old, out, d);
}

bool
setup_change(const struct session_setup *old, const char *name,
    const char *value, struct session_setup *out, struct conf_diag *d)
{
	return setup_of(conf_change(old->conf, name, value, d), old, out, d);
}

void
setup_copy(struct session_setup *to, const struct session_setup *from)
{
	*to = *from;
	conf_ref(to->conf);
	hba_ref(to->hba);
	userdb_ref(to->users);
	if (to->tls != NULL)
		SSL_CTX_up_ref(to->tls);
	if (to->redis_password != NULL)
		to->redis_password = x_strdup(from->redis_password);
	if (to->http_token != NULL)
		to->http_token = x_strdup(from->http_token);
	if (to->redis_tls != NULL)
		SSL_CTX_up_ref(to->redis_tls);
	l2_keys_ref(to->redis_keys);
}

void
setup_with(const struct session_setup *old, struct conf *conf,
    struct session_setup *out)
{
	setup_copy(out, old);
	conf_unref(&out->conf);
	out->conf = conf;
}

static void
setup_forget(char **secret)
{
	if (*secret != NULL)
		OPENSSL_cleanse(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

void
setup_release(struct session_setup *s)
{
	if (s->conf != NULL)
		conf_unref(&s->conf);
	hba_unref(&s->hba);
	userdb_unref(&s->users);
	SSL_CTX_free(s->tls);
	s->tls = NULL;
	setup_forget(&s->redis_password);
	setup_forget(&s->http_token);
	SSL_CTX_free(s->redis_tls);
	s->redis_tls = NULL;
	l2_keys_unref(&s->redis_keys);
}

bool
setup_login(const struct session_setup *s, const char *conninfo,
    const char *startup, size_t startup_len, char ***keywords,
    char ***values)
{
	const struct conf *c = s->conf;
	const struct conf_backend b = {
		.conninfo = (char *)(uintptr_t)conninfo };
	struct credentials with = { .password = NULL };
	const struct userdb_entry *e;
	char *own = conf_backend_option(&b, "user");
	const char *user = own != NULL ? own : c->layout_user[0] != '\0' ?
	    c->layout_user : c->auth_user;

	if (user[0] == '\0') {
		free(own);
		return false;
	}
	e = userdb_find(s->users, user);
	if (e != NULL)
		with.password = e->secret.password;
	connect_args(conninfo, user, &with, startup, startup_len, keywords,
	    values);
	free(own);
	return true;
}
