#include "snmp/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ahead.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/portion.h"
#include "base/str.h"
#include "journal/state.h"
#include "snmp/oid.h"
#include "snmp/snmp.h"

/* Rows of the next answer that are fetched: some ten values each, sixty to an answer. */
#define AHEAD_ROWS 6
/* Rows with which the end of a poll begins. */
#define AHEAD_END 4
/* Polls in a row for which an agent may keep all names to itself, and is not believed. */
#define DENIALS 10
/* Polls for which it is known that a name may stand for another row: a reading is a base for a rate
 * for ten. */
#define SHARED_POLLS 12
/* Text of an index of up to 127 arcs. */
#define INDEX_TEXT (SNMP_OID_MAX * 11)

/* Of a row: why its name is not believed at once. */
enum doubt { DOUBT_DOUBLE, DOUBT_WORSE, DOUBT_NAMELESS };

struct rows {
	char *prefix;
	size_t point_count;
	struct state *state;
	struct row *by_index;
	struct row_history *histories; /* by key */
	struct row **present, **before; /* of this poll, of the last one; in order of sight */
	size_t present_count, present_room, before_count, before_room;
	struct row *sighted; /* the newest; NULL at first */
	size_t taken; /* histories that have a row in this poll */
	/* While names are given: */
	struct row **sorted; /* those present by index; NULL: they came in that order */
	enum naming { NAMES_SORT, NAMES_OWN, NAMES_GIVE } naming;
	size_t named; /* so many were dealt with in that step */
	unsigned poll;
	int64_t now;
	unsigned said; /* the poll in which a shared name was logged */
	unsigned lost; /* the poll in which a row had lost its text */
	unsigned texted; /* the poll in which some row had a text */
	unsigned denials; /* polls since then */
	unsigned withheld; /* the poll in which a row with a text was hidden */
	bool recalled; /* the state knew some: it was read before this process began */
	bool had_texts; /* rows have had some, also before */
	bool changed; /* the state has to be saved */
};

struct rows *
rows_new(const char *prefix, size_t point_count, struct state *state)
{
	struct rows *rows = mem_zero(sizeof *rows);

	rows->prefix = mem_text(prefix);
	rows->point_count = point_count;
	rows->state = state;
	rows->recalled = rows->had_texts = state != NULL && state_get(state, prefix) != NULL;
	return rows;
}

static const char no_name[] = "";

static void
free_names(struct row *row)
{
	if (row->key != no_name && row->key != row->near)
		free((char *)(uintptr_t)row->key);
}

static void
forget_row(struct rows *rows, struct row *row)
{
	HASH_DELETE(hh, rows->by_index, row);
	if (row->index != row->few)
		free(row->index);
	free_names(row);
	free(row);
}

static void
forget_history(struct rows *rows, struct row_history *history)
{
	HASH_DELETE(hh, rows->histories, history);
	free(history);
}

void
rows_free(struct rows *rows)
{
	struct row *row, *next_row;
	struct row_history *history, *next_history;

	if (rows == NULL)
		return;
	HASH_ITER(hh, rows->by_index, row, next_row)
		forget_row(rows, row);
	HASH_ITER(hh, rows->histories, history, next_history)
		forget_history(rows, history);
	free(rows->present);
	free(rows->before);
	free(rows->sorted);
	free(rows->prefix);
	free(rows);
}

/* ---- the state: "PREFIX INDEX" holds the key, a tab, the text that it is for;
 * "PREFIX +KEY" says that the row with this key was up; "PREFIX *KEY" that its history
 * is `shared`; "PREFIX" that there were texts ---- */

static char *
state_key(const struct rows *rows, const struct row *row)
{
	char index[INDEX_TEXT];

	snmp_oid_text(index, sizeof index, row->index, row->index_count);
	return mem_format("%s %s", rows->prefix, index);
}

static void
note_name(struct rows *rows, const struct row *row, bool there)
{
	char *key, *value;

	if (rows->state == NULL)
		return;
	key = state_key(rows, row);
	value = mem_format("%s\t%s", row->key, row->known);
	state_set(rows->state, key, there ? value : NULL);
	rows->changed = true;
	free(value);
	free(key);
}

