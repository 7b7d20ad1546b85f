#include "path/paths.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/device.h"
#include "core/few.h"
#include "core/sample.h"
#include "core/series.h"
#include "path/judge.h"

struct node_entry {
	struct node node;
	UT_hash_handle hh;
};

/* What one series means to the paths: it is part of one, or a device's own. Indexes, since the
 * arrays they point into grow. */
enum use_kind { USE_SOURCE, USE_OPER, USE_DATA };
struct use {
	enum use_kind kind;
	uint32_t path, hop, member; /* USE_SOURCE: member is the source's index */
};
struct seen {
	struct node *node;
	struct use *uses;
	uint32_t use_count;
	bool is_up, is_rtt; /* the device's own `up` or `rtt` */
};

struct paths {
	struct paths_options options;
	const struct inventory *inventory;
	struct path *paths;
	size_t count;
	struct node_entry *nodes;
	struct few seen; /* struct seen */
	struct loop_timer timer;
	int64_t begun; /* wall ns; 0 while records are replayed */
	void (*change)(void *arg, const struct path_view *view);
	void *change_arg;
};

static struct node *
node_get(void *arg, const char *name)
{
	struct paths *paths = arg;
	struct node_entry *entry;

	HASH_FIND_STR(paths->nodes, name, entry);
	if (entry != NULL)
		return &entry->node;
	entry = mem_zero(sizeof *entry);
	str_copy(entry->node.name, sizeof entry->node.name, name);
	entry->node.device = inventory_find(paths->inventory, name);
	HASH_ADD_STR(paths->nodes, node.name, entry);
	return &entry->node;
}

static const struct node *
node_find(void *arg, const char *name)
{
	struct paths *paths = arg;
	struct node_entry *entry;

	HASH_FIND_STR(paths->nodes, name, entry);
	return entry == NULL ? NULL : &entry->node;
}

static void
free_nodes(struct node_entry **nodes)
{
	struct node_entry *entry, *next;

	HASH_ITER(hh, *nodes, entry, next) {
		HASH_DEL(*nodes, entry);
		free(entry);
	}
}

static void
free_seen(struct few *few)
{
	struct seen *seen;

	for (uint32_t id = 0; (seen = few_next(few, &id)) != NULL; id++) {
		free(seen->uses);
		free(seen);
	}
	few_free(few);
}

static void
open_paths(struct paths *paths, const struct inventory *inventory)
{
	const struct path_options *options = inventory->paths;

	paths->inventory = inventory;
	paths->count = inventory->path_count;
	paths->paths = mem_array(paths->count, sizeof *paths->paths);
	for (size_t p = 0; p < paths->count; p++)
		path_open(&paths->paths[p], &options[p], node_get, paths);
}

static void
close_paths(struct paths *paths)
{
	for (size_t p = 0; p < paths->count; p++)
		path_close(&paths->paths[p]);
	free(paths->paths);
	free_nodes(&paths->nodes);
	free_seen(&paths->seen);
	paths->paths = NULL;
	paths->count = 0;
}

/* ---- which series means what ---- */

static void
add_use(struct seen *seen, enum use_kind kind, size_t path, size_t hop, size_t member)
{
	seen->uses = mem_grow(seen->uses, seen->use_count + 1, sizeof *seen->uses);
	seen->uses[seen->use_count++] = (struct use){ kind, (uint32_t)path, (uint32_t)hop,
		(uint32_t)member };
}

