#include "store/rrd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <rrd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "journal/segment.h"
#include "store/append.h"
#include "store/layout.h"
#include "store/offsets.h"

#define PATH_SIZE 1024

static void
make_path(char path[PATH_SIZE], struct rrd_place place)
{
	snprintf(path, PATH_SIZE, "%s/%s", place.root, place.file);
}

/* ---- what a failure of librrd means; its texts are for people only ---- */

static bool
locked_by_another(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool locked;

	if (fd == -1)
		return false;
	locked = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return locked;
}

/* 1: it begins as an RRD does; 0: it does not; -1: the disk does not tell, errno says why. */
static int
looks_like_rrd(const char *path)
{
	char cookie[4] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC), saved;
	ssize_t got;

	if (fd == -1)
		return -1;
	got = read(fd, cookie, sizeof cookie);
	saved = errno;
	close(fd);
	errno = saved;
	if (got == -1)
		return -1;
	return got == (ssize_t)sizeof cookie && memcmp(cookie, "RRD", sizeof cookie) == 0;
}

static enum rrd_result
judge_root(struct rrd_place place, struct fail *why)
{
	struct statvfs system;
	struct stat info;

	if (stat(place.root, &info) == -1 || statvfs(place.root, &system) == -1) {
		fail_set(why, "%s: %s", place.root, strerror(errno));
		return RRD_REFUSED;
	}
	if (!S_ISDIR(info.st_mode)) {
		fail_set(why, "%s: %s", place.root, strerror(ENOTDIR));
		return RRD_REFUSED;
	}
	if ((system.f_flag & ST_RDONLY) != 0) {
		fail_set(why, "%s: %s", place.root, strerror(EROFS));
		return RRD_REFUSED;
	}
	return RRD_DONE;
}

/* After the disk failed under one file: is it the file, or everything? A disk that is gone
 * still answers stat from memory, but not fsync. */
static enum rrd_result
judge_disk(struct rrd_place place, int error, struct fail *why)
{
	char path[PATH_SIZE];

	if (judge_root(place, why) != RRD_DONE)
		return RRD_REFUSED;
	if (segment_sync_path(place.root) == -1) {
		fail_set(why, "%s: %s", place.root, strerror(errno));
		return RRD_REFUSED;
	}
	make_path(path, place);
	fail_set(why, "%s: %s", path, strerror(error));
	return error == ENOENT ? RRD_MISSING : RRD_LATER;
}

/* After a call on an existing file failed: said is librrd's text. */
static enum rrd_result
judge(struct rrd_place place, const char *said, struct fail *why)
{
	char path[PATH_SIZE];
	int kind;

	make_path(path, place);
	if (judge_root(place, why) != RRD_DONE)
		return RRD_REFUSED;
	if (access(path, R_OK | W_OK) == -1) {
		fail_set(why, "%s: %s", path, strerror(errno));
		return errno == ENOENT ? RRD_MISSING : RRD_LATER;
	}
	if (locked_by_another(path)) {
		fail_set(why, "%s: locked by another program", path);
		return RRD_LATER;
	}
	kind = looks_like_rrd(path);
	if (kind == -1)
		return judge_disk(place, errno, why);
	fail_set(why, "%s: %s", path, *said != '\0' ? said : "librrd gives no reason");
	return kind == 1 ? RRD_LATER : RRD_BAD;
}

/* librrd's text, without the path before it that some of them have. */
static void
take_error(const char *path, char *to, size_t size)
{
	const char *said = rrd_get_error();
	size_t length = strlen(path);

	if (strncmp(said, path, length) == 0 && strncmp(said + length, ": ", 2) == 0)
		said += length + 2;
	str_copy(to, size, said);
	rrd_clear_error();
}

static enum rrd_result
judge_call(struct rrd_place place, struct fail *why)
{
	char path[PATH_SIZE], said[300];

	make_path(path, place);
	take_error(path, said, sizeof said);
	return judge(place, said, why);
}

/* ---- what stands in a head ---- */

#define COUNT_MAX 100000

/* Where the time of the last update stands. */
static size_t
live_head_at(const uint8_t *start)
{
	return offsets_live(offsets_number(start, OFFSETS_DS_COUNT),
		offsets_number(start, OFFSETS_RRA_COUNT));
}

static size_t
head_size(const uint8_t start[OFFSETS_STATIC])
{
	uint64_t ds = offsets_number(start, OFFSETS_DS_COUNT);
	uint64_t rra = offsets_number(start, OFFSETS_RRA_COUNT);

	if (memcmp(start, "RRD", 4) != 0 || ds == 0 || rra == 0 || ds > COUNT_MAX || rra > 1000)
		return 0;
	return offsets_head(ds, rra);
}

