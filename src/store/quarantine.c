#include "store/quarantine.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal/segment.h"
#include "store/rrd.h"

/* What a file is known by; all 0: there is none, or the disk does not tell. */
struct stamp {
	uint64_t inode;
	int64_t changed; /* wall ns */
	int64_t size;
};

enum hold {
	HOLD_NOTED,   /* is not what the store writes: until it has changed */
	HOLD_KILLER,  /* until it has changed */
	HOLD_FREED,   /* a killer that has changed in its place: has its one chance */
	HOLD_FOREVER, /* it had that: until it is another inode */
};

struct inmate {
	char *file;
	struct stamp stamp;
	enum hold hold;
	bool free;    /* of a noted or freed one: has changed, and was not written yet */
	char *reason; /* of a noted one */
	UT_hash_handle hh;
};

struct quarantine {
	char *state_dir, *rrd_dir, *path;
	struct inmate *inmates;
	bool unsaved; /* the list on disk is not this one */
};

static struct stamp
stamp_of(const struct quarantine *quarantine, const char *file)
{
	char *path = mem_format("%s/%s", quarantine->rrd_dir, file);
	struct stamp stamp = { 0 };
	struct stat info;

	if (stat(path, &info) == 0)
		stamp = (struct stamp){ (uint64_t)info.st_ino,
			info.st_mtim.tv_sec * INT64_C(1000000000) + info.st_mtim.tv_nsec, info.st_size };
	free(path);
	return stamp;
}

static bool
same(const struct stamp *one, const struct stamp *other)
{
	return one->inode == other->inode && one->changed == other->changed &&
		one->size == other->size;
}

static struct inmate *
find(const struct quarantine *quarantine, const char *file)
{
	struct inmate *inmate;

	HASH_FIND_STR(quarantine->inmates, file, inmate);
	return inmate;
}

static struct inmate *
put(struct quarantine *quarantine, const char *file)
{
	struct inmate *inmate = find(quarantine, file);

	if (inmate != NULL)
		return inmate;
	inmate = mem_zero(sizeof *inmate);
	inmate->file = mem_text(file);
	HASH_ADD_KEYPTR(hh, quarantine->inmates, inmate->file, strlen(inmate->file), inmate);
	return inmate;
}

static void
release(struct quarantine *quarantine, struct inmate *inmate)
{
	HASH_DEL(quarantine->inmates, inmate);
	free(inmate->file);
	free(inmate->reason);
	free(inmate);
}

/* "INODE FILE": until it is another inode. "INODE:CHANGED:SIZE FILE": until it has changed.
 * "INODE:0:0 FILE": it has, once. */
static void
load_line(struct quarantine *quarantine, const char *line)
{
	struct stamp stamp = { 0 };
	struct inmate *inmate;
	enum hold hold = HOLD_FOREVER;
	char *at;

	stamp.inode = strtoull(line, &at, 10);
	if (*at == ':') {
		stamp.changed = strtoll(at + 1, &at, 10);
		stamp.size = *at == ':' ? strtoll(at + 1, &at, 10) : 0;
		hold = stamp.changed == 0 ? HOLD_FREED : HOLD_KILLER;
	}
	if (*at != ' ' || at[1] == '\0')
		return;
	inmate = put(quarantine, at + 1);
	inmate->stamp = stamp;
	inmate->hold = hold;
}

/* One that cannot be read is as none; when nobody knows whether there is one: -1 and why. */
static int
load(struct quarantine *quarantine, struct fail *why)
{
	FILE *list = fopen(quarantine->path, "re");
	char *line = NULL;
	size_t room = 0;

	if (list == NULL && file_is_unknown(errno)) {
		fail_set(why, "%s: %s", quarantine->path, strerror(errno));
		return -1;
	}
	if (list == NULL && errno != ENOENT)
		log_error("%s: %s", quarantine->path, strerror(errno));
	while (list != NULL && getline(&line, &room, list) > 0) {
		line[strcspn(line, "\n")] = '\0';
		load_line(quarantine, line);
	}
	free(line);
	if (list != NULL)
		fclose(list);
	return 0;
}

static void
write_line(FILE *list, const struct inmate *inmate)
{
	unsigned long long inode = (unsigned long long)inmate->stamp.inode;

	if (inmate->hold == HOLD_FOREVER)
		fprintf(list, "%llu %s\n", inode, inmate->file);
	else if (inmate->hold == HOLD_FREED)
		fprintf(list, "%llu:0:0 %s\n", inode, inmate->file);
	else if (inmate->hold == HOLD_KILLER)
		fprintf(list, "%llu:%lld:%lld %s\n", inode, (long long)inmate->stamp.changed,
			(long long)inmate->stamp.size, inmate->file);
}

