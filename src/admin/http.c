/* SPDX-License-Identifier: PostgreSQL
 *
 * The HTTP server, by libevent's evhttp on the control thread's loop.
 *
 * Pages of its own are answered from what is known at the moment, and say
 * nothing secret: no connection strings, no error texts of servers.  The
 * dashboard's files are the same for all; what they show comes from the JSON API
 * (api.h), which has its own gate.
 * Headers, bodies, idle time, age and number of connections are limited.
 * evhttp does not count connections, so we hold a reference to the bufferevent
 * of each: one whose error callback is gone has been closed by evhttp.
 */
#include "admin/http.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "admin/api.h"
#include "admin/exposition.h"
#include "admin/http_reply.h"
#include "admin/prometheus.h"
#include "admin/web.h"
#include "backend/pool.h"
#include "base/log.h"

#define HTTP_HEADERS_MAX 8192
#define HTTP_IDLE_SECONDS 10
#define HTTP_AGE_MAX (300 * NSEC_PER_SEC)
#define HTTP_CONNECTIONS_MAX 64
#define HTTP_PAGE_MAX (64u * 1024 * 1024)
#define HTTP_ADDRESSES_MAX 1

struct http_conn {
	TAILQ_ENTRY(http_conn) link;
	struct bufferevent *bev; /* a reference */
	nsec_t born;
	bool cut;                /* shut down by us, evhttp will notice */
};

struct http {
	uint32_t magic;
#define HTTP_MAGIC 0x4774b0a1u
	struct control *control;
	struct api *api;
	struct evhttp *server;
	struct event *sweep;
	TAILQ_HEAD(http_conns, http_conn) conns; /* oldest first */
	unsigned n_conns;
};

struct http_page {
	const char *path;
	void (*answer)(struct http *h, struct evhttp_request *req);
};

/* ------------------------------------------------------------ connections */

static void
http_conn_cut(struct http_conn *k)
{
	if (!k->cut)
		shutdown(bufferevent_getfd(k->bev), SHUT_RDWR);
	k->cut = true;
}

static bool
http_conn_is_gone(const struct http_conn *k)
{
	bufferevent_event_cb on_event = NULL;

	bufferevent_getcb(k->bev, NULL, NULL, &on_event, NULL);
	return on_event == NULL;
}

static void
http_conn_forget(struct http *h, struct http_conn *k)
{
	TAILQ_REMOVE(&h->conns, k, link);
	h->n_conns--;
	bufferevent_decref(k->bev);
	free(k);
}

static void
http_sweep(struct http *h)
{
	struct http_conn *k, *next;
	nsec_t now = clock_mono();

	for (k = TAILQ_FIRST(&h->conns); k != NULL; k = next) {
		next = TAILQ_NEXT(k, link);
		if (http_conn_is_gone(k))
			http_conn_forget(h, k);
		else if (now - k->born > HTTP_AGE_MAX)
			http_conn_cut(k);
	}
}

static void
http_on_sweep(evutil_socket_t fd PG_UNUSED, short what PG_UNUSED, void *arg)
{
	struct http *h = arg;

	CHECK_MAGIC(h, HTTP_MAGIC);
	http_sweep(h);
}

/* evhttp has accepted and asks for a bufferevent. Over the limit the oldest
 * connection makes room. */
static struct bufferevent *
http_on_accept(struct event_base *base, void *arg)
{
	struct http *h = arg;
	struct http_conn *k;

	CHECK_MAGIC(h, HTTP_MAGIC);
	http_sweep(h);
	if (h->n_conns >= HTTP_CONNECTIONS_MAX)
		TAILQ_FOREACH(k, &h->conns, link)
			if (!k->cut) {
				http_conn_cut(k);
				break;
			}
	k = x_calloc(1, sizeof(*k));
	k->bev = bufferevent_socket_new(base, -1, 0);
	CHECK(k->bev != NULL);
	bufferevent_incref(k->bev);
	k->born = clock_mono();
	TAILQ_INSERT_TAIL(&h->conns, k, link);
	h->n_conns++;
	return k->bev;
}

/* ------------------------------------------------------------ answers */

