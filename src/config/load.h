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

struct conf {
	struct bundle bundle;
	struct tree **trees; /* of the main file, of included files, of templates */
	size_t tree_count;
	struct tree *secret_tree; /* or NULL */
	struct secrets secrets;
	struct inventory *inventory;
};

/* The entries of the section `key` ("devices") of all files, in the order of the files. */
struct node_list conf_entries(const struct conf *conf, const char *key, struct arena *arena);
/* The section `key` ("poller") of each file that has it. */
struct node_list conf_sections(const struct conf *conf, const char *key, struct arena *arena);

/* Builds the inventory and reports what is wrong with it; NULL when something was. */
struct inventory *inventory_build(struct conf *conf, struct conf_errors *errors);
#endif
