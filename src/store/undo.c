#include "store/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "journal/record.h"
#include "journal/segment.h"
#include "store/rrd.h"

#define NAME_MAX_BYTES 1000
/* In the size of an entry: its head stands there without its zeros. */
#define PACKED (UINT32_C(1) << 31)
#define HEAD_MOST (64u << 20) /* no file of ours has as many data sources */
/* What a log may hold on the disk after a busy minute; a head takes some 2 KB. */
#define ROOM_KEPT (UINT64_C(256) << 20)

struct undo_log {
	char *path;
	int fd;
	struct record_buffer fresh; /* entries not yet on disk */
	uint64_t length;            /* synced bytes */
	uint64_t room;              /* bytes that stand there, the void ones too */
	bool ours; /* all of them came since the start, for one generation after the other */
};

struct waiting {
	char *name;
	struct rrd_head head;
	UT_hash_handle hh;
};

struct undo {
	char *rrd_dir;
	uint64_t generation, next; /* next: 0 while no checkpoint is under way */
	struct undo_log logs[2];   /* by generation modulo 2 */
	struct waiting *waiting;
	struct record_buffer entry; /* the one that is being noted */
	struct record_buffer head;  /* the one that is being put back */
};

static int
fail_errno(const struct undo_log *log, struct fail *why)
{
	fail_set(why, "%s: %s", log->path, strerror(errno));
	return -1;
}

static struct undo_log *
log_of(struct undo *undo, uint64_t generation)
{
	return &undo->logs[generation % 2];
}

/* Old entries are written over: their generation says that they are void, and a sync of what
 * has its place on the disk already costs a fraction and waits for nobody else's. Not where
 * they might be of the generation to come: from before a start, or of one that failed. */
static void
begin_log(struct undo_log *log)
{
	log->fresh.used = 0;
	log->length = 0;
	if ((log->ours && log->room <= ROOM_KEPT) || ftruncate(log->fd, 0) == -1)
		return;
	log->room = 0;
	log->ours = true;
}

static uint8_t *
room_behind(struct record_buffer *buffer, size_t size)
{
	if (buffer->room - buffer->used < size) {
		buffer->room = buffer->used + size;
		buffer->bytes = mem_grow(buffer->bytes, buffer->room, 1);
	}
	return buffer->bytes + buffer->used;
}

/* ---- heads, without their zeros ---- */

/* Two of three words of a head are 0: what librrd keeps room for and does not use. Words of 8
 * octets; first a bit for each that is not 0, then those; then what is less than a word. */
#define WORD 8

static size_t
packed_most(size_t size)
{
	return size + (size / WORD + 7) / 8;
}

/* How many octets, at most packed_most(size). */
static size_t
pack_head(uint8_t *to, const uint8_t *head, size_t size)
{
	size_t words = size / WORD, used = (words + 7) / 8;

	for (size_t i = 0; i < words; i += 8) {
		size_t count = words - i < 8 ? words - i : 8;
		unsigned bits = 0;

		for (size_t k = 0; k < count; k++) {
			uint64_t word;

			memcpy(&word, head + (i + k) * WORD, WORD);
			if (word == 0)
				continue;
			memcpy(to + used, &word, WORD);
			used += WORD;
			bits |= 1u << k;
		}
		to[i / 8] = (uint8_t)bits;
	}
	memcpy(to + used, head + words * WORD, size % WORD);
	return used + size % WORD;
}

/* -1: what is there makes no head of that size. */
static int
unpack_head(uint8_t *head, size_t size, const uint8_t *from, const uint8_t *end)
{
	size_t words = size / WORD;
	const uint8_t *bits = from;

	if ((size_t)(end - from) < (words + 7) / 8)
		return -1;
	from += (words + 7) / 8;
	for (size_t i = 0; i < words; i++) {
		bool is_there = (bits[i / 8] >> i % 8 & 1) != 0;

		if (is_there && end - from < WORD)
			return -1;
		memset(head + i * WORD, 0, WORD);
		if (is_there)
			memcpy(head + i * WORD, from, WORD);
		from += is_there ? WORD : 0;
	}
	if ((size_t)(end - from) != size % WORD)
		return -1;
	memcpy(head + words * WORD, from, size % WORD);
	return 0;
}

/* ---- putting back ---- */

