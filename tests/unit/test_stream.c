/* SPDX-License-Identifier: PostgreSQL
 *
 * Streams over a pair of sockets, plain and with TLS: what the kernel does not
 * take is kept and sent in order, ends and breaks are told once, reading can
 * be stopped and moved to another loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/stream.h"
#include "net/tls.h"

#define MUCH (4u * 1024 * 1024)

struct end {
	struct stream st;
	struct worker *w;
	int other;  /* the peer's descriptor */
	SSL *tls;   /* the peer's, or NULL */
	unsigned readable, drained, broken;
	bool read_all; /* in readable() */
	size_t got;
	unsigned eof, errors;
};

static struct end *
end_of(struct stream *st)
{
	return (struct end *)(void *)((char *)st - offsetof(struct end, st));
}

static void
on_readable(struct stream *st)
{
	struct end *e = end_of(st);
	char data[4096];
	size_t n;

	e->readable++;
	if (!e->read_all)
		return;
	switch (stream_recv(st, data, sizeof(data), &n)) {
	case STREAM_OK:
		e->got += n;
		break;
	case STREAM_EOF:
		e->eof++;
		break;
	case STREAM_ERROR:
		e->errors++;
		break;
	case STREAM_AGAIN:
		break;
	}
}

static void
on_drained(struct stream *st)
{
	end_of(st)->drained++;
}

static void
on_broken(struct stream *st)
{
	end_of(st)->broken++;
}

static const struct stream_ops ops = {
	.readable = on_readable,
	.drained = on_drained,
	.broken = on_broken,
};

static void
start(struct end *e)
{
	int fds[2];

	memset(e, 0, sizeof(*e));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	e->w = worker_new(0);
	e->other = fds[1];
	stream_init(&e->st, e->w, fds[0], NULL, false, &ops);
	assert_true(stream_is_open(&e->st));
}

static void
finish(struct end *e)
{
	stream_close(&e->st);
	stream_close(&e->st);
	assert_false(stream_is_open(&e->st));
	SSL_free(e->tls);
	if (e->other >= 0)
		close(e->other);
	worker_free(&e->w);
}

static void
turn(struct end *e)
{
	event_base_loop(e->w->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* What comes next of a row of bytes that tell their own place. */
static void
fill(char *p, size_t n, size_t from)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)((from + i) * 2654435761u >> 24);
}

/* Bytes the peer can read now, or -1 at the end. */
static ssize_t
peer_read(struct end *e, char *p, size_t n)
{
	ssize_t r;

	if (e->tls != NULL) {
		ERR_clear_error();
		r = SSL_read(e->tls, p, (int)n);
		if (r > 0)
			return r;
		return SSL_get_error(e->tls, (int)r) == SSL_ERROR_WANT_READ ?
		    0 : -1;
	}
	r = recv(e->other, p, n, 0);
	if (r < 0)
		return errno == EAGAIN ? 0 : -1;
	return r == 0 ? -1 : r;
}

/* The peer reads until it has n bytes, the loop turning; all in order. */
static void
peer_expects(struct end *e, size_t n)
{
	char got[5000], expected[5000];
	nsec_t limit = clock_mono() + 20 * NSEC_PER_SEC;
	size_t have = 0;

	while (have < n && clock_mono() < limit) {
		ssize_t r = peer_read(e, got, sizeof(got));

		assert_true(r >= 0);
		fill(expected, (size_t)r, have);
		assert_memory_equal(got, expected, (size_t)r);
		have += (size_t)r;
		turn(e);
	}
	assert_int_equal(have, n);
}

/* ---- sending ---------------------------------------------------------------- */

