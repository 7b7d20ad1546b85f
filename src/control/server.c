#include "control/server.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "control/views.h"
#include "core/guard.h"

#define CLIENTS 32
#define REQUEST 65536
#define PATIENCE (5 * LOOP_S)
/* How often it is looked whether a long answer has gone. */
#define DRAIN (20 * LOOP_MS)
#define RELOAD_PATIENCE (60 * LOOP_S)
#define PAUSE_MOST 600 /* s */
#define EXCHANGE_PATIENCE (60 * LOOP_S)

struct client {
	struct client *next, **link;
	struct server *server;
	struct net_stream *stream;
	struct loop_timer deadline, drain;
	char *request;
	size_t size;
	bool waits_for_reload, answered;
	void *exchange; /* under way */
};

struct server {
	struct server_options options;
	struct net_listener *listener;
	struct client *clients;
	int count;
	int64_t started;
	char *refused; /* what was wrong with the newest configuration; NULL: it is in force */
};

static void
drop_client(struct client *client)
{
	struct server *server = client->server;

	if (client->exchange != NULL)
		server->options.cancel(client->exchange, server->options.arg);
	*client->link = client->next;
	if (client->next != NULL)
		client->next->link = client->link;
	loop_timer_stop(server->options.loop, &client->deadline);
	loop_timer_stop(server->options.loop, &client->drain);
	net_stream_close(client->stream);
	free(client->request);
	free(client);
	server->count--;
}

/* A client that does not read its answer is held to its deadline too: its answer takes our
 * memory and its place is one of few. */
static void
drop_when_sent(void *arg)
{
	struct client *client = arg;

	if (net_stream_unsent(client->stream) == 0)
		drop_client(client);
	else
		loop_timer_in(client->server->options.loop, &client->drain, DRAIN);
}

static void
answer(struct client *client, json_t *document)
{
	char *text;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	doc_write(document, to);
	json_decref(document);
	putc('\n', to);
	fclose(to);
	net_stream_send(client->stream, text, size);
	free(text);
	client->answered = true;
	drop_when_sent(client);
}

static void
refuse(struct client *client, const char *text)
{
	answer(client, json_pack("{s:s}", "error", text));
}

static bool
may_operate(const struct client *client)
{
	uid_t uid;
	gid_t gid;

	return net_stream_peer(client->stream, &uid, &gid) == 0 && (uid == 0 || uid == geteuid());
}

static void
reload(struct client *client)
{
	struct server *server = client->server;
	bool asked = false;

	if (!may_operate(client)) {
		refuse(client, "reload needs the role operate: root, or the daemon's own user");
		return;
	}
	for (struct client *c = server->clients; c != NULL; c = c->next)
		asked |= c->waits_for_reload;
	client->waits_for_reload = true;
	loop_timer_in(server->options.loop, &client->deadline, RELOAD_PATIENCE);
	if (!asked)
		server->options.reload(server->options.arg);
}

static void
confirm_clock(struct client *client)
{
	struct fail why = { "" };
	bool ok;

	if (!may_operate(client)) {
		refuse(client, "clock confirm needs the role operate: root, or the daemon's own user");
		return;
	}
	ok = guard_confirm(client->server->options.guard, &why) == 0;
	answer(client, json_pack("{s:b, s:o}", "ok", ok, "text", doc_text(why.text)));
}

void
server_reloaded(struct server *server, const char *refused)
{
	free(server->refused);
	server->refused = refused != NULL ? mem_text(refused) : NULL;
	for (struct client *c = server->clients, *next; c != NULL; c = next) {
		next = c->next;
		if (!c->waits_for_reload)
			continue;
		c->waits_for_reload = false;
		loop_timer_in(server->options.loop, &c->deadline, server->options.patience);
		answer(c, json_pack("{s:b, s:s}", "ok", refused == NULL, "text",
			refused != NULL ? refused : ""));
	}
}

/* ---- questions of tools to devices ---- */

static bool
take_number(const json_t *request, const char *name, json_int_t least, json_int_t most,
	json_int_t *number)
{
	const json_t *member = json_object_get(request, name);

	*number = member == NULL ? least : json_integer_value(member);
	return (member == NULL || json_is_integer(member)) && *number >= least && *number <= most;
}

