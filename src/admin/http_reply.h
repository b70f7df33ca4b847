/* SPDX-License-Identifier: PostgreSQL
 *
 * Sending an HTTP answer.
 */
#ifndef PGSLUICE_ADMIN_HTTP_REPLY_H
#define PGSLUICE_ADMIN_HTTP_REPLY_H

#include <event2/buffer.h>
#include <event2/http.h>

#include "base/check.h"

#define HTTP_TEXT "text/plain; charset=utf-8"
#define HTTP_HTML "text/html; charset=utf-8"
#define HTTP_JSON "application/json"

struct evbuffer *http_body(void) PG_MUST_CHECK;
/* body: taken over. A reply to HEAD says how long the body would be, and has
 * none. If the client has gone, nothing happens. */
void http_reply(struct evhttp_request *req, int code, const char *reason,
    const char *type, struct evbuffer *body);
/* {"error": {"message": text}} */
void http_reply_error(struct evhttp_request *req, int code,
    const char *reason, const char *text);

#endif
