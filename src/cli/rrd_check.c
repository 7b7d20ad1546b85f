/* pollwerk rrd check and rrd orphans: the files against the catalogue; nothing is changed. */
#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uthash.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/place.h"
#include "cli/rrd_parts.h"
#include "core/series.h"
#include "store/migration.h"
#include "store/rrd.h"

#define SECOND INT64_C(1000000000)
#define AHEAD 3600                /* as the store believes */
#define BEFORE INT64_C(946684800) /* 2000-01-01: no update of ours is older */
#define TIME 32

/* ---- check ---- */

struct check {
	const struct cmd_context *context;
	const struct place *place;
	json_t *bad;
	size_t files, missing;
};

/* To the byte: head and rows. */
static int
check_size(struct rrd_place place, const struct rrd_shape *shape, struct fail *why)
{
	char *path = mem_format("%s/%s", place.root, place.file);
	struct rrd_head head = { 0 };
	int64_t rows = 0, wanted;
	struct stat info;
	int result = rrd_file_head(place, &head, why);

	for (int i = 0; i < shape->rra_count && i < LAYOUT_RRAS; i++)
		rows += shape->rra[i].rows;
	wanted = (int64_t)head.size + 8 * rows * (int64_t)shape->ds_count;
	if (result == 0 && shape->rra_count <= LAYOUT_RRAS &&
		(stat(path, &info) == -1 || info.st_size != wanted)) {
		fail_set(why, "%s: has not the %lld bytes that its head says", path,
			(long long)wanted);
		result = -1;
	}
	free(head.bytes);
	free(path);
	return result;
}

/* Would the store write it? All data sources that the catalogue puts there are asked for. */
static int
check_sources(struct rrd_place place, const struct series *const *series, size_t count,
	struct fail *why)
{
	struct rrd_head head = { 0 };
	int result = rrd_file_head(place, &head, why);

	for (size_t i = 0; i < count && result == 0; i++)
		result = rrd_head_takes(place, &head, series[i]->ds, why);
	free(head.bytes);
	return result;
}

static int
check_shape(struct rrd_place place, const struct rrd_shape *shape, const struct series *series,
	struct fail *why)
{
	char when[TIME];

	if (shape->step != series->step / SECOND)
		fail_set(why, "%s/%s: has a step of %lld s, the catalogue says %lld s", place.root,
			place.file, (long long)shape->step, (long long)(series->step / SECOND));
	else if (shape->rra_count == 0)
		fail_set(why, "%s/%s: has no RRA", place.root, place.file);
	else if (shape->last > place_now() / SECOND + AHEAD)
		fail_set(why, "%s/%s: its last update lies in the future (%s)", place.root,
			place.file, str_utc(when, sizeof when, shape->last * SECOND));
	else if (shape->last < BEFORE)
		fail_set(why, "%s/%s: its last update lies before all time of ours (%s)",
			place.root, place.file, str_utc(when, sizeof when, shape->last * SECOND));
	else
		return check_size(place, shape, why);
	return -1;
}

/* One file with all of its series. */
static void
check_file(struct check *check, const struct series *const *series, size_t count)
{
	struct rrd_place place = { check->place->dirs.rrd_dir, series[0]->file };
	struct rrd_shape shape;
	struct fail why;
	enum rrd_result result = rrd_file_shape(place, &shape, &why);

	check->files++;
	if (result == RRD_MISSING) {
		check->missing++;
		return;
	}
	if (result == RRD_DONE && (check_shape(place, &shape, series[0], &why) == -1 ||
		check_sources(place, series, count, &why) == -1))
		result = RRD_BAD;
	free(shape.ds);
	if (result == RRD_DONE)
		return;
	if (!check->context->json)
		printf("bad: %s\n", why.text);
	json_array_append_new(check->bad, json_pack("{s:o, s:o}", "file",
		doc_text(series[0]->file), "reason", doc_text(why.text)));
}

static int
by_file(const void *a, const void *b)
{
	const struct series *const *one = a, *const *other = b;

	return strcmp((*one)->file, (*other)->file);
}

