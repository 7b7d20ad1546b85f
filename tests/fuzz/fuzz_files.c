/* The readers of STATE_DIR and RUN_DIR against damaged files: what they still give is what
 * had been written. Only the newest values have no checksum; they must do no harm. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/feed.h"
#include "core/latest.h"
#include "core/sample.h"
#include "core/series.h"
#include "fake/loop_sim.h"
#include "fuzz/mutate.h"
#include "fuzz/targets.h"
#include "journal/reader.h"
#include "journal/segment.h"
#include "journal/writer.h"
#include "store/ageing.h"
#include "store/checkpoint.h"
#include "store/ledger.h"
#include "store/ledger_view.h"
#include "unit/check.h"
#include "unit/scratch.h"

enum { SERIES = 6, SLOTS = 600, RECORDS = 8192, FILES = 64, ROOM = 1 << 20 };
#define STEP LOOP_S

/* ---- what is true ---- */

static struct series names[SERIES + 1];
static char paths[SERIES + 1][64];
static uint8_t model[SERIES + 1][SLOTS]; /* reasons */
static struct truth {
	uint64_t sequence;
	enum record_kind kind;
	uint8_t *body;
	size_t size;
} records[RECORDS];
static size_t record_count;
static struct checkpoint checkpoint;

static struct file {
	char path[512];
	uint8_t *bytes;
	size_t size;
} files[FILES];
static size_t file_count;