static void
send_much(struct end *e)
{
	char *all = malloc(MUCH);
	size_t pos = 0, n;
	struct iovec iov[3];

	fill(all, MUCH, 0);
	for (unsigned i = 0; pos < MUCH; i++) {
		n = 1 + i * 977 % 30000;
		if (n > MUCH - pos)
			n = MUCH - pos;
		if (i % 2 == 0) {
			assert_true(stream_send(&e->st, all + pos, n));
		} else {
			iov[0].iov_base = all + pos;
			iov[0].iov_len = n / 3;
			iov[1].iov_base = all + pos + n / 3;
			iov[1].iov_len = 0;
			iov[2].iov_base = all + pos + n / 3;
			iov[2].iov_len = n - n / 3;
			assert_true(stream_sendv(&e->st, iov, 3));
		}
		pos += n;
	}
	free(all);
}

static void
test_backlog_is_sent_in_order(void **state PG_UNUSED)
{
	struct end e;

	start(&e);
	send_much(&e);
	assert_true(stream_backlog(&e.st) > 0);
	assert_true(e.st.write_armed);
	turn(&e);
	/* Nobody reads: nothing moves, and nobody spins on it. */
	assert_int_equal(e.drained, 0);
	peer_expects(&e, MUCH);
	turn(&e);
	assert_int_equal(e.drained, 1);
	assert_int_equal(e.broken, 0);
	assert_int_equal(stream_backlog(&e.st), 0);
	assert_false(e.st.write_armed);
	/* An idle stream holds no memory. */
	assert_null(e.st.out.data);
	finish(&e);
}

/* What has been kept goes on from where it was. */
static void
test_passed_on_with_its_backlog(void **state PG_UNUSED)
{
	struct end e, heir;

	start(&e);
	send_much(&e);
	heir = e;
	stream_pass(&heir.st, &e.st, &ops);
	assert_false(stream_is_open(&e.st));
	assert_int_equal(stream_backlog(&e.st), 0);
	stream_close(&e.st);
	assert_true(heir.st.write_armed && !heir.st.reading);
	peer_expects(&heir, MUCH);
	turn(&heir);
	assert_int_equal(heir.drained, 1);
	assert_int_equal(heir.broken, 0);
	finish(&heir);
}

/* Its end is said, and what comes is dropped until the peer says its own. */
static void
test_says_its_end(void **state PG_UNUSED)
{
	struct end e;
	char byte;

	start(&e);
	assert_false(stream_is_underway(&e.st));
	assert_true(stream_send(&e.st, "last", 4));
	assert_true(stream_is_underway(&e.st));
	assert_true(stream_end(&e.st));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(read(e.other, &byte, 1), 1);
	assert_int_equal(read(e.other, &byte, 1), 0);
	assert_false(stream_is_underway(&e.st));
	assert_int_equal(stream_skip(&e.st), STREAM_AGAIN);
	assert_int_equal(write(e.other, "more", 4), 4);
	assert_int_equal(stream_skip(&e.st), STREAM_OK);
	assert_int_equal(stream_skip(&e.st), STREAM_AGAIN);
	close(e.other);
	e.other = -1;
	assert_int_equal(stream_skip(&e.st), STREAM_EOF);
	stream_close(&e.st);
	assert_int_equal(stream_skip(&e.st), STREAM_ERROR);
	assert_false(stream_is_underway(&e.st));
	finish(&e);
}

static void
test_small_sends_leave_at_once(void **state PG_UNUSED)
{
	struct end e;
	char data[16];

	start(&e);
	fill(data, sizeof(data), 0);
	assert_true(stream_send(&e.st, data, sizeof(data)));
	assert_true(stream_sendv(&e.st, NULL, 0));
	assert_int_equal(stream_backlog(&e.st), 0);
	assert_false(e.st.write_armed);
	peer_expects(&e, sizeof(data));
	assert_int_equal(e.drained, 0);
	finish(&e);
}

