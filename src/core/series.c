#include "core/series.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

/* Entries are many and small, and mostly alike: they stand in pieces that never move, their
 * strings in a pool, each text of unit, file, DS and profile once. */
#define PIECE 1024
#define POOL (64 * 1024)

struct pool {
	struct pool *next;
	size_t used, size;
	char bytes[];
};

/* Open addressing; at most three of four places are taken. room is 2^n. */
struct paths {
	uint32_t *ids; /* of the entry with that path now; 0: free */
	size_t count, room;
};
struct words {
	const char **texts; /* NULL: free */
	size_t count, room;
};

struct series_catalogue {
	char *path;
	int fd;
	bool writer;
	off_t read;          /* up to where lines have been taken up */
	struct series **pieces;
	uint32_t count;      /* of entries */
	size_t piece_count;
	struct paths paths;
	struct words words;
	struct pool *pool;
	atomic_bool dirty;
};

static struct series *
entry_at(const struct series_catalogue *catalogue, uint32_t id)
{
	return &catalogue->pieces[(id - 1) / PIECE][(id - 1) % PIECE];
}

/* ---- texts ---- */

static const char *
pool_text(struct series_catalogue *catalogue, const char *text)
{
	size_t size = strlen(text) + 1;
	struct pool *pool = catalogue->pool;
	char *to;

	if (pool == NULL || pool->size - pool->used < size) {
		size_t room = size > POOL ? size : POOL;

		pool = mem_zero(sizeof *pool + room);
		pool->size = room;
		pool->next = catalogue->pool;
		catalogue->pool = pool;
	}
	to = memcpy(pool->bytes + pool->used, text, size);
	pool->used += size;
	return to;
}

static const char **
word_place(const struct words *words, const char *text)
{
	size_t at = str_hash(text, strlen(text)) & (words->room - 1);

	while (words->texts[at] != NULL && strcmp(words->texts[at], text) != 0)
		at = (at + 1) & (words->room - 1);
	return &words->texts[at];
}

static void
words_grow(struct words *words)
{
	struct words old = *words;

	words->room = old.room == 0 ? 256 : old.room * 2;
	words->texts = mem_array(words->room, sizeof *words->texts);
	for (size_t i = 0; i < old.room; i++)
		if (old.texts[i] != NULL)
			*word_place(words, old.texts[i]) = old.texts[i];
	free(old.texts);
}

/* The one copy of a text that many entries have. */
static const char *
word(struct series_catalogue *catalogue, const char *text)
{
	struct words *words = &catalogue->words;
	const char **place;

	if (text[0] == '\0')
		return "";
	if (words->count * 4 >= words->room * 3)
		words_grow(words);
	place = word_place(words, text);
	if (*place == NULL) {
		*place = pool_text(catalogue, text);
		words->count++;
	}
	return *place;
}

/* ---- paths ---- */

static uint32_t *
path_place(const struct series_catalogue *catalogue, const char *path)
{
	const struct paths *paths = &catalogue->paths;
	size_t at = str_hash(path, strlen(path)) & (paths->room - 1);

	while (paths->ids[at] != 0 && strcmp(entry_at(catalogue, paths->ids[at])->path, path) != 0)
		at = (at + 1) & (paths->room - 1);
	return &paths->ids[at];
}

static void
paths_grow(struct series_catalogue *catalogue)
{
	struct paths *paths = &catalogue->paths, old = *paths;

	paths->room = old.room == 0 ? 256 : old.room * 2;
	paths->ids = mem_array(paths->room, sizeof *paths->ids);
	for (size_t i = 0; i < old.room; i++)
		if (old.ids[i] != 0)
			*path_place(catalogue, entry_at(catalogue, old.ids[i])->path) = old.ids[i];
	free(old.ids);
}

/* ---- lines ---- */

#define FIELDS 9
#define LINE_MAX_SIZE 2048

