#include "store/rrdask.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rrd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/fetch.h"

#define PIECE 4096
#define FAR_AWAY (INT64_C(1) << 41)

/* ---- FETCH ---- */

struct range {
	int64_t first, last, step; /* times of the first and last row */
};

/* As librrd rounds: the row behind `from` is the first, the one behind `to` the last. */
static struct range
range_of(int64_t from, int64_t to, int64_t step)
{
	return (struct range){ from / step * step + step, to / step * step + step, step };
}

/* The finest resolution whose values are few enough. */
static struct fetch *
open_bounded(struct fetch_options *options, size_t ds_count, struct range *range, struct fail *why)
{
	int64_t from = options->from, to = options->to;

	for (options->step = 1; options->step < INT64_C(1) << 40; options->step *= 4) {
		struct fetch *fetch;

		options->from = from + 1;
		options->to = FAR_AWAY; /* the range ends with the row behind `to` */
		fetch = fetch_open(options, why);
		if (fetch == NULL)
			return NULL;
		*range = range_of(from, to, fetch_step(fetch));
		if ((range->last - range->first) / range->step + 1 <=
			(int64_t)(RRDASK_VALUES / ds_count))
			return fetch;
		fetch_close(fetch);
	}
	fail_set(why, "%s: too long a range", options->place.file);
	return NULL;
}

static void
put_row(FILE *out, int64_t time, const double *values, size_t count)
{
	char text[40];

	fprintf(out, "%10lld:", (long long)time);
	for (size_t i = 0; i < count; i++)
		fprintf(out, " %s", values == NULL ? "nan" : str_number(text, sizeof text, values[i]));
	fputc('\n', out);
}

static int
put_rows(FILE *out, struct fetch *fetch, const struct range *range, size_t ds_count,
	struct fail *why)
{
	const double *values = NULL;
	int64_t have = INT64_MIN;
	int got = 1;

	for (int64_t time = range->first; time <= range->last; time += range->step) {
		while (got == 1 && have < time)
			got = fetch_next(fetch, &have, &values, why);
		if (got == -1)
			return -1;
		put_row(out, time, got == 1 && have == time ? values : NULL, ds_count);
	}
	return 0;
}

static void
put_head(FILE *out, const struct range *range, const struct rrd_shape *shape)
{
	fprintf(out, "%lld Success\nFlushVersion: 1\nStart: %lld\nEnd: %lld\nStep: %lld\n"
		"DSCount: %zu\nDSName:", (long long)((range->last - range->first) / range->step + 7),
		(long long)(range->first - range->step), (long long)range->last,
		(long long)range->step, shape->ds_count);
	for (size_t i = 0; i < shape->ds_count; i++)
		fprintf(out, " %s", shape->ds[i]);
	fputc('\n', out);
}

char *
rrdask_fetch(struct rrd_place place, const char *function, int64_t from, int64_t to,
	struct fail *why)
{
	struct fetch_options options = { .place = place, .function = function, .from = from,
		.to = to, .rows = PIECE };
	struct rrd_shape shape;
	struct fetch *fetch;
	struct range range;
	char *text = NULL;
	size_t size;
	FILE *out;
	int result;

	if (from < 0 || to < from || to > INT64_C(1) << 40) {
		fail_set(why, "no range of time: %lld to %lld", (long long)from, (long long)to);
		return NULL;
	}
	if (rrd_file_shape(place, &shape, why) != RRD_DONE)
		return NULL;
	fetch = open_bounded(&options, shape.ds_count, &range, why);
	out = fetch == NULL ? NULL : open_memstream(&text, &size);
	if (out != NULL) {
		put_head(out, &range, &shape);
		result = put_rows(out, fetch, &range, shape.ds_count, why);
		if (fclose(out) != 0)
			abort();
		if (result == -1) {
			free(text);
			text = NULL;
		}
	}
	fetch_close(fetch);
	free(shape.ds);
	return text;
}

/* ---- INFO ---- */

static void
put_info(FILE *out, const rrd_info_t *info)
{
	char text[40];

	switch (info->type) {
	case RD_I_VAL:
		fprintf(out, "%s %d %s\n", info->key, (int)info->type, isnan(info->value.u_val) ?
			"NaN" : str_number(text, sizeof text, info->value.u_val));
		break;
	case RD_I_CNT:
		fprintf(out, "%s %d %lu\n", info->key, (int)info->type, info->value.u_cnt);
		break;
	case RD_I_INT:
		fprintf(out, "%s %d %d\n", info->key, (int)info->type, info->value.u_int);
		break;
	case RD_I_STR:
		fprintf(out, "%s %d %s\n", info->key, (int)info->type, info->value.u_str);
		break;
	default:
		fprintf(out, "%s %d 0\n", info->key, (int)info->type);
	}
}

/* Errors are told as rrd_file_shape tells them. */
static char *
path_of(struct rrd_place place, struct fail *why)
{
	struct rrd_shape shape;

	if (rrd_file_shape(place, &shape, why) != RRD_DONE)
		return NULL;
	free(shape.ds);
	return mem_format("%s/%s", place.root, place.file);
}

char *
rrdask_info(struct rrd_place place, struct fail *why)
{
	char *path = path_of(place, why), *text = NULL;
	rrd_info_t *info = path == NULL ? NULL : rrd_info_r(path);
	unsigned lines = 0;
	size_t size;
	FILE *out;

	if (info == NULL) {
		if (path != NULL)
			fail_set(why, "%s: %s", path, rrd_get_error());
		free(path);
		return NULL;
	}
	for (const rrd_info_t *at = info; at != NULL; at = at->next)
		lines++;
	out = open_memstream(&text, &size);
	if (out == NULL)
		abort();
	fprintf(out, "%u Info for %s follows\n", lines, path);
	for (const rrd_info_t *at = info; at != NULL; at = at->next)
		put_info(out, at);
	if (fclose(out) != 0)
		abort();
	rrd_info_free(info);
	free(path);
	return text;
}

/* ---- FIRST, LAST ---- */

int64_t
rrdask_first(struct rrd_place place, int archive, struct fail *why)
{
	char *path = path_of(place, why);
	int64_t first = -1;

	if (path != NULL) {
		rrd_clear_error();
		first = (int64_t)rrd_first_r(path, archive);
		if (first == -1)
			fail_set(why, "%s: %s", path, rrd_get_error());
	}
	free(path);
	return first;
}

int64_t
rrdask_last(struct rrd_place place, struct fail *why)
{
	struct rrd_shape shape;

	if (rrd_file_shape(place, &shape, why) != RRD_DONE)
		return -1;
	free(shape.ds);
	return shape.last;
}
