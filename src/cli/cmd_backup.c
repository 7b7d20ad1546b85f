/* pollwerk backup: a consistent copy of all that the poller knows, while it runs. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backup/backup.h"
#include "base/doc.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/place.h"
#include "cli/progress.h"
#include "config/bundle.h"
#include "config/conf.h"
#include "core/device.h"
#include "store/store.h"

#define IO_CLASS_IDLE (3 << 13) /* ioprio_set(2): glibc has no header for it */
#define IO_WHO_PROCESS 1

struct run {
	const char *folder;      /* as given */
	char *destination;
	unsigned keep;           /* 0: the folder is the backup */
	bool secrets;
	struct conf_places places;
	struct inventory *inventory; /* NULL when the configuration has mistakes */
	struct bundle bundle;
	struct backup_file *files;
	size_t file_count;
	struct progress progress;
};

static int
read_arguments(struct run *run, int argc, char **argv)
{
	static const char *const valued[] = { "--keep", NULL };
	int64_t keep;

	for (int i = 1; i < argc; i++) {
		const char *name;
		char *value;
		int taken = cmd_option(&cmd_backup, valued, argv, &i, &name, &value);

		if (taken == -1)
			return CMD_USAGE;
		if (taken == 1) {
			if (str_int(value, &keep, NULL) == -1 || keep < 1 || keep > 10000)
				return cmd_usage(&cmd_backup, "--keep: expected 1 to 10000, not \"%s\"",
					value);
			run->keep = (unsigned)keep;
		} else if (strcmp(argv[i], "--secrets") == 0) {
			run->secrets = true;
		} else if (argv[i][0] == '-' || run->folder != NULL) {
			return cmd_usage(&cmd_backup, "unknown argument \"%s\"", argv[i]);
		} else {
			run->folder = argv[i];
		}
	}
	return run->folder == NULL || *run->folder == '\0' ?
		cmd_usage(&cmd_backup, "where to?") : CMD_OK;
}

/* ---- configuration ---- */

static int
take_bundle(struct run *run, const struct conf *conf)
{
	int fd = memfd_create("configuration", MFD_CLOEXEC);
	struct fail why;
	int result = -1;

	if (fd == -1)
		cmd_error("memfd_create: %s", strerror(errno));
	else if (conf_bundle_write(conf, fd, &why) == -1 || bundle_load(&run->bundle, fd, &why) == -1)
		cmd_error("%s", why.text);
	else
		result = 0;
	if (fd != -1)
		close(fd);
	return result;
}

/* What the daemon has read long ago may be half written now: its directories still count. */
static int
take_main_file(struct run *run, const char *config)
{
	struct fail why;
	size_t size;
	char *text;

	if (conf_places(config, &run->places, &why) == -1 ||
		(text = bundle_read(config, BUNDLE_MAIN, &size, &why)) == NULL) {
		cmd_error("%s", why.text);
		return -1;
	}
	cmd_error("%s: has mistakes (pollwerk check tells them): of the configuration only this file is copied",
		config);
	bundle_add(&run->bundle, BUNDLE_MAIN, config, text, size);
	free(text);
	return 0;
}

static int
take_config(struct run *run, const char *config)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = run->secrets ? conf_load(config, &errors) :
		conf_load_to_look(config, &errors);
	int result = conf == NULL ? -1 : take_bundle(run, conf);

	if (result == 0) {
		run->inventory = conf_inventory(conf);
		str_copy(run->places.state_dir, sizeof run->places.state_dir,
			run->inventory->poller.state_dir);
		str_copy(run->places.rrd_dir, sizeof run->places.rrd_dir,
			run->inventory->poller.rrd_dir);
		str_copy(run->places.run_dir, sizeof run->places.run_dir,
			run->inventory->poller.run_dir);
	} else if (run->secrets) {
		conf_report(&errors, stderr);
	} else {
		result = take_main_file(run, config);
	}
	conf_errors_free(&errors);
	conf_free(conf);
	return result;
}

static void
choose_files(struct run *run)
{
	bool left_out = false;

	run->files = mem_array(run->bundle.count, sizeof *run->files);
	for (size_t i = 0; i < run->bundle.count; i++) {
		const struct bundle_file *file = run->bundle.files[i];
		char path[PATH_MAX];
		struct stat info;

		if (file->kind == BUNDLE_CREDENTIAL) {
			left_out = true;
			continue;
		}
		if (realpath(file->path, path) == NULL || stat(path, &info) == -1) {
			cmd_error("%s: %s: not in the backup", file->path, strerror(errno));
			continue;
		}
		run->files[run->file_count++] = (struct backup_file){ mem_text(path), file->text,
			file->size, info.st_mode & 0777 };
	}
	if (run->secrets)
		cmd_error("the secrets file is in the backup: keep it as well as the file itself%s",
			left_out ? "; credentials of systemd and the environment are not" : "");
}

/* ---- the destination ---- */

