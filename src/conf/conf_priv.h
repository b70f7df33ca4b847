/* SPDX-License-Identifier: PostgreSQL
 *
 * What the files of this folder share: the passage from text to struct conf.
 *
 *   text -> scan (comments out, quotes and braces checked)
 *        -> tree (libconfuse; every value still text, every line known)
 *        -> take (typed, bounded, names resolved) -> struct conf
 *
 * Each stage reports into one struct conf_parse; a stage that cannot go on
 * returns NULL, all others go on to find as many mistakes as they can.
 */
#ifndef PGSLUICE_CONF_CONF_PRIV_H
#define PGSLUICE_CONF_CONF_PRIV_H

#include "conf/conf.h"

#define CONF_TEXT_MAX (4u * 1024 * 1024)
#define CONF_NAME_MAX 127 /* bytes of a title */

enum conf_block {
	BLOCK_ROOT,
#define BLOCK(sym, name, parent, doc) BLOCK_##sym,
#include "tbl/blocks.h"
	BLOCK_COUNT
};

enum conf_type {
	TYPE_STR, TYPE_LIST, TYPE_INT, TYPE_SIZE, TYPE_TIME, TYPE_BOOL,
	TYPE_WORD, TYPE_MONTH
};

/* A row of tbl/settings.h (block ROOT) or tbl/blocks.h. */
struct conf_row {
	enum conf_block block;
	const char *name;
	enum conf_type type;
	bool must;
	const char *def;
	const char *accepts;
	const char *doc;
};

/* The tree: what the file says, before anything is believed. */
struct conf_opt {
	struct conf_opt *next;
	char *name;
	int line;  /* 0: not of the file, see conf_tree_set() */
	int again; /* line of a second assignment, or 0 */
	struct conf_strings values; /* at least one; none: an empty list */
};

struct conf_sec {
	struct conf_sec *next, *parent;
	struct conf_sec *subs, **subs_tail;
	struct conf_opt *opts, **opts_tail;
	enum conf_block block;
	char *title; /* "" for the root */
	int line;
	const void *owner; /* libconfuse's section while it is being read */
};

struct conf_parse {
	const char *path;
	struct conf_diag *diag;
	int lines[CONF_DIAG_MAX]; /* line of each message, for sorting */
	struct conf *conf;
	struct conf_sec *root;
};

/* diag.c */
void conf_complain(struct conf_parse *p, int line, const char *fmt, ...)
    PG_PRINTF(3, 4);
void conf_diag_sort(struct conf_parse *p);
/* Of n names the one a person most likely meant; NULL when none is near. */
const char *conf_nearest(const char *name, const char *const *names, size_t n);

/* schema.c */
extern const struct conf_row conf_rows[];
extern const size_t conf_n_rows;
const struct conf_row *conf_row_find(enum conf_block b, const char *name);
const char *conf_block_name(enum conf_block b);
enum conf_block conf_block_parent(enum conf_block b);
/* Nearest option or block that may stand inside b; or NULL. */
const char *conf_schema_nearest(enum conf_block b, const char *name);
/* "a, b or c": all of them, cut at size. */
void conf_schema_list(enum conf_block b, char *out, size_t size);

/* parse_scan.c: a copy of text without comments, lines kept; or NULL. */
char *conf_scan(struct conf_parse *p, const char *text, size_t len)
    PG_MUST_CHECK;

/* parse_tree.c: the tree of scanned text; NULL: not even that. */
struct conf_sec *conf_tree_parse(struct conf_parse *p, char *text)
    PG_MUST_CHECK;
/* Give a setting another value, as if it stood so on line 0. */
void conf_tree_set(struct conf_sec *root, const char *name,
    const char *value);
void conf_tree_free(struct conf_sec *s);
const struct conf_opt *conf_sec_opt(const struct conf_sec *s, const char *name);
/* Next section of this kind, starting with s itself; or NULL. */
const struct conf_sec *conf_sec_next(const struct conf_sec *s,
    enum conf_block b);
size_t conf_sec_count(const struct conf_sec *s, enum conf_block b);

/* parse_value.c: one text to one value; false: complained, out untouched. */
bool conf_value_int(struct conf_parse *p, const struct conf_opt *o, int64_t lo,
    int64_t hi, int64_t *out);
bool conf_value_size(struct conf_parse *p, const struct conf_opt *o,
    int64_t lo, int64_t hi, int64_t *out);
bool conf_value_time(struct conf_parse *p, const struct conf_opt *o, nsec_t lo,
    nsec_t hi, nsec_t *out);
bool conf_value_bool(struct conf_parse *p, const struct conf_opt *o, bool *out);
bool conf_value_word(struct conf_parse *p, const struct conf_opt *o,
    const char *words, int *out);
bool conf_value_is_mode(const char *name);

/* parse_value.c: options of a block by their row in tbl/blocks.h. Left out:
 * the row's default where it has one, else out is untouched. */
