#include "config/conf.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <libconfig.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/mem.h"
#include "config/arena.h"
#include "config/csv.h"
#include "config/load.h"
#include "config/names.h"
#include "config/schema.h"
#include "config/tree.h"
#include "core/device.h"
#include "core/series.h"
#include "store/migration.h"

enum { INCLUDE_DEPTH = 10, FILES_MAX = 1000 };

/* ---- reading: from a path to the bundle and trees ---- */

struct reader {
	struct conf *conf;
	struct conf_errors *errors;
	char directory[PATH_MAX]; /* of the main file, with the last '/'; "" for none */
	struct {
		dev_t device;
		ino_t inode;
	} seen[FILES_MAX];
	size_t seen_count;
	/* Those being read now, by their number in seen: one met again is a loop. */
	size_t stack[INCLUDE_DEPTH + 1];
};

/* A file that cannot be read is told at the place that names it. */
static void
complain(struct reader *reader, const struct config_setting_t *from, const char *path,
	const char *why)
{
	const char *key;

	if (from == NULL) {
		conf_error(reader->errors, path, 0, "%s", why);
		return;
	}
	key = node_name(from)[0] != '\0' ? node_name(from) : node_name(from->parent);
	node_error(from, reader->errors, "%s \"%s\": %s", key, path, why);
}

/* False, reported, when the file was read before. */
static bool
first_time(struct reader *reader, const char *path, const struct config_setting_t *from,
	int depth)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return true; /* reading it tells why */
	for (size_t i = 0; i < reader->seen_count; i++) {
		bool inside = false;

		if (reader->seen[i].device != st.st_dev || reader->seen[i].inode != st.st_ino)
			continue;
		for (int k = 0; k < depth; k++)
			inside = inside || reader->stack[k] == i;
		complain(reader, from, path, inside ? "includes itself, a loop" :
			"is read already: it is named twice");
		return false;
	}
	if (reader->seen_count == FILES_MAX) {
		complain(reader, from, path, "too many files: at most 1,000");
		return false;
	}
	reader->stack[depth] = reader->seen_count;
	reader->seen[reader->seen_count].device = st.st_dev;
	reader->seen[reader->seen_count++].inode = st.st_ino;
	return true;
}

static struct bundle_file *
read_file(struct reader *reader, const char *path, enum bundle_kind kind,
	const struct config_setting_t *from)
{
	struct bundle_file *file;
	struct fail why;
	size_t size;
	char *text = bundle_read(path, kind, &size, &why);

	if (text == NULL) {
		complain(reader, from, path, why.text);
		return NULL;
	}
	file = bundle_add(&reader->conf->bundle, kind, path, text, size);
	explicit_bzero(text, size);
	free(text);
	return file;
}

static struct tree *
keep_tree(struct conf *conf, struct tree *tree)
{
	if (tree == NULL)
		return NULL;
	conf->trees = mem_grow(conf->trees, conf->tree_count + 1, sizeof *conf->trees);
	conf->trees[conf->tree_count++] = tree;
	return tree;
}

static void read_tree(struct reader *reader, const char *path, enum bundle_kind kind,
	const struct config_setting_t *from, int depth);

/* A path as poller.KEY gives it: relative ones count from the main file's directory. */
static bool
resolve(struct reader *reader, const struct config_setting_t *node, char to[PATH_MAX])
{
	const char *text = node_text(node);

	if (text == NULL || text[0] == '\0')
		return false;
	return snprintf(to, PATH_MAX, "%s%s", text[0] == '/' ? "" : reader->directory, text) <
		PATH_MAX;
}

static void
include(struct reader *reader, const struct config_setting_t *node, int depth)
{
	const char *pattern = node_text(node);
	char full[PATH_MAX];
	glob_t found = { 0 };

	if (!resolve(reader, node, full))
		return;
	if (pattern[0] == '/' || strcmp(pattern, "..") == 0 || strncmp(pattern, "../", 3) == 0 ||
		strstr(pattern, "/..") != NULL) {
		node_error(node->parent, reader->errors, "include \"%s\": must be below the main "
			"file's directory: no '..', no leading '/'", pattern);
		return;
	}
	if (depth >= INCLUDE_DEPTH) {
		node_error(node->parent, reader->errors, "include \"%s\": files include files over "
			"more than %d levels", pattern, INCLUDE_DEPTH);
		return;
	}
	if (strpbrk(pattern, "*?[") == NULL)
		read_tree(reader, full, BUNDLE_INCLUDE, node, depth + 1);
	else if (glob(full, 0, NULL, &found) == 0) { /* sorted; no match is fine */
		for (size_t i = 0; i < found.gl_pathc; i++)
			read_tree(reader, found.gl_pathv[i], BUNDLE_INCLUDE, node, depth + 1);
	}
	globfree(&found);
}

