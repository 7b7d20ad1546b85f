#include "store/fetch.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rrd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/layout.h"

#define ARCHIVES 200 /* more than any file has */

struct archive {
	char function[16];
	int64_t slots, rows;
};

struct fetch {
	struct fetch_options options;
	char *path, *function;
	struct rrd_shape shape;
	bool absent; /* there is no file */
	struct archive archives[ARCHIVES];
	size_t archive_count;
	int64_t step, next, end; /* next row's time; the last one's */
	rrd_value_t *data;       /* the piece */
	unsigned long ds_count;
	int64_t piece, piece_end; /* times of its first and last row */
};

/* ---- what the file has ---- */

/* "rra[3].rows" */
static struct archive *
archive_of(struct fetch *fetch, const char *key, const char **member)
{
	char *end;
	unsigned long at;

	if (strncmp(key, "rra[", 4) != 0)
		return NULL;
	at = strtoul(key + 4, &end, 10);
	if (strncmp(end, "].", 2) != 0 || at >= ARCHIVES)
		return NULL;
	*member = end + 2;
	if (at >= fetch->archive_count)
		fetch->archive_count = at + 1;
	return &fetch->archives[at];
}

static void
take_info(struct fetch *fetch, const rrd_info_t *info)
{
	const char *member;
	struct archive *archive = archive_of(fetch, info->key, &member);

	if (archive == NULL)
		return;
	if (strcmp(member, "cf") == 0 && info->type == RD_I_STR)
		str_copy(archive->function, sizeof archive->function, info->value.u_str);
	else if (strcmp(member, "pdp_per_row") == 0 && info->type == RD_I_CNT)
		archive->slots = (int64_t)info->value.u_cnt;
	else if (strcmp(member, "rows") == 0 && info->type == RD_I_CNT)
		archive->rows = (int64_t)info->value.u_cnt;
}

static int
read_archives(struct fetch *fetch, struct fail *why)
{
	rrd_info_t *info;

	if (rrd_file_shape(fetch->options.place, &fetch->shape, why) != RRD_DONE)
		return -1;
	rrd_clear_error();
	info = rrd_info_r(fetch->path);
	if (info == NULL) {
		fail_set(why, "%s", rrd_get_error());
		return -1;
	}
	for (const rrd_info_t *at = info; at != NULL; at = at->next)
		take_info(fetch, at);
	rrd_info_free(info);
	return 0;
}

/* ---- which archive ---- */

/* The time of the oldest row that the archive holds. */
static int64_t
oldest_row(const struct fetch *fetch, const struct archive *archive)
{
	int64_t step = archive->slots * fetch->shape.step;

	return fetch->shape.last / step * step - (archive->rows - 1) * step;
}

static int64_t
round_up(int64_t time, int64_t step)
{
	return time <= 0 ? 0 : (time + step - 1) / step * step;
}

static bool
is_better(const struct fetch *fetch, const struct archive *a, const struct archive *best)
{
	const struct fetch_options *options = &fetch->options;
	int64_t step = a->slots * fetch->shape.step, best_step;
	int64_t from = options->reach > options->from ? options->reach : options->from;
	bool reaches, best_reaches;

	if (best == NULL)
		return true;
	best_step = best->slots * fetch->shape.step;
	reaches = oldest_row(fetch, a) <= round_up(from, step);
	best_reaches = oldest_row(fetch, best) <= round_up(from, best_step);
	if (reaches != best_reaches)
		return reaches;
	if (!reaches && oldest_row(fetch, a) != oldest_row(fetch, best))
		return oldest_row(fetch, a) < oldest_row(fetch, best);
	return llabs(step - options->step) < llabs(best_step - options->step);
}

static int
choose_archive(struct fetch *fetch, struct fail *why)
{
	const struct archive *best = NULL;

	for (size_t i = 0; i < fetch->archive_count; i++) {
		const struct archive *a = &fetch->archives[i];

		if (strcmp(a->function, fetch->function) == 0 && a->slots > 0 && a->rows > 0 &&
			is_better(fetch, a, best))
			best = a;
	}
	if (best == NULL) {
		fail_set(why, "%s: keeps no %s", fetch->path, fetch->function);
		return -1;
	}
	fetch->step = best->slots * fetch->shape.step;
	fetch->next = round_up(fetch->options.from, fetch->step);
	if (fetch->next < oldest_row(fetch, best))
		fetch->next = oldest_row(fetch, best);
	fetch->end = round_up(fetch->options.to, fetch->step) - fetch->step;
	if (fetch->end > fetch->shape.last / fetch->step * fetch->step)
		fetch->end = fetch->shape.last / fetch->step * fetch->step;
	return 0;
}

