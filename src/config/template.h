/* template.h - templates by name, what they inherit, and the values of their parameters. */
#ifndef PW_TEMPLATE_H
#define PW_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
struct arena;
struct conf_errors;
struct config_setting_t;

enum protocol { PROTOCOL_NONE, PROTOCOL_SNMP, PROTOCOL_MODBUS };

struct template {
	const char *name;
	const struct config_setting_t *node;
	const struct template *parent; /* what it inherits, or NULL */
	enum protocol protocol;
	bool hidden; /* only for the one of its name that hides it to inherit */
};
struct templates {
	struct template *items;
	size_t count;
};

/* From all `templates` lists (nodes) of the configuration, its own files first. One of them
 * hides another of its name in a directory of templates, as one in an earlier directory does,
 * and may inherit it.
 * Reports names that are repeated otherwise, unknown or circular inheritance, unknown
 * parameters, a missing protocol. Lives in the arena. */
void templates_build(struct templates *templates, const struct config_setting_t *const *lists,
	size_t count, struct arena *arena, struct conf_errors *errors);
const struct template *templates_find(const struct templates *templates, const char *name);
/* The nearest name, for "did you mean"; or NULL. */
const char *templates_nearest(const struct templates *templates, const char *name);

struct node_list {
	const struct config_setting_t **items;
	size_t count;
};
/* The groups of its list `key` ("points", ..), those inherited first; one of the same name
 * takes the place of the inherited one. tmpl may be NULL: then only those of `own`. */
struct node_list template_members(const struct template *tmpl,
	const struct config_setting_t *own, const char *key, struct arena *arena);

/* The declaration of a parameter, of the template or inherited; or NULL. */
const struct config_setting_t *template_parameter(const struct template *tmpl, const char *name);
#endif
