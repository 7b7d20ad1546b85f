#include "backup/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <jansson.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backup/copy.h"
#include "backup/manifest.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "journal/segment.h"
#include "journal/state.h"
#include "store/keeper.h"
#include "store/lease.h"
#include "store/rrd.h"
#include "store/store.h"

#define ATTEMPTS 3
/* A checkpoint of a hundred thousand files on a slow disk takes its time. */
#define WORD_TIMEOUT (300 * LOOP_S)
/* A store that was killed is back within a second. */
#define ABSENT_TRIES 15
#define ABSENT_PAUSE_MS 200
#define SPARE (64 << 20) /* bytes that stay free on the destination */
/* Stands in an unfinished backup, so that nothing else is ever swept. */
#define MARKER "UNFINISHED"

struct backup {
	const struct backup_options *options;
	struct backup_result *result;
	char *partial;
	int partial_fd; /* locked */
	struct copy *copy;
	struct manifest *manifest;
	uint64_t all_files;
	int64_t all_bytes;
	struct lease *lease; /* NULL: we hold the lock of STATE_DIR */
	int lock_fd;
};

/* 0; -1 and why; 1: the store went away, begin anew. */
enum { AGAIN = 1 };

static int
fail_errno(const char *path, struct fail *why)
{
	fail_set(why, "%s: %s", path, strerror(errno));
	return -1;
}

static int64_t
wall_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * LOOP_S + now.tv_nsec;
}

static void __attribute__((format(printf, 2, 3)))
say(const struct backup *backup, const char *format, ...)
{
	char line[600];
	va_list args;

	if (backup->options->say == NULL)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	backup->options->say(backup->options->arg, line);
}

static const char *
state_dir(const struct backup *backup)
{
	return backup->options->store->state_dir;
}

/* ---- which files ---- */

enum part {
	PART_NONE,  /* stays out */
	PART_STILL, /* of STATE_DIR, copied while the store holds still */
	PART_RRD,
	PART_LATE,  /* of STATE_DIR, copied after the journal */
};

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool
ends(const char *text, const char *with)
{
	size_t a = strlen(text), b = strlen(with);

	return a >= b && strcmp(text + a - b, with) == 0;
}

/* Of a file below STATE_DIR; the journal is copied by its own rule. */
static enum part
part_of_state(const char *file)
{
	if (strcmp(file, "lock") == 0 || begins(file, "undo.") ||
		begins(file, "journal/") || ends(file, ".new"))
		return PART_NONE;
	/* What the poller writes, the store's hold does not concern. */
	if (strcmp(file, "series") == 0 || strcmp(file, "rows") == 0 ||
		strcmp(file, "engine") == 0 || strcmp(file, "introduced") == 0)
		return PART_LATE;
	return PART_STILL;
}

/* What is being made has no name yet, or librrd's: ".rrd" or the name, and six letters. */
static enum part
part_of_rrd(const char *file)
{
	const char *name = strrchr(file, '/'), *dot;

	name = name == NULL ? file : name + 1;
	dot = strstr(name, ".rrd");
	if (strstr(file, ".pollwerk.new") != NULL)
		return PART_NONE;
	if (dot != NULL && strlen(dot) == 10 && (dot == name || strchr(dot + 4, '.') == NULL))
		return PART_NONE;
	return PART_RRD;
}

/* Calls for each file below root, names below it; `skip` (may be "") and what is below it
 * stays out. What goes away meanwhile is passed over. 0, or what a call returned. */