/* What is read first: all of it with ten data sources in as many archives. In whole pages, as
 * each that has left the kernel's memory costs more than all that is done with it. */
#define HEAD_BEGIN 12288

/* Reading would note its time in the inode, and fetch what lies behind the head as well. The
 * former may be left out by a file's owner only. */
static int
open_for_head(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOATIME);

	if (fd == -1 && errno == EPERM)
		fd = open(path, flags | O_CLOEXEC);
	if (fd != -1)
		posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	return fd;
}

/* The head of an open file; 0, or -1 when it has none. */
static int
read_head(int fd, struct rrd_head *head)
{
	uint8_t *bytes = mem_grow(NULL, HEAD_BEGIN, 1);
	struct stat info;
	ssize_t got = fstat(fd, &info) == -1 ? -1 : pread(fd, bytes, HEAD_BEGIN, 0);
	size_t size = got < OFFSETS_STATIC ? 0 : head_size(bytes), rest = 0;

	*head = (struct rrd_head){ 0 };
	if (size == 0 || (off_t)size > info.st_size)
		goto none;
	if (size > (size_t)got) {
		rest = size - (size_t)got;
		bytes = mem_grow(bytes, size, 1);
	}
	if (rest > 0 && pread(fd, bytes + got, rest, got) != (ssize_t)rest)
		goto none;
	*head = (struct rrd_head){ .inode = (uint64_t)info.st_ino, .bytes = bytes, .size = size,
		.file_size = info.st_size, .has_holes = info.st_blocks * 512 < info.st_size };
	return 0;
none:
	free(bytes);
	return -1;
}

/* ---- shape ---- */

/* The RRA functions that we know; NULL. */
static const char *
function_named(const char *name)
{
	static const char *const functions[] = { "AVERAGE", "MIN", "MAX", "LAST" };

	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
		if (strcmp(name, functions[i]) == 0)
			return functions[i];
	return NULL;
}

/* A name in a definition; NULL when it has no end. */
static const char *
name_at(const uint8_t *bytes, size_t at)
{
	const char *name = (const char *)bytes + at;

	return memchr(name, '\0', RRD_DS_NAME) != NULL ? name : NULL;
}

/* The RRAs' definitions at `at`; how many octets their rows take, 0: not all is as we make it. */
static uint64_t
take_rra_definitions(struct rrd_shape *shape, const uint8_t *bytes, size_t at)
{
	uint64_t octets = 0;

	for (int i = 0; i < shape->rra_count; i++, at += OFFSETS_DEFINITION) {
		struct layout_rra *rra = &shape->rra[i];
		const char *name = name_at(bytes, at);

		rra->function = name == NULL ? NULL : function_named(name);
		rra->rows = (int64_t)offsets_number(bytes, at + OFFSETS_ROWS);
		rra->slots = (int64_t)offsets_number(bytes, at + OFFSETS_SLOTS);
		if (rra->function == NULL || rra->rows <= 0 || rra->rows > INT32_MAX)
			return 0;
		octets += (uint64_t)rra->rows * shape->ds_count * sizeof(double);
	}
	return octets;
}

/* librrd's own information on a file is a list of some hundred texts. False when all is not as
 * we make it: then librrd is asked, which knows older forms and says what is wrong. */
static bool
shape_of_head(const struct rrd_head *head, struct rrd_shape *shape)
{
	const uint8_t *bytes = head->bytes;
	size_t definitions = OFFSETS_STATIC + OFFSETS_DEFINITION * offsets_number(bytes, OFFSETS_DS_COUNT);

	if (!offsets_known(bytes) || offsets_number(bytes, OFFSETS_RRA_COUNT) > LAYOUT_RRAS)
		return false;
	shape->step = (int64_t)offsets_number(bytes, OFFSETS_STEP);
	shape->last = (int64_t)offsets_number(bytes, live_head_at(bytes));
	shape->ds_count = (size_t)offsets_number(bytes, OFFSETS_DS_COUNT);
	shape->rra_count = (int)offsets_number(bytes, OFFSETS_RRA_COUNT);
	if (shape->step <= 0 ||
		head->size + take_rra_definitions(shape, bytes, definitions) != head->file_size)
		return false;
	shape->ds = mem_array(shape->ds_count, sizeof *shape->ds);
	for (size_t i = 0; i < shape->ds_count; i++) {
		const char *name = name_at(bytes, OFFSETS_STATIC + OFFSETS_DEFINITION * i);

		if (name == NULL || *name == '\0')
			goto no;
		memcpy(shape->ds[i], name, strlen(name));
	}
	return true;
no:
	free(shape->ds);
	return false;
}