static void
note_up(struct rows *rows, struct row_history *history, bool up)
{
	char *key;

	history->kept = up;
	if (rows->state == NULL)
		return;
	key = mem_format("%s +%s", rows->prefix, history->key);
	state_set(rows->state, key, up ? "up" : NULL);
	rows->changed = true;
	free(key);
}

static void
note_shared(struct rows *rows, const struct row_history *history)
{
	char *key;

	if (rows->state == NULL)
		return;
	key = mem_format("%s *%s", rows->prefix, history->key);
	state_set(rows->state, key, history->shared ? "shared" : NULL);
	rows->changed = true;
	free(key);
}

/* mark: what stands before the name there. */
static bool
was_noted(const struct rows *rows, char mark, const char *name)
{
	char *key;
	bool noted;

	if (rows->state == NULL)
		return false;
	key = mem_format("%s %c%s", rows->prefix, mark, name);
	noted = state_get(rows->state, key) != NULL;
	free(key);
	return noted;
}

/* key and known may be the row's own. */
static void
set_names(struct row *row, const char *key, size_t key_size, const char *known,
	size_t known_size)
{
	bool one = key_size == known_size && memcmp(key, known, key_size) == 0;
	bool near = one && key_size < sizeof row->near;
	char *both = near ? row->near : mem_zero(key_size + 1 + (one ? 0 : known_size + 1));

	memmove(both, key, key_size);
	if (near)
		both[key_size] = '\0';
	if (!one)
		memcpy(both + key_size + 1, known, known_size);
	free_names(row);
	row->key = both;
	row->known = one ? both : both + key_size + 1;
	row->known_size = (uint8_t)known_size;
}

/* What the row was called before this process began. */
static void
recall(struct rows *rows, struct row *row)
{
	const char *value, *tab;
	char *key;

	if (rows->state == NULL)
		return;
	key = state_key(rows, row);
	value = state_get(rows->state, key);
	free(key);
	tab = value != NULL ? strchr(value, '\t') : NULL;
	if (tab == NULL || (size_t)(tab - value) > ROW_KEY || strlen(tab + 1) > ROW_KEY)
		return;
	set_names(row, value, (size_t)(tab - value), tab + 1, strlen(tab + 1));
	rows->recalled = true;
	rows->had_texts |= tab[1] != '\0';
}

/* ---- who is there ---- */

/* What was seen in this poll becomes what is expected in the next. */
static void
remember_order(struct rows *rows)
{
	struct row **present = rows->present;
	size_t room = rows->present_room;

	rows->present = rows->before;
	rows->present_room = rows->before_room;
	rows->before = present;
	rows->before_room = room;
	rows->before_count = rows->present_count;
	rows->present_count = 0;
	rows->sighted = NULL;
}

static void
forget_rows(struct rows *rows, int64_t now, int64_t retire)
{
	struct row *row, *next_row;

	HASH_ITER(hh, rows->by_index, row, next_row) {
		row->home = NULL;
		if (row->key[0] == '\0' && (row->doubted == 0 || row->doubted + 1 < rows->poll)) {
			/* never got a name: it may be made up */
			forget_row(rows, row);
			rows->before_count = 0;
		} else if (retire > 0 && now - row->seen > retire) {
			note_name(rows, row, false);
			forget_row(rows, row);
			rows->before_count = 0;
		}
	}
}

static void
forget_histories(struct rows *rows, int64_t now, int64_t retire)
{
	struct row_history *history, *next_history;

	HASH_ITER(hh, rows->histories, history, next_history)
		if (retire > 0 && now - history->seen > retire) {
			if (history->kept)
				note_up(rows, history, false);
			if (history->shared) {
				history->shared = false;
				note_shared(rows, history);
			}
			forget_history(rows, history);
		}
}

static void
end_naming(struct rows *rows)
{
	free(rows->sorted);
	rows->sorted = NULL;
	rows->naming = NAMES_SORT;
	rows->named = 0;
}

/* In the last poll all that are known were there, with all names that are known. */
static bool
all_were_there(const struct rows *rows)
{
	return rows->before_count == HASH_COUNT(rows->by_index) &&
		rows->before_count == rows->taken && rows->taken == HASH_COUNT(rows->histories);
}

