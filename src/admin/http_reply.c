/* SPDX-License-Identifier: PostgreSQL
 *
 * Sending an HTTP answer, with the headers that all have.
 *
 * Pages run nothing but our own scripts and are shown in nobody's frame, so
 * that a name or a text of a client can at worst be read.  Control thread.
 */
#include "admin/http_reply.h"

#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define ERROR_MAX 4096

static const char *const http_headers[][2] = {
	{ "Cache-Control", "no-store" },
	{ "X-Content-Type-Options", "nosniff" },
	{ "X-Frame-Options", "DENY" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Content-Security-Policy", "default-src 'none'; script-src 'self'; "
	    "style-src 'self'; img-src 'self' data:; connect-src 'self'; "
	    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
};

struct evbuffer *
http_body(void)
{
	struct evbuffer *b = evbuffer_new();

	CHECK(b != NULL);
	return b;
}

void
http_reply(struct evhttp_request *req, int code, const char *reason,
    const char *type, struct evbuffer *body)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(req);
	char length[32];
	size_t i;

	snprintf(length, sizeof(length), "%zu", evbuffer_get_length(body));
	evhttp_add_header(out, "Content-Type", type);
	evhttp_add_header(out, "Content-Length", length);
	for (i = 0; i < ARRAY_SIZE(http_headers); i++)
		evhttp_add_header(out, http_headers[i][0],
		    http_headers[i][1]);
	if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD)
		evbuffer_drain(body, evbuffer_get_length(body));
	evhttp_send_reply(req, code, reason, body);
	evbuffer_free(body);
}

void
http_reply_error(struct evhttp_request *req, int code, const char *reason,
    const char *text)
{
	struct evbuffer *body = http_body();
	struct json j;
	struct buf b;

	buf_init(&b, ERROR_MAX);
	json_init(&j, &b);
	json_open(&j, '{');
	json_key(&j, "error");
	json_open(&j, '{');
	json_key(&j, "message");
	json_str(&j, text);
	json_close(&j, '}');
	json_close(&j, '}');
	CHECK(!j.failed && evbuffer_add(body, buf_head(&b), buf_len(&b)) == 0);
	buf_reset(&b);
	http_reply(req, code, reason, HTTP_JSON, body);
}
