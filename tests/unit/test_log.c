/* SPDX-License-Identifier: PostgreSQL
 *
 * Log lines and escaping: one event one line, bounded, nothing from outside
 * can forge a line; a full ring drops and counts.
 *
 * Includes log.c to reach the ring.  stderr is a pipe or file of the test
 * while lines are captured.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.c"

static char captured[2 * 1024 * 1024];
static FILE *capture_file;
static int capture_saved;

static void
capture_begin(void)
{
	capture_file = tmpfile();
	assert_non_null(capture_file);
	capture_saved = dup(STDERR_FILENO);
	assert_true(capture_saved >= 0);
	assert_true(dup2(fileno(capture_file), STDERR_FILENO) >= 0);
}

static void
capture_end(void)
{
	size_t n;

	assert_true(dup2(capture_saved, STDERR_FILENO) >= 0);
	close(capture_saved);
	rewind(capture_file);
	n = fread(captured, 1, sizeof(captured) - 1, capture_file);
	captured[n] = '\0';
	fclose(capture_file);
}

static unsigned
count_lines(const char *s)
{
	unsigned n = 0;

	for (; *s != '\0'; s++)
		n += *s == '\n';
	return n;
}

static void
test_line(void **state PG_UNUSED)
{
	capture_begin();
	log_info("session", "msg=\"login\" user=%s n=%d", log_escs("bob"), 3);
	capture_end();
	assert_non_null(strstr(captured, "time=20"));
	assert_non_null(strstr(captured,
	    "level=info area=session msg=\"login\" user=bob n=3\n"));
}

static void
test_journal_prefix(void **state PG_UNUSED)
{
	log_journal = true;
	capture_begin();
	log_error("a", "msg=x");
	capture_end();
	log_journal = false;
	assert_string_equal(captured, "<3>level=error area=a msg=x\n");
}

static void
test_threshold(void **state PG_UNUSED)
{
	capture_begin();
	log_debug("a", "msg=hidden");
	log_threshold = LOG_L_DEBUG;
	log_debug("a", "msg=shown");
	log_threshold = LOG_L_ERROR;
	log_warn("a", "msg=hidden");
	log_threshold = LOG_L_INFO;
	capture_end();
	assert_null(strstr(captured, "hidden"));
	assert_non_null(strstr(captured, "shown"));
}

static void
test_long_line_is_cut(void **state PG_UNUSED)
{
	static char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	capture_begin();
	log_info("a", "msg=%s", text);
	capture_end();
	assert_int_equal(strlen(captured), LOG_LINE - 1);
	assert_string_equal(captured + LOG_LINE - 5, "...\n");
}

static void
test_raw_newline_cannot_forge(void **state PG_UNUSED)
{
	capture_begin();
	log_info("a", "msg=%s", "x\nlevel=error area=forged\r\x1b[2J\x7f");
	capture_end();
	assert_int_equal(count_lines(captured), 1);
	assert_null(strchr(captured, '\x1b'));
}

static void
test_ring_keeps_order(void **state PG_UNUSED)
{
	char want[40], *at = captured;
	int i;

	capture_begin();
	log_start();
	for (i = 0; i < 300; i++)
		log_info("a", "msg=n%d.", i);
	log_stop();
	capture_end();
	assert_int_equal(count_lines(captured), 300);
	for (i = 0; i < 300; i++) {
		snprintf(want, sizeof(want), "msg=n%d.\n", i);
		at = strstr(at, want);
		assert_non_null(at);
	}
}

static void *
log_much(void *arg PG_UNUSED)
{
	int i;

	for (i = 0; i < 2000; i++)
		log_info("flood", "msg=line i=%d", i);
	return NULL;
}

/* Four threads into a ring of 512: each line is whole, and every line is
 * either there or counted as dropped. */
