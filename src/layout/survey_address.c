/* SPDX-License-Identifier: PostgreSQL
 *
 * Foreign servers and backends: which are the same.
 *
 * Addresses are compared as they are written: host or hostaddr, port, dbname.
 * What a foreign server calls this very machine is the variant's backend's
 * machine, whose name pgsluice knows it by.  Pure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/ident.h"
#include "layout/survey.h"

#define ADDRESS_PORT "5432"

/* No host, a socket's directory, or the loopback interface. */
static bool
address_is_here(const char *host)
{
	return host == NULL || *host == '\0' || *host == '/' ||
	    strcasecmp(host, "localhost") == 0 ||
	    strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* The nth of values separated by commas; the last counts for all behind it. */
static char *
address_nth(const char *list, size_t nth)
{
	size_t n;

	if (list == NULL)
		return NULL;
	for (; (n = strcspn(list, ",")), list[n] != '\0' && nth > 0; nth--)
		list += n + 1;
	return x_strndup(list, n);
}

static size_t
address_count(const char *list)
{
	size_t n = 1;

	for (; list != NULL && (list = strchr(list, ',')) != NULL; list++)
		n++;
	return n;
}

static bool
address_host_is(const struct fact *f, const char *host, const char *hostaddr,
    bool here)
{
	const char *mine[] = { f->host, f->hostaddr };
	const char *theirs[] = { host, hostaddr };
	size_t i, k;

	if (here && address_is_here(f->hostaddr != NULL ? f->hostaddr :
	    f->host))
		return true;
	for (i = 0; i < 2; i++)
		for (k = 0; k < 2; k++)
			if (mine[i] != NULL && theirs[k] != NULL &&
			    strcasecmp(mine[i], theirs[k]) == 0)
				return true;
	return false;
}

/* The backend's host is the one on which the variant's backend is. */
static bool
address_same_machine(const struct survey *s, const char *host)
{
	char *home = conf_backend_option(s->variant->backend, "host");
	bool same = address_is_here(home) ? address_is_here(host) :
	    host != NULL && strcasecmp(home, host) == 0;

	free(home);
	return same;
}

static bool
address_nth_is(const struct survey *s, const struct fact *f, const char *hosts,
    const char *addrs, const char *ports, size_t nth)
{
	char *host = address_nth(hosts, nth), *addr = address_nth(addrs, nth);
	char *port = address_nth(ports, nth);
	bool same;

	same = strcmp(port != NULL && *port != '\0' ? port : ADDRESS_PORT,
	    f->port != NULL ? f->port : ADDRESS_PORT) == 0 &&
	    address_host_is(f, host, addr, address_same_machine(s,
	    host != NULL ? host : addr));
	free(host);
	free(addr);
	free(port);
	return same;
}

bool
survey_is_backend(const struct survey *s, const struct fact *f,
    const struct conf_backend *b)
{
	char *hosts = conf_backend_option(b, "host");
	char *addrs = conf_backend_option(b, "hostaddr");
	char *ports = conf_backend_option(b, "port");
	char *dbname = conf_backend_option(b, "dbname");
	bool same = false;
	size_t i, n = address_count(hosts != NULL ? hosts : addrs);

	if (f->dbname != NULL && dbname != NULL &&
	    strcmp(f->dbname, dbname) == 0)
		for (i = 0; i < n && !same; i++)
			same = address_nth_is(s, f, hosts, addrs, ports, i);
	free(hosts);
	free(addrs);
	free(ports);
	free(dbname);
	return same;
}

char *
survey_address_text(const struct fact *f)
{
	const char *host = f->host != NULL ? f->host : f->hostaddr;
	char text[512];

	snprintf(text, sizeof(text), "%s:%s/%s", host != NULL ? host : "",
	    f->port != NULL ? f->port : ADDRESS_PORT,
	    f->dbname != NULL ? f->dbname : "");
	return x_strdup(text);
}

/* ------------------------------------------------------------ new ones */

static bool
address_put(struct buf *b, const char *keyword, const char *value)
{
	bool ok = buf_append(b, keyword, strlen(keyword)) &&
	    buf_append(b, "='", 2);

	for (; ok && *value != '\0'; value++)
		ok = (strchr("'\\", *value) == NULL ||
		    buf_append(b, "\\", 1)) && buf_append(b, value, 1);
	return ok && buf_append(b, "' ", 2);
}

static char *
address_conninfo(const struct survey *s, const struct fact *f)
{
	char *home = conf_backend_option(s->variant->backend, "host");
	const char *host = f->host;
	bool ok = true;
	struct buf b;
	char *text;

	if (address_is_here(f->hostaddr != NULL ? f->hostaddr : host))
		host = home;
	buf_init(&b, 64 * 1024);
	if (host != NULL)
		ok = address_put(&b, "host", host);
	if (f->hostaddr != NULL && !address_is_here(f->hostaddr))
		ok = ok && address_put(&b, "hostaddr", f->hostaddr);
	ok = ok && address_put(&b, "port", f->port != NULL ? f->port :
	    ADDRESS_PORT) && address_put(&b, "dbname", f->dbname);
	text = ok ? x_strndup(buf_head(&b), buf_len(&b)) : NULL;
	buf_reset(&b);
	free(home);
	return text;
}

bool
survey_address(struct survey *s, const struct fact *f, char **backend,
    char **conninfo)
{
	char name[256];
	size_t i;

	*conninfo = NULL;
	for (i = 0; i < s->conf->n_backends; i++)
		if (s->conf->backends[i].primary == NULL &&
		    survey_is_backend(s, f, &s->conf->backends[i])) {
			*backend = x_strdup(s->conf->backends[i].name);
			return true;
		}
	if (f->dbname == NULL) {
		survey_error(s, "foreign server \"%s\": expected an option "
		    "dbname, found none", f->server);
		return false;
	}
	/* Sessions log in there with what they have: that is not for anyone to
	 * arrange who may make a foreign server. */
	if (f->server_of_superuser == NULL || *f->server_of_superuser != 't') {
		survey_error(s, "foreign server \"%s\" is no configured "
		    "backend: expected one that is, or that a superuser owns "
		    "it", f->server);
		return false;
	}
	*conninfo = address_conninfo(s, f);
	if (*conninfo == NULL) {
		survey_error(s, "foreign server \"%s\": its options are too "
		    "long", f->server);
		return false;
	}
	snprintf(name, sizeof(name), "%.60s/%.64s", s->variant->backend->name,
	    f->server);
	*backend = x_strdup(name);
	return true;
}