static void
test_queued_until_flushed(void **state PG_UNUSED)
{
	struct end e;
	char data[30];

	start(&e);
	fill(data, sizeof(data), 0);
	assert_true(stream_queue(&e.st, data, 10));
	assert_true(stream_queue(&e.st, data + 10, 10));
	assert_int_equal(stream_backlog(&e.st), 20);
	turn(&e);
	assert_int_equal(peer_read(&e, data + 20, 1), 0);
	fill(data, sizeof(data), 0);
	/* What is kept goes first. */
	assert_true(stream_send(&e.st, data + 20, 10));
	assert_true(stream_flush(&e.st));
	assert_int_equal(stream_backlog(&e.st), 0);
	peer_expects(&e, sizeof(data));
	finish(&e);
}

static void
test_broken_is_told_once(void **state PG_UNUSED)
{
	struct end e;

	start(&e);
	send_much(&e);
	close(e.other);
	e.other = -1;
	turn(&e);
	turn(&e);
	assert_int_equal(e.broken, 1);
	assert_int_equal(e.drained, 0);
	assert_false(stream_is_open(&e.st));
	assert_int_equal(stream_backlog(&e.st), 0);
	assert_false(stream_send(&e.st, "x", 1));
	assert_false(stream_queue(&e.st, "x", 1));
	assert_false(stream_flush(&e.st));
	turn(&e);
	assert_int_equal(e.broken, 1);
	finish(&e);
}

/* A failure that the caller sees is not told again. */
static void
test_send_to_nobody(void **state PG_UNUSED)
{
	struct iovec iov = { (void *)(uintptr_t)"x", 1 };
	struct end e;

	start(&e);
	close(e.other);
	e.other = -1;
	assert_false(stream_send(&e.st, "x", 1));
	assert_false(stream_sendv(&e.st, &iov, 1));
	turn(&e);
	assert_int_equal(e.broken, 0);
	finish(&e);
}

/* ---- reading ---------------------------------------------------------------- */

static void
test_reading_starts_and_stops(void **state PG_UNUSED)
{
	struct end e;
	char c[8];
	size_t n;

	start(&e);
	assert_int_equal(send(e.other, "abc", 3, 0), 3);
	turn(&e);
	assert_int_equal(e.readable, 0);
	stream_read_start(&e.st);
	stream_read_start(&e.st);
	turn(&e);
	assert_int_equal(e.readable, 1);
	/* Told once, and once more to whoever starts anew. */
	turn(&e);
	assert_int_equal(e.readable, 1);
	stream_read_stop(&e.st);
	stream_read_stop(&e.st);
	turn(&e);
	assert_int_equal(e.readable, 1);
	stream_read_start(&e.st);
	turn(&e);
	assert_int_equal(e.readable, 2);
	stream_read_stop(&e.st);
	assert_int_equal(stream_recv(&e.st, c, 2, &n), STREAM_OK);
	assert_int_equal(n, 2);
	assert_int_equal(stream_recv(&e.st, c, 2, &n), STREAM_OK);
	assert_int_equal(n, 1);
	assert_int_equal(stream_recv(&e.st, c, 2, &n), STREAM_AGAIN);
	assert_false(stream_has_pending(&e.st));
	/* Asked for although the socket is silent; not when stopped. */
	stream_read_again(&e.st);
	turn(&e);
	assert_int_equal(e.readable, 2);
	stream_read_start(&e.st);
	stream_read_again(&e.st);
	turn(&e);
	assert_int_equal(e.readable, 3);
	finish(&e);
}

static void
test_end_of_input(void **state PG_UNUSED)
{
	struct end e;
	char c;
	size_t n;

	start(&e);
	stream_read_start(&e.st);
	assert_int_equal(send(e.other, "z", 1, 0), 1);
	shutdown(e.other, SHUT_WR);
	turn(&e);
	assert_int_equal(e.readable, 1);
	assert_int_equal(stream_recv(&e.st, &c, 1, &n), STREAM_OK);
	assert_int_equal(stream_recv(&e.st, &c, 1, &n), STREAM_EOF);
	/* Half closed: it can still be told something. */
	assert_true(stream_send(&e.st, "y", 1));
	assert_int_equal(recv(e.other, &c, 1, 0), 1);
	assert_int_equal(c, 'y');
	finish(&e);
	assert_int_equal(stream_recv(&e.st, &c, 1, &n), STREAM_ERROR);
}

