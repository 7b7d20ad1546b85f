#include "store/service.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "base/str.h"
#include "store/health.h"
#include "store/keeper.h"
#include "store/rrdask.h"

#define LINE 2048
/* More at once is somebody's mistake, and each may make the store work. */
#define CLIENTS 64
#define DAY (86400 * LOOP_S)
/* That a client may send while a question of it waits. */
#define BEHIND_MOST (64 << 10)

struct client {
	struct service *service;
	struct net_stream *stream;
	struct client *next, **link;
	enum keeper_hold hold;
	bool waits;              /* for the end of a checkpoint, to be told "Held" */
	struct loop_timer limit; /* of the hold */
	char line[LINE];
	size_t used;
	const struct word *asks; /* line is a question that waits for the journal to be read; NULL */
	char *argument;          /* of it */
	char *behind;            /* what came after it */
	size_t behind_used;
};

struct service {
	struct service_options options;
	char *rrd_dir;
	char real_rrd_dir[PATH_MAX]; /* rrdtool sends resolved paths; "" when not to be had */
	struct net_listener *listener;
	struct client *clients;
	unsigned count;
};

/* ---- one client ---- */

/* The strictest of what the clients hold. */
static void
apply_holds(struct service *service)
{
	struct fail why;
	struct keeper *keeper = service->options.keeper(service->options.arg, &why);
	enum keeper_hold hold = KEEPER_FREE;

	for (const struct client *client = service->clients; client != NULL; client = client->next)
		if (client->hold > hold)
			hold = client->hold;
	if (keeper != NULL)
		keeper_hold(keeper, hold);
}

static void
let_go(struct client *client)
{
	loop_timer_stop(client->service->options.loop, &client->limit);
	client->waits = false;
	if (client->hold == KEEPER_FREE)
		return;
	client->hold = KEEPER_FREE;
	apply_holds(client->service);
}

static void
client_close(struct client *client, bool orderly)
{
	let_go(client);
	*client->link = client->next;
	if (client->next != NULL)
		client->next->link = client->link;
	client->service->count--;
	if (orderly)
		net_stream_finish(client->stream);
	else
		net_stream_close(client->stream);
	free(client->behind);
	free(client);
}

static void __attribute__((format(printf, 2, 3)))
answer(struct client *client, const char *format, ...)
{
	char line[LINE + 600];
	va_list args;
	size_t length;

	va_start(args, format);
	vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	length = strlen(line);
	line[length] = '\n';
	net_stream_send(client->stream, line, length + 1);
}

/* ---- files ---- */

/* The next word of the arguments; a blank within one comes as "\\ ", as rrdtool sends it.
 * "" at the end. */
static char *
take_field(char **arguments)
{
	char *from = *arguments + strspn(*arguments, " "), *field = from, *to = from;

	while (*from != '\0' && *from != ' ') {
		if (*from == '\\' && from[1] != '\0')
			from++;
		*to++ = *from++;
	}
	*arguments = *from == '\0' ? from : from + 1;
	*to = '\0';
	return field;
}

/* The name below RRD_DIR, or NULL for a path that lies elsewhere. */
static const char *
below_rrd_dir(const struct service *service, const char *path)
{
	const char *roots[] = { service->rrd_dir, service->real_rrd_dir };

	if (*path != '/')
		return path;
	for (size_t i = 0; i < 2; i++) {
		size_t length = strlen(roots[i]);

		if (length > 0 && strncmp(path, roots[i], length) == 0 && path[length] == '/')
			return path + length + 1;
	}
	return NULL;
}

/* NULL after an answer. */
static const char *
file_of(struct client *client, const char *path)
{
	const char *file = below_rrd_dir(client->service, path);

	if (*path == '\0')
		answer(client, "-1 which file?");
	else if (file == NULL)
		answer(client, "-1 %s: not below %s", path, client->service->rrd_dir);
	return *path == '\0' ? NULL : file;
}

static void
flush_one(struct client *client, struct keeper *keeper, char *arguments)
{
	const char *path = take_field(&arguments), *file = file_of(client, path);
	struct fail why;
	int result;

	if (file == NULL)
		return;
	result = keeper_flush(keeper, file, &why);
	if (result == -1)
		answer(client, "-1 %s", why.text);
	else if (result == 1)
		answer(client, "0 Successfully flushed %s", path);
	else
		answer(client, "0 Nothing to flush: %s", path);
}

static void
flush_all(struct client *client, struct keeper *keeper, char *nothing)
{
	struct fail why;

	(void)nothing;
	if (keeper_flush_all(keeper, &why) == -1)
		answer(client, "-1 %s", why.text);
	else
		answer(client, "0 Successfully flushed all files");
}

static void
tell_pending(struct client *client, struct keeper *keeper, char *arguments)
{
	const char *path = take_field(&arguments), *file = file_of(client, path);

	if (file != NULL)
		answer(client, "0 %zu updates pending", keeper_pending(keeper, file));
}

