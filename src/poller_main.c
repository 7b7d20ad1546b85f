/* The poller: built in order, wired, run, stopped in reverse. What happens to a sample:
 *
 *   a driver's task_reading -> poller (slot, rate, reason) -> feed, in this order:
 *     latest  what everybody may read at once
 *     journal committed every 100 ms; the store reads it and writes RRDs and ledger
 *     paths   whether the data of a path flows, and which hop is at fault
 *     alarms  thresholds, silence, devices down; each change is a journal record
 *   committed journal -> notify: traps and informs to the receivers */
#include "role.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alarm/alarms.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/conf.h"
#include "control/server.h"
#include "control/views.h"
#include "core/device.h"
#include "core/feed.h"
#include "core/frozen.h"
#include "core/guard.h"
#include "core/latest.h"
#include "core/poller.h"
#include "core/self.h"
#include "core/series.h"
#include "journal/aside.h"
#include "journal/reader.h"
#include "journal/slots.h"
#include "journal/state.h"
#include "journal/whereabouts.h"
#include "journal/writer.h"
#include "modbus/guest.h"
#include "modbus/line.h"
#include "modbus/linedev.h"
#include "modbus/modbus.h"
#include "notify/notify.h"
#include "notify/receiver.h"
#include "path/paths.h"
#include "reach/reach.h"
#include "snmp/snmp.h"
#include "store/store.h"
#include "store/watch.h"

/* How often it is looked whether STATE_DIR has room. */
#define LOOK_INTERVAL (5 * LOOP_S)
/* What came and went in a burst, such as the first round of polls, leaves holes in the heap. So
 * often it is looked whether there is more of them, and if so they are given back. */
#define TRIM_INTERVAL (4 * LOOP_S)
#define TRIM_WORTH (128L << 10)

struct main {
	const struct role_poller *given;
	struct inventory *inventory; /* the one in force; poller holds a reference of its own */
	struct loop *loop;
	struct loop_watch *supervisor;
	struct loop_timer beat, trim;
	struct mem_holes holes;
	int64_t lag, worst_lag; /* of the loop: since the daemon's own points were read; ever */
	struct self self;
	struct series_catalogue *catalogue;
	struct frozen *frozen;
	struct latest *latest;
	struct writer *writer;
	struct snmp *snmp;
	struct modbus *modbus;
	struct reach *reach;
	struct poller *poller;
	struct paths *paths;
	struct alarms *alarms;
	struct state *introduced; /* devices that had their first alarms */
	struct notify *notify;
	struct server *server;
	struct watch *watch; /* on the store */
	struct guard *guard; /* of the clock */
	/* A new configuration is parsed beside the loop: a thousand devices take 0.1 s. */
	struct loop_worker *parser;
	int parsing_fd, waiting_fd; /* -1 when there is none */
	struct inventory *parsed;
	char trouble[256]; /* of the journal's disk; "" */
	char clock_trouble[300];
	struct feed feed;
	struct slots slots; /* what the journal says of them, until the poller has taken over */
	uint64_t sequence; /* of the newest record */
	uint64_t foreign;  /* of a newer version, when the journal was read */
	bool configured;
};

static struct inventory *
load_inventory(int bundle_fd)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load_bundle(bundle_fd, &errors);
	struct inventory *inventory = conf == NULL ? NULL : conf_inventory(conf);

	for (size_t i = 0; i < errors.count; i++)
		log_error("%s:%d: %s", errors.items[i].file, errors.items[i].line,
			errors.items[i].text);
	conf_errors_free(&errors);
	conf_free(conf);
	return inventory;
}

/* ---- replay: where the journal's account ends ---- */

static void
replay_record(const struct record *record, void *arg)
{
	struct main *m = arg;

	m->sequence = record->sequence;
	if (!record_is_known(record) && m->foreign++ == 0)
		log_warn("journal: record %llu and maybe others are of a newer version: what they say "
			"of alarms, paths and slots is not known here",
			(unsigned long long)record->sequence);
	slots_replay(&m->slots, record);
	if (paths_replay(m->paths, record) == -1 || alarms_replay(m->alarms, record) == -1 ||
		notify_replay(m->notify, record) == -1)
		log_error("journal: record %llu is damaged, left out",
			(unsigned long long)record->sequence);
}

