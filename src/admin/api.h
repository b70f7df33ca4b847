/* SPDX-License-Identifier: PostgreSQL
 *
 * The JSON API: what is under /api on the HTTP port.
 */
#ifndef PGSLUICE_ADMIN_API_H
#define PGSLUICE_ADMIN_API_H

#include <event2/http.h>

#include "admin/control.h"

struct api;

/* Control thread, before workers start. */
struct api *api_new(struct control *c) PG_MUST_CHECK;
/* Whoever still waits is refused; then the server may be freed. */
void api_free(struct api **a);

/* A request whose path begins with /api/; answered at once or later. */
void api_request(struct api *a, struct evhttp_request *req,
    const char *path);
/* As the API would: may this client see the dashboard? */
bool api_may_look(const struct api *a, struct evhttp_request *req);

#endif