void
rows_begin(struct rows *rows, int64_t now, int64_t retire)
{
	bool late = retire > 0 && now - rows->now > retire;

	remember_order(rows);
	rows->poll++;
	if (late || !all_were_there(rows)) {
		forget_rows(rows, now, retire);
		forget_histories(rows, now, retire);
	}
	rows->now = now;
	rows->taken = 0;
	end_naming(rows);
}

uint64_t
row_wire_of(const uint32_t *index, size_t count)
{
	uint8_t bytes[8 + ROW_WIRE] = { 0 };
	size_t size = oid_tail_to_wire(bytes + 8, ROW_WIRE, index, count);

	return size > 0 ? row_wire(bytes + 8 + size, size) : 0;
}

static struct row *
row_new(struct rows *rows, const uint32_t *index, size_t count)
{
	struct row *row = mem_zero(sizeof *row);

	row->index = row->few;
	if (count <= sizeof row->few / sizeof row->few[0])
		memcpy(row->few, index, count * sizeof *index);
	else
		row->index = mem_copy(index, count * sizeof *index);
	row->index_count = (uint16_t)count;
	row->key = row->known = no_name;
	row->place = str_hash((const char *)row->index, count * sizeof *index);
	row->wire = row_wire_of(index, count);
	recall(rows, row);
	HASH_ADD_KEYPTR(hh, rows->by_index, row->index, count * sizeof *index, row);
	return row;
}

static void
add_present(struct rows *rows, struct row *row)
{
	if (rows->present_count == rows->present_room) {
		rows->present_room = rows->present_room * 2 + 32;
		rows->present = mem_grow(rows->present, rows->present_room,
			sizeof(struct row *));
	}
	row->poll = rows->poll;
	row->text = no_name;
	row->astray = row->unsure || row->named_in == 0 || row->named_in + 1 != rows->poll;
	row->hidden = row->second_best = row->unsure = row->moved_in = false;
	row->remarked = row->reset = row->unmarked = false;
	row->renamed = row->same = false;
	row->history = NULL;
	row->slot = (uint32_t)rows->present_count;
	rows->present[rows->present_count++] = row;
}

static bool
has_index(const struct row *row, const uint32_t *index, size_t count)
{
	return row != NULL && row_is(row, index, count);
}

struct row *
rows_next(const struct rows *rows)
{
	size_t after = rows->sighted != NULL ? rows->sighted->slot + 1 : 0;

	return after < rows->present_count ? rows->present[after] :
		after < rows->before_count ? rows->before[after] : NULL;
}

struct row *
rows_expected(const struct rows *rows, size_t after)
{
	size_t at = rows->present_count, next = rows->sighted != NULL ? rows->sighted->slot + 1 : 0;
	struct row *row;

	if (next != at || at + after >= rows->before_count)
		return NULL;
	row = rows->before[at + after];
	/* One that was present out of turn does not come once more. */
	return row->poll != rows->poll ? row : NULL;
}

/* Columns are read side by side, and mostly as in the last poll: the row is the one that
 * another column just had, or the next one. */
static struct row *
expected_row(const struct rows *rows, const uint32_t *index, size_t count)
{
	struct row *row;

	if (has_index(rows->sighted, index, count))
		return rows->sighted;
	row = rows_next(rows);
	return has_index(row, index, count) ? row : NULL;
}

void
rows_sight_row(struct rows *rows, struct row *row)
{
	if (row->poll != rows->poll)
		add_present(rows, row);
	row->seen = rows->now;
	rows->sighted = row;
}

struct row *
rows_sight(struct rows *rows, const uint32_t *index, size_t count)
{
	struct row *row = expected_row(rows, index, count);

	if (row == rows->sighted && row != NULL)
		return row;
	if (row == NULL)
		HASH_FIND(hh, rows->by_index, index, count * sizeof *index, row);
	if (row == NULL)
		row = row_new(rows, index, count);
	rows_sight_row(rows, row);
	return row;
}

size_t
rows_present(const struct rows *rows)
{
	return rows->present_count;
}

struct row *
rows_at(const struct rows *rows, size_t slot)
{
	return rows->present[slot];
}

void
rows_await_next(const struct rows *rows, size_t count)
{
	size_t first = rows->present_count;

	for (size_t i = first; i < first + count && i < rows->before_count; i++) {
		__builtin_prefetch(rows->before[i], 1);
		__builtin_prefetch(&rows->before[i]->index_count, 1);
	}
}

