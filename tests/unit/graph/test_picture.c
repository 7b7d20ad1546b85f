#include "../check.h"

#include <stdio.h>
#include <rrd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "core/series.h"
#include "graph/graph.h"
#include "graph/picture.h"

#define S INT64_C(1000000000)
#define START (1767225600 * S)

static const struct series oil = { .id = 1, .kind = POINT_GAUGE, .step = 60 * S,
	.path = "press-3/oil_temp", .unit = "C", .file = "press-3/points.rrd", .ds = "oil_temp" };
static const struct series in = { .id = 2, .kind = POINT_COUNTER, .step = 60 * S,
	.path = "sw/if[ge:1]/in_octets", .unit = "B/s", .file = "x.rrd", .ds = "in_octets" };
static const struct series out = { .id = 3, .kind = POINT_COUNTER, .step = 60 * S,
	.path = "sw/if[ge:1]/out_octets", .unit = "B/s", .file = "x.rrd", .ds = "out_octets" };

static bool
has(char **arguments, const char *wanted)
{
	for (; *arguments != NULL; arguments++)
		if (strstr(*arguments, wanted) != NULL)
			return true;
	return false;
}

static struct picture
picture_of(const struct series *a, const struct series *b)
{
	return (struct picture){ .series = { a, b }, .files = { "/r/a:b.rrd", "/r/a:b.rrd" },
		.count = b != NULL ? 2 : 1, .from = START, .to = START + 3600 * S, .width = 300, .height = 100 };
}

static void
the_two_octet_counters_of_a_port_are_traffic_in_bits_in_above_and_out_below(void)
{
	struct picture p = picture_of(&in, &out);
	int count;
	char **a = picture_arguments(&p, "x.png", &count);

	CHECK(has(a, "CDEF:in=i0,8,*"));
	CHECK(has(a, "CDEF:below=out,-1,*"));
	CHECK(has(a, "PERCENTNAN"));
	picture_free_arguments(a);
}

static void
a_threshold_is_a_dashed_line_with_its_clear_value_beside_it(void)
{
	static const struct picture_limit limit = { "oil-hot", 70, 65, 0 };
	struct picture p = picture_of(&oil, NULL);
	int count;
	char **a;

	p.limits = &limit;
	p.limit_count = 1;
	a = picture_arguments(&p, "x.png", &count);
	CHECK(has(a, "LINE1:70#c62828:oil-hot at 70 C:dashes=6,3"));
	CHECK(has(a, "LINE1:65#ef9a9a:clears at 65 C\\l:dashes=2,4"));
	picture_free_arguments(a);
}

static void
a_threshold_on_octets_is_drawn_in_bits_and_below_zero_for_out(void)
{
	static const struct picture_limit limits[] = { { "busy", 1000, 500, 0 },
		{ "busy", 1000, 500, 1 } };
	struct picture p = picture_of(&in, &out);
	int count;
	char **a;

	p.limits = limits;
	p.limit_count = 2;
	a = picture_arguments(&p, "x.png", &count);
	CHECK(has(a, "CDEF:below=out,-1,*"));
	CHECK(has(a, "LINE1:8000#c62828:busy at 8000 bit/s:"));
	CHECK(has(a, "LINE1:-8000#c62828:busy at 8000 bit/s:"));
	picture_free_arguments(a);
}

static void
one_rule_over_two_points_is_one_line_and_below_zero_it_keeps_its_sign(void)
{
	static const struct picture_limit limits[] = { { "cold", -10, -5, 0 },
		{ "cold", -10, -5, 1 } };
	struct picture p = picture_of(&oil, &oil);
	int count, lines = 0;
	char **a;

	p.limits = limits;
	p.limit_count = 2;
	a = picture_arguments(&p, "x.png", &count);
	for (int i = 0; i < count; i++)
		lines += strcmp(a[i], "LINE1:-10#c62828:cold at -10 C:dashes=6,3") == 0;
	CHECK_INT(lines, 1);
	picture_free_arguments(a);
}

static void
points_of_several_devices_and_units_get_no_title_or_axis_of_one_of_them(void)
{
	struct picture p = picture_of(&oil, &in);
	int count;
	char **a = picture_arguments(&p, "x.png", &count);

	for (int i = 0; i + 1 < count; i++) {
		if (strcmp(a[i], "--title") == 0)
			CHECK_STR(a[i + 1], "2 points");
		if (strcmp(a[i], "--vertical-label") == 0)
			CHECK_STR(a[i + 1], "");
	}
	picture_free_arguments(a);
}

static void
a_state_is_never_averaged(void)
{
	struct series state = oil;
	struct picture p = picture_of(&state, NULL);
	int count;
	char **a;

	state.kind = POINT_STATE;
	a = picture_arguments(&p, "x.png", &count);
	CHECK(!has(a, ":AVERAGE") && has(a, "DEF:a0=/r/a\\:b.rrd:oil_temp:MAX"));
	picture_free_arguments(a);
}