static int
walk(const char *root, const char *skip, int (*each)(void *arg, const char *file, int64_t size,
	struct fail *why), void *arg, struct fail *why)
{
	char *roots[] = { (char *)root, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	size_t length = strlen(root) + 1;
	int result = 0;
	FTSENT *entry;

	if (tree == NULL)
		return fail_errno(root, why);
	while (result == 0 && (entry = fts_read(tree)) != NULL) {
		if (entry->fts_info == FTS_D && *skip != '\0' && strcmp(entry->fts_path, skip) == 0)
			fts_set(tree, entry, FTS_SKIP);
		else if (entry->fts_info == FTS_F)
			result = each(arg, entry->fts_path + length, entry->fts_statp->st_size, why);
		else if ((entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
			entry->fts_info == FTS_NS) && entry->fts_errno != ENOENT) {
			errno = entry->fts_errno;
			result = fail_errno(entry->fts_path, why);
		}
	}
	fts_close(tree);
	return result;
}

/* ---- progress and space ---- */

static void
note(struct backup *backup, const struct copy_made *made)
{
	struct backup_result *result = backup->result;

	result->files++;
	result->bytes += made->bytes;
	result->repeats += made->repeats;
	if (backup->options->progress != NULL)
		backup->options->progress(backup->options->arg, result->files, backup->all_files,
			result->bytes, backup->all_bytes);
}

static int
count_file(void *arg, const char *file, int64_t size, struct fail *why)
{
	struct backup *backup = arg;

	(void)file;
	(void)why;
	backup->all_files++;
	/* As the destination will round it up. */
	backup->all_bytes += (size + 4095) / 4096 * 4096;
	return 0;
}

static int
count_all(struct backup *backup, struct fail *why)
{
	const char *rrd_dir = backup->options->store->rrd_dir;

	backup->all_files = 0;
	backup->all_bytes = 0;
	if (walk(state_dir(backup), rrd_dir, count_file, backup, why) != 0)
		return -1;
	return walk(rrd_dir, "", count_file, backup, why);
}

static int
check_space(const struct backup *backup, struct fail *why)
{
	struct statvfs system;
	int64_t have;

	if (fstatvfs(backup->partial_fd, &system) == -1)
		return fail_errno(backup->partial, why);
	have = (int64_t)system.f_bavail * (int64_t)system.f_frsize;
	if (have >= backup->all_bytes + SPARE)
		return 0;
	fail_set(why, "%s: %lld MB are free, the backup needs %lld MB", backup->options->destination,
		(long long)(have >> 20), (long long)((backup->all_bytes + SPARE) >> 20));
	return -1;
}

/* ---- the pieces ---- */

static int
list_file(struct backup *backup, const char *name, const struct copy_made *made, struct fail *why)
{
	note(backup, made);
	return manifest_add(backup->manifest, name, made->hash, why);
}

/* name is below DEST. */
static int
copy_plain(struct backup *backup, const char *from, const char *name, struct fail *why)
{
	char *to = mem_format("%s/%s", backup->partial, name);
	struct copy_made made;
	enum copy_result got = copy_file(backup->copy, from, to, &made, why);
	int result = got == COPY_FAILED ? -1 : 0;

	if (got == COPY_DONE)
		result = list_file(backup, name, &made, why);
	free(to);
	return result;
}

static int
copy_of_state(struct backup *backup, const char *file, struct fail *why)
{
	char *from = mem_format("%s/%s", state_dir(backup), file);
	char *name = mem_format("state/%s", file);
	int result = copy_plain(backup, from, name, why);

	free(from);
	free(name);
	return result;
}

static int
copy_still(void *arg, const char *file, int64_t size, struct fail *why)
{
	(void)size;
	return part_of_state(file) == PART_STILL ? copy_of_state(arg, file, why) : 0;
}

static int
copy_late(void *arg, const char *file, int64_t size, struct fail *why)
{
	(void)size;
	return part_of_state(file) == PART_LATE ? copy_of_state(arg, file, why) : 0;
}

/* A file that is no RRD is copied as it is: whoever put it there may want it back. */
static int
copy_foreign(struct backup *backup, const char *file, const char *name, struct fail *why)
{
	char *from = mem_format("%s/%s", backup->options->store->rrd_dir, file);
	int result;

	if (ends(file, ".rrd"))
		say(backup, "%s: no RRD file: copied as it is", from);
	result = copy_plain(backup, from, name, why);
	free(from);
	return result;
}

static int
copy_one_rrd(void *arg, const char *file, int64_t size, struct fail *why)
{
	struct backup *backup = arg;
	const char *root = backup->options->store->rrd_dir;
	char *name = mem_format("rrd/%s", file), *to = mem_format("%s/%s", backup->partial, name);
	struct rrd_head head = { 0 };
	struct copy_made made;
	int result = 0;

	(void)size;
	if (part_of_rrd(file) == PART_NONE)
		goto out;
	if (!ends(file, ".rrd") ||
		(rrd_file_head((struct rrd_place){ root, file }, &head, why) == -1)) {
		result = copy_foreign(backup, file, name, why);
		goto out;
	}
	switch (copy_rrd(backup->copy, root, file, to, &made, why)) {
	case COPY_DONE:
		backup->result->rrd_files++;
		result = list_file(backup, name, &made, why);
		break;
	case COPY_MISSING:
		break;
	case COPY_FAILED:
		result = -1;
	}
out:
	free(head.bytes);
	free(name);
	free(to);
	return result;
}

/* A segment whose successor was there when we looked does not grow any more. */
static int
copy_journal(struct backup *backup, struct fail *why)
{
	uint64_t *numbers, copied = 0, open = 0; /* open: its copy may lack an end */
	struct copy_made made;
	bool more = true;
	int result = 0;

	while (more && result == 0) {
		size_t count = segment_list(state_dir(backup), &numbers);

		more = false;
		if (count == 0 && errno != 0) {
			fail_set(why, "%s/journal: %s", state_dir(backup), strerror(errno));
			result = -1;
		}
		for (size_t i = 0; i < count && result == 0; i++) {
			char from[SEGMENT_PATH], to[SEGMENT_PATH], root[SEGMENT_PATH];

			if (numbers[i] <= copied || (numbers[i] == open && i + 1 == count))
				continue;
			more = true;
			snprintf(root, sizeof root, "%s/state", backup->partial);
			segment_path(from, sizeof from, state_dir(backup), numbers[i]);
			segment_path(to, sizeof to, root, numbers[i]);
			if (copy_file(backup->copy, from, to, &made, why) != COPY_DONE)
				result = -1;
			else if (i + 1 < count)
				result = list_file(backup, to + strlen(backup->partial) + 1, &made, why);
			open = numbers[i];
			copied = i + 1 < count ? numbers[i] : copied;
		}
		free(numbers);
	}
	backup->result->taken = wall_now();
	if (result == 0 && open != copied) {
		char name[64];

		snprintf(name, sizeof name, "state/journal/%016llx.seg", (unsigned long long)open);
		result = list_file(backup, name, &made, why);
	}
	return result;
}

static int
copy_config(struct backup *backup, struct fail *why)
{
	for (size_t i = 0; i < backup->options->config_count; i++) {
		const struct backup_file *file = &backup->options->config[i];
		char *name = mem_format("config%s", file->path);
		char *to = mem_format("%s/%s", backup->partial, name);
		struct copy_made made;
		int result = copy_text(backup->copy, file->text, file->size, file->mode, to, &made, why);

		if (result == 0)
			result = list_file(backup, name, &made, why);
		free(name);
		free(to);
		if (result == -1)
			return -1;
	}
	return 0;
}

static json_t *
describe(const struct backup *backup)
{
	const struct backup_options *options = backup->options;
	json_t *config = json_array();
	struct passwd *owner;
	struct stat info;
	char when[40];

	for (size_t i = 0; i < options->config_count; i++)
		json_array_append_new(config, json_string_nocheck(options->config[i].path));
	owner = stat(options->store->state_dir, &info) == 0 ? getpwuid(info.st_uid) : NULL;
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:b, s:I, s:I, s:I}",
		"format", BACKUP_FORMAT, "version", PW_VERSION, "poller", options->poller, "taken",
		str_utc(when, sizeof when, backup->result->taken), "user",
		owner != NULL ? owner->pw_name : "", "state_dir", options->store->state_dir,
		"rrd_dir", options->store->rrd_dir, "run_dir", options->store->run_dir, "config",
		config, "secrets", options->secrets, "running", backup->result->running, "files",
		(json_int_t)backup->result->files, "rrd_files",
		(json_int_t)backup->result->rrd_files, "bytes", (json_int_t)backup->result->bytes);
}

