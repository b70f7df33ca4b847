/* SPDX-License-Identifier: PostgreSQL
 *
 * What people may see of connection strings: all but their passwords.
 *
 * libpq itself says which keywords are secret ("*" as display character), so
 * what it adds later is hidden, too.  A string it cannot parse is not shown at
 * all.  Any thread.
 */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "conf/conf_priv.h"

#define SECRET_CAP (2u * CONF_TEXT_MAX + 64 * 1024)

static bool
secret_put_value(struct buf *b, const char *value)
{
	bool quote = value[0] == '\0' || strpbrk(value, " '\\\t\n") != NULL;
	bool ok = true;

	if (!quote)
		return buf_append(b, value, strlen(value));
	ok = buf_append(b, "'", 1);
	for (; ok && *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			ok = buf_append(b, "\\", 1);
		ok = ok && buf_append(b, value, 1);
	}
	return ok && buf_append(b, "'", 1);
}

static bool
secret_hidden(const PQconninfoOption *o)
{
	return o->dispchar != NULL && o->dispchar[0] == '*';
}

static bool
secret_put(struct buf *b, const PQconninfoOption *o)
{
	if (buf_len(b) > 0 && !buf_append(b, " ", 1))
		return false;
	if (!buf_append(b, o->keyword, strlen(o->keyword)) ||
	    !buf_append(b, "=", 1))
		return false;
	return secret_hidden(o) ? buf_append(b, "***", 3) : secret_put_value(b, o->val);
}

char *
conf_backend_option(const struct conf_backend *b, const char *keyword)
{
	PQconninfoOption *opts = PQconninfoParse(b->conninfo, NULL), *o;
	char *value = NULL;

	for (o = opts; o != NULL && o->keyword != NULL; o++)
		if (o->val != NULL && strcmp(o->keyword, keyword) == 0 &&
		    !secret_hidden(o))
			value = x_strdup(o->val);
	PQconninfoFree(opts);
	return value;
}

char *
conf_hide_conninfo(const char *conninfo)
{
	PQconninfoOption *opts = PQconninfoParse(conninfo, NULL), *o;
	bool ok = opts != NULL;
	char *text = NULL;
	struct buf b;

	buf_init(&b, SECRET_CAP);
	for (o = opts; ok && o->keyword != NULL; o++)
		if (o->val != NULL)
			ok = secret_put(&b, o);
	if (ok)
		text = buf_len(&b) > 0 ?
		    x_strndup(buf_head(&b), buf_len(&b)) : x_strdup("");
	else
		text = x_strdup("***");
	buf_reset(&b);
	PQconninfoFree(opts);
	return text;
}
