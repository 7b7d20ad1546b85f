#include "store/ageing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/sample.h"
#include "core/series.h"
#include "store/runlog.h"

#define CHUNK 4096  /* runs sorted at a time */
#define BUDGET 8192 /* spans handled in a step */
#define EXPIRE_EVERY (INT64_C(3600) * 1000000000)
#define RETRY (INT64_C(600) * 1000000000)

/* A run on its way from a runlog into an archive. */
struct loaded {
	struct ledger_run run;
	uint32_t index; /* number - first */
};

struct job {
	struct archive_head head; /* of what is made */
	struct archive_writer *writer;
	bool fold;
	/* from a runlog */
	struct runlog_file file;
	struct loaded *runs;
	uint64_t loaded, damaged; /* loaded: numbers read up to there */
	size_t count, sorted;
	size_t *cursors; /* of the sorted chunks, once all are */
	/* from an archive */
	struct archive *from;
	uint32_t block;
	struct fold_list group; /* the spans of one series, or its beginning */
	struct fold_list kept, folded;
	struct archive **later; /* that may amend what is in it */
	size_t later_count;
};

struct ageing {
	char *state_dir;
	struct archive_head *heads;
	bool *left_alone; /* beside heads: damaged */
	size_t count;
	uint64_t end;
	struct job *job;
	int64_t expired_at, retry_at;
	bool expired, failing;
};

/* ---- the archives there are ---- */

size_t
ageing_list(const char *state_dir, struct archive_head **heads, uint64_t *damaged)
{
	char directory[ARCHIVE_PATH];
	uint64_t *numbers;
	size_t all, count = 0;
	int error;

	snprintf(directory, sizeof directory, "%s/ledger", state_dir);
	all = folder_numbers(directory, "spans-", "", &numbers);
	error = all == 0 ? errno : 0;
	*heads = all > 0 ? mem_grow(NULL, all, sizeof **heads) : NULL;
	for (size_t i = 0; i < all; i++) {
		struct archive *archive = archive_open(state_dir, numbers[i], NULL);

		if (archive == NULL && file_is_unknown(errno)) {
			error = errno;
			break;
		}
		if (archive == NULL) {
			*damaged += errno != ENOENT;
			continue;
		}
		(*heads)[count++] = *archive_head(archive);
		archive_close(archive);
	}
	free(numbers);
	errno = error;
	return error == 0 ? count : 0;
}

/* A runlog whose archive is in its place had only to be deleted. */
static void
sweep(struct ageing *ageing)
{
	char path[ARCHIVE_PATH];
	struct runlog_file *files;
	uint64_t damaged = 0;
	size_t count = runlog_list(ageing->state_dir, &files, &damaged);

	for (size_t i = 0; i < count; i++)
		if (files[i].end > files[i].first && files[i].end <= ageing->end)
			runlog_remove(ageing->state_dir, &files[i]);
	free(files);
	snprintf(path, sizeof path, "%s/ledger/spans.new", ageing->state_dir);
	unlink(path);
	if (damaged > 0)
		log_error("%s/ledger: %llu files runs-* are damaged and left out", ageing->state_dir,
			(unsigned long long)damaged);
}

struct ageing *
ageing_open(const char *state_dir, struct fail *why)
{
	struct ageing *ageing = mem_zero(sizeof *ageing);
	uint64_t damaged = 0;

	ageing->state_dir = mem_text(state_dir);
	ageing->end = 1;
	ageing->count = ageing_list(state_dir, &ageing->heads, &damaged);
	if (ageing->count == 0 && errno != 0) {
		fail_set(why, "%s/ledger: %s", state_dir, strerror(errno));
		ageing_close(ageing);
		return NULL;
	}
	ageing->left_alone = mem_array(ageing->count + 1, sizeof *ageing->left_alone);
	if (ageing->count > 0)
		ageing->end = ageing->heads[ageing->count - 1].end;
	if (damaged > 0)
		log_error("%s/ledger: %llu files spans-* are damaged and left out", state_dir,
			(unsigned long long)damaged);
	sweep(ageing);
	return ageing;
}

static void
job_free(struct job *job)
{
	if (job == NULL)
		return;
	archive_abandon(job->writer);
	archive_close(job->from);
	for (size_t i = 0; i < job->later_count; i++)
		archive_close(job->later[i]);
	free(job->later);
	free(job->runs);
	free(job->cursors);
	free(job->group.spans);
	free(job->kept.spans);
	free(job->folded.spans);
	free(job);
}