/* Transitions that a full disk kept from the journal come last: they are the newest. */
static int
replay(struct main *m, struct fail *why)
{
	const char *dir = m->inventory->poller.state_dir;
	struct reader_position from = { reader_newest_snapshot(dir, why), 0 };
	struct reader *reader = reader_open(dir, &from, why);
	struct record record;
	uint64_t newest;
	int got;

	if (reader == NULL)
		return -1;
	while ((got = reader_next(reader, &record, why)) == 1)
		replay_record(&record, m);
	reader_close(reader);
	newest = m->sequence;
	return got == -1 ? -1 :
		aside_read(dir, m->inventory->poller.run_dir, &newest, replay_record, m, why);
}

/* ---- journal ---- */

static void
series_ended(uint32_t series, void *arg)
{
	struct main *m = arg;

	slots_end(m->writer, series);
}

static uint64_t
put_record(void *arg, enum record_kind kind, const void *body, size_t size)
{
	return writer_record(arg, kind, body, size);
}

static void
snapshot(struct writer *writer, void *arg)
{
	struct main *m = arg;
	struct slots_bundle bundle = { .writer = writer };

	slots_expect(writer, series_last_id(m->catalogue));
	if (m->configured)
		poller_next_slots(m->poller, slots_put, &bundle);
	else
		slots_each(&m->slots, slots_put, &bundle);
	slots_flush(&bundle);
	paths_snapshot(m->paths, put_record, writer);
	alarms_snapshot(m->alarms, put_record, writer);
	notify_snapshot(m->notify, put_record, writer);
}

static void
committed(uint64_t sequence, void *arg)
{
	struct main *m = arg;

	if (m->trouble[0] == '\0')
		alarms_trouble(m->alarms, TROUBLE_JOURNAL, NULL);
	notify_committed(m->notify, sequence);
}

static void
journal_health(const char *why, void *arg)
{
	struct main *m = arg;

	str_copy(m->trouble, sizeof m->trouble, why != NULL ? why : "");
	alarms_trouble(m->alarms, TROUBLE_JOURNAL, why);
	if (why != NULL)
		log_error("journal: %s: polling and alarms go on", why);
	else
		log_info("journal: takes records again, %llu slots had no room and are store-full",
			(unsigned long long)writer_overflow(m->writer));
}

static void
store_told(const char *why, void *arg)
{
	struct main *m = arg;

	alarms_trouble(m->alarms, TROUBLE_STORE, why);
}

static int
sync_catalogue(void *arg, struct fail *why)
{
	struct main *m = arg;

	return series_sync(m->catalogue, why);
}

static uint32_t
synced_series(void *arg)
{
	struct main *m = arg;

	return series_synced(m->catalogue);
}

/* ---- paths, alarms, notices ---- */

static uint64_t
record_alarm(void *arg, enum record_kind kind, const void *body, size_t size)
{
	struct main *m = arg;

	return writer_record(m->writer, kind, body, size);
}

static const struct series *
series_of(void *arg, uint32_t id)
{
	struct main *m = arg;

	return series_show(m->catalogue, id);
}

static const struct series *
keep_series(void *arg, uint32_t id)
{
	struct main *m = arg;

	return series_get(m->catalogue, id);
}

static void
alarm_changed(void *arg, const struct transition *transition, uint64_t journal)
{
	struct main *m = arg;

	notify_changed(m->notify, transition, journal);
}

static int
open_alarms(struct main *m, struct fail *why)
{
	struct paths_options paths = { m->loop, series_of, keep_series, m };
	struct alarms_options alarms = { .loop = m->loop, .record = record_alarm,
		.changed = alarm_changed, .series = series_of, .keep = keep_series,
		.arg = m, .latest = m->latest };
	struct notify_options notify = { m->loop, record_alarm, m };
	char *path = mem_format("%s/introduced", m->inventory->poller.state_dir);

	m->introduced = state_open(m->loop, path, why);
	free(path);
	if (m->introduced == NULL)
		return -1;
	m->frozen = frozen_new(m->latest);
	frozen_configure(m->frozen, m->inventory->frozen, m->inventory->frozen_count);
	m->paths = paths_new(&paths, m->inventory);
	alarms.paths = m->paths;
	alarms.state = m->introduced;
	alarms.frozen = m->frozen;
	m->alarms = alarms_new(&alarms, m->inventory);
	paths_on_change(m->paths, alarms_path_changed, m->alarms);
	m->notify = notify_new(&notify, m->inventory);
	return 0;
}

