/* SPDX-License-Identifier: PostgreSQL
 *
 * SHOW commands about connections: CLIENTS, SERVERS, SOCKETS.
 *
 * The first columns are PgBouncer's, the same for both sides.  A client has
 * the name C-id, a server S-backend-pid; each is the other's link while the
 * server is lent.  Collected by a tour of all workers.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console.h"
#include "admin/names.h"
#include "admin/tour.h"
#include "backend/pool.h"
#include "backend/server.h"

/* Texts that cells of one row point to. */
struct socket_texts {
	char addr[INET6_ADDRSTRLEN], local_addr[INET6_ADDRSTRLEN];
	char tls[96], ptr[160], link[160];
};

/* What both sides have. */
struct socket_info {
	const char *type, *user, *database, *state, *app_name;
	int fd, pid; /* pid: of the other end; or 0 */
	const SSL *tls;
	nsec_t connected_for, asked_for, waited_for;
	bool close_needed;
};

static void
socket_address(struct row *row, const struct sockaddr_storage *ss,
    char text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in *v4 = (const void *)ss;
	const struct sockaddr_in6 *v6 = (const void *)ss;

	if (ss->ss_family == AF_INET &&
	    inet_ntop(AF_INET, &v4->sin_addr, text, INET6_ADDRSTRLEN) != NULL) {
		row_str(row, text);
		row_u64(row, ntohs(v4->sin_port));
	} else if (ss->ss_family == AF_INET6 && inet_ntop(AF_INET6,
	    &v6->sin6_addr, text, INET6_ADDRSTRLEN) != NULL) {
		row_str(row, text);
		row_u64(row, ntohs(v6->sin6_port));
	} else {
		row_str(row, "unix");
		row_u64(row, 0);
	}
}

static void
socket_addresses(struct row *row, int fd, struct socket_texts *t)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);

	memset(&ss, 0, sizeof(ss));
	(void)getpeername(fd, (struct sockaddr *)&ss, &n);
	socket_address(row, &ss, t->addr);
	memset(&ss, 0, sizeof(ss));
	n = sizeof(ss);
	(void)getsockname(fd, (struct sockaddr *)&ss, &n);
	socket_address(row, &ss, t->local_addr);
}

/* The columns that are PgBouncer's. t->ptr and t->link are filled in. */
static void
socket_cells(struct row *row, const struct socket_info *i,
    struct socket_texts *t)
{
	t->tls[0] = '\0';
	if (i->tls != NULL)
		snprintf(t->tls, sizeof(t->tls), "%s/%s",
		    SSL_get_version(i->tls), SSL_get_cipher_name(i->tls));
	row_str(row, i->type);
	row_str(row, i->user);
	row_str(row, i->database);
	row_str(row, i->state);
	socket_addresses(row, i->fd, t);
	row_when(row, i->connected_for);
	row_when(row, i->asked_for);
	row_u64(row, i->waited_for / NSEC_PER_SEC);
	row_u64(row, i->waited_for % NSEC_PER_SEC / NSEC_PER_USEC);
	row_u64(row, i->close_needed);
	row_str(row, t->ptr);
	row_str(row, t->link);
	row_i64(row, i->pid);
	row_str(row, t->tls);
	row_str(row, i->app_name);
}

/* Positions in buffers: only what is kept and unsent is known. */
static void
socket_positions(struct row *row, size_t kept, size_t unsent, size_t remain)
{
	row_u64(row, 0);
	row_u64(row, 0);
	row_u64(row, remain);
	row_u64(row, 0);
	row_u64(row, unsent);
	row_u64(row, kept);
	row_u64(row, unsent);
}

/* ------------------------------------------------------------ clients */

/* Who is at the other end of a unix socket; 0: of another one. */
static int
client_pid(int fd)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss), m;
	struct ucred who = { .pid = 0 };

	m = sizeof(who);
	if (getsockname(fd, (struct sockaddr *)&ss, &n) != 0 ||
	    ss.ss_family != AF_UNIX ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &m) != 0)
		return 0;
	return who.pid;
}

static void
client_cells(struct row *row, const struct session_info *i,
    struct socket_texts *t)
{
	struct socket_info s = { .type = "C", .user = i->user,
		.database = i->database, .state = i->state,
		.app_name = i->app_name, .fd = i->fd, .tls = i->tls,
		.pid = client_pid(i->fd),
		.connected_for = i->connected_for, .asked_for = i->asked_for,
		.waited_for = i->waited_for };

	snprintf(t->ptr, sizeof(t->ptr), "C-%llu", (unsigned long long)i->id);
	t->link[0] = '\0';
	if (i->backend[0] != '\0')
		snprintf(t->link, sizeof(t->link), "S-%.127s-%d", i->backend,
		    i->server_pid);
	socket_cells(row, &s, t);
}