static void
http_metrics(struct http *h, struct evhttp_request *req)
{
	bool open = prom_asks_open(evhttp_find_header(
	    evhttp_request_get_input_headers(req), "Accept"));
	struct evbuffer *body = http_body();
	struct buf page;
	bool ok;

	buf_init(&page, HTTP_PAGE_MAX);
	ok = exposition_write(h->control, &page, open) &&
	    evbuffer_add(body, buf_head(&page), buf_len(&page)) == 0;
	buf_reset(&page);
	if (!ok) {
		evbuffer_drain(body, evbuffer_get_length(body));
		evbuffer_add_printf(body, "the page is too large\n");
	}
	evhttp_add_header(evhttp_request_get_output_headers(req), "Vary",
	    "Accept");
	http_reply(req, ok ? 200 : 500, ok ? "OK" : "Too large", open && ok ?
	    "application/openmetrics-text; version=1.0.0; charset=utf-8" :
	    "text/plain; version=0.0.4; charset=utf-8", body);
}

static void
http_verdict(struct evhttp_request *req, struct evbuffer *body)
{
	bool ok = evbuffer_get_length(body) == 0;

	if (ok)
		evbuffer_add_printf(body, "ok\n");
	http_reply(req, ok ? 200 : 503, ok ? "OK" : "Service Unavailable",
	    HTTP_TEXT, body);
}

static void
http_say_stalled(struct http *h, struct evbuffer *body)
{
	int worker = control_stalled(h->control);

	if (worker >= 0)
		evbuffer_add_printf(body, "worker %d does not move\n",
		    worker);
}

static void
http_healthz(struct http *h, struct evhttp_request *req)
{
	struct evbuffer *body = http_body();

	http_say_stalled(h, body);
	http_verdict(req, body);
}

static void
http_readyz(struct http *h, struct evhttp_request *req)
{
	const struct conf *c = h->control->setup.conf;
	struct evbuffer *body = http_body();
	size_t i;

	http_say_stalled(h, body);
	if (h->control->state != CONTROL_SERVING)
		evbuffer_add_printf(body, "no new clients are accepted\n");
	for (i = 0; i < c->n_databases; i++)
		if (!pool_backend_ok(c->databases[i].backend->name))
			evbuffer_add_printf(body, "database %s: backend %s "
			    "cannot be reached\n", c->databases[i].name,
			    c->databases[i].backend->name);
	http_verdict(req, body);
}

/* For who may not see the dashboard. */
static void
http_plain_index(struct evhttp_request *req)
{
	struct evbuffer *body = http_body();

	evbuffer_add_printf(body, "<!DOCTYPE html>\n"
	    "<html lang=\"en\"><head><meta charset=\"utf-8\">"
	    "<title>pgsluice</title></head><body>\n"
	    "<h1>pgsluice " PACKAGE_VERSION "</h1>\n<ul>\n"
	    "<li><a href=\"metrics\">metrics</a> numbers for Prometheus\n"
	    "<li><a href=\"healthz\">healthz</a> is the process alive\n"
	    "<li><a href=\"readyz\">readyz</a> can clients be served\n"
	    "</ul>\n<p>The dashboard is not served to this address under this "
	    "name: see http_dashboard and http_hosts.\n"
	    "</body></html>\n");
	http_reply(req, 200, "OK", HTTP_HTML, body);
}

static void
http_file(struct evhttp_request *req, const struct web_file *f)
{
	struct evbuffer *body = http_body();

	CHECK(evbuffer_add_reference(body, f->data, f->size, NULL, NULL) ==
	    0);
	http_reply(req, 200, "OK", f->type, body);
}

static const struct web_file *
http_find_file(const char *path)
{
	size_t i;

	for (i = 0; i < n_web_files; i++)
		if (strcmp(path, web_files[i].path) == 0)
			return &web_files[i];
	return NULL;
}

static void
http_index(struct http *h, struct evhttp_request *req)
{
	const struct web_file *f = http_find_file("/index.html");

	CHECK(f != NULL);
	if (api_may_look(h->api, req))
		http_file(req, f);
	else
		http_plain_index(req);
}

static const struct http_page http_pages[] = {
	{ "/", http_index },
	{ "/metrics", http_metrics },
	{ "/healthz", http_healthz },
	{ "/readyz", http_readyz },
};

static void
http_text(struct evhttp_request *req, int code, const char *reason,
    const char *text)
{
	struct evbuffer *body = http_body();

	evbuffer_add_printf(body, "%s\n", text);
	http_reply(req, code, reason, HTTP_TEXT, body);
}