static void
read_tree(struct reader *reader, const char *path, enum bundle_kind kind,
	const struct config_setting_t *from, int depth)
{
	const struct bundle_file *file;
	const struct config_setting_t *list;
	const struct tree *tree;

	if (!first_time(reader, path, from, depth))
		return;
	file = read_file(reader, path, kind, from);
	if (file == NULL)
		return;
	tree = keep_tree(reader->conf, tree_parse(file, reader->errors));
	if (tree == NULL || kind == BUNDLE_TEMPLATE)
		return;
	list = node_get(node_get(tree_root(tree), "poller"), "include");
	for (int i = 0; i < node_count(list); i++)
		include(reader, node_at(list, i), depth);
}

static int
is_conf(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 &&
		strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static void
read_templates(struct reader *reader, const char *directory, const struct config_setting_t *from)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, is_conf, alphasort);

	if (count == -1) {
		/* Nobody asked for the default directory: it need not be there. */
		if (from != NULL)
			complain(reader, from, directory, strerror(errno));
		return;
	}
	for (int i = 0; i < count; i++) {
		char path[PATH_MAX];

		if (snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name) <
			(int)sizeof path)
			read_tree(reader, path, BUNDLE_TEMPLATE, from, 1);
		free(entries[i]);
	}
	free(entries);
}

static void
read_secrets(struct reader *reader, const struct config_setting_t *node)
{
	char path[PATH_MAX];
	const struct bundle_file *file;

	if (reader->conf->secrets.unwanted || !resolve(reader, node, path))
		return;
	if (reader->conf->secret_tree != NULL) {
		node_error(node, reader->errors, "poller.secrets: is given twice");
		return;
	}
	file = read_file(reader, path, BUNDLE_SECRETS, node);
	if (file != NULL)
		reader->conf->secret_tree = tree_parse(file, reader->errors);
}

/* ---- lists ---- */

/* Devices are a tree like that of an included file, points belong to who names the list. */
static void
keep_list(struct conf *conf, const struct bundle_file *file, struct conf_errors *errors)
{
	struct conf_list *list = mem_zero(sizeof *list);
	bool devices = file->kind == BUNDLE_DEVICES;
	struct tree *tree = NULL;

	list->file = file;
	list->made = (struct bundle_file){ .kind = file->kind, .path = file->path };
	list->made.text = devices ? csv_devices(file, errors) : csv_points(file, errors);
	if (list->made.text != NULL) {
		list->made.size = strlen(list->made.text);
		tree = tree_parse(&list->made, errors);
	}
	if (devices)
		keep_tree(conf, tree);
	else
		list->tree = tree;
	conf->lists = mem_grow(conf->lists, conf->list_count + 1, sizeof *conf->lists);
	conf->lists[conf->list_count++] = list;
}

/* Relative names count from the main file's directory, as all do. */
static bool
list_path(const struct conf *conf, const char *name, char to[PATH_MAX])
{
	const char *main = conf->bundle.files[0]->path, *slash = strrchr(main, '/');
	int directory = name[0] == '/' || slash == NULL ? 0 : (int)(slash - main + 1);

	return snprintf(to, PATH_MAX, "%.*s%s", directory, main, name) < PATH_MAX;
}

const struct bundle_file *
conf_file(const struct conf *conf, enum bundle_kind kind, const char *name)
{
	char path[PATH_MAX];

	if (!list_path(conf, name, path))
		return NULL;
	for (size_t i = 0; i < conf->bundle.count; i++) {
		if (conf->bundle.files[i]->kind == kind &&
			strcmp(conf->bundle.files[i]->path, path) == 0)
			return conf->bundle.files[i];
	}
	return NULL;
}

static const struct conf_list *
find_list(const struct conf *conf, const char *path)
{
	for (size_t i = 0; i < conf->list_count; i++) {
		if (conf->lists[i]->file->kind == BUNDLE_LIST &&
			strcmp(conf->lists[i]->file->path, path) == 0)
			return conf->lists[i];
	}
	return NULL;
}

