#include "store/reshape.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rrd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "store/layout.h"
#include "store/ring.h"

/* Rows of one RRA as librrd gives them. */
struct rows {
	int64_t resolution; /* seconds of one row */
	int64_t first;      /* time at which the first row ends */
	int64_t count;
	double *values;     /* count x ds_count */
};
struct history {
	const char *file;
	struct rrd_shape shape;
	struct rrd_head head;
	struct rows rows[LAYOUT_RRAS];
	const struct rows *chosen; /* those that tell most about the row that is made now */
};
/* A source that was found. */
struct origin {
	struct history *history; /* NULL: there is none */
	size_t ds;
};
struct build {
	const struct reshape *reshape;
	struct history *histories;
	size_t count;
	struct origin (*origins)[RESHAPE_SOURCES]; /* of each data source */
	int64_t last; /* of the new file */
};

/* ---- reading ---- */

/* One RRA, whole. Asked for with its very resolution and range librrd takes no other. */
static int
read_rows(struct rrd_place place, const char *function, int64_t resolution, int64_t last,
	int64_t count, size_t ds_count, struct rows *rows, struct fail *why)
{
	unsigned long step = (unsigned long)resolution, names_count = 0;
	time_t end = (time_t)(last - last % resolution), from = end - (time_t)(resolution * count),
	       to = end - 1;
	char *path = mem_format("%s/%s", place.root, place.file), **names = NULL;
	rrd_value_t *data = NULL;
	int result;

	*rows = (struct rows){ .resolution = resolution, .first = (int64_t)from + resolution,
		.count = count };
	rrd_clear_error();
	result = rrd_fetch_r(path, function, &from, &to, &step, &names_count, &names, &data);
	if (result != 0)
		fail_set(why, "%s: %s", path, rrd_get_error());
	else if (step != (unsigned long)resolution || names_count != ds_count ||
		(int64_t)from + resolution != rows->first || to < end) {
		fail_set(why, "%s: %s rows of %lld s cannot be read alone", path, function,
			(long long)resolution);
		result = -1;
	}
	rows->values = data;
	for (unsigned long i = 0; names != NULL && i < names_count; i++)
		free(names[i]);
	free(names);
	free(path);
	return result == 0 ? 0 : -1;
}

static int
check_shape(struct rrd_place place, const struct rrd_shape *shape, struct fail *why)
{
	if (shape->rra_count > LAYOUT_RRAS || shape->rra_count == 0) {
		fail_set(why, "%s/%s: %d RRAs, which no file of ours has", place.root, place.file,
			shape->rra_count);
		return -1;
	}
	for (int i = 0; i < shape->rra_count; i++)
		if (strcmp(shape->rra[i].function, "?") == 0 || shape->rra[i].slots <= 0 ||
			shape->rra[i].rows <= 0) {
			fail_set(why, "%s/%s: RRA %d is none of ours", place.root, place.file, i);
			return -1;
		}
	return 0;
}

static int
load(struct build *build, const char *file, struct fail *why)
{
	struct rrd_place place = { build->reshape->root, file };
	struct history *history;

	for (size_t i = 0; i < build->count; i++)
		if (strcmp(build->histories[i].file, file) == 0)
			return 0;
	build->histories = mem_grow(build->histories, build->count + 1, sizeof *build->histories);
	history = &build->histories[build->count++];
	*history = (struct history){ .file = file };
	if (rrd_file_shape(place, &history->shape, why) != RRD_DONE ||
		check_shape(place, &history->shape, why) == -1 ||
		rrd_file_head(place, &history->head, why) == -1)
		return -1;
	for (int i = 0; i < history->shape.rra_count; i++) {
		const struct layout_rra *rra = &history->shape.rra[i];

		if (read_rows(place, rra->function, rra->slots * history->shape.step,
			    history->shape.last, rra->rows, history->shape.ds_count,
			    &history->rows[i], why) == -1)
			return -1;
	}
	return 0;
}

static void
unload(struct build *build)
{
	for (size_t i = 0; i < build->count; i++) {
		struct history *history = &build->histories[i];

		for (int k = 0; k < LAYOUT_RRAS; k++)
			free(history->rows[k].values);
		free(history->head.bytes);
		free(history->shape.ds);
	}
	free(build->histories);
	free(build->origins);
}