/* ---- what stock rrdtool asks, once the file is up to date ---- */

/* False after an answer. */
static bool
place_of(struct client *client, struct keeper *keeper, char **arguments, struct rrd_place *place)
{
	const char *path = take_field(arguments), *file = file_of(client, path);
	struct fail why;

	*place = (struct rrd_place){ client->service->rrd_dir, file };
	if (file == NULL)
		return false;
	/* Whoever asks shall not read what lies beside. */
	if (strstr(file, "..") != NULL) {
		answer(client, "-1 %s: no file of ours", path);
		return false;
	}
	if (keeper_flush(keeper, file, &why) != -1)
		return true;
	answer(client, "-1 %s", why.text);
	return false;
}

static void
answer_text(struct client *client, char *text, const struct fail *why)
{
	if (text == NULL)
		answer(client, "-1 %s", why->text);
	else
		net_stream_send(client->stream, text, strlen(text));
	free(text);
}

static int64_t
time_of(const char *field, int64_t fallback)
{
	int64_t time;

	return *field != '\0' && str_int(field, &time, NULL) == 0 ? time : fallback;
}

/* Seconds before now when negative, as rrdcached has it. */
static void
fetch(struct client *client, struct keeper *keeper, char *arguments)
{
	int64_t now = loop_wall(client->service->options.loop) / LOOP_S, from, to;
	struct rrd_place place;
	const char *function;
	struct fail why;

	if (!place_of(client, keeper, &arguments, &place))
		return;
	function = take_field(&arguments);
	from = time_of(take_field(&arguments), -86400);
	to = time_of(take_field(&arguments), now);
	from = from < 0 ? now + from : from;
	to = to < 0 ? now + to : to;
	answer_text(client, rrdask_fetch(place, function, from, to, &why), &why);
}

static void
tell_info(struct client *client, struct keeper *keeper, char *arguments)
{
	struct rrd_place place;
	struct fail why;

	if (place_of(client, keeper, &arguments, &place))
		answer_text(client, rrdask_info(place, &why), &why);
}

static void
tell_first(struct client *client, struct keeper *keeper, char *arguments)
{
	struct rrd_place place;
	struct fail why;
	int64_t first;

	if (!place_of(client, keeper, &arguments, &place))
		return;
	first = rrdask_first(place, (int)time_of(take_field(&arguments), 0), &why);
	if (first == -1)
		answer(client, "-1 %s", why.text);
	else
		answer(client, "0 %lld", (long long)first);
}

static void
tell_last(struct client *client, struct keeper *keeper, char *arguments)
{
	struct rrd_place place;
	struct fail why;
	int64_t last;

	if (!place_of(client, keeper, &arguments, &place))
		return;
	last = rrdask_last(place, &why);
	if (last == -1)
		answer(client, "-1 %s", why.text);
	else
		answer(client, "0 %lld", (long long)last);
}

static void
tell_stats(struct client *client, struct keeper *keeper, char *nothing)
{
	struct store_health health;

	(void)nothing;
	keeper_health(keeper, &health);
	answer(client, "4 Statistics follow\nQueueLength: %llu\nUpdatesWritten: %llu\n"
		"TreeNodesNumber: %llu\nErrors: %llu", (unsigned long long)health.rows,
		(unsigned long long)health.updates, (unsigned long long)health.files,
		(unsigned long long)health.errors);
}

/* ---- backups ---- */

static void
hold_too_long(void *arg)
{
	struct client *client = arg;

	log_error("a backup held the journal for too long: its hold is ended");
	client_close(client, false);
}

static void
hold(struct client *client, struct keeper *keeper, char *what)
{
	int64_t limit = client->service->options.hold_limit;

	if (*what != '\0' && strcasecmp(what, "JOURNAL") != 0) {
		answer(client, "-1 HOLD or HOLD JOURNAL, not \"%s\"", what);
		return;
	}
	client->hold = *what == '\0' ? KEEPER_STILL : KEEPER_SEGMENTS;
	apply_holds(client->service);
	loop_timer_in(client->service->options.loop, &client->limit, limit > 0 ? limit : DAY);
	client->waits = *what == '\0' && !keeper_is_still(keeper);
	if (!client->waits)
		answer(client, "0 Held");
}

void
service_checkpoint_ended(struct service *service)
{
	struct client *client = service == NULL ? NULL : service->clients;

	for (; client != NULL; client = client->next) {
		if (client->waits)
			answer(client, "0 Held");
		client->waits = false;
	}
}

void
service_end_holds(struct service *service)
{
	struct client *next, *client = service == NULL ? NULL : service->clients;

	for (; client != NULL; client = next) {
		next = client->next;
		if (client->hold != KEEPER_FREE)
			client_close(client, false);
	}
}

static void
release(struct client *client, struct keeper *keeper, char *nothing)
{
	(void)keeper;
	(void)nothing;
	let_go(client);
	answer(client, "0 Released");
}

