#include "store/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/sample.h"
#include "journal/record.h"
#include "journal/segment.h"

#define MAGIC "PWLEDG02"
#define HEAD 80
#define ENTRY 24
#define BLOCK 4096
#define BLOCK_MAX (1u << 20)
#define WRITE_AT (256u << 10)
#define FLAG_FOLDED 1
#define FLAG_AMENDS 2

struct entry {
	uint32_t first, last; /* series */
	uint64_t offset;
	uint32_t size, crc;
};

void
archive_path(char *to, size_t size, const char *state_dir, uint64_t first)
{
	snprintf(to, size, "%s/ledger/spans-%016llx", state_dir, (unsigned long long)first);
}

static int
fail_errno(struct fail *why, const char *path)
{
	fail_set(why, "%s: %s", path, strerror(errno));
	return -1;
}

static uint64_t
zigzag(int64_t number)
{
	return ((uint64_t)number << 1) ^ (uint64_t)(number < 0 ? -1 : 0);
}

static int64_t
unzigzag(uint64_t number)
{
	return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

/* ---- writing ---- */

struct archive_writer {
	struct archive_head head;
	char *state_dir, path[ARCHIVE_PATH];
	int fd;
	int error; /* errno of the first write that failed */
	uint64_t offset; /* of `ready` in the file */
	struct record_buffer ready; /* whole blocks not yet written */
	struct record_buffer block;
	struct entry *index;
	size_t count, room;
	struct entry current;
};

static void
put_varint(struct record_buffer *buffer, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		record_put_u8(buffer, (uint8_t)(number | 0x80));
	record_put_u8(buffer, (uint8_t)number);
}

struct archive_writer *
archive_begin(const char *state_dir, const struct archive_head *head, struct fail *why)
{
	struct archive_writer *writer = mem_zero(sizeof *writer);

	writer->head = *head;
	writer->head.begins = writer->head.retain_due = INT64_MAX;
	writer->head.ends = INT64_MIN;
	writer->head.blocks = 0;
	writer->head.amends = false;
	writer->offset = HEAD;
	writer->state_dir = mem_text(state_dir);
	snprintf(writer->path, sizeof writer->path, "%s/ledger/spans.new", state_dir);
	writer->fd = open(writer->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (writer->fd == -1) {
		fail_errno(why, writer->path);
		archive_abandon(writer);
		return NULL;
	}
	return writer;
}

void
archive_abandon(struct archive_writer *writer)
{
	if (writer == NULL)
		return;
	if (writer->fd != -1) {
		close(writer->fd);
		unlink(writer->path);
	}
	record_buffer_free(&writer->ready);
	record_buffer_free(&writer->block);
	free(writer->index);
	free(writer->state_dir);
	free(writer);
}

static void
write_at(struct archive_writer *writer, const uint8_t *bytes, size_t size, uint64_t offset)
{
	if (writer->error == 0 && file_write(writer->fd, bytes, size, offset) == -1)
		writer->error = errno;
}

/* Set going at once, so that the sync at the end finds little to wait for. */
static void
write_ready(struct archive_writer *writer)
{
	write_at(writer, writer->ready.bytes, writer->ready.used, writer->offset);
	sync_file_range(writer->fd, (off_t)writer->offset, (off_t)writer->ready.used,
		SYNC_FILE_RANGE_WRITE);
	writer->offset += writer->ready.used;
	writer->ready.used = 0;
}

static void
end_block(struct archive_writer *writer)
{
	struct record_buffer *block = &writer->block;

	if (block->used == 0)
		return;
	if (writer->count == writer->room) {
		writer->room = writer->room * 2 + 64;
		writer->index = mem_grow(writer->index, writer->room, sizeof *writer->index);
	}
	writer->current.offset = writer->offset + writer->ready.used;
	writer->current.size = (uint32_t)block->used;
	writer->current.crc = str_crc32c(0, block->bytes, block->used);
	writer->index[writer->count++] = writer->current;
	record_put(&writer->ready, block->bytes, block->used);
	block->used = 0;
	if (writer->ready.used >= WRITE_AT)
		write_ready(writer);
}

static void
put_group(struct archive_writer *writer, const struct ledger_span *spans, size_t count)
{
	struct record_buffer *block = &writer->block;
	int64_t slot = 0, hour = 0;
	uint64_t number = writer->head.first;

	put_varint(block, spans[0].run.series);
	put_varint(block, count);
	for (size_t i = 0; i < count; i++) {
		const struct ledger_span *span = &spans[i];

		record_put_u8(block, span->run.reason);
		if (span->folded) {
			put_varint(block, zigzag(span->hour - hour) << 1 | 1);
			put_varint(block, span->n);
			hour = span->hour;
			continue;
		}
		put_varint(block, zigzag(span->run.first - slot) << 1);
		put_varint(block, (uint64_t)(span->run.last - span->run.first));
		slot = span->run.last + 1;
		if (writer->head.folded)
			continue;
		put_varint(block, zigzag((int64_t)(span->sequence - number)));
		number = span->sequence;
	}
}

static void
note_extent(struct archive_head *head, const struct ledger_span *span, int64_t step,
	int64_t retain)
{
	int64_t begins = span->folded ? span->hour * FOLD_HOUR : span->run.first * step;
	int64_t ends = span->folded ? (span->hour + 1) * FOLD_HOUR : (span->run.last + 1) * step;

	head->amends |= !span->folded && span->run.reason == REASON_STORE_FULL;
	if (begins < head->begins)
		head->begins = begins;
	if (ends > head->ends)
		head->ends = ends;
	if (retain > 0 && begins + retain < head->retain_due)
		head->retain_due = begins + retain;
}

void
archive_add(struct archive_writer *writer, const struct ledger_span *spans, size_t count,
	int64_t step, int64_t retain)
{
	/* A group is small enough to leave a block at its usual size. */
	const size_t most = BLOCK / 8;

	for (size_t i = 0; i < count && step > 0; i++)
		note_extent(&writer->head, &spans[i], step, retain);
	for (size_t done = 0; done < count;) {
		size_t part = count - done < most ? count - done : most;

		if (writer->block.used == 0)
			writer->current.first = spans[0].run.series;
		writer->current.last = spans[0].run.series;
		put_group(writer, spans + done, part);
		if (writer->block.used >= BLOCK)
			end_block(writer);
		done += part;
	}
}

static void
write_index(struct archive_writer *writer)
{
	struct record_buffer index = { 0 }, head = { 0 };
	const struct archive_head *h = &writer->head;

	for (size_t i = 0; i < writer->count; i++) {
		record_put_u32(&index, writer->index[i].first);
		record_put_u32(&index, writer->index[i].last);
		record_put_u64(&index, writer->index[i].offset);
		record_put_u32(&index, writer->index[i].size);
		record_put_u32(&index, writer->index[i].crc);
	}
	record_put(&head, MAGIC, 8);
	record_put_u64(&head, h->first);
	record_put_u64(&head, h->end);
	record_put_u64(&head, (uint64_t)h->begins);
	record_put_u64(&head, (uint64_t)h->ends);
	record_put_u64(&head, (uint64_t)h->retain_due);
	record_put_u32(&head, h->blocks);
	record_put_u32(&head, (h->folded ? FLAG_FOLDED : 0) | (h->amends ? FLAG_AMENDS : 0));
	record_put_u64(&head, writer->offset);
	record_put_u32(&head, str_crc32c(0, index.bytes, index.used));
	record_put_u32(&head, h->retains);
	record_put_u32(&head, 0);
	record_put_u32(&head, str_crc32c(0, head.bytes, head.used));
	write_at(writer, index.bytes, index.used, writer->offset);
	write_at(writer, head.bytes, head.used, 0);
	record_buffer_free(&index);
	record_buffer_free(&head);
}

int
archive_finish(struct archive_writer *writer, struct archive_head *head, struct fail *why)
{
	char path[ARCHIVE_PATH], directory[ARCHIVE_PATH];
	int result = -1;

	archive_path(path, sizeof path, writer->state_dir, writer->head.first);
	snprintf(directory, sizeof directory, "%s/ledger", writer->state_dir);
	end_block(writer);
	write_ready(writer);
	writer->head.blocks = (uint32_t)writer->count;
	write_index(writer);
	errno = writer->error;
	if (writer->error != 0 || fsync(writer->fd) == -1)
		fail_errno(why, writer->path);
	else if (rename(writer->path, path) == -1 || segment_sync_path(directory) == -1)
		fail_errno(why, path);
	else
		result = 0;
	*head = writer->head;
	if (result == 0) {
		close(writer->fd);
		writer->fd = -1;
	}
	archive_abandon(writer);
	return result;
}

/* ---- reading ---- */

struct archive {
	struct archive_head head;
	char path[ARCHIVE_PATH];
	int fd;
	uint64_t index_offset;
	uint32_t index_crc;
	struct entry *index; /* read when first needed */
	struct fold_list cached; /* spans of block cached_block */
	uint32_t cached_block;
	bool has_cached;
};

static int
read_at(const struct archive *archive, uint8_t *bytes, size_t size, uint64_t offset,
	struct fail *why)
{
	while (size > 0) {
		ssize_t got = pread(archive->fd, bytes, size, (off_t)offset);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return fail_errno(why, archive->path);
		if (got == 0) {
			fail_set(why, "%s: damaged: ends too early", archive->path);
			return -1;
		}
		bytes += got;
		size -= (size_t)got;
		offset += (uint64_t)got;
	}
	return 0;
}

static int
read_head(struct archive *archive, uint64_t first, struct fail *why)
{
	uint8_t bytes[HEAD];
	struct record_cursor at = { bytes + 8, bytes + HEAD, false };
	struct record_cursor crc = { bytes + HEAD - 4, bytes + HEAD, false };
	struct archive_head *head = &archive->head;
	uint32_t flags;

	if (read_at(archive, bytes, sizeof bytes, 0, why) == -1)
		return -1;
	head->first = record_get_u64(&at);
	head->end = record_get_u64(&at);
	head->begins = (int64_t)record_get_u64(&at);
	head->ends = (int64_t)record_get_u64(&at);
	head->retain_due = (int64_t)record_get_u64(&at);
	head->blocks = record_get_u32(&at);
	flags = record_get_u32(&at);
	head->folded = (flags & FLAG_FOLDED) != 0;
	head->amends = (flags & FLAG_AMENDS) != 0;
	archive->index_offset = record_get_u64(&at);
	archive->index_crc = record_get_u32(&at);
	head->retains = record_get_u32(&at);
	if (memcmp(bytes, MAGIC, 8) == 0 && head->first == first && head->end >= first &&
		str_crc32c(0, bytes, HEAD - 4) == record_get_u32(&crc))
		return 0;
	fail_set(why, "%s: damaged: its head is wrong", archive->path);
	return -1;
}

struct archive *
archive_open(const char *state_dir, uint64_t first, struct fail *why)
{
	struct archive *archive = mem_zero(sizeof *archive);

	archive_path(archive->path, sizeof archive->path, state_dir, first);
	archive->fd = open(archive->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (archive->fd == -1) {
		fail_errno(why, archive->path);
		archive_close(archive);
		return NULL;
	}
	if (read_head(archive, first, why) == -1) {
		archive_close(archive);
		errno = EBADMSG; /* told apart from a file that has gone */
		return NULL;
	}
	return archive;
}

void
archive_close(struct archive *archive)
{
	int saved = errno;

	if (archive == NULL)
		return;
	if (archive->fd != -1)
		close(archive->fd);
	free(archive->index);
	free(archive->cached.spans);
	free(archive);
	errno = saved;
}

const struct archive_head *
archive_head(const struct archive *archive)
{
	return &archive->head;
}

static int
need_index(struct archive *archive, struct fail *why)
{
	size_t size = (size_t)archive->head.blocks * ENTRY;
	struct record_cursor at;
	uint8_t *bytes;

	if (archive->index != NULL || archive->head.blocks == 0)
		return 0;
	bytes = mem_array(archive->head.blocks, ENTRY);
	if (read_at(archive, bytes, size, archive->index_offset, why) == -1 ||
		str_crc32c(0, bytes, size) != archive->index_crc) {
		fail_set(why, "%s: damaged: its index is wrong", archive->path);
		free(bytes);
		return -1;
	}
	at = (struct record_cursor){ bytes, bytes + size, false };
	archive->index = mem_array(archive->head.blocks, sizeof *archive->index);
	for (uint32_t i = 0; i < archive->head.blocks; i++) {
		struct entry *entry = &archive->index[i];

		entry->first = record_get_u32(&at);
		entry->last = record_get_u32(&at);
		entry->offset = record_get_u64(&at);
		entry->size = record_get_u32(&at);
		entry->crc = record_get_u32(&at);
	}
	free(bytes);
	return 0;
}

static uint64_t
get_varint(struct record_cursor *at)
{
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = record_get_u8(at);

		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	at->failed = true;
	return 0;
}

static bool
get_group(const struct archive *archive, struct record_cursor *at, struct fold_list *to)
{
	uint32_t series = (uint32_t)get_varint(at);
	uint64_t count = get_varint(at), number = archive->head.first;
	uint64_t slot = 0, hour = 0;

	for (; count > 0 && !at->failed; count--) {
		struct ledger_span span = { .run = { .series = series }, .final = true };
		uint64_t where;

		span.run.reason = record_get_u8(at);
		where = get_varint(at);
		span.folded = (where & 1) != 0;
		if (span.folded) {
			hour += (uint64_t)unzigzag(where >> 1);
			span.hour = (int64_t)hour;
			span.n = get_varint(at);
		} else {
			slot += (uint64_t)unzigzag(where >> 1);
			span.run.first = (int64_t)slot;
			slot += get_varint(at);
			span.run.last = (int64_t)slot++;
			span.n = (uint64_t)(span.run.last - span.run.first) + 1;
		}
		if (!span.folded && !archive->head.folded)
			span.sequence = number += (uint64_t)unzigzag(get_varint(at));
		if (!at->failed)
			fold_push(to, &span);
	}
	return !at->failed;
}

int
archive_block(struct archive *archive, uint32_t block, struct fold_list *to, struct fail *why)
{
	const struct entry *entry;
	struct record_cursor at;
	uint8_t *bytes;
	int result = -1;

	if (need_index(archive, why) == -1)
		return -1;
	entry = &archive->index[block];
	if (entry->size > BLOCK_MAX) {
		fail_set(why, "%s: damaged: block %u is too large", archive->path, block);
		return -1;
	}
	bytes = mem_zero(entry->size + 1);
	at = (struct record_cursor){ bytes, bytes + entry->size, false };
	if (read_at(archive, bytes, entry->size, entry->offset, why) == 0) {
		bool good = str_crc32c(0, bytes, entry->size) == entry->crc;

		while (good && at.at < at.end)
			good = get_group(archive, &at, to);
		if (!good)
			fail_set(why, "%s: damaged: block %u", archive->path, block);
		result = good ? 0 : -1;
	}
	free(bytes);
	return result;
}

/* Gives an hour its slots. */
static void
set_step(struct ledger_span *span, int64_t step)
{
	if (span->folded)
		*span = fold_hour_span(span->run.series, span->run.reason, span->hour, step, span->n);
}

/* Neighbours in the catalogue are neighbours here: the last block is kept. */
static int
cache_block(struct archive *archive, uint32_t block, struct fail *why)
{
	if (archive->has_cached && archive->cached_block == block)
		return 0;
	archive->cached.count = 0;
	archive->cached_block = block;
	archive->has_cached = archive_block(archive, block, &archive->cached, why) == 0;
	return archive->has_cached ? 0 : -1;
}

static uint32_t
first_block(const struct archive *archive, uint32_t series)
{
	uint32_t low = 0, high = archive->head.blocks;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (archive->index[middle].last < series)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int
archive_each(struct archive *archive, uint32_t series, int64_t step,
	void (*take)(const struct ledger_span *span, void *arg), void *arg, struct fail *why)
{
	int result = 0;

	if (need_index(archive, why) == -1)
		return -1;
	for (uint32_t block = first_block(archive, series); block < archive->head.blocks &&
		archive->index[block].first <= series; block++) {
		if (cache_block(archive, block, why) == -1) {
			result = -1;
			continue;
		}
		for (size_t i = 0; i < archive->cached.count; i++) {
			struct ledger_span span = archive->cached.spans[i];

			if (span.run.series != series)
				continue;
			set_step(&span, step);
			take(&span, arg);
		}
	}
	return result;
}
