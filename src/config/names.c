#include "config/names.h"

#include <libconfig.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/bundle.h"
#include "config/conf.h"
#include "config/errors.h"
#include "config/load.h"
#include "config/schema.h"
#include "config/tree.h"
#include "snmp/mib.h"
#include "snmp/snmp.h"

enum { OID_TEXT = SNMP_OID_MAX * 11, DIRS_MAX = 64 };

struct names {
	struct conf *conf;
	struct conf_errors *errors;
	enum names_from from;
	struct mib *mib; /* open from the first name on */
	char *found;     /* "NAME NUMBERS\n" ... */
	size_t size;
};

/* The numbers behind "NAME "; NULL when it is not among what was found. */
static const char *
find(const struct names *names, const char *name)
{
	size_t length = strlen(name);
	const char *at = names->found;

	while (at != NULL && *at != '\0') {
		if (strncmp(at, name, length) == 0 && at[length] == ' ')
			return at + length + 1;
		at = strchr(at, '\n');
		at = at == NULL ? NULL : at + 1;
	}
	return NULL;
}

static void
keep(struct names *names, const char *name, const char *numbers)
{
	char *line = mem_format("%s %s\n", name, numbers);
	size_t length = strlen(line);

	names->found = mem_grow(names->found, names->size + length + 1, 1);
	memcpy(names->found + names->size, line, length + 1);
	names->size += length;
	free(line);
}

/* poller.mibs of all files; relative ones count from the main file's directory. */
struct mib *
conf_mibs(const struct conf *conf)
{
	const char *main = conf->bundle.files[0]->path, *slash = strrchr(main, '/');
	int base = slash == NULL ? 0 : (int)(slash - main + 1);
	char *dirs[DIRS_MAX] = { NULL };
	const char *const *read = (const char *const *)dirs;
	struct mib *mib;
	size_t count = 0;

	for (size_t i = 0; i < conf->tree_count; i++) {
		const struct config_setting_t *list =
			node_get(node_get(tree_root(conf->trees[i]), "poller"), "mibs");

		for (int k = 0; k < node_count(list) && count < DIRS_MAX; k++) {
			const char *dir = node_text(node_at(list, k));

			if (dir != NULL && dir[0] != '\0')
				dirs[count++] = mem_format("%.*s%s", dir[0] == '/' ? 0 : base, main, dir);
		}
	}
	mib = mib_open(read, count);
	while (count-- > 0)
		free(dirs[count]);
	return mib;
}

static int
numbers_of(struct names *names, const char *text, char *to, size_t size, struct fail *why)
{
	const char *found = find(names, text);

	if (names->from == NAMES_NOWHERE) {
		snprintf(to, size, "0.0");
		return 0;
	}
	if (found != NULL) {
		snprintf(to, size, "%.*s", (int)strcspn(found, "\n"), found);
		return 0;
	}
	if (names->from == NAMES_BUNDLE) {
		fail_set(why, "not among the names that were resolved when it was checked");
		return -1;
	}
	if (names->mib == NULL)
		names->mib = conf_mibs(names->conf);
	if (mib_resolve(names->mib, text, to, size, why) == -1)
		return -1;
	keep(names, text, to);
	return 0;
}

static bool
is_entry_of(const struct config_setting_t *group, const char *list)
{
	return group != NULL && group->parent != NULL && strcmp(node_name(group->parent), list) == 0;
}

/* The group that the text stands in, by itself or in an array. */
static const struct config_setting_t *
group_of(const struct config_setting_t *node)
{
	return config_setting_name(node) == NULL ? node->parent->parent : node->parent;
}

/* A name without its module can only be told where the key holds nothing but OIDs: `type` and
 * `key` are columns in a table, "u32" in a point and a file in `tls`. */
static bool
holds_only_oids(const struct config_setting_t *node, const char *key)
{
	if (is_entry_of(group_of(node), "tables"))
		return true;
	for (size_t i = 0; i < schema_key_count; i++) {
		if (schema_keys[i].type != SCHEMA_OID && schema_keys[i].type != SCHEMA_OIDS &&
			strcmp(schema_keys[i].key, key) == 0)
			return false;
	}
	return true;
}