/* False: a member is missing or not what it should be. */
static bool
take_exchange(const json_t *request, struct exchange *exchange)
{
	static const char *const kinds[] = { "read", "identify", "server-id" };
	const char *kind = json_string_value(json_object_get(request, "kind"));
	json_int_t unit, function, address, count, code, object;
	size_t k = 0;

	exchange->device = json_string_value(json_object_get(request, "device"));
	while (k < 3 && (kind == NULL || strcmp(kinds[k], kind) != 0))
		k++;
	if (k == 3 || exchange->device == NULL || !take_number(request, "unit", 0, 255, &unit) ||
		!take_number(request, "function", 1, 4, &function) ||
		!take_number(request, "address", 0, 65535, &address) ||
		!take_number(request, "count", 1, 2000, &count) ||
		!take_number(request, "code", 1, 4, &code) ||
		!take_number(request, "object", 0, 255, &object) || address + count > 65536 ||
		(function > 2 && count > 125))
		return false;
	exchange->kind = (enum exchange_kind)k;
	exchange->unit = (uint8_t)unit;
	exchange->function = (uint8_t)function;
	exchange->address = (uint16_t)address;
	exchange->count = (uint16_t)count;
	exchange->code = (uint8_t)code;
	exchange->object = (uint8_t)object;
	return true;
}

static void
begin_exchange(struct client *client, const json_t *request)
{
	const struct server_options *options = &client->server->options;
	struct exchange exchange;
	struct fail why;

	if (!may_operate(client)) {
		refuse(client, "asking a device needs the role operate: root, or the daemon's own user");
		return;
	}
	if (!take_exchange(request, &exchange)) {
		refuse(client, "not understood: expected device, kind (read, identify, server-id), "
			"function, address, count");
		return;
	}
	loop_timer_in(options->loop, &client->deadline, EXCHANGE_PATIENCE);
	client->exchange = options->exchange(&exchange, client, &why, options->arg);
	if (client->exchange == NULL) {
		loop_timer_in(options->loop, &client->deadline, options->patience);
		refuse(client, why.text);
	}
}

void
server_exchanged(void *ticket, const struct exchange_answer *got)
{
	struct client *client = ticket;
	struct server_options *options = &client->server->options;
	char hex[2 * 256 + 1];
	size_t size = got->size < 256 ? got->size : 256;

	for (size_t i = 0; i < size; i++)
		snprintf(hex + 2 * i, 3, "%02x", got->data[i]);
	hex[2 * size] = '\0';
	client->exchange = NULL;
	loop_timer_in(options->loop, &client->deadline, options->patience);
	answer(client, json_pack("{s:i, s:i, s:s, s:I, s:o}", "outcome", (int)got->outcome, "code",
		got->code, "data", hex, "rtt", (json_int_t)got->rtt, "why",
		got->why != NULL ? doc_text(got->why) : json_null()));
}

static void
pause_line(struct client *client, const json_t *request)
{
	const struct server_options *options = &client->server->options;
	const char *name = json_string_value(json_object_get(request, "name"));
	bool looks = json_object_get(request, "seconds") == NULL;
	struct pause_told told = { "", false, 0 };
	json_int_t seconds;
	struct fail why;

	if (name == NULL || !take_number(request, "seconds", 0, PAUSE_MOST, &seconds))
		refuse(client, "not understood: expected name, and seconds up to 600");
	else if (!looks && !may_operate(client))
		refuse(client, "pausing a line needs the role operate: root, or the daemon's own user");
	else if (options->pause(name, looks ? -1 : (int)seconds, &told, &why, options->arg) == -1)
		refuse(client, why.text);
	else
		answer(client, json_pack("{s:o, s:b, s:o}", "line", doc_text(told.line), "released",
			told.released, "left", doc_number((double)told.left / 1e9)));
}