/* What did not fit is told of, though the socket stays silent. */
static void
test_more_than_one_read(void **state PG_UNUSED)
{
	struct end e;
	char data[10000];

	start(&e);
	e.read_all = true;
	stream_read_start(&e.st);
	fill(data, sizeof(data), 0);
	assert_int_equal(send(e.other, data, sizeof(data), 0), sizeof(data));
	for (int i = 0; i < 3; i++)
		turn(&e);
	assert_int_equal(e.got, sizeof(data));
	assert_int_equal(e.readable, 3);
	/* A read that fills the memory to the last byte does not know. */
	assert_int_equal(send(e.other, data, 4096, 0), 4096);
	for (int i = 0; i < 3; i++)
		turn(&e);
	assert_int_equal(e.got, sizeof(data) + 4096);
	assert_int_equal(e.readable, 5);
	finish(&e);
}

/* An end that came with the bytes before it is told, too. */
static void
test_end_behind_bytes(void **state PG_UNUSED)
{
	struct end e;

	start(&e);
	e.read_all = true;
	stream_read_start(&e.st);
	assert_int_equal(send(e.other, "z", 1, 0), 1);
	shutdown(e.other, SHUT_WR);
	turn(&e);
	turn(&e);
	assert_int_equal(e.got, 1);
	assert_int_equal(e.eof, 1);
	finish(&e);
}

/* A break behind bytes shows to whoever reads on, as stream.h asks for. */
static void
test_break_behind_bytes(void **state PG_UNUSED)
{
	struct end e;

	start(&e);
	e.read_all = true;
	stream_read_start(&e.st);
	assert_true(stream_send(&e.st, "never read", 10));
	assert_int_equal(send(e.other, "z", 1, 0), 1);
	close(e.other);
	e.other = -1;
	turn(&e);
	assert_int_equal(e.got, 1);
	stream_read_again(&e.st);
	turn(&e);
	assert_int_equal(e.errors, 1);
	finish(&e);
}

static void
test_quiet(void **state PG_UNUSED)
{
	struct end e;
	char c;
	size_t n;

	start(&e);
	assert_true(stream_is_quiet(&e.st));
	assert_int_equal(send(e.other, "a", 1, 0), 1);
	assert_false(stream_is_quiet(&e.st));
	/* Nothing was read away by asking. */
	assert_int_equal(stream_recv(&e.st, &c, 1, &n), STREAM_OK);
	assert_int_equal(c, 'a');
	assert_true(stream_is_quiet(&e.st));
	close(e.other);
	e.other = -1;
	assert_false(stream_is_quiet(&e.st));
	finish(&e);
}

