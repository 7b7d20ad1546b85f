#include "config/template.h"

#include <libconfig.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "config/arena.h"
#include "config/bundle.h"
#include "config/errors.h"
#include "config/tree.h"

enum { INHERIT_MAX = 8 };

/* Directories of templates are what was delivered: who writes a template of the same name into
 * the configuration, or into a directory that is named earlier, wants that one. */
static bool
hides(const struct config_setting_t *one, const struct config_setting_t *other)
{
	const char *path = node_path(one), *slash = strrchr(path, '/');
	size_t directory = slash == NULL ? 0 : (size_t)(slash - path + 1);

	if (node_file(other)->kind != BUNDLE_TEMPLATE)
		return false;
	return node_file(one)->kind != BUNDLE_TEMPLATE ||
		strncmp(path, node_path(other), directory) != 0 ||
		strchr(node_path(other) + directory, '/') != NULL;
}

static void
add(struct templates *templates, const struct config_setting_t *node,
	struct conf_errors *errors)
{
	const char *name = node_get_text(node, "name", NULL);
	const struct template *other;

	if (name == NULL)
		return;
	other = templates_find(templates, name);
	if (other != NULL && !hides(other->node, node)) {
		node_error(node, errors, "there is another of this name in %s:%d",
			node_path(other->node), node_line(other->node));
		return;
	}
	if (strcmp(name, "points") == 0 || strcmp(name, "device") == 0) {
		node_error(node, errors, "the name \"%s\" is taken: a device's own points and "
			"state are filed under it", name);
		return;
	}
	templates->items[templates->count++] = (struct template){ .name = name, .node = node,
		.hidden = other != NULL };
}

/* One of its own name is the one that it hides. */
static const struct template *
find_parent(const struct templates *templates, const struct template *tmpl, const char *name)
{
	const struct template *end = templates->items + templates->count;

	if (strcmp(name, tmpl->name) != 0)
		return templates_find(templates, name);
	for (const struct template *at = tmpl + 1; at < end; at++)
		if (at->hidden && strcmp(at->name, name) == 0)
			return at;
	return tmpl; /* a circle */
}

static void
link_parent(const struct templates *templates, struct template *tmpl,
	struct conf_errors *errors)
{
	const struct config_setting_t *node = node_get(tmpl->node, "inherit");
	const char *name = node_text(node), *near;

	if (name == NULL)
		return;
	tmpl->parent = find_parent(templates, tmpl, name);
	if (tmpl->parent != NULL)
		return;
	near = templates_nearest(templates, name);
	if (near != NULL)
		node_error(node, errors, "template \"%s\": inherits unknown template \"%s\" (did you "
			"mean \"%s\"?)", tmpl->name, name, near);
	else
		node_error(node, errors, "inherit: unknown template \"%s\"", name);
}

static void
check_circle(struct template *tmpl, struct conf_errors *errors)
{
	const struct template *at = tmpl;
	int depth = 0;

	while (at->parent != NULL && depth++ < INHERIT_MAX)
		at = at->parent;
	if (at->parent == NULL)
		return;
	node_error(node_get(tmpl->node, "inherit"), errors,
		"inherit: goes in a circle, or over more than %d templates", INHERIT_MAX);
	tmpl->parent = NULL;
}

static void
find_protocol(struct template *tmpl, struct conf_errors *errors)
{
	const char *own = node_get_text(tmpl->node, "protocol", NULL), *word = own;

	for (const struct template *at = tmpl->parent; at != NULL && word == NULL; at = at->parent)
		word = node_get_text(at->node, "protocol", NULL);
	if (word == NULL) {
		if (node_get(tmpl->node, "protocol") == NULL)
			node_error(tmpl->node, errors,
				"missing key \"protocol\" (\"snmp\" or \"modbus\")");
		return;
	}
	if (strcmp(word, "snmp") == 0)
		tmpl->protocol = PROTOCOL_SNMP;
	else if (strcmp(word, "modbus") == 0)
		tmpl->protocol = PROTOCOL_MODBUS;
	for (const struct template *at = tmpl->parent; at != NULL && own != NULL; at = at->parent) {
		const char *inherited = node_get_text(at->node, "protocol", own);

		if (strcmp(inherited, own) != 0)
			node_error(node_get(tmpl->node, "protocol"), errors,
				"protocol \"%s\": inherits \"%s\", which is for \"%s\"", own, at->name,
				inherited);
	}
}

const struct config_setting_t *
template_parameter(const struct template *tmpl, const char *name)
{
	for (; tmpl != NULL; tmpl = tmpl->parent) {
		const struct config_setting_t *list = node_get(tmpl->node, "parameters");

		for (int i = 0; i < node_count(list); i++) {
			const char *at = node_get_text(node_at(list, i), "name", "");

			if (strcmp(at, name) == 0)
				return node_at(list, i);
		}
	}
	return NULL;
}