/* crc TAB id TAB kind TAB step TAB profile TAB unit TAB file TAB ds TAB path NL; the checksum
 * is over what follows its TAB, without the NL. */
static int
format_line(char *line, size_t size, const struct series *s)
{
	char body[LINE_MAX_SIZE];
	int length = snprintf(body, sizeof body, "%u\t%s\t%lld\t%s\t%s\t%s\t%s\t%s", s->id,
		point_kind_word(s->kind), (long long)s->step, s->profile, s->unit, s->file, s->ds,
		s->path);

	if (length >= (int)sizeof body - 16)
		return -1;
	return snprintf(line, size, "%08x\t%s\n", str_crc32c(0, body, (size_t)length), body);
}

static bool
split_line(char *line, char *fields[FIELDS])
{
	char *rest = line;
	char crc[16];

	for (int i = 0; i < FIELDS; i++) {
		fields[i] = rest;
		if (i == FIELDS - 1)
			break;
		rest = strchr(rest, '\t');
		if (rest == NULL)
			return false;
		if (i == 0)
			snprintf(crc, sizeof crc, "%08x", str_crc32c(0, rest + 1, strlen(rest + 1)));
		*rest++ = '\0';
	}
	return strcmp(fields[0], crc) == 0;
}

/* All but the path, which is the same in all lines of an id. */
static void
fill_entry(struct series_catalogue *catalogue, struct series *s, char *fields[FIELDS])
{
	s->id = (uint32_t)strtoul(fields[1], NULL, 10);
	s->kind = (enum point_kind)point_kind_parse(fields[2]);
	s->step = strtoll(fields[3], NULL, 10);
	s->profile = word(catalogue, fields[4]);
	s->unit = word(catalogue, fields[5]);
	s->file = word(catalogue, fields[6]);
	s->ds = word(catalogue, fields[7]);
}

static struct series *
new_entry(struct series_catalogue *catalogue, const char *path)
{
	struct series *entry;
	uint32_t *place;

	if (catalogue->count == catalogue->piece_count * PIECE) {
		catalogue->pieces = mem_grow(catalogue->pieces, catalogue->piece_count + 1,
			sizeof *catalogue->pieces);
		catalogue->pieces[catalogue->piece_count++] = mem_array(PIECE, sizeof *entry);
	}
	if (catalogue->paths.count * 4 >= catalogue->paths.room * 3)
		paths_grow(catalogue);
	place = path_place(catalogue, path);
	entry = entry_at(catalogue, ++catalogue->count);
	if (*place != 0) {
		/* The same point with another step: nothing is stored under the former id any more. */
		struct series *old = entry_at(catalogue, *place);

		old->file = old->ds = "";
		entry->path = old->path;
	} else {
		entry->path = pool_text(catalogue, path);
		catalogue->paths.count++;
	}
	*place = catalogue->count;
	return entry;
}

/* A later line for a known id replaces what may change; the entry's address stays. Cuts the
 * line into its fields. */
static bool
take_line(struct series_catalogue *catalogue, char *line)
{
	char *fields[FIELDS];
	struct series *entry;
	uint32_t id;

	if (!split_line(line, fields) || point_kind_parse(fields[2]) == -1)
		return false;
	id = (uint32_t)strtoul(fields[1], NULL, 10);
	if (id < 1 || id > catalogue->count + 1)
		return false;
	if (id > catalogue->count)
		entry = new_entry(catalogue, fields[8]);
	else
		entry = entry_at(catalogue, id);
	if (strcmp(entry->path, fields[8]) != 0)
		return false;
	fill_entry(catalogue, entry, fields);
	return true;
}

