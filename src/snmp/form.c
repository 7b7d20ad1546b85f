#include "snmp/form.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "core/device.h"
#include "snmp/fast.h"
#include "snmp/oid.h"

/* Tags, lengths and a number; texts are longer. */
#define VARBIND_BYTES 15
#define TEXT_BYTES 80

static const uint32_t uptime_ids[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };
#define UPTIME_COUNT (sizeof uptime_ids / sizeof uptime_ids[0])

struct form_entry {
	struct form form;         /* first: what a plan holds */
	struct form_entry *next;  /* in its bucket */
	const struct point *points; /* equal ones are one in an inventory */
	const void *wire;
	uint32_t holders;
};

/* ---- the question ---- */

static const struct snmp_oid *
oid_of(const struct group *group, size_t point)
{
	return ((const struct snmp_point *)group->points[point].wire)->oids;
}

size_t
form_bytes(const struct group *group, size_t point, const struct snmp_oid *oid)
{
	bool text = point >= group->point_count || group->points[point].kind == POINT_TEXT;

	return oid_wire_size(oid->ids, oid->count) + VARBIND_BYTES + (text ? TEXT_BYTES : 0);
}

static bool
fits(const struct group *group)
{
	size_t bytes = 0;

	for (size_t i = 0; i < group->point_count; i++) {
		const struct snmp_oid *oid = oid_of(group, i);

		bytes += form_bytes(group, i, oid);
		if (bytes > FORM_ANSWER_BYTES || oid_wire_size(oid->ids, oid->count) + 4 >= 0x80)
			return false;
	}
	return group->point_count > 0 && group->point_count <= FORM_POINTS;
}

static struct form_text *
write_text(const struct group *group)
{
	size_t count = group->point_count + 1, size;
	struct form_text *text = mem_zero(sizeof *text + count * sizeof text->objects[0]);

	text->count = count;
	text->objects[0] = (struct snmp_oid){ .ids = uptime_ids, .count = UPTIME_COUNT };
	for (size_t i = 1; i < count; i++)
		text->objects[i] = *oid_of(group, i - 1);
	text->list = fast_write_list(text->objects, count, &size);
	text->list_size = (uint32_t)size;
	text->first_size = 2u + text->list[1];
	return text;
}

static void
free_text(const struct form_text *text)
{
	if (text == NULL)
		return;
	free((void *)(uintptr_t)text->list);
	free((void *)(uintptr_t)text);
}

/* ---- who holds it ---- */

static struct form_entry **
bucket_of(const struct forms *forms, const struct point *points, const void *wire)
{
	const void *key[] = { points, wire };

	return &forms->buckets[str_hash(key, sizeof key) & (forms->room - 1)];
}

static void
grow(struct forms *forms)
{
	struct forms old = *forms;

	forms->room = old.room > 0 ? old.room * 2 : 16;
	forms->buckets = mem_array(forms->room, sizeof(struct form_entry *));
	for (size_t i = 0; i < old.room; i++)
		for (struct form_entry *entry = old.buckets[i], *next; entry != NULL; entry = next) {
			struct form_entry **bucket = bucket_of(forms, entry->points, entry->wire);

			next = entry->next;
			entry->next = *bucket;
			*bucket = entry;
		}
	free(old.buckets);
}

static struct form_entry *
add(struct forms *forms, const struct group *group)
{
	const struct snmp_group *wire = group->wire;
	size_t infos = wire != NULL ? wire->info_count : 0;
	struct form_entry *entry = mem_zero(sizeof *entry), **bucket;

	*entry = (struct form_entry){ .points = group->points, .wire = group->wire,
		.form = { .point_count = (uint32_t)group->point_count,
			.count = (uint32_t)(group->point_count + infos) } };
	bucket = bucket_of(forms, entry->points, entry->wire);
	entry->next = *bucket;
	*bucket = entry;
	forms->count++;
	return entry;
}

const struct form *
form_hold(struct forms *forms, const struct group *group)
{
	struct form_entry *entry;

	if (forms->count >= forms->room)
		grow(forms);
	for (entry = *bucket_of(forms, group->points, group->wire); entry != NULL;
		entry = entry->next)
		if (entry->points == group->points && entry->wire == group->wire &&
			entry->form.point_count == group->point_count)
			break;
	if (entry == NULL)
		entry = add(forms, group);
	if (++entry->holders == 2 && entry->form.text == NULL && fits(group))
		entry->form.text = write_text(group);
	return &entry->form;
}

void
form_release(struct forms *forms, const struct form *form)
{
	struct form_entry *entry = (struct form_entry *)(uintptr_t)form, **link;

	if (entry == NULL || --entry->holders > 0)
		return;
	link = bucket_of(forms, entry->points, entry->wire);
	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	forms->count--;
	free_text(entry->form.text);
	free(entry);
}

void
forms_free(struct forms *forms)
{
	free(forms->buckets);
	*forms = (struct forms){ .room = 0 };
}
