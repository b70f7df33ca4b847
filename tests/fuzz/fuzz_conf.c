/* SPDX-License-Identifier: PostgreSQL
 *
 * Fuzzes the configuration: any bytes either load or give diagnostics of the
 * form "name:line: text".  What loads must survive being shown, compared with
 * itself and freed, and must be sound: pointers inside, spans in order.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "conf/conf.h"
#include "route/named.h"
#include "route/translate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_line(void *arg, const char *line)
{
	(void)arg;
	CHECK(line[0] != '\0');
}

static void
fuzz_row(void *arg, const char *name, const char *value, const char *def,
    bool reloadable, const char *doc)
{
	unsigned *rows = arg;

	(void)reloadable;
	CHECK(name[0] != '\0' && value != NULL && def != NULL && doc != NULL);
	(*rows)++;
}

static void
fuzz_check(const struct conf *c)
{
	const struct conf_variant *v;
	size_t i, k;

	CHECK(c->n_backends > 0 && c->n_databases > 0 && c->listen.n > 0);
	for (i = 0; i < c->n_databases; i++) {
		CHECK(c->databases[i].backend >= c->backends);
		CHECK(c->databases[i].backend < c->backends + c->n_backends);
	}
	for (i = 0; i < c->n_tables; i++) {
		v = c->tables[i].use;
		CHECK(v >= c->tables[i].variants);
		CHECK(v < c->tables[i].variants + c->tables[i].n_variants);
		CHECK(v->backend != NULL && v->n_relations > 0);
		CHECK(v->n_shards == 0 ||
		    (v->n_shards == v->modulus && v->n_relations > 1 &&
		     c->tables[i].n_keys > 0));
		for (k = 1; k < v->n_spans; k++)
			CHECK(v->spans[k - 1].until == v->spans[k].from);
	}
}

static void
fuzz_check_diag(const struct conf_diag *d)
{
	const char *p;
	int i;

	CHECK(d->n > 0 && d->n <= CONF_DIAG_MAX);
	for (i = 0; i < d->n; i++) {
		CHECK(strncmp(d->msg[i], "f:", 2) == 0);
		p = d->msg[i] + 2;
		CHECK(*p >= '1' && *p <= '9');
		p += strspn(p, "0123456789");
		CHECK(p[0] == ':' && p[1] == ' ' && p[2] != '\0');
		CHECK(strchr(p, '\n') == NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_diag d;
	static bool ready;
	unsigned rows = 0;
	struct conf *c;

	if (!ready) {
		hash_init();
		conf_read_queries_with(route_query_read);
		conf_read_rewrites_with(route_rewrite_read);
		ready = true;
	}
	c = conf_load_buffer("f", (const char *)data, size, &d);
	if (c == NULL) {
		fuzz_check_diag(&d);
		conf_diag_fini(&d);
		return 0;
	}
	CHECK(d.n == 0);
	fuzz_check(c);
	conf_each_setting(c, fuzz_row, &rows);
	CHECK(rows > 0);
	CHECK(conf_diff(c, c, fuzz_line, NULL) == 0);
	conf_unref(&c);
	CHECK(c == NULL);
	return 0;
}
