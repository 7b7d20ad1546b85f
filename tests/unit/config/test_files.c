/* Includes, secrets, and what is stored already. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "config/conf.h"
#include "core/device.h"
#include "core/series.h"
#include "snmp/snmp.h"
#include "../check.h"

static char directory[] = "/tmp/test_files.XXXXXX";

static char *
put(const char *name, int mode, const char *text)
{
	char *path = mem_format("%s/%s", directory, name);
	FILE *file = fopen(path, "w");

	CHECK(file != NULL);
	fputs(text, file);
	fclose(file);
	CHECK(chmod(path, (mode_t)mode) == 0);
	return path;
}

/* What is said about main.conf; "" when it loads, and then conf is the caller's. */
static const char *
load(const char *text, struct conf **conf)
{
	static char said[4000];
	struct conf_errors errors = { 0 };
	char *path = put("main.conf", 0644, text);
	FILE *to = fmemopen(said, sizeof said, "w");

	said[0] = '\0';
	*conf = conf_load(path, &errors);
	conf_report(&errors, to);
	fclose(to);
	conf_errors_free(&errors);
	free(path);
	return said;
}

/* The same, but it must be refused, with this in the text. */
static void
check_refused(const char *text, const char *wanted)
{
	struct conf *conf;
	const char *said = load(text, &conf);

	CHECK(conf == NULL);
	if (strstr(said, wanted) == NULL)
		print_error("wanted: %s\nsaid: %s\n", wanted, said);
	CHECK(strstr(said, wanted) != NULL);
}

static const char *
community(struct conf *conf)
{
	static char text[80];
	struct inventory *inventory = conf_inventory(conf);
	const struct snmp_options *snmp = device_snmp(&inventory->devices[0]);

	snprintf(text, sizeof text, "%s", snmp->access->community);
	inventory_free(inventory);
	return text;
}

#define WITH_SECRET(poller)                                                            \
	"poller: { templates = [ ]; state_dir = \"/nonexistent\"; " poller " };\n"     \
	"devices: ( { name = \"a\"; address = \"10.0.0.1\"; snmp = { community = \"@cred:ups-1\"; };\n" \
	"  points = ( { name = \"p\"; oid = \"1.3.6.1.2.1.1.3.0\"; } ); } );\n"

static void
takes_secrets_from_a_file_only_its_owner_can_read(void)
{
	struct conf *conf;

	free(put("secrets.conf", 0600, "ups-1 = \"hidden\";\n"));
	CHECK_STR(load(WITH_SECRET("secrets = \"secrets.conf\";"), &conf), "");
	CHECK_STR(community(conf), "hidden");
	conf_free(conf);
}

static void
needs_no_secrets_to_look_at_what_was_polled(void)
{
	struct conf_errors errors = { 0 };
	struct conf *conf;
	char *path;

	free(put("secrets.conf", 0644, "this is not read = \n"));
	path = put("main.conf", 0644, WITH_SECRET("secrets = \"secrets.conf\";"));
	conf = conf_load_to_look(path, &errors);
	CHECK(errors.count == 0);
	CHECK_STR(community(conf), "");
	conf_free(conf);
	conf_errors_free(&errors);
	free(path);
}

static void
refuses_secrets_that_others_can_read(void)
{
	free(put("secrets.conf", 0640, "ups-1 = \"hidden\";\n"));
	check_refused(WITH_SECRET("secrets = \"secrets.conf\";"),
		"others than its owner may read the secrets in it: chmod 0400");
	free(put("secrets.conf", 0604, "ups-1 = \"hidden\";\n"));
	check_refused(WITH_SECRET("secrets = \"secrets.conf\";"), "chmod");
}

static void
takes_credentials_from_systemd_and_the_environment(void)
{
	struct conf *conf;
	char *path = put("ups-1", 0400, "from systemd\n");

	setenv("POLLWERK_CRED_ups_1", "from the environment", 1);
	CHECK_STR(load(WITH_SECRET(""), &conf), "");
	CHECK_STR(community(conf), "from the environment");
	conf_free(conf);
	setenv("CREDENTIALS_DIRECTORY", directory, 1);
	CHECK_STR(load(WITH_SECRET(""), &conf), "");
	CHECK_STR(community(conf), "from systemd");
	conf_free(conf);
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("POLLWERK_CRED_ups_1");
	unlink(path);
	free(path);
	check_refused(WITH_SECRET(""), "credential \"ups-1\": not in the secrets file");
}

