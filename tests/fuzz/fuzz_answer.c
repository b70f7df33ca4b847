/* SPDX-License-Identifier: PostgreSQL
 *
 * Answers over any bytes: what is remembered must not depend on where they are
 * cut, and what is understood is like itself.  The first byte says how they are
 * cut; they begin with a message or, as an error is told, with its body.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "experiment/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_answer_take(struct answer *a, const char *p, size_t n, size_t piece)
{
	size_t now;

	answer_init(a);
	for (; n > 0; p += now, n -= now) {
		now = n < piece ? n : piece;
		answer_feed(a, p, now);
	}
}

static bool
fuzz_answer_same(const struct answer_sum *a, const struct answer_sum *b)
{
	return a->rows == b->rows && a->described == b->described &&
	    a->failed == b->failed && hash_eq(a->bag, b->bag) &&
	    hash_eq(a->columns, b->columns) && strcmp(a->tag, b->tag) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct answer a, b;
	const char *p = (const char *)data + 1;
	static bool ready;

	if (size == 0)
		return 0;
	if (!ready)
		hash_init();
	ready = true;
	fuzz_answer_take(&a, p, size - 1, size);
	fuzz_answer_take(&b, p, size - 1, 1 + data[0] % 16);
	CHECK(a.sum.broken == b.sum.broken);
	CHECK(a.n_held <= ANSWER_HELD && b.n_held <= ANSWER_HELD);
	CHECK(memchr(a.sum.tag, '\0', sizeof(a.sum.tag)) != NULL);
	if (!a.sum.broken) {
		CHECK(fuzz_answer_same(&a.sum, &b.sum));
		CHECK(answer_compare(&a.sum, &b.sum) == ANSWER_SAME);
	}
	answer_init(&b);
	answer_fail(&b, p, size - 1);
	CHECK(b.sum.failed && answer_compare(&b.sum, &b.sum) == ANSWER_SAME);
	return 0;
}