/* What the end of a poll looks at of a row. */
static void
await_row(const struct row *row)
{
	const struct row_history *home = row->home;

	if (row->known != row->near)
		__builtin_prefetch(row->known);
	if (home == NULL)
		return;
	__builtin_prefetch(&home->seen, 1);
	__builtin_prefetch(home->runs, 1);
}

void
rows_ahead(const struct rows *rows, unsigned step)
{
	size_t at = rows->present_count;

	if (step == 0) {
		ahead_fetch(rows, sizeof *rows);
	} else if (step == 1) {
		if (at < rows->present_room)
			ahead_fetch(rows->present + at, AHEAD_LINE);
		if (at < rows->before_count)
			ahead_fetch(rows->before + at, AHEAD_LINE);
	}
	/* What only a look-up by index needs is last in a row. */
	for (size_t i = at; step == 2 && i < at + AHEAD_ROWS && i < rows->before_count; i++)
		ahead_fetch(rows->before[i], offsetof(struct row, hh));
	/* The rest is wanted at the end, which is near or far. */
	for (size_t i = 0; step == 3 && at + AHEAD_ROWS >= rows->before_count && i < AHEAD_END; i++)
		if (i < at)
			await_row(rows->present[i]);
		else if (i < rows->before_count)
			await_row(rows->before[i]);
}

void
rows_await(const struct rows *rows, size_t slot)
{
	if (slot < rows->present_count)
		await_row(rows->present[slot]);
}

/* ---- names ---- */

static struct row_history *
history_new(struct rows *rows, const char *key, uint64_t place)
{
	struct row_history *history = mem_zero(sizeof *history +
		rows->point_count * sizeof history->runs[0]);

	memcpy(history->key, key, strlen(key));
	history->place = place;
	history->type = ROW_TYPE_UNREAD;
	history->kept = was_noted(rows, '+', key);
	history->shared = was_noted(rows, '*', key);
	history->shared_in = rows->poll;
	history->up_at = rows->now;
	HASH_ADD_STR(rows->histories, key, history);
	return history;
}

/* Is it the very first poll of the table? That is taken as it is. */
static bool
is_first(const struct rows *rows)
{
	return rows->poll == 1 && !rows->recalled;
}

static void
share(struct rows *rows, struct row_history *history)
{
	bool known = history->shared;

	history->shared_in = rows->poll;
	history->shared = true;
	if (!known)
		note_shared(rows, history);
}

/* So long ago that no reading of then is a base for a rate any more. */
static void
end_share(struct rows *rows, struct row_history *history)
{
	if (!history->shared || rows->poll - history->shared_in < SHARED_POLLS)
		return;
	history->shared = false;
	note_shared(rows, history);
}

/* False when another row has the name in this poll. */
static bool
take_history(struct rows *rows, struct row *row, struct row_history *history)
{
	if (history->poll == rows->poll) {
		share(rows, history);
		return false;
	}
	end_share(rows, history);
	history->moved = history->place != row->place || (row->astray && !is_first(rows));
	history->place = row->place;
	history->poll = rows->poll;
	history->seen = rows->now;
	row->history = history;
	row->named_in = rows->poll;
	rows->taken++;
	return true;
}

static bool
take(struct rows *rows, struct row *row, const char *key)
{
	struct row_history *history;

	HASH_FIND_STR(rows->histories, key, history);
	if (history == NULL)
		history = history_new(rows, key, row->place);
	return take_history(rows, row, history);
}

/* The name that it has had. */
static void
take_own(struct rows *rows, struct row *row)
{
	if (row->home == NULL)
		take(rows, row, row->key);
	else
		take_history(rows, row, row->home);
	row->home = row->history;
}

/* "#INDEX", or a hash of it where that would crowd out the text or was taken as well. */
static void
suffix_of(char *to, size_t size, const char *index, unsigned attempt)
{
	uint64_t hash = str_hash(index, strlen(index));

	if (attempt == 0 && strlen(index) < ROW_KEY / 2)
		snprintf(to, size, "#%.*s", ROW_KEY / 2, index);
	else
		snprintf(to, size, "#%016llx", (unsigned long long)(hash + attempt));
}

