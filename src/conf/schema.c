/* SPDX-License-Identifier: PostgreSQL
 *
 * The tables tbl/settings.h and tbl/blocks.h as data: which options exist,
 * where, and of which type.
 *
 * Constant data, any thread.
 */
#include <stdio.h>
#include <string.h>

#include "conf/conf_priv.h"

#define SCHEMA_NAMES_MAX 256

static const struct {
	const char *name;
	enum conf_block parent;
} schema_blocks[BLOCK_COUNT] = {
	[BLOCK_ROOT] = { "", BLOCK_ROOT },
#define BLOCK(sym, name, parent, doc) \
	[BLOCK_##sym] = { name, BLOCK_##parent },
#include "tbl/blocks.h"
};

#define MUST true
#define MAY false
const struct conf_row conf_rows[] = {
#define SETTING_BOOL(name, def, reload, doc) \
	{ BLOCK_ROOT, #name, TYPE_BOOL, MAY, "", "", doc },
#define SETTING_INT(name, def, lo, hi, reload, doc) \
	{ BLOCK_ROOT, #name, TYPE_INT, MAY, "", "", doc },
#define SETTING_SIZE(name, def, lo, hi, reload, doc) \
	{ BLOCK_ROOT, #name, TYPE_SIZE, MAY, "", "", doc },
#define SETTING_TIME(name, def, lo, hi, reload, doc) \
	{ BLOCK_ROOT, #name, TYPE_TIME, MAY, "", "", doc },
#define SETTING_STR(name, def, reload, doc) \
	{ BLOCK_ROOT, #name, TYPE_STR, MAY, "", "", doc },
#define SETTING_ENUM(name, type, def, words, reload, doc) \
	{ BLOCK_ROOT, #name, TYPE_WORD, MAY, "", words, doc },
#define SETTING_LIST(name, def, reload, doc) \
	{ BLOCK_ROOT, #name, TYPE_LIST, MAY, "", "", doc },
#include "tbl/settings.h"
#define BLOCK_OPTION(block, name, type, need, def, accepts, doc) \
	{ BLOCK_##block, #name, TYPE_##type, need, def, accepts, doc },
#include "tbl/blocks.h"
};
#undef MUST
#undef MAY
const size_t conf_n_rows = ARRAY_SIZE(conf_rows);

const struct conf_row *
conf_row_find(enum conf_block b, const char *name)
{
	size_t i;

	for (i = 0; i < conf_n_rows; i++)
		if (conf_rows[i].block == b &&
		    strcmp(conf_rows[i].name, name) == 0)
			return &conf_rows[i];
	return NULL;
}

const char *
conf_block_name(enum conf_block b)
{
	return schema_blocks[b].name;
}

enum conf_block
conf_block_parent(enum conf_block b)
{
	return schema_blocks[b].parent;
}

/* What may stand in b: options, then blocks. */
static size_t
schema_names(enum conf_block b, const char *names[SCHEMA_NAMES_MAX])
{
	size_t n = 0, i;
	int k;

	CHECK(conf_n_rows + BLOCK_COUNT <= SCHEMA_NAMES_MAX);
	for (i = 0; i < conf_n_rows; i++)
		if (conf_rows[i].block == b)
			names[n++] = conf_rows[i].name;
	for (k = BLOCK_ROOT + 1; k < BLOCK_COUNT; k++)
		if (schema_blocks[k].parent == b)
			names[n++] = schema_blocks[k].name;
	return n;
}

const char *
conf_schema_nearest(enum conf_block b, const char *name)
{
	const char *names[SCHEMA_NAMES_MAX];
	size_t n = schema_names(b, names);

	return conf_nearest(name, names, n);
}

void
conf_schema_list(enum conf_block b, char *out, size_t size)
{
	const char *names[SCHEMA_NAMES_MAX];
	size_t n = schema_names(b, names), at = 0, i;
	int wrote;

	out[0] = '\0';
	for (i = 0; i < n && at < size; i++) {
		wrote = snprintf(out + at, size - at, "%s%s",
		    i == 0 ? "" : i + 1 == n ? " or " : ", ", names[i]);
		CHECK(wrote >= 0);
		at += (size_t)wrote;
	}
}

const char *
conf_setting_name(const char *name, bool *reloadable)
{
	static const struct {
		const char *name;
		bool reload;
	} all[] = {
#define SETTING_BOOL(name, def, reload, doc) { #name, reload },
#define SETTING_INT(name, def, lo, hi, reload, doc) { #name, reload },
#define SETTING_SIZE(name, def, lo, hi, reload, doc) { #name, reload },
#define SETTING_TIME(name, def, lo, hi, reload, doc) { #name, reload },
#define SETTING_STR(name, def, reload, doc) { #name, reload },
#define SETTING_ENUM(name, type, def, words, reload, doc) { #name, reload },
#define SETTING_LIST(name, def, reload, doc) { #name, reload },
#include "tbl/settings.h"
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (strcasecmp(all[i].name, name) == 0) {
			*reloadable = all[i].reload;
			return all[i].name;
		}
	return NULL;
}
