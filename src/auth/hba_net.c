/* SPDX-License-Identifier: PostgreSQL
 *
 * Addresses in rules: CIDR, address and mask, all, samehost, samenet.
 *
 * Host names are refused: they would have to be resolved at every login.  What
 * samehost and samenet stand for is read from the system when the rules are
 * loaded.  Pure otherwise.
 */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#include "auth/hba_priv.h"

static const uint8_t net_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
	0xff };

static size_t
net_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

static bool
net_parse(const char *text, int *family, uint8_t addr[16])
{
	*family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	return inet_pton(*family, text, addr) == 1;
}

bool
hba_is_address(const char *text)
{
	uint8_t addr[16];
	int family;

	return net_parse(text, &family, addr);
}

static struct hba_net *
net_add(struct hba_entry *e)
{
	struct hba_net *v = x_calloc(e->n_nets + 1, sizeof(*v));

	if (e->n_nets > 0)
		memcpy(v, e->nets, e->n_nets * sizeof(*v));
	free(e->nets);
	e->nets = v;
	return &v[e->n_nets++];
}

static void
net_mask(struct hba_net *n, unsigned bits)
{
	unsigned i;

	for (i = 0; i < bits; i++)
		n->mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
}

/* Address and mask of a socket address of the system. false: another family. */
static bool
net_of(const struct sockaddr *sa, int *family, uint8_t out[16])
{
	if (sa == NULL || (sa->sa_family != AF_INET &&
	    sa->sa_family != AF_INET6))
		return false;
	*family = sa->sa_family;
	if (sa->sa_family == AF_INET)
		memcpy(out, &((const struct sockaddr_in *)(const void *)sa)->
		    sin_addr, 4);
	else
		memcpy(out, &((const struct sockaddr_in6 *)(const void *)sa)->
		    sin6_addr, 16);
	return true;
}

/* samehost: every address of this host; samenet: every net of it. */
static bool
net_take_own(struct hba_parse *p, struct hba_entry *e, bool whole_net)
{
	struct ifaddrs *all, *i;
	struct hba_net n;
	int family;

	if (getifaddrs(&all) != 0)
		return hba_fail(p, "cannot list the addresses of this host");
	for (i = all; i != NULL; i = i->ifa_next) {
		n = (struct hba_net){ 0 };
		if (!net_of(i->ifa_addr, &n.family, n.addr))
			continue;
		if (!whole_net || !net_of(i->ifa_netmask, &family, n.mask))
			net_mask(&n, n.family == AF_INET ? 32 : 128);
		*net_add(e) = n;
	}
	freeifaddrs(all);
	return true;
}

static bool
net_bits(const char *text, unsigned max, unsigned *bits)
{
	if (text[0] < '0' || text[0] > '9' ||
	    strspn(text, "0123456789") != strlen(text) || strlen(text) > 3)
		return false;
	*bits = (unsigned)atoi(text);
	return *bits <= max;
}

static bool
net_take_cidr(struct hba_parse *p, struct hba_entry *e, const char *text,
    const char *slash)
{
	struct hba_net n = { 0 };
	char host[64];
	unsigned bits;

	if ((size_t)(slash - text) >= sizeof(host))
		return hba_fail(p, "'%.64s' is not an address, expected one "
		    "such as 10.0.0.0/8", text);
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	if (!net_parse(host, &n.family, n.addr))
		return hba_fail(p, "'%.64s' is not an address, expected one "
		    "such as 10.0.0.0/8", text);
	if (!net_bits(slash + 1, n.family == AF_INET ? 32 : 128, &bits))
		return hba_fail(p, "'%.64s' has no such mask, expected at most "
		    "%d bits", text, n.family == AF_INET ? 32 : 128);
	net_mask(&n, bits);
	*net_add(e) = n;
	return true;
}

static bool
net_take_mask(struct hba_parse *p, struct hba_entry *e, const char *text,
    const struct token *mask)
{
	struct hba_net n = { 0 };
	int family;

	if (!net_parse(text, &n.family, n.addr))
		return hba_fail(p, "'%.64s' is a host name, expected an "
		    "address: names are not resolved", text);
	if (mask == NULL)
		return hba_fail(p, "'%.64s' has no mask, expected "
		    "address/bits or a second field", text);
	if (!net_parse(mask->text, &family, n.mask) || family != n.family)
		return hba_fail(p, "'%.64s' is not a mask for %.64s, expected "
		    "one", mask->text, text);
	*net_add(e) = n;
	return true;
}

bool
hba_take_address(struct hba_parse *p, struct hba_entry *e,
    const struct token *k, const struct token *mask)
{
	const char *slash = strchr(k->text, '/');

	if (!k->quoted && strcmp(k->text, "all") == 0) {
		e->any_address = true;
		return true;
	}
	if (!k->quoted && strcmp(k->text, "samehost") == 0)
		return net_take_own(p, e, false);
	if (!k->quoted && strcmp(k->text, "samenet") == 0)
		return net_take_own(p, e, true);
	if (slash != NULL)
		return net_take_cidr(p, e, k->text, slash);
	return net_take_mask(p, e, k->text, mask);
}

bool
hba_net_has(const struct hba_entry *e, const struct sockaddr *from)
{
	const uint8_t *a;
	uint8_t addr[16];
	size_t i, k, n;
	int family;

	if (!net_of(from, &family, addr))
		return false;
	a = addr;
	/* An IPv4 client at a socket for both. */
	if (family == AF_INET6 && memcmp(addr, net_mapped, 12) == 0) {
		family = AF_INET;
		a += 12;
	}
	for (i = 0; i < e->n_nets; i++) {
		if (e->nets[i].family != family)
			continue;
		n = net_size(family);
		for (k = 0; k < n; k++)
			if (((a[k] ^ e->nets[i].addr[k]) &
			    e->nets[i].mask[k]) != 0)
				break;
		if (k == n)
			return true;
	}
	return false;
}