/* Not so in the last poll. */
static bool
is_sudden(struct rows *rows, struct row *row)
{
	enum doubt doubt = row->text[0] == '\0' ? DOUBT_NAMELESS :
		row->second_best ? DOUBT_WORSE : DOUBT_DOUBLE;
	bool again = row->doubted > 0 && row->doubted + 1 == rows->poll && row->doubt == doubt;

	row->doubted = rows->poll;
	row->doubt = doubt;
	return !again;
}

/* An agent whose table of names is not there yet, or that lets us not read it. */
static bool
are_texts_denied(const struct rows *rows)
{
	return rows->denials > 0 && rows->denials <= DENIALS;
}

/* Also in the first poll: the state knows what it was called before. */
static bool
has_lost_text(struct rows *rows, struct row *row)
{
	return (row->text[0] == '\0' || row->second_best) && row->known[0] != '\0' &&
		(is_sudden(rows, row) || are_texts_denied(rows));
}

static bool
is_sudden_double(struct rows *rows, struct row *row)
{
	return row->text[0] != '\0' && !is_first(rows) && is_sudden(rows, row);
}

/* Where others have texts, or had, one that comes up without may have come up behind its column's end. */
static bool
is_too_new_for_text(struct rows *rows, struct row *row)
{
	return row->text[0] == '\0' && row->key[0] == '\0' && !is_first(rows) &&
		rows->had_texts && (is_sudden(rows, row) || are_texts_denied(rows));
}

/* Has one that is not told in this poll the same text? Nobody takes its name meanwhile. */
static bool
is_of_hidden(struct rows *rows, const struct row *row)
{
	if (rows->withheld != rows->poll || row->text[0] == '\0')
		return false;
	for (size_t i = 0; i < rows->present_count; i++) {
		const struct row *other = rows->present[i];

		if (other != row && other->hidden && strcmp(other->text, row->text) == 0)
			return true;
	}
	return false;
}

/* One that is not told in this poll has a text. */
static void
note_withheld(struct rows *rows, const struct row *row)
{
	struct row_history *history;

	rows->withheld = rows->poll;
	HASH_FIND_STR(rows->histories, row->text, history);
	if (history != NULL && history->place != row->place)
		share(rows, history);
}

/* The text itself if nobody has it; else with the index behind. */
static void
give_key(struct rows *rows, struct row *row)
{
	char index[INDEX_TEXT], key[ROW_KEY + 1], suffix[ROW_KEY / 2 + 2];
	size_t length;

	if (has_lost_text(rows, row)) {
		row->hidden = true;
		rows->lost = rows->poll;
		if (row->text[0] != '\0')
			note_withheld(rows, row);
		return;
	}
	if (is_too_new_for_text(rows, row) || is_of_hidden(rows, row)) {
		row->hidden = true;
		return;
	}
	snmp_oid_text(index, sizeof index, row->index, row->index_count);
	snprintf(key, sizeof key, "%.*s", ROW_KEY, row->text[0] != '\0' ? row->text : index);
	length = strlen(key);
	for (unsigned attempt = 0; !take(rows, row, key); attempt++) {
		if (attempt == 0 && is_sudden_double(rows, row)) {
			row->hidden = true;
			return;
		}
		suffix_of(suffix, sizeof suffix, index, attempt);
		if (length > ROW_KEY - strlen(suffix))
			length = ROW_KEY - strlen(suffix);
		memcpy(key + length, suffix, strlen(suffix) + 1);
	}
	if (row->text[0] != '\0' && strcmp(key, row->text) != 0)
		share(rows, row->history);
	if (row->text[0] != '\0' && strcmp(key, row->text) != 0 && rows->said != rows->poll) {
		rows->said = rows->poll; /* one is enough */
		log_info("%s: several rows are called \"%s\", that of index %s is \"%s\" here",
			rows->prefix, row->text, index, key);
	}
	row->renamed = row->key[0] != '\0' && strcmp(row->key, key) != 0;
	set_names(row, key, strlen(key), row->text, strlen(row->text));
	row->text = row->known;
	row->home = NULL;
	note_name(rows, row, true);
}

static int
by_index(const void *a, const void *b)
{
	const struct row *const *x = a, *const *y = b;

	return oid_compare((*x)->index, (*x)->index_count, (*y)->index, (*y)->index_count);
}

/* An index that had another name, or a moved name that several had: the name may stand for
 * another interface than in the last poll. An index nobody knew is a renumbering, and the
 * counters go on with the name. */
