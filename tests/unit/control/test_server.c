/* The control server on a real unix socket, asked over the same loop. */
#include "../check.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "alarm/alarms.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/net.h"
#include "control/server.h"
#include "control/views.h"
#include "core/device.h"
#include "core/feed.h"
#include "core/poller.h"
#include "notify/notify.h"
#include "path/paths.h"

static struct fail why;
static struct loop *loop;
static struct poller *poller;
static struct paths *paths;
static struct alarms *alarms;
static struct notify *notify;
static struct server *server;
static struct feed feed;
static struct inventory inventory;
static char dir[64], path[128], answer[65536];
static size_t answered;
static int reloads;

static uint64_t
record(void *arg, enum record_kind kind, const void *body, size_t size)
{
	(void)arg;
	(void)kind;
	(void)body;
	(void)size;
	return 1;
}

static const struct series *
no_series(void *arg, uint32_t id)
{
	(void)arg;
	(void)id;
	return NULL;
}

static void
seven_dropped(struct view_datagrams *snmp, void *arg)
{
	(void)arg;
	snmp->dropped = 7;
}

static const char *
no_trouble(void *arg)
{
	(void)arg;
	return NULL;
}

static void
count_reload(void *arg)
{
	(void)arg;
	reloads++;
}

/* A question for a device stays open until the test answers it. */
static struct exchange exchanged;
static char exchanged_device[41];
static void *open_ticket;
static int cancelled;

static void *
take_exchange(const struct exchange *exchange, void *ticket, struct fail *because, void *arg)
{
	(void)arg;
	if (strcmp(exchange->device, "press-3") != 0) {
		fail_set(because, "no device \"%s\"", exchange->device);
		return NULL;
	}
	exchanged = *exchange;
	snprintf(exchanged_device, sizeof exchanged_device, "%s", exchange->device);
	open_ticket = ticket;
	return &open_ticket;
}

static void
cancel_exchange(void *begun, void *arg)
{
	(void)arg;
	CHECK(begun == &open_ticket);
	cancelled++;
	open_ticket = NULL;
}

static int paused_for;

static int
pause_line(const char *name, int seconds, struct pause_told *told, struct fail *because, void *arg)
{
	(void)arg;
	if (strcmp(name, "press-3") != 0) {
		fail_set(because, "no line \"%s\"", name);
		return -1;
	}
	if (seconds >= 0)
		paused_for = seconds;
	*told = (struct pause_told){ "gw-7", paused_for > 0, paused_for * LOOP_S };
	return 0;
}

static int64_t patience;

