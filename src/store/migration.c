#include "store/migration.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/series.h"
#include "journal/segment.h"

#define HEAD "pollwerk migration 1\t"

struct migration {
	char *state_dir, *rrd_dir, *stamp;
	char *path; /* of the commit */
	struct series_catalogue *catalogue;
};

/* What the commit says; pointers into text. */
struct commit {
	char *text;
	const char *stamp;
	char **files;
	size_t file_count;
	struct series *series;
	size_t series_count;
};

static int
fail_errno(struct fail *why, const char *path)
{
	fail_set(why, "%s: %s", path, strerror(errno));
	return -1;
}

static char *
commit_path(const char *state_dir)
{
	return mem_format("%s/migration", state_dir);
}

bool
migration_pending(const char *state_dir)
{
	char *path = commit_path(state_dir);
	bool pending = access(path, F_OK) == 0;

	free(path);
	return pending;
}

/* ---- folders ---- */

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

static void
sweep(const struct migration *migration)
{
	char *path = mem_format("%s/" MIGRATION_FOLDER "/new", migration->rrd_dir);

	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	free(path);
	/* Goes only when no old files stand in it. */
	path = mem_format("%s/" MIGRATION_FOLDER, migration->rrd_dir);
	rmdir(path);
	free(path);
}

static int
sync_folder_of(const char *path, struct fail *why)
{
	char *folder = mem_text(path);
	int result;

	*strrchr(folder, '/') = '\0';
	result = segment_sync_path(folder);
	if (result == -1)
		fail_errno(why, folder);
	free(folder);
	return result;
}

/* ---- the commit ---- */

static int
write_text(const struct migration *migration, const char *text, size_t size, struct fail *why)
{
	char *fresh = mem_format("%s.new", migration->path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	bool good = fd != -1 && file_write(fd, text, size, 0) == 0 && fsync(fd) == 0;

	if (fd != -1 && close(fd) == -1)
		good = false;
	if (good && rename(fresh, migration->path) == 0 &&
		segment_sync_path(migration->state_dir) == 0) {
		free(fresh);
		return 0;
	}
	fail_errno(why, migration->path);
	unlink(fresh);
	free(fresh);
	return -1;
}

static int
commit_write(const struct migration *migration, const struct migration_file *files,
	size_t file_count, const struct series *series, size_t series_count, struct fail *why)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	int result;

	if (to == NULL)
		abort(); /* only without memory, where mem.h ends the process too */
	fprintf(to, HEAD "%s\n", migration->stamp);
	for (size_t i = 0; i < file_count; i++)
		fprintf(to, "file\t%s\n", files[i].file);
	for (size_t i = 0; i < series_count; i++)
		fprintf(to, "series\t%s\t%lld\t%s\t%s\t%s\t%s\t%s\n",
			point_kind_word(series[i].kind), (long long)series[i].step,
			series[i].profile, series[i].unit, series[i].file, series[i].ds,
			series[i].path);
	fflush(to);
	fprintf(to, "end\t%08x\n", str_crc32c(0, text, size));
	fclose(to);
	result = write_text(migration, text, size, why);
	free(text);
	return result;
}

static void
commit_free(struct commit *commit)
{
	free(commit->text);
	free(commit->files);
	free(commit->series);
	*commit = (struct commit){ 0 };
}

/* "series TAB kind TAB ... TAB path", from the kind on. */
static bool
take_series(struct commit *commit, char *rest)
{
	char *fields[7];
	int kind;

	for (int i = 0; i < 7; i++) {
		fields[i] = rest;
		rest = strchr(rest, '\t');
		if ((rest == NULL) != (i == 6))
			return false;
		if (rest != NULL)
			*rest++ = '\0';
	}
	kind = point_kind_parse(fields[0]);
	if (kind == -1)
		return false;
	commit->series = mem_grow(commit->series, commit->series_count + 1,
		sizeof *commit->series);
	commit->series[commit->series_count++] = (struct series){ .kind = (enum point_kind)kind,
		.step = strtoll(fields[1], NULL, 10), .profile = fields[2], .unit = fields[3],
		.file = fields[4], .ds = fields[5], .path = fields[6] };
	return true;
}

static bool
take_line(struct commit *commit, char *line)
{
	if (strncmp(line, HEAD, strlen(HEAD)) == 0) {
		commit->stamp = line + strlen(HEAD);
		return true;
	}
	if (strncmp(line, "file\t", 5) == 0) {
		commit->files = mem_grow(commit->files, commit->file_count + 1,
			sizeof *commit->files);
		commit->files[commit->file_count++] = line + 5;
		return true;
	}
	return strncmp(line, "series\t", 7) == 0 && take_series(commit, line + 7);
}

static char *
read_text(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re"), *to;
	char *text = NULL, bytes[4096];
	size_t got;

	if (file == NULL)
		return NULL;
	to = open_memstream(&text, size);
	if (to == NULL)
		abort();
	while ((got = fread(bytes, 1, sizeof bytes, file)) > 0)
		fwrite(bytes, 1, got, to);
	fclose(to);
	fclose(file);
	return text;
}