const struct config_setting_t *
conf_list_points(const struct conf *conf, const char *name)
{
	const struct conf_list *list;
	char path[PATH_MAX];

	if (!list_path(conf, name, path))
		return NULL;
	list = find_list(conf, path);
	return list == NULL || list->tree == NULL ? NULL :
		node_get(tree_root(list->tree), "points");
}

static void
read_device_list(struct reader *reader, const char *path, const struct config_setting_t *from)
{
	const struct bundle_file *file;

	if (!first_time(reader, path, from, 0))
		return;
	file = read_file(reader, path, BUNDLE_DEVICES, from);
	if (file != NULL)
		keep_list(reader->conf, file, reader->errors);
}

static void
read_device_lists(struct reader *reader, const struct config_setting_t *names)
{
	for (int i = 0; i < node_count(names); i++) {
		char path[PATH_MAX];
		glob_t found = { 0 };

		if (!resolve(reader, node_at(names, i), path))
			continue;
		if (strpbrk(path, "*?[") == NULL)
			read_device_list(reader, path, node_at(names, i));
		else if (glob(path, 0, NULL, &found) == 0) {
			for (size_t k = 0; k < found.gl_pathc; k++)
				read_device_list(reader, found.gl_pathv[k], node_at(names, i));
		}
		globfree(&found);
	}
}

static void
read_lists_of(struct reader *reader, const struct config_setting_t *entries)
{
	for (int i = 0; i < node_count(entries); i++) {
		const struct config_setting_t *names = node_get(node_at(entries, i), "registers");

		for (int k = 0; k < node_count(names); k++) {
			const struct bundle_file *file;
			char path[PATH_MAX];

			if (node_text(node_at(names, k)) == NULL ||
				!list_path(reader->conf, node_text(node_at(names, k)), path) ||
				find_list(reader->conf, path) != NULL)
				continue;
			file = read_file(reader, path, BUNDLE_LIST, node_at(names, k));
			if (file != NULL)
				keep_list(reader->conf, file, reader->errors);
		}
	}
}

static void
read_lists(struct reader *reader)
{
	for (size_t i = 0; i < reader->conf->tree_count; i++) {
		const struct config_setting_t *root = tree_root(reader->conf->trees[i]);

		read_lists_of(reader, node_get(root, "devices"));
		read_lists_of(reader, node_get(root, "templates"));
	}
}

/* ---- certificates ---- */

/* One that many lines share is read, and complained of, once. */
static void
read_pem(struct reader *reader, const struct config_setting_t *tls, const char *key,
	enum bundle_kind kind)
{
	const struct config_setting_t *node = node_get(tls, key);
	char path[PATH_MAX];

	if (node_text(node) == NULL || node_text(node)[0] == '\0' ||
		!list_path(reader->conf, node_text(node), path) ||
		conf_file(reader->conf, kind, node_text(node)) != NULL)
		return;
	read_file(reader, path, kind, node);
}

static void
read_tls(struct reader *reader, const struct config_setting_t *tls)
{
	read_pem(reader, tls, "ca", BUNDLE_CERTIFICATE);
	read_pem(reader, tls, "certificate", BUNDLE_CERTIFICATE);
	if (!reader->conf->secrets.unwanted)
		read_pem(reader, tls, "key", BUNDLE_KEY);
}

static void
read_certificates(struct reader *reader)
{
	for (size_t i = 0; i < reader->conf->tree_count; i++) {
		const struct config_setting_t *root = tree_root(reader->conf->trees[i]);
		const struct config_setting_t *lines = node_get(root, "lines");
		const struct config_setting_t *devices = node_get(root, "devices");

		for (int k = 0; k < node_count(lines); k++)
			read_tls(reader, node_get(node_at(lines, k), "tls"));
		for (int k = 0; k < node_count(devices); k++)
			read_tls(reader, node_get(node_get(node_at(devices, k), "modbus"), "tls"));
	}
}

static void
read_rest(struct reader *reader)
{
	struct conf *conf = reader->conf;
	size_t count = conf->tree_count; /* templates are appended while this runs */
	bool named = false;

	for (size_t i = 0; i < count; i++) {
		const struct config_setting_t *poller = node_get(tree_root(conf->trees[i]), "poller");
		const struct config_setting_t *list = node_get(poller, "templates");
		char path[PATH_MAX];

		named = named || list != NULL;
		for (int k = 0; k < node_count(list); k++) {
			if (resolve(reader, node_at(list, k), path))
				read_templates(reader, path, node_at(list, k));
		}
		read_secrets(reader, node_get(poller, "secrets"));
		read_device_lists(reader, node_get(tree_root(conf->trees[i]), "device_lists"));
	}
	if (!named)
		read_templates(reader, schema_find("poller", "templates")->fallback, NULL);
	read_lists(reader);
	read_certificates(reader);
}

