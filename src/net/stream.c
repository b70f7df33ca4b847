/* SPDX-License-Identifier: PostgreSQL
 *
 * Non-blocking streams: plain sockets and OpenSSL behind the same calls.
 *
 * Knows bytes only, no protocol.  Runs on its worker's thread.  Invariant:
 * out is non-empty exactly while the write event is armed (or the stream has
 * failed); the read event is armed exactly while reading is true.
 */
#include "net/stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SMALL_SEND 1024

/* recv() and send() of a C library are points where a thread can be cancelled,
 * which costs an atomic write before and after each.  No thread is cancelled
 * here, and these two are called for every message. */
static ssize_t
stream_socket_recv(int fd, void *p, size_t n)
{
	ssize_t r;

	do
		r = syscall(SYS_recvfrom, fd, p, n, 0, NULL, NULL);
	while (r < 0 && errno == EINTR);
	return r;
}

static ssize_t
stream_socket_send(int fd, const void *p, size_t n)
{
	ssize_t r;

	do
		r = syscall(SYS_sendto, fd, p, n, MSG_NOSIGNAL, NULL, 0);
	while (r < 0 && errno == EINTR);
	return r;
}

static void
stream_fail(struct stream *st)
{
	st->failed = true;
	buf_reset(&st->out);
	if (st->write_armed) {
		event_del(&st->wr);
		st->write_armed = false;
	}
}

static void
stream_want_write(struct stream *st)
{
	if (!st->write_armed) {
		event_add(&st->wr, NULL);
		st->write_armed = true;
	}
}

/* Bytes written (>= 0), or -1 when the stream is dead. */
static ssize_t
stream_write_some(struct stream *st, const void *p, size_t n)
{
	ssize_t r;
	size_t done;

	if (st->ssl == NULL) {
		r = stream_socket_send(st->fd, p, n);
		if (r < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
		return r;
	}
	ERR_clear_error();
	if (SSL_write_ex(st->ssl, p, n, &done) == 1)
		return (ssize_t)done;
	switch (SSL_get_error(st->ssl, 0)) {
	case SSL_ERROR_WANT_WRITE:
	case SSL_ERROR_WANT_READ:
		return 0;
	default:
		return -1;
	}
}

/* Send from out until the kernel is full. */
static bool
stream_write_kept(struct stream *st)
{
	ssize_t r;

	while (buf_len(&st->out) > 0) {
		r = stream_write_some(st, buf_head(&st->out),
		    buf_len(&st->out));
		if (r < 0) {
			stream_fail(st);
			return false;
		}
		if (r == 0) {
			stream_want_write(st);
			return true;
		}
		buf_consume(&st->out, (size_t)r);
	}
	if (st->write_armed) {
		event_del(&st->wr);
		st->write_armed = false;
	}
	buf_reset(&st->out);
	return true;
}

static void
stream_on_write(evutil_socket_t fd PG_UNUSED, short what PG_UNUSED, void *arg)
{
	struct stream *st = arg;

	if (!stream_write_kept(st)) {
		st->ops->broken(st);
		return;
	}
	if (buf_len(&st->out) == 0)
		st->ops->drained(st);
}

static void
stream_on_read(evutil_socket_t fd PG_UNUSED, short what, void *arg)
{
	struct stream *st = arg;

	st->ending |= (what & EV_CLOSED) != 0;
	st->ops->readable(st);
}

/* With TLS the kernel knows less than half of what there is to read. */
static void
stream_set_events(struct stream *st)
{
	short edge = st->ssl == NULL ? EV_ET : 0;
	short end = st->ssl == NULL ? EV_CLOSED : 0;

	worker_event_set(st->w, &st->rd, st->fd, EV_READ | end | edge |
	    EV_PERSIST, stream_on_read, st);
	worker_event_set(st->w, &st->wr, st->fd, EV_WRITE | edge | EV_PERSIST,
	    stream_on_write, st);
}

void
stream_init(struct stream *st, struct worker *w, int fd, SSL *ssl,
    bool borrowed, const struct stream_ops *ops)
{
	st->ops = ops;
	st->fd = fd;
	st->ssl = ssl;
	st->borrowed = borrowed;
	st->failed = false;
	buf_init(&st->out, STREAM_OUT_MAX);
	if (ssl != NULL)
		SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
		    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
		    SSL_MODE_RELEASE_BUFFERS);
	stream_attach(st, w);
}