void
undo_let_wait(struct undo *undo, const char *name, const struct rrd_head *head)
{
	struct waiting *waiting;

	HASH_FIND_STR(undo->waiting, name, waiting);
	if (waiting != NULL)
		return;
	waiting = mem_zero(sizeof *waiting);
	waiting->name = mem_text(name);
	waiting->head = *head;
	waiting->head.bytes = mem_zero(head->size);
	memcpy(waiting->head.bytes, head->bytes, head->size);
	HASH_ADD_KEYPTR(hh, undo->waiting, waiting->name, strlen(waiting->name), waiting);
}

static void
wait_no_more(struct undo *undo, struct waiting *waiting)
{
	HASH_DEL(undo->waiting, waiting);
	free(waiting->head.bytes);
	free(waiting->name);
	free(waiting);
}

/* Points into the entry, or is unpacked; false when it is none. */
static bool
take_head(struct undo *undo, struct record_cursor *at, bool packed, struct rrd_head *head)
{
	head->bytes = (uint8_t *)at->at;
	head->size = (size_t)(at->end - at->at);
	if (!packed)
		return !at->failed;
	head->size = record_get_u32(at);
	if (at->failed || head->size > HEAD_MOST)
		return false;
	undo->head.used = 0;
	head->bytes = room_behind(&undo->head, head->size);
	return unpack_head(head->bytes, head->size, at->at, at->end) == 0;
}

/* True when the head was put back. */
static bool
restore_entry(struct undo *undo, const uint8_t *bytes, size_t size, bool packed, bool sync)
{
	struct rrd_place place = { .root = undo->rrd_dir };
	struct record_cursor at = { bytes, bytes + size, false };
	uint64_t generation = record_get_u64(&at);
	struct rrd_head head;
	char name[NAME_MAX_BYTES];
	enum rrd_result result;
	struct fail why;

	head.inode = record_get_u64(&at);
	record_get_text(&at, name, sizeof name);
	if (at.failed || generation != undo->generation || !take_head(undo, &at, packed, &head))
		return false;
	place.file = name;
	result = rrd_file_restore(place, &head, &why);
	if (result == RRD_DONE && sync)
		result = rrd_file_sync(place, &why);
	if (result == RRD_LATER || result == RRD_REFUSED)
		undo_let_wait(undo, name, &head);
	return result == RRD_DONE;
}

/* What is torn or damaged was not synced, so its file was not yet updated. */
static size_t
restore_all(struct undo *undo, const uint8_t *bytes, size_t size)
{
	size_t restored = 0, at = 0;

	while (size - at >= 8) {
		struct record_cursor head = { bytes + at, bytes + at + 8, false };
		uint32_t rest = record_get_u32(&head), crc = record_get_u32(&head);
		bool packed = (rest & PACKED) != 0;

		rest &= ~PACKED;
		if (rest > size - at - 8 || str_crc32c(0, bytes + at + 8, rest) != crc)
			break;
		restored += restore_entry(undo, bytes + at + 8, rest, packed,
			restored < UNDO_SYNCED);
		at += 8 + rest;
	}
	/* Entries to come are put behind the good ones. */
	log_of(undo, undo->generation)->length = at;
	return restored;
}

static int
read_and_restore(struct undo *undo, size_t *restored, struct fail *why)
{
	struct undo_log *log = log_of(undo, undo->generation);
	struct stat info;
	uint8_t *bytes;
	size_t done = 0;

	if (fstat(log->fd, &info) == -1)
		return fail_errno(log, why);
	bytes = mem_zero((size_t)info.st_size);
	while (done < (size_t)info.st_size) {
		ssize_t got = pread(log->fd, bytes + done, (size_t)info.st_size - done, (off_t)done);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1) {
			free(bytes);
			return fail_errno(log, why);
		}
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*restored = restore_all(undo, bytes, done);
	free(bytes);
	return 0;
}

/* ---- opening ---- */

struct undo *
undo_open(const char *state_dir, const char *rrd_dir, uint64_t generation, size_t *restored,
	struct fail *why)
{
	struct undo *undo = mem_zero(sizeof *undo);

