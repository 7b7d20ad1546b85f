#include "config/offers.h"

#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/arena.h"
#include "config/errors.h"
#include "config/load.h"
#include "config/template.h"
#include "config/tree.h"

struct offers {
	struct arena *arena;
	struct offer *items;
	size_t count;
};

/* Grows in the arena by doubling; these lists are short. */
struct list {
	const char **items;
	size_t count, room;
};

static void
add(struct arena *arena, struct list *list, const char *text)
{
	if (list->count == list->room) {
		size_t room = list->room == 0 ? 8 : list->room * 2;
		const char **items = arena_zero(arena, room * sizeof *items);

		if (list->count > 0)
			memcpy(items, list->items, list->count * sizeof *items);
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = text;
}

/* The texts of a key that holds one or an array of them. */
static void
add_texts(struct arena *arena, struct list *list, const struct config_setting_t *node)
{
	if (node_text(node) != NULL)
		add(arena, list, node_text(node));
	for (int i = 0; i < node_count(node); i++) {
		if (node_text(node_at(node, i)) != NULL)
			add(arena, list, node_text(node_at(node, i)));
	}
}

static void
add_ancestors(struct arena *arena, const struct template *tmpl, struct offer *offer)
{
	struct list list = { 0 };

	for (const struct template *at = tmpl->parent; at != NULL; at = at->parent)
		if (!at->hidden)
			add(arena, &list, at->name);
	offer->ancestors = list.items;
	offer->ancestor_count = list.count;
}

static void
add_parameters(struct arena *arena, const struct template *tmpl, struct offer *offer)
{
	struct node_list nodes = template_members(tmpl, NULL, "parameters", arena);
	struct offer_parameter *parameters = arena_zero(arena, nodes.count * sizeof *parameters);

	for (size_t i = 0; i < nodes.count; i++) {
		const struct config_setting_t *fallback = node_get(nodes.items[i], "default");

		parameters[i].name = node_get_text(nodes.items[i], "name", "");
		if (node_text(fallback) != NULL)
			parameters[i].fallback = node_text(fallback);
		else if (fallback != NULL)
			parameters[i].fallback =
				arena_format(arena, "%lld", node_integer(fallback));
	}
	offer->parameters = parameters;
	offer->parameter_count = nodes.count;
}

struct oids {
	struct offer_oid *items;
	size_t count;
};

static void
add_oids(struct arena *arena, struct oids *oids, const struct node_list *points, bool column)
{
	struct list texts = { 0 };
	struct offer_oid *items;

	for (size_t i = 0; i < points->count; i++)
		add_texts(arena, &texts, node_get(points->items[i], "oid"));
	items = arena_zero(arena, (oids->count + texts.count) * sizeof *items);
	if (oids->count > 0)
		memcpy(items, oids->items, oids->count * sizeof *items);
	oids->items = items;
	for (size_t i = 0; i < texts.count; i++) {
		bool known = false;

		for (size_t k = 0; k < oids->count && !known; k++)
			known = strcmp(oids->items[k].text, texts.items[i]) == 0 &&
				oids->items[k].column == column;
		if (!known)
			oids->items[oids->count++] =
				(struct offer_oid){ .text = texts.items[i], .column = column };
	}
}

static void
add_objects(struct arena *arena, const struct template *tmpl, struct offer *offer)
{
	struct node_list points = template_members(tmpl, NULL, "points", arena);
	struct node_list tables = template_members(tmpl, NULL, "tables", arena);
	struct list scalars = { 0 }, names = { 0 };
	struct oids oids = { 0 };

	add_oids(arena, &oids, &points, false);
	for (size_t i = 0; i < points.count; i++)
		add(arena, &scalars, node_get_text(points.items[i], "name", ""));
	for (size_t i = 0; i < tables.count; i++) {
		add(arena, &names, node_get_text(tables.items[i], "name", ""));
		points = template_members(NULL, tables.items[i], "points", arena);
		add_oids(arena, &oids, &points, true);
	}
	offer->oids = oids.items;
	offer->oid_count = oids.count;
	offer->scalars = scalars.items;
	offer->scalar_count = scalars.count;
	offer->tables = names.items;
	offer->table_count = names.count;
}

static void
add_offer(struct offers *offers, const struct template *tmpl)
{
	struct offer *offer = &offers->items[offers->count++];
	struct list matches = { 0 }, has = { 0 };

	offer->name = tmpl->name;
	add_texts(offers->arena, &has, node_get(node_get(tmpl->node, "match"), "has"));
	offer->has = has.items;
	offer->has_count = has.count;
	add_texts(offers->arena, &matches, node_get(node_get(tmpl->node, "match"), "sysobjectid"));
	offer->sysobjectids = matches.items;
	offer->sysobjectid_count = matches.count;
	add_ancestors(offers->arena, tmpl, offer);
	add_parameters(offers->arena, tmpl, offer);
	add_objects(offers->arena, tmpl, offer);
}

struct offers *
offers_new(const struct conf *conf)
{
	struct offers *offers = mem_zero(sizeof *offers);
	struct conf_errors errors = { 0 }; /* what is wrong was told when conf was read */
	struct templates templates = { 0 };
	struct node_list lists;

	offers->arena = arena_new();
	lists = conf_sections(conf, "templates", offers->arena);
	templates_build(&templates, lists.items, lists.count, offers->arena, &errors);
	offers->items = arena_zero(offers->arena, templates.count * sizeof *offers->items);
	for (size_t i = 0; i < templates.count; i++) {
		if (templates.items[i].protocol == PROTOCOL_SNMP && !templates.items[i].hidden)
			add_offer(offers, &templates.items[i]);
	}
	conf_errors_free(&errors);
	return offers;
}

const struct offer *
offers_list(const struct offers *offers, size_t *count)
{
	*count = offers->count;
	return offers->items;
}

void
offers_free(struct offers *offers)
{
	if (offers == NULL)
		return;
	arena_free(offers->arena);
	free(offers);
}
