/* One point as configured, with what its protocol needs to ask for it. */
#include <libconfig.h>
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"
#include "config/arena.h"
#include "config/build.h"
#include "config/errors.h"
#include "config/tree.h"
#include "modbus/block.h"
#include "modbus/modbus.h"
#include "modbus/regs.h"
#include "snmp/snmp.h"

#define WRAP_MAX UINT64_C(10000000000000000)

static const char *const modbus_keys[] = {
	"function", "pdu", "register", "modicon", "type", "order", "length", "separate", "atomic",
	"side_effect", "mask", "chars", "min", "max", "scale_from", "wrap",
};

/* ---- what all points have ---- */

static bool
parse_state(const char *text, struct point_state *state, struct arena *arena)
{
	const char *equals = strchr(text, '=');
	char number[32];

	if (equals == NULL || (size_t)(equals - text) >= sizeof number || equals[1] == '\0')
		return false;
	memcpy(number, text, (size_t)(equals - text));
	number[equals - text] = '\0';
	if (str_int(number, &state->value, NULL) == -1)
		return false;
	state->word = arena_text(arena, equals + 1);
	return true;
}

static bool
build_states(struct build *build, const struct scope *scope, struct point *point)
{
	const struct config_setting_t *list = scope_find(scope, "states");
	struct point_state *states =
		arena_zero(build->arena, (size_t)node_count(list) * sizeof *states);
	size_t count = 0;

	for (int i = 0; i < node_count(list); i++) {
		const char *text = node_text(node_at(list, i));

		if (text == NULL)
			continue;
		if (!parse_state(text, &states[count], build->arena)) {
			node_error(list->parent, build->errors,
				"states: \"%s\": expected NUMBER=word, as \"1=up\"", text);
			return false;
		}
		for (size_t k = 0; k < count; k++) {
			if (states[k].value == states[count].value) {
				node_error(list->parent, build->errors, "states: \"%s\": the number "
					"stands there twice", text);
				return false;
			}
		}
		count++;
	}
	point->states = arena_same(build->arena, states, (size_t)node_count(list) * sizeof *states);
	point->state_count = count;
	return true;
}

static bool
build_kind(struct build *build, const struct scope *scope, enum point_kind natural,
	struct point *point)
{
	const char *word = scope_text(scope, "kind");

	point->kind = natural;
	if (natural == POINT_GAUGE && point->state_count > 0)
		point->kind = POINT_STATE;
	if (word[0] != '\0') {
		int kind = point_kind_parse(word);

		if (kind == -1)
			return true; /* the schema has told */
		if ((natural == POINT_TEXT) != (kind == POINT_TEXT) && natural != POINT_GAUGE) {
			node_error(scope->levels[0], build->errors, "kind \"%s\": %s", word,
				natural == POINT_TEXT ? "a string is a text"
				: "only a string can be a text");
			return false;
		}
		point->kind = (enum point_kind)kind;
	}
	if ((point->kind == POINT_TEXT || point->kind == POINT_COUNTER) && point->state_count > 0) {
		node_error(scope->levels[0], build->errors, "states: a %s has none",
			point_kind_word(point->kind));
		return false;
	}
	return true;
}

/* A counter is stored as its rate, and so is its unit: "Wh" counts become "Wh/s". */
static const char *
build_unit(struct build *build, const struct scope *scope, const struct point *point)
{
	const char *unit = build_text(build, scope, "unit");
	size_t length = strlen(unit);

	if (point->kind != POINT_COUNTER)
		return unit;
	if (length == 0)
		return "1/s";
	if (length > 2 && strcmp(unit + length - 2, "/s") == 0)
		return unit;
	if (strchr(unit, '/') != NULL || strcmp(unit, "bps") == 0)
		return unit;
	return arena_format(build->arena, "%s/s", unit);
}

static bool
build_interval(struct build *build, const struct scope *scope,
	const struct config_setting_t *table, struct draft *draft)
{
	struct scope around = *scope;
	const struct config_setting_t *node = scope->levels[0];

	draft->retain = scope_duration(scope, "retain");
	scope_push(&around, table);
	/* 0 and no align: the device's; groups.c puts them in */
	draft->interval = scope_duration(&around, "interval");
	draft->align_given = scope_find(&around, "align") != NULL;
	draft->align = scope_bool(&around, "align");
	if (draft->align && draft->interval > 0 && draft->interval < INT64_C(60000000000)) {
		node_error(node, build->errors, "align: only with an interval of 60s or more");
		return false;
	}
	return true;
}

