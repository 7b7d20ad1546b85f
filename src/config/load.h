/* load.h - the inside of a struct conf, for the files of this room that build from it. */
#ifndef PW_LOAD_H
#define PW_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include "config/bundle.h"
#include "config/secret.h"
#include "config/template.h"
struct arena;
struct conf_errors;
struct inventory;
struct tree;

/* A list of registers or devices, and the text that it was made into. */
struct conf_list {
	const struct bundle_file *file;
	struct bundle_file made;
	struct tree *tree; /* of points; NULL: what is wrong was reported, or it is of devices */
};

struct conf {
	struct bundle bundle;
	struct tree **trees; /* of the main file, of included files, of templates */
	size_t tree_count;
	struct tree *secret_tree; /* or NULL */
	struct conf_list **lists;
	size_t list_count;
	struct secrets secrets;
	struct inventory *inventory;
};

/* The entries of the section `key` ("devices") of all files, in the order of the files. */
struct node_list conf_entries(const struct conf *conf, const char *key, struct arena *arena);
/* The section `key` ("poller") of each file that has it. */
struct node_list conf_sections(const struct conf *conf, const char *key, struct arena *arena);

/* The points of a register list, named as `registers` does; NULL when it could not be read. */
const struct config_setting_t *conf_list_points(const struct conf *conf, const char *name);

/* A file that the configuration names by this name, of that kind; NULL: was not read. */
const struct bundle_file *conf_file(const struct conf *conf, enum bundle_kind kind,
	const char *name);

/* Builds the inventory and reports what is wrong with it; NULL when something was. */
struct inventory *inventory_build(struct conf *conf, struct conf_errors *errors);
#endif