static struct origin
find_origin(const struct build *build, const struct reshape_source *source)
{
	for (size_t i = 0; i < build->count; i++) {
		struct history *history = &build->histories[i];

		if (strcmp(history->file, source->file) != 0)
			continue;
		for (size_t ds = 0; ds < history->shape.ds_count; ds++)
			if (strcmp(history->shape.ds[ds], source->ds) == 0)
				return (struct origin){ history, ds };
	}
	return (struct origin){ NULL, 0 };
}

/* The one origin of a data source that has no other, or NULL. */
static const struct origin *
only_origin(const struct build *build, size_t ds)
{
	const struct origin *origin = &build->origins[ds][0];

	return build->reshape->ds[ds].from_count == 1 && origin->history != NULL ? origin : NULL;
}

/* ---- one row of the new file ---- */

static double
row_at(const struct history *history, const struct rows *rows, size_t ds, int64_t time)
{
	int64_t row = (time - rows->first) / rows->resolution;

	return rows->values[(size_t)row * history->shape.ds_count + ds];
}

/* The end of the row in which that moment lies. */
static int64_t
row_end(const struct rows *rows, int64_t time)
{
	return (time + rows->resolution - 1) / rows->resolution * rows->resolution;
}

static bool
covers(const struct rows *rows, int64_t from, int64_t to)
{
	return from >= rows->first - rows->resolution &&
		row_end(rows, to) <= rows->first + (rows->count - 1) * rows->resolution;
}

/* Single slots are their own extremes. */
static bool
serves(const struct layout_rra *rra, const char *function)
{
	return strcmp(rra->function, function) == 0 ||
		(rra->slots == 1 && strcmp(rra->function, "AVERAGE") == 0);
}

static double
consolidate(const struct history *history, const struct rows *rows, size_t ds,
	const char *function, int64_t from, int64_t to)
{
	double sum = 0, low = INFINITY, high = -INFINITY;
	int64_t known = 0;

	for (int64_t time = row_end(rows, from + 1); time - rows->resolution < to;
		time += rows->resolution) {
		int64_t begin = time - rows->resolution > from ? time - rows->resolution : from;
		int64_t overlap = (time < to ? time : to) - begin;
		double value = row_at(history, rows, ds, time);

		if (isnan(value))
			continue;
		known += overlap;
		sum += value * (double)overlap;
		low = fmin(low, value);
		high = fmax(high, value);
	}
	if (known == 0 || 2 * (to - from - known) > to - from)
		return (double)NAN;
	if (strcmp(function, "AVERAGE") == 0)
		return sum / (double)known;
	return strcmp(function, "MIN") == 0 ? low : high;
}

/* Which old rows tell most about that time; NULL when none do. */
static const struct rows *
choose(const struct history *history, const char *function, int64_t from, int64_t to)
{
	const struct rows *finer = NULL, *coarser = NULL, *same = NULL;
	bool mean = strcmp(function, "AVERAGE") == 0;

	for (int i = 0; i < history->shape.rra_count; i++) {
		const struct layout_rra *rra = &history->shape.rra[i];
		const struct rows *rows = &history->rows[i];

		if (!serves(rra, function) || !covers(rows, from, to))
			continue;
		if (rows->resolution == to - from) {
			if (same == NULL || strcmp(rra->function, function) == 0)
				same = rows;
		} else if (rows->resolution < to - from) {
			if ((mean || (to - from) % rows->resolution == 0) &&
				(finer == NULL || rows->resolution < finer->resolution))
				finer = rows;
		} else if ((mean || rra->slots == 1) &&
			(coarser == NULL || rows->resolution < coarser->resolution)) {
			coarser = rows;
		}
	}
	return same != NULL ? same : finer != NULL ? finer : coarser;
}

static void
aim(const struct build *build, const char *function, int64_t from, int64_t to)
{
	for (size_t i = 0; i < build->count; i++)
		build->histories[i].chosen = choose(&build->histories[i], function, from, to);
}