/* ---- supervisor, signals, clock ---- */

static void
stop(int number, void *arg)
{
	struct main *m = arg;

	(void)number;
	loop_stop(m->loop);
}

static const char *
journal_trouble(void *arg)
{
	struct main *m = arg;

	return m->trouble[0] != '\0' ? m->trouble : NULL;
}

static const char *
clock_trouble_now(void *arg)
{
	struct main *m = arg;

	return m->clock_trouble[0] != '\0' ? m->clock_trouble : NULL;
}

static void
ask_for_reload(void *arg)
{
	struct main *m = arg;
	struct fail why;

	if (role_send(m->given->alive_fd, ROLE_RELOAD, "", -1, &why) == -1)
		server_reloaded(m->server, why.text);
}

/* What the old configuration took. In a turn of its own, as both take some ms. */
static void
give_back_soon(struct main *m)
{
	m->holes.known = false;
	loop_timer_in(m->loop, &m->trim, 1);
}

static void
take_over(struct main *m, struct inventory *inventory)
{
	frozen_configure(m->frozen, inventory->frozen, inventory->frozen_count);
	paths_configure(m->paths, inventory);
	alarms_configure(m->alarms, inventory);
	notify_configure(m->notify, inventory);
	inventory_unref(m->inventory);
	m->inventory = inventory;
	if (m->configured)
		poller_configure(m->poller, inventory_ref(inventory));
	give_back_soon(m);
	server_rename(m->server, inventory->poller.name, inventory->poller.run_dir);
	log_info("reloaded: %zu devices", inventory->device_count);
	server_reloaded(m->server, NULL);
}

static void
parse(void *arg)
{
	struct main *m = arg;

	m->parsed = load_inventory(m->parsing_fd);
}

static void
parse_next(struct main *m)
{
	if (m->parsing_fd != -1 || m->waiting_fd == -1)
		return;
	m->parsing_fd = m->waiting_fd;
	m->waiting_fd = -1;
	loop_worker_kick(m->parser);
}

static void
parsed(void *arg)
{
	struct main *m = arg;
	struct inventory *inventory = m->parsed;

	m->parsed = NULL;
	close(m->parsing_fd);
	m->parsing_fd = -1;
	if (inventory != NULL) {
		take_over(m, inventory);
	} else {
		log_error("reload: the checked configuration does not read, the old one goes on");
		server_reloaded(m->server, "the checked configuration does not read");
	}
	parse_next(m);
}

/* Of several that come while one is being parsed only the newest counts. */
static void
take_configuration(struct main *m, int bundle_fd)
{
	if (m->waiting_fd != -1)
		close(m->waiting_fd);
	m->waiting_fd = bundle_fd;
	parse_next(m);
}

static void
hear_supervisor(int fd, unsigned what, void *arg)
{
	static char text[ROLE_TEXT];
	struct main *m = arg;
	enum role_message kind;
	struct fail why;
	int passed, got = role_receive(fd, &kind, text, sizeof text, &passed, &why);

	(void)what;
	if (got != 1) {
		log_error("the supervisor has gone, ending");
		loop_stop(m->loop);
	} else if (kind == ROLE_CONFIG && passed != -1) {
		take_configuration(m, passed);
	} else if (kind == ROLE_REFUSED) {
		server_reloaded(m->server, text);
	}
}

/* ---- the clock ---- */

static void
clock_stepped(int64_t delta, void *arg)
{
	struct main *m = arg;

	alarms_clock_stepped(m->alarms, delta);
	poller_clock_stepped(m->poller, delta);
}

static void
clock_trouble(const char *text, void *arg)
{
	struct main *m = arg;

	str_copy(m->clock_trouble, sizeof m->clock_trouble, text != NULL ? text : "");
	alarms_trouble(m->alarms, TROUBLE_CLOCK, text);
}

static void
begin_polling(bool waited, void *arg)
{
	struct main *m = arg;

	if (waited)
		poller_missed(m->poller, REASON_CLOCK_STEP);
	poller_configure(m->poller, inventory_ref(m->inventory));
	m->configured = true;
	/* The replay, lists and tables that grew, what reading the configuration left. Large blocks of
	 * now go later, so what is idle now is no measure for the looks that follow. */
	mem_trim();
	m->holes = (struct mem_holes){ .known = false };
}