/* ---- checking: from trees to an inventory ---- */

static void
check_files(struct conf *conf, struct conf_errors *errors)
{
	for (size_t i = 0; i < conf->tree_count; i++) {
		const struct config_setting_t *root = tree_root(conf->trees[i]);

		if (conf->trees[i]->misread)
			continue;
		for (int k = 0; k < node_count(root); k++) {
			const struct config_setting_t *node = node_at(root, k);

			if (conf->trees[i]->file->kind == BUNDLE_TEMPLATE &&
				strcmp(node_name(node), "templates") != 0)
				conf_error(errors, node_path(node), node_line(node), "section \"%s\": "
					"a file of templates has only the section \"templates\"",
					node_name(node));
		}
		schema_check(root, "", false, errors);
	}
	for (size_t i = 0; i < conf->list_count; i++) {
		const struct config_setting_t *points = conf->lists[i]->tree == NULL ? NULL :
			node_get(tree_root(conf->lists[i]->tree), "points");

		for (int k = 0; k < node_count(points); k++)
			schema_check(node_at(points, k), "point", true, errors);
	}
	for (int i = 0; conf->secret_tree != NULL &&
		i < node_count(tree_root(conf->secret_tree)); i++) {
		const struct config_setting_t *node = node_at(tree_root(conf->secret_tree), i);

		if (node_text(node) == NULL)
			node_error(node, errors, "secret \"%s\": expected NAME = \"value\";",
				node_name(node));
	}
}

static void
check_history(const struct inventory *inventory, const char *main_file,
	struct conf_errors *errors)
{
	struct series_catalogue *catalogue;
	char path[PATH_MAX];
	struct fail why;
	struct stat st;

	if (snprintf(path, sizeof path, "%s/series", inventory->poller.state_dir) >=
		(int)sizeof path || stat(path, &st) == -1)
		return;
	if (migration_pending(inventory->poller.state_dir))
		conf_error(errors, main_file, 1, "a migration of RRD files was interrupted: finish "
			"it with \"pollwerk rrd migrate\"");
	catalogue = series_open(inventory->poller.state_dir, false, &why);
	if (catalogue == NULL)
		return; /* not ours to read: the daemon itself will look */
	conf_check_catalogue(inventory, catalogue, errors);
	series_close(catalogue);
}

static bool
finish(struct conf *conf, enum names_from names, struct conf_errors *errors, size_t before)
{
	bool whole = errors->count == before;

	names_resolve(conf, names, errors);
	check_files(conf, errors);
	/* What could not be read is missing: whoever names it would be complained of. */
	if (!whole)
		return false;
	conf->secrets.file = conf->secret_tree;
	conf->secrets.bundle = &conf->bundle;
	conf->inventory = inventory_build(conf, errors);
	return errors->count == before && conf->inventory != NULL;
}

static struct conf *
load(const char *path, bool to_look, struct conf_errors *errors)
{
	struct reader *reader = mem_zero(sizeof *reader);
	struct conf *conf = mem_zero(sizeof *conf);
	size_t before = errors->count;
	const char *slash = strrchr(path, '/');
	bool fine = false;

	conf->secrets.unwanted = to_look;
	reader->conf = conf;
	reader->errors = errors;
	if (strlen(path) >= PATH_MAX - 300) {
		conf_error(errors, path, 0, "the path is too long");
		goto out;
	}
	if (slash != NULL)
		snprintf(reader->directory, sizeof reader->directory, "%.*s",
			(int)(slash - path + 1), path);
	read_tree(reader, path, BUNDLE_MAIN, NULL, 0);
	read_rest(reader);
	conf->secrets.outside = true;
	fine = finish(conf, to_look ? NAMES_NOWHERE : NAMES_FILES, errors, before);
	if (fine && !to_look)
		check_history(conf->inventory, path, errors);
	fine = fine && errors->count == before;
	conf_errors_sort(errors);
out:
	free(reader);
	if (!fine) {
		conf_free(conf);
		return NULL;
	}
	return conf;
}