/* Of the row that was aimed at. */
static double
value_of(const struct build *build, size_t ds, const char *function, int64_t from, int64_t to)
{
	double value = (double)NAN;

	for (size_t i = 0; i < RESHAPE_SOURCES && isnan(value); i++) {
		const struct origin *origin = &build->origins[ds][i];
		const struct rows *rows = origin->history == NULL ? NULL : origin->history->chosen;

		if (rows == NULL)
			continue;
		if (rows->resolution >= to - from && row_end(rows, from + 1) == row_end(rows, to))
			value = row_at(origin->history, rows, origin->ds, row_end(rows, to));
		else
			value = consolidate(origin->history, rows, origin->ds, function, from, to);
	}
	return value;
}

/* ---- one RRA ---- */

/* The old RRA whose unfinished row is the very one that we need. */
static const uint8_t *
same_carry(const struct build *build, size_t ds, const struct layout_rra *rra)
{
	const struct origin *origin = only_origin(build, ds);
	const struct history *history = origin == NULL ? NULL : origin->history;

	if (history == NULL || history->shape.step != build->reshape->layout->step ||
		history->shape.last != build->last)
		return NULL;
	for (int i = 0; i < history->shape.rra_count; i++)
		if (history->shape.rra[i].slots == rra->slots &&
			strcmp(history->shape.rra[i].function, rra->function) == 0)
			return ring_carry(&history->head, (size_t)i, origin->ds);
	return NULL;
}

/* The slots behind the last complete row, put together anew. */
static void
gather_carry(const struct build *build, size_t ds, const struct layout_rra *rra,
	uint8_t carry[RING_CARRY])
{
	int64_t step = build->reshape->layout->step, resolution = step * rra->slots;
	int64_t begin = build->last - build->last % resolution;
	double value = (double)NAN;
	uint64_t unknown = 0;

	for (int64_t time = begin + step; time <= build->last; time += step) {
		double slot;

		aim(build, rra->function, time - step, time);
		slot = value_of(build, ds, rra->function, time - step, time);
		if (isnan(slot))
			unknown++;
		else if (isnan(value))
			value = slot;
		else if (strcmp(rra->function, "AVERAGE") == 0)
			value += slot;
		else
			value = strcmp(rra->function, "MIN") == 0 ? fmin(value, slot) :
				fmax(value, slot);
	}
	memcpy(carry + RING_CARRY_VALUE, &value, sizeof value);
	memcpy(carry + RING_CARRY_UNKNOWN, &unknown, sizeof unknown);
}

