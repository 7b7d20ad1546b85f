#include "backup/restore.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backup/backup.h"
#include "backup/copy.h"
#include "backup/manifest.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/series.h"
#include "core/tally.h"
#include "journal/reader.h"
#include "store/checkpoint.h"
#include "store/ledger_view.h"
#include "store/rrd.h"

struct verify {
	const struct restore_options *options;
	struct restore_info *info;
	char *state_dir, *rrd_dir; /* of the backup */
};

static void __attribute__((format(printf, 2, 3)))
bad(struct verify *verify, const char *format, ...)
{
	char line[1200];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	verify->info->bad++;
	if (verify->options->bad != NULL)
		verify->options->bad(verify->options->arg, line);
}

/* ---- backup.json ---- */

static void
take_text(const json_t *document, const char *member, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(document, member));

	str_copy(to, size, text != NULL ? text : "");
}

int
restore_look(const char *source, struct restore_info *info, struct fail *why)
{
	char *path = mem_format("%s/" BACKUP_JSON, source);
	json_error_t error;
	json_t *document = json_load_file(path, 0, &error);
	json_int_t format = json_integer_value(json_object_get(document, "format"));
	int result = -1;

	*info = (struct restore_info){ .files = 0 };
	if (document == NULL) {
		fail_set(why, "%s: no backup: %s", source, error.text);
	} else if (format != BACKUP_FORMAT) {
		fail_set(why, "%s: a backup of format %lld, this version reads format %d", source,
			(long long)format, BACKUP_FORMAT);
	} else {
		take_text(document, "state_dir", info->state_dir, sizeof info->state_dir);
		take_text(document, "rrd_dir", info->rrd_dir, sizeof info->rrd_dir);
		take_text(document, "run_dir", info->run_dir, sizeof info->run_dir);
		take_text(document, "user", info->user, sizeof info->user);
		take_text(document, "taken", info->taken, sizeof info->taken);
		take_text(document, "poller", info->poller, sizeof info->poller);
		info->bytes = json_integer_value(json_object_get(document, "bytes"));
		result = 0;
	}
	json_decref(document);
	free(path);
	return result;
}

/* ---- checksums ---- */

static void
verify_hashes(struct verify *verify, const struct manifest_list *list)
{
	const struct restore_options *options = verify->options;
	struct copy *copy = copy_new();
	int64_t bytes = 0;

	for (size_t i = 0; i < list->count; i++) {
		char *path = mem_format("%s/%s", options->source, list->entries[i].path);
		struct copy_made made = { .bytes = 0 };
		struct fail why;
		enum copy_result got = copy_file(copy, path, NULL, &made, &why);

		if (got == COPY_MISSING)
			bad(verify, "%s: missing", path);
		else if (got == COPY_FAILED)
			bad(verify, "%s", why.text);
		else if (strcmp(made.hash, list->entries[i].hash) != 0)
			bad(verify, "%s: its checksum is another one", path);
		free(path);
		bytes += made.bytes;
		verify->info->files++;
		if (options->progress != NULL)
			options->progress(options->arg, verify->info->files, list->count, bytes,
				verify->info->bytes);
	}
	copy_free(copy);
}

/* ---- RRD files ---- */

static const char *
rrd_name(const struct manifest_entry *entry)
{
	size_t length = strlen(entry->path);

	if (strncmp(entry->path, "rrd/", 4) != 0 || length < 8 ||
		strcmp(entry->path + length - 4, ".rrd") != 0)
		return NULL;
	return entry->path + 4;
}

static void
verify_rrds(struct verify *verify, const struct manifest_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *name = rrd_name(&list->entries[i]);
		struct rrd_shape shape;
		struct fail why;

		if (name == NULL)
			continue;
		verify->info->rrd_files++;
		if (rrd_file_shape((struct rrd_place){ verify->rrd_dir, name }, &shape, &why) ==
			RRD_DONE)
			free(shape.ds);
		else
			bad(verify, "%s", why.text);
	}
}

/* A data source that was never written yet is in the catalogue only, and so may a whole file
 * be; another step cannot come about. */
