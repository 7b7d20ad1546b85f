/* Whatever is in a file: reading it ends with a configuration or with errors, never with the
 * process. Each mutant is read in a child, because libconfig can call exit. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/conf.h"
#include "../check.h"

enum { MUTANTS = 400, BATCH = 50 };

static uint64_t state;

static uint32_t
roll(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

/* Bytes and words that mean something to somebody on the way. */
static const char *const pieces[] = {
	"{", "}", "(", ")", "[", "]", "\"", ",", ";", "=", ":", "#", "/*", "*/", "//", "\\", "\n",
	"@include \"x\"\n", "99999999999", "0x", "-", ".", "1e999", "L", "$ct", "\xff", "\xc3\xb6",
	"true", "\"\"", "( )", "[ ]", "{ }", "\"*\"", "\"..\"", "name", "points", "templates",
	"\"@cred:x\"", "(((((((((((((((((((((((((((((((", "\"10s\"", "0", "65536", "\"1.3\"",
};

static size_t
mutate(char *text, size_t size, size_t room)
{
	for (uint32_t n = 1 + roll(4); n > 0; n--) {
		size_t at = roll((uint32_t)size + 1);
		size_t cut = roll(3) == 0 ? roll(40) : roll(2);
		const char *piece = pieces[roll(sizeof pieces / sizeof *pieces)];
		size_t put = roll(4) == 0 ? 0 : strlen(piece);

		if (cut > size - at)
			cut = size - at;
		if (size - cut + put >= room)
			continue;
		memmove(text + at + put, text + at + cut, size - at - cut);
		memcpy(text + at, piece, put);
		size += put - cut;
	}
	return size;
}

static void
read_mutant(const char *path)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load(path, &errors);

	if ((conf == NULL) != (errors.count > 0))
		_exit(3);
	conf_free(conf);
	conf_errors_free(&errors);
}

/* Runs a batch in one child; returns its status. */
static int
read_batch(const char *path, const char *original, size_t size)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		size_t room = size + 4096;
		char *text = mem_zero(room);

		for (int i = 0; i < BATCH; i++) {
			FILE *file = fopen(path, "w");
			size_t length;

			memcpy(text, original, size);
			length = mutate(text, size, room);
			fwrite(text, 1, length, file);
			fclose(file);
			read_mutant(path);
		}
		_exit(42);
	}
	waitpid(child, &status, 0);
	return status;
}

static void
every_mutant_is_read_or_refused(void)
{
	const char *source = getenv("PW_SRC"), *seed = getenv("PW_SEED");
	char path[] = "/tmp/test_mutation.XXXXXX", from[PATH_MAX];
	char *original = mem_zero(65536);
	size_t size;
	uint64_t number;
	FILE *file;

	snprintf(from, sizeof from, "%s/tests/fixtures/conf/good-everything.conf",
		source == NULL ? "." : source);
	file = fopen(from, "r");
	CHECK(file != NULL);
	size = fread(original, 1, 65535, file);
	fclose(file);
	close(mkstemp(path));
	number = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
	print_message("PW_SEED=%llu\n", (unsigned long long)number);
	for (uint64_t i = 0; i < MUTANTS / BATCH; i++) {
		int status;

		state = number + i; /* each child throws its own dice */
		status = read_batch(path, original, size);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 42)
			print_error("batch %d of PW_SEED=%llu: status 0x%x, the mutant is %s\n", (int)i,
				(unsigned long long)number, status, path);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	}
	unlink(path);
	free(original);
}

RUN_TESTS(TEST(every_mutant_is_read_or_refused))