/* Takes up whole, valid lines from where reading stopped; true when there were any. */
static bool
read_lines(struct series_catalogue *catalogue)
{
	static const size_t chunk = 1 << 20;
	char *bytes = mem_zero(chunk + 1);
	bool any = false, more = true;

	while (more) {
		ssize_t size = pread(catalogue->fd, bytes, chunk, catalogue->read);
		char *line = bytes, *end;

		more = false;
		bytes[size > 0 ? size : 0] = '\0';
		while ((end = strchr(line, '\n')) != NULL) {
			*end = '\0';
			if (!take_line(catalogue, line))
				break;
			catalogue->read += end + 1 - line;
			line = end + 1;
			any = more = true;
		}
		if (size < (ssize_t)chunk)
			break;
	}
	free(bytes);
	return any;
}

/* What does not read as a line was never synced, so no record can name it. */
static int
cut_torn_end(struct series_catalogue *catalogue, struct fail *why)
{
	struct stat status;

	if (fstat(catalogue->fd, &status) == -1)
		goto fail;
	if (status.st_size > catalogue->read) {
		log_warn("%s: cut %lld bytes behind entry %u, not written whole", catalogue->path,
			(long long)(status.st_size - catalogue->read), catalogue->count);
		if (ftruncate(catalogue->fd, catalogue->read) == -1)
			goto fail;
	}
	return 0;
fail:
	fail_set(why, "%s: %s", catalogue->path, strerror(errno));
	return -1;
}

struct series_catalogue *
series_open(const char *state_dir, bool writer, struct fail *why)
{
	struct series_catalogue *catalogue = mem_zero(sizeof *catalogue);

	catalogue->path = mem_format("%s/series", state_dir);
	catalogue->writer = writer;
	catalogue->fd = open(catalogue->path,
		O_CLOEXEC | (writer ? O_RDWR | O_CREAT | O_APPEND : O_RDONLY), 0640);
	if (catalogue->fd == -1) {
		fail_set(why, "%s: %s", catalogue->path, strerror(errno));
		goto fail;
	}
	read_lines(catalogue);
	if (writer && cut_torn_end(catalogue, why) == -1)
		goto fail;
	return catalogue;
fail:
	series_close(catalogue);
	return NULL;
}

void
series_close(struct series_catalogue *catalogue)
{
	struct pool *pool;

	if (catalogue == NULL)
		return;
	for (size_t i = 0; i < catalogue->piece_count; i++)
		free(catalogue->pieces[i]);
	free(catalogue->pieces);
	free(catalogue->paths.ids);
	free(catalogue->words.texts);
	while ((pool = catalogue->pool) != NULL) {
		catalogue->pool = pool->next;
		free(pool);
	}
	if (catalogue->fd != -1)
		close(catalogue->fd);
	free(catalogue->path);
	free(catalogue);
}

const struct series *
series_get(const struct series_catalogue *catalogue, uint32_t id)
{
	return id >= 1 && id <= catalogue->count ? entry_at(catalogue, id) : NULL;
}

const struct series *
series_find(const struct series_catalogue *catalogue, const char *path)
{
	uint32_t id = catalogue->paths.room == 0 ? 0 : *path_place(catalogue, path);

	return series_get(catalogue, id);
}

uint32_t
series_last_id(const struct series_catalogue *catalogue)
{
	return catalogue->count;
}

static int
append(struct series_catalogue *catalogue, const struct series *series, struct fail *why)
{
	char line[LINE_MAX_SIZE + 16];
	int length = format_line(line, sizeof line, series);

	if (length < 0) {
		fail_set(why, "%s: entry for %.80s is too long", catalogue->path, series->path);
		return -1;
	}
	if (write(catalogue->fd, line, (size_t)length) != length) {
		fail_set(why, "%s: %s", catalogue->path, strerror(errno));
		if (ftruncate(catalogue->fd, catalogue->read) == -1)
			log_error("%s: cannot cut a half written entry: %s", catalogue->path,
				strerror(errno));
		return -1;
	}
	line[length - 1] = '\0';
	if (!take_line(catalogue, line)) {
		fail_set(why, "%s: entry for %.80s does not read back", catalogue->path, series->path);
		return -1;
	}
	catalogue->read += length;
	atomic_store(&catalogue->dirty, true);
	return 0;
}