static void
verify_series(struct verify *verify, const struct manifest_list *list,
	const struct series *series)
{
	struct rrd_place place = { verify->rrd_dir, series->file };
	char *name = mem_format("rrd/%s", series->file);
	struct rrd_shape shape;

	if (*series->file != '\0' && manifest_find(list, name) != NULL &&
		rrd_file_shape(place, &shape, NULL) == RRD_DONE) {
		if (shape.step != series->step / LOOP_S)
			bad(verify, "%s/%s: a step of %lld s, the catalogue says %lld s for %s",
				verify->rrd_dir, series->file, (long long)shape.step,
				(long long)(series->step / LOOP_S), series->path);
		free(shape.ds);
	}
	free(name);
}

/* ---- state ---- */

static void
verify_checkpoint(struct verify *verify)
{
	struct checkpoint checkpoint;
	uint64_t *numbers;
	struct fail why;
	size_t count;

	if (checkpoint_read(verify->state_dir, &checkpoint, &why) == -1) {
		bad(verify, "%s", why.text);
		return;
	}
	count = reader_segments(verify->state_dir, &numbers);
	if (count > 0 && checkpoint.position.segment > 0 && numbers[0] > checkpoint.position.segment)
		bad(verify, "%s/journal: begins behind the checkpoint: segment %llu is missing",
			verify->state_dir, (unsigned long long)checkpoint.position.segment);
	for (size_t i = 1; i < count; i++)
		if (numbers[i] != numbers[i - 1] + 1)
			bad(verify, "%s/journal: between segments %llu and %llu one is missing",
				verify->state_dir, (unsigned long long)numbers[i - 1],
				(unsigned long long)numbers[i]);
	free(numbers);
	free(checkpoint.open);
}

static void
verify_journal(struct verify *verify)
{
	struct reader_position from = { 0, 0 };
	struct fail why;
	struct reader *reader = reader_open(verify->state_dir, &from, &why);
	struct record_samples walk;
	struct record record;
	int got = -1;

	while (reader != NULL && (got = reader_next(reader, &record, &why)) == 1)
		if (record_has_samples(&record) && record_samples_open(&record, &walk) == -1)
			bad(verify, "%s/journal: record %llu is damaged", verify->state_dir,
				(unsigned long long)record.sequence);
	if (got == -1)
		bad(verify, "%s", why.text);
	reader_close(reader);
}

static void
verify_ledger(struct verify *verify, const struct series_catalogue *catalogue)
{
	struct fail why;
	struct ledger_view *view = ledger_open_reader(verify->state_dir, &why);

	if (view == NULL) {
		bad(verify, "%s", why.text);
		return;
	}
	for (uint32_t id = 1; id <= series_last_id(catalogue); id++) {
		const struct series *series = series_get(catalogue, id);
		struct tally tally = { { 0 } };

		if (series == NULL)
			continue;
		ledger_tally(view, series, 0, INT64_MAX / 2, &tally);
		verify->info->expected += tally_expected(&tally);
		verify->info->good += tally_good(&tally);
	}
	if (ledger_damaged(view) > 0)
		bad(verify, "%s/ledger: %llu damaged runs", verify->state_dir,
			(unsigned long long)ledger_damaged(view));
	ledger_close_reader(view);
}

static void
verify_state(struct verify *verify, const struct manifest_list *list)
{
	struct fail why;
	struct series_catalogue *catalogue = series_open(verify->state_dir, false, &why);

	verify_checkpoint(verify);
	verify_journal(verify);
	if (catalogue == NULL) {
		bad(verify, "%s", why.text);
		return;
	}
	verify->info->series = series_last_id(catalogue);
	for (uint32_t id = 1; id <= verify->info->series; id++) {
		const struct series *series = series_get(catalogue, id);

		if (series != NULL)
			verify_series(verify, list, series);
	}
	verify_ledger(verify, catalogue);
	series_close(catalogue);
}

int
restore_verify(const struct restore_options *options, struct restore_info *info,
	struct fail *why)
{
	struct verify verify = { .options = options, .info = info };
	struct manifest_list list;

	if (restore_look(options->source, info, why) == -1 ||
		manifest_read(options->source, &list, why) == -1)
		return -1;
	verify.state_dir = mem_format("%s/state", options->source);
	verify.rrd_dir = mem_format("%s/rrd", options->source);
	verify_hashes(&verify, &list);
	verify_rrds(&verify, &list);
	verify_state(&verify, &list);
	manifest_list_free(&list);
	free(verify.state_dir);
	free(verify.rrd_dir);
	return 0;
}