/* ---- lines ---- */

static const struct word {
	const char *name;
	void (*run)(struct client *client, struct keeper *keeper, char *argument);
	bool reads; /* all of the journal, first */
} words[] = {
	{ "FLUSH", flush_one, true }, { "FLUSHALL", flush_all, true },
	{ "PENDING", tell_pending, true }, { "FETCH", fetch, true }, { "INFO", tell_info, true },
	{ "FIRST", tell_first, true }, { "LAST", tell_last, true }, { "STATS", tell_stats, false },
	{ "HOLD", hold, false }, { "RELEASE", release, false },
};

/* At a start with a long journal that takes its time, and others want an answer as well. */
static void
serve_word(struct client *client, const struct word *word, char *argument)
{
	struct service *service = client->service;
	struct fail why;
	struct keeper *keeper = service->options.keeper(service->options.arg, &why);

	client->asks = NULL;
	if (keeper == NULL) {
		answer(client, "-1 %s", why.text);
	} else if (word->reads && !keeper_catch_up(keeper)) {
		client->asks = word;
		client->argument = argument;
	} else {
		word->run(client, keeper, argument);
	}
}

/* False when the client has gone. */
static bool
serve_line(struct client *client, char *line)
{
	char *argument = line + strcspn(line, " \r");

	if (*argument != '\0')
		*argument++ = '\0';
	argument += strspn(argument, " ");
	argument[strcspn(argument, "\r")] = '\0';
	if (strcasecmp(line, "QUIT") == 0) {
		client_close(client, true);
		return false;
	}
	if (strcasecmp(line, "PING") == 0) {
		answer(client, "0 PONG");
		return true;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(line, words[i].name) == 0) {
			serve_word(client, &words[i], argument);
			return true;
		}
	answer(client, "-1 Unknown command: %s", line);
	return true;
}

/* Until its question is answered. False when the client has gone. */
static bool
keep_behind(struct client *client, const uint8_t *data, size_t size)
{
	if (size > BEHIND_MOST - client->behind_used) {
		answer(client, "-1 too much at once");
		client_close(client, true);
		return false;
	}
	client->behind = mem_grow(client->behind, client->behind_used + size + 1, 1);
	memcpy(client->behind + client->behind_used, data, size);
	client->behind_used += size;
	return true;
}

/* False when the client has gone. */
static bool
take_octets(struct client *client, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (client->asks != NULL)
			return keep_behind(client, data + i, size - i);
		if (data[i] != '\n') {
			if (client->used == LINE - 1) {
				answer(client, "-1 line too long");
				client_close(client, true);
				return false;
			}
			client->line[client->used++] = (char)data[i];
			continue;
		}
		client->line[client->used] = '\0';
		client->used = 0;
		if (!serve_line(client, client->line))
			return false;
	}
	return true;
}

static void
client_received(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	(void)mono;
	take_octets(arg, data, size);
}

/* Its question, and what came behind that. */
static void
client_goes_on(struct client *client)
{
	uint8_t *behind;
	size_t size;

	serve_word(client, client->asks, client->argument);
	if (client->asks != NULL)
		return;
	behind = (uint8_t *)client->behind;
	size = client->behind_used;
	client->behind = NULL;
	client->behind_used = 0;
	take_octets(client, behind, size);
	free(behind);
}

void
service_go_on(struct service *service)
{
	struct client *next, *client = service == NULL ? NULL : service->clients;

	for (; client != NULL; client = next) {
		next = client->next;
		if (client->asks != NULL)
			client_goes_on(client);
	}
}

static void
client_closed(int error, void *arg)
{
	(void)error;
	client_close(arg, false);
}

static void
accept_client(struct net_stream *stream, void *arg)
{
	static const struct net_stream_events events = { .received = client_received,
		.closed = client_closed };
	struct service *service = arg;
	struct client *client;

	if (service->count == CLIENTS) {
		net_stream_close(stream);
		return;
	}
	client = mem_zero(sizeof *client);
	client->service = service;
	client->stream = stream;
	loop_timer_init(&client->limit, hold_too_long, client);
	client->next = service->clients;
	client->link = &service->clients;
	if (client->next != NULL)
		client->next->link = &client->next;
	service->clients = client;
	service->count++;
	net_stream_adopt(stream, &events, client);
}

struct service *
service_new(const struct service_options *options, int fd)
{
	struct service *service = mem_zero(sizeof *service);

	service->options = *options;
	service->rrd_dir = mem_text(options->rrd_dir);
	if (realpath(options->rrd_dir, service->real_rrd_dir) == NULL)
		service->real_rrd_dir[0] = '\0';
	service->listener = net_listener_new(options->loop, fd, accept_client, service);
	return service;
}

void
service_free(struct service *service)
{
	if (service == NULL)
		return;
	while (service->clients != NULL)
		client_close(service->clients, false);
	net_listener_free(service->listener);
	free(service->rrd_dir);
	free(service);
}