static bool
read_shape(const char *path, struct rrd_shape *shape)
{
	struct rrd_head head = { 0 };
	int fd = open_for_head(path, O_RDONLY);
	bool done = fd != -1 && read_head(fd, &head) == 0 && shape_of_head(&head, shape);

	if (fd != -1)
		close(fd);
	free(head.bytes);
	if (!done)
		*shape = (struct rrd_shape){ 0 };
	return done;
}

static void
take_rra(struct rrd_shape *shape, const rrd_info_t *info)
{
	struct layout_rra *rra;
	unsigned number;
	char what[20];

	if (sscanf(info->key, "rra[%u].%19s", &number, what) != 2)
		return;
	if (number >= LAYOUT_RRAS) {
		shape->rra_count = (int)number + 1;
		return;
	}
	rra = &shape->rra[number];
	if (strcmp(what, "cf") == 0 && info->type == RD_I_STR) {
		shape->rra_count = (int)number + 1;
		rra->function = function_named(info->value.u_str);
		if (rra->function == NULL)
			rra->function = "?";
	} else if (strcmp(what, "rows") == 0 && info->type == RD_I_CNT) {
		rra->rows = (int64_t)info->value.u_cnt;
	} else if (strcmp(what, "pdp_per_row") == 0 && info->type == RD_I_CNT) {
		rra->slots = (int64_t)info->value.u_cnt;
	}
}

static void
take_info(struct rrd_shape *shape, const rrd_info_t *info)
{
	const char *name, *end;

	if (strcmp(info->key, "step") == 0 && info->type == RD_I_CNT)
		shape->step = (int64_t)info->value.u_cnt;
	if (strcmp(info->key, "last_update") == 0 && info->type == RD_I_CNT)
		shape->last = (int64_t)info->value.u_cnt;
	take_rra(shape, info);
	end = strstr(info->key, "].index");
	if (strncmp(info->key, "ds[", 3) != 0 || end == NULL)
		return;
	name = info->key + 3;
	if ((size_t)(end - name) >= RRD_DS_NAME)
		return;
	shape->ds = mem_grow(shape->ds, shape->ds_count + 1, sizeof *shape->ds);
	memset(shape->ds[shape->ds_count], 0, RRD_DS_NAME);
	memcpy(shape->ds[shape->ds_count++], name, (size_t)(end - name));
}

enum rrd_result
rrd_file_shape(struct rrd_place place, struct rrd_shape *shape, struct fail *why)
{
	char path[PATH_SIZE];
	rrd_info_t *info;

	*shape = (struct rrd_shape){ 0 };
	make_path(path, place);
	if (read_shape(path, shape))
		return RRD_DONE;
	if (access(path, F_OK) == -1 && errno == ENOENT) {
		fail_set(why, "%s: %s", path, strerror(ENOENT));
		return judge_root(place, why) != RRD_DONE ? RRD_REFUSED : RRD_MISSING;
	}
	rrd_clear_error();
	info = rrd_info_r(path);
	if (info == NULL)
		return judge_call(place, why);
	for (const rrd_info_t *at = info; at != NULL; at = at->next)
		take_info(shape, at);
	rrd_info_free(info);
	if (shape->step > 0 && shape->ds_count > 0)
		return RRD_DONE;
	fail_set(why, "%s: no RRD file of ours", path);
	free(shape->ds);
	*shape = (struct rrd_shape){ 0 };
	return RRD_BAD;
}

/* ---- making ---- */

int
rrd_make_folders(struct rrd_place place, struct fail *why)
{
	char path[PATH_SIZE];
	size_t root = strlen(place.root);

	make_path(path, place);
	for (char *slash = strchr(path + root + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) == 0) {
			char *parent = strrchr(path, '/');

			*parent = '\0';
			segment_sync_path(path);
			*parent = '/';
		} else if (errno != EEXIST) {
			fail_set(why, "%s: %s", path, strerror(errno));
			return -1;
		}
		*slash = '/';
	}
	return 0;
}

/* A file is made in a folder of its own beside its place, synced, and then moved there: a
 * power cut leaves it whole or not at all, and what librrd left half made lies where nothing
 * of anybody else's does. */
#define WORKSHOP ".pollwerk.new"

