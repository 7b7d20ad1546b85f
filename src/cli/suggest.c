#include "cli/suggest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/offers.h"
#include "snmp/oid.h"
#include "snmp/scout.h"
#include "snmp/snmp.h"

enum { OID_TEXT = SNMP_OID_MAX * 11 };
_Static_assert(SNMP_OID_MAX == 128, "suggest.h says it without snmp.h");

/* ---- sysObjectID ---- */

static size_t
find_parameter(const struct offer *offer, const char *name, size_t length)
{
	size_t i = 0;

	while (i < offer->parameter_count && (strncmp(offer->parameters[i].name, name, length) != 0 ||
		offer->parameters[i].name[length] != '\0'))
		i++;
	return i;
}

/* The arcs of the pattern when the object identifier begins with it, else 0. What stands in
 * the place of "$name" goes to values. */
static size_t
fit(const struct offer *offer, const char *pattern, const uint32_t *ids, size_t count,
	char (*values)[12])
{
	size_t at = 0;

	if (*pattern == '.')
		pattern++;
	while (*pattern != '\0') {
		size_t length = strcspn(pattern, ".");
		char arc[12];

		if (at == count)
			return 0;
		snprintf(arc, sizeof arc, "%u", ids[at++]);
		if (*pattern == '$') {
			size_t which = find_parameter(offer, pattern + 1, length - 1);

			if (which == offer->parameter_count)
				return 0;
			memcpy(values[which], arc, sizeof arc);
		} else if (strlen(arc) != length || strncmp(arc, pattern, length) != 0) {
			return 0;
		}
		pattern += length;
		if (*pattern == '.')
			pattern++;
	}
	return at;
}

/* False when it is meant for other devices. */
static bool
fits(struct candidate *candidate, const uint32_t *ids, size_t count)
{
	const struct offer *offer = candidate->offer;
	size_t room = offer->parameter_count + 1;
	char (*values)[12] = mem_array(room, sizeof *values);

	candidate->values = mem_array(room, sizeof *values);
	for (size_t i = 0; i < offer->sysobjectid_count; i++) {
		size_t arcs;

		memset(values, 0, room * sizeof *values);
		arcs = fit(offer, offer->sysobjectids[i], ids, count, values);
		if (arcs > candidate->fits) {
			candidate->fits = arcs;
			memcpy(candidate->values, values, room * sizeof *values);
		}
	}
	free(values);
	return offer->sysobjectid_count == 0 || candidate->fits > 0;
}

/* ---- objects ---- */

/* With the values of parameters in it; false when one has none. */
static bool
expand(const struct candidate *candidate, const char *text, char to[OID_TEXT])
{
	const struct offer *offer = candidate->offer;
	size_t used = 0;

	while (*text != '\0') {
		size_t length = strcspn(text, "$"), which;
		const char *value;

		if (length > 0) {
			used += (size_t)snprintf(to + used, OID_TEXT - used, "%.*s", (int)length,
				text);
		} else {
			length = 1 + strcspn(text + 1, ".$");
			which = find_parameter(offer, text + 1, length - 1);
			if (which == offer->parameter_count)
				return false;
			value = candidate->values[which][0] != '\0' ? candidate->values[which] :
				offer->parameters[which].fallback;
			if (value == NULL)
				return false;
			used += (size_t)snprintf(to + used, OID_TEXT - used, "%s", value);
		}
		if (used >= OID_TEXT)
			return false;
		text += length;
	}
	to[used] = '\0';
	return true;
}

static size_t
object_number(struct suggestion *suggestion, const uint32_t *ids, size_t count, bool column)
{
	size_t number = 0;

	for (; number < suggestion->object_count; number++) {
		const struct scout_object *object = &suggestion->objects[number];

		if (object->column == column && oid_compare(suggestion->ids[number],
			object->oid.count, ids, count) == 0)
			return number;
	}
	suggestion->objects = mem_grow(suggestion->objects, number + 1,
		sizeof *suggestion->objects);
	suggestion->ids = mem_grow(suggestion->ids, number + 1, sizeof *suggestion->ids);
	memcpy(suggestion->ids[number], ids, count * sizeof *ids);
	suggestion->objects[number] = (struct scout_object){ .oid = { .count = count },
		.column = column };
	suggestion->object_count++;
	return number;
}