/* ---- SNMP ---- */

/* The parameter whose value makes no OID of it; once for all OIDs that it stands in. */
static void
parameter_error(struct build *build, const struct scope *scope, const struct config_setting_t *node,
	const char *text, const struct fail *why)
{
	const char *from = strchr(text, '$') + 1;
	char name[64];

	snprintf(name, sizeof name, "%.*s", (int)strcspn(from, ".$"), from);
	if (node_get(scope->given, name) == NULL)
		node_error(node, build->errors, "%s", why->text);
	else
		node_error(node_get(scope->given, name), build->errors, "%s: it stands in OIDs: "
			"expected a number, or several with dots between", name);
}

bool
build_oid(struct build *build, const struct scope *scope, const struct config_setting_t *node,
	struct snmp_oid *oid)
{
	char expanded[SNMP_OID_MAX * 11];
	uint32_t ids[SNMP_OID_MAX];
	size_t count;
	const char *text = node_text(node);
	struct fail why;

	if (text == NULL)
		return false;
	if (strchr(text, '$') != NULL) {
		if (!scope_expand(scope, text, expanded, sizeof expanded))
			return false; /* the parameter is missing, and that was told */
		text = expanded;
	}
	if (snmp_oid_parse(text, ids, &count, &why) == -1) {
		if (text == expanded)
			parameter_error(build, scope, node, node_text(node), &why);
		return false;
	}
	oid->ids = arena_same(build->arena, arena_copy(build->arena, ids, count * sizeof *ids),
		count * sizeof *ids);
	oid->count = count;
	return true;
}

size_t
build_oids(struct build *build, const struct scope *scope, const char *key,
	const struct snmp_oid **oids)
{
	const struct config_setting_t *node = scope_find(scope, key);
	int entries = node == NULL ? 0 : node_text(node) != NULL ? 1 : node_count(node);
	struct snmp_oid *all = arena_zero(build->arena, (size_t)entries * sizeof *all);
	size_t count = 0;

	for (int i = 0; i < entries; i++) {
		const struct config_setting_t *entry =
			node_text(node) != NULL ? node : node_at(node, i);

		if (build_oid(build, scope, scope_resolve(scope, key, entry), &all[count]))
			count++;
	}
	*oids = arena_same(build->arena, all, (size_t)entries * sizeof *all);
	return count;
}

/* scale = [ 1e6, 1 ]: one factor for each of the OIDs. */
static bool
build_scales(struct build *build, const struct scope *scope, enum point_kind kind,
	struct snmp_point *wire)
{
	const struct config_setting_t *list = scope_find(scope, "scale");
	double *scales;

	if (list == NULL || !config_setting_is_aggregate(list))
		return true;
	if (kind == POINT_COUNTER || (size_t)node_count(list) != wire->oid_count) {
		node_error(list->parent, build->errors, kind == POINT_COUNTER ?
			"scale: a counter has one for all its OIDs" :
			"scale: as many numbers as there are in oid, or one");
		return false;
	}
	scales = arena_zero(build->arena, wire->oid_count * sizeof *scales);
	for (size_t i = 0; i < wire->oid_count; i++)
		scales[i] = node_number(node_at(list, (int)i));
	wire->scales = arena_same(build->arena, scales, wire->oid_count * sizeof *scales);
	return true;
}

static bool
build_snmp_invalid(struct build *build, const struct scope *scope, enum point_kind kind,
	struct snmp_point *wire)
{
	const struct config_setting_t *list = scope_find(scope, "invalid");
	struct snmp_range *ranges =
		arena_zero(build->arena, (size_t)node_count(list) * sizeof *ranges);
	bool fine = true;
	struct fail why;

	if (kind == POINT_TEXT && list != NULL) {
		node_error(list, build->errors, "invalid: a text has no invalid values");
		return false;
	}
	for (int i = 0; i < node_count(list); i++) {
		if (node_text(node_at(list, i)) == NULL)
			return false; /* the schema has told */
		if (snmp_range_parse(node_text(node_at(list, i)), &ranges[i], &why) == -1) {
			node_error(list->parent, build->errors, "%s", why.text);
			fine = false;
		}
	}
	wire->invalid_count = (size_t)node_count(list);
	wire->invalid = arena_same(build->arena, ranges, wire->invalid_count * sizeof *ranges);
	return fine;
}