struct workshop {
	char folder[PATH_SIZE]; /* the file's own */
	char shop[PATH_SIZE + sizeof WORKSHOP];
	char piece[PATH_SIZE + sizeof WORKSHOP + 4];
};

static void
empty_workshop(const char *path)
{
	struct dirent *entry;
	DIR *shop = opendir(path);

	if (shop == NULL)
		return;
	while ((entry = readdir(shop)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(shop), entry->d_name, 0);
	closedir(shop);
}

static void
workshop_place(struct workshop *workshop, const char *path)
{
	str_copy(workshop->folder, sizeof workshop->folder, path);
	*strrchr(workshop->folder, '/') = '\0';
	snprintf(workshop->shop, sizeof workshop->shop, "%s/" WORKSHOP, workshop->folder);
	snprintf(workshop->piece, sizeof workshop->piece, "%s/rrd", workshop->shop);
}

/* An empty one, whatever a predecessor left in it; -1 errno. */
static int
workshop_open(struct workshop *workshop, const char *path)
{
	workshop_place(workshop, path);
	if (mkdir(workshop->shop, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	empty_workshop(workshop->shop);
	return 0;
}

static void
workshop_close(const struct workshop *workshop)
{
	int saved = errno;

	if (rmdir(workshop->shop) == -1 && errno != ENOENT) {
		empty_workshop(workshop->shop);
		rmdir(workshop->shop);
	}
	errno = saved;
}

static int
move_into_place(const struct workshop *workshop, const char *path, bool replace)
{
	unsigned flags = replace ? 0 : RENAME_NOREPLACE;

	if (renameat2(AT_FDCWD, workshop->piece, AT_FDCWD, path, flags) == 0)
		return 0;
	/* Not every file system knows the flag; we are the only one who makes files here. */
	if (errno != EINVAL || replace || access(path, F_OK) == 0)
		return -1;
	return rename(workshop->piece, path);
}

static int
deliver(const struct workshop *workshop, const char *path, bool replace)
{
	int fd = open(workshop->piece, O_RDONLY | O_CLOEXEC), result;

	if (fd == -1)
		return -1;
	result = fsync(fd);
	/* A fresh file sits in the cache in large pieces that each update would write whole. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	if (result == -1 || move_into_place(workshop, path, replace) == -1)
		return -1;
	return segment_sync_path(workshop->folder);
}

struct create_call {
	const char **args;
	size_t count;
};

static struct create_call
create_arguments(const struct layout *layout, const char *const *ds, size_t ds_count)
{
	struct create_call call = { mem_array(ds_count + (size_t)layout->count, sizeof(char *)), 0 };

	for (size_t i = 0; i < ds_count; i++)
		call.args[call.count++] = mem_format("DS:%s:GAUGE:%lld:U:U", ds[i],
			(long long)layout->step);
	for (int i = 0; i < layout->count; i++)
		call.args[call.count++] = mem_format("RRA:%s:0.5:%lld:%lld", layout->rra[i].function,
			(long long)layout->rra[i].slots, (long long)layout->rra[i].rows);
	return call;
}

/* librrd says nothing at all when the disk is full. error: of a call of our own, or 0. */
static enum rrd_result
judge_create(struct rrd_place place, int64_t wanted, const char *said, int error,
	struct fail *why)
{
	struct statvfs system;
	char path[PATH_SIZE];

	if (judge_disk(place, error, why) == RRD_REFUSED)
		return RRD_REFUSED;
	make_path(path, place);
	if (error == ENOSPC || (statvfs(place.root, &system) == 0 &&
		(int64_t)(system.f_bavail * system.f_frsize) < wanted))
		fail_set(why, "%s: %s (%lld bytes are needed)", path, strerror(ENOSPC),
			(long long)wanted);
	else if (error != 0)
		fail_set(why, "%s: cannot be made: %s", path, strerror(error));
	else
		fail_set(why, "%s: cannot be made: %s", path,
			*said != '\0' ? said : "librrd gives no reason");
	return RRD_LATER;
}

/* -1, and librrd says why. */
static int
create_by_librrd(const char *path, const struct layout *layout, int64_t first,
	const char *const *ds, size_t ds_count)
{
	struct create_call call = create_arguments(layout, ds, ds_count);
	int result;

	rrd_clear_error();
	result = rrd_create_r2(path, (unsigned long)layout->step, (time_t)(first - layout->step), 1,
		NULL, NULL, (int)call.count, call.args);
	for (size_t i = 0; i < call.count; i++)
		free((char *)call.args[i]);
	free(call.args);
	return result == 0 ? 0 : -1;
}

/* Of a file with one row in each archive, the head as with all rows; 0, or -1: it is not as
 * expected. librrd begins its rings anywhere, so that not all files come to a page's end at once. */
static int
lengthen_head(struct rrd_head *head, const struct layout *layout, size_t ds_count)
{
	size_t count = (size_t)layout->count;
	uint8_t *definition = head->bytes + OFFSETS_STATIC + OFFSETS_DEFINITION * ds_count;
	uint8_t *newest = head->bytes + head->size - OFFSETS_POINTER * count;

	if (!offsets_known(head->bytes) || head->size != offsets_head(ds_count, count) ||
		head->file_size != head->size + count * ds_count * sizeof(double))
		return -1;
	for (size_t i = 0; i < count; i++, definition += OFFSETS_DEFINITION) {
		uint64_t rows = (uint64_t)layout->rra[i].rows, place = (uint64_t)rrd_random() % rows;

		if (offsets_number(definition, OFFSETS_ROWS) != 1)
			return -1;
		memcpy(definition + OFFSETS_ROWS, &rows, sizeof rows);
		memcpy(newest + OFFSETS_POINTER * i, &place, sizeof place);
	}
	return 0;
}

#define FILL_AT_ONCE (256 << 10)

/* Unknown, as librrd writes it, up to the end. -1 errno. */
static int
fill_rows(int fd, uint64_t at, uint64_t end)
{
	double unknown = rrd_set_to_DNAN(), *rows = mem_array(FILL_AT_ONCE / sizeof unknown, sizeof unknown);
	int result = 0;

	for (size_t i = 0; i < FILL_AT_ONCE / sizeof unknown; i++)
		rows[i] = unknown;
	for (; at < end && result == 0; at += FILL_AT_ONCE)
		result = file_write(fd, rows, end - at < FILL_AT_ONCE ? end - at : FILL_AT_ONCE, at);
	free(rows);
	return result;
}

/* 1: it was not made, librrd is to do it. -1 errno: of the disk. */
static int
lengthen(const char *path, const struct layout *layout, size_t ds_count)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), result = 1;
	struct rrd_head head = { 0 };

	if (fd == -1)
		return -1;
	if (read_head(fd, &head) == 0 && lengthen_head(&head, layout, ds_count) == 0) {
		/* Pages that have their place cost less; where it cannot be had, writing says why. */
		fallocate(fd, 0, 0, layout_bytes(layout, ds_count));
		result = file_write(fd, head.bytes, head.size, 0) == 0 &&
			fill_rows(fd, head.size, (uint64_t)layout_bytes(layout, ds_count)) == 0 ? 0 : -1;
	}
	free(head.bytes);
	close(fd);
	return result;
}

/* librrd makes a file of some MB through a mapping, a fault a page: a third of the time goes when
 * it makes one with a row in each archive, and the rows are written by a few calls. -1: why is in
 * *error, or librrd says it. */
static int
make_piece(const char *path, const struct layout *layout, int64_t first, const char *const *ds,
	size_t ds_count, int *error)
{
	struct layout brief = *layout;
	int result;

	for (int i = 0; i < brief.count; i++)
		brief.rra[i].rows = 1;
	if (create_by_librrd(path, &brief, first, ds, ds_count) == -1)
		return -1;
	result = lengthen(path, layout, ds_count);
	if (result == 0)
		return 0;
	if (result == -1) {
		*error = errno;
		return -1;
	}
	unlink(path);
	return create_by_librrd(path, layout, first, ds, ds_count);
}

enum rrd_result
rrd_file_create(struct rrd_place place, const struct layout *layout, int64_t first,
	const char *const *ds, size_t ds_count, struct fail *why)
{
	char path[PATH_SIZE], said[300] = "";
	struct workshop workshop;
	int error = 0;

	make_path(path, place);
	if (judge_root(place, why) != RRD_DONE)
		return RRD_REFUSED;
	if (rrd_make_folders(place, why) == -1)
		return errno == EIO ? judge_disk(place, EIO, why) : RRD_LATER;
	if (workshop_open(&workshop, path) == -1)
		return judge_create(place, layout_bytes(layout, ds_count), said, errno, why);
	if (make_piece(workshop.piece, layout, first, ds, ds_count, &error) == -1)
		take_error(workshop.piece, said, sizeof said);
	else if (deliver(&workshop, path, false) == 0)
		goto done;
	else
		error = errno;
	workshop_close(&workshop);
	return judge_create(place, layout_bytes(layout, ds_count), said, error, why);
done:
	workshop_close(&workshop);
	return RRD_DONE;
}

/* librrd makes a new file beside the one that it is given, and renames: here that one is a
 * second name of the file, so that the file itself is replaced by a synced one only. */
enum rrd_result
rrd_file_add(struct rrd_place place, const char *ds, int64_t step, struct fail *why)
{
	char path[PATH_SIZE], definition[80], command[] = "tune";
	struct workshop workshop;
	char *args[] = { command, workshop.piece, definition, NULL };
	enum rrd_result result = RRD_DONE;

	make_path(path, place);
	/* rrd_tune replaces the file; a lock that somebody holds would be lost with it. */
	if (locked_by_another(path)) {
		fail_set(why, "%s: locked by another program", path);
		return RRD_LATER;
	}
	snprintf(definition, sizeof definition, "DS:%s:GAUGE:%lld:U:U", ds, (long long)step);
	if (workshop_open(&workshop, path) == -1)
		return judge_disk(place, errno, why);
	rrd_clear_error();
	if (link(path, workshop.piece) == -1)
		result = judge_disk(place, errno, why);
	else if (rrd_tune(3, args) != 0)
		result = judge_call(place, why);
	else if (deliver(&workshop, path, true) == -1)
		result = judge_disk(place, errno, why);
	workshop_close(&workshop);
	return result;
}

/* ---- rows ---- */

enum rrd_result
rrd_file_update(struct rrd_place place, const char *names, const char *const *rows,
	size_t count, struct fail *why)
{
	char path[PATH_SIZE];

	make_path(path, place);
	rrd_clear_error();
	if (rrd_update_r(path, names, (int)count, (const char **)rows) == 0)
		return RRD_DONE;
	return judge_call(place, why);
}

static int
write_pieces(int fd, const struct append_piece *pieces, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (file_write(fd, pieces[i].octets, pieces[i].size, (uint64_t)pieces[i].at) == -1)
			return -1;
	return 0;
}

/* As librrd's own, which does not wait for it either. */
static bool
lock_whole(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_SETLK, &lock) == 0;
}

enum rrd_result
rrd_file_append(struct rrd_place place, struct append *append, const struct append_rows *rows,
	int fd, bool *done, struct rrd_head *before, struct fail *why)
{
	enum rrd_result result = RRD_DONE;
	const struct append_piece *pieces;
	struct rrd_head head = { 0 };
	char path[PATH_SIZE];
	size_t count = 0;

	*before = head;
	if (fd == -1) {
		make_path(path, place);
		fd = open_for_head(path, O_RDWR);
	}
	/* Whatever is the matter, librrd's call will find it, too, and say. */
	if (fd != -1 && lock_whole(fd) && read_head(fd, &head) == 0)
		count = append_work(append, &head, rows, &pieces);
	*done = count > 0;
	if (count > 0 && write_pieces(fd, pieces, count) == -1) {
		result = judge_disk(place, errno, why);
		append_take_back(append, &head);
		*before = head;
	} else {
		free(head.bytes);
	}
	if (fd != -1)
		close(fd);
	return result;
}

enum rrd_result
rrd_file_sync(struct rrd_place place, struct fail *why)
{
	char path[PATH_SIZE];
	int fd, result;

	make_path(path, place);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1) {
		fail_set(why, "%s: %s", path, strerror(errno));
		return errno == ENOENT ? RRD_MISSING : RRD_LATER;
	}
	result = fdatasync(fd);
	if (result == -1)
		fail_set(why, "%s: %s", path, strerror(errno));
	close(fd);
	return result == -1 ? RRD_LATER : RRD_DONE;
}

