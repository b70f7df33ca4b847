/* SPDX-License-Identifier: PostgreSQL
 *
 * Byte classes and small steps over SQL text, shared by the lexer and by those
 * who measure tokens at a place the parser named.  Pure.
 */
#ifndef PGSLUICE_SQL_SCAN_H
#define PGSLUICE_SQL_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum scan_class {
	SC_OTHER,
	SC_BAD,    /* NUL and the marker bytes */
	SC_SPACE,
	SC_IDENT,  /* starts an identifier */
	SC_DIGIT,
	SC_OP,     /* operator character */
	SC_QUOTE,  /* ' */
	SC_DQUOTE, /* " */
	SC_DOLLAR,
	SC_DOT,
	SC_OPEN,   /* ( [ */
	SC_CLOSE,  /* ) ] */
	SC_COMMA,
	SC_SEMI
};
extern const uint8_t scan_class[256];

static inline enum scan_class
scan_class_of(char c)
{
	return (enum scan_class)scan_class[(unsigned char)c];
}

/* All of these take a position <= s.n and return one. SIZE_MAX: unterminated. */

/* Past the identifier characters at pos. */
size_t scan_word(struct slice s, size_t pos);
/* Past the quoted identifier that opens at pos. */
size_t scan_quoted(struct slice s, size_t pos);
/* Past a comment that opens at pos (either form). */
size_t scan_comment(struct slice s, size_t pos);
/* Past white space and comments; an unterminated comment ends the text. */
size_t scan_space(struct slice s, size_t pos);
/* Past the string or dollar quote at pos; pos itself if there is none. */
size_t scan_string(struct slice s, size_t pos);
/* Past the quote that ends a string with backslash escapes; pos is behind the
 * quote that opens it. */
size_t scan_escaped(struct slice s, size_t pos);
/* The quote that continues a string ending before pos, after white space with
 * a line end in it; 0: none. */
size_t scan_continued(struct slice s, size_t pos);
/* Past an identifier, quoted or not; pos itself if there is none. */
size_t scan_ident(struct slice s, size_t pos);

#endif