static void
put(const struct file *file, const uint8_t *bytes, size_t size)
{
	int fd = open(file->path, O_WRONLY | O_TRUNC | O_CREAT, 0640);

	CHECK(fd != -1 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

static void
know(const char *path)
{
	struct file *file = &files[file_count++];
	FILE *in = fopen(path, "r");

	CHECK(file_count <= FILES && in != NULL);
	snprintf(file->path, sizeof file->path, "%s", path);
	file->bytes = malloc(ROOM);
	file->size = fread(file->bytes, 1, ROOM, in);
	CHECK(file->size > 0 && file->size < ROOM);
	fclose(in);
}

/* ---- made once ---- */

static void
make_series(void)
{
	struct series_catalogue *catalogue = series_open(scratch, true, NULL);

	CHECK(catalogue != NULL);
	for (uint32_t id = 1; id <= SERIES; id++) {
		snprintf(paths[id], sizeof paths[id], "press-%u/oil_temp", id);
		names[id] = (struct series){ .id = id, .kind = POINT_GAUGE, .step = STEP,
			.path = paths[id], .unit = "C", .file = "press/points.rrd", .ds = "oil_temp",
			.profile = "short" };
		CHECK(series_add(catalogue, &names[id], NULL) != NULL);
	}
	CHECK(series_sync(catalogue, NULL) == 0);
	series_close(catalogue);
}

static void
make_journal(struct loop *loop)
{
	struct writer_options options = { .state_dir = scratch, .segment_size = 8000 };
	struct writer_events events = { 0 };
	struct writer *writer = writer_open(loop, &options, &events, 1, NULL);
	struct latest *latest = latest_open_writer(scratch, NULL);
	struct feed_listener newest = latest_listener(latest);

	CHECK(writer != NULL && latest != NULL);
	for (int64_t slot = 0; slot < SLOTS; slot++) {
		for (uint32_t id = 1; id <= SERIES; id++) {
			bool lost = fuzz_roll(6) == 0;
			struct sample sample = { .series = &names[id], .slot = slot,
				.reason = lost ? REASON_TIMEOUT : REASON_GOOD,
				.value = lost ? (double)NAN : (double)slot };

			model[id][slot] = sample.reason;
			writer_sample(writer, &sample);
			newest.sample(newest.arg, &sample);
		}
		if (slot % 50 == 49)
			loop_sim_for(loop, 250 * LOOP_MS);
	}
	writer_flush(writer);
	loop_sim_for(loop, 250 * LOOP_MS);
	CHECK(writer_close(writer));
	latest_close(latest);
}

/* What is closed so far, as a day later: in an archive. */
static void
age_ledger(struct ledger *ledger)
{
	struct series_catalogue *catalogue = series_open(scratch, false, NULL);
	uint64_t length;

	CHECK(catalogue != NULL && ledger_sync(ledger, &length, NULL) == 0 && length > 0);
	ledger_checkpointed(ledger, length);
	while (ledger_age(ledger, catalogue, LOOP_S, AGEING_DAY))
		continue;
	series_close(catalogue);
}

/* Half of the journal goes into the ledger and a checkpoint. */
static void
make_ledger(void)
{
	struct reader *reader = reader_open(scratch, &(struct reader_position){ 0, 0 }, NULL);
	struct ledger *ledger = ledger_open(scratch, 0, NULL);
	struct record record;

	CHECK(reader != NULL && ledger != NULL);
	checkpoint.open = mem_array(SERIES, sizeof *checkpoint.open);
	while (reader_next(reader, &record, NULL) == 1) {
		struct truth *truth = &records[record_count++];

		CHECK(record_count <= RECORDS);
		*truth = (struct truth){ record.sequence, record.kind,
			mem_copy(record.body, record.size + 1), record.size };
		if (record_count > 300)
			continue;
		if (record_count == 150)
			age_ledger(ledger);
		CHECK(ledger_take(ledger, &record) == 0);
		checkpoint.position = reader_at(reader);
	}
	CHECK(record_count > 400);
	CHECK(ledger_sync(ledger, &checkpoint.ledger_length, NULL) == 0);
	for (uint32_t id = 1; id <= SERIES; id++)
		checkpoint.open_count += ledger_open_run(ledger, id,
			&checkpoint.open[checkpoint.open_count]);
	checkpoint.generation = 7;
	CHECK(checkpoint_write(scratch, &checkpoint, NULL) == 0);
	ledger_close(ledger);
	reader_close(reader);
}

static void
make_all(void)
{
	struct loop *loop;
	uint64_t *segments;
	char path[600];
	size_t count;

	scratch_make();
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	loop = loop_new(NULL);
	make_series();
	make_journal(loop);
	make_ledger();
	loop_free(loop);
	count = reader_segments(scratch, &segments);
	CHECK(count > 3);
	for (size_t i = 0; i < count; i++) {
		segment_path(path, sizeof path, scratch, segments[i]);
		know(path);
	}
	free(segments);
	know(scratch_path("ledger/spans-0000000000000001"));
	CHECK(folder_numbers(scratch_path("ledger"), "runs-", "", &segments) == 1);
	snprintf(path, sizeof path, "%s/ledger/runs-%016llx", scratch, (unsigned long long)segments[0]);
	know(path);
	free(segments);
	know(scratch_path("checkpoint"));
	know(scratch_path("series"));
	know(scratch_path("latest"));
}

/* ---- read again ---- */

static void
compare_journal(bool whole)
{
	struct reader *reader = reader_open(scratch, &(struct reader_position){ 0, 0 }, NULL);
	struct record record;
	size_t count = 0, at = 0;
	int result;

	if (reader == NULL)
		return;
	while ((result = reader_next(reader, &record, NULL)) == 1) {
		while (at < record_count && records[at].sequence < record.sequence)
			at++;
		CHECK(at < record_count && records[at].sequence == record.sequence);
		CHECK(records[at].kind == record.kind && records[at].size == record.size);
		CHECK(memcmp(records[at].body, record.body, record.size) == 0);
		at++, count++;
	}
	CHECK(!whole || (result == 0 && count == record_count));
	reader_close(reader);
}

static void
compare_checkpoint(bool whole)
{
	struct checkpoint read;
	struct fail why;
	int result = checkpoint_read(scratch, &read, &why);

	CHECK(whole ? result == 1 : result != 0);
	if (result != 1)
		return;
	CHECK(read.generation == 7 && read.position.segment == checkpoint.position.segment &&
		read.position.offset == checkpoint.position.offset &&
		read.ledger_length == checkpoint.ledger_length &&
		read.open_count == checkpoint.open_count);
	CHECK(memcmp(read.open, checkpoint.open, read.open_count * sizeof *read.open) == 0);
	free(read.open);
}

static void
compare_run(const struct ledger_span *span, void *arg)
{
	const struct ledger_run *run = &span->run;
	size_t *slots = arg;

	CHECK(run->first >= 0 && run->first <= run->last && run->last < SLOTS);
	for (int64_t slot = run->first; slot <= run->last; slot++)
		CHECK_INT(model[run->series][slot], run->reason);
	*slots += (size_t)(run->last - run->first + 1);
}

static void
compare_ledger(bool whole)
{
	struct fail why;
	struct ledger_view *view = ledger_open_reader(scratch, &why);
	size_t slots = 0;

	CHECK(!whole || view != NULL);
	if (view == NULL)
		return;
	for (uint32_t id = 1; id <= SERIES; id++)
		ledger_spans(view, &names[id], 0, SLOTS * STEP, compare_run, &slots);
	CHECK(slots <= SERIES * SLOTS);
	CHECK(!whole || slots == SERIES * SLOTS);
	ledger_close_reader(view);
}

static void
compare_series(bool whole)
{
	struct fail why;
	struct series_catalogue *catalogue = series_open(scratch, false, &why);

	CHECK(!whole || catalogue != NULL);
	if (catalogue == NULL)
		return;
	CHECK(!whole || series_last_id(catalogue) == SERIES);
	CHECK(series_last_id(catalogue) <= SERIES);
	for (uint32_t id = 1; id <= SERIES; id++) {
		const struct series *series = series_get(catalogue, id);

		CHECK(!whole || series != NULL);
		if (series == NULL)
			continue;
		CHECK(series->kind == names[id].kind && series->step == STEP);
		CHECK_STR(series->path, names[id].path);
		CHECK_STR(series->unit, names[id].unit);
		CHECK_STR(series->file, names[id].file);
		CHECK_STR(series->ds, names[id].ds);
		CHECK_STR(series->profile, names[id].profile);
	}
	series_close(catalogue);
}

static void
compare_all(bool whole)
{
	struct latest *latest;
	struct latest_row row;
	struct fail why;

	compare_journal(whole);
	compare_checkpoint(whole);
	compare_ledger(whole);
	compare_series(whole);
	latest = latest_open_reader(scratch, &why);
	CHECK(!whole || latest != NULL);
	for (uint32_t id = 0; latest != NULL && id <= SERIES; id++)
		latest_read(latest, id, &row);
	latest_close(latest);
}

/* ---- the damage ---- */

static void
no_line(char level, const char *line, void *arg)
{
	(void)level, (void)line, (void)arg;
}

static void
forget_all(void)
{
	fuzz_end();
	scratch_remove();
	for (size_t i = 0; i < file_count; i++)
		free(files[i].bytes);
	for (size_t i = 0; i < record_count; i++)
		free(records[i].body);
	free(checkpoint.open);
	log_catch(NULL, NULL);
}

static void
damaged_files_never_give_other_records(void)
{
	static uint8_t bytes[ROOM + 256];

	log_catch(no_line, NULL);
	fuzz_begin("fuzz_files");
	make_all();
	compare_all(true);
	while (fuzz_goes_on()) {
		const struct file *file = &files[fuzz_roll((uint32_t)file_count)];
		size_t size = file->size;

		memcpy(bytes, file->bytes, size);
		/* Most of the newest values' file is empty room behind them. */
		if (strstr(file->path, "/latest") != NULL && size > 8192)
			size = 8192;
		while (size == file->size && memcmp(bytes, file->bytes, size) == 0)
			size = fuzz_mutate(bytes, size, sizeof bytes, NULL);
		put(file, bytes, size);
		compare_all(false);
		put(file, file->bytes, file->size);
	}
	compare_all(true);
	forget_all();
}

/* The pure readers by themselves, over pieces of real files. */
static void
no_octets_bring_a_reader_down(void)
{
	static uint8_t bytes[65536];

	log_catch(no_line, NULL);
	file_count = record_count = 0;
	checkpoint = (struct checkpoint){ 0 };
	fuzz_begin("targets");
	make_all();
	while (fuzz_goes_on()) {
		const struct file *file = &files[fuzz_roll((uint32_t)file_count)];
		size_t from = fuzz_roll(3) == 0 ? 0 : fuzz_roll((uint32_t)file->size), size;

		size = file->size - from < 12000 ? file->size - from : 12000;
		memcpy(bytes, file->bytes + from, size);
		size = fuzz_mutate(bytes, size, sizeof bytes, NULL);
		fuzz_ber(bytes, size);
		fuzz_adu(bytes, size);
		fuzz_record(bytes, size);
		fuzz_series(bytes, size);
		fuzz_latest(bytes, size);
	}
	forget_all();
}

RUN_TESTS(TEST(damaged_files_never_give_other_records), TEST(no_octets_bring_a_reader_down))
