/* SPDX-License-Identifier: PostgreSQL
 *
 * The proof: password messages of the SCRAM, MD5 and clear-text exchanges, and
 * the operating system's word for who is at the other end of a unix socket.
 *
 * Knows the user's secret (a mock one if there is no such user, which nothing
 * fits) and the messages; not where the secret comes from nor what follows.
 * Runs on the session's worker.  What takes long (PBKDF2, the system's user
 * database) is a job for the authentication threads; the session is in state
 * AUTH_WAIT meanwhile and the job finds it again by its id.
 */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "auth/work.h"
#include "base/log.h"
#include "net/tls_peer.h"
#include "pgwire/msgwrite.h"
#include "session/login.h"

/* Authentication requests: the number in an 'R' message. */
enum { R_CLEAR = 3, R_MD5 = 5, R_SASL = 10, R_SASL_CONTINUE = 11,
	R_SASL_FINAL = 12 };

static void
proof_send(struct session *s, uint32_t code, const void *p, size_t n)
{
	struct msgwrite w;
	struct buf b;

	buf_init(&b, 4096);
	msgwrite_init(&w, &b);
	msgwrite_begin(&w, 'R');
	msgwrite_u32(&w, code);
	if (n > 0)
		msgwrite_bytes(&w, p, n);
	msgwrite_end(&w);
	CHECK(!w.failed);
	session_send(s, buf_head(&b), buf_len(&b));
	buf_reset(&b);
}

/* ---- asking -------------------------------------------------------------------- */

static void
proof_ask_scram(struct session *s)
{
	uint8_t bind[TLS_END_POINT_MAX];
	struct login *l = s->login;
	struct slice offered;
	size_t n;

	scram_init(&l->scram, &l->secret.verifier, l->secret.mock);
	n = s->st.ssl != NULL ? tls_end_point(s->st.ssl, bind) : 0;
	if (n > 0)
		scram_offer_plus(&l->scram, bind, n);
	l->asked = ASKED_SCRAM;
	offered = scram_mechanisms(&l->scram);
	proof_send(s, R_SASL, offered.p, offered.n);
}

void
session_auth_ask(struct session *s)
{
	struct login *l = s->login;

	session_enter(s, SESSION_AUTH);
	if (l->rule->method == AUTH_PASSWORD) {
		l->asked = ASKED_PASSWORD;
		proof_send(s, R_CLEAR, NULL, 0);
	} else if (l->rule->method == AUTH_MD5 && secret_has_md5(&l->secret)) {
		l->asked = ASKED_MD5;
		hash_random(l->md5_salt, sizeof(l->md5_salt));
		proof_send(s, R_MD5, l->md5_salt, sizeof(l->md5_salt));
	} else {
		proof_ask_scram(s);
	}
}

/* ---- jobs ---------------------------------------------------------------------- */

struct proof_job {
	struct auth_job job;
	uint64_t session;
	/* a password to check */
	struct secret secret;
	char *user, *password;
	bool ok;
	/* a system user to name */
	uid_t uid;
	char *name; /* NULL: the system does not know it */
};

static void
proof_job_free(struct proof_job *j)
{
	if (j->password != NULL)
		explicit_bzero(j->password, strlen(j->password));
	free(j->password);
	secret_fini(&j->secret);
	free(j->user);
	free(j->name);
	free(j);
}

/* The session may have gone, or, timed out, be about to. */
static struct session *
proof_job_session(struct worker *w, const struct proof_job *j)
{
	struct session *s = session_find(w->sessions, j->session);

	return s != NULL && s->state == SESSION_AUTH_WAIT ? s : NULL;
}

/* What a job has found out. Input may have come meanwhile. */
static void
proof_settle(struct session *s, bool ok)
{
	if (ok)
		session_auth_passed(s);
	else
		session_auth_failed(s);
	if (s->state != SESSION_CLOSED)
		session_pump(s);
}

static void
proof_submit(struct session *s, struct proof_job *j,
    void (*work)(struct auth_job *), void (*done)(struct worker *,
    struct message *))
{
	j->session = s->id;
	j->job.w = s->sw->w;
	j->job.work = work;
	j->job.done.run = done;
	if (auth_work_submit(&j->job)) {
		session_enter(s, SESSION_AUTH_WAIT);
		return;
	}
	proof_job_free(j);
	session_close(s, CLOSE_AUTH_BUSY, NULL);
}

/* ---- the password in clear -------------------------------------------------------- */

static void
proof_password_work(struct auth_job *job)
{
	struct proof_job *j = (struct proof_job *)(void *)job;

	j->ok = secret_check_password(&j->secret, j->user, j->password);
}

