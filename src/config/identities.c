/* How the templates' devices are known: `identify`. */
#include "modbus/identity.h"

#include <libconfig.h>
#include <string.h>

#include "base/fail.h"
#include "config/arena.h"
#include "config/build.h"
#include "config/errors.h"
#include "config/tree.h"

static bool
take_numbers(struct build *build, const struct config_setting_t *node,
	const char *const *is, struct identity_check *check)
{
	struct regs_range *ranges = arena_zero(build->arena, check->count * sizeof *ranges);
	struct fail why;

	for (size_t i = 0; i < check->count; i++)
		if (regs_range_parse(is[i], check->spec.type, &ranges[i], &why) == -1) {
			node_error(node, build->errors, "is: %s", why.text);
			return false;
		}
	check->ranges = ranges;
	return true;
}

static bool
take_registers(struct build *build, const struct scope *scope, const char *const *is,
	struct identity_check *check)
{
	const struct config_setting_t *node = scope->levels[0];
	const char *order = scope_text(scope, "order");
	struct fail why;

	if (node_get(node, "pdu") == NULL || node_get(node, "type") == NULL) {
		node_error(node, build->errors, "give pdu and type of registers, or an object of the "
			"identification");
		return false;
	}
	check->function = (uint8_t)scope_int(scope, "function");
	check->pdu = (uint16_t)scope_int(scope, "pdu");
	if (regs_type_parse(scope_text(scope, "type"), &check->spec.type, &why) == -1 ||
		(order[0] != '\0' && regs_order_parse(order, &check->spec.order, &why) == -1) ||
		regs_order_check(check->spec.order, check->spec.type, &why) == -1) {
		node_error(node, build->errors, "%s", why.text);
		return false;
	}
	check->spec.length = (uint8_t)scope_int(scope, "length");
	if ((check->spec.type == REGS_STRING) != (check->spec.length > 0)) {
		node_error(node, build->errors, "length: registers of a string, and of nothing else");
		return false;
	}
	if (check->spec.type != REGS_STRING)
		return take_numbers(build, node, is, check);
	check->texts = is;
	return true;
}

static bool
take_check(struct build *build, const struct config_setting_t *node, struct identity_check *check)
{
	struct scope scope = build_scope(build, "identify", node);
	const struct config_setting_t *is = scope_find(&scope, "is");

	const char *const *words;

	*check = (struct identity_check){ .object = -1 };
	if (is == NULL)
		return false; /* the schema has told */
	check->count = build_words(build, is, &words);
	if (check->count == 0) {
		node_error(node, build->errors, "is: needs at least one number or text");
		return false;
	}
	if (node_get(node, "object") == NULL)
		return take_registers(build, &scope, words, check);
	check->object = (int)scope_int(&scope, "object");
	check->texts = words;
	return true;
}

/* Its own, or that of a template it inherits from. */
static const char *
watchdog_of(struct build *build, const struct template *tmpl)
{
	const char *where = "";

	for (; tmpl != NULL && where[0] == '\0'; tmpl = tmpl->parent)
		where = node_get_text(tmpl->node, "output_watchdog", "");
	return arena_text(build->arena, where);
}

void
build_identities(struct build *build)
{
	struct identity *identities = arena_zero(build->arena,
		(build->templates.count + 1) * sizeof *identities);
	size_t count = 0;

	for (size_t i = 0; i < build->templates.count; i++) {
		const struct template *tmpl = &build->templates.items[i];
		const struct config_setting_t *list = node_get(tmpl->node, "identify");
		struct identity_check *checks = arena_zero(build->arena,
			((size_t)node_count(list) + 1) * sizeof *checks);
		size_t fine = 0;

		if (tmpl->hidden)
			continue;
		if (list != NULL && tmpl->protocol == PROTOCOL_SNMP) {
			node_error(list, build->errors, "identify: only for Modbus");
			continue;
		}
		for (int k = 0; k < node_count(list); k++)
			fine += take_check(build, node_at(list, k), &checks[fine]);
		if (fine > 0)
			identities[count++] = (struct identity){
				arena_text(build->arena, tmpl->name), checks, fine,
				watchdog_of(build, tmpl) };
	}
	build->inventory->identities = identities;
	build->inventory->identity_count = count;
}