static int
put_description(struct backup *backup, struct fail *why)
{
	json_t *document = describe(backup);
	char *text = document == NULL ? NULL : json_dumps(document, JSON_INDENT(1));
	char *to = mem_format("%s/" BACKUP_JSON, backup->partial);
	struct copy_made made;
	int result = -1;

	if (text == NULL)
		fail_set(why, "%s: a name that is no UTF-8", to);
	else
		result = copy_text(backup->copy, text, strlen(text), 0640, to, &made, why);
	if (result == 0)
		result = manifest_add(backup->manifest, BACKUP_JSON, made.hash, why);
	json_decref(document);
	free(text);
	free(to);
	return result;
}

/* ---- the store, or its place ---- */

/* What the store does at its start and at its end, in a process of its own with the rights
 * of who owns STATE_DIR: what it makes must be the daemon's to write. */
static int
settle(const struct backup *backup, struct fail *why)
{
	const struct store_options *options = backup->options->store;
	struct stat info;
	int status = 0;
	pid_t pid;

	if (stat(options->state_dir, &info) == -1)
		return fail_errno(options->state_dir, why);
	pid = fork();
	if (pid == 0) {
		struct keeper *keeper;

		if (geteuid() == 0 && info.st_uid != 0 &&
			(setgid(info.st_gid) == -1 || setuid(info.st_uid) == -1))
			_exit(2);
		keeper = keeper_open(options, why);
		if (keeper == NULL)
			_exit(1);
		keeper_now(keeper, 1, wall_now());
		_exit(keeper_finish(keeper) == 0 ? 0 : 3);
	}
	while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	if (pid != -1 && status == 0)
		return 0;
	fail_set(why, "%s: what the daemon left cannot be written to the RRD files: start it once, or see above",
		options->state_dir);
	return -1;
}