static void
show_client(const struct session_info *i, void *arg)
{
	struct tour *t = arg;
	struct row row = { .n = 0 };
	char tx[2] = { i->tx, '\0' };
	struct socket_texts texts;

	client_cells(&row, i, &texts);
	row_u64(&row, i->id);
	row_u64(&row, t->next);
	row_str(&row, i->backend);
	row_i64(&row, i->server_pid);
	row_str(&row, i->pin);
	row_str(&row, tx);
	row_ms(&row, i->in_state_for);
	row_u64(&row, i->queries);
	row_u64(&row, i->prepared);
	row_u64(&row, i->prepared_bytes);
	rows_add(&t->rows, &row);
}

static void
show_clients_visit(struct tour *t, struct worker *w)
{
	session_each(w, show_client, t);
}

static void
sockets_tour(struct console_call *call, bool active,
    void (*visit)(struct tour *t, struct worker *w))
{
	struct tour *t = tour_new(call->w, call->session);

	rows_columns(&t->rows, call->line->command->columns);
	t->number = active;
	t->visit = visit;
	tour_start(t);
}

void
console_show_clients(struct console_call *call)
{
	sockets_tour(call, false, show_clients_visit);
}

/* ------------------------------------------------------------ servers */

static void
server_cells(struct row *row, struct server *s, struct socket_texts *t,
    struct buf *databases)
{
	uint64_t client = session_of_server(s);
	nsec_t now = clock_mono();
	struct socket_info i = { .type = "S", .user = pool_user(s->pool),
		.state = server_state_name(s->state), .fd = s->st.fd,
		.app_name = s->app_name != NULL ? s->app_name : "",
		.pid = s->pid, .tls = s->st.ssl,
		.connected_for = now > s->born ? now - s->born : 0,
		.asked_for = now > s->used ? now - s->used : 0,
		.close_needed = s->doomed || pool_is_outdated(s->pool, s) };

	i.database = names_of_databases(session_conf(s->w),
	    pool_backend_name(s->pool), databases);
	snprintf(t->ptr, sizeof(t->ptr), "S-%.127s-%d",
	    pool_backend_name(s->pool), s->pid);
	t->link[0] = '\0';
	if (client != 0)
		snprintf(t->link, sizeof(t->link), "C-%llu",
		    (unsigned long long)client);
	socket_cells(row, &i, t);
}

static void
show_server(struct server *s, void *arg)
{
	struct tour *t = arg;
	struct row row = { .n = 0 };
	char tx[2] = { s->tx, '\0' };
	struct socket_texts texts;
	struct buf b;

	buf_init(&b, NAMES_MAX);
	server_cells(&row, s, &texts, &b);
	row_u64(&row, t->next);
	row_str(&row, pool_backend_name(s->pool));
	row_str(&row, tx);
	row_u64(&row, s->leases);
	row_u64(&row, s->prepared.tab.count);
	row_u64(&row, s->owed.count);
	row_u64(&row, s->cancels);
	row_u64(&row, s->scope != NULL ? s->scope->id : 0);
	rows_add(&t->rows, &row);
	buf_reset(&b);
}

static void
show_servers_visit(struct tour *t, struct worker *w)
{
	server_each(w, show_server, t);
}

void
console_show_servers(struct console_call *call)
{
	sockets_tour(call, false, show_servers_visit);
}

/* ------------------------------------------------------------ both */

static void
show_client_socket(const struct session_info *i, void *arg)
{
	struct tour *t = arg;
	struct row row = { .n = 0 };
	struct socket_texts texts;

	if (t->number && !i->active)
		return;
	client_cells(&row, i, &texts);
	socket_positions(&row, i->kept, i->unsent, 0);
	rows_add(&t->rows, &row);
}

static void
show_server_socket(struct server *s, void *arg)
{
	struct tour *t = arg;
	struct row row = { .n = 0 };
	struct socket_texts texts;
	struct buf b;

	if (t->number && s->state == SERVER_IDLE)
		return;
	buf_init(&b, NAMES_MAX);
	server_cells(&row, s, &texts, &b);
	socket_positions(&row, buf_len(&s->in), stream_backlog(&s->st),
	    s->body_left);
	rows_add(&t->rows, &row);
	buf_reset(&b);
}

static void
show_sockets_visit(struct tour *t, struct worker *w)
{
	session_each(w, show_client_socket, t);
	server_each(w, show_server_socket, t);
}

void
console_show_sockets(struct console_call *call)
{
	sockets_tour(call, false, show_sockets_visit);
}

void
console_show_active_sockets(struct console_call *call)
{
	sockets_tour(call, true, show_sockets_visit);
}
