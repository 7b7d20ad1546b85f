/* tree.h - one parsed file, and how a mistake in it is told: file, line and whose it is.
 *
 * The only place that knows how libconfig keeps things. Settings live as long as their tree. */
#ifndef PW_TREE_H
#define PW_TREE_H

#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>
struct bundle_file;
struct conf_errors;

/* A node is a setting: a group, list, array or value. */
struct tree {
	struct config_t config; /* first: a setting finds its tree by it */
	const struct bundle_file *file;
	bool misread; /* libconfig does not read all of it as it was meant, which has been told */
};

/* Parses; what is wrong goes to errors. NULL when there is no tree. file must live on. */
struct tree *tree_parse(const struct bundle_file *file, struct conf_errors *errors);
void tree_free(struct tree *tree);
const struct config_setting_t *tree_root(const struct tree *tree);

const struct bundle_file *node_file(const struct config_setting_t *node);
const char *node_path(const struct config_setting_t *node); /* of the file */
int node_line(const struct config_setting_t *node);
const char *node_name(const struct config_setting_t *node); /* "" when it has none */

/* Members of a group, entries of a list or array; 0 and NULL for anything else. */
int node_count(const struct config_setting_t *node);
const struct config_setting_t *node_at(const struct config_setting_t *node, int index);
/* NULL: not there, or no group. */
const struct config_setting_t *node_get(const struct config_setting_t *group, const char *key);

/* NULL when it is no text; text of a member, or the fallback. */
const char *node_text(const struct config_setting_t *node);
const char *node_get_text(const struct config_setting_t *group, const char *key,
	const char *fallback);
bool node_is_number(const struct config_setting_t *node);
double node_number(const struct config_setting_t *node); /* any number; 0 else */
long long node_integer(const struct config_setting_t *node); /* 0 for what is no integer */

/* 'device "press-3": point "oil_temp": ': all named groups around the node, and itself. */
const char *node_label(const struct config_setting_t *node, char *to, size_t size);
/* Reports "file:line: LABELtext". */
void node_error(const struct config_setting_t *node, struct conf_errors *errors,
	const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#endif