static void
trim(void *arg)
{
	struct main *m = arg;

	mem_look(&m->holes, TRIM_WORTH);
	loop_timer_in(m->loop, &m->trim, TRIM_INTERVAL);
}

static void
note_lag(struct main *m)
{
	int64_t lag = loop_lag(m->loop);

	if (lag > m->lag)
		m->lag = lag;
	if (lag > m->worst_lag)
		m->worst_lag = lag;
}

static void
read_self(struct self_daemon *now, void *arg)
{
	struct main *m = arg;
	struct snmp_counters snmp = snmp_counters(m->snmp);

	note_lag(m);
	*now = (struct self_daemon){ .loop_lag = (double)m->lag / 1e9,
		.journal_backlog = (double)(writer_last_sequence(m->writer) -
			writer_committed(m->writer)),
		.store_lag = watch_lag(m->watch), .drops = snmp.dropped, .strays = snmp.strays,
		.wrong_source = snmp.wrong_source, .malformed = snmp.malformed };
	m->lag = 0;
}

static void
beat(void *arg)
{
	struct main *m = arg;
	char text[200];

	/* What is not asked for want of an address of ours raises no alarm of the device's. */
	alarms_trouble(m->alarms, TROUBLE_ADDRESS,
		snmp_lacks_address(m->snmp, text, sizeof text) ? text : NULL);
	/* Of a wall that nobody believes the next poller shall not hear. */
	if (m->configured)
		latest_beat(m->latest, loop_wall(m->loop), loop_mono(m->loop));
	note_lag(m);
	series_settle(m->catalogue);
	loop_timer_in(m->loop, &m->beat, LOOP_S);
}

/* ---- build and take down ---- */

static int
open_drivers(struct main *m, struct fail *why)
{
	m->snmp = snmp_new(m->loop, m->inventory->poller.state_dir, why);
	if (m->snmp == NULL)
		return -1;
	m->modbus = modbus_new(m->loop);
	m->reach = reach_new(m->loop, m->given->icmp4, m->given->icmp6);
	return 0;
}

static int
open_data(struct main *m, struct fail *why)
{
	const struct poller_options *places = &m->inventory->poller;

	whereabouts_open(places->run_dir);
	m->catalogue = series_open(places->state_dir, true, why);
	if (m->catalogue == NULL)
		return -1;
	m->latest = latest_open_writer(places->run_dir, why);
	if (m->latest == NULL)
		return -1;
	latest_forget_behind(m->latest, series_last_id(m->catalogue));
	return 0;
}

/* Before anything takes a time from wall for good. */
static void
guard_clock(struct main *m)
{
	struct guard_options options = { .loop = m->loop,
		.trust = m->inventory->poller.clock_trust,
		.former = latest_wall(m->latest, loop_mono(m->loop)),
		.newest = slots_newest(&m->slots), .begin = begin_polling,
		.stepped = clock_stepped, .trouble = clock_trouble, .arg = m };

	m->guard = guard_new(&options);
}

static int
open_journal(struct main *m, struct fail *why)
{
	const struct store_options *store = m->inventory->store;
	struct writer_options options = { .state_dir = m->inventory->poller.state_dir,
		.run_dir = m->inventory->poller.run_dir, .look_interval = LOOK_INTERVAL };
	struct writer_events events = { .snapshot = snapshot, .committed = committed,
		.health = journal_health, .before_write = sync_catalogue,
		.known = synced_series, .arg = m };

	writer_size(&options, (uint64_t)store->journal_size);
	if (open_alarms(m, why) == -1)
		return -1;
	m->slots.catalogue = m->catalogue;
	if (replay(m, why) == -1)
		return -1;
	guard_clock(m);
	m->writer = writer_open(m->loop, &options, &events, m->sequence + 1, why);
	return m->writer == NULL ? -1 : 0;
}

static void
recover(uint32_t series, int64_t next, void *arg)
{
	struct main *m = arg;

	poller_recover(m->poller, series, next);
}

