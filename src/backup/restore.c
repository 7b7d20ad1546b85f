#include "backup/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "backup/copy.h"
#include "backup/manifest.h"
#include "base/fail.h"
#include "base/mem.h"
#include "journal/numbers.h"
#include "journal/segment.h"
#include "journal/state.h"
#include "store/ledger_view.h"
#include "store/runlog.h"

#define SPARE (64 << 20)

/* One of the two places: where it is, what is built beside it, where the old one goes. */
struct place {
	char *path, *fresh, *aside;
	bool inside; /* RRD_DIR below STATE_DIR comes and goes with it */
};

struct restore {
	const struct restore_options *options;
	const struct restore_places *places;
	struct place state, rrd;
	int lock_fd, fresh_lock_fd;
};

static int
fail_errno(const char *path, struct fail *why)
{
	fail_set(why, "%s: %s", path, strerror(errno));
	return -1;
}

static void __attribute__((format(printf, 2, 3)))
say(const struct restore_options *options, const char *format, ...)
{
	char line[1200];
	va_list args;

	if (options->say == NULL)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	options->say(options->arg, line);
}

/* "20261122T060000Z" */
static void
moment(char to[40])
{
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(to, 40, "%Y%m%dT%H%M%SZ", &utc);
}

/* ---- places ---- */

static void
place_init(struct place *place, const char *path, const char *when)
{
	size_t length = strlen(path);

	place->path = mem_text(path);
	while (length > 1 && place->path[length - 1] == '/')
		place->path[--length] = '\0';
	place->fresh = mem_format("%s.restoring", place->path);
	place->aside = mem_format("%s.before-%s", place->path, when);
}

static void
place_free(struct place *place)
{
	free(place->path);
	free(place->fresh);
	free(place->aside);
}

/* A folder that holds nothing but a lock is empty. */
static bool
holds_something(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (folder != NULL && !found && (entry = readdir(folder)) != NULL)
		found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			strcmp(entry->d_name, "lock") != 0;
	if (folder != NULL)
		closedir(folder);
	return found;
}

static int
check_place(const struct restore *restore, const struct place *place, struct fail *why)
{
	if (place->inside || restore->places->force || !holds_something(place->path))
		return 0;
	fail_set(why, "%s: is not empty: --force renames it to %s", place->path, place->aside);
	return -1;
}

static int
check_space(const struct restore *restore, int64_t bytes, struct fail *why)
{
	char *parent = mem_text(restore->rrd.path), *slash = strrchr(parent, '/');
	struct statvfs system;
	int64_t have;
	int result = 0;

	/* The nearest folder above that is there. */
	while (slash != NULL && slash != parent) {
		*slash = '\0';
		if (access(parent, F_OK) == 0)
			break;
		slash = strrchr(parent, '/');
	}
	if (statvfs(slash == parent ? "/" : parent, &system) == 0) {
		have = (int64_t)system.f_bavail * (int64_t)system.f_frsize;
		if (have < bytes + SPARE) {
			fail_set(why, "%s: %lld MB are free, the backup needs %lld MB", parent,
				(long long)(have >> 20), (long long)((bytes + SPARE) >> 20));
			result = -1;
		}
	}
	free(parent);
	return result;
}

/* ---- copying ---- */

/* Where a file of the backup goes; NULL: nowhere (configuration, backup.json). */
static char *
target_of(const struct restore *restore, const char *path)
{
	if (strncmp(path, "state/", 6) == 0)
		return mem_format("%s/%s", restore->state.fresh, path + 6);
	if (strncmp(path, "rrd/", 4) == 0)
		return mem_format("%s/%s", restore->rrd.fresh, path + 4);
	return NULL;
}

static int
copy_one(struct copy *copy, const char *from, const char *to, const char *hash,
	int64_t *bytes, struct fail *why)
{
	struct copy_made made;

	if (copy_file(copy, from, to, &made, why) != COPY_DONE)
		return -1;
	*bytes += made.bytes;
	if (strcmp(made.hash, hash) == 0)
		return 0;
	fail_set(why, "%s: its checksum is another one: nothing was put back", from);
	return -1;
}