static int
take_hold(struct backup *backup, struct fail *why)
{
	int absent = 0;

	for (int tries = 0; tries < ABSENT_TRIES; tries++) {
		struct fail locked;

		backup->lease = lease_take(backup->options->store->run_dir, WORD_TIMEOUT, &absent, why);
		backup->result->running = backup->lease != NULL;
		if (backup->lease != NULL || !absent)
			return backup->lease != NULL ? 0 : -1;
		backup->lock_fd = state_lock(state_dir(backup), &locked);
		if (backup->lock_fd != -1)
			return settle(backup, why);
		poll(NULL, 0, ABSENT_PAUSE_MS);
	}
	fail_prefix(why, "%s is in use, but its store does not answer", state_dir(backup));
	return -1;
}

static void
leave_hold(struct backup *backup)
{
	lease_free(backup->lease);
	backup->lease = NULL;
	if (backup->lock_fd != -1)
		close(backup->lock_fd);
	backup->lock_fd = -1;
}

/* ---- the whole ---- */

static int
copy_held(struct backup *backup, struct fail *why)
{
	const char *rrd_dir = backup->options->store->rrd_dir;
	struct fail lost;

	if (walk(state_dir(backup), rrd_dir, copy_still, backup, why) != 0)
		return -1;
	if (backup->lease != NULL && lease_keep_journal(backup->lease, &lost) == -1)
		return AGAIN;
	if (walk(rrd_dir, "", copy_one_rrd, backup, why) != 0 || copy_journal(backup, why) == -1 ||
		walk(state_dir(backup), rrd_dir, copy_late, backup, why) != 0)
		return -1;
	return 0;
}