/* False when a parameter in it has no value. */
static bool
add_object(struct suggestion *suggestion, const struct candidate *candidate, const char *oid,
	bool column, size_t *number)
{
	uint32_t ids[SNMP_OID_MAX];
	char text[OID_TEXT];
	size_t count;

	if (!expand(candidate, oid, text) || snmp_oid_parse(text, ids, &count, NULL) == -1)
		return false;
	*number = object_number(suggestion, ids, count, column);
	return true;
}

static void
add_objects(struct suggestion *suggestion, struct candidate *candidate)
{
	const struct offer *offer = candidate->offer;

	candidate->wants = mem_array(offer->oid_count + offer->has_count + 1,
		sizeof *candidate->wants);
	for (size_t i = 0; i < offer->oid_count; i++)
		candidate->want_count += add_object(suggestion, candidate, offer->oids[i].text,
			offer->oids[i].column, &candidate->wants[candidate->want_count]);
	for (size_t i = 0; i < offer->has_count; i++)
		candidate->has_count += add_object(suggestion, candidate, offer->has[i], true,
			&candidate->wants[candidate->want_count + candidate->has_count]);
}

void
suggest_begin(struct suggestion *suggestion, const struct offer *offers, size_t count,
	const uint32_t *object_id, size_t object_id_count)
{
	*suggestion = (struct suggestion){ .items = mem_array(count + 1,
		sizeof *suggestion->items) };
	for (size_t i = 0; i < count; i++) {
		struct candidate *candidate = &suggestion->items[suggestion->count];

		*candidate = (struct candidate){ .offer = &offers[i] };
		if (fits(candidate, object_id, object_id_count)) {
			add_objects(suggestion, candidate);
			suggestion->count++;
		} else {
			free(candidate->values);
		}
	}
	/* Now nothing moves any more. */
	for (size_t i = 0; i < suggestion->object_count; i++)
		suggestion->objects[i].oid.ids = suggestion->ids[i];
}

/* ---- choosing ---- */

static const char *
shared(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
	for (size_t i = 0; i < a_count; i++)
		for (size_t k = 0; k < b_count; k++)
			if (strcmp(a[i], b[k]) == 0)
				return a[i];
	return NULL;
}

/* A parameter that both have, and that gets different values. */
static const char *
disputed(const struct candidate *a, const struct candidate *b)
{
	for (size_t i = 0; i < a->offer->parameter_count; i++) {
		const char *name = a->offer->parameters[i].name;
		size_t k = find_parameter(b->offer, name, strlen(name));

		if (k < b->offer->parameter_count && strcmp(a->values[i], b->values[k]) != 0)
			return name;
	}
	return NULL;
}

static bool
wants(const struct candidate *candidate, size_t object)
{
	for (size_t i = 0; i < candidate->want_count; i++)
		if (candidate->wants[i] == object)
			return true;
	return false;
}

/* Most columns that it would ask for are asked for by the other already: the same table by
 * another name, polled and stored twice. */
static bool
repeats(const struct suggestion *suggestion, const struct candidate *candidate,
	const struct candidate *chosen)
{
	size_t columns = 0, repeated = 0;

	for (size_t i = 0; i < candidate->want_count; i++) {
		const struct scout_object *object = &suggestion->objects[candidate->wants[i]];

		if (!object->there || !object->column)
			continue;
		columns++;
		repeated += wants(chosen, candidate->wants[i]);
	}
	return repeated * 2 > columns;
}

/* What it inherits has all that is there and fits as well: then that will do. */
static const struct candidate *
simpler(const struct suggestion *suggestion, const struct candidate *candidate)
{
	const struct offer *offer = candidate->offer;

	for (size_t i = 0; i < suggestion->count; i++) {
		const struct candidate *other = &suggestion->items[i];

		if (other->found == candidate->found && other->fits >= candidate->fits &&
			shared(&other->offer->name, 1, offer->ancestors, offer->ancestor_count) != NULL)
			return other;
	}
	return NULL;
}