static void
hands_credentials_on_in_the_bundle(void)
{
	struct conf_errors errors = { 0 };
	struct conf *conf, *again;
	struct fail why;
	int fd = memfd_create("bundle", MFD_CLOEXEC);

	setenv("POLLWERK_CRED_ups_1", "handed on", 1);
	CHECK_STR(load(WITH_SECRET(""), &conf), "");
	unsetenv("POLLWERK_CRED_ups_1");
	CHECK(conf_bundle_write(conf, fd, &why) == 0);
	conf_free(conf);
	again = conf_load_bundle(fd, &errors);
	CHECK(again != NULL);
	CHECK_STR(community(again), "handed on");
	conf_free(again);
	close(fd);
}

static int changes[4]; /* by enum conf_change */

static void
count_change(enum conf_change change, const char *name, void *arg)
{
	(void)name, (void)arg;
	changes[change]++;
}

static void
a_list_of_devices_goes_with_the_bundle_and_a_changed_row_is_a_changed_device(void)
{
	static const char text[] = "poller: { templates = [ ]; state_dir = \"/nonexistent\"; };\n"
		"device_lists = [ \"plant.csv\" ];\n";
	struct inventory *was, *handed, *is;
	struct conf_errors errors = { 0 };
	struct conf *conf, *again;
	struct fail why;
	int fd = memfd_create("bundle", MFD_CLOEXEC);
	char *path = put("plant.csv", 0644, "name;address;owner;reach.ping\n"
		"a;10.0.0.1;IT;true\nb;10.0.0.2;IT;true\nc;10.0.0.3;IT;true\n");

	CHECK_STR(load(text, &conf), "");
	CHECK(conf_bundle_write(conf, fd, &why) == 0);
	was = conf_inventory(conf);
	conf_free(conf);
	free(put("plant.csv", 0644, "name;address;owner;reach.ping\n"
		"a;10.0.0.1;IT;true\nb;10.0.0.2;OT;true\nd;10.0.0.3;IT;true\n"));
	/* What was checked is what runs, whatever the file says meanwhile. */
	again = conf_load_bundle(fd, &errors);
	CHECK(again != NULL);
	handed = conf_inventory(again);
	CHECK_INT(handed->device_count, 3);
	CHECK(inventory_find(handed, "c") != NULL);
	CHECK(strstr(inventory_find(handed, "c")->about->file, "plant.csv") != NULL);
	CHECK_INT(inventory_find(handed, "c")->line, 4);
	CHECK_STR(load(text, &conf), "");
	is = conf_inventory(conf);
	memset(changes, 0, sizeof changes);
	conf_diff(was, is, count_change, NULL);
	CHECK_INT(changes[CONF_UNCHANGED], 1);
	CHECK_INT(changes[CONF_CHANGED], 1);
	CHECK_INT(changes[CONF_ADDED], 1);
	CHECK_INT(changes[CONF_REMOVED], 1);
	inventory_free(was);
	inventory_free(handed);
	inventory_free(is);
	conf_free(conf);
	conf_free(again);
	unlink(path);
	free(path);
	close(fd);
}

static void
refuses_a_bundle_that_was_cut_off(void)
{
	struct conf_errors errors = { 0 };
	struct conf *conf;
	struct fail why;
	int fd = memfd_create("bundle", MFD_CLOEXEC);

	CHECK_STR(load("poller: { templates = [ ]; };\n", &conf), "");
	CHECK(conf_bundle_write(conf, fd, &why) == 0);
	conf_free(conf);
	CHECK(ftruncate(fd, lseek(fd, 0, SEEK_END) - 1) == 0);
	CHECK(conf_load_bundle(fd, &errors) == NULL);
	CHECK(strstr(errors.items[0].text, "damaged") != NULL);
	conf_errors_free(&errors);
	close(fd);
}

static void
never_shows_a_secret(void)
{
	struct conf *conf;

	check_refused("poller: { templates = [ ]; };\nreceivers: ( { name = \"n\"; address = \"10.0.0.1\";\n"
		"  community = 12345; } );\n", "community: expected a text in quotes");
	free(put("secrets.conf", 0600, "ups-1 = \"s3cr3t\"; two = 998877;\n"));
	CHECK(strstr(load(WITH_SECRET("secrets = \"secrets.conf\";"), &conf), "998877") == NULL);
	CHECK(conf == NULL);
}