/* Behind the name: numbers, or parameters in their place. */
static bool
has_arcs_behind(const char *text)
{
	const char *at = text + strcspn(text, ".");

	while (*at == '.') {
		size_t length = *++at == '$' ? 1 : strspn(at, "0123456789");

		if (length == 0)
			return false;
		at += *at == '$' ? strcspn(at, ".") : length;
	}
	return *at == '\0';
}

/* A name tells, where numbers cannot, whether it is asked for as it has to be. */
static void
check_kind(struct names *names, const struct config_setting_t *node, const char *key, const char *numbers)
{
	const struct config_setting_t *group = group_of(node);
	bool asked = is_entry_of(group, "points") || is_entry_of(group, "info"), instance;
	bool of_table = is_entry_of(asked ? group->parent->parent : group, "tables");
	enum mib_kind kind = mib_kind(numbers, &instance);
	const char *wrong = NULL;

	if (kind == MIB_SCALAR && of_table)
		wrong = "is one value and no column of a table";
	else if (kind == MIB_COLUMN && of_table && instance)
		wrong = "is one cell: a table asks for whole columns, leave out what is behind the name";
	else if (kind == MIB_SCALAR && asked && !instance)
		wrong = "is one value: ask for it with .0 behind the name";
	else if (kind == MIB_COLUMN && asked && !of_table && !instance)
		wrong = "is a column: put the index of a row behind it, or ask for it in a table";
	if (wrong != NULL)
		node_error(node, names->errors, "%s \"%s\": %s", key, node_text(node), wrong);
}

static void
resolve(struct names *names, struct config_setting_t *node, const char *key)
{
	const char *text = node_text(node);
	char numbers[OID_TEXT];
	struct fail why;

	/* A control character is for the schema to tell about. */
	if (text == NULL || strpbrk(text, " \n\t") != NULL ||
		!(mib_is_name(text) || (mib_is_bare_name(text) && holds_only_oids(node, key))))
		return;
	if (numbers_of(names, text, numbers, sizeof numbers, &why) == -1) {
		node_error(node, names->errors, "%s \"%s\": %s", key, text, why.text);
		str_copy(numbers, sizeof numbers, "0.0"); /* told once is enough */
	} else if (!has_arcs_behind(text)) {
		node_error(node, names->errors, "%s \"%s\": expected numbers behind the name, like .0", key,
			text);
		str_copy(numbers, sizeof numbers, "0.0");
	} else if (names->from == NAMES_FILES) {
		check_kind(names, node, key, numbers);
	}
	config_setting_set_string(node, numbers);
}

/* Does a key of this name hold OIDs in any section? */
static bool
holds_oids(const char *key)
{
	for (size_t i = 0; i < schema_key_count; i++) {
		if ((schema_keys[i].type == SCHEMA_OID || schema_keys[i].type == SCHEMA_OIDS) &&
			strcmp(schema_keys[i].key, key) == 0)
			return true;
	}
	return false;
}

static void
resolve_below(struct names *names, const struct config_setting_t *node)
{
	for (int i = 0; i < node_count(node); i++) {
		struct config_setting_t *entry = (struct config_setting_t *)node_at(node, i);
		const char *key = config_setting_name(entry);

		if (key == NULL) /* an entry of [ ] */
			key = node_name(node);
		if (node_text(entry) == NULL)
			resolve_below(names, entry);
		else if (holds_oids(key))
			resolve(names, entry, key);
	}
}

void
names_resolve(struct conf *conf, enum names_from from, struct conf_errors *errors)
{
	struct names names = { .conf = conf, .errors = errors, .from = from };

	for (size_t i = 0; i < conf->bundle.count; i++) {
		const struct bundle_file *file = conf->bundle.files[i];

		if (file->kind == BUNDLE_NAMES && from == NAMES_BUNDLE)
			names.found = mem_text(file->text);
	}
	for (size_t i = 0; i < conf->tree_count; i++)
		if (!conf->trees[i]->misread)
			resolve_below(&names, tree_root(conf->trees[i]));
	if (names.mib != NULL && names.found != NULL)
		bundle_add(&conf->bundle, BUNDLE_NAMES, "MIB names", names.found, names.size);
	mib_close(names.mib);
	free(names.found);
}