/* ---- heads, see undo.h ---- */

uint64_t
rrd_file_inode(struct rrd_place place)
{
	struct stat info;
	char path[PATH_SIZE];

	make_path(path, place);
	return stat(path, &info) == 0 ? (uint64_t)info.st_ino : 0;
}

/* Asks for the pages that the next rows will change, so that they come beside each other and not
 * one after the other when each is written. Of those at hand this costs next to nothing. */
static void
read_ahead(int fd, const struct rrd_head *head, size_t rows)
{
	const uint8_t *bytes = head->bytes;
	uint64_t ds = offsets_number(bytes, OFFSETS_DS_COUNT);
	uint64_t rra = offsets_number(bytes, OFFSETS_RRA_COUNT), at = head->size;
	uint64_t step = offsets_number(bytes, OFFSETS_STEP);
	uint64_t slot = step == 0 ? 0 : offsets_number(bytes, live_head_at(bytes)) / step;

	for (uint64_t i = 0; i < rra; i++) {
		size_t definition = OFFSETS_STATIC + OFFSETS_DEFINITION * (ds + i);
		uint64_t room = offsets_number(bytes, definition + OFFSETS_ROWS);
		uint64_t slots = offsets_number(bytes, definition + OFFSETS_SLOTS);
		uint64_t place = offsets_number(bytes, head->size - OFFSETS_POINTER * (rra - i)) + 1;
		uint64_t ending = slots == 0 ? 0 : (slot + rows) / slots - slot / slots;

		if (place >= room)
			place = 0;
		if (ending > room - place)
			ending = room - place;
		if (ending > 0)
			posix_fadvise(fd, (off_t)(at + place * ds * sizeof(double)),
				(off_t)(ending * ds * sizeof(double)), POSIX_FADV_WILLNEED);
		at += room * ds * sizeof(double);
	}
}

