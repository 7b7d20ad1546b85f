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
#include "core/few.h"

/* A plant has millions of entries, so of each only two numbers stand here. Its stem is what it
 * has in common with those before it, of the same device or row; its shape is what it has in
 * common with the same point of other devices and rows. */
#define LINE_MAX_SIZE 2048
#define PIECE 1024
#define FORESEEN 1000 /* entries of a first piece, to tell from how many will be */
#define POOL (64 * 1024)

struct entry {
	uint32_t stem;  /* place in the pools */
	uint32_t shape; /* index */
};

/* "press-3/" and, right behind it, "press-3/points.rrd" with its end. */
struct stem {
	uint16_t prefix, file; /* octets, without the end */
	char texts[];
};

/* All texts are words, so two shapes are equal when their bytes are. */
struct traits {
	const char *point, *unit, *ds, *profile;
	int64_t step;
	uint32_t kind, filed; /* filed: the stem's file is its file, too */
};
#define BRIEF 32 /* octets that are copied at once: most names with their end */
struct shape {
	struct traits traits;
	struct series shown; /* to be lent: path and file point to the catalogue's */
	size_t length;       /* of point */
	char point[];        /* ends in zeros, at least BRIEF octets */
};

struct pool {
	struct pool *next;
	size_t used, size;
	char bytes[];
};

/* Open addressing; at most three of four places are taken. room is 2^n. */
struct table {
	uint32_t *items; /* paths: ids of the entries that have one now; shapes: index + 1; 0: free */
	size_t count, room;
};
struct words {
	const char **texts; /* NULL: free */
	size_t count, room;
};

/* Entry that is lent. */
struct lent {
	uint32_t stem; /* whose texts stand there; 0: none */
	size_t prefix;
	char path[LINE_MAX_SIZE + BRIEF], file[LINE_MAX_SIZE];
};

struct series_catalogue {
	char *path;
	int fd;
	bool writer;
	off_t read;          /* up to where lines have been taken up */
	off_t end;           /* the file's, when nothing more was to be taken up */
	bool have_retain;
	struct entry **pieces;
	uint32_t count;      /* of entries */
	size_t piece_count;
	struct shape **shapes;
	struct table known_shapes, paths;
	struct words words;
	struct pool *pool;   /* of words */
	char **stems;        /* pools */
	size_t stem_pools;
	uint32_t stem_used;  /* of the newest pool */
	uint32_t newest_stem;
	struct lent lent;
	struct few *kept;    /* struct series that somebody holds */
	atomic_bool dirty;
};

static struct entry *
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

/* ---- stems ---- */

/* The place of a stem: its pool's number, from 1, and where it begins there. */
static const struct stem *
stem_at(const struct series_catalogue *catalogue, uint32_t place)
{
	return (const struct stem *)(const void *)(catalogue->stems[(place >> 16) - 1] +
		(place & (POOL - 1)));
}

static bool
stem_is(const struct stem *stem, const char *prefix, size_t length, const char *file)
{
	size_t size = strlen(file);

	return stem->prefix == length && memcmp(stem->texts, prefix, length) == 0 &&
		(size == 0 || (stem->file == size &&
		memcmp(stem->texts + length, file, size) == 0));
}

static uint32_t
stem_new(struct series_catalogue *catalogue, const char *prefix, size_t length, const char *file)
{
	size_t size = strlen(file), need = (sizeof(struct stem) + length + size + 2) & ~(size_t)1;
	struct stem *stem;

	if (catalogue->stem_pools == 0 || POOL - catalogue->stem_used < need) {
		catalogue->stems = mem_grow(catalogue->stems, catalogue->stem_pools + 1,
			sizeof *catalogue->stems);
		catalogue->stems[catalogue->stem_pools++] = mem_zero(POOL);
		catalogue->stem_used = 0;
	}
	stem = (struct stem *)(void *)(catalogue->stems[catalogue->stem_pools - 1] +
		catalogue->stem_used);
	stem->prefix = (uint16_t)length;
	stem->file = (uint16_t)size;
	memcpy(stem->texts, prefix, length);
	memcpy(stem->texts + length, file, size);
	catalogue->newest_stem = (uint32_t)catalogue->stem_pools << 16 | catalogue->stem_used;
	catalogue->stem_used += (uint32_t)need;
	return catalogue->newest_stem;
}

/* Entries of a device or row stand one after the other: nearly always it is the newest stem, or
 * the one that the entry has already. file "": any will do. */
