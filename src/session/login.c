/* SPDX-License-Identifier: PostgreSQL
 *
 * Authentication: from a known name to proof of it.
 *
 * Knows the exchange of password messages; nothing of startup packets
 * (startup.c), and no pool, cache or backend: those come after proof.  Runs on
 * the session's worker.  An unknown user fails exactly like a wrong password.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgwire/msgwrite.h"
#include "session/login.h"

static uint8_t mock_secret[32];

void
session_login_init(void)
{
	hash_random(mock_secret, sizeof(mock_secret));
}

struct login *
session_login(struct session *s)
{
	if (s->login == NULL) {
		s->login = x_calloc(1, sizeof(*s->login));
		buf_init(&s->login->settings, STARTUP_SETTINGS_MAX);
	}
	return s->login;
}

void
session_login_free(struct session *s)
{
	if (s->login == NULL)
		return;
	scram_fini(&s->login->scram);
	buf_reset(&s->login->settings);
	free(s->login);
	s->login = NULL;
}

/* ---- who ---------------------------------------------------------------------- */

bool
session_user_in(const struct session *s, const struct conf_strings *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s->user) == 0)
			return true;
	return false;
}

/* ---- the exchange ------------------------------------------------------------ */

void
session_auth_begin(struct session *s)
{
	static const char sasl[] =
	    "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0";
	const struct userdb_entry *e;
	struct scram_verifier mock;
	bool admin = strcmp(s->dbname, "pgsluice") == 0 &&
	    session_console_role(s) >= CONSOLE_ROLE_OPERATE;

	if (s->conf->tls_mode == TLS_MODE_REQUIRE && !s->tls &&
	    strcmp(s->peer, "unix") != 0) {
		session_close(s, CLOSE_TLS_REQUIRED, NULL);
		return;
	}
	/* Who can do something about it keeps a way in when all places are taken. */
	if (session_count() > (unsigned)s->conf->max_client_conn && !admin) {
		session_close(s, CLOSE_TOO_MANY, NULL);
		return;
	}
	if (s->sw->draining) {
		session_close(s, CLOSE_SHUTDOWN, NULL);
		return;
	}
	if (s->conf->auth == CONF_AUTH_TRUST) {
		session_logged_in(s);
		return;
	}
	e = userdb_find(s->sw->setup.users, s->user);
	if (e == NULL)
		scram_verifier_mock(s->user, mock_secret, &mock);
	scram_init(&s->login->scram, e != NULL ? &e->verifier : &mock,
	    e == NULL);
	session_enter(s, SESSION_AUTH);
	session_send(s, sasl, sizeof(sasl));
}

static void
session_auth_failed(struct session *s)
{
	char text[256];

	snprintf(text, sizeof(text),
	    "password authentication failed for user \"%.128s\"", s->user);
	session_close(s, CLOSE_AUTH, text);
}

static void
session_auth_send(struct session *s, uint32_t code, const char *p, size_t n)
{
	struct msgwrite w;
	struct buf b;

	buf_init(&b, 4096);
	msgwrite_init(&w, &b);
	msgwrite_begin(&w, 'R');
	msgwrite_u32(&w, code);
	msgwrite_bytes(&w, p, n);
	msgwrite_end(&w);
	CHECK(!w.failed);
	session_send(s, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}

/* The SASL data inside a PasswordMessage. */
static bool
session_auth_data(struct session *s, const struct frame *f, struct slice *data)
{
	struct msgread r;
	bool null;

	if (s->login->mechanism_chosen) {
		*data = slice_make(f->p, f->body);
		return true;
	}
	msgread_init(&r, f->p, f->body);
	if (!slice_eq_str(msgread_str(&r), "SCRAM-SHA-256"))
		return false;
	*data = msgread_value(&r, &null);
	if (null)
		*data = slice_make(NULL, 0);
	s->login->mechanism_chosen = true;
	return msgread_done(&r);
}

static void
session_auth_message(struct session *s, const struct frame *f)
{
	uint8_t nonce[18];
	char out[1024];
	size_t n = 0;
	struct slice data;

	if (!session_auth_data(s, f, &data)) {
		session_close(s, CLOSE_PROTOCOL, "malformed SASL message");
		return;
	}
	hash_random(nonce, sizeof(nonce));
	switch (scram_step(&s->login->scram, data, nonce, out, &n)) {
	case SCRAM_CONTINUE:
		session_auth_send(s, 11, out, n);
		break;
	case SCRAM_OK:
		session_auth_send(s, 12, out, n);
		if (s->state != SESSION_CLOSED)
			session_logged_in(s);
		break;
	case SCRAM_FAILED:
		session_auth_failed(s);
		break;
	case SCRAM_MALFORMED:
		session_close(s, CLOSE_PROTOCOL,
		    scram_why(&s->login->scram));
		break;
	}
}

/* ---- input ------------------------------------------------------------------ */

size_t
session_auth_input(struct session *s, const char *p, size_t n)
{
	struct frame f;

	switch (frame_next(p, n, LOGIN_INPUT_MAX, &f)) {
	case FRAME_NEED_MORE:
		s->need = 5;
		return 0;
	case FRAME_PARTIAL:
		if (f.type == 'p') {
			s->need = f.size;
			return 0;
		}
		break;
	case FRAME_WHOLE:
		if (f.type == 'p') {
			session_auth_message(s, &f);
			return f.size;
		}
		if (f.type == 'X') {
			session_close(s, CLOSE_TERMINATE, NULL);
			return n;
		}
		break;
	default:
		break;
	}
	session_close(s, CLOSE_PROTOCOL, "expected a password message");
	return n;
}