int
rrd_file_head(struct rrd_place place, struct rrd_head *head, struct fail *why)
{
	char path[PATH_SIZE];
	int fd, result;

	make_path(path, place);
	fd = open_for_head(path, O_RDONLY);
	if (fd == -1) {
		fail_set(why, "%s: %s", path, strerror(errno));
		return -1;
	}
	result = read_head(fd, head);
	if (result == -1)
		fail_set(why, "%s: no RRD file of ours", path);
	close(fd);
	return result;
}

int
rrd_file_ready(struct rrd_place place, size_t rows, struct rrd_head *head, struct fail *why)
{
	char path[PATH_SIZE];
	int fd;

	make_path(path, place);
	fd = open_for_head(path, O_RDWR);
	if (fd != -1 && read_head(fd, head) == 0) {
		read_ahead(fd, head, rows);
		return fd;
	}
	fail_set(why, "%s: %s", path, fd == -1 ? strerror(errno) : "no RRD file of ours");
	if (fd != -1)
		close(fd);
	return -1;
}

int64_t
rrd_head_step(const struct rrd_head *head)
{
	return (int64_t)offsets_number(head->bytes, OFFSETS_STEP);
}

int64_t
rrd_head_last(const struct rrd_head *head)
{
	return (int64_t)offsets_number(head->bytes,
		offsets_live((size_t)offsets_number(head->bytes, OFFSETS_DS_COUNT),
		(size_t)offsets_number(head->bytes, OFFSETS_RRA_COUNT)));
}