/* A value of type BITS: its first bit, or one of them. */
static bool
build_snmp_bits(struct build *build, const struct scope *scope, enum point_kind *kind,
	struct snmp_point *wire)
{
	const struct config_setting_t *node = scope->levels[0];
	bool one = node_get(node, "bit") != NULL, first = scope_bool(scope, "bits");

	if (!one && !first)
		return true;
	if (one && first) {
		node_error(node, build->errors, "bits, bit: give one of them");
		return false;
	}
	if (*kind == POINT_COUNTER || *kind == POINT_TEXT || wire->scales != NULL) {
		node_error(node, build->errors, "%s: a state is read from BITS, no %s",
			one ? "bit" : "bits", *kind == POINT_COUNTER ? "counter" :
			*kind == POINT_TEXT ? "text" : "number of another scale");
		return false;
	}
	if (scope_text(scope, "kind")[0] == '\0')
		*kind = POINT_STATE;
	wire->bits = one ? SNMP_BITS_ONE : SNMP_BITS_FIRST;
	wire->bit = (uint8_t)scope_int(scope, "bit");
	return true;
}

static bool
build_snmp_point(struct build *build, const struct scope *scope, struct draft *draft)
{
	const struct config_setting_t *node = scope->levels[0];
	struct snmp_point *wire = arena_zero(build->arena, sizeof *wire);

	for (size_t i = 0; i < sizeof modbus_keys / sizeof *modbus_keys; i++) {
		if (node_get(node, modbus_keys[i]) != NULL) {
			node_error(node, build->errors, "key \"%s\": only for Modbus points, and this "
				"one is asked by SNMP", modbus_keys[i]);
			return false;
		}
	}
	wire->oid_count = build_oids(build, scope, "oid", &wire->oids);
	if (wire->oid_count == 0) {
		const struct config_setting_t *oid = node_get(node, "oid");

		if (oid == NULL)
			node_error(node, build->errors, "missing key \"oid\"");
		else if (node_text(oid) == NULL && node_count(oid) == 0)
			node_error(oid, build->errors, "oid: expected at least one");
		return false;
	}
	if (!build_kind(build, scope, POINT_GAUGE, &draft->point) ||
		!build_scales(build, scope, draft->point.kind, wire) ||
		!build_snmp_bits(build, scope, &draft->point.kind, wire) ||
		!build_snmp_invalid(build, scope, draft->point.kind, wire))
		return false;
	draft->point.wire = arena_same(build->arena, wire, sizeof *wire);
	return true;
}

/* ---- Modbus ---- */

/* 40100 is holding register 100, 400100 too: the first digit of five or six tells. */
static bool
split_modicon(int64_t number, int *function, int64_t *pdu)
{
	static const int functions[] = { 1, 2, 0, 4, 3 };
	int64_t unit = number >= 100000 ? 100000 : 10000;
	int64_t digit = number / unit, rest = number % unit;

	if (digit > 4 || functions[digit] == 0 || rest == 0 || rest > 65536)
		return false;
	*function = functions[digit];
	*pdu = rest - 1;
	return true;
}

/* pdu: the modicon number on entry, the address on return. */
static bool
build_modicon(struct build *build, const struct config_setting_t *node, int *function,
	int64_t *pdu)
{
	long long number = *pdu;
	int by_digit;

	if (!split_modicon(number, &by_digit, pdu)) {
		node_error(node, build->errors, "modicon %lld: expected 1..9999, 1xxxx, 3xxxx, 4xxxx, "
			"or six digits up to x65536", number);
		return false;
	}
	if (node_get(node, "function") != NULL && *function != by_digit) {
		node_error(node, build->errors, "function %d: modicon %lld already means function %d",
			*function, number, by_digit);
		return false;
	}
	*function = by_digit;
	return true;
}

static bool
build_wire_address(struct build *build, const struct scope *scope, const struct scope *around,
	struct modbus_point *wire)
{
	static const char *const ways[] = { "pdu", "register", "modicon" };
	const struct config_setting_t *node = scope->levels[0], *value = NULL;
	const char *way = NULL;
	int function = (int)scope_int(around, "function"), count = 0;
	int64_t pdu;