static void
begin(void)
{
	struct poller_parts parts;
	struct paths_options path_options;
	struct alarms_options alarm_options = { .record = record, .series = no_series };
	struct notify_options notify_options = { .record = record };
	struct server_options options;

	log_open(LOG_TARGET_NONE, "");
	strcpy(dir, "/tmp/pw-control-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof path, "%s/ctl.sock", dir);
	inventory = (struct inventory){ .poller = { "plant-a", "", dir, dir, dir },
		.references = 2 };
	loop = loop_new(&why);
	parts = (struct poller_parts){ .loop = loop, .feed = &feed };
	poller = poller_new(&parts);
	path_options = (struct paths_options){ .loop = loop, .series = no_series };
	paths = paths_new(&path_options, &inventory);
	alarm_options.loop = notify_options.loop = loop;
	alarms = alarms_new(&alarm_options, &inventory);
	notify = notify_new(&notify_options, &inventory);
	options = (struct server_options){ .loop = loop, .fd = net_unix_listen(path, 0600, &why),
		.name = "plant-a", .run_dir = dir, .poller = poller, .alarms = alarms,
		.paths = paths, .notify = notify, .journal_trouble = no_trouble,
		.datagrams = seven_dropped,
		.exchange = take_exchange, .cancel = cancel_exchange, .pause = pause_line,
		.reload = count_reload, .patience = patience };
	CHECK(options.fd != -1);
	server = server_new(&options);
	reloads = 0;
}

static void
finish(void)
{
	server_free(server);
	notify_free(notify);
	alarms_free(alarms);
	paths_free(paths);
	poller_free(poller);
	loop_free(loop);
	unlink(path);
	rmdir(dir);
}

/* ---- the asking side, on the same loop ---- */

static const char *question;
static size_t question_size;
static struct net_stream *stream;
static bool ended;

static void
connected(void *arg)
{
	(void)arg;
	net_stream_send(stream, question, question_size);
}

static void
received(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	(void)mono;
	(void)arg;
	CHECK(answered + size < sizeof answer);
	memcpy(answer + answered, data, size);
	answered += size;
}

static void
closed(int error, void *arg)
{
	(void)error;
	(void)arg;
	ended = true;
	loop_stop(loop);
}

static void
give_up(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
start_asking(const char *text, size_t size)
{
	static const struct net_stream_events events = { connected, received, closed };

	question = text;
	question_size = size;
	answered = 0;
	ended = false;
	stream = net_stream_connect_unix(loop, path, &events, NULL, &why);
	CHECK(stream != NULL);
}

static void
run_for(int64_t limit)
{
	struct loop_timer timer;

	loop_timer_init(&timer, give_up, NULL);
	loop_timer_in(loop, &timer, limit);
	loop_run(loop);
	loop_timer_stop(loop, &timer);
	answer[answered] = '\0';
}

static json_t *
ask(const char *text)
{
	json_t *document;

	start_asking(text, strlen(text));
	run_for(3 * LOOP_S);
	CHECK(ended);
	net_stream_close(stream);
	document = json_loads(answer, 0, NULL);
	CHECK(document != NULL);
	return document;
}

/* ---- promises ---- */

static void
status_is_one_document_with_the_members_of_the_contract(void)
{
	json_t *status;

	begin();
	status = ask("{\"command\":\"status\"}\n");
	CHECK_STR(json_string_value(json_object_get(status, "name")), "plant-a");
	CHECK(json_is_integer(json_object_get(status, "devices")));
	CHECK(json_is_null(json_object_get(status, "journal")));
	CHECK_INT(json_integer_value(json_object_get(json_object_get(status, "snmp"), "dropped")), 7);
	/* no store.health file: not known to be well is not well */
	CHECK_STR(json_string_value(json_object_get(status, "health")), "degraded");
	json_decref(status);
	finish();
}

static void
devices_alarms_and_paths_are_lists(void)
{
	static const char *const questions[] = { "{\"command\":\"devices\"}\n",
		"{\"command\":\"alarms\"}\n", "{\"command\":\"paths\"}\n" };

	begin();
	for (int i = 0; i < 3; i++) {
		json_t *list = ask(questions[i]);

		CHECK(json_is_array(list));
		json_decref(list);
	}
	finish();
}

static void
nonsense_gets_an_error_and_the_server_goes_on(void)
{
	static const char *const nonsense[] = { "\n", "hello\n", "{}\n", "{\"command\":7}\n",
		"{\"command\":\"shutdown\"}\n", "[[[[[[\n" };

	begin();
	for (int i = 0; i < 6; i++) {
		json_t *document = ask(nonsense[i]);

		CHECK(json_is_string(json_object_get(document, "error")));
		json_decref(document);
	}
	json_decref(ask("{\"command\":\"paths\"}\n"));
	finish();
}

static void
a_request_without_an_end_is_cut_off_at_64_kib(void)
{
	static char flood[100000];
	json_t *document;

	begin();
	memset(flood, 'x', sizeof flood - 1);
	document = ask(flood);
	CHECK_STR(json_string_value(json_object_get(document, "error")), "request too long");
	json_decref(document);
	finish();
}

static void
a_reload_answers_when_its_outcome_is_known(void)
{
	json_t *document;

	begin();
	start_asking("{\"command\":\"reload\"}\n", 21);
	run_for(100 * LOOP_MS);
	CHECK_INT(reloads, 1);
	CHECK(!ended && answered == 0);
	server_reloaded(server, "x.conf:3: unknown key");
	run_for(3 * LOOP_S);
	CHECK(ended);
	net_stream_close(stream);
	document = json_loads(answer, 0, NULL);
	CHECK(json_is_false(json_object_get(document, "ok")));
	CHECK_STR(json_string_value(json_object_get(document, "text")), "x.conf:3: unknown key");
	json_decref(document);
	finish();
}

static void
status_tells_what_was_wrong_until_a_configuration_is_in_force(void)
{
	json_t *document;

	begin();
	server_reloaded(server, "x.conf:3: unknown key\nx.conf:4: and more");
	document = ask("{\"command\":\"status\"}\n");
	CHECK_STR(json_string_value(json_object_get(document, "refused")),
		"x.conf:3: unknown key\nx.conf:4: and more");
	json_decref(document);
	server_reloaded(server, NULL);
	document = ask("{\"command\":\"status\"}\n");
	CHECK(json_is_null(json_object_get(document, "refused")));
	json_decref(document);
	finish();
}

static const char reads[] = "{\"command\":\"exchange\",\"device\":\"press-3\",\"kind\":\"read\","
	"\"function\":4,\"address\":12,\"count\":2}\n";

static void
a_question_for_a_device_is_answered_when_the_device_has(void)
{
	static const uint8_t data[] = { 0x00, 0x01, 0xFE, 0xFF };
	struct exchange_answer got = { .data = data, .size = sizeof data, .rtt = 5 };
	json_t *document;

	begin();
	start_asking(reads, strlen(reads));
	run_for(100 * LOOP_MS);
	CHECK(open_ticket != NULL && !ended && answered == 0);
	CHECK_STR(exchanged_device, "press-3");
	CHECK_INT(exchanged.kind, EXCHANGE_READ);
	CHECK_INT(exchanged.function, 4);
	CHECK_INT(exchanged.address, 12);
	CHECK_INT(exchanged.count, 2);
	CHECK_INT(exchanged.unit, 0);
	server_exchanged(open_ticket, &got);
	run_for(3 * LOOP_S);
	CHECK(ended);
	net_stream_close(stream);
	document = json_loads(answer, 0, NULL);
	CHECK_STR(json_string_value(json_object_get(document, "data")), "0001feff");
	CHECK(json_is_null(json_object_get(document, "why")));
	json_decref(document);
	CHECK_INT(cancelled, 0);
	finish();
}

static void
a_question_ends_with_whoever_asked_it(void)
{
	begin();
	cancelled = 0;
	start_asking(reads, strlen(reads));
	run_for(100 * LOOP_MS);
	CHECK(open_ticket != NULL);
	net_stream_close(stream);
	run_for(100 * LOOP_MS);
	CHECK_INT(cancelled, 1);
	start_asking(reads, strlen(reads));
	run_for(100 * LOOP_MS);
	server_free(server); /* and with the server */
	server = NULL;
	CHECK_INT(cancelled, 2);
	net_stream_close(stream);
	finish();
}

static void
only_what_reads_can_be_asked_of_a_device(void)
{
	static const char *const refused[] = {
		"\"press-3\",\"kind\":\"write\",\"function\":3,\"address\":1}",
		"\"press-3\",\"kind\":\"read\",\"function\":6,\"address\":1}",
		"\"press-3\",\"kind\":\"read\",\"function\":0,\"address\":1}",
		"\"press-3\",\"kind\":\"read\",\"function\":3,\"address\":65535,\"count\":2}",
		"\"press-3\",\"kind\":\"read\",\"function\":3,\"address\":1,\"count\":126}",
		"\"press-3\",\"kind\":\"read\",\"function\":\"3\",\"address\":1}",
		"\"press-3\",\"kind\":\"identify\",\"code\":5}",
		"\"press-3\",\"kind\":\"read\",\"unit\":256,\"function\":3}",
		"\"other\",\"kind\":\"read\",\"function\":3,\"address\":1}",
		"7,\"kind\":\"read\",\"function\":3,\"address\":1}", "\"press-3\"}" };
	char text[300];

	begin();
	open_ticket = NULL;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		json_t *document;

		snprintf(text, sizeof text, "{\"command\":\"exchange\",\"device\":%s\n", refused[i]);
		document = ask(text);
		CHECK(json_is_string(json_object_get(document, "error")));
		CHECK(open_ticket == NULL);
		json_decref(document);
	}
	finish();
}

#define PAUSE "{\"command\":\"pause\",\"name\":\"press-3\""

static void
a_line_is_paused_for_ten_minutes_at_most_and_looking_changes_nothing(void)
{
	static const char *const refused[] = { PAUSE ",\"seconds\":601}\n",
		PAUSE ",\"seconds\":-1}\n", PAUSE ",\"seconds\":\"7\"}\n",
		"{\"command\":\"pause\",\"seconds\":7}\n",
		"{\"command\":\"pause\",\"name\":\"other\",\"seconds\":7}\n" };
	json_t *document;

	begin();
	paused_for = 0;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		document = ask(refused[i]);
		CHECK(json_is_string(json_object_get(document, "error")));
		json_decref(document);
	}
	CHECK_INT(paused_for, 0);
	json_decref(ask(PAUSE ",\"seconds\":90}\n"));
	CHECK_INT(paused_for, 90);
	document = ask(PAUSE "}\n");
	CHECK_STR(json_string_value(json_object_get(document, "line")), "gw-7");
	CHECK(json_is_true(json_object_get(document, "released")));
	CHECK_NEAR(json_number_value(json_object_get(document, "left")), 90, 0);
	json_decref(document);
	CHECK_INT(paused_for, 90);
	json_decref(ask(PAUSE ",\"seconds\":0}\n"));
	CHECK_INT(paused_for, 0);
	finish();
}