static int
copy_all(const struct restore *restore, const struct manifest_list *list, int64_t all_bytes,
	struct fail *why)
{
	const struct restore_options *options = restore->options;
	struct copy *copy = copy_new();
	int64_t bytes = 0;
	int result = 0;

	for (size_t i = 0; i < list->count && result == 0; i++) {
		char *from = mem_format("%s/%s", options->source, list->entries[i].path);
		char *to = target_of(restore, list->entries[i].path);

		if (to != NULL)
			result = copy_one(copy, from, to, list->entries[i].hash, &bytes, why);
		free(from);
		free(to);
		if (options->progress != NULL)
			options->progress(options->arg, i + 1, list->count, bytes, all_bytes);
	}
	copy_free(copy);
	return result;
}

/* ---- owner and disk ---- */

static struct {
	uid_t uid;
	gid_t gid;
} owner; /* nftw has no argument for its calls */

static int
give_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
	(void)info;
	(void)kind;
	(void)walk;
	return lchown(path, owner.uid, owner.gid);
}

static int
give(const struct restore *restore, const char *path, struct fail *why)
{
	const char *user = restore->places->user;
	struct passwd *entry;

	if (geteuid() != 0 || user == NULL || *user == '\0')
		return 0;
	entry = getpwnam(user);
	if (entry == NULL) {
		say(restore->options, "%s: no user \"%s\" here: the files stay with root", path, user);
		return 0;
	}
	owner.uid = entry->pw_uid;
	owner.gid = entry->pw_gid;
	return nftw(path, give_one, 32, FTW_PHYS) == 0 ? 0 : fail_errno(path, why);
}

static int
sync_tree(const char *path, struct fail *why)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

	if (fd == -1)
		return fail_errno(path, why);
	result = syncfs(fd) == 0 ? 0 : fail_errno(path, why);
	close(fd);
	return result;
}

static void
sync_parent(const char *path)
{
	char *parent = mem_text(path), *slash = strrchr(parent, '/');

	if (slash != NULL) {
		slash[slash == parent] = '\0';
		segment_sync_path(parent);
	}
	free(parent);
}

/* ---- the numbers ---- */

static int
raise_numbers(const struct restore *restore, uint32_t *next_notice, struct fail *why)
{
	struct numbers old, fresh;
	struct fail unreadable;
	bool known = holds_something(restore->state.path) &&
		numbers_read(restore->state.path, restore->places->run_dir, &old, &unreadable) == 0 && old.record > 0;

	if (numbers_read(restore->state.fresh, NULL, &fresh, why) == -1)
		return -1;
	*next_notice = fresh.next_sequence;
	if (fresh.record == 0)
		return 0;
	/* An older backup put over a newer state, or a state that is older still. */
	if (known && old.next_sequence >= fresh.next_sequence && old.next_id >= fresh.next_id) {
		fresh.next_sequence = old.next_sequence;
		fresh.next_id = old.next_id;
	} else {
		fresh.next_sequence += NUMBERS_AHEAD;
		fresh.next_id += NUMBERS_AHEAD;
	}
	*next_notice = fresh.next_sequence;
	return numbers_raise(restore->state.fresh, &fresh, why);
}

static uint64_t
newest_run(const char *state_dir)
{
	struct ledger_view *view = ledger_open_reader(state_dir, NULL);
	uint64_t newest = view != NULL ? ledger_newest(view) : 0;

	ledger_close_reader(view);
	return newest;
}

/* Who asks for gaps --since a number of the lost state must not wait until it comes again. */
static int
raise_runs(const struct restore *restore, struct fail *why)
{
	uint64_t old = holds_something(restore->state.path) ? newest_run(restore->state.path) : 0;
	uint64_t fresh = newest_run(restore->state.fresh);

	if (fresh == 0 && old == 0)
		return 0;
	return runlog_raise(restore->state.fresh, old >= fresh ? old + 1 :
		fresh + NUMBERS_AHEAD, why);
}