struct conf *
conf_load(const char *path, struct conf_errors *errors)
{
	return load(path, false, errors);
}

struct conf *
conf_load_to_look(const char *path, struct conf_errors *errors)
{
	return load(path, true, errors);
}

int
conf_bundle_write(const struct conf *conf, int fd, struct fail *why)
{
	return bundle_write(&conf->bundle, fd, why);
}

/* From its bundle alone. */
static bool
parse_bundle(struct conf *conf, struct conf_errors *errors)
{
	size_t before = errors->count;

	for (size_t i = 0; i < conf->bundle.count; i++) {
		const struct bundle_file *file = conf->bundle.files[i];

		if (file->kind == BUNDLE_SECRETS)
			conf->secret_tree = tree_parse(file, errors);
		else if (file->kind == BUNDLE_LIST || file->kind == BUNDLE_DEVICES)
			keep_list(conf, file, errors);
		else if (file->kind != BUNDLE_CREDENTIAL && file->kind != BUNDLE_NAMES &&
			file->kind != BUNDLE_CERTIFICATE && file->kind != BUNDLE_KEY)
			keep_tree(conf, tree_parse(file, errors));
	}
	return finish(conf, NAMES_BUNDLE, errors, before);
}

struct conf *
conf_load_bundle(int fd, struct conf_errors *errors)
{
	struct conf *conf = mem_zero(sizeof *conf);
	struct fail why;

	if (bundle_load(&conf->bundle, fd, &why) == -1) {
		conf_error(errors, "bundle", 0, "%s", why.text);
		goto fail;
	}
	if (!parse_bundle(conf, errors))
		goto fail;
	return conf;
fail:
	conf_free(conf);
	return NULL;
}

struct conf *
conf_load_with(const struct conf *conf, const char *path, const char *text,
	struct conf_errors *errors)
{
	struct conf *with = mem_zero(sizeof *with);

	for (size_t i = 0; i < conf->bundle.count; i++) {
		const struct bundle_file *file = conf->bundle.files[i];

		bundle_add(&with->bundle, file->kind, file->path, file->text, file->size);
	}
	bundle_add(&with->bundle, BUNDLE_INCLUDE, path, text, strlen(text));
	with->secrets.outside = true;
	if (parse_bundle(with, errors))
		return with;
	conf_free(with);
	return NULL;
}

struct inventory *
conf_inventory(struct conf *conf)
{
	struct inventory *inventory = conf->inventory;

	conf->inventory = NULL;
	return inventory;
}

void
conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	inventory_free(conf->inventory);
	for (size_t i = 0; i < conf->tree_count; i++)
		tree_free(conf->trees[i]);
	free(conf->trees);
	for (size_t i = 0; i < conf->list_count; i++) {
		tree_free(conf->lists[i]->tree);
		free(conf->lists[i]->made.text);
		free(conf->lists[i]);
	}
	free(conf->lists);
	tree_free(conf->secret_tree);
	bundle_free(&conf->bundle);
	free(conf);
}

static struct node_list
collect(const struct conf *conf, const char *key, bool entries, struct arena *arena)
{
	struct node_list all = { 0 };
	size_t room = conf->tree_count;

	for (size_t i = 0; i < conf->tree_count; i++)
		room += (size_t)node_count(node_get(tree_root(conf->trees[i]), key));
	all.items = arena_zero(arena, room * sizeof *all.items);
	for (size_t i = 0; i < conf->tree_count; i++) {
		const struct config_setting_t *node = node_get(tree_root(conf->trees[i]), key);

		if (!entries && node != NULL)
			all.items[all.count++] = node;
		for (int k = 0; entries && k < node_count(node); k++) {
			if (config_setting_is_group(node_at(node, k)))
				all.items[all.count++] = node_at(node, k);
		}
	}
	return all;
}

struct node_list
conf_entries(const struct conf *conf, const char *key, struct arena *arena)
{
	return collect(conf, key, true, arena);
}

struct node_list
conf_sections(const struct conf *conf, const char *key, struct arena *arena)
{
	return collect(conf, key, false, arena);
}

size_t
conf_names(const struct conf *conf, const char *section, const char **names, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < conf->tree_count; i++) {
		const struct config_setting_t *list =
			node_get(tree_root(conf->trees[i]), section);

		for (int k = 0; k < node_count(list); k++) {
			if (count < room)
				names[count] = node_get_text(node_at(list, k), "name", "");
			count++;
		}
	}
	return count;
}