static void
proof_password_done(struct worker *w, struct message *m)
{
	struct proof_job *j = (struct proof_job *)(void *)m;
	struct session *s = proof_job_session(w, j);

	if (s != NULL && j->ok)
		session_keep_password(s, j->password);
	if (s != NULL)
		proof_settle(s, j->ok);
	proof_job_free(j);
}

static void
proof_password(struct session *s, const char *password)
{
	struct proof_job *j = x_calloc(1, sizeof(*j));

	secret_copy(&j->secret, &s->login->secret);
	j->user = x_strdup(s->user);
	j->password = x_strdup(password);
	proof_submit(s, j, proof_password_work, proof_password_done);
}

/* ---- the system's word ---------------------------------------------------------- */

static void
proof_peer_work(struct auth_job *job)
{
	struct proof_job *j = (struct proof_job *)(void *)job;
	struct passwd pw, *found = NULL;
	char room[4096];

	if (getpwuid_r(j->uid, &pw, room, sizeof(room), &found) == 0 &&
	    found != NULL)
		j->name = x_strdup(pw.pw_name);
}

static void
proof_peer_done(struct worker *w, struct message *m)
{
	struct proof_job *j = (struct proof_job *)(void *)m;
	struct session *s = proof_job_session(w, j);
	bool ok;

	if (s != NULL) {
		ok = j->name != NULL && hba_ident(s->login->hba,
		    s->login->rule->map, j->name, s->user);
		if (!ok)
			log_info("session", "msg=\"system user does not fit\" "
			    "id=%llu user=%s uid=%lu name=%s rule=%d",
			    (unsigned long long)s->id, log_escs(s->user),
			    (unsigned long)j->uid,
			    log_escs(j->name != NULL ? j->name : ""),
			    s->login->rule->line);
		proof_settle(s, ok);
	}
	proof_job_free(j);
}

void
session_auth_peer(struct session *s)
{
	struct proof_job *j;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(s->st.fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 ||
	    len != sizeof(cred)) {
		session_auth_failed(s);
		return;
	}
	j = x_calloc(1, sizeof(*j));
	j->uid = cred.uid;
	proof_submit(s, j, proof_peer_work, proof_peer_done);
}

/* ---- answers ---------------------------------------------------------------------- */

/* The SASL data inside a PasswordMessage. */
static bool
proof_sasl_data(struct session *s, const struct frame *f, struct slice *data)
{
	struct msgread r;
	bool null;

	if (s->login->mechanism_chosen) {
		*data = slice_make(f->p, f->body);
		return true;
	}
	msgread_init(&r, f->p, f->body);
	if (!scram_choose(&s->login->scram, msgread_str(&r)))
		return false;
	*data = msgread_value(&r, &null);
	if (null)
		*data = slice_make(NULL, 0);
	s->login->mechanism_chosen = true;
	return msgread_done(&r);
}

static void
proof_take_scram(struct session *s, const struct frame *f)
{
	uint8_t nonce[18];
	char out[1024];
	size_t n = 0;
	struct slice data;

	if (!proof_sasl_data(s, f, &data)) {
		session_close(s, CLOSE_PROTOCOL, "malformed SASL message");
		return;
	}
	hash_random(nonce, sizeof(nonce));
	switch (scram_step(&s->login->scram, data, nonce, out, &n)) {
	case SCRAM_CONTINUE:
		proof_send(s, R_SASL_CONTINUE, out, n);
		break;
	case SCRAM_OK:
		session_keep_keys(s, &s->login->scram.keys);
		proof_send(s, R_SASL_FINAL, out, n);
		if (s->state != SESSION_CLOSED)
			session_auth_passed(s);
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

/* A PasswordMessage of the MD5 and clear-text exchanges: one string. */
static void
proof_take_string(struct session *s, const struct frame *f)
{
	struct slice text;
	struct msgread r;

	msgread_init(&r, f->p, f->body);
	text = msgread_str(&r);
	if (!msgread_done(&r)) {
		session_close(s, CLOSE_PROTOCOL, "malformed password message");
		return;
	}
	if (text.n == 0)
		session_close(s, CLOSE_AUTH,
		    "empty password returned by client");
	else if (s->login->asked == ASKED_PASSWORD)
		proof_password(s, text.p);
	else if (secret_check_md5(&s->login->secret, s->user,
	    s->login->md5_salt, text))
		session_auth_passed(s);
	else
		session_auth_failed(s);
}

static void
proof_take(struct session *s, const struct frame *f)
{
	if (s->login->asked == ASKED_SCRAM)
		proof_take_scram(s, f);
	else
		proof_take_string(s, f);
	/* A read buffer of ours, which others use next. */
	explicit_bzero((void *)(uintptr_t)f->p, f->body);
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
			proof_take(s, &f);
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