static void
who_does_not_read_a_long_answer_is_cut_off_in_time(void)
{
	static char text[8 << 20], rest[65536];
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t got = 0;
	ssize_t part;
	int fd;

	patience = 100 * LOOP_MS;
	begin();
	patience = 0;
	memset(text, 'x', sizeof text - 1);
	CHECK(strlen(path) < sizeof at.sun_path);
	memcpy(at.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
	CHECK(write(fd, "{\"command\":\"reload\"}\n", 21) == 21);
	run_for(50 * LOOP_MS);
	server_reloaded(server, text);
	run_for(300 * LOOP_MS);
	while ((part = read(fd, rest, sizeof rest)) > 0)
		got += (size_t)part;
	CHECK_INT(part, 0);
	CHECK(got > 0 && got < sizeof text);
	close(fd);
	finish();
}

static void
the_thirty_third_client_is_turned_away(void)
{
	int fds[40];
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	begin();
	CHECK(strlen(path) < sizeof at.sun_path);
	memcpy(at.sun_path, path, strlen(path) + 1);
	for (int i = 0; i < 32; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		CHECK(connect(fds[i], (struct sockaddr *)&at, sizeof at) == 0);
	}
	run_for(50 * LOOP_MS);
	start_asking("{\"command\":\"paths\"}\n", 20);
	run_for(3 * LOOP_S);
	CHECK(ended && answered == 0);
	net_stream_close(stream);
	for (int i = 0; i < 32; i++)
		close(fds[i]);
	run_for(50 * LOOP_MS);
	json_decref(ask("{\"command\":\"paths\"}\n"));
	finish();
}

RUN_TESTS(TEST(status_is_one_document_with_the_members_of_the_contract),
	TEST(devices_alarms_and_paths_are_lists),
	TEST(nonsense_gets_an_error_and_the_server_goes_on),
	TEST(a_request_without_an_end_is_cut_off_at_64_kib),
	TEST(a_reload_answers_when_its_outcome_is_known),
	TEST(status_tells_what_was_wrong_until_a_configuration_is_in_force),
	TEST(a_question_for_a_device_is_answered_when_the_device_has),
	TEST(a_question_ends_with_whoever_asked_it),
	TEST(only_what_reads_can_be_asked_of_a_device),
	TEST(a_line_is_paused_for_ten_minutes_at_most_and_looking_changes_nothing),
	TEST(who_does_not_read_a_long_answer_is_cut_off_in_time),
	TEST(the_thirty_third_client_is_turned_away))