	undo->rrd_dir = mem_text(rrd_dir);
	undo->generation = generation;
	undo->logs[0].fd = undo->logs[1].fd = -1;
	for (int i = 0; i < 2; i++) {
		struct undo_log *log = &undo->logs[i];

		log->path = mem_format("%s/undo.%d", state_dir, i);
		log->fd = open(log->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
		if (log->fd == -1) {
			fail_errno(log, why);
			goto fail;
		}
	}
	if (segment_sync_path(state_dir) == -1) {
		fail_set(why, "%s: %s", state_dir, strerror(errno));
		goto fail;
	}
	if (read_and_restore(undo, restored, why) == -1)
		goto fail;
	return undo;
fail:
	undo_close(undo);
	return NULL;
}

void
undo_close(struct undo *undo)
{
	if (undo == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		if (undo->logs[i].fd != -1)
			close(undo->logs[i].fd);
		record_buffer_free(&undo->logs[i].fresh);
		free(undo->logs[i].path);
	}
	while (undo->waiting != NULL)
		wait_no_more(undo, undo->waiting);
	record_buffer_free(&undo->entry);
	record_buffer_free(&undo->head);
	free(undo->rrd_dir);
	free(undo);
}

void
undo_done(struct undo *undo)
{
	if (undo->waiting == NULL)
		begin_log(log_of(undo, undo->generation));
}

/* ---- what waits ---- */

enum rrd_result
undo_late(struct undo *undo, const char *file, struct fail *why)
{
	struct rrd_place place = { undo->rrd_dir, file };
	struct waiting *waiting;
	enum rrd_result result;

	HASH_FIND_STR(undo->waiting, file, waiting);
	if (waiting == NULL)
		return RRD_DONE;
	result = rrd_file_restore(place, &waiting->head, why);
	if (result == RRD_DONE)
		result = rrd_file_sync(place, why);
	if (result == RRD_LATER || result == RRD_REFUSED)
		return result;
	wait_no_more(undo, waiting);
	return RRD_DONE;
}

const char *
undo_waiting(const struct undo *undo)
{
	return undo->waiting == NULL ? NULL : undo->waiting->name;
}

void
undo_forget(struct undo *undo, const char *file)
{
	struct waiting *waiting;

	HASH_FIND_STR(undo->waiting, file, waiting);
	if (waiting != NULL)
		wait_no_more(undo, waiting);
}

/* ---- noting ---- */

static void
note(struct undo *undo, uint64_t generation, const char *file, const struct rrd_head *head)
{
	struct record_buffer *entry = &undo->entry, *fresh = &log_of(undo, generation)->fresh;

	entry->used = 0;
	record_put_u64(entry, generation);
	record_put_u64(entry, head->inode);
	record_put_text(entry, file);
	record_put_u32(entry, (uint32_t)head->size);
	entry->used += pack_head(room_behind(entry, packed_most(head->size)), head->bytes, head->size);
	record_put_u32(fresh, (uint32_t)entry->used | PACKED);
	record_put_u32(fresh, str_crc32c(0, entry->bytes, entry->used));
	record_put(fresh, entry->bytes, entry->used);
}

uint64_t
undo_keep(struct undo *undo, const char *file, const struct rrd_head *head, uint64_t kept,
	struct fail *why)
{
	uint64_t newest = undo->next != 0 ? undo->next : undo->generation;

	if (strlen(file) >= NAME_MAX_BYTES) {
		fail_set(why, "%s: too long a name", file);
		return 0;
	}
	/* `kept` counts from 1, so that 0 is never. */
	for (uint64_t generation = undo->generation; generation <= newest; generation++)
		if (generation + 1 > kept)
			note(undo, generation, file, head);
	return newest + 1;
}

static int
sync_log(struct undo_log *log, struct fail *why)
{
	if (log->fresh.used == 0)
		return 0;
	if (file_write(log->fd, log->fresh.bytes, log->fresh.used, log->length) == -1 ||
		fdatasync(log->fd) == -1)
		return fail_errno(log, why);
	log->length += log->fresh.used;
	if (log->length > log->room)
		log->room = log->length;
	log->fresh.used = 0;
	return 0;
}

int
undo_sync(struct undo *undo, struct fail *why)
{
	for (int i = 0; i < 2; i++)
		if (sync_log(&undo->logs[i], why) == -1)
			return -1;
	return 0;
}

bool
undo_is_synced(const struct undo *undo)
{
	return undo->logs[0].fresh.used == 0 && undo->logs[1].fresh.used == 0;
}

/* ---- checkpoints ---- */

void
undo_next(struct undo *undo)
{
	undo->next = undo->generation + 1;
	begin_log(log_of(undo, undo->next));
}

void
undo_turn(struct undo *undo, bool made)
{
	if (!made)
		log_of(undo, undo->next)->ours = false;
	begin_log(log_of(undo, made ? undo->generation : undo->next));
	if (made)
		undo->generation = undo->next;
	undo->next = 0;
}