static bool
same_number(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* How many rows an old RRA of the same function and duration has too; -1 when one differs. */
static int64_t
compare_old(const struct build *build, const struct rows *rows, const char *function)
{
	const struct reshape *reshape = build->reshape;
	int64_t common = 0;

	for (size_t d = 0; d < reshape->ds_count; d++) {
		const struct origin *origin = only_origin(build, d);
		const struct history *history = origin == NULL ? NULL : origin->history;

		for (int i = 0; history != NULL && i < history->shape.rra_count; i++) {
			const struct rows *old = &history->rows[i];

			if (old->resolution != rows->resolution ||
				strcmp(history->shape.rra[i].function, function) != 0)
				continue;
			for (int64_t row = 0; row < rows->count; row++) {
				int64_t time = rows->first + row * rows->resolution;

				if (!covers(old, time - old->resolution, time))
					continue;
				if (!same_number(row_at(history, old, origin->ds, time),
					    rows->values[(size_t)row * reshape->ds_count + d]))
					return -1;
				common++;
			}
		}
	}
	return common;
}

static int
verify(const struct build *build, const char *file, const struct layout_rra *rra,
	const double *values, struct reshape_report *report, struct fail *why)
{
	const struct reshape *reshape = build->reshape;
	struct rrd_place place = { reshape->root, file };
	size_t count = (size_t)rra->rows * reshape->ds_count, i = 0;
	int64_t resolution = rra->slots * reshape->layout->step, common;
	struct rows rows;
	int result = read_rows(place, rra->function, resolution, build->last, rra->rows,
		reshape->ds_count, &rows, why);

	if (result == 0) {
		while (i < count && same_number(rows.values[i], values[i]))
			i++;
		common = i == count ? compare_old(build, &rows, rra->function) : -1;
		if (common == -1) {
			fail_set(why, "%s/%s: a %s row of %lld s does not read back as it was: not used",
				place.root, file, rra->function, (long long)resolution);
			result = -1;
		} else {
			report->rows += count;
			report->common += (uint64_t)common;
		}
	}
	free(rows.values);
	return result;
}

static int
fill_rra(const struct build *build, const char *file, size_t number,
	struct reshape_report *report, struct fail *why)
{
	const struct reshape *reshape = build->reshape;
	const struct layout_rra *rra = &reshape->layout->rra[number];
	int64_t resolution = rra->slots * reshape->layout->step;
	int64_t end = build->last - build->last % resolution;
	double *values = mem_array((size_t)rra->rows * reshape->ds_count, sizeof *values);
	uint8_t *carry = mem_array(reshape->ds_count, RING_CARRY);
	int result;

	for (int64_t row = 0; row < rra->rows; row++) {
		int64_t to = end - (rra->rows - 1 - row) * resolution;

		aim(build, rra->function, to - resolution, to);
		for (size_t d = 0; d < reshape->ds_count; d++)
			values[(size_t)row * reshape->ds_count + d] = value_of(build, d,
				rra->function, to - resolution, to);
	}
	for (size_t d = 0; d < reshape->ds_count; d++) {
		const uint8_t *same = same_carry(build, d, rra);

		if (same != NULL)
			memcpy(carry + d * RING_CARRY, same, RING_CARRY);
		else
			gather_carry(build, d, rra, carry + d * RING_CARRY);
	}
	result = ring_fill((struct rrd_place){ reshape->root, file }, number, values,
		(size_t)rra->rows, reshape->ds_count, carry, why);
	if (result == 0)
		result = verify(build, file, rra, values, report, why);
	free(values);
	free(carry);
	return result;
}

/* ---- the file ---- */

static int
load_all(struct build *build, struct fail *why)
{
	const struct reshape *reshape = build->reshape;
	int64_t last = 0;

	for (size_t d = 0; d < reshape->ds_count; d++)
		for (size_t i = 0; i < reshape->ds[d].from_count; i++)
			if (load(build, reshape->ds[d].from[i].file, why) == -1)
				return -1;
	build->origins = mem_array(reshape->ds_count, sizeof *build->origins);
	for (size_t d = 0; d < reshape->ds_count; d++)
		for (size_t i = 0; i < reshape->ds[d].from_count; i++)
			build->origins[d][i] = find_origin(build, &reshape->ds[d].from[i]);
	for (size_t i = 0; i < build->count; i++)
		if (build->histories[i].shape.last > last)
			last = build->histories[i].shape.last;
	/* Of a slot that is longer now and not over, only the poll at its end will tell. */
	build->last = last - last % reshape->layout->step;
	if (build->last > 0)
		return 0;
	fail_set(why, "%s: no rows to begin with", reshape->root);
	return -1;
}

static int
create(const struct build *build, const char *file, struct fail *why)
{
	const struct reshape *reshape = build->reshape;
	struct rrd_place place = { reshape->root, file };
	const char **names = mem_array(reshape->ds_count, sizeof *names);
	char *path = mem_format("%s/%s", place.root, file);
	enum rrd_result result;

	for (size_t d = 0; d < reshape->ds_count; d++)
		names[d] = reshape->ds[d].name;
	unlink(path);
	result = rrd_file_create(place, reshape->layout, build->last + reshape->layout->step,
		names, reshape->ds_count, why);
	free(path);
	free(names);
	return result == RRD_DONE ? 0 : -1;
}

int
reshape_build(const struct reshape *reshape, const char *file, struct reshape_report *report,
	struct fail *why)
{
	struct build build = { .reshape = reshape };
	struct rrd_place place = { reshape->root, file };
	char *path = mem_format("%s/%s", reshape->root, file);
	int result = load_all(&build, why);

	*report = (struct reshape_report){ .last = build.last };
	if (result == 0)
		result = create(&build, file, why);
	for (int i = 0; result == 0 && i < reshape->layout->count; i++)
		result = fill_rra(&build, file, (size_t)i, report, why);
	if (result == 0 && rrd_file_sync(place, why) != RRD_DONE)
		result = -1;
	if (result == -1)
		unlink(path);
	unload(&build);
	free(path);
	return result;
}