static void
test_flood_is_counted(void **state PG_UNUSED)
{
	uint64_t before = log_dropped();
	unsigned seen = 0, told;
	pthread_t t[4];
	char *line, *save;
	int i, n;

	capture_begin();
	log_start();
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, log_much, NULL),
		    0);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	log_stop();
	capture_end();
	told = 0;
	for (line = strtok_r(captured, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		assert_memory_equal(line, "time=", 5);
		if (strstr(line, "area=flood msg=line i=") != NULL)
			seen++;
		else if (sscanf(strstr(line, "count="), "count=%d", &n) == 1)
			told += (unsigned)n;
	}
	assert_int_equal(told, log_dropped() - before);
	assert_int_equal(seen + told, 8000);
}

/* A reader of stderr that does not read must not stop who logs. */
static void
test_blocked_stderr_does_not_block(void **state PG_UNUSED)
{
	static char drain[1 << 16];
	uint64_t before = log_dropped();
	int fds[2], saved, null, i;

	assert_int_equal(pipe(fds), 0);
	null = open("/dev/null", O_WRONLY);
	assert_true(null >= 0);
	saved = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	log_start();
	for (i = 0; i < 5000; i++)
		log_info("a", "msg=\"nobody reads this line\" i=%d", i);
	assert_true(log_dropped() > before);
	/* A write(2) of the writer may still wait: let it finish. */
	dup2(null, STDERR_FILENO);
	close(null);
	while (read(fds[0], drain, sizeof(drain)) > 0)
		;
	close(fds[0]);
	log_stop();
	dup2(saved, STDERR_FILENO);
	close(saved);
}

/* A full disk takes no line: each is counted, and told when there is room. */
static void
test_full_disk(void **state PG_UNUSED)
{
	uint64_t before = log_dropped();
	int full, saved, i;
	char want[64];

	capture_begin();
	saved = dup(STDERR_FILENO);
	full = open("/dev/full", O_WRONLY);
	assert_true(full >= 0);
	log_start();
	dup2(full, STDERR_FILENO);
	close(full);
	for (i = 0; i < 50; i++)
		log_info("a", "msg=\"no room for this line\" i=%d", i);
	while (log_dropped() < before + 50)
		usleep(1000);
	dup2(saved, STDERR_FILENO);
	close(saved);
	log_info("a", "msg=\"there is room\"");
	log_stop();
	capture_end();
	assert_int_equal(log_dropped(), before + 50);
	assert_non_null(strstr(captured, "there is room"));
	assert_null(strstr(captured, "no room"));
	snprintf(want, sizeof(want), "dropped\" count=50\n");
	assert_non_null(strstr(captured, want));
}

static void
assert_esc(const char *bytes, size_t n, const char *want)
{
	assert_string_equal(log_esc(slice_make(bytes, n)), want);
}

static void
test_escape(void **state PG_UNUSED)
{
	assert_string_equal(log_escs("bob_1.x:/-"), "bob_1.x:/-");
	assert_string_equal(log_escs(""), "\"\"");
	assert_string_equal(log_escs(NULL), "\"\"");
	assert_string_equal(log_escs("a b"), "\"a b\"");
	assert_string_equal(log_escs("a=b"), "\"a=b\"");
	assert_string_equal(log_escs("a\"b\\"), "\"a\\\"b\\\\\"");
	assert_string_equal(log_escs("a\nb\tc\rd"), "\"a\\nb\\tc\\rd\"");
	assert_string_equal(log_escs("\x1b[2J"), "\"\\x1b[2J\"");
	assert_esc("a\0b", 3, "\"a\\x00b\"");
	assert_string_equal(log_escs("\x7f"), "\"\\x7f\"");
}