static void
appends_the_sections_of_included_files(void)
{
	struct conf *conf;
	struct inventory *inventory;

	free(put("b.part", 0644, "devices: ( { name = \"b\"; address = \"10.0.0.2\"; reach = { }; } );\n"));
	free(put("a.part", 0644, "devices: ( { name = \"a\"; address = \"10.0.0.1\"; reach = { }; } );\n"));
	CHECK_STR(load("poller: { templates = [ ]; state_dir = \"/nonexistent\"; include = [ \"*.part\" ]; };\n"
		"devices: ( { name = \"c\"; address = \"10.0.0.3\"; reach = { }; } );\n", &conf), "");
	inventory = conf_inventory(conf);
	CHECK_INT(inventory->device_count, 3);
	CHECK_STR(inventory->devices[0].name, "c");
	CHECK_STR(inventory->devices[1].name, "a");
	CHECK_STR(inventory->devices[2].name, "b");
	CHECK(strstr(inventory->devices[2].about->file, "b.part") != NULL);
	inventory_free(inventory);
	conf_free(conf);
}

#define ONE_POINT(name, oid) "templates: ( { name = \"" name "\"; protocol = \"snmp\";\n" \
	"  points = ( { name = \"p\"; oid = \"" oid "\"; } ); } );\n"

static uint32_t
last_arc_of_p(struct conf *conf)
{
	struct inventory *inventory = conf_inventory(conf);
	const struct snmp_point *point = inventory->devices[0].groups[0].points[0].wire;
	uint32_t arc = point->oids[0].ids[point->oids[0].count - 1];

	inventory_free(inventory);
	return arc;
}

static void
a_template_of_the_configuration_hides_one_of_a_directory_and_an_earlier_directory_a_later_one(void)
{
	static const char devices[] = "devices: ( { name = \"d\"; address = \"10.0.0.1\"; "
		"templates = [ \"t\" ]; } );\n";
	char *one = mem_format("%s/one", directory), *two = mem_format("%s/two", directory), *text;
	char *first, *second, *third;
	struct inventory *inventory;
	struct conf *conf;

	CHECK(mkdir(one, 0755) == 0 && mkdir(two, 0755) == 0);
	first = put("one/a.conf", 0644, ONE_POINT("t", "1.3.6.1.4.1.1"));
	second = put("two/a.conf", 0644, ONE_POINT("t", "1.3.6.1.4.1.2"));
	text = mem_format("poller: { state_dir = \"/nonexistent\"; templates = [ \"two\", \"one\" ]; };\n%s",
		devices);
	CHECK_STR(load(text, &conf), "");
	CHECK_INT(last_arc_of_p(conf), 2);
	conf_free(conf);
	free(text);
	text = mem_format("poller: { state_dir = \"/nonexistent\"; templates = [ \"one\" ]; };\n%s"
		ONE_POINT("t", "1.3.6.1.4.1.3"), devices);
	CHECK_STR(load(text, &conf), "");
	CHECK_INT(last_arc_of_p(conf), 3);
	conf_free(conf);
	free(text);
	text = mem_format("poller: { state_dir = \"/nonexistent\"; templates = [ \"one\" ]; };\n"
		"templates: ( { name = \"t\"; inherit = \"t\"; points = ( { name = \"q\";"
		" oid = \"1.3.6.1.4.1.5\"; } ); } );\n%s", devices);
	CHECK_STR(load(text, &conf), "");
	inventory = conf_inventory(conf);
	CHECK_INT(inventory->devices[0].group_count, 1);
	CHECK_INT(inventory->devices[0].groups[0].point_count, 2);
	CHECK_STR(inventory->devices[0].groups[0].points[0].name, "p");
	CHECK_STR(inventory->devices[0].groups[0].name, "t");
	inventory_free(inventory);
	conf_free(conf);
	third = put("one/b.conf", 0644, ONE_POINT("t", "1.3.6.1.4.1.4"));
	check_refused("poller: { templates = [ ]; };\n"
		"templates: ( { name = \"t\"; protocol = \"snmp\"; inherit = \"t\"; points = ( ); } );\n",
		"inherit: goes in a circle");
	check_refused("poller: { state_dir = \"/nonexistent\"; templates = [ \"one\" ]; };\n",
		"template \"t\": there is another of this name in");
	unlink(first);
	unlink(second);
	unlink(third);
	CHECK(rmdir(one) == 0 && rmdir(two) == 0);
	free(first);
	free(second);
	free(third);
	free(one);
	free(two);
	free(text);
}

