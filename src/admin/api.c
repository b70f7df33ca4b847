/* SPDX-License-Identifier: PostgreSQL
 *
 * The JSON API: requests, and the jobs that answer them.
 *
 * A job is one answer in the making, or made a moment ago: it asks the console
 * for one part after the other (asker.h), and all who ask for the same thing
 * meanwhile get the same bytes.  So what it costs is bounded, however many
 * browsers look: READS_MAX jobs at a time, each at most every KEPT_FOR, none
 * longer than BODY_MAX.  Actions are jobs that nobody shares.  Runs on the
 * control thread, which never waits.
 */
#include "admin/api.h"

#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/api_gate.h"
#include "admin/api_names.h"
#include "admin/asker.h"
#include "admin/http_reply.h"
#include "admin/rows_json.h"

#define READS_MAX 6
#define ACTIONS_MAX (ASKER_TICKETS - READS_MAX)
#define KEPT_MAX 8
#define WAITERS_MAX 64
#define KEPT_FOR (500 * NSEC_PER_MSEC)
#define READ_TIME (5 * NSEC_PER_SEC)
#define ACTION_TIME (30 * NSEC_PER_SEC)
#define PART_MAX (2u * 1024 * 1024)
#define BODY_MAX (32u * 1024 * 1024)

struct api_waiter {
	STAILQ_ENTRY(api_waiter) link;
	struct evhttp_request *req;
};

struct api_job {
	TAILQ_ENTRY(api_job) link;
	char *name;                /* what asks for the same has the same */
	const struct api_row *row; /* of a page: the part at hand; or NULL */
	char *sql;                 /* else: the command */
	enum console_role role;
	bool action;
	uint64_t ticket;           /* 0: nothing is being asked */
	nsec_t began, ended;       /* ended 0: under way */
	int status;
	struct buf out;
	struct json j;
	unsigned n_waiters;
	STAILQ_HEAD(, api_waiter) waiters;
};

struct api {
	uint32_t magic;
#define API_MAGIC 0x41504a31u
	struct control *control;
	struct event *look;
	TAILQ_HEAD(api_jobs, api_job) jobs; /* oldest first */
};

static struct api *api_one; /* who gets answers */

/* ------------------------------------------------------------ answers */

static const char *
status_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} all[] = { { 200, "OK" }, { 400, "Bad Request" },
		{ 403, "Forbidden" }, { 404, "Not Found" },
		{ 409, "Conflict" } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].status == status)
			return all[i].reason;
	return "Internal Server Error";
}

