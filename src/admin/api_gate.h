/* SPDX-License-Identifier: PostgreSQL
 *
 * Who may ask the JSON API, and for what.  Pure.
 */
#ifndef PGSLUICE_ADMIN_API_GATE_H
#define PGSLUICE_ADMIN_API_GATE_H

#include "conf/conf.h"
#include "session/layer.h"

struct gate_request {
	const char *peer;          /* numeric address */
	const char *host;          /* of the header Host, or NULL */
	const char *authorization; /* header, or NULL */
	bool action;
};

struct gate_answer {
	int status;           /* 0: let in, with role */
	const char *reason;   /* of the status line */
	const char *text;     /* what to do about it */
	enum console_role role;
};

/* token: NULL or "" if none is configured. */
struct gate_answer gate_judge(const struct conf *c, const char *token,
    const struct gate_request *r);

/* May a browser that says it speaks to this host be believed? Addresses and
 * localhost may, since no name server can make another page's name one of them;
 * other names only if they are configured. */
bool gate_host_ok(const struct conf_strings *names, const char *host);
bool gate_is_loopback(const char *peer);

#endif
