/* SPDX-License-Identifier: PostgreSQL
 *
 * Parts of the JSON API that no console command has: the writers of
 * tbl/api_pages.h.  Control thread; each writes one value.
 */
#ifndef PGSLUICE_ADMIN_API_OWN_H
#define PGSLUICE_ADMIN_API_OWN_H

#include "admin/control.h"
#include "base/json.h"

void api_process(const struct control *c, struct json *j);
void api_counters(const struct control *c, struct json *j);
void api_experiments(const struct control *c, struct json *j);
void api_histograms(const struct control *c, struct json *j);

#endif