static void
test_moves_to_another_loop(void **state PG_UNUSED)
{
	struct worker *other = worker_new(1);
	struct end e;

	start(&e);
	e.read_all = true;
	stream_read_start(&e.st);
	assert_int_equal(send(e.other, "a", 1, 0), 1);
	turn(&e);
	assert_int_equal(e.got, 1);
	stream_detach(&e.st);
	assert_int_equal(send(e.other, "b", 1, 0), 1);
	turn(&e);
	assert_int_equal(e.got, 1);
	stream_attach(&e.st, other);
	turn(&e);
	event_base_loop(other->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(e.got, 1);
	stream_read_start(&e.st);
	turn(&e);
	assert_int_equal(e.got, 1);
	event_base_loop(other->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(e.got, 2);
	/* Sending works over there as well. */
	send_much(&e);
	assert_true(e.st.write_armed);
	for (int i = 0; i < 100000 && e.drained == 0; i++) {
		char data[5000];

		(void)!recv(e.other, data, sizeof(data), 0);
		event_base_loop(other->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	assert_int_equal(e.drained, 1);
	finish(&e);
	worker_free(&other);
}

/* What belongs to someone else is not closed. */
static void
test_borrowed(void **state PG_UNUSED)
{
	struct worker *w = worker_new(0);
	struct stream st;
	int fds[2];
	char c;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	stream_init(&st, w, fds[0], NULL, true, &ops);
	stream_close(&st);
	assert_false(stream_is_open(&st));
	assert_int_equal(send(fds[0], "a", 1, 0), 1);
	assert_int_equal(recv(fds[1], &c, 1, 0), 1);
	close(fds[0]);
	close(fds[1]);
	worker_free(&w);
}

/* ---- TLS ------------------------------------------------------------------------ */

static char dir[] = "/tmp/pgsluice-stream.XXXXXX";
static char cert_file[64], key_file[64], junk_file[64];

static void
make_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	FILE *f;

	assert_non_null(key);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(x, name);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	f = fopen(cert_file, "w");
	assert_int_equal(PEM_write_X509(f, x), 1);
	fclose(f);
	f = fopen(key_file, "w");
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL,
	    NULL), 1);
	fclose(f);
	chmod(key_file, 0600);
	f = fopen(junk_file, "w");
	fputs("no certificate", f);
	fclose(f);
	chmod(junk_file, 0600);
	X509_free(x);
	EVP_PKEY_free(key);
}

static int
setup(void **state PG_UNUSED)
{
	/* As main() does: OpenSSL writes without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	assert_non_null(mkdtemp(dir));
	snprintf(cert_file, sizeof(cert_file), "%s/crt", dir);
	snprintf(key_file, sizeof(key_file), "%s/key", dir);
	snprintf(junk_file, sizeof(junk_file), "%s/junk", dir);
	make_certificate();
	return 0;
}

static int
teardown(void **state PG_UNUSED)
{
	unlink(cert_file);
	unlink(key_file);
	unlink(junk_file);
	return rmdir(dir);
}

static SSL_CTX *
server_context(const char *ca)
{
	char why[200] = "";
	const struct tls_options o = { .cert = cert_file, .key = key_file,
		.ca = ca, .must_verify = true, .ciphers = "",
		.ciphers13 = "" };
	SSL_CTX *ctx = tls_server_ctx(&o, why, sizeof(why));

	assert_string_equal(why, "");
	assert_non_null(ctx);
	return ctx;
}

/* A server end waiting for its client's hello. version: the client's highest;
 * with_cert: the client has a certificate. */
static void
start_tls(struct end *e, const char *ca, int version, bool with_cert)
{
	SSL_CTX *server = server_context(ca);
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(server);

	start(e);
	assert_int_equal(SSL_set_fd(ssl, e->st.fd), 1);
	SSL_set_accept_state(ssl);
	/* As a session does it: the stream is there before its TLS. */
	SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	stream_set_tls(&e->st, ssl);
	SSL_CTX_set_max_proto_version(client, version);
	if (with_cert) {
		assert_int_equal(SSL_CTX_use_certificate_file(client,
		    cert_file, SSL_FILETYPE_PEM), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(client, key_file,
		    SSL_FILETYPE_PEM), 1);
	}
	e->tls = SSL_new(client);
	assert_int_equal(SSL_set_fd(e->tls, e->other), 1);
	SSL_set_connect_state(e->tls);
	SSL_CTX_free(server);
	SSL_CTX_free(client);
}

/* Both sides in turns; what the server's side came to. */
static int
shake_hands(struct end *e, const char **why)
{
	int r = 0, c = 0;

	for (int i = 0; i < 100 && r == 0; i++) {
		if (c != 1)
			c = SSL_do_handshake(e->tls);
		ERR_clear_error();
		r = stream_tls_accept(&e->st, why);
		turn(e);
	}
	if (c != 1)
		c = SSL_do_handshake(e->tls);
	ERR_clear_error();
	return r;
}

static void
test_tls_backlog_is_sent_in_order(void **state PG_UNUSED)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const char *why = NULL;
	struct end e;

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		start_tls(&e, "", versions[i], false);
		assert_int_equal(shake_hands(&e, &why), 1);
		assert_int_equal(SSL_version(e.st.ssl), versions[i]);
		send_much(&e);
		assert_true(stream_backlog(&e.st) > 0);
		peer_expects(&e, MUCH);
		turn(&e);
		assert_int_equal(e.drained, 1);
		assert_null(e.st.out.data);
		assert_false(e.st.write_armed);
		finish(&e);
	}
}