static json_t *
view_for(struct server *server, const char *command)
{
	const struct server_options *o = &server->options;
	struct view_status status = { .name = o->name, .run_dir = o->run_dir,
		.started = server->started, .now = loop_wall(o->loop), .poller = o->poller,
		.alarms = o->alarms, .notify = o->notify, .refused = server->refused,
		.journal_trouble = o->journal_trouble(o->arg),
		.clock_trouble = o->clock_trouble != NULL ? o->clock_trouble(o->arg) : NULL };

	if (o->lines != NULL)
		o->lines(&status.lines, o->arg);
	if (o->datagrams != NULL)
		o->datagrams(&status.snmp, o->arg);
	status.each_weak = o->each_weak;
	status.arg = o->arg;
	if (o->worst_lag != NULL)
		status.worst_lag = o->worst_lag(o->arg);
	if (strcmp(command, "status") == 0)
		return view_status(&status);
	if (strcmp(command, "devices") == 0)
		return view_devices(o->poller);
	if (strcmp(command, "alarms") == 0)
		return view_alarms(o->alarms);
	if (strcmp(command, "paths") == 0)
		return view_paths(o->paths);
	if (strcmp(command, "clock") == 0 && o->guard != NULL)
		return view_clock(o->guard, status.clock_trouble);
	return NULL;
}

static void
serve(struct client *client)
{
	json_t *request = json_loads(client->request, 0, NULL), *document;
	const char *command = json_string_value(json_object_get(request, "command"));
	char name[40] = "";

	if (command != NULL)
		snprintf(name, sizeof name, "%s", command);
	if (strcmp(name, "exchange") == 0 && client->server->options.exchange != NULL) {
		begin_exchange(client, request);
		json_decref(request);
		return;
	}
	if (strcmp(name, "pause") == 0 && client->server->options.pause != NULL) {
		pause_line(client, request);
		json_decref(request);
		return;
	}
	json_decref(request);
	if (command == NULL) {
		refuse(client, "not understood: expected {\"command\": \"status\"}");
		return;
	}
	if (strcmp(name, "reload") == 0) {
		reload(client);
		return;
	}
	if (strcmp(name, "clock-confirm") == 0 && client->server->options.guard != NULL) {
		confirm_clock(client);
		return;
	}
	document = view_for(client->server, name);
	if (document != NULL)
		answer(client, document);
	else
		refuse(client, "no such command");
}

static void
received(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	struct client *client = arg;
	const uint8_t *end = memchr(data, '\n', size);
	size_t part = end != NULL ? (size_t)(end - data) : size;

	(void)mono;
	if (client->waits_for_reload || client->exchange != NULL || client->answered)
		return;
	if (client->size + part >= REQUEST) {
		refuse(client, "request too long");
		return;
	}
	client->request = mem_grow(client->request, client->size + part + 1, 1);
	memcpy(client->request + client->size, data, part);
	client->size += part;
	client->request[client->size] = '\0';
	if (end != NULL)
		serve(client);
}

static void
closed(int error, void *arg)
{
	(void)error;
	drop_client(arg);
}

static void
too_slow(void *arg)
{
	drop_client(arg);
}

static void
accepted(struct net_stream *stream, void *arg)
{
	static const struct net_stream_events events = { NULL, received, closed };
	struct server *server = arg;
	struct client *client;

	if (server->count >= CLIENTS) {
		net_stream_close(stream);
		return;
	}
	client = mem_zero(sizeof *client);
	client->server = server;
	client->stream = stream;
	client->next = server->clients;
	client->link = &server->clients;
	if (client->next != NULL)
		client->next->link = &client->next;
	server->clients = client;
	server->count++;
	loop_timer_init(&client->deadline, too_slow, client);
	loop_timer_init(&client->drain, drop_when_sent, client);
	loop_timer_in(server->options.loop, &client->deadline, server->options.patience);
	net_stream_adopt(stream, &events, client);
}

struct server *
server_new(const struct server_options *options)
{
	struct server *server = mem_zero(sizeof *server);

	server->options = *options;
	if (server->options.patience == 0)
		server->options.patience = PATIENCE;
	server->started = loop_wall(options->loop);
	server->listener = net_listener_new(options->loop, options->fd, accepted, server);
	return server;
}

void
server_rename(struct server *server, const char *name, const char *run_dir)
{
	server->options.name = name;
	server->options.run_dir = run_dir;
}

void
server_free(struct server *server)
{
	if (server == NULL)
		return;
	while (server->clients != NULL)
		drop_client(server->clients);
	net_listener_free(server->listener);
	free(server->refused);
	free(server);
}