const char *
rrd_head_ds(const struct rrd_head *head, size_t i)
{
	if (i >= offsets_number(head->bytes, OFFSETS_DS_COUNT))
		return NULL;
	return name_at(head->bytes, OFFSETS_STATIC + OFFSETS_DEFINITION * i);
}

static const char *
archive_function(const struct rrd_head *head, size_t i)
{
	return name_at(head->bytes, OFFSETS_STATIC + OFFSETS_DEFINITION *
		(offsets_number(head->bytes, OFFSETS_DS_COUNT) + i));
}

/* Of the first archive that is none of AVERAGE, MIN, MAX and LAST; the count when there is none. */
static size_t
find_stranger(const struct rrd_head *head)
{
	size_t count = offsets_number(head->bytes, OFFSETS_RRA_COUNT), i = 0;

	for (; i < count; i++) {
		const char *function = archive_function(head, i);

		if (function == NULL || function_named(function) == NULL)
			break;
	}
	return i;
}

static const uint8_t *
source_definition(const struct rrd_head *head, size_t i)
{
	return head->bytes + OFFSETS_STATIC + OFFSETS_DEFINITION * i;
}

static bool
is_gauge(const uint8_t *definition)
{
	return memcmp(definition + OFFSETS_TYPE, "GAUGE", sizeof "GAUGE") == 0;
}

static bool
beats(const struct rrd_head *head, const uint8_t *definition)
{
	return offsets_number(definition, OFFSETS_HEARTBEAT) >=
		offsets_number(head->bytes, OFFSETS_STEP);
}

bool
rrd_head_takes_all(const struct rrd_head *head)
{
	size_t count = offsets_number(head->bytes, OFFSETS_DS_COUNT);

	for (size_t i = 0; i < count; i++)
		if (!is_gauge(source_definition(head, i)) || !beats(head, source_definition(head, i)))
			return false;
	return find_stranger(head) == offsets_number(head->bytes, OFFSETS_RRA_COUNT);
}

