#include "cli/discover_show.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/str.h"
#include "config/offers.h"
#include "core/device.h"

/* ---- names ---- */

static bool
is_taken(const char *name, const struct found *found, size_t count,
	const struct inventory *inventory)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(found[i].name, name) == 0)
			return true;
	return inventory_find(inventory, name) != NULL;
}

void
found_name_all(struct found *found, size_t count, const struct inventory *inventory)
{
	for (size_t i = 0; i < count; i++) {
		char address[64], base[41], name[41];

		if (found[i].configured != NULL)
			continue;
		net_addr_text(address, sizeof address, &found[i].address, false);
		suggest_name(base, found[i].sys_name, address);
		str_copy(name, sizeof name, base);
		for (unsigned n = 2; is_taken(name, found, i, inventory); n++)
			snprintf(name, sizeof name, "%.32s-%u", base, n);
		str_copy(found[i].name, sizeof found[i].name, name);
	}
}

/* Has the daemon a template of this name for the device? */
static bool
uses(const struct device *device, const char *template)
{
	for (size_t i = 0; i < device->group_count; i++)
		if (strcmp(device->groups[i].name, template) == 0)
			return true;
	return false;
}

/* ---- the fragment ---- */

/* What a device says of itself, in a comment: one line, nothing that ends it. */
static void
put_words(FILE *to, const char *text)
{
	for (; *text != '\0'; text++)
		fputc((unsigned char)*text < ' ' || *text == 127 ? ' ' : *text, to);
}

static void
put_identity(FILE *to, const struct found *found)
{
	char address[64];

	net_addr_text(address, sizeof address, &found->address, false);
	fprintf(to, "  # %s: ", address);
	put_words(to, found->descr[0] != '\0' ? found->descr : "says nothing of itself");
	if (found->object_id[0] != '\0')
		fprintf(to, "; sysObjectID %s", found->object_id);
	if (found->sys_name[0] != '\0') {
		fputs("; sysName ", to);
		put_words(to, found->sys_name);
	}
	fputc('\n', to);
	if (found->error[0] != '\0') {
		fputs("  # not asked to the end: ", to);
		put_words(to, found->error);
		fputc('\n', to);
	}
}

/* "objects there: system 1 of 1, if-mib 20 of 25", and what was left out. */
static void
put_reasons(FILE *to, const struct found *found)
{
	const struct suggestion *suggestion = &found->suggestion;
	const char *before = "  # objects there: ";

	for (size_t i = 0; i < suggestion->count; i++) {
		const struct candidate *at = &suggestion->items[i];

		if (!at->chosen)
			continue;
		fprintf(to, "%s%s %zu of %zu", before, at->offer->name, at->found, at->want_count);
		before = ", ";
	}
	if (before[0] == ',')
		fputc('\n', to);
	for (size_t i = 0; i < suggestion->count; i++) {
		const struct candidate *at = &suggestion->items[i];

		if (at->found > 0 && !at->chosen)
			fprintf(to, "  # left out: %s (%zu of %zu objects there) %s\n",
				at->offer->name, at->found, at->want_count, at->why_not);
	}
}

static void
put_configured(FILE *to, const struct found *found)
{
	const char *before = "; not used yet: ";

	fprintf(to, "  # polled already as \"%s\"", found->configured->name);
	for (size_t i = 0; i < found->suggestion.count; i++) {
		const struct candidate *at = &found->suggestion.items[i];

		if (!at->chosen || uses(found->configured, at->offer->name))
			continue;
		fprintf(to, "%s%s", before, at->offer->name);
		before = ", ";
	}
	fputc('\n', to);
}

static size_t
put_templates(FILE *to, const struct suggestion *suggestion)
{
	size_t count = 0;

	fputs("    templates = [", to);
	for (size_t i = 0; i < suggestion->count; i++) {
		if (suggestion->items[i].chosen)
			fprintf(to, "%s \"%s\"", count++ == 0 ? "" : ",",
				suggestion->items[i].offer->name);
	}
	fputs(" ];", to);
	return count;
}

/* Two templates may have the same parameter; its value is then the same. */
static bool
is_told(const struct suggestion *suggestion, size_t before, const char *name)
{
	for (size_t i = 0; i < before; i++) {
		const struct candidate *at = &suggestion->items[i];

		for (size_t k = 0; at->chosen && k < at->offer->parameter_count; k++)
			if (strcmp(at->offer->parameters[k].name, name) == 0)
				return true;
	}
	return false;
}