const struct series *
series_add(struct series_catalogue *catalogue, const struct series *wanted, struct fail *why)
{
	const struct series *old = series_find(catalogue, wanted->path);
	struct series line = *wanted;

	if (old == NULL) {
		line.id = catalogue->count + 1;
	} else if (old->step != wanted->step || strcmp(old->file, wanted->file) != 0) {
		fail_set(why, "%s is stored every %llds in \"%s\" and would have to be every %llds in \"%s\": "
			"that needs a migration (pollwerk rrd migrate, while pollwerkd does not run)",
			wanted->path, (long long)(old->step / 1000000000), old->file,
			(long long)(wanted->step / 1000000000), wanted->file);
		return NULL;
	} else if (old->kind == wanted->kind && strcmp(old->unit, wanted->unit) == 0 &&
		strcmp(old->profile, wanted->profile) == 0) {
		return old;
	} else {
		line.id = old->id;
	}
	if (append(catalogue, &line, why) == -1)
		return NULL;
	return series_get(catalogue, line.id);
}

const struct series *
series_move(struct series_catalogue *catalogue, const struct series *wanted, struct fail *why)
{
	const struct series *old = series_find(catalogue, wanted->path);
	struct series line = *wanted;

	if (old != NULL && old->step == wanted->step && old->kind == wanted->kind &&
		strcmp(old->file, wanted->file) == 0 && strcmp(old->ds, wanted->ds) == 0 &&
		strcmp(old->unit, wanted->unit) == 0 && strcmp(old->profile, wanted->profile) == 0)
		return old;
	line.id = old != NULL && old->step == wanted->step ? old->id : catalogue->count + 1;
	return append(catalogue, &line, why) == -1 ? NULL : series_get(catalogue, line.id);
}

bool
series_is_current(const struct series_catalogue *catalogue, const struct series *series)
{
	return series_find(catalogue, series->path) == series;
}

int
series_sync(struct series_catalogue *catalogue, struct fail *why)
{
	if (!atomic_exchange(&catalogue->dirty, false))
		return 0;
	if (fdatasync(catalogue->fd) == 0)
		return 0;
	atomic_store(&catalogue->dirty, true);
	fail_set(why, "%s: %s", catalogue->path, strerror(errno));
	return -1;
}

bool
series_refresh(struct series_catalogue *catalogue)
{
	return read_lines(catalogue);
}

void
series_path(char *to, size_t size, const char *device, const char *table, const char *row,
	const char *point)
{
	if (table == NULL)
		snprintf(to, size, "%s/%s", device, point);
	else
		snprintf(to, size, "%s/%s[%s]/%s", device, table, row, point);
}

void
series_file(char *to, size_t size, const char *device, const char *table, const char *row,
	const char *group, const char *suffix)
{
	char name[300];

	if (table == NULL)
		snprintf(to, size, "%s/%s%s.rrd", device, group, suffix);
	else
		snprintf(to, size, "%s/%s/%s%s.rrd", device, table,
			str_file_name(name, sizeof name, row), suffix);
}

/* librrd takes [a-zA-Z0-9_-]{1,19} (rrdcreate(1)). */
void
series_ds(char *to, size_t size, const char *point)
{
	char name[64];
	bool changed = strlen(point) > 19;

	str_copy(name, sizeof name, point);
	for (char *c = name; *c != '\0'; c++)
		if (*c == '.') {
			*c = '_';
			changed = true;
		}
	if (changed)
		snprintf(to, size, "%.11s_%07x", name,
			(unsigned)(str_hash(point, strlen(point)) & 0xfffffff));
	else
		str_copy(to, size, name);
}

int64_t
series_retain(const struct series *series)
{
	const char *colon = strchr(series->profile, ':');
	int64_t retain;

	return colon != NULL && str_duration(colon + 1, &retain, NULL) == 0 ? retain : 0;
}