/* Of a command that was answered with an error. */
static int
status_of(const char *sqlstate)
{
	static const struct {
		const char *sqlstate;
		int status;
	} all[] = { { "", 200 }, { "42501", 403 }, { "42704", 404 },
		{ "3D000", 404 }, { "42601", 400 }, { "22023", 400 },
		{ "54000", 500 } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (strcmp(all[i].sqlstate, sqlstate) == 0)
			return all[i].status;
	return 409;
}

static void
reply_body(struct evhttp_request *req, const struct api_job *job)
{
	struct evbuffer *body = http_body();

	CHECK(evbuffer_add(body, buf_head(&job->out), buf_len(&job->out)) ==
	    0);
	http_reply(req, job->status, status_reason(job->status), HTTP_JSON,
	    body);
}

static void
reply_busy(struct evhttp_request *req, const char *text)
{
	evhttp_add_header(evhttp_request_get_output_headers(req),
	    "Retry-After", "1");
	http_reply_error(req, 503, "Service Unavailable", text);
}

/* ------------------------------------------------------------ jobs */

static struct evhttp_request *
job_next_waiter(struct api_job *job)
{
	struct api_waiter *w = STAILQ_FIRST(&job->waiters);
	struct evhttp_request *req;

	if (w == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&job->waiters, link);
	job->n_waiters--;
	req = w->req;
	free(w);
	return req;
}

/* Whoever waits is told that nothing came. */
static void
job_free(struct api *a, struct api_job *job)
{
	struct evhttp_request *req;

	if (job->ticket != 0)
		asker_drop(job->ticket);
	while ((req = job_next_waiter(job)) != NULL)
		reply_busy(req, job->action ? "not done in time, and taken "
		    "back where that can be" : "no answer in time");
	TAILQ_REMOVE(&a->jobs, job, link);
	buf_reset(&job->out);
	free(job->name);
	free(job->sql);
	free(job);
}

static void
job_end(struct api *a, struct api_job *job)
{
	struct evhttp_request *req;

	job->ended = clock_mono();
	while ((req = job_next_waiter(job)) != NULL)
		if (job->j.failed)
			http_reply_error(req, 500, status_reason(500),
			    "the answer is too large");
		else
			reply_body(req, job);
	if (job->action || job->j.failed)
		job_free(a, job);
}

static void
job_ask(struct api_job *job, const char *sql)
{
	job->ticket = asker_ask(sql, job->role);
	/* There are no more jobs than tickets. */
	CHECK(job->ticket != 0);
}

/* Write own parts up to the next one that has to be asked for. */
static void
job_step(struct api *a, struct api_job *job)
{
	for (; job->row->kind == API_ROW_OWN; job->row++) {
		json_key(&job->j, job->row->name);
		job->row->write(a->control, &job->j);
	}
	if (job->row->kind == API_ROW_SHOW) {
		job_ask(job, job->row->command);
		return;
	}
	json_close(&job->j, '}');
	job_end(a, job);
}

static void
job_take(struct api *a, struct api_job *job, struct slice answer)
{
	bool page = job->row != NULL;
	char sqlstate[6];

	asker_drop(job->ticket);
	job->ticket = 0;
	if (page) {
		json_key(&job->j, job->row->name);
		json_open(&job->j, '{');
	}
	rows_json(&job->j, answer, page ? ROWS_OBJECTS : ROWS_TABLE,
	    page ? PART_MAX : 4 * PART_MAX, sqlstate);
	json_close(&job->j, '}');
	if (page) {
		job->row++;
		job_step(a, job);
		return;
	}
	job->status = status_of(sqlstate);
	job_end(a, job);
}

static void
api_take(struct control *c PG_UNUSED, struct control_message *m)
{
	struct asker_answer *answer = (struct asker_answer *)(void *)m;
	struct api_job *job;

	CHECK_MAGIC(api_one, API_MAGIC);
	TAILQ_FOREACH(job, &api_one->jobs, link)
		if (job->ticket == answer->ticket) {
			job_take(api_one, job, slice_make(answer->messages,
			    answer->n));
			break;
		}
	free(answer);
}

/* What is old is forgotten, what is late given up. */
static void
api_tidy(struct api *a)
{
	struct api_job *job, *next;
	nsec_t now = clock_mono();

	for (job = TAILQ_FIRST(&a->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->ended != 0 ? now - job->ended > KEPT_FOR :
		    now - job->began > (job->action ? ACTION_TIME :
		    READ_TIME))
			job_free(a, job);
	}
}

static void
api_on_look(evutil_socket_t fd PG_UNUSED, short what PG_UNUSED, void *arg)
{
	struct api *a = arg;

	CHECK_MAGIC(a, API_MAGIC);
	api_tidy(a);
}

/* A place for another job; false: there is none. */
static bool
api_room(struct api *a, bool action)
{
	struct api_job *job, *next;
	unsigned running = 0, kept = 0;

	api_tidy(a);
	TAILQ_FOREACH(job, &a->jobs, link)
		if (job->ended != 0)
			kept++;
		else
			running += job->action == action;
	for (job = TAILQ_FIRST(&a->jobs); kept >= KEPT_MAX; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->ended != 0) {
			job_free(a, job);
			kept--;
		}
	}
	return running < (action ? ACTIONS_MAX : READS_MAX);
}

static struct api_job *
job_new(struct api *a, const char *name, enum console_role role)
{
	struct api_job *job = x_calloc(1, sizeof(*job));

	job->name = x_strdup(name);
	job->role = role;
	job->began = clock_mono();
	job->status = 200;
	buf_init(&job->out, BODY_MAX);
	json_init(&job->j, &job->out);
	STAILQ_INIT(&job->waiters);
	TAILQ_INSERT_TAIL(&a->jobs, job, link);
	json_open(&job->j, '{');
	return job;
}

