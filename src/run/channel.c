/* SPDX-License-Identifier: PostgreSQL
 *
 * Messages with descriptors over a stream socket.
 *
 * Knows nothing of what they mean.  A descriptor travels with the first byte
 * of its message, and the kernel never gives bytes of two messages with
 * descriptors in one call; so it comes with the head, which is read alone.
 * Bodies may hold passwords: they are wiped.
 */
#include "run/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union channel_control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int))];
};

void
channel_print_head(const struct channel_head *h, char out[CHANNEL_HEAD])
{
	int i;

	out[0] = h->type;
	out[1] = h->has_fd;
	for (i = 0; i < 4; i++)
		out[2 + i] = (char)(h->len >> (24 - 8 * i));
}

bool
channel_parse_head(const char p[CHANNEL_HEAD], struct channel_head *h)
{
	int i;

	*h = (struct channel_head){ .type = p[0], .has_fd = p[1] == 1 };
	for (i = 0; i < 4; i++)
		h->len = h->len << 8 | (unsigned char)p[2 + i];
	return h->type >= 'A' && h->type <= 'Z' && (p[1] == 0 || p[1] == 1) &&
	    h->len <= CHANNEL_BODY_MAX;
}

void
channel_message_init(struct channel_message *m)
{
	m->type = '\0';
	m->fd = -1;
	buf_init(&m->body, CHANNEL_BODY_MAX);
}

void
channel_message_fini(struct channel_message *m)
{
	buf_wipe(&m->body);
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

/* ------------------------------------------------------------ sending */

static void
channel_attach(struct msghdr *mh, union channel_control *u, int fd)
{
	struct cmsghdr *cm;

	memset(u, 0, sizeof(*u));
	mh->msg_control = u->room;
	mh->msg_controllen = sizeof(u->room);
	cm = CMSG_FIRSTHDR(mh);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
}

bool
channel_send(int sock, char type, const void *p, size_t n, int fd, bool wait)
{
	const struct channel_head h = { type, fd >= 0, (uint32_t)n };
	char head[CHANNEL_HEAD];
	struct iovec iov[2] = { { head, sizeof(head) },
		{ (void *)(uintptr_t)p, n } };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2 };
	int flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
	union channel_control u;
	size_t used;
	ssize_t r;

	if (n > CHANNEL_BODY_MAX)
		return false;
	channel_print_head(&h, head);
	if (fd >= 0)
		channel_attach(&mh, &u, fd);
	while (iov[0].iov_len + iov[1].iov_len > 0) {
		r = sendmsg(sock, &mh, flags);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		/* The descriptor went with these. */
		mh.msg_control = NULL;
		mh.msg_controllen = 0;
		used = (size_t)r < iov[0].iov_len ? (size_t)r : iov[0].iov_len;
		iov[0].iov_base = (char *)iov[0].iov_base + used;
		iov[0].iov_len -= used;
		iov[1].iov_base = (char *)iov[1].iov_base + ((size_t)r - used);
		iov[1].iov_len -= (size_t)r - used;
	}
	return true;
}

/* ------------------------------------------------------------ receiving */

/* What came besides bytes: one descriptor at most is wanted. */
static void
channel_detach(struct msghdr *mh, struct channel_message *m)
{
	struct cmsghdr *cm;
	size_t n, i;
	int fd;

	for (cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET ||
		    cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(fd),
			    sizeof(fd));
			if (m->fd >= 0)
				close(fd);
			else
				m->fd = fd;
		}
	}
}

/* Exactly n bytes. */
static enum channel_verdict
channel_take(int sock, char *p, size_t n, struct channel_message *m)
{
	union channel_control u;
	size_t got = 0;
	ssize_t r;

	while (got < n) {
		struct iovec iov = { p + got, n - got };
		struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = u.room,
			.msg_controllen = sizeof(u.room) };

		r = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return got == 0 ? CHANNEL_LATE : CHANNEL_BROKEN;
		if (r < 0)
			return errno == ECONNRESET && got == 0 ? CHANNEL_END :
			    CHANNEL_BROKEN;
		if (r == 0)
			return got == 0 ? CHANNEL_END : CHANNEL_BROKEN;
		channel_detach(&mh, m);
		if ((mh.msg_flags & MSG_CTRUNC) != 0)
			return CHANNEL_BROKEN;
		got += (size_t)r;
	}
	return CHANNEL_GOT;
}

enum channel_verdict
channel_recv(int sock, struct channel_message *m)
{
	char head[CHANNEL_HEAD];
	struct channel_head h;
	enum channel_verdict v;

	channel_message_init(m);
	v = channel_take(sock, head, sizeof(head), m);
	if (v != CHANNEL_GOT)
		return v;
	if (!channel_parse_head(head, &h) || h.has_fd != (m->fd >= 0) ||
	    !buf_reserve(&m->body, h.len))
		goto broken;
	m->type = h.type;
	if (h.len > 0 && channel_take(sock, buf_tail(&m->body), h.len, m) !=
	    CHANNEL_GOT)
		goto broken;
	buf_grow(&m->body, h.len);
	return CHANNEL_GOT;
broken:
	channel_message_fini(m);
	return CHANNEL_BROKEN;
}
