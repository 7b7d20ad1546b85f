#include "core/frozen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/mem.h"
#include "base/str.h"
#include "core/latest.h"
#include "core/point.h"
#include "core/sample.h"
#include "core/series.h"

/* The points of one device under one rule, or all where the rule is about one device. */
struct group {
	UT_hash_handle hh;
	const struct frozen_rule *rule;
	int64_t moved_at;         /* wall ns of the newest change of one of rule->moving; 0 */
	unsigned standing;        /* watches that stand still */
	char key[];               /* rule's number and device */
};

/* One series under one rule. */
struct watch {
	struct watch *next;       /* of the same series */
	struct group *group;
	bool known, stands, moved; /* moved: a change was seen */
	uint64_t reading;         /* the last one, as bits */
	int64_t at;               /* wall ns of its slot */
	int64_t still;            /* ns proven without a change */
};

/* What rules ask of other series. */
enum role { ROLE_MOVES, ROLE_MARKED };
struct link {
	struct group *group;
	enum role role;
};
struct cell {
	bool met;
	char *path;                  /* of a series that a rule asks about */
	struct watch *watches;
	struct link *links;
	size_t link_count;
	bool known, was_marked;
	uint64_t reading;            /* as a mover */
};

/* The globs of all rules, sorted by device, so that a new series is held against few. */
struct entry {
	const char *glob, *device;   /* device NULL: any */
	size_t length;               /* of device */
	const struct frozen_rule *rule;
	int role;                    /* -1: the rule's own `on` */
};

struct frozen {
	struct latest *latest;
	const struct frozen_rule *rules;
	struct cell *cells;          /* by series id */
	uint32_t cell_count;
	struct entry *entries;
	size_t entry_count, general; /* the general ones stand first */
	struct group *groups;
};

/* ---- rules, by device ---- */

/* The length of the device's name when the glob names exactly one, else 0. */
static size_t
one_device(const char *glob)
{
	size_t length = strcspn(glob, "/*?");

	return glob[length] == '/' ? length : 0;
}

static void
add_entry(struct frozen *frozen, const char *glob, const struct frozen_rule *rule, int role)
{
	struct entry *entry;

	frozen->entries = mem_grow(frozen->entries, frozen->entry_count + 1, sizeof *entry);
	entry = &frozen->entries[frozen->entry_count++];
	*entry = (struct entry){ .glob = glob, .rule = rule, .role = role,
		.length = one_device(glob) };
	if (entry->length > 0)
		entry->device = glob;
}

static int
by_device(const void *a, const void *b)
{
	const struct entry *one = a, *other = b;
	size_t shorter = one->length < other->length ? one->length : other->length;
	int order;

	if (one->device == NULL || other->device == NULL)
		return (one->device != NULL) - (other->device != NULL);
	order = memcmp(one->device, other->device, shorter);
	return order != 0 ? order : (one->length > other->length) - (one->length < other->length);
}