int
rrd_check(const struct cmd_context *context, int argc, char **argv)
{
	struct check check = { .context = context };
	const struct series **list;
	struct place place;
	size_t count, bad, same;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
		return cmd_one_glob(&cmd_rrd, "check: ", argv[1]);
	if (place_open(&place, context, false) == -1)
		return CMD_NEGATIVE;
	check.place = &place;
	check.bad = json_array();
	list = place_find(&place, argv[1], &count);
	qsort(list, count, sizeof *list, by_file);
	for (size_t i = 0; i < count; i += same) {
		for (same = 1; i + same < count; same++)
			if (strcmp(list[i + same]->file, list[i]->file) != 0)
				break;
		if (*list[i]->file != '\0')
			check_file(&check, list + i, same);
	}
	bad = json_array_size(check.bad);
	if (context->json)
		cmd_print_json(json_pack("{s:I, s:I, s:O}", "files", (json_int_t)check.files,
			"not_written_yet", (json_int_t)check.missing, "bad", check.bad));
	else
		printf("%zu files: %zu good, %zu bad, %zu not written yet\n", check.files,
			check.files - bad - check.missing, bad, check.missing);
	if (count == 0)
		cmd_error("no point matches \"%s\"", argv[1] != NULL ? argv[1] : "*");
	json_decref(check.bad);
	free(list);
	place_close(&place);
	return bad == 0 && count > 0 ? CMD_OK : CMD_NEGATIVE;
}

/* ---- orphans ---- */

struct used {
	char *file;
	UT_hash_handle hh;
};
struct found {
	char *file;
	const char *kind;
	int64_t size, modified;
};
struct orphans {
	const char *root;
	size_t unread; /* folders and files */
	struct used *used, *quarantined;
	struct found *found;
	size_t count, room;
};
/* nftw hands nothing through. */
static struct orphans *walking;

static void
add_used(struct used **set, const char *file)
{
	struct used *used;

	HASH_FIND_STR(*set, file, used);
	if (used != NULL || *file == '\0')
		return;
	used = mem_zero(sizeof *used);
	used->file = mem_text(file);
	HASH_ADD_KEYPTR(hh, *set, used->file, strlen(used->file), used);
}

static bool
is_in(struct used *set, const char *file)
{
	struct used *used;

	HASH_FIND_STR(set, file, used);
	return used != NULL;
}

static void
free_used(struct used *set)
{
	struct used *used, *next;

	HASH_ITER(hh, set, used, next) {
		HASH_DEL(set, used);
		free(used->file);
		free(used);
	}
}

/* NULL: it is in its place. */
static const char *
kind_of(const struct orphans *orphans, const char *file)
{
	if (strncmp(file, MIGRATION_FOLDER "/new/", strlen(MIGRATION_FOLDER "/new/")) == 0 ||
		strstr(file, "/.pollwerk.new/") != NULL)
		return "temporary";
	if (strncmp(file, MIGRATION_FOLDER "/", strlen(MIGRATION_FOLDER "/")) == 0)
		return "old";
	if (is_in(orphans->quarantined, file))
		return "quarantined";
	return is_in(orphans->used, file) ? NULL : "orphan";
}

static int
look_at(const char *path, const struct stat *info, int type, struct FTW *where)
{
	const char *file = path + strlen(walking->root) + 1, *kind;

	(void)where;
	if (type == FTW_DNR || type == FTW_NS) {
		walking->unread++;
		cmd_error("%s: cannot be read" CMD_MAY_NOT, path);
	}
	if (type != FTW_F)
		return 0;
	kind = kind_of(walking, file);
	if (kind == NULL)
		return 0;
	if (walking->count == walking->room) {
		walking->room = walking->room * 2 + 16;
		walking->found = mem_grow(walking->found, walking->room, sizeof *walking->found);
	}
	walking->found[walking->count++] = (struct found){ mem_text(file), kind,
		(int64_t)info->st_size, (int64_t)info->st_mtime };
	return 0;
}