static void
put_parameters(FILE *to, const struct suggestion *suggestion)
{
	const char *before = "\n    parameters = { ", *after = "";

	for (size_t i = 0; i < suggestion->count; i++) {
		const struct candidate *at = &suggestion->items[i];

		for (size_t k = 0; at->chosen && k < at->offer->parameter_count; k++) {
			if (at->values[k][0] == '\0' ||
				is_told(suggestion, i, at->offer->parameters[k].name))
				continue;
			fprintf(to, "%s%s = %s;", before, at->offer->parameters[k].name,
				at->values[k]);
			before = " ";
			after = " };";
		}
	}
	fputs(after, to);
}

static bool
is_proposed(const struct found *found)
{
	bool some = false;

	for (size_t i = 0; i < found->suggestion.count; i++)
		some = some || found->suggestion.items[i].chosen;
	return some && found->configured == NULL;
}

static void
put_device(FILE *to, const struct found *found, bool last)
{
	char address[64];

	net_addr_text(address, sizeof address, &found->address, false);
	fprintf(to, "  { name = \"%s\"; address = \"%s\"; ", found->name, address);
	if (found->profile != NULL)
		fprintf(to, "profile = \"%s\";\n", found->profile);
	else
		fputs("snmp = { version = \"2c\"; };\n", to);
	put_templates(to, &found->suggestion);
	put_parameters(to, &found->suggestion);
	fprintf(to, " }%s\n", last ? "" : ",");
}

char *
found_fragment(const struct found *found, size_t count)
{
	char *text = NULL;
	size_t size = 0, left = 0;
	FILE *to = open_memstream(&text, &size);

	if (to == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		left += is_proposed(&found[i]);
	fprintf(to, "# found by pollwerk discover: paste it, or save it as a file that poller.include "
		"names\ndevices: (\n");
	for (size_t i = 0; i < count; i++) {
		put_identity(to, &found[i]);
		put_reasons(to, &found[i]);
		if (found[i].configured != NULL)
			put_configured(to, &found[i]);
		else if (is_proposed(&found[i]))
			put_device(to, &found[i], --left == 0);
		else if (found[i].error[0] == '\0')
			fputs("  # no template has any of its objects\n", to);
	}
	fputs(");\n", to);
	fclose(to);
	return text;
}

/* ---- JSON ---- */

static json_t *
candidates_json(const struct suggestion *suggestion)
{
	json_t *list = json_array();

	for (size_t i = 0; i < suggestion->count; i++) {
		const struct candidate *at = &suggestion->items[i];

		if (at->found > 0)
			json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:i, s:i, s:o}",
				"template", at->offer->name, "chosen", at->chosen, "by_object_id",
				at->fits > 0, "found", (int)at->found, "objects", (int)at->want_count,
				"why_not", at->chosen ? json_null() : doc_text(at->why_not)));
	}
	return list;
}

static void
add_choice(const struct suggestion *suggestion, json_t *templates, json_t *parameters)
{
	for (size_t i = 0; i < suggestion->count; i++) {
		const struct candidate *at = &suggestion->items[i];

		if (at->chosen)
			json_array_append_new(templates, json_string(at->offer->name));
		for (size_t k = 0; at->chosen && k < at->offer->parameter_count; k++)
			if (at->values[k][0] != '\0')
				json_object_set_new(parameters, at->offer->parameters[k].name,
					json_integer(atoll(at->values[k])));
	}
}

json_t *
found_json(const struct found *found, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct found *at = &found[i];
		json_t *templates = json_array(), *parameters = json_object();
		char address[64];

		net_addr_text(address, sizeof address, &at->address, false);
		add_choice(&at->suggestion, templates, parameters);
		json_array_append_new(list, json_pack(
			"{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "address", address,
			"profile", at->profile == NULL ? json_null() : doc_text(at->profile),
			"configured", at->configured == NULL ? json_null() :
			doc_text(at->configured->name), "name",
			at->name[0] == '\0' ? json_null() : doc_text(at->name), "object_id",
			at->object_id[0] == '\0' ? json_null() : doc_text(at->object_id), "descr",
			doc_text(at->descr), "sys_name", doc_text(at->sys_name), "templates",
			templates, "parameters", parameters, "candidates",
			candidates_json(&at->suggestion), "error",
			at->error[0] == '\0' ? json_null() : doc_text(at->error)));
	}
	return list;
}