	for (size_t i = 0; i < 3; i++) {
		if (node_get(node, ways[i]) != NULL) {
			count++;
			way = ways[i];
			value = scope_find(scope, way);
		}
	}
	if (count != 1) {
		node_error(node, build->errors, "%s of pdu (from 0), register (from 1) and modicon "
			"(40001): give exactly one", count == 0 ? "none" : "more than one");
		return false;
	}
	if (value == NULL || !node_is_number(value))
		return false;
	pdu = node_integer(value);
	if (strcmp(way, "register") == 0)
		pdu -= 1;
	if (strcmp(way, "modicon") == 0 && !build_modicon(build, node, &function, &pdu))
		return false;
	if (function < 1 || function > 4) {
		if (scope_find(around, "function") == NULL)
			node_error(node, build->errors, "missing key \"function\" (1 coils, 2 inputs, "
				"3 holding registers, 4 input registers)");
		return false;
	}
	if (pdu < 0 || pdu > 65535)
		return false;
	wire->function = (uint8_t)function;
	wire->pdu = (uint16_t)pdu;
	return true;
}

static bool
build_type(struct build *build, const struct scope *scope, struct modbus_point *wire)
{
	const struct config_setting_t *node = scope->levels[0];
	const char *type = scope_text(scope, "type");
	bool bits = wire->function <= 2;
	struct fail why;

	if (type[0] == '\0' && !bits) {
		node_error(node, build->errors, "missing key \"type\" (s16 u16 s32 u32 s64 u64 f32 f64 "
			"bit string s8h s8l u8h u8l f16 bcd16 bcd32 sm16 sm32 m10k32 m10k48 m10k64)");
		return false;
	}
	wire->spec.type = REGS_BIT;
	if (type[0] != '\0' && regs_type_parse(type, &wire->spec.type, &why) == -1) {
		node_error(node, build->errors, "%s", why.text);
		return false;
	}
	if (bits && wire->spec.type != REGS_BIT) {
		node_error(node, build->errors, "type \"%s\": function %u reads bits", type,
			wire->function);
		return false;
	}
	if ((wire->spec.type == REGS_BIT && !bits) != (node_get(node, "bit") != NULL)) {
		node_error(node, build->errors, bits || wire->spec.type != REGS_BIT ?
			"key \"bit\": only for type \"bit\" in a register" :
			"missing key \"bit\" (0, the lowest, to 15)");
		return false;
	}
	if ((wire->spec.type == REGS_STRING) != (node_get(node, "length") != NULL)) {
		node_error(node, build->errors, wire->spec.type == REGS_STRING ?
			"missing key \"length\" (registers of the string)" :
			"key \"length\": only for type \"string\"");
		return false;
	}
	wire->spec.bit = (uint8_t)scope_int(scope, "bit");
	wire->spec.length = (uint8_t)scope_int(scope, "length");
	return wire->spec.type != REGS_STRING || wire->spec.length > 0;
}

static bool
build_order(struct build *build, const struct scope *scope, const struct scope *around,
	struct modbus_point *wire)
{
	const struct config_setting_t *node = scope->levels[0];
	bool own = node_get(node, "order") != NULL;
	const char *order = scope_text(around, "order");
	struct fail why;

	if (order[0] == '\0')
		return true;
	if (regs_order_parse(order, &wire->spec.order, &why) == -1) {
		node_error(scope_find(around, "order"), build->errors, "%s", why.text);
		return false;
	}
	if (!own) {
		wire->spec.order = regs_order_inherit(wire->spec.order, wire->spec.type);
		return true;
	}
	if (regs_order_check(wire->spec.order, wire->spec.type, &why) == -1) {
		node_error(node, build->errors, "%s", why.text);
		return false;
	}
	return true;
}

static bool
build_invalid(struct build *build, const struct scope *scope, struct modbus_point *wire)
{
	const struct config_setting_t *list = scope_find(scope, "invalid");
	struct regs_range *ranges =
		arena_zero(build->arena, (size_t)node_count(list) * sizeof *ranges);
	bool fine = true;

	for (int i = 0; i < node_count(list); i++) {
		struct fail why;

		if (node_text(node_at(list, i)) == NULL)
			return false;
		if (regs_range_parse(node_text(node_at(list, i)), wire->spec.type,
			&ranges[wire->spec.invalid_count], &why) == -1) {
			node_error(list->parent, build->errors, "%s", why.text);
			fine = false;
		} else {
			wire->spec.invalid_count++;
		}
	}
	wire->spec.invalid = arena_same(build->arena, ranges,
		(size_t)node_count(list) * sizeof *ranges);
	return fine;
}

/* Which bits are the value, which values are believed, and whose power of ten it has. */
static bool
build_field(struct build *build, const struct scope *scope, enum point_kind kind,
	struct modbus_point *wire)
{
	const struct config_setting_t *node = scope->levels[0];
	struct regs_spec *spec = &wire->spec;
	const char *mask = scope_text(scope, "mask"), *chars = scope_text(scope, "chars");
	uint64_t bits = 0, top = spec->type == REGS_U32 ? UINT32_MAX : UINT16_MAX;

