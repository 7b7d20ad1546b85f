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
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/few.h"
#include "core/pattern.h"

/* A plant has millions of entries, so none of them stands here by itself. Those of one device or
 * row follow one another: a run of them has one text in common, what is before the point's name,
 * the stem. What an entry has in common with the same point of other devices and rows is its
 * shape; and which shapes follow one another in a run is a pattern that many runs have. */
#define LINE_MAX_SIZE 2048
#define POOL (64 * 1024)
#define BLOCK 32 /* ids */
#define RESERVE (256 << 10) /* octets: some 2,000 entries */

/* Ids from `first` to the next run's, or to the last one. */
struct run {
	uint32_t first;
	uint32_t stem;    /* place in the pools */
	uint32_t pattern; /* not of the newest run: that one grows, see `open` */
	uint32_t former;  /* the run before it that has the same stem: index + 1, 0: none */
};

/* "press-3/", "sw/if[ge-1/5]/". */
struct stem {
	uint16_t length;
	char text[]; /* without an end */
};

/* In which file an entry is stored: see write_base. */
enum filed { FILED_NOWHERE, FILED_BY_BASE, FILED_BY_NAME };

/* All texts are words, so two shapes are equal when their bytes are. */
struct traits {
	const char *point, *unit, *ds, *profile;
	const char *file; /* FILED_BY_BASE: what follows the base; FILED_BY_NAME: all of it */
	int64_t step;
	uint32_t kind, filed; /* enum point_kind, enum filed */
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
	uint32_t *items; /* index + 1, 0: free */
	size_t count, room;
};
struct words {
	const char **texts; /* NULL: free */
	size_t count, room;
};

/* Of a stem: what the names of its files begin with. */
struct base {
	size_t prefix, length;
	char stem[LINE_MAX_SIZE], text[LINE_MAX_SIZE];
};

/* Entry that is lent. */
struct lent {
	uint32_t from, end; /* ids that stand in its run; 0: none */
	const uint32_t *shapes; /* of those */
	uint32_t stem;      /* whose texts stand there; 0: none */
	size_t prefix, base;
	const char *filed;  /* what stands behind the base; NULL: nothing yet, nor does the base */
	char path[LINE_MAX_SIZE + BRIEF], file[LINE_MAX_SIZE * 2];
};

struct series_catalogue {
	char *path;
	int fd;
	bool writer;
	bool gathers;        /* what is entered is owed until series_written */
	bool gathered_change; /* a known entry's line is among that */
	off_t read;          /* up to where lines have been taken up */
	off_t end;           /* the file's, when nothing more was to be taken up */
	bool have_retain;
	uint32_t count;      /* of entries */
	struct run *runs;
	uint32_t run_count, run_room;
	uint32_t *blocks;    /* in which run the first of each BLOCK ids stands */
	uint32_t block_count, block_room;
	struct pattern_list open; /* of the newest run */
	struct patterns patterns;
	struct shape **shapes;
	struct table known_shapes;
	struct table stems;  /* the newest run of each stem */
	uint32_t asked;      /* of the stem that was asked for last: index + 1, 0: none */
	struct words words;
	struct pool *pool;   /* of words */
	char **pools;        /* of stems */
	size_t pool_count;
	uint32_t pool_used;  /* of the newest one */
	struct base base;    /* of the stem that was looked at last */
	struct lent lent;
	struct few *kept;    /* struct series that somebody holds */
	char *owed;          /* entries that the disk had no room for, in order */
	size_t owed_size, owed_room;
	off_t reserved;      /* up to where there is room, for who syncs */
	off_t synced;        /* up to where a sync has succeeded, for who syncs */
	bool doubtful;       /* a sync has failed since, for who syncs */
	uint32_t synced_id;  /* and the entries before that place, for who syncs */
	unsigned synced_changes; /* of `changes`, for who syncs */
	atomic_uint filed;   /* entries whose first lines stand in the file */
	atomic_uint changes; /* lines that changed a known entry */
	atomic_int refusal;  /* errno while something is owed, else 0 */
	atomic_bool dirty;
};

/* ---- runs ---- */

/* The shapes of a run and their marks. */
struct members {
	const uint32_t *shapes;
	const uint8_t *marks;
	uint32_t count;
};