static int
write_list(const struct quarantine *quarantine, const char *path)
{
	FILE *list = fopen(path, "we");
	bool failed;

	if (list == NULL)
		return -1;
	for (struct inmate *inmate = quarantine->inmates; inmate != NULL; inmate = inmate->hh.next)
		write_line(list, inmate);
	failed = fflush(list) == EOF || ferror(list) || fsync(fileno(list)) == -1;
	return fclose(list) == EOF || failed ? -1 : 0;
}

static void
save(struct quarantine *quarantine)
{
	char *fresh = mem_format("%s.new", quarantine->path);
	bool failed = write_list(quarantine, fresh) == -1 || rename(fresh, quarantine->path) == -1 ||
		segment_sync_path(quarantine->state_dir) == -1;

	if (failed && !quarantine->unsaved)
		log_error("%s: not saved, tried again each minute: %s", quarantine->path,
			strerror(errno));
	else if (!failed && quarantine->unsaved)
		log_info("%s: saved now", quarantine->path);
	quarantine->unsaved = failed;
	free(fresh);
}

void
quarantine_save_again(struct quarantine *quarantine)
{
	if (quarantine->unsaved)
		save(quarantine);
}

struct quarantine *
quarantine_open(const char *state_dir, const char *rrd_dir, struct fail *why)
{
	struct quarantine *quarantine = mem_zero(sizeof *quarantine);

	quarantine->state_dir = mem_text(state_dir);
	quarantine->rrd_dir = mem_text(rrd_dir);
	quarantine->path = mem_format("%s/quarantine", state_dir);
	if (load(quarantine, why) == 0)
		return quarantine;
	quarantine_close(quarantine);
	return NULL;
}

void
quarantine_close(struct quarantine *quarantine)
{
	if (quarantine == NULL)
		return;
	while (quarantine->inmates != NULL)
		release(quarantine, quarantine->inmates);
	free(quarantine->state_dir);
	free(quarantine->rrd_dir);
	free(quarantine->path);
	free(quarantine);
}

void
quarantine_add(struct quarantine *quarantine, const char *file)
{
	struct stamp stamp = stamp_of(quarantine, file);
	struct inmate *inmate = put(quarantine, file);
	bool had_its_chance = inmate->hold == HOLD_FREED && inmate->stamp.inode == stamp.inode;

	inmate->hold = had_its_chance ? HOLD_FOREVER : HOLD_KILLER;
	inmate->stamp = stamp;
	save(quarantine);
}

bool
quarantine_holds(struct quarantine *quarantine, const char *file)
{
	struct inmate *inmate = find(quarantine, file);
	struct stamp stamp;

	if (inmate == NULL || inmate->hold == HOLD_NOTED)
		return false;
	stamp = stamp_of(quarantine, file);
	if (inmate->stamp.inode != stamp.inode)
		inmate->hold = HOLD_NOTED;
	else if (inmate->hold == HOLD_KILLER && !same(&inmate->stamp, &stamp))
		inmate->hold = HOLD_FREED;
	else
		return inmate->hold != HOLD_FREED;
	inmate->free = true;
	save(quarantine);
	return false;
}

bool
quarantine_note(struct quarantine *quarantine, const char *file, const char *reason)
{
	struct inmate *inmate = put(quarantine, file);
	struct stamp stamp = stamp_of(quarantine, file);
	bool same_reason;

	if (inmate->hold == HOLD_FREED && inmate->stamp.inode != stamp.inode)
		inmate->hold = HOLD_NOTED;
	if (inmate->hold == HOLD_NOTED || inmate->hold == HOLD_FREED)
		inmate->stamp = stamp;
	same_reason = inmate->reason != NULL && strcmp(inmate->reason, reason) == 0;
	free(inmate->reason);
	inmate->reason = mem_text(reason);
	inmate->free = false;
	return !same_reason;
}

bool
quarantine_frees(struct quarantine *quarantine, const char *file)
{
	struct inmate *inmate = find(quarantine, file);
	struct stamp stamp;

	if (inmate == NULL || (inmate->hold != HOLD_NOTED && inmate->hold != HOLD_FREED))
		return !quarantine_holds(quarantine, file);
	stamp = stamp_of(quarantine, file);
	inmate->free = !same(&inmate->stamp, &stamp);
	return inmate->free;
}

bool
quarantine_written(struct quarantine *quarantine, const char *file)
{
	struct inmate *inmate = find(quarantine, file);

	if (inmate == NULL || !inmate->free)
		return false;
	if (inmate->hold == HOLD_NOTED)
		release(quarantine, inmate);
	else
		inmate->free = false;
	return true;
}