static void
colons_and_backslashes_of_names_never_reach_librrd_bare(void)
{
	struct picture p = picture_of(&in, NULL);
	char text[40];
	int count;
	char **a = picture_arguments(&p, "x.png", &count);

	CHECK(has(a, "=/r/a\\:b.rrd:in_octets:AVERAGE"));
	CHECK_STR(picture_escape(text, sizeof text, "a:b\\c%d"), "a\\:b\\\\c%d");
	picture_free_arguments(a);
}

static void
a_long_range_shows_the_span_between_minimum_and_maximum(void)
{
	struct picture p = picture_of(&oil, NULL);
	int count;
	char **a;

	p.to = START + 30 * 86400 * S;
	a = picture_arguments(&p, "x.png", &count);
	CHECK(has(a, ":oil_temp:MIN") && has(a, ":oil_temp:MAX") && has(a, "STACK"));
	picture_free_arguments(a);
}

static void
make_rrd(const char *path)
{
	const char *arguments[] = { "DS:oil_temp:GAUGE:60:U:U", "RRA:AVERAGE:0.5:1:100" };
	const char *values[60];
	static char rows[60][32];

	CHECK(rrd_create_r(path, 60, 1767225540, 2, arguments) == 0);
	for (int i = 0; i < 60; i++) {
		snprintf(rows[i], sizeof rows[i], "%d:%d", 1767225600 + 60 * i, 40 + i % 40);
		values[i] = rows[i];
	}
	CHECK(rrd_update_r(path, NULL, 60, values) == 0);
}

static void
librrd_draws_the_picture_and_the_threshold_is_in_it(void)
{
	static const struct picture_limit limit = { "oil-hot", 70, 65, 0 };
	char dir[] = "/tmp/pw-graph-XXXXXX", rrd[64], svg[64], text[200000];
	struct picture p = picture_of(&oil, NULL);
	struct fail why;
	struct stat status;
	size_t size;
	FILE *file;

	if (graph_check_fonts(&why) == -1) {
		print_message("skip - %s\n", why.text);
		skip();
	}
	CHECK(mkdtemp(dir) != NULL);
	snprintf(rrd, sizeof rrd, "%s/oil.rrd", dir);
	snprintf(svg, sizeof svg, "%s/oil.svg", dir);
	make_rrd(rrd);
	p.files[0] = rrd;
	p.limits = &limit;
	p.limit_count = 1;
	p.svg = true;
	if (graph_draw(&p, svg, &why) == -1)
		fail_msg("%s", why.text);
	CHECK(stat(svg, &status) == 0 && status.st_size > 5000);
	/* librrd itself would call both a success. */
	CHECK(graph_draw(&p, "/nowhere/oil.svg", &why) == -1);
	CHECK_STR(why.text, "/nowhere/oil.svg: No such file or directory");
	CHECK(graph_draw(&p, "/dev/full", &why) == -1);
	CHECK_STR(why.text, "/dev/full: No space left on device");
	file = fopen(svg, "r");
	size = fread(text, 1, sizeof text - 1, file);
	text[size] = '\0';
	fclose(file);
	/* #c62828 as cairo writes it */
	CHECK(strstr(text, "rgb(77.6") != NULL || strstr(text, "c62828") != NULL);
	unlink(svg);
	unlink(rrd);
	rmdir(dir);
}

static void
a_missing_file_is_an_error_that_names_it(void)
{
	struct picture p = picture_of(&oil, NULL);
	struct fail why;

	p.files[0] = "/nowhere/x.rrd";
	if (graph_check_fonts(&why) == -1)
		skip();
	CHECK(graph_draw(&p, "/tmp/pw-never.png", &why) == -1);
	CHECK(strstr(why.text, "/nowhere/x.rrd") != NULL);
}

RUN_TESTS(TEST(the_two_octet_counters_of_a_port_are_traffic_in_bits_in_above_and_out_below),
	TEST(a_threshold_is_a_dashed_line_with_its_clear_value_beside_it),
	TEST(a_threshold_on_octets_is_drawn_in_bits_and_below_zero_for_out),
	TEST(one_rule_over_two_points_is_one_line_and_below_zero_it_keeps_its_sign),
	TEST(points_of_several_devices_and_units_get_no_title_or_axis_of_one_of_them),
	TEST(a_state_is_never_averaged),
	TEST(colons_and_backslashes_of_names_never_reach_librrd_bare),
	TEST(a_long_range_shows_the_span_between_minimum_and_maximum),
	TEST(librrd_draws_the_picture_and_the_threshold_is_in_it),
	TEST(a_missing_file_is_an_error_that_names_it))