static uint32_t
stem_for(struct series_catalogue *catalogue, uint32_t former, const char *prefix, size_t length,
	const char *file)
{
	uint32_t likely[] = { former, catalogue->newest_stem };

	for (size_t i = 0; i < 2; i++)
		if (likely[i] != 0 && stem_is(stem_at(catalogue, likely[i]), prefix, length, file))
			return likely[i];
	return stem_new(catalogue, prefix, length, file);
}

/* ---- shapes ---- */

static uint32_t *
shape_place(const struct series_catalogue *catalogue, const struct traits *traits)
{
	const struct table *table = &catalogue->known_shapes;
	size_t at = str_hash(traits, sizeof *traits) & (table->room - 1);

	while (table->items[at] != 0 && memcmp(&catalogue->shapes[table->items[at] - 1]->traits,
		traits, sizeof *traits) != 0)
		at = (at + 1) & (table->room - 1);
	return &table->items[at];
}

static void
shapes_grow(struct series_catalogue *catalogue)
{
	struct table *table = &catalogue->known_shapes;

	free(table->items);
	table->room = table->room == 0 ? 64 : table->room * 2;
	table->items = mem_array(table->room, sizeof *table->items);
	catalogue->shapes = mem_grow(catalogue->shapes, table->room, sizeof *catalogue->shapes);
	for (uint32_t i = 0; i < table->count; i++)
		*shape_place(catalogue, &catalogue->shapes[i]->traits) = i + 1;
}

static struct shape *
shape_new(struct series_catalogue *catalogue, const struct traits *traits)
{
	size_t length = strlen(traits->point);
	struct shape *shape = mem_zero(sizeof *shape + (length < BRIEF ? BRIEF : length + 1));

	shape->traits = *traits;
	shape->length = length;
	memcpy(shape->point, traits->point, length);
	shape->shown = (struct series){ .kind = (enum point_kind)traits->kind,
		.step = traits->step, .path = catalogue->lent.path, .unit = traits->unit,
		.file = traits->filed ? catalogue->lent.file : "", .ds = traits->ds,
		.profile = traits->profile };
	return shape;
}

static uint32_t
shape_for(struct series_catalogue *catalogue, const struct traits *traits)
{
	struct table *table = &catalogue->known_shapes;
	uint32_t *place;

	if (table->count * 4 >= table->room * 3)
		shapes_grow(catalogue);
	place = shape_place(catalogue, traits);
	if (*place == 0) {
		catalogue->shapes[table->count++] = shape_new(catalogue, traits);
		*place = (uint32_t)table->count;
	}
	return *place - 1;
}

/* ---- paths ---- */

static bool
entry_is(const struct series_catalogue *catalogue, uint32_t id, const char *path, size_t length)
{
	const struct entry *entry = entry_at(catalogue, id);
	const struct shape *shape = catalogue->shapes[entry->shape];
	const struct stem *stem = stem_at(catalogue, entry->stem);

	return stem->prefix + shape->length == length &&
		memcmp(shape->point, path + stem->prefix, shape->length) == 0 &&
		memcmp(stem->texts, path, stem->prefix) == 0;
}

static uint32_t *
path_place(const struct series_catalogue *catalogue, const char *path)
{
	const struct table *paths = &catalogue->paths;
	size_t length = strlen(path), at = str_hash(path, length) & (paths->room - 1);

	while (paths->items[at] != 0 && !entry_is(catalogue, paths->items[at], path, length))
		at = (at + 1) & (paths->room - 1);
	return &paths->items[at];
}

static size_t
write_path(const struct series_catalogue *catalogue, const struct entry *entry,
	char path[LINE_MAX_SIZE])
{
	const struct shape *shape = catalogue->shapes[entry->shape];
	const struct stem *stem = stem_at(catalogue, entry->stem);

	memcpy(path, stem->texts, stem->prefix);
	memcpy(path + stem->prefix, shape->point, shape->length + 1);
	return stem->prefix + shape->length;
}

static void
paths_grow(struct series_catalogue *catalogue, size_t room)
{
	struct table *paths = &catalogue->paths, old = *paths;
	char path[LINE_MAX_SIZE];

	paths->room = room;
	paths->items = mem_array(paths->room, sizeof *paths->items);
	for (size_t i = 0; i < old.room; i++)
		if (old.items[i] != 0) {
			write_path(catalogue, entry_at(catalogue, old.items[i]), path);
			*path_place(catalogue, path) = old.items[i];
		}
	free(old.items);
}

