/* SPDX-License-Identifier: PostgreSQL
 *
 * The list of vouchers, and doubts.
 */
#include "conf/vouch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

_Alignas(SHARED_ALIGN) union vouch_doubts vouch_doubts;

static struct {
	pthread_mutex_t lock;
	struct vouch *first; /* under lock */
	_Atomic uint64_t versions;
	void (*on_doubt)(void);
} vouches = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct vouch *
vouch_get(const char *backend, const char *conninfo)
{
	struct vouch *v;

	pthread_mutex_lock(&vouches.lock);
	for (v = vouches.first; v != NULL; v = v->next)
		if (strcmp(v->backend, backend) == 0 &&
		    strcmp(v->conninfo, conninfo) == 0)
			break;
	if (v == NULL) {
		v = x_calloc(1, sizeof(*v));
		v->backend = x_strdup(backend);
		v->conninfo = x_strdup(conninfo);
		v->next = vouches.first;
		vouches.first = v;
	}
	pthread_mutex_unlock(&vouches.lock);
	return v;
}

void
vouch_fini(void)
{
	struct vouch *v;

	while ((v = vouches.first) != NULL) {
		vouches.first = v->next;
		free(v->backend);
		explicit_bzero(v->conninfo, strlen(v->conninfo));
		free(v->conninfo);
		free(v);
	}
}

uint64_t
vouch_version(void)
{
	return atomic_fetch_add(&vouches.versions, 1) + 1;
}

void
vouch_give(struct vouch *v, uint64_t version, uint64_t doubts, nsec_t until)
{
	if (atomic_load(&v->version) != version)
		atomic_store(&v->until, 0);
	atomic_store(&v->version, version);
	atomic_store(&v->doubts, doubts);
	atomic_store(&v->until, until);
}

void
vouch_end(struct vouch *v)
{
	atomic_store(&v->until, 0);
}

void
vouch_doubt(void)
{
	atomic_fetch_add(&vouch_doubts.count, 1);
	if (vouches.on_doubt != NULL)
		vouches.on_doubt();
}

struct shared_region
vouch_region(void)
{
	return (struct shared_region){ &vouch_doubts, sizeof(vouch_doubts) };
}

void
vouch_on_doubt(void (*fn)(void))
{
	vouches.on_doubt = fn;
}
