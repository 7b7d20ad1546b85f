#include "config/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/bundle.h"
#include "config/errors.h"
#include "config/source.h"

/* What source_check lets through and libconfig does not. */
static void
report_syntax(const struct bundle_file *file, config_t *config, struct conf_errors *errors)
{
	int line = config_error_line(config);
	const char *text = config_error_text(config);

	if (text != NULL && strstr(text, "duplicate") != NULL)
		conf_error(errors, file->path, line, "syntax: the same key is given twice in one "
			"group");
	else if (text != NULL && strstr(text, "mismatched") != NULL)
		conf_error(errors, file->path, line, "syntax: values of different types in one "
			"[ ]: use ( ) for a mixed list");
	else
		conf_error(errors, file->path, line, "syntax: not understood here or in the line "
			"before");
}

struct tree *
tree_parse(const struct bundle_file *file, struct conf_errors *errors)
{
	size_t before = errors->count;
	struct tree *tree;

	if (!source_check(file->path, file->text, file->size, errors))
		return NULL;
	tree = mem_zero(sizeof *tree);
	tree->file = file;
	tree->misread = errors->count > before;
	config_init(&tree->config);
	if (config_read_string(&tree->config, file->text) == CONFIG_TRUE)
		return tree;
	report_syntax(file, &tree->config, errors);
	tree_free(tree);
	return NULL;
}

void
tree_free(struct tree *tree)
{
	if (tree == NULL)
		return;
	config_destroy(&tree->config);
	free(tree);
}

const struct config_setting_t *
tree_root(const struct tree *tree)
{
	return config_root_setting(&tree->config);
}

const struct bundle_file *
node_file(const struct config_setting_t *node)
{
	return ((const struct tree *)(const void *)node->config)->file;
}

const char *
node_path(const struct config_setting_t *node)
{
	return node_file(node)->path;
}

int
node_line(const struct config_setting_t *node)
{
	return (int)config_setting_source_line(node);
}

const char *
node_name(const struct config_setting_t *node)
{
	const char *name = config_setting_name(node);

	return name == NULL ? "" : name;
}

int
node_count(const struct config_setting_t *node)
{
	return node == NULL || !config_setting_is_aggregate(node) ? 0 :
		config_setting_length(node);
}

const struct config_setting_t *
node_at(const struct config_setting_t *node, int index)
{
	return config_setting_get_elem(node, (unsigned)index);
}

const struct config_setting_t *
node_get(const struct config_setting_t *group, const char *key)
{
	return group == NULL || !config_setting_is_group(group) ? NULL :
		config_setting_get_member(group, key);
}

const char *
node_text(const struct config_setting_t *node)
{
	return node != NULL && config_setting_type(node) == CONFIG_TYPE_STRING ?
		config_setting_get_string(node) : NULL;
}

const char *
node_get_text(const struct config_setting_t *group, const char *key, const char *fallback)
{
	const char *text = node_text(node_get(group, key));

	return text == NULL ? fallback : text;
}

bool
node_is_number(const struct config_setting_t *node)
{
	return node != NULL && config_setting_is_number(node);
}

long long
node_integer(const struct config_setting_t *node)
{
	if (node != NULL && config_setting_type(node) == CONFIG_TYPE_INT)
		return config_setting_get_int(node);
	if (node != NULL && config_setting_type(node) == CONFIG_TYPE_INT64)
		return config_setting_get_int64(node);
	return 0;
}

double
node_number(const struct config_setting_t *node)
{
	if (node != NULL && config_setting_type(node) == CONFIG_TYPE_FLOAT)
		return config_setting_get_float(node);
	return (double)node_integer(node);
}

/* "devices" to "device"; "" for what is no list of named things. */
static const char *
singular(const char *list)
{
	static const char *const words[][2] = {
		{ "receivers", "receiver" }, { "profiles", "profile" }, { "lines", "line" },
		{ "calendars", "calendar" }, { "devices", "device" }, { "paths", "path" },
		{ "thresholds", "threshold" }, { "templates", "template" }, { "tables", "table" },
		{ "points", "point" }, { "info", "info" }, { "parameters", "parameter" },
		{ "hops", "hop" }, { "shifts", "shift" },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(list, words[i][0]) == 0)
			return words[i][1];
	}
	return "entry";
}

const char *
node_label(const struct config_setting_t *of, char *to, size_t size)
{
	const struct config_setting_t *parent = of->parent;
	const char *name;
	size_t used;

	to[0] = '\0';
	if (parent == NULL)
		return to;
	node_label(parent, to, size);
	used = strlen(to);
	if (config_setting_is_group(of) && config_setting_is_list(parent)) {
		name = node_get_text(of, "name", NULL);
		if (name != NULL)
			snprintf(to + used, size - used, "%s \"%.48s\": ",
				singular(node_name(parent)), name);
		else
			snprintf(to + used, size - used, "%s number %d: ",
				singular(node_name(parent)), config_setting_index(of) + 1);
	} else if (config_setting_is_group(of)) {
		snprintf(to + used, size - used, "%.48s: ", node_name(of));
	}
	return to;
}

void
node_error(const struct config_setting_t *node, struct conf_errors *errors, const char *format, ...)
{
	char label[300], text[700];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	conf_error(errors, node_path(node), node_line(node), "%s%s",
		node_label(node, label, sizeof label), text);
}