	if (mask[0] != '\0' && spec->type != REGS_U16 && spec->type != REGS_U32) {
		node_error(node, build->errors, "key \"mask\": only for type \"u16\" and \"u32\"");
		return false;
	}
	if (mask[0] != '\0' && (str_uint(mask, &bits, NULL) == -1 || bits == 0 || bits > top)) {
		node_error(node, build->errors, "mask \"%s\": expected bits of a %s, as \"0x00F0\"",
			mask, regs_type_name(spec->type));
		return false;
	}
	spec->mask = (uint32_t)bits;
	spec->chars = chars[0] == 'h' ? REGS_CHARS_HIGH : chars[0] == 'l' ? REGS_CHARS_LOW :
		REGS_CHARS_PAIRS;
	if (node_get(node, "chars") != NULL && spec->type != REGS_STRING) {
		node_error(node, build->errors, "key \"chars\": only for type \"string\"");
		return false;
	}
	spec->bounded = scope_find(scope, "min") != NULL || scope_find(scope, "max") != NULL;
	spec->min = scope_find(scope, "min") != NULL ? scope_number(scope, "min") : -INFINITY;
	spec->max = scope_find(scope, "max") != NULL ? scope_number(scope, "max") : INFINITY;
	if (spec->bounded && (spec->min > spec->max || kind == POINT_COUNTER || kind == POINT_TEXT)) {
		node_error(node, build->errors, spec->min > spec->max ? "min: is above max" :
			"min, max: not for a %s", point_kind_word(kind));
		return false;
	}
	wire->scale_from = scope_find(scope, "scale_from") == NULL ? NULL :
		build_text(build, scope, "scale_from");
	if (wire->scale_from != NULL && (kind == POINT_COUNTER || kind == POINT_TEXT)) {
		node_error(node, build->errors, "scale_from: not for a %s", point_kind_word(kind));
		return false;
	}
	return true;
}

/* "10^8", "2^32", "100000000"; 0 for anything else. Thousandths of it must fit, see task.c. */
static uint64_t
parse_wrap(const char *text)
{
	size_t length = strcspn(text, "^");
	uint64_t base, exponent = 1, wrap = 1;
	char first[24];

	if (length >= sizeof first)
		return 0;
	memcpy(first, text, length);
	first[length] = '\0';
	if (str_uint(first, &base, NULL) == -1 || base < 2 ||
		(text[length] != '\0' && str_uint(text + length + 1, &exponent, NULL) == -1))
		return 0;
	for (; exponent > 0; exponent--) {
		if (wrap > WRAP_MAX / base)
			return 0;
		wrap *= base;
	}
	return wrap;
}

static bool
build_wrap(struct build *build, const struct scope *scope, enum point_kind kind,
	struct modbus_point *wire)
{
	const struct config_setting_t *node = scope->levels[0];
	const char *text = scope_text(scope, "wrap");

	if (text[0] == '\0')
		return true;
	if (kind != POINT_COUNTER) {
		node_error(node, build->errors, "wrap: only for kind \"counter\"");
		return false;
	}
	wire->wrap = parse_wrap(text);
	if (wire->wrap < 2)
		node_error(node, build->errors, "wrap \"%s\": expected a number of counts from 2 to "
			"10^16, as \"10^8\", \"2^32\" or \"1000000\"", text);
	return wire->wrap >= 2;
}

/* A key that only SNMP points have is refused by its name. */
static bool
has_only_keys_of_modbus(struct build *build, const struct scope *scope)
{
	static const char *const others[] = { "oid", "bits" };
	const struct config_setting_t *node = scope->levels[0];

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		if (node_get(node, others[i]) == NULL)
			continue;
		node_error(node, build->errors, "key \"%s\": only for SNMP points, and this one is "
			"asked by Modbus", others[i]);
		return false;
	}
	if (node_count(scope_find(scope, "scale")) == 0)
		return true;
	node_error(node, build->errors, "scale: one number for a Modbus point");
	return false;
}

/* Of a counter that goes on from 0 when it has counted to the end. What does not count in binary
 * cannot be seen to wrap: a lower count is a new one. */