/* A store that died may be why something was not there: so it is asked in any case. */
static int
attempt(struct backup *backup, struct fail *why)
{
	struct fail lost;
	int result;

	*backup->result = (struct backup_result){ .attempts = backup->result->attempts + 1 };
	if (take_hold(backup, why) == -1)
		return -1;
	result = copy_held(backup, why);
	if (backup->lease != NULL && lease_end(backup->lease, &lost) == -1) {
		*why = lost;
		result = AGAIN;
	}
	leave_hold(backup);
	if (result != 0)
		return result;
	if (copy_config(backup, why) == -1 || put_description(backup, why) == -1)
		return -1;
	return manifest_finish(backup->manifest, why);
}

/* So that two backups do not sweep each other. */
static int
lock_folder(int fd, const char *path, struct fail *why)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	fail_set(why, "%s: another backup is being made there", path);
	return -1;
}

static int
lock_partial(struct backup *backup, struct fail *why)
{
	char *marker = mem_format("%s/" MARKER, backup->partial);
	int fd = -1;

	backup->partial_fd = open(backup->partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (backup->partial_fd == -1) {
		fail_errno(backup->partial, why);
	} else if (lock_folder(backup->partial_fd, backup->partial, why) == 0) {
		fd = open(marker, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
		if (fd == -1)
			fail_errno(marker, why);
		else
			close(fd);
	}
	free(marker);
	return fd == -1 ? -1 : 0;
}

/* The marker goes before the folder gets its name: killed just then, the list is in it. */
static bool
is_unfinished(const char *partial)
{
	char *marker = mem_format("%s/" MARKER, partial);
	char *manifest = mem_format("%s/" MANIFEST_FILE, partial);
	bool found = access(marker, F_OK) == 0 || access(manifest, F_OK) == 0;

	free(marker);
	free(manifest);
	return found;
}

/* Takes away what an earlier run left, if it is one and nobody is at it. */
static int
sweep(const char *partial, struct fail *why)
{
	int fd = open(partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;

	if (fd == -1)
		return errno == ENOENT ? 0 : fail_errno(partial, why);
	if (lock_folder(fd, partial, why) == -1) {
		result = -1;
	} else if (!is_unfinished(partial) && rmdir(partial) == -1) {
		fail_set(why, "%s: is in the way, and no unfinished backup", partial);
		result = -1;
	} else {
		result = copy_remove_tree(partial, why);
	}
	close(fd);
	return result;
}

static void
close_partial(struct backup *backup)
{
	if (backup->partial_fd == -1)
		return;
	/* A child may have it as well. */
	flock(backup->partial_fd, LOCK_UN);
	close(backup->partial_fd);
	backup->partial_fd = -1;
}

static int
begin_partial(struct backup *backup, struct fail *why)
{
	close_partial(backup);
	manifest_free(backup->manifest);
	backup->manifest = NULL;
	copy_free(backup->copy);
	backup->copy = copy_new();
	if (sweep(backup->partial, why) == -1 || copy_make_folders(backup->partial, why) == -1)
		return -1;
	if (mkdir(backup->partial, 0750) == -1)
		return fail_errno(backup->partial, why);
	if (lock_partial(backup, why) == -1 || count_all(backup, why) == -1 ||
		check_space(backup, why) == -1)
		return -1;
	backup->manifest = manifest_create(backup->partial, why);
	return backup->manifest == NULL ? -1 : 0;
}

static int
finish(struct backup *backup, struct fail *why)
{
	const char *destination = backup->options->destination;
	char *marker = mem_format("%s/" MARKER, backup->partial), *parent = mem_text(destination);
	char *slash = strrchr(parent, '/');
	int result = 0;

	if (slash != NULL)
		slash[slash == parent] = '\0';
	/* All of it is on the disk before it has its name. That takes longest: one that is killed
	 * meanwhile is still marked, and swept by the next. */
	if (syncfs(backup->partial_fd) == -1 || unlink(marker) == -1 ||
		fsync(backup->partial_fd) == -1)
		result = fail_errno(backup->partial, why);
	else if (rename(backup->partial, destination) == -1 ||
		segment_sync_path(slash == NULL ? "." : parent) == -1)
		result = fail_errno(destination, why);
	free(marker);
	free(parent);
	return result;
}

/* An empty folder may be there: rename replaces it. */
static int
check_destination(const char *destination, struct fail *why)
{
	struct stat info;

	if (lstat(destination, &info) == -1)
		return errno == ENOENT ? 0 : fail_errno(destination, why);
	if (S_ISDIR(info.st_mode) && rmdir(destination) == 0)
		return 0;
	fail_set(why, "%s: is there already, a backup needs a new name", destination);
	return -1;
}

int
backup_take(const struct backup_options *options, struct backup_result *result, struct fail *why)
{
	struct backup backup = { .options = options, .result = result, .partial_fd = -1,
		.lock_fd = -1 };
	int got = -1;

	*result = (struct backup_result){ 0 };
	backup.partial = mem_format("%s.partial", options->destination);
	if (check_destination(options->destination, why) == 0)
		do {
			if (begin_partial(&backup, why) == -1)
				break;
			got = attempt(&backup, why);
			if (got == AGAIN && result->attempts < ATTEMPTS)
				say(&backup, "%s: the copy is begun anew", why->text);
		} while (got == AGAIN && result->attempts < ATTEMPTS);
	if (got == 0)
		got = finish(&backup, why);
	leave_hold(&backup);
	manifest_free(backup.manifest);
	copy_free(backup.copy);
	close_partial(&backup);
	free(backup.partial);
	return got == 0 ? 0 : -1;
}

/* ---- rotation ---- */

#define DATED "2026-11-22T060000Z"

char *
backup_dated_name(const char *dir, int64_t wall)
{
	time_t seconds = (time_t)(wall / LOOP_S);
	struct tm utc;
	char name[40];

	gmtime_r(&seconds, &utc);
	strftime(name, sizeof name, "%Y-%m-%dT%H%M%SZ", &utc);
	return mem_format("%s/%s", dir, name);
}

static int
is_dated(const struct dirent *entry)
{
	const char *pattern = DATED, *name = entry->d_name;

	for (; *pattern != '\0'; pattern++, name++)
		if (*pattern >= '0' && *pattern <= '9' ? *name < '0' || *name > '9' : *name != *pattern)
			return 0;
	return *name == '\0';
}

static int
is_dated_partial(const struct dirent *entry)
{
	struct dirent shorter = *entry;
	size_t length = strlen(shorter.d_name);

	if (!ends(shorter.d_name, ".partial"))
		return 0;
	shorter.d_name[length - strlen(".partial")] = '\0';
	return is_dated(&shorter);
}

/* Those of the names that are no longer wanted: how many, or -1 and why. */
static int
remove_names(const char *dir, struct dirent **names, int count, int keep, struct fail *why)
{
	int removed = 0;

	for (int i = 0; i + keep < count && removed >= 0; i++) {
		char *path = mem_format("%s/%s", dir, names[i]->d_name);

		if (copy_remove_tree(path, why) == -1)
			removed = -1;
		else
			removed++;
		free(path);
	}
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return removed;
}

int
backup_rotate(const char *dir, unsigned keep, struct fail *why)
{
	struct dirent **names;
	struct fail busy;
	int count = scandir(dir, &names, is_dated_partial, alphasort);

	for (int i = 0; i < count; i++) {
		char *path = mem_format("%s/%s", dir, names[i]->d_name);

		sweep(path, &busy);
		free(path);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	count = scandir(dir, &names, is_dated, alphasort);
	if (count == -1)
		return fail_errno(dir, why);
	return remove_names(dir, names, count, (int)keep, why);
}