static void
http_get(struct http *h, struct evhttp_request *req, const char *path)
{
	const struct web_file *f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(http_pages); i++)
		if (strcmp(path, http_pages[i].path) == 0) {
			http_pages[i].answer(h, req);
			return;
		}
	f = http_find_file(path);
	if (f != NULL && api_may_look(h->api, req))
		http_file(req, f);
	else
		http_text(req, 404, "Not Found", "no such page");
}

static void
http_on_request(struct evhttp_request *req, void *arg)
{
	enum evhttp_cmd_type how = evhttp_request_get_command(req);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	struct http *h = arg;

	CHECK_MAGIC(h, HTTP_MAGIC);
	if (path == NULL) {
		http_text(req, 400, "Bad Request", "this is no path");
	} else if (strncmp(path, "/api/", 5) == 0) {
		api_request(h->api, req, path);
	} else if (how == EVHTTP_REQ_GET || how == EVHTTP_REQ_HEAD) {
		http_get(h, req, path);
	} else {
		evhttp_add_header(evhttp_request_get_output_headers(req),
		    "Allow", "GET, HEAD");
		http_text(req, 405, "Method Not Allowed", "pages are only "
		    "read");
	}
}

/* ------------------------------------------------------------ life */

int
http_bind(const struct conf *c, struct given_doors *given, char *why,
    size_t why_size)
{
	struct sockaddr_storage ss[HTTP_ADDRESSES_MAX];
	socklen_t len[HTTP_ADDRESSES_MAX];
	const char *text = "not of the form host:port";
	char host[256], reason[200];
	int port, fd;

	if (!addr_split(c->http_listen, host, sizeof(host), &port) ||
	    addr_resolve(host, port, ss, len, HTTP_ADDRESSES_MAX, &text) ==
	    0) {
		snprintf(why, why_size, "%s: cannot serve HTTP on %s: %s; "
		    "correct the setting http_listen", c->path,
		    c->http_listen, text);
		return -1;
	}
	fd = given == NULL ? -1 : given_doors_take(given, DOOR_HTTP,
	    (struct sockaddr *)&ss[0], len[0]);
	if (fd >= 0)
		return fd;
	fd = listener_bind_tcp((struct sockaddr *)&ss[0], len[0], false,
	    reason, sizeof(reason));
	if (fd < 0)
		snprintf(why, why_size, "%s: cannot serve HTTP on %s: %s; "
		    "stop what listens there or change the setting "
		    "http_listen", c->path, c->http_listen, reason);
	return fd;
}

struct http *
http_new(struct control *c, int fd)
{
	static const struct timeval every = { 5, 0 };
	struct http *h = x_calloc(1, sizeof(*h));

	h->magic = HTTP_MAGIC;
	h->control = c;
	h->api = api_new(c);
	TAILQ_INIT(&h->conns);
	h->server = evhttp_new(c->base);
	CHECK(h->server != NULL);
	evhttp_set_max_headers_size(h->server, HTTP_HEADERS_MAX);
	evhttp_set_max_body_size(h->server, 0);
	evhttp_set_timeout(h->server, HTTP_IDLE_SECONDS);
	/* Those that are not for us are told so, in http_on_request(). */
	evhttp_set_allowed_methods(h->server, EVHTTP_REQ_GET |
	    EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
	    EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
	evhttp_set_gencb(h->server, http_on_request, h);
	evhttp_set_bevcb(h->server, http_on_accept, h);
	CHECK(evhttp_accept_socket_with_handle(h->server, fd) != NULL);
	h->sweep = event_new(c->base, -1, EV_PERSIST, http_on_sweep, h);
	CHECK(h->sweep != NULL);
	event_add(h->sweep, &every);
	return h;
}

void
http_free(struct http **hp)
{
	struct http *h = *hp;
	struct http_conn *k;

	*hp = NULL;
	if (h == NULL)
		return;
	CHECK_MAGIC(h, HTTP_MAGIC);
	event_free(h->sweep);
	api_free(&h->api); /* answers all whose requests are the server's */
	/* The server closes descriptors, which must be in no poll set then. */
	TAILQ_FOREACH(k, &h->conns, link)
		if (!http_conn_is_gone(k))
			bufferevent_disable(k->bev, EV_READ | EV_WRITE);
	evhttp_free(h->server);
	while ((k = TAILQ_FIRST(&h->conns)) != NULL)
		http_conn_forget(h, k);
	h->magic = 0;
	free(h);
}