/* ---- the exchange ---- */

static int
move_aside(const struct restore *restore, const struct place *place, struct fail *why)
{
	if (place->inside)
		return 0;
	if (!holds_something(place->path)) {
		char *lock = mem_format("%s/lock", place->path);

		unlink(lock);
		free(lock);
		return rmdir(place->path) == 0 || errno == ENOENT ? 0 : fail_errno(place->path, why);
	}
	if (rename(place->path, place->aside) == -1)
		return fail_errno(place->path, why);
	say(restore->options, "%s: what was there is now %s", place->path, place->aside);
	return 0;
}

static int
move_in(const struct place *place, struct fail *why)
{
	if (place->inside)
		return 0;
	if (rename(place->fresh, place->path) == -1)
		return fail_errno(place->path, why);
	sync_parent(place->path);
	return 0;
}

static void
forget_run_dir(const char *run_dir)
{
	static const char *const names[] = { "latest", "latest.text", "where", "store.health",
		"transitions" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char *path = mem_format("%s/%s", run_dir, names[i]);

		unlink(path);
		free(path);
	}
}

static int
exchange(const struct restore *restore, struct fail *why)
{
	if (move_aside(restore, &restore->state, why) == -1)
		return -1;
	if (move_aside(restore, &restore->rrd, why) == 0 && move_in(&restore->rrd, why) == 0 &&
		move_in(&restore->state, why) == 0) {
		forget_run_dir(restore->places->run_dir);
		return 0;
	}
	fail_prefix(why, "half done: %s is not in its place, put it and %s there by hand, or run it again",
		restore->state.fresh, restore->rrd.fresh);
	return -1;
}

/* ---- the whole ---- */

static int
build(struct restore *restore, const struct manifest_list *list, int64_t bytes,
	uint32_t *next_notice, struct fail *why)
{
	if (copy_remove_tree(restore->state.fresh, why) == -1 ||
		(!restore->rrd.inside && copy_remove_tree(restore->rrd.fresh, why) == -1) ||
		copy_make_folders(restore->state.fresh, why) == -1 ||
		copy_make_folders(restore->rrd.fresh, why) == -1)
		return -1;
	/* Nobody may begin with it before it is whole. */
	restore->fresh_lock_fd = state_lock(restore->state.fresh, why);
	if (restore->fresh_lock_fd == -1)
		return -1;
	if (mkdir(restore->rrd.fresh, 0750) == -1 && errno != EEXIST)
		return fail_errno(restore->rrd.fresh, why);
	if (copy_all(restore, list, bytes, why) == -1 ||
		raise_numbers(restore, next_notice, why) == -1 ||
		raise_runs(restore, why) == -1 ||
		give(restore, restore->state.fresh, why) == -1)
		return -1;
	if (!restore->rrd.inside && (give(restore, restore->rrd.fresh, why) == -1 ||
		sync_tree(restore->rrd.fresh, why) == -1))
		return -1;
	return sync_tree(restore->state.fresh, why);
}

static bool
lies_below(const char *path, const char *root)
{
	size_t length = strlen(root);

	return strncmp(path, root, length) == 0 && path[length] == '/';
}

static int
put(struct restore *restore, const struct manifest_list *list, uint32_t *next_notice,
	struct fail *why)
{
	struct restore_info info;

	if (restore_look(restore->options->source, &info, why) == -1 ||
		copy_make_folders(restore->state.path, why) == -1)
		return -1;
	restore->lock_fd = state_lock(restore->state.path, why);
	if (restore->lock_fd == -1 || check_place(restore, &restore->state, why) == -1 ||
		check_place(restore, &restore->rrd, why) == -1 ||
		check_space(restore, info.bytes, why) == -1)
		return -1;
	if (build(restore, list, info.bytes, next_notice, why) == -1) {
		copy_remove_tree(restore->state.fresh, NULL);
		copy_remove_tree(restore->rrd.fresh, NULL);
		return -1;
	}
	return exchange(restore, why);
}

