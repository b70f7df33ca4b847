/* SPDX-License-Identifier: PostgreSQL
 *
 * Fuzzes rules and user name maps: any bytes either give a set that answers
 * every question, or one line "file:line: text".  A line of three percent signs
 * parts the rules from the maps.
 */
#include <arpa/inet.h>
#include <string.h>

#include "auth/hba.h"

#define PART "\n%%%\n"
#define REPEATS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_ask(const struct hba *h)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr local = { .sa_family = AF_UNIX };
	const struct sockaddr *from[] = { &local, (struct sockaddr *)&v4,
		(struct sockaddr *)&v6 };
	const struct hba_rule *r;
	unsigned i;

	for (i = 0; i < 12; i++) {
		struct hba_ask a = { .database = i % 2 == 0 ? "app" : "u",
			.user = "u", .tls = i % 4 > 1, .replication = i == 11,
			.from = from[i % 3] };

		r = hba_match(h, &a);
		if (r == NULL)
			continue;
		CHECK(r->method < AUTH_METHOD_COUNT && r->line > 0);
		CHECK(r->method != AUTH_PEER || i % 3 == 0);
		CHECK(r->method != AUTH_CERT || (i % 3 != 0 && a.tls));
		(void)hba_ident(h, r->map, "u@corp", "u");
	}
}

/* regcomp() of glibc doubles its memory with each repetition of a repetition,
 * which the owner of the file may be trusted not to write. */
static bool
fuzz_is_too_much(const char *text, size_t n)
{
	unsigned repeats = 0;

	for (size_t i = 0; i < n; i++)
		repeats += text[i] == '+' || text[i] == '{';
	return repeats > REPEATS_MAX;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *part = memmem(text, size, PART, sizeof(PART) - 1);
	struct slice rules = slice_make(text, size), ident = { NULL, 0 };
	char err[512] = "";
	struct hba *h;

	if (part != NULL) {
		rules.n = (size_t)(part - text);
		ident = slice_make(part + sizeof(PART) - 1,
		    size - rules.n - (sizeof(PART) - 1));
	}
	if (fuzz_is_too_much(ident.p, ident.n))
		return 0;
	h = hba_parse("f", rules, "f", ident, err, sizeof(err));
	if (h != NULL) {
		CHECK(err[0] == '\0');
		fuzz_ask(h);
		hba_unref(&h);
	} else {
		CHECK(strncmp(err, "f:", 2) == 0);
		CHECK(strspn(err + 2, "0123456789") > 0);
		CHECK(strchr(err, '\n') == NULL);
	}
	return 0;
}
