/* SPDX-License-Identifier: PostgreSQL
 *
 * SCRAM, server side.  An input is a list of messages, each ended by a zero
 * byte (an empty one before the first stands for "no initial response").  In
 * later messages a '@' stands for the nonce that the server asked for, which a
 * fuzzer could not guess.  No input may log in: the secret is no input.  The
 * whole input is tried as a verifier too.
 */
#include <string.h>

#include "auth/base64.h"
#include "auth/scram.h"

#define FUZZ_MESSAGE 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_scram_verifier(struct slice text)
{
	struct scram_verifier v;

	if (!scram_verifier_parse(text, &v))
		return;
	CHECK(v.salt_len >= 1 && v.salt_len <= SCRAM_SALT_MAX);
	CHECK(v.iterations >= SCRAM_ITER_MIN &&
	    v.iterations <= SCRAM_ITER_MAX);
}

/* Copy a message, '@' replaced. */
static struct slice
fuzz_scram_message(const struct scram *s, struct slice in, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n && n < FUZZ_MESSAGE - 128; i++) {
		size_t len = strlen(s->nonce);

		if (in.p[i] == '@' && s->state == SCRAM_ST_FINAL) {
			memcpy(out + n, s->nonce, len);
			n += len;
		} else {
			out[n++] = in.p[i];
		}
	}
	return slice_make(out, n);
}

static void
fuzz_scram_answer(const struct scram *s, enum scram_result result,
    struct slice out)
{
	CHECK(result != SCRAM_OK);
	CHECK(out.n <= 512);
	CHECK((result == SCRAM_CONTINUE) == (s->state != SCRAM_ST_DONE));
	CHECK(out.n == 0 || s->state == SCRAM_ST_FINAL);
	if (result == SCRAM_MALFORMED)
		CHECK(scram_why(s)[0] != '\0');
	if (out.n > 0)
		CHECK(memcmp(out.p, "r=", 2) == 0 &&
		    memchr(out.p, '\0', out.n) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[32] = "not guessable by any input";
	static const uint8_t nonce18[18] = "0123456789abcdefg";
	struct slice in = slice_make(data, size);
	struct scram_verifier v;
	struct scram s;
	bool first = true;

	fuzz_scram_verifier(in);
	scram_verifier_mock("user", secret, &v);
	scram_init(&s, &v, size % 2 == 0);
	if (size % 3 != 0) {
		scram_offer_plus(&s, secret, sizeof(secret));
		CHECK(size % 3 == 1 ||
		    scram_choose(&s, SLICE_LIT("SCRAM-SHA-256-PLUS")));
	}
	while (in.n > 0) {
		const char *end = memchr(in.p, '\0', in.n);
		size_t n = end != NULL ? (size_t)(end - in.p) : in.n;
		char text[FUZZ_MESSAGE], out[512];
		struct slice msg;
		enum scram_result result;
		size_t out_len;

		msg = fuzz_scram_message(&s, slice_make(in.p, n), text);
		if (first && n == 0)
			msg.p = NULL;
		first = false;
		result = scram_step(&s, msg, nonce18, out, &out_len);
		fuzz_scram_answer(&s, result, slice_make(out, out_len));
		n += end != NULL;
		in = slice_make(in.p + n, in.n - n);
	}
	scram_fini(&s);
	return 0;
}