void
ageing_close(struct ageing *ageing)
{
	if (ageing == NULL)
		return;
	job_free(ageing->job);
	free(ageing->heads);
	free(ageing->left_alone);
	free(ageing->state_dir);
	free(ageing);
}

uint64_t
ageing_end(const struct ageing *ageing)
{
	return ageing->end;
}

const struct archive_head *
ageing_heads(const struct ageing *ageing, size_t *count)
{
	*count = ageing->count;
	return ageing->heads;
}

/* ---- what is done with one series ---- */

/* Leaves out what is older than retain, with a day's margin: then a file has to be written
 * once a day at most. */
static void
keep_retained(struct job *job, int64_t step, int64_t before)
{
	for (size_t i = 0; i < job->group.count; i++) {
		struct ledger_span span = job->group.spans[i];

		if (span.folded && span.hour * FOLD_HOUR < before)
			continue;
		if (!span.folded && span.run.first * step < before)
			span.run.first = fold_slot_from(before, step);
		if (!span.folded && span.run.first > span.run.last)
			continue;
		if (!span.folded)
			span.n = (uint64_t)(span.run.last - span.run.first) + 1;
		fold_push(&job->kept, &span);
	}
}

static void
keep_amendment(const struct ledger_span *span, void *arg)
{
	if (!span->folded && span->run.reason == REASON_STORE_FULL)
		fold_push(arg, span);
}

/* What a later archive says of the same slots counts; here it would be lost in a sum. */
static void
take_out_amended(struct job *job, uint32_t series, int64_t step)
{
	struct fold_list gone = { 0 };

	for (size_t i = 0; i < job->later_count; i++)
		archive_each(job->later[i], series, step, keep_amendment, &gone, NULL);
	fold_settle(&gone);
	fold_take_out(&job->group, gone.spans, gone.count);
	free(gone.spans);
}

static void
add_group(struct job *job, const struct ageing_now *now)
{
	const struct series *series;
	const struct fold_list *list = &job->group;
	int64_t step, retain;

	if (job->group.count == 0)
		return;
	series = series_get(now->catalogue, job->group.spans[0].run.series);
	step = series != NULL ? series->step : 0;
	retain = series != NULL ? series_retain(series) : 0;
	job->kept.count = job->folded.count = 0;
	fold_settle(&job->group);
	if (job->later_count > 0 && step > 0)
		take_out_amended(job, job->group.spans[0].run.series, step);
	if (retain > 0) {
		keep_retained(job, step, now->wall - retain + AGEING_DAY);
		list = &job->kept;
	}
	if (job->fold && step > 0) {
		fold_spans(list->spans, list->count, step, &job->folded);
		list = &job->folded;
	}
	archive_add(job->writer, list->spans, list->count, step, retain);
	job->group.count = 0;
}

/* ---- a runlog becomes an archive ---- */

static void
load_run(void *arg, const struct ledger_run *run, uint64_t number)
{
	struct job *job = arg;

	job->runs[job->count++] = (struct loaded){ *run, (uint32_t)(number - job->head.first) };
}