/* A record is more than was asked for: the rest raises no socket event. */
static void
test_tls_bytes_inside(void **state PG_UNUSED)
{
	const char *why = NULL;
	struct end e;
	char c[8];
	size_t n;

	start_tls(&e, "", TLS1_3_VERSION, false);
	assert_int_equal(shake_hands(&e, &why), 1);
	assert_true(stream_is_quiet(&e.st));
	assert_int_equal(SSL_write(e.tls, "abcdef", 6), 6);
	assert_false(stream_is_quiet(&e.st));
	assert_int_equal(stream_recv(&e.st, c, 2, &n), STREAM_OK);
	assert_int_equal(n, 2);
	assert_true(stream_has_pending(&e.st));
	assert_false(stream_is_quiet(&e.st));
	stream_read_start(&e.st);
	turn(&e);
	assert_int_equal(e.readable, 1);
	assert_int_equal(stream_recv(&e.st, c, 8, &n), STREAM_OK);
	assert_int_equal(n, 4);
	assert_memory_equal(c, "cdef", 4);
	assert_false(stream_has_pending(&e.st));
	assert_int_equal(stream_recv(&e.st, c, 8, &n), STREAM_AGAIN);
	assert_true(stream_is_quiet(&e.st));
	finish(&e);
}

static void
test_tls_ends(void **state PG_UNUSED)
{
	const char *why = NULL;
	struct end e;
	size_t n;
	char c;

	/* With a word, */
	start_tls(&e, "", TLS1_3_VERSION, false);
	assert_int_equal(shake_hands(&e, &why), 1);
	SSL_shutdown(e.tls);
	assert_int_equal(stream_recv(&e.st, &c, 1, &n), STREAM_EOF);
	finish(&e);
	/* without one, */
	start_tls(&e, "", TLS1_3_VERSION, false);
	assert_int_equal(shake_hands(&e, &why), 1);
	close(e.other);
	e.other = -1;
	assert_int_equal(stream_recv(&e.st, &c, 1, &n), STREAM_ERROR);
	finish(&e);
	/* and with bytes that are no record. */
	start_tls(&e, "", TLS1_3_VERSION, false);
	assert_int_equal(shake_hands(&e, &why), 1);
	assert_int_equal(send(e.other, "Q\0\0\0\6hello", 10, 0), 10);
	assert_int_equal(stream_recv(&e.st, &c, 1, &n), STREAM_ERROR);
	finish(&e);
}

static void
test_tls_handshake_fails(void **state PG_UNUSED)
{
	const char *why;
	struct end e;

	/* Not TLS at all. */
	why = NULL;
	start_tls(&e, "", TLS1_3_VERSION, false);
	assert_int_equal(stream_tls_accept(&e.st, &why), 0);
	assert_int_equal(send(e.other, "Q\0\0\0\15select 1;", 14, 0), 14);
	assert_int_equal(stream_tls_accept(&e.st, &why), -1);
	assert_non_null(why);
	finish(&e);
	/* Gone in the middle of it. */
	why = NULL;
	start_tls(&e, "", TLS1_3_VERSION, false);
	(void)SSL_do_handshake(e.tls);
	assert_int_equal(stream_tls_accept(&e.st, &why), 0);
	close(e.other);
	e.other = -1;
	assert_int_equal(stream_tls_accept(&e.st, &why), -1);
	assert_non_null(why);
	finish(&e);
	/* Too old. */
	why = NULL;
	start_tls(&e, "", TLS1_1_VERSION, false);
	SSL_set_security_level(e.tls, 0);
	assert_int_equal(shake_hands(&e, &why), -1);
	assert_non_null(why);
	finish(&e);
}

