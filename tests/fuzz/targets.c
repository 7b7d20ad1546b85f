#include "fuzz/targets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "core/latest.h"
#include "core/series.h"
#include "journal/record.h"
#include "unit/scratch.h"

static void
look_into(const struct record *record)
{
	struct record_samples walk;
	struct record_sample sample;
	struct record_run run;

	if (record_has_samples(record) && record_samples_open(record, &walk) == 0)
		while (record_samples_next(&walk, &sample))
			expect(sample.has_value || isnan(sample.value));
	if (record->kind == KIND_RUN)
		record_run_read(record, &run);
}

int
fuzz_record(const uint8_t *data, size_t size)
{
	static const enum record_kind kinds[] = { KIND_SAMPLES, KIND_ROWS, KIND_RUN };
	uint8_t *copy = own(data, size);
	struct record record;
	size_t at = 0, frame = 0;

	while (at < size && record_parse(copy + at, size - at, &record, &frame) == 1) {
		expect(frame > 0 && frame <= size - at);
		expect(record.body >= copy && record.body + record.size <= copy + size);
		look_into(&record);
		at += frame;
	}
	free(copy);
	/* Bodies that no checksum has vouched for. */
	copy = own(data, size);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		record = (struct record){ .kind = kinds[i], .body = copy, .size = size };
		look_into(&record);
	}
	free(copy);
	return 0;
}

static void
put_file(const char *name, const uint8_t *data, size_t size)
{
	FILE *file;

	if (scratch[0] == '\0') {
		scratch_make();
		atexit(scratch_remove);
	}
	file = fopen(scratch_path(name), "w");
	expect(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

int
fuzz_series(const uint8_t *data, size_t size)
{
	struct series_catalogue *catalogue;
	struct fail why;

	for (int writer = 0; writer < 2; writer++) {
		put_file("series", data, size);
		catalogue = series_open(scratch, writer == 1, &why);
		if (catalogue == NULL)
			continue;
		/* A hundred thousand are enough to look at. */
		for (uint32_t id = 0; id <= series_last_id(catalogue) && id < 100000; id++) {
			const struct series *series = series_get(catalogue, id);

			expect(series == NULL || (series->id == id && strlen(series->path) < size));
		}
		series_close(catalogue);
	}
	return 0;
}

int
fuzz_latest(const uint8_t *data, size_t size)
{
	struct latest *latest;
	struct latest_row row;
	struct fail why;

	for (int writer = 0; writer < 2; writer++) {
		put_file("latest", data, size);
		put_file("latest.text", data, size < 4096 ? size : 4096);
		latest = writer == 1 ? latest_open_writer(scratch, &why) :
			latest_open_reader(scratch, &why);
		if (latest == NULL)
			continue;
		for (uint32_t id = 0; id < 64; id++)
			if (latest_read(latest, id, &row))
				expect(strlen(row.text) <= LATEST_TEXT);
		latest_close(latest);
	}
	return 0;
}
