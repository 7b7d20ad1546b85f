/* What the templates' rules would say now, by the newest values of a running daemon. */
#include <math.h>
#include <string.h>

#include "../check.h"
#include "../scratch.h"

#include "alarm/rule.h"
#include "base/fail.h"
#include "cli/breaches.h"
#include "cli/place.h"
#include "core/device.h"
#include "core/feed.h"
#include "core/latest.h"
#include "core/sample.h"
#include "core/series.h"

#define S INT64_C(1000000000)
#define RULE(rule_name, point, ...) { .name = rule_name, .on = point, .severity = 4, .help = "", \
	.text = "", .place = "", .owner = "", __VA_ARGS__ }

static const struct point_state failed[] = { { 2, "failed" } };
static const struct rule_options rules[] = {
	RULE("psu-lost", "sw-2/psu*", .kind = RULE_IS, .states = failed, .state_count = 1,
		.standard = true),
	RULE("psu-lost", "sw-1/psu*", .kind = RULE_IS, .states = failed, .state_count = 1,
		.standard = true),
	RULE("hot", "sw-1/temp", .kind = RULE_ABOVE, .limit = 60, .clear = 50, .hold = 300 * S,
		.standard = true),
	RULE("flap", "sw-1/psu1", .kind = RULE_CHANGES, .changes = 3, .within = 60 * S,
		.standard = true),
	RULE("still", "sw-1/level", .kind = RULE_FROZEN, .hold = 60 * S, .standard = true),
	RULE("own", "*/psu1", .kind = RULE_IS, .states = failed, .state_count = 1),
};
static struct inventory plant = { .thresholds = rules, .threshold_count = 6 };
static struct series_catalogue *catalogue;
static struct latest *latest;

static void
begin(void)
{
	struct fail why;

	plant.poller.run_dir = scratch_make();
	catalogue = series_open(scratch, true, &why);
	CHECK(catalogue != NULL);
	latest = latest_open_writer(scratch, &why);
	CHECK(latest != NULL);
}

static void
end(void)
{
	latest_close(latest);
	series_close(catalogue);
	scratch_remove();
}

static void
tell(const char *path, double value, int64_t age, uint8_t reason)
{
	struct series wanted = { .kind = POINT_GAUGE, .step = 60 * S, .path = path, .unit = "",
		.file = "x.rrd", .ds = "x", .profile = "standard" };
	struct feed_listener listener = latest_listener(latest);
	struct sample sample = { .received = place_now() - age, .reason = reason,
		.value = reason == REASON_GOOD ? value : (double)NAN };
	struct fail why;
	char file[32];

	snprintf(file, sizeof file, "%.4s.rrd", path);
	wanted.file = file;
	wanted.ds = strrchr(path, '/') + 1;
	sample.series = series_add(catalogue, &wanted, &why);
	CHECK(sample.series != NULL);
	sample.slot = sample.received / (60 * S);
	listener.sample(listener.arg, &sample);
}

static void
the_newest_values_are_judged_by_the_templates_rules(void)
{
	struct breaches breaches;

	begin();
	tell("sw-1/psu1", 2, 0, REASON_GOOD);
	tell("sw-1/psu2", 2, 100 * S, REASON_GOOD);
	tell("sw-2/psu1", 2, 0, REASON_GOOD);
	tell("sw-2/psu2", 1, 0, REASON_GOOD);
	tell("sw-1/temp", 61, 0, REASON_GOOD);
	tell("sw-3/psu1", 2, 0, REASON_GOOD); /* has no such rule */
	tell("sw-1/psu3", 2, 1000 * S, REASON_GOOD);
	tell("sw-1/psu4", 2, 0, REASON_TIMEOUT);
	latest_beat(latest, place_now(), 1);
	breaches_find(&breaches, &plant, catalogue);
	CHECK(breaches.known);
	CHECK_INT(breaches.rules, 5);
	CHECK_INT(breaches.count, 4);
	CHECK_INT(breaches.kind_count, 2);
	CHECK_STR(breaches.kinds[0].rule, "hot");
	CHECK_INT(breaches.kinds[0].count, 1);
	CHECK_STR(breaches.kinds[1].rule, "psu-lost");
	CHECK_INT(breaches.kinds[1].count, 3);
	CHECK_INT(breaches.unknown, 2); /* psu3 and psu4 */
	breaches_free(&breaches);
	end();
}

static void
points_without_a_value_are_no_breach_but_said_to_be_unknown(void)
{
	struct breaches breaches;

	begin();
	tell("sw-1/psu1", 2, 0, REASON_TIMEOUT);
	tell("sw-1/temp", 61, 1000 * S, REASON_GOOD);
	tell("sw-1/fan", 0, 0, REASON_TIMEOUT); /* no rule asks for it */
	tell("sw-1/level", 0, 0, REASON_TIMEOUT); /* nor for its newest value */
	tell("sw-3/psu1", 2, 0, REASON_TIMEOUT); /* nor for that */
	latest_beat(latest, place_now(), 1);
	breaches_find(&breaches, &plant, catalogue);
	CHECK_INT(breaches.count, 0);
	CHECK_INT(breaches.unknown, 2);
	breaches_free(&breaches);
	end();
}

static void
nothing_is_known_where_no_daemon_runs(void)
{
	struct breaches breaches;

	begin();
	tell("sw-1/psu1", 2, 0, REASON_GOOD);
	latest_beat(latest, place_now() - 60 * S, 1);
	breaches_find(&breaches, &plant, catalogue);
	CHECK(!breaches.known);
	CHECK_INT(breaches.rules, 5);
	CHECK_INT(breaches.count, 0);
	breaches_free(&breaches);
	plant.poller.run_dir = "/nonexistent";
	breaches_find(&breaches, &plant, NULL);
	CHECK(!breaches.known);
	breaches_free(&breaches);
	end();
}

RUN_TESTS(TEST(the_newest_values_are_judged_by_the_templates_rules),
	TEST(points_without_a_value_are_no_breach_but_said_to_be_unknown),
	TEST(nothing_is_known_where_no_daemon_runs))
