/* SPDX-License-Identifier: PostgreSQL
 *
 * The packets before a session, and the options text: every loop makes
 * progress, every pointer lies inside the packet.
 */
#include <stdlib.h>
#include <string.h>

#include "pgwire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_steps {
	size_t count, text;
};

static bool
fuzz_startup_pair(void *arg, const char *name, const char *value)
{
	struct fuzz_steps *steps = arg;

	CHECK(name[0] != '\0');
	CHECK(strchr(name, '=') == NULL && strchr(name, '-') == NULL);
	steps->count++;
	steps->text += strlen(name) + strlen(value);
	return true;
}

/* "-ca=" is the shortest setting. */
static void
fuzz_startup_options(const char *text)
{
	struct fuzz_steps steps = { 0, 0 };
	bool ok = startup_options(text, fuzz_startup_pair, &steps);

	CHECK(steps.count <= strlen(text) / 4 + 1);
	CHECK(steps.text <= strlen(text));
	CHECK(!ok || strlen(text) <= STARTUP_LENGTH_MAX);
}

static void
fuzz_startup_params(const struct startup_packet *s)
{
	const char *end = s->params + s->params_len;
	const char *name, *value;
	size_t pos = 0, before = 0;

	while (startup_param(s, &pos, &name, &value) == 1) {
		CHECK(pos > before + 1 && pos <= s->params_len);
		CHECK(name >= s->params && value > name && value < end);
		CHECK(value + strlen(value) < end);
		fuzz_startup_options(value);
		before = pos;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct startup_packet s;
	char *text;

	switch (startup_next((const char *)data, size, &s)) {
	case STARTUP_V3:
		CHECK(s.size <= size && s.params_len == s.size - 8);
		CHECK(s.version >> 16 == 3);
		fuzz_startup_params(&s);
		break;
	case STARTUP_CANCEL:
		CHECK(s.size <= size && s.cancel_key_len == s.size - 12);
		CHECK(s.cancel_key == (const char *)data + 12);
		break;
	case STARTUP_SSL:
	case STARTUP_GSS:
		CHECK(s.size == 8);
		break;
	case STARTUP_UNSUPPORTED:
		CHECK(s.size <= size && s.version >> 16 != 3);
		break;
	case STARTUP_NEED_MORE:
		CHECK(size < STARTUP_LENGTH_MAX);
		break;
	case STARTUP_BAD:
		CHECK(size >= 4);
		break;
	case STARTUP_TLS_HELLO:
		CHECK(data[0] == 0x16);
		break;
	}
	text = malloc(size + 1);
	CHECK(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	fuzz_startup_options(text);
	free(text);
	return 0;
}
