/* SPDX-License-Identifier: PostgreSQL
 *
 * Messages between two processes over a stream socket, each with at most one
 * descriptor.
 *
 *   type (1) | 1 if a descriptor comes with it, else 0 (1) | length (4) | body
 *
 * Blocking; a caller that must not block says so.  The peer is a process of
 * the same program, but lengths are checked all the same.
 */
#ifndef PGSLUICE_RUN_CHANNEL_H
#define PGSLUICE_RUN_CHANNEL_H

#include "base/buf.h"

#define CHANNEL_HEAD 6
#define CHANNEL_BODY_MAX (256u << 20)

struct channel_head {
	char type;
	bool has_fd;
	uint32_t len;
};
void channel_print_head(const struct channel_head *h, char out[CHANNEL_HEAD]);
/* false: no head of a message. */
bool channel_parse_head(const char p[CHANNEL_HEAD], struct channel_head *h)
    PG_MUST_CHECK;

struct channel_message {
	char type;
	int fd;          /* the caller's; -1: none */
	struct buf body;
};
void channel_message_init(struct channel_message *m);
/* Wipes the body, and closes what came. */
void channel_message_fini(struct channel_message *m);

/* fd: -1, or a descriptor that the peer gets one of, too. wait: until there is
 * room; else what finds none is not sent. false: it was not sent, or not all
 * of it, and then the channel is of no more use. One thread at a time. */
bool channel_send(int sock, char type, const void *p, size_t n, int fd,
    bool wait) PG_MUST_CHECK;

enum channel_verdict {
	CHANNEL_GOT,
	CHANNEL_END,   /* the peer has closed it */
	CHANNEL_LATE,  /* nothing came for as long as the socket may block */
	CHANNEL_BROKEN /* not understood, or cut off */
};
/* m is set up anew. */
enum channel_verdict channel_recv(int sock, struct channel_message *m)
    PG_MUST_CHECK;

#endif