static void
wire(struct main *m)
{
	struct feed_listener latest = latest_listener(m->latest);
	struct feed_listener journal = writer_listener(m->writer);
	struct feed_listener paths = paths_listener(m->paths);
	struct feed_listener alarms = alarms_listener(m->alarms);
	struct poller_parts parts = { .loop = m->loop, .catalogue = m->catalogue,
		.latest = m->latest, .feed = &m->feed,
		.ended = series_ended, .ended_arg = m, .frozen = m->frozen,
		.drivers = { { &snmp_driver, m->snmp }, { &modbus_driver, m->modbus },
			{ &reach_driver, m->reach }, { &self_driver, &m->self },
			{ &linedev_driver, m->modbus } },
		.driver_count = 5 };

	m->self = (struct self){ read_self, m };
	feed_add(&m->feed, &latest);
	feed_add(&m->feed, &journal);
	feed_add(&m->feed, &paths);
	feed_add(&m->feed, &alarms);
	paths_begin(m->paths);
	notify_begin(m->notify);
	alarms_begin(m->alarms);
	alarms_announce(m->alarms, CONDITION_STARTED, (uint32_t)notify_lost(m->notify));
	m->poller = poller_new(&parts);
	slots_each(&m->slots, recover, m);
	guard_begin(m->guard);
	loop_on_signal(m->loop, SIGTERM, stop, m);
	loop_on_signal(m->loop, SIGINT, stop, m);
	m->supervisor = loop_watch_new(m->loop, m->given->alive_fd, LOOP_READ, hear_supervisor, m);
	loop_timer_init(&m->beat, beat, m);
	beat(m);
	loop_timer_init(&m->trim, trim, m);
	loop_timer_in(m->loop, &m->trim, TRIM_INTERVAL);
}

static void
count_datagrams(struct view_datagrams *snmp, void *arg)
{
	struct main *m = arg;
	struct snmp_counters counters = snmp_counters(m->snmp);

	*snmp = (struct view_datagrams){ .sent = counters.sent, .answered = counters.answered,
		.strays = counters.strays, .wrong_source = counters.wrong_source,
		.malformed = counters.malformed, .dropped = counters.dropped };
}

static void
sum_lines(struct view_lines *lines, void *arg)
{
	struct main *m = arg;
	struct lines_sum sum = modbus_sum(m->modbus);

	*lines = (struct view_lines){ .count = sum.count, .bad = sum.bad, .crowded = sum.crowded,
		.released = sum.released, .ending = sum.ending, .ends = sum.ends,
		.busiest = sum.busiest, .load = sum.load };
}

/* Who is spoken to by MD5 or DES. */
static void
each_weak(void (*each)(void *to, const char *name), void *to, void *arg)
{
	const struct inventory *inventory = ((struct main *)arg)->inventory;

	for (size_t i = 0; i < inventory->device_count; i++) {
		const struct snmp_options *snmp = device_snmp(&inventory->devices[i]);

		if (snmp != NULL && snmp_user_is_weak(&snmp->access->user))
			each(to, inventory->devices[i].name);
	}
	for (size_t i = 0; i < inventory->receiver_count; i++) {
		const struct receiver_options *receivers = inventory->receivers;

		if (snmp_user_is_weak(&receivers[i].user))
			each(to, receivers[i].name);
	}
}

static int64_t
worst_lag(void *arg)
{
	struct main *m = arg;

	note_lag(m);
	return m->worst_lag;
}

/* ---- tools ask devices ---- */

static void
exchanged(const struct line_result *result, void *ticket)
{
	struct exchange_answer answer = { .outcome = result->outcome, .code = result->code,
		.data = result->data, .size = result->size, .rtt = result->rtt,
		.why = result->outcome == LINE_ANSWER ? NULL : result->why };

	server_exchanged(ticket, &answer);
}

static void *
begin_exchange(const struct exchange *exchange, void *ticket, struct fail *why, void *arg)
{
	struct main *m = arg;
	const struct device *device = inventory_find(m->inventory, exchange->device);
	const struct modbus_options *options;
	struct guest_question question = { .question = exchange->kind == EXCHANGE_READ ? LINE_READ :
			exchange->kind == EXCHANGE_IDENTIFY ? LINE_IDENTIFY : LINE_SERVER_ID,
		.function = (enum adu_function)exchange->function, .address = exchange->address,
		.count = exchange->count, .code = exchange->code, .object = exchange->object,
		.unit = exchange->unit };

	if (device == NULL || device_modbus(device) == NULL) {
		fail_set(why, device == NULL ? "the daemon knows no device \"%s\" (reload it)" :
			"\"%s\" is not asked by Modbus", exchange->device);
		return NULL;
	}
	options = device_modbus(device);
	if (options->never_connect) {
		fail_set(why, "\"%s\" has free_connections = 0: it is never connected",
			exchange->device);
		return NULL;
	}
	return guest_ask(m->modbus, options, &question, exchanged, ticket);
}