/* "INODE FILE", "INODE:CHANGED:SIZE FILE", see store/quarantine.c. */
static void
read_quarantine(struct orphans *orphans, const char *state_dir)
{
	char *path = mem_format("%s/quarantine", state_dir), *line = NULL, *space;
	FILE *file = fopen(path, "re");
	size_t room = 0;

	while (file != NULL && getline(&line, &room, file) != -1) {
		line[strcspn(line, "\n")] = '\0';
		space = strchr(line, ' ');
		if (space != NULL)
			add_used(&orphans->quarantined, space + 1);
	}
	free(line);
	if (file != NULL)
		fclose(file);
	free(path);
}

static void
use_home(const struct series *series, const struct conf_home *home, void *arg)
{
	struct orphans *orphans = arg;

	/* The old place holds history that a migration will take along. */
	add_used(&orphans->used, series->file);
	add_used(&orphans->used, home->file);
}

static int
by_kind_and_name(const void *a, const void *b)
{
	const struct found *one = a, *other = b;
	int order = strcmp(one->kind, other->kind);

	return order != 0 ? order : strcmp(one->file, other->file);
}

static int64_t
last_update(const struct orphans *orphans, const struct found *found)
{
	struct rrd_shape shape;
	int64_t last = found->modified;

	if (rrd_file_shape((struct rrd_place){ orphans->root, found->file }, &shape, NULL) ==
		RRD_DONE)
		last = shape.last;
	free(shape.ds);
	return last;
}

static void
print_found(const struct cmd_context *context, const struct orphans *orphans)
{
	json_t *document = json_array();
	int64_t all = 0;

	for (size_t i = 0; i < orphans->count; i++) {
		const struct found *found = &orphans->found[i];
		int64_t last = last_update(orphans, found) * SECOND;
		char size[SIZE_TEXT], when[TIME];

		all += found->size;
		if (context->json)
			json_array_append_new(document, json_pack("{s:o, s:s, s:I, s:o}", "file",
				doc_text(found->file), "kind", found->kind, "size",
				(json_int_t)found->size, "last_update", doc_seconds(last)));
		else
			printf("%-11s %.19sZ %8s %s\n", found->kind, str_utc(when, sizeof when, last),
				size_text(size, found->size), found->file);
	}
	if (context->json) {
		cmd_print_json(document);
	} else {
		char size[SIZE_TEXT];

		json_decref(document);
		printf("%zu files, %s\n", orphans->count, size_text(size, all));
	}
}

int
rrd_orphans(const struct cmd_context *context, int argc, char **argv)
{
	struct orphans orphans = { 0 };
	struct place place;

	(void)argv;
	if (argc > 1)
		return cmd_usage(&cmd_rrd, "orphans takes no arguments");
	if (place_open(&place, context, false) == -1)
		return CMD_NEGATIVE;
	if (place.inventory == NULL) {
		/* All would look unused. */
		cmd_error("which files are used is not known until they are mended");
		place_close(&place);
		return CMD_NEGATIVE;
	}
	orphans.root = place.dirs.rrd_dir;
	conf_each_home(place.inventory, place.catalogue, use_home, &orphans);
	read_quarantine(&orphans, place.dirs.state_dir);
	walking = &orphans;
	if (nftw(orphans.root, look_at, 16, FTW_PHYS | FTW_MOUNT) == -1 && errno != ENOENT) {
		orphans.unread++;
		cmd_error("%s: %s", orphans.root, strerror(errno));
	}
	if (orphans.count > 1)
		qsort(orphans.found, orphans.count, sizeof *orphans.found, by_kind_and_name);
	print_found(context, &orphans);
	for (size_t i = 0; i < orphans.count; i++)
		free(orphans.found[i].file);
	free(orphans.found);
	free_used(orphans.used);
	free_used(orphans.quarantined);
	place_close(&place);
	return orphans.unread == 0 ? CMD_OK : CMD_NEGATIVE;
}