static int
check_source(struct rrd_place place, const struct rrd_head *head, size_t i, struct fail *why)
{
	const uint8_t *definition = source_definition(head, i);
	const char *name = rrd_head_ds(head, i), *type = name_at(definition, OFFSETS_TYPE);

	if (!is_gauge(definition))
		fail_set(why, "%s/%s: data source %s is %s, values go into a GAUGE: move the file away, or change it with rrdtool tune",
			place.root, place.file, name, type != NULL ? type : "of no known type");
	else if (!beats(head, definition))
		fail_set(why, "%s/%s: data source %s has a heartbeat of %llu s, less than one step, which makes all values unknown: change it with rrdtool tune, or move the file away",
			place.root, place.file, name,
			(unsigned long long)offsets_number(definition, OFFSETS_HEARTBEAT));
	else
		return 0;
	return -1;
}

int
rrd_head_takes(struct rrd_place place, const struct rrd_head *head, const char *ds,
	struct fail *why)
{
	size_t stranger = find_stranger(head);
	const char *name;

	if (stranger < offsets_number(head->bytes, OFFSETS_RRA_COUNT)) {
		name = archive_function(head, stranger);
		fail_set(why, "%s/%s: RRA %zu is %s, whose rows cannot be written once more after a crash: move the file away, or take out with rrdtool tune what is not AVERAGE, MIN, MAX or LAST",
			place.root, place.file, stranger, name != NULL ? name : "of no known kind");
		return -1;
	}
	for (size_t i = 0; (name = rrd_head_ds(head, i)) != NULL; i++)
		if (strcmp(name, ds) == 0)
			return check_source(place, head, i, why);
	return 0;
}

/* Is that file still the one, of that shape, and not older than the head? */
static bool
head_fits(const struct rrd_head *head, const struct rrd_head *now)
{
	size_t live;

	if (head->size < OFFSETS_STATIC || head_size(head->bytes) != head->size ||
		now->inode != head->inode || now->size != head->size)
		return false;
	live = live_head_at(head->bytes);
	return memcmp(now->bytes, head->bytes, live) == 0 &&
		offsets_number(now->bytes, live) >= offsets_number(head->bytes, live);
}

enum rrd_result
rrd_file_restore(struct rrd_place place, const struct rrd_head *head, struct fail *why)
{
	enum rrd_result result = RRD_MISSING;
	struct rrd_head now = { 0 };
	char path[PATH_SIZE];
	int fd;

	make_path(path, place);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return errno == ELOOP ? RRD_MISSING : judge_disk(place, errno, why);
	errno = 0;
	if (read_head(fd, &now) == -1) {
		if (errno != 0)
			result = judge_disk(place, errno, why);
	} else if (head_fits(head, &now)) {
		result = RRD_DONE;
		if (file_write(fd, head->bytes, head->size, 0) == -1)
			result = judge_disk(place, errno, why);
	}
	free(now.bytes);
	close(fd);
	return result;
}

/* ---- what a mapping cannot tell ---- */

enum rrd_result
rrd_file_fill(struct rrd_place place, struct fail *why)
{
	char path[PATH_SIZE];
	struct stat info;
	int fd, error = 0;

	make_path(path, place);
	if (stat(path, &info) == -1)
		return judge_disk(place, errno, why);
	if (info.st_blocks * 512 >= info.st_size)
		return RRD_DONE;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return judge_disk(place, errno, why);
	/* Where it is not known (compressing file systems) we do without. */
	if (fallocate(fd, 0, 0, info.st_size) == -1 && (errno == ENOSPC || errno == EDQUOT ||
		errno == EIO || errno == EROFS))
		error = errno;
	close(fd);
	return error == 0 ? RRD_DONE : judge_disk(place, error, why);
}

static int
read_through(int fd)
{
	static char bytes[1 << 16];
	ssize_t got;

	do
		got = read(fd, bytes, sizeof bytes);
	while (got > 0 || (got == -1 && errno == EINTR));
	return got == 0 ? 0 : -1;
}

enum rrd_result
rrd_file_probe(struct rrd_place place, struct fail *why)
{
	struct statvfs system;
	char path[PATH_SIZE];
	int fd, error = 0;

	make_path(path, place);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return judge_disk(place, errno, why);
	if (read_through(fd) == -1 || fdatasync(fd) == -1)
		error = errno;
	else if (fstatvfs(fd, &system) == 0 && system.f_bavail == 0)
		error = ENOSPC;
	close(fd);
	return error == 0 ? RRD_DONE : judge_disk(place, error, why);
}

void
rrd_file_sweep(struct rrd_place place)
{
	struct workshop workshop;
	char path[PATH_SIZE];

	make_path(path, place);
	workshop_place(&workshop, path);
	workshop_close(&workshop);
}