struct fetch *
fetch_open(const struct fetch_options *options, struct fail *why)
{
	struct fetch *fetch = mem_zero(sizeof *fetch);

	fetch->options = *options;
	fetch->path = mem_format("%s/%s", options->place.root, options->place.file);
	fetch->function = mem_text(options->function);
	if (read_archives(fetch, why) == -1 || choose_archive(fetch, why) == -1) {
		fetch_close(fetch);
		return NULL;
	}
	return fetch;
}

struct fetch *
fetch_open_absent(const struct fetch_options *options, const struct layout *layout, int64_t last,
	struct fail *why)
{
	struct fetch *fetch = mem_zero(sizeof *fetch);

	fetch->options = *options;
	fetch->path = mem_format("%s/%s", options->place.root, options->place.file);
	fetch->function = mem_text(options->function);
	fetch->absent = true;
	fetch->shape.step = layout->step;
	fetch->shape.last = last;
	for (int i = 0; i < layout->count; i++) {
		struct archive *archive = &fetch->archives[fetch->archive_count++];

		str_copy(archive->function, sizeof archive->function, layout->rra[i].function);
		archive->slots = layout->rra[i].slots;
		archive->rows = layout->rra[i].rows;
	}
	if (choose_archive(fetch, why) == 0)
		return fetch;
	fetch_close(fetch);
	return NULL;
}

void
fetch_close(struct fetch *fetch)
{
	if (fetch == NULL)
		return;
	free(fetch->data);
	free(fetch->shape.ds);
	free(fetch->path);
	free(fetch->function);
	free(fetch);
}

int64_t
fetch_step(const struct fetch *fetch)
{
	return fetch->step;
}

size_t
fetch_width(const struct fetch *fetch)
{
	return fetch->absent ? 1 : fetch->shape.ds_count;
}

int
fetch_find(const struct fetch *fetch, const char *ds)
{
	for (size_t i = 0; i < fetch->shape.ds_count; i++)
		if (strcmp(fetch->shape.ds[i], ds) == 0)
			return (int)i;
	return -1;
}

/* ---- rows ---- */

/* librrd gives the rows behind `from`, up to the one behind `to`. */
static int
read_piece(struct fetch *fetch, struct fail *why)
{
	int64_t rows = fetch->options.rows > 0 ? (int64_t)fetch->options.rows : 1;
	int64_t last = fetch->next + (rows - 1) * fetch->step;
	time_t from = (time_t)(fetch->next - fetch->step), to;
	unsigned long step = (unsigned long)fetch->step;
	char **names;

	if (last > fetch->end)
		last = fetch->end;
	to = (time_t)(last - 1);
	free(fetch->data);
	fetch->data = NULL;
	rrd_clear_error();
	if (rrd_fetch_r(fetch->path, fetch->function, &from, &to, &step, &fetch->ds_count, &names,
			&fetch->data) != 0) {
		fetch->data = NULL;
		fail_set(why, "%s: %s", fetch->path, rrd_get_error());
		return -1;
	}
	for (unsigned long i = 0; i < fetch->ds_count; i++)
		free(names[i]);
	free(names);
	/* It was written to meanwhile: the oldest rows may have gone out of the archive. */
	if ((int64_t)step != fetch->step || fetch->ds_count < fetch->shape.ds_count) {
		fail_set(why, "%s: has changed while it was read", fetch->path);
		return -1;
	}
	fetch->piece = (int64_t)from + fetch->step;
	fetch->piece_end = last;
	return 0;
}

int
fetch_next(struct fetch *fetch, int64_t *time, const double **values, struct fail *why)
{
	static const double nothing = NAN;

	if (fetch->next > fetch->end)
		return 0;
	if (fetch->absent) {
		*time = fetch->next;
		*values = &nothing;
		fetch->next += fetch->step;
		return 1;
	}
	if ((fetch->data == NULL || fetch->next > fetch->piece_end) && read_piece(fetch, why) == -1)
		return -1;
	*time = fetch->next;
	*values = fetch->data + (size_t)((fetch->next - fetch->piece) / fetch->step) * fetch->ds_count;
	fetch->next += fetch->step;
	return 1;
}