static int
by_series(const void *a, const void *b)
{
	const struct loaded *x = a, *y = b;

	if (x->run.series != y->run.series)
		return x->run.series < y->run.series ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Reads and sorts one chunk. 1 there is more, 0 all read, -1 and why. */
static int
load_chunk(struct ageing *ageing, struct job *job, struct fail *why)
{
	uint64_t end = job->loaded + CHUNK;

	if (job->loaded >= job->head.end)
		return 0;
	if (end > job->head.end)
		end = job->head.end;
	if (runlog_read(ageing->state_dir, &job->file, job->loaded, end, load_run, job,
			&job->damaged, why) == -1)
		return -1;
	qsort(job->runs + job->sorted, job->count - job->sorted, sizeof *job->runs, by_series);
	job->cursors = mem_grow(job->cursors, (size_t)((end - job->head.first) / CHUNK + 2) * 2,
		sizeof *job->cursors);
	/* begin and end of the chunk */
	job->cursors[(job->loaded - job->head.first) / CHUNK * 2] = job->sorted;
	job->cursors[(job->loaded - job->head.first) / CHUNK * 2 + 1] = job->count;
	job->sorted = job->count;
	job->loaded = end;
	return 1;
}

static size_t
chunk_count(const struct job *job)
{
	return (size_t)((job->head.end - job->head.first + CHUNK - 1) / CHUNK);
}

/* The runs of the lowest series that is left in any chunk; false when none is left. */
static bool
gather_series(struct job *job)
{
	uint32_t lowest = UINT32_MAX;
	bool any = false;

	for (size_t i = 0; i < chunk_count(job); i++) {
		if (job->cursors[2 * i] == job->cursors[2 * i + 1])
			continue;
		any = true;
		if (job->runs[job->cursors[2 * i]].run.series < lowest)
			lowest = job->runs[job->cursors[2 * i]].run.series;
	}
	for (size_t i = 0; any && i < chunk_count(job); i++) {
		size_t *at = &job->cursors[2 * i];

		for (; *at < job->cursors[2 * i + 1] && job->runs[*at].run.series == lowest; ++*at) {
			const struct loaded *from = &job->runs[*at];
			struct ledger_span span = { .run = from->run,
				.n = (uint64_t)(from->run.last - from->run.first) + 1,
				.sequence = job->head.first + from->index, .final = true };

			fold_push(&job->group, &span);
		}
	}
	return any;
}

static int
seal_some(struct ageing *ageing, struct job *job, const struct ageing_now *now,
	struct fail *why)
{
	int loading = load_chunk(ageing, job, why);

	if (loading != 0)
		return loading;
	for (size_t done = 0; done < BUDGET; done += job->group.count + chunk_count(job)) {
		size_t count;

		if (!gather_series(job))
			return 0;
		count = job->group.count;
		add_group(job, now);
		done += count;
	}
	return 1;
}

/* ---- an archive is written anew ---- */

static int
rewrite_some(struct job *job, const struct ageing_now *now, struct fail *why)
{
	struct fold_list block = { 0 };
	int result = 1;

	for (size_t done = 0; done < BUDGET && result == 1; done += block.count) {
		block.count = 0;
		if (job->block == archive_head(job->from)->blocks) {
			add_group(job, now);
			result = 0;
			break;
		}
		result = archive_block(job->from, job->block++, &block, why) == -1 ? -1 : 1;
		for (size_t i = 0; i < block.count && result == 1; i++) {
			if (job->group.count > 0 &&
				job->group.spans[0].run.series != block.spans[i].run.series)
				add_group(job, now);
			fold_push(&job->group, &block.spans[i]);
		}
	}
	free(block.spans);
	return result;
}

/* ---- what is to be done ---- */

static void
begin_job(struct ageing *ageing, struct job *job, struct fail *why)
{
	job->writer = archive_begin(ageing->state_dir, &job->head, why);
	if (job->writer != NULL) {
		ageing->job = job;
		return;
	}
	job_free(job);
}

/* The oldest runlog that is closed and stands in the checkpoint. */
static bool
find_runlog(struct ageing *ageing, const struct ageing_now *now, struct fail *why)
{
	struct runlog_file *files;
	uint64_t damaged = 0;
	size_t count = runlog_list(ageing->state_dir, &files, &damaged), i = 0;
	struct job *job;

	while (i < count && (files[i].end <= ageing->end || files[i].end == files[i].first))
		i++;
	if (i == count || files[i].first == now->growing || files[i].end > now->safe) {
		free(files);
		return false;
	}
	job = mem_zero(sizeof *job);
	job->file = files[i];
	job->head.first = files[i].first > ageing->end ? files[i].first : ageing->end;
	job->head.end = files[i].end - job->head.first > AGEING_RUNS ?
		job->head.first + AGEING_RUNS : files[i].end;
	job->head.retains = now->retains;
	job->loaded = job->head.first;
	job->runs = mem_array((size_t)(job->head.end - job->head.first), sizeof *job->runs);
	free(files);
	begin_job(ageing, job, why);
	return true;
}

static bool
expire(struct ageing *ageing, const struct ageing_now *now)
{
	char path[ARCHIVE_PATH];

	if (ageing->expired && now->mono - ageing->expired_at < EXPIRE_EVERY)
		return false;
	/* The last one tells where the numbers go on. */
	for (size_t i = 0; i + 1 < ageing->count; i++) {
		if (ageing->heads[i].ends > now->wall - AGEING_EXPIRE)
			continue;
		archive_path(path, sizeof path, ageing->state_dir, ageing->heads[i].first);
		if (unlink(path) == -1 && errno != ENOENT)
			continue;
		ageing->count--;
		memmove(&ageing->heads[i], &ageing->heads[i + 1],
			(ageing->count - i) * sizeof *ageing->heads);
		memmove(&ageing->left_alone[i], &ageing->left_alone[i + 1],
			(ageing->count - i) * sizeof *ageing->left_alone);
		ageing->expired = true;
		ageing->expired_at = now->mono;
		return true;
	}
	return false;
}

static void
open_later(const struct ageing *ageing, struct job *job, size_t i)
{
	job->later = mem_array(ageing->count, sizeof *job->later);
	for (size_t k = i + 1; k < ageing->count; k++) {
		const struct archive_head *head = &ageing->heads[k];

		if (!head->amends || head->begins >= ageing->heads[i].ends)
			continue;
		job->later[job->later_count] = archive_open(ageing->state_dir, head->first, NULL);
		job->later_count += job->later[job->later_count] != NULL;
	}
}

static bool
find_archive(struct ageing *ageing, const struct ageing_now *now, struct fail *why)
{
	for (size_t i = 0; i < ageing->count; i++) {
		const struct archive_head *head = &ageing->heads[i];
		bool fold = !head->folded && head->ends <= now->wall - AGEING_FOLD;
		struct job *job;

		if (ageing->left_alone[i] || (!fold && head->retain_due > now->wall &&
			head->retains == now->retains))
			continue;
		job = mem_zero(sizeof *job);
		job->head = *head;
		job->fold = head->folded || fold;
		job->head.folded = job->fold;
		job->head.retains = now->retains;
		job->from = archive_open(ageing->state_dir, head->first, why);
		if (job->from == NULL) {
			ageing->left_alone[i] = true;
			log_error("%s: left as it is", why != NULL ? why->text : "");
			job_free(job);
			return true;
		}
		open_later(ageing, job, i);
		begin_job(ageing, job, why);
		return true;
	}
	return false;
}

/* ---- steps ---- */

static void
take_head(struct ageing *ageing, const struct archive_head *head)
{
	for (size_t i = 0; i < ageing->count; i++) {
		if (ageing->heads[i].first == head->first) {
			ageing->heads[i] = *head;
			return;
		}
	}
	ageing->heads = mem_grow(ageing->heads, ageing->count + 1, sizeof *ageing->heads);
	ageing->left_alone = mem_grow(ageing->left_alone, ageing->count + 2,
		sizeof *ageing->left_alone);
	ageing->heads[ageing->count] = *head;
	ageing->left_alone[ageing->count++] = false;
	ageing->end = head->end;
}

static int
finish_job(struct ageing *ageing, struct job *job, struct fail *why)
{
	struct archive_writer *writer = job->writer;
	struct archive_head head;

	job->writer = NULL;
	if (archive_finish(writer, &head, why) == -1)
		return -1;
	if (job->damaged > 0)
		log_error("%s/ledger: %llu damaged runs were left out: the sums are too small",
			ageing->state_dir, (unsigned long long)job->damaged);
	take_head(ageing, &head);
	if (job->from == NULL && job->head.end == job->file.end)
		runlog_remove(ageing->state_dir, &job->file);
	return 0;
}

static void
leave_alone(struct ageing *ageing, uint64_t first)
{
	for (size_t i = 0; i < ageing->count; i++)
		if (ageing->heads[i].first == first)
			ageing->left_alone[i] = true;
}

static void
job_failed(struct ageing *ageing, const struct ageing_now *now, bool reading,
	const struct fail *why)
{
	struct job *job = ageing->job;

	if (job != NULL && job->from != NULL && reading) {
		log_error("%s: left as it is", why->text);
		leave_alone(ageing, job->head.first);
	} else {
		if (!ageing->failing)
			log_error("%s: the ledger is not folded, tried again each 10 min", why->text);
		ageing->failing = true;
		ageing->retry_at = now->mono + RETRY;
	}
	ageing->job = NULL;
	job_free(job);
}

static bool
begin_something(struct ageing *ageing, const struct ageing_now *now)
{
	struct fail why = { .text = "" };
	bool found = expire(ageing, now) || find_runlog(ageing, now, &why) ||
		find_archive(ageing, now, &why);

	if (found && ageing->job == NULL && why.text[0] != '\0')
		job_failed(ageing, now, false, &why);
	return found;
}

bool
ageing_step(struct ageing *ageing, const struct ageing_now *now)
{
	struct job *job = ageing->job;
	struct fail why;
	int result;

	if (now->catalogue == NULL || now->mono < ageing->retry_at)
		return false;
	if (job == NULL)
		return begin_something(ageing, now);
	result = job->from != NULL ? rewrite_some(job, now, &why) :
		seal_some(ageing, job, now, &why);
	if (result == -1) {
		job_failed(ageing, now, true, &why);
	} else if (result == 0) {
		if (finish_job(ageing, job, &why) == -1) {
			job_failed(ageing, now, false, &why);
			return true;
		}
		ageing->job = NULL;
		ageing->failing = false;
		job_free(job);
	}
	return true;
}