static void
job_join(struct api_job *job, struct evhttp_request *req)
{
	struct api_waiter *w;

	if (job->ended != 0) {
		reply_body(req, job);
		return;
	}
	if (job->n_waiters == WAITERS_MAX) {
		reply_busy(req, "too many wait for this");
		return;
	}
	w = x_calloc(1, sizeof(*w));
	w->req = req;
	STAILQ_INSERT_TAIL(&job->waiters, w, link);
	job->n_waiters++;
}

/* ------------------------------------------------------------ requests */

struct api_want {
	const struct api_row *page; /* or NULL */
	char sql[COMMAND_TEXT_MAX]; /* else */
	bool action;
	enum console_role role;
	const char *name; /* path, and query */
};

static struct api_job *
api_find(struct api *a, const struct api_want *want)
{
	struct api_job *job;

	api_tidy(a);
	TAILQ_FOREACH(job, &a->jobs, link)
		if (!job->action && job->role == want->role &&
		    strcmp(job->name, want->name) == 0)
			return job;
	return NULL;
}

static void
api_begin_page(struct api *a, struct api_job *job,
    const struct api_row *page)
{
	json_key(&job->j, "page");
	json_str(&job->j, page->name);
	json_key(&job->j, "generated_at_seconds");
	json_u64(&job->j, clock_wall() / NSEC_PER_SEC);
	job->row = page + 1;
	job_step(a, job);
}

static void
api_serve(struct api *a, struct evhttp_request *req,
    const struct api_want *want)
{
	struct api_job *job = want->action ? NULL : api_find(a, want);

	if (job != NULL) {
		job_join(job, req);
		return;
	}
	if (!api_room(a, want->action)) {
		reply_busy(req, "too much is asked at a time");
		return;
	}
	job = job_new(a, want->name, want->role);
	job->action = want->action;
	job_join(job, req);
	if (want->page != NULL) {
		api_begin_page(a, job, want->page);
		return;
	}
	json_key(&job->j, "command");
	json_str(&job->j, want->sql);
	job->sql = x_strdup(want->sql);
	job_ask(job, job->sql);
}

/* The values of `arg`. false: there are too many, or the query is none. */
static bool
api_args(struct evkeyvalq *query, const char **args, unsigned *n)
{
	const struct evkeyval *kv;

	*n = 0;
	TAILQ_FOREACH(kv, query, next) {
		if (strcmp(kv->key, "arg") != 0 || *n == API_ARGS_MAX)
			return false;
		args[(*n)++] = kv->value;
	}
	return true;
}

static bool
api_compose_query(const char *words, const char *query, struct api_want *want)
{
	const char *args[API_ARGS_MAX];
	struct evkeyvalq list;
	unsigned n = 0;
	bool ok;

	TAILQ_INIT(&list);
	ok = (query == NULL || evhttp_parse_query_str(query, &list) == 0) &&
	    api_args(&list, args, &n) && api_compose(words, args, n,
	    want->sql, sizeof(want->sql));
	evhttp_clear_headers(&list);
	return ok;
}

static bool
api_cut(struct slice *s, const char *head, const char *tail)
{
	size_t h = strlen(head), t = strlen(tail);

	if (s->n < h + t || memcmp(s->p, head, h) != 0 ||
	    memcmp(s->p + s->n - t, tail, t) != 0)
		return false;
	*s = slice_make(s->p + h, s->n - h - t);
	return true;
}

static void
api_answer_index(struct evhttp_request *req)
{
	struct evbuffer *body = http_body();
	struct json j;
	struct buf b;

	buf_init(&b, BODY_MAX);
	json_init(&j, &b);
	api_index(&j);
	CHECK(!j.failed && evbuffer_add(body, buf_head(&b), buf_len(&b)) == 0);
	buf_reset(&b);
	http_reply(req, 200, "OK", HTTP_JSON, body);
}