void conf_take_int(struct conf_parse *p, const struct conf_sec *s,
    const char *name, int64_t *out);
void conf_take_time(struct conf_parse *p, const struct conf_sec *s,
    const char *name, nsec_t *out);
void conf_take_size(struct conf_parse *p, const struct conf_sec *s,
    const char *name, int64_t *out);
void conf_take_bool(struct conf_parse *p, const struct conf_sec *s,
    const char *name, bool *out);
void conf_take_word(struct conf_parse *p, const struct conf_sec *s,
    const char *name, int *out);
void conf_take_month(struct conf_parse *p, const struct conf_sec *s,
    const char *name, int64_t *out);
void conf_take_str(struct conf_parse *p, const struct conf_sec *s,
    const char *name, char **out);
/* The common checks of a section: title, missing options, doubles. */
void conf_check_sec(struct conf_parse *p, const struct conf_sec *s);

/* names.c: from names to pointers; complaints name what there is. */
struct conf_backend *conf_take_backend(struct conf_parse *p,
    const struct conf_sec *s, const char *option);
struct conf_backend **conf_take_backend_list(struct conf_parse *p,
    const struct conf_sec *s, const char *option, size_t *n);
/* The databases an option names; all of them when it is left out. */
struct conf_database **conf_take_databases_of(struct conf_parse *p,
    const struct conf_sec *s, size_t *n);
/* Complain about a title used by two sections of one kind. */
void conf_check_titles(struct conf_parse *p, const struct conf_sec *first,
    enum conf_block b);

/* validate_*.c, in the order they must run. */
void conf_take_settings(struct conf_parse *p);
/* validate_log.c: of the settings; of a section, what is left out stays as it
 * is; and when all has been taken. */
void conf_take_log(struct conf_parse *p);
void conf_take_log_after(struct conf_parse *p, const struct conf_sec *s,
    nsec_t *out);
void conf_settle_log(struct conf *c);
void conf_take_backends(struct conf_parse *p);
/* Of a section's; what is left out stays as it is. */
void conf_take_replica_rule(struct conf_parse *p, const struct conf_sec *s,
    struct conf_replica_rule *rule);
void conf_take_databases(struct conf_parse *p);
void conf_take_tables(struct conf_parse *p);
void conf_take_rules(struct conf_parse *p);
/* query.c: query and key, and tables where the rule names none. Behind
 * all other options. */
void conf_take_query(struct conf_parse *p, const struct conf_sec *s,
    struct conf_rule *r);
void conf_query_fini(struct conf_query *q);
/* tag_key.c */
void conf_take_tag_keys(struct conf_parse *p, const struct conf_sec *s,
    struct conf_rule *r);
void conf_collect_tag_keys(struct conf *c);
void conf_take_writes(struct conf_parse *p);
/* validate_experiment.c */
void conf_take_rewrites(struct conf_parse *p, const struct conf_sec *s,
    struct conf_variant *v);
void conf_check_rewrites(struct conf_parse *p, const struct conf_sec *s,
    const struct conf_table *t);
void conf_rewrite_fini(struct conf_rewrite *r);
void conf_take_experiments(struct conf_parse *p);
void conf_free_experiments(struct conf *c);
/* validate_check.c */
void conf_take_checks(struct conf_parse *p);
void conf_free_checks(struct conf *c);
/* validate_peer.c */
void conf_take_peers(struct conf_parse *p);
void conf_free_peers(struct conf *c);
void conf_take_users(struct conf_parse *p);
void conf_take_user_map(struct conf_parse *p);
/* When all that may name a backend has been taken. */
void conf_check_replicas(struct conf_parse *p);

/* layout.c: once all else is complete, what c->layouts say of tables. Backends
 * of theirs go behind the configured ones, where there is room for so many. */
size_t conf_layout_backends(const struct conf *c);
void conf_use_layouts(struct conf *c);

/* trial.c, view.c: what became of experiments, and databases as their arms see
 * them; once layouts are in use. */
void conf_use_trials(struct conf *c);
void conf_make_views(struct conf *c);
void conf_free_views(struct conf *c);

/* deps_use.c: once views are made: which backends are watched, for whom,
 * and what is known of them. */
void conf_use_deps(struct conf *c);

/* secret.c: a conninfo with every password as "***"; malloc'ed. */
char *conf_hide_conninfo(const char *conninfo) PG_MUST_CHECK;

/* rows.c: every value of a configuration as text.  The first row of a block
 * has no name: the block is there. */
struct conf_value_row {
	const char *where;  /* table "app.events" variant "plain"; "": setting */
	const char *parent; /* where of the block around it, or "" */
	const char *name;
	const char *value;  /* passwords as "***" */
	const char *exact;  /* the same with passwords: to compare, not to show */
	const char *def;
	bool reloadable;
	const char *doc;
};
typedef void conf_value_cb(void *arg, const struct conf_value_row *row);
void conf_each_value(const struct conf *c, conf_value_cb *fn, void *arg);

#endif
