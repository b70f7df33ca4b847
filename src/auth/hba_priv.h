/* SPDX-License-Identifier: PostgreSQL
 *
 * The parsed rules and maps: for the hba*.c files only.
 */
#ifndef PGSLUICE_AUTH_HBA_PRIV_H
#define PGSLUICE_AUTH_HBA_PRIV_H

#include <regex.h>
#include <stdatomic.h>
#include <stdint.h>

#include "auth/hba.h"
#include "auth/tokens.h"

enum hba_conn { HBA_LOCAL, HBA_HOST, HBA_HOSTSSL, HBA_HOSTNOSSL };
enum hba_name_kind { NAME_LITERAL, NAME_ALL, NAME_SAMEUSER, NAME_REPLICATION,
	NAME_REGEX };

/* One entry of a database or user list, or a system user of a map. */
struct hba_name {
	enum hba_name_kind kind;
	char *text;
	regex_t re; /* NAME_REGEX */
};

struct hba_names {
	struct hba_name *v;
	size_t n;
};

struct hba_net {
	int family; /* AF_INET or AF_INET6 */
	uint8_t addr[16], mask[16];
};

struct hba_entry {
	struct hba_rule rule; /* first: what callers see */
	enum hba_conn conn;
	struct hba_names databases, users;
	bool any_address;
	struct hba_net *nets;
	size_t n_nets;
	char *map;
};

struct hba_mapping {
	char *map;
	struct hba_name system_user;
	char *user;
	bool user_is_all; /* unquoted "all" */
};

struct hba {
	uint32_t magic;
#define HBA_MAGIC 0x4ba0f11eu
	atomic_uint refs;
	struct hba_entry *rules;
	size_t n, size;
	struct hba_mapping *maps;
	size_t n_maps, maps_size;
};

struct hba_parse {
	struct hba *h;
	const char *name; /* of the file */
	struct tokens *t;
	char *err;
	size_t err_size;
};

/* ---- hba_parse.c ---- */
/* Write "name:line: text" and return false. */
bool hba_fail(struct hba_parse *p, const char *fmt, ...) PG_PRINTF(2, 3);
/* A name that begins with a slash is a regular expression. */
bool hba_take_name(struct hba_parse *p, const struct token *k,
    struct hba_name *out) PG_MUST_CHECK;

/* ---- hba_net.c ---- */
/* The address field k, with the mask field or NULL. false: said in p. */
bool hba_take_address(struct hba_parse *p, struct hba_entry *e,
    const struct token *k, const struct token *mask) PG_MUST_CHECK;
/* Whether text is the address of a host, without a mask. */
bool hba_is_address(const char *text);
bool hba_net_has(const struct hba_entry *e, const struct sockaddr *from);

/* ---- hba_ident.c ---- */
bool hba_take_mapping(struct hba_parse *p) PG_MUST_CHECK;
/* Every map that a rule names exists. */
bool hba_check_maps(struct hba_parse *p) PG_MUST_CHECK;

#endif