static struct members
members_of(const struct series_catalogue *catalogue, uint32_t run)
{
	const struct pattern *pattern;

	if (run + 1 == catalogue->run_count)
		return (struct members){ catalogue->open.numbers, catalogue->open.marks,
			catalogue->open.count };
	pattern = patterns_at(&catalogue->patterns, catalogue->runs[run].pattern);
	return (struct members){ pattern->numbers, pattern_marks(pattern), pattern->count };
}

static uint32_t
run_of(const struct series_catalogue *catalogue, uint32_t id)
{
	uint32_t run = catalogue->blocks[(id - 1) / BLOCK];

	while (run + 1 < catalogue->run_count && catalogue->runs[run + 1].first <= id)
		run++;
	return run;
}

struct entry {
	uint32_t stem;
	const struct shape *shape;
};

static struct entry
entry_at(const struct series_catalogue *catalogue, uint32_t id)
{
	uint32_t run = run_of(catalogue, id);
	const struct run *at = &catalogue->runs[run];

	return (struct entry){ at->stem,
		catalogue->shapes[members_of(catalogue, run).shapes[id - at->first]] };
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

static const char nothing[] = "";

/* The one copy of a text that many entries have; NULL: none has it. */
static const char *
known_word(const struct words *words, const char *text)
{
	if (text[0] == '\0')
		return nothing;
	return words->room == 0 ? NULL : *word_place(words, text);
}

/* The same, made if there is none. */
static const char *
word(struct series_catalogue *catalogue, const char *text)
{
	struct words *words = &catalogue->words;
	const char **place;

	if (text[0] == '\0')
		return nothing;
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

/* Of a word, in a pattern. */
static uint8_t
mark_of(const char *word)
{
	return (uint8_t)((uintptr_t)word * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

/* The place of a stem: its pool's number, from 1, and where it begins there. */
static const struct stem *
stem_at(const struct series_catalogue *catalogue, uint32_t place)
{
	return (const struct stem *)(const void *)(catalogue->pools[(place >> 16) - 1] +
		(place & (POOL - 1)));
}

static uint32_t
stem_new(struct series_catalogue *catalogue, const char *prefix, size_t length)
{
	size_t need = (sizeof(struct stem) + length + 1) & ~(size_t)1;
	struct stem *stem;
	uint32_t place;

	if (catalogue->pool_count == 0 || POOL - catalogue->pool_used < need) {
		catalogue->pools = mem_grow(catalogue->pools, catalogue->pool_count + 1,
			sizeof *catalogue->pools);
		catalogue->pools[catalogue->pool_count++] = mem_zero(POOL);
		catalogue->pool_used = 0;
	}
	stem = (struct stem *)(void *)(catalogue->pools[catalogue->pool_count - 1] +
		catalogue->pool_used);
	stem->length = (uint16_t)length;
	memcpy(stem->text, prefix, length);
	place = (uint32_t)catalogue->pool_count << 16 | catalogue->pool_used;
	catalogue->pool_used += (uint32_t)need;
	return place;
}

static bool
stem_is(const struct series_catalogue *catalogue, uint32_t run, const char *prefix, size_t length)
{
	const struct stem *stem = stem_at(catalogue, catalogue->runs[run].stem);

	return stem->length == length && memcmp(stem->text, prefix, length) == 0;
}

static uint32_t *
stem_place(const struct series_catalogue *catalogue, const char *prefix, size_t length)
{
	const struct table *stems = &catalogue->stems;
	size_t at = str_hash(prefix, length) & (stems->room - 1);

	while (stems->items[at] != 0 && !stem_is(catalogue, stems->items[at] - 1, prefix, length))
		at = (at + 1) & (stems->room - 1);
	return &stems->items[at];
}

static void
stems_grow(struct series_catalogue *catalogue)
{
	struct table *stems = &catalogue->stems, old = *stems;

	stems->room = old.room == 0 ? 64 : old.room * 2;
	stems->items = mem_array(stems->room, sizeof *stems->items);
	for (size_t i = 0; i < old.room; i++)
		if (old.items[i] != 0) {
			const struct stem *stem = stem_at(catalogue,
				catalogue->runs[old.items[i] - 1].stem);

			*stem_place(catalogue, stem->text, stem->length) = old.items[i];
		}
	free(old.items);
}

/* By series_file: a device's files begin like its paths; a row's is named after the row, and
 * stands in a folder that is named after the table. */
static size_t
write_base(char text[LINE_MAX_SIZE], const char *stem, size_t length)
{
	const char *slash = memchr(stem, '/', length), *bracket = NULL;
	char row[LINE_MAX_SIZE], name[LINE_MAX_SIZE];
	size_t folder, size;

	if (slash != NULL && length > 2 && memcmp(stem + length - 2, "]/", 2) == 0)
		bracket = memchr(slash, '[', (size_t)(stem + length - slash));
	if (bracket == NULL) {
		memcpy(text, stem, length);
		return length;
	}
	folder = (size_t)(bracket - stem);
	size = length - folder - 3;
	memcpy(row, bracket + 1, size);
	row[size] = '\0';
	str_file_name(name, LINE_MAX_SIZE - folder - 1, row);
	memcpy(text, stem, folder);
	text[folder] = '/';
	memcpy(text + folder + 1, name, strlen(name));
	return folder + 1 + strlen(name);
}

static const struct base *
base_of(struct series_catalogue *catalogue, const char *stem, size_t length)
{
	struct base *base = &catalogue->base;

	if (base->prefix != length || memcmp(base->stem, stem, length) != 0) {
		memcpy(base->stem, stem, length);
		base->prefix = length;
		base->length = write_base(base->text, stem, length);
	}
	return base;
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
		.file = traits->filed == FILED_BY_BASE ? catalogue->lent.file : traits->file,
		.ds = traits->ds, .profile = traits->profile };
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

static size_t
prefix_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? 0 : (size_t)(slash + 1 - path);
}

static bool
entry_is(const struct series_catalogue *catalogue, uint32_t id, const char *path)
{
	struct entry entry = entry_at(catalogue, id);
	const struct stem *stem = stem_at(catalogue, entry.stem);

	return stem->length == prefix_of(path) && memcmp(stem->text, path, stem->length) == 0 &&
		strcmp(entry.shape->point, path + stem->length) == 0;
}

/* The newest id of a run that is that point; 0: none. point: a word. */
static uint32_t
find_in(const struct series_catalogue *catalogue, uint32_t run, const char *point)
{
	struct members members = members_of(catalogue, run);
	const uint8_t *mark;

	while ((mark = memrchr(members.marks, mark_of(point), members.count)) != NULL) {
		members.count = (uint32_t)(mark - members.marks);
		if (catalogue->shapes[members.shapes[members.count]]->traits.point == point)
			return catalogue->runs[run].first + members.count;
	}
	return 0;
}

/* Of those with the same path the newest has it: 0 when there is none. run: the newest one of its
 * stem, as in struct table. */
static uint32_t
id_from(const struct series_catalogue *catalogue, uint32_t run, const char *name)
{
	const char *point = known_word(&catalogue->words, name);
	uint32_t id = 0;

	for (; point != NULL && run != 0 && id == 0; run = catalogue->runs[run - 1].former)
		id = find_in(catalogue, run - 1, point);
	return id;
}

static uint32_t
id_of(const struct series_catalogue *catalogue, const char *path)
{
	size_t prefix = prefix_of(path);

	if (catalogue->count == 0)
		return 0;
	return id_from(catalogue, *stem_place(catalogue, path, prefix), path + prefix);
}

/* The same for who enters them: those of a device or row come one after the other. */
static uint32_t
next_id_of(struct series_catalogue *catalogue, const char *path)
{
	size_t prefix = prefix_of(path);

	if (catalogue->count == 0)
		return 0;
	if (catalogue->asked == 0 || !stem_is(catalogue, catalogue->asked - 1, path, prefix))
		catalogue->asked = *stem_place(catalogue, path, prefix);
	return id_from(catalogue, catalogue->asked, path + prefix);
}

/* ---- whole entries: lent, and kept ---- */

static void
lend_run(struct series_catalogue *catalogue, uint32_t id)
{
	struct lent *lent = &catalogue->lent;
	uint32_t run = run_of(catalogue, id), place = catalogue->runs[run].stem;
	struct members members = members_of(catalogue, run);

	lent->from = catalogue->runs[run].first;
	lent->end = lent->from + members.count;
	lent->shapes = members.shapes;
	if (lent->stem != place) {
		const struct stem *stem = stem_at(catalogue, place);

		memcpy(lent->path, stem->text, stem->length);
		lent->stem = place;
		lent->prefix = stem->length;
		lent->filed = NULL;
	}
}

static void
lend_file(struct series_catalogue *catalogue, const char *rest)
{
	struct lent *lent = &catalogue->lent;

	if (lent->filed == NULL) {
		const struct base *base = base_of(catalogue, lent->path, lent->prefix);

		memcpy(lent->file, base->text, base->length);
		lent->base = base->length;
	}
	memcpy(lent->file + lent->base, rest, strlen(rest) + 1);
	lent->filed = rest;
}

const struct series *
series_show(struct series_catalogue *catalogue, uint32_t id)
{
	struct lent *lent = &catalogue->lent;
	struct shape *shape;

	if (id < 1 || id > catalogue->count)
		return NULL;
	if (id < lent->from || id >= lent->end)
		lend_run(catalogue, id);
	shape = catalogue->shapes[lent->shapes[id - lent->from]];
	memcpy(lent->path + lent->prefix, shape->point, BRIEF);
	if (shape->length >= BRIEF)
		memcpy(lent->path + lent->prefix, shape->point, shape->length + 1);
	if (shape->traits.filed == FILED_BY_BASE && shape->traits.file != lent->filed)
		lend_file(catalogue, shape->traits.file);
	shape->shown.id = id;
	return &shape->shown;
}

/* What is kept has a copy of its path behind it; of its file's name there is one for all. */
static void
fill_kept(struct series_catalogue *catalogue, uint32_t id, struct series *kept)
{
	const struct series *shown = series_show(catalogue, id);
	char *path = (char *)(kept + 1);

	*kept = *shown;
	kept->path = memcpy(path, shown->path, strlen(shown->path) + 1);
	kept->file = word(catalogue, shown->file);
}

const struct series *
series_get(const struct series_catalogue *catalogue, uint32_t id)
{
	struct entry entry;
	struct series *kept;

	if (id < 1 || id > catalogue->count)
		return NULL;
	kept = few_get(catalogue->kept, id);
	if (kept != NULL)
		return kept;
	entry = entry_at(catalogue, id);
	kept = mem_zero(sizeof *kept + stem_at(catalogue, entry.stem)->length +
		entry.shape->length + 1);
	/* What it says stays the same; only what is lent is another. */
	fill_kept((struct series_catalogue *)catalogue, id, kept);
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

/* ---- entries ---- */

static void
new_block(struct series_catalogue *catalogue)
{
	if (catalogue->block_count == catalogue->block_room) {
		catalogue->block_room += catalogue->block_room / 8 + 16;
		catalogue->blocks = mem_grow(catalogue->blocks, catalogue->block_room,
			sizeof *catalogue->blocks);
	}
	catalogue->blocks[catalogue->block_count++] = catalogue->run_count - 1;
}

/* The newest run is complete. */
static void
close_run(struct series_catalogue *catalogue)
{
	if (catalogue->run_count > 0)
		catalogue->runs[catalogue->run_count - 1].pattern =
			patterns_hold(&catalogue->patterns, &catalogue->open);
	catalogue->open.count = 0;
}

static void
new_run(struct series_catalogue *catalogue, const char *prefix, size_t length)
{
	uint32_t *place, stem;

	close_run(catalogue);
	if (catalogue->run_count == catalogue->run_room) {
		catalogue->run_room += catalogue->run_room / 8 + 16;
		catalogue->runs = mem_grow(catalogue->runs, catalogue->run_room,
			sizeof *catalogue->runs);
	}
	if (catalogue->stems.count * 4 >= catalogue->stems.room * 3)
		stems_grow(catalogue);
	place = stem_place(catalogue, prefix, length);
	if (*place == 0)
		catalogue->stems.count++;
	stem = *place == 0 ? stem_new(catalogue, prefix, length) :
		catalogue->runs[*place - 1].stem;
	catalogue->runs[catalogue->run_count++] = (struct run){ .first = catalogue->count + 1,
		.stem = stem, .former = *place };
	*place = catalogue->asked = catalogue->run_count;
}

/* Does the newest run go on with another one of that stem? */
static bool
goes_on(const struct series_catalogue *catalogue, const char *prefix, size_t length)
{
	return catalogue->run_count > 0 && catalogue->open.count < PATTERN_MOST &&
		stem_is(catalogue, catalogue->run_count - 1, prefix, length);
}

/* Begins a new entry; its shape is set next. */
static void
add_entry(struct series_catalogue *catalogue, const char *path)
{
	size_t prefix = prefix_of(path);

	if (!goes_on(catalogue, path, prefix))
		new_run(catalogue, path, prefix);
	catalogue->open.count++;
	catalogue->count++;
	if ((catalogue->count - 1) % BLOCK == 0)
		new_block(catalogue);
}

/* Of all runs but the newest: the pattern becomes another one. */
static void
change_pattern(struct series_catalogue *catalogue, struct run *run, uint32_t at, uint32_t shape)
{
	const struct pattern *pattern = patterns_at(&catalogue->patterns, run->pattern);
	uint32_t former = run->pattern;
	struct pattern_list list = { .count = pattern->count };

	if (pattern->numbers[at] == shape)
		return;
	memcpy(list.numbers, pattern->numbers, pattern->count * sizeof list.numbers[0]);
	memcpy(list.marks, pattern_marks(pattern), pattern->count);
	list.numbers[at] = shape; /* of the same point: the mark stays */
	run->pattern = patterns_hold(&catalogue->patterns, &list);
	patterns_drop(&catalogue->patterns, former);
}

/* What somebody holds of it changes as well. */
static void
set_shape(struct series_catalogue *catalogue, uint32_t id, const struct traits *traits)
{
	uint32_t run = run_of(catalogue, id), shape = shape_for(catalogue, traits);
	uint32_t at = id - catalogue->runs[run].first;
	struct series *kept = few_get(catalogue->kept, id);

	if (run + 1 == catalogue->run_count) {
		catalogue->open.numbers[at] = shape;
		catalogue->open.marks[at] = mark_of(traits->point);
	} else {
		change_pattern(catalogue, &catalogue->runs[run], at, shape);
	}
	catalogue->lent.from = catalogue->lent.end = 0;
	if (kept != NULL)
		fill_kept(catalogue, id, kept);
}

static void
set_file(struct series_catalogue *catalogue, struct traits *traits, const char *path,
	const char *file)
{
	const struct base *base = base_of(catalogue, path, prefix_of(path));
	bool based = strncmp(file, base->text, base->length) == 0;

	if (file[0] == '\0')
		traits->filed = FILED_NOWHERE;
	else
		traits->filed = based ? FILED_BY_BASE : FILED_BY_NAME;
	traits->file = word(catalogue, file[0] != '\0' && based ? file + base->length : file);
}

/* All but the path, which is the same in all lines of an id. */
static void
fill_entry(struct series_catalogue *catalogue, uint32_t id, char *fields[FIELDS])
{
	const char *path = fields[8];
	struct traits traits;

	memset(&traits, 0, sizeof traits);
	traits.kind = (uint32_t)point_kind_parse(fields[2]);
	traits.step = strtoll(fields[3], NULL, 10);
	traits.profile = word(catalogue, fields[4]);
	if (strchr(traits.profile, ':') != NULL)
		catalogue->have_retain = true;
	traits.unit = word(catalogue, fields[5]);
	set_file(catalogue, &traits, path, fields[6]);
	traits.ds = word(catalogue, fields[7]);
	traits.point = word(catalogue, path + prefix_of(path));
	set_shape(catalogue, id, &traits);
}

/* The same point with another step: nothing is stored under the former id any more. */
static void
leave_entry(struct series_catalogue *catalogue, uint32_t id)
{
	struct traits traits = entry_at(catalogue, id).shape->traits;

	traits.filed = FILED_NOWHERE;
	traits.file = traits.ds = nothing;
	set_shape(catalogue, id, &traits);
}

static void
new_entry(struct series_catalogue *catalogue, char *fields[FIELDS])
{
	uint32_t former = next_id_of(catalogue, fields[8]);

	add_entry(catalogue, fields[8]);
	fill_entry(catalogue, catalogue->count, fields);
	if (former != 0)
		leave_entry(catalogue, former);
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
	else if (entry_is(catalogue, id, fields[8]))
		fill_entry(catalogue, id, fields);
	else
		return false;
	return true;
}

/* Whole, valid lines of one piece of the file. 1: there may be more behind it. -1 and errno. */
static int
read_piece(struct series_catalogue *catalogue, char *bytes, size_t piece, bool *any)
{
	ssize_t size = pread(catalogue->fd, bytes, piece, catalogue->read);
	bool some = false;
	char *line = bytes, *end;

	if (size == -1)
		return -1;
	bytes[size] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		if (!take_line(catalogue, line))
			break;
		catalogue->read += end + 1 - line;
		line = end + 1;
		some = true;
	}
	*any = *any || some;
	return some && size == (ssize_t)piece;
}

/* Takes up whole, valid lines from where reading stopped; whether there were any. 0, -1 and errno. */
static int
read_lines(struct series_catalogue *catalogue, bool *any)
{
	static const size_t piece = 1 << 20;
	char *bytes = mem_zero(piece + 1);
	int more;

	*any = false;
	while ((more = read_piece(catalogue, bytes, piece, any)) == 1)
		;
	free(bytes);
	return more;
}

int
series_read_on(struct series_catalogue *catalogue, struct fail *why)
{
	static const size_t piece = 1 << 18;
	struct stat status;
	bool any = false;
	char *bytes;
	int more = fstat(catalogue->fd, &status);

	/* What stands there and is no line will be none before it grows. */
	if (more == 0 && status.st_size == catalogue->end)
		return 0;
	if (more == 0) {
		bytes = mem_grow(NULL, piece + 1, 1);
		more = read_piece(catalogue, bytes, piece, &any);
		free(bytes);
	}
	if (more == 0)
		catalogue->end = status.st_size;
	if (more == -1)
		fail_set(why, "%s: %s", catalogue->path, strerror(errno));
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

/* Room behind the end, so that new points find some on a disk that is full. Not every file system
 * can; then there is none. */
static void
keep_reserve(struct series_catalogue *catalogue)
{
	struct stat status;

	if (fstat(catalogue->fd, &status) == -1 || status.st_size + RESERVE / 2 < catalogue->reserved)
		return;
	catalogue->reserved = status.st_size + RESERVE;
	if (fallocate(catalogue->fd, FALLOC_FL_KEEP_SIZE, status.st_size, RESERVE) == -1)
		catalogue->reserved = 0;
}

static struct series_catalogue *
open_file(const char *state_dir, bool writer, struct fail *why)
{
	struct series_catalogue *catalogue = mem_zero(sizeof *catalogue);
	int error;

	catalogue->kept = mem_zero(sizeof *catalogue->kept);
	catalogue->path = mem_format("%s/series", state_dir);
	catalogue->writer = writer;
	catalogue->fd = open(catalogue->path,
		O_CLOEXEC | (writer ? O_RDWR | O_CREAT | O_APPEND : O_RDONLY), 0640);
	if (catalogue->fd != -1)
		return catalogue;
	error = errno;
	fail_set(why, "%s: %s", catalogue->path, strerror(error));
	series_close(catalogue);
	errno = error;
	return NULL;
}

struct series_catalogue *
series_open(const char *state_dir, bool writer, struct fail *why)
{
	struct series_catalogue *catalogue = open_file(state_dir, writer, why);

	bool any;

	if (catalogue == NULL)
		return NULL;
	/* What cannot be read is not what is not there, and shall not be cut off. */
	if (read_lines(catalogue, &any) == -1) {
		fail_set(why, "%s: %s", catalogue->path, strerror(errno));
		series_close(catalogue);
		return NULL;
	}
	if (!writer)
		return catalogue;
	if (cut_torn_end(catalogue, why) == 0) {
		/* A former writer may have been killed before it synced what stands there. */
		atomic_store(&catalogue->dirty, true);
		atomic_store(&catalogue->filed, catalogue->count);
		keep_reserve(catalogue);
		return catalogue;
	}
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
	for (size_t i = 0; i < catalogue->pool_count; i++)
		free(catalogue->pools[i]);
	free(catalogue->pools);
	free(catalogue->stems.items);
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
	patterns_free(&catalogue->patterns);
	free(catalogue->runs);
	free(catalogue->blocks);
	free_shared(catalogue);
	if (catalogue->fd != -1) {
		series_settle(catalogue);
		close(catalogue->fd);
	}
	free(catalogue->owed);
	free(catalogue->path);
	free(catalogue);
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

/* How much of it went to the file: a disk that fills up may take a part. */
static size_t
write_some(struct series_catalogue *catalogue, const char *bytes, size_t size)
{
	ssize_t written = write(catalogue->fd, bytes, size);
	int error = written == -1 ? errno : ENOSPC;

	if (written == (ssize_t)size)
		return size;
	if (atomic_load(&catalogue->refusal) == 0)
		log_error("%s: %s: new points wait in memory", catalogue->path, strerror(error));
	atomic_store(&catalogue->refusal, error);
	return written == -1 ? 0 : (size_t)written;
}

static void
owe(struct series_catalogue *catalogue, const char *bytes, size_t size)
{
	if (catalogue->owed_size + size > catalogue->owed_room) {
		catalogue->owed_room = 2 * catalogue->owed_room + size + 4096;
		catalogue->owed = mem_grow(catalogue->owed, catalogue->owed_room, 1);
	}
	memcpy(catalogue->owed + catalogue->owed_size, bytes, size);
	catalogue->owed_size += size;
}

/* What was entered cannot be taken back: others count on its id. */
static void
put(struct series_catalogue *catalogue, const char *line, size_t size)
{
	bool waits = catalogue->owed_size > 0 || catalogue->gathers;
	size_t written = waits ? 0 : write_some(catalogue, line, size);

	if (written < size)
		owe(catalogue, line + written, size - written);
}

void
series_settle(struct series_catalogue *catalogue)
{
	size_t written;

	if (catalogue->owed_size == 0)
		return;
	written = write_some(catalogue, catalogue->owed, catalogue->owed_size);
	catalogue->owed_size -= written;
	memmove(catalogue->owed, catalogue->owed + written, catalogue->owed_size);
	if (catalogue->owed_size > 0)
		return;
	free(catalogue->owed);
	catalogue->owed = NULL;
	catalogue->owed_room = 0;
	/* In this order: who sees no refusal any more syncs. */
	atomic_store(&catalogue->filed, catalogue->count);
	atomic_store(&catalogue->dirty, true);
	if (catalogue->gathered_change)
		atomic_fetch_add(&catalogue->changes, 1);
	catalogue->gathered_change = false;
	if (atomic_exchange(&catalogue->refusal, 0) != 0)
		log_info("%s: can be written again", catalogue->path);
}

void
series_gather(struct series_catalogue *catalogue)
{
	catalogue->gathers = true;
}

/* While the disk refuses, series_settle is for others to try. */
void
series_written(struct series_catalogue *catalogue)
{
	catalogue->gathers = false;
	if (atomic_load(&catalogue->refusal) == 0)
		series_settle(catalogue);
}

static int
append(struct series_catalogue *catalogue, const struct series *series, struct fail *why)
{
	char line[LINE_MAX_SIZE + 16];
	int length = format_line(line, sizeof line, series);
	bool changes = series->id <= catalogue->count;

	if (length < 0) {
		fail_set(why, "%s: entry for %.80s is too long", catalogue->path, series->path);
		return -1;
	}
	put(catalogue, line, (size_t)length);
	line[length - 1] = '\0';
	if (!take_line(catalogue, line)) {
		fail_set(why, "%s: entry for %.80s does not read back", catalogue->path, series->path);
		return -1;
	}
	catalogue->read += length;
	if (catalogue->owed_size == 0)
		atomic_store(&catalogue->filed, catalogue->count);
	/* In this order: who sees the change syncs. */
	atomic_store(&catalogue->dirty, true);
	if (changes)
		atomic_fetch_add(&catalogue->changes, 1);
	/* A sync that comes in between would take it for one that it has synced. */
	catalogue->gathered_change |= changes && catalogue->gathers;
	return 0;
}

uint32_t
series_enter(struct series_catalogue *catalogue, const struct series *wanted, struct fail *why)
{
	const struct series *old = series_show(catalogue, next_id_of(catalogue, wanted->path));
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

/* Octets of whole lines in front of `bytes`; what is not one of ours ends them. */
static size_t
whole_lines(const char *bytes, size_t size)
{
	char copy[LINE_MAX_SIZE + 16], *fields[FIELDS];
	size_t whole = 0, length;
	const char *end;

	while ((end = memchr(bytes + whole, '\n', size - whole)) != NULL) {
		length = (size_t)(end - bytes) - whole;
		if (length >= sizeof copy)
			break;
		memcpy(copy, bytes + whole, length);
		copy[length] = '\0';
		if (!split_line(copy, fields))
			break;
		whole += length + 1;
	}
	return whole;
}

/* The sync may have come in the middle of a line that the disk took in two parts. */
static void
step_back_to_line(struct series_catalogue *catalogue)
{
	char bytes[LINE_MAX_SIZE + 16];
	off_t from = catalogue->synced > (off_t)sizeof bytes ?
		catalogue->synced - (off_t)sizeof bytes : 0;
	ssize_t got = pread(catalogue->fd, bytes, (size_t)(catalogue->synced - from), from);

	while (got > 0 && bytes[got - 1] != '\n')
		got--;
	if (got >= 0)
		catalogue->synced = from + got;
}

/* After a failed sync the kernel calls the pages clean, and the next one says nothing about them:
 * what is in doubt is written to its place once more, piece by piece. It is what the kernel still
 * has, and each line proves itself; where one does not, the file stays as not synced. `fd` is not
 * the catalogue's own, which appends wherever it is told to write. */
static int
write_again(struct series_catalogue *catalogue, int fd, off_t size, struct fail *why)
{
	static const size_t piece = 1 << 20;
	char *bytes = mem_grow(NULL, piece, 1);
	ssize_t got = 0;
	size_t whole = 1;

	step_back_to_line(catalogue);
	while (catalogue->synced < size && whole > 0) {
		got = pread(catalogue->fd, bytes, piece, catalogue->synced);
		whole = got > 0 ? whole_lines(bytes, (size_t)got) : 0;
		if (whole == 0 || file_write(fd, bytes, whole, (uint64_t)catalogue->synced) == -1 ||
			fdatasync(catalogue->fd) == -1)
			break;
		catalogue->synced += (off_t)whole;
	}
	if (catalogue->synced < size && whole == 0 && got >= 0)
		fail_set(why, "%s: the disk lost what was written behind octet %lld",
			catalogue->path, (long long)catalogue->synced);
	else if (catalogue->synced < size)
		fail_set(why, "%s: %s", catalogue->path, strerror(errno));
	free(bytes);
	return catalogue->synced < size ? -1 : 0;
}

static int
sync_doubtful(struct series_catalogue *catalogue, off_t size, struct fail *why)
{
	int fd = open(catalogue->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), result = -1;

	if (fd == -1)
		fail_set(why, "%s: %s", catalogue->path, strerror(errno));
	else
		result = write_again(catalogue, fd, size, why);
	if (fd != -1)
		close(fd);
	return result;
}

static int
sync_file(struct series_catalogue *catalogue, struct fail *why)
{
	struct stat status;

	if (fstat(catalogue->fd, &status) == 0) {
		if (catalogue->doubtful)
			return sync_doubtful(catalogue, status.st_size, why);
		if (fdatasync(catalogue->fd) == 0) {
			catalogue->synced = status.st_size;
			return 0;
		}
		catalogue->doubtful = true;
	}
	fail_set(why, "%s: %s", catalogue->path, strerror(errno));
	return -1;
}

/* What stands in the file, while others wait or none does. 0, -1 and why. */
static int
sync_filed(struct series_catalogue *catalogue, struct fail *why)
{
	/* In this order: what is entered meanwhile is for the next time. */
	uint32_t filed = atomic_load(&catalogue->filed);

	if (!atomic_exchange(&catalogue->dirty, false))
		return 0;
	keep_reserve(catalogue);
	if (sync_file(catalogue, why) == 0) {
		catalogue->doubtful = false;
		catalogue->synced_id = filed;
		return 0;
	}
	atomic_store(&catalogue->dirty, true);
	return -1;
}

int
series_sync(struct series_catalogue *catalogue, struct fail *why)
{
	int refusal = atomic_load(&catalogue->refusal);
	unsigned changes = atomic_load(&catalogue->changes);

	/* Half a line that waits for its other half does not prove itself, see write_again. */
	if ((refusal == 0 || !catalogue->doubtful) && sync_filed(catalogue, why) == -1)
		return -1;
	if (refusal == 0) {
		catalogue->synced_changes = changes;
		return 0;
	}
	fail_set(why, "%s: %s", catalogue->path, strerror(refusal));
	return -1;
}

uint32_t
series_synced(const struct series_catalogue *catalogue)
{
	return atomic_load(&catalogue->changes) == catalogue->synced_changes ?
		catalogue->synced_id : 0;
}

bool
series_refresh(struct series_catalogue *catalogue)
{
	bool any;

	read_lines(catalogue, &any);
	return any;
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
