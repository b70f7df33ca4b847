/* SPDX-License-Identifier: PostgreSQL
 *
 * Log lines: format, bounded ring, writer thread.
 *
 * Knows nothing of configuration (it reads log_threshold) and nothing of what
 * is logged.  Producers are any threads and never wait: the ring is a bounded
 * queue of numbered slots, a producer claims a slot by one compare-and-swap,
 * and a full ring costs the line, not the time.  One writer thread takes the
 * lines out; only it blocks on stderr.  log_start() and log_stop() belong to
 * the main thread; log_stop() is called when no other thread logs any more.
 *
 * Slot protocol: a slot with seq == pos is free for the producer that claims
 * pos; seq == pos + 1 means filled; after reading, seq = pos + LOG_SLOTS.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define LOG_SLOTS 512 /* a power of two */
#define LOG_LINE 2048 /* longer lines are cut */

struct log_slot {
	_Atomic size_t seq;
	size_t len;
	char line[LOG_LINE];
};

enum log_level log_threshold = LOG_L_INFO;

static struct log_slot log_ring[LOG_SLOTS];
static _Atomic size_t log_head; /* next position to claim */
static size_t log_tail;         /* next position to read; writer only */
static _Atomic uint64_t log_drops;
static uint64_t log_drops_told; /* writer only */
static bool log_torn;           /* ... the last line has no end */
static _Atomic bool log_running;
static _Atomic bool log_stopping;
static sem_t log_filled;
static pthread_t log_thread;
static pthread_once_t log_once = PTHREAD_ONCE_INIT;
static bool log_journal; /* stderr is the journal: "<n>" prefix, no time */

static const struct {
	const char *name;
	int priority; /* of syslog(3) */
} log_levels[] = {
	[LOG_L_ERROR] = { "error", 3 },
	[LOG_L_WARN] = { "warn", 4 },
	[LOG_L_INFO] = { "info", 6 },
	[LOG_L_DEBUG] = { "debug", 7 },
};

/* ------------------------------------------------------------ lines */

/* systemd tells the stream's device and inode; a redirected stderr differs. */
static void
log_probe(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (env == NULL || sscanf(env, "%llu:%llu", &dev, &ino) != 2)
		return;
	if (fstat(STDERR_FILENO, &st) != 0)
		return;
	log_journal = st.st_dev == (dev_t)dev && st.st_ino == (ino_t)ino;
}

static int
log_prefix(char *line, size_t size, enum log_level level, const char *area)
{
	struct timespec now;
	char stamp[32];
	struct tm tm;

	if (log_journal)
		return snprintf(line, size, "<%d>level=%s area=%s ",
		    log_levels[level].priority, log_levels[level].name, area);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	return snprintf(line, size, "time=%s.%03ldZ level=%s area=%s ", stamp,
	    now.tv_nsec / 1000000, log_levels[level].name, area);
}

/* One event is one line whatever the values hold: the last defence behind
 * log_esc().  Cuts what is too long, ends with the newline. */
static size_t
log_finish(char *line, size_t size, size_t len)
{
	size_t i;

	if (len > size - 2) {
		len = size - 2;
		memcpy(line + len - 3, "...", 3);
	}
	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	line[len] = '\0';
	return len;
}

static size_t PG_PRINTF(5, 0)
log_format(char *line, size_t size, enum log_level level, const char *area,
    const char *fmt, va_list ap)
{
	size_t len;
	int n;

	pthread_once(&log_once, log_probe);
	n = log_prefix(line, size, level, area);
	CHECK(n > 0 && (size_t)n < size / 2);
	len = (size_t)n;
	n = vsnprintf(line + len, size - len, fmt, ap);
	if (n > 0)
		len += (size_t)n;
	return log_finish(line, size, len);
}

/* false: it is lost, or its end is. */
static bool
log_write(const char *line, size_t len)
{
	size_t left = len;

	while (left > 0) {
		ssize_t n = write(STDERR_FILENO, line + len - left, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log_torn = left < len;
			return false;
		}
		left -= (size_t)n;
	}
	return true;
}