static void
cancel_exchange(void *begun, void *arg)
{
	(void)arg;
	guest_cancel(begun);
}

static int
pause_line(const char *name, int seconds, struct pause_told *told, struct fail *why, void *arg)
{
	struct main *m = arg;
	const struct device *device = inventory_find(m->inventory, name);
	int64_t now = loop_mono(m->loop), until = 0;

	if (device != NULL && device_modbus(device) != NULL)
		modbus_line_name(device_modbus(device), told->line, sizeof told->line);
	else
		str_copy(told->line, sizeof told->line, name);
	if ((seconds >= 0 && !modbus_release(m->modbus, told->line,
		seconds > 0 ? now + seconds * LOOP_S : 0)) ||
		!modbus_released(m->modbus, told->line, &until, &told->released)) {
		fail_set(why, "\"%s\": no Modbus line of this name is polled, and no device on one",
			name);
		return -1;
	}
	told->left = until > now ? until - now : 0;
	return 0;
}

static int
open_control(struct main *m, struct fail *why)
{
	struct server_options options = { .loop = m->loop, .fd = m->given->ctl_fd,
		.name = m->inventory->poller.name, .run_dir = m->inventory->poller.run_dir,
		.poller = m->poller, .alarms = m->alarms, .paths = m->paths, .notify = m->notify,
		.journal_trouble = journal_trouble, .datagrams = count_datagrams,
		.lines = sum_lines, .worst_lag = worst_lag,
		.each_weak = each_weak,
		.clock_trouble = clock_trouble_now, .guard = m->guard, .exchange = begin_exchange,
		.cancel = cancel_exchange, .pause = pause_line, .reload = ask_for_reload, .arg = m };

	m->server = server_new(&options);
	m->parser = loop_worker_new(m->loop, parse, parsed, m, why);
	m->watch = watch_new(m->loop, m->inventory->poller.run_dir, store_told, m, why);
	return m->parser == NULL || m->watch == NULL ? -1 : 0;
}

static void
take_down(struct main *m)
{
	watch_free(m->watch);
	loop_worker_free(m->parser);
	inventory_unref(m->parsed);
	server_free(m->server);
	loop_watch_free(m->supervisor);
	poller_free(m->poller);
	reach_free(m->reach);
	modbus_end(m->modbus);
	if (m->writer != NULL) {
		/* The last commit still reaches notify: what it sends now goes out with the rest. */
		alarms_announce(m->alarms, CONDITION_STOPPING, (uint32_t)notify_lost(m->notify));
		writer_record(m->writer, KIND_STOP, NULL, 0);
		writer_close(m->writer);
	}
	notify_free(m->notify);
	alarms_free(m->alarms);
	if (m->introduced != NULL)
		state_close(m->introduced);
	paths_free(m->paths);
	frozen_free(m->frozen);
	snmp_free(m->snmp);
	guard_free(m->guard);
	if (m->loop != NULL) {
		loop_timer_stop(m->loop, &m->beat);
		loop_timer_stop(m->loop, &m->trim);
	}
	latest_close(m->latest);
	series_close(m->catalogue);
	loop_free(m->loop);
	slots_free(&m->slots);
	inventory_unref(m->inventory);
}

int
poller_main(const struct role_poller *given)
{
	struct main m = { .given = given, .inventory = given->inventory, .parsing_fd = -1,
		.waiting_fd = -1 };
	struct fail why;
	int status = 1;

	signal(SIGPIPE, SIG_IGN);
	m.loop = loop_new(&why);
	if (m.loop == NULL || open_data(&m, &why) == -1 || open_journal(&m, &why) == -1 ||
		open_drivers(&m, &why) == -1) {
		log_error("cannot start: %s", why.text);
		goto out;
	}
	wire(&m);
	if (open_control(&m, &why) == -1) {
		log_error("cannot start: %s", why.text);
		goto out;
	}
	loop_run(m.loop);
	status = 0;
out:
	take_down(&m);
	return status;
}