/* The point itself, or one of the row or table that the hop names. */
static bool
is_under(const char *path, const char *name)
{
	size_t length = strlen(name);

	return strncmp(path, name, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static bool
ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Does the series say whether the member is up? */
static bool
is_oper(const struct member *member, const char *name)
{
	return member->is_connection || ends_in(name, "/oper");
}

static const struct series *
kept(const struct paths *paths, const struct series *series)
{
	return paths->options.keep == NULL ? series :
		paths->options.keep(paths->options.series_arg, series->id);
}

static void
match_path(struct paths *paths, struct seen *seen, const struct series *series, size_t p)
{
	struct path *path = &paths->paths[p];
	const struct path_options *options = path->options;
	const char *name = series->path;

	for (size_t s = 0; s < options->source_count; s++) {
		if (!str_glob(options->sources[s], name))
			continue;
		path_source_add(path, kept(paths, series));
		add_use(seen, USE_SOURCE, p, 0, path->source_count - 1);
		break;
	}
	for (size_t h = 0; h < options->hop_count; h++) {
		for (size_t m = 0; m < path->hops[h].count; m++) {
			const struct member *member = &path->hops[h].members[m];

			if (!member->is_device && is_under(name, member->name))
				add_use(seen, is_oper(member, name) ? USE_OPER : USE_DATA, p, h, m);
		}
	}
}

static size_t
device_of(const struct series *series, char *device, size_t size)
{
	size_t length = strcspn(series->path, "/");

	str_copy(device, length < size ? length + 1 : size, series->path);
	return length;
}

static struct seen *
meet(struct paths *paths, const struct series *series)
{
	struct seen found = { 0 }, *seen = NULL;
	size_t length;
	char device[41];

	length = device_of(series, device, sizeof device);
	found.is_up = strcmp(series->path + length, "/up") == 0;
	found.is_rtt = strcmp(series->path + length, "/rtt") == 0;
	for (size_t p = 0; p < paths->count; p++)
		match_path(paths, &found, series, p);
	if (found.is_up || found.is_rtt || found.use_count > 0) {
		found.node = node_get(paths, device);
		seen = mem_copy(&found, sizeof found);
	}
	few_put(&paths->seen, series->id, seen);
	return seen;
}

/* NULL: it means nothing to any path. */
static inline struct seen *
see(struct paths *paths, const struct series *series)
{
	return few_met(&paths->seen, series->id) ? few_get(&paths->seen, series->id) :
		meet(paths, series);
}

/* ---- closed slots ---- */

struct told {
	int64_t step;        /* ns */
	int64_t first, last; /* slots */
	int64_t received;    /* wall ns */
	uint8_t reason;
	double value;
};

static void
tell_oper(struct member *member, const struct told *told, int64_t at)
{
	bool well = told->value == CONNECTION_ESTABLISHED;

	if (told->reason != REASON_GOOD)
		return;
	if (!member->oper_known || (member->is_connection ? well != (member->unwell == 0) :
			member->oper_value != told->value))
		member->oper_since = at;
	if (member->is_connection)
		member->unwell = well ? 0 : member->unwell + 1;
	member->oper_known = true;
	member->oper_value = told->value;
}

static void
tell_use(struct paths *paths, const struct use *use, const struct told *told)
{
	struct path *path = &paths->paths[use->path];
	int64_t at = told->last * told->step;
	uint64_t slots = (uint64_t)(told->last - told->first + 1);
	struct member *member;

	path->dirty = true;
	if (use->kind == USE_SOURCE) {
		sight_tell(&path->sources[use->member].sight, told->reason, at, told->received,
			slots);
		account_add(&path->account, told->first, told->last, told->step, told->reason);
		return;
	}
	member = &path->hops[use->hop].members[use->member];
	sight_tell(&member->data, told->reason, at, told->received, slots);
	if (use->kind == USE_OPER)
		tell_oper(member, told, at);
}

/* `up` says 0 in a good sample; to the hop that is a lost slot. */
static void
tell_up(struct paths *paths, struct seen *seen, const struct told *told)
{
	struct node *node = seen->node;
	bool is_down = told->reason == REASON_GOOD && told->value == 0;
	uint8_t reason = is_down ? REASON_TIMEOUT : told->reason;
	uint32_t bad = node->up.bad;

	sight_tell(&node->up, reason, told->last * told->step, told->received,
		(uint64_t)(told->last - told->first + 1));
	if (node->up.bad == 0)
		node->reason = 0;
	if (bad == node->up.bad)
		return;
	for (size_t p = 0; p < paths->count; p++)
		paths->paths[p].dirty = true;
}

/* Why a device does not answer is what its other points are lost for. */
static void
note_lost(struct paths *paths, const struct series *series, const struct seen *seen,
	uint8_t reason)
{
	char device[41];

	device_of(series, device, sizeof device);
	(seen != NULL ? seen->node : node_get(paths, device))->reason = reason;
}

static void
tell(struct paths *paths, const struct series *series, const struct told *told)
{
	struct seen *seen;

	/* A path that a reload brings begins with the slots that come from then on. */
	if (paths->count == 0)
		return;
	seen = see(paths, series);
	/* That of `rtt` is why the device is down, even where that is not the plant's fault. */
	if (reason_class(told->reason) == CLASS_LOST || (seen != NULL && seen->is_rtt &&
			seen->node->up.bad > 0 && !seen->node->up.unmeasured &&
			!reason_counts_as_good(told->reason)))
		note_lost(paths, series, seen, told->reason);
	if (seen == NULL)
		return;
	if (seen->is_up)
		tell_up(paths, seen, told);
	for (uint32_t i = 0; i < seen->use_count; i++)
		tell_use(paths, &seen->uses[i], told);
}

static void
judge(struct paths *paths, struct path *path)
{
	struct judge_context context = { .now = loop_wall(paths->options.loop),
		.begun = paths->begun, .find = node_find, .arg = paths };
	struct path_view view;

	if (!path_judge(path, &context) || paths->change == NULL)
		return;
	path_show(path, context.now, &view);
	paths->change(paths->change_arg, &view);
}

static void
on_sample(void *arg, const struct sample *sample)
{
	struct told told = { .step = sample->series->step, .first = sample->slot, .last = sample->slot,
		.received = sample->received, .reason = sample->reason, .value = sample->value };

	tell(arg, sample->series, &told);
}

static void
on_batch(void *arg, const struct sample_batch *batch)
{
	const struct paths *paths = arg;
	struct sample sample;

	if (paths->count == 0 ||
		(batch->good && few_none(&paths->seen, batch->first, batch->count)))
		return;
	for (uint32_t i = 0; i < batch->count; i++) {
		sample_of_batch(batch, i, &sample);
		on_sample(arg, &sample);
	}
}

static void
on_run(void *arg, const struct sample_run *run)
{
	struct told told = { .step = run->series->step, .first = run->first, .last = run->last, .received = run->decided,
		.reason = run->reason };

	tell(arg, run->series, &told);
}

static void
on_flush(void *arg)
{
	struct paths *paths = arg;

	if (paths->begun == 0)
		return;
	for (size_t p = 0; p < paths->count; p++)
		if (paths->paths[p].dirty)
			judge(paths, &paths->paths[p]);
}

static void
on_timer(void *arg)
{
	struct paths *paths = arg;
	int64_t now = loop_wall(paths->options.loop);

	loop_timer_in(paths->options.loop, &paths->timer, LOOP_S);
	for (size_t p = 0; p < paths->count; p++) {
		account_advance(&paths->paths[p].account, now);
		judge(paths, &paths->paths[p]);
	}
}

struct feed_listener
paths_listener(struct paths *paths)
{
	return (struct feed_listener){ .sample = on_sample, .batch = on_batch, .run = on_run, .flush = on_flush,
		.arg = paths };
}

/* ---- life ---- */

struct paths *
paths_new(const struct paths_options *options, const struct inventory *inventory)
{
	struct paths *paths = mem_zero(sizeof *paths);

	paths->options = *options;
	loop_timer_init(&paths->timer, on_timer, paths);
	open_paths(paths, inventory);
	return paths;
}

void
paths_free(struct paths *paths)
{
	if (paths == NULL)
		return;
	loop_timer_stop(paths->options.loop, &paths->timer);
	close_paths(paths);
	free(paths);
}

void
paths_begin(struct paths *paths)
{
	paths->begun = loop_wall(paths->options.loop);
	loop_timer_in(paths->options.loop, &paths->timer, LOOP_S);
}

void
paths_on_change(struct paths *paths, void (*change)(void *arg, const struct path_view *view),
	void *arg)
{
	paths->change = change;
	paths->change_arg = arg;
}

/* What the old path knew goes over to the new one of the same name. */
static void
take_over(struct path *path, struct path *old)
{
	struct account account = old->account;

	path->state = old->state;
	path->since = old->since;
	str_copy(path->root, sizeof path->root, old->root);
	str_copy(path->evidence, sizeof path->evidence, old->evidence);
	if (path->account.part_size == account.part_size) {
		old->account = path->account;
		path->account = account;
	}
	for (size_t s = 0; s < path->source_count; s++)
		for (size_t o = 0; o < old->source_count; o++)
			if (old->sources[o].series == path->sources[s].series)
				path->sources[s].sight = old->sources[o].sight;
	for (size_t h = 0; h < path->options->hop_count; h++) {
		for (size_t m = 0; m < path->hops[h].count; m++) {
			struct member *to = &path->hops[h].members[m];

			if (h >= old->options->hop_count || m >= old->hops[h].count ||
					strcmp(old->hops[h].members[m].name, to->name) != 0)
				continue;
			to->data = old->hops[h].members[m].data;
			to->oper_known = old->hops[h].members[m].oper_known;
			to->oper_value = old->hops[h].members[m].oper_value;
			to->oper_since = old->hops[h].members[m].oper_since;
			to->unwell = old->hops[h].members[m].unwell;
		}
	}
}

void
paths_configure(struct paths *paths, const struct inventory *inventory)
{
	struct paths old = *paths;
	struct node_entry *entry, *next;

	paths->nodes = NULL;
	paths->seen = (struct few){ 0 };
	open_paths(paths, inventory);
	HASH_ITER(hh, old.nodes, entry, next) {
		struct node *node = node_get(paths, entry->node.name);

		node->up = entry->node.up;
		node->reason = entry->node.reason;
	}
	for (uint32_t id = 0; few_next_met(&old.seen, &id); id++) {
		const struct series *series = paths->options.series(paths->options.series_arg, id);

		if (series != NULL)
			see(paths, series);
	}
	for (size_t p = 0; p < paths->count; p++)
		for (size_t o = 0; o < old.count; o++)
			if (strcmp(old.paths[o].options->name, paths->paths[p].options->name) == 0)
				take_over(&paths->paths[p], &old.paths[o]);
	close_paths(&old);
}

/* ---- over a restart ---- */

void
paths_snapshot(const struct paths *paths,
	uint64_t (*put)(void *arg, enum record_kind kind, const void *body, size_t size), void *arg)
{
	struct record_buffer body = { 0 };

	for (size_t p = 0; p < paths->count; p++) {
		const struct path *path = &paths->paths[p];

		body.used = 0;
		record_put_text(&body, path->options->name);
		record_put_u8(&body, (uint8_t)path->state);
		record_put_u64(&body, (uint64_t)path->since);
		account_put(&path->account, &body);
		put(arg, KIND_PATH_STATE, body.bytes, body.used);
	}
	record_buffer_free(&body);
}

static int
replay_state(struct paths *paths, const struct record *record)
{
	struct record_cursor cursor = { record->body, record->body + record->size, false };
	char name[64];
	uint8_t state;
	int64_t since;

	record_get_text(&cursor, name, sizeof name);
	state = record_get_u8(&cursor);
	since = (int64_t)record_get_u64(&cursor);
	if (cursor.failed || state > PATH_IMPAIRED)
		return -1;
	for (size_t p = 0; p < paths->count; p++) {
		struct path *path = &paths->paths[p];

		if (strcmp(path->options->name, name) != 0)
			continue;
		path->state = (enum path_state)state;
		path->since = since;
		return account_get(&path->account, &cursor);
	}
	return 0; /* no longer configured */
}

static int
replay_samples(struct paths *paths, const struct record *record)
{
	struct record_samples walk;
	struct record_sample sample;

	if (record_samples_open(record, &walk) == -1)
		return -1;
	while (record_samples_next(&walk, &sample)) {
		const struct series *series = paths->options.series(paths->options.series_arg,
			sample.series);
		struct told told = { .first = sample.slot, .last = sample.slot,
			.received = sample.received, .reason = sample.reason,
			.value = sample.value };

		if (series == NULL)
			continue;
		told.step = series->step;
		tell(paths, series, &told);
	}
	return 0;
}

static int
replay_run(struct paths *paths, const struct record *record)
{
	struct record_run run;
	const struct series *series;

	if (record_run_read(record, &run) == -1)
		return -1;
	series = paths->options.series(paths->options.series_arg, run.series);
	if (series != NULL) {
		struct told told = { .step = series->step, .first = run.first, .last = run.last,
			.received = run.decided, .reason = run.reason };

		tell(paths, series, &told);
	}
	return 0;
}

int
paths_replay(struct paths *paths, const struct record *record)
{
	switch (record->kind) {
	case KIND_PATH_STATE:
		return replay_state(paths, record);
	case KIND_ROWS:
	case KIND_SAMPLES:
		return replay_samples(paths, record);
	case KIND_RUN:
		return replay_run(paths, record);
	default:
		return 0;
	}
}

/* ---- for others to see ---- */

void
paths_each(const struct paths *paths,
	void (*each)(void *arg, const struct path_view *view), void *arg)
{
	int64_t now = loop_wall(paths->options.loop);

	for (size_t p = 0; p < paths->count; p++) {
		struct path_view view;

		path_show(&paths->paths[p], now, &view);
		each(arg, &view);
	}
}

static bool
touches(const struct path *path, const char *device)
{
	size_t length = strlen(device);

	for (size_t h = 0; h < path->options->hop_count; h++)
		for (size_t m = 0; m < path->hops[h].count; m++)
			if (strcmp(path->hops[h].members[m].node->name, device) == 0)
				return true;
	for (size_t s = 0; s < path->source_count; s++) {
		const char *source = path->sources[s].series->path;

		if (strncmp(source, device, length) == 0 && source[length] == '/')
			return true;
	}
	return false;
}

static bool
is_worse(const struct path_view *a, const struct path_view *b)
{
	if (a->state != b->state)
		return a->state > b->state;
	return a->budget_left < b->budget_left;
}

bool
paths_touching(const struct paths *paths, const char *device,
	void (*found)(void *arg, const struct path_view *view), void *arg)
{
	int64_t now = loop_wall(paths->options.loop);
	struct path_view worst, view;
	bool any = false;

	for (size_t p = 0; p < paths->count; p++) {
		if (!touches(&paths->paths[p], device))
			continue;
		path_show(&paths->paths[p], now, &view);
		if (!any || is_worse(&view, &worst))
			worst = view;
		any = true;
	}
	if (any)
		found(arg, &worst);
	return any;
}