static struct gate_answer
api_gate(const struct api *a, struct evhttp_request *req, bool action)
{
	const struct evkeyvalq *in = evhttp_request_get_input_headers(req);
	struct gate_request r = { .action = action,
		.host = evhttp_find_header(in, "Host"),
		.authorization = evhttp_find_header(in, "Authorization") };
	char *peer = NULL;
	ev_uint16_t port;

	evhttp_connection_get_peer(evhttp_request_get_connection(req), &peer,
	    &port);
	r.peer = peer != NULL ? peer : "";
	return gate_judge(a->control->setup.conf, a->control->setup.http_token,
	    &r);
}

bool
api_may_look(const struct api *a, struct evhttp_request *req)
{
	int status = api_gate(a, req, false).status;

	/* The page itself holds nothing: it asks for the token. */
	return status == 0 || status == 401;
}

static bool
api_method_ok(struct evhttp_request *req, bool action)
{
	enum evhttp_cmd_type how = evhttp_request_get_command(req);

	if (action ? how == EVHTTP_REQ_POST : how == EVHTTP_REQ_GET ||
	    how == EVHTTP_REQ_HEAD)
		return true;
	evhttp_add_header(evhttp_request_get_output_headers(req), "Allow",
	    action ? "POST" : "GET, HEAD");
	http_reply_error(req, 405, "Method Not Allowed", action ?
	    "actions are asked for with POST" : "this is only read: use GET");
	return false;
}

/* What is wanted of name, which is what stands behind /api/. */
static void
api_resolve(struct api *a, struct evhttp_request *req, struct slice name,
    struct api_want *want)
{
	const char *query = evhttp_uri_get_query(
	    evhttp_request_get_evhttp_uri(req)), *words = NULL;
	const struct command *c;

	if (want->action) {
		words = api_action(name);
	} else if (api_cut(&name, "show/", ".json")) {
		c = api_show(name);
		words = c != NULL ? c->words : NULL;
	} else if (api_cut(&name, "", ".json")) {
		want->page = api_page(name);
	}
	if (words == NULL && want->page == NULL)
		http_reply_error(req, 404, "Not Found", "there is no such "
		    "page: index.json lists them");
	else if (words != NULL && !api_compose_query(words, query, want))
		http_reply_error(req, 400, "Bad Request", "expected as many "
		    "parameters `arg` as the command has arguments, and no "
		    "other");
	else
		api_serve(a, req, want);
}

void
api_request(struct api *a, struct evhttp_request *req, const char *path)
{
	struct slice name = slice_str(path);
	struct api_want *want;
	struct gate_answer g;
	bool action;

	CHECK_MAGIC(a, API_MAGIC);
	CHECK(api_cut(&name, "/api/", ""));
	action = api_cut(&name, "action/", "");
	if (!api_method_ok(req, action))
		return;
	g = api_gate(a, req, action);
	if (g.status != 0) {
		if (g.status == 401)
			evhttp_add_header(
			    evhttp_request_get_output_headers(req),
			    "WWW-Authenticate", "Bearer");
		http_reply_error(req, g.status, g.reason, g.text);
		return;
	}
	if (!action && slice_eq_str(name, "index.json")) {
		api_answer_index(req);
		return;
	}
	want = x_calloc(1, sizeof(*want));
	want->action = action;
	want->role = g.role;
	want->name = evhttp_request_get_uri(req);
	api_resolve(a, req, name, want);
	free(want);
}

/* ------------------------------------------------------------ life */

struct api *
api_new(struct control *c)
{
	static const struct timeval every = { 1, 0 };
	struct api *a = x_calloc(1, sizeof(*a));

	a->magic = API_MAGIC;
	a->control = c;
	TAILQ_INIT(&a->jobs);
	a->look = event_new(c->base, -1, EV_PERSIST, api_on_look, a);
	CHECK(a->look != NULL);
	event_add(a->look, &every);
	asker_init(c, api_take);
	api_one = a;
	return a;
}

void
api_free(struct api **ap)
{
	struct api *a = *ap;
	struct api_job *job;

	*ap = NULL;
	if (a == NULL)
		return;
	CHECK_MAGIC(a, API_MAGIC);
	while ((job = TAILQ_FIRST(&a->jobs)) != NULL)
		job_free(a, job);
	event_free(a->look);
	api_one = NULL;
	a->magic = 0;
	free(a);
}