void
stream_attach(struct stream *st, struct worker *w)
{
	st->w = w;
	st->reading = st->write_armed = st->ending = false;
	stream_set_events(st);
}

void
stream_detach(struct stream *st)
{
	CHECK(buf_len(&st->out) == 0);
	event_del(&st->rd);
	event_del(&st->wr);
	st->reading = st->write_armed = false;
}

void
stream_pass(struct stream *to, struct stream *from,
    const struct stream_ops *ops)
{
	CHECK(!from->borrowed && stream_is_open(from));
	event_del(&from->rd);
	event_del(&from->wr);
	*to = *from;
	to->ops = ops;
	buf_init(&from->out, STREAM_OUT_MAX);
	from->reading = from->write_armed = false;
	from->ssl = NULL;
	from->fd = -1;
	from->failed = true;
	stream_attach(to, to->w);
	if (buf_len(&to->out) > 0)
		stream_want_write(to);
}

void
stream_close(struct stream *st)
{
	if (st->fd < 0)
		return;
	event_del(&st->rd);
	event_del(&st->wr);
	st->reading = st->write_armed = false;
	buf_reset(&st->out);
	if (!st->borrowed) {
		if (st->ssl != NULL) {
			ERR_clear_error();
			SSL_shutdown(st->ssl);
			SSL_free(st->ssl);
		}
		close(st->fd);
	}
	st->ssl = NULL;
	st->fd = -1;
	st->failed = true;
}

bool
stream_is_open(const struct stream *st)
{
	return st->fd >= 0 && !st->failed;
}

void
stream_read_start(struct stream *st)
{
	if (st->fd < 0 || st->reading)
		return;
	event_add(&st->rd, NULL);
	st->reading = true;
	/* Bytes decrypted earlier raise no socket event. */
	if (stream_has_pending(st))
		event_active(&st->rd, EV_READ, 0);
}

void
stream_read_stop(struct stream *st)
{
	if (!st->reading)
		return;
	event_del(&st->rd);
	st->reading = false;
}

void
stream_set_tls(struct stream *st, SSL *ssl)
{
	bool reading = st->reading, writing = st->write_armed;

	event_del(&st->rd);
	event_del(&st->wr);
	st->ssl = ssl;
	stream_set_events(st);
	if (reading)
		event_add(&st->rd, NULL);
	if (writing)
		event_add(&st->wr, NULL);
}

bool
stream_has_pending(const struct stream *st)
{
	return st->ssl != NULL && SSL_pending(st->ssl) > 0;
}

void
stream_read_again(struct stream *st)
{
	if (st->reading)
		event_active(&st->rd, EV_READ, 0);
}

