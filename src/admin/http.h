/* SPDX-License-Identifier: PostgreSQL
 *
 * HTTP: /metrics, /healthz, /readyz, the dashboard and its JSON API.
 */
#ifndef PGSLUICE_ADMIN_HTTP_H
#define PGSLUICE_ADMIN_HTTP_H

#include "admin/control.h"

struct http;

/* Bind the address of http_listen, unless it is among those given (which may be
 * NULL). -1 with one line in why. */
int http_bind(const struct conf *c, struct given_doors *given, char *why,
    size_t why_size) PG_MUST_CHECK;
/* Serve on the control thread's loop; fd is taken over. */
struct http *http_new(struct control *c, int fd) PG_MUST_CHECK;
void http_free(struct http **h);

#endif
