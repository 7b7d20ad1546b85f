#include "store/store.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "base/str.h"
#include "journal/whereabouts.h"
#include "store/filesync.h"
#include "store/health.h"
#include "store/keeper.h"
#include "store/root.h"

#define READ_INTERVAL (100 * LOOP_MS)
#define ROUND_INTERVAL LOOP_S
/* Records in one turn, so that a FLUSH is heard during a long replay. */
#define TURN 2000
#define RETRY_INTERVAL (5 * LOOP_S)
#define LINE 2048

struct store {
	struct store_options options;
	char real_rrd_dir[PATH_MAX]; /* rrdtool sends resolved paths */
	struct loop *loop;
	struct keeper *keeper; /* NULL while STATE_DIR refuses: tried again */
	struct fail refusal;   /* why, then */
	struct root *root;
	struct net_listener *listener;
	struct loop_timer read_timer, round_timer;
	struct loop_worker *syncer;
	struct filesync *sync; /* the syncer's; NULL while it rests */
	struct client *clients;
};

struct client {
	struct store *store;
	struct net_stream *stream;
	struct client *next, **link;
	char line[LINE];
	size_t used;
};

static void
tell_time(struct store *store)
{
	keeper_now(store->keeper, loop_mono(store->loop), loop_wall(store->loop));
}

/* ---- the FLUSH server ---- */

static void
client_close(struct client *client, bool orderly)
{
	*client->link = client->next;
	if (client->next != NULL)
		client->next->link = client->link;
	if (orderly)
		net_stream_finish(client->stream);
	else
		net_stream_close(client->stream);
	free(client);
}

static void __attribute__((format(printf, 2, 3)))
answer(struct client *client, const char *format, ...)
{
	char line[LINE + 100];
	va_list args;
	size_t length;

	va_start(args, format);
	vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	length = strlen(line);
	line[length] = '\n';
	net_stream_send(client->stream, line, length + 1);
}

/* The name below RRD_DIR, or NULL for a path that lies elsewhere. */
static const char *
below_rrd_dir(const struct store *store, const char *path)
{
	const char *roots[] = { store->options.rrd_dir, store->real_rrd_dir };

	if (*path != '/')
		return path;
	for (size_t i = 0; i < 2; i++) {
		size_t length = strlen(roots[i]);

		if (length > 0 && strncmp(path, roots[i], length) == 0 && path[length] == '/')
			return path + length + 1;
	}
	return NULL;
}

static void
flush_one(struct client *client, const char *path)
{
	const char *file = below_rrd_dir(client->store, path);
	struct fail why;
	int result;

	if (file == NULL) {
		answer(client, "-1 %s: not below %s", path, client->store->options.rrd_dir);
		return;
	}
	tell_time(client->store);
	result = keeper_flush(client->store->keeper, file, &why);
	if (result == -1)
		answer(client, "-1 %s", why.text);
	else if (result == 1)
		answer(client, "0 Successfully flushed %s", path);
	else
		answer(client, "0 Nothing to flush: %s", path);
}

static void
flush_all(struct client *client)
{
	struct fail why;

	tell_time(client->store);
	if (keeper_flush_all(client->store->keeper, &why) == -1)
		answer(client, "-1 %s", why.text);
	else
		answer(client, "0 Successfully flushed all files");
}

static void
tell_pending(struct client *client, const char *path)
{
	const char *file = below_rrd_dir(client->store, path);

	tell_time(client->store);
	answer(client, "0 %zu updates pending",
		file == NULL ? 0 : keeper_pending(client->store->keeper, file));
}

static bool
is_open(struct client *client)
{
	if (client->store->keeper == NULL)
		answer(client, "-1 %s", client->store->refusal.text);
	return client->store->keeper != NULL;
}

/* False when the client has gone. Words are taken in any case, as rrdcached does. */
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
	if (strcasecmp(line, "PING") == 0)
		answer(client, "0 PONG");
	else if (!is_open(client))
		return true;
	else if (strcasecmp(line, "FLUSH") == 0 && *argument != '\0')
		flush_one(client, argument);
	else if (strcasecmp(line, "FLUSHALL") == 0)
		flush_all(client);
	else if (strcasecmp(line, "PENDING") == 0 && *argument != '\0')
		tell_pending(client, argument);
	else
		answer(client, "-1 Unknown command: %s", line);
	return true;
}