static void
refuses_files_that_are_none_or_too_big_or_for_all_to_write(void)
{
	char *path = put("big.part", 0644, "");

	CHECK(truncate(path, (4 << 20) + 1) == 0);
	check_refused("poller: { templates = [ ]; include = [ \"big.part\" ]; };\n", "larger than 4 MB");
	unlink(path);
	CHECK(mkfifo(path, 0644) == 0);
	check_refused("poller: { templates = [ ]; include = [ \"big.part\" ]; };\n", "not a regular file");
	unlink(path);
	free(path);
	path = put("open.part", 0666, "");
	check_refused("poller: { templates = [ ]; include = [ \"open.part\" ]; };\n", "chmod o-w");
	unlink(path);
	free(path);
}

static void
refuses_utf_16_and_binary_files(void)
{
	char *path = put("wide.part", 0644, "");
	FILE *file = fopen(path, "w");

	fwrite("p\0o\0", 1, 4, file);
	fclose(file);
	check_refused("poller: { templates = [ ]; include = [ \"wide.part\" ]; };\n", "NUL byte");
	unlink(path);
	free(path);
}

/* A catalogue as the daemon would have written it for a 60 s interval. */
static void
store(const char *path, const char *file, int64_t seconds)
{
	struct fail why;
	struct series_catalogue *catalogue = series_open(directory, true, &why);
	const struct series wanted = {
		.kind = POINT_GAUGE, .step = seconds * INT64_C(1000000000), .path = path, .unit = "",
		.file = file, .ds = "p", .profile = "standard",
	};

	CHECK(catalogue != NULL);
	CHECK(series_add(catalogue, &wanted, &why) != NULL);
	CHECK(series_sync(catalogue, &why) == 0);
	series_close(catalogue);
}

static char *
stored_conf(const char *interval)
{
	return mem_format("poller: { templates = [ ]; state_dir = \"%s\"; };\n"
		"devices: ( { name = \"a\"; address = \"10.0.0.1\"; interval = \"%s\";\n"
		"  templates = [ \"t\" ]; } );\n"
		"templates: ( { name = \"t\"; protocol = \"snmp\";\n"
		"  points = ( { name = \"p\"; oid = \"1.3.6.1.2.1.1.3.0\"; } );\n"
		"  tables = ( { name = \"if\"; points = ( { name = \"p\"; oid = \"1.3.6.1.2.1.2.2.1.8\"; } ); } ); } );\n",
		directory, interval);
}

static void
refuses_another_interval_than_was_stored(void)
{
	struct conf *conf;
	char *text = stored_conf("60s"), *path = mem_format("%s/series", directory);

	store("a/p", "a/t.rrd", 60);
	store("a/if[x/1]/p", "a/if/x%2F1.rrd", 60);
	store("a/up", "a/device.rrd", 60);
	CHECK_STR(load(text, &conf), "");
	conf_free(conf);
	free(text);
	text = stored_conf("30s");
	check_refused(text, "main.conf:2: device \"a\": a/p has been stored every 60s");
	check_refused(text, "device \"a\": a/if[x/1]/p has been stored every");
	check_refused(text, "a/up has been stored every 60s, and follows the device's shortest");
	check_refused(text, "stop pollwerkd and run \"pollwerk rrd migrate\"");
	free(text);
	unlink(path);
	free(path);
}

static void
refuses_another_file_than_was_stored(void)
{
	char *text = stored_conf("60s"), *path = mem_format("%s/series", directory);

	store("a/p", "a/points.rrd", 60);
	check_refused(text, "a/p has been stored in a/points.rrd and would be in a/t.rrd now");
	unlink(path);
	free(text);
	free(path);
}

static int
make_directory(void **state)
{
	(void)state;
	umask(022);
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int
remove_directory(void **state)
{
	static const char *const names[] = { "main.conf", "secrets.conf", "a.part", "b.part", "series" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *path = mem_format("%s/%s", directory, names[i]);

		unlink(path);
		free(path);
	}
	return rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_secrets_from_a_file_only_its_owner_can_read),
		TEST(needs_no_secrets_to_look_at_what_was_polled),
		TEST(refuses_secrets_that_others_can_read),
		TEST(takes_credentials_from_systemd_and_the_environment),
		TEST(hands_credentials_on_in_the_bundle),
		TEST(a_list_of_devices_goes_with_the_bundle_and_a_changed_row_is_a_changed_device),
		TEST(refuses_a_bundle_that_was_cut_off),
		TEST(never_shows_a_secret),
		TEST(appends_the_sections_of_included_files),
		TEST(a_template_of_the_configuration_hides_one_of_a_directory_and_an_earlier_directory_a_later_one),
		TEST(refuses_files_that_are_none_or_too_big_or_for_all_to_write),
		TEST(refuses_utf_16_and_binary_files),
		TEST(refuses_another_interval_than_was_stored),
		TEST(refuses_another_file_than_was_stored),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
