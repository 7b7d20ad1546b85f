/* Each tests/fixtures/conf/bad-X.conf has one kind of mistake, and bad-X.expect every line
 * that is said about it; good-X.conf has none. */
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/conf.h"
#include "../check.h"

static const char *
source(void)
{
	const char *source = getenv("PW_SRC");

	return source == NULL ? "." : source;
}

static void
enter(const char *below)
{
	static char root[PATH_MAX];
	char path[PATH_MAX];

	if (root[0] == '\0')
		CHECK(realpath(source(), root) != NULL);
	snprintf(path, sizeof path, "%.4000s/%s", root, below);
	CHECK(chdir(path) == 0);
}

/* What conf_load says of the file; free() it. Empty: it loads. */
static char *
said_about(const char *path)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load(path, &errors);
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	CHECK((conf == NULL) == (errors.count > 0));
	conf_report(&errors, to);
	fclose(to);
	conf_free(conf);
	conf_errors_free(&errors);
	return text;
}

static char *
contents(const char *path)
{
	char *text = mem_zero(65536);
	FILE *file = fopen(path, "r");

	CHECK(file != NULL);
	CHECK(fread(text, 1, 65535, file) < 65535);
	fclose(file);
	return text;
}

static void
says_of_each_bad_file_what_is_expected(void)
{
	int wrong = 0;
	glob_t found;

	enter("tests/fixtures/conf");
	CHECK(glob("bad-*.conf", 0, NULL, &found) == 0);
	CHECK(found.gl_pathc > 100);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		char *beside = mem_format("%.*s.expect", (int)strlen(path) - 5, path);
		char *expected = contents(beside), *said = said_about(path);

		if (expected[0] == '\0' || strcmp(expected, said) != 0) {
			print_error("%s: expected\n%sbut it says\n%s", path, expected, said);
			wrong++;
		}
		free(beside);
		free(expected);
		free(said);
	}
	globfree(&found);
	CHECK_INT(wrong, 0);
}

static void
check_loads(const char *path)
{
	char *said = said_about(path);

	CHECK_STR(said, "");
	free(said);
}

static void
loads_good_files(void)
{
	glob_t found;

	enter("tests/fixtures/conf");
	CHECK(glob("good-*.conf", 0, NULL, &found) == 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		check_loads(found.gl_pathv[i]);
	globfree(&found);
}

static void
loads_the_example_and_the_quickstart(void)
{
	enter("conf");
	check_loads("pollwerk.conf.example");
	check_loads("quickstart.conf");
}

/* Templates that nobody uses are not looked through as deeply as with a device. */
static void
every_template_makes_a_device(void)
{
	char path[] = "/tmp/test_templates.XXXXXX";
	char here[PATH_MAX], name[48];
	int fd = mkstemp(path), count = 0;
	FILE *to = fdopen(fd, "w");
	glob_t found;

	enter("conf/templates");
	CHECK(getcwd(here, sizeof here) != NULL);
	CHECK(glob("*.conf", 0, NULL, &found) == 0);
	fprintf(to, "poller: { templates = [ \"%s\" ]; };\ndevices: (", here);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char *text = contents(found.gl_pathv[i]);

		str_copy(name, sizeof name, found.gl_pathv[i]);
		name[strlen(name) - 5] = '\0'; /* the template is called like its file */
		fprintf(to, "%s{ name = \"d%zu\"; address = \"10.0.0.1\"; %s templates = [ \"%s\" ]; %s }",
			i == 0 ? "" : ", ", i, strstr(text, "protocol = \"modbus\"") ?
			"modbus = { unit_id = 1; watchdog_checked = true; };" : "", name,
			strcmp(name, "moxa-eds") == 0 ? "parameters = { arc = 71; };" : "");
		CHECK(strstr(text, "source = \"") != NULL);
		free(text);
		count++;
	}
	globfree(&found);
	fprintf(to, ");\n");
	fclose(to);
	CHECK(count >= 6);
	check_loads(path);
	unlink(path);
}

RUN_TESTS(TEST(says_of_each_bad_file_what_is_expected), TEST(loads_good_files),
	TEST(loads_the_example_and_the_quickstart), TEST(every_template_makes_a_device))
