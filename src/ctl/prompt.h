/* SPDX-License-Identifier: PostgreSQL
 *
 * Asking for a password at the terminal, without showing it.
 */
#ifndef PGSLUICE_CTL_PROMPT_H
#define PGSLUICE_CTL_PROMPT_H

#include <stdbool.h>

#include "base/check.h"

#define PROMPT_MAX 1024

/* Into out, of PROMPT_MAX bytes, without the line's end. false: there is no
 * terminal, or no line came. */
bool prompt_password(const char *user, char *out) PG_MUST_CHECK;

#endif