/* What comes behind half a line is to be a line of its own. The writer's. */
static void
log_write_line(const char *line, size_t len)
{
	if (log_torn && log_write("\n", 1))
		log_torn = false;
	if (!log_write(line, len))
		atomic_fetch_add_explicit(&log_drops, 1, memory_order_relaxed);
}

/* ------------------------------------------------------------ ring */

static bool
log_push(const char *line, size_t len)
{
	size_t pos = atomic_load_explicit(&log_head, memory_order_relaxed);
	struct log_slot *s;
	size_t seq;

	for (;;) {
		s = &log_ring[pos & (LOG_SLOTS - 1)];
		seq = atomic_load_explicit(&s->seq, memory_order_acquire);
		if (seq == pos) {
			if (atomic_compare_exchange_weak_explicit(&log_head,
			    &pos, pos + 1, memory_order_relaxed,
			    memory_order_relaxed))
				break;
		} else if ((ptrdiff_t)(seq - pos) < 0) {
			return false;
		} else {
			pos = atomic_load_explicit(&log_head,
			    memory_order_relaxed);
		}
	}
	memcpy(s->line, line, len);
	s->len = len;
	atomic_store_explicit(&s->seq, pos + 1, memory_order_release);
	sem_post(&log_filled);
	return true;
}

static bool
log_pop(void)
{
	struct log_slot *s = &log_ring[log_tail & (LOG_SLOTS - 1)];

	if (atomic_load_explicit(&s->seq, memory_order_acquire) !=
	    log_tail + 1)
		return false;
	log_write_line(s->line, s->len);
	atomic_store_explicit(&s->seq, log_tail + LOG_SLOTS,
	    memory_order_release);
	log_tail++;
	return true;
}

static bool PG_PRINTF(3, 4)
log_direct(enum log_level level, const char *area, const char *fmt, ...)
{
	char line[LOG_LINE];
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = log_format(line, sizeof(line), level, area, fmt, ap);
	va_end(ap);
	return log_write(line, len);
}

/* If that is lost, too, it is told with what comes. */
static void
log_tell_drops(void)
{
	uint64_t n = log_dropped();

	if (n != log_drops_told && log_direct(LOG_L_WARN, "log",
	    "msg=\"log lines dropped\" count=%llu",
	    (unsigned long long)(n - log_drops_told)))
		log_drops_told = n;
}

static void *
log_main(void *arg PG_UNUSED)
{
	while (!atomic_load(&log_stopping)) {
		while (sem_wait(&log_filled) != 0)
			CHECK(errno == EINTR);
		while (log_pop())
			;
		log_tell_drops();
	}
	return NULL;
}

/* ------------------------------------------------------------ public */

void
log_msg(enum log_level level, const char *area, const char *fmt, ...)
{
	char line[LOG_LINE];
	va_list ap;
	size_t len;

	if (level > __atomic_load_n(&log_threshold, __ATOMIC_RELAXED))
		return;
	va_start(ap, fmt);
	len = log_format(line, sizeof(line), level, area, fmt, ap);
	va_end(ap);
	if (!atomic_load_explicit(&log_running, memory_order_acquire))
		(void)!log_write(line, len);
	else if (!log_push(line, len))
		atomic_fetch_add_explicit(&log_drops, 1, memory_order_relaxed);
}

void
log_start(void)
{
	size_t i;

	CHECK(!atomic_load(&log_running));
	pthread_once(&log_once, log_probe);
	for (i = 0; i < LOG_SLOTS; i++)
		atomic_store(&log_ring[i].seq, i);
	atomic_store(&log_head, 0);
	log_tail = 0;
	atomic_store(&log_stopping, false);
	CHECK(sem_init(&log_filled, 0, 0) == 0);
	CHECK(pthread_create(&log_thread, NULL, log_main, NULL) == 0);
	atomic_store_explicit(&log_running, true, memory_order_release);
}

void
log_stop(void)
{
	if (!atomic_exchange(&log_running, false))
		return;
	atomic_store(&log_stopping, true);
	sem_post(&log_filled);
	CHECK(pthread_join(log_thread, NULL) == 0);
	while (log_pop())
		;
	log_tell_drops();
	sem_destroy(&log_filled);
}

uint64_t
log_dropped(void)
{
	return atomic_load_explicit(&log_drops, memory_order_relaxed);
}