/* 1 read, 0 there is none, -1 and why. */
static int
commit_read(const struct migration *migration, struct commit *commit, struct fail *why)
{
	size_t size = 0;
	char *line, *end, crc[16];

	*commit = (struct commit){ .text = read_text(migration->path, &size) };
	if (commit->text == NULL)
		return errno == ENOENT ? 0 : fail_errno(why, migration->path);
	end = size < 13 ? NULL : commit->text + size - 13; /* "end TAB crc NL" */
	if (end != NULL)
		snprintf(crc, sizeof crc, "end\t%08x\n",
			str_crc32c(0, commit->text, size - 13));
	if (end == NULL || strcmp(end, crc) != 0)
		goto damaged;
	*end = '\0';
	for (line = commit->text; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		if (end == NULL)
			goto damaged;
		*end = '\0';
		if (!take_line(commit, line))
			goto damaged;
	}
	if (commit->stamp != NULL)
		return 1;
damaged:
	/* It was synced before anything was touched, so the disk has lost it since. */
	fail_set(why, "%s: damaged; old files are in %s/" MIGRATION_FOLDER, migration->path,
		migration->rrd_dir);
	commit_free(commit);
	return -1;
}

/* ---- carrying it out ---- */

/* The old file keeps a name; where there are no links, it only changes its own. */
static int
keep_old(const char *path, const char *backup, struct fail *why)
{
	if (link(path, backup) == 0 || errno == EEXIST || errno == ENOENT)
		return sync_folder_of(backup, why);
	if ((errno == EPERM || errno == EOPNOTSUPP) && rename(path, backup) == 0)
		return sync_folder_of(backup, why);
	return fail_errno(why, path);
}

static int
swap(const struct migration *migration, const char *stamp, const char *file, struct fail *why)
{
	char *path = mem_format("%s/%s", migration->rrd_dir, file);
	char *fresh = mem_format("%s/" MIGRATION_FOLDER "/new/%s", migration->rrd_dir, file);
	char *old = mem_format(MIGRATION_FOLDER "/%s/%s", stamp, file);
	char *backup = mem_format("%s/%s", migration->rrd_dir, old);
	int result = -1;

	if (access(fresh, F_OK) == -1) {
		/* Done before we were killed. */
		result = access(path, F_OK) == 0 ? 0 : fail_errno(why, fresh);
	} else if (rrd_make_folders((struct rrd_place){ migration->rrd_dir, file }, why) == 0 &&
		rrd_make_folders((struct rrd_place){ migration->rrd_dir, old }, why) == 0 &&
		keep_old(path, backup, why) == 0) {
		result = rename(fresh, path) == 0 ? sync_folder_of(path, why) :
			fail_errno(why, path);
	}
	free(path);
	free(fresh);
	free(old);
	free(backup);
	return result;
}

static int
carry_out(struct migration *migration, struct fail *why)
{
	struct commit commit;
	int got = commit_read(migration, &commit, why), result = got == -1 ? -1 : 0;

	for (size_t i = 0; result == 0 && i < commit.file_count; i++)
		result = swap(migration, commit.stamp, commit.files[i], why);
	for (size_t i = 0; result == 0 && i < commit.series_count; i++)
		if (series_move(migration->catalogue, &commit.series[i], why) == NULL)
			result = -1;
	if (result == 0)
		result = series_sync(migration->catalogue, why);
	if (result == 0 && got == 1 && (unlink(migration->path) == -1 ||
			segment_sync_path(migration->state_dir) == -1))
		result = fail_errno(why, migration->path);
	commit_free(&commit);
	return result;
}

struct migration *
migration_open(const char *state_dir, const char *rrd_dir, const char *stamp, bool *finished,
	struct fail *why)
{
	struct migration *migration = mem_zero(sizeof *migration);

	migration->state_dir = mem_text(state_dir);
	migration->rrd_dir = mem_text(rrd_dir);
	migration->stamp = mem_text(stamp);
	migration->path = commit_path(state_dir);
	*finished = migration_pending(state_dir);
	migration->catalogue = series_open(state_dir, true, why);
	if (migration->catalogue == NULL || carry_out(migration, why) == -1) {
		migration_close(migration);
		return NULL;
	}
	sweep(migration);
	return migration;
}

void
migration_close(struct migration *migration)
{
	if (migration == NULL)
		return;
	series_close(migration->catalogue);
	free(migration->state_dir);
	free(migration->rrd_dir);
	free(migration->stamp);
	free(migration->path);
	free(migration);
}

static int
build_all(struct migration *migration, const struct migration_file *files, size_t count,
	void (*built)(const struct reshape_report *report, void *arg), void *arg,
	struct fail *why)
{
	for (size_t i = 0; i < count; i++) {
		struct reshape reshape = { .root = migration->rrd_dir, .layout = &files[i].layout,
			.ds = files[i].ds, .ds_count = files[i].ds_count };
		char *fresh = mem_format(MIGRATION_FOLDER "/new/%s", files[i].file);
		struct reshape_report report;
		int result = reshape_build(&reshape, fresh, &report, why);

		free(fresh);
		if (result == -1)
			return -1;
		if (built != NULL)
			built(&report, arg);
	}
	return 0;
}

int
migration_step(struct migration *migration, const struct migration_file *files,
	size_t file_count, const struct series *series, size_t series_count,
	void (*built)(const struct reshape_report *report, void *arg), void *arg,
	struct fail *why)
{
	if (build_all(migration, files, file_count, built, arg, why) == -1) {
		sweep(migration);
		return -1;
	}
	if (commit_write(migration, files, file_count, series, series_count, why) == -1)
		return -1;
	if (carry_out(migration, why) == -1) {
		fail_prefix(why, "committed, but not carried out: run it again");
		return -1;
	}
	sweep(migration);
	return 0;
}
