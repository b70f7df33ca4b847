/* SPDX-License-Identifier: PostgreSQL
 *
 * Which bug is planted: the environment does not change while we run.
 */
#include "base/planted.h"

#ifdef PGSLUICE_PLANTED_BUGS

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static enum planted_bug planted = PLANTED_COUNT;
static pthread_once_t planted_once = PTHREAD_ONCE_INIT;

static void
planted_read(void)
{
	static const char *const names[PLANTED_COUNT] = {
#define PLANTED_BUG(sym, name, doc) name,
#include "tbl/planted_bugs.h"
	};
	const char *wanted = getenv("PGSLUICE_PLANTED_BUG");
	unsigned i;

	for (i = 0; wanted != NULL && i < PLANTED_COUNT; i++)
		if (strcmp(names[i], wanted) == 0)
			planted = (enum planted_bug)i;
	log_warn("main", "msg=\"this build is for tests of the tests\" "
	    "planted_bug=%s", planted < PLANTED_COUNT ? names[planted] :
	    "none");
}

bool
planted_is(enum planted_bug bug)
{
	pthread_once(&planted_once, planted_read);
	return bug == planted;
}

#else
/* An empty file is no C. */
extern int planted_none;
#endif
