#include "store/store.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/str.h"
#include "journal/whereabouts.h"
#include "store/filesync.h"
#include "store/health.h"
#include "store/keeper.h"
#include "store/root.h"
#include "store/service.h"

/* Whoever has to know all that is in the journal does not wait for that; and each look costs what
 * some hundred values do. */
#define READ_INTERVAL (500 * LOOP_MS)
#define MAKE_INTERVAL (100 * LOOP_MS)
#define ROUND_INTERVAL LOOP_S
/* Records in one turn, so that a FLUSH is heard during a long replay. */
#define TURN 2000
#define RETRY_INTERVAL (5 * LOOP_S)

struct store {
	struct store_options options;
	struct loop *loop;
	struct keeper *keeper; /* NULL while STATE_DIR refuses: tried again */
	struct fail refusal;   /* why, then */
	struct root *root;
	struct service *service; /* NULL: nobody can ask */
	struct loop_timer read_timer, round_timer;
	int64_t round_at; /* mono of the next whole round; between two of them there is only writing */
	struct loop_worker *syncer;
	struct filesync *sync; /* the syncer's; NULL while it rests */
};

static void
tell_time(struct store *store)
{
	keeper_now(store->keeper, loop_mono(store->loop), loop_wall(store->loop));
}

/* For the service: a keeper that knows the time. */
static struct keeper *
current_keeper(void *arg, struct fail *why)
{
	struct store *store = arg;

	if (store->keeper == NULL)
		*why = store->refusal;
	else
		tell_time(store);
	return store->keeper;
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

static int64_t
mono_now(void *arg)
{
	const struct store *store = arg;

	return loop_mono(store->loop);
}

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
	if (store->keeper != NULL) {
		store->refusal.text[0] = '\0';
		keeper_clock(store->keeper, mono_now, store);
	}
	return store->keeper != NULL;
}

/* What is on disk is not known any more. */
static void
open_again(struct store *store, const struct fail *why)
{
	log_error("%s: the files are taken back to the last checkpoint", why->text);
	service_end_holds(store->service);
	keeper_close(store->keeper);
	store->keeper = NULL;
	if (!try_open(store))
		return;
	tell_time(store);
	keeper_doubt(store->keeper, why);
}

static void
run_sync(void *arg)
{
	struct store *store = arg;

	whereabouts_set(WHERE_SYNC, WHERE_FDATASYNC);
	filesync_run(store->sync);
	whereabouts_set(WHERE_SYNC, WHERE_ELSE);
}

static void
end_sync(void *arg)
{
	struct store *store = arg;
	struct filesync *sync = store->sync;
	struct fail why;

	store->sync = NULL;
	keeper_checkpoint(store->keeper, sync);
	service_checkpoint_ended(store->service);
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
	int64_t delay = READ_INTERVAL;

	if (store->keeper == NULL && !try_open(store)) {
		service_go_on(store->service);
		loop_timer_in(store->loop, &store->read_timer, RETRY_INTERVAL);
		return;
	}
	tell_time(store);
	/* Each tick while there is more, or until what fills the memory can be written. */
	if (!keeper_read(store->keeper, TURN))
		delay = LOOP_TICK;
	else
		keeper_make_files(store->keeper);
	if (delay != LOOP_TICK && keeper_is_making(store->keeper))
		delay = MAKE_INTERVAL;
	service_go_on(store->service);
	loop_timer_in(store->loop, &store->read_timer, keeper_goes_on(store->keeper) ? 0 : delay);
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
go_round(struct store *store)
{
	look_at_root(store);
	if (store->keeper != NULL) {
		tell_time(store);
		begin_sync(store, keeper_round(store->keeper));
	}
	write_health(store);
}

/* Once a second; in between what is due goes on, with room for whoever asks. */
static void
do_round(void *arg)
{
	struct store *store = arg;
	int64_t now = loop_mono(store->loop), left;

	if (now >= store->round_at) {
		store->round_at = now + ROUND_INTERVAL;
		go_round(store);
	} else if (store->keeper != NULL) {
		tell_time(store);
		keeper_write(store->keeper);
	}
	left = store->round_at - loop_mono(store->loop);
	if (store->keeper != NULL && keeper_goes_on(store->keeper))
		left = 0;
	else if (store->keeper != NULL && keeper_has_more(store->keeper))
		left = LOOP_TICK;
	loop_timer_in(store->loop, &store->round_timer, left > 0 ? left : 0);
}

static void
stop_by_signal(int number, void *arg)
{
	struct store *store = arg;

	(void)number;
	loop_stop(store->loop);
}

/* As when its time had come, for who wants the files on disk now. */
static void
checkpoint_by_signal(int number, void *arg)
{
	struct store *store = arg;

	(void)number;
	if (store->keeper != NULL)
		keeper_checkpoint_soon(store->keeper);
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
		store->service = service_new(&(struct service_options){ .loop = store->loop,
			.rrd_dir = store->options.rrd_dir, .hold_limit = store->options.journal_budget,
			.keeper = current_keeper, .arg = store }, flush_fd);
	loop_on_signal(store->loop, SIGTERM, stop_by_signal, store);
	loop_on_signal(store->loop, SIGINT, stop_by_signal, store);
	loop_on_signal(store->loop, SIGUSR1, checkpoint_by_signal, store);
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
	whereabouts_open(options->run_dir);
	whereabouts_begin(WHERE_STORE);
	whereabouts_set(WHERE_SYNC, WHERE_ELSE);
	whereabouts_watch_faults(WHERE_STORE);
	store.root = root_new(options->rrd_dir);
	result = serve(&store, alive_fd, flush_fd, &why);
	if (result == -1)
		log_error("%s", why.text);
	service_free(store.service);
	keeper_close(store.keeper);
	root_free(store.root);
	loop_free(store.loop);
	whereabouts_close();
	return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
