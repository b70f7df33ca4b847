/* SPDX-License-Identifier: PostgreSQL
 *
 * The gate of the JSON API.
 *
 * Three questions, in this order: is it served to this address at all, does
 * the browser mean us (a page of somebody else could have its name point to
 * our address), and which role has the token.  Pure.
 */
#include "admin/api_gate.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

bool
gate_is_loopback(const char *peer)
{
	if (strncasecmp(peer, "::ffff:", 7) == 0)
		peer += 7;
	return strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0;
}

/* Without port and brackets. */
static bool
gate_bare_host(const char *host, char *out, size_t size)
{
	size_t n;

	if (*host == '[') {
		n = strcspn(++host, "]");
		if (host[n] != ']' || (host[n + 1] != '\0' &&
		    host[n + 1] != ':'))
			return false;
	} else {
		n = strcspn(host, ":");
	}
	if (n == 0 || n >= size)
		return false;
	memcpy(out, host, n);
	out[n] = '\0';
	return true;
}

bool
gate_host_ok(const struct conf_strings *names, const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;
	char bare[256];
	size_t i;

	if (host == NULL || !gate_bare_host(host, bare, sizeof(bare)))
		return false;
	if (strcasecmp(bare, "localhost") == 0 ||
	    inet_pton(AF_INET, bare, &v4) == 1 ||
	    inet_pton(AF_INET6, bare, &v6) == 1)
		return true;
	for (i = 0; i < names->n; i++)
		if (strcasecmp(bare, names->v[i]) == 0)
			return true;
	return false;
}

/* The token of the header; NULL: there is none. Other schemes are the affair of
 * a proxy before us. */
static const char *
gate_said(const char *authorization)
{
	static const char scheme[] = "Bearer ";

	if (authorization == NULL ||
	    strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return NULL;
	return authorization + sizeof(scheme) - 1;
}

/* Hashes are compared, so that time tells neither bytes nor length. */
static bool
gate_token_fits(const char *token, const char *said)
{
	unsigned char ours[SHA256_DIGEST_LENGTH], theirs[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)token, strlen(token), ours);
	SHA256((const unsigned char *)said, strlen(said), theirs);
	return CRYPTO_memcmp(ours, theirs, sizeof(ours)) == 0;
}

struct gate_answer
gate_judge(const struct conf *c, const char *token,
    const struct gate_request *r)
{
	bool configured = token != NULL && token[0] != '\0';
	const char *said = gate_said(r->authorization);

	if (c->http_dashboard == HTTP_DASHBOARD_OFF ||
	    (c->http_dashboard == HTTP_DASHBOARD_LOOPBACK &&
	    !gate_is_loopback(r->peer)))
		return (struct gate_answer){ .status = 403, .reason =
		    "Forbidden", .text = "the setting http_dashboard does "
		    "not allow this to your address" };
	if (!gate_host_ok(&c->http_hosts, r->host))
		return (struct gate_answer){ .status = 421, .reason =
		    "Misdirected Request", .text = "the name of this host is "
		    "neither an address, localhost nor in the setting "
		    "http_hosts" };
	if (r->action && !configured)
		return (struct gate_answer){ .status = 403, .reason =
		    "Forbidden", .text = "actions need a token, and the "
		    "setting http_token_file names none" };
	if (said == NULL && !r->action &&
	    c->http_dashboard != HTTP_DASHBOARD_TOKEN)
		return (struct gate_answer){ .role = CONSOLE_ROLE_READ };
	if (!configured || said == NULL || !gate_token_fits(token, said))
		return (struct gate_answer){ .status = 401, .reason =
		    "Unauthorized", .text = "send the token of "
		    "http_token_file: Authorization: Bearer TOKEN" };
	return (struct gate_answer){ .role = CONSOLE_ROLE_ADMIN };
}