/* ---- whole entries: lent, and kept ---- */

const struct series *
series_show(struct series_catalogue *catalogue, uint32_t id)
{
	struct lent *lent = &catalogue->lent;
	const struct entry *entry;
	struct shape *shape;

	if (id < 1 || id > catalogue->count)
		return NULL;
	entry = entry_at(catalogue, id);
	shape = catalogue->shapes[entry->shape];
	if (entry->stem != lent->stem) {
		const struct stem *stem = stem_at(catalogue, entry->stem);

		lent->stem = entry->stem;
		lent->prefix = stem->prefix;
		memcpy(lent->path, stem->texts, stem->prefix);
		memcpy(lent->file, stem->texts + stem->prefix, stem->file + 1u);
	}
	memcpy(lent->path + lent->prefix, shape->point, BRIEF);
	if (shape->length >= BRIEF)
		memcpy(lent->path + lent->prefix, shape->point, shape->length + 1);
	shape->shown.id = id;
	return &shape->shown;
}

static void
fill_kept(const struct series_catalogue *catalogue, uint32_t id, struct series *kept)
{
	const struct entry *entry = entry_at(catalogue, id);
	const struct shape *shape = catalogue->shapes[entry->shape];
	const struct stem *stem = stem_at(catalogue, entry->stem);

	*kept = shape->shown;
	kept->id = id;
	kept->path = (char *)(kept + 1);
	write_path(catalogue, entry, (char *)(kept + 1));
	if (shape->traits.filed)
		kept->file = stem->texts + stem->prefix;
}

const struct series *
series_get(const struct series_catalogue *catalogue, uint32_t id)
{
	const struct entry *entry;
	struct series *kept;

	if (id < 1 || id > catalogue->count)
		return NULL;
	kept = few_get(catalogue->kept, id);
	if (kept != NULL)
		return kept;
	entry = entry_at(catalogue, id);
	kept = mem_zero(sizeof *kept + stem_at(catalogue, entry->stem)->prefix +
		catalogue->shapes[entry->shape]->length + 1);
	fill_kept(catalogue, id, kept);
	few_put(catalogue->kept, id, kept);
	return kept;
}

/* ---- lines ---- */

#define FIELDS 9

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

/* Its eight digits, and no other way to write it. printf's and strtoul's ways take longer than
 * all the rest of a line. */
static bool
is_checksum(const char *text, uint32_t crc)
{
	for (int shift = 28; shift >= 0; shift -= 4)
		if (*text++ != "0123456789abcdef"[crc >> shift & 15])
			return false;
	return *text == '\0';
}

static bool
split_line(char *line, char *fields[FIELDS])
{
	char *rest = line;
	uint32_t crc = 0;

	for (int i = 0; i < FIELDS; i++) {
		fields[i] = rest;
		if (i == FIELDS - 1)
			break;
		rest = strchr(rest, '\t');
		if (rest == NULL)
			return false;
		if (i == 0)
			crc = str_crc32c(0, rest + 1, strlen(rest + 1));
		*rest++ = '\0';
	}
	return is_checksum(fields[0], crc);
}

/* What somebody holds of it changes as well. */
static void
set_entry(struct series_catalogue *catalogue, uint32_t id, struct entry is)
{
	struct series *kept = few_get(catalogue->kept, id);

	*entry_at(catalogue, id) = is;
	if (kept != NULL)
		fill_kept(catalogue, id, kept);
	catalogue->lent.stem = 0;
}

/* All but the path, which is the same in all lines of an id. */
static void
fill_entry(struct series_catalogue *catalogue, uint32_t id, char *fields[FIELDS])
{
	const char *path = fields[8], *slash = strrchr(path, '/');
	size_t prefix = slash == NULL ? 0 : (size_t)(slash + 1 - path);
	struct traits traits;
	struct entry is;

	memset(&traits, 0, sizeof traits);
	traits.kind = (uint32_t)point_kind_parse(fields[2]);
	traits.step = strtoll(fields[3], NULL, 10);
	traits.profile = word(catalogue, fields[4]);
	if (strchr(traits.profile, ':') != NULL)
		catalogue->have_retain = true;
	traits.unit = word(catalogue, fields[5]);
	traits.filed = fields[6][0] != '\0';
	traits.ds = word(catalogue, fields[7]);
	traits.point = word(catalogue, path + prefix);
	is.stem = stem_for(catalogue, entry_at(catalogue, id)->stem, path, prefix, fields[6]);
	is.shape = shape_for(catalogue, &traits);
	set_entry(catalogue, id, is);
}