/* A backup of itself would not end. */
static int
check_outside(const char *folder, const char *root)
{
	char *parent = mem_text(folder), *slash;
	char real[PATH_MAX], real_root[PATH_MAX];
	size_t length;
	bool inside;

	/* The nearest folder that is there. */
	while (realpath(parent, real) == NULL && (slash = strrchr(parent, '/')) != NULL &&
		slash != parent)
		*slash = '\0';
	free(parent);
	if (realpath(root, real_root) == NULL)
		return 0;
	length = strlen(real_root);
	inside = strncmp(real, real_root, length) == 0 &&
		(real[length] == '/' || real[length] == '\0');
	if (inside)
		cmd_error("%s: lies in %s, which is to be copied", folder, root);
	return inside ? -1 : 0;
}

static void
name_destination(struct run *run)
{
	char folder[PATH_MAX], here[PATH_MAX];
	size_t length;

	/* Absolute, so that there is a folder above it. */
	if (*run->folder == '/' || getcwd(here, sizeof here) == NULL)
		str_copy(folder, sizeof folder, run->folder);
	else if (snprintf(folder, sizeof folder, "%s/%s", here, run->folder) >= (int)sizeof folder)
		str_copy(folder, sizeof folder, run->folder);
	length = strlen(folder);
	while (length > 1 && folder[length - 1] == '/')
		folder[--length] = '\0';
	run->destination = run->keep > 0 ? backup_dated_name(folder, place_now()) : mem_text(folder);
}

/* ---- the run ---- */

static void
show_progress(void *arg, uint64_t files, uint64_t all_files, int64_t bytes, int64_t all_bytes)
{
	progress_step(arg, files, all_files, bytes, all_bytes);
}

static void
say(void *arg, const char *line)
{
	progress_clear(arg);
	cmd_error("%s", line);
}

static void
print_result(const struct cmd_context *context, const struct run *run,
	const struct backup_result *result)
{
	double seconds = progress_seconds(&run->progress);
	double safe = seconds > 0.001 ? seconds : 0.001;

	if (context->json) {
		cmd_print_json(json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:b, s:I, s:I}",
			"destination", doc_text(run->destination), "files", (json_int_t)result->files,
			"rrd_files", (json_int_t)result->rrd_files, "bytes", (json_int_t)result->bytes,
			"seconds", doc_number(seconds), "taken", doc_seconds(result->taken), "running",
			result->running, "repeats", (json_int_t)result->repeats, "attempts",
			(json_int_t)result->attempts));
		return;
	}
	printf("%s: %llu files, %.1f MB in %.1f s (%.0f files/s, %.1f MB/s), %s\n",
		run->destination, (unsigned long long)result->files, (double)result->bytes / 1048576,
		seconds, (double)result->files / safe, (double)result->bytes / 1048576 / safe,
		result->running ? "the daemon running" : "no daemon running");
}

static int
take(const struct cmd_context *context, struct run *run)
{
	struct store_options store = { .flush = INT64_C(300000000000), .memory = 256 << 20 };
	struct backup_options options = { .store = &store, .destination = run->destination,
		.config = run->files, .config_count = run->file_count, .secrets = run->secrets,
		.progress = show_progress, .say = say, .arg = &run->progress };
	struct backup_result result;
	struct fail why;
	int removed;

	if (run->inventory != NULL)
		store = *(const struct store_options *)run->inventory->store;
	store.state_dir = run->places.state_dir;
	store.rrd_dir = run->places.rrd_dir;
	store.run_dir = run->places.run_dir;
	options.poller = run->inventory != NULL ? run->inventory->poller.name : "";
	progress_begin(&run->progress, "backup");
	if (backup_take(&options, &result, &why) == -1) {
		progress_clear(&run->progress);
		cmd_error("%s%s", why.text, cmd_may_not(&why) ? CMD_MAY_NOT : "");
		return CMD_NEGATIVE;
	}
	progress_clear(&run->progress);
	print_result(context, run, &result);
	removed = run->keep == 0 ? 0 : backup_rotate(run->folder, run->keep, &why);
	if (removed == -1)
		cmd_error("old backups are still there: %s", why.text);
	return removed == -1 ? CMD_NEGATIVE : CMD_OK;
}

/* Polling and storing come first. */
static void
step_back(void)
{
	errno = 0;
	if (nice(10) == -1 && errno != 0)
		cmd_error("nice: %s", strerror(errno));
	syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0, IO_CLASS_IDLE);
}

static int
run_backup(const struct cmd_context *context, int argc, char **argv)
{
	struct run run = { .folder = NULL };
	int status = read_arguments(&run, argc, argv);

	if (status != CMD_OK)
		return status;
	status = CMD_NEGATIVE;
	name_destination(&run);
	if (take_config(&run, context->config) == 0 &&
		check_outside(run.destination, run.places.state_dir) == 0 &&
		check_outside(run.destination, run.places.rrd_dir) == 0) {
		choose_files(&run);
		step_back();
		status = take(context, &run);
	}
	for (size_t i = 0; i < run.file_count; i++)
		free((char *)run.files[i].path);
	free(run.files);
	bundle_free(&run.bundle);
	inventory_unref(run.inventory);
	free(run.destination);
	return status;
}

const struct cmd cmd_backup = { "backup", "DEST [--keep N] [--secrets]",
	"consistent copy of all data, while the daemon runs", run_backup };
