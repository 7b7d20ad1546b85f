/* pollwerk restore: checks a backup, and puts it back. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backup/restore.h"
#include "base/doc.h"
#include "base/fail.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/progress.h"
#include "config/conf.h"
#include "core/device.h"

struct run {
	const struct cmd_context *context;
	struct restore_options options;
	struct restore_info info;
	struct conf_places places;
	char user[64];
	bool verify, force, config;
	json_t *bad;
	struct progress progress;
};

static int
read_arguments(struct run *run, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--verify") == 0)
			run->verify = true;
		else if (strcmp(argv[i], "--force") == 0)
			run->force = true;
		else if (strcmp(argv[i], "--config") == 0)
			run->config = true;
		else if (argv[i][0] == '-' || run->options.source != NULL)
			return cmd_usage(&cmd_restore, "unknown argument \"%s\"", argv[i]);
		else
			run->options.source = argv[i];
	}
	if (run->options.source == NULL || *run->options.source == '\0')
		return cmd_usage(&cmd_restore, "which backup?");
	if (run->verify && (run->force || run->config))
		return cmd_usage(&cmd_restore, "--verify only looks: without --force and --config");
	return CMD_OK;
}

static void
tell_bad(void *arg, const char *line)
{
	struct run *run = arg;

	progress_clear(&run->progress);
	cmd_error("%s", line);
	json_array_append_new(run->bad, doc_text(line));
}

static void
say(void *arg, const char *line)
{
	struct run *run = arg;

	progress_clear(&run->progress);
	cmd_error("%s", line);
}

static void
show_progress(void *arg, uint64_t files, uint64_t all_files, int64_t bytes, int64_t all_bytes)
{
	struct run *run = arg;

	progress_step(&run->progress, files, all_files, bytes, all_bytes);
}

static int
check(struct run *run)
{
	struct fail why;

	progress_begin(&run->progress, "check");
	if (restore_verify(&run->options, &run->info, &why) == -1) {
		tell_bad(run, why.text);
		return CMD_NEGATIVE;
	}
	progress_clear(&run->progress);
	if (run->info.bad > 0)
		cmd_error("%s: %llu things are wrong with it", run->options.source,
			(unsigned long long)run->info.bad);
	return run->info.bad > 0 ? CMD_NEGATIVE : CMD_OK;
}

static void
print_check(const struct run *run, bool ok)
{
	const struct restore_info *info = &run->info;

	if (run->context->json)
		cmd_print_json(json_pack("{s:o, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:O}", "source",
			doc_text(run->options.source), "taken", info->taken, "ok", ok,
			"files", (json_int_t)info->files, "rrd_files", (json_int_t)info->rrd_files,
			"series", (json_int_t)info->series, "expected", (json_int_t)info->expected,
			"good", (json_int_t)info->good, "bad", run->bad));
	else if (ok)
		printf("%s: of %s, %llu files, %llu of them RRD, %llu series, slots expected %llu, good %llu: ok\n",
			run->options.source, info->taken, (unsigned long long)info->files,
			(unsigned long long)info->rrd_files, (unsigned long long)info->series,
			(unsigned long long)info->expected, (unsigned long long)info->good);
}

/* Those of the configuration; where there is none, those that the backup was taken from. */
static int
find_places(struct run *run)
{
	struct inventory *inventory = NULL;

	str_copy(run->user, sizeof run->user, run->info.user);
	if (access(run->context->config, F_OK) == 0) {
		if (cmd_look(run->context, &run->places, &inventory) == -1)
			return -1;
		if (inventory != NULL && inventory->poller.user != NULL &&
			*inventory->poller.user != '\0')
			str_copy(run->user, sizeof run->user, inventory->poller.user);
		inventory_unref(inventory);
		return 0;
	}
	str_copy(run->places.state_dir, sizeof run->places.state_dir, run->info.state_dir);
	str_copy(run->places.rrd_dir, sizeof run->places.rrd_dir, run->info.rrd_dir);
	str_copy(run->places.run_dir, sizeof run->places.run_dir, run->info.run_dir);
	cmd_error("%s: not there: to the folders that the backup was taken from",
		run->context->config);
	return 0;
}

static int
put_back(struct run *run)
{
	struct restore_places places = { run->places.state_dir, run->places.rrd_dir,
		run->places.run_dir, run->user, run->force };
	uint32_t next = 0;
	struct fail why;

	progress_begin(&run->progress, "restore");
	if (restore_put(&run->options, &places, &next, &why) == -1) {
		progress_clear(&run->progress);
		cmd_error("%s%s", why.text, cmd_may_not(&why) ? CMD_MAY_NOT : "");
		return CMD_NEGATIVE;
	}
	progress_clear(&run->progress);
	if (run->context->json)
		cmd_print_json(json_pack("{s:o, s:s, s:o, s:o, s:I, s:I}", "source",
			doc_text(run->options.source), "taken", run->info.taken, "state_dir",
			doc_text(places.state_dir), "rrd_dir", doc_text(places.rrd_dir), "files",
			(json_int_t)run->info.files, "next_notice", (json_int_t)next));
	else
		printf("%s: put back to %s and %s; notices go on with number %u; the time since %s will be poller-down\n",
			run->options.source, places.state_dir, places.rrd_dir, next, run->info.taken);
	return CMD_OK;
}

static int
restore(struct run *run)
{
	int status = check(run);
	struct fail why;

	if (run->verify)
		print_check(run, status == CMD_OK);
	if (run->verify || status != CMD_OK)
		return status;
	if (run->config && restore_config(&run->options, &why) == -1) {
		cmd_error("%s", why.text);
		return CMD_NEGATIVE;
	}
	return find_places(run) == -1 ? CMD_NEGATIVE : put_back(run);
}

static int
run_restore(const struct cmd_context *context, int argc, char **argv)
{
	struct run run = { .context = context };
	int status = read_arguments(&run, argc, argv);

	if (status != CMD_OK)
		return status;
	run.options.bad = tell_bad;
	run.options.say = say;
	run.options.progress = show_progress;
	run.options.arg = &run;
	run.bad = json_array();
	status = restore(&run);
	json_decref(run.bad);
	return status;
}

const struct cmd cmd_restore = { "restore", "SRC [--verify | [--force] [--config]]",
	"check a backup, and put it in the place of what is there", run_restore };
