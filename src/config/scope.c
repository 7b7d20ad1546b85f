#include "config/scope.h"

#include <libconfig.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "config/errors.h"
#include "config/schema.h"
#include "config/template.h"
#include "config/tree.h"

void
scope_push(struct scope *scope, const struct config_setting_t *group)
{
	if (group != NULL && scope->count < SCOPE_LEVELS)
		scope->levels[scope->count++] = group;
}

static const struct config_setting_t *
parameter_value(const struct scope *scope, const char *name)
{
	const struct config_setting_t *value;

	if (scope->tmpl == NULL)
		return NULL;
	value = node_get(scope->given, name);
	if (value == NULL)
		value = node_get(template_parameter(scope->tmpl, name), "default");
	return value;
}

/* "$base.1.0" is no parameter, but an OID that begins with one: see scope_expand. */
static bool
is_oid(const struct schema_key *schema)
{
	return schema != NULL && (schema->type == SCHEMA_OID || schema->type == SCHEMA_OIDS);
}

const struct config_setting_t *
scope_resolve(const struct scope *scope, const char *key, const struct config_setting_t *node)
{
	const struct schema_key *schema = schema_find(scope->section, key);
	const char *text = node_text(node);
	const struct config_setting_t *value;

	if (text == NULL || text[0] != '$' || scope->tmpl == NULL)
		return node;
	value = parameter_value(scope, text + 1);
	if (value == NULL)
		return is_oid(schema) && strchr(text, '.') != NULL ? node : NULL;
	/* Only now it is known what it stands for. */
	if (schema != NULL && scope->errors != NULL &&
		!schema_check_value(schema, value, false, scope->errors))
		return NULL;
	return value;
}

const struct config_setting_t *
scope_find(const struct scope *scope, const char *key)
{
	for (size_t i = 0; i < scope->count; i++) {
		const struct config_setting_t *node = node_get(scope->levels[i], key);

		if (node != NULL)
			return scope_resolve(scope, key, node);
	}
	return NULL;
}

bool
scope_expand(const struct scope *scope, const char *text, char *to, size_t size)
{
	size_t used = 0;

	while (*text != '\0') {
		size_t length = strcspn(text, "$");
		char name[64] = "$", value[32];

		if (length > 0) {
			used += (size_t)snprintf(to + used, size - used, "%.*s", (int)length, text);
		} else {
			const struct config_setting_t *node;

			length = 1 + strcspn(text + 1, ".$");
			snprintf(name, sizeof name, "%.*s", (int)length, text);
			node = parameter_value(scope, name + 1);
			if (node == NULL)
				return false;
			snprintf(value, sizeof value, "%lld", (long long)node_integer(node));
			used += (size_t)snprintf(to + used, size - used, "%s",
				node_text(node) != NULL ? node_text(node) : value);
		}
		if (used >= size)
			return false;
		text += length;
	}
	return true;
}

static const char *
fallback(const struct scope *scope, const char *key)
{
	const struct schema_key *schema = schema_find(scope->section, key);

	return schema == NULL || schema->fallback == NULL ? "" : schema->fallback;
}

const char *
scope_text(const struct scope *scope, const char *key)
{
	const char *text = node_text(scope_find(scope, key));

	return text == NULL ? fallback(scope, key) : text;
}

double
scope_number(const struct scope *scope, const char *key)
{
	const struct config_setting_t *node = scope_find(scope, key);
	double value = 0;

	if (node_is_number(node))
		return node_number(node);
	str_double(fallback(scope, key), &value, NULL);
	return value;
}

int64_t
scope_int(const struct scope *scope, const char *key)
{
	const struct config_setting_t *node = scope_find(scope, key);
	const struct schema_key *schema = schema_find(scope->section, key);
	int64_t value = 0;

	if (node_is_number(node) && config_setting_type(node) != CONFIG_TYPE_FLOAT &&
		(schema == NULL || ((double)node_integer(node) >= schema->min &&
			(double)node_integer(node) <= schema->max)))
		return node_integer(node);
	str_int(fallback(scope, key), &value, NULL);
	return value;
}

bool
scope_bool(const struct scope *scope, const char *key)
{
	const struct config_setting_t *node = scope_find(scope, key);

	if (node != NULL && config_setting_type(node) == CONFIG_TYPE_BOOL)
		return config_setting_get_bool(node) == CONFIG_TRUE;
	return strcmp(fallback(scope, key), "true") == 0;
}

int64_t
scope_duration(const struct scope *scope, const char *key)
{
	const char *text = node_text(scope_find(scope, key));
	int64_t ns = 0;

	if (text == NULL || str_duration(text, &ns, NULL) == -1)
		str_duration(fallback(scope, key), &ns, NULL);
	return ns;
}

int64_t
scope_size(const struct scope *scope, const char *key)
{
	const char *text = node_text(scope_find(scope, key));
	int64_t bytes = 0;

	if (text == NULL || str_size(text, &bytes, NULL) == -1)
		str_size(fallback(scope, key), &bytes, NULL);
	return bytes;
}