static void
test_escape_utf8(void **state PG_UNUSED)
{
	assert_string_equal(log_escs("Zo\xc3\xab"), "\"Zo\xc3\xab\"");
	assert_string_equal(log_escs("\xe2\x82\xac"), "\"\xe2\x82\xac\"");
	assert_string_equal(log_escs("\xf0\x9f\x98\x80"),
	    "\"\xf0\x9f\x98\x80\"");
	assert_esc("\xc3", 1, "\"\\xc3\"");
	assert_esc("\xc3(", 2, "\"\\xc3(\"");
	assert_esc("\xe2\x82", 2, "\"\\xe2\\x82\"");
	/* overlong, surrogate, beyond the last plane, C1 control */
	assert_esc("\xc0\xaf", 2, "\"\\xc0\\xaf\"");
	assert_esc("\xe0\x80\xaf", 3, "\"\\xe0\\x80\\xaf\"");
	assert_esc("\xed\xa0\x80", 3, "\"\\xed\\xa0\\x80\"");
	assert_esc("\xf4\x90\x80\x80", 4, "\"\\xf4\\x90\\x80\\x80\"");
	assert_esc("\xf0\x80\x80\xaf", 4, "\"\\xf0\\x80\\x80\\xaf\"");
	assert_esc("\xc2\x9b", 2, "\"\\xc2\\x9b\"");
	assert_esc("\xff", 1, "\"\\xff\"");
}

static void
test_escape_is_cut(void **state PG_UNUSED)
{
	char text[400], want[1200], *at = want;
	int i;

	memset(text, 'a', sizeof(text));
	snprintf(want, sizeof(want), "\"%.256s...\"", text);
	assert_esc(text, sizeof(text), want);
	assert_int_equal(strlen(log_esc(slice_make(text, 256))), 256);
	/* The cut never splits a character. */
	memcpy(text + 255, "\xc3\xab", 2);
	snprintf(want, sizeof(want), "\"%.255s...\"", text);
	assert_esc(text, sizeof(text), want);
	memset(text, 1, sizeof(text));
	*at++ = '"';
	for (i = 0; i < 256; i++)
		at += sprintf(at, "\\x01");
	strcpy(at, "...\"");
	assert_esc(text, sizeof(text), want);
}

/* As much as fits; always ended and quoted. */
static void
test_escape_into(void **state PG_UNUSED)
{
	char out[17], big[4096], text[1000];
	size_t n;

	assert_string_equal(log_esc_into(out, 16, slice_str("ab")),
	    "\"ab\"");
	out[16] = 'x';
	for (n = 0; n <= sizeof(text); n++) {
		memset(text, n % 2 == 0 ? 'a' : '\n', n);
		log_esc_into(out, 16, slice_make(text, n));
		assert_int_equal(out[16], 'x');
		assert_true(strlen(out) < 16);
		assert_int_equal(out[0], '"');
		assert_int_equal(out[strlen(out) - 1], '"');
	}
	memset(text, 'a', sizeof(text));
	assert_int_equal(strlen(log_esc_into(big, sizeof(big),
	    slice_make(text, sizeof(text)))), sizeof(text) + 2);
	assert_non_null(strstr(log_esc_into(out, 16, slice_make(text, 400)),
	    "a...\""));
	/* No half of a character. */
	assert_string_equal(log_esc_into(out, 16, slice_str(
	    "aaaaaa\xc3\xa4\xc3\xa4\xc3\xa4")), "\"aaaaaa\xc3\xa4...\"");
}

static void
test_escape_rotates(void **state PG_UNUSED)
{
	const char *out[8];
	char name[16];
	int i;

	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "v%d", i);
		out[i] = log_escs(name);
	}
	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "v%d", i);
		assert_string_equal(out[i], name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_journal_prefix),
		cmocka_unit_test(test_threshold),
		cmocka_unit_test(test_long_line_is_cut),
		cmocka_unit_test(test_raw_newline_cannot_forge),
		cmocka_unit_test(test_ring_keeps_order),
		cmocka_unit_test(test_flood_is_counted),
		cmocka_unit_test(test_blocked_stderr_does_not_block),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_utf8),
		cmocka_unit_test(test_escape_is_cut),
		cmocka_unit_test(test_escape_into),
		cmocka_unit_test(test_escape_rotates),
	};

	signal(SIGPIPE, SIG_IGN);
	unsetenv("JOURNAL_STREAM");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