static void
client_received(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	struct client *client = arg;

	(void)mono;
	for (size_t i = 0; i < size; i++) {
		if (data[i] != '\n') {
			if (client->used == LINE - 1) {
				answer(client, "-1 line too long");
				client_close(client, true);
				return;
			}
			client->line[client->used++] = (char)data[i];
			continue;
		}
		client->line[client->used] = '\0';
		client->used = 0;
		if (!serve_line(client, client->line))
			return;
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
	struct store *store = arg;
	struct client *client = mem_zero(sizeof *client);

	client->store = store;
	client->stream = stream;
	client->next = store->clients;
	client->link = &store->clients;
	if (client->next != NULL)
		client->next->link = &client->next;
	store->clients = client;
	net_stream_adopt(stream, &events, client);
}

/* ---- health ---- */

static void
write_health(const struct store *store)
{
	struct store_health health = { .degraded = true,
		.time = loop_wall(store->loop) / LOOP_S };

	if (store->keeper != NULL)
		keeper_health(store->keeper, &health);
	else
		str_copy(health.reason, sizeof health.reason, store->refusal.text);
	if (store_health_write(store->options.run_dir, &health) == -1)
		log_debug("%s/store.health: %s", store->options.run_dir, strerror(errno));
}

/* ---- the role ---- */

/* A state_dir that is full or read-only at the start is no reason to end: FLUSH and health
 * then have somebody who says so. */
static bool
try_open(struct store *store)
{
	bool said = store->refusal.text[0] != '\0';

	if (!root_is_away(store->root, &store->refusal))
		store->keeper = keeper_open(&store->options, &store->refusal);
	if (store->keeper == NULL && !said)
		log_error("%s: nothing is stored, tried again each 5 s", store->refusal.text);
	else if (store->keeper != NULL && said)
		log_info("%s: no longer so, everything is stored again", store->refusal.text);
	if (store->keeper != NULL)
		store->refusal.text[0] = '\0';
	return store->keeper != NULL;
}

/* What is on disk is not known any more. */
static void
open_again(struct store *store, const struct fail *why)
{
	log_error("%s: the files are taken back to the last checkpoint", why->text);
	keeper_close(store->keeper);
	store->keeper = NULL;
	if (try_open(store))
		keeper_doubt(store->keeper, why);
}

static void
run_sync(void *arg)
{
	struct store *store = arg;

	filesync_run(store->sync);
}

static void
end_sync(void *arg)
{
	struct store *store = arg;
	struct filesync *sync = store->sync;
	struct fail why;

	store->sync = NULL;
	keeper_checkpoint(store->keeper, sync);
	if (keeper_is_void(store->keeper, &why))
		open_again(store, &why);
}

static void
begin_sync(struct store *store, struct filesync *sync)
{
	if (sync == NULL)
		return;
	store->sync = sync;
	if (!loop_worker_kick(store->syncer))
		end_sync(store);
}

static void
read_journal(void *arg)
{
	struct store *store = arg;
	bool all;

	if (store->keeper == NULL && !try_open(store)) {
		loop_timer_in(store->loop, &store->read_timer, RETRY_INTERVAL);
		return;
	}
	tell_time(store);
	all = keeper_read(store->keeper, TURN);
	/* Each tick while there is more, or until what fills the memory can be written. */
	loop_timer_in(store->loop, &store->read_timer, all ? READ_INTERVAL : LOOP_TICK);
}

/* A sync under way is waited for: its end is told first. */
static void
look_at_root(struct store *store)
{
	struct fail why;

	if (store->sync != NULL || !root_was_unmounted(store->root) || store->keeper == NULL)
		return;
	fail_set(&why, "%s: its file system was unmounted", store->options.rrd_dir);
	open_again(store, &why);
}

static void
do_round(void *arg)
{
	struct store *store = arg;

	look_at_root(store);
	if (store->keeper != NULL) {
		tell_time(store);
		begin_sync(store, keeper_round(store->keeper));
	}
	write_health(store);
	loop_timer_in(store->loop, &store->round_timer, ROUND_INTERVAL);
}

static void
stop_by_signal(int number, void *arg)
{
	struct store *store = arg;

	(void)number;
	loop_stop(store->loop);
}

static void
stop_by_supervisor(int fd, unsigned what, void *arg)
{
	struct store *store = arg;
	char bytes[64];
	ssize_t got = read(fd, bytes, sizeof bytes);

	(void)what;
	if (got == 0 || (got == -1 && errno != EAGAIN && errno != EINTR))
		loop_stop(store->loop);
}

/* Waits for one that runs; its end comes after the loop's. */
static void
finish_sync(struct store *store)
{
	loop_worker_free(store->syncer);
	store->syncer = NULL;
	if (store->sync != NULL)
		end_sync(store);
}

static int
serve(struct store *store, int alive_fd, int flush_fd, struct fail *why)
{
	struct loop_watch *alive;

	store->loop = loop_new(why);
	if (store->loop == NULL)
		return -1;
	store->syncer = loop_worker_new(store->loop, run_sync, end_sync, store, why);
	if (store->syncer == NULL)
		return -1;
	try_open(store);
	alive = alive_fd < 0 ? NULL :
		loop_watch_new(store->loop, alive_fd, LOOP_READ, stop_by_supervisor, store);
	if (flush_fd >= 0)
		store->listener = net_listener_new(store->loop, flush_fd, accept_client, store);
	loop_on_signal(store->loop, SIGTERM, stop_by_signal, store);
	loop_on_signal(store->loop, SIGINT, stop_by_signal, store);
	loop_timer_init(&store->read_timer, read_journal, store);
	loop_timer_init(&store->round_timer, do_round, store);
	loop_timer_in(store->loop, &store->read_timer, 0);
	loop_timer_in(store->loop, &store->round_timer, ROUND_INTERVAL);
	/* Nobody shall have to wait a round to hear that all is well. */
	if (store->keeper != NULL)
		tell_time(store);
	write_health(store);
	loop_run(store->loop);
	loop_watch_free(alive);
	finish_sync(store);
	if (store->keeper != NULL)
		tell_time(store);
	if (store->keeper == NULL || keeper_finish(store->keeper) == -1)
		log_warn("not everything could be written: the journal keeps it for the next start");
	write_health(store);
	return 0;
}

int
store_main(const struct store_options *options, int alive_fd, int flush_fd)
{
	struct store store = { .options = *options };
	struct fail why;
	int result;

	/* librrd would talk to a daemon that is not ours. */
	unsetenv("RRDCACHED_ADDRESS");
	if (realpath(options->rrd_dir, store.real_rrd_dir) == NULL)
		store.real_rrd_dir[0] = '\0';
	whereabouts_open(options->run_dir);
	whereabouts_begin(WHERE_STORE);
	store.root = root_new(options->rrd_dir);
	result = serve(&store, alive_fd, flush_fd, &why);
	if (result == -1)
		log_error("%s", why.text);
	while (store.clients != NULL)
		client_close(store.clients, false);
	net_listener_free(store.listener);
	keeper_close(store.keeper);
	root_free(store.root);
	loop_free(store.loop);
	whereabouts_close();
	return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