enum stream_status
stream_recv(struct stream *st, void *p, size_t size, size_t *n)
{
	ssize_t r;

	if (st->fd < 0)
		return STREAM_ERROR;
	if (st->ssl == NULL) {
		r = stream_socket_recv(st->fd, p, size);
		if (r > 0) {
			*n = (size_t)r;
			/* No event will tell of what was there already. */
			if ((size_t)r == size || st->ending)
				stream_read_again(st);
			return STREAM_OK;
		}
		if (r == 0)
			return STREAM_EOF;
		return errno == EAGAIN || errno == EWOULDBLOCK ?
		    STREAM_AGAIN : STREAM_ERROR;
	}
	ERR_clear_error();
	if (SSL_read_ex(st->ssl, p, size, n) == 1)
		return STREAM_OK;
	switch (SSL_get_error(st->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		return STREAM_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		stream_want_write(st);
		return STREAM_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return STREAM_EOF;
	default:
		return STREAM_ERROR;
	}
}

enum stream_status
stream_skip(struct stream *st)
{
	ssize_t r;

	if (st->fd < 0)
		return STREAM_ERROR;
	r = stream_socket_recv(st->fd, st->w->scratch, WORKER_SCRATCH);
	if (r > 0)
		return STREAM_OK;
	if (r == 0)
		return STREAM_EOF;
	return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN :
	    STREAM_ERROR;
}

bool
stream_end(struct stream *st)
{
	CHECK(buf_len(&st->out) == 0);
	if (st->ssl != NULL) {
		ERR_clear_error();
		if (SSL_shutdown(st->ssl) < 0)
			return false;
	}
	return shutdown(st->fd, SHUT_WR) == 0;
}

bool
stream_is_underway(const struct stream *st)
{
	int n = 0;

	return st->fd >= 0 && ioctl(st->fd, SIOCOUTQ, &n) == 0 && n > 0;
}

bool
stream_queue(struct stream *st, const void *p, size_t n)
{
	if (st->failed)
		return false;
	if (!buf_append(&st->out, p, n)) {
		st->no_memory = true;
		stream_fail(st);
		return false;
	}
	return true;
}

bool
stream_flush(struct stream *st)
{
	if (st->failed)
		return false;
	/* While armed, the event's turn will come. */
	return st->write_armed || stream_write_kept(st);
}

bool
stream_send(struct stream *st, const void *p, size_t n)
{
	ssize_t r = 0;

	if (st->failed)
		return false;
	if (buf_len(&st->out) == 0) {
		r = stream_write_some(st, p, n);
		if (r < 0) {
			stream_fail(st);
			return false;
		}
		if ((size_t)r == n)
			return true;
	}
	if (!stream_queue(st, (const char *)p + r, n - (size_t)r))
		return false;
	return stream_flush(st);
}

/* Bytes written, as send() tells. To the kernel a vector costs more than the
 * copy that spares it, as long as the whole is small. */
static ssize_t
stream_send_pieces(int fd, const struct iovec *iov, int n)
{
	struct msghdr mh = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)n };
	char whole[SMALL_SEND];
	size_t at = 0;
	ssize_t r;
	int i;

	for (i = 0; i < n; i++) {
		if (iov[i].iov_len > sizeof(whole) - at) {
			do
				r = sendmsg(fd, &mh, MSG_NOSIGNAL);
			while (r < 0 && errno == EINTR);
			return r;
		}
		memcpy(whole + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	return stream_socket_send(fd, whole, at);
}

bool
stream_sendv(struct stream *st, const struct iovec *iov, int n)
{
	ssize_t r = 0;
	int i;

	if (st->failed)
		return false;
	if (buf_len(&st->out) == 0 && st->ssl == NULL) {
		r = stream_send_pieces(st->fd, iov, n);
		if (r < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK) {
				stream_fail(st);
				return false;
			}
			r = 0;
		}
	}
	/* With TLS the pieces are joined first: one record, one write. */
	for (i = 0; i < n; i++) {
		if ((size_t)r >= iov[i].iov_len) {
			r -= (ssize_t)iov[i].iov_len;
			continue;
		}
		if (!stream_queue(st, (const char *)iov[i].iov_base + r,
		    iov[i].iov_len - (size_t)r))
			return false;
		r = 0;
	}
	return buf_len(&st->out) == 0 || stream_flush(st);
}

int
stream_tls_accept(struct stream *st, const char **why)
{
	unsigned long e;
	int r;

	ERR_clear_error();
	r = SSL_accept(st->ssl);
	if (r == 1)
		return 1;
	switch (SSL_get_error(st->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_WANT_WRITE:
		stream_want_write(st);
		return 0;
	default:
		e = ERR_peek_last_error();
		*why = e != 0 ? ERR_reason_error_string(e) : NULL;
		if (*why == NULL)
			*why = "connection closed during the handshake";
		return -1;
	}
}

int
stream_peek(const struct stream *st)
{
	unsigned char c;

	return recv(st->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 1 ? c : -1;
}

bool
stream_is_quiet(const struct stream *st)
{
	char c;
	ssize_t r = recv(st->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	return r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) &&
	    !stream_has_pending(st);
}
