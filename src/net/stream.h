/* SPDX-License-Identifier: PostgreSQL
 *
 * A non-blocking byte stream over a plain socket or TLS on one worker's loop.
 *
 * Embedded in its owner; three callbacks go up.  Reading goes into memory the
 * owner chooses, so an idle stream holds no buffer.  Sending tries the socket
 * at once and keeps only what the kernel did not take.  One persistent read
 * event and a write event that is added only when the kernel is full: the
 * steady state makes no epoll_ctl call.
 *
 * A plain socket's events are edge-triggered, which spares the kernel a second
 * look at each socket that was ready.  What readable() must do for it: see
 * stream_recv().
 *
 * The stream does not close the owner: after an error it stays inert, and the
 * owner decides.  Callbacks may call stream_close(), but must not free the
 * owner before the turn ends (worker_defer).
 */
#ifndef PGSLUICE_NET_STREAM_H
#define PGSLUICE_NET_STREAM_H

#include <openssl/ssl.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "run/worker.h"

struct stream;

struct stream_ops {
	/* Bytes or an end may be waiting: call stream_recv(). */
	void (*readable)(struct stream *st);
	/* All that was kept has been sent. */
	void (*drained)(struct stream *st);
	/* Sending failed for good (peer gone). */
	void (*broken)(struct stream *st);
};

struct stream {
	const struct stream_ops *ops;
	struct worker *w;
	SSL *ssl;      /* NULL: plain */
	int fd;        /* -1: closed */
	bool borrowed; /* fd and ssl belong to someone else (libpq) */
	bool reading;
	bool write_armed;
	bool failed;
	bool no_memory; /* ... because what waits for the peer found no room */
	bool ending;   /* the peer's end is behind what can be read */
	struct buf out;
	struct event rd, wr;
};

#define STREAM_OUT_MAX ((size_t)1 << 30)
#define STREAM_HIGH_WATER (256 * 1024)

/* Take fd (already non-blocking) and, if not NULL, an established or
 * to-be-established SSL. Reading starts paused. */
void stream_init(struct stream *st, struct worker *w, int fd, SSL *ssl,
    bool borrowed, const struct stream_ops *ops);
/* Stop events; close what is owned. Idempotent. */
void stream_close(struct stream *st);
bool stream_is_open(const struct stream *st);

/* Move to another worker's loop: detach here, attach on the new thread. The
 * stream must have nothing left to send. */
void stream_detach(struct stream *st);
void stream_attach(struct stream *st, struct worker *w);
/* Hand an owned one over, with what it has left to send; on the same worker.
 * from is closed. Reading is paused. */
void stream_pass(struct stream *to, struct stream *from,
    const struct stream_ops *ops);

void stream_read_start(struct stream *st);
void stream_read_stop(struct stream *st);

/* From now on ssl is between us and the socket, its handshake to be done. */
void stream_set_tls(struct stream *st, SSL *ssl);

enum stream_status { STREAM_OK, STREAM_AGAIN, STREAM_EOF, STREAM_ERROR };
/* Read up to size bytes. STREAM_OK: *n > 0.
 *
 * If more is known to be there, readable() will be called again. What is not
 * known after fewer bytes than asked for is whether the connection broke behind
 * them: an owner that has nothing to send to this peer next, and will not read
 * on either, must read again until STREAM_AGAIN, or it never learns.  Source:
 * epoll(7), "Level-triggered and edge-triggered". */
enum stream_status stream_recv(struct stream *st, void *p, size_t size,
    size_t *n) PG_MUST_CHECK;
/* The same without understanding it, TLS or not: what comes is dropped. */
enum stream_status stream_skip(struct stream *st) PG_MUST_CHECK;
/* More bytes sit inside TLS although the socket may stay silent. */
bool stream_has_pending(const struct stream *st);
/* Have readable() called again this turn although the socket may be silent. */
void stream_read_again(struct stream *st);

/* Send all pieces, in order, keeping what the kernel does not take. false:
 * the stream has failed (broken() will not be called for it), or more than
 * STREAM_OUT_MAX would be kept. */
bool stream_sendv(struct stream *st, const struct iovec *iov, int n)
    PG_MUST_CHECK;
bool stream_send(struct stream *st, const void *p, size_t n) PG_MUST_CHECK;
/* Keep without trying to send; stream_flush() sends. */
bool stream_queue(struct stream *st, const void *p, size_t n) PG_MUST_CHECK;
bool stream_flush(struct stream *st) PG_MUST_CHECK;
/* No more will be sent; nothing is kept. false: the stream has failed. */
bool stream_end(struct stream *st) PG_MUST_CHECK;
/* The peer's kernel has not got all that was sent: closing before what the peer
 * sends has been read would lose the rest. */
bool stream_is_underway(const struct stream *st);
/* Bytes kept. */
static inline size_t
stream_backlog(const struct stream *st)
{
	return buf_len(&st->out);
}

/* TLS server handshake step: 1 done, 0 wait for an event, -1 failed (text in
 * why). Leaves the needed event armed. */
int stream_tls_accept(struct stream *st, const char **why) PG_MUST_CHECK;

/* The next byte of a plain stream, which stays unread; -1: there is none yet. */
int stream_peek(const struct stream *st);

/* Whether the peer is still there as far as the kernel knows without reading
 * data away: false when an end or error is pending, or when data is. */
bool stream_is_quiet(const struct stream *st);

#endif