static bool
is_oid(const struct config_setting_t *node)
{
	const char *name = config_setting_name(node);

	if (name != NULL && strcmp(name, "type") == 0) /* of a point it is "u32" */
		return strcmp(node_name(node->parent->parent), "tables") == 0;
	if (name == NULL && node->parent != NULL)
		name = config_setting_name(node->parent); /* one of an array */
	return name != NULL && (strcmp(name, "oid") == 0 || strcmp(name, "key") == 0 ||
		strcmp(name, "discontinuity") == 0 || strcmp(name, "admin") == 0 ||
		strcmp(name, "oper") == 0 || strcmp(name, "sysobjectid") == 0 ||
		strcmp(name, "has") == 0);
}

/* "1.3.6.1.4.1.8691.7.$arc.1": the parameters that stand in the place of arcs. */
static void
check_arcs(const struct template *tmpl, const struct config_setting_t *node,
	struct conf_errors *errors)
{
	const char *at = node_text(node);
	char name[64];

	while ((at = strchr(at, '$')) != NULL) {
		size_t length = strcspn(++at, ".$");

		snprintf(name, sizeof name, "%.*s", (int)length, at);
		if (template_parameter(tmpl, name) == NULL)
			node_error(node->parent, errors, "unknown parameter \"$%s\": it must stand in "
				"`parameters` of the template", name);
	}
}

/* Every "$name" below the node must be a parameter of the template. */
static void
check_parameters(const struct template *tmpl, const struct config_setting_t *node,
	struct conf_errors *errors)
{
	const char *text = node_text(node);

	if (text != NULL && is_oid(node))
		check_arcs(tmpl, node, errors);
	else if (text != NULL && text[0] == '$' && template_parameter(tmpl, text + 1) == NULL)
		node_error(node->parent, errors, "unknown parameter \"%s\": it must stand in "
			"`parameters` of the template", text);
	for (int i = 0; i < node_count(node); i++)
		check_parameters(tmpl, node_at(node, i), errors);
}

void
templates_build(struct templates *templates, const struct config_setting_t *const *lists,
	size_t count, struct arena *arena, struct conf_errors *errors)
{
	size_t room = 0;

	for (size_t i = 0; i < count; i++)
		room += (size_t)node_count(lists[i]);
	templates->items = arena_zero(arena, room * sizeof *templates->items);
	for (size_t i = 0; i < count; i++) {
		for (int k = 0; k < node_count(lists[i]); k++)
			add(templates, node_at(lists[i], k), errors);
	}
	for (size_t i = 0; i < templates->count; i++)
		link_parent(templates, &templates->items[i], errors);
	for (size_t i = 0; i < templates->count; i++)
		check_circle(&templates->items[i], errors);
	for (size_t i = 0; i < templates->count; i++) {
		find_protocol(&templates->items[i], errors);
		check_parameters(&templates->items[i], templates->items[i].node, errors);
	}
}

const struct template *
templates_find(const struct templates *templates, const char *name)
{
	for (size_t i = 0; i < templates->count; i++) {
		if (!templates->items[i].hidden && strcmp(templates->items[i].name, name) == 0)
			return &templates->items[i];
	}
	return NULL;
}

const char *
templates_nearest(const struct templates *templates, const char *name)
{
	const char *names[256] = { NULL };
	size_t count = 0;

	for (size_t i = 0; i < templates->count && count < 255; i++)
		names[count++] = templates->items[i].name;
	return str_nearest(name, names);
}

static void
put(struct node_list *list, const struct config_setting_t *node)
{
	const char *name = node_get_text(node, "name", "");

	for (size_t i = 0; i < list->count; i++) {
		if (node_get_text(list->items[i], "name", NULL) != NULL &&
			strcmp(node_get_text(list->items[i], "name", ""), name) == 0 &&
			list->items[i]->parent != node->parent) {
			list->items[i] = node;
			return;
		}
	}
	list->items[list->count++] = node;
}

struct node_list
template_members(const struct template *tmpl, const struct config_setting_t *own,
	const char *key, struct arena *arena)
{
	const struct config_setting_t *lists[INHERIT_MAX + 2];
	struct node_list all = { 0 };
	size_t count = 0, room = 0;

	if (own != NULL)
		lists[count++] = node_get(own, key);
	for (; tmpl != NULL && count < INHERIT_MAX + 2; tmpl = tmpl->parent)
		lists[count++] = node_get(tmpl->node, key);
	for (size_t i = 0; i < count; i++)
		room += (size_t)node_count(lists[i]);
	all.items = arena_zero(arena, room * sizeof *all.items);
	while (count-- > 0) {
		for (int i = 0; i < node_count(lists[count]); i++)
			put(&all, node_at(lists[count], i));
	}
	return all;
}