int
restore_put(const struct restore_options *options, const struct restore_places *places,
	uint32_t *next_notice, struct fail *why)
{
	struct restore restore = { .options = options, .places = places, .lock_fd = -1,
		.fresh_lock_fd = -1 };
	struct manifest_list list;
	char when[40];
	int result;

	if (manifest_read(options->source, &list, why) == -1)
		return -1;
	moment(when);
	place_init(&restore.state, places->state_dir, when);
	place_init(&restore.rrd, places->rrd_dir, when);
	restore.rrd.inside = lies_below(restore.rrd.path, restore.state.path);
	if (restore.rrd.inside) {
		free(restore.rrd.fresh);
		restore.rrd.fresh = mem_format("%s%s", restore.state.fresh,
			restore.rrd.path + strlen(restore.state.path));
	}
	result = put(&restore, &list, next_notice, why);
	if (restore.lock_fd != -1)
		close(restore.lock_fd);
	if (restore.fresh_lock_fd != -1)
		close(restore.fresh_lock_fd);
	place_free(&restore.state);
	place_free(&restore.rrd);
	manifest_list_free(&list);
	return result;
}

/* ---- configuration ---- */

/* Owned as the file it replaces, or as the folder it comes into. */
static int
take_owner(const char *fresh, const char *path, struct fail *why)
{
	char *parent = mem_text(path), *slash = strrchr(parent, '/');
	struct stat info;
	int result = 0;

	*slash = '\0';
	if (geteuid() == 0 && (stat(path, &info) == 0 || stat(parent, &info) == 0) &&
		chown(fresh, info.st_uid, info.st_gid) == -1)
		result = fail_errno(fresh, why);
	free(parent);
	return result;
}

/* 1 put back, 0 it is the same already. */
static int
put_config(const struct restore_options *options, struct copy *copy, const char *stored,
	const char *hash, const char *when, struct fail *why)
{
	const char *path = stored + strlen("config");
	char *from = mem_format("%s/%s", options->source, stored);
	char *aside = mem_format("%s.before-%s", path, when), *fresh = mem_format("%s.restoring", path);
	struct copy_made made;
	enum copy_result is = copy_file(copy, path, NULL, &made, why);
	int64_t bytes = 0;
	int result = -1;

	if (is == COPY_DONE && strcmp(made.hash, hash) == 0) {
		result = 0;
	} else if (copy_one(copy, from, fresh, hash, &bytes, why) == 0 &&
		take_owner(fresh, path, why) == 0) {
		if (is != COPY_MISSING && rename(path, aside) == -1)
			fail_errno(path, why);
		else if (segment_sync_path(fresh) == -1 || rename(fresh, path) == -1)
			fail_errno(path, why);
		else
			result = 1;
	}
	if (result == 1) {
		say(options, "%s: put back%s", path, is == COPY_MISSING ? "" : ", the old one is beside it");
		sync_parent(path);
	}
	free(from);
	free(aside);
	free(fresh);
	return result;
}

int
restore_config(const struct restore_options *options, struct fail *why)
{
	struct manifest_list list;
	struct copy *copy;
	char when[40];
	int count = 0;

	if (manifest_read(options->source, &list, why) == -1)
		return -1;
	moment(when);
	copy = copy_new();
	for (size_t i = 0; i < list.count && count != -1; i++) {
		const struct manifest_entry *entry = &list.entries[i];
		int got = strncmp(entry->path, "config/", 7) != 0 ? 0 :
			put_config(options, copy, entry->path, entry->hash, when, why);

		count = got == -1 ? -1 : count + got;
	}
	copy_free(copy);
	manifest_list_free(&list);
	return count;
}
