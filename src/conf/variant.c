/* SPDX-License-Identifier: PostgreSQL
 *
 * The parts of a variant: names of relations, shards and their remainders.
 *
 * Used while a configuration is built, by its one thread.
 */
#include <inttypes.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_priv.h"
#include "conf/ident.h"

unsigned
conf_variant_relation(struct conf_variant *v, const char *name)
{
	char *sql = ident_qualified_sql(name);
	struct conf_relation *all;
	size_t i;

	for (i = 0; i < v->n_relations; i++)
		if (strcmp(v->relations[i].sql, sql) == 0) {
			free(sql);
			return (unsigned)i;
		}
	all = x_calloc(v->n_relations + 1, sizeof(*all));
	if (v->n_relations > 0)
		memcpy(all, v->relations, v->n_relations * sizeof(*all));
	free(v->relations);
	v->relations = all;
	all[v->n_relations] = (struct conf_relation){ x_strdup(name), sql };
	return (unsigned)v->n_relations++;
}

static unsigned
variant_gcd(unsigned a, unsigned b)
{
	unsigned t;

	for (; b != 0; a = t) {
		t = b;
		b = a % b;
	}
	return a;
}

/* The least common multiple of all moduli; 0: there is none up to max. */
static unsigned
variant_modulus(const struct conf_variant *v, size_t max)
{
	uint64_t m = 1;
	size_t i;

	for (i = 0; i < v->n_shards; i++) {
		if (v->shards[i].modulus == 0)
			return 0;
		m *= v->shards[i].modulus / variant_gcd((unsigned)m,
		    v->shards[i].modulus);
		if (m > max)
			return 0;
	}
	return (unsigned)m;
}

bool
conf_variant_place(struct conf_variant *v)
{
	size_t periods = v->n_periods > 0 ? v->n_periods : 1, placed = 0, i;
	const struct conf_shard *s;
	unsigned *of, at;

	if (v->n_shards == 0 || v->n_shards > CONF_MAX_SHARDS)
		return false;
	v->modulus = variant_modulus(v, CONF_MODULUS_MAX / periods);
	if (v->modulus == 0)
		return false;
	free(v->by_remainder);
	v->by_remainder = x_calloc(periods * v->modulus,
	    sizeof(*v->by_remainder));
	for (i = 0; i < periods * v->modulus; i++)
		v->by_remainder[i] = UINT_MAX;
	for (i = 0; i < v->n_shards; i++) {
		s = &v->shards[i];
		if (s->remainder >= s->modulus || s->period >= periods)
			return false;
		of = v->by_remainder + (size_t)s->period * v->modulus;
		for (at = s->remainder; at < v->modulus; at += s->modulus) {
			if (of[at] != UINT_MAX)
				return false;
			of[at] = (unsigned)i;
			placed++;
		}
	}
	return placed == periods * v->modulus;
}

static void
variant_digest_add(EVP_MD_CTX *md, const char *text)
{
	CHECK(EVP_DigestUpdate(md, text, strlen(text) + 1) == 1);
}

void
conf_variant_digest(struct conf_variant *v)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char out[EVP_MAX_MD_SIZE];
	const struct conf_shard *s;
	char text[64];
	size_t i;

	v->digest[0] = '\0';
	if (v->n_shards == 0 && v->n_spans == 0) {
		EVP_MD_CTX_free(md);
		return;
	}
	CHECK(md != NULL && EVP_DigestInit(md, EVP_sha256()) == 1);
	for (i = 0; i < v->n_shards; i++) {
		s = &v->shards[i];
		variant_digest_add(md, s->backend->name);
		variant_digest_add(md, v->relations[s->relation].sql);
		snprintf(text, sizeof(text), "%u %u %u %d %d", s->modulus,
		    s->remainder, s->period, s->no_read != NULL,
		    s->no_write != NULL);
		variant_digest_add(md, text);
	}
	for (i = 0; i < v->n_periods; i++) {
		snprintf(text, sizeof(text), "%" PRId64 " %" PRId64 " %d",
		    v->periods[i].lo, v->periods[i].hi,
		    v->periods[i].is_default);
		variant_digest_add(md, text);
	}
	for (i = 0; i < v->n_spans; i++) {
		variant_digest_add(md, v->spans[i].backend->name);
		snprintf(text, sizeof(text), "%" PRId64 " %" PRId64,
		    v->spans[i].from, v->spans[i].until);
		variant_digest_add(md, text);
	}
	CHECK(EVP_DigestFinal(md, out, NULL) == 1);
	EVP_MD_CTX_free(md);
	for (i = 0; i < 16; i++)
		snprintf(v->digest + 2 * i, 3, "%02x", out[i]);
}

void
conf_variant_fini(struct conf_variant *v)
{
	size_t i;

	for (i = 0; i < v->n_relations; i++) {
		free(v->relations[i].name);
		free(v->relations[i].sql);
	}
	free(v->relations);
	free(v->name);
	free(v->shard_relation);
	free(v->shards);
	free(v->by_remainder);
	free(v->periods);
	free(v->spans);
	for (i = 0; i < v->n_rewrites; i++)
		conf_rewrite_fini(&v->rewrites[i]);
	free(v->rewrites);
}