/* Where the entries of that device begin. */
static size_t
find_device(const struct frozen *frozen, const char *device, size_t length)
{
	struct entry wanted = { .device = device, .length = length };
	size_t low = frozen->general, high = frozen->entry_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_device(&frozen->entries[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- series ---- */

static struct group *
group_of(struct frozen *frozen, const struct frozen_rule *rule, const char *path)
{
	int length = one_device(rule->on) > 0 ? 0 : (int)strcspn(path, "/");
	struct group *group;
	char key[80];

	snprintf(key, sizeof key, "%td/%.*s", rule - frozen->rules, length, path);
	HASH_FIND_STR(frozen->groups, key, group);
	if (group == NULL) {
		group = mem_zero(sizeof *group + strlen(key) + 1);
		memcpy(group->key, key, strlen(key) + 1);
		group->rule = rule;
		HASH_ADD_KEYPTR(hh, frozen->groups, group->key, strlen(key), group);
	}
	return group;
}

static void
add_watch(struct frozen *frozen, struct cell *cell, uint32_t id, struct group *group)
{
	struct watch *watch = mem_zero(sizeof *watch);
	struct latest_row row;

	watch->group = group;
	watch->next = cell->watches;
	cell->watches = watch;
	/* The poller before this one had its verdict: only a change ends it. Where others must
	 * move it may have been another rule's. */
	watch->stands = group->rule->marks_self && group->rule->moving_count == 0 &&
		frozen->latest != NULL &&
		latest_read(frozen->latest, id, &row) && row.reason == REASON_FROZEN;
	group->standing += watch->stands;
}

static void
match(struct frozen *frozen, struct cell *cell, const struct series *series,
	const struct entry *entry)
{
	struct group *group;

	if (!str_glob(entry->glob, series->path))
		return;
	group = group_of(frozen, entry->rule, series->path);
	if (entry->role == -1) {
		add_watch(frozen, cell, series->id, group);
		return;
	}
	cell->links = mem_grow(cell->links, cell->link_count + 1, sizeof *cell->links);
	cell->links[cell->link_count++] = (struct link){ group, (enum role)entry->role };
}

static void
meet(struct frozen *frozen, struct cell *cell, const struct series *series)
{
	size_t length = strcspn(series->path, "/");

	cell->met = true;
	for (size_t i = 0; i < frozen->general; i++)
		match(frozen, cell, series, &frozen->entries[i]);
	for (size_t i = find_device(frozen, series->path, length); i < frozen->entry_count &&
		frozen->entries[i].length == length &&
		memcmp(frozen->entries[i].device, series->path, length) == 0; i++)
		match(frozen, cell, series, &frozen->entries[i]);
	if (cell->watches != NULL || cell->link_count > 0)
		cell->path = mem_text(series->path);
}

static struct cell *
cell_of(struct frozen *frozen, const struct series *series)
{
	struct cell *cell;

	if (series->id >= frozen->cell_count) {
		uint32_t count = series->id + series->id / 2 + 64;

		frozen->cells = mem_grow(frozen->cells, count, sizeof *frozen->cells);
		memset(frozen->cells + frozen->cell_count, 0,
			(count - frozen->cell_count) * sizeof *frozen->cells);
		frozen->cell_count = count;
	}
	cell = &frozen->cells[series->id];
	if (!cell->met)
		meet(frozen, cell, series);
	return cell;
}

/* ---- readings ---- */

/* What the device said, before any rate is made of it: a counter that stands has rate 0. */
static uint64_t
fingerprint(const struct sample *sample)
{
	uint64_t bits = 0;

	if (sample->has_raw)
		return sample->raw;
	if (sample->text != NULL)
		return str_hash(sample->text, strlen(sample->text));
	memcpy(&bits, &sample->value, sizeof bits);
	return bits;
}

/* Slots without a reading prove nothing: of the time since the last one a step counts. */
static void
step(struct watch *watch, uint64_t reading, int64_t at, int64_t interval)
{
	struct group *group = watch->group;
	const struct frozen_rule *rule = group->rule;
	int64_t passed = at - watch->at;

	if (watch->known && reading != watch->reading) {
		group->standing -= watch->stands;
		watch->stands = false;
		watch->moved = true;
		watch->still = 0;
	} else if (watch->known) {
		watch->still += passed < interval ? passed : interval;
		if (rule->moving_count > 0 && at - group->moved_at > rule->span)
			watch->still = 0;
		if (!watch->stands && watch->still >= rule->span) {
			watch->stands = true;
			group->standing++;
		}
	}
	watch->known = true;
	watch->reading = reading;
	watch->at = at;
}

static bool
take_reading(struct cell *cell, const struct sample *sample)
{
	int64_t at = sample->slot * sample->series->step;
	uint64_t reading = fingerprint(sample);
	bool changed = cell->known && reading != cell->reading, marked = false;

	cell->known = true;
	cell->reading = reading;
	for (size_t i = 0; i < cell->link_count; i++)
		if (cell->links[i].role == ROLE_MOVES && changed)
			cell->links[i].group->moved_at = at;
	for (struct watch *watch = cell->watches; watch != NULL; watch = watch->next) {
		step(watch, reading, at, sample->series->step);
		marked |= watch->stands && watch->group->rule->marks_self;
	}
	for (size_t i = 0; i < cell->link_count; i++)
		marked |= cell->links[i].role == ROLE_MARKED && cell->links[i].group->standing > 0;
	return marked;
}

void
frozen_judge(struct frozen *frozen, struct sample *sample)
{
	struct cell *cell;
	bool marked;

	if (frozen->entry_count == 0 || !reason_counts_as_good(sample->reason))
		return;
	cell = cell_of(frozen, sample->series);
	if (cell->watches == NULL && cell->link_count == 0)
		return;
	marked = take_reading(cell, sample);
	if (marked) {
		sample->reason = REASON_FROZEN;
	} else if (cell->was_marked && sample->series->kind == POINT_COUNTER &&
		sample->reason == REASON_GOOD) {
		/* What was counted meanwhile comes at once: a spike, were it a rate. */
		sample->reason = REASON_DISCONTINUITY;
	}
	cell->was_marked = marked;
	if (sample->reason != REASON_GOOD) {
		sample->value = (double)NAN;
		sample->text = NULL;
	}
}

bool
frozen_concerns(const struct frozen *frozen, uint32_t series, uint32_t count)
{
	if (frozen->entry_count == 0)
		return false;
	for (uint32_t end = series + count; series < end; series++) {
		const struct cell *cell;

		if (series >= frozen->cell_count)
			return true;
		cell = &frozen->cells[series];
		if (!cell->met || cell->watches != NULL || cell->link_count > 0)
			return true;
	}
	return false;
}

enum frozen_verdict
frozen_verdict(const struct frozen *frozen, const char *rule, uint32_t series)
{
	if (series >= frozen->cell_count)
		return FROZEN_UNDECIDED;
	for (const struct watch *watch = frozen->cells[series].watches; watch != NULL;
		watch = watch->next) {
		if (strcmp(watch->group->rule->name, rule) == 0)
			return watch->stands ? FROZEN_STANDS :
				watch->moved ? FROZEN_MOVES : FROZEN_UNDECIDED;
	}
	return FROZEN_UNDECIDED;
}

/* ---- life ---- */

static void
free_cells(struct cell *cells, uint32_t count)
{
	for (uint32_t id = 0; id < count; id++) {
		while (cells[id].watches != NULL) {
			struct watch *watch = cells[id].watches;

			cells[id].watches = watch->next;
			free(watch);
		}
		free(cells[id].links);
		free(cells[id].path);
	}
	free(cells);
}

static void
free_groups(struct group *groups)
{
	struct group *group, *next;

	HASH_ITER(hh, groups, group, next) {
		HASH_DEL(groups, group);
		free(group);
	}
}

struct frozen *
frozen_new(struct latest *latest)
{
	struct frozen *frozen = mem_zero(sizeof *frozen);

	frozen->latest = latest;
	return frozen;
}

void
frozen_free(struct frozen *frozen)
{
	if (frozen == NULL)
		return;
	free_cells(frozen->cells, frozen->cell_count);
	free_groups(frozen->groups);
	free(frozen->entries);
	free(frozen);
}

/* The new rules meet the series that the old ones had; a watch of the same name goes on. */
static void
carry_over(struct frozen *frozen, uint32_t id, const struct cell *old)
{
	struct series series = { .id = id, .path = old->path };
	struct cell *cell = cell_of(frozen, &series);

	cell->known = old->known;
	cell->was_marked = old->was_marked;
	cell->reading = old->reading;
	for (struct watch *watch = cell->watches; watch != NULL; watch = watch->next) {
		const struct watch *former = old->watches;

		while (former != NULL && strcmp(former->group->rule->name,
			watch->group->rule->name) != 0)
			former = former->next;
		if (former == NULL)
			continue;
		watch->group->standing += former->stands;
		watch->group->standing -= watch->stands;
		watch->known = former->known;
		watch->stands = former->stands;
		watch->moved = former->moved;
		watch->reading = former->reading;
		watch->at = former->at;
		watch->still = former->still;
		if (former->group->moved_at > watch->group->moved_at)
			watch->group->moved_at = former->group->moved_at;
	}
}

void
frozen_configure(struct frozen *frozen, const struct frozen_rule *rules, size_t count)
{
	struct frozen former = *frozen;

	*frozen = (struct frozen){ .latest = former.latest, .rules = rules };
	for (size_t i = 0; i < count; i++) {
		add_entry(frozen, rules[i].on, &rules[i], -1);
		for (size_t k = 0; k < rules[i].moving_count; k++)
			add_entry(frozen, rules[i].moving[k], &rules[i], ROLE_MOVES);
		for (size_t k = 0; k < rules[i].mark_count; k++)
			add_entry(frozen, rules[i].marks[k], &rules[i], ROLE_MARKED);
	}
	if (frozen->entry_count > 0)
		qsort(frozen->entries, frozen->entry_count, sizeof *frozen->entries, by_device);
	while (frozen->general < frozen->entry_count &&
		frozen->entries[frozen->general].device == NULL)
		frozen->general++;
	for (uint32_t id = 0; id < former.cell_count && count > 0; id++)
		if (former.cells[id].path != NULL)
			carry_over(frozen, id, &former.cells[id]);
	free_cells(former.cells, former.cell_count);
	free_groups(former.groups);
	free(former.entries);
}