static uint8_t
counter_bits(const struct regs_spec *spec, unsigned width)
{
	if (spec->type >= REGS_S8H && spec->type <= REGS_U8L)
		return 8;
	return !regs_is_binary(spec->type) || width * 16 > 64 ? 64 : (uint8_t)(width * 16);
}

static bool
can_be_asked(struct build *build, const struct scope *scope, const struct modbus_point *wire,
	unsigned width)
{
	struct block_point request = { .function = (enum adu_function)wire->function,
		.address = wire->pdu, .width = (uint16_t)width };
	struct fail why;

	if (block_point_check(&request, &(struct block_limits){ 0 }, &why) == 0)
		return true;
	node_error(scope->levels[0], build->errors, "%s", why.text);
	return false;
}

static bool
build_modbus_point(struct build *build, const struct unit *unit, const struct scope *scope,
	struct draft *draft)
{
	struct modbus_point *wire = arena_zero(build->arena, sizeof *wire);
	struct scope around = *scope;
	enum point_kind kind;
	unsigned width;

	/* function and order may stand in the template, or in what it inherits */
	for (const struct template *at = unit->tmpl; at != NULL; at = at->parent)
		scope_push(&around, at->node);
	if (!has_only_keys_of_modbus(build, scope) || !build_wire_address(build, scope, &around, wire) ||
		!build_type(build, scope, wire) || !build_order(build, scope, &around, wire) ||
		!build_invalid(build, scope, wire))
		return false;
	wire->separate = scope_bool(scope, "separate");
	wire->side_effect = scope_bool(scope, "side_effect");
	wire->atomic = scope_find(scope, "atomic") == NULL ? NULL : build_text(build, scope, "atomic");
	wire->spec.scale = draft->point.scale;
	wire->spec.offset = draft->point.offset;
	width = wire->function <= 2 ? 1 : regs_count(&wire->spec);
	wire->bits = counter_bits(&wire->spec, width);
	kind = wire->spec.type == REGS_STRING ? POINT_TEXT :
		wire->spec.type == REGS_BIT ? POINT_STATE : POINT_GAUGE;
	if (!can_be_asked(build, scope, wire, width) ||
		!build_kind(build, scope, kind, &draft->point) ||
		!build_field(build, scope, draft->point.kind, wire) ||
		!build_wrap(build, scope, draft->point.kind, wire))
		return false;
	draft->point.wire = arena_same(build->arena, wire, sizeof *wire);
	return true;
}

/* A forgotten transformer ratio must not store zeros that count as good. */
static bool
scale_is_sound(struct build *build, const struct scope *scope)
{
	const struct config_setting_t *list = scope_find(scope, "scale");
	bool zero = scope_number(scope, "scale") == 0;

	for (int i = 0; i < node_count(list); i++)
		zero |= node_number(node_at(list, i)) == 0;
	if (zero)
		node_error(scope->levels[0], build->errors, "scale 0: every value would be 0; "
			"leave it out where there is none");
	return !zero;
}

bool
build_point(struct build *build, const struct unit *unit,
	const struct config_setting_t *table, const struct config_setting_t *node,
	struct draft *draft)
{
	struct scope scope = {
		.section = "point", .tmpl = unit->tmpl, .errors = build->errors,
		.given = node_get(unit->device, "parameters"),
	};
	struct point *point = &draft->point;
	bool snmp;

	*draft = (struct draft){ .node = node };
	scope_push(&scope, node);
	point->name = build_text(build, &scope, "name");
	if (!str_is_name(point->name))
		return false;
	point->text = build_text(build, &scope, "text");
	point->scale = scope_number(&scope, "scale");
	if (!scale_is_sound(build, &scope))
		return false;
	point->offset = scope_number(&scope, "offset");
	if (!build_states(build, &scope, point) || !build_interval(build, &scope, table, draft))
		return false;
	/* A device's own point; one that names no place at all is asked as the device is. */
	snmp = unit->tmpl != NULL ? unit->tmpl->protocol == PROTOCOL_SNMP :
		node_get(node, "oid") != NULL || (node_get(unit->device, "modbus") == NULL &&
		node_get(unit->device, "snmp") != NULL);
	draft->protocol = snmp ? PROTOCOL_SNMP : PROTOCOL_MODBUS;
	if (unit->tmpl != NULL && unit->tmpl->protocol == PROTOCOL_NONE)
		return false;
	if (!(snmp ? build_snmp_point(build, &scope, draft) :
		build_modbus_point(build, unit, &scope, draft)))
		return false;
	point->unit = build_unit(build, &scope, point);
	return true;
}