static void
doubt_moved(struct rows *rows)
{
	for (size_t i = 0; i < rows->present_count; i++) {
		const struct row *row = rows->present[i];
		struct row_history *history = row->history;

		if (history == NULL || (!row->renamed && !(history->moved && history->shared)))
			continue;
		history->resets++;
		/* It may go back. */
		if (row->renamed)
			share(rows, history);
	}
}

bool
rows_still_called(struct row *row, const uint8_t *octets, size_t size)
{
	/* A text that begins with a blank is not the text of the same octets. */
	row->same = size > 0 && row->known[0] != ' ' && row->known_size == size &&
		(octets == (const uint8_t *)row->known || memcmp(row->known, octets, size) == 0);
	if (row->same)
		row->text = row->known;
	return row->same;
}

static bool
are_in_order(struct row *const *list, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (by_index(&list[i - 1], &list[i]) > 0)
			return false;
	return true;
}

static void
sort(struct rows *rows)
{
	size_t count = rows->present_count;

	if (are_in_order(rows->present, count))
		return;
	rows->sorted = mem_copy(rows->present, count * sizeof(struct row *));
	qsort(rows->sorted, count, sizeof(struct row *), by_index);
}

/* Its name has the index behind the text, which others have. */
static void
share_text(struct rows *rows, const struct row *row)
{
	struct row_history *history;

	HASH_FIND_STR(rows->histories, row->known, history);
	if (history != NULL)
		share(rows, history);
	if (row->history != NULL)
		share(rows, row->history);
}

/* Who has a name for the same text already keeps it. */
static void
keep_key(struct rows *rows, struct row *row)
{
	if (row->text[0] != '\0')
		rows->texted = rows->poll;
	if (row->hidden && row->text[0] != '\0')
		note_withheld(rows, row);
	if (row->hidden || row->key[0] == '\0' ||
		(!row->same && strcmp(row->known, row->text) != 0))
		return;
	take_own(rows, row);
	if (row->key != row->known && row->known[0] != '\0')
		share_text(rows, row);
}

static void
note_texts(struct rows *rows)
{
	if (rows->texted == rows->poll) {
		if (!rows->had_texts && rows->state != NULL) {
			state_set(rows->state, rows->prefix, "named");
			rows->changed = true;
		}
		rows->had_texts = true;
		rows->denials = 0;
	} else if (rows->had_texts && rows->present_count > 0) {
		rows->denials++;
	}
}

static void
find_key(struct rows *rows, struct row *row)
{
	if (!row->hidden && row->history == NULL)
		give_key(rows, row);
}

static bool
each_by_index(struct rows *rows, void (*each)(struct rows *rows, struct row *row),
	struct portion *portion)
{
	struct row *const *list = rows->sorted != NULL ? rows->sorted : rows->present;

	for (; rows->named < rows->present_count; rows->named++) {
		if (portion_is_over(portion))
			return false;
		each(rows, list[rows->named]);
	}
	rows->named = 0;
	return true;
}

bool
rows_name(struct rows *rows, struct portion *portion)
{
	if (rows->naming == NAMES_SORT) {
		sort(rows);
		rows->naming = NAMES_OWN;
	}
	if (rows->naming == NAMES_OWN) {
		if (!each_by_index(rows, keep_key, portion))
			return false;
		note_texts(rows);
		rows->naming = NAMES_GIVE;
	}
	if (!each_by_index(rows, find_key, portion))
		return false;
	end_naming(rows);
	doubt_moved(rows);
	return true;
}

bool
rows_lack_text(const struct rows *rows)
{
	return rows->lost == rows->poll;
}

/* ---- which ones are kept ---- */

bool
rows_keep(struct rows *rows, struct row *row, enum row_status status, int64_t grace)
{
	struct row_history *history = row->history;

	if (status == ROW_UP) {
		history->up_at = rows->now;
		if (!history->kept)
			note_up(rows, history, true);
	} else if (status == ROW_DOWN && history->kept && grace > 0 &&
		rows->now - history->up_at > grace) {
		note_up(rows, history, false);
	}
	return history->kept;
}

void
rows_end(struct rows *rows)
{
	if (rows->changed && rows->state != NULL)
		state_save(rows->state);
	rows->changed = false;
}