/* The same point with another step: nothing is stored under the former id any more. */
static void
leave_entry(struct series_catalogue *catalogue, uint32_t id)
{
	struct entry is = *entry_at(catalogue, id);
	struct traits traits = catalogue->shapes[is.shape]->traits;

	traits.filed = 0;
	traits.ds = word(catalogue, "");
	is.shape = shape_for(catalogue, &traits);
	set_entry(catalogue, id, is);
}

static void
make_room(struct series_catalogue *catalogue)
{
	if (catalogue->count == catalogue->piece_count * PIECE) {
		catalogue->pieces = mem_grow(catalogue->pieces, catalogue->piece_count + 1,
			sizeof *catalogue->pieces);
		catalogue->pieces[catalogue->piece_count++] =
			mem_array(PIECE, sizeof(struct entry));
	}
	if (catalogue->paths.count * 4 >= catalogue->paths.room * 3)
		paths_grow(catalogue, catalogue->paths.room == 0 ? 256 : catalogue->paths.room * 2);
}

static void
new_entry(struct series_catalogue *catalogue, char *fields[FIELDS])
{
	uint32_t *place, id;

	make_room(catalogue);
	place = path_place(catalogue, fields[8]);
	id = ++catalogue->count;
	fill_entry(catalogue, id, fields);
	if (*place != 0)
		leave_entry(catalogue, *place);
	else
		catalogue->paths.count++;
	*place = id;
}

/* A later line for a known id replaces what may change; the entry's address stays. Cuts the
 * line into its fields. */
static bool
take_line(struct series_catalogue *catalogue, char *line)
{
	char *fields[FIELDS];
	uint32_t id;

	if (!split_line(line, fields) || point_kind_parse(fields[2]) == -1 ||
		strlen(fields[6]) >= LINE_MAX_SIZE || strlen(fields[8]) >= LINE_MAX_SIZE)
		return false;
	id = (uint32_t)strtoul(fields[1], NULL, 10);
	if (id < 1 || id > catalogue->count + 1)
		return false;
	if (id > catalogue->count)
		new_entry(catalogue, fields);
	else if (entry_is(catalogue, id, fields[8], strlen(fields[8])))
		fill_entry(catalogue, id, fields);
	else
		return false;
	return true;
}

/* Room for all paths at once, by what the first lines took: to find all their places anew, again
 * and again, takes as long as the lines themselves, and half of it in one go. */
static void
foresee_paths(struct series_catalogue *catalogue)
{
	size_t room = 256;
	struct stat status;
	double entries;

	if (catalogue->count < FORESEEN || fstat(catalogue->fd, &status) == -1)
		return;
	entries = (double)status.st_size / (double)catalogue->read * (double)catalogue->count * 1.1;
	while ((double)room * 0.75 < entries && room < SIZE_MAX / 8)
		room *= 2;
	if (room > catalogue->paths.room)
		paths_grow(catalogue, room);
}

/* Whole, valid lines of one piece of the file. True when there may be more behind it. */
static bool
read_piece(struct series_catalogue *catalogue, char *bytes, size_t piece, bool *any)
{
	ssize_t size = pread(catalogue->fd, bytes, piece, catalogue->read);
	bool some = false, first = catalogue->read == 0;
	char *line = bytes, *end;

	bytes[size > 0 ? size : 0] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		if (!take_line(catalogue, line))
			break;
		catalogue->read += end + 1 - line;
		line = end + 1;
		some = true;
	}
	if (first)
		foresee_paths(catalogue);
	*any = *any || some;
	return some && size == (ssize_t)piece;
}

/* Takes up whole, valid lines from where reading stopped; true when there were any. */
static bool
read_lines(struct series_catalogue *catalogue)
{
	static const size_t piece = 1 << 20;
	char *bytes = mem_zero(piece + 1);
	bool any = false;

	while (read_piece(catalogue, bytes, piece, &any))
		;
	free(bytes);
	return any;
}