static void
test_tls_client_certificates(void **state PG_UNUSED)
{
	const char *why = NULL;
	struct end e;

	start_tls(&e, cert_file, TLS1_2_VERSION, false);
	assert_int_equal(shake_hands(&e, &why), -1);
	assert_non_null(why);
	finish(&e);
	start_tls(&e, cert_file, TLS1_2_VERSION, true);
	assert_int_equal(shake_hands(&e, &why), 1);
	finish(&e);
}

static void
test_tls_contexts_that_cannot_be(void **state PG_UNUSED)
{
	static const mode_t open_modes[] = { 0644, 0604, 0602, 0620, 0660,
		0610 };
	char why[200];

#define REFUSED_WITH(options, text) \
	do { \
		why[0] = '\0'; \
		assert_null(tls_server_ctx(options, why, sizeof(why))); \
		assert_non_null(strstr(why, text)); \
	} while (0)
#define REFUSED(c, k, a, text) \
	REFUSED_WITH((&(struct tls_options){ .cert = c, .key = k, .ca = a, \
	    .ciphers = "", .ciphers13 = "" }), text)
	REFUSED("/none", key_file, "", "/none");
	REFUSED(cert_file, "/none", "", "/none");
	REFUSED(cert_file, key_file, "/none", "/none");
	REFUSED(junk_file, key_file, "", junk_file);
	REFUSED(cert_file, junk_file, "", junk_file);
	REFUSED(cert_file, key_file, junk_file, junk_file);
	for (size_t i = 0; i < ARRAY_SIZE(open_modes); i++) {
		chmod(key_file, open_modes[i]);
		REFUSED(cert_file, key_file, "", "lets others");
	}
	chmod(key_file, 0600);
	REFUSED_WITH((&(struct tls_options){ .cert = cert_file,
	    .key = key_file, .ca = "", .ciphers = "NONE-SUCH",
	    .ciphers13 = "" }), "tls_ciphers");
	REFUSED_WITH((&(struct tls_options){ .cert = cert_file,
	    .key = key_file, .ca = "", .ciphers = "",
	    .ciphers13 = "NONE_SUCH" }), "tls13_ciphers");
	SSL_CTX_free(server_context(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backlog_is_sent_in_order),
		cmocka_unit_test(test_passed_on_with_its_backlog),
		cmocka_unit_test(test_says_its_end),
		cmocka_unit_test(test_small_sends_leave_at_once),
		cmocka_unit_test(test_queued_until_flushed),
		cmocka_unit_test(test_broken_is_told_once),
		cmocka_unit_test(test_send_to_nobody),
		cmocka_unit_test(test_reading_starts_and_stops),
		cmocka_unit_test(test_end_of_input),
		cmocka_unit_test(test_more_than_one_read),
		cmocka_unit_test(test_end_behind_bytes),
		cmocka_unit_test(test_break_behind_bytes),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_moves_to_another_loop),
		cmocka_unit_test(test_borrowed),
		cmocka_unit_test(test_tls_backlog_is_sent_in_order),
		cmocka_unit_test(test_tls_bytes_inside),
		cmocka_unit_test(test_tls_ends),
		cmocka_unit_test(test_tls_handshake_fails),
		cmocka_unit_test(test_tls_client_certificates),
		cmocka_unit_test(test_tls_contexts_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
