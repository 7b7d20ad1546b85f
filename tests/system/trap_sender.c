/* trap_sender.c - alarms, journal and notices wired as in the poller, on the real clock and
 * real sockets, without polling: a made-up oil temperature swings over its limit.
 *
 * trap_sender STATE_DIR NOTICES INFORM_PORT TRAP_PORT INFORM_V3_PORT TRAP_V3_PORT: goes on where the last run ended,
 * until so many numbers were given and all receivers have them; prints the last number. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alarm/alarms.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "core/device.h"
#include "core/sample.h"
#include "core/series.h"
#include "journal/reader.h"
#include "journal/writer.h"
#include "notify/notify.h"
#include "notify/receiver.h"

#define PERIOD (20 * LOOP_MS)

static const struct series oil = { .id = 1, .kind = POINT_GAUGE, .step = LOOP_S,
	.path = "press-3/oil_temp", .unit = "C", .file = "", .ds = "", .profile = "standard" };
static const struct device_about about = { .protocol = "modbus", .place = "werk1/hall3",
	.owner = "OT", .asset = "", .text = "", .interval = LOOP_S };
static const struct device press = { .name = "press-3", .address = "10.1.7.20:502/1",
	.about = &about };
static const struct rule_options rule = { .name = "oil-hot", .on = "press-3/oil_temp",
	.kind = RULE_ABOVE, .limit = 70, .clear = 65, .severity = SEVERITY_MAJOR,
	.help = "check the cooler", .text = "", .place = "", .owner = "" };

static struct loop *loop;
static struct writer *writer;
static struct alarms *alarms;
static struct notify *notify;
static struct feed feed;
static struct loop_timer timer;
static uint32_t wanted;
static int64_t slot;

static uint64_t
record(void *arg, enum record_kind kind, const void *body, size_t size)
{
	(void)arg;
	return writer_record(writer, kind, body, size);
}

static void
changed(void *arg, const struct transition *transition, uint64_t journal)
{
	(void)arg;
	notify_changed(notify, transition, journal);
}

static const struct series *
series(void *arg, uint32_t id)
{
	(void)arg;
	return id == oil.id ? &oil : NULL;
}

static uint64_t
put(void *arg, enum record_kind kind, const void *body, size_t size)
{
	return writer_record(arg, kind, body, size);
}

static void
snapshot(struct writer *to, void *arg)
{
	(void)arg;
	alarms_snapshot(alarms, put, to);
	notify_snapshot(notify, put, to);
}

static void
committed(uint64_t sequence, void *arg)
{
	(void)arg;
	notify_committed(notify, sequence);
}

static void
count_waiting(void *arg, const struct receiver_view *view)
{
	*(size_t *)arg += view->waiting;
}

static void
swing(void *arg)
{
	struct sample sample = { .series = &oil, .slot = slot, .received = loop_wall(loop),
		.reason = REASON_GOOD, .value = slot % 2 == 0 ? 60.5 : 71.2 };
	size_t waiting = 0;

	(void)arg;
	slot++;
	loop_timer_in(loop, &timer, PERIOD);
	if (alarms_next_sequence(alarms) <= wanted) {
		feed_sample(&feed, &sample);
		feed_flush(&feed);
		return;
	}
	notify_each(notify, count_waiting, &waiting);
	if (waiting == 0)
		loop_stop(loop);
}

/* The number of the next journal record. */
static uint64_t
replay(const char *state_dir, struct fail *why)
{
	struct reader_position from = { .segment = reader_newest_snapshot(state_dir, why) };
	struct reader *reader = reader_open(state_dir, &from, why);
	struct record found;
	uint64_t next = 1;

	if (reader == NULL)
		return 0;
	while (reader_next(reader, &found, why) == 1) {
		alarms_replay(alarms, &found);
		notify_replay(notify, &found);
		next = found.sequence + 1;
	}
	reader_close(reader);
	return next;
}

static void
make_receiver(struct receiver_options *receiver, const char *name, const char *port, bool inform)
{
	*receiver = (struct receiver_options){ .name = name, .community = "public",
		.inform = inform, .timeout = LOOP_S / 5, .spool = 10000,
		.enterprise = "1.3.6.1.4.1.32473.7" };
	net_addr_parse("127.0.0.1", (uint16_t)strtoul(port, NULL, 10), &receiver->address, NULL);
}

/* The users and phrases of traps.sh. */
static void
use_v3(struct receiver_options *receiver, const char *user)
{
	receiver->version = 3;
	receiver->community = "";
	receiver->user = (struct snmp_user){ .name = user, .context = "",
		.auth = receiver->inform ? SNMP_AUTH_SHA512 : SNMP_AUTH_SHA256,
		.auth_pass = "first auth phrase",
		.priv = receiver->inform ? SNMP_PRIV_AES256 : SNMP_PRIV_AES,
		.priv_pass = "first priv phrase" };
}

static int
run(const char *state_dir, const struct inventory *inventory, struct fail *why)
{
	struct alarms_options alarm_options = { .loop = loop, .record = record,
		.changed = changed, .series = series };
	struct notify_options notify_options = { .loop = loop, .record = record };
	struct writer_options writer_options = { .state_dir = state_dir,
		.commit_interval = 20 * LOOP_MS, .segment_size = 64 << 10 };
	struct writer_events events = { .snapshot = snapshot, .committed = committed };
	struct feed_listener listener;
	uint64_t next;

	alarms = alarms_new(&alarm_options, inventory);
	notify = notify_new(&notify_options, inventory);
	next = replay(state_dir, why);
	if (next == 0)
		return -1;
	writer = writer_open(loop, &writer_options, &events, next, why);
	if (writer == NULL)
		return -1;
	listener = writer_listener(writer);
	feed_add(&feed, &listener);
	listener = alarms_listener(alarms);
	feed_add(&feed, &listener);
	notify_begin(notify);
	alarms_begin(alarms);
	alarms_announce(alarms, CONDITION_STARTED, (uint32_t)notify_lost(notify));
	slot = loop_wall(loop) / LOOP_S * 1000;
	loop_timer_init(&timer, swing, NULL);
	loop_timer_in(loop, &timer, PERIOD);
	loop_run(loop);
	return 0;
}

int
main(int argc, char **argv)
{
	struct receiver_options receivers[4];
	struct inventory inventory = { .poller.name = "plant-a", .devices = &press,
		.device_count = 1, .thresholds = &rule, .threshold_count = 1,
		.receivers = receivers, .receiver_count = 4 };
	struct fail why = { "" };

	if (argc != 7)
		return 2;
	inventory.poller.state_dir = argv[1];
	log_open(LOG_TARGET_STDERR, "trap_sender");
	make_receiver(&receivers[0], "informed", argv[3], true);
	make_receiver(&receivers[1], "trapped", argv[4], false);
	make_receiver(&receivers[2], "informed-v3", argv[5], true);
	make_receiver(&receivers[3], "trapped-v3", argv[6], false);
	use_v3(&receivers[2], "informs");
	use_v3(&receivers[3], "traps");
	wanted = (uint32_t)strtoul(argv[2], NULL, 10);
	loop = loop_new(&why);
	if (loop == NULL || run(argv[1], &inventory, &why) == -1) {
		fprintf(stderr, "%s\n", why.text);
		return 1;
	}
	printf("%u\n", alarms_next_sequence(alarms) - 1);
	writer_close(writer);
	notify_free(notify);
	alarms_free(alarms);
	loop_free(loop);
	return 0;
}