bool
series_read_on(struct series_catalogue *catalogue)
{
	static const size_t piece = 1 << 18;
	struct stat status;
	bool any = false, more;
	char *bytes;

	/* What stands there and is no line will be none before it grows. */
	if (fstat(catalogue->fd, &status) == -1 || status.st_size == catalogue->end)
		return false;
	bytes = mem_grow(NULL, piece + 1, 1);
	more = read_piece(catalogue, bytes, piece, &any);
	free(bytes);
	if (!more)
		catalogue->end = status.st_size;
	return more;
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

static struct series_catalogue *
open_file(const char *state_dir, bool writer, struct fail *why)
{
	struct series_catalogue *catalogue = mem_zero(sizeof *catalogue);

	catalogue->kept = mem_zero(sizeof *catalogue->kept);
	catalogue->path = mem_format("%s/series", state_dir);
	catalogue->writer = writer;
	catalogue->fd = open(catalogue->path,
		O_CLOEXEC | (writer ? O_RDWR | O_CREAT | O_APPEND : O_RDONLY), 0640);
	if (catalogue->fd != -1)
		return catalogue;
	fail_set(why, "%s: %s", catalogue->path, strerror(errno));
	series_close(catalogue);
	return NULL;
}

struct series_catalogue *
series_open(const char *state_dir, bool writer, struct fail *why)
{
	struct series_catalogue *catalogue = open_file(state_dir, writer, why);

	if (catalogue == NULL)
		return NULL;
	read_lines(catalogue);
	if (!writer || cut_torn_end(catalogue, why) == 0)
		return catalogue;
	series_close(catalogue);
	return NULL;
}

struct series_catalogue *
series_open_unread(const char *state_dir, struct fail *why)
{
	return open_file(state_dir, false, why);
}

static void
free_shared(struct series_catalogue *catalogue)
{
	struct pool *pool;

	for (size_t i = 0; i < catalogue->known_shapes.count; i++)
		free(catalogue->shapes[i]);
	free(catalogue->shapes);
	free(catalogue->known_shapes.items);
	for (size_t i = 0; i < catalogue->stem_pools; i++)
		free(catalogue->stems[i]);
	free(catalogue->stems);
	free(catalogue->words.texts);
	while ((pool = catalogue->pool) != NULL) {
		catalogue->pool = pool->next;
		free(pool);
	}
}

void
series_close(struct series_catalogue *catalogue)
{
	struct series *kept;

	if (catalogue == NULL)
		return;
	for (uint32_t id = 0; (kept = few_next(catalogue->kept, &id)) != NULL; id++)
		free(kept);
	few_free(catalogue->kept);
	free(catalogue->kept);
	for (size_t i = 0; i < catalogue->piece_count; i++)
		free(catalogue->pieces[i]);
	free(catalogue->pieces);
	free(catalogue->paths.items);
	free_shared(catalogue);
	if (catalogue->fd != -1)
		close(catalogue->fd);
	free(catalogue->path);
	free(catalogue);
}

static uint32_t
id_of(const struct series_catalogue *catalogue, const char *path)
{
	return catalogue->paths.room == 0 ? 0 : *path_place(catalogue, path);
}

const struct series *
series_find(const struct series_catalogue *catalogue, const char *path)
{
	return series_get(catalogue, id_of(catalogue, path));
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

uint32_t
series_enter(struct series_catalogue *catalogue, const struct series *wanted, struct fail *why)
{
	const struct series *old = series_show(catalogue, id_of(catalogue, wanted->path));
	struct series line = *wanted;

	if (old == NULL) {
		line.id = catalogue->count + 1;
	} else if (old->step != wanted->step || strcmp(old->file, wanted->file) != 0) {
		fail_set(why, "%s is stored every %llds in \"%s\" and would have to be every %llds in \"%s\": "
			"that needs a migration (pollwerk rrd migrate, while pollwerkd does not run)",
			wanted->path, (long long)(old->step / 1000000000), old->file,
			(long long)(wanted->step / 1000000000), wanted->file);
		return 0;
	} else if (old->kind == wanted->kind && strcmp(old->unit, wanted->unit) == 0 &&
		strcmp(old->profile, wanted->profile) == 0) {
		return old->id;
	} else {
		line.id = old->id;
	}
	return append(catalogue, &line, why) == -1 ? 0 : line.id;
}

const struct series *
series_add(struct series_catalogue *catalogue, const struct series *wanted, struct fail *why)
{
	return series_get(catalogue, series_enter(catalogue, wanted, why));
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
	return id_of(catalogue, series->path) == series->id;
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

bool
series_have_retain(const struct series_catalogue *catalogue)
{
	return catalogue->have_retain;
}