/* Fills why_not when it cannot stand beside the other, which was chosen. */
static bool
clashes(const struct suggestion *suggestion, struct candidate *candidate,
	const struct candidate *chosen)
{
	const struct offer *one = candidate->offer, *other = chosen->offer;
	const char *what = NULL, *name = NULL;

	if (shared(&one->name, 1, other->ancestors, other->ancestor_count) != NULL) {
		snprintf(candidate->why_not, sizeof candidate->why_not, "is part of %s",
			other->name);
		return true;
	}
	if ((name = shared(one->tables, one->table_count, other->tables, other->table_count)) != NULL)
		what = "table";
	else if ((name = shared(one->scalars, one->scalar_count, other->scalars,
		other->scalar_count)) != NULL)
		what = "point";
	else if ((name = disputed(candidate, chosen)) != NULL)
		what = "parameter";
	if (name != NULL)
		snprintf(candidate->why_not, sizeof candidate->why_not,
			"has a %s \"%s\" as %s has", what, name, other->name);
	else if (repeats(suggestion, candidate, chosen))
		snprintf(candidate->why_not, sizeof candidate->why_not,
			"asks for most of its columns as %s does", other->name);
	return candidate->why_not[0] != '\0';
}

static const char *
missing_parameter(const struct candidate *candidate)
{
	for (size_t i = 0; i < candidate->offer->parameter_count; i++)
		if (candidate->values[i][0] == '\0' && candidate->offer->parameters[i].fallback == NULL)
			return candidate->offer->parameters[i].name;
	return NULL;
}

static bool
is_better(const struct candidate *a, const struct candidate *b)
{
	if (a->fits != b->fits)
		return a->fits > b->fits;
	if (a->found != b->found)
		return a->found > b->found;
	return a < b;
}

static void
judge(const struct suggestion *suggestion, struct candidate *candidate)
{
	const char *missing = missing_parameter(candidate);
	const struct candidate *other = simpler(suggestion, candidate);

	if (other != NULL) {
		snprintf(candidate->why_not, sizeof candidate->why_not,
			"has no more there than %s, which it inherits", other->offer->name);
		return;
	}
	if (missing != NULL) {
		snprintf(candidate->why_not, sizeof candidate->why_not, "needs the parameter %s",
			missing);
		return;
	}
	for (size_t i = 0; i < suggestion->count; i++)
		if (suggestion->items[i].chosen &&
			clashes(suggestion, candidate, &suggestion->items[i]))
			return;
	candidate->chosen = true;
}

/* What lacks all of match.has is as if it had nothing. */
static void
count_found(const struct suggestion *suggestion, struct candidate *candidate)
{
	size_t has = 0;

	for (size_t k = 0; k < candidate->has_count; k++)
		has += suggestion->objects[candidate->wants[candidate->want_count + k]].there;
	if (candidate->offer->has_count > 0 && has == 0)
		return;
	for (size_t k = 0; k < candidate->want_count; k++)
		candidate->found += suggestion->objects[candidate->wants[k]].there;
}

void
suggest_choose(struct suggestion *suggestion)
{
	struct candidate *best;

	for (size_t i = 0; i < suggestion->count; i++)
		count_found(suggestion, &suggestion->items[i]);
	do {
		best = NULL;
		for (size_t i = 0; i < suggestion->count; i++) {
			struct candidate *at = &suggestion->items[i];

			if (at->found > 0 && !at->chosen && at->why_not[0] == '\0' &&
				(best == NULL || is_better(at, best)))
				best = at;
		}
		if (best != NULL)
			judge(suggestion, best);
	} while (best != NULL);
}

void
suggest_free(struct suggestion *suggestion)
{
	for (size_t i = 0; i < suggestion->count; i++) {
		free(suggestion->items[i].values);
		free(suggestion->items[i].wants);
	}
	free(suggestion->items);
	free(suggestion->objects);
	free(suggestion->ids);
	*suggestion = (struct suggestion){ 0 };
}

/* ---- names ---- */

const char *
suggest_name(char *to, const char *sys_name, const char *address)
{
	size_t used = 0;

	for (; *sys_name != '\0' && used < 40; sys_name++) {
		unsigned char c = (unsigned char)*sys_name;

		if (c < 128 && (isalnum(c) || c == '_' || (used > 0 && c == '.')))
			to[used++] = (char)c;
		else if (used > 0 && to[used - 1] != '-')
			to[used++] = '-';
	}
	while (used > 0 && (to[used - 1] == '-' || to[used - 1] == '.'))
		used--;
	to[used] = '\0';
	if (!str_is_name(to)) {
		snprintf(to, 41, "host-%.35s", address);
		for (char *c = to; *c != '\0'; c++)
			if (*c == ':' || *c == '%')
				*c = '-';
	}
	return to;
}
