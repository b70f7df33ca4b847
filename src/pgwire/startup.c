/* SPDX-License-Identifier: PostgreSQL
 *
 * The packets that come before a session: TLS and GSS requests, cancel
 * requests, the startup packet with its parameters and its options text.
 *
 * All of it is read before anybody has logged in, so every loop here consumes
 * at least one byte a turn and nothing is allocated.  Knows nothing of what a
 * parameter means, nor of how often a request may be repeated: that is the
 * session's.  Pure; any thread.  Behaviour follows PostgreSQL's own parsing
 * (startup packets, option splitting, "-c" and "--" switches); single-letter
 * switches other than -c are refused.
 */
#include <string.h>

#include "pgwire/frame.h"

#define STARTUP_CODE_CANCEL 80877102u
#define STARTUP_CODE_SSL 80877103u
#define STARTUP_CODE_GSS 80877104u
#define STARTUP_MAJOR 3u

static enum startup_kind
startup_cancel(const char *p, size_t len, struct startup_packet *s)
{
	size_t key = len - STARTUP_LENGTH_MIN;

	if (key < 4 + STARTUP_CANCEL_KEY_MIN ||
	    key > 4 + STARTUP_CANCEL_KEY_MAX)
		return STARTUP_BAD;
	s->cancel_pid = wire_u32(p + 8);
	s->cancel_key = p + 12;
	s->cancel_key_len = key - 4;
	return STARTUP_CANCEL;
}

enum startup_kind
startup_next(const char *p, size_t n, struct startup_packet *s)
{
	uint32_t len;

	*s = (struct startup_packet){ 0 };
	/* No legal length starts with this byte. */
	if (n > 0 && p[0] == STARTUP_TLS_HELLO_BYTE)
		return STARTUP_TLS_HELLO;
	if (n < 4)
		return STARTUP_NEED_MORE;
	len = wire_u32(p);
	if (len < STARTUP_LENGTH_MIN || len > STARTUP_LENGTH_MAX)
		return STARTUP_BAD;
	if (n < len)
		return STARTUP_NEED_MORE;
	s->size = len;
	s->version = wire_u32(p + 4);
	switch (s->version) {
	case STARTUP_CODE_SSL:
		return len == STARTUP_LENGTH_MIN ? STARTUP_SSL : STARTUP_BAD;
	case STARTUP_CODE_GSS:
		return len == STARTUP_LENGTH_MIN ? STARTUP_GSS : STARTUP_BAD;
	case STARTUP_CODE_CANCEL:
		return startup_cancel(p, len, s);
	default:
		break;
	}
	if (s->version >> 16 != STARTUP_MAJOR)
		return STARTUP_UNSUPPORTED;
	s->params = p + STARTUP_LENGTH_MIN;
	s->params_len = len - STARTUP_LENGTH_MIN;
	return STARTUP_V3;
}

/* The terminated string at *pos; NULL if its terminator is missing. */
static const char *
startup_string(const struct startup_packet *s, size_t *pos)
{
	const char *text = s->params + *pos;
	const char *end = memchr(text, '\0', s->params_len - *pos);

	if (end == NULL)
		return NULL;
	*pos += (size_t)(end - text) + 1;
	return text;
}

int
startup_param(const struct startup_packet *s, size_t *pos, const char **name,
    const char **value)
{
	size_t at = *pos;

	CHECK(at <= s->params_len);
	if (at == s->params_len)
		return -1;
	if (s->params[at] == '\0')
		return s->params_len - at == 1 ? 0 : -1;
	*name = startup_string(s, &at);
	if (*name == NULL || at == s->params_len)
		return -1;
	*value = startup_string(s, &at);
	if (*value == NULL)
		return -1;
	*pos = at;
	return 1;
}

/* ------------------------------------------------------------- options */

/* PostgreSQL asks isspace(); here without the locale. */
static bool
startup_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Copy the next word, escapes resolved, and step over it.  word has room for
 * the whole text.  false: no word is left. */
static bool
startup_word(const char **text, char *word)
{
	const char *p = *text;

	while (startup_is_space(*p))
		p++;
	if (*p == '\0')
		return false;
	for (; *p != '\0' && !startup_is_space(*p); p++) {
		if (*p == '\\') {
			p++;
			if (*p == '\0')
				break; /* a last lone backslash is dropped */
		}
		*word++ = *p;
	}
	*word = '\0';
	*text = p;
	return true;
}

static bool
startup_setting(char *word,
    bool (*fn)(void *arg, const char *name, const char *value), void *arg)
{
	char *eq = strchr(word, '=');

	if (eq == NULL || eq == word)
		return false;
	*eq = '\0';
	for (char *c = word; c < eq; c++) {
		if (*c == '-')
			*c = '_';
	}
	return fn(arg, word, eq + 1);
}

bool
startup_options(const char *text,
    bool (*fn)(void *arg, const char *name, const char *value), void *arg)
{
	char word[STARTUP_LENGTH_MAX + 1];

	if (strlen(text) > STARTUP_LENGTH_MAX)
		return false;
	while (startup_word(&text, word)) {
		char *setting = word + 2;

		if (word[0] != '-' || (word[1] != 'c' && word[1] != '-'))
			return false;
		if (*setting == '\0') {
			bool last = word[1] == '-', more;

			/* "-c" takes the next word; "--" ends the list. */
			more = startup_word(&text, word);
			if (last || !more)
				return last && !more;
			setting = word;
		}
		if (!startup_setting(setting, fn, arg))
			return false;
	}
	return true;
}
