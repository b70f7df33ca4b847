/* SPDX-License-Identifier: PostgreSQL
 *
 * Bytes to and from Redis, in clear or through TLS.
 *
 * Knows nothing of commands and replies: it fills hiredis' reader and empties
 * hiredis' output buffer, neither of which knows TLS.  One worker's; never
 * blocks.
 *
 * TLS here never renegotiates, so what is read waits for reading and what is
 * written for writing; anything else is a failure.
 */
#include <arpa/inet.h>
#include <hiredis/sds.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "cache/l2_priv.h"

#define WIRE_READ 16384

/* What the library says, and if it was the certificate, what is wrong with
 * that. */
static enum l2_io
l2_wire_failed(struct l2_wire *w, const char *what)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;
	long verify = SSL_get_verify_result(w->ssl);

	snprintf(w->why, sizeof(w->why), "TLS: %s%s%s",
	    reason != NULL ? reason : what,
	    verify != X509_V_OK ? ": " : "", verify != X509_V_OK ?
	    X509_verify_cert_error_string(verify) : "");
	return L2_IO_FAILED;
}

static enum l2_io
l2_wire_plain(struct l2_wire *w, int r)
{
	if (r == REDIS_OK)
		return L2_IO_DONE;
	snprintf(w->why, sizeof(w->why), "%s", w->ctx->errstr);
	return L2_IO_FAILED;
}

bool
l2_wire_begin_tls(struct l2_wire *w, SSL_CTX *tls, const char *host,
    bool verify_host)
{
	unsigned char ip[16];
	size_t n;
	SSL *ssl;

	w->ssl = ssl = SSL_new(tls);
	if (ssl == NULL || SSL_set_fd(ssl, w->ctx->fd) != 1)
		return false;
	SSL_set_connect_state(ssl);
	SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	n = inet_pton(AF_INET, host, ip) == 1 ? 4 :
	    inet_pton(AF_INET6, host, ip) == 1 ? 16 : 0;
	if (n == 0 && SSL_set_tlsext_host_name(ssl, host) != 1)
		return false;
	if (!verify_host)
		return true;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return n > 0 ? X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), ip,
	    n) == 1 : SSL_set1_host(ssl, host) == 1;
}

enum l2_io
l2_wire_shake(struct l2_wire *w, bool *writing)
{
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(w->ssl);
	if (r == 1)
		return L2_IO_DONE;
	switch (SSL_get_error(w->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		*writing = false;
		return L2_IO_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		*writing = true;
		return L2_IO_AGAIN;
	default:
		return l2_wire_failed(w, "the handshake was cut off");
	}
}

enum l2_io
l2_wire_read(struct l2_wire *w)
{
	char buf[WIRE_READ];
	size_t n, before = w->ctx->reader->len;

	if (w->ssl == NULL) {
		if (redisBufferRead(w->ctx) != REDIS_OK)
			return l2_wire_plain(w, REDIS_ERR);
		return w->ctx->reader->len > before ? L2_IO_DONE :
		    L2_IO_AGAIN;
	}
	ERR_clear_error();
	if (SSL_read_ex(w->ssl, buf, sizeof(buf), &n) == 1)
		return l2_wire_plain(w, redisReaderFeed(w->ctx->reader, buf,
		    n));
	switch (SSL_get_error(w->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		return L2_IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		snprintf(w->why, sizeof(w->why), "Server closed the "
		    "connection");
		return L2_IO_FAILED;
	default:
		return l2_wire_failed(w, "the connection was cut off");
	}
}

enum l2_io
l2_wire_write(struct l2_wire *w)
{
	enum l2_io io = L2_IO_DONE;
	size_t n, at = 0;
	int done = 0;

	if (w->ssl == NULL) {
		if (redisBufferWrite(w->ctx, &done) != REDIS_OK)
			return l2_wire_plain(w, REDIS_ERR);
		return done ? L2_IO_DONE : L2_IO_AGAIN;
	}
	while (io == L2_IO_DONE && at < sdslen(w->ctx->obuf)) {
		ERR_clear_error();
		if (SSL_write_ex(w->ssl, w->ctx->obuf + at,
			sdslen(w->ctx->obuf) - at, &n) == 1)
			at += n;
		else if (SSL_get_error(w->ssl, 0) == SSL_ERROR_WANT_WRITE)
			io = L2_IO_AGAIN;
		else
			io = l2_wire_failed(w, "the connection was cut off");
	}
	if (at > 0)
		sdsrange(w->ctx->obuf, (int)at, -1);
	return io;
}

void
l2_wire_close(struct l2_wire *w)
{
	if (w->ssl != NULL) {
		/* Tell the peer if that does not take waiting. */
		ERR_clear_error();
		if (SSL_is_init_finished(w->ssl))
			SSL_shutdown(w->ssl);
		SSL_free(w->ssl);
	}
	w->ssl = NULL;
	if (w->ctx != NULL)
		redisFree(w->ctx);
	w->ctx = NULL;
}
