/* SPDX-License-Identifier: PostgreSQL
 *
 * Replays a corpus through a fuzz target, for `make check` and for finds.
 *
 * With arguments: runs the files named.  Without: runs every file of
 * $srcdir/tests/fuzz/corpus/NAME, where the program is called replay_NAME, and
 * of short seeds every prefix too, since cut-off input is what a peer sends
 * that dies.  Each input is an allocation of its exact size, so that a
 * sanitizer sees a read past its end.  No corpus is a failure.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLAY_PREFIX_MAX 512
#define REPLAY_FILE_MAX (16 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static unsigned long replay_files, replay_inputs;

static void
replay_bytes(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL) {
		perror("malloc");
		exit(1);
	}
	if (size > 0)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	replay_inputs++;
}

static void
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(REPLAY_FILE_MAX);
	size_t size, n;

	if (f == NULL || data == NULL) {
		perror(path);
		exit(1);
	}
	size = fread(data, 1, REPLAY_FILE_MAX, f);
	if (ferror(f)) {
		perror(path);
		exit(1);
	}
	fclose(f);
	replay_bytes(data, size);
	for (n = 0; n < size && size <= REPLAY_PREFIX_MAX; n++)
		replay_bytes(data, n);
	free(data);
	replay_files++;
}

static void
replay_corpus(const char *program)
{
	const char *srcdir = getenv("srcdir");
	const char *name = strrchr(program, '/');
	char dir[2048], path[4096];
	struct dirent *e;
	DIR *d;

	name = name != NULL ? name + 1 : program;
	if (strncmp(name, "replay_", 7) == 0)
		name += 7;
	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s",
	    srcdir != NULL ? srcdir : ".", name);
	d = opendir(dir);
	if (d == NULL) {
		perror(dir);
		exit(1);
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		replay_file(path);
	}
	closedir(d);
}

int
main(int argc, char **argv)
{
	int i;

	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	for (i = 1; i < argc; i++)
		replay_file(argv[i]);
	if (argc < 2)
		replay_corpus(argv[0]);
	printf("%s: %lu files, %lu inputs\n", argv[0], replay_files,
	    replay_inputs);
	return replay_files > 0 ? 0 : 1;
}
