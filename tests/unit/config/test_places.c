#include "../check.h"

#include <stdio.h>
#include <sys/stat.h>

#include "../scratch.h"
#include "base/fail.h"
#include "config/conf.h"

static struct conf_places
places_in(const char *text)
{
	struct conf_places places;
	struct fail why;
	const char *path;
	FILE *file;

	scratch_make();
	path = scratch_path("plant.conf");
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	CHECK(conf_places(path, &places, &why) == 0);
	scratch_remove();
	return places;
}

static void
a_half_written_file_still_tells_where_the_daemon_keeps_its_things(void)
{
	struct conf_places p = places_in("poller: { state_dir = \"/srv/pw\"; # not \"/x\"\n"
		" run_dir : \"/run/a\\\"b\"; };\ndevices: ( { name = \"half");

	CHECK_STR(p.state_dir, "/srv/pw");
	CHECK_STR(p.rrd_dir, "/srv/pw/rrd");
	CHECK_STR(p.run_dir, "/run/a\"b");
	CHECK(p.sure);
}

static void
what_is_not_told_has_its_default(void)
{
	struct conf_places p = places_in("poller: { rrd_dir = \"/big/rrd\"; };");

	CHECK_STR(p.state_dir, "/var/lib/pollwerk");
	CHECK_STR(p.rrd_dir, "/big/rrd");
	CHECK_STR(p.run_dir, "/run/pollwerk");
	CHECK(p.sure);
}

static void
comments_texts_and_longer_names_are_no_keys(void)
{
	struct conf_places p = places_in("// run_dir = \"/a\"\n/* run_dir = \"/b\" */\n"
		"x = \"run_dir = \\\"/c\\\" \"; my_run_dir = \"/d\"; run_dirs = \"/e\"; run_dir = 5;"
		"run_dir = \"relative\";");

	CHECK_STR(p.run_dir, "/run/pollwerk");
}

static void
an_included_file_may_say_what_the_main_file_does_not(void)
{
	CHECK(!places_in("poller: { include = [ \"more.conf\" ]; };").sure);
	CHECK(places_in("poller: { include = [ \"more.conf\" ]; run_dir = \"/r\"; };").sure);
	CHECK(places_in("poller: { text = \"include\"; };").sure);
}

static void
a_text_without_an_end_ends_the_search(void)
{
	struct conf_places p = places_in("state_dir = \"/never closed \\");

	CHECK_STR(p.state_dir, "/var/lib/pollwerk");
}

static void
a_missing_file_is_told(void)
{
	struct conf_places places;
	struct fail why;

	CHECK(conf_places("/nowhere/p.conf", &places, &why) == -1);
	CHECK_STR(why.text, "/nowhere/p.conf: No such file or directory");
}

RUN_TESTS(TEST(a_half_written_file_still_tells_where_the_daemon_keeps_its_things),
	TEST(what_is_not_told_has_its_default), TEST(comments_texts_and_longer_names_are_no_keys),
	TEST(an_included_file_may_say_what_the_main_file_does_not),
	TEST(a_text_without_an_end_ends_the_search), TEST(a_missing_file_is_told))
